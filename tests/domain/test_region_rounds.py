"""The waiting list in red: who is asked, who answers, what everybody may know (rules 25 to 30, DESIGN spine 8)."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from hub.domain import events as e
from hub.domain.facts import AllocationStated, ClientStatusChanged, ComplianceFound, DayClosed, MediationRequested
from hub.domain.identifiers import Agb, RecordId, TenantId, is_record_id, looks_like_identity
from hub.domain.region_plan import Deviation, Interventions, PlanBook, national_defaults
from hub.domain.words import (
    AllocationAnswer,
    AllocationStatus,
    DeclaredColour,
    DeclineReason,
    FindingCode,
    LinkKind,
    OverrideOutcome,
    OverrideReason,
    RemovalReason,
    SettledOutcome,
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
    KSV,
    LINDE,
    LIST,
    POSTCODE,
    ROOS,
    SECOND_INSURER,
    WILG,
    World,
    capacity,
    changed,
    contract,
    day,
    of_type,
    registration,
    registration_ref,
    removed,
    waiting,
    waiting_ref,
)

URGENT = day(6)


def red(world: World) -> None:
    """The KSV declares red for as long as it takes."""
    colour = e.ColourDeclared(
        record_id=RecordId("k1"), version=1, region=HERE, colour=DeclaredColour.RED, valid_from=DAY_1
    )
    world.given(colour, KSV)


@pytest.fixture
def world() -> World:
    """Monday; Roos (Alfa) and Linde (Beta) are contracted by one insurer and have room; the region is red."""
    world = World()
    for provider, tenant in ((ROOS, ALFA), (LINDE, BETA)):
        world.mandate(provider, tenant)
        world.given(contract(provider), INS_1, home=False)
        world.given(capacity(provider, hours=200), tenant)
    world.starts_day(DAY_1)
    red(world)
    return world


def lives_by(world: World, **figures: Any) -> None:
    """The region has a plan, in force since the first day."""
    plan = replace(national_defaults(HERE, (FIRST_INSURER, SECOND_INSURER)), version=1, short=True, **figures)
    world.state.plans = PlanBook(HERE).adopted(plan)
    for insurer in plan.lead_insurers:
        world.state.plans = world.state.plans.concurred(plan.plan_id, 1, insurer, date(2026, 3, 1))


def stated(facts: list[Any], to: TenantId | None = None) -> list[AllocationStated]:
    """What is said about proposals, to one tenant or to all."""
    return [fact for fact in of_type(facts, AllocationStated) if to is None or fact.recipient == to]


def proposed(world: World) -> tuple[str, Agb]:
    """The one open proposal: id and provider."""
    ((key, row),) = [(key, row) for key, row in world.state.proposals.items() if row.open]
    return key, row.provider


def package_of(provider: Agb) -> TenantId:
    """Who speaks for a provider."""
    return {ROOS: ALFA, LINDE: BETA}[provider]


def answer(
    key: str, provider: Agb, said: AllocationAnswer, reason: DeclineReason | None = None, record: str = "a1"
) -> e.AllocationAnswered:
    """A provider's answer."""
    return e.AllocationAnswered(
        record_id=RecordId(record), version=1, provider=provider, region=HERE, proposal_id=key, answer=said,
        reason=reason,
    )  # fmt: skip


def override(outcome: OverrideOutcome, provider: Agb | None, reason: OverrideReason) -> e.AllocationOverridden:
    """The coordinator decides."""
    return e.AllocationOverridden(
        record_id=RecordId("o1"), version=1, region=HERE, waiting_tenant=LIST, waiting_id=RecordId("w1"),
        outcome=outcome, provider=provider, reason=reason,
    )  # fmt: skip


def test_who_is_not_urgent_waits_for_the_round_of_the_plans_weekdays(world: World) -> None:
    """National defaults: Monday and Thursday."""
    assert stated(world.given(waiting(), LIST)) == []
    assert stated(world.starts_day(day(2))) == []
    assert stated(world.starts_day(day(3))) == []
    assert [fact.status for fact in stated(world.starts_day(day(4)), KSV)] == [AllocationStatus.PROPOSED]


