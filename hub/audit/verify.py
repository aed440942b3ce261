"""The oracle: fold the logs of a dump again, without Faust or Kafka, and compare every fact and snapshot hash.

It is the test of tests and a product: an entitled auditor runs it on their own machine. It shares the machine and the
rules with the hub, and nothing of the hub's input and output. A log of any length fits: rows are read as they are
needed, and of what a fact must be its hashes are kept, some seventy bytes.

The identity-log expires. Where its beginning is gone, the refold begins with the oldest snapshot that is whole and
reaches what is left; `Verdict.begins` says where, and what was folded before that is not judged.
"""

import contextlib
import hashlib
import os
import re
import subprocess
import sys
import threading
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any, Final

import msgspec

from hub.contracts import control, tables
from hub.contracts.catalogue import CONTROL, IDENTITY_LOG, REGION_LOG, of_generation
from hub.contracts.codec import decode, type_name
from hub.domain.events import StateCarried
from hub.domain.identifiers import RegionCode
from hub.domain.reference import Reference
from hub.errors import HubError, UsageError
from hub.streams.folds import FOLDS, Fold
from hub.streams.machine import FactRecord, LogRecord, Machine, Marker, marker_key

SIDE_BY_SIDE_BYTES_MIN: Final = 4_000_000
"""A smaller log is refolded before other processes have started."""
_CARRIED: Final = type_name(StateCarried)
_POSITION: Final = re.compile(r"([0-9]{1,9})/([0-9]{1,13})/([0-9]{1,6})")
_INDEX_BITS: Final = 20
"""A position is one number in memory; no record gives a million facts."""
_REST_BYTES: Final = 16
DIFFERENCES_MAX: Final = 20
"""How many differences are told; the first is the one to look at."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Where the dump and the refold part: `position` is the fact's ce_hubpos or the snapshot's partition and offset."""

    topic: str
    position: str
    found: str
    expected: str


