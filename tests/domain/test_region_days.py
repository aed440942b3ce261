"""What a day brings: colours, alerts, plans, findings, capacity requests, statements (rules 1-5, 13-17, 25, 31)."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from hub.domain import events as e
from hub.domain.facts import (
    EVERYBODY,
    AlertChanged,
    CapacityRequested,
    ComplianceFound,
    FairShareStated,
    GuidelineInForce,
    PlanInForce,
    ProviderRoomStated,
    RegionCapacityStated,
    RegionSharesStated,
    RegionStatusChanged,
)
from hub.domain.identifiers import NATIONAL, Agb, RecordId, RegionCode, TenantId, Uzovi
from hub.domain.region_plan import RegionPlan
from hub.domain.share_statements import line_text
from hub.domain.statement_root import canonical, leaf_hash, root_from
from hub.domain.words import (
    AlertKind,
    AlertState,
    AllocationAnswer,
    CareEndReason,
    ComputedColour,
    DeclaredColour,
    DeclineReason,
    FindingCode,
    FindingStatus,
    FullLevel,
    FullStatus,
    InForceKind,
    MeasureStatus,
    Mediator,
    OverrideOutcome,
    OverrideReason,
    RemovalReason,
    StatementAudience,
    WaitingStatus,
)
from tests.domain.region_world import (
    ALFA,
    BETA,
    DAY_1,
    FIRST_INSURER,
    GAMMA,
    HERE,
    INS_1,
    INS_2,
    INS_3,
    KSV,
    LINDE,
    LIST,
    OFFICE,
    ROOS,
    SECOND_INSURER,
    THIRD_INSURER,
    WILG,
    World,
    capacity,
    care,
    contract,
    day,
    ended,
    of_type,
    registration,
    removed,
    waiting,
)


def region(*providers: tuple[Agb, TenantId, int]) -> World:
    """A region on its first day: each provider mandated, contracted, with so many hours a month."""
    world = World()
    for provider, tenant, hours in providers:
        world.mandate(provider, tenant)
        world.given(contract(provider), INS_1, home=False)
        world.given(capacity(provider, hours=hours), tenant)
    world.starts_day(DAY_1)
    return world


def register(world: World, number: int, provider: Agb, tenant: TenantId, due: date) -> None:
    """So many clients at one provider."""
    for n in range(number):
        world.given(registration(f"r{provider}-{n}", provider=provider, due_date=due), tenant)


def full(
    provider: Agb = ROOS,
    level: FullLevel = FullLevel.MINIMUM,
    status: FullStatus = FullStatus.DECLARED,
    version: int = 1,
) -> e.FullDeclared:
    """'Vol', or guideline-full, for the spring."""
    return e.FullDeclared(
        record_id=RecordId(f"full-{provider}"), version=version, provider=provider, region=HERE, level=level,
        status=status, period_from=DAY_1, period_until=day(120),
    )  # fmt: skip


def declares(colour: DeclaredColour) -> e.ColourDeclared:
    """The KSV's own colour, from today on."""
    return e.ColourDeclared(record_id=RecordId("k1"), version=1, region=HERE, colour=colour, valid_from=DAY_1)


def status(facts: list[Any]) -> RegionStatusChanged:
    """The last status that was said."""
    return of_type(facts, RegionStatusChanged)[-1]


def findings(facts: list[Any], code: FindingCode) -> list[tuple[TenantId, FindingStatus, str]]:
    """Who was told what of one kind of finding."""
    return [
        (fact.recipient, fact.status, fact.addressee) for fact in of_type(facts, ComplianceFound) if fact.code is code
    ]


def test_without_any_declaration_the_colour_is_unknown_and_never_green() -> None:
    """Silence is no capacity (S3)."""
    world = World()
    assert status(world.starts_day(DAY_1)).computed is ComputedColour.UNKNOWN


def test_with_ample_capacity_the_region_is_green() -> None:
    """Care is delivered by the indication protocol (S1)."""
    world = region((ROOS, ALFA, 5000))
    assert status(world.facts).computed is ComputedColour.GREEN
    assert status(world.facts).mediator is Mediator.INSURER


def test_a_status_is_said_only_when_something_in_it_changed() -> None:
    """The day alone is no news."""
    world = region((ROOS, ALFA, 5000))
    world.starts_day(day(2))  # the horizon reaches another month
    assert of_type(world.starts_day(day(3)), RegionStatusChanged) == []


