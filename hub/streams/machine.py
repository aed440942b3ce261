"""A fold without its input and output: records of one log partition go in, records of facts come out.

The carrier (carrier.py) moves bytes between Kafka and this machine; the auditor (hub/audit) runs the same machine over
a dump. What is decided here, and nowhere else: that repeats yield nothing, where a fact stands in the one order, how
its sequence per destination counts, and what a snapshot holds.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property, lru_cache, partial
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

import msgspec

from hub.contracts import codec
from hub.contracts.catalogue import compaction_key, destination_topic
from hub.domain.events import GenerationOpened, StateCarried
from hub.domain.facts import ReceiptIssued
from hub.domain.identifiers import RegionCode, TenantId
from hub.domain.logged import Logged
from hub.domain.reference import Reference
from hub.domain.rule_versions import UnknownRules
from hub.errors import RulesUnknown

S = TypeVar("S")
Headers = Sequence[tuple[str, bytes]]
PART_BYTES_MAX: Final = 262_144
_ENVELOPE: Final = "machine"
"""Name of the part in which the machine keeps sources and sequences; no rule may use it."""
_BEFORE_ALL: Final = (-1, -1)
_SPECVERSION: Final = ("ce_specversion", b"1.0")
_pack: Final = msgspec.msgpack.Encoder(order="deterministic").encode


class Rules(Protocol[S]):
    """What a fold decides. Deterministic and exact: it reads nothing but its state and the event."""

    name: str
    state_version: int

    def open(self, region: RegionCode) -> S:
        """The state before the first event."""
        ...

    def restore(self, region: RegionCode, parts: Mapping[str, bytes]) -> S:
        """The state that `changed_parts` wrote."""
        ...

    def decide(self, state: S, logged: Logged[Any]) -> Sequence[Any]:
        """What follows from one event. May change the state it is handed, which has one owner."""
        ...

    def changed_parts(self, state: S) -> dict[str, bytes | None]:
        """Canonical bytes of each part changed since the last call; None where a part is gone."""
        ...


@runtime_checkable
class Upcasting(Protocol):
    """Rules that can read an older state: for a log that no longer holds what the state was made from."""

    def upcast(self, state_version: int, parts: dict[str, bytes]) -> dict[str, bytes]:
        """Parts of an older state version in the shape of this one, deterministically; ValueError if it cannot."""
        ...


class LogRecord(NamedTuple):
    """One record of a log partition."""

    offset: int
    timestamp_ms: int
    key: bytes
    value: bytes
    headers: Headers


class FactRecord(NamedTuple):
    """One record for the facts topic. `position` is (log offset, index); `fact` is what the bytes hold."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    timestamp_ms: int
    region: RegionCode
    position: tuple[int, int]


_fact_record: Final = partial(tuple.__new__, FactRecord)
"""As its constructor, from a tuple of its fields, at a third of the cost."""


class Snapshot(NamedTuple):
    """Parts changed since the last snapshot, None where one is gone, and the marker that makes them count."""

    parts: dict[bytes, bytes | None]
    marker: bytes


class SnapshotIncomplete(Exception):
    """Parts are missing or strange beside their marker: records of the snapshots topic were deleted."""


class Stopped(msgspec.Struct, frozen=True):
    """A region whose rule raised at `at`; its parts on the topic are true up to `next`."""

    next: int
    at: int
    error: str


class Marker(msgspec.Struct, frozen=True):
    """What a snapshot stands for: everything below `next` is folded and its facts are acknowledged.

    `facts_offset` is where the facts topic ended then: the tail to read for the last position published.
    """

    next: int
    facts_offset: int
    hash: str
    stopped: dict[str, Stopped]


class _Envelope(msgspec.Struct):
    sources: dict[str, tuple[int, int]] = msgspec.field(default_factory=dict)
    sequences: dict[str, int] = msgspec.field(default_factory=dict)


@dataclass(slots=True)
class _Slot(Generic[S]):
    region: RegionCode
    state: S
    envelope: _Envelope
    touched: bool = False


class _Told(NamedTuple):
    """What the headers of every fact of one type to one recipient have in common."""

    type: tuple[str, bytes]
    receipt: bool
    topic: str | None
    destination: tuple[str, bytes]
    compacted: bool


def marker_key(state_version: int) -> bytes:
    """Key of the marker record. `state_version` is part of every key: another version refolds from the log."""
    return f"{state_version}/marker".encode()


