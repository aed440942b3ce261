"""Declared capacity: which declaration holds for a day, and what counts of a drop."""

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.capacity import (
    CapacityBook,
    DropVerdict,
    declaration,
    declared_month,
)
from hub.domain.events import CapacityDeclared
from hub.domain.identifiers import Agb, Month, RecordId, RegionCode, parse_month
from hub.domain.region_plan import CapacityRules
from hub.domain.words import CapacityMethod, ClaimJudgement

HOME, OTHER = Agb("41000001"), Agb("41000002")
HERE, THERE = RegionCode("KSV-01"), RegionCode("KSV-02")
DAY = date(2026, 3, 2)
MARCH, APRIL = parse_month("2026-03"), parse_month("2026-04")
ROSTER = CapacityMethod.ROSTER
RULES = CapacityRules()


def declares(**change: object) -> CapacityDeclared:
    """HOME declares 600 + 300 deployable hours for March."""
    fields: dict[str, object] = {
        "record_id": RecordId("march"),
        "version": 1,
        "provider": HOME,
        "region": HERE,
        "period_from": date(2026, 3, 1),
        "period_until": date(2026, 3, 31),
        "declared_on": DAY,
        "method": ROSTER,
        "contracted_employed_minutes": 700 * 60,
        "contracted_self_employed_minutes": 400 * 60,
        "deployable_employed_minutes": 600 * 60,
        "deployable_self_employed_minutes": 300 * 60,
        "subcontracted_minutes": 0,
    } | change
    return CapacityDeclared(**fields)  # type: ignore[arg-type]


def hours(*events: CapacityDeclared, month: Month = MARCH) -> int | None:
    """Deployable hours of a month."""
    declared = declared_month([declaration(e) for e in events], month, ROSTER)
    return None if declared is None else declared.deployable_minutes // 60


class TestDeclared:
    """A month by its declarations."""

    def test_employed_and_self_employed_stand_side_by_side(self) -> None:
        """Rule 17, contracted beside deployable."""
        declared = declared_month([declaration(declares())], MARCH, ROSTER)
        assert declared is not None
        assert (declared.deployable_employed_minutes, declared.deployable_self_employed_minutes) == (36000, 18000)
        assert (declared.contracted_minutes, declared.deployable_minutes, declared.assumed) == (66000, 54000, False)

    @pytest.mark.parametrize(
        ("subcontracted", "employed", "self_employed"), [(100, 600, 200), (400, 500, 0), (999, 0, 0)]
    )
    def test_subcontracted_hours_count_once(self, subcontracted: int, employed: int, self_employed: int) -> None:
        """The other provider declares them: they go off the self-employed first, never below zero."""
        one = declaration(declares(subcontracted_minutes=subcontracted * 60))
        assert one.deployable_employed_minutes == employed * 60
        assert one.deployable_self_employed_minutes == self_employed * 60

    def test_the_latest_declaration_holds_for_the_days_that_it_covers(self) -> None:
        """A roster for the second half of a month takes the place of the month's for those days."""
        half = declares(
            record_id=RecordId("half"),
            period_from=date(2026, 3, 17),
            declared_on=DAY + timedelta(days=1),
            deployable_employed_minutes=0,
            deployable_self_employed_minutes=150 * 60,
        )
        assert hours(declares(), half) == 900 * 16 // 31 + 150

    def test_a_month_without_a_declaration_carries_the_last_one_forward_day_by_day(self) -> None:
        """February's 28 days at 700 hours make 775 hours of March's 31, and the month is assumed."""
        february = declares(
            period_from=date(2026, 2, 1),
            period_until=date(2026, 2, 28),
            deployable_employed_minutes=700 * 60,
            deployable_self_employed_minutes=0,
        )
        declared = declared_month([declaration(february)], MARCH, ROSTER)
        assert declared is not None
        assert (declared.deployable_minutes, declared.assumed) == (775 * 60, True)

    def test_a_leap_year_has_one_more_day_to_cover(self) -> None:
        """A January declaration carried into February 2028 covers 29 days."""
        january = declares(
            period_from=date(2028, 1, 1),
            period_until=date(2028, 1, 31),
            deployable_employed_minutes=31 * 60,
            deployable_self_employed_minutes=0,
        )
        assert hours(january, month=parse_month("2028-02")) == 29

    def test_days_before_the_first_declaration_have_no_hours(self) -> None:
        """Nothing is carried backwards."""
        assert hours(declares(period_from=date(2026, 4, 1), period_until=date(2026, 4, 30))) is None

    def test_the_regions_method_goes_before_any_other(self) -> None:
        """S0, S1: by the KSV's method; another one only where the provider never used that."""
        other = declares(
            record_id=RecordId("contract"),
            method=CapacityMethod.CONTRACT_HOURS,
            declared_on=DAY + timedelta(days=1),
            deployable_employed_minutes=60,
        )
        assert hours(declares(), other) == 900
        assert hours(other) == 301

    @settings(deadline=None)
    @given(st.permutations(range(4)))
    def test_the_order_in_which_declarations_came_does_not_matter(self, order: list[int]) -> None:
        """Days and ids decide."""
        all_of_them = [
            declares(
                record_id=RecordId(f"d{n}"), period_from=date(2026, 3, 1 + 5 * n), deployable_employed_minutes=n * 999
            )
            for n in range(4)
        ]
        assert hours(*(all_of_them[n] for n in order)) == hours(*all_of_them)


