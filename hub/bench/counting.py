"""The counting job: state per key, one Avro fact per event. Small enough that the carrier is what gets measured."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import msgspec

from hub.contracts import codec
from hub.domain.events import RegistrationSubmitted
from hub.domain.facts import ReceiptIssued
from hub.domain.identifiers import Agb, Pc4, RecordId, RegionCode, Uzovi
from hub.domain.logged import Logged
from hub.domain.reference import Reference
from hub.domain.words import IndicationProtocol, ReceiptOutcome, RegistrationStatus
from hub.streams.folds import Fold
from hub.streams.machine import rfc3339
from hub.streams.producer import Record

LOG: Final = "bench.counting.log"
FACTS: Final = "bench.counting.facts"
SNAPSHOTS: Final = "bench.counting.snapshots"
PRINCIPAL: Final = "admin"
PARTS: Final = 64


@dataclass(slots=True)
class Counts:
    """Events seen, by record id."""

    by_id: dict[str, int] = field(default_factory=dict)
    dirty: set[int] = field(default_factory=set)


class CountingRules:
    """Counts the events of each record and says the count."""

    name = "counting"
    state_version = 1

    def open(self, region: RegionCode) -> Counts:
        """No events seen."""
        return Counts()

    def restore(self, region: RegionCode, parts: Mapping[str, bytes]) -> Counts:
        """The counts that `changed_parts` wrote."""
        counts = Counts()
        for value in parts.values():
            counts.by_id.update(msgspec.msgpack.decode(value, type=dict[str, int]))
        return counts

    def decide(self, state: Counts, logged: Logged[Any]) -> Sequence[Any]:
        """One fact with the count of the record."""
        event = logged.event
        count = state.by_id.get(event.record_id, 0) + 1
        state.by_id[event.record_id] = count
        state.dirty.add(_part_of(event.record_id))
        return [counted(logged.tenant, event.record_id, count)]

    def changed_parts(self, state: Counts) -> dict[str, bytes | None]:
        """Every part with a count that changed."""
        if not state.dirty:
            return {}
        rows: dict[int, dict[str, int]] = {number: {} for number in sorted(state.dirty)}
        for record_id, count in sorted(state.by_id.items()):
            if (number := _part_of(record_id)) in rows:
                rows[number][record_id] = count
        state.dirty.clear()
        return {f"{number:02d}": msgspec.msgpack.encode(row) for number, row in rows.items()}


def counted(tenant: str, record_id: str, count: int) -> ReceiptIssued:
    """The fact of the counting job: a receipt whose version is the count."""
    return ReceiptIssued(
        recipient=tenant,  # type: ignore[arg-type]
        record_type=None,
        record_id=RecordId(record_id),
        version=count,
        outcome=ReceiptOutcome.ACCEPTED,
        code="applied",
        pointer="",
        message_nl="",
        message_en="",
    )


def fold(log_topic: str = LOG, facts_topic: str = FACTS, snapshots_topic: str = SNAPSHOTS) -> Fold:
    """The counting job as a fold."""
    return Fold("counting", log_topic, facts_topic, snapshots_topic, PRINCIPAL, 1, _rules)


def _rules(reference: Reference) -> CountingRules:
    return CountingRules()


def log_record(number: int, keys: int, region: str) -> Record:
    """The `number`-th record of the log, as intake would have written it."""
    timestamp_ms = 1_772_442_000_000 + number
    return Record(
        region.encode(),
        _registration(number % keys, number // keys + 1),
        [
            ("ce_specversion", b"1.0"),
            ("ce_id", b"%032x" % number),
            ("ce_source", b"urn:nld:oin:00000000000000000000:hub"),
            ("ce_type", b"nl.kraamzorg.registration-submitted.v1"),
            ("ce_time", rfc3339(timestamp_ms)),
            ("ce_hubsrc", b"inbox.bench/%d" % number),
            ("ce_hubtenant", b"bench"),
            ("ce_hubcontent", b"%032x" % number),
            ("ce_hubhome", b"1"),
        ],
        timestamp_ms,
    )


def record_id(key: int) -> RecordId:
    """An id as long as a package's own."""
    return RecordId(f"5f3c1a52-7d0e-4b86-9c41-{key:012d}")


def _registration(key: int, version: int) -> bytes:
    return codec.encode(
        RegistrationSubmitted(
            record_id=record_id(key),
            version=version,
            provider=Agb("41001234"),
            status=RegistrationStatus.ACTIVE,
            pc4=Pc4("1011"),
            due_date=date(2026, 8, 1),
            requested_on=date(2026, 3, 2),
            insurer=Uzovi("3332"),
            indicated_minutes=2700,
            protocol=IndicationProtocol.LIP,
            partus_assistance=False,
        )
    )


def _part_of(record_id: str) -> int:
    return zlib.crc32(record_id.encode()) % PARTS
