"""Fills the rooms that a round left half empty, where clients are owed different amounts.

One after the other in order of urgency, a client who is owed 15 h may take the room in which one who is owed 24 h
would have fitted, and 9 h of scarce care stay with nobody. So after everybody had her turn, clients of the same round
may change places with clients still waiting, where that places more care in total. Packing rooms is a hard problem:
this is a local search with a bound on its work, exact in what it does and measured beside the integer optimum
(docs/fair-share.md). Where all are owed the same there is nothing to gain, and nothing changes.

It counts people: clients who are owed the same and may go to the same providers are of one kind. Who of a kind gives
way is for the caller to say.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import Final

NOWHERE: Final = -1
"""In the place of a provider: still waiting."""
LEAVING_MAX: Final = 2
"""So many leave a room in one exchange."""
ENTERING_MAX: Final = 3
AMOUNTS_MAX: Final = 12
"""Amounts that one exchange looks at, the largest ones; a plan knows about half as many."""
DETOURS_MAX: Final = 24
"""So often a round looks beyond what one exchange can reach."""
SLIVER: Final = 400
"""Below this part of what is filled, a long search is not worth its time: a quarter of a per cent."""
EXCHANGES_MAX: Final = 1_000
"""Each exchange places at least a minute more; nobody has seen a round take more than a few dozen."""


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

    Whoever calls gives both in an order that does not depend on names, since the first exchange found is made.
    """

    def __init__(self, gaps: Sequence[int], kinds: Sequence[Kind]) -> None:
        """`gaps`: room left at each provider, in minutes."""
        self.gaps = list(gaps)
        self.kinds = kinds
        self.held: list[dict[int, int]] = [{} for _ in gaps]
        self.waiting = [0] * len(kinds)
        self.filled = 0
        self._waits_for: list[dict[int, int]] = [{} for _ in gaps]
        self._places = [[place for place in range(len(gaps)) if kind.mask >> place & 1] for kind in kinds]
        self.may_enter = [
            [number for number, kind in enumerate(kinds) if kind.mask >> provider & 1] for provider in range(len(gaps))
        ]

    def seat(self, kind: int, provider: int) -> None:
        """One of a kind is at a provider (her minutes are not in its gap), or nowhere."""
        if provider == NOWHERE:
            self._wait(kind, 1)
        else:
            self.held[provider][kind] = self.held[provider].get(kind, 0) + 1
            self.filled += self.kinds[kind].amount

    def _wait(self, kind: int, more: int) -> None:
        self.waiting[kind] += more
        amount = self.kinds[kind].amount
        for place in self._places[kind]:
            here = self._waits_for[place]
            here[amount] = here.get(amount, 0) + more

    def fill(self) -> bool:
        """Makes every exchange that it finds; whether there was one."""
        changed = self._exchange_all()
        for provider, amount in self._detours()[:DETOURS_MAX]:
            if not self._worth_while():
                break
            changed = self._detour(provider, amount) or changed
        return changed

    def _exchange_all(self) -> bool:
        exchanged = 0
        while exchanged < EXCHANGES_MAX and any(self.waiting):
            here = sum(self._exchange_at(provider) for provider in range(len(self.gaps)))
            if not here:
                break
            exchanged += here
        return exchanged > 0

    def _worth_while(self) -> bool:
        """Whether the room that is left and somebody waits for is more than a sliver of what is filled."""
        left = sum(
            gap for gap, waits in zip(self.gaps, self._waits_for, strict=True) if gap > 0 and any(waits.values())
        )
        return left * SLIVER > self.filled

    def _detours(self) -> list[tuple[int, int]]:
        """Where a waiting client who does not fit may be tried: the widest gaps first, each amount that waits."""
        found = []
        for provider in sorted(range(len(self.gaps)), key=lambda provider: (-self.gaps[provider], provider)):
            for amount in sorted(self._entering(provider)):
                if self.gaps[provider] < amount and self.held[provider]:
                    found.append((provider, amount))
        return found

    def _detour(self, provider: int, amount: int) -> bool:
        """Puts a waiting client in though others must leave for her, and sees whether exchanges make it worth while."""
        if amount not in self._entering(provider):
            return False
        leaving, _ = _choices(self._leaving(provider), LEAVING_MAX)
        enough = [minutes for minutes in leaving if minutes >= amount - self.gaps[provider]]
        if not enough:
            return False
        before = (
            list(self.gaps), [dict(held) for held in self.held], list(self.waiting),
            [dict(waits) for waits in self._waits_for], self.filled,
        )  # fmt: skip
        for one in leaving[min(enough)]:
            self._move(self._last_held(provider, one, lambda kind: kind.may_wait), provider, NOWHERE)
        self._move(self._first_waiting(provider, amount), NOWHERE, provider)
        self._exchange_all()
        if self.filled > before[-1]:
            return True
        self.gaps, self.held, self.waiting, self._waits_for, self.filled = before
        return False

    def _exchange_at(self, provider: int) -> bool:
        """The exchange at one provider that places most, alone or after others made room for it."""
        if self.gaps[provider] <= 0 or not self._entering(provider):
            return False
        if self._swap(provider):
            return True
        if not self._worth_while():
            return False
        made: list[tuple[int, int, int]] = []
        for other in range(len(self.gaps)):
            if other == provider or self.gaps[other] <= 0:
                continue
            moves = self._widening(provider, other)
            for move in moves:
                self._move(*move)
            made += moves
            if moves and (self._swap(provider) or self._swap(other)):
                return True
        for kind, source, target in reversed(made):
            self._move(kind, target, source)
        return False

    def _swap(self, provider: int) -> bool:
        """Some leave and others enter, so that the room is filled by as much as possible; fewest people first."""
        leaving, entering = self._leaving(provider), self._entering(provider)
        if not entering:
            return False
        sums_in, in_order = _choices(entering, ENTERING_MAX)
        sums_out, out_in_order = _choices(leaving, LEAVING_MAX)
        best: tuple[tuple[int, int, int], tuple[int, ...], tuple[int, ...]] | None = None
        for minutes_out in out_in_order:
            out = sums_out[minutes_out]
            place = bisect_right(in_order, minutes_out + self.gaps[provider])
            gain = in_order[place - 1] - minutes_out if place else 0
            if gain <= 0:
                continue
            into = sums_in[in_order[place - 1]]
            key = (gain, -len(out), -len(into))
            if best is None or key > best[0]:
                best = (key, out, into)
        if best is None:
            return False
        for amount in best[1]:
            self._move(self._last_held(provider, amount, lambda kind: kind.may_wait), provider, NOWHERE)
        for amount in best[2]:
            self._move(self._first_waiting(provider, amount), NOWHERE, provider)
        return True

    def _widening(self, provider: int, other: int) -> list[tuple[int, int, int]]:
        """Clients who change places between two providers so that one's gap becomes as wide as it can; nobody waits."""
        there = self._amounts(provider, lambda kind: bool(kind.mask >> other & 1))
        if not there:
            return []
        back, in_order = _choices(self._amounts(other, lambda kind: bool(kind.mask >> provider & 1)), LEAVING_MAX)
        best: tuple[tuple[int, int], tuple[int, ...], tuple[int, ...]] | None = None
        for minutes, going in _choices(there, LEAVING_MAX)[0].items():
            # The least that must come back so that the other room holds those who go.
            least = minutes - self.gaps[other]
            index = bisect_right(in_order, least - 1)
            if index == len(in_order) or in_order[index] >= minutes:
                continue
            coming = back[in_order[index]]
            key = (minutes - in_order[index], -len(going) - len(coming))
            if best is None or key > best[0]:
                best = (key, going, coming)
        if best is None:
            return []
        moves = []
        for amounts, source, target in ((best[1], provider, other), (best[2], other, provider)):
            left = dict(self.held[source])
            for amount in amounts:
                kind = max(
                    number for number, count in left.items()
                    if count and self.kinds[number].amount == amount and self.kinds[number].mask >> target & 1
                )  # fmt: skip
                left[kind] -= 1
                moves.append((kind, source, target))
        return moves

    def _leaving(self, provider: int) -> dict[int, int]:
        return self._amounts(provider, lambda kind: kind.may_wait)

    def _entering(self, provider: int) -> dict[int, int]:
        return {amount: count for amount, count in self._waits_for[provider].items() if count}

    def _amounts(self, provider: int, wanted: Callable[[Kind], bool]) -> dict[int, int]:
        found: dict[int, int] = {}
        for number, count in self.held[provider].items():
            kind = self.kinds[number]
            if count and wanted(kind):
                found[kind.amount] = found.get(kind.amount, 0) + count
        return found

    def _last_held(self, provider: int, amount: int, wanted: Callable[[Kind], bool]) -> int:
        """The kind that came last in the caller's order: the least urgent."""
        held = self.held[provider].items()
        return max(n for n, count in held if count and self.kinds[n].amount == amount and wanted(self.kinds[n]))

    def _first_waiting(self, provider: int, amount: int) -> int:
        return next(
            number for number in self.may_enter[provider]
            if self.waiting[number] and self.kinds[number].amount == amount
        )  # fmt: skip

    def _move(self, kind: int, source: int, target: int) -> None:
        amount = self.kinds[kind].amount
        if source == NOWHERE:
            self._wait(kind, -1)
        else:
            self.held[source][kind] -= 1
            self.gaps[source] += amount
            self.filled -= amount
        if target == NOWHERE:
            self._wait(kind, 1)
        else:
            self.held[target][kind] = self.held[target].get(kind, 0) + 1
            self.gaps[target] -= amount
            self.filled += amount


_Choices = tuple[dict[int, tuple[int, ...]], list[int]]
"""For each sum of amounts the smallest choice that gives it, and the sums in order."""


def _choices(counts: dict[int, int], size_max: int) -> _Choices:
    """Every choice of up to so many of the largest amounts, none more often than there is."""
    amounts = sorted(counts, reverse=True)[:AMOUNTS_MAX]
    return _choices_of(tuple((amount, min(counts[amount], size_max)) for amount in amounts), size_max)


@lru_cache(maxsize=4096)
def _choices_of(counts: tuple[tuple[int, int], ...], size_max: int) -> _Choices:
    at_most = dict(counts)
    found: dict[int, tuple[int, ...]] = {0: ()}
    for size in range(1, size_max + 1):
        for chosen in combinations_with_replacement(at_most, size):
            if all(at_most[amount] >= chosen.count(amount) for amount in chosen):
                found.setdefault(sum(chosen), chosen)
    return found, sorted(found)