def book(today: date = DAY) -> CapacityBook:
    """A region's book for March and April."""
    return CapacityBook(RULES, ROSTER, (MARCH, APRIL), today)


def later(made: CapacityBook, days: int) -> None:
    """Days pass."""
    for _ in range(days):
        made.start_day(made.today + timedelta(days=1), made.months, RULES, ROSTER)


def declare(made: CapacityBook, total_hours: int) -> None:
    """HOME declares March anew on the day of the book."""
    version = len(made.declarations(HOME)) + 1
    made.declare(
        declares(
            version=version,
            declared_on=made.today,
            deployable_employed_minutes=total_hours * 60,
            deployable_self_employed_minutes=0,
        )
    )


def counted(made: CapacityBook, insurer_hours: int | None = None) -> tuple[int, str]:
    """Hours that the colours count on in March, and why."""
    month = made.month(HOME, MARCH, None if insurer_hours is None else insurer_hours * 60)
    assert month is not None
    return month.counted_minutes // 60, month.verdict.value


class TestDrops:
    """A claim alone flips nothing: a drop counts when something bears it out."""

    def test_a_small_drop_is_an_ordinary_day(self) -> None:
        """15 % is the bound."""
        made = book()
        declare(made, 1000)
        later(made, 1)
        declare(made, 850)
        assert counted(made) == (850, DropVerdict.NONE)

    def test_a_large_drop_counts_as_far_as_the_bound(self) -> None:
        """What was declared is still shown as declared."""
        made = book()
        declare(made, 1000)
        later(made, 1)
        declare(made, 100)
        assert counted(made) == (850, DropVerdict.UNVERIFIED)
        month = made.month(HOME, MARCH)
        assert month is not None
        assert month.declared.deployable_minutes == 100 * 60

    def test_small_drops_day_after_day_go_no_further_than_one(self) -> None:
        """The yardstick is the highest figure of four weeks, not yesterday's."""
        made = book()
        for total_hours in (1000, 900, 810, 730, 660, 600):
            declare(made, total_hours)
            later(made, 1)
        assert counted(made) == (850, DropVerdict.UNVERIFIED)

    def test_the_insurers_figure_bears_a_drop_out(self) -> None:
        """S3: insurers know the capacity per provider."""
        made = book()
        declare(made, 1000)
        later(made, 1)
        declare(made, 400)
        assert counted(made, 450) == (400, DropVerdict.BORNE_OUT_BY_INSURER)
        assert counted(made, 800) == (680, DropVerdict.UNVERIFIED)

    def test_a_first_declaration_is_held_against_the_insurers_figure(self) -> None:
        """Without one there is nothing to hold it against."""
        made = book()
        declare(made, 100)
        assert counted(made) == (100, DropVerdict.NONE)
        assert counted(made, 1000) == (850, DropVerdict.UNVERIFIED)

    def test_a_fortnight_without_a_new_client_settles_a_drop(self) -> None:
        """Whoever has no room takes nobody."""
        made = book()
        declare(made, 1000)
        later(made, 1)
        declare(made, 100)
        later(made, 13)
        assert counted(made)[1] == DropVerdict.UNVERIFIED
        later(made, 1)
        assert counted(made) == (100, DropVerdict.SETTLED)

    def test_a_registration_in_the_meantime_does_not(self) -> None:
        """It took a client for that very month."""
        made = book()
        declare(made, 1000)
        later(made, 1)
        declare(made, 100)
        made.registered(HOME, APRIL)
        made.registered(HOME, MARCH)
        later(made, 14)
        assert counted(made) == (850, DropVerdict.UNVERIFIED)

    def test_the_coordinator_settles_it_at_once(self) -> None:
        """She confirms a declaration, for the months that it touches."""
        made = book()
        declare(made, 1000)
        later(made, 1)
        declare(made, 100)
        assert made.judge(HOME, RecordId("march"), ClaimJudgement.CONFIRMED)
        assert counted(made) == (100, DropVerdict.NONE)

    def test_a_drop_that_the_coordinator_rejects_never_bears_itself_out(self) -> None:
        """Not by a quiet fortnight, nor by an insurer's figure, until another figure is declared or she confirms it."""
        made = book()
        declare(made, 1000)
        later(made, 1)
        declare(made, 100)
        assert made.judge(HOME, RecordId("march"), ClaimJudgement.REJECTED)
        later(made, 60)
        assert counted(made) == (850, DropVerdict.REJECTED)
        assert made.month(HOME, MARCH, 100 * 60) == made.month(HOME, MARCH)
        declare(made, 900)
        assert counted(made)[0] == 900

    def test_nobody_judges_what_was_never_declared(self) -> None:
        """The coordinator hears that there is no such declaration."""
        made = book()
        assert not made.judge(HOME, RecordId("march"), ClaimJudgement.CONFIRMED)
        declare(made, 1000)
        assert not made.judge(HOME, RecordId("april"), ClaimJudgement.REJECTED)

    def test_a_rise_counts_at_once(self) -> None:
        """More hours need no proof: they are owed once promised."""
        made = book()
        declare(made, 100)
        later(made, 1)
        declare(made, 1000)
        assert counted(made) == (1000, DropVerdict.NONE)

    def test_a_correction_on_the_same_day_is_no_drop(self) -> None:
        """A slip of the pen never stood when the day ended."""
        made = book()
        declare(made, 9999)
        declare(made, 1000)
        assert counted(made) == (1000, DropVerdict.NONE)


def test_a_declaration_is_stale_from_the_36th_day_on() -> None:
    """DOMAIN "Colour predicates": over 35 days old."""
    made = book()
    declare(made, 1000)
    ages: list[tuple[bool, bool]] = []
    for _ in range(2):
        later(made, 35 if not ages else 1)
        month = made.month(HOME, APRIL)
        assert month is not None
        ages.append((month.stale, month.declared.assumed))
    assert ages == [(False, True), (True, True)]


def test_a_restored_book_answers_alike() -> None:
    """Snapshots hold all that counts."""
    made = book()
    declare(made, 1000)
    later(made, 1)
    declare(made, 500)
    made.registered(HOME, MARCH)
    restored = book(made.today)
    restored.restore({name: part for name, part in made.changed_parts().items() if part is not None})
    assert restored.month(HOME, MARCH) == made.month(HOME, MARCH)
    assert restored.providers == made.providers == (HOME,)
