"""What a provider may see of its region's month."""

import pytest

from hub.domain.fair_share import RegionContribution, Standing, contributions, share_out
from hub.domain.identifiers import Agb, Month, Pc4
from hub.domain.statements import disclosed_counts, region_totals

JULY = Month(2026 * 12 + 6)


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
    totals = region_totals(ledger(300, 200, 100, 50))
    assert totals is not None and totals.deployable_minutes == 650 * 60


def test_providers_with_nothing_do_not_hide_the_one_that_has_something() -> None:
    """Four names, three of them zero: the total would be one competitor's figure."""
    assert region_totals(ledger(300, 0, 0, 0)) is None


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ({"1011": 7, "1012": 9}, {"1011": 7, "1012": 9}),
        ({"1011": 4, "1012": 3, "1013": 9}, {"1011": None, "1012": None, "1013": 9}),
        ({"1011": 4, "1012": 30, "1013": 9}, {"1011": None, "1012": 30, "1013": None}),
        ({"1011": 4}, {}),
        ({"1011": 0, "1012": 9}, {"1012": 9}),
    ],
)
def test_small_counts_are_hidden_and_cannot_be_had_by_subtraction(
    counts: dict[str, int], shown: dict[str, int | None]
) -> None:
    """Below five nothing is told; one hidden count takes the smallest other one with it."""
    disclosed = disclosed_counts((Pc4(pc4), count) for pc4, count in counts.items())
    assert dict(disclosed) == shown
