"""Allocation beside the best that hindsight could do, beside first come first served, and at the nation's size.

`python -m hub.bench.allocation --json` prints every row. The yardsticks are integer programmes solved by HiGHS: they
see the whole list at once, know no order of urgency, and take floats; no rule imports this module.

Regions are invented (seeded): providers of very different size, areas that overlap in part, contracts with most
insurers, and as much spare time as `scarcity` × what the list asks.
"""

import argparse
import json
import resource
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from math import floor
from typing import Any, Final

import numpy as np
from scipy.optimize import LinearConstraint, milp
from scipy.sparse import coo_array

from hub.bench.row import Row
from hub.domain.allocation import (
    AllocationRules,
    Bearer,
    OpenProposal,
    Outcome,
    Round,
    ServiceArea,
    WaitingClient,
    allocate,
    in_order_of_urgency,
    is_urgent,
)
from hub.domain.fair_share import Carry, ShareRules, Shares, Standing, close_month, share_out
from hub.domain.identifiers import Agb, Month, Pc4, RecordId, RegionCode, Uzovi

FLOOR_MINUTES: Final = AllocationRules().floor_minutes
JUDGED_TARGET_MINUTES_MIN: Final = ShareRules().flag_target_minutes_min
"""Jain's index compares providers whose target is at least this: below it one client more or less decides F."""
SCARCITIES: Final = (1.5, 1.0, 0.6, 0.3, 0.1)
"""Spare time over what the list asks; the last two are extreme scarcity."""
HOSPITAL_SHARE: Final = 0.08
"""Clients with one to three hospital days deducted (PROPOSAL: no source gives the share)."""
PARTUS_SHARE: Final = 0.15
PLANNED_AHEAD_DAYS: Final = 30
"""Every other region-month is distributed so long before it begins; then nobody is urgent."""


class Amounts(StrEnum):
    """What the clients of a region-month are owed. All but the first deduct hospital days and add hours at births."""

    ONE = "one"
    MINIMAL = "minimal"
    DEVIATION = "deviation"
    """Until the middle of the month the region's agreements set a floor of 20 h (S1, rule 9)."""
    KLIM = "klim"
    """Half the clients by a norm of 21, 24 or 27 h (S1, rule 10; the norm itself is not supplied, so invented)."""
    MEAN = "mean"
    """Distributed before red, at a mean between 38 and 44 h (S1, rule 27a)."""


MIXES: Final = (Amounts.MINIMAL, Amounts.DEVIATION, Amounts.KLIM, Amounts.MEAN)
INSURERS: Final = (("3311", 0.30), ("7119", 0.24), ("3332", 0.22), ("0101", 0.12), ("0201", 0.07), ("9991", 0.05))
"""Market shares as in DOMAIN "Numbers"; codes other than 3311, 7119 and 3332 are invented."""
BENCH_REGION_MONTHS: Final = 20
"""Region-months in `hub bench`, which is to end in minutes; the program's own default is 100."""
GOAL_OF_OPTIMUM: Final = 0.99
GOAL_JAIN_GAP: Final = 0.01
BIRTHS_A_YEAR: Final = 164_000
REGIONS_A_NATION: Final = 71
OPTIMUM_SECONDS: Final = 60.0
SOLVER_SECONDS: Final = 3.0
SOLVER_GAP: Final = 5e-4
JULY: Final = Month(2026 * 12 + 6)
JULY_1: Final = date(2026, 7, 1)


def _whole(count: int) -> Any:
    """So many variables that count clients."""
    return np.ones(count, dtype=np.int8)


@dataclass(frozen=True, slots=True)
class RegionMonth:
    """One invented region in one month: its shares, and its waiting list as a round."""

    standings: tuple[Standing, ...]
    areas: dict[Agb, tuple[ServiceArea, ...]]
    shares: Shares
    round: Round


