"""What must hold of any run of the hub, said over what is left on the topics: checkers for the simulator and the rig.

`topics` is what a reader of committed records sees, in partition and offset order (`hub.audit.verify.Row`). Most of
these know nothing of the implementation: they read the headers that DESIGN.md fixes for everybody. Two use the hub's
own pure functions as the yardstick: the oracle, which folds again, and the copies, which route again.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import ConsumerRecord

from hub.audit.verify import Row, Verdict, compare
from hub.contracts import codec
from hub.contracts.catalogue import IDENTITY_LOG, IN_FORCE, LINKS, REGION_FACTS, REGION_LOG, REGION_STATUS
from hub.domain import events as e
from hub.domain.identifiers import RegionCode
from hub.domain.reference import Reference
from hub.streams.delivery import route_to_compacted, route_to_tenants
from hub.streams.folds import FOLDS
from hub.streams.intake import Intake
from hub.streams.relay import Piece

Topics = Mapping[str, Sequence[Row]]


class Failure(NamedTuple):
    """One broken promise: which, where, and what was found."""

    invariant: str
    where: str
    found: str


def check_all(topics: Topics, reference: Reference) -> list[Failure]:
    """Every broken promise, those of the implementation-blind checkers first."""
    found: list[Failure] = []
    for check in CHECKS.values():
        found.extend(check(topics, reference))
    return found


def one_outcome(topics: Topics, reference: Reference) -> Iterator[Failure]:
    """Every record of an inbox has exactly one receipt, and no receipt speaks of anything else."""
    sent = {f"{name}/{row.offset}" for name, rows in topics.items() if is_inbox(name) for row in rows}
    answers: dict[str, set[tuple[str, str, str]]] = defaultdict(set)
    for name, rows in topics.items():
        if name.startswith("out.receipts."):
            for row in rows:
                place = row.headers.get("ce_hubregion", ""), row.headers.get("ce_sequence", "")
                answers[row.headers.get("ce_hubsrc", "")].add((name, *place))
    for source in sorted(sent - answers.keys()):
        yield Failure("one_outcome", source, "no receipt")
    for source in sorted(answers.keys() - sent):
        yield Failure("one_outcome", source, "a receipt for what nobody sent")
    for source, found in sorted(answers.items()):
        if len(found) > 1:
            yield Failure("one_outcome", source, f"{len(found)} receipts")


def gapless_sequences(topics: Topics, reference: Reference) -> Iterator[Failure]:
    """What a recipient checks: per topic and region 1, 2, 3 …; a repeat is the same bytes under the same id."""
    for name, rows in sorted(topics.items()):
        if not (name.startswith("out.") or name == "alerts"):
            continue
        last: dict[str, int] = defaultdict(int)
        seen: dict[tuple[str, int], tuple[bytes | None, str]] = {}
        for row in rows:
            region = row.headers.get("ce_hubregion", "")
            number = int(row.headers.get("ce_sequence", "0"))
            said = row.value, row.headers.get("ce_id", "")
            if number == last[region] + 1:
                last[region] = number
                seen[region, number] = said
            elif seen.get((region, number)) != said:
                what = "a repeat with other bytes" if (region, number) in seen else f"{number} after {last[region]}"
                yield Failure("gapless_sequences", f"{name}/{region}", what)


def newest_value_last(topics: Topics, reference: Reference) -> Iterator[Failure]:
    """On a compacted topic nothing older comes after something newer: sequences per region only rise."""
    for name in (REGION_STATUS, IN_FORCE):
        last: dict[str, int] = {}
        for row in topics.get(name, ()):
            region, number = row.headers["ce_hubregion"], int(row.headers["ce_sequence"])
            if number <= last.get(region, 0):
                yield Failure("newest_value_last", f"{name}/{region}", f"{number} after {last[region]}")
            last[region] = max(number, last.get(region, 0))


def newest_value_kept(topics: Topics, reference: Reference) -> Iterator[Failure]:
    """The newest fact for each key of a compacted topic is the value that a reader finds there."""
    newest: dict[tuple[str, str], tuple[int, bytes | None]] = {}
    for row in topics.get(REGION_FACTS, ()):
        destination = row.headers.get("ce_hubdest")
        if destination in (REGION_STATUS, IN_FORCE):
            place = destination, row.headers["ce_hubkey"]
            newest[place] = max(newest.get(place, (0, b"")), (int(row.headers["ce_sequence"]), row.value))
    for (name, kept), (number, value) in sorted(newest.items()):
        held = [row for row in topics.get(name, ()) if row.key == kept]
        if not held or held[-1].value != value:
            yield Failure("newest_value_kept", f"{name}/{kept}", f"is not the fact with sequence {number}")


def positions_monotonic(topics: Topics, reference: Reference) -> Iterator[Failure]:
    """A reader that honours positions loses nothing: per region no new fact appears below the last one."""
    for name in (REGION_FACTS, LINKS):
        highest: dict[tuple[int, str], tuple[int, int]] = {}
        seen: dict[tuple[int, str, tuple[int, int]], tuple[bytes | None, str]] = {}
        for row in topics.get(name, ()):
            place = _position(row)
            key = row.partition, row.key
            said = row.value, row.headers.get("ce_id", "")
            if (*key, place) not in seen:
                if place < highest.get(key, (-1, -1)):
                    yield Failure("positions_monotonic", f"{name}/{row.key}", f"{place} appears after {highest[key]}")
                seen[*key, place] = said
                highest[key] = max(place, highest.get(key, (-1, -1)))
            elif seen[*key, place] != said:
                yield Failure("positions_monotonic", f"{name}/{row.key}", f"{place} was said in two ways")


def versions_rise(topics: Topics, reference: Reference) -> Iterator[Failure]:
    """In one region the version of a record that stands never falls."""
    standing: dict[tuple[str, Any], int] = {}
    seen: set[tuple[str, tuple[int, int]]] = set()
    for row in topics.get(REGION_FACTS, ()):
        if row.headers.get("ce_type") != codec.type_name(e.RecordSettled) or (row.key, _position(row)) in seen:
            continue
        seen.add((row.key, _position(row)))
        settled = codec.decode(row.value or b"")
        if settled.outcome == "refused":
            continue
        ref = settled.record
        key = row.key, (ref.tenant, ref.provider, ref.kind, ref.record_id)
        if ref.version < standing.get(key, 0):
            yield Failure("versions_rise", f"{row.key}/{_position(row)}", f"{ref.version} after {standing[key]}")
        standing[key] = max(ref.version, standing.get(key, 0))


def regions_in_their_partition(topics: Topics, reference: Reference) -> Iterator[Failure]:
    """Every region stands in the partition that the tables give it."""
    for row in topics.get(REGION_LOG, ()):
        if row.key not in reference.codes or reference.partition(RegionCode(row.key)) != row.partition:
            yield Failure("regions_in_their_partition", f"{REGION_LOG}/{row.partition}/{row.offset}", row.key)
            return


def sources_in_order(topics: Topics, reference: Reference) -> Iterator[Failure]:
    """Per region and source the log holds what the source said in its order, whatever was repeated."""
    last: dict[tuple[str, str], int] = {}
    seen: set[tuple[str, str, int]] = set()
    for row in topics.get(REGION_LOG, ()):
        source, _, offset = row.headers["ce_hubsrc"].rpartition("/")
        if not is_inbox(source):
            continue
        key, number = (row.key, source), int(offset)
        if (*key, number) not in seen and number < last.get(key, -1):
            yield Failure(
                "sources_in_order", f"{REGION_LOG}/{row.partition}/{row.offset}", f"{number} after {last[key]}"
            )
        seen.add((*key, number))
        last[key] = max(number, last.get(key, -1))


def equal_to_the_oracle(topics: Topics, reference: Reference) -> Iterator[Failure]:
    """Whoever refolds the log gets the same facts, byte for byte, and the same snapshot hashes."""
    for fold in FOLDS.values():
        for partition in range(reference.log_partitions if fold.log_topic == REGION_LOG else 1):
            verdict = Verdict()
            log, facts, snapshots = (
                [row for row in topics.get(name, ()) if row.partition == partition]
                for name in (fold.log_topic, fold.facts_topic, fold.snapshots_topic)
            )
            compare(fold, reference, partition, log, facts, snapshots, verdict)
            for one in verdict.differences:
                where = f"{one.topic}/{partition} at {one.position}"
                yield Failure("equal_to_the_oracle", where, f"{one.found}; the log gives: {one.expected}")


def copies_complete(topics: Topics, reference: Reference) -> Iterator[Failure]:
    """A relay copies what its route says: everything of it, nothing else, and the same bytes when it repeats."""
    intake = Intake(reference)
    inputs = [row for name in topics if is_inbox(name) for row in _records(name, topics)]
    sources = [*inputs, *_records(LINKS, topics), *_records(REGION_FACTS, topics)]
    expected: dict[str, set[tuple[Any, ...]]] = defaultdict(set)
    for record in sources:
        _expect(expected, intake.route(record))
    for record in _records(REGION_FACTS, topics):
        _expect(expected, route_to_tenants(record))
        _expect(expected, route_to_compacted(record))
    for name, rows in sorted(topics.items()):
        if name in (REGION_LOG, IDENTITY_LOG, "alerts") or name.startswith("out.") or name.endswith(".dlq"):
            found = {_said(row.partition, row.key, row.value, row.headers) for row in rows}
            if missing := expected[name] - found:
                yield Failure("copies_complete", name, f"{len(missing)} missing")
            if strange := found - expected[name]:
                yield Failure("copies_complete", name, f"{len(strange)} that no source gives")


Check = Callable[[Topics, Reference], Iterator[Failure]]
CHECKS: Final[Mapping[str, Check]] = {
    check.__name__: check
    for check in (
        one_outcome,
        gapless_sequences,
        newest_value_last,
        newest_value_kept,
        positions_monotonic,
        versions_rise,
        regions_in_their_partition,
        sources_in_order,
        equal_to_the_oracle,
        copies_complete,
    )
}


def is_inbox(topic: str) -> bool:
    """Whether tenants write here."""
    return topic.startswith("inbox.") and not topic.endswith(".dlq")


def _position(row: Row) -> tuple[int, int]:
    _, offset, index = row.headers["ce_hubpos"].split("/")
    return int(offset), int(index)


def _records(name: str, topics: Topics) -> list[ConsumerRecord]:
    return [
        ConsumerRecord(
            name,
            row.partition,
            row.offset,
            row.timestamp,
            0,
            row.key.encode(),
            row.value,
            None,
            len(row.key),
            len(row.value or b""),
            tuple((k, v.encode()) for k, v in row.headers.items()),
        )
        for row in topics.get(name, ())
    ]


def _expect(expected: dict[str, set[tuple[Any, ...]]], pieces: Any) -> None:
    piece: Piece
    for piece in pieces:
        record = piece.record
        headers = {name: value.decode(errors="replace") for name, value in record.headers}
        key = (record.key or b"").decode(errors="replace")
        expected[piece.target.topic].add(_said(piece.target.partition, key, record.value, headers))


def _said(partition: int, key: str, value: bytes | None, headers: Mapping[str, str]) -> tuple[Any, ...]:
    return partition, key, value, tuple(sorted(headers.items()))
