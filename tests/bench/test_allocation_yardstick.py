"""The yardsticks measure what they say, and allocation stands beside them as promised (a few of the region-months)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from hub.bench.allocation import (
    GOAL_OF_OPTIMUM,
    JULY_1,
    MIXES,
    PLANNED_AHEAD_DAYS,
    SCARCITIES,
    Amounts,
    Yardstick,
    carried_minutes,
    daily_row,
    first_come_nearest,
    nation_row,
    quality_row,
    region_month,
    understating_rows,
)
from hub.domain.allocation import allocate, is_urgent


@pytest.mark.parametrize(("seed", "scarcity"), list(enumerate(SCARCITIES)))
def test_where_all_are_owed_the_same_nobody_could_place_more(seed: int, scarcity: float) -> None:
    """Beside the integer optimum of the same round, extreme scarcity included."""
    month = region_month(seed, scarcity)
    ours = sum(carried_minutes(month.round, allocate(month.round)).values())
    assert ours == Yardstick(month.round).most_minutes()


@pytest.mark.parametrize("seed", [21, 43, 73, 78])
def test_with_mixed_amounts_nobody_is_above_capacity_and_little_more_could_be_placed(seed: int) -> None:
    """Beside the optimum that keeps the urgent who fit in their turn; these months were once below or above."""
    on = JULY_1 if seed // 20 % 2 else JULY_1 - timedelta(days=PLANNED_AHEAD_DAYS)
    month = region_month(seed, SCARCITIES[seed % 5], amounts=MIXES[seed % 4], on=on)
    outcome = allocate(month.round)
    carried = carried_minutes(month.round, outcome)
    assert all(carried[bearer.provider] <= max(0, bearer.room_minutes) for bearer in month.round.bearers)
    yardstick = Yardstick(month.round)
    placed = frozenset(placement.client for placement in outcome.placements)
    urgent = [client for client in month.round.waiting if is_urgent(client, on, month.round.rules)]
    fitting = [client.id for client in yardstick.fitting_in_order(urgent, placed)]
    assert placed.issuperset(fitting)
    assert GOAL_OF_OPTIMUM <= sum(carried.values()) / yardstick.most_minutes(fitting) <= 1


def test_the_optimum_is_one_and_no_bound_that_anything_meets() -> None:
    """Rooms of two and a half places hold two; what was placed cannot be beaten and can be missed."""
    month = region_month(2, 0.6)
    bearers = tuple(replace(bearer, spare_minutes=3600) for bearer in month.round.bearers)
    round_ = replace(month.round, bearers=bearers)
    assert Yardstick(round_).most_minutes() == 2 * 1440 * len(bearers)
    tight = replace(round_, bearers=tuple(replace(bearer, spare_minutes=1439) for bearer in bearers))
    assert Yardstick(tight).most_minutes() == 0


def test_jain_comes_near_the_fairest_and_above_first_come_nearest() -> None:
    """Two of the hundred region-months; `python -m hub.bench.allocation` takes them all."""
    rows = [quality_row(seed, SCARCITIES[seed % 5], Amounts.ONE) for seed in (0, 5)]
    assert all(row.jain_gap <= 0.01 for row in rows)
    assert all(row.fairest_jain >= row.jain > row.baseline_jain for row in rows)


def test_the_baseline_keeps_to_room_and_contracts_too() -> None:
    """It is worse by its order, not by breaking the rules."""
    month = region_month(0, 1.0)
    carried = first_come_nearest(month.round)
    assert all(carried[bearer.provider] <= max(0, bearer.spare_minutes) for bearer in month.round.bearers)
    assert sum(carried.values()) <= Yardstick(month.round).most_minutes()


def test_each_daily_round_places_all_that_it_could() -> None:
    """Accepted proposals stay where they are, open ones make room."""
    row = daily_row(2, 0.6)
    assert row.lowest_round_of_optimum == 1.0
    assert row.declines > 0


def test_understating_gains_and_is_measured() -> None:
    """Declaring less is asked less: the figure that makes the finding necessary."""
    gains = [row.gained_hours for row in understating_rows()]
    assert gains == sorted(gains)
    assert gains[0] > 0


def test_the_nation_counts_every_client_once() -> None:
    """A small nation: all are placed or still wait, round by round."""
    row = nation_row(clients=720, regions=2)
    assert row.clients == 720
    assert 0 < row.placed <= row.clients
