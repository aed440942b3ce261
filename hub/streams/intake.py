"""Intake: what becomes of one record of an inbox, of the links, or of the region facts. A pure function and its wiring.

It reads the record, its append time and the tables, and nothing else; whoever has to remember something to judge is the
region fold. Pieces leave in four stages: dead letters, region copies, the identity log, and the `NL` copies last, since
a receipt means that every log holds the event.
"""

import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from aiokafka import ConsumerRecord, TopicPartition

from hub.contracts.catalogue import (
    IDENTITY_LOG,
    INPUT_KINDS,
    INPUTS,
    LINKS,
    REGION_FACTS,
    REGION_LOG,
    Destination,
    dead_letters,
    inbox,
    of_generation,
)
from hub.contracts.codec import Unreadable, content_digest, decode, decode_input, encode, type_name
from hub.contracts.validation import Refusal, check_input
from hub.domain import events as e
from hub.domain.identifiers import NATIONAL, RegionCode, is_record_id, looks_like_identity
from hub.domain.reference import Reference, Tenant
from hub.streams.connection import Connection
from hub.streams.folds import IDENTITY_KEY
from hub.streams.machine import rfc3339
from hub.streams.metrics import DEAD_LETTERS, EVENTS
from hub.streams.producer import Record
from hub.streams.relay import Piece, Relay

STAGE_DEAD_LETTERS: Final = 0
STAGE_REGIONS: Final = 1
STAGE_IDENTITY: Final = 2
STAGE_NATIONAL: Final = 3
ERROR_PREFIX: Final = "__streams.errors."
_SETTLED: Final = type_name(e.RecordSettled).encode()
_TAKEN_OVER: Final = type_name(e.RecordsTakenOver).encode()
_OPENED: Final = type_name(e.RegionOpened).encode()