def test_what_tips_a_region_is_judged_at_once_and_opens_one_alert_for_ops_and_one_copy_for_the_coordinator() -> None:
    """From event to alert without waiting for the day; an alert names nobody's client."""
    world = region((ROOS, ALFA, 5000))
    register(world, 40, ROOS, ALFA, day(45))
    world.starts_day(day(2))
    said = world.given(e.MeasureReported(
        record_id=RecordId("m1"), version=1, provider=ROOS, region=HERE, measure="extra-shifts",
        status=MeasureStatus.STARTED, on=DAY_1), ALFA)  # fmt: skip
    assert status(said).measures == ("extra-shifts",)
    said = world.given(capacity(ROOS, hours=100, version=2, declared_on=day(2)), ALFA)
    assert of_type(said, AlertChanged) == [], "a drop that nothing bears out flips nothing"
    said = world.lives_until(day(17))
    opened = [a for a in of_type(said, AlertChanged) if a.kind is AlertKind.CODE_RED and a.state is AlertState.OPENED]
    assert [alert.recipient for alert in opened] == [EVERYBODY, KSV]
    assert len({alert.alert_id for alert in opened}) == 1
    assert status(said).computed is ComputedColour.RED_A


def test_a_false_vol_flips_nothing_and_is_exposed() -> None:
    """A claim alone flips nothing (DOMAIN "Colour predicates")."""
    world = region((ROOS, ALFA, 5000))
    register(world, 10, ROOS, ALFA, day(45))
    said = world.given(full(), ALFA)
    assert status(said).computed is ComputedColour.GREEN
    assert AlertKind.FALSE_FULL_CLAIM in {alert.kind for alert in of_type(said, AlertChanged)}
    told = findings(world.starts_day(day(2)), FindingCode.FALSE_FULL_CLAIM)
    assert told == [(reader, FindingStatus.OPENED, "ksv") for reader in (KSV, ALFA, INS_1, INS_2)]
    world.given(full(status=FullStatus.LIFTED, version=2), ALFA)
    told = findings(world.starts_day(day(3)), FindingCode.FALSE_FULL_CLAIM)
    assert told == [(reader, FindingStatus.CLOSED, "ksv") for reader in (KSV, ALFA, INS_1, INS_2)]


def test_a_verified_guideline_full_asks_every_provider_for_capacity_and_silence_is_a_finding() -> None:
    """Rule 14: in the KSV's name, with a deadline."""
    world = region((ROOS, ALFA, 100), (LINDE, BETA, 5000))
    register(world, 20, ROOS, ALFA, day(45))
    said = world.given(full(level=FullLevel.GUIDELINE), ALFA)
    asked = of_type(said, CapacityRequested)
    assert {(fact.recipient, fact.provider) for fact in asked} == {(ALFA, ROOS), (BETA, LINDE)}
    assert {fact.answer_by for fact in asked} == {day(8)}
    assert of_type(world.starts_day(day(2)), CapacityRequested) == [], "once a month"
    world.given(capacity(LINDE, hours=5000, version=2, declared_on=day(2)), BETA)
    silent = findings(world.lives_until(day(9)), FindingCode.CAPACITY_REQUEST_UNANSWERED)
    assert {recipient for recipient, _, _ in silent} == {KSV, ALFA, INS_1, INS_2}


def test_a_provider_that_nobody_speaks_for_is_asked_once_somebody_does() -> None:
    """Rules 31 and 35: whom nobody could tell is not found silent."""
    world = region((ROOS, ALFA, 100), (LINDE, BETA, 5000))
    world.given(contract(WILG), INS_1, home=False)
    register(world, 20, ROOS, ALFA, day(45))
    world.given(full(level=FullLevel.GUIDELINE), ALFA)
    world.lives_until(day(12))
    silent = of_type(world.facts, ComplianceFound)
    assert WILG not in {f.provider for f in silent if f.code is FindingCode.CAPACITY_REQUEST_UNANSWERED}
    world.mandate(WILG, GAMMA)
    assert [(fact.provider, fact.answer_by) for fact in of_type(world.starts_day(day(13)), CapacityRequested)] == [
        (WILG, day(20))
    ]


def test_whoever_delivers_here_makes_capacity_visible_also_without_a_contract() -> None:
    """S3, rule 16 binds all providers."""
    world = region((ROOS, ALFA, 5000))
    world.mandate(WILG, GAMMA)
    world.given(registration(provider=WILG), GAMMA)
    told = findings(world.lives_until(day(40)), FindingCode.CAPACITY_NOT_SHARED)
    assert [recipient for recipient, _, _ in told] == [KSV, GAMMA, INS_1, INS_2]


