"""A region refolds to the same facts and the same parts, wherever it was restored (DESIGN spine 5, 6)."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain import events as e
from hub.domain.identifiers import Agb, RecordId, TenantId, month_of, month_text
from hub.domain.logged import Logged
from hub.domain.region import RegionRules
from hub.domain.shards import SHARDS_MAX
from hub.domain.words import (
    AllocationAnswer,
    CareEndReason,
    DeclaredColour,
    DeclineReason,
    DuplicateVerdict,
    FullLevel,
    FullStatus,
    LinkEndReason,
    LinkKind,
    MeasureStatus,
    OverrideOutcome,
    OverrideReason,
    RegistrationStatus,
    RemovalReason,
)
from tests.domain.region_world import (
    ALFA,
    BETA,
    CLOCK,
    DAY_1,
    FIRST_INSURER,
    GAMMA,
    HERE,
    INS_1,
    INS_2,
    KSV,
    LINDE,
    LIST,
    OFFICE,
    POSTCODE_2,
    REFERENCE,
    ROOS,
    SECOND_INSURER,
    THERE,
    WILG,
    World,
    capacity,
    care,
    contract,
    day,
    ended,
    mandate,
    of_type,
    registration,
    registration_ref,
    removed,
    waiting,
    waiting_ref,
)

HUB = TenantId("hub")
Told = tuple[Any, TenantId]
PROVIDERS = (ROOS, LINDE, WILG)
NUMBERS = st.integers(1, 4)
VERSIONS = st.integers(1, 3)


def opening() -> list[Told]:
    """Mandates, contracts and figures with which every history begins; little capacity, so that red is near."""
    months = [month_text(month_of(DAY_1 - timedelta(days=365 - 30 * n))) for n in range(8)]
    return [
        *((mandate(provider, tenant), OFFICE) for provider, tenant in zip(PROVIDERS, (ALFA, BETA, GAMMA), strict=True)),
        *((contract(provider), INS_1) for provider in PROVIDERS),
        (contract(ROOS, SECOND_INSURER, postcodes=(POSTCODE_2,)), INS_2),
        *((capacity(provider, hours=60), _package_of(provider)) for provider in (ROOS, LINDE)),
        (mandate(WILG, GAMMA, version=2, bo_member=True), OFFICE),
        (registration("r8"), ALFA),
        (registration("r9", provider=LINDE), BETA),
        *(
            (
                e.BenchmarkPublished(
                    record_id=RecordId(f"b{n}"), version=1, insurer=FIRST_INSURER, region=HERE, month=month,
                    mean_care_minutes=2500, unique_clients=5, range_low_minutes=2000, range_high_minutes=3000,
                ),
                INS_1,
            )
            for n, month in enumerate(months)
        ),
    ]  # fmt: skip


def _package_of(provider: Agb) -> TenantId:
    return {ROOS: ALFA, LINDE: BETA, WILG: GAMMA}[provider]


@st.composite
def told(draw: st.DrawFn) -> Told | str:
    """One event, or "day" for the next day."""
    provider = draw(st.sampled_from(PROVIDERS))
    package, number, version = _package_of(provider), draw(NUMBERS), draw(VERSIONS)
    kind = draw(st.integers(0, 20))
    status = draw(st.sampled_from(list(RegistrationStatus)))
    other = registration_ref("r2", provider=LINDE, tenant=BETA)
    match kind:
        case 0 | 1 | 2:
            event = registration(
                f"r{number}", version=version, provider=provider, status=status,
                due_date=day(draw(st.integers(-5, 60))), partus_assistance=draw(st.booleans()),
            )  # fmt: skip
            return event, draw(st.sampled_from([package, package, GAMMA]))
        case 3 | 4:
            return waiting(
                f"w{number}", version=version, due_date=day(draw(st.integers(-2, 50))),
                hospital_days=draw(st.integers(0, 3)), preferred_provider=draw(st.sampled_from([None, ROOS])),
            ), LIST  # fmt: skip
        case 5:
            return removed(f"w{number}", draw(st.sampled_from(list(RemovalReason))), version + 1), LIST
        case 6:
            return care(
                f"c{number}", version=version, provider=provider, registration_id=RecordId(f"r{number}"),
                born_on=day(draw(st.integers(1, 20))), physical_minutes=draw(st.sampled_from([600, 1440, 2400])),
                employed_minutes=600,
            ), package  # fmt: skip
        case 7:
            return ended(
                f"x{number}", version=version, provider=provider, registration_id=RecordId(f"r{number}"),
                reason=draw(st.sampled_from(list(CareEndReason))),
            ), package  # fmt: skip
        case 8:
            return capacity(provider, hours=draw(st.sampled_from([0, 20, 60, 500])), version=version + 1,
                            declared_on=day(draw(st.integers(-60, 20)))), package  # fmt: skip
        case 9:
            return e.FullDeclared(
                record_id=RecordId(f"full{number}"), version=version, provider=provider, region=HERE,
                level=draw(st.sampled_from(list(FullLevel))), status=draw(st.sampled_from(list(FullStatus))),
                period_from=DAY_1, period_until=day(90),
            ), package  # fmt: skip
        case 10:
            return e.MeasureReported(
                record_id=RecordId(f"m{number}"), version=version, provider=provider, region=HERE,
                measure="extra-shifts", status=draw(st.sampled_from(list(MeasureStatus))), on=DAY_1,
            ), package  # fmt: skip
        case 11:
            return e.ColourDeclared(
                record_id=RecordId(f"k{number}"), version=version, region=HERE,
                colour=draw(st.sampled_from(list(DeclaredColour))), valid_from=DAY_1,
            ), KSV  # fmt: skip
        case 12:
            return e.LinkFound(
                link_id=f"l{number}", kind=LinkKind.REGISTERED_TWICE, first=registration_ref("r1"), second=other,
                score_millibits=9000, reasons=(), held=draw(st.booleans()),
            ), HUB  # fmt: skip
        case 13:
            return e.LinkFound(
                link_id=f"v{number}", kind=LinkKind.WAITING_AND_REGISTERED, first=waiting_ref("w1"), second=other,
                score_millibits=9000, reasons=(), held=False,
            ), HUB  # fmt: skip
        case 14:
            both = LinkKind.REGISTERED_TWICE
            return e.LinkEnded(
                link_id=draw(st.sampled_from([f"l{number}", f"v{number}"])), kind=both, first=registration_ref("r1"),
                second=other, reason=draw(st.sampled_from(list(LinkEndReason))),
            ), HUB  # fmt: skip
        case 15:
            return e.DuplicateFeedbackGiven(
                record_id=RecordId(f"d{number}"), version=version, region=HERE, link_id=f"l{number}",
                verdict=draw(st.sampled_from(list(DuplicateVerdict))),
            ), draw(st.sampled_from([KSV, ALFA, GAMMA]))  # fmt: skip
        case 16:
            outcome = draw(st.sampled_from(list(OverrideOutcome)))
            return e.AllocationOverridden(
                record_id=RecordId(f"o{number}"), version=version, region=HERE, waiting_tenant=LIST,
                waiting_id=RecordId(f"w{number}"), outcome=outcome, provider=provider,
                reason=draw(st.sampled_from(list(OverrideReason))),
            ), KSV  # fmt: skip
        case 17:
            moved = draw(st.sampled_from([registration_ref("r1"), waiting_ref("w2")]))
            return e.RecordMoved(record=moved, version=version, new_region=THERE), HUB
        case 18:
            return "answer"
        case _:
            return "day"


class Story:
    """Plays a history, restoring the region from its parts after every k-th event; `every` 0: never."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.rules = RegionRules(REFERENCE)
        self.state = self.rules.open(HERE)
        self.parts: dict[str, bytes] = {}
        self.facts: list[Any] = []
        self.offset = 0
        self.proposals: list[str] = []

    def tell(self, event: Any, by: TenantId) -> None:
        content = repr(event).encode()[-40:]
        logged = Logged(event, HERE, by, "inbox", (self.offset, 0), True, content, self.offset, True)
        self.offset += 1
        facts = list(self.rules.decide(self.state, logged))
        self.facts.append(facts)
        self.proposals += [fact.proposal_id for fact in facts if getattr(fact, "proposal_id", "")]
        if self.every and self.offset % self.every == 0:
            self.snapshot()
            # A part may come back in any order; a restored region must not depend on it.
            self.rules = RegionRules(REFERENCE)
            self.state = self.rules.restore(HERE, dict(reversed(self.parts.items())))

    def snapshot(self) -> None:
        for name, part in self.rules.changed_parts(self.state).items():
            if part is None:
                self.parts.pop(name, None)
            else:
                self.parts[name] = part

    def play(self, history: list[Told | str], answers: list[AllocationAnswer]) -> None:
        for event, by in opening():
            self.tell(event, by)
        today = DAY_1 + timedelta(days=1)
        self.tell(e.DayStarted(date=DAY_1), CLOCK)
        self.tell(e.DayStarted(date=today), CLOCK)
        self.tell(registration("r1"), ALFA)
        self.tell(registration("r2", provider=LINDE), BETA)
        self.tell(waiting("w1"), LIST)
        asked = 0
        for step in history:
            if step == "day":
                today += timedelta(days=1)
                self.tell(e.DayStarted(date=today), CLOCK)
            elif step == "answer":
                if self.proposals:
                    asked += 1
                    answer = answers[asked % len(answers)]
                    chosen = self.proposals[asked % len(self.proposals)]
                    row = self.state.proposals.get(chosen)
                    event = e.AllocationAnswered(
                        record_id=RecordId(f"a{asked}"), version=1, provider=ROOS if row is None else row.provider,
                        region=HERE, proposal_id=chosen, answer=answer,
                        reason=None if answer is AllocationAnswer.ACCEPTED else DeclineReason.NO_ROOM,
                    )  # fmt: skip
                    self.tell(event, KSV)
            else:
                assert not isinstance(step, str)
                self.tell(*step)
        self.snapshot()


