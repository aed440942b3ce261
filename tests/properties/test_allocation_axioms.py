"""What a round promises, for any waiting list: each promise is a property, and each is seen to fail on a mistake.

Where a promise needs all clients to be owed the same it says so: that is the case before birth, when no hospital days
are known, and always at the region's mean. With unequal amounts filling rooms is a packing problem and no rule that
keeps to an order of urgency can promise the same: there the promise is that exchanges only add hours and never cost an
urgent client her place; docs/fair-share.md gives the measured distance from the optimum.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from itertools import combinations
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain import allocation
from hub.domain.allocation import (
    AllocationRules,
    Bearer,
    OpenProposal,
    Outcome,
    Round,
    ServiceArea,
    WaitingClient,
    in_order_of_urgency,
    is_urgent,
)
from hub.domain.fair_share import Standing, share_out
from hub.domain.identifiers import Agb, Pc4, RecordId, RegionCode, Uzovi
from tests.properties.planted import Mistake, breaks, planted

BY_ORDER_ALONE = planted(allocation, Mistake("no exchanges", "if left and self._fill_rooms(left)", "if False"))
POSTCODES = [Pc4("1011"), Pc4("1012"), Pc4("1013")]
INSURERS = [Uzovi("3311"), Uzovi("7119")]
JULY_1 = date(2026, 7, 1)
FULL, LESS = 24 * 60, 15 * 60


@dataclass(frozen=True)
class Case:
    """A region, and its waiting list of today. `earlier` was proposed on an earlier day and is still unanswered."""

    standings: tuple[Standing, ...]
    areas: tuple[tuple[ServiceArea, ...], ...]
    waiting: tuple[WaitingClient, ...]
    earlier: tuple[OpenProposal, ...]

    def round(self) -> Round:
        pool = sum(client.owed_minutes for client in self.waiting)
        pool += sum(proposal.client.owed_minutes for proposal in self.earlier)
        shares = share_out(self.standings, pool)
        held = Counter[Agb]()
        for proposal in self.earlier:
            held[proposal.provider] += proposal.client.owed_minutes
        areas = {standing.provider: area for standing, area in zip(self.standings, self.areas, strict=True)}
        bearers = tuple(Bearer.of_share(share, held[share.provider], areas[share.provider]) for share in shares.shares)
        return Round(RegionCode("KSV-07"), JULY_1, bearers, self.waiting, self.earlier)


@st.composite
def crowds(draw: st.DrawFn, *, owed: tuple[int, ...] = (FULL,)) -> Case:
    """Two to four providers that look alike, with room for one to three clients each, each serving one to three PC4s.

    Narrower than `cases`: ties and chains are the rule here. It looks for mistakes that show only there.
    """
    agbs = [Agb(f"4100{number:04d}") for number in range(draw(st.integers(2, 4)))]
    minutes = st.sampled_from([FULL, FULL + LESS, 2 * FULL, 3 * FULL])
    standings = tuple(Standing(agb, draw(minutes), 0, 0, 0) for agb in agbs)
    some = st.sampled_from([frozenset(some) for size in (1, 2, 3) for some in combinations(POSTCODES, size)])
    areas = tuple((ServiceArea(None, draw(some)),) for _ in agbs)
    count = draw(st.integers(2, 10))
    places = draw(st.lists(st.sampled_from(POSTCODES), min_size=count, max_size=count))
    amounts = draw(st.lists(st.sampled_from(owed), min_size=count, max_size=count))
    preferred = draw(st.lists(st.sampled_from([None, None, *agbs]), min_size=count, max_size=count))
    waiting = tuple(
        WaitingClient(RecordId(f"w{number}"), place, amount, number, preferred=preference)
        for number, (place, amount, preference) in enumerate(zip(places, amounts, preferred, strict=True))
    )
    return Case(standings, areas, waiting, ())


@st.composite
def due_crowds(draw: st.DrawFn) -> Case:
    """Crowds who are owed 24, 15 or 9 h, due within days or later, some of whom gave way in an earlier round."""
    crowd = draw(crowds(owed=(FULL, LESS, 9 * 60)))
    due = st.sampled_from([date(2026, 7, 3), date(2026, 7, 20)])
    gave_way = st.sampled_from([False, False, True])
    waiting = tuple(replace(one, due_on=draw(due), gave_way=draw(gave_way)) for one in crowd.waiting)
    return replace(crowd, waiting=waiting)


@st.composite
def cases(draw: st.DrawFn, *, owed: tuple[int, ...] = (FULL,), everywhere: bool = False) -> Case:
    """Two to four providers with room for few clients, and up to eight clients who want more than there is."""
    agbs = [Agb(f"4100{number:04d}") for number in range(draw(st.integers(2, 4)))]
    standings = tuple(
        Standing(
            provider=agb,
            employed_minutes=draw(st.integers(0, 4)) * 720,
            self_employed_minutes=draw(st.sampled_from([0, 0, 720])),
            delivered_minutes_12m=draw(st.integers(0, 3)) * 2400,
            own_obligation_minutes=draw(st.integers(0, 2)) * 240,
            carry_minutes=draw(st.integers(-2, 2)) * 480,
        )
        for agb in agbs
    )
    some = st.frozensets(st.sampled_from(POSTCODES), min_size=1)
    insurers = st.sampled_from([None, None, *INSURERS])
    areas = tuple(
        (ServiceArea(None, frozenset(POSTCODES)),) if everywhere else (ServiceArea(draw(insurers), draw(some)),)
        for _ in agbs
    )

    def client(number: int) -> WaitingClient:
        return WaitingClient(
            id=RecordId(f"w{number}"),
            pc4=draw(st.sampled_from(POSTCODES)),
            owed_minutes=draw(st.sampled_from(owed)),
            requested_at_ms=draw(st.integers(0, 3)),
            due_on=draw(st.sampled_from([None, date(2026, 7, 9), date(2026, 7, 20)])),
            insurer=draw(st.sampled_from([None, *INSURERS])),
            preferred=draw(st.sampled_from([None, *agbs])),
            declined_by=draw(st.frozensets(st.sampled_from(agbs), max_size=1)) if not everywhere else frozenset(),
        )

    waiting = [client(number) for number in range(draw(st.integers(1, 8)))]
    fresh = Case(standings, areas, tuple(waiting), ())
    count = 0 if everywhere else draw(st.integers(0, 3))
    if not count:
        return fresh
    proposed = allocation.allocate(replace(fresh, waiting=tuple(waiting[:count])).round()).placements
    by_id = {one.id: one for one in waiting}
    earlier = tuple(OpenProposal(by_id[placement.client], placement.provider) for placement in proposed)
    return Case(standings, areas, tuple(waiting[count:]), earlier)


def carried(case: Case, outcome: Outcome) -> dict[RecordId, Agb]:
    """Who carries whom once the round is published."""
    now = {proposal.client.id: proposal.provider for proposal in case.earlier}
    now |= {move.placement.client: move.placement.provider for move in outcome.moves}
    return now | {placement.client: placement.provider for placement in outcome.placements}


def everyone(case: Case) -> dict[RecordId, WaitingClient]:
    """Clients of this round and of earlier proposals, by id."""
    return {client.id: client for client in (*case.waiting, *(proposal.client for proposal in case.earlier))}


def could_take(bearer: Bearer, client: WaitingClient) -> bool:
    """Contract, postcode and no refusal, said once more in the plainest words."""
    serves = any(
        client.pc4 in area.postcodes and (area.insurer is None or client.insurer in (None, area.insurer))
        for area in bearer.areas
    )
    return serves and bearer.provider not in client.declined_by and bearer.provider not in client.refused


def rooms_left(case: Case, outcome: Outcome) -> dict[Agb, int]:
    """Spare time minus all that is carried."""
    left = {bearer.provider: bearer.spare_minutes for bearer in case.round().bearers}
    for client, provider in carried(case, outcome).items():
        left[provider] -= everyone(case)[client].owed_minutes
    return left


def nobody_is_asked_beyond_capacity(rules: ModuleType, case: Case) -> None:
    assert min(rooms_left(case, rules.allocate(case.round())).values()) >= 0


def nobody_gets_less_than_she_is_owed(rules: ModuleType, case: Case) -> None:
    owed = {client.id: client.owed_minutes for client in case.waiting}
    for placement in rules.allocate(case.round()).placements:
        assert placement.minutes == owed[placement.client]


def only_who_may_take_her_is_asked(rules: ModuleType, case: Case) -> None:
    """Her insurer's contract, her postcode, and never who declined her."""
    bearers = {bearer.provider: bearer for bearer in case.round().bearers}
    for client, provider in carried(case, rules.allocate(case.round())).items():
        assert could_take(bearers[provider], everyone(case)[client])