def test_a_measure_that_is_said_to_end_later_runs_until_that_day() -> None:
    """Red without recorded measures says so, and these are recorded."""
    world = region((ROOS, ALFA, 5000))
    for version, status_, on in ((1, MeasureStatus.STARTED, day(1)), (2, MeasureStatus.ENDED, day(10))):
        world.given(
            e.MeasureReported(
                record_id=RecordId("m1"), version=version, provider=None, region=HERE, measure="scale-down",
                status=status_, on=on,
            ),
            KSV,
        )  # fmt: skip
    assert [len(world.state.supply.measures_running(day(n))) for n in (1, 9, 10)] == [1, 1, 0]


def test_a_declared_colour_stands_beside_the_computed_one() -> None:
    """The KSV's declaration changes nothing in what is computed."""
    world = region((ROOS, ALFA, 5000))
    said = status(world.given(declares(DeclaredColour.RED), KSV))
    assert (said.computed, said.declared, said.mediator) == (
        ComputedColour.GREEN, DeclaredColour.RED, Mediator.NONE,
    )  # fmt: skip


def test_red_without_a_plan_alerts_that_nobody_is_named_to_mediate() -> None:
    """Rule 30: publish NONE and alert; the missing plan is a finding (rule 31)."""
    world = region((ROOS, ALFA, 5000))
    said = world.given(declares(DeclaredColour.RED), KSV)
    assert AlertKind.NO_MEDIATOR_NAMED in {alert.kind for alert in of_type(said, AlertChanged)}
    told = findings(world.starts_day(day(2)), FindingCode.PLAN_MISSING_IN_RED)
    assert told == [(reader, FindingStatus.OPENED, "ksv") for reader in (KSV, INS_1, INS_2)]


def test_an_acknowledged_alert_is_told_as_such_and_an_unknown_one_refused() -> None:
    """Somebody acts; its clock rests."""
    world = region((ROOS, ALFA, 5000))
    alert = of_type(world.given(declares(DeclaredColour.RED), KSV), AlertChanged)[0]
    seen = e.AlertAcknowledged(record_id=RecordId("s1"), version=1, region=HERE, alert_id=alert.alert_id)
    assert {one.state for one in of_type(world.given(seen, KSV), AlertChanged)} == {AlertState.ACKNOWLEDGED}
    other = e.AlertAcknowledged(record_id=RecordId("s2"), version=1, region=HERE, alert_id="none")
    assert world.given(other, KSV)[0].code == "unknown_alert"


PLAN = RegionPlan(
    plan_id=RecordId("plan-1"), version=1, region=HERE, valid_from=DAY_1, coordinator="coordinator-1",
    lead_insurers=(FIRST_INSURER, SECOND_INSURER), waiting_clients_informed_by="website",
)  # fmt: skip


def adopted(plan: RegionPlan = PLAN) -> e.RegionPlanAdopted:
    """The KSV adopts."""
    return e.RegionPlanAdopted(record_id=plan.plan_id, version=plan.version, region=HERE, plan=plan)


def concurs(insurer: Uzovi, version: int = 1) -> e.RegionPlanConcurred:
    """An insurer agrees."""
    return e.RegionPlanConcurred(
        record_id=RecordId("c1"), version=1, insurer=insurer, region=HERE, plan_id=PLAN.plan_id, plan_version=version
    )  # fmt: skip


def test_a_plan_is_in_force_the_day_after_both_lead_insurers_concur_and_is_published_once() -> None:
    """Rule 31; rules change at midnight only."""
    world = region((ROOS, ALFA, 5000))
    assert world.given(adopted(), KSV)[0].code == "applied"
    world.given(concurs(FIRST_INSURER), INS_1)
    assert of_type(world.starts_day(day(2)), PlanInForce) == []
    world.given(concurs(SECOND_INSURER), INS_2)
    told = of_type(world.starts_day(day(3)), PlanInForce)
    assert [(fact.document_id, fact.in_force_from) for fact in told] == [("plan-1", day(3))]
    assert of_type(world.starts_day(day(4)), PlanInForce) == []
    assert world.state.plan == PLAN