@dataclass(slots=True)
class Verdict:
    """What the refold saw. Equal when there is no difference."""

    records: int = 0
    facts: int = 0
    repeats: int = 0
    snapshots: int = 0
    begins: dict[str, int] = field(default_factory=dict)
    """`<log>/<partition>` → first offset that was refolded, of logs whose beginning has expired."""
    differences: list[Difference] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether every fact, repeat and snapshot hash is the one that the log gives."""
        return not self.differences

    def tell(self, difference: Difference) -> None:
        """Keep a difference, up to the bound."""
        if len(self.differences) < DIFFERENCES_MAX:
            self.differences.append(difference)


class Row(msgspec.Struct, frozen=True):
    """One record of a dumped topic. What the dump decoded for people is passed over."""

    partition: int
    offset: int
    timestamp: int
    key: str
    headers: dict[str, str]
    value: bytes | None


class _Line(msgspec.Struct):
    partition: int
    offset: int
    timestamp: int
    key: str | None
    headers: dict[str, str]
    value_base64: bytes | None


_line: Final = msgspec.json.Decoder(_Line).decode
_PLACE: Final = re.compile(rb'\{"partition": ?([0-9]{1,9}), ?"offset": ?([0-9]{1,18})')
"""How a row of a dump begins; DESIGN "What can be seen from outside" gives the order of its fields."""


def read_topic(dump: Path, topic: str, partition: int | None = None) -> Iterator[Row]:
    """Records of `topics/<topic>.jsonl` in partition and offset order, all or of one partition; none if not dumped."""
    for at, _, line in _lines(dump, topic):
        if partition is None or at == partition:
            row = _row(dump, topic, line)
            yield Row(row.partition, row.offset, row.timestamp, row.key or "", row.headers, row.value_base64)


def _lines(dump: Path, topic: str) -> Iterator[tuple[int, int, bytes]]:
    """Partition, offset and text of each row: most rows are of another partition, and need no more than that."""
    path = dump / "topics" / f"{topic}.jsonl"
    if not path.exists():
        return
    with path.open("rb") as lines:
        for line in lines:
            if begin := _PLACE.match(line):
                yield int(begin[1]), int(begin[2]), line
            else:
                row = _row(dump, topic, line)
                yield row.partition, row.offset, line


def _row(dump: Path, topic: str, line: bytes) -> _Line:
    try:
        return _line(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise UsageError(
            f"{dump}/topics/{topic}.jsonl holds a line that is no record of a dump ({problem}); dump again"
        ) from problem


def reference_of(dump: Path) -> Reference:
    """The tables under which the dump was made."""
    path = dump / "tables.json"
    if not path.exists():
        raise UsageError(f"found no tables.json in {dump}, expected a folder that `hub dump` wrote; dump again")
    return tables.load(path)


def verify_dump(dump: Path, tell: Callable[[int, int], None] = lambda done, whole: None) -> Verdict:
    """Refold every log of a dump and compare it with the facts and snapshots beside it, partitions side by side.

    Of every generation whose logs were dumped; a later one must begin with the state that the one before left.
    `tell` hears (partitions done, of how many). UsageError when the folder is no whole dump.
    """
    reference = reference_of(dump)
    now = [fold.in_generation(reference.generation) for fold in FOLDS.values()]
    for fold in now:
        if not (dump / "topics" / f"{fold.log_topic}.jsonl").exists():
            raise UsageError(
                f"found no topics/{fold.log_topic}.jsonl in {dump}, without which nothing can be said; dump again"
            )
    jobs = [
        (fold.name, generation, number)
        for generation in range(1, reference.generation + 1)
        for fold in FOLDS.values()
        for number in _partitions(dump, fold.in_generation(generation), reference)
    ]
    around, log = _around(dump, reference), of_generation(REGION_LOG, reference.generation)
    if (dump / "topics" / f"{log}.jsonl").stat().st_size < SIDE_BY_SIDE_BYTES_MIN:
        alone = [around]
        for done, job in enumerate(jobs, 1):
            alone.append(verify_partition(dump, *job))
            tell(done, len(jobs))
        return _joined(alone)
    with contextlib.ExitStack() as running:
        others = [running.enter_context(_beside(dump, *job)) for job in jobs[1:]]
        verdicts = [around, verify_partition(dump, *jobs[0])]
        for done, (job, process) in enumerate(zip(jobs[1:], others, strict=True), 1):
            tell(done, len(jobs))
            assert process.stdout is not None
            told = process.stdout.read()
            if process.wait():
                raise HubError(
                    f"the refold of {job[0]}, partition {job[2]}, ended with status {process.returncode}; see above"
                )
            verdicts.append(msgspec.json.decode(told, type=Verdict))
    tell(len(jobs), len(jobs))
    return _joined(verdicts)


@contextlib.contextmanager
def _beside(dump: Path, fold_name: str, generation: int, partition: int) -> Iterator["subprocess.Popen[bytes]"]:
    """A refold in a program of its own, that ends with us: it watches its standard input, which we hold open.

    No fork: whoever calls may hold threads of a Kafka client, which a fork would copy in any state. A session of its
    own, so that Ctrl-C comes to us alone.
    """
    program = [sys.executable, "-m", "hub.audit.verify", str(dump), fold_name, str(generation), str(partition)]
    pipe = subprocess.PIPE
    with subprocess.Popen(program, stdin=pipe, stdout=pipe, start_new_session=True) as process:  # noqa: S603
        try:
            yield process
        finally:
            process.kill()


def _partitions(dump: Path, fold: Fold, reference: Reference) -> list[int]:
    """Those of the tables; of a generation before, those in which anything stands: its tables are not in force."""
    if fold.log_topic == of_generation(REGION_LOG, reference.generation):
        return list(range(reference.log_partitions))
    if fold.log_topic == of_generation(IDENTITY_LOG, reference.generation):
        return [0]
    topics = (fold.log_topic, fold.facts_topic, fold.snapshots_topic)
    return sorted({partition for topic in topics for partition, _, _ in _lines(dump, topic)})


def _around(dump: Path, reference: Reference) -> Verdict:
    """What no partition shows alone: strays, unsound tables, a generation that begins with another state."""
    verdict = Verdict()
    for difference in (*_strays(dump, reference), *_unsound_tables(dump, reference), *_uncarried(dump, reference)):
        verdict.tell(difference)
    return verdict


def _strays(dump: Path, reference: Reference) -> Iterator[Difference]:
    """Records beyond the partitions of the tables: no worker reads them, but somebody else might believe them."""
    for fold in (fold.in_generation(reference.generation) for fold in FOLDS.values()):
        count = len(_partitions(dump, fold, reference))
        for topic in (fold.log_topic, fold.facts_topic, fold.snapshots_topic):
            for partition, offset, _ in _lines(dump, topic):
                if partition >= count:
                    said = f"none beyond the {count} partition(s) of the tables"
                    yield Difference(topic, f"{partition}/{offset}", "a record", said)


def _unsound_tables(dump: Path, reference: Reference) -> Iterator[Difference]:
    """What the control topic says must be sound, and what the dump was made under."""
    rows = list(read_topic(dump, CONTROL))
    if not rows:
        return
    try:
        found = control.read(control.ControlRecord(row.key, row.value, row.timestamp) for row in rows).reference
    except HubError as problem:
        yield Difference(CONTROL, "tables in force", str(problem), "tables that follow those before them")
        return
    if tables.render(found) != tables.render(reference):
        yield Difference(CONTROL, "tables in force", f"version {found.version}", f"version {reference.version}")


def _uncarried(dump: Path, reference: Reference) -> Iterator[Difference]:
    """Where a generation does not begin with what the one before left, as far as both were dumped whole."""
    for generation in range(2, reference.generation + 1):
        for fold in FOLDS.values():
            former, later = fold.in_generation(generation - 1), fold.in_generation(generation)
            left = _left(dump, former, replace(reference, generation=generation - 1))
            if left is None:
                continue
            carried = {
                (row.key, event.part): event.content
                for row in read_topic(dump, later.log_topic)
                if row.headers.get("ce_type") == _CARRIED
                and isinstance(event := decode(row.value or b""), StateCarried)
            }
            for region, part in sorted(left.keys() | carried.keys()):
                was, now = left.get((region, part), b""), carried.get((region, part), b"")
                if was != now:
                    yield Difference(later.log_topic, f"{region}/{part}", _short(now), _short(was))


def _left(dump: Path, fold: Fold, reference: Reference) -> dict[tuple[str, str], bytes] | None:
    """Every part of every region at the end of a generation; None where its logs were not dumped from the start."""
    parts: dict[tuple[str, str], bytes] = {}
    for partition in _partitions(dump, fold, reference):
        rows = read_topic(dump, fold.log_topic, partition)
        first = next(rows, None)
        if first is None:
            continue
        if first.offset > 0:
            return None
        machine = fold.machine(reference, partition)
        for _ in refold(fold, reference, partition, chain([first], rows), machine):
            pass
        for key, value in machine.snapshot().parts.items():
            _, region, part = key.decode().split("/", 2)
            parts[region, part] = value or b""
    return parts or None


def verify_partition(dump: Path, fold_name: str, generation: int, partition: int) -> Verdict:
    """Refold one partition of one log."""
    fold, verdict = FOLDS[fold_name].in_generation(generation), Verdict()
    log, facts, snapshots = (
        read_topic(dump, topic, partition) for topic in (fold.log_topic, fold.facts_topic, fold.snapshots_topic)
    )
    reference = replace(reference_of(dump), generation=generation)
    compare(fold, reference, partition, log, facts, snapshots, verdict)
    return verdict


def _joined(verdicts: list[Verdict]) -> Verdict:
    whole = Verdict()
    for verdict in verdicts:
        whole.records += verdict.records
        whole.facts += verdict.facts
        whole.repeats += verdict.repeats
        whole.snapshots += verdict.snapshots
        whole.begins |= verdict.begins
        for difference in verdict.differences:
            whole.tell(difference)
    return whole


@dataclass(frozen=True, slots=True)
class RegionLog:
    """A region's part of the log of one generation: the fold over it, tables of that generation, partition, records."""

    fold: Fold
    reference: Reference
    partition: int
    rows: list[Row]


