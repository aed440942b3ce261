"""How full can a few rooms be together, when people who each need so many minutes may be in some of them only?

Rooms are packed by amounts, not by people: contents say how many of each amount a room holds. Whether people can be
found for given contents is Hall's question, asked once for each set of the rooms: no more of an amount may be in them
than may go there, and no fewer than must be in one of them and may be nowhere else. Where each of the two can be had
alone, both can be had at once (Mendelsohn and Dulmage), so contents that answer to all sets can be seated.

The search is exact until it has looked at as many contents as its caller allows: from the fullest to the emptiest of
one room, those nearest to what is there first, until the rooms that follow could not make good what it lacks.
Which sums a choice of amounts can reach is a whole number used as a set of bits.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import add, mul, sub
from typing import Final

Contents = tuple[int, ...]
"""How many of each amount are in a room."""
_UNLIMITED: Final = 10**9


@dataclass(frozen=True, slots=True)
class Group:
    """Rooms to be packed together: their sizes, what is in each now, and what each set of them may and must hold.

    A set of rooms is a number whose bits are their places in `sizes`: `at_most[rooms][n]` and `at_least[rooms][n]` are
    bounds for amount n over those rooms together. Sizes and amounts count the same unit.
    """

    amounts: tuple[int, ...]
    sizes: tuple[int, ...]
    now: tuple[Contents, ...]
    at_most: tuple[Contents, ...]
    at_least: tuple[Contents, ...]


def fullest_alone(amounts: tuple[int, ...], size: int, at_most: Contents) -> int:
    """How full one room can be, with at most so many of each amount."""
    more = tuple(min(most, max(0, size) // amount) for amount, most in zip(amounts, at_most, strict=True))
    return _reached(amounts, more, max(0, size))[0].bit_length() - 1


class Search:
    """The fullest contents of a group of rooms, among at most `looks_max` that are looked at."""

    def __init__(self, group: Group, looks_max: int) -> None:
        self.group = group
        self.looks = 0
        self._looks_max = looks_max
        self.found: tuple[Contents, ...] | None = None
        self._most = sum(minutes_of(group.amounts, contents) for contents in group.now)
        self._reserve = self._upper_bounds()

    def run(self) -> tuple[Contents, ...] | None:
        """Contents that hold more than those of now do; None if none were found."""
        if self._reserve[0] > self._most:
            self._go_on((), [(0,) * len(self.group.amounts)], 0)
        return self.found

    def _upper_bounds(self) -> list[int]:
        """For each room the most that it and all after it could hold, each by itself."""
        reserve = [0]
        for place in reversed(range(len(self.group.sizes))):
            alone = 1 << place
            sums = _sums_of(self.group, place, self.group.at_least[alone], self.group.at_most[alone])
            reserve.append(reserve[-1] + sums.most if sums else -_UNLIMITED)
        return reserve[::-1]

    def _go_on(self, packed: tuple[Contents, ...], held: list[Contents], minutes: int) -> None:
        """`held`: for each set of the rooms packed so far what they hold together."""
        place = len(packed)
        sums = self._sums_beside(place, held)
        if sums is None:
            return
        if place == len(self.group.sizes) - 1:
            if minutes + sums.most > self._most:
                self._most = minutes + sums.most
                self.found = (*packed, next(sums.contents(sums.most, self.group.now[place])))
            return
        for here in sums.downwards():
            for contents in sums.contents(here, self.group.now[place]):
                if minutes + here + self._reserve[place + 1] <= self._most or self.looks >= self._looks_max:
                    return
                self.looks += 1
                with_it = [tuple(map(add, others, contents)) for others in held]
                self._go_on((*packed, contents), held + with_it, minutes + here)

    def _sums_beside(self, place: int, held: list[Contents]) -> "_Sums | None":
        """What the next room can hold beside those packed so far; None if nothing that all sets of rooms allow."""
        alone = 1 << place
        least, most = self.group.at_least[alone], self.group.at_most[alone]
        for others in range(1, alone):
            least = tuple(map(max, least, map(sub, self.group.at_least[alone | others], held[others])))
            most = tuple(map(min, most, map(sub, self.group.at_most[alone | others], held[others])))
        return _sums_of(self.group, place, least, most)


def minutes_of(amounts: Sequence[int], contents: Contents) -> int:
    """What so many of each amount come to."""
    return sum(map(mul, amounts, contents))


@dataclass(frozen=True, slots=True)
class _Sums:
    """What one room can hold: at least so many of each amount (`base` minutes in all), and choices of more."""

    amounts: tuple[int, ...]
    least: Contents
    base: int
    reached: tuple[int, ...]
    """After leaving out the first n amounts: the sums of the rest, as bits."""
    more: Contents
    """How many more than `least` may be there of each amount."""

    @property
    def most(self) -> int:
        return self.base + self.reached[0].bit_length() - 1

    def downwards(self) -> Iterator[int]:
        """All that the room can hold in minutes, from the most to the least."""
        left = self.reached[0]
        while left:
            highest = left.bit_length() - 1
            yield self.base + highest
            left ^= 1 << highest

    def contents(self, minutes: int, near: Contents) -> Iterator[Contents]:
        """All contents of so many minutes, those nearest to `near` first."""
        return self._choose(0, minutes - self.base, near)

    def _choose(self, number: int, minutes: int, near: Contents) -> Iterator[Contents]:
        if number == len(self.amounts):
            yield ()
            return
        amount, least, rest = self.amounts[number], self.least[number], self.reached[number + 1]
        counts = range(min(self.more[number], minutes // amount) + 1)
        for count in sorted(counts, key=lambda count: abs(least + count - near[number])):
            if rest >> (minutes - count * amount) & 1:
                for others in self._choose(number + 1, minutes - count * amount, near):
                    yield (least + count, *others)


def _sums_of(group: Group, place: int, least: Contents, most: Contents) -> _Sums | None:
    base = minutes_of(group.amounts, least)
    spare = group.sizes[place] - base
    if spare < 0 or any(low > high for low, high in zip(least, most, strict=True)):
        return None
    more = tuple(min(high - low, spare // amount) for amount, low, high in zip(group.amounts, least, most, strict=True))
    return _Sums(group.amounts, least, base, _reached(group.amounts, more, spare), more)


@lru_cache(maxsize=1 << 14)
def _reached(amounts: tuple[int, ...], counts: Contents, size: int) -> tuple[int, ...]:
    within = (1 << (size + 1)) - 1
    sums = [1]
    for amount, count in zip(reversed(amounts), reversed(counts), strict=True):
        reached, step = sums[-1], 1
        while count > 0:
            step = min(step, count)
            reached |= reached << (step * amount) & within
            count -= step
            step *= 2
        sums.append(reached)
    return tuple(reversed(sums))
