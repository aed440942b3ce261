"""The coordinator's word about a claim, the guideline seen afterwards, the prognosis, and the planner's question."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from hub.domain import events as e
from hub.domain.facts import (
    AlertChanged,
    ComplianceFound,
    InflowStated,
    ProviderRoomStated,
    ReceiptIssued,
    RegionCapacityStated,
    RegionStatusChanged,
)
from hub.domain.identifiers import Agb, Pc4, RecordId, Uzovi
from hub.domain.region_plan import CareNorms, PlanBook, RegionPlan, national_defaults
from hub.domain.words import (
    AlertKind,
    AlertState,
    ClaimJudgement,
    ClaimKind,
    ComputedColour,
    FindingCode,
    FullLevel,
    FullStatus,
    InflowSource,
    MeasureStatus,
)
from tests.domain.region_world import (
    ALFA,
    BO,
    DAY_1,
    FIRST_INSURER,
    HERE,
    INS_1,
    INS_2,
    KSV,
    LINDE,
    POSTCODE,
    ROOS,
    SECOND_INSURER,
    World,
    capacity,
    care,
    contract,
    day,
    of_type,
    registration,
)

LEADS = (FIRST_INSURER, SECOND_INSURER)
CONFIRMED, REJECTED = ClaimJudgement.CONFIRMED, ClaimJudgement.REJECTED


def region(*hours: tuple[Agb, int]) -> World:
    """A region on its first day, with measures recorded; Alfa speaks for everybody."""
    world = World()
    for provider, monthly in hours:
        world.mandate(provider, ALFA)
        world.given(contract(provider), INS_1, home=False)
        world.given(capacity(provider, hours=monthly), ALFA)
    world.given(
        e.MeasureReported(
            record_id=RecordId("m1"), version=1, provider=None, region=HERE, measure="mutual-aid",
            status=MeasureStatus.STARTED, on=DAY_1,
        ),
        KSV,
    )  # fmt: skip
    world.starts_day(DAY_1)
    return world


def vol(provider: Agb = ROOS) -> e.FullDeclared:
    """'Vol' for the spring."""
    return e.FullDeclared(
        record_id=RecordId(f"vol-{provider}"), version=1, provider=provider, region=HERE, level=FullLevel.MINIMUM,
        status=FullStatus.DECLARED, period_from=DAY_1, period_until=day(120),
    )  # fmt: skip


def judges(
    what: ClaimKind, judgement: ClaimJudgement, claim: str, version: int = 1, provider: Agb = ROOS
) -> e.ClaimJudged:
    """The coordinator's word."""
    return e.ClaimJudged(
        record_id=RecordId(f"j-{claim}"), version=version, provider=provider, region=HERE, claim=what,
        claim_id=RecordId(claim), judgement=judgement,
    )  # fmt: skip


def code(said: list[Any]) -> str:
    """The code of the one receipt."""
    (receipt,) = of_type(said, ReceiptIssued)
    return receipt.code


def colour(world: World) -> ComputedColour:
    """The region's colour now."""
    return of_type(world.facts, RegionStatusChanged)[-1].computed


def test_a_vol_that_the_coordinator_confirms_makes_the_region_red_at_once_and_a_later_word_takes_it_back() -> None:
    """Her word is a versioned record like any other: the last version holds."""
    world = region((ROOS, 5000), (LINDE, 5000))
    world.given(vol(), ALFA)
    assert colour(world) is ComputedColour.GREEN
    assert code(world.given(judges(ClaimKind.FULL, CONFIRMED, "vol-41000001"), KSV)) == "applied"
    assert colour(world) is ComputedColour.RED_A
    status = of_type(world.facts, RegionStatusChanged)[-1]
    assert (status.caused_by, status.grounds[0].code) == ("ClaimJudged", "provider_full")
    assert status.grounds[0].load_minutes is None, "one provider's figures are for the coordinator"
    world.given(judges(ClaimKind.FULL, REJECTED, "vol-41000001", version=2), KSV)
    assert of_type(world.facts, RegionStatusChanged)[-1].reasons[0] == "red_held", "red is left after clear days"
    world.lives_until(day(20))
    assert colour(world) is ComputedColour.GREEN


