"""A round of the waiting list, told by example. The promises for any list stand in tests/properties."""

from dataclasses import replace
from datetime import date
from fractions import Fraction

import pytest

from hub.domain import allocation
from hub.domain.allocation import (
    AllocationRules,
    Bearer,
    CentrumOffer,
    Chosen,
    NotChosen,
    OpenProposal,
    Outcome,
    Round,
    ServiceArea,
    Unplaceable,
    UrgencyKey,
    WaitingClient,
    allocate,
    in_order_of_urgency,
    is_urgent,
    owed_minutes,
)
from hub.domain.identifiers import Agb, Pc4, RecordId, RegionCode, Uzovi
from tests.properties.planted import Mistake, planted

MERWEDE, LINGE, WAAL = Agb("41000001"), Agb("41000002"), Agb("41000003")
NORTH, SOUTH = Pc4("1011"), Pc4("1013")
JULY_1 = date(2026, 7, 1)
FLOOR = 24 * 60


def bearer(
    provider: Agb, places: float, *, weight: Fraction = Fraction(1, 3), carry: int = 0, areas: str = "NS"
) -> Bearer:
    """A provider with room for so many clients of 24 h, in the north, the south or both, for every insurer."""
    served = frozenset({"N": NORTH, "S": SOUTH}[letter] for letter in areas)
    return Bearer(provider, weight, carry, int(places * FLOOR), 0, (ServiceArea(None, served),))


def client(id_: str, pc4: Pc4 = NORTH, owed: int = FLOOR, at: int = 0) -> WaitingClient:
    """A client who came on the list at that moment."""
    return WaitingClient(RecordId(id_), pc4, owed, at)


def outcome(
    bearers: list[Bearer],
    *clients: WaitingClient,
    earlier: tuple[OpenProposal, ...] = (),
    rules: AllocationRules | None = None,
) -> Outcome:
    """The round of July 1; earlier proposals count in what their providers were allocated."""
    held = {one.provider: 0 for one in bearers}
    for proposal in earlier:
        held[proposal.provider] += proposal.client.owed_minutes
    counted = tuple(replace(one, allocated_minutes=held[one.provider]) for one in bearers)
    return allocate(Round(RegionCode("KSV-07"), JULY_1, counted, clients, earlier, rules or AllocationRules()))


def went_to(result: Outcome) -> dict[str, str]:
    """Who was proposed to whom."""
    return {placement.client: placement.provider for placement in result.placements}


@pytest.mark.parametrize(
    ("hospital_days", "mean", "partus", "owed"),
    [
        pytest.param(0, None, 0, 24, id="minimal care"),
        pytest.param(3, None, 0, 15, id="less hospital days"),
        pytest.param(8, None, 0, 0, id="nothing left"),
        pytest.param(9, None, 0, 0, id="never below nothing"),
        pytest.param(0, 42, 0, 42, id="the mean before red"),
        pytest.param(2, 42, 0, 36, id="the mean less hospital days"),
        pytest.param(0, 20, 0, 24, id="a mean below the floor"),
        pytest.param(0, None, 6, 30, id="with the hours at the birth"),
    ],
)
def test_what_a_client_is_owed(hospital_days: int, mean: int | None, partus: int, owed: int) -> None:
    """24 h in red, the region's mean before it; 3 h less for each day in hospital; partus hours where no pool is."""
    rules = AllocationRules(partus_minutes=partus * 60)
    assert owed_minutes(rules, hospital_days, None if mean is None else mean * 60) == owed * 60


def test_hospital_days_cannot_be_negative() -> None:
    """A correction that goes below zero is a mistake of the sender."""
    with pytest.raises(ValueError, match="found -1 hospital days"):
        owed_minutes(AllocationRules(), -1)


def test_due_date_comes_first_then_time_on_the_list() -> None:
    """Without a due date she comes last; a plan may turn the order around."""
    soon = replace(client("soon", at=9), due_on=date(2026, 7, 3))
    long_waiting = replace(client("long", at=1), due_on=date(2026, 7, 9))
    same_day = replace(client("same", at=5), due_on=date(2026, 7, 9))
    unknown = client("unknown", at=0)
    listed = [unknown, same_day, long_waiting, soon]
    rules = AllocationRules()
    assert [one.id for one in in_order_of_urgency(listed, rules)] == ["soon", "long", "same", "unknown"]
    by_list = replace(rules, urgency=(UrgencyKey.TIME_ON_LIST, UrgencyKey.DUE_DATE))
    assert [one.id for one in in_order_of_urgency(listed, by_list)] == ["unknown", "long", "same", "soon"]