def region_month(
    seed: int,
    scarcity: float,
    *,
    clients: int | None = None,
    providers: int | None = None,
    amounts: Amounts = Amounts.ONE,
    on: date = JULY_1,
) -> RegionMonth:
    """An invented region-month; the same arguments give the same one."""
    draw = np.random.default_rng([seed, int(scarcity * 1000)])
    providers = providers or int(draw.integers(4, 15))
    clients = clients or int(draw.integers(40, 160))
    postcodes = [Pc4(str(1000 + number)) for number in range(int(draw.integers(10, 30)))]
    sizes = np.exp(draw.normal(0, 0.9, providers))
    standings, areas = [], {}
    for number, size in enumerate(sizes / sizes.sum()):
        agb = Agb(f"4100{number:04d}")
        spare_hours = size * clients * 24 * scarcity * draw.uniform(0.8, 1.2)
        busy = draw.uniform(0.75, 0.95)
        deployable = int(60 * max(120.0, spare_hours / (1 - busy)))
        employed = int(deployable * draw.uniform(0.4, 1.0))
        standings.append(
            Standing(
                provider=agb,
                employed_minutes=employed,
                self_employed_minutes=deployable - employed,
                delivered_minutes_12m=int(deployable * 11.5 * draw.uniform(0.8, 1.1)),
                own_obligation_minutes=deployable - min(deployable, int(60 * spare_hours)),
                carry_minutes=int(60 * draw.normal(0, 12)),
            )
        )
        first = int(draw.integers(len(postcodes)))
        width = len(postcodes) if size > 0.15 else int(draw.integers(len(postcodes) // 3, len(postcodes) + 1))
        served = frozenset(postcodes[(first + step) % len(postcodes)] for step in range(width))
        contracts = [Uzovi(code) for code, _ in INSURERS if draw.random() < 0.85] or [Uzovi(INSURERS[0][0])]
        areas[agb] = tuple(ServiceArea(insurer, served) for insurer in contracts)
    codes, market = zip(*INSURERS, strict=True)
    waiting = tuple(
        WaitingClient(
            id=RecordId(f"w{number}"),
            pc4=postcodes[int(draw.integers(len(postcodes)))],
            owed_minutes=FLOOR_MINUTES,
            requested_at_ms=int(draw.integers(10**9)),
            due_on=JULY_1 + timedelta(days=int(draw.integers(31))),
            insurer=Uzovi(codes[int(draw.choice(len(codes), p=market))]),
            preferred=standings[int(draw.integers(providers))].provider if draw.random() < 0.6 else None,
        )
        for number in range(clients)
    )
    if amounts is not Amounts.ONE:
        waiting = _mixed(seed, amounts, waiting)
    shares = share_out(standings, sum(client.owed_minutes for client in waiting))
    bearers = tuple(Bearer.of_share(share, 0, areas[share.provider]) for share in shares.shares)
    return RegionMonth(tuple(standings), areas, shares, Round(RegionCode("KSV-01"), on, bearers, waiting))


def _mixed(seed: int, amounts: Amounts, waiting: tuple[WaitingClient, ...]) -> tuple[WaitingClient, ...]:
    """The same clients, owed different amounts; in every other region a partus pool carries the hours at births."""
    draw = np.random.default_rng([seed, 99])
    partus_minutes = 360 if seed // 4 % 2 else 0
    mean = int(draw.integers(38 * 60, 44 * 60))

    def owed(client: WaitingClient) -> int:
        assert client.due_on is not None
        basis = mean if amounts is Amounts.MEAN else FLOOR_MINUTES
        if amounts is Amounts.DEVIATION and client.due_on.day <= 14:
            basis = 20 * 60
        if amounts is Amounts.KLIM and draw.random() < 0.5:
            basis = int(draw.choice([21, 24, 27])) * 60
        hospital_minutes = 180 * int(draw.integers(1, 4)) if draw.random() < HOSPITAL_SHARE else 0
        return basis - hospital_minutes + (partus_minutes if draw.random() < PARTUS_SHARE else 0)

    return tuple(replace(client, owed_minutes=owed(client)) for client in waiting)


def carried_minutes(round_: Round, outcome: Outcome) -> dict[Agb, int]:
    """What each provider carries once the round is published, open proposals included."""
    minutes = {bearer.provider: bearer.allocated_minutes for bearer in round_.bearers}
    owed = {proposal.client.id: proposal.client.owed_minutes for proposal in round_.open_proposals}
    for placement in outcome.placements:
        minutes[placement.provider] += placement.minutes
    for move in outcome.moves:
        minutes[move.source] -= owed[move.placement.client]
        minutes[move.placement.provider] += owed[move.placement.client]
    return minutes


def first_come_nearest(round_: Round) -> dict[Agb, int]:
    """The baseline: who asks first gets the provider whose area's middle lies nearest and that has room."""
    room = {bearer.provider: bearer.room_minutes for bearer in round_.bearers}
    minutes = {bearer.provider: bearer.allocated_minutes for bearer in round_.bearers}
    middle = {
        bearer.provider: statistics.median(int(pc4) for area in bearer.areas for pc4 in area.postcodes)
        for bearer in round_.bearers
    }
    for client in sorted(round_.waiting, key=lambda one: (one.requested_at_ms, one.id)):
        near = sorted(_eligible(round_, client), key=lambda one: (abs(middle[one] - int(client.pc4)), one))
        for provider in near:
            if room[provider] >= client.owed_minutes:
                room[provider] -= client.owed_minutes
                minutes[provider] += client.owed_minutes
                break
    return minutes


def _eligible(round_: Round, client: WaitingClient) -> tuple[Agb, ...]:
    return tuple(
        bearer.provider
        for bearer in round_.bearers
        if bearer.provider not in client.barred
        and any(client.pc4 in area.postcodes and area.insurer in (None, client.insurer) for area in bearer.areas)
    )


_Kind = tuple[tuple[Agb, ...], int]


class Yardstick:
    """The round as an integer programme: how many clients of each kind go where.

    A kind is who may take her, and what she is owed.
    """

    def __init__(self, round_: Round) -> None:
        self.round = round_
        self.providers = [bearer.provider for bearer in round_.bearers]
        self.clients = [*round_.waiting, *(proposal.client for proposal in round_.open_proposals)]
        held = Counter[Agb]()
        for proposal in round_.open_proposals:
            held[proposal.provider] += proposal.client.owed_minutes
        self.base = np.array([bearer.allocated_minutes - held[bearer.provider] for bearer in round_.bearers], float)
        self.room = np.array([bearer.room_minutes + held[bearer.provider] for bearer in round_.bearers], float)
        self.kind = {client.id: (_eligible(round_, client), client.owed_minutes) for client in self.clients}
        self.counts: dict[_Kind, int] = dict(Counter(self.kind[client.id] for client in self.clients))
        number = {provider: index for index, provider in enumerate(self.providers)}
        self.columns = [
            (row, number[provider], minutes)
            for row, (eligible, minutes) in enumerate(self.counts)
            for provider in eligible
        ]
        self.minutes = np.array([minutes for _, _, minutes in self.columns], float)

    def most_minutes(self, placed_for_certain: Iterable[RecordId] = ()) -> int:
        """The most minutes that anyone could place, whoever gets them; with some of whom nobody may lose her place.

        Where the solver's time runs out, its proven bound: what is measured against it can only look worse.
        """
        if not self.columns:
            return 0
        least = Counter(self.kind[client] for client in placed_for_certain)
        limits = self._limits(0)
        limits[0] = LinearConstraint(
            self._per_kind(0), [least[kind] for kind in self.counts], list(self.counts.values())
        )
        result = milp(
            -self.minutes,
            constraints=limits,
            integrality=_whole(len(self.columns)),
            options={"time_limit": OPTIMUM_SECONDS},
        )
        if result.mip_dual_bound is None:
            return 0
        return floor(-result.mip_dual_bound + 1e-6)

    def most_minutes_in_order(self, placed: frozenset[RecordId]) -> int:
        """The most that can be placed when nobody is passed over for the sake of someone less urgent."""
        return sum(client.owed_minutes for client in self.fitting_in_order(self.round.waiting, placed))

    def fitting_in_order(self, clients: Iterable[WaitingClient], placed: frozenset[RecordId]) -> list[WaitingClient]:
        """One after the other in order of urgency a client is in when all before her and she fit together.

        `placed` is a solution whose agreement saves most of the programmes, and decides nothing.
        """
        fixed: Counter[_Kind] = Counter(self.kind[proposal.client.id] for proposal in self.round.open_proposals)
        fitting: list[WaitingClient] = []
        agrees, never = True, set[_Kind]()
        for client in in_order_of_urgency(clients, self.round.rules):
            kind = self.kind[client.id]
            if kind in never or not kind[0] or not kind[1]:
                agrees = agrees and client.id not in placed
                continue
            fits = (agrees and client.id in placed) or self._fits(fixed + Counter([kind]))
            agrees = agrees and fits == (client.id in placed)
            if fits:
                fixed[kind] += 1
                fitting.append(client)
            else:
                never.add(kind)
        return fitting

    def _fits(self, fixed: Counter[_Kind]) -> bool:
        exact = LinearConstraint(
            self._per_kind(0), [fixed[kind] for kind in self.counts], [fixed[kind] for kind in self.counts]
        )
        limits = [exact, LinearConstraint(self._per_provider(0), -np.inf, self.room)]
        return bool(
            milp(np.zeros(len(self.columns)), constraints=limits, integrality=_whole(len(self.columns))).success
        )

    def fairest_jain(self, targets: dict[Agb, float], ours: dict[Agb, int], judged: Sequence[Agb]) -> float:
        """The highest Jain index over the `judged` providers with the hours that ours places, with them and in total.

        1 − J = min over m of Σ(F_i/m − 1)²/n, so for a mean m it is a convex programme; its tangents make it linear.
        m starts at ours and follows the solution until it stays. Within the solver's gap of the best.
        """
        index = [self.providers.index(provider) for provider in judged]
        if not index or not self.columns:
            return 1.0
        target = np.array([targets[provider] for provider in judged])
        carried = np.array([ours[provider] for provider in self.providers], float)
        mean, best = float(np.mean(carried[index] / target)) or 1.0, _jain(carried[index] / target)
        for _ in range(3):
            found = self._nearest_to(mean, target, index, carried)
            if found is None:
                break
            shares = found[index] / target
            best = max(best, _jain(shares))
            following = float((shares**2).sum() / shares.sum()) if shares.sum() else mean
            if abs(following - mean) < 0.002:
                break
            mean = following
        return best

    def _nearest_to(self, mean: float, target: Any, index: Sequence[int], carried: Any) -> Any:
        extra, width = len(index), len(self.columns)
        rows, data, columns, low = [], [], [], []
        line = 0
        for place, provider in enumerate(index):
            mine = [number for number, column in enumerate(self.columns) if column[1] == provider]
            reach = self.base[provider] + np.arange(0, max(self.room[provider], 0) + 180, 180)
            near = reach[np.abs(reach - mean * target[place]) <= 3 * FLOOR_MINUTES]
            for amount in np.unique(np.concatenate([near, reach[:: max(1, len(reach) // 12)]])):
                off = amount / (mean * target[place]) - 1
                slope = 2 * off / (mean * target[place])
                rows += [line] * (len(mine) + 1)
                columns += [*mine, width + place]
                data += [*(-slope * self.minutes[mine]), 1.0]
                low.append(off * off - slope * (amount - self.base[provider]))
                line += 1
        tangents = coo_array((data, (rows, columns)), shape=(line, width + extra))
        judged_columns = np.array([column[1] in set(index) for column in self.columns])
        everyone = np.concatenate([self.minutes, np.zeros(extra)])
        theirs = np.concatenate([self.minutes * judged_columns, np.zeros(extra)])
        total = (carried - self.base).sum()
        total_judged = (carried - self.base)[index].sum()
        result = milp(
            np.concatenate([np.zeros(width), np.ones(extra)]),
            constraints=[
                *self._limits(extra),
                LinearConstraint(everyone, total, total),
                LinearConstraint(theirs, total_judged, total_judged),
                LinearConstraint(tangents.tocsr(), low, np.inf),
            ],
            integrality=np.concatenate([_whole(width), np.zeros(extra, dtype=np.int8)]),
            options={"time_limit": SOLVER_SECONDS, "mip_rel_gap": SOLVER_GAP},
        )
        if result.x is None:
            return None
        found = self.base.copy()
        for value, (_, provider, minutes) in zip(np.round(result.x[:width]), self.columns, strict=True):
            found[provider] += value * minutes
        return found

    def _limits(self, extra: int) -> list[LinearConstraint]:
        return [
            LinearConstraint(self._per_kind(extra), -np.inf, list(self.counts.values())),
            LinearConstraint(self._per_provider(extra), -np.inf, np.maximum(self.room, 0)),
        ]

    def _per_kind(self, extra: int) -> Any:
        rows = [column[0] for column in self.columns]
        shape = (len(self.counts), len(self.columns) + extra)
        return coo_array((np.ones(len(rows)), (rows, range(len(rows)))), shape=shape).tocsr()

    def _per_provider(self, extra: int) -> Any:
        rows = [column[1] for column in self.columns]
        shape = (len(self.providers), len(self.columns) + extra)
        return coo_array((self.minutes, (rows, range(len(rows)))), shape=shape).tocsr()


def _jain(values: Any) -> float:
    squares = float((np.asarray(values) ** 2).sum())
    return float(np.asarray(values).sum() ** 2 / (len(values) * squares)) if squares else 1.0


@dataclass(frozen=True, slots=True)
class QualityRow:
    """One region-month. Ratios are of placed hours.

    `optimum` is the integer optimum that knows no urgency at all. With `urgent_kept` it has the round's obligation:
    the urgent come first, so each of them in her turn who fits beside all urgent ones before her keeps a place; who
    that is does not depend on our rule. `urgent_fitting` counts them, `urgent_placed` those whom our rule placed.
    `in_order` passes nobody at all over for someone less urgent.

    The Jain indices compare the providers that can be judged (`judged`, target at least 72 h) on F = A/T.
    """

    seed: int
    scarcity: float
    amounts: str
    providers: int
    clients: int
    placed_hours: float
    urgent: int
    urgent_fitting: int
    urgent_placed: int
    of_optimum: float
    of_optimum_urgent_kept: float
    of_optimum_in_order: float
    judged: int
    jain: float
    fairest_jain: float
    jain_gap: float
    jain_all: float
    baseline_of_optimum: float
    baseline_jain: float


def quality_row(seed: int, scarcity: float, amounts: Amounts, on: date = JULY_1) -> QualityRow:
    """One whole list in one round, beside the optimum, the fairest and the baseline."""
    month = region_month(seed, scarcity, amounts=amounts, on=on)
    outcome = allocate(month.round)
    ours = carried_minutes(month.round, outcome)
    nearest = first_come_nearest(month.round)
    yardstick = Yardstick(month.round)
    most = yardstick.most_minutes()
    placed_ids = frozenset(placement.client for placement in outcome.placements)
    urgent = [client for client in month.round.waiting if is_urgent(client, on, month.round.rules)]
    fitting = yardstick.fitting_in_order(urgent, placed_ids)
    kept = min(most, yardstick.most_minutes(client.id for client in fitting))
    in_order = yardstick.most_minutes_in_order(placed_ids)
    targets = {share.provider: float(share.target) for share in month.shares.shares}
    judged = [provider for provider in yardstick.providers if targets[provider] >= JUDGED_TARGET_MINUTES_MIN]
    some = [provider for provider in yardstick.providers if targets[provider] > 0]

    def jain_of(minutes: dict[Agb, int], among: Sequence[Agb]) -> float:
        return _jain([minutes[provider] / targets[provider] for provider in among]) if among else 1.0

    jain, fairest = jain_of(ours, judged), yardstick.fairest_jain(targets, ours, judged)
    placed = sum(ours.values())
    return QualityRow(
        seed=seed,
        scarcity=scarcity,
        amounts=amounts.value,
        providers=len(yardstick.providers),
        clients=len(month.round.waiting),
        placed_hours=placed / 60,
        urgent=len(urgent),
        urgent_fitting=len(fitting),
        urgent_placed=sum(client.id in placed_ids for client in urgent),
        of_optimum=_ratio(placed, most),
        of_optimum_urgent_kept=_ratio(placed, kept),
        of_optimum_in_order=_ratio(placed, in_order),
        judged=len(judged),
        jain=round(jain, 4),
        fairest_jain=round(fairest, 4),
        jain_gap=round(fairest - jain, 4),
        jain_all=round(jain_of(ours, some), 4),
        baseline_of_optimum=_ratio(sum(nearest.values()), most),
        baseline_jain=round(jain_of(nearest, judged), 4),
    )


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 1.0


def quality_rows(region_months: int = 100, first_seed: int = 0) -> Iterator[QualityRow]:
    """That many region-months with mixed amounts, and a fifth as many where all are owed the same.

    In every other twenty months the list is distributed a month before they begin, in those between on their first day,
    with a quarter of it urgent. `first_seed` gives as many others of the same kinds.
    """
    ahead = JULY_1 - timedelta(days=PLANNED_AHEAD_DAYS)
    for number in range(region_months):
        on = JULY_1 if number // 20 % 2 else ahead
        yield quality_row(first_seed + number, SCARCITIES[number % 5], MIXES[number % 4], on)
    for number in range(region_months // 5):
        yield quality_row(first_seed + number, SCARCITIES[number % 5], Amounts.ONE)


@dataclass(frozen=True, slots=True)
class DailyRow:
    """One month lived day by day: clients arrive, proposals are answered or declined, accepted ones stay.

    `kept`: beside the optimum in which whoever holds an open proposal, and the urgent, keep a place too.
    """

    seed: int
    scarcity: float
    rounds: int
    clients: int
    declines: int
    moves: int
    accepted_hours: float
    lowest_round_of_optimum: float
    lowest_round_kept: float


def daily_row(seed: int, scarcity: float, amounts: Amounts = Amounts.ONE) -> DailyRow:
    """Each daily round beside the integer optimum of that same round: what is accepted stays where it is."""
    month = region_month(seed, scarcity, amounts=amounts)
    draw = np.random.default_rng([seed, 1])
    to_come = list(month.round.waiting)
    waiting: list[WaitingClient] = []
    opened: dict[RecordId, OpenProposal] = {}
    accepted = {share.provider: 0 for share in month.shares.shares}
    lowest, lowest_kept, declines, moves, rounds = 1.0, 1.0, 0, 0, 10
    for day in range(rounds):
        arrivals = len(to_come) // (rounds - day)
        waiting, to_come = waiting + to_come[:arrivals], to_come[arrivals:]
        held = Counter(accepted)
        for proposal in opened.values():
            held[proposal.provider] += proposal.client.owed_minutes
        bearers = tuple(
            Bearer.of_share(share, held[share.provider], month.areas[share.provider]) for share in month.shares.shares
        )
        round_ = Round(
            RegionCode("KSV-01"), JULY_1 + timedelta(days=day), bearers, tuple(waiting), tuple(opened.values())
        )
        outcome = allocate(round_)
        yardstick = Yardstick(round_)
        most = yardstick.most_minutes()
        placed = {placement.client for placement in outcome.placements}
        urgent = [one.id for one in waiting if is_urgent(one, round_.on, round_.rules) and one.id in placed]
        most_kept = yardstick.most_minutes([*opened, *urgent])
        ours = sum(carried_minutes(round_, outcome).values()) - sum(accepted.values())
        lowest, moves = min(lowest, _ratio(ours, most)), moves + len(outcome.moves)
        lowest_kept = min(lowest_kept, _ratio(ours, min(most, most_kept)))
        by_id = {client.id: client for client in waiting}
        for placement in outcome.placements:
            opened[placement.client] = OpenProposal(by_id[placement.client], placement.provider)
        for move in outcome.moves:
            opened[move.placement.client] = replace(opened[move.placement.client], provider=move.placement.provider)
        waiting = [client for client in waiting if client.id not in opened]
        for proposal in list(opened.values()):
            answer = draw.random()
            if answer < 0.05:
                declines += 1
                declined_by = proposal.client.declined_by | {proposal.provider}
                waiting.append(replace(proposal.client, declined_by=declined_by))
                del opened[proposal.client.id]
            elif answer < 0.6:
                accepted[proposal.provider] += proposal.client.owed_minutes
                del opened[proposal.client.id]
    clients = len(month.round.waiting)
    return DailyRow(seed, scarcity, rounds, clients, declines, moves, sum(accepted.values()) / 60, lowest, lowest_kept)


@dataclass(frozen=True, slots=True)
class UnderstatingRow:
    """A year in which one provider declares only part of what it can do; all figures in hours a year."""

    declared_share: float
    asked_hours: float
    asked_when_honest_hours: float
    gained_hours: float
    declared_too_little_hours: float
    finding: bool


def understating_rows(seed: int = 1, scarcity: float = 1.2) -> Iterator[UnderstatingRow]:
    """What the largest provider gains over twelve months by declaring 95 %, 90 %, 80 % or 70 % of its hours.

    It goes on caring for its own clients, so what it delivers shows: `finding` says that this came above what it
    declared in some month.
    """
    honest = _year(seed, scarcity, 1.0)
    for declared in (0.95, 0.9, 0.8, 0.7):
        asked, hidden, finding = _year(seed, scarcity, declared)
        yield UnderstatingRow(declared, asked, honest[0], honest[0] - asked, hidden, finding)


def _year(seed: int, scarcity: float, declared: float) -> tuple[float, float, bool]:
    first = region_month(seed, scarcity)
    liar = max(first.standings, key=lambda one: one.deployable_minutes).provider
    carries = {standing.provider: Carry() for standing in first.standings}
    asked, hidden, finding = 0, 0, False
    for number in range(12):
        clients = region_month(seed + 1000 * number, scarcity, clients=len(first.round.waiting)).round.waiting
        postcodes = sorted({pc4 for areas in first.areas.values() for area in areas for pc4 in area.postcodes})
        clients = tuple(
            replace(client, pc4=postcodes[int(client.pc4) % len(postcodes)], preferred=None) for client in clients
        )
        standings = []
        for standing in first.standings:
            told = declared if standing.provider == liar else 1.0
            standings.append(
                replace(
                    standing,
                    employed_minutes=int(standing.employed_minutes * told),
                    self_employed_minutes=int(standing.self_employed_minutes * told),
                    carry_minutes=carries[standing.provider].at(Month(JULY + number)).minutes,
                )
            )
        shares = share_out(standings, sum(client.owed_minutes for client in clients))
        bearers = tuple(Bearer.of_share(share, 0, first.areas[share.provider]) for share in shares.shares)
        round_ = Round(RegionCode("KSV-01"), JULY_1 + timedelta(days=31 * number), bearers, clients)
        carried = carried_minutes(round_, allocate(round_))
        for share in shares.shares:
            carries[share.provider] = close_month(
                carries[share.provider], share, carried[share.provider], Month(JULY + number)
            )
        told_minutes = next(one.deployable_minutes for one in standings if one.provider == liar)
        able = next(one for one in first.standings if one.provider == liar)
        asked += carried[liar]
        hidden += able.deployable_minutes - told_minutes
        finding = finding or able.own_obligation_minutes + carried[liar] > told_minutes
    return asked / 60, hidden / 60, finding


@dataclass(frozen=True, slots=True)
class CostRow:
    """What one allocation costs while so many clients wait in one region of 40 providers; seconds of processor time."""

    waiting: int
    scarcity: float
    round_seconds: float
    microseconds_per_client: float
    urgent_round_microseconds: float


def cost_rows(sizes: Sequence[int] = (10, 100, 1_000, 10_000)) -> Iterator[CostRow]:
    """A daily round over the whole list, with room and without; and the round of one urgent client beside that list."""
    for waiting in sizes:
        for scarcity in (1.2, 0.3):
            month = region_month(7, scarcity, clients=waiting, providers=40, amounts=Amounts.KLIM)
            seconds = _timed(lambda: allocate(month.round), 3 if waiting < 10_000 else 1)  # noqa: B023
            urgent = replace(month.round, waiting=month.round.waiting[:1])
            single = _timed(lambda: allocate(urgent), 20)  # noqa: B023
            yield CostRow(
                waiting, scarcity, round(seconds, 6), round(seconds / waiting * 1e6, 1), round(single * 1e6, 1)
            )


def _timed(work: Callable[[], object], times: int) -> float:
    best = float("inf")
    for _ in range(times):
        began = time.process_time()
        work()
        best = min(best, time.process_time() - began)
    return best


@dataclass(frozen=True, slots=True)
class NationRow:
    """A year of the nation: every client allocated by daily rounds in her region, shares drawn up anew each month."""

    clients: int
    regions: int
    rounds: int
    placed: int
    seconds: float
    microseconds_per_client: float
    resident_megabytes: float


def nation_row(clients: int = BIRTHS_A_YEAR, regions: int = REGIONS_A_NATION) -> NationRow:
    """As if the whole year were red everywhere: the worst that allocation can be asked."""
    a_month = max(1, round(clients / regions / 12))
    rounds = placed = done = 0
    began = time.process_time()
    spent_inventing = 0.0
    for region in range(regions):
        for number in range(12):
            inventing = time.process_time()
            mix = MIXES[(region + number) % len(MIXES)]
            month = region_month(region * 12 + number, 1.1, clients=a_month, providers=25, amounts=mix)
            spent_inventing += time.process_time() - inventing
            shares = share_out(month.standings, month.shares.pool_minutes)
            held = dict.fromkeys(month.areas, 0)
            left: tuple[WaitingClient, ...] = ()
            for day in range(30):
                today = month.round.waiting[day * a_month // 30 : (day + 1) * a_month // 30]
                bearers = tuple(
                    Bearer.of_share(share, held[share.provider], month.areas[share.provider]) for share in shares.shares
                )
                round_ = Round(RegionCode("KSV-01"), JULY_1 + timedelta(days=day), bearers, left + today)
                outcome = allocate(round_)
                held = carried_minutes(round_, outcome)
                unplaced = {one.client for one in outcome.unplaced}
                left = tuple(client for client in left + today if client.id in unplaced)
                rounds += 1
                placed += len(outcome.placements)
            done += a_month
    seconds = time.process_time() - began - spent_inventing
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return NationRow(done, regions, rounds, placed, round(seconds, 2), round(seconds / done * 1e6, 1), round(resident))


def summary(rows: Sequence[QualityRow]) -> dict[str, Any]:
    """The figures of issue 7, `Shown by` 2, over the region-months of each kind."""
    kinds = {_group(row) for row in rows}
    return {
        kind: {
            "region_months": len(of_kind),
            "lowest_of_optimum": min(row.of_optimum for row in of_kind),
            "of_optimum_0.99_or_more": sum(row.of_optimum >= 0.99 for row in of_kind),
            "lowest_of_optimum_urgent_kept": min(row.of_optimum_urgent_kept for row in of_kind),
            "of_optimum_urgent_kept_0.99_or_more": sum(row.of_optimum_urgent_kept >= 0.99 for row in of_kind),
            "urgent_fitting": sum(row.urgent_fitting for row in of_kind),
            "urgent_placed": sum(row.urgent_placed for row in of_kind),
            "mean_of_optimum": round(statistics.fmean(row.of_optimum for row in of_kind), 4),
            "lowest_of_optimum_in_order": min(row.of_optimum_in_order for row in of_kind),
            "largest_jain_gap": max(row.jain_gap for row in of_kind),
            "mean_jain_gap": round(statistics.fmean(row.jain_gap for row in of_kind), 4),
            "jain_gap_within_0.01": sum(row.jain_gap <= 0.01 for row in of_kind),
            "mean_jain": round(statistics.fmean(row.jain for row in of_kind), 4),
            "baseline_mean_of_optimum": round(statistics.fmean(row.baseline_of_optimum for row in of_kind), 4),
            "baseline_mean_jain": round(statistics.fmean(row.baseline_jain for row in of_kind), 4),
        }
        for kind in sorted(kinds)
        for of_kind in [[row for row in rows if _group(row) == kind]]
    }


def rows() -> Iterator[Row]:
    """The group `allocation` of `hub bench`; every region-month by itself is what this module prints as a program."""
    yield from (
        Row("allocation", f"{row.waiting:,} waiting", row.microseconds_per_client, "µs a client") for row in cost_rows()
    )
    for amounts, figures in summary(list(quality_rows(BENCH_REGION_MONTHS))).items():
        what = f"{amounts}, {figures['region_months']} region-months"
        placed, lowest = figures["mean_of_optimum"], figures["lowest_of_optimum_urgent_kept"]
        yield Row("allocation", f"placed hours, lowest, {what}", lowest, "of the optimum", goal=GOAL_OF_OPTIMUM)
        yield Row("allocation", f"placed hours, mean, {what}", placed, "of the optimum")
        gap = figures["largest_jain_gap"]
        yield Row("allocation", f"Jain, largest gap, {what}", gap, "", goal=GOAL_JAIN_GAP, lower_is_better=True)
    yield from (
        Row("allocation", f"gained in a year by declaring {row.declared_share:.0%}", row.gained_hours, "h")
        for row in understating_rows()
    )
    nation = nation_row()
    yield Row("allocation", f"a year of {nation.clients:,} clients", nation.seconds, "s")
    yield Row("allocation", f"a year of {nation.clients:,} clients", nation.resident_megabytes, "MB resident")


def _group(row: QualityRow) -> str:
    if row.amounts == Amounts.ONE:
        return "one amount"
    return "mixed amounts, some urgent" if row.urgent else "mixed amounts, nobody urgent"


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints rows as they come, or with `--json` one object at the end."""
    parser = argparse.ArgumentParser(prog="python -m hub.bench.allocation", description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--region-months", type=int, default=100, help="how many to compare with the optimum")
    parser.add_argument("--first-seed", type=int, default=0, help="the seed of the first of them")
    parser.add_argument("--quality-only", action="store_true", help="leave out cost, days, understating and the nation")
    parser.add_argument("--clients", type=int, default=BIRTHS_A_YEAR, help="clients in the nation's year")
    chosen = parser.parse_args(arguments)
    report: dict[str, Any] = {}

    def gather(name: str, rows: Iterator[Any]) -> None:
        report[name] = []
        for row in rows:
            report[name].append(asdict(row))
            if not chosen.json:
                sys.stdout.write(f"{name} {asdict(row)}\n")

    quality = list(quality_rows(chosen.region_months, chosen.first_seed))
    gather("quality", iter(quality))
    if not chosen.quality_only:
        gather("cost", cost_rows())
        gather("understating", understating_rows())
        gather("daily", (daily_row(n, SCARCITIES[n % 5], tuple(Amounts)[n // 5]) for n in range(25)))
        gather("nation", iter([nation_row(chosen.clients)]))
    report["summary"] = summary(quality)
    sys.stdout.write(json.dumps(report if chosen.json else report["summary"]) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
