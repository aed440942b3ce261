"""Checkers: what any reader of the topics may demand, whoever wrote them.

They know nothing of how the hub is built. They read topics, the headers that stand there for anyone to check
(`ce_hubpos`, `ce_hubsrc`, `ce_hubregion`, `ce_sequence`), the published schema of a receipt, and what `hub audit
verify` prints. Each takes rows in the order of their offsets and tells what is wrong, by place.
"""

from __future__ import annotations

import json
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from fastavro import parse_schema, schemaless_reader

from tests.rig.sums import Sums

TOLD_MAX: Final = 20
"""How many violations of one kind are told; the first is the one to look at."""
SCHEMAS: Final = Path(__file__).parents[2] / "schemas" / "avro" / "out"
FRAME_BYTES: Final = 5
_INDEX_BITS: Final = 20
ANSWER_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a topic."""

    topic: str
    partition: int
    offset: int
    key: str
    headers: Mapping[str, str]
    value: bytes


@dataclass
class Findings:
    """What the checkers hold against a run. Sound when there is nothing."""

    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    counted: dict[str, int] = field(default_factory=dict)

    @property
    def sound(self) -> bool:
        """Nothing lost, nothing twice, nothing wrong."""
        return not (self.lost or self.twice or self.wrong)

    def tell(self, what: str) -> None:
        """Note a violation, up to the bound."""
        if len(self.wrong) < TOLD_MAX:
            self.wrong.append(what)


class Inboxes:
    """What tenants were told is safe must be there, byte for byte. `acknowledged`: inbox → offset → CRC of it."""

    def __init__(self, acknowledged: Mapping[str, Mapping[int, int]]) -> None:
        self._acknowledged = acknowledged
        self.held: dict[str, Sums] = {}

    def take(self, row: Row, findings: Findings) -> None:
        """One record of an inbox."""
        crc = crc32(row.value)
        self.held.setdefault(row.topic, Sums()).put(row.offset, crc)
        if self._acknowledged.get(row.topic, {}).get(row.offset, crc) != crc:
            findings.lost.append(f"{row.topic}/{row.offset} holds other bytes than were acknowledged there")

    def finish(self, findings: Findings) -> None:
        """Acknowledged, and not there."""
        for topic, offsets in sorted(self._acknowledged.items()):
            there = self.held.get(topic, Sums())
            findings.lost += [
                f"{topic}/{offset} was acknowledged and is gone" for offset in sorted(offsets) if offset not in there
            ]


class Positions:
    """Facts of a region come in the order of their positions, and a repeat is the first one again, byte for byte.

    A reader that keeps one position per region and drops what is not beyond it then sees each fact exactly once. A fact
    that shows first after a later one would never be seen by it. `log_ends`: where each partition of the log ends.
    """

    def __init__(self, log_ends: Mapping[int, int]) -> None:
        self._log_ends = log_ends
        self._seen: dict[str, tuple[array[int], array[int]]] = {}
        self.repeats = 0

    def take(self, row: Row, findings: Findings) -> bool:
        """One fact. Whether it is news for a reader that honours positions."""
        place = row.headers.get("ce_hubpos", "")
        try:
            partition, offset, index = map(int, place.split("/"))
        except ValueError:
            findings.tell(f"{_at(row)} has position {place!r}, expected partition/offset/index")
            return False
        if partition != row.partition or not 0 <= offset < self._log_ends.get(partition, 0):
            findings.tell(f"{_at(row)} names position {place}, where no log record stands: an effect without an input")
            return False
        at = offset << _INDEX_BITS | index
        positions, sums = self._seen.setdefault(row.key, (array("Q"), array("I")))
        if not positions or at > positions[-1]:
            positions.append(at)
            sums.append(crc32(row.value))
            return True
        self.repeats += 1
        found = bisect_left(positions, at)
        if positions[found] != at:
            findings.tell(f"{_at(row)}: {row.key} {place} shows first after a later position; its readers never see it")
        elif sums[found] != crc32(row.value):
            findings.tell(f"{_at(row)}: the repeat of {row.key} {place} has other bytes than the first")
        return False


class Outcomes:
    """Every input of an inbox has exactly one outcome, with a code and a sentence that explain it."""

    def __init__(self, inboxes: Inboxes, name: str) -> None:
        self._inboxes = inboxes
        self._name = name
        self._told: dict[str, Sums] = {}
        self._receipt = _schema("receipt_issued")
        self.outcomes: dict[str, int] = {}

    def take(self, row: Row, findings: Findings) -> dict[str, Any] | None:
        """One fact that is news; the receipt that it is, if it is one."""
        source = row.headers.get("ce_hubsrc")
        if source is None:
            return None
        topic, _, offset_text = source.rpartition("/")
        offset, told = int(offset_text), self._told.setdefault(topic, Sums())
        if offset not in self._inboxes.held.get(topic, ()):
            findings.tell(f"{_at(row)} is a receipt for {source}, which is no input: an effect without an input")
            return None
        if offset in told:
            findings.twice.append(f"{source} has a second outcome in {self._name} ({_at(row)})")
        told.put(offset, crc32(row.value))
        read: Any = schemaless_reader(BytesIO(row.value[FRAME_BYTES:]), self._receipt, None)
        receipt: dict[str, Any] = read
        if not (receipt["code"] and receipt["message_nl"] and receipt["message_en"]):
            findings.tell(f"{_at(row)}: the receipt for {source} does not explain itself")
        self.outcomes[receipt["outcome"]] = self.outcomes.get(receipt["outcome"], 0) + 1
        return receipt

    def finish(self, findings: Findings) -> None:
        """Inputs without an outcome."""
        for topic, held in sorted(self._inboxes.held.items()):
            told = self._told.get(topic, Sums())
            findings.lost += [f"{topic}/{at} has no outcome in {self._name}" for at in held if at not in told]

    def differences(self, other: Outcomes) -> Iterator[str]:
        """Receipts whose bytes differ between two places."""
        for topic, told in self._told.items():
            for offset, value in told.items():
                if other._told.get(topic, Sums()).get(offset, value) != value:
                    yield f"the receipt for {topic}/{offset} has other bytes in {other._name} than in {self._name}"


class Versions:
    """Per record and region an accepted version is above all before it, and every other outcome fits what is known."""

    def __init__(self) -> None:
        self._accepted: dict[tuple[str, str, str, str], int] = {}

    def take(self, row: Row, receipt: Mapping[str, Any], findings: Findings) -> None:
        """One receipt that is news."""
        record_id, version = receipt["record_id"], receipt["version"]
        if record_id is None or version is None:
            return
        key = (row.key, receipt["recipient"], receipt["record_type"], record_id)
        known, outcome = self._accepted.get(key, 0), receipt["outcome"]
        fits = {
            "accepted": version > known,
            "duplicate": version == known,
            "conflict": version == known,
            "stale": version < known,
        }.get(outcome, True)
        if not fits:
            findings.tell(f"{_at(row)}: version {version} of a record is {outcome} while version {known} was accepted")
        if outcome == "accepted":
            self._accepted[key] = max(version, known)


class Sequences:
    """What one recipient gets from one region is numbered 1, 2, 3 … without a gap, and a repeat is the same bytes."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, str], array[int]] = {}
        self.repeats = 0

    def take(self, row: Row, findings: Findings) -> bool:
        """One delivered record. Whether it is news for a reader that honours sequences."""
        region, sequence = row.headers["ce_hubregion"], int(row.headers["ce_sequence"])
        sums = self._sums.setdefault((row.topic, region), array("I"))
        if sequence <= len(sums):
            self.repeats += 1
            if sums[sequence - 1] != crc32(row.value):
                findings.tell(f"{_at(row)}: the repeat of {region} {sequence} has other bytes than the first")
            return False
        if sequence > len(sums) + 1:
            findings.tell(f"{_at(row)}: {region} goes from {len(sums)} to {sequence}; something was never delivered")
            sums.extend([0] * (sequence - len(sums) - 1))
        sums.append(crc32(row.value))
        return True


