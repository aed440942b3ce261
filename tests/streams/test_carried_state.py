"""State that comes from elsewhere than the log: carried into a new generation, or upcast from an older release."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest

from hub.contracts import codec
from hub.domain import events as e
from hub.domain.identifiers import RegionCode
from hub.domain.matching import MatchRules
from hub.domain.region import RegionRules
from hub.domain.warm_model import WARM_MODEL
from hub.streams.machine import FactRecord, LogRecord, Machine, carried_hash
from tests.contracts.world import REFERENCE
from tests.streams.counting import Count, CountingRules, day_record

FIRST = date(2026, 6, 10)
HERE = RegionCode("KSV-01")


class WiderRules(CountingRules):
    """A later release whose state has another shape, and that can read the older one."""

    state_version = 2

    def upcast(self, state_version: int, parts: dict[str, bytes]) -> dict[str, bytes]:
        assert state_version == 1
        return {"days": msgspec.msgpack.encode([msgspec.msgpack.decode(parts["count"], type=int)])}

    def restore(self, region: RegionCode, parts: Any) -> Count:
        return Count(msgspec.msgpack.decode(parts["days"], type=list[int])[0])

    def changed_parts(self, state: Count) -> dict[str, bytes | None]:
        return {"days": msgspec.msgpack.encode([state.days])}


def machine(rules: Any = None, generation: int = 1) -> Machine[Any]:
    """An empty machine over partition 0."""
    reference = replace(REFERENCE, generation=generation)
    return Machine(rules or CountingRules(), 0, "region-log", reference, generation)


def left_by(one: Machine[Any], region: str = HERE) -> dict[str, bytes]:
    """The parts of a region as its snapshot has them."""
    mark = f"{one.rules.state_version}/{region}/"
    return {
        key.decode().removeprefix(mark): value
        for key, value in one.snapshot().parts.items()
        if value is not None and key.decode().startswith(mark)
    }


def carried(parts: dict[str, bytes], state_version: int = 1, region: str = HERE) -> list[LogRecord]:
    """The beginning of a new generation's log."""
    events: list[Any] = [
        e.StateCarried(generation=1, state_version=state_version, part=name, content=content)
        for name, content in sorted(parts.items())
    ]
    events.append(
        e.GenerationOpened(
            generation=2, state_version=state_version, parts=len(parts), state_hash=carried_hash(parts)
        )
    )  # fmt: skip
    return [
        LogRecord(
            n, 1_772_323_200_000, region.encode(), codec.encode(event),
            [("ce_hubsrc", f"g1.state/0/{n}/0".encode()), ("ce_hubtenant", b"hub")],
        )
        for n, event in enumerate(events)
    ]  # fmt: skip


def days(first: int, count: int, offset: int) -> list[LogRecord]:
    """Days of one region at consecutive offsets, from one inbox."""
    return [
        day_record(offset + n, FIRST + timedelta(days=first + n), HERE, f"inbox.clock/{first + n}")
        for n in range(count)
    ]


def told(facts: Iterable[FactRecord]) -> list[tuple[bytes, str]]:
    """What a recipient gets: bytes and sequence."""
    return [(fact.value, dict(fact.headers)["ce_sequence"].decode()) for fact in facts]


@pytest.fixture
def former() -> Machine[Any]:
    """A generation that ends after three days."""
    one = machine()
    one.apply(days(0, 3, 0))
    return one


def test_a_new_generation_goes_on_as_the_old_one_would_have(former: Machine[Any]) -> None:
    """Same facts, same sequences, no repeat of an inbox record; only place and generation are new."""
    opened = machine(generation=2)
    log = carried(left_by(former))
    assert opened.apply(log) == []
    repeated, following = days(2, 1, len(log)), days(3, 2, len(log) + 1)
    assert opened.apply(repeated) == []
    expected = former.apply(days(3, 2, 3))
    facts = opened.apply(following)
    assert told(facts) == told(expected)
    assert dict(facts[0].headers)["ce_id"].startswith(b"g2/counting/0/")


def test_what_was_carried_is_written_with_the_first_snapshot(former: Machine[Any]) -> None:
    """Else a restart would find a marker without the state that it stands for."""
    opened = machine(generation=2)
    log = carried(left_by(former))
    opened.apply(log)
    taken = opened.snapshot()
    again = machine(generation=2)
    again.restore({k: v for k, v in taken.parts.items() if v is not None}, taken.marker)
    assert told(again.apply(days(3, 1, len(log)))) == told(former.apply(days(3, 1, 3)))
    assert again.state_hash() == opened.state_hash()


def test_no_snapshot_is_taken_of_a_state_that_is_half_carried(former: Machine[Any]) -> None:
    """A restart there would never see the parts before it again."""
    opened = machine(generation=2)
    opened.apply(carried(left_by(former))[:1])
    assert not opened.caught_up


def test_a_carried_state_that_is_not_what_was_left_stops_its_region(former: Machine[Any]) -> None:
    """A missing or bent part is no beginning."""
    opened = machine(generation=2)
    log = carried(left_by(former))
    opened.apply(log[1:])
    assert list(opened.stopped) == [HERE]


def test_a_later_release_opens_a_generation_from_the_older_shape(former: Machine[Any]) -> None:
    """The parts stand in the log as they were left; who reads them upcasts."""
    opened = machine(WiderRules(), generation=2)
    log = carried(left_by(former))
    opened.apply(log)
    assert told(opened.apply(days(3, 1, len(log)))) == told(former.apply(days(3, 1, 3)))
    assert all(key.startswith(b"2/") for key in opened.snapshot().parts)


def test_an_older_snapshot_is_upcast_where_the_log_has_expired(former: Machine[Any]) -> None:
    """The match fold's way: equal facts from there on, and everything is written anew in the new shape."""
    taken = former.snapshot()
    later = machine(WiderRules())
    parts = {key: value for key, value in taken.parts.items() if value is not None}
    assert later.restore(parts, taken.marker, 1) == 3
    assert told(later.apply(days(3, 2, 3))) == told(former.apply(days(3, 2, 3)))
    assert sorted(later.snapshot().parts) == [b"2/KSV-01/days", b"2/KSV-01/machine"]


@pytest.mark.parametrize("rules", [RegionRules(REFERENCE), MatchRules(REFERENCE, WARM_MODEL)], ids=lambda r: r.name)
def test_a_release_says_so_when_no_step_leads_to_its_state(rules: Any) -> None:
    """Older than it can read, or newer than it knows."""
    assert rules.upcast(rules.state_version, {"head": b""}) == {"head": b""}
    with pytest.raises(ValueError, match="no step leads from 0"):
        rules.upcast(0, {})
    with pytest.raises(ValueError, match="start a newer release"):
        rules.upcast(rules.state_version + 1, {})