def test_an_urgent_client_is_proposed_in_the_round_of_her_event(world: World) -> None:
    """Birth is due within days."""
    said = stated(world.given(waiting(due_date=URGENT), LIST))
    assert {fact.status for fact in said} == {AllocationStatus.PROPOSED}


def test_package_tool_and_coordinator_each_hear_what_they_may(world: World) -> None:
    """Due date and postcode never leave together; why-not stands in the coordinator's fact only."""
    said = stated(world.given(waiting(due_date=URGENT), LIST))
    key, provider = proposed(world)
    package, tool, coordinator = said
    assert [package.recipient, tool.recipient, coordinator.recipient] == [package_of(provider), LIST, KSV]
    assert (package.waiting_id, package.pc4, package.birth_week, package.why_not) == (key, None, "2026-W10", ())
    assert (tool.waiting_id, tool.provider, tool.why_not) == ("w1", provider, ())
    other = LINDE if provider == ROOS else ROOS
    assert [one.provider for one in coordinator.why_not] == [other]
    assert package.care_minutes == 24 * 60
    assert package.answer_by == day(2)


def test_after_acceptance_the_package_learns_the_record_and_the_postcode(world: World) -> None:
    """And no birth week any more."""
    world.given(waiting(due_date=URGENT), LIST)
    key, provider = proposed(world)
    said = stated(world.given(answer(key, provider, AllocationAnswer.ACCEPTED), package_of(provider)))
    assert [fact.status for fact in said] == [AllocationStatus.ACCEPTED] * 3
    assert (said[0].waiting_id, said[0].pc4, said[0].birth_week) == ("w1", POSTCODE, None)
    assert of_type(world.starts_day(day(2)), DayClosed)[0].waiting == 0


def test_the_first_answer_counts_and_later_ones_are_told_so(world: World) -> None:
    """The coordinator may answer too."""
    world.given(waiting(due_date=URGENT), LIST)
    key, provider = proposed(world)
    world.given(answer(key, provider, AllocationAnswer.ACCEPTED), KSV)
    late = world.given(answer(key, provider, AllocationAnswer.DECLINED, DeclineReason.NO_ROOM), package_of(provider))
    assert late[0].code == "proposal_closed"


def test_an_answer_for_somebody_else_is_refused(world: World) -> None:
    """Neither another provider nor another package can answer."""
    world.given(waiting(due_date=URGENT), LIST)
    key, provider = proposed(world)
    other = LINDE if provider == ROOS else ROOS
    assert world.given(answer(key, other, AllocationAnswer.ACCEPTED), package_of(other))[0].code == "not_your_proposal"
    assert world.given(answer(key, provider, AllocationAnswer.ACCEPTED), GAMMA)[0].code == "no_mandate"
    assert world.given(answer("p-0", provider, AllocationAnswer.ACCEPTED), KSV)[0].code == "unknown_proposal"


def test_after_a_decline_the_next_is_asked_at_once_and_nobody_twice(world: World) -> None:
    """No ping-pong: two declines, and she is published as unplaced, once."""
    world.given(waiting(due_date=URGENT), LIST)
    first, provider = proposed(world)
    declined = answer(first, provider, AllocationAnswer.DECLINED, DeclineReason.NO_ROOM)
    said = stated(world.given(declined, package_of(provider)), KSV)
    assert [fact.status for fact in said] == [AllocationStatus.DECLINED, AllocationStatus.PROPOSED]
    second, other = proposed(world)
    assert other != provider
    declined = answer(second, other, AllocationAnswer.DECLINED, DeclineReason.NO_ROOM, "a2")
    said = stated(world.given(declined, package_of(other)), KSV)
    assert [(fact.status, fact.reason) for fact in said[1:]] == [(AllocationStatus.UNPLACED, "all_declined")]
    assert stated(world.starts_day(day(2))) == [], "said once while the reason is the same"


