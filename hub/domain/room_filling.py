"""Fills the rooms that a round left half empty, where clients are owed different amounts.

One after the other in order of urgency, a client who is owed 15 h may take the room in which one who is owed 24 h
would have fitted, and 9 h of scarce care stay with nobody. So after everybody had her turn, clients of the same round
may change places with each other and with clients still waiting, where that places more care in total.

Packing rooms is a hard problem. Up to four rooms at a time are packed as full as they can be together (`packing`),
until no four could hold more or the bound on the work is reached; what comes of it is measured beside the integer
optimum (docs/fair-share.md). Where all are owed the same there is nothing to gain, and nothing changes.

It counts people: clients who are owed the same and may go to the same providers are of one kind. Who of a kind gives
way is for the caller to say.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import gcd
from typing import Final

from hub.domain.packing import Contents, Group, Search, fullest_alone, minutes_of

NOWHERE: Final = -1
"""In the place of a provider: still waiting."""
TOGETHER_MAX: Final = 4
"""So many rooms are packed together. This and the bounds below are PROPOSAL: measured, and in no source."""
LOOKS_MAX: Final = 100
"""So many contents are looked at for one group of rooms."""
WORK_MAX: Final = 12_000
"""One for each group of rooms that is weighed in a round and for each content that is looked at."""
PACKING_WORK: Final = 8
"""So much more for a group that is worth looking into."""
SLIVER: Final = 400
"""Below this part of what is filled, a long search is not worth its time: a quarter of a per cent."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Clients who are owed the same and may go to the same providers (bits of `mask`).

    `may_wait`: whether one who has a place may lose it for the sake of others; the urgent may not.
    """

    amount: int
    mask: int
    may_wait: bool


class Rooms:
    """How many of each kind are where: at a provider, or nowhere yet. Providers and kinds are numbers.

    Whoever calls gives both in an order that does not depend on names, since of equal packings the first found is made.
    """

    def __init__(self, gaps: Sequence[int], kinds: Sequence[Kind]) -> None:
        """`gaps`: room left at each provider, in minutes."""
        self.gaps = list(gaps)
        self.kinds = kinds
        self.held: list[dict[int, int]] = [{} for _ in gaps]
        self.waiting = [0] * len(kinds)
        self.filled = 0
        self._unit = gcd(*(kind.amount for kind in kinds))
        self._amounts = tuple(sorted({kind.amount // self._unit for kind in kinds}, reverse=True))
        self._number = [self._amounts.index(kind.amount // self._unit) for kind in kinds]

    def seat(self, kind: int, provider: int) -> None:
        """One of a kind is at a provider (her minutes are not in its gap), or nowhere."""
        if provider == NOWHERE:
            self.waiting[kind] += 1
        else:
            self.held[provider][kind] = self.held[provider].get(kind, 0) + 1
            self.filled += self.kinds[kind].amount

    def fill(self) -> bool:
        """Packs rooms anew, each by itself and then ever more together, until none gains by it; whether any did."""
        before = self.filled
        rooms = range(len(self.gaps))
        self._sizes = [
            (gap + sum(self.kinds[kind].amount * count for kind, count in held.items())) // self._unit
            for gap, held in zip(self.gaps, self.held, strict=True)
        ]
        placed = [sum(held.get(kind, 0) for held in self.held) for kind in range(len(self.kinds))]
        self._people = [count + waiting for count, waiting in zip(placed, self.waiting, strict=True)]
        self._keep_place = {
            number: placed[number] for number, kind in enumerate(self.kinds) if placed[number] and not kind.may_wait
        }
        self._may_come: dict[tuple[int, int], Contents] = {}
        self._most = [self._most_alone(room, rooms) for room in rooms]
        self._work_left = WORK_MAX
        together = 1
        while together <= TOGETHER_MAX and self._worth_while():
            gained = [rooms for rooms in self._groups(together) if self._pack(rooms)]
            together = 1 if gained else together + 1
        return self.filled > before

    def _worth_while(self) -> bool:
        """Whether more than a sliver could be gained if each room could choose alone."""
        wanted = sum(count * kind.amount for count, kind in zip(self.waiting, self.kinds, strict=True))
        slack = sum(self._slack(room) for room in range(len(self.gaps))) * self._unit
        return self._work_left > 0 and min(wanted, slack) * SLIVER > self.filled

    def _slack(self, room: int) -> int:
        """By how much the room could be fuller if it could choose alone among all clients of the round."""
        return self._most[room] - minutes_of(self._amounts, self._contents(room))

    def _contents(self, room: int) -> Contents:
        return self._coming(room, room)

    def _coming(self, place: int, room: int) -> Contents:
        """How many of each amount are in that place (a room, or nowhere) and may be in this room."""
        found = self._may_come.get((place, room))
        if found is None:
            counts = [0] * len(self._amounts)
            here = enumerate(self.waiting) if place == NOWHERE else self.held[place].items()
            for kind, count in here:
                if self.kinds[kind].mask >> room & 1:
                    counts[self._number[kind]] += count
            found = self._may_come[place, room] = tuple(counts)
        return found

    def _most_alone(self, room: int, places: Iterable[int]) -> int:
        """How full the room could be, with clients who wait or are in those places."""
        counts = [self._coming(place, room) for place in (NOWHERE, *places)]
        return fullest_alone(self._amounts, self._sizes[room], tuple(map(sum, zip(*counts, strict=True))))

    def _groups(self, together: int) -> Iterator[tuple[int, ...]]:
        """Rooms that could be fuller together, those that lack most first."""
        usable = [room for room in range(len(self.gaps)) if self._most[room] > 0]
        by_slack = sorted(usable, key=lambda room: (-self._slack(room), room))
        for rooms in combinations(by_slack, together):
            if self._work_left <= 0 or not any(self.waiting):
                return
            self._work_left -= 1
            now = sum(minutes_of(self._amounts, self._contents(room)) for room in rooms)
            if sum(self._most_alone(room, rooms) for room in rooms) > now:
                yield rooms

    def _pack(self, rooms: tuple[int, ...]) -> bool:
        """Packs these rooms as full as they can be together; whether they hold more than before."""
        # Whose room is small has few ways to be filled, so it chooses first.
        rooms = tuple(sorted(rooms, key=lambda room: (self._sizes[room], room)))
        staying = self._staying(rooms)
        search = Search(self._group(rooms, staying), min(LOOKS_MAX, self._work_left))
        packed = search.run()
        self._work_left -= PACKING_WORK + search.looks
        if packed is None:
            return False
        allowed = [tuple(place for place, room in enumerate(rooms) if kind.mask >> room & 1) for kind in self.kinds]
        for number in range(len(self._amounts)):
            kinds = [kind for kind in range(len(self.kinds)) if self._number[kind] == number and allowed[kind]]
            seating = Seating([contents[number] for contents in packed], allowed)
            self._seat_anew(rooms, kinds, seating, staying)
        self._may_come.clear()
        return True

    def _staying(self, rooms: Sequence[int]) -> dict[int, int]:
        """How many of each kind must be in these rooms, since they keep a place and have none elsewhere."""
        staying = {}
        for kind, count in self._keep_place.items():
            here = sum(self.held[room].get(kind, 0) for room in rooms)
            elsewhere = self._people[kind] - self.waiting[kind] - here
            staying[kind] = max(0, count - elsewhere)
        return staying

    def _group(self, rooms: Sequence[int], staying: dict[int, int]) -> Group:
        sets = range(1 << len(rooms))
        coming = [[0] * len(self._amounts) for _ in sets]
        bound = [[0] * len(self._amounts) for _ in sets]
        among = {
            mask: sum(1 << place for place, room in enumerate(rooms) if mask >> room & 1)
            for mask in {kind.mask: None for kind in self.kinds}
        }
        for kind, count in enumerate(self.waiting):
            coming[among[self.kinds[kind].mask]][self._number[kind]] += count
        for room in rooms:
            for kind, count in self.held[room].items():
                coming[among[self.kinds[kind].mask]][self._number[kind]] += count
        for kind, count in staying.items():
            bound[among[self.kinds[kind].mask]][self._number[kind]] += count
        return Group(
            amounts=self._amounts,
            sizes=tuple(self._sizes[room] for room in rooms),
            now=tuple(self._contents(room) for room in rooms),
            at_most=tuple(_total([coming[among] for among in sets if among & some]) for some in sets),
            at_least=tuple(_total([bound[among] for among in sets if among & ~some == 0]) for some in sets),
        )

    def _seat_anew(
        self, rooms: tuple[int, ...], kinds: Sequence[int], seating: "Seating", staying: dict[int, int]
    ) -> None:
        """First those who must stay, then whoever else is there, then who waits, in the order of the kinds."""
        there = {kind: [self.held[room].get(kind, 0) for room in rooms] for kind in kinds}
        seated = dict.fromkeys(kinds, 0)
        for kind in kinds:
            seated[kind] += seating.come_in(kind, staying.get(kind, 0), there[kind])
        for kind in kinds:
            seated[kind] += seating.come_in(kind, sum(there[kind]) - seated[kind], there[kind])
        for kind in kinds:
            seated[kind] += seating.come_in(kind, self.waiting[kind], there[kind])
        for kind in kinds:  # only now: a chain moves others
            self.waiting[kind] += sum(there[kind]) - seated[kind]
            for place, room in enumerate(rooms):
                self._hold(room, kind, seating.seated[place].get(kind, 0))

    def _hold(self, room: int, kind: int, count: int) -> None:
        minutes = (count - self.held[room].get(kind, 0)) * self.kinds[kind].amount
        if count:
            self.held[room][kind] = count
        else:
            self.held[room].pop(kind, None)
        self.gaps[room] -= minutes
        self.filled += minutes


class Seating:
    """Who sits in which room, where so many seats of one amount are. Nobody who has a seat loses it to who comes in."""

    def __init__(self, seats: Sequence[int], allowed: Sequence[Sequence[int]]) -> None:
        """`allowed`: for each kind the rooms in which it may be."""
        self.free = list(seats)
        self.allowed = allowed
        self.seated: list[dict[int, int]] = [{} for _ in seats]

    def come_in(self, kind: int, count: int, there: Sequence[int]) -> int:
        """Seats up to `count` of a kind, by preference where so many are `there`; how many got a seat."""
        came = 0
        for room in sorted(self.allowed[kind], key=lambda room: -there[room]):
            here = min(self.free[room], count - came)
            self._sit(room, kind, here)
            came += here
        while came < count and self._over_a_chain(kind):
            came += 1
        return came

    def _sit(self, room: int, kind: int, count: int) -> None:
        self.seated[room][kind] = self.seated[room].get(kind, 0) + count
        self.free[room] -= count

    def _over_a_chain(self, kind: int) -> bool:
        """Lets one in where others go one room further, until one of them finds a free seat."""
        came_from: dict[int, tuple[int, int]] = {room: (NOWHERE, kind) for room in self.allowed[kind]}
        queue = list(came_from)
        for room in queue:
            if self.free[room] > 0:
                while room != NOWHERE:
                    before, mover = came_from[room]
                    self._sit(room, mover, 1)
                    if before != NOWHERE:
                        self._sit(before, mover, -1)
                    room = before
                return True
            for mover, count in self.seated[room].items():
                for further in self.allowed[mover]:
                    if count and further not in came_from:
                        came_from[further] = (room, mover)
                        queue.append(further)
        return False


def _total(counts: Iterable[Sequence[int]]) -> Contents:
    return tuple(map(sum, zip(*counts, strict=True)))
