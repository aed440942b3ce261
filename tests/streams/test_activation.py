"""Other tables take force in a running hub: workers of their own, on a broker of their own."""

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from hub.contracts import catalogue, codec, control
from hub.contracts.tables import LEAD_MS
from hub.domain.identifiers import TenantId
from hub.domain.reference import Role, Tenant
from hub.errors import ContractError, TablesReplaced, WorldUnavailable
from hub.local import provision
from hub.local.kafka import KafkaCluster
from hub.local.processes import Workers
from hub.streams.connection import Connection
from hub.streams.tables_watch import SKEW_MS, TablesWatch
from tests.contracts.world import REFERENCE
from tests.streams.conftest import LIMITS
from tests.streams.test_intake import REGISTRATION
from tests.streams.test_worker import MANDATE, receipts

pytestmark = pytest.mark.kafka
HOUR_MS = 3_600_000


@dataclass
class Hub:
    """A cluster with the tables of version 1 in force, and whom to start."""

    cluster: KafkaCluster
    passwords: dict[str, str]
    folder: Path

    @property
    def admin(self) -> dict[str, Any]:
        return {
            "bootstrap.servers": self.cluster.bootstrap, "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "admin", "sasl.password": self.passwords["admin"],
            "log_level": 0,
        }  # fmt: skip

    def as_principal(self, name: str) -> Connection:
        return Connection(self.cluster.bootstrap, name, self.passwords[name], limits=LIMITS)

    def send(self, tenant: str, value: bytes) -> None:
        producer = Producer({**self.admin, "sasl.username": tenant, "sasl.password": self.passwords[tenant]})
        refused: list[Any] = []
        producer.produce(
            catalogue.inbox(TenantId(tenant)), value, b"k", partition=0,
            on_delivery=lambda error, _: refused.append(error) if error else None,
        )  # fmt: skip
        assert producer.flush(20) == 0 and not refused

    def start(self, workers: Workers, *roles: str) -> None:
        keys = self.folder / "credentials.json"
        keys.write_text(json.dumps(self.passwords))
        argv = [".venv/bin/hub", "run", *(word for role in roles for word in ("--role", role))]
        workers.add(
            "+".join(roles), argv,
            {"PATH": "/usr/bin:/bin", "KAFKA_BOOTSTRAP_SERVERS": self.cluster.bootstrap,
             "HUB_CREDENTIALS_FILE": str(keys), "HUB_INSTANCE": "+".join(roles)},
        )  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """One for all tests, in their order: what is in force cannot be taken back, so each takes the next version."""
    with KafkaCluster() as cluster:
        passwords = {name: secrets.token_hex(16) for name in (*catalogue.principals(REFERENCE), "pkg-c")}
        passwords["admin"] = cluster.admin_password
        provision.apply(cluster.bootstrap, passwords, REFERENCE)
        yield Hub(cluster, passwords, tmp_path_factory.mktemp("activation"))


async def test_without_tables_in_force_nobody_starts(hub: Hub) -> None:
    """And the message says what to run."""
    provision.publish_control(hub.admin, "activation/1", None)
    watch = TablesWatch(hub.as_principal(catalogue.REGION))
    with pytest.raises(WorldUnavailable, match="Run hub topics apply"):
        await watch.start()
    await watch.stop()
    provision.publish_control(hub.admin, *control.activation_record(REFERENCE, None))


async def test_every_worker_goes_on_with_the_tables_that_were_activated(hub: Hub) -> None:
    """They stop in order, start again with the new version, and nothing is lost meanwhile."""
    later = replace(
        REFERENCE, version=2,
        tenants=(*REFERENCE.tenants, Tenant(TenantId("pkg-c"), Role.PACKAGE, valid_from_ms=_now_ms() + HOUR_MS)),
    )  # fmt: skip
    with Workers(hub.folder / "output.jsonl") as workers:
        for role in ("intake", "region", "delivery"):
            hub.start(workers, role)
        hub.send("office", codec.encode(MANDATE))
        assert len(await receipts(hub.as_principal("office"), 1)) == 1
        provision.apply(hub.cluster.bootstrap, hub.passwords, later)
        hub.send("pkg-a", codec.encode(REGISTRATION))
        for role in ("intake", "region", "delivery"):
            workers.wait_for_start(role, 2, 60)
        hub.send("pkg-c", codec.encode(REGISTRATION))
        assert {r.code for r in (await receipts(hub.as_principal("pkg-a"), 1)).values()} == {"applied"}
        assert {r.code for r in (await receipts(hub.as_principal("pkg-c"), 1)).values()} == {"unknown_tenant"}
    said = [json.loads(line) for line in (hub.folder / "output.jsonl").read_text().splitlines()]
    replaced = [row["worker"] for row in said if row.get("event") == "tables_replaced"]
    assert sorted(replaced) == ["delivery", "intake", "region"]
    versions = {row["worker"]: row["tables_version"] for row in said if row.get("event") == "worker_started"}
    assert versions == {"intake": 2, "region": 2, "delivery": 2}


async def test_a_worker_takes_no_record_beyond_what_its_tables_are_known_to_hold_for(hub: Hub) -> None:
    """Also one that slept through an activation: it looks before it takes what came later."""
    watch = TablesWatch(hub.as_principal(catalogue.INTAKE))
    held = (await watch.start()).reference
    seen = _now_ms()
    await watch.cover(seen)
    provision.apply(hub.cluster.bootstrap, hub.passwords, replace(held, version=3))
    await watch.cover(seen + LEAD_MS - SKEW_MS - 1)  # whatever takes force by then was activated before it looked
    with pytest.raises(TablesReplaced, match="version 3 of generation 1 is in force; this process knows 2"):
        await watch.cover(seen + LEAD_MS)
    await watch.stop()


async def test_looking_again_parses_nothing_until_something_has_come(hub: Hub) -> None:
    """An idle process looks every two seconds, and tables of a nation take tens of milliseconds."""
    watch = TablesWatch(hub.as_principal(catalogue.INTAKE))
    held = await watch.start()
    assert await watch.look() is held
    provision.publish_control(hub.admin, "closing/99", b"")
    later = await watch.look()
    assert later == held and later is not held
    assert await watch.look() is later
    await watch.stop()


async def test_no_worker_starts_with_tables_that_changed_a_row_in_force(hub: Hub) -> None:
    """Whoever activates past the command meets every worker's own check."""
    bad = replace(REFERENCE, version=4, tenants=REFERENCE.tenants[1:])
    provision.publish_control(hub.admin, *control.tables_record(bad))
    provision.publish_control(hub.admin, *control.activation_record(bad, 3))
    watch = TablesWatch(hub.as_principal(catalogue.REGION))
    with pytest.raises(ContractError, match="tenant pkg-a: its row from 0 is in force"):
        await watch.start()
    await watch.stop()


def _now_ms() -> int:
    return int(time.time() * 1000)