def test_a_plan_that_contradicts_itself_or_its_envelope_is_refused() -> None:
    """The first fault is named by its pointer."""
    world = region((ROOS, ALFA, 5000))
    faulty = replace(PLAN, coordinator="")
    said = world.given(adopted(faulty), KSV)[0]
    assert (said.code, said.pointer) == ("invalid_plan", "/plan/coordinator")
    elsewhere = replace(PLAN, region=RegionCode("KSV-02"))
    assert world.given(adopted(elsewhere), KSV)[0].code == "invalid_plan"
    assert world.given(concurs(FIRST_INSURER), INS_1)[0].code == "unknown_plan_version"


def test_an_insurer_that_does_not_lead_in_the_region_concurs_in_vain() -> None:
    """Two lead (rule 31); the code says who may."""
    world = region((ROOS, ALFA, 5000))
    world.given(adopted(), KSV)
    said = world.given(concurs(Uzovi("9107")), TenantId("ins-9107"))[0]
    assert (said.code, said.pointer) == ("not_a_lead_insurer", "/insurer")


def test_who_does_not_acknowledge_the_plan_in_time_is_a_finding_until_it_does() -> None:
    """Every provider is told, and acknowledges (rule 31)."""
    world = region((ROOS, ALFA, 5000))
    world.given(adopted(), KSV)
    world.given(concurs(FIRST_INSURER), INS_1)
    world.given(concurs(SECOND_INSURER), INS_2)
    assert findings(world.lives_until(day(16)), FindingCode.PLAN_NOT_ACKNOWLEDGED) == []
    told = findings(world.lives_until(day(17)), FindingCode.PLAN_NOT_ACKNOWLEDGED)
    assert [recipient for recipient, _, _ in told] == [KSV, ALFA, INS_1, INS_2]
    seen = e.InForceAcknowledged(
        record_id=RecordId("i1"), version=1, provider=ROOS, region=HERE, kind=InForceKind.PLAN,
        document_id=PLAN.plan_id, document_version=1,
    )  # fmt: skip
    assert world.given(seen, ALFA)[0].code == "applied"
    told = findings(world.lives_until(day(18)), FindingCode.PLAN_NOT_ACKNOWLEDGED)
    assert {state for _, state, _ in told} == {FindingStatus.CLOSED}


def test_a_guideline_is_published_when_it_is_adopted() -> None:
    """Every provider is told the guideline in force."""
    world = region((ROOS, ALFA, 5000))
    adopted_guideline = e.GuidelineAdopted(
        record_id=RecordId("g1"), version=1, region=HERE, month="2026-05", guideline_minutes=30 * 60
    )
    told = of_type(world.given(adopted_guideline, KSV), GuidelineInForce)
    assert [(fact.month, fact.guideline_minutes) for fact in told] == [("2026-05", 1800)]


@pytest.mark.parametrize(
    ("physical_hours", "hospital_days", "reason", "missed"),
    [
        (24, 0, CareEndReason.COMPLETED, False),
        (23, 0, CareEndReason.COMPLETED, True),
        (18, 2, CareEndReason.COMPLETED, False),
        (5, 0, CareEndReason.DECLINED_BY_CLIENT, False),
        (5, 0, CareEndReason.MOVED, False),
        (5, 0, CareEndReason.PREGNANCY_ENDED, False),
        (5, 0, CareEndReason.OTHER_PROVIDER, True),
    ],
)
def test_black_is_found_afterwards(
    physical_hours: int, hospital_days: int, reason: CareEndReason, missed: bool
) -> None:
    """Rule 5, with its exclusions; hospital days are deducted (rule 7, PROPOSAL)."""
    world = region((ROOS, ALFA, 5000))
    world.given(registration(due_date=day(1)), ALFA)
    minutes = physical_hours * 60
    world.given(care(physical_minutes=minutes, employed_minutes=minutes, hospital_days=hospital_days), ALFA)
    world.given(ended(reason=reason), ALFA)
    said = world.lives_until(day(20))
    told = findings(said, FindingCode.BELOW_MINIMAL_CARE)
    assert bool(told) is missed
    alerts = {alert.subject for alert in of_type(said, AlertChanged) if alert.kind is AlertKind.MINIMAL_CARE_MISSED}
    assert alerts == ({HERE} if missed else set()), "an alert never names a client"