def logs_of_region(dump: Path, region: str) -> list[RegionLog]:
    """A region's records by generation, oldest first, of those generations that were dumped.

    UsageError: no such region in the tables.
    """
    reference = reference_of(dump)
    if RegionCode(region) not in reference.region:
        known = ", ".join(sorted(reference.region))
        raise UsageError(f"found region {region!r}, expected one of the tables: {known}")
    found = []
    for generation in range(1, reference.generation + 1):
        fold = FOLDS["region"].in_generation(generation)
        rows = [row for row in read_topic(dump, fold.log_topic) if row.key == region]
        if rows:  # its partition by the log itself: the tables are those of the last generation
            found.append(RegionLog(fold, replace(reference, generation=generation), rows[0].partition, rows))
    return found


def refold(
    fold: Fold, reference: Reference, partition: int, log: Iterable[Row], machine: Machine[Any] | None = None
) -> Iterator[tuple[Machine[Any], list[FactRecord]]]:
    """The machine after each record of a log partition, with the facts that follow from the record.

    `machine`: one that stands where the log begins; without it, the log is whole.
    """
    machine = machine or fold.machine(reference, partition)
    for row in log:
        record = LogRecord(
            row.offset,
            row.timestamp,
            row.key.encode(),
            row.value or b"",
            [(k, v.encode()) for k, v in row.headers.items()],
        )
        yield machine, machine.apply([record])


