"""The whole hub on this machine while its workers die: a simulated nation, stock clients, and the oracle at the end.

A small one in every test run; `make chaos` takes a larger nation and the sessions of a deployment.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from hub.audit.verify import Verdict, verify_dump
from hub.contracts import catalogue
from hub.contracts.schemas import registry
from hub.domain.identifiers import TenantId
from hub.edge import FileKey
from hub.local.demo import AUDITOR, ROLES, Stack, prepare, start_hub
from hub.local.dump import dump_redis, dump_topics
from hub.local.rest import look, wait_until_idle
from hub.local.simulator import national
from hub.local.simulator import truth as ground_truth
from hub.local.simulator.live import Live
from hub.local.simulator.tenants import connect
from hub.local.summary import Summary, summarise

pytestmark = pytest.mark.kafka


@dataclass(frozen=True)
class Size:
    """How large a nation, how many days, and with which limits the workers run."""

    clients: int
    days: int
    limits: dict[str, str]
    seed: int = 3


SMALL = Size(200, 12, {"HUB_LIMITS__SESSION_TIMEOUT_MS": "3000", "HUB_LIMITS__HEARTBEAT_INTERVAL_MS": "500"})
"""A dead worker's partitions are given away after 3 s."""
LARGE = Size(600, 20, {})
KILLED = tuple(ROLES)
WAIT_S = 30.0
ROOT = Path(__file__).parents[2]
HEAD = 6
"""A search for the first letters of every secret at once is quick; what it finds is looked at whole."""


@dataclass
class Killer:
    """Kills a worker of each role while its work is half done: the progress of the load says when."""

    stack: Stack
    left: list[str] = field(default_factory=lambda: list(KILLED))

    def __call__(self, what: str, done: int, whole: int) -> None:
        """Told by the simulator for each receipt that it hears while it waits."""
        stage = len(KILLED) - len(self.left)
        half_done = what == "history" and done * (len(KILLED) + 1) >= whole * (stage + 1)
        if self.left and (half_done or what == "days"):  # receipts come in heaps: who was passed over dies on a day
            self.stack.workers.kill(self.left.pop(0))


@dataclass
class Run:
    """What the module's tests look at."""

    stack: Stack
    nation: national.Nation
    live: Live
    killer: Killer
    folder: Path
    verdict: Verdict | None = None
    summary: Summary | None = None

    def login(self, tenant: str, **more: Any) -> dict[str, Any]:
        """Settings of a stock client with a tenant's own password."""
        return {
            "bootstrap.servers": self.stack.kafka.tenant_bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": tenant,
            "sasl.password": self.stack.passwords[tenant],
            "log_level": 0,
            **more,
        }

    def schemas(self) -> SchemaRegistryClient:
        """The stock registry client against the hub's own endpoints."""
        return SchemaRegistryClient({"url": self.stack.console_url.rstrip("/")})

    def register(self, client: national.Client, record_id: str, inbox: str | None = None) -> str:
        """A registration by the client's package, sent with nothing of ours; where the broker put it."""
        package = client.provider.package
        serialise = AvroSerializer(
            self.schemas(),
            registry().latest["RegistrationSubmitted"].text,
            conf={"auto.register.schemas": False, "subject.name.strategy": record_subject_name_strategy},
        )
        record = {
            "record_id": record_id,
            "version": 1,
            "provider": client.provider.agb,
            "status": "active",
            "pc4": client.pc4,
            "due_date": client.due_date,
            "requested_on": client.due_date,
            "insurer": "9101",
            "indicated_minutes": 2940,
            "protocol": "lip",
            "partus_assistance": False,
            "identity": None,
        }
        topic = inbox or catalogue.inbox(package)
        placed: list[Message] = []

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                raise KafkaException(error)
            placed.append(message)

        producer = Producer(self.login(package))
        value = serialise(record, SerializationContext(topic, MessageField.VALUE))
        producer.produce(topic, value, key=record_id.encode(), on_delivery=delivered)
        producer.flush(WAIT_S)
        [message] = placed
        self.live.measured.inputs += 1
        return f"{topic}/{message.offset()}"

    def look(self) -> list[str]:
        """Who is behind."""
        return look(self.stack.kafka.admin(), self.nation.reference, self.stack.valkey.url(AUDITOR))[0]

    def end(self) -> Summary:
        """Let everything come to rest, dump it and ask the oracle; once."""
        if self.summary is None:
            wait_until_idle(self.stack.kafka.admin(), self.nation.reference, self.stack.valkey.url(AUDITOR))
            dump_redis(self.folder / "redis.jsonl", self.stack.valkey.url(AUDITOR))
            dump_topics(self.folder, self.stack.auditor())
            self.live.truth.write(self.folder / "truth.jsonl")
            (self.folder / "metrics.txt").touch()
            self.verdict = verify_dump(self.folder)
            self.summary = summarise(self.folder, self.nation.reference, self.verdict, self.live.measured)
        return self.summary


