"""Who hears of a client who is registered twice, when, and how much (DESIGN "Privacy", rule 26)."""

import pytest

from hub.domain import events as e
from hub.domain.duplicate_signals import SIGNALS_PER_DAY_MAX
from hub.domain.events import MatchReason
from hub.domain.facts import ClientStatusChanged, DuplicateSignalled
from hub.domain.identifiers import RecordId
from hub.domain.load_forecast import DUPLICATES, REGION
from hub.domain.words import (
    AllocationStatus,
    ClientStatus,
    DuplicateVerdict,
    LinkEndReason,
    LinkKind,
    RegistrationStatus,
    SignalAudience,
    SignalPhase,
)
from tests.domain.region_world import (
    ALFA,
    BETA,
    DAY_1,
    GAMMA,
    KSV,
    LINDE,
    LIST,
    ROOS,
    THERE,
    World,
    changed,
    day,
    of_type,
    registration,
    registration_ref,
    waiting,
    waiting_ref,
)

SECOND = registration_ref("r2", tenant=BETA, provider=LINDE)
LINK = e.LinkFound(
    link_id="l1", kind=LinkKind.REGISTERED_TWICE, first=registration_ref("r1"), second=SECOND, score_millibits=12_000,
    reasons=(MatchReason(pass_number=5, field="surname", weight_millibits=9_000),), held=False,
)  # fmt: skip


def confirmed(version: int = 1, link_id: str = "l1") -> e.DuplicateFeedbackGiven:
    """People looked and found that it is one client."""
    return e.DuplicateFeedbackGiven(
        record_id=RecordId("d1"), version=version, region=THERE, link_id=link_id, verdict=DuplicateVerdict.CONFIRMED
    )


def resolved(link: e.LinkFound = LINK, reason: LinkEndReason = LinkEndReason.WITHDRAWN) -> e.LinkEnded:
    """The link ends."""
    return e.LinkEnded(link_id=link.link_id, kind=link.kind, first=link.first, second=link.second, reason=reason)


@pytest.fixture
def world() -> World:
    """Alfa and Beta loaded their clients long ago; today r1 and r2 were registered."""
    world = World()
    world.mandate(ROOS, ALFA)
    world.mandate(LINDE, BETA)
    world.starts_day(DAY_1)
    world.given(registration("r8"), ALFA)
    world.given(registration("r9", provider=LINDE), BETA)
    world.starts_day(day(2))
    world.given(registration("r1", indicated_minutes=40 * 60), ALFA)
    world.given(registration("r2", provider=LINDE, indicated_minutes=45 * 60), BETA)
    return world


def test_the_coordinator_hears_at_once_with_both_providers_and_the_reasons(world: World) -> None:
    """The only one who needs both sides."""
    said = world.told(LINK)
    assert of_type(said, DuplicateSignalled) == said
    (signal,) = of_type(said, DuplicateSignalled)
    assert (signal.recipient, signal.phase, signal.audience) == (KSV, SignalPhase.FOUND, SignalAudience.COORDINATOR)
    assert signal.providers == (ROOS, LINDE)
    assert (signal.score_millibits, len(signal.reasons)) == (12_000, 1)
    assert signal.freed_minutes == 45 * 60
    assert signal.own_record_ids == ()


def test_packages_hear_nothing_before_somebody_confirms(world: World) -> None:
    """A signal must not become an oracle."""
    world.told(LINK)
    assert of_type(world.lives_until(day(5)), DuplicateSignalled) == []


def test_packages_hear_in_the_next_daily_batch_and_of_themselves_only(world: World) -> None:
    """No counterparty, no score, no reasons."""
    world.told(LINK)
    assert {signal.recipient for signal in of_type(world.given(confirmed(), KSV), DuplicateSignalled)} == {KSV}
    batch = of_type(world.starts_day(day(3)), DuplicateSignalled)
    assert [(signal.recipient, signal.providers, signal.own_record_ids) for signal in batch] == [
        (ALFA, (ROOS,), ("r1",)),
        (BETA, (LINDE,), ("r2",)),
    ]
    assert {(signal.phase, signal.score_millibits, signal.reasons) for signal in batch} == {
        (SignalPhase.CONFIRMED, 0, ())
    }
    assert of_type(world.starts_day(day(4)), DuplicateSignalled) == [], "nobody hears twice"


def test_whoever_heard_of_it_hears_when_it_is_resolved(world: World) -> None:
    """An episode has an end for everyone who saw its beginning."""
    world.told(LINK)
    world.given(confirmed(), KSV)
    world.starts_day(day(3))
    said = of_type(world.told(resolved()), DuplicateSignalled)
    assert [signal.recipient for signal in said] == [KSV, ALFA, BETA]
    assert {(signal.phase, signal.end_reason) for signal in said} == {(SignalPhase.RESOLVED, LinkEndReason.WITHDRAWN)}
    assert world.told(resolved()) == []