@pytest.mark.parametrize(
    ("due_on", "urgent"),
    [(date(2026, 7, 8), True), (date(2026, 7, 9), False), (date(2026, 6, 20), True), (None, False)],
)
def test_a_birth_within_days_is_urgent(due_on: date | None, urgent: bool) -> None:
    """A week by default, and whoever is past her due date."""
    assert is_urgent(replace(client("a"), due_on=due_on), JULY_1, AllocationRules()) == urgent


def test_the_lowest_relative_burden_is_asked() -> None:
    """Linge carries 24 h more than its share from earlier months; Merwede is twice as large as Waal."""
    bearers = [
        bearer(MERWEDE, 5, weight=Fraction(1, 2)),
        bearer(LINGE, 5, weight=Fraction(1, 4), carry=FLOOR),
        bearer(WAAL, 5, weight=Fraction(1, 4)),
    ]
    result = outcome(bearers, *(client(f"c{number}", at=number) for number in range(3)))
    carried = sorted(went_to(result).values())
    assert carried == [MERWEDE, MERWEDE, WAAL]


def test_her_preference_settles_a_tie_and_nothing_else() -> None:
    """Equal burdens: hers wins. When the other carries less, it does not."""
    hers = replace(client("a"), preferred=LINGE)
    tie = outcome([bearer(MERWEDE, 1), bearer(LINGE, 1)], hers)
    assert went_to(tie) == {"a": LINGE}
    assert tie.placements[0].why is Chosen.PREFERRED
    assert [passed.why for passed in tie.placements[0].passed_over] == [NotChosen.NOT_PREFERRED]
    less = outcome([bearer(MERWEDE, 1), bearer(LINGE, 1, carry=1)], hers)
    assert went_to(less) == {"a": MERWEDE}
    assert less.placements[0].why is Chosen.LOWEST_BURDEN


def test_without_preference_a_tie_is_drawn() -> None:
    """The lot depends on the client and the day; over many clients it favours nobody."""
    won = 0
    for number in range(200):
        result = outcome([bearer(MERWEDE, 1, areas="N"), bearer(LINGE, 1)], client(f"c{number}"))
        assert result.placements[0].why is Chosen.LOT
        won += result.placements[0].provider == MERWEDE
    assert 70 < won < 130


CONTRACTED = (ServiceArea(Uzovi("3311"), frozenset({NORTH})), ServiceArea(Uzovi("7119"), frozenset({SOUTH})))


@pytest.mark.parametrize(
    ("pc4", "insurer", "placed"),
    [(NORTH, "3311", True), (SOUTH, "3311", False), (SOUTH, "7119", True), (NORTH, "3332", False), (NORTH, None, True)],
)
def test_her_own_insurers_contract_counts_where_it_holds(pc4: Pc4, insurer: str | None, placed: bool) -> None:
    """Insurers contract one provider for different postcodes."""
    only = replace(bearer(MERWEDE, 1), areas=CONTRACTED)
    hers = replace(client("a", pc4), insurer=None if insurer is None else Uzovi(insurer))
    assert bool(outcome([only], hers).placements) == placed


@pytest.mark.parametrize(
    ("change", "places", "why"),
    [
        ({"owed_minutes": 0}, 1, Unplaceable.NOTHING_OWED),
        ({"insurer": Uzovi("3332")}, 1, Unplaceable.NO_CONTRACT),
        ({"insurer": Uzovi("3311"), "pc4": SOUTH}, 1, Unplaceable.NO_PROVIDER_SERVES_POSTCODE),
        ({"declined_by": frozenset({MERWEDE})}, 1, Unplaceable.ALL_DECLINED),
        ({"refused": frozenset({MERWEDE})}, 1, Unplaceable.ALL_DECLINED),
        ({}, 0.9, Unplaceable.NO_ROOM),
    ],
)
def test_who_cannot_be_placed_hears_the_first_reason_that_applies(
    change: dict[str, object], places: float, why: Unplaceable
) -> None:
    """No provider, no contract, not in her postcode, all declined, no room: in that order."""
    hers = replace(client("a"), **change)  # type: ignore[arg-type]
    only = replace(bearer(MERWEDE, places), areas=CONTRACTED)
    assert [unplaced.why for unplaced in outcome([only], hers).unplaced] == [why]