def test_silence_beyond_the_deadline_lapses_and_counts_as_a_decline(world: World) -> None:
    """PROPOSAL: silence must not go round in circles."""
    world.given(waiting(due_date=URGENT), LIST)
    _, provider = proposed(world)
    world.starts_day(day(2))
    said = stated(world.starts_day(day(3)), KSV)
    assert [fact.status for fact in said] == [AllocationStatus.EXPIRED, AllocationStatus.PROPOSED]
    assert proposed(world)[1] != provider


def test_a_client_who_leaves_the_list_takes_her_proposal_with_her(world: World) -> None:
    """Withdrawal reaches everyone who was asked."""
    world.given(waiting(due_date=URGENT), LIST)
    said = stated(world.given(removed(reason=RemovalReason.PREGNANCY_ENDED), LIST))
    assert {(fact.status, fact.reason) for fact in said} == {(AllocationStatus.WITHDRAWN, "pregnancy_ended")}


def test_only_who_is_contracted_with_her_insurer_and_has_room_is_asked(world: World) -> None:
    """Nobody beyond capacity, nobody without a contract."""
    said = stated(world.given(waiting(due_date=URGENT, insurer=SECOND_INSURER), LIST), KSV)
    assert [(fact.status, fact.reason) for fact in said] == [(AllocationStatus.UNPLACED, "no_contract")]
    world.given(contract(ROOS, SECOND_INSURER), INS_2, home=False)
    said = stated(world.starts_day(day(2)), KSV)
    assert [(fact.status, fact.provider) for fact in said] == [(AllocationStatus.PROPOSED, ROOS)]
    for provider in (ROOS, LINDE):
        world.given(capacity(provider, hours=0, version=2), package_of(provider))
    said = stated(world.given(waiting("w2", due_date=URGENT), LIST), KSV)
    assert [(fact.status, fact.reason) for fact in said] == [(AllocationStatus.UNPLACED, "no_room")]


def test_the_coordinator_places_by_phone_and_the_hub_keeps_to_it(world: World) -> None:
    """The open proposal is overridden, and the provider carries what she placed."""
    world.given(waiting(due_date=URGENT), LIST)
    key, provider = proposed(world)
    other = LINDE if provider == ROOS else ROOS
    said = stated(world.given(override(OverrideOutcome.PLACED, other, OverrideReason.PLACED_BY_PHONE), KSV), KSV)
    assert [fact.status for fact in said] == [AllocationStatus.OVERRIDDEN, AllocationStatus.ACCEPTED]
    assert [row.placed_by for row in world.state.waiting.values()] == [other]
    assert world.given(answer(key, provider, AllocationAnswer.ACCEPTED), KSV)[0].code == "proposal_closed"


def test_what_the_coordinator_cancels_is_looked_for_anew(world: World) -> None:
    """She waits again, and is urgent still."""
    world.given(waiting(due_date=URGENT), LIST)
    key, provider = proposed(world)
    world.given(answer(key, provider, AllocationAnswer.ACCEPTED), KSV)
    said = stated(world.given(override(OverrideOutcome.CANCELLED, None, OverrideReason.ENTERED_IN_ERROR), KSV), KSV)
    assert [fact.status for fact in said] == [AllocationStatus.OVERRIDDEN, AllocationStatus.PROPOSED]


def test_an_override_of_a_client_who_is_not_here_is_refused(world: World) -> None:
    """The region says what it does not hold."""
    said = world.given(override(OverrideOutcome.CANCELLED, None, OverrideReason.OTHER), KSV)
    assert said[0].code == "unknown_record_here"


