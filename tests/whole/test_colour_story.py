"""The spring of the first region, through real intake and the real rules: whatever the seed, it can be seen."""

from collections import Counter
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from hub.contracts import codec
from hub.contracts.catalogue import REGION_LOG
from hub.domain import events as e
from hub.domain import facts as f
from hub.domain.words import AlertKind, AlertState, FindingCode
from hub.edge import EdgeEncoder, FileKey
from hub.local.simulator import colour_story, messages, national
from hub.local.simulator.live import rehearse
from hub.local.simulator.national import DAYS, START
from hub.local.simulator.truth import goes_through
from hub.streams.folds import FOLDS
from hub.streams.intake import Intake
from hub.streams.machine import LogRecord
from tests.whole.one_process import Source

SEEDS = (1, 2, 3, 4)
CLIENTS = 800


@cache
def facts_of(seed: int) -> tuple[Any, ...]:
    """What the region fold says of the first region and of NL when the simulator's script has been played."""
    nation = national.build(seed, CLIENTS)
    script, edge, intake = rehearse(nation), EdgeEncoder(FileKey.derived("story"), 1), Intake(nation.reference)
    clock = [messages.Message(national.CLOCK, e.DayStarted(date=START + timedelta(days=day))) for day in range(DAYS)]
    sent = [*script.founding, *script.history]
    for day in range(DAYS):
        sent += [clock[day], *script.days.get(day, [])]
    here = {nation.areas[0].region.encode(), b"NL"}
    machine = FOLDS["region"].machine(nation.reference, 0)
    offsets: Counter[str] = Counter()
    said: list[Any] = []
    offset = 0
    for one in messages.pack(sent, edge):
        topic = f"inbox.{one.tenant}"
        source = Source(topic, 0, offsets[topic], 1_767_225_600_000, one.key, one.value, ())
        offsets[topic] += 1
        for piece in sorted(intake.route(source), key=lambda piece: piece.stage):
            record = piece.record
            if piece.target.topic != REGION_LOG or record.key not in here:
                continue
            assert record.value is not None and record.timestamp_ms is not None
            logged = LogRecord(offset, record.timestamp_ms, record.key, record.value, record.headers)
            said += [codec.decode(fact.value) for fact in machine.apply([logged])]
            offset += 1
    assert not machine.stopped
    return tuple(said)


def alerts(seed: int, kind: AlertKind) -> list[tuple[str, AlertState]]:
    """Changes of one kind in the region, as ops hears them: subject and state."""
    region = national.build(seed, CLIENTS).areas[0].region
    return [
        (one.subject, one.state)
        for one in facts_of(seed)
        if isinstance(one, f.AlertChanged) and one.kind is kind and one.region == region and not one.recipient
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_region_goes_green_orange_red_and_green_again(seed: int) -> None:
    """In that order; it begins green and ends green."""
    colours = [x.computed.value for x in facts_of(seed) if isinstance(x, f.RegionStatusChanged)]
    assert goes_through(colours, colour_story.COLOURS), list(dict.fromkeys(colours))


@pytest.mark.parametrize("seed", SEEDS)
def test_its_alerts_open_and_close_once(seed: int) -> None:
    """Orange and red, each one episode."""
    for kind in (AlertKind.CODE_ORANGE, AlertKind.CODE_RED):
        states = [state for _, state in alerts(seed, kind)]
        assert (states[0], states[-1]) == (AlertState.OPENED, AlertState.CLOSED)
        assert Counter(states)[AlertState.OPENED] == 1


@pytest.mark.parametrize("seed", SEEDS)
def test_a_false_vol_is_exposed_and_its_alert_closes_when_it_is_taken_back(seed: int) -> None:
    """It flipped nothing: the region was green when it was made."""
    changes = alerts(seed, AlertKind.FALSE_FULL_CLAIM)
    assert changes[0][1] is AlertState.OPENED
    assert (changes[0][0], AlertState.CLOSED) in changes


@pytest.mark.parametrize("seed", SEEDS)
def test_a_provider_that_declares_its_carers_everywhere_is_noticed(seed: int) -> None:
    """By NL; the region itself sees nothing wrong."""
    found = [x for x in facts_of(seed) if isinstance(x, f.ComplianceFound)]
    twice = {x.provider for x in found if x.code is FindingCode.CARERS_DECLARED_TWICE}
    assert twice == {national.build(seed, CLIENTS).providers[1].agb}


@pytest.mark.parametrize(
    ("history", "told"),
    [
        (["green", "orange", "red_a", "green"], True),
        (["green", "orange_threat", "orange", "red_threat", "red_b", "red_a", "orange", "green"], True),
        (["unknown", "green", "orange", "red_a", "green"], False),
        (["green", "orange", "red_a", "orange"], False),
        (["green", "red_a", "orange", "green"], False),
        (["green", "orange", "red_threat", "green"], False),
        ([], False),
    ],
)
def test_a_story_is_told_by_its_begin_its_end_and_what_lies_between_in_order(history: list[str], told: bool) -> None:
    """The threat of red is no red."""
    assert goes_through(history, colour_story.COLOURS) is told


@pytest.mark.parametrize(("clients", "expected"), [(60, False), (500, False), (CLIENTS, True)])
def test_of_a_nation_where_one_birth_decides_a_colour_no_story_is_expected(clients: int, expected: bool) -> None:
    """A run with a handful of clients is not called unsound for what it cannot show."""
    nation = national.build(1, clients)
    told = [message.told for _, message in colour_story.coordinator(nation.areas[0], nation) if message.told]
    assert bool(told) is expected