def test_without_any_provider_that_is_the_reason() -> None:
    """A region without contracted providers is not a region without contracts for her."""
    assert [unplaced.why for unplaced in outcome([], client("a")).unplaced] == [Unplaceable.NO_PROVIDER]


def test_every_other_provider_hears_why_not() -> None:
    """For the coordinator: one reason each, with the figures where figures decided."""
    bearers = [
        bearer(MERWEDE, 1),
        bearer(LINGE, 1, carry=60),
        bearer(WAAL, 0.5),
        bearer(Agb("41000004"), 1, areas="S"),
        replace(bearer(Agb("41000005"), 1), areas=(ServiceArea(Uzovi("7119"), frozenset({NORTH})),)),
        bearer(Agb("41000006"), 1),
        bearer(Agb("41000007"), 1),
    ]
    hers = replace(
        client("a"),
        insurer=Uzovi("3311"),
        declined_by=frozenset({Agb("41000006")}),
        refused=frozenset({Agb("41000007")}),
    )
    placement = outcome(bearers, hers).placements[0]
    assert {passed.provider[-1]: passed.why for passed in placement.passed_over} == {
        "2": NotChosen.HIGHER_BURDEN,
        "3": NotChosen.NO_ROOM,
        "4": NotChosen.NOT_IN_POSTCODE,
        "5": NotChosen.NO_CONTRACT,
        "6": NotChosen.DECLINED_HER,
        "7": NotChosen.REFUSED_BY_HER,
    }
    linge = placement.passed_over[0]
    assert (linge.provider, linge.room_minutes, linge.burden_minutes) == (LINGE, FLOOR, 60)


def test_a_client_who_can_go_anywhere_leaves_the_place_to_one_who_cannot() -> None:
    """The first could go to either and was drawn to the only provider in the south: she goes north instead."""
    bearers = [bearer(MERWEDE, 1, areas="N"), bearer(LINGE, 1, areas="NS", carry=-60)]
    result = outcome(bearers, client("first", NORTH, at=1), client("second", SOUTH, at=2))
    assert went_to(result) == {"first": MERWEDE, "second": LINGE}
    assert result.moves == ()


def test_an_open_proposal_moves_where_that_places_one_more() -> None:
    """Proposed yesterday, not yet answered; moved, and both hear why."""
    bearers = [bearer(MERWEDE, 1, areas="N"), bearer(LINGE, 1, areas="NS")]
    earlier = OpenProposal(client("earlier", NORTH), LINGE)
    result = outcome(bearers, client("new", SOUTH), earlier=(earlier,))
    assert went_to(result) == {"new": LINGE}
    assert (result.placements[0].why, result.placements[0].moved) == (Chosen.MADE_ROOM, ("earlier",))
    move = result.moves[0]
    assert (move.source, move.placement.provider, move.placement.why) == (LINGE, MERWEDE, Chosen.GAVE_WAY)


def test_an_accepted_proposal_never_moves() -> None:
    """It is no open proposal any more, only less room."""
    bearers = [bearer(MERWEDE, 1, areas="N"), bearer(LINGE, 0, areas="NS")]
    result = outcome(bearers, client("new", SOUTH))
    assert [unplaced.why for unplaced in result.unplaced] == [Unplaceable.NO_ROOM]


def test_an_open_proposal_stays_while_todays_clients_can_make_room() -> None:
    """Either could leave Linge for Merwede; the one proposed today does, the one who already heard does not."""
    bearers = [bearer(MERWEDE, 1, areas="N"), bearer(LINGE, 2, areas="NS", carry=-10 * FLOOR)]
    earlier = OpenProposal(client("earlier", NORTH), LINGE)
    result = outcome(bearers, client("first", NORTH, at=1), client("second", SOUTH, at=2), earlier=(earlier,))
    assert went_to(result) == {"first": MERWEDE, "second": LINGE}
    assert result.moves == ()


