"""A round of the region's waiting list: which provider is asked to carry which waiting client, and why not another.

In red, clients are distributed over all contracted providers by the region plan (S1, rule 27), and before red where
the plan says so, at the region's mean duration (S1, rule 27a). The order of urgency, the choice of the lowest
relative burden and the ways to break ties are PROPOSAL.

One client after the other, in order of urgency, goes to the provider with the lowest relative burden
(c_i + A_i) / w_i among those that are contracted with her insurer, serve her PC4, have room for all that she is owed,
and have not declined her. Her own preference settles a tie, then a lot. Where nobody has room, proposals that nobody
has accepted yet are moved along the shortest chain that makes room: without it, who came first would decide how many
are placed at all. An accepted proposal never moves.

Where clients are owed different amounts, some of this round may then give way to others who are still waiting, where
that places more care in total (`room_filling`): never the urgent, and nobody twice.

Before the round is published its own proposals are levelled: where a provider that could take a client carries less
than hers does without her, she goes there, also over a chain of clients who each go to the next. So who happened to
come first does not decide who bears most, and every explanation holds at the end of the round, whoever came after her.

A round is a value in and a value out. Its result depends neither on the order in which clients or providers are given
nor on providers' names.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from fractions import Fraction
from functools import cmp_to_key
from hashlib import sha256
from itertools import pairwise
from math import lcm

from hub.domain.fair_share import MINUTES_PER_HOUR, Share
from hub.domain.identifiers import Agb, Pc4, RecordId, RegionCode, Uzovi
from hub.domain.room_filling import NOWHERE, Kind, Rooms


class UrgencyKey(StrEnum):
    """What a plan may order its waiting list by; the first key of `AllocationRules.urgency` that differs decides."""

    DUE_DATE = "due_date"
    TIME_ON_LIST = "time_on_list"


@dataclass(frozen=True, slots=True)
class AllocationRules:
    """A region plan's constants for its waiting list. PROPOSAL where no source is named.

    `floor_minutes`: 24 h of physical care (S1, rule 6). `hospital_day_minutes`: deducted for each day in hospital
    (S1, rule 7; the amount is PROPOSAL). `partus_minutes`: added where the provider assists at the birth and no
    partus pool carries those hours (rule 42); 0 where a pool does. `kraamcentrum_places`: offered in order of urgency
    to clients for whom no provider has room (S0, rule 42; an offer, rule 41).
    """

    urgency: tuple[UrgencyKey, ...] = (UrgencyKey.DUE_DATE, UrgencyKey.TIME_ON_LIST)
    floor_minutes: int = 24 * MINUTES_PER_HOUR
    hospital_day_minutes: int = 3 * MINUTES_PER_HOUR
    partus_minutes: int = 0
    kraamcentrum_places: int = 0
    urgent_within_days: int = 7


def owed_minutes(rules: AllocationRules, hospital_days: int = 0, mean_minutes: int | None = None) -> int:
    """What a provider must have room for to be allocated one client.

    Minimal care, or the region's mean when `mean_minutes` is given, less the hospital days, never below zero, plus
    the hours at the birth where no pool carries them. ValueError: a negative number of days.
    """
    if hospital_days < 0:
        raise ValueError(f"found {hospital_days} hospital days, expected none below zero")
    basis = rules.floor_minutes if mean_minutes is None else max(rules.floor_minutes, mean_minutes)
    return max(0, basis - hospital_days * rules.hospital_day_minutes) + rules.partus_minutes


@dataclass(frozen=True, slots=True)
class WaitingClient:
    """A client on the regional waiting list. The care she is owed is in `owed_minutes` (see the function).

    `requested_at_ms` is when she came on the list, in milliseconds since 1970 UTC. `insurer` None: unknown, then any
    contract will do. `declined_by` holds providers that declined her proposal, `refused` those that she refused
    herself: neither is ever proposed again for her. `gave_way`: she lost her place in an earlier round to others who
    filled the room better; nobody does so twice.
    """

    id: RecordId
    pc4: Pc4
    owed_minutes: int
    requested_at_ms: int
    due_on: date | None = None
    insurer: Uzovi | None = None
    preferred: Agb | None = None
    declined_by: frozenset[Agb] = frozenset()
    refused: frozenset[Agb] = frozenset()
    kraamcentrum_declined: bool = False
    gave_way: bool = False

    @property
    def barred(self) -> frozenset[Agb]:
        """Providers that are out of the question for her, whoever said no."""
        return self.declined_by | self.refused


@dataclass(frozen=True, slots=True)
class ServiceArea:
    """Where one insurer has contracted a provider to deliver (rule 37: lists differ). `insurer` None: every insurer."""

    insurer: Uzovi | None
    postcodes: frozenset[Pc4]


@dataclass(frozen=True, slots=True)
class Bearer:
    """A contracted provider as a round sees it.

    `weight` and `carry_minutes` are those of its share; `spare_minutes` is U, `allocated_minutes` is A: its open and
    accepted proposals, those in `Round.open_proposals` included.
    ValueError: room without weight; its burden could not be compared.
    """

    provider: Agb
    weight: Fraction
    carry_minutes: int
    spare_minutes: int
    allocated_minutes: int
    areas: tuple[ServiceArea, ...]

    def __post_init__(self) -> None:
        if self.weight <= 0 and self.room_minutes > 0:
            raise ValueError(
                f"found weight {self.weight} for {self.provider}, expected more than zero where it has room"
            )

    @property
    def room_minutes(self) -> int:
        """What it can still be allocated; negative where its spare time shrank after it was allocated clients."""
        return self.spare_minutes - self.allocated_minutes

    @classmethod
    def of_share(cls, share: Share, allocated_minutes: int, areas: tuple[ServiceArea, ...]) -> "Bearer":
        """The provider of a share, with what it was allocated so far and where it is contracted."""
        return cls(share.provider, share.weight, share.carry_minutes, share.spare_minutes, allocated_minutes, areas)


@dataclass(frozen=True, slots=True)
class OpenProposal:
    """A proposal of an earlier round that nobody has answered yet; it may move where that places one more client."""

    client: WaitingClient
    provider: Agb


@dataclass(frozen=True, slots=True)
class Round:
    """All that one round reads. `on` is the date of the round (it enters the lots, nothing else)."""

    region: RegionCode
    on: date
    bearers: tuple[Bearer, ...]
    waiting: tuple[WaitingClient, ...]
    open_proposals: tuple[OpenProposal, ...] = ()
    rules: AllocationRules = AllocationRules()


class Chosen(StrEnum):
    """Why this provider. The first that applies speaks."""

    GAVE_WAY = "gave_way"
    """Her open proposal was moved here, so that one more client could be placed where she was."""
    MADE_ROOM = "made_room"
    """Open proposals of others were moved away, since nobody had room for her."""
    FILLED_ROOM = "filled_room"
    """Less urgent than one who had the room in her turn; with her more care is placed in total."""
    ONLY_CANDIDATE = "only_candidate"
    """Nobody else could take her."""
    PREFERRED = "preferred"
    """Nobody who could take her carries less, another carries as much, and she prefers this one."""
    LOT = "lot"
    """Nobody who could take her carries less, another carries as much, and she prefers neither: drawn."""
    LOWEST_BURDEN = "lowest_burden"
    """It carries least for its weight."""


class NotChosen(StrEnum):
    """Why not that provider, at the end of the round. The first that applies speaks."""

    NO_CONTRACT = "no_contract"
    NOT_IN_POSTCODE = "not_in_postcode"
    DECLINED_HER = "declined_her"
    REFUSED_BY_HER = "refused_by_her"
    NO_ROOM = "no_room"
    HIGHER_BURDEN = "higher_burden"
    NOT_PREFERRED = "not_preferred"
    LOT = "lot"


class Unplaceable(StrEnum):
    """Why nobody was proposed. The first that applies speaks; it is published."""

    NOTHING_OWED = "nothing_owed"
    NO_PROVIDER = "no_provider"
    NO_CONTRACT = "no_contract"
    NO_PROVIDER_SERVES_POSTCODE = "no_provider_serves_postcode"
    ALL_DECLINED = "all_declined"
    GAVE_WAY = "gave_way"
    """She had room in her turn, and others fill it by more hours; never an urgent client, and nobody twice."""
    NO_ROOM = "no_room"


@dataclass(frozen=True, slots=True)
class PassedOver:
    """A provider that did not get this client. For the coordinator only.

    `room_minutes` and `burden_minutes` (c + A, before dividing by the weight) are those of the end of the round; None
    where the provider was out of the question whatever its figures.
    """

    provider: Agb
    why: NotChosen
    room_minutes: int | None = None
    burden_minutes: int | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """A proposal of this round: this provider is asked to carry this client.

    `moved` names the clients whose open proposals were moved to make room for her. `burden_minutes` (c + A without
    her, at the end of the round) and `passed_over` (who might have taken her first, then who could not; each in the
    order of the AGB codes) are for the coordinator only.
    """

    client: RecordId
    provider: Agb
    minutes: int
    why: Chosen
    burden_minutes: int
    passed_over: tuple[PassedOver, ...]
    moved: tuple[RecordId, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """An open proposal of an earlier round that this round withdraws at one provider and makes at another."""

    source: Agb
    placement: Placement


@dataclass(frozen=True, slots=True)
class CentrumOffer:
    """No provider has room for her; a place in a kraamcentrum is offered. Declining it is no refusal of care."""

    client: RecordId


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Nobody was proposed for her; she stays on the list and the reason is published."""

    client: RecordId
    why: Unplaceable
    passed_over: tuple[PassedOver, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a round proposes, each in the round's order of urgency."""

    placements: tuple[Placement, ...]
    moves: tuple[Move, ...]
    centrum_offers: tuple[CentrumOffer, ...]
    unplaced: tuple[Unplaced, ...]


def in_order_of_urgency(clients: Iterable[WaitingClient], rules: AllocationRules) -> list[WaitingClient]:
    """The plan's order. A client without a due date comes after those with one; between equals a lot by id decides."""

    def key(client: WaitingClient) -> tuple[int | str, ...]:
        parts: list[int | str] = []
        for urgency in rules.urgency:
            match urgency:
                case UrgencyKey.DUE_DATE:
                    parts.append(client.due_on.toordinal() if client.due_on else date.max.toordinal() + 1)
                case UrgencyKey.TIME_ON_LIST:
                    parts.append(client.requested_at_ms)
        return (*parts, sha256(client.id.encode()).hexdigest(), client.id)

    return sorted(clients, key=key)


def is_urgent(client: WaitingClient, today: date, rules: AllocationRules) -> bool:
    """Whether she cannot wait for the daily round: her due date is at most `urgent_within_days` away, or past."""
    return client.due_on is not None and (client.due_on - today).days <= rules.urgent_within_days


def allocate(round_: Round) -> Outcome:
    """Proposes a provider for each waiting client that can be placed, and says why for each one that cannot.

    ValueError: a client or provider given twice, or an open proposal of a provider that takes no part.
    """
    return _Book(round_).run()


_NEVER = 10**9
"""More minutes than any client is owed."""
_Held = list[dict[RecordId, WaitingClient]]
"""For each provider the clients that may still leave it, in order of urgency or of placing."""


@dataclass(frozen=True, slots=True)
class _Choice:
    """Providers that may take clients of one insurer in one PC4, and those that may not, each with its reason."""

    eligible: tuple[int, ...]
    mask: int
    excluded: tuple[PassedOver, ...]
    when_nobody: Unplaceable


@dataclass(frozen=True, slots=True)
class _Step:
    """One move of a chain: this client leaves one provider for another (indexes into the book)."""

    client: WaitingClient
    source: int
    target: int


class _Book:
    """The working state of one round: who carries what so far. Providers are indexes in the order of their AGB codes.

    Cost: setting up is linear in what the round holds; a placement looks at the providers that serve the client and
    never at the other clients; a chain search visits each provider at most once, and a search that failed marks what
    it visited as a dead end, so that a long list in a full region is not searched again for each client.
    """

    def __init__(self, round_: Round) -> None:
        self.round = round_
        self.bearers = sorted(round_.bearers, key=lambda bearer: bearer.provider)
        self.index = {bearer.provider: index for index, bearer in enumerate(self.bearers)}
        self.waiting = in_order_of_urgency(round_.waiting, round_.rules)
        _check_once("provider", [bearer.provider for bearer in self.bearers])
        _check_once(
            "client", sorted([*(one.id for one in round_.waiting), *(one.client.id for one in round_.open_proposals)])
        )
        scale = lcm(*(bearer.weight.denominator for bearer in self.bearers)) if self.bearers else 1
        self.weight = [int(bearer.weight * scale) for bearer in self.bearers]
        self.burden = [bearer.carry_minutes + bearer.allocated_minutes for bearer in self.bearers]
        self.room = [bearer.room_minutes for bearer in self.bearers]
        self.choices: dict[tuple[Uzovi | None, Pc4], _Choice] = {}
        self.fresh: _Held = [{} for _ in self.bearers]
        self.earlier: _Held = [{} for _ in self.bearers]
        self.at: dict[RecordId, int] = {}
        proposed_to = {proposal.client.id: proposal.provider for proposal in round_.open_proposals}
        self.open = in_order_of_urgency((proposal.client for proposal in round_.open_proposals), round_.rules)
        for client in self.open:
            provider = proposed_to[client.id]
            if provider not in self.index:
                raise ValueError(f"found an open proposal to {provider}, expected one of the providers of the round")
            self.at[client.id] = self.index[provider]
            self.earlier[self.index[provider]][client.id] = client
        self.original = dict(self.at)
        self.moved_for: dict[RecordId, tuple[RecordId, ...]] = {}
        self.dead_ends: dict[int, dict[int, int]] = {1: {}, 2: {}}
        self.in_turn: frozenset[RecordId] = frozenset()
        self.lots: _Lots | None = None

    def run(self) -> Outcome:
        left = self._place_all(self.waiting)
        self.in_turn = frozenset(self.at)
        if left and self._fill_rooms(left):
            left = self._place_all(client for client in self.waiting if client.id not in self.at)
        moved = [client for client in self.open if self.at[client.id] != self.original[client.id]]
        offers = [client for client in left if client.owed_minutes > 0 and not client.kraamcentrum_declined]
        offered = {client.id for client in offers[: self.round.rules.kraamcentrum_places]}
        return Outcome(
            placements=tuple(self._explain(client) for client in self.waiting if client.id in self.at),
            moves=tuple(
                Move(self.bearers[self.original[client.id]].provider, self._explain(client)) for client in moved
            ),
            centrum_offers=tuple(CentrumOffer(client.id) for client in left if client.id in offered),
            unplaced=tuple(self._refusal(client) for client in left if client.id not in offered),
        )

    def _place_all(self, clients: Iterable[WaitingClient]) -> list[WaitingClient]:
        """Places whom it can and levels what they carry; those that are left."""
        left = list(clients)
        while True:
            still_left = [client for client in left if not self._place(client)]
            settled = not self._level() or len(still_left) == len(left) or not still_left
            left = still_left
            if settled:
                return left

    def _fill_rooms(self, left: Sequence[WaitingClient]) -> bool:
        """Exchanges clients of this round where that places more care in total; whether anyone changed places.

        Urgent clients, and those who gave way in an earlier round, may be moved and never lose a place by it. Within a
        kind the least urgent gives way, and the most urgent comes in.
        """
        mine = [client for client in self.waiting if client.owed_minutes > 0 and self._mask(client)]
        if len({client.owed_minutes for client in mine}) < 2:
            return False
        by_burden = sorted(range(len(self.bearers)), key=cmp_to_key(self._burden_order))
        rank = {index: place for place, index in enumerate(by_burden)}
        kinds: dict[tuple[int, int, bool], list[WaitingClient]] = {}
        for client in mine:
            kinds.setdefault((client.owed_minutes, self._mask(client), self._may_wait(client)), []).append(client)
        in_turn = [
            Kind(amount, sum(1 << rank[index] for index in range(len(self.bearers)) if mask >> index & 1), may_wait)
            for amount, mask, may_wait in kinds
        ]
        rooms = Rooms([self.room[index] for index in by_burden], in_turn)
        for number, clients in enumerate(kinds.values()):
            for client in clients:
                rooms.seat(number, rank[self.at[client.id]] if client.id in self.at else NOWHERE)
        if not rooms.fill():
            return False
        for number, clients in enumerate(kinds.values()):
            self._reseat(
                clients, {by_burden[place]: held[number] for place, held in enumerate(rooms.held) if held.get(number)}
            )
        return True

    def _may_wait(self, client: WaitingClient) -> bool:
        return not client.gave_way and not is_urgent(client, self.round.on, self.round.rules)

    def _reseat(self, clients: Sequence[WaitingClient], wanted: dict[int, int]) -> None:
        """Seats the most urgent of one kind, so many at each provider; who can stay where she is stays."""
        placed = clients[: sum(wanted.values())]
        for client in clients:
            if client.id in self.at:
                index = self.at[client.id]
                if client in placed and wanted.get(index, 0) > 0:
                    wanted[index] -= 1
                    continue
                self._take(client, index)
                del self.at[client.id]
        places = [index for index, count in wanted.items() for _ in range(count)]
        for client in placed:
            if client.id not in self.at:
                self._put(client, places.pop(0))

    def _place(self, client: WaitingClient) -> bool:
        """Places her, directly or over a chain."""
        if client.owed_minutes <= 0:
            return False
        eligible = self._choice(client).eligible
        best = self._lowest_burden(client, eligible)
        if best is not None:
            self._put(client, best)
            return True
        barred = client.barred
        entries = [index for index in eligible if self.bearers[index].provider not in barred]
        chain = self._chain(client, entries, (self.fresh,))
        if not chain and self.original:
            chain = self._chain(client, entries, (self.fresh, self.earlier))
            self.moved_for[client.id] = tuple(step.client.id for step in chain if step.client.id in self.original)
        for step in chain:
            self._take(step.client, step.source)
            self._put(step.client, step.target)
        if chain:
            self._put(client, chain[-1].source)
        return bool(chain)

    def _level(self) -> bool:
        """Until each client of this round is where the rule would put her if she came last; whether anyone moved.

        It ends: each move lowers Σ h·(burden of her provider without her), summed over the clients in any one order,
        or leaves it equal and grants a preference.
        """
        mine = [*self.waiting, *(client for client in self.open if self.at[client.id] != self.original[client.id])]
        mine = [client for client in mine if client.id in self.at]
        amounts = sorted({client.owed_minutes for client in mine}, reverse=True)
        moved = False
        while True:
            while self._level_each(mine):
                moved = True
            if not any([self._level_over_chains(owed) for owed in amounts]):
                return moved
            moved = True

    def _level_each(self, clients: Iterable[WaitingClient]) -> bool:
        moved = False
        for client in clients:
            source = self.at[client.id]
            target = self._better(client, source)
            if target != source:
                self._take(client, source)
                self._put(client, target)
                moved = True
        return moved

    def _level_over_chains(self, owed: int) -> bool:
        """Clients who are owed the same each go one provider further, from one that carries more to one that does less.

        Only the two ends change what they carry. Providers are bits of a mask here: who can be reached from whom is
        found without looking at the clients again.
        """
        onward = [self._onward_mask(index, owed) for index in range(len(self.bearers))]
        moved = False
        while (way := self._levelling_way(onward, owed)) is not None:
            for source, target in zip(way[-2::-1], way[:0:-1], strict=True):
                mover = next(one for one in self.fresh[source].values() if self._may_go(one, owed, target))
                self._take(mover, source)
                self._put(mover, target)
            for index in way:
                onward[index] = self._onward_mask(index, owed)
            moved = True
        return moved

    def _may_go(self, client: WaitingClient, owed: int, target: int) -> bool:
        return client.owed_minutes == owed and bool(self._mask(client) >> target & 1)

    def _onward_mask(self, index: int, owed: int) -> int:
        mask = 0
        for client in self.fresh[index].values():
            if client.owed_minutes == owed:
                mask |= self._mask(client)
        return mask & ~(1 << index)

    def _mask(self, client: WaitingClient) -> int:
        mask = self._choice(client).mask
        for provider in client.barred:
            if provider in self.index:
                mask &= ~(1 << self.index[provider])
        return mask

    def _levelling_way(self, onward: Sequence[int], owed: int) -> list[int] | None:
        """From the provider that carries most, the shortest way to the one that carries least and has room."""
        by_burden = sorted(range(len(self.bearers)), key=cmp_to_key(self._burden_order))
        for source in reversed(by_burden):
            if not onward[source]:
                continue
            less = [
                index
                for index in by_burden
                if self.room[index] >= owed
                and self.burden[index] * self.weight[source] < (self.burden[source] - owed) * self.weight[index]
            ]
            if not less:
                continue
            came_from = {source: source}
            queue = deque([source])
            while queue:
                here = queue.popleft()
                for index in by_burden:
                    if index not in came_from and onward[here] >> index & 1:
                        came_from[index] = here
                        queue.append(index)
            target = next((index for index in less if index in came_from), None)
            if target is not None:
                way = [target]
                while way[-1] != source:
                    way.append(came_from[way[-1]])
                return way[::-1]
        return None

    def _burden_order(self, one: int, other: int) -> int:
        difference = self.burden[one] * self.weight[other] - self.burden[other] * self.weight[one]
        if difference or one == other:
            return difference
        nobody = RecordId("")
        return -1 if self._drawn(nobody, one) < self._drawn(nobody, other) else 1

    def _better(self, client: WaitingClient, source: int) -> int:
        """Who could take her and carries less than her provider does without her; that provider itself if nobody."""
        owed, barred, preferred = client.owed_minutes, client.barred, client.preferred
        best, least = source, self.burden[source] - owed
        for index in self._choice(client).eligible:
            if index == source or self.room[index] < owed or (barred and self.bearers[index].provider in barred):
                continue
            difference = self.burden[index] * self.weight[best] - least * self.weight[index]
            if difference == 0 and best != source:
                difference = -1 if self._comes_before(client, index, best) else 1
            if difference < 0 or (difference == 0 and self.bearers[index].provider == preferred):
                best, least = index, self.burden[index]
        return best

    def _choice(self, client: WaitingClient) -> _Choice:
        key = (client.insurer, client.pc4)
        found = self.choices.get(key)
        if found is None:
            found = self.choices[key] = self._new_choice(*key)
        return found

    def _new_choice(self, insurer: Uzovi | None, pc4: Pc4) -> _Choice:
        eligible: list[int] = []
        excluded: list[PassedOver] = []
        when_nobody = Unplaceable.NO_CONTRACT if self.bearers else Unplaceable.NO_PROVIDER
        for index, bearer in enumerate(self.bearers):
            contracted = False
            for area in bearer.areas:
                if insurer is None or area.insurer is None or area.insurer == insurer:
                    contracted = True
                    if pc4 in area.postcodes:
                        eligible.append(index)
                        break
            else:
                why = NotChosen.NOT_IN_POSTCODE if contracted else NotChosen.NO_CONTRACT
                excluded.append(PassedOver(bearer.provider, why))
                if contracted:
                    when_nobody = Unplaceable.NO_PROVIDER_SERVES_POSTCODE
        return _Choice(tuple(eligible), sum(1 << index for index in eligible), tuple(excluded), when_nobody)

    def _lowest_burden(self, client: WaitingClient, eligible: Iterable[int]) -> int | None:
        """The provider that carries least for its weight, among those with room for all that she is owed."""
        owed, barred = client.owed_minutes, client.barred
        best: int | None = None
        for index in eligible:
            if self.room[index] < owed or (barred and self.bearers[index].provider in barred):
                continue
            if best is None or self._comes_before(client, index, best):
                best = index
        return best

    def _comes_before(self, client: WaitingClient, one: int, other: int) -> bool:
        """Compares two relative burdens exactly; then her preference, then the lot."""
        difference = self.burden[one] * self.weight[other] - self.burden[other] * self.weight[one]
        if difference:
            return difference < 0
        if client.preferred is not None:
            if self.bearers[one].provider == client.preferred:
                return True
            if self.bearers[other].provider == client.preferred:
                return False
        return self._drawn(client.id, one) < self._drawn(client.id, other)

    def _drawn(self, client: RecordId, index: int) -> tuple[bytes, bytes]:
        if self.lots is None:
            self.lots = _Lots(self.round)
        return self.lots.draw(client, self.bearers[index].provider)

    def _put(self, client: WaitingClient, index: int) -> None:
        self.at[client.id] = index
        (self.earlier if client.id in self.original else self.fresh)[index][client.id] = client
        self.burden[index] += client.owed_minutes
        self.room[index] -= client.owed_minutes
        for dead_ends in self.dead_ends.values():
            if index in dead_ends:
                dead_ends.clear()

    def _take(self, client: WaitingClient, index: int) -> None:
        del (self.earlier if client.id in self.original else self.fresh)[index][client.id]
        self.burden[index] -= client.owed_minutes
        self.room[index] += client.owed_minutes

    def _chain(self, client: WaitingClient, entries: Sequence[int], movable: Sequence[_Held]) -> list[_Step]:
        """The shortest chain of moves after which some provider in `entries` has room for her; empty if there is none.

        Breadth first over providers, the least burdened first; of each provider one client of `movable` may leave.
        Exact where all are owed the same; where they are not, a chain that would need two clients to leave one
        provider is not found. The free end of the chain comes first.
        """
        owed, dead_ends = client.owed_minutes, self.dead_ends[len(movable)]
        entering = {index: owed for index in entries if dead_ends.get(index, _NEVER) > owed}
        if not entering:
            return []
        in_turn = sorted(range(len(self.bearers)), key=cmp_to_key(self._burden_order))
        rank = {index: place for place, index in enumerate(in_turn)}
        queue = deque(sorted(entering, key=rank.__getitem__))
        arrived_by: dict[int, _Step] = {}
        while queue:
            source = queue.popleft()
            short = entering[source] - self.room[source]
            on_the_way = self._way_to(source, arrived_by)
            for mover in (client for held in movable for client in held[source].values()):
                if mover.owed_minutes < short:
                    continue
                onward = [index for index in self._choice(mover).eligible if index not in on_the_way]
                target = self._lowest_burden(mover, onward)
                if target is not None:
                    return self._trace(_Step(mover, source, target), arrived_by)
                for index in sorted(onward, key=rank.__getitem__):
                    if (
                        index not in entering
                        and self.bearers[index].provider not in mover.barred
                        and dead_ends.get(index, _NEVER) > mover.owed_minutes
                    ):
                        entering[index] = mover.owed_minutes
                        arrived_by[index] = _Step(mover, source, index)
                        queue.append(index)
        for index, minutes in entering.items():
            dead_ends[index] = min(minutes, dead_ends.get(index, minutes))
        return []

    @staticmethod
    def _way_to(index: int, arrived_by: dict[int, _Step]) -> frozenset[int]:
        """Where the chain has been: what room it has there is spoken for."""
        way = {index}
        while index in arrived_by:
            index = arrived_by[index].source
            way.add(index)
        return frozenset(way)

    @staticmethod
    def _trace(last: _Step, arrived_by: dict[int, _Step]) -> list[_Step]:
        steps = [last]
        while steps[-1].source in arrived_by:
            steps.append(arrived_by[steps[-1].source])
        return steps

    def _explain(self, client: WaitingClient) -> Placement:
        chosen = self.at[client.id]
        passed_over = self._passed_over(client, chosen)
        others = {passed.why for passed in passed_over}
        moved = self.moved_for.get(client.id, ())
        if client.id in self.original:
            why = Chosen.GAVE_WAY
        elif moved:
            why = Chosen.MADE_ROOM
        elif client.id not in self.in_turn:
            why = Chosen.FILLED_ROOM
        elif NotChosen.NOT_PREFERRED in others:
            why = Chosen.PREFERRED
        elif NotChosen.LOT in others:
            why = Chosen.LOT
        elif NotChosen.HIGHER_BURDEN in others:
            why = Chosen.LOWEST_BURDEN
        else:
            why = Chosen.ONLY_CANDIDATE
        return Placement(
            client=client.id,
            provider=self.bearers[chosen].provider,
            minutes=client.owed_minutes,
            why=why,
            burden_minutes=self.burden[chosen] - client.owed_minutes,
            passed_over=passed_over,
            moved=moved,
        )

    def _refusal(self, client: WaitingClient) -> Unplaced:
        if client.owed_minutes <= 0:
            return Unplaced(client.id, Unplaceable.NOTHING_OWED, ())
        choice, barred = self._choice(client), client.barred
        if not choice.eligible:
            why = choice.when_nobody
        elif all(self.bearers[index].provider in barred for index in choice.eligible):
            why = Unplaceable.ALL_DECLINED
        elif client.id in self.in_turn:
            why = Unplaceable.GAVE_WAY
        else:
            why = Unplaceable.NO_ROOM
        return Unplaced(client.id, why, self._passed_over(client, None))

    def _passed_over(self, client: WaitingClient, chosen: int | None) -> tuple[PassedOver, ...]:
        choice = self._choice(client)
        return (
            *(
                PassedOver(
                    self.bearers[index].provider,
                    self._why_not(client, index, chosen),
                    self.room[index],
                    self.burden[index],
                )
                for index in choice.eligible
                if index != chosen
            ),
            *choice.excluded,
        )

    def _why_not(self, client: WaitingClient, index: int, chosen: int | None) -> NotChosen:
        provider = self.bearers[index].provider
        if provider in client.declined_by:
            return NotChosen.DECLINED_HER
        if provider in client.refused:
            return NotChosen.REFUSED_BY_HER
        if chosen is None or self.room[index] < client.owed_minutes:
            return NotChosen.NO_ROOM
        without_her = self.burden[chosen] - client.owed_minutes
        if self.burden[index] * self.weight[chosen] != without_her * self.weight[index]:
            return NotChosen.HIGHER_BURDEN
        if self.bearers[chosen].provider == client.preferred:
            return NotChosen.NOT_PREFERRED
        return NotChosen.LOT


class _Lots:
    """Draws between providers that carry equally much, so that nobody can choose a name that wins.

    A lot is a hash over the client and all that the round says about a provider except its name. Only providers of
    whom the round says exactly the same are told apart by name, in one order for the whole round: they are
    interchangeable, so which of them comes first changes nothing but the name on the proposal. (A hash over client
    and name would not do: it would deal twins a different hand for each client, so that a new name could change how
    much each of them gets.)
    """

    def __init__(self, round_: Round) -> None:
        self.seed = f"{round_.region}\n{round_.on.isoformat()}"
        said: dict[Agb, list[str]] = {bearer.provider: [] for bearer in round_.bearers}
        clients = [*round_.waiting, *(proposal.client for proposal in round_.open_proposals)]
        for client in clients:
            mentions = [("declined", client.declined_by), ("refused", client.refused)]
            if client.preferred is not None:
                mentions.append(("preferred", frozenset({client.preferred})))
            for what, providers in mentions:
                for provider in sorted(providers):
                    if provider in said:
                        said[provider].append(f"{what} {client.id}")
        for proposal in round_.open_proposals:
            said[proposal.provider].append(f"open {proposal.client.id}")
        self.content: dict[Agb, bytes] = {}
        self.place: dict[Agb, bytes] = {}
        for bearer in round_.bearers:
            figures = (bearer.weight, bearer.carry_minutes, bearer.spare_minutes, bearer.allocated_minutes)
            areas = sorted(f"{area.insurer} {','.join(sorted(area.postcodes))}" for area in bearer.areas)
            text = "\n".join([*map(str, figures), *areas, *sorted(said[bearer.provider])])
            self.content[bearer.provider] = sha256(text.encode()).digest()
            self.place[bearer.provider] = sha256(f"{self.seed}\n{bearer.provider}".encode()).digest()

    def draw(self, client: RecordId, provider: Agb) -> tuple[bytes, bytes]:
        """Her lot for this provider; the lowest wins."""
        lot = sha256(f"{self.seed}\n{client}\n".encode() + self.content[provider]).digest()
        return lot, self.place[provider]


def _check_once(what: str, sorted_ids: Sequence[str]) -> None:
    for one, next_one in pairwise(sorted_ids):
        if one == next_one:
            raise ValueError(f"found {what} {one} twice in one round, expected each {what} once")