@pytest.mark.parametrize("at_the_asked_provider", [True, False])
def test_a_client_registered_meanwhile_closes_her_proposal(world: World, at_the_asked_provider: bool) -> None:
    """At the provider that was asked it is a yes, and she counts as allocated; elsewhere the proposal is withdrawn."""
    world.given(waiting(due_date=URGENT), LIST)
    _, provider = proposed(world)
    other = LINDE if provider == ROOS else ROOS
    where = provider if at_the_asked_provider else other
    tenant = package_of(where)
    world.given(registration("r1", provider=where, due_date=URGENT), tenant)
    link = e.LinkFound(
        link_id="v1", kind=LinkKind.WAITING_AND_REGISTERED, first=waiting_ref(),
        second=registration_ref("r1", tenant=tenant, provider=where), score_millibits=1, reasons=(), held=False,
    )  # fmt: skip
    said = stated(world.told(link), KSV)
    expected = AllocationStatus.ACCEPTED if at_the_asked_provider else AllocationStatus.WITHDRAWN
    assert [fact.status for fact in said] == [expected]
    assert [row.from_list for row in world.state.registrations.values()] == [at_the_asked_provider]


def test_in_green_her_insurer_is_asked_to_mediate_once() -> None:
    """Rule 30: the insurer mediates while no orange is in force."""
    world = World()
    world.starts_day(DAY_1)
    said = of_type(world.given(waiting(), LIST), MediationRequested)
    assert [(fact.recipient, fact.waiting_id) for fact in said] == [(INS_1, "w1")]
    assert of_type(world.starts_day(day(2)), MediationRequested) == []
    assert FIRST_INSURER == "3311"


def test_a_proposal_id_tells_nothing_and_is_fit_to_be_answered(world: World) -> None:
    """It is opaque, and passes the checks that an answer's id must pass."""
    world.given(waiting(due_date=URGENT), LIST)
    key, _ = proposed(world)
    assert is_record_id(key)
    assert not looks_like_identity(key)
    assert "w1" not in key


def test_a_client_hears_the_same_words_from_everybody_once_for_each_change(world: World) -> None:
    """Rule 40: tool and insurer get her status with a sentence; what passes within one event is not told."""

    def told(facts: list[Any]) -> list[tuple[TenantId, str]]:
        return [(fact.recipient, fact.status.value) for fact in of_type(facts, ClientStatusChanged)]

    said = world.given(waiting(due_date=URGENT), LIST)
    assert told(said) == [(LIST, "provider_asked"), (INS_1, "provider_asked")]
    assert all(fact.message_nl and fact.message_en for fact in of_type(said, ClientStatusChanged))
    key, provider = proposed(world)
    declined = answer(key, provider, AllocationAnswer.DECLINED, DeclineReason.NO_ROOM)
    assert told(world.given(declined, package_of(provider))) == [], "another provider is asked in the same event"
    key, provider = proposed(world)
    accepted = answer(key, provider, AllocationAnswer.ACCEPTED, record="a2")
    assert told(world.given(accepted, package_of(provider))) == [(LIST, "provider_found"), (INS_1, "provider_found")]
    assert told(world.given(removed(reason=RemovalReason.PLACED), LIST))[0] == (LIST, "off_the_list")


def test_a_client_who_is_not_urgent_hears_that_she_is_on_the_list(world: World) -> None:
    """And no name of a provider stands in what she is told."""
    said = of_type(world.given(waiting(), LIST), ClientStatusChanged)
    assert [fact.status.value for fact in said] == ["waiting", "waiting"]
    assert of_type(world.given(waiting(version=2, hospital_days=1), LIST), ClientStatusChanged) == []


def test_who_gave_way_once_keeps_her_place_from_then_on(world: World) -> None:
    """24 h room, 15 h asked first: 24 h fill the room better, and she who waits for it is told why."""
    for provider in (ROOS, LINDE):
        world.given(contract(provider, version=2, valid_until=day(1)), INS_1, home=False)
    world.given(contract(WILG), INS_1, home=False)
    world.mandate(WILG, GAMMA)
    world.given(capacity(WILG, hours=25), GAMMA)
    world.given(waiting("small", due_date=day(40), hospital_days=3), LIST)
    world.given(waiting("large", due_date=day(41)), LIST)
    said = stated(world.lives_until(day(4)), KSV)
    assert {(fact.waiting_id, fact.status, fact.reason) for fact in said} == {
        ("large", AllocationStatus.PROPOSED, "filled_room"),
        ("small", AllocationStatus.UNPLACED, "gave_way"),
    }
    assert [row.gave_way for _, row in world.state.waiting.items()] == [False, True]


