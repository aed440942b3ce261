"""The life of a duplicate: found, kept, ended; and what is none."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.duplicates import Matcher, MatchLimits, Outcome, stored
from hub.domain.events import LinkEnded, LinkFound, RecordMoved, RecordRef, TenantHeld
from hub.domain.identifiers import Agb, RecordId, RegionCode, TenantId
from hub.domain.identity import FILTER_BYTES, Block, Identity
from hub.domain.match_model import LEVELS, Explanation, MatchModel, check_model, levels_of
from hub.domain.match_state import MatchState
from hub.domain.warm_model import WARM_MODEL
from hub.domain.words import DuplicateVerdict, LinkEndReason, LinkKind, RecordKind, SettledOutcome
from hub.edge import EdgeEncoder, FileKey, PersonFields

DUE = date(2026, 6, 1)
KEY = FileKey.derived("tests of the match fold").with_next_epoch()
ENCODER = EdgeEncoder(KEY, 1)
ANNA = PersonFields(
    given_names="Johanna",
    surname="van der Berg",
    birth_date="1991-04-03",
    bsn="999990342",
    phone="0612345678",
    postcode="3512AB",
    house_number="12",
)
BEA = replace(ANNA, given_names="Beatrix", birth_date="1994-11-30", bsn="249566758", phone="0687654321")
CARLA = PersonFields(
    given_names="Carla",
    surname="Mulder",
    birth_date="1988-01-20",
    postcode="9711LM",
    house_number="3",
    phone="0611112222",
)


def ref(
    record: str,
    provider: str = "17000001",
    version: int = 1,
    region: str = "KSV-01",
    tenant: str = "pkg-alfa",
    kind: RecordKind = RecordKind.REGISTRATION,
) -> RecordRef:
    return RecordRef(
        tenant=TenantId(tenant),
        provider=Agb(provider),
        kind=kind,
        record_id=RecordId(record),
        version=version,
        region=RegionCode(region),
    )


class World:
    """A match fold with words for what happens to it."""

    def __init__(self, limits: MatchLimits | None = None) -> None:
        self.matcher = Matcher(limits)
        self.state = MatchState(WARM_MODEL)

    def active(
        self, at: RecordRef, person: PersonFields, due: date = DUE, encoder: EdgeEncoder = ENCODER
    ) -> list[Outcome]:
        out = self.matcher.submit(self.state, at, encoder.encode(person), due)
        return out + self.matcher.settle(self.state, at, SettledOutcome.ACTIVE, due)

    def closed(self, at: RecordRef, by_transfer: bool = False) -> list[Outcome]:
        return self.matcher.settle(self.state, at, SettledOutcome.CLOSED, DUE, by_transfer)

    def standing(self) -> int:
        return sum(1 for _ in self.state.links())


AT_A = ref("a1")
AT_B = ref("b1", provider="17000002", tenant="pkg-beta")
AT_C = ref("c1", provider="17000003", tenant="pkg-beta")


def test_a_client_registered_at_two_providers_is_found_at_once() -> None:
    """The link names both records, older first, and explains itself without a value."""
    world = World()
    assert world.active(AT_A, ANNA) == []
    (found,) = world.active(AT_B, replace(ANNA, phone="0699999999", surname="Berg"))
    assert isinstance(found, LinkFound)
    assert (found.first, found.second, found.kind, found.held) == (AT_A, AT_B, LinkKind.REGISTERED_TWICE, False)
    assert found.score_millibits > 0
    assert {"given_name", "national_id", "phone"} <= {reason.field for reason in found.reasons}
    assert next(r for r in found.reasons if r.field == "national_id").weight_millibits > 0
    assert next(r for r in found.reasons if r.field == "phone").weight_millibits < 0


def test_the_name_of_a_link_says_nothing_about_its_records() -> None:
    """A package hears it, and must not find the other provider by trying out names of records."""
    names = []
    for elsewhere in (AT_B, ref("b-77", provider="17000003", tenant="pkg-gamma", version=4)):
        world = World()
        world.active(elsewhere, ANNA)
        (found,) = world.active(AT_A, ANNA)
        assert isinstance(found, LinkFound)
        names.append(found.link_id)
    assert names[0] == names[1]


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (CARLA, "a stranger"),
        (BEA, "a sister at one address"),
        (replace(ANNA, given_names="Petra", bsn="249566758", phone="0687654321"), "a twin"),
        (
            replace(ANNA, bsn="249566758", phone="0687654321", postcode="9711LM", house_number="7"),
            "a namesake with one birth date",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_somebody_else_is_no_duplicate(other: PersonFields, why: str) -> None:
    """Two people explain these records better than one."""
    world = World()
    world.active(AT_A, ANNA)
    assert world.active(AT_B, other) == [], why


def test_two_records_of_one_provider_teach_the_model_and_alarm_nobody() -> None:
    """Within a provider records are two people by definition."""
    world = World()
    world.active(AT_A, ANNA)
    assert world.active(ref("a2"), ANNA) == []
    assert any(within for within, _, _ in world.state.patterns())


def test_only_versions_settled_active_are_paired() -> None:
    """Submitted alone, or refused, a record is nobody's duplicate (one judge)."""
    world = World()
    world.active(AT_A, ANNA)
    assert world.matcher.submit(world.state, AT_B, ENCODER.encode(ANNA), DUE) == []
    assert world.matcher.settle(world.state, AT_B, SettledOutcome.REFUSED, DUE) == []
    assert world.standing() == 0
    assert world.active(AT_C, ANNA) != []