def test_a_drop_in_capacity_that_the_coordinator_confirms_counts_at_once() -> None:
    """And one that she rejects counts as it did before, however long it is declared."""
    for judgement, expected in ((CONFIRMED, ComputedColour.RED_A), (REJECTED, ComputedColour.GREEN)):
        world = region((ROOS, 5000))
        for n in range(40):
            world.given(registration(f"r{n}", due_date=day(45)), ALFA)
        world.starts_day(day(2))
        world.given(capacity(ROOS, hours=100, version=2, declared_on=day(2)), ALFA)
        assert colour(world) is ComputedColour.GREEN
        world.given(judges(ClaimKind.CAPACITY, judgement, "cap-41000001"), KSV)
        assert colour(world) is expected
        world.lives_until(day(30))
        assert colour(world) is expected


@pytest.mark.parametrize("what", ClaimKind)
def test_nobody_judges_a_claim_that_does_not_stand(what: ClaimKind) -> None:
    """The coordinator hears it, and nothing changes."""
    world = region((ROOS, 5000))
    assert code(world.given(judges(what, CONFIRMED, "no-such-claim"), KSV)) == "unknown_claim"


def test_a_false_vol_that_is_rejected_keeps_its_alert_until_it_is_taken_back() -> None:
    """The alert asks the coordinator to confirm or reject; a rejection is no end of the claim."""
    world = region((ROOS, 5000))
    world.given(vol(), ALFA)
    opened = [a for a in of_type(world.facts, AlertChanged) if a.kind is AlertKind.FALSE_FULL_CLAIM]
    assert [a.state for a in opened] == [AlertState.OPENED] * 2
    assert opened[0].what_nl.startswith("Aanbieder 41000001")
    world.given(judges(ClaimKind.FULL, REJECTED, "vol-41000001"), KSV)
    taken_back = vol()
    world.given(
        e.FullDeclared(
            record_id=taken_back.record_id, version=2, provider=ROOS, region=HERE, level=FullLevel.MINIMUM,
            status=FullStatus.LIFTED, period_from=taken_back.period_from, period_until=taken_back.period_until,
        ),
        ALFA,
    )  # fmt: skip
    said = world.lives_until(day(12))
    closed = [a for a in of_type(said, AlertChanged) if a.kind is AlertKind.FALSE_FULL_CLAIM]
    assert [a.state for a in closed] == [AlertState.CLOSED] * 2


def guideline(month: str = "2026-03", hours: int = 30) -> e.GuidelineAdopted:
    """An intake guideline."""
    return e.GuidelineAdopted(
        record_id=RecordId("g1"), version=1, region=HERE, month=month, guideline_minutes=hours * 60
    )


def delivers(world: World, provider: Agb, hours: int, clients: int = 5, hospital_days: int = 0) -> None:
    """So many clients, born in March, got so many hours each."""
    for n in range(clients):
        record = f"r{provider}-{n}"
        world.given(registration(record, provider=provider, due_date=day(3)), ALFA)
        world.given(
            care(
                f"c{provider}-{n}", provider=provider, registration_id=RecordId(record), born_on=day(3),
                physical_minutes=hours * 60, employed_minutes=hours * 60, hospital_days=hospital_days,
            ),
            ALFA,
        )  # fmt: skip


def not_followed(world: World) -> list[str]:
    """Providers found, as the coordinator hears it."""
    told = [f for f in of_type(world.facts, ComplianceFound) if f.code is FindingCode.GUIDELINE_NOT_FOLLOWED]
    return [fact.provider for fact in told if fact.recipient == KSV]