def test_who_is_due_beyond_the_horizon_is_told_so_once_and_looked_for_when_it_comes_near(world: World) -> None:
    """Nobody can say yet who has room by then; she is on the list, and no provider was asked."""
    world.given(waiting(due_date=day(233)), LIST)
    facts = world.lives_until(day(11))
    assert [(fact.recipient, fact.status, fact.reason, fact.why_not) for fact in stated(facts)] == [
        (recipient, AllocationStatus.UNPLACED, "beyond_horizon", ()) for recipient in (LIST, KSV)
    ]
    assert of_type(facts, ClientStatusChanged) == []
    assert "beyond_horizon" not in {fact.reason for fact in stated(world.lives_until(day(39)), KSV)}
    assert [row.told for _, row in world.state.waiting.items()] != ["beyond_horizon"]


def test_a_region_that_can_keep_no_more_proposals_says_so(world: World) -> None:
    """A provider has room and nobody may be asked: she must not wait in silence, and the alert stands."""
    world.state.proposals.size_max = 0
    said = world.given(waiting(due_date=URGENT), LIST)
    assert [(fact.recipient, fact.status, fact.reason) for fact in stated(said)] == [
        (recipient, AllocationStatus.UNPLACED, "too_many_proposals") for recipient in (LIST, KSV)
    ]
    assert [fact.status.value for fact in of_type(said, ClientStatusChanged)] == ["waiting", "waiting"]
    assert stated(world.starts_day(day(2))) == [], "said once"
    world.state.proposals.size_max = 1
    assert {fact.status for fact in stated(world.starts_day(day(3)))} == {AllocationStatus.PROPOSED}


def test_a_full_provider_is_asked_no_more_and_keeps_what_it_accepted(world: World) -> None:
    """It declares no room left: the accepted proposal stands, the next client goes elsewhere."""
    world.given(waiting(due_date=URGENT), LIST)
    key, provider = proposed(world)
    world.given(answer(key, provider, AllocationAnswer.ACCEPTED), package_of(provider))
    world.given(capacity(provider, hours=0, version=2), package_of(provider))
    said = stated(world.given(waiting("w2", due_date=URGENT), LIST), KSV)
    assert [(fact.status, fact.provider) for fact in said] == [
        (AllocationStatus.PROPOSED, LINDE if provider == ROOS else ROOS)
    ]
    assert [row.placed_by for _, row in world.state.waiting.items()] == [provider, None]


def test_a_birth_before_anybody_was_asked_takes_her_off_the_list(world: World) -> None:
    """Nothing is proposed for her any more, and she counts among those who got no minimal care."""
    world.given(waiting(), LIST)
    world.given(removed(reason=RemovalReason.BORN), LIST)
    assert stated(world.starts_day(day(2)) + world.starts_day(day(3)) + world.starts_day(day(4))) == []
    assert FindingCode.BELOW_MINIMAL_CARE in {fact.code for fact in of_type(world.facts, ComplianceFound)}


def test_a_duplicate_found_after_she_was_placed_leaves_the_promise_standing(world: World) -> None:
    """Her registration elsewhere wins for the load, and people settle which provider goes on."""
    world.given(waiting(due_date=URGENT), LIST)
    key, provider = proposed(world)
    world.given(answer(key, provider, AllocationAnswer.ACCEPTED), package_of(provider))
    other = LINDE if provider == ROOS else ROOS
    world.given(registration("r1", provider=other, due_date=URGENT), package_of(other))
    link = e.LinkFound(
        link_id="v1", kind=LinkKind.WAITING_AND_REGISTERED, first=waiting_ref(),
        second=registration_ref("r1", tenant=package_of(other), provider=other), score_millibits=1, reasons=(),
        held=False,
    )  # fmt: skip
    said = world.told(link)
    assert stated(said) == []
    assert [(row.placed_by, row.linked) for _, row in world.state.waiting.items()] == [(provider, True)]


