"""A worker as deployed: a process of its own, every role with its own principal and no more than its access rules."""

import asyncio
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import redis
from aiokafka import TopicPartition

from hub.contracts import catalogue
from hub.contracts.codec import decode, encode
from hub.domain import events as e
from hub.local import provision
from hub.local.kafka import KafkaCluster
from hub.streams.connection import Connection, read_to_end, reading
from hub.streams.crash import EXIT_DIED
from hub.streams.producer import Publisher, Record
from hub.streams.read_model import COUNTS
from hub.streams.worker import ROLES
from tests.contracts.world import REFERENCE
from tests.streams.test_intake import REGISTRATION

pytestmark = pytest.mark.kafka
MANDATE = e.MandateGranted(
    record_id="mandate-0001",  # type: ignore[arg-type]
    version=1,
    provider=REGISTRATION.provider,
    mandate_tenant="pkg-a",  # type: ignore[arg-type]
    bo_member=True,
    valid_from=date(2020, 1, 1),
)


@dataclass(frozen=True)
class Deployed:
    """A running worker with every role, and how to reach it."""

    process: "subprocess.Popen[bytes]"
    passwords: dict[str, str]
    bootstrap: str
    health: str
    redis_url: str

    def as_tenant(self, tenant: str) -> Connection:
        return Connection(self.bootstrap, tenant, self.passwords[tenant])

    def answer(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.health + path, timeout=5) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as problem:
            return problem.code, problem.read().decode()
        except OSError:
            return 0, ""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory, valkey: Any) -> Iterator[Deployed]:
    """A cluster as the catalogue says, and one process with every role."""
    folder = tmp_path_factory.mktemp("worker")
    url = valkey.url("root")
    redis.Redis.from_url(url).flushall()
    with KafkaCluster() as cluster:
        passwords = {name: secrets.token_hex(16) for name in catalogue.principals(REFERENCE)}
        passwords["admin"] = cluster.admin_password
        provision.apply(cluster.bootstrap, passwords, REFERENCE)
        keys = folder / "credentials.json"
        keys.write_text(json.dumps(passwords))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        process = start_worker(folder, cluster.bootstrap, keys, url, port)
        running = Deployed(process, passwords, cluster.bootstrap, f"http://127.0.0.1:{port}", url)
        try:
            wait_until(lambda: running.answer("/readyz")[0] == 200 or process.poll() is not None)
            assert process.poll() is None, (folder / "said.jsonl").read_text()[-3000:]
            yield running
        finally:
            process.kill()
            process.wait()


def start_worker(folder: Path, bootstrap: str, keys: Path, redis_url: str, port: int) -> "subprocess.Popen[bytes]":
    roles = [argument for role in ROLES for argument in ("--role", role)]
    return subprocess.Popen(
        [sys.executable, "-m", "hub", "run", *roles],
        env=os.environ
        | {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "REDIS_URL": redis_url,
            "HUB_CREDENTIALS_FILE": str(keys),
            "HUB_HEALTH_PORT": str(port),
        },
        stderr=(folder / "said.jsonl").open("wb"),
    )


def wait_until(holds: Any, seconds_max: float = 60.0) -> None:
    give_up = time.monotonic() + seconds_max
    while not holds() and time.monotonic() < give_up:
        time.sleep(0.1)


async def send(connection: Connection, *inputs: bytes) -> None:
    publisher = Publisher(connection.producer())
    await connection.start(publisher.producer)
    records = [Record(b"k", value) for value in inputs]
    await publisher.publish(TopicPartition(f"inbox.{connection.principal}", 0), records)
    await publisher.producer.stop()


async def receipts(connection: Connection, at_least: int) -> dict[str, Any]:
    """Receipts by source, as their owner reads them."""
    found: dict[str, Any] = {}
    target = TopicPartition(f"out.receipts.{connection.principal}", 0)
    async with reading(connection) as lone:
        for _ in range(100):
            async for record in read_to_end(lone, {target: None}):
                found[dict(record.headers)["ce_hubsrc"].decode()] = decode(record.value)
            if len(found) >= at_least:
                break
            await asyncio.sleep(0.2)
    return found


def test_a_worker_that_cannot_start_says_why_and_ends(deployed: Deployed, tmp_path: Path) -> None:
    """Faust's own tasks outlive their cancellation: without an end by force it would hang in silence."""
    keys = tmp_path / "credentials.json"
    keys.write_text(json.dumps(deployed.passwords))
    environment = {
        "KAFKA_BOOTSTRAP_SERVERS": deployed.bootstrap,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "HUB_CREDENTIALS_FILE": str(keys),
    }
    ended = subprocess.run(
        [sys.executable, "-m", "hub", "run", "--role", "read-model"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == EXIT_DIED
    assert "Redis does not answer" in ended.stderr


async def test_a_tenant_gets_one_receipt_for_every_record_by_its_own_principal(deployed: Deployed) -> None:
    """From the inbox through intake, fold and delivery, with nobody's access rules widened."""
    office, package = deployed.as_tenant("office"), deployed.as_tenant("pkg-a")
    await send(office, encode(MANDATE))
    assert {source: receipt.code for source, receipt in (await receipts(office, 1)).items()} == {
        "inbox.office/0": "applied"
    }
    await send(package, encode(REGISTRATION), b"poison", encode(REGISTRATION))
    found = await receipts(package, 3)
    assert {source: receipt.code for source, receipt in sorted(found.items())} == {
        "inbox.pkg-a/0": "applied",
        "inbox.pkg-a/1": "not_confluent_framed",
        "inbox.pkg-a/2": "repeated",
    }


def test_the_dead_letters_of_each_tenant_are_counted_where_anybody_can_watch_them(deployed: Deployed) -> None:
    """One for what pkg-a sent as poison above; none for an office that sent only what was taken."""
    wait_until(lambda: 'hub_dlq_depth{tenant="pkg-a"} 1.0' in deployed.answer("/metrics")[1], 30)
    assert 'hub_dlq_depth{tenant="office"} 0.0' in deployed.answer("/metrics")[1]


async def test_the_read_model_counts_what_the_fold_said(deployed: Deployed) -> None:
    """The page shows the same receipts, without an id."""
    shown = redis.Redis.from_url(deployed.redis_url, decode_responses=True)
    wait_until(lambda: shown.hget(COUNTS, "receipts/duplicate/repeated") is not None, 20)
    assert shown.hget(COUNTS, "receipts/duplicate/repeated") == "1"
    assert shown.hget(COUNTS, "receipts/unreadable/not_confluent_framed") == "1"


def test_health_tells_every_job_and_metrics_name_no_one(deployed: Deployed) -> None:
    """Ready only when every job has its partitions."""
    status, body = deployed.answer("/readyz")
    checks = json.loads(body)["checks"]
    assert status == 200
    assert set(checks) == {"intake", "region", "duplicates", "delivery", "delivery-compacted", "read-model"}
    _, metrics = deployed.answer("/metrics")
    assert "hub_events_total" in metrics
    assert "reg-0001" not in metrics


async def test_the_clock_has_told_today(deployed: Deployed) -> None:
    """As a tenant like any other: it writes its inbox and gets its receipt."""
    found = await receipts(deployed.as_tenant("clock"), 1)
    assert [receipt.code for receipt in found.values()] == ["applied"]


def test_it_stops_when_it_is_told_to(deployed: Deployed) -> None:
    """In order, with exit code 0. Stands last: the others need it alive."""
    deployed.process.send_signal(signal.SIGTERM)
    assert deployed.process.wait(30) == 0