@pytest.mark.parametrize(
    ("hours", "clients", "hospital_days", "found"),
    [(32, 5, 0, True), (31, 5, 0, False), (32, 4, 0, False), (29, 5, 1, True), (29, 5, 0, False), (12, 5, 0, False)],
)
def test_who_gives_more_than_the_guideline_in_a_scarce_month_is_found_afterwards(
    hours: int, clients: int, hospital_days: int, found: bool
) -> None:
    """30 hours, less hospital days, and a margin of 5 %; a handful of clients is too few to tell (rule 19)."""
    world = World()
    world.mandate(ROOS, ALFA)
    world.given(capacity(ROOS), ALFA)
    world.given(guideline(), KSV)
    world.starts_day(DAY_1)
    delivers(world, ROOS, hours, clients, hospital_days)
    world.lives_until(date(2026, 4, 15))
    assert not_followed(world) == []
    world.lives_until(date(2026, 4, 16))
    assert not_followed(world) == ([ROOS] if found else [])


def test_where_care_is_spread_over_four_weeks_the_guideline_is_looked_at_when_it_is_reported() -> None:
    """Later than the end of the next month; the plan says over how many days care lies."""
    world = World()
    world.mandate(ROOS, ALFA)
    world.given(guideline(), KSV)
    plan = replace(national_defaults(HERE, LEADS), version=1, norms=CareNorms(care_profile=(1,) * 28))
    world.state.plans = PlanBook(HERE).adopted(plan)
    for insurer in LEADS:
        world.state.plans = world.state.plans.concurred(plan.plan_id, 1, insurer, date(2026, 3, 1))
    world.starts_day(DAY_1)
    delivers(world, ROOS, 40)
    world.lives_until(date(2026, 5, 5))
    assert not_followed(world) == []
    world.starts_day(date(2026, 5, 6))
    assert not_followed(world) == [ROOS]


def test_a_guideline_that_came_after_its_month_had_begun_binds_nobody_backwards() -> None:
    """Who had registered before could not know."""
    world = region((ROOS, 5000))
    world.given(guideline(), KSV)
    delivers(world, ROOS, 40)
    world.lives_until(date(2026, 4, 20))
    assert not_followed(world) == []


def test_a_provider_that_reports_no_care_is_held_against_what_an_insurer_knows() -> None:
    """The guideline binds providers without a contract too; insurers know their mean duration (rule 18)."""
    world = World()
    world.given(contract(LINDE), INS_1, home=False)
    world.given(guideline(), KSV)
    world.starts_day(DAY_1)
    world.given(
        e.ProviderFiguresPublished(
            record_id=RecordId("f1"), version=1, insurer=contract().insurer, provider=LINDE, region=HERE,
            month="2026-03", mean_care_minutes=40 * 60, capacity_minutes=60,
        ),
        INS_1,
    )  # fmt: skip
    world.lives_until(date(2026, 4, 16))
    assert not_followed(world) == [LINDE]