def test_a_settlement_may_come_before_its_encoding() -> None:
    """Both reach identity-log on ways of their own."""
    world = World()
    world.active(AT_A, ANNA)
    assert world.matcher.settle(world.state, AT_B, SettledOutcome.ACTIVE, DUE) == []
    assert len(world.matcher.submit(world.state, AT_B, ENCODER.encode(ANNA), DUE)) == 1


@pytest.mark.parametrize(
    "told", ["submit bo, submit anna, refuse, accept", "submit bo, refuse, submit anna, accept",
             "refuse, submit bo, accept, submit anna", "refuse, accept, submit bo, submit anna",
             "submit anna, submit bo, accept"],
)  # fmt: skip
def test_of_two_submissions_of_one_version_the_one_that_its_region_took_is_paired(told: str) -> None:
    """A region judges them in the order in which they came; judgement and encoding reach identity-log apart."""
    world = World()
    world.active(AT_A, ANNA)
    bo = replace(
        ANNA, given_names="Bo", surname="Verhoeven", birth_date="1985-12-30", bsn="", phone="", postcode="9711AA"
    )
    out: list[Outcome] = []
    for step in told.split(", "):
        match step.split():
            case ["submit", who]:
                identity = ENCODER.encode({"anna": ANNA, "bo": bo}[who])
                out += world.matcher.submit(world.state, AT_B, identity, DUE)
            case [verdict]:
                outcome = {"refuse": SettledOutcome.REFUSED, "accept": SettledOutcome.ACTIVE}[verdict]
                out += world.matcher.settle(world.state, AT_B, outcome, DUE)
    assert [type(one) for one in out] == [LinkFound] and world.standing() == 1


@pytest.mark.parametrize(
    ("by_transfer", "reason"), [(False, LinkEndReason.WITHDRAWN), (True, LinkEndReason.TRANSFERRED)]
)
def test_withdrawing_at_one_provider_ends_the_link(by_transfer: bool, reason: LinkEndReason) -> None:
    """The episode is resolved, with its reason."""
    world = World()
    world.active(AT_A, ANNA)
    world.active(AT_B, ANNA)
    (ended,) = world.closed(AT_A, by_transfer)
    assert isinstance(ended, LinkEnded) and ended.reason is reason
    assert world.standing() == 0
    assert world.closed(AT_A) == []


def test_a_transfer_is_no_duplicate() -> None:
    """Withdrawn at A, then registered at B."""
    world = World()
    world.active(AT_A, ANNA)
    world.closed(AT_A)
    assert world.active(AT_B, ANNA) == []


def test_a_later_pregnancy_is_no_duplicate() -> None:
    """Due dates over 20 weeks apart; 20 weeks exactly still may be one."""
    world = World()
    world.active(AT_A, ANNA)
    assert world.active(AT_B, ANNA, DUE + timedelta(days=141)) == []
    assert world.active(AT_C, ANNA, DUE + timedelta(days=140)) != []


