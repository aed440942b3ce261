"""What the page shows first, and when two colours contradict each other."""

from dataclasses import replace
from datetime import date

import pytest

from hub.console.board import Board, ColourChange, differs
from hub.domain.facts import AlertChanged
from hub.domain.words import AlertSeverity, AlertState, ComputedColour, DeclaredColour
from tests.console.world import ALERT_ORANGE, ALERT_RED, GREEN, ORANGE, RED


def board_of(*alerts: AlertChanged) -> Board:
    """A board with these alerts."""
    return Board(regions=(GREEN, ORANGE, RED), alerts=alerts, days={}, receipts={}, workers=(), live_id="0-0")


def test_the_most_severe_alert_comes_first_then_the_one_nobody_handles_then_the_oldest() -> None:
    """The top of the list is what a person should do now."""
    handled = replace(ALERT_RED, alert_id="a-3", state=AlertState.ACKNOWLEDGED, since=date(2026, 1, 1))
    older = replace(ALERT_RED, alert_id="a-4", since=date(2026, 3, 1))
    told = replace(ALERT_RED, alert_id="a-5", severity=AlertSeverity.INFO, since=date(2025, 1, 1))
    urgent = board_of(told, ALERT_ORANGE, handled, ALERT_RED, older).urgent
    assert [alert.alert_id for alert in urgent] == ["a-4", "a-1", "a-3", "a-2", "a-5"]


def test_a_closed_alert_asks_for_nobody() -> None:
    """It is history."""
    assert board_of(replace(ALERT_RED, state=AlertState.CLOSED)).urgent == ()


def test_changes_of_a_region_stand_newest_first() -> None:
    """Other regions' changes stay out."""
    changes = tuple(
        ColourChange(region=region, day=date(2026, 3, day), computed=ComputedColour.RED_A)
        for region, day in (("KSV-01", 2), ("KSV-02", 3), ("KSV-01", 9))
    )
    board = replace(board_of(), history=changes)
    assert [change.day.day for change in board.changes_of("KSV-01")] == [9, 2]


def test_the_summary_counts_every_region_once() -> None:
    """Both kinds of red are red."""
    assert board_of().counts == {"red": 1, "orange": 1, "threat": 0, "green": 1, "unknown": 0}


@pytest.mark.parametrize(
    ("computed", "declared", "expected"),
    [
        (ComputedColour.GREEN, DeclaredColour.GREEN, False),
        (ComputedColour.GREEN, DeclaredColour.ORANGE, True),
        (ComputedColour.ORANGE_THREAT, DeclaredColour.GREEN, False),
        (ComputedColour.RED_THREAT, DeclaredColour.ORANGE, False),
        (ComputedColour.RED_THREAT, DeclaredColour.RED, True),
        (ComputedColour.RED_A, DeclaredColour.RED, False),
        (ComputedColour.RED_B, DeclaredColour.RED, False),
        (ComputedColour.UNKNOWN, DeclaredColour.RED, False),
        (ComputedColour.RED_A, None, False),
    ],
)
def test_the_ksv_differs_only_where_both_name_a_colour(
    computed: ComputedColour, declared: DeclaredColour | None, expected: bool
) -> None:
    """A threat is no colour yet; an unknown colour contradicts nobody."""
    assert differs(replace(GREEN, computed=computed, declared=declared)) is expected