def test_levelling_may_take_a_chain() -> None:
    """Linge's client can only go to Waal, Waal's to Merwede, which carries least: each goes one further."""
    places = {"N": NORTH, "M": Pc4("1012"), "S": SOUTH}

    def serving(provider: Agb, room: int, carry: int, letters: str) -> Bearer:
        area = ServiceArea(None, frozenset(places[letter] for letter in letters))
        return Bearer(provider, Fraction(1, 3), carry, room * FLOOR, 0, (area,))

    bearers = [serving(MERWEDE, 5, 0, "M"), serving(WAAL, 1, -9 * FLOOR, "MN"), serving(LINGE, 2, 9 * FLOOR, "NS")]
    middle, north = client("middle", places["M"], at=1), client("north", places["N"], at=2)
    assert went_to(outcome(bearers, middle, north)) == {"middle": MERWEDE, "north": WAAL}


def test_a_chain_never_fills_a_room_twice() -> None:
    """A chain that came back to where it began would spend the same room twice. Found by search, kept as an example."""
    bearers = [
        Bearer(Agb(f"4100000{number}"), Fraction(1, 3), 0, 2340, 0, (ServiceArea(None, frozenset(served)),))
        for number, served in enumerate(({NORTH}, {NORTH}, {NORTH, SOUTH}))
    ]
    owed = (1440, 900, 900, 900, 900, 540, 540)
    clients = [client(f"w{number}", NORTH, minutes, at=number) for number, minutes in enumerate(owed)]
    clients.append(client("w7", SOUTH, 1440, at=7))

    def most_carried(result: Outcome) -> int:
        carried = {one.provider: 0 for one in bearers}
        for placement in result.placements:
            carried[placement.provider] += placement.minutes
        return max(carried.values())

    assert most_carried(outcome(bearers, *clients)) <= 2340
    mistake = Mistake("a chain may bite its tail", "if index not in on_the_way]", "if index != source]")
    broken = planted(allocation, mistake)
    round_ = Round(RegionCode("KSV-07"), JULY_1, tuple(bearers), tuple(clients))
    assert most_carried(broken.allocate(round_)) > 2340


def test_kraamcentrum_places_go_to_whom_nobody_has_room_for() -> None:
    """In order of urgency, not to who declined one, and only as many as the plan has."""
    rules = AllocationRules(kraamcentrum_places=1)
    declined = replace(client("declined", at=1), kraamcentrum_declined=True)
    result = outcome([bearer(MERWEDE, 0)], declined, client("next", at=2), client("late", at=3), rules=rules)
    assert result.centrum_offers == (CentrumOffer(RecordId("next")),)
    assert [unplaced.client for unplaced in result.unplaced] == ["declined", "late"]


def test_room_without_weight_is_refused() -> None:
    """Its burden could not be compared with anybody's."""
    with pytest.raises(ValueError, match="found weight 0 for 41000001"):
        bearer(MERWEDE, 1, weight=Fraction(0))


@pytest.mark.parametrize(
    ("bearers", "clients", "earlier", "message"),
    [
        ([bearer(MERWEDE, 1)] * 2, [], (), "found provider 41000001 twice"),
        ([], [client("a"), client("a")], (), "found client a twice"),
    ],
)
def test_nobody_takes_part_twice(
    bearers: list[Bearer], clients: list[WaitingClient], earlier: tuple[OpenProposal, ...], message: str
) -> None:
    """A client on the list cannot hold an open proposal as well."""
    with pytest.raises(ValueError, match=message):
        allocate(Round(RegionCode("KSV-07"), JULY_1, tuple(bearers), tuple(clients), earlier))


def test_an_open_proposal_needs_its_provider_in_the_round() -> None:
    """Else its minutes would be nobody's."""
    stray = OpenProposal(client("a"), LINGE)
    with pytest.raises(ValueError, match="found an open proposal to 41000002"):
        allocate(Round(RegionCode("KSV-07"), JULY_1, (bearer(MERWEDE, 1),), (), (stray,)))