@settings(max_examples=40, deadline=None)
@given(
    history=st.lists(told(), min_size=5, max_size=60),
    answers=st.lists(st.sampled_from(list(AllocationAnswer)), min_size=1, max_size=5),
    every=st.sampled_from([1, 3, 7]),
)
def test_restored_after_every_kth_event_it_says_the_same(
    history: list[Told | str], answers: list[AllocationAnswer], every: int
) -> None:
    """Same facts, and the same parts byte for byte: nothing that matters lives outside the parts."""
    unbroken, restored = Story(0), Story(every)
    unbroken.play(history, answers)
    restored.play(history, answers)
    assert restored.facts == unbroken.facts
    assert restored.parts == unbroken.parts


@settings(max_examples=25, deadline=None)
@given(history=st.lists(told(), min_size=5, max_size=60))
def test_every_home_event_has_one_receipt_which_stands_first(history: list[Told | str]) -> None:
    """Exactly one, whatever came before; what the match fold says has none."""
    story = Story(0)
    story.play(history, [AllocationAnswer.DECLINED])
    for facts in story.facts:
        receipts = [n for n, fact in enumerate(facts) if type(fact).__name__ == "ReceiptIssued"]
        assert receipts in ([0], []), "a receipt stands first"
    assert sum(1 for facts in story.facts if not facts) <= len(history)