@pytest.mark.parametrize(("due", "hours"), [(day(29), 20), (day(30), 20), (day(31), 24 + 6)])
def test_what_she_is_owed_follows_the_period_of_her_birth_and_not_that_of_the_round(
    world: World, due: date, hours: int
) -> None:
    """Rules 9 and 42: a deviation and a partus pool hold until the last of March; the round is on the 5th."""
    lives_by(
        world,
        deviations=(Deviation(name="flu", period_from=DAY_1, period_until=day(30), minimal_minutes=20 * 60),),
        interventions=Interventions(partus_pool_from=date(2026, 3, 1), partus_pool_until=day(30)),
    )
    world.starts_day(day(2))
    world.given(waiting(due_date=due, partus_assistance=True), LIST)
    said = stated(world.starts_day(day(3)) + world.starts_day(day(4)), KSV)
    assert [(fact.status, fact.care_minutes) for fact in said] == [(AllocationStatus.PROPOSED, hours * 60)]


def test_one_place_in_a_kraamcentrum_is_offered_to_one_client_at_a_time(world: World) -> None:
    """Rule 42: who declines it leaves it to the next."""
    lives_by(world, interventions=Interventions(kraamcentrum_places=1))
    for provider in (ROOS, LINDE):
        world.given(capacity(provider, hours=0, version=2), package_of(provider))
    first, second = (stated(world.given(waiting(one, due_date=URGENT), LIST), KSV)[0] for one in ("w1", "w2"))
    assert (first.reason, second.reason) == ("kraamcentrum_offered", "no_room")
    world.given(override(OverrideOutcome.CLIENT_REFUSED, None, OverrideReason.KRAAMCENTRUM_DECLINED), KSV)
    said = [(fact.waiting_id, fact.reason) for fact in stated(world.starts_day(day(2)), KSV)]
    assert said == [("w2", "kraamcentrum_offered")]


def test_a_placed_client_whom_the_tool_takes_off_the_list_is_still_found_among_registrations(world: World) -> None:
    """So that she counts as allocated and not as an own client of who carries her."""
    world.given(waiting(due_date=URGENT), LIST)
    key, provider = proposed(world)
    world.given(answer(key, provider, AllocationAnswer.ACCEPTED), package_of(provider))
    gone = waiting(
        version=2, status=WaitingStatus.REMOVED, removal_reason=RemovalReason.PLACED, due_date=URGENT
    )  # fmt: skip
    (settled,) = of_type(world.given(gone, LIST), e.RecordSettled)
    assert settled.outcome is SettledOutcome.ACTIVE
    world.given(registration("r1", provider=provider, due_date=URGENT), package_of(provider))
    link = e.LinkFound(
        link_id="v1", kind=LinkKind.WAITING_AND_REGISTERED, first=waiting_ref(version=2),
        second=registration_ref("r1", tenant=package_of(provider), provider=provider), score_millibits=1, reasons=(),
        held=False,
    )  # fmt: skip
    world.told(link)
    assert [row.from_list for row in world.state.registrations.values()] == [True]
    withdrawn = changed(gone, version=3, removal_reason=RemovalReason.WITHDRAWN)
    (settled,) = of_type(world.given(withdrawn, LIST), e.RecordSettled)
    assert settled.outcome is SettledOutcome.CLOSED, "nobody carries her any more"


def test_a_client_whose_insurer_was_corrected_is_made_known_to_the_right_one() -> None:
    """Rule 30: a mediation request goes to the client's insurer."""
    world = World()
    world.starts_day(DAY_1)
    asked = [
        fact.recipient
        for version, insurer in ((1, FIRST_INSURER), (2, SECOND_INSURER), (3, SECOND_INSURER))
        for fact in of_type(world.given(waiting(version=version, insurer=insurer), LIST), MediationRequested)
    ]
    assert asked == [INS_1, INS_2]