def test_who_never_heard_of_it_hears_no_end(world: World) -> None:
    """Packages that were not told stay untold."""
    world.told(LINK)
    assert [signal.recipient for signal in of_type(world.told(resolved()), DuplicateSignalled)] == [KSV]


def test_a_held_link_goes_to_the_coordinator_alone_until_released(world: World) -> None:
    """A tenant that guesses learns nothing."""
    world.told(changed(LINK, held=True))
    world.given(confirmed(), KSV)
    assert of_type(world.starts_day(day(3)), DuplicateSignalled) == []
    assert of_type(world.told(LINK), DuplicateSignalled) == [], "the coordinator knows already"
    assert len(of_type(world.starts_day(day(4)), DuplicateSignalled)) == 2


@pytest.mark.parametrize("sender", [GAMMA])
def test_feedback_from_a_stranger_is_refused(world: World, sender: str) -> None:
    """Only the coordinator, or who speaks for one of the two, can say what it is."""
    world.told(LINK)
    assert world.given(confirmed(), GAMMA)[0].code == "unknown_link"
    assert world.given(confirmed(link_id="l9"), KSV)[0].code == "unknown_link"
    assert world.given(confirmed(), BETA)[0].code == "applied"


def test_a_link_to_a_registration_that_no_longer_stands_is_not_kept(world: World) -> None:
    """A region keeps a link if its own registration is active at that version or a higher one (spine 4)."""
    world.given(registration("r2", provider=LINDE, version=2, status=RegistrationStatus.WITHDRAWN), BETA)
    assert world.told(LINK) == []
    assert len(world.state.links) == 0
    world.given(registration("r2", provider=LINDE, version=3), BETA)
    assert world.told(LINK) != []


def test_an_open_duplicate_is_counted_once_in_the_region(world: World) -> None:
    """And the hours that it would free are shown beside (DOMAIN "Colour predicates")."""
    month = world.state.forecast.months[2]
    before = world.state.forecast.loads.clients(REGION, month)
    world.told(LINK)
    assert world.state.forecast.loads.clients(REGION, month) == before - 1
    assert world.state.forecast.loads.clients(DUPLICATES, month) == 1
    assert world.state.forecast.loads.clients(LINDE, month) == 2, "her provider still has her"
    world.told(resolved())
    assert world.state.forecast.loads.clients(REGION, month) == before


def test_day_one_brings_no_storm_of_signals() -> None:
    """Links among registrations of a tenant's first day wait for the daily batch, a bounded number a day."""
    world = World()
    world.mandate(ROOS, ALFA)
    world.mandate(LINDE, BETA)
    number = SIGNALS_PER_DAY_MAX + 10
    for n in range(number):
        world.given(registration(f"r{n}"), ALFA)
        world.given(registration(f"s{n}", provider=LINDE), BETA)
    for n in range(number):
        link = changed(
            LINK, link_id=f"l{n}", first=registration_ref(f"r{n}"),
            second=registration_ref(f"s{n}", tenant=BETA, provider=LINDE),
        )  # fmt: skip
        assert world.told(link) == []
    assert len(of_type(world.starts_day(DAY_1), DuplicateSignalled)) == SIGNALS_PER_DAY_MAX
    assert len(of_type(world.starts_day(day(2)), DuplicateSignalled)) == 10
    assert of_type(world.starts_day(day(3)), DuplicateSignalled) == []


def test_a_link_with_one_fresh_side_is_no_bulk_load(world: World) -> None:
    """A new registration beside a loaded one is what the coordinator waits for."""
    link = changed(LINK, second=registration_ref("r9", tenant=BETA, provider=LINDE))
    assert [signal.recipient for signal in of_type(world.told(link), DuplicateSignalled)] == [KSV]


def test_a_waiting_client_who_is_registered_is_no_duplicate_and_waits_no_longer(world: World) -> None:
    """Her registration wins: nobody else is asked to carry her. When it ends, she waits again."""
    world.given(waiting(), LIST)
    link = changed(LINK, kind=LinkKind.WAITING_AND_REGISTERED, first=waiting_ref())
    said = world.told(link)
    assert of_type(said, DuplicateSignalled) == []
    assert {fact.status for fact in of_type(said, ClientStatusChanged)} == {ClientStatus.REGISTERED}
    assert [row.waits for row in world.state.waiting.values()] == [False]
    world.told(resolved(link))
    assert [row.waits for row in world.state.waiting.values()] == [True]
    assert not [row for row in world.state.proposals.values() if row.status is AllocationStatus.PROPOSED]