def nobody_waits_while_there_is_room(rules: ModuleType, case: Case) -> None:
    outcome = rules.allocate(case.round())
    left = rooms_left(case, outcome)
    for unplaced in outcome.unplaced:
        client = everyone(case)[unplaced.client]
        for bearer in case.round().bearers:
            assert not (could_take(bearer, client) and left[bearer.provider] >= client.owed_minutes)


def urgent(case: Case) -> set[RecordId]:
    return {client.id for client in case.waiting if is_urgent(client, JULY_1, AllocationRules())}


def the_urgent_do_not_wait_for_the_sake_of_others(rules: ModuleType, case: Case) -> None:
    """Whom the order of urgency places is placed in the end, if her birth is due within days or she gave way before."""
    in_turn = {placement.client for placement in BY_ORDER_ALONE.allocate(case.round()).placements}
    placed = {placement.client for placement in rules.allocate(case.round()).placements}
    before = {client.id for client in case.waiting if client.gave_way}
    assert in_turn & (urgent(case) | before) <= placed


def giving_way_places_more_care(rules: ModuleType, case: Case) -> None:
    """Never less than the order of urgency alone; who gave way was not urgent, and hears that it was for others."""
    by_order = sum(placement.minutes for placement in BY_ORDER_ALONE.allocate(case.round()).placements)
    outcome = rules.allocate(case.round())
    assert sum(placement.minutes for placement in outcome.placements) >= by_order
    gave_way = {one.client for one in outcome.unplaced if one.why == "gave_way"}
    assert not gave_way & urgent(case)
    if gave_way:
        assert any(placement.why == "filled_room" for placement in outcome.placements)


