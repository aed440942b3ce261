"""What each contracted provider should carry of a region's shared burden in one month, and what it did carry.

PROPOSAL (DOMAIN "Fair share"): no source fixes these figures; every constant stands in `ShareRules`, so that a region
plan can set it. The sources ask that each provider's contribution can be seen (S0, rule 25) and that clients in red
are distributed over all contracted providers (S1, rule 27).

Care is counted in whole minutes, shares are fractions, and a share is rounded once: at month close, by largest
remainder, so that the rounded targets add up to what was to be shared. Nothing here depends on the order in which
providers are given, nor on their names (`docs/fair-share.md` tells how ties are settled without names).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from math import lcm

from hub.domain.identifiers import Agb, Month, Pc4

MINUTES_PER_HOUR = 60


@dataclass(frozen=True, slots=True)
class ShareRules:
    """The constants of the fair share, all PROPOSAL and all data of the region plan.

    ValueError: the two weights do not add up to one, or capacity does not count at all (then a provider with room
    could have no weight, and the pool could not be shared out).
    """

    capacity_weight: Fraction = Fraction(2, 3)
    delivery_weight: Fraction = Fraction(1, 3)
    carry_months_max: int = 12
    fulfilment_min: Fraction = Fraction(4, 5)
    flag_months: int = 2
    flag_target_minutes_min: int = 72 * MINUTES_PER_HOUR
    disclosed_providers_min: int = 4
    disclosed_count_min: int = 5

    def __post_init__(self) -> None:
        if self.capacity_weight <= 0 or self.delivery_weight < 0 or self.capacity_weight + self.delivery_weight != 1:
            raise ValueError(
                f"found capacity weight {self.capacity_weight} and delivery weight {self.delivery_weight}, expected a"
                " positive and a non-negative share that add up to 1; change the region plan"
            )


DEFAULT_SHARE_RULES = ShareRules()
"""For a region whose plan says nothing else."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known of one contracted provider in one region and month, in minutes.

    Subcontracted hours count once, at the provider that delivers them (rule 38). `own_obligation_minutes` is the
    expected care of its own clients in the month, rounded to a minute by whoever forecasts it; clients that came by
    the waiting list are no own clients, they count as allocated. `carry_minutes` is `Carry.minutes`.
    ValueError: a negative figure other than the carry.
    """

    provider: Agb
    employed_minutes: int
    self_employed_minutes: int
    delivered_minutes_12m: int
    own_obligation_minutes: int
    carry_minutes: int = 0

    def __post_init__(self) -> None:
        counted = (
            self.employed_minutes,
            self.self_employed_minutes,
            self.delivered_minutes_12m,
            self.own_obligation_minutes,
        )
        if min(counted) < 0:
            raise ValueError(f"found {min(counted)} minutes for provider {self.provider}, expected none below zero")

    @property
    def deployable_minutes(self) -> int:
        """Q: employed and self-employed together."""
        return self.employed_minutes + self.self_employed_minutes

    @property
    def spare_minutes(self) -> int:
        """U = max(0, Q − B): what is left after the own clients."""
        return max(0, self.deployable_minutes - self.own_obligation_minutes)


@dataclass(frozen=True, slots=True)
class Share:
    """One provider's part of the pool of one month.

    `target` is exact, in minutes; `target_minutes` is the same, rounded once with the others of the region.
    `settled_minutes` is how much of the carry this target already makes good (same sign as the carry, never more).
    """

    provider: Agb
    weight: Fraction
    spare_minutes: int
    carry_minutes: int
    target: Fraction
    target_minutes: int
    settled_minutes: int


@dataclass(frozen=True, slots=True)
class Shares:
    """The pool of one region and month, shared out; `shares` stand in the order of the AGB codes.

    With `deployable_minutes` (ΣQ), `delivered_minutes_12m` (ΣV), `level_minutes` (λ, minutes per unit of weight) and
    `pool_minutes` (H) a provider can compute its own line again from its own figures: see `own_target`.
    """

    shares: tuple[Share, ...]
    pool_minutes: int
    unmet_minutes: int
    deployable_minutes: int
    delivered_minutes_12m: int
    level_minutes: Fraction

    def of(self, provider: Agb) -> Share:
        """The share of one provider; KeyError when it has none, since it is not contracted in the region."""
        for share in self.shares:
            if share.provider == provider:
                return share
        raise KeyError(provider)


def share_out(standings: Iterable[Standing], pool_minutes: int, rules: ShareRules = DEFAULT_SHARE_RULES) -> Shares:
    """Shares the pool over the contracted providers of a region by weighted max-min (water filling).

    `pool_minutes` (H) is the care owed to all waitlisted clients of the month, placed already or not, after
    duplicates are removed: a pool of those still waiting would lower everybody's target with each placement.
    T_i = min(U_i, max(0, λ·w_i − c_i)) with λ such that ΣT = min(H, ΣU); the rest of H is `unmet_minutes`.
    ValueError: a negative pool, or a provider given twice.
    """
    members = sorted(standings, key=lambda standing: standing.provider)
    if pool_minutes < 0:
        raise ValueError(f"found a pool of {pool_minutes} minutes, expected none below zero")
    for one, next_one in pairwise(members):
        if one.provider == next_one.provider:
            raise ValueError(f"found provider {one.provider} twice, expected one standing for each provider")
    deployable = sum(member.deployable_minutes for member in members)
    delivered = sum(member.delivered_minutes_12m for member in members)
    shared = min(pool_minutes, sum(member.spare_minutes for member in members))
    weights = [weight_of(member, deployable, delivered, rules) for member in members]
    level = _level(members, weights, shared)
    targets = [own_target(member, weight, level) for member, weight in zip(members, weights, strict=True)]
    rounded = _round_by_largest_remainder(targets, [_rank_without_name(member) for member in members])
    shares = tuple(
        Share(
            provider=member.provider,
            weight=weight,
            spare_minutes=member.spare_minutes,
            carry_minutes=member.carry_minutes,
            target=target,
            target_minutes=minutes,
            settled_minutes=int(min(Fraction(member.spare_minutes), max(Fraction(0), level * weight)) - target),
        )
        for member, weight, target, minutes in zip(members, weights, targets, rounded, strict=True)
    )
    return Shares(shares, pool_minutes, pool_minutes - shared, deployable, delivered, level)


def weight_of(standing: Standing, deployable_minutes: int, delivered_minutes_12m: int, rules: ShareRules) -> Fraction:
    """w_i = ⅔·Q_i/ΣQ + ⅓·V_i/ΣV.

    In a region where nothing was delivered yet (or nothing is deployable) the other half of the sum speaks alone.
    """
    if deployable_minutes == 0 and delivered_minutes_12m == 0:
        return Fraction(0)
    if delivered_minutes_12m == 0:
        return Fraction(standing.deployable_minutes, deployable_minutes)
    if deployable_minutes == 0:
        return Fraction(standing.delivered_minutes_12m, delivered_minutes_12m)
    return rules.capacity_weight * Fraction(
        standing.deployable_minutes, deployable_minutes
    ) + rules.delivery_weight * Fraction(standing.delivered_minutes_12m, delivered_minutes_12m)


def own_target(standing: Standing, weight: Fraction, level_minutes: Fraction) -> Fraction:
    """T_i = min(U_i, max(0, λ·w_i − c_i)), in minutes and exact: what a provider can check for itself."""
    return min(Fraction(standing.spare_minutes), max(Fraction(0), level_minutes * weight - standing.carry_minutes))


def _level(members: Sequence[Standing], weights: Sequence[Fraction], shared_minutes: int) -> Fraction:
    """The lowest λ at which the targets add up to what is shared.

    The sum of the targets is piecewise linear in λ: provider i joins at c_i/w_i and is full at (c_i + U_i)/w_i. The
    level may be negative: while some providers owe care from earlier months, the others need not bear anything.
    """
    scale = lcm(*(weight.denominator for weight in weights)) if weights else 1
    bends: list[tuple[Fraction, int]] = []
    for member, weight in zip(members, weights, strict=True):
        if member.spare_minutes > 0:
            units = weight.numerator * (scale // weight.denominator)
            bends.append((Fraction(member.carry_minutes, units), units))
            bends.append((Fraction(member.carry_minutes + member.spare_minutes, units), -units))
    if not bends:
        return Fraction(0)
    bends.sort(key=lambda bend: bend[0])
    level, filled, slope = bends[0][0], Fraction(0), 0
    for bend, change in bends:
        reached = filled + slope * (bend - level)
        if reached >= shared_minutes and slope > 0:
            break
        level, filled, slope = bend, reached, slope + change
    if filled < shared_minutes:
        level += (shared_minutes - filled) / slope
    return level * scale


def _rank_without_name(standing: Standing) -> tuple[int, ...]:
    """Who comes first between equals, told from the figures alone, so that a new name changes nothing."""
    return (
        -standing.deployable_minutes,
        -standing.delivered_minutes_12m,
        standing.own_obligation_minutes,
        standing.carry_minutes,
        standing.employed_minutes,
    )


def _round_by_largest_remainder(shares: Sequence[Fraction], precedence: Sequence[tuple[int, ...]]) -> list[int]:
    """Whole minutes that add up to the sum of the shares (itself whole); the largest remainders are rounded up."""
    whole = [share.numerator // share.denominator for share in shares]
    left = int(sum(shares, Fraction(0))) - sum(whole)
    order = sorted(range(len(shares)), key=lambda index: (whole[index] - shares[index], precedence[index]))
    for index in order[:left]:
        whole[index] += 1
    return whole


@dataclass(frozen=True, slots=True)
class CarryEntry:
    """What one month left over: allocated above (or below, negative) the fair share, in minutes."""

    month: Month
    minutes: int


@dataclass(frozen=True, slots=True)
class Carry:
    """What a provider bore above or below its share and has not yet been made good, oldest month first.

    A deviation in the other direction cancels the oldest entries first, so all entries have one sign. Without that,
    one deviation would lower the target of each of the twelve months in which it stands (see docs/fair-share.md).
    """

    entries: tuple[CarryEntry, ...] = ()

    @property
    def minutes(self) -> int:
        """c_i: positive for who bore more than its share."""
        return sum(entry.minutes for entry in self.entries)

    def at(self, month: Month, rules: ShareRules = DEFAULT_SHARE_RULES) -> "Carry":
        """The carry that counts in a month: what lies more than `carry_months_max` months back has expired."""
        return Carry(tuple(entry for entry in self.entries if month - entry.month <= rules.carry_months_max))

    def after(self, month: Month, deviation_minutes: int) -> "Carry":
        """The carry once a month's deviation is netted off against the oldest entries of the opposite sign."""
        left = deviation_minutes
        kept: list[CarryEntry] = []
        for entry in self.entries:
            if left * entry.minutes < 0:
                netted = min(abs(left), abs(entry.minutes))
                sign = 1 if left > 0 else -1
                left -= sign * netted
                entry = CarryEntry(entry.month, entry.minutes + sign * netted)
            if entry.minutes:
                kept.append(entry)
        if left:
            kept.append(CarryEntry(month, left))
        return Carry(tuple(kept))