def compare(
    fold: Fold,
    reference: Reference,
    partition: int,
    log: Iterable[Row],
    facts: Iterable[Row],
    snapshots: Iterable[Row],
    verdict: Verdict,
) -> None:
    """Refold one partition, and tell the verdict where facts and snapshots are not what the log gives.

    Each topic is read once, in the order of its offsets.
    """
    rows = iter(log)
    first = next(rows, None)
    taken = _taken(fold, snapshots, 0 if first is None else first.offset)
    machine, begin = fold.machine(reference, partition), 0
    hashes: dict[int, str] = {}
    if first is not None and first.offset > 0:
        expires = fold.log_topic == of_generation(IDENTITY_LOG, reference.generation)
        if taken.start is None or not expires:
            said = f"the records before it{', or a whole snapshot there' if expires else ''}"
            verdict.tell(Difference(fold.log_topic, f"{partition}/0", f"offset {first.offset} is the first", said))
            return
        begin = machine.restore(*taken.start)
        hashes[machine.next] = machine.state_hash()
        verdict.begins[f"{fold.log_topic}/{partition}"] = begin
    expected = _Expected()
    held = _without_holes(fold, [] if first is None else chain([first], rows), verdict)
    for _, produced in refold(fold, reference, partition, (row for row in held if row.offset >= begin), machine):
        verdict.records += 1
        for fact in produced:
            expected.add(fact)
        if machine.next in taken.markers:
            machine.snapshot()
            hashes[machine.next] = machine.state_hash()
    _compare_facts(fold, partition, facts, expected, begin, verdict)
    for next_offset, (place, marker) in sorted(taken.markers.items()):
        if next_offset < begin:
            continue
        verdict.snapshots += 1
        if not marker.stopped and (want := hashes.get(next_offset, "no such position in the log")) != marker.hash:
            verdict.tell(Difference(fold.snapshots_topic, place, marker.hash, want))
    if taken.markers and (last := taken.markers[max(taken.markers)][1]).hash != (found := _hash_of(taken.parts)):
        verdict.tell(Difference(fold.snapshots_topic, "parts", found, last.hash))


def _without_holes(fold: Fold, log: Iterable[Row], verdict: Verdict) -> Iterator[Row]:
    """Our logs have no gaps in their offsets: a record that is gone need not show in any fact."""
    following = None
    for row in log:
        if following not in (None, row.offset):
            missing = f"{row.partition}/{following}"
            verdict.tell(Difference(fold.log_topic, missing, f"offset {row.offset}", "the record in between"))
        following = row.offset + 1
        yield row


class _Expected:
    """What each fact must be, by position in rising order: its hashes only, since a log may give millions."""

    def __init__(self) -> None:
        self._positions = array("Q")
        self._lengths = array("I")
        self._values = bytearray()
        self._rest = bytearray()
        self.seen = bytearray()

    def add(self, fact: FactRecord) -> None:
        """The next fact that the log gives."""
        offset, index = fact.position
        self._positions.append(offset << _INDEX_BITS | index)
        self._lengths.append(len(fact.value))
        self._values += hashlib.sha256(fact.value).digest()
        self._rest += _rest(fact.key.decode(), {name: value.decode() for name, value in fact.headers})
        self.seen.append(0)

    def find(self, offset: int, index: int) -> int | None:
        """Number of the fact at a position, None where the log gives none."""
        wanted = offset << _INDEX_BITS | index
        number = bisect_left(self._positions, wanted)
        return number if number < len(self._positions) and self._positions[number] == wanted else None

    def value_differs(self, number: int, value: bytes) -> bool:
        """Whether these bytes are not those of the fact."""
        return self._value(number) != hashlib.sha256(value).digest()

    def rest_differs(self, number: int, row: Row) -> bool:
        """Whether key or headers are not those of the fact."""
        return self._rest[number * _REST_BYTES : (number + 1) * _REST_BYTES] != _rest(row.key, row.headers)

    def said(self, number: int) -> str:
        """The fact as a difference names it."""
        return _named(self._lengths[number], self._value(number))

    def unseen(self) -> Iterator[tuple[str, int]]:
        """Offset and index, and number, of each fact that was not found."""
        for number, position in enumerate(self._positions):
            if not self.seen[number]:
                yield f"{position >> _INDEX_BITS}/{position & (1 << _INDEX_BITS) - 1}", number

    def _value(self, number: int) -> bytes:
        return bytes(self._values[number * 32 : (number + 1) * 32])