@dataclass
class Machine(Generic[S]):
    """One partition of one fold. `next` is the offset of the first record not folded yet."""

    rules: Rules[S]
    partition: int
    log_topic: str
    reference: Reference
    generation: int = 1
    next: int = 0
    facts_offset: int = 0
    published: dict[RegionCode, tuple[int, int]] = field(default_factory=dict)
    stopped: dict[RegionCode, Stopped] = field(default_factory=dict)
    _slots: dict[bytes, _Slot[S]] = field(default_factory=dict)
    """By the key of their records; a stopped region has none."""
    _resuming: dict[RegionCode, int] = field(default_factory=dict)
    _hashes: dict[bytes, bytes] = field(default_factory=dict)
    _unwritten: dict[bytes, bytes] = field(default_factory=dict)
    _opening: dict[RegionCode, dict[str, bytes]] = field(default_factory=dict)
    _durable: int = 0
    _seen: int = 0
    _told: dict[tuple[type[Any], TenantId | None], _Told] = field(default_factory=dict)

    def apply(self, records: Iterable[LogRecord]) -> list[FactRecord]:
        """`fold`, to its end."""
        return list(self.fold(records))

    def fold(self, records: Iterable[LogRecord]) -> Iterator[FactRecord]:
        """Fold records in order; yields the facts that nobody has published yet.

        A record below `next` is a repeat of the log's reader and yields nothing, except for a region that resumes
        after a stop. A rule that raises stops its region: see `stopped`. Whoever takes the facts one by one keeps a
        record and what follows from it in the processor's cache; run it to its end.
        """
        slots = self._slots
        for record in records:
            offset, _, key, _, _ = record
            below = offset < self.next
            self._seen = offset + 1
            slot = slots.get(key) or self._opened(key)
            if slot is not None and (not below or offset >= self._resuming.get(slot.region, self.next)):
                try:
                    facts = self._fold(slot, record)
                except UnknownRules as problem:  # not this region's fault: a newer release goes on where this one stops
                    raise RulesUnknown(f"{self.log_topic}/{self.partition}/{offset}: {problem}") from problem
                except Exception as problem:  # noqa: BLE001 - whatever a rule raises stops its region and no other
                    self._stop(slot.region, offset, problem)
                    facts = []
                bound = self.published.get(slot.region)
                yield from facts if bound is None else [fact for fact in facts if fact.position > bound]
            if not below:
                self.next = offset + 1

    def restore(self, parts: Mapping[bytes, bytes], marker: bytes | None, state_version: int | None = None) -> int:
        """Take up where a snapshot stands; returns the offset from which the log must be read.

        Of an older `state_version` the parts are upcast: for a log that begins too late to be folded anew.

        SnapshotIncomplete, with nothing taken up, when the parts are not those that the marker was written for.
        """
        if marker is None:
            return 0
        mark = msgspec.json.decode(marker, type=Marker)
        written = self.rules.state_version if state_version is None else state_version
        by_region: dict[str, dict[str, bytes]] = {}
        hashes: dict[bytes, bytes] = {}
        for key, value in parts.items():
            version, region, part = key.decode().split("/", 2)
            if int(version) == written:
                by_region.setdefault(region, {})[part] = value
                hashes[key] = hashlib.sha256(value).digest()
        if _hash_of(hashes) != mark.hash:
            raise SnapshotIncomplete
        if written == self.rules.state_version:
            self._hashes = hashes
        self.next = self._durable = mark.next
        self.facts_offset = mark.facts_offset
        for region, named in sorted(by_region.items()):
            try:
                self._slots[region.encode()] = self._taken_up(RegionCode(region), written, named)
            except UnknownRules as problem:
                raise RulesUnknown(f"snapshot of {region}: {problem}") from problem
        self._resuming = {RegionCode(r): s.next for r, s in mark.stopped.items()}
        return min([self.next, *self._resuming.values()])

    def rewrite(self, parts: Mapping[bytes, bytes]) -> None:
        """Write these of the parts taken up with the next snapshot again, though nothing in them changes."""
        self._unwritten.update(parts)

    @property
    def caught_up(self) -> bool:
        """Whether a region that resumes stands where the others do, and none is half carried. No snapshot before."""
        return not self._opening and (not self._resuming or self._seen >= self.next)

    @property
    def resumed(self) -> bool:
        """Whether a region has been folded anew since its stop, and no snapshot says so yet."""
        return bool(self._resuming) and self.caught_up

    def snapshot(self) -> Snapshot:
        """What changed since the last one, with its marker.

        Take it only when every fact below `next` is acknowledged, and not while a stopped region is catching up.
        """
        assert self.caught_up, "a snapshot now would forget where a stopped region resumes"
        self._resuming.clear()
        changed: dict[bytes, bytes | None] = dict(self._unwritten)
        self._unwritten.clear()
        for _, slot in sorted(self._slots.items()):
            if not slot.touched:
                continue
            region = slot.region
            named = {**self.rules.changed_parts(slot.state), _ENVELOPE: _pack(slot.envelope)}
            for part, value in sorted(named.items()):
                key = f"{self.rules.state_version}/{region}/{part}".encode()
                if value is None:
                    if self._hashes.pop(key, None) is not None:
                        changed[key] = None
                    else:
                        changed.pop(key, None)
                elif (sha := hashlib.sha256(value).digest()) != self._hashes.get(key):
                    if len(value) > PART_BYTES_MAX:
                        raise ValueError(f"part {part} of {region} takes {len(value)} bytes, bound {PART_BYTES_MAX}")
                    self._hashes[key] = sha
                    changed[key] = value
            slot.touched = False
        self._durable = self.next
        marker = Marker(
            self.next, self.facts_offset, self.state_hash(), {str(r): s for r, s in sorted(self.stopped.items())}
        )
        return Snapshot(changed, msgspec.json.encode(marker))

    def state_hash(self) -> str:
        """SHA-256 over the hashes of all parts in key order: equal states, equal hash."""
        return _hash_of(self._hashes)

    @cached_property
    def _id_stem(self) -> bytes:
        return f"g{self.generation}/{self.rules.name}/".encode()

    @cached_property
    def _source_header(self) -> tuple[str, bytes]:
        return "ce_source", self.reference.urn.encode()

    def _opened(self, key: bytes) -> _Slot[S] | None:
        """The slot of a region that had none yet; None where the region is stopped."""
        region = RegionCode(key.decode())
        if region in self.stopped:
            return None
        slot = self._slots[key] = _Slot(region, self.rules.open(region), _Envelope())
        return slot

    def _stop(self, region: RegionCode, at: int, problem: Exception) -> None:
        """Forget the half-changed state: what the snapshot topic holds is whole, up to the last durable marker."""
        where = problem.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        line = f"{where.tb_frame.f_code.co_name}:{where.tb_lineno}" if where is not None else ""
        self.stopped[region] = Stopped(
            self._resuming.get(region, self._durable), at, f"{type(problem).__name__} in {line}"
        )
        self._slots.pop(region.encode(), None)

    def _fold(self, slot: _Slot[S], record: LogRecord) -> list[FactRecord]:
        offset, timestamp_ms, _, value, said = record
        headers = dict(said)
        mark = headers["ce_hubsrc"]
        source, position = _source(mark)
        sources = slot.envelope.sources
        slot.touched = True
        if position <= sources.get(source, _BEFORE_ALL):
            return []
        sources[source] = position
        event = codec.decode(value)
        if type(event) in _CARRIED:
            self._carry(slot, event)
            return []
        facts = self.rules.decide(
            slot.state,
            Logged(
                event,
                slot.region,
                TenantId(headers["ce_hubtenant"].decode()),
                source,
                position,
                "ce_hubhome" in headers,
                headers.get("ce_hubcontent", b""),
                offset,
                "ce_hubcomparable" in headers,
                timestamp_ms,
            ),
        )
        return self._wrapped(slot, record, facts, ("ce_hubsrc", mark)) if facts else []

    def _carry(self, slot: _Slot[S], event: StateCarried | GenerationOpened) -> None:
        """A new generation begins: parts are gathered, and taken up when all have come and are what was left."""
        region = slot.region
        if isinstance(event, StateCarried):
            self._opening.setdefault(region, {})[event.part] = event.content
            return
        named = self._opening.pop(region, {})
        if len(named) != event.parts or carried_hash(named) != event.state_hash:
            raise ValueError(f"found {len(named)} parts, expected {event.parts} of hash {event.state_hash}")
        here = slot.envelope.sources
        opened = self._taken_up(region, event.state_version, named)
        opened.envelope.sources.update(here)
        opened.touched = True
        self._slots[region.encode()] = opened

    def _taken_up(self, region: RegionCode, state_version: int, named: dict[str, bytes]) -> _Slot[S]:
        """The slot of a region from its parts; those that the snapshots of this version lack are to be written."""
        envelope_bytes = named.pop(_ENVELOPE)
        if state_version != self.rules.state_version:
            if not isinstance(self.rules, Upcasting):
                raise ValueError(f"rules {self.rules.name} cannot read state version {state_version}")
            named = self.rules.upcast(state_version, named)
        for part, value in (*named.items(), (_ENVELOPE, envelope_bytes)):
            key, sha = f"{self.rules.state_version}/{region}/{part}".encode(), hashlib.sha256(value).digest()
            if self._hashes.get(key) != sha:
                self._hashes[key], self._unwritten[key] = sha, value
        envelope = msgspec.msgpack.decode(envelope_bytes, type=_Envelope)
        return _Slot(region, self.rules.restore(region, named), envelope)

    def _wrapped(
        self, slot: _Slot[S], record: LogRecord, facts: Sequence[Any], src: tuple[str, bytes]
    ) -> list[FactRecord]:
        """The facts of one record, each with its envelope. What facts have in common is made once (`_told`)."""
        offset, timestamp_ms, key, _, _ = record
        time = "ce_time", rfc3339(timestamp_ms)
        sequences = slot.envelope.sequences
        out = []
        for index, fact in enumerate(facts):
            told = self._told.get((type(fact), getattr(fact, "recipient", None))) or self._tell(fact)
            place = b"%d/%d/%d" % (self.partition, offset, index)
            headers = [
                _SPECVERSION,
                ("ce_id", self._id_stem + place),
                self._source_header,
                told.type,
                time,
                ("ce_hubpos", place),
            ]
            if told.receipt:
                headers.append(src)
            if (topic := told.topic) is not None:
                sequence = sequences[topic] = sequences.get(topic, 0) + 1
                headers.append(told.destination)
                headers.append(("ce_sequence", b"%d" % sequence))
                if told.compacted:
                    headers.append(("ce_hubkey", (compaction_key(fact) or "").encode()))
            out.append(_fact_record((key, codec.encode(fact), headers, timestamp_ms, slot.region, (offset, index))))
        return out

    def _tell(self, fact: Any) -> _Told:
        kind, topic = type(fact), destination_topic(fact)
        told = _Told(
            type=("ce_type", codec.type_name(kind).encode()),
            receipt=kind is ReceiptIssued,
            topic=topic,
            destination=("ce_hubdest", (topic or "").encode()),
            compacted=compaction_key(fact) is not None,
        )
        self._told[kind, getattr(fact, "recipient", None)] = told
        return told


