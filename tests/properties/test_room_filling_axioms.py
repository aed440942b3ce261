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
    """Two or three rooms, up to seven kinds who are owed 3 to 9, up to nine clients."""
    rooms = draw(st.integers(2, 3))
    gaps = tuple(draw(st.lists(st.integers(0, 8), min_size=rooms, max_size=rooms)))
    masks = st.integers(1, 2**rooms - 1)
    kind = st.builds(Kind, st.sampled_from([3, 4, 5, 9]), masks, st.sampled_from([True, True, False]))
    kinds = tuple(draw(st.lists(kind, min_size=1, max_size=7)))
    seats = []
    for _ in range(draw(st.integers(1, 9))):
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


def nobody_changes_places_for_nothing(rules: ModuleType, case: Case) -> None:
    rooms = filled(rules, case)
    for place, counts in enumerate(rooms.held):
        for number, count in counts.items():
            assert sum(rooms.gaps) < sum(case.gaps) or count == case.seats.count((number, place))


def rooms_are_as_full_as_they_can_be_together(rules: ModuleType, case: Case) -> None:
    """Beside every way to seat everybody, as long as no more rooms than are packed together."""
    sizes = [gap + sum(case.kinds[number].amount for number, at in case.seats if at == place)
             for place, gap in enumerate(case.gaps)]  # fmt: skip
    ways = {tuple(sizes)}
    for number, kind in enumerate(case.kinds):
        places = [at for one, at in case.seats if one == number]
        keep = 0 if kind.may_wait else sum(at != NOWHERE for at in places)
        counted = {(way, 0) for way in ways}
        for _ in places:
            counted |= {
                ((*way[:place], way[place] - kind.amount, *way[place + 1 :]), placed + 1)
                for way, placed in counted
                for place in range(len(way))
                if kind.mask >> place & 1 and way[place] >= kind.amount
            }
        ways = {way for way, placed in counted if keep <= placed <= len(places)}
    assert sum(filled(rules, case).gaps) == min(map(sum, ways))


Axiom = Callable[[ModuleType, Case], None]
AXIOMS: list[tuple[Axiom, Mistake]] = [
    (no_room_is_filled_beyond_its_size, Mistake("a minute too many", "(gap + sum(", "(gap + 1 + sum(")),
    (
        no_room_is_filled_beyond_its_size,
        Mistake("written down too early", "        for kind in kinds:  # only now: a chain moves others\n", ""),
    ),
    (
        filling_never_places_less,
        Mistake("nobody who waits comes in", "(kind, self.waiting[kind], there[kind])", "(kind, 0, there[kind])"),
    ),
    (
        nobody_is_lost_or_goes_where_she_may_not,
        Mistake("any room will do", "enumerate(rooms) if kind.mask >> room & 1)", "enumerate(rooms))"),
    ),
    (
        who_may_not_wait_keeps_a_place,
        Mistake("everybody may wait", "if placed[number] and not kind.may_wait", "if not placed[number]"),
    ),
    (
        nobody_changes_places_for_nothing,
        Mistake("change for its own sake", "= search.run()", "= search.run() or search.group.now[::-1]"),
    ),
    (
        rooms_are_as_full_as_they_can_be_together,
        Mistake("each room for itself", "TOGETHER_MAX: Final = 4", "TOGETHER_MAX: Final = 1"),
    ),
    (
        rooms_are_as_full_as_they_can_be_together,
        Mistake("who is urgent stays where she is", "elsewhere = self._people", "elsewhere = 0 * self._people"),
    ),
]


@pytest.mark.parametrize("axiom", list(dict(AXIOMS)), ids=lambda axiom: axiom.__name__)
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
        except (StopIteration, IndexError, TypeError) as problem:
            raise AssertionError from problem

    assert breaks(run, cases())
