"""In the running hub: how soon a coordinator hears that a client registered twice, and what ends the signal.

The whole embedded stack, a process for each role, and two packages that speak with their own passwords. Package A
registers clients; then B registers the same ones at a steady rate, A withdraws some, and some go from A to B as a
transfer. What reaches the coordinator's topic is what counts.
"""

import secrets
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Consumer, Producer

from hub.bench import nation
from hub.bench.nation import CLOCK, OFFICE
from hub.bench.row import Row
from hub.contracts import catalogue, codec
from hub.domain.events import DayStarted, RegistrationSubmitted
from hub.domain.facts import DuplicateSignalled, ReceiptIssued
from hub.domain.identifiers import Agb, Pc4, RecordId, TenantId, Uzovi
from hub.domain.identity import Identity
from hub.domain.words import IndicationProtocol, RegistrationStatus, SignalPhase
from hub.edge import EdgeEncoder, FileKey
from hub.errors import WorldUnavailable
from hub.local.demo import Stack, prepare, start_hub
from hub.local.dutch_people import DutchPeople
from hub.match_evaluation.warm import person_of

A, B, KSV = (TenantId(name) for name in ("pkg-a", "pkg-b", "ksv-01"))
PROVIDER_OF: Final = {A: Agb("41000001"), B: Agb("41000002")}
REFERENCE: Final = nation.small((A, B))
DAY: Final = date(2026, 3, 2)
CLIENTS: Final = 39
"""Just below the budget of links that holds a tenant, the last of the fence included."""
TRANSFERS: Final = 20
RATE_PER_S: Final = 5.0
"""Registrations a second at B: some hundred times what the nation sends."""
P99_GOAL_MS: Final = 1_000.0
ARRIVAL_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What reached the coordinator: how long each signal took, and how many of each kind came."""

    found_ms: tuple[float, ...]
    resolved_ms: tuple[float, ...]
    after_transfer: int
    """Signals that came of the transfers: none should."""


def rows() -> Sequence[Row]:
    """Signals found and resolved within a second, and none of a transfer."""
    heard = measure()
    return (
        _at_most("signal at the coordinator, p99", _p99(heard.found_ms), "ms", P99_GOAL_MS),
        Row("match", "signal at the coordinator, median", sorted(heard.found_ms)[len(heard.found_ms) // 2], "ms"),
        _at_most("resolved after withdrawal, p99", _p99(heard.resolved_ms), "ms", P99_GOAL_MS),
        _at_most("signals of a transfer", heard.after_transfer, "signals", 0),
    )


def _at_most(name: str, value: float, unit: str, goal: float) -> Row:
    return Row("match", name, value, unit, goal=goal, lower_is_better=True)


def measure(clients: int = CLIENTS, transfers: int = TRANSFERS, per_s: float = RATE_PER_S) -> Heard:
    """Start the hub, play the story, stop it. WorldUnavailable when something does not arrive."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory(prefix="kraamzorg-bench-")))
        stack = prepare(running, folder)
        running.enter_context(stack.kafka)
        start_hub(stack, REFERENCE)
        story = _Story(stack)
        running.callback(story.close)
        return story.play(clients, transfers, per_s)