def _rest(key: str, headers: Mapping[str, str]) -> bytes:
    said = msgspec.json.encode([key, sorted(headers.items())])
    return hashlib.sha256(said).digest()[:_REST_BYTES]


def _compare_facts(
    fold: Fold, partition: int, facts: Iterable[Row], expected: _Expected, begin: int, verdict: Verdict
) -> None:
    for row in facts:
        place = row.headers.get("ce_hubpos", f"{row.partition}/{row.offset}")
        named = _POSITION.fullmatch(place)
        here = named is not None and int(named[1]) == partition
        if named and here and int(named[2]) < begin:
            continue
        number = expected.find(int(named[2]), int(named[3])) if named and here else None
        if number is None:
            verdict.facts += 1
            verdict.tell(Difference(fold.facts_topic, place, "a fact", "no fact at this position"))
            continue
        if expected.seen[number]:
            verdict.repeats += 1
        else:
            verdict.facts += 1
            expected.seen[number] = 1
        if expected.value_differs(number, row.value or b""):
            verdict.tell(Difference(fold.facts_topic, place, _short(row.value or b""), expected.said(number)))
        elif expected.rest_differs(number, row):
            verdict.tell(Difference(fold.facts_topic, place, "other headers or key", "those that the log gives"))
    for place, number in expected.unseen():
        verdict.tell(Difference(fold.facts_topic, f"{partition}/{place}", "no fact", expected.said(number)))


@dataclass(slots=True)
class _Taken:
    """The snapshots of one partition: markers by `next` with their place, hashes of the parts as they stand in the end.

    `start`: parts and marker of the oldest one that is whole and reaches the first record of the log, if one is needed.
    """

    markers: dict[int, tuple[str, Marker]] = field(default_factory=dict)
    parts: dict[str, bytes] = field(default_factory=dict)
    start: tuple[dict[bytes, bytes], bytes] | None = None


def _taken(fold: Fold, snapshots: Iterable[Row], first: int) -> _Taken:
    taken, own, prefix = _Taken(), marker_key(fold.state_version).decode(), f"{fold.state_version}/"
    held: dict[bytes, bytes] = {}
    for row in snapshots:
        if row.key == own and row.value is not None:
            marker = msgspec.json.decode(row.value, type=Marker)
            taken.markers[marker.next] = f"{row.partition}/{row.offset}", marker
            reaches = marker.next >= first and not marker.stopped
            if first and taken.start is None and reaches and _hash_of(taken.parts) == marker.hash:
                taken.start, held = (held, row.value), {}
        elif row.key.startswith(prefix) and row.value is None:
            taken.parts.pop(row.key, None)
            held.pop(row.key.encode(), None)
        elif row.key.startswith(prefix) and row.value is not None:
            taken.parts[row.key] = hashlib.sha256(row.value).digest()
            if first and taken.start is None:
                held[row.key.encode()] = row.value
    return taken


def _hash_of(parts: Mapping[str, bytes]) -> str:
    total = hashlib.sha256()
    for key, sha in sorted(parts.items()):
        total.update(key.encode())
        total.update(sha)
    return total.hexdigest()


def _short(value: bytes) -> str:
    return _named(len(value), hashlib.sha256(value).digest())


def _named(length: int, sha: bytes) -> str:
    return f"{length} bytes, sha256 {sha.hex()[:16]}"


def _end_with_parent() -> None:
    """Nobody waits for the answer once the other end of our standard input is gone."""
    os.read(0, 1)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _folder, _fold, _generation, _number = sys.argv[1:]
    _told = verify_partition(Path(_folder), _fold, int(_generation), int(_number))
    sys.stdout.buffer.write(msgspec.json.encode(_told))
