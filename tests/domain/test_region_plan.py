"""The region plan: which version holds on a day, what contradicts itself, and what a region without one lives by."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.identifiers import RecordId, RegionCode, Uzovi, parse_month
from hub.domain.load_forecast import month_norms
from hub.domain.region_plan import (
    CareNorms,
    ColourRules,
    Deviation,
    FairShareFigures,
    ForecastRules,
    Interventions,
    PlanBook,
    RegionPlan,
    RoundRules,
    national_defaults,
    plan_faults,
)

HERE = RegionCode("KSV-07")
LEADS = (Uzovi("3311"), Uzovi("7119"))
DAY = date(2026, 3, 2)
PLAN = RegionPlan(
    plan_id=RecordId("plan-07"),
    version=1,
    region=HERE,
    valid_from=DAY,
    lead_insurers=LEADS,
    coordinator="coordinator-07",
    waiting_clients_informed_by="app",
)


def agreed(*plans: RegionPlan, on: date = DAY - timedelta(days=30)) -> PlanBook:
    """Plans that both lead insurers concur with."""
    made = PlanBook(HERE)
    for plan in plans:
        made = made.adopted(plan)
        for insurer in LEADS:
            made = made.concurred(plan.plan_id, plan.version, insurer, on)
    return made


class TestInForce:
    """Which version holds on which day (rule 31)."""

    def test_a_plan_needs_both_lead_insurers(self) -> None:
        """One of two, twice, is not both."""
        book = PlanBook(HERE).adopted(PLAN)
        for _ in range(2):
            book = book.concurred(PLAN.plan_id, 1, LEADS[0], DAY)
        assert book.in_force(DAY + timedelta(days=9)) is None
        book = book.concurred(PLAN.plan_id, 1, LEADS[1], DAY + timedelta(days=3))
        assert book.in_force_from(PLAN) == DAY + timedelta(days=4)

    def test_somebody_elses_concurrence_does_not_count(self) -> None:
        """Nor one with another version."""
        book = PlanBook(HERE).adopted(PLAN).concurred(PLAN.plan_id, 1, LEADS[0], DAY)
        book = book.concurred(PLAN.plan_id, 1, Uzovi("3332"), DAY).concurred(PLAN.plan_id, 2, LEADS[1], DAY)
        assert book.in_force_from(PLAN) is None

    def test_rules_change_at_midnight_only(self) -> None:
        """The day of the second concurrence keeps its rules to the end."""
        book = agreed(PLAN, on=DAY + timedelta(days=5))
        assert book.in_force(DAY + timedelta(days=5)) is None
        assert book.in_force(DAY + timedelta(days=6)) == PLAN

    def test_a_new_version_applies_from_its_date_and_old_days_keep_theirs(self) -> None:
        """Asked afterwards, yesterday still has yesterday's rules."""
        second = replace(PLAN, version=2, valid_from=DAY + timedelta(days=10))
        book = agreed(PLAN, second)
        held = [book.in_force(DAY + timedelta(days=n)) for n in (0, 9, 10, 11)]
        assert held == [PLAN, PLAN, second, second]

    def test_what_can_hold_on_no_later_day_is_forgotten(self) -> None:
        """Over, or behind a version in force that has no end; what is still to come, or to be concurred with, stays."""
        first, over, lasting, coming = (replace(PLAN, version=n) for n in (1, 2, 3, 4))
        over = replace(over, valid_until=DAY + timedelta(days=9))
        coming = replace(coming, valid_from=DAY + timedelta(days=30))
        book = agreed(first, over, lasting, coming).adopted(replace(PLAN, version=5))
        assert [plan.version for plan in book.without_past(DAY - timedelta(days=1)).plans] == [1, 2, 3, 4, 5]
        kept = book.without_past(DAY)
        assert [plan.version for plan in kept.plans] == [3, 4, 5]
        for days in (0, 29, 30):
            assert kept.in_force(DAY + timedelta(days=days)) == book.in_force(DAY + timedelta(days=days)) is not None
        assert [plan.version for plan in agreed(first, over).without_past(DAY + timedelta(days=10)).plans] == [1]

    def test_when_a_plan_ends_the_one_before_it_or_the_defaults_hold(self) -> None:
        """A plan for the summer, on top of the year's."""
        summer = replace(PLAN, version=2, valid_from=date(2026, 7, 1), valid_until=date(2026, 8, 31))
        book = agreed(replace(PLAN, valid_until=date(2026, 12, 31)), summer)
        versions = [
            plan.version if (plan := book.in_force(day)) else None
            for day in (date(2026, 6, 30), date(2026, 8, 31), date(2026, 9, 1), date(2027, 1, 1))
        ]
        assert versions == [1, 2, 1, None]

    def test_a_region_without_a_plan_lives_by_the_national_defaults(self) -> None:
        """Which are normal (rule 31), sound but for what only a plan can name, and valid on every day."""
        defaults = PlanBook(HERE).rules_on(DAY)
        assert defaults == national_defaults(HERE)
        assert defaults.covers(date(2020, 2, 29))
        only_a_plan_names = {"/version", "/lead_insurers", "/coordinator", "/waiting_clients_informed_by"}
        assert {fault.pointer for fault in plan_faults(defaults)} == only_a_plan_names

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.integers(0, 40), st.integers(-10, 40)), min_size=1, max_size=5))
    def test_what_is_adopted_tomorrow_never_changes_today(self, adoptions: list[tuple[int, int]]) -> None:
        """Whatever its first day: a version adopted and concurred on a day leaves that day and all before it alone."""
        book = PlanBook(HERE)
        for n, (adopted_on, valid_from) in enumerate(sorted(adoptions)):
            today = DAY + timedelta(days=adopted_on)
            before = [book.rules_on(DAY + timedelta(days=k)) for k in range(adopted_on + 1)]
            plan = replace(PLAN, version=n + 1, valid_from=DAY + timedelta(days=valid_from))
            book = book.adopted(plan)
            for insurer in LEADS:
                book = book.concurred(plan.plan_id, plan.version, insurer, today)
            assert [book.rules_on(DAY + timedelta(days=k)) for k in range(adopted_on + 1)] == before


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (replace(PLAN, version=0), "/version: found 0, expected a version from 1"),
        (replace(PLAN, lead_insurers=LEADS[:1]), "/lead_insurers: found 3311, expected two different UZOVI codes"),
        (replace(PLAN, lead_insurers=(LEADS[0],) * 2), "/lead_insurers: found 3311, 3311, expected two different"),
        (replace(PLAN, valid_until=date(2026, 1, 1)), "/valid_until: found 2026-01-01, expected a day on or after"),
        (replace(PLAN, coordinator=""), "/coordinator: found nothing, expected who coordinates, or `short: true`"),
        (replace(PLAN, norms=CareNorms(birth_weights="mine")), "/norms/birth_weights: found mine, expected national"),
        (replace(PLAN, norms=CareNorms(care_profile=())), "/norms/care_profile: found [], expected 1 to 28 parts"),
        (
            replace(PLAN, norms=CareNorms(mean_minutes=60)),
            "/norms/mean_minutes: found 60, expected at least the minimal",
        ),
        (replace(PLAN, norms=CareNorms(partus_minutes=-1)), "/norms/partus_minutes: found -1, expected a figure of"),
        (
            replace(PLAN, rounds=RoundRules(answer_days=20260302)),
            "/rounds/answer_days: found 20260302, expected a figure",
        ),
        (
            replace(PLAN, colours=ColourRules(orange_leave_permille=501)),
            "/colours/orange_leave_permille: found 501, expected 1 to 500, the threshold for entering",
        ),
        (
            replace(PLAN, colours=ColourRules(red_threat_permille=600)),
            "/colours/red_threat_permille: found 600, expected 1 to 500",
        ),
        (
            replace(PLAN, forecast=ForecastRules(registration_curve_permille=(100, 200))),
            "/forecast/registration_curve_permille: found [100, 200], expected shares from at most 1000",
        ),
        (replace(PLAN, rounds=RoundRules(weekdays=(4, 1))), "/rounds/weekdays: found [4, 1], expected ISO weekdays"),
        (
            replace(PLAN, alerts=replace(PLAN.alerts, critical=(PLAN.alerts.critical[1], PLAN.alerts.critical[0]))),
            "/alerts/critical: found [7, 2], expected each step after more days",
        ),
        (
            replace(PLAN, fair_share=FairShareFigures(capacity_weight_parts=0)),
            "/fair_share/capacity_weight_parts: found 0, expected a positive number of parts",
        ),
        (
            replace(PLAN, deviations=(Deviation(name="", period_from=DAY, period_until=DAY, minimal_minutes=1200),)),
            "/deviations/0/name: found nothing, expected a name for the period (S1, rule 9)",
        ),
    ],
)
def test_a_plan_that_contradicts_itself_is_told_so(plan: RegionPlan, message: str) -> None:
    """Where, what was found, what was expected."""
    (fault,) = plan_faults(plan)
    assert str(fault).startswith(message)


