"""What of a region's ledger one reader may see, and how a provider checks its own line.

Competitors see their own values, their rank and region totals, and those only where nobody's figure follows from them
(DOMAIN "Readers"). The two thresholds are PROPOSAL and stand in `ShareRules`.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from hub.domain.fair_share import (
    DEFAULT_SHARE_RULES,
    Contribution,
    RegionContribution,
    ShareRules,
    Standing,
    own_target,
    weight_of,
)
from hub.domain.identifiers import Agb, Month, Pc4


@dataclass(frozen=True, slots=True)
class RegionTotals:
    """The four figures from which each provider can compute its own target: ΣQ, ΣV, H (minutes) and λ."""

    providers: int
    deployable_minutes: int
    delivered_minutes_12m: int
    pool_minutes: int
    unmet_minutes: int
    level_minutes: Fraction


@dataclass(frozen=True, slots=True)
class OwnStatement:
    """One provider's month as it may see it itself: its own line, its rank, and the totals if they may be told."""

    month: Month
    line: Contribution
    ranked: int
    totals: RegionTotals | None


def region_totals(
    region: RegionContribution, rules: ShareRules = DEFAULT_SHARE_RULES, known: Collection[Agb] = ()
) -> RegionTotals | None:
    """The totals, or None where too few providers stand behind one of them.

    `known` are the providers whose lines the reader has anyway (a package that serves several, an insurer's contracted
    ones).
    """
    figures: tuple[Callable[[Standing], int], ...] = (
        lambda standing: standing.deployable_minutes,
        lambda standing: standing.delivered_minutes_12m,
        lambda standing: standing.spare_minutes,
    )
    for figure in figures:
        behind = [line.provider for line in region.lines if figure(line.standing) > 0]
        if not enough_behind(behind, known, len(region.lines), rules):
            return None
    shares = region.shares
    return RegionTotals(
        providers=len(region.lines),
        deployable_minutes=shares.deployable_minutes,
        delivered_minutes_12m=shares.delivered_minutes_12m,
        pool_minutes=shares.pool_minutes,
        unmet_minutes=shares.unmet_minutes,
        level_minutes=shares.level_minutes,
    )


def enough_behind(behind: Collection[Agb], known: Collection[Agb], providers: int, rules: ShareRules) -> bool:
    """Whether so many stand behind a total that no competitor's figure follows for a reader who knows some of them.

    `behind` are those with a figure above zero: with three zeros, a total of four is one competitor's figure. What the
    reader knows is taken off, and leaves the others': behind these must stand as many as behind a competitor's view,
    one fewer than `disclosed_providers_min`; or all of the region's `providers` are its own.
    """
    others = sum(provider not in known for provider in behind)
    if known and others == 0 and len(known) == providers:
        return True
    enough = len(behind) >= rules.disclosed_providers_min
    return enough and (not known or others >= rules.disclosed_providers_min - 1)


def own_statement(region: RegionContribution, provider: Agb, rules: ShareRules = DEFAULT_SHARE_RULES) -> OwnStatement:
    """What one provider may see of the month. KeyError: it has no line in this region."""
    lines = {line.provider: line for line in region.lines}
    ranked = sum(line.rank is not None for line in region.lines)
    return OwnStatement(region.month, lines[provider], ranked, region_totals(region, rules))


class Disagreement(StrEnum):
    """Where a provider's own computation and its statement differ."""

    WEIGHT = "weight"
    SPARE = "spare"
    TARGET = "target"
    TARGET_ROUNDING = "target_rounding"


def check_own_line(
    own: Standing, statement: OwnStatement, rules: ShareRules = DEFAULT_SHARE_RULES
) -> tuple[Disagreement, ...]:
    """Recomputes a provider's line from its own figures and the published totals; empty when all is as it should be.

    `own` holds what the provider itself knows of its month. Rounding is checked to the minute below and above: who
    got the last minutes depends on the others' remainders, which nobody but the coordinator may see.
    ValueError: a statement without totals, which cannot be checked this way; an auditor refolds the region instead.
    """
    totals, share = statement.totals, statement.line.share
    if totals is None:
        raise ValueError(
            "found a statement without region totals, expected totals; ask the auditor to refold the region"
        )
    weight = weight_of(own, totals.deployable_minutes, totals.delivered_minutes_12m, rules)
    target = own_target(own, weight, totals.level_minutes)
    found = (
        (share.weight != weight, Disagreement.WEIGHT),
        (share.spare_minutes != own.spare_minutes, Disagreement.SPARE),
        (share.target != target, Disagreement.TARGET),
        (abs(share.target_minutes - target) >= 1, Disagreement.TARGET_ROUNDING),
    )
    return tuple(disagreement for differs, disagreement in found if differs)


def disclosed_counts(
    counts: Iterable[tuple[Pc4, int]], rules: ShareRules = DEFAULT_SHARE_RULES
) -> tuple[tuple[Pc4, int | None], ...]:
    """Counts per PC4 in order of PC4; None where a count is too small to be told.

    One hidden count beside a known total could be had by subtraction. So where exactly one is hidden, the smallest
    other one is hidden too. A count of nothing says nothing of anybody and is left out.
    """
    rows = sorted((pc4, count) for pc4, count in counts if count > 0)
    hidden = {pc4 for pc4, count in rows if count < rules.disclosed_count_min}
    if len(hidden) == 1 and len(rows) > 1:
        hidden.add(min((count, pc4) for pc4, count in rows if pc4 not in hidden)[1])
    return tuple((pc4, None if pc4 in hidden else count) for pc4, count in rows)