def _p99(figures: Sequence[float]) -> float:
    return sorted(figures)[min(len(figures) - 1, len(figures) * 99 // 100)]


@dataclass
class _Story:
    stack: Stack
    sent: Counter[TenantId] = field(default_factory=Counter)
    receipts: Counter[str] = field(default_factory=Counter)
    signals: list[tuple[SignalPhase, float]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._producers = {
            tenant: Producer({**self._login(tenant), "linger.ms": 0, "enable.idempotence": True})
            for tenant in (A, B, OFFICE, CLOCK)
        }
        auditor = {**self.stack.auditor(), "group.id": f"bench-{secrets.token_hex(4)}", "auto.offset.reset": "earliest"}
        auditor |= {"enable.auto.commit": False, "isolation.level": "read_committed", "fetch.wait.max.ms": 5}
        self._consumer = Consumer(auditor)
        receipts = [catalogue.out_topic("receipts", tenant) for tenant in self._producers]
        self._consumer.assign(_partitions(*receipts, catalogue.out_topic("signals", KSV)))
        self._encoder = EdgeEncoder(FileKey.generate())
        self._people = DutchPeople(5, postcode_areas=[pc4 for pc4, _ in REFERENCE.postcodes])

    def close(self) -> None:
        """Stop listening."""
        self._consumer.close()
        for producer in self._producers.values():
            producer.flush(5)

    def play(self, clients: int, transfers: int, per_s: float) -> Heard:
        """The story of the module's first lines."""
        for tenant, provider in PROVIDER_OF.items():
            self.say(OFFICE, nation.mandate(provider, tenant))
        self.say(CLOCK, DayStarted(date=DAY))
        self.wait_for_receipts()
        for tenant in PROVIDER_OF:  # what comes on a tenant's first day waits for the daily batch: this is that day
            self.say(tenant, self._registration(tenant, "first-1", self._client()))
        self.wait_for_receipts()
        self.say(CLOCK, DayStarted(date=DAY + timedelta(days=1)))
        self.wait_for_receipts()

        known = [self._client() for _ in range(clients + transfers + 1)]
        for number, client in enumerate(known):
            self.say(A, self._registration(A, f"c{number}", client))
        self.wait_for_receipts()
        moved = range(clients, clients + transfers)
        for number in moved:
            status = RegistrationStatus.TRANSFERRED
            self.say(A, self._registration(A, f"c{number}", known[number], version=2, status=status))
        self.wait_for_receipts()

        found = self._steadily(
            per_s, clients, SignalPhase.FOUND, lambda n: (B, self._registration(B, f"d{n}", known[n]))
        )
        before = len(self.signals)
        for number in (*moved, clients + transfers):  # the last one is a duplicate: what came before it has been judged
            self.say(B, self._registration(B, f"d{number}", known[number]))
        self.wait_for(lambda: any(phase is SignalPhase.FOUND for phase, _ in self.signals[before:]), "the last signal")
        after_transfer = len(self.signals) - before - 1
        withdrawn = RegistrationStatus.WITHDRAWN
        resolved = self._steadily(
            per_s, clients, SignalPhase.RESOLVED,
            lambda n: (A, self._registration(A, f"c{n}", known[n], version=2, status=withdrawn)),
        )  # fmt: skip
        return Heard(found, resolved, after_transfer)

    def say(self, tenant: TenantId, event: Any) -> float:
        """Publish to the tenant's own inbox; the moment at which it was handed over."""
        self.sent[tenant] += 1
        at = time.perf_counter()
        key = getattr(event, "record_id", "day")
        self._producers[tenant].produce(catalogue.inbox(tenant), codec.encode(event), key=key.encode())
        self._producers[tenant].poll(0)
        return at

    def wait_for_receipts(self) -> None:
        """Until each input has its answer, and none a refusal."""
        self.wait_for(lambda: all(self.receipts[name] >= count for name, count in self.sent.items()), "a receipt")
        if self.refused:
            raise WorldUnavailable(f"the hub refused: {', '.join(self.refused)}")

    def wait_for(self, holds: Callable[[], bool], what: str) -> None:
        """Listen until it holds."""
        give_up_at = time.monotonic() + ARRIVAL_S
        while not holds():
            if time.monotonic() > give_up_at:
                raise WorldUnavailable(f"{what} did not arrive within {ARRIVAL_S:.0f} s")
            self._listen(0.05)

    def _steadily(
        self, per_s: float, count: int, phase: SignalPhase, make: Callable[[int], tuple[TenantId, Any]]
    ) -> tuple[float, ...]:
        """Send at a rate and listen meanwhile. All keeps its order, so the n-th signal answers the n-th input."""
        before, said = len(self.signals), []
        started = time.perf_counter()
        for number in range(count):
            while (wait := started + number / per_s - time.perf_counter()) > 0:
                self._listen(min(wait, 0.05))
            said.append(self.say(*make(number)))
        self.wait_for(lambda: len(self.signals) >= before + count, f"a signal {phase.value}")
        came = self.signals[before : before + count]
        if any(one is not phase for one, _ in came):
            raise WorldUnavailable(f"expected {count} signals {phase.value}, found {[one.value for one, _ in came]}")
        return tuple((at - sent) * 1000 for (_, at), sent in zip(came, said, strict=True))

    def _listen(self, seconds: float) -> None:
        message = self._consumer.poll(seconds)
        if message is None or message.error() is not None:
            return
        fact = codec.decode(message.value())
        match fact:
            case ReceiptIssued():
                self.receipts[fact.recipient] += 1
                if fact.code != "applied":
                    self.refused.append(f"{fact.recipient} {fact.code}")
            case DuplicateSignalled():
                self.signals.append((fact.phase, time.perf_counter()))

    def _client(self) -> tuple[Identity, Pc4, date]:
        person = self._people.person()
        record = self._people.record(person)
        return self._encoder.encode(person_of(record)), Pc4(record.postcode[:4]), date(2026, 7, 1)

    def _registration(
        self,
        tenant: TenantId,
        record_id: str,
        client: tuple[Identity, Pc4, date],
        version: int = 1,
        status: RegistrationStatus = RegistrationStatus.ACTIVE,
    ) -> RegistrationSubmitted:
        identity, pc4, due = client
        return RegistrationSubmitted(
            record_id=RecordId(f"{tenant}-{record_id}"), version=version, provider=PROVIDER_OF[tenant], status=status,
            pc4=pc4, due_date=due, requested_on=DAY, insurer=Uzovi("3311"), indicated_minutes=2940,
            protocol=IndicationProtocol.LIP, partus_assistance=False, identity=identity,
        )  # fmt: skip

    def _login(self, tenant: TenantId) -> dict[str, Any]:
        return {
            "bootstrap.servers": self.stack.kafka.tenant_bootstrap, "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": tenant, "sasl.password": self.stack.passwords[tenant],
            "log_level": 0,
        }  # fmt: skip


def _partitions(*topics: str) -> list[Any]:
    from confluent_kafka import TopicPartition

    return [TopicPartition(topic, 0, 0) for topic in topics]