def test_a_corrected_record_loses_the_link_that_it_no_longer_bears() -> None:
    """A higher version with another client's facts breaks it; one with the same facts keeps it."""
    world = World()
    world.active(AT_A, ANNA)
    world.active(AT_B, ANNA)
    assert world.active(replace(AT_B, version=2), ANNA) == []
    (ended,) = world.active(replace(AT_B, version=3), CARLA)
    assert isinstance(ended, LinkEnded) and ended.reason is LinkEndReason.CORRECTED


def test_a_waiting_client_links_to_her_registration_and_costs_no_budget() -> None:
    """waiting_and_registered is not signalled (rule 26); two waiting records are no link at all."""
    world = World(MatchLimits(links_max=0))
    waiting = ref("w1", provider="", tenant="tool", kind=RecordKind.WAITING)
    world.active(waiting, ANNA)
    (found,) = world.active(AT_A, ANNA)
    assert isinstance(found, LinkFound) and found.kind is LinkKind.WAITING_AND_REGISTERED and not found.held
    assert world.active(ref("w2", provider="", tenant="other-tool", kind=RecordKind.WAITING), CARLA) == []


def test_a_provider_has_one_registration_of_a_client_so_only_the_best_is_linked() -> None:
    """A twin at the same provider does not share the signal."""
    world = World()
    twin = replace(ANNA, given_names="Petra", bsn="", phone="")
    world.active(ref("a2"), twin)
    world.active(AT_A, ANNA)
    (found,) = world.active(AT_B, ANNA)
    assert isinstance(found, LinkFound) and found.first == AT_A


def test_two_strong_links_join_their_other_ends() -> None:
    """A record that shares nothing with another is still hers, when a third shares enough with both."""
    world = World()
    by_number = PersonFields(bsn="999990342", phone="0612345678", given_names="Johanna")
    by_address = replace(ANNA, bsn="", phone="")
    assert world.active(AT_A, by_number) == []
    world.active(AT_C, by_address)
    found = world.active(AT_B, ANNA)
    assert {(link.first.record_id, link.second.record_id) for link in found if isinstance(link, LinkFound)} == {
        ("a1", "b1"),
        ("c1", "b1"),
        ("a1", "c1"),
    }


def test_a_third_record_carries_no_weak_link_to_whom_it_never_met() -> None:
    """Two links may both stand and one of them be false: it must not spread to what shares no block with it."""
    world = World()
    world.active(AT_A, replace(ANNA, given_names="J.", bsn="", phone="", postcode="", house_number=""))
    world.active(AT_C, PersonFields(phone=ANNA.phone))
    found = [link for link in world.active(AT_B, ANNA) if isinstance(link, LinkFound)]
    assert {link.first.record_id for link in found} == {"a1", "c1"}
    assert {link.second.record_id for link in found} == {"b1"}
    assert all(link.score_millibits > 3000 for link in found)


def test_state_ends_six_weeks_after_the_due_date() -> None:
    """Rows, blocks and links are gone, and nothing comes back."""
    world = World()
    world.matcher.start_day(world.state, DUE)
    world.active(AT_A, ANNA)
    world.active(AT_B, ANNA)
    assert world.matcher.start_day(world.state, DUE + timedelta(days=41)) == []
    (ended,) = world.matcher.start_day(world.state, DUE + timedelta(days=42))
    assert isinstance(ended, LinkEnded) and ended.reason is LinkEndReason.EXPIRED
    assert not [name for name in world.state.parts() if name.startswith(("rows", "tokens", "refs", "expiry", "links"))]
    assert world.active(AT_C, ANNA) == [] and world.state.numbers() == []