def close_month(
    carry: Carry, share: Share, accepted_minutes: int, month: Month, rules: ShareRules = DEFAULT_SHARE_RULES
) -> Carry:
    """The carry after a month: only accepted care counts, a declined or open proposal does not.

    The deviation is measured from the share before the carry was applied (`target_minutes + settled_minutes`): who
    bore 10 h too much, gets a target 10 h lower and bears that, is even again.
    """
    deviation = accepted_minutes - share.target_minutes - share.settled_minutes
    return carry.at(month, rules).after(month, deviation)


@dataclass(frozen=True, slots=True)
class Tally:
    """What one provider did in one region and month, as the fold counted it from events; minutes and counts.

    `declines` are (reason, count) of waitlist proposals, `refusals` are (PC4, count) of registrations it turned away;
    `above_guideline_minutes` is care above the guideline; `scaled_to_floor` says that it gave clients minimal care.
    """

    provider: Agb
    open_minutes: int = 0
    accepted_minutes: int = 0
    delivered_employed_minutes: int = 0
    delivered_self_employed_minutes: int = 0
    above_guideline_minutes: int = 0
    scaled_to_floor: bool = False
    declines: tuple[tuple[str, int], ...] = ()
    refusals: tuple[tuple[Pc4, int], ...] = ()

    @property
    def allocated_minutes(self) -> int:
        """A: open and accepted proposals."""
        return self.open_minutes + self.accepted_minutes