def every_client_is_answered_once(rules: ModuleType, case: Case) -> None:
    outcome = rules.allocate(case.round())
    answered = [*(one.client for one in outcome.placements), *(one.client for one in outcome.unplaced)]
    assert sorted(answered) == sorted(client.id for client in case.waiting)


def every_other_provider_has_a_reason(rules: ModuleType, case: Case) -> None:
    outcome = rules.allocate(case.round())
    bearers = {bearer.provider: bearer for bearer in case.round().bearers}
    for answer in (*outcome.placements, *outcome.unplaced, *(move.placement for move in outcome.moves)):
        client = everyone(case)[answer.client]
        chosen = {getattr(answer, "provider", None)} - {None}
        assert {passed.provider for passed in answer.passed_over} == bearers.keys() - chosen
        for passed in answer.passed_over:
            hard = {"no_contract", "not_in_postcode", "declined_her", "refused_by_her"}
            assert (passed.why.value in hard) == (not could_take(bearers[passed.provider], client))
            if passed.why not in hard | {"gave_way"}:
                assert (passed.why == "no_room") == (passed.room_minutes < client.owed_minutes)


def nobody_who_could_take_her_carries_less(rules: ModuleType, case: Case) -> None:
    """At the end of the round, whoever came after her: that is what her explanation says, and anyone can check it."""
    bearers = {bearer.provider: bearer for bearer in case.round().bearers}
    for placement in rules.allocate(case.round()).placements:
        without_her = placement.burden_minutes / bearers[placement.provider].weight
        for passed in placement.passed_over:
            if passed.why in ("higher_burden", "not_preferred", "lot"):
                burden = passed.burden_minutes / bearers[passed.provider].weight
                assert burden > without_her if passed.why == "higher_burden" else burden == without_her


