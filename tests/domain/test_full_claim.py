"""Standing claims to be full: what is remembered of them until they are taken back or over."""

from dataclasses import replace
from datetime import date, timedelta

from hub.domain.events import FullDeclared
from hub.domain.full_claim import ClaimBook
from hub.domain.identifiers import Agb, RecordId, RegionCode, parse_month
from hub.domain.words import ClaimJudgement, FullLevel, FullStatus

DAY = date(2026, 3, 2)
HOME = Agb("41000001")
MARCH, APRIL, MAY = (parse_month(f"2026-0{n}") for n in (3, 4, 5))
VOL = FullDeclared(
    record_id=RecordId("vol"),
    version=1,
    provider=HOME,
    region=RegionCode("KSV-01"),
    level=FullLevel.MINIMUM,
    status=FullStatus.DECLARED,
    period_from=date(2026, 4, 1),
    period_until=date(2026, 4, 30),
)


def claimed() -> ClaimBook:
    """A book with one 'vol' for April."""
    made = ClaimBook()
    made.declare(VOL, DAY)
    return made


def test_the_two_signals_are_never_merged() -> None:
    """Rule 13: a 'vol' is no guideline-full, nor the other way round."""
    made = claimed()
    assert made.on(HOME, APRIL, FullLevel.MINIMUM) is not None
    assert made.on(HOME, APRIL, FullLevel.GUIDELINE) is None


def test_a_claim_holds_for_the_months_that_its_period_touches() -> None:
    """From the first to the last day."""
    made = claimed()
    made.declare(replace(VOL, period_until=date(2026, 5, 1)), DAY)
    held = [made.on(HOME, month, FullLevel.MINIMUM) is not None for month in (MARCH, APRIL, MAY)]
    assert held == [False, True, True]


def test_a_claim_that_is_taken_back_is_gone() -> None:
    """And leaves nothing behind."""
    made = claimed()
    made.declare(replace(VOL, version=2, status=FullStatus.LIFTED), DAY)
    assert made.providers == ()


def test_registrations_for_the_period_are_counted_against_it() -> None:
    """One in April, one in May."""
    made = claimed()
    made.registered(HOME, date(2026, 4, 30))
    made.registered(HOME, date(2026, 5, 1))
    assert made.of(HOME)[0].registered_since == 1


def test_saying_it_again_does_not_undo_the_registrations() -> None:
    """A new version of the claim goes on where the old one stood."""
    made = claimed()
    made.registered(HOME, date(2026, 4, 12))
    made.declare(replace(VOL, version=2, period_until=date(2026, 5, 31)), DAY + timedelta(days=3))
    (claim,) = made.of(HOME)
    assert (claim.registered_since, claim.declared_on) == (1, DAY)


def test_a_confirmation_is_for_the_period_that_was_confirmed() -> None:
    """A longer one has to be confirmed anew; saying the same again keeps it."""
    made = claimed()
    assert made.judge(HOME, VOL.record_id, ClaimJudgement.CONFIRMED)
    made.declare(replace(VOL, version=2), DAY)
    assert made.of(HOME)[0].judged is ClaimJudgement.CONFIRMED
    made.declare(replace(VOL, version=3, period_until=date(2026, 5, 31)), DAY)
    assert made.of(HOME)[0].judged is None


def test_claims_for_the_past_fall_away() -> None:
    """On the day after the last one."""
    made = claimed()
    standing = []
    for day in (date(2026, 4, 30), date(2026, 5, 1)):
        made.start_day(day)
        standing.append(len(made.of(HOME)))
    assert standing == [1, 0]


def test_a_restored_book_holds_the_same_claims() -> None:
    """Snapshots hold all that counts."""
    made = claimed()
    made.registered(HOME, date(2026, 4, 12))
    restored = ClaimBook()
    restored.restore({name: part for name, part in made.changed_parts().items() if part is not None})
    assert restored.of(HOME) == made.of(HOME)


def test_of_several_claims_for_a_month_the_one_that_the_coordinator_judged_speaks() -> None:
    """Her word stands above all (rule 13); without it the oldest, which had longest to prove."""
    made = claimed()
    made.declare(replace(VOL, record_id=RecordId("vol-2")), DAY + timedelta(days=3))
    assert made.on(HOME, APRIL, FullLevel.MINIMUM) == made.of(HOME)[0]
    assert made.judge(HOME, RecordId("vol-2"), ClaimJudgement.CONFIRMED)
    assert made.on(HOME, APRIL, FullLevel.MINIMUM) == made.of(HOME)[1]