def test_who_went_to_another_provider_before_any_care_is_not_missed_here() -> None:
    """She is that provider's client; with some care given she counts (above)."""
    world = region((ROOS, ALFA, 5000))
    world.given(registration(due_date=day(3)), ALFA)
    world.given(ended(reason=CareEndReason.OTHER_PROVIDER, ended_on=day(1)), ALFA)
    assert findings(world.lives_until(day(40)), FindingCode.BELOW_MINIMAL_CARE) == []


@pytest.mark.parametrize(
    ("reason", "missed"), [(RemovalReason.BORN, True), (RemovalReason.MOVED, False), (RemovalReason.PLACED, False)]
)
def test_a_client_who_was_never_placed_counts(reason: RemovalReason, missed: bool) -> None:
    """Born without anybody to carry her: black (rule 5)."""
    world = region((ROOS, ALFA, 5000))
    world.given(waiting(due_date=day(3)), LIST)
    world.given(removed(reason=reason), LIST)
    told = findings(world.lives_until(day(12)), FindingCode.BELOW_MINIMAL_CARE)
    assert bool(told) is missed


def test_a_client_who_got_her_care_after_all_is_found_missed_no_longer() -> None:
    """Care that was reported late, and a client who was placed beyond her due date."""
    world = region((ROOS, ALFA, 5000))
    world.given(registration(due_date=day(1)), ALFA)
    world.given(care(physical_minutes=300, employed_minutes=300), ALFA)
    world.given(ended(), ALFA)
    world.given(waiting(due_date=day(3)), LIST)
    found = findings(world.lives_until(day(12)), FindingCode.BELOW_MINIMAL_CARE)
    readers = (KSV, ALFA, INS_1, INS_2)
    assert [(to, state.value) for to, state, _ in found] == [(to, "opened") for to in (*readers, KSV, INS_1, INS_2)]
    world.given(care(version=2), ALFA)
    placed = e.AllocationOverridden(
        record_id=RecordId("o1"), version=1, region=HERE, waiting_tenant=LIST, waiting_id=RecordId("w1"),
        outcome=OverrideOutcome.PLACED, provider=ROOS, reason=OverrideReason.PLACED_BY_PHONE,
    )  # fmt: skip
    world.given(placed, KSV)
    found = findings(world.starts_day(day(13)), FindingCode.BELOW_MINIMAL_CARE)
    assert [(to, state.value) for to, state, _ in found] == [(to, "closed") for to in (*readers, KSV, INS_1, INS_2)]


@pytest.mark.parametrize(("hospital_days", "missed"), [(7, True), (8, False)])
def test_who_is_owed_nothing_after_her_days_in_hospital_missed_nothing(hospital_days: int, missed: bool) -> None:
    """Rule 7: 24 h less 3 h a day."""
    world = region((ROOS, ALFA, 5000))
    world.given(waiting(due_date=day(3), hospital_days=hospital_days), LIST)
    assert bool(findings(world.lives_until(day(12)), FindingCode.BELOW_MINIMAL_CARE)) is missed


def test_the_alert_of_a_missed_client_closes_when_no_other_follows() -> None:
    """One client is one episode: it rests after the plan's quiet days, also while she is still on the books."""
    world = region((ROOS, ALFA, 5000))
    world.given(waiting(due_date=day(3)), LIST)
    said = [alert for alert in of_type(world.lives_until(day(20)), AlertChanged) if alert.recipient == EVERYBODY]
    states = [alert.state for alert in said if alert.kind is AlertKind.MINIMAL_CARE_MISSED]
    assert (states[0], states[-1]) == (AlertState.OPENED, AlertState.CLOSED)
    assert states.count(AlertState.OPENED) == 1


def test_an_insurer_that_leads_nowhere_hears_of_the_providers_that_it_contracts() -> None:
    """Lead insurers hear of everybody in their region (DOMAIN "Readers")."""
    world = region((ROOS, ALFA, 100), (LINDE, BETA, 100))
    world.given(contract(ROOS, THIRD_INSURER), INS_3)
    raised = e.FindingRaised(
        record_id=RecordId("f1"), version=1, region=HERE, provider=ROOS, rule_number=16, found_on=DAY_1
    )
    told = findings(world.given(raised, KSV), FindingCode.RAISED_BY_PERSON)
    assert [reader for reader, _, _ in told] == [KSV, ALFA, INS_1, INS_2, INS_3]
    other = replace(raised, record_id=RecordId("f2"), provider=LINDE)
    told = findings(world.given(other, KSV), FindingCode.RAISED_BY_PERSON)
    assert [reader for reader, _, _ in told] == [KSV, BETA, INS_1, INS_2]