def test_bos_prognosis_leads_and_our_own_figure_stands_beside_it_as_indicative() -> None:
    """Rule 20. The coordinator, the lead insurers and Bo are told, and only when something changed."""
    world = region((ROOS, 100))
    for n in range(20):
        world.given(registration(f"r{n}", due_date=day(45)), ALFA)
    said = of_type(world.starts_day(day(2)), InflowStated)
    april = [fact for fact in said if fact.month == "2026-04"]
    assert [fact.recipient for fact in april] == [KSV, INS_1, INS_2, BO]
    assert april[0].leading is InflowSource.INDICATIVE
    assert april[0].indicative_carers == -(-april[0].indicative_short_minutes // (78 * 60)) > 0
    prognosis = e.PrognosisPublished(
        record_id=RecordId("p1"), version=1, region=HERE, month="2026-04", needed_carers=12, published_on=DAY_1
    )
    assert code(world.given(prognosis, BO)) == "applied"
    (mine, *_) = [f for f in of_type(world.starts_day(day(3)), InflowStated) if f.month == "2026-04"]
    assert (mine.leading, mine.prognosis_carers) == (InflowSource.PROGNOSIS, 12)
    assert mine.indicative_carers == april[0].indicative_carers
    assert [f for f in of_type(world.starts_day(day(4)), InflowStated) if f.month == "2026-04"] == []


def rooms(said: list[Any], month: str) -> list[ProviderRoomStated]:
    """What the planner of Roos is told of a month."""
    return [fact for fact in of_type(said, ProviderRoomStated) if fact.month == month and fact.provider == ROOS]


def test_the_planners_answer_follows_each_registration_at_once() -> None:
    """How much may I still promise, and does one more client fit at the guideline?"""
    world = region((ROOS, 200))
    (before,) = rooms(world.facts, "2026-04")
    assert (before.has_room_guideline, before.unknown) == (True, False)
    said = [world.given(registration(f"r{n}", due_date=day(45)), ALFA) for n in range(6)]
    answers = [rooms(one, "2026-04")[-1] for one in said]
    guideline_rooms = [before.room_guideline_minutes, *(one.room_guideline_minutes for one in answers)]
    assert guideline_rooms == sorted(guideline_rooms, reverse=True)
    assert len(set(guideline_rooms)) > 3
    assert answers[-1].clients_guideline == answers[-1].room_guideline_minutes // answers[-1].guideline_minutes
    assert not answers[-1].has_room_guideline
    assert answers[-1].room_minimum_minutes > answers[-1].room_guideline_minutes


def test_the_planners_answer_names_the_postcodes_where_the_provider_may_deliver() -> None:
    """A contract for one postcode: the answer is for that one; for the whole region the list is empty."""
    world = region((ROOS, 200))
    assert rooms(world.facts, "2026-04")[0].postcodes == ()
    narrow = World()
    narrow.mandate(ROOS, ALFA)
    narrow.given(contract(ROOS, postcodes=(POSTCODE, Pc4("9999"))), INS_1, home=False)
    narrow.given(capacity(ROOS, hours=200), ALFA)
    assert rooms(narrow.starts_day(DAY_1), "2026-04")[0].postcodes == (POSTCODE,)


def test_the_guideline_that_we_would_suggest_stands_beside_the_figures() -> None:
    """Rule 19: the mean and a margin where hours are ample, less where they are short, never below the floor."""
    for monthly, expected in ((9000, 44), (100, 24)):
        world = region((ROOS, monthly))
        for n in range(20):
            world.given(registration(f"r{n}", due_date=day(45)), ALFA)
        said = of_type(world.starts_day(day(2)), RegionCapacityStated)
        april = next(fact for fact in said if fact.month == "2026-04")
        assert april.suggested_guideline_minutes == expected * 60


def test_under_a_plan_only_the_measures_that_it_names_can_be_reported() -> None:
    """The annex of measures is plan data; a region whose plan names none takes any code."""
    world = region((ROOS, 5000))
    reported = e.MeasureReported(
        record_id=RecordId("m9"), version=1, provider=ROOS, region=HERE, measure="extra-shifts",
        status=MeasureStatus.STARTED, on=DAY_1,
    )  # fmt: skip
    world.state.plans = PlanBook(HERE, (named_plan("mutual-aid"),), concurrences(named_plan("mutual-aid")))
    assert code(world.given(reported, ALFA)) == "measure_not_in_plan"
    world.state.plans = PlanBook(HERE, (named_plan("extra-shifts"),), concurrences(named_plan("extra-shifts")))
    assert code(world.given(reported, ALFA)) == "applied"


def named_plan(*measures: str) -> RegionPlan:
    """A plan in force that names these measures."""
    leads = (FIRST_INSURER, SECOND_INSURER)
    return replace(
        national_defaults(HERE, leads), plan_id=RecordId("p"), version=1, valid_from=date(2026, 1, 1),
        measures=measures, short=True,
    )  # fmt: skip


def concurrences(plan: RegionPlan) -> tuple[tuple[RecordId, int, Uzovi, date], ...]:
    """Both lead insurers concurred long ago."""
    return tuple((plan.plan_id, plan.version, insurer, date(2026, 1, 1)) for insurer in plan.lead_insurers)


def test_a_declaration_of_a_day_to_come_gets_as_old_as_any_other() -> None:
    """A mistaken year must not keep it fresh, nor before what is declared afterwards (rule 17)."""
    world = region((ROOS, 100))
    world.given(capacity(ROOS, hours=900, version=2, declared_on=date(2062, 3, 2)), ALFA)
    (held,) = world.state.forecast.capacities.declarations(ROOS)
    assert held.declared_on == DAY_1
