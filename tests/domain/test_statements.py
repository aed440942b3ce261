"""What a provider may see of its region's month, and how it checks its own line."""

from dataclasses import replace

import pytest

from hub.domain.fair_share import RegionContribution, Standing, contributions, share_out
from hub.domain.identifiers import Agb, Month, Pc4
from hub.domain.statements import Disagreement, check_own_line, disclosed_counts, own_statement, region_totals

JULY = Month(2026 * 12 + 6)
OWN = Agb("41000001")


def standing(number: int, hours: int) -> Standing:
    """A provider with half of its hours spare."""
    minutes = hours * 60
    return Standing(Agb(f"4100000{number}"), minutes, 0, minutes * 11, minutes // 2)


def ledger(*hours: int) -> RegionContribution:
    """A region of providers with so many deployable hours, and 240 h to share."""
    members = [standing(number, size) for number, size in enumerate(hours, start=1)]
    return contributions(JULY, members, [], share_out(members, 240 * 60))


def test_a_provider_sees_totals_only_when_four_stand_behind_them() -> None:
    """With fewer, a competitor's figure would follow by subtraction."""
    assert region_totals(ledger(300, 200, 100)) is None
    assert own_statement(ledger(300, 200, 100), OWN).totals is None
    totals = region_totals(ledger(300, 200, 100, 50))
    assert totals is not None and totals.deployable_minutes == 650 * 60


def test_providers_with_nothing_do_not_hide_the_one_that_has_something() -> None:
    """Four names, three of them zero: the total would be one competitor's figure."""
    assert region_totals(ledger(300, 0, 0, 0)) is None


def test_a_provider_finds_its_line_right_from_its_own_figures() -> None:
    """No need to trust the hub: own figures and four published numbers give the same target."""
    statement = own_statement(ledger(300, 200, 100, 50), OWN)
    assert check_own_line(standing(1, 300), statement) == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"employed_minutes": 310 * 60}, {Disagreement.WEIGHT, Disagreement.SPARE, Disagreement.TARGET}),
        ({"delivered_minutes_12m": 60}, {Disagreement.WEIGHT, Disagreement.TARGET}),
        ({"own_obligation_minutes": 299 * 60}, {Disagreement.SPARE, Disagreement.TARGET}),
    ],
)
def test_a_wrong_figure_is_named(change: dict[str, int], expected: set[Disagreement]) -> None:
    """Where the provider knows better than its statement, it says what differs."""
    statement = own_statement(ledger(300, 200, 100, 50), OWN)
    values = {"employed_minutes": 300 * 60, "delivered_minutes_12m": 3300 * 60, "own_obligation_minutes": 150 * 60}
    figures = values | change
    own = replace(
        standing(1, 300),
        employed_minutes=figures["employed_minutes"],
        delivered_minutes_12m=figures["delivered_minutes_12m"],
        own_obligation_minutes=figures["own_obligation_minutes"],
    )
    assert set(check_own_line(own, statement)) >= expected


def test_a_statement_without_totals_sends_to_the_auditor() -> None:
    """It cannot be checked alone, and says what to do instead."""
    statement = own_statement(ledger(300, 200, 100), OWN)
    with pytest.raises(ValueError, match="ask the auditor to refold the region"):
        check_own_line(standing(1, 300), statement)


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({"1011": 7, "1012": 9}, {"1011": 7, "1012": 9}),
        ({"1011": 4, "1012": 3, "1013": 9}, {"1011": None, "1012": None, "1013": 9}),
        ({"1011": 4, "1012": 30, "1013": 9}, {"1011": None, "1012": 30, "1013": None}),
        ({"1011": 4}, {"1011": None}),
        ({"1011": 0, "1012": 9}, {"1012": 9}),
    ],
)
def test_small_counts_are_hidden_and_cannot_be_had_by_subtraction(
    counts: dict[str, int], shown: dict[str, int | None]
) -> None:
    """Below five nothing is told; one hidden count takes the smallest other one with it."""
    disclosed = disclosed_counts((Pc4(pc4), count) for pc4, count in counts.items())
    assert dict(disclosed) == shown
