"""What filling rooms promises, for any rooms and clients; each promise is seen to fail on a mistake."""

from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain import room_filling
from hub.domain.room_filling import NOWHERE, Kind
from tests.properties.planted import Mistake, breaks, planted


@dataclass(frozen=True)
class Case:
    """Rooms with their gaps, kinds of clients, and where each client is."""

    gaps: tuple[int, ...]
    kinds: tuple[Kind, ...]
    seats: tuple[tuple[int, int], ...]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Two or three rooms, up to four kinds who are owed 3 to 9, up to eight clients."""
    rooms = draw(st.integers(2, 3))
    gaps = tuple(draw(st.lists(st.integers(0, 8), min_size=rooms, max_size=rooms)))
    masks = st.integers(1, 2**rooms - 1)
    kind = st.builds(Kind, st.sampled_from([3, 4, 5, 7, 9]), masks, st.sampled_from([True, True, False]))
    kinds = tuple(draw(st.lists(kind, min_size=1, max_size=4)))
    seats = []
    for _ in range(draw(st.integers(1, 8))):
        number = draw(st.integers(0, len(kinds) - 1))
        places = [place for place in range(rooms) if kinds[number].mask >> place & 1]
        seats.append((number, draw(st.sampled_from([NOWHERE, *places]))))
    return Case(gaps, kinds, tuple(seats))


def filled(rules: ModuleType, case: Case) -> "room_filling.Rooms":
    """The rooms after filling."""
    rooms: room_filling.Rooms = rules.Rooms(case.gaps, case.kinds)
    for number, place in case.seats:
        rooms.seat(number, place)
    rooms.fill()
    return rooms


def no_room_is_filled_beyond_its_size(rules: ModuleType, case: Case) -> None:
    rooms = filled(rules, case)
    for place, gap in enumerate(case.gaps):
        before = gap + sum(case.kinds[number].amount for number, at in case.seats if at == place)
        now = sum(case.kinds[number].amount * count for number, count in rooms.held[place].items())
        assert 0 <= rooms.gaps[place] == before - now


def filling_never_places_less(rules: ModuleType, case: Case) -> None:
    assert sum(filled(rules, case).gaps) <= sum(case.gaps)


def nobody_is_lost_or_goes_where_she_may_not(rules: ModuleType, case: Case) -> None:
    rooms = filled(rules, case)
    for number, kind in enumerate(case.kinds):
        held = [place for place, counts in enumerate(rooms.held) for _ in range(counts.get(number, 0))]
        assert len(held) + rooms.waiting[number] == sum(seat[0] == number for seat in case.seats)
        assert all(kind.mask >> place & 1 for place in held)


def who_may_not_wait_keeps_a_place(rules: ModuleType, case: Case) -> None:
    rooms = filled(rules, case)
    for number, kind in enumerate(case.kinds):
        waited = sum(seat == (number, NOWHERE) for seat in case.seats)
        assert kind.may_wait or rooms.waiting[number] <= waited


def where_all_are_owed_the_same_nobody_gives_way(rules: ModuleType, case: Case) -> None:
    same = tuple(Kind(6, kind.mask, kind.may_wait) for kind in case.kinds)
    rooms = filled(rules, Case(case.gaps, same, case.seats))
    held_before = sum(at != NOWHERE for _, at in case.seats)
    gained = sum(sum(counts.values()) for counts in rooms.held) - held_before
    assert gained >= 0
    assert gained or all(
        rooms.waiting[number] == sum(seat == (number, NOWHERE) for seat in case.seats) for number in range(len(same))
    )


Axiom = Callable[[ModuleType, Case], None]
AXIOMS: list[tuple[Axiom, Mistake]] = [
    (
        no_room_is_filled_beyond_its_size,
        Mistake("a minute too many", "minutes_out + self.gaps[provider])", "minutes_out + self.gaps[provider] + 1)"),
    ),
    (filling_never_places_less, Mistake("a loss is a gain", "if gain <= 0:", "if gain == 0:")),
    (
        nobody_is_lost_or_goes_where_she_may_not,
        Mistake(
            "any room will do",
            "enumerate(kinds) if kind.mask >> provider & 1]",
            "enumerate(kinds)]",
        ),
    ),
    (
        who_may_not_wait_keeps_a_place,
        Mistake(
            "everybody may wait", "self._amounts(provider, lambda kind: kind.may_wait)", "self._amounts(provider, bool)"
        ),
    ),
    (
        where_all_are_owed_the_same_nobody_gives_way,
        Mistake("change for its own sake", "if gain <= 0:", "if gain < 0 or not out:"),
    ),
]


@pytest.mark.parametrize("axiom", [axiom for axiom, _ in AXIOMS], ids=lambda axiom: axiom.__name__)
def test_filling_rooms_promises(axiom: Axiom) -> None:
    """Each promise holds for any rooms."""

    @given(cases())
    def holds(case: Case) -> None:
        axiom(room_filling, case)

    holds()


@pytest.mark.parametrize(("axiom", "mistake"), AXIOMS, ids=[mistake.name for _, mistake in AXIOMS])
def test_a_planted_mistake_breaks_the_promise(axiom: Axiom, mistake: Mistake) -> None:
    """A promise that nothing can break would be no promise."""
    broken = planted(room_filling, mistake)

    def run(case: Case) -> None:
        try:
            axiom(broken, case)
        except (StopIteration, IndexError) as problem:
            raise AssertionError from problem

    assert breaks(run, cases())