def most_placed(case: Case, clients: list[WaitingClient]) -> list[RecordId]:
    """Kuhn's matching, in order of urgency: a second opinion that shares no line with the rule.

    Every room is cut into places of 24 h; in that order it places a largest set, and the most urgent such set.
    """
    places = [
        (bearer, number) for bearer in case.round().bearers for number in range(max(0, bearer.spare_minutes) // FULL)
    ]
    holder: dict[int, WaitingClient] = {}

    def fits(client: WaitingClient, seen: set[int]) -> bool:
        for place, (bearer, _) in enumerate(places):
            if place not in seen and could_take(bearer, client):
                seen.add(place)
                if place not in holder or fits(holder[place], seen):
                    holder[place] = client
                    return True
        return False

    return [client.id for client in clients if fits(client, set())]


def the_most_urgent_largest_set_is_placed(rules: ModuleType, case: Case) -> None:
    """All owed the same: nobody can place more clients, nor a more urgent set of as many."""
    earlier = [proposal.client for proposal in case.earlier]
    clients = [*earlier, *in_order_of_urgency(case.waiting, AllocationRules())]
    assert sorted(carried(case, rules.allocate(case.round()))) == sorted(most_placed(case, clients))


def more_capacity_places_no_fewer(rules: ModuleType, case: Case) -> None:
    """All owed the same: whoever gets more hours, no client is lost by it."""
    before = len(carried(case, rules.allocate(case.round())))
    for number, standing in enumerate(case.standings):
        larger = replace(standing, employed_minutes=standing.employed_minutes + 1440)
        standings = (*case.standings[:number], larger, *case.standings[number + 1 :])
        after = replace(case, standings=standings)
        assert len(carried(after, rules.allocate(after.round()))) >= before


def a_proposal_moves_only_to_place_one_more(rules: ModuleType, case: Case) -> None:
    """Each move made room for a client; and for the first of these clients nothing else would have."""
    outcome = rules.allocate(case.round())
    earlier = {proposal.client.id for proposal in case.earlier}
    made_room = [placement for placement in outcome.placements if earlier & set(placement.moved)]
    assert {move.placement.client for move in outcome.moves} <= {id_ for one in made_room for id_ in one.moved}
    for move in outcome.moves:
        assert move.source != move.placement.provider
    if made_room:
        placed = [placement.client for placement in outcome.placements]
        up_to_her = placed[: placed.index(made_room[0].client) + 1]
        waiting = tuple(client for client in case.waiting if client.id in up_to_her)
        fixed = replace(case.round(), waiting=waiting, open_proposals=())
        assert len(rules.allocate(fixed).placements) < len(up_to_her)


def other_names_change_nothing(rules: ModuleType, case: Case) -> None:
    """Whatever is said of a provider except its name decides what it gets."""
    names = {bearer.provider: Agb(f"4155{9999 - int(bearer.provider[4:]):04d}") for bearer in case.round().bearers}

    def renamed_client(client: WaitingClient) -> WaitingClient:
        return replace(
            client,
            preferred=None if client.preferred is None else names[client.preferred],
            declined_by=frozenset(names[provider] for provider in client.declined_by),
        )

    renamed = Case(
        standings=tuple(replace(standing, provider=names[standing.provider]) for standing in case.standings),
        areas=case.areas,
        waiting=tuple(renamed_client(client) for client in case.waiting),
        earlier=tuple(OpenProposal(renamed_client(one.client), names[one.provider]) for one in case.earlier),
    )

    def got(of: Case) -> Counter[tuple[object, ...]]:
        back = names if of is case else {name: name for name in names.values()}
        amounts = Counter[Agb]()
        for client, provider in carried(of, rules.allocate(of.round())).items():
            amounts[provider] += everyone(of)[client].owed_minutes
        said: dict[Agb, list[str]] = {name: [] for name in names.values()}
        for client_ in everyone(of).values():
            if client_.preferred is not None:
                said[back[client_.preferred]].append(f"preferred {client_.id}")
            for provider in client_.declined_by:
                said[back[provider]].append(f"declined {client_.id}")
        for proposal in of.earlier:
            said[back[proposal.provider]].append(f"open {proposal.client.id}")
        return Counter(
            (
                replace(standing, provider=Agb("")),
                areas,
                tuple(sorted(said[back[standing.provider]])),
                amounts[standing.provider],
            )
            for standing, areas in zip(of.standings, of.areas, strict=True)
        )

    assert got(case) == got(renamed)


def the_order_of_arrival_changes_nothing(rules: ModuleType, case: Case) -> None:
    mirrored = Case(case.standings[::-1], case.areas[::-1], case.waiting[::-1], case.earlier[::-1])
    assert rules.allocate(case.round()) == rules.allocate(mirrored.round())


def splitting_gains_at_most_one_client(rules: ModuleType, case: Case) -> None:
    """A provider that presents itself as two halves is asked for at most one client's hours less."""
    whole = rules.allocate(case.round())
    for number, standing in enumerate(case.standings):
        half = Standing(
            provider=standing.provider,
            employed_minutes=standing.employed_minutes // 2,
            self_employed_minutes=standing.self_employed_minutes // 2,
            delivered_minutes_12m=standing.delivered_minutes_12m // 2,
            own_obligation_minutes=standing.own_obligation_minutes // 2,
            carry_minutes=standing.carry_minutes // 2,
        )
        halves = (half, replace(half, provider=Agb("41009999")))
        split = replace(
            case,
            standings=(*case.standings[:number], *case.standings[number + 1 :], *halves),
            areas=(*case.areas[:number], *case.areas[number + 1 :], case.areas[number], case.areas[number]),
        )
        asked = sum(placement.provider == standing.provider for placement in whole.placements)
        of_halves = {half.provider for half in halves}
        after = sum(one.provider in of_halves for one in rules.allocate(split.round()).placements)
        assert after >= asked - 1


Axiom = Callable[[ModuleType, Case], None]
ONE_AMOUNT = cases()
AMOUNTS = cases(owed=(FULL, FULL, LESS))
EVERYWHERE = cases(everywhere=True)

AXIOMS = [
    (nobody_is_asked_beyond_capacity, AMOUNTS | crowds(owed=(FULL, LESS, 9 * 60))),
    (nobody_gets_less_than_she_is_owed, AMOUNTS),
    (only_who_may_take_her_is_asked, AMOUNTS),
    (nobody_waits_while_there_is_room, AMOUNTS),
    (the_urgent_do_not_wait_for_the_sake_of_others, AMOUNTS | due_crowds()),
    (giving_way_places_more_care, AMOUNTS | due_crowds()),
    (every_client_is_answered_once, AMOUNTS),
    (every_other_provider_has_a_reason, AMOUNTS),
    (nobody_who_could_take_her_carries_less, AMOUNTS | crowds()),
    (the_most_urgent_largest_set_is_placed, ONE_AMOUNT | crowds()),
    (more_capacity_places_no_fewer, ONE_AMOUNT | crowds()),
    (a_proposal_moves_only_to_place_one_more, ONE_AMOUNT),
    (other_names_change_nothing, AMOUNTS | crowds()),
    (the_order_of_arrival_changes_nothing, AMOUNTS | crowds()),
    (splitting_gains_at_most_one_client, EVERYWHERE),
]


@pytest.mark.parametrize(("axiom", "any_case"), AXIOMS, ids=[axiom.__name__ for axiom, _ in AXIOMS])
def test_a_round_promises(axiom: Axiom, any_case: st.SearchStrategy[Case]) -> None:
    """Each promise holds for any region and waiting list."""

    @given(any_case)
    def holds(case: Case) -> None:
        axiom(allocation, case)

    holds()


def test_who_is_levelled_between_equals_is_levelled_by_lot() -> None:
    """Whose name comes first gains nothing, also where a client moves on to make room."""

    def standing(agb: str, minutes: int) -> Standing:
        return Standing(Agb(agb), minutes, 0, 0, 0, 0)

    def client(number: int, pc4: str, preferred: str | None = None) -> WaitingClient:
        wanted = None if preferred is None else Agb(preferred)
        return WaitingClient(RecordId(f"w{number}"), Pc4(pc4), FULL, number, None, None, wanted)

    served = [("1013",), ("1011", "1013"), ("1011",), ("1013",)]
    waiting = [client(1, "1013"), *(client(number, "1011") for number in (2, 3, 4)), client(5, "1012", "41000000")]
    case = Case(
        standings=tuple(standing(f"4100000{n}", 3 * FULL if n == 1 else FULL) for n in range(4)),
        areas=tuple((ServiceArea(None, frozenset(map(Pc4, codes))),) for codes in served),
        waiting=tuple(waiting),
        earlier=(),
    )
    other_names_change_nothing(allocation, case)


NO_CHAINS = Mistake("nobody makes room", "        if chain:\n", "        if False:\n")
MISTAKES = [
    (
        nobody_is_asked_beyond_capacity,
        AMOUNTS,
        Mistake("any room will do", "if self.room[index] < owed or", "if self.room[index] <= 0 or"),
    ),
    (
        nobody_is_asked_beyond_capacity,
        AMOUNTS,
        Mistake("room is spent twice", "        self.room[index] -= client.owed_minutes\n", ""),
    ),
    (
        nobody_gets_less_than_she_is_owed,
        AMOUNTS,
        Mistake("the floor is bent", "minutes=client.owed_minutes", "minutes=min(client.owed_minutes, 1200)"),
    ),
    (
        only_who_may_take_her_is_asked,
        AMOUNTS,
        Mistake(
            "declining is no answer",
            "owed, barred = client.owed_minutes, client.barred\n",
            "owed, barred = client.owed_minutes, client.refused\n",
        ),
    ),
    (
        only_who_may_take_her_is_asked,
        AMOUNTS,
        Mistake("any contract will do", "area.insurer is None or area.insurer == insurer", "True"),
    ),
    (
        nobody_waits_while_there_is_room,
        AMOUNTS,
        Mistake("the last place stays empty", "if self.room[index] < owed or", "if self.room[index] <= owed or"),
    ),
    (
        the_urgent_do_not_wait_for_the_sake_of_others,
        due_crowds(),
        Mistake("anybody may give way", "return not client.gave_way and not is_urgent(", "return bool(client.id) or ("),
    ),
    (
        giving_way_places_more_care,
        due_crowds(),
        Mistake("nobody hears who filled the room", "why = Chosen.FILLED_ROOM", "why = Chosen.LOT"),
    ),
    (
        every_client_is_answered_once,
        AMOUNTS,
        Mistake("she is forgotten", "in left if client.id not in offered)", "in left[1:])"),
    ),
    (
        every_other_provider_has_a_reason,
        AMOUNTS,
        Mistake(
            "no reason but burden", "            return NotChosen.NO_ROOM", "            return NotChosen.HIGHER_BURDEN"
        ),
    ),
    (
        every_other_provider_has_a_reason,
        AMOUNTS,
        Mistake("excluded in silence", "            *choice.excluded,\n", ""),
    ),
    (
        nobody_who_could_take_her_carries_less,
        crowds(),
        Mistake("who comes first decides", "settled = not self._level() or", "settled = True or"),
    ),
    (the_most_urgent_largest_set_is_placed, ONE_AMOUNT, NO_CHAINS),
    (
        the_most_urgent_largest_set_is_placed,
        ONE_AMOUNT,
        Mistake(
            "last come, first served", "parts.append(client.requested_at_ms)", "parts.append(-client.requested_at_ms)"
        ),
    ),
    (
        the_most_urgent_largest_set_is_placed,
        crowds(),
        Mistake(
            "one failed search ends them all",
            "            dead_ends[index] = min(minutes, dead_ends.get(index, minutes))\n",
            "            dead_ends |= dict.fromkeys(range(len(self.bearers)), 1)\n",
        ),
    ),
    (more_capacity_places_no_fewer, crowds(), NO_CHAINS),
    (
        a_proposal_moves_only_to_place_one_more,
        ONE_AMOUNT,
        Mistake(
            "moved without need",
            "        if best is not None:\n",
            "        best = None if any(self.earlier) else best\n        if best is not None:\n",
        ),
    ),
    (
        other_names_change_nothing,
        crowds(),
        Mistake("ties go by name", "return lot, self.place[provider]", "return provider.encode(), b''"),
    ),
    (
        other_names_change_nothing,
        crowds(),
        Mistake(
            "the name is in the lot",
            '{client}\\n".encode() + self.content[provider]',
            '{client}\\n{provider}".encode() + self.content[provider]',
        ),
    ),
    (
        the_order_of_arrival_changes_nothing,
        AMOUNTS,
        Mistake("first in the file", "return sorted(clients, key=key)", "return list(clients)"),
    ),
    (
        splitting_gains_at_most_one_client,
        EVERYWHERE,
        Mistake(
            "the small are spared",
            "[bearer.carry_minutes + bearer.allocated_minutes for bearer in self.bearers]",
            "[bearer.carry_minutes + bearer.allocated_minutes + 12960 for bearer in self.bearers]",
        ),
    ),
]


@pytest.mark.parametrize(
    ("axiom", "any_case", "mistake"), MISTAKES, ids=[f"{axiom.__name__}-{one.name}" for axiom, _, one in MISTAKES]
)
def test_a_planted_mistake_breaks_the_promise(
    axiom: Axiom, any_case: st.SearchStrategy[Case], mistake: Mistake
) -> None:
    """A promise that nothing can break would be no promise."""
    broken = planted(allocation, mistake)
    assert breaks(lambda case: axiom(broken, case), any_case)
