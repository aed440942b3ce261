"""The yardstick itself: the truth is no forecast, and the scores say what they claim."""

import ast
import inspect

import numpy as np
import pytest

from hub.backtest import forecasters, truth
from hub.backtest.forecasters import Answer, DueDateSum, HubForecaster, IdealForecaster
from hub.backtest.score import Row, _brier, _reliability, _share, backtest, parse_seeds
from hub.backtest.truth import SCORED, days_before, draw_region
from hub.domain.identifiers import first_day
from hub.errors import UsageError

SURE, NEVER = Answer(0.9, True), Answer(0.1, False)


def test_the_same_seed_gives_the_same_region_and_another_another() -> None:
    """Figures can be checked by whoever has the seed."""
    one, again, other = draw_region(5, 0), draw_region(5, 0), draw_region(5, 1)
    assert np.array_equal(one.clients.born, again.clients.born)
    assert np.array_equal(one.delivered, again.delivered)
    assert one.nature != other.nature


def test_the_truth_of_births_is_near_the_public_figures_and_not_the_plans_own() -> None:
    """About 70 % within ten days, and parameters of its own."""
    region = draw_region(5, 0)
    late = region.clients.born - region.clients.due
    assert np.mean(np.abs(late) <= 10) == pytest.approx(0.71, abs=0.03)
    assert region.nature.mixture[0][1] != -1.5


def test_all_care_that_is_owed_lies_in_some_month() -> None:
    """Every client's care counts once, wherever it falls."""
    region = draw_region(5, 0)
    months = range(SCORED[0] - 8, SCORED[-1] + 8)
    inside = sum(region.owed_minutes(type(SCORED[0])(m)) for m in months)
    start, end = first_day(SCORED[0]).toordinal() - 243, first_day(SCORED[-1]).toordinal() + 240
    c = region.clients
    owed = ((c.born >= start) & (c.born < end)).sum() * region.nature.mean_minutes
    assert inside == pytest.approx(owed, rel=0.06)


def test_the_forecasters_learn_nothing_from_the_future() -> None:
    """A truth that differs only after the day of asking gets the same answers."""
    month = SCORED[3]
    today = days_before(month, 28)
    region = draw_region(6, 0)
    late = region.clients.registered >= today.toordinal()
    other = draw_region(6, 0)
    other.clients.born[late] += 3
    other.clients.due[late] += 3
    other.delivered[month - SCORED[0] + 12 :] *= 0.5
    asked = [
        (HubForecaster(r).ask(today)[month], IdealForecaster(r).ask(today, month), DueDateSum(r).ask(today, month))
        for r in (region, other)
    ]
    assert asked[0] == asked[1]
    assert region.short(month) != other.short(month) or region.delivered_minutes(month) > other.delivered_minutes(month)


def test_scores_by_hand() -> None:
    """Three months: warned and short, warned for nothing, missed."""
    rows = [Row(h, h, h, short, short, 28, False) for h, short in ((SURE, True), (SURE, False), (NEVER, True))]
    assert _share([r.hub.orange for r in rows if r.short]) == 0.5
    assert _brier([(r.hub.chance, r.short) for r in rows]) == pytest.approx((0.01 + 0.81 + 0.81) / 3, abs=1e-4)
    table = _reliability(rows)
    assert [(line["from"], line["months"], line["happened"]) for line in table] == [(0.1, 1, 1.0), (0.9, 2, 0.5)]
    assert _share([]) is None


def test_one_region_is_forecast_better_than_by_summing_due_dates() -> None:
    """The whole way through, on a seed of its own; the full figures stand in docs/colours.md."""
    figures = backtest((77,), regions_per_seed=1)
    assert figures["months"] == len(SCORED)
    assert figures["brier"] < figures["brier_baseline"]
    assert sum(line["months"] for line in figures["reliability"]) == len(SCORED)


def test_seeds_are_numbers_with_commas() -> None:
    """And what is not is told so."""
    assert parse_seeds("101, 102") == (101, 102)
    with pytest.raises(UsageError, match="found seeds '1;2', expected whole numbers with commas"):
        parse_seeds("1;2")


def test_the_truth_and_the_ideal_forecaster_know_nothing_of_the_forecast() -> None:
    """A yardstick that shares code with what it measures would bend with it: the truth takes calendar months alone."""
    tree = ast.parse(inspect.getsource(truth))
    taken = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    assert {name for name in taken if name.startswith("hub.")} == {"hub.domain.identifiers"}
    for own in (IdealForecaster, forecasters._offset_chances, forecasters._normal_below, forecasters._normal_above):
        names = {node.id for node in ast.walk(ast.parse(inspect.getsource(own))) if isinstance(node, ast.Name)}
        assert not names & {"RegionForecast", "RegistrationLoad", "Load", "next_colour", "national_defaults"}