@dataclass(frozen=True, slots=True)
class Contribution:
    """One provider's line in the ledger of a region and month.

    `fulfilment` is F = A/T, `rank` counts from 1 (equal F, equal rank); both None without a target.
    `delivered_above_declared_minutes` above zero is a finding: declaring less than one can do lowers weight and
    target. `employment_gap` is delivered per deployable minute of the employed minus that of the self-employed, a
    statistic and never a finding (S4, rule 51); None where one of the two groups has nothing deployable.
    """

    standing: Standing
    share: Share
    tally: Tally
    fulfilment: Fraction | None
    rank: int | None
    over_delivery_minutes: int
    delivered_above_declared_minutes: int
    employment_gap: Fraction | None

    @property
    def provider(self) -> Agb:
        """Whose line it is."""
        return self.standing.provider


@dataclass(frozen=True, slots=True)
class RegionContribution:
    """The ledger of a region and month: lines in the order of the AGB codes, and what they add up to."""

    month: Month
    shares: Shares
    lines: tuple[Contribution, ...]
    jain_index: Fraction | None
    allocated_minutes: int = field(default=0)


def contributions(
    month: Month, standings: Iterable[Standing], tallies: Iterable[Tally], shares: Shares
) -> RegionContribution:
    """Puts what providers should bear beside what they did; a provider without a tally did nothing.

    ValueError: a tally of a provider without a standing: what it did would silently be left out.
    """
    members = sorted(standings, key=lambda standing: standing.provider)
    done = {tally.provider: tally for tally in tallies}
    for stranger in sorted(done.keys() - {member.provider for member in members}):
        raise ValueError(f"found a tally of provider {stranger}, expected tallies of contracted providers only")
    lines: list[Contribution] = []
    fulfilments = {
        share.provider: Fraction(done[share.provider].allocated_minutes if share.provider in done else 0) / share.target
        for share in shares.shares
        if share.target > 0
    }
    at_floor = {tally.provider for tally in done.values() if tally.scaled_to_floor}
    for member in members:
        tally = done.get(member.provider, Tally(member.provider))
        fulfilment = fulfilments.get(member.provider)
        others_at_floor = bool(at_floor - {member.provider})
        delivered = tally.delivered_employed_minutes + tally.delivered_self_employed_minutes
        lines.append(
            Contribution(
                standing=member,
                share=shares.of(member.provider),
                tally=tally,
                fulfilment=fulfilment,
                rank=None if fulfilment is None else 1 + sum(other > fulfilment for other in fulfilments.values()),
                over_delivery_minutes=tally.above_guideline_minutes if others_at_floor else 0,
                delivered_above_declared_minutes=max(0, delivered - member.deployable_minutes),
                employment_gap=_employment_gap(member, tally),
            )
        )
    allocated = sum(line.tally.allocated_minutes for line in lines)
    return RegionContribution(month, shares, tuple(lines), jain_index(fulfilments.values()), allocated)