def test_a_record_in_two_regions_belongs_to_the_highest_version() -> None:
    """DESIGN spine 4, in whatever order: at equal versions the first in the log wins."""
    world = World()
    world.active(AT_A, ANNA)
    elsewhere = replace(AT_A, version=2, region=RegionCode("KSV-02"))
    (moved,) = world.active(elsewhere, ANNA)
    assert moved == RecordMoved(record=replace(AT_A, version=2), version=2, new_region=RegionCode("KSV-02"))
    (late,) = world.matcher.settle(world.state, AT_A, SettledOutcome.ACTIVE, DUE)
    assert late == RecordMoved(record=AT_A, version=2, new_region=RegionCode("KSV-02"))
    same = replace(elsewhere, region=RegionCode("KSV-03"))
    (lost,) = world.matcher.settle(world.state, same, SettledOutcome.ACTIVE, DUE)
    assert isinstance(lost, RecordMoved) and lost.record.region == "KSV-03" and lost.new_region == "KSV-02"


def test_nothing_resurrects_a_closed_version() -> None:
    """A repeated older settlement changes nothing; a higher version does."""
    world = World()
    world.active(AT_A, ANNA)
    world.active(AT_B, ANNA)
    world.closed(replace(AT_B, version=2))
    assert world.active(AT_B, ANNA) == [] and world.standing() == 0
    assert len(world.active(replace(AT_B, version=3), ANNA)) == 1


def test_feedback_is_counted_and_a_rejected_pair_stays_apart() -> None:
    """ "Not a duplicate" ends the link for good; a confirmation only counts."""
    world = World()
    world.active(AT_A, ANNA)
    (found,) = world.active(AT_B, ANNA)
    assert isinstance(found, LinkFound)
    assert world.matcher.feedback(world.state, found.link_id, DuplicateVerdict.CONFIRMED) == []
    (ended,) = world.matcher.feedback(world.state, found.link_id, DuplicateVerdict.NOT_A_DUPLICATE)
    assert isinstance(ended, LinkEnded) and ended.reason is LinkEndReason.NOT_A_DUPLICATE
    assert world.active(replace(AT_B, version=2), replace(ANNA, phone="")) == []
    assert world.matcher.feedback(world.state, "no such link", DuplicateVerdict.CONFIRMED) == []
    assert world.state.tallies["feedback_confirmed"] == world.state.tallies["feedback_not_a_duplicate"] == 1
    assert world.state.tallies["feedback_on_unknown_link"] == 1


def test_a_tenant_beyond_its_budget_is_held_until_a_person_releases_it() -> None:
    """One notice, further links held, and said again after the release."""
    world = World(MatchLimits(links_max=1))
    world.matcher.start_day(world.state, date(2026, 1, 1))
    people = [
        ANNA,
        CARLA,
        replace(
            CARLA, given_names="Dora", surname="Post", birth_date="1990-05-05", phone="0633334444", postcode="1011AA"
        ),
    ]
    for i, person in enumerate(people):
        world.active(ref(f"a{i}"), person)
    outs = [
        world.active(ref(f"b{i}", provider="17000002", tenant="pkg-beta"), person) for i, person in enumerate(people)
    ]
    assert [[type(o).__name__ for o in out] for out in outs] == [
        ["LinkFound"],
        ["TenantHeld", "LinkFound"],
        ["LinkFound"],
    ]
    held = outs[1][0]
    assert held == TenantHeld(held_tenant=TenantId("pkg-beta"), links_in_window=2, budget=1)
    assert [o.held for out in outs for o in out if isinstance(o, LinkFound)] == [False, True, True]
    again = world.matcher.release_hold(world.state, TenantId("pkg-beta"))
    assert [isinstance(o, LinkFound) and not o.held for o in again] == [True, True]
    assert world.matcher.release_hold(world.state, TenantId("pkg-beta")) == []


def test_the_budget_counts_a_rolling_window() -> None:
    """What was found a week ago no longer counts."""
    world = World(MatchLimits(links_max=1))
    world.matcher.start_day(world.state, date(2026, 1, 1))
    world.active(AT_A, ANNA)
    world.active(ref("a2"), CARLA)
    world.active(AT_B, ANNA)
    world.matcher.start_day(world.state, date(2026, 1, 8))
    assert [type(o) for o in world.active(ref("b2", provider="17000002", tenant="pkg-beta"), CARLA)] == [LinkFound]