class Rising:
    """On a compacted topic the newest is the last: per region the sequence only rises, and no zombie comes last."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], int] = {}

    def take(self, row: Row, findings: Findings) -> None:
        """One record of a compacted topic."""
        key, sequence = (row.topic, row.headers["ce_hubregion"]), int(row.headers["ce_sequence"])
        if sequence <= self._last.get(key, 0):
            findings.tell(f"{_at(row)}: {key[1]} falls from {self._last[key]} to {sequence}; an old value came last")
        self._last[key] = max(sequence, self._last.get(key, 0))


def check_oracle(printed: str, findings: Findings) -> str:
    """What `hub audit verify --json` says: "equal", or "different" with the places in the findings."""
    told = json.loads(printed.strip().splitlines()[-1])
    differences = told["differences"]
    for one in differences[:TOLD_MAX]:
        findings.tell(f"the oracle: {one}")
    if not told.get("facts"):
        findings.tell("the oracle saw no fact at all, so it compared nothing")
    return "equal" if not differences and told.get("facts") else "different"


def check_lag(behind: Mapping[str, int], open_inputs: int, findings: Findings) -> None:
    """In the end nobody has anything left to do."""
    if open_inputs:
        findings.tell(f"{open_inputs} inputs still wait for their receipt")
    for group, count in sorted(behind.items()):
        findings.tell(f"{group} is {count} records behind")


def check_topics(
    read: Callable[[list[str]], Iterable[Row]],
    topics: Iterable[str],
    acknowledged: Mapping[str, Mapping[int, int]],
    log_ends: Mapping[int, int],
) -> Findings:
    """Every check that needs nothing but topics. `read` gives rows in partition and offset order."""
    findings = Findings()
    names = sorted(topics)
    inboxes = Inboxes(acknowledged)
    for row in read([name for name in names if name.startswith("inbox.") and not name.endswith(".dlq")]):
        inboxes.take(row, findings)
    inboxes.finish(findings)
    positions, decided, versions = Positions(log_ends), Outcomes(inboxes, "region-facts"), Versions()
    facts = 0
    for row in read(["region-facts"]):
        facts += 1
        if positions.take(row, findings) and (receipt := decided.take(row, findings)) is not None:
            versions.take(row, receipt, findings)
    decided.finish(findings)
    sequences, delivered = Sequences(), Outcomes(inboxes, "the receipts delivered")
    told = 0
    for row in read([name for name in names if name.startswith("out.") or name == "alerts"]):
        told += 1
        if sequences.take(row, findings):
            delivered.take(row, findings)
    delivered.finish(findings)
    for difference in decided.differences(delivered):
        findings.tell(difference)
    rising = Rising()
    for row in read([name for name in names if name in ("region-status", "in-force")]):
        rising.take(row, findings)
    findings.counted = {
        "inputs": sum(map(len, inboxes.held.values())),
        "facts": facts,
        "facts_repeated": positions.repeats,
        "delivered": told,
        "delivered_again": sequences.repeats,
        **{f"receipts_{outcome}": count for outcome, count in sorted(decided.outcomes.items())},
    }
    return findings


def read_topics(login: Mapping[str, Any], topics: list[str]) -> Iterator[Row]:
    """Every committed record of these topics as they are now; partitions interleaved, each in its own order."""
    if not topics:
        return
    consumer = Consumer(
        {
            **login,
            "group.id": "hub.auditor.rig-check",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 20,
        }
    )
    try:
        found = consumer.list_topics(timeout=ANSWER_S).topics
        left = {(topic, number) for topic in topics for number in found[topic].partitions}
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for topic, number in sorted(left)])
        while left:
            messages = consumer.consume(5_000, 0.2) or consumer.consume(1, ANSWER_S)
            if not messages:
                raise RuntimeError(f"{sorted(left)[0]} gave nothing for {ANSWER_S:.0f} s")
            for message in messages:
                error = message.error()
                topic, partition = str(message.topic()), int(message.partition() or 0)
                if error is None:
                    headers = {name: bytes(v or b"").decode(errors="replace") for name, v in message.headers() or []}
                    key, value = message.key() or b"", message.value() or b""
                    at = int(message.offset() or 0)
                    yield Row(topic, partition, at, bytes(key).decode(errors="replace"), headers, bytes(value))
                elif error.code() == KafkaError._PARTITION_EOF:
                    left.discard((topic, partition))
                elif not error.retriable():
                    raise RuntimeError(f"{topic}/{partition} cannot be read: {error.str()}")
    finally:
        consumer.close()


def _schema(name: str) -> Any:
    return parse_schema(json.loads((SCHEMAS / f"{name}.avsc").read_text(encoding="utf-8")))


def _at(row: Row) -> str:
    return f"{row.topic}/{row.partition}/{row.offset}"