def test_parts_are_bounded_in_number() -> None:
    """At most 64 parts a kind and region (spine 6)."""
    world = World()
    world.mandate(ROOS, ALFA)
    for number in range(300):
        world.given(registration(f"r{number}"), ALFA)
    names = [name.split("/")[0] for name in world.state.changed_parts()]
    assert all(names.count(name) <= SHARDS_MAX for name in names)
    assert names.count("registrations") > SHARDS_MAX // 2


def test_nothing_changed_writes_no_part() -> None:
    """A snapshot costs what changed."""
    world = World()
    world.mandate(ROOS, ALFA)
    world.given(registration(), ALFA)
    assert world.state.changed_parts()
    assert world.state.changed_parts() == {}
    world.given(registration(), ALFA)
    assert world.state.changed_parts() == {}


@pytest.mark.parametrize("order", [1, -1])
def test_the_order_of_a_bulk_load_leaves_no_trace_in_the_parts(order: int) -> None:
    """Parts are written sorted."""
    worlds = [World(), World()]
    for world, records in zip(worlds, (range(50), range(50)[::order]), strict=True):
        world.mandate(ROOS, ALFA)
        for number in records:
            world.given(registration(f"r{number}"), ALFA)
    first, second = (world.state.changed_parts() for world in worlds)
    assert first == second
    assert of_type(worlds[0].facts, e.RecordSettled)