def test_a_record_without_an_account_is_compared_with_one_that_has_accounts() -> None:
    """Their filters are laid out differently: all fields that both have say equal, in whatever order they come."""
    alone = replace(ANNA, bsn="", phone="", email="", insurer_number="")
    patterns = set()
    for persons in ((ANNA, alone), (alone, ANNA), (alone, alone)):
        ours, theirs = (stored(EdgeEncoder(KEY).encode(person)) for person in persons)
        places = [
            at << 6 | there
            for at in range(len(ours.passes))
            for there in range(len(theirs.passes))
            if ours.tokens[at * 6 : at * 6 + 6] == theirs.tokens[there * 6 : there * 6 + 6]
        ]
        patterns.add(Matcher().pattern(ours, theirs, places))
    assert len(patterns) == 1
    levels = levels_of(patterns.pop())
    assert (
        all(level in (0, size - 1) for level, size in zip(levels, LEVELS, strict=True)) and sum(map(bool, levels)) >= 5
    )


def test_a_block_is_bounded_and_says_when_the_bound_bites() -> None:
    """Record 51 of a block still looks at the 50, but does not enter."""
    world = World(MatchLimits(block_max=3))
    shared = Identity(1, (Block(5, b"oneblock", bytes([1]) * FILTER_BYTES),))
    for i in range(5):
        at = ref(f"r{i}", provider=f"1700{i:04d}")
        world.matcher.submit(world.state, at, shared, DUE)
        world.matcher.settle(world.state, at, SettledOutcome.ACTIVE, DUE)
    assert world.state.tallies["blocks_full"] == 2


def test_a_record_with_too_few_facts_is_accepted_and_counted() -> None:
    """It is not comparable, and lives and closes like any other."""
    world = World()
    assert world.active(AT_A, PersonFields(given_names="Anna")) == []
    assert world.state.tallies["not_comparable"] == 1
    assert world.closed(AT_A) == []


def test_epochs_overlap_without_losing_a_duplicate() -> None:
    """A record re-encoded under the next epoch is found under both; a new one under either."""
    next_epoch = EdgeEncoder(KEY, 2)
    world = World()
    world.active(AT_A, ANNA)
    assert world.active(replace(AT_A, version=2), ANNA, encoder=next_epoch) == []
    assert len(world.active(AT_B, ANNA, encoder=next_epoch)) == 1
    assert len([o for o in world.active(AT_C, ANNA) if isinstance(o, LinkFound)]) >= 1


def test_a_takeover_renames_records_and_keeps_links() -> None:
    """RegistrationsTakenOver: the new package withdraws under its own name."""
    world = World()
    world.active(AT_A, ANNA)
    world.active(AT_B, ANNA)
    world.matcher.take_over(
        world.state,
        AT_B.region,
        Agb("17000002"),
        TenantId("pkg-beta"),
        TenantId("pkg-gamma"),
        {RecordId("b1"): RecordId("g9")},
    )
    renamed = replace(AT_B, tenant=TenantId("pkg-gamma"), record_id=RecordId("g9"))
    assert world.closed(AT_B) == [] or world.standing() == 1
    assert [type(o) for o in world.closed(renamed)] == [LinkEnded]


def test_a_takeover_survives_a_newer_record_that_gives_way() -> None:
    """The new tenant sent the record itself, later and in a lower version: one of the two remains."""
    world = World()
    world.active(ref("a1", version=2), ANNA)
    world.active(ref("a1", tenant="pkg-beta"), ANNA)
    world.matcher.take_over(world.state, AT_A.region, AT_A.provider, AT_A.tenant, AT_B.tenant)
    assert [world.state.row(number).version for number in world.state.numbers()] == [2]


def test_an_unfit_model_is_not_adopted() -> None:
    """The fold goes on with the one it has, and counts why."""
    world = World()
    lame = MatchModel("lame", (Explanation("one", True, 0, tuple((0,) * size for size in LEVELS)),))
    assert check_model(lame) == "one_sided"
    world.matcher.adopt_model(world.state, lame, "model", 1)
    assert world.state.model is WARM_MODEL and world.state.tallies["model_refused_one_sided"] == 1
    better = replace(WARM_MODEL, version="next")
    world.matcher.adopt_model(world.state, better, "model", 2)
    assert world.state.model.version == "next"