def test_a_finding_that_stands_goes_to_the_next_addressee() -> None:
    """KSV, Bo, then the lead insurers, who knew all along; the clock is plan data (rules 35, 36; PROPOSAL)."""
    world = region((ROOS, ALFA, 5000))
    raised = e.FindingRaised(
        record_id=RecordId("f1"), version=1, provider=ROOS, region=HERE, rule_number=16, found_on=DAY_1
    )
    first = findings(world.given(raised, KSV), FindingCode.RAISED_BY_PERSON)
    assert first == [(reader, FindingStatus.OPENED, "ksv") for reader in (KSV, ALFA, INS_1, INS_2)]
    later = findings(world.lives_until(day(29)), FindingCode.RAISED_BY_PERSON)
    assert later == [(TenantId("bo"), FindingStatus.OPENED, "bo")]
    last = findings(world.lives_until(day(57)), FindingCode.RAISED_BY_PERSON)
    assert last == [(INS_1, FindingStatus.OPENED, "insurer"), (INS_2, FindingStatus.OPENED, "insurer")]


def test_the_name_of_a_finding_says_nothing_about_what_it_rests_on() -> None:
    """Insurers and Bo hear it, and could confirm a record by trying out its name; all copies bear the same name."""
    told = []
    for record in ("f1", "another"):
        world = region((ROOS, ALFA, 5000))
        raised = e.FindingRaised(
            record_id=RecordId(record), version=1, provider=ROOS, region=HERE, rule_number=16, found_on=DAY_1
        )
        said = world.given(raised, KSV) + world.given(replace(raised, version=2), KSV)
        told.append([fact.finding_id for fact in of_type(said, ComplianceFound)])
    assert told[0] == told[1] and len(told[0]) == 8
    assert len(set(told[0])) == 2, "each finding has a name of its own"


def test_a_contracted_provider_that_nobody_speaks_for_cannot_be_reached() -> None:
    """The tool works only if every contracted provider is connected (rules 23, 24)."""
    world = region((ROOS, ALFA, 5000))
    world.given(contract(WILG), INS_1, home=False)
    told = findings(world.starts_day(day(2)), FindingCode.NOT_CONNECTED_TO_WAITLIST)
    assert told == [(reader, FindingStatus.OPENED, "ksv") for reader in (KSV, INS_1, INS_2)]
    world.mandate(WILG, GAMMA)
    told = findings(world.starts_day(day(3)), FindingCode.NOT_CONNECTED_TO_WAITLIST)
    assert told == [(reader, FindingStatus.CLOSED, "ksv") for reader in (KSV, INS_1, INS_2)]


def test_capacity_and_rooms_are_stated_daily_where_they_changed() -> None:
    """Coordinator and lead insurers see the region, a package its own providers only."""
    world = region((ROOS, ALFA, 500), (LINDE, BETA, 500))
    assert {fact.recipient for fact in of_type(world.facts, RegionCapacityStated)} == {KSV, INS_1, INS_2}
    rooms = of_type(world.facts, ProviderRoomStated)
    assert {(fact.recipient, fact.provider) for fact in rooms} == {(ALFA, ROOS), (BETA, LINDE)}
    world.starts_day(day(2))  # the horizon reaches another month
    assert of_type(world.starts_day(day(3)), ProviderRoomStated) == []
    register(world, 5, ROOS, ALFA, day(45))
    changed_rooms = of_type(world.starts_day(day(4)), ProviderRoomStated)
    assert {fact.provider for fact in changed_rooms} == {ROOS}
    assert all(fact.clients == 0 or fact.clients >= 5 for fact in of_type(world.facts, RegionCapacityStated))


