"""The whole path in one process and without a broker: the real intake, the real machines, the real rules.

Not a stand-in for Kafka: what a broker adds (groups, kills, repeats) is tested on a real one. Here the rules meet a
simulated nation quickly, in one thread, in one order.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from hub.contracts import catalogue as c
from hub.contracts import codec
from hub.domain.identifiers import TenantId
from hub.domain.reference import Reference
from hub.streams.folds import FOLDS
from hub.streams.intake import Intake
from hub.streams.machine import FactRecord, LogRecord, Machine

MATCH_FOLD, REGION_FOLD = FOLDS["duplicates"], FOLDS["region"]
FIRST_MS = 1_767_225_600_000


@dataclass(frozen=True, slots=True)
class Source:
    """What intake needs to know of a Kafka record."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...]


@dataclass
class OneProcess:
    """A hub for tests. `log` keeps what each machine was given, in order; `facts` what came out."""

    reference: Reference
    log: dict[tuple[str, int], list[LogRecord]] = field(default_factory=dict)
    facts: dict[tuple[str, int], list[FactRecord]] = field(default_factory=dict)
    dead_letters: list[str] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    after_record: Callable[["OneProcess", tuple[str, int]], None] = lambda hub, place: None

    def __post_init__(self) -> None:
        self._intake = Intake(self.reference)
        self._offsets: Counter[str] = Counter()
        self.machines: dict[tuple[str, int], Machine[Any]] = {
            (c.REGION_LOG, n): REGION_FOLD.machine(self.reference, n) for n in range(self.reference.log_partitions)
        }
        self.machines[(c.IDENTITY_LOG, 0)] = MATCH_FOLD.machine(self.reference, 0)
        for place in self.machines:
            self.log[place], self.facts[place] = [], []

    def send(self, tenant: TenantId, value: bytes, key: bytes | None = None) -> None:
        """One record into the tenant's inbox, followed until nothing moves any more."""
        topic = c.inbox(tenant)
        offset = self._offsets[topic]
        self._offsets[topic] += 1
        self.inputs.append(f"{topic}/{offset}")
        self._run([Source(topic, 0, offset, FIRST_MS + len(self.inputs), key, value, ())])

    def decoded(self) -> list[Any]:
        """Every fact as an object."""
        return [codec.decode(fact.value) for place in sorted(self.facts) for fact in self.facts[place]]

    def receipts(self) -> Counter[str]:
        """How many receipts each input has."""
        return Counter(
            value.decode()
            for facts in self.facts.values()
            for fact in facts
            for name, value in fact.headers
            if name == "ce_hubsrc"
        )

    def _run(self, sources: Iterable[Source]) -> None:
        waiting = deque(sources)
        while waiting:
            source = waiting.popleft()
            for piece in sorted(self._intake.route(source), key=lambda piece: piece.stage):
                if piece.target.topic.endswith(".dlq"):
                    self.dead_letters.append(f"{source.topic}/{source.offset}")
                    continue
                place = (piece.target.topic, piece.target.partition)
                record = piece.record
                assert record.key is not None and record.value is not None and record.timestamp_ms is not None
                logged = LogRecord(len(self.log[place]), record.timestamp_ms, record.key, record.value, record.headers)
                self.log[place].append(logged)
                waiting.extend(self._fold(place, logged))
                self.after_record(self, place)

    def _fold(self, place: tuple[str, int], logged: LogRecord) -> Iterable[Source]:
        machine = self.machines[place]
        facts = machine.apply([logged])
        assert not machine.stopped, f"a rule raised: {machine.stopped} on {type(codec.decode(logged.value)).__name__}"
        self.facts[place].extend(facts)
        topic = c.REGION_FACTS if place[0] == c.REGION_LOG else c.LINKS
        return [Source(topic, place[1], 0, f.timestamp_ms, f.key, f.value, tuple(f.headers)) for f in facts]
