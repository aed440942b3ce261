"""Every missed day is sent, in order, and no day twice."""

from datetime import date

import pytest

from hub.streams.clock import missed_days


@pytest.mark.parametrize(
    ("last", "sent"),
    [
        (None, [date(2026, 3, 2)]),
        (date(2026, 3, 1), [date(2026, 3, 2)]),
        (date(2026, 2, 27), [date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 2)]),
        (date(2026, 3, 2), []),
        (date(2026, 3, 3), []),
    ],
)
def test_the_days_since_the_last_closed_one_are_sent(last: date | None, sent: list[date]) -> None:
    """Today alone when no day was ever closed; nothing when today was sent."""
    assert list(missed_days(last, date(2026, 3, 2))) == sent