@pytest.mark.parametrize("listed", [True, False])
def test_at_month_close_each_provider_insurer_and_coordinator_gets_its_lines(listed: bool) -> None:
    """A package sees its own line; totals only where four providers hide each other (DESIGN "Privacy").

    The pool is the same whether or not the tool took her off the list once she was placed.
    """
    world = region((ROOS, ALFA, 500), (LINDE, BETA, 500))
    world.given(declares(DeclaredColour.RED), KSV)
    world.given(waiting(due_date=day(6)), LIST)
    ((key, row),) = world.state.proposals.items()
    accepted = e.AllocationAnswered(
        record_id=RecordId("a1"), version=1, provider=row.provider, region=HERE, proposal_id=key,
        answer=AllocationAnswer.ACCEPTED,
    )  # fmt: skip
    world.given(accepted, KSV)
    if not listed:
        gone = waiting(version=2, status=WaitingStatus.REMOVED, removal_reason=RemovalReason.PLACED, due_date=day(6))
        world.given(gone, LIST)
    assert of_type(world.lives_until(date(2026, 3, 31)), FairShareStated) == []
    lines = of_type(world.lives_until(date(2026, 4, 1)), FairShareStated)
    assert {line.month for line in lines} == {"2026-03"}
    own = [line for line in lines if line.audience is StatementAudience.PROVIDER]
    assert {(line.recipient, line.provider) for line in own} == {(ALFA, ROOS), (BETA, LINDE)}
    assert {line.pool_minutes for line in own} == {None}
    coordinator = [line for line in lines if line.recipient == KSV]
    assert sum(line.target_minutes for line in coordinator) == 24 * 60
    assert {line.provider: line.accepted_minutes for line in coordinator} == {
        ROOS: 1440 if row.provider == ROOS else 0, LINDE: 1440 if row.provider == LINDE else 0,
    }  # fmt: skip
    assert world.state.waiting.values()[0].listed is listed
    assert sum(line.carry_minutes for line in coordinator) == 0, "what one bears above its share, the other is short of"
    assert {line.recipient for line in lines} == {ALFA, BETA, INS_1, INS_2, KSV}
    assert [line.provider for line in lines if line.recipient == INS_2] == [ROOS, LINDE], (
        "it leads, and contracts neither"
    )


def test_totals_are_told_only_where_three_others_hide_each_other() -> None:
    """Figures that a reader has anyway are taken off first: a vendor of three of five would know too much of two."""
    tenants = (ALFA, ALFA, BETA, BETA, BETA)
    others = [(Agb(f"4100000{n}"), tenant, 500) for n, tenant in enumerate(tenants, 4)]
    world = region(*others)
    for provider, tenant, _ in others:
        world.given(registration(f"r{provider}", provider=provider, due_date=DAY_1), tenant)
        world.given(
            care(f"c{provider}", provider=provider, registration_id=RecordId(f"r{provider}"), born_on=DAY_1), tenant
        )

    def told(facts: list[Any], tenant: TenantId) -> set[int | None]:
        return {line.deployable_total_minutes for line in of_type(facts, FairShareStated) if line.recipient == tenant}

    march = world.lives_until(date(2026, 4, 1))
    assert told(march, ALFA) == {None}, "nothing was delivered before March, so that total has nobody behind it"
    assert [fact.pool_minutes for fact in of_type(march, RegionSharesStated)] == [None]
    for provider, tenant, _ in others:
        world.given(capacity(provider, hours=500, version=2, declared_on=date(2026, 4, 1)), tenant)
    april = world.lives_until(date(2026, 5, 1))
    assert told(april, ALFA) == told(april, KSV) != {None}
    assert told(april, BETA) == {None}


def test_all_statements_of_a_month_stand_under_one_root_and_each_checks_itself() -> None:
    """Nobody can be told another story than the others; a changed figure no longer leads to the root."""
    world = region((ROOS, ALFA, 500), (LINDE, BETA, 500))
    said = world.lives_until(date(2026, 4, 1))
    (shares,) = of_type(said, RegionSharesStated)
    lines = of_type(said, FairShareStated)
    assert {line.statement_root for line in lines} == {shares.statement_root}
    for line in lines:
        text = canonical(line_text(line))
        assert root_from(leaf_hash(line.blind, text), line.proof, line.totals_leaf) == shares.statement_root
        told = canonical(line_text(replace(line, target_minutes=line.target_minutes + 1)))
        assert root_from(leaf_hash(line.blind, told), line.proof, line.totals_leaf) != shares.statement_root
    assert {line.totals_blind for line in lines if line.recipient == ALFA} == {None}
    assert len({line.blind for line in lines}) == 2