def test_all_faults_are_told_at_once() -> None:
    """Nobody mends a plan one message at a time."""
    assert len(plan_faults(replace(PLAN, version=0, lead_insurers=(), coordinator=""))) == 3


def test_a_short_plan_will_do_where_little_is_needed() -> None:
    """S0, rule 31."""
    assert plan_faults(replace(PLAN, coordinator="", waiting_clients_informed_by="", short=True)) == ()


def test_a_deviation_holds_on_its_days_and_a_month_takes_their_mean() -> None:
    """Rule 9; rounded up, so that nobody is owed less by rounding."""
    plan = replace(
        PLAN,
        deviations=(
            Deviation(name="feb", period_from=date(2028, 2, 29), period_until=date(2028, 3, 1), minimal_minutes=0),
        ),
    )
    assert [plan.minimal_minutes(date(2028, 2, day)) for day in (28, 29)] == [1440, 0]
    assert plan.floor_minutes_of_month(parse_month("2028-02"), klim=False) == -(-28 * 1440 // 29)
    assert plan.floor_minutes_of_month(parse_month("2028-04"), klim=False) == 1440


def test_a_klim_client_has_the_klim_floor_and_a_deviation_lowers_it_where_it_lies_below() -> None:
    """S1, rules 6, 9 and 10: the forecast, the round and the check of minimal care ask the same floor."""
    klim = replace(PLAN, norms=replace(PLAN.norms, minimal_minutes_klim=30 * 60))
    march = Deviation(name="flu", period_from=date(2026, 3, 1), period_until=date(2026, 3, 31), minimal_minutes=20 * 60)
    scarce, mild = (
        replace(klim, deviations=(march,)),
        replace(klim, deviations=(replace(march, minimal_minutes=35 * 60),)),
    )
    day, month = date(2026, 3, 10), parse_month("2026-03")
    for plan, hours in ((klim, 30), (scarce, 20), (mild, 30)):
        assert plan.floor_minutes(day, klim=True) == hours * 60
        assert plan.allocation_rules(day, klim=True).floor_minutes == hours * 60
        assert month_norms(plan, month).minimal_minutes_klim == hours * 60
    assert scarce.floor_minutes(day, klim=False) == 20 * 60
    one_day = replace(klim, deviations=(replace(march, period_until=march.period_from),))
    assert month_norms(one_day, month).minimal_minutes_klim == -(-(30 * 30 + 20) * 60 // 31), "the others are whole"


def test_the_constants_of_other_rules_come_from_the_plan() -> None:
    """One place for every figure: fair share, rounds, births."""
    plan = replace(
        PLAN,
        fair_share=FairShareFigures(capacity_weight_parts=3, delivery_weight_parts=1, fulfilment_min_permille=750),
        interventions=Interventions(partus_pool_from=date(2026, 4, 1), kraamcentrum_places=5),
        norms=CareNorms(birth_report_lag_days=1, partus_minutes=300),
    )
    assert plan.share_rules().capacity_weight.as_integer_ratio() == (3, 4)
    assert plan.share_rules().fulfilment_min.as_integer_ratio() == (3, 4)
    assert plan.care_model().report_lag_days == 1
    before, after = plan.allocation_rules(date(2026, 3, 31)), plan.allocation_rules(date(2026, 4, 1))
    assert (before.partus_minutes, after.partus_minutes, after.kraamcentrum_places) == (300, 0, 5)