def test_a_model_that_nl_refuses_is_not_adopted_here_either() -> None:
    """An older version is stale, an equal one a repeat or a conflict: what was learned since goes on, also later."""
    world = World()
    world.matcher.adopt_model(world.state, replace(WARM_MODEL, version="next"), "model", 2)
    world.active(AT_A, ANNA)
    world.active(AT_B, ANNA)
    world.state = MatchState.restore(world.state.parts())
    learned = world.state.patterns()
    for version in (1, 2):
        world.matcher.adopt_model(world.state, replace(WARM_MODEL, version="old"), "model", version)
    assert world.state.model.version == "next" and world.state.patterns() == learned != []
    assert world.state.tallies["model_refused_not_newer"] == 2
    world.matcher.adopt_model(world.state, replace(WARM_MODEL, version="other"), "another model", 1)
    assert world.state.model.version == "other"


_PEOPLE = [
    ANNA,
    BEA,
    CARLA,
    replace(ANNA, phone=""),
    replace(ANNA, surname="de Vries-van der Berg", bsn=""),
    PersonFields(given_names="X"),
]
_IDENTITIES = [ENCODER.encode(person) for person in _PEOPLE]
_STEP = st.tuples(
    st.sampled_from(["register", "register", "register", "submit", "active", "closed", "refused", "day"]),
    st.integers(0, 3),
    st.integers(1, 3),
    st.integers(0, len(_PEOPLE) - 1),
    st.sampled_from(["KSV-01", "KSV-02"]),
)


def _play(world: World, step: tuple[str, int, int, int, str]) -> list[Outcome]:
    verb, who, version, person, region = step
    at = ref(f"r{who}", provider=f"1700000{who}", tenant=f"pkg-{who % 2}", version=version, region=region)
    match verb:
        case "register":
            return world.active(at, _PEOPLE[person])
        case "submit":
            return world.matcher.submit(world.state, at, _IDENTITIES[person], DUE)
        case "active" | "closed" | "refused":
            return world.matcher.settle(world.state, at, SettledOutcome(verb), DUE)
        case _:
            return world.matcher.start_day(world.state, date(2026, 1, 1) + timedelta(days=20 * version))


@settings(max_examples=120, deadline=None)
@given(st.lists(_STEP, min_size=6, max_size=25), st.integers(0, 25), st.sampled_from([1, 50]))
def test_a_restored_state_says_the_same_and_becomes_the_same_bytes(
    steps: list[tuple[str, int, int, int, str]], cut: int, block_max: int
) -> None:
    """Snapshot and restore after any event changes nothing, full blocks included; only changed parts are written."""
    limits = MatchLimits(block_max=block_max)
    straight, cold = World(limits), World(limits)
    kept: dict[str, bytes] = {}
    for i, step in enumerate(steps):
        said = _play(straight, step)
        if i == cut:
            kept = cold.state.parts()
            cold.state = MatchState.restore(kept)
        assert _play(cold, step) == said
        for name, part in cold.state.take_changed().items():
            if part is None:
                kept.pop(name, None)
            else:
                kept[name] = part
    assert cold.state.parts() == straight.state.parts()
    assert {name: part for name, part in kept.items() if part} == {
        k: v for k, v in straight.state.parts().items() if k in kept
    }
    assert MatchState.restore(straight.state.parts()).parts() == straight.state.parts()


@settings(max_examples=60, deadline=None)
@given(st.lists(_STEP, min_size=6, max_size=25))
def test_every_link_that_ends_was_found_and_every_link_stands_between_two_active_records(
    steps: list[tuple[str, int, int, int, str]],
) -> None:
    """Links found minus links ended are exactly the links in the state, on both rows."""
    world = World()
    standing: set[str] = set()
    for step in steps:
        for outcome in _play(world, step):
            if isinstance(outcome, LinkFound):
                standing.add(outcome.link_id)
            elif isinstance(outcome, LinkEnded):
                standing.remove(outcome.link_id)
        assert standing == {link_id for link_id, _, _ in world.state.links()}
        for link_id, newer, older in world.state.links():
            for number in (newer, older):
                row = world.state.row(number)
                assert row.status == 1 and link_id in {linked.link_id for linked in row.links}