def test_the_ledger_counts_what_a_provider_did_not_take_and_what_it_gave_above_the_guideline() -> None:
    """Declines by reason, refusals by postcode (below five not told), and hours above while the other gave 24 h.

    The hours at a birth are beside the guideline and beside the floor (rule 42).
    """
    world = region((ROOS, ALFA, 500), (LINDE, BETA, 500))
    world.given(declares(DeclaredColour.RED), KSV)
    guideline = e.GuidelineAdopted(
        record_id=RecordId("g1"), version=1, region=HERE, month="2026-03", guideline_minutes=36 * 60
    )
    world.given(guideline, KSV)
    world.given(waiting(due_date=day(6)), LIST)
    ((key, row),) = [(key, row) for key, row in world.state.proposals.items() if row.open]
    tenant = {ROOS: ALFA, LINDE: BETA}[row.provider]
    declined = e.AllocationAnswered(
        record_id=RecordId("a1"), version=1, provider=row.provider, region=HERE, proposal_id=key,
        answer=AllocationAnswer.DECLINED, reason=DeclineReason.NO_ROOM,
    )  # fmt: skip
    world.given(declined, tenant)
    world.given(registration("r1", due_date=DAY_1, partus_assistance=True), ALFA)
    world.given(care("c1", physical_minutes=(45 + 6) * 60), ALFA)
    world.given(registration("r2", provider=LINDE, due_date=DAY_1, partus_assistance=True), BETA)
    world.given(care("c2", provider=LINDE, registration_id=RecordId("r2"), physical_minutes=(24 + 6) * 60), BETA)
    world.given(ended("x2", provider=LINDE, registration_id=RecordId("r2")), BETA)
    lines = of_type(world.lives_until(date(2026, 4, 1)), FairShareStated)
    of = {line.provider: line for line in lines if line.recipient == KSV}
    assert [(one.reason, one.count) for one in of[row.provider].declines] == [("no_room", 1)]
    assert of[row.provider].refusals == (), "the only one, so its postcode is not told"
    assert of[ROOS].over_delivery_minutes == 9 * 60
    assert of[LINDE].over_delivery_minutes == 0


def test_what_a_month_leaves_over_counts_in_the_next() -> None:
    """Who bore more than its share has a carry, and the other is asked first next time."""
    world = region((ROOS, ALFA, 500), (LINDE, BETA, 500))
    world.given(declares(DeclaredColour.RED), KSV)
    world.given(waiting(due_date=day(6)), LIST)
    ((key, row),) = world.state.proposals.items()
    first = row.provider
    world.given(
        e.AllocationAnswered(
            record_id=RecordId("a1"), version=1, provider=first, region=HERE, proposal_id=key,
            answer=AllocationAnswer.ACCEPTED,
        ),
        KSV,
    )  # fmt: skip
    world.lives_until(date(2026, 4, 1))
    world.given(waiting("w2", due_date=date(2026, 4, 4), preferred_provider=first), LIST)
    (second,) = [row.provider for row in world.state.proposals.values() if row.open]
    assert second != first, "a preference settles a tie only"


def test_delivering_more_than_declared_is_a_finding() -> None:
    """Declaring less lowers weight and target; here it shows."""
    world = region((ROOS, ALFA, 1))
    world.given(registration(due_date=day(1)), ALFA)
    world.given(care(), ALFA)
    facts = world.lives_until(date(2026, 4, 1))
    told = findings(facts, FindingCode.DELIVERED_ABOVE_DECLARED)
    assert [recipient for recipient, _, _ in told] == [KSV, ALFA, INS_1, INS_2]
    above = {line.recipient: line.delivered_above_declared_minutes for line in of_type(facts, FairShareStated)}
    declared = next(line.deployable_minutes for line in of_type(facts, FairShareStated))
    assert above == dict.fromkeys((ALFA, INS_1, INS_2, KSV), 24 * 60 - declared), (
        "and the figure stands in the statement"
    )


def test_a_held_tenant_is_an_alert_in_nl_until_it_is_released() -> None:
    """A person looks first; the trust office releases."""
    world = World(NATIONAL)
    world.starts_day(DAY_1)
    held = world.told(e.TenantHeld(held_tenant=ALFA, links_in_window=51, budget=50))
    assert [(alert.kind, alert.subject, alert.recipient) for alert in of_type(held, AlertChanged)] == [
        (AlertKind.TENANT_HELD, ALFA, EVERYBODY)
    ]
    release = e.HoldReleased(record_id=RecordId("h1"), version=1, held_tenant=ALFA)
    assert world.given(release, OFFICE)[0].code == "applied"
    again = e.HoldReleased(record_id=RecordId("h2"), version=1, held_tenant=ALFA)
    assert world.given(again, OFFICE)[0].code == "not_held"
    closing = [alert.state for alert in of_type(world.lives_until(day(10)), AlertChanged)]
    assert AlertState.CLOSED in closing