def relay(name: str, group: str, reference: Reference, connection: Connection, *, closing: bool = False) -> Relay:
    """The relay of intake over every inbox of the tables, the links and the region facts.

    While a generation is `closing` inboxes wait, and what the machines still say to each other is carried through.
    """
    intake = Intake(reference)
    return Relay(
        name=name,
        group=group,
        topics=(*(() if closing else intake.inboxes), intake.links, intake.region_facts),
        route=intake.route,
        connection=connection,
        partitions=(
            (intake.region_log, reference.log_partitions),
            (intake.region_facts, reference.log_partitions),
            (intake.identity_log, 1),
            (intake.links, 1),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Source:
    """What every piece of one record has in common."""

    tenant: str
    mark: bytes
    timestamp_ms: int


class Intake:
    """Routes by the tables of one version."""

    def __init__(self, reference: Reference) -> None:
        self._reference = reference
        # The topic's name is the sender; the payload is never asked.
        self._tenants: Mapping[str, Tenant] = {
            inbox(row.tenant): row
            for row in reference.tenant.values()
            if any(row.role in kind.writers for kind in INPUTS.values())
        }
        self._urn = reference.urn.encode()
        self.region_log, self.identity_log, self.links, self.region_facts = (
            of_generation(topic, reference.generation) for topic in (REGION_LOG, IDENTITY_LOG, LINKS, REGION_FACTS)
        )
        self._to_identity = TopicPartition(self.identity_log, 0)
        self._to_region = {c: TopicPartition(self.region_log, reference.partition(c)) for c in reference.codes}

    @property
    def inboxes(self) -> Sequence[str]:
        """Every inbox topic of the tables."""
        return tuple(self._tenants)

    def route(self, record: ConsumerRecord) -> Iterator[Piece]:
        """The pieces of one record, whatever topic it came from."""
        if record.topic == self.region_facts:
            return self._route_fact(record)
        if record.topic == self.links:
            return self._route_link(record)
        return self._route_input(record)

    def _route_input(self, record: ConsumerRecord) -> Iterator[Piece]:
        tenant = self._tenants[record.topic]
        source = _Source(tenant.tenant, f"{record.topic}/{record.offset}".encode(), record.timestamp)
        try:
            event = decode_input(record.value, INPUT_KINDS)
        except Unreadable as problem:
            yield from self._refuse(record, source, Refusal(problem.code, ""), None)
            return
        view = self._reference.at(record.timestamp)
        refusal = check_input(event, view.tenant.get(tenant.tenant), view)
        if refusal is not None:
            yield from self._refuse(record, source, refusal, event)
            return
        EVENTS.labels("inbox", "logged").inc()
        yield from self._log(event, source, view)

    def _log(self, event: Any, source: _Source, view: Reference) -> Iterator[Piece]:
        row = INPUTS[type(event)]
        identity = getattr(event, "identity", None)
        logged = event if identity is None else replace(event, identity=None)
        headers = self._headers(source, type(event))
        if hasattr(event, "version"):
            headers.append(("ce_hubcontent", content_digest(event).hex().encode()))
        if identity is not None and identity.comparable:
            headers.append(("ce_hubcomparable", b"1"))
        home = [*headers, ("ce_hubhome", b"1")]
        value = encode(logged)
        match row.destination:
            case Destination.BY_PC4:
                yield self._region_copy(view.region_of[event.pc4], value, home, source)
            case Destination.BY_REGION:
                yield self._region_copy(event.region, value, home, source)
                if row.noticed_nationally:
                    yield self._region_copy(NATIONAL, value, headers, source)
            case Destination.EVERY_REGION:
                for region in self._reference.region:
                    yield self._region_copy(region, value, headers, source)
                yield self._region_copy(NATIONAL, value, home, source)
            case Destination.NATIONAL:
                yield self._region_copy(NATIONAL, value, home, source)
        if row.identity_log:
            yield self._identity_copy(value if identity is None else encode(event), headers, source)

    def _refuse(self, record: ConsumerRecord, source: _Source, refusal: Refusal, event: Any | None) -> Iterator[Piece]:
        DEAD_LETTERS.labels(refusal.code).inc()
        EVENTS.labels("inbox", "refused" if event is not None else "unreadable").inc()
        yield Piece(
            STAGE_DEAD_LETTERS,
            TopicPartition(dead_letters(self._tenants[record.topic].tenant), 0),
            Record(record.key, record.value, _dead_letter_headers(record, source, refusal), record.timestamp),
        )
        record_id = getattr(event, "record_id", None)
        safe_id = record_id if record_id and is_record_id(record_id) and not looks_like_identity(record_id) else None
        refused = e.InputRefused(
            code=refusal.code,
            unreadable=event is None,
            pointer=refusal.pointer,
            record_type=type_name(type(event)) if event is not None else None,
            record_id=safe_id,
            version=getattr(event, "version", None),
        )
        headers = [*self._headers(source, e.InputRefused), ("ce_hubhome", b"1")]
        yield self._region_copy(NATIONAL, encode(refused), headers, source)

    def _route_link(self, record: ConsumerRecord) -> Iterator[Piece]:
        source = _Source("hub", self._position(self.identity_log, record), record.timestamp)
        event = decode(record.value)
        headers = self._headers(source, type(event))
        for region in _regions_of(event):
            yield self._region_copy(region, record.value, headers, source)
        EVENTS.labels(LINKS, "logged").inc()

    def _route_fact(self, record: ConsumerRecord) -> Iterator[Piece]:
        # Most facts are for others: their type is read from the header and nothing is decoded.
        kind = _header(record, "ce_type")
        if kind not in (_SETTLED, _TAKEN_OVER, _OPENED):
            return
        source = _Source("hub", self._position(self.region_log, record), record.timestamp)
        EVENTS.labels(REGION_FACTS, "logged").inc()
        if kind == _SETTLED:
            yield self._identity_copy(record.value, self._headers(source, e.RecordSettled), source)
        elif kind == _OPENED:
            region = decode(record.value).region
            yield self._region_copy(region, record.value, self._headers(source, e.RegionOpened), source)
        else:
            headers = self._headers(source, e.RecordsTakenOver)
            if record.key == NATIONAL.encode():  # NL decided: every region carries it out
                for region in self._reference.region:
                    yield self._region_copy(region, record.value, headers, source)
            else:  # a region has carried it out: the match fold follows
                yield self._identity_copy(record.value, headers, source)

    @staticmethod
    def _position(log: str, record: ConsumerRecord) -> bytes:
        """The mark of what a machine said: the position in its log; the log's name tells the generation."""
        return log.encode() + b"/" + _header(record, "ce_hubpos")

    def _headers(self, source: _Source, kind: type[Any]) -> list[tuple[str, bytes]]:
        """The envelope of every log copy. A client's own headers end here: none is copied."""
        return [
            ("ce_specversion", b"1.0"),
            ("ce_id", str(uuid.uuid5(uuid.NAMESPACE_URL, source.mark.decode())).encode()),
            ("ce_source", self._urn),
            ("ce_type", type_name(kind).encode()),
            ("ce_time", rfc3339(source.timestamp_ms)),
            ("ce_hubsrc", source.mark),
            ("ce_hubtenant", source.tenant.encode()),
        ]

    def _region_copy(
        self, region: RegionCode, value: bytes, headers: list[tuple[str, bytes]], source: _Source
    ) -> Piece:
        stage = STAGE_NATIONAL if region == NATIONAL else STAGE_REGIONS
        record = Record(region.encode(), value, headers, source.timestamp_ms)
        return Piece(stage, self._to_region[region], record)

    def _identity_copy(self, value: bytes, headers: list[tuple[str, bytes]], source: _Source) -> Piece:
        return Piece(STAGE_IDENTITY, self._to_identity, Record(IDENTITY_KEY, value, headers, source.timestamp_ms))


def _regions_of(event: Any) -> tuple[RegionCode, ...]:
    """The regions that a fact of the match fold concerns, each once, in the order of its fields."""
    match event:
        case e.LinkFound() | e.LinkEnded():
            return tuple(dict.fromkeys((event.first.region, event.second.region)))
        case e.RecordMoved():
            return (event.record.region,)
        case e.TenantHeld():
            return (NATIONAL,)
        case _:
            raise TypeError(f"{type(event).__name__} is no fact of the match fold")


def _header(record: ConsumerRecord, name: str) -> bytes:
    for held, value in record.headers:
        if held == name:
            return bytes(value)
    raise KeyError(name)


def _dead_letter_headers(record: ConsumerRecord, source: _Source, refusal: Refusal) -> list[tuple[str, bytes]]:
    # What the client called by our names would contradict us: the last of equal names wins, so ours come last.
    return [
        *record.headers,
        (f"{ERROR_PREFIX}exception", b"InputRefused"),
        (f"{ERROR_PREFIX}message", f"{refusal.code} {refusal.pointer}".strip().encode()),
        (f"{ERROR_PREFIX}topic", record.topic.encode()),
        (f"{ERROR_PREFIX}partition", str(record.partition).encode()),
        (f"{ERROR_PREFIX}offset", str(record.offset).encode()),
        ("ce_hubreason", refusal.code.encode()),
        ("ce_hubsrc", source.mark),
    ]
