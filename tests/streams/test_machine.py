"""The machine: repeats yield nothing, positions and sequences have no gaps, a raising rule stops one region only."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.streams.machine import FactRecord, LogRecord, Machine, SnapshotIncomplete, marker_key
from tests.contracts.world import REFERENCE
from tests.streams.counting import FORBIDDEN, CountingRules, day_record

FIRST = date(2026, 6, 1)
MARKER = marker_key(1)


def machine(*, mended: bool = False) -> Machine[Any]:
    """An empty machine over partition 0."""
    return Machine(CountingRules(mended=mended), 0, "region-log", REFERENCE)


def days(count: int, region: str = "KSV-01") -> list[LogRecord]:
    """Consecutive days from the first of June; the sixth is the one that the rule cannot bear."""
    return [day_record(n, FIRST + timedelta(days=n), region) for n in range(count)]


def bytes_of(facts: list[FactRecord]) -> list[tuple[bytes, bytes, tuple[tuple[str, bytes], ...]]]:
    """What reaches the topic."""
    return [(f.key, f.value, tuple(f.headers)) for f in facts]


def header(fact: FactRecord, name: str) -> str:
    """One header of a fact."""
    return dict(fact.headers)[name].decode()


class Store:
    """The snapshots topic: parts and the marker, the newest per key."""

    def __init__(self) -> None:
        self.parts: dict[bytes, bytes] = {}
        self.marker: bytes | None = None

    def take(self, source: Machine[Any]) -> None:
        """One snapshot in one transaction."""
        taken = source.snapshot()
        self.marker = taken.marker
        for key, value in taken.parts.items():
            if value is None:
                self.parts.pop(key, None)
            else:
                self.parts[key] = value


def test_a_fact_says_where_it_stands_and_a_receipt_what_it_answers() -> None:
    """Position is log partition, offset and index; only a receipt names its input."""
    closed, receipt = machine().apply(days(1))
    assert [header(f, "ce_hubpos") for f in (closed, receipt)] == ["0/0/0", "0/0/1"]
    assert header(receipt, "ce_hubsrc") == "inbox.clock/0"
    assert "ce_hubsrc" not in dict(closed.headers)


def test_sequences_count_without_gaps_per_destination_and_region() -> None:
    """A recipient that sees 1, 2, 4 knows that it misses one."""
    log = [
        day_record(n, FIRST + timedelta(days=n), region) for n, region in enumerate(("KSV-01", "NL", "KSV-01", "NL"))
    ]
    facts = [f for f in machine().apply(log) if header(f, "ce_hubdest") == "out.days.clock"]
    assert [(f.region, header(f, "ce_sequence")) for f in facts] == [
        ("KSV-01", "1"),
        ("NL", "1"),
        ("KSV-01", "2"),
        ("NL", "2"),
    ]


def test_a_repeat_by_the_relay_yields_nothing() -> None:
    """The same inbox record at two places of the log has one effect."""
    repeated = [day_record(0, FIRST), day_record(1, FIRST, source="inbox.clock/0")]
    assert len(machine().apply(repeated)) == 2


def test_a_late_repeat_yields_nothing_even_after_a_restore() -> None:
    """The last position per source is part of the snapshot."""
    store, one = Store(), machine()
    one.apply([day_record(0, FIRST), day_record(1, FIRST + timedelta(days=1))])
    store.take(one)
    two = machine()
    two.restore(store.parts, store.marker)
    assert two.apply([day_record(2, FIRST, source="inbox.clock/0")]) == []


@given(st.lists(st.booleans(), min_size=5, max_size=5), st.integers(1, 5))
def test_snapshots_and_batches_anywhere_change_no_byte(cuts: list[bool], batch: int) -> None:
    """Restoring after any event, and any batch size, gives the same facts and the same hash."""
    log = days(5)
    whole = machine()
    expected = bytes_of(whole.apply(log))
    whole.snapshot()
    store, current, seen = Store(), machine(), []
    for at in range(0, 5, batch):
        seen += bytes_of(current.apply(log[at : at + batch]))
        if cuts[at]:
            store.take(current)
            current = machine()
            current.restore(store.parts, store.marker)
    current.snapshot()
    assert (seen, current.state_hash()) == (expected, whole.state_hash())


def test_what_was_published_is_not_published_again() -> None:
    """After a load the refold starts at the snapshot; only what lies beyond the last position goes out."""
    late = machine()
    late.published = {"KSV-01": (1, 0)}  # type: ignore[dict-item]
    assert [f.position for f in late.apply(days(3))] == [(1, 1), (2, 0), (2, 1)]


def stopped_at_the_sixth() -> tuple[Machine[Any], Store, list[LogRecord]]:
    """Two regions; one of them meets the day on which its rule raises."""
    log = [*days(5), day_record(5, FORBIDDEN, "KSV-01"), day_record(6, FORBIDDEN + timedelta(days=1), "KSV-01")]
    one, store = machine(), Store()
    one.apply(log[:3])
    store.take(one)
    one.apply(log[3:])
    return one, store, log


def test_a_rule_that_raises_stops_its_region_and_no_other() -> None:
    """Nothing of the raising event is published, and the neighbour goes on."""
    one, _, _ = stopped_at_the_sixth()
    assert list(one.stopped) == ["KSV-01"]
    assert one.stopped["KSV-01"].at == 5  # type: ignore[index]
    assert one.apply([day_record(7, FORBIDDEN + timedelta(days=1), "KSV-01")]) == []
    assert len(one.apply([day_record(8, FIRST)])) == 2


def test_after_the_fix_the_region_goes_on_with_nothing_lost() -> None:
    """It resumes at its own last snapshot, not at the tail, and says exactly what it would have said."""
    one, store, log = stopped_at_the_sixth()
    store.take(one)
    expected = bytes_of(machine(mended=True).apply(log))
    mended = machine(mended=True)
    start = mended.restore(store.parts, store.marker)
    assert start == 3
    mended.published = {"KSV-01": (4, 1)}  # type: ignore[dict-item]
    assert bytes_of(mended.apply(log[start:])) == expected[10:]
    assert mended.caught_up and not mended.stopped
    assert mended.resumed, "a snapshot is due although nothing new came: else a quiet hub would resume again and again"
    store.take(mended)
    assert b'stopped":{}' in (store.marker or b"")


def test_no_snapshot_is_taken_while_a_region_catches_up() -> None:
    """It would forget where the region resumes."""
    one, store, log = stopped_at_the_sixth()
    store.take(one)
    mended = machine(mended=True)
    mended.restore(store.parts, store.marker)
    mended.apply(log[3:4])
    assert not mended.caught_up
    with pytest.raises(AssertionError):
        mended.snapshot()


def test_bytes_that_are_no_event_stop_the_region_too() -> None:
    """Our own log should hold none; if it does, the others go on."""
    one = machine()
    broken = day_record(0, FIRST, "KSV-01")._replace(value=b"\x00\x00\x00\x00\x01")
    assert one.apply([broken, day_record(1, FIRST)]) and list(one.stopped) == ["KSV-01"]


def test_another_state_version_refolds_from_the_log() -> None:
    """Parts of an older shape are left where they are."""
    store, one = Store(), machine()
    one.apply(days(2))
    store.take(one)
    assert all(key.startswith(b"1/") for key in (*store.parts, MARKER))


def test_a_snapshot_that_lacks_a_part_is_not_taken_up() -> None:
    """Who deleted records of the snapshots topic would otherwise make a region forget half of what it knew."""
    store, first = Store(), machine()
    first.apply([*days(2), day_record(2, FIRST, "KSV-02")])
    store.take(first)
    assert machine().restore(store.parts, store.marker) == 3
    for missing in store.parts:
        fresh = machine()
        with pytest.raises(SnapshotIncomplete):
            fresh.restore({key: value for key, value in store.parts.items() if key != missing}, store.marker)
        assert fresh.next == 0, "nothing of it was taken up"