@pytest.fixture(scope="module", params=[SMALL, pytest.param(LARGE, marks=pytest.mark.chaos)], ids=["small", "large"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A nation that has lived its days while a worker of each role was killed."""
    size: Size = request.param
    folder = tmp_path_factory.mktemp("demo")
    with ExitStack() as running:
        stack = prepare(running, folder)
        running.enter_context(stack.kafka)
        nation = national.build(size.seed, size.clients, size.days)
        start_hub(stack, nation.reference, size.limits)
        tenants = connect(nation.reference, stack.kafka.tenant_bootstrap, stack.passwords)
        for client in tenants.values():
            running.callback(client.close)
        killer = Killer(stack)
        live = Live(nation, tenants, killer)
        live.load()
        while not live.finished:
            live.step()
        yield Run(stack, nation, live, killer, folder)


@pytest.mark.parametrize("name", ["region", "duplicates"])
def test_a_fold_that_stands_still_is_seen_to_be_behind_until_it_has_folded_everything(run: Run, name: str) -> None:
    """What its group says does not count: it may be dead, or thrown out, or waiting for a dead member's session."""
    wait_until_idle(run.stack.kafka.admin(), run.nation.reference, run.stack.valkey.url(AUDITOR))
    run.stack.workers.pause(name)
    run.register(run.nation.clients[1], f"stock-{name}-1")
    deadline = time.monotonic() + WAIT_S
    while not (behind := run.look()) or not all(line.startswith(f"hub.{name}.") for line in behind):
        assert time.monotonic() < deadline, behind
    assert all(line.startswith(f"hub.{name}.") for line in run.look()), "nobody else has anything to do"
    run.stack.workers.resume(name)
    wait_until_idle(run.stack.kafka.admin(), run.nation.reference, run.stack.valkey.url(AUDITOR))
    assert run.look() == []


def test_a_stock_consumer_reads_receipts_and_alerts_with_its_tenants_password(run: Run) -> None:
    """Confluent's own consumer and deserialiser, the registry served by the hub, nothing of ours."""
    package = next(p.package for p in run.nation.providers)
    for tenant, topic in ((package, catalogue.out_topic("receipts", package)), (TenantId("ops"), catalogue.ALERTS)):
        settings = run.login(tenant, **{"group.id": f"{tenant}.test", "auto.offset.reset": "earliest"})
        consumer = Consumer(settings)
        consumer.subscribe([topic])
        message = consumer.poll(WAIT_S)
        assert message is not None and message.error() is None, topic
        read = AvroDeserializer(run.schemas())(message.value(), SerializationContext(topic, MessageField.VALUE))
        assert isinstance(read, dict) and ("code" in read or "alert_id" in read)
        consumer.close()


def test_the_vendors_example_registers_a_client_and_hears_so(run: Run, tmp_path: Path) -> None:
    """examples/register_one_client.py, as its own words say to run it."""
    client = run.nation.clients[0]
    package = client.provider.package
    password, key = tmp_path / "password", tmp_path / "epoch-key.json"
    password.write_text(run.stack.passwords[package] + "\n", "utf-8")
    FileKey.generate().save(key)
    said = subprocess.run(
        [
            sys.executable, str(ROOT / "examples/register_one_client.py"),
            "--bootstrap", run.stack.kafka.tenant_bootstrap, "--registry", run.stack.console_url.rstrip("/"),
            "--tenant", package, "--password-file", str(password), "--key-file", str(key),
            "--provider", client.provider.agb, "--pc4", client.pc4,
        ],
        capture_output=True, text=True, timeout=120, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    run.live.measured.inputs += 1
    assert (said.returncode, said.stdout) == (0, "accepted applied \nVerwerkt.\n"), said.stderr


def test_a_stock_producer_publishes_to_its_own_inbox_and_to_no_other(run: Run) -> None:
    """The broker refuses the other tenant's inbox; the own record gets its receipt like any other."""
    client = run.nation.clients[0]
    other = next(p.package for p in run.nation.providers if p.package != client.provider.package)
    with pytest.raises(KafkaException) as refused:
        run.register(client, "stock-client-0", inbox=catalogue.inbox(other))
    assert refused.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
    source = run.register(client, "stock-client-1")
    run.end()
    receipts = {source: (outcome, code) for source, outcome, code in receipts_of(run.folder)}
    assert receipts[source][0] == "accepted"


def test_a_worker_of_each_role_was_killed_and_came_back(run: Run) -> None:
    """Else the tests below would show nothing."""
    assert not run.killer.left
    assert all(run.stack.workers.starts(name) >= 2 for name in KILLED)


def test_nothing_is_lost_and_nothing_takes_effect_twice(run: Run) -> None:
    """Every input has exactly one receipt, whoever died in between."""
    summary = run.end()
    assert (summary.lost, summary.twice) == (0, 0)
    assert summary.receipts == summary.inputs


def test_the_oracle_says_equal(run: Run) -> None:
    """Every fact, repeat and snapshot hash is the one that the log gives."""
    assert run.end().oracle == "equal"


def test_every_planted_outcome_is_met(run: Run) -> None:
    """What must come of a message whatever the order, stands in the ground truth."""
    assert run.end().unmet == ()


def test_every_exact_duplicate_is_found_and_none_is_invented(run: Run) -> None:
    """By the ground truth that the hub never sees."""
    found = run.end().duplicates
    assert found.true > 0 and (found.precision, found.recall) == (1.0, 1.0)


def test_no_identity_stands_anywhere_but_where_an_accident_put_it(run: Run) -> None:
    """Names, BSN, phones, mail and canaries of the truth are searched for in every file of the dump."""
    run.end()
    rows = ground_truth.read(run.folder / "truth.jsonl")
    kept = [row for row in rows if not row["accident"]]
    secrets = {str(value) for row in kept for value in (row["person"] or {}).values() if len(str(value)) >= 8}
    secrets |= {canary for row in kept for canary in row["canaries"] or ()}
    longest = max(map(len, secrets))
    dates = {(row["person"] or {}).get("birth_date") for row in kept}
    assert len(secrets) > 100
    heads = re.compile("|".join(sorted({re.escape(secret[:HEAD]) for secret in secrets - dates})))
    assert heads.search(min(secrets - dates)), "the search itself finds nothing"
    for path in run.folder.rglob("*"):
        if path.is_file() and path.name != "truth.jsonl":
            text = path.read_text("utf-8", errors="replace")
            suspects = {text[found.start() : found.start() + longest] for found in heads.finditer(text)}
            assert not [s for s in secrets - dates if any(one.startswith(s) for one in suspects)], path.name


def receipts_of(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Source, outcome and code of every receipt of a dump."""
    from hub.audit.verify import read_topic
    from hub.contracts import codec
    from hub.domain.facts import ReceiptIssued

    for row in read_topic(folder, catalogue.REGION_FACTS):
        if "ce_hubsrc" in row.headers and row.value is not None:
            fact = codec.decode(row.value)
            assert isinstance(fact, ReceiptIssued)
            yield row.headers["ce_hubsrc"], fact.outcome.value, fact.code
