"""What a day asks of a region, in a fixed order, ending with one DayClosed to the clock."""

from datetime import date
from typing import Final

from hub.domain.care_records import expire
from hub.domain.case import Case
from hub.domain.duplicate_signals import daily_signals
from hub.domain.facts import DayClosed
from hub.domain.versions import forget_expired

ENDED_KEPT_DAYS: Final = 400
"""Mandates and contracts stay so long after their last day: a year's figures are stated with them."""


def start_day(case: Case, today: date) -> None:
    """A day begins: time moves, what is over is forgotten, what is due is said, and the day is closed."""
    case.state.start_day(today)
    expire(case, today)
    forget_expired(case.state.versions, today)
    case.state.mandates.forget_ended(today, ENDED_KEPT_DAYS)
    case.state.contracts.forget_ended(today, ENDED_KEPT_DAYS)
    daily_signals(case)
    _close(case, today)


def _close(case: Case, today: date) -> None:
    if case.place.clock is None:
        return
    waiting = sum(row.waits for _, row in case.state.waiting.unordered())
    proposals = sum(row.open for _, row in case.state.proposals.unordered())
    case.say(
        DayClosed(recipient=case.place.clock, region=case.region, date=today, open_proposals=proposals, waiting=waiting)
    )
