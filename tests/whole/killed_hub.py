"""A hub that has lived through the days of a simulated nation while a worker of each role was killed."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from hub.audit.verify import Verdict, verify_dump
from hub.contracts import catalogue
from hub.contracts.schemas import registry
from hub.local.demo import AUDITOR, ROLES, Stack, prepare, start_hub
from hub.local.dump import dump_redis, dump_topics
from hub.local.rest import look, wait_until_idle
from hub.local.simulator import national
from hub.local.simulator.live import Live
from hub.local.simulator.tenants import connect
from hub.local.summary import Summary, summarise


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

    def hub(self, tenant: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """`hub …` as somebody of this tenant types it, with that tenant's password alone."""
        keys = self.stack.keys / f"as-{tenant}.json"
        keys.write_text(json.dumps({tenant: self.stack.passwords[tenant]}), "utf-8")
        told = {"KAFKA_BOOTSTRAP_SERVERS": self.stack.kafka.tenant_bootstrap, "HUB_CREDENTIALS_FILE": str(keys)}
        program = [sys.executable, "-m", "hub", *words]
        return subprocess.run(program, env=os.environ | told, capture_output=True, text=True, timeout=120)

    def rest(self) -> None:
        """Wait until everything that was sent has been taken and told."""
        wait_until_idle(self.stack.kafka.admin(), self.nation.reference, self.stack.valkey.url(AUDITOR))

    def ends(self) -> object:
        """Where every log and inbox ends, and what everybody has taken."""
        return look(self.stack.kafka.admin(), self.nation.reference, self.stack.valkey.url(AUDITOR))[1]

    def look(self) -> list[str]:
        """Who is behind."""
        return look(self.stack.kafka.admin(), self.nation.reference, self.stack.valkey.url(AUDITOR))[0]

    def end(self) -> Summary:
        """Let everything come to rest, dump it and ask the oracle; once."""
        if self.summary is None:
            self.rest()
            dump_redis(self.folder / "redis.jsonl", self.stack.valkey.url(AUDITOR))
            dump_topics(self.folder, self.stack.auditor())
            self.live.truth.write(self.folder / "truth.jsonl")
            (self.folder / "metrics.txt").touch()
            self.verdict = verify_dump(self.folder)
            self.summary = summarise(self.folder, self.nation.reference, self.verdict, self.live.measured)
        return self.summary


@contextmanager
def lived(size: Size, folder: Path) -> Iterator[Run]:
    """The hub after those days, running."""
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