def jain_index(values: Iterable[Fraction]) -> Fraction | None:
    """(Σx)² / (n·Σx²): 1 when all are equal, 1/n when one has everything; None when there is nothing to compare."""
    numbers = list(values)
    squares = sum((number * number for number in numbers), Fraction(0))
    if not squares:
        return None
    total = sum(numbers, Fraction(0))
    return total * total / (len(numbers) * squares)


def _employment_gap(standing: Standing, tally: Tally) -> Fraction | None:
    if not standing.employed_minutes or not standing.self_employed_minutes:
        return None
    return Fraction(tally.delivered_employed_minutes, standing.employed_minutes) - Fraction(
        tally.delivered_self_employed_minutes, standing.self_employed_minutes
    )


@dataclass(frozen=True, slots=True)
class LowRun:
    """How many months in a row, up to and including `last_month`, a provider stayed below its share."""

    last_month: Month
    months: int


def low_run_after(
    run: LowRun | None, line: Contribution, month: Month, rules: ShareRules = DEFAULT_SHARE_RULES
) -> LowRun | None:
    """The run of low months after this one; None when this month ends it.

    A month whose target is below 72 h is not judged, since one client more or less would decide; it ends the run.
    """
    judged = line.share.target_minutes >= rules.flag_target_minutes_min
    if not judged or line.fulfilment is None or line.fulfilment >= rules.fulfilment_min:
        return None
    follows = run is not None and run.last_month == month - 1
    return LowRun(month, run.months + 1 if run is not None and follows else 1)


def is_flagged(run: LowRun | None, rules: ShareRules = DEFAULT_SHARE_RULES) -> bool:
    """F below 0.8 two months running: a signal for people to talk about, never a sanction by machine."""
    return run is not None and run.months >= rules.flag_months