_CARRIED: Final = (StateCarried, GenerationOpened)


def carried_hash(parts: Mapping[str, bytes]) -> str:
    """What `GenerationOpened` says of the parts before it."""
    total = hashlib.sha256()
    for name, content in sorted(parts.items()):
        total.update(name.encode())
        total.update(hashlib.sha256(content).digest())
    return total.hexdigest()


def _hash_of(hashes: Mapping[bytes, bytes]) -> str:
    total = hashlib.sha256()
    for key, sha in sorted(hashes.items()):
        total.update(key)
        total.update(sha)
    return total.hexdigest()


_inboxes: dict[bytes, str] = {}


def _source(mark: bytes) -> tuple[str, tuple[int, int]]:
    """`inbox.a/17` is record 17 of that inbox; `region-log/2/17/3` is fact 3 of record 17 of that log."""
    log, _, last = mark.rpartition(b"/")
    if (name := _inboxes.get(log)) is not None:
        return name, (int(last), 0)
    if log.startswith(b"inbox."):
        name = _inboxes[log] = log.decode()
        return name, (int(last), 0)
    log, _, offset = log.rpartition(b"/")
    return log.decode(), (int(offset), int(last))


def rfc3339(timestamp_ms: int) -> bytes:
    """A time in milliseconds since 1970 as CloudEvents writes it."""
    return b"%b.%03dZ" % (_second(timestamp_ms // 1000), timestamp_ms % 1000)


@lru_cache(maxsize=1024)
def _second(timestamp_s: int) -> bytes:
    return f"{datetime.fromtimestamp(timestamp_s, UTC):%Y-%m-%dT%H:%M:%S}".encode()
