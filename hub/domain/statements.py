"""What of a region's ledger one reader may see.

Competitors see their own values, their rank and region totals, and those only where nobody's figure follows from them
(DOMAIN "Readers"). The two thresholds are PROPOSAL and stand in `ShareRules`.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from fractions import Fraction

from hub.domain.fair_share import DEFAULT_SHARE_RULES, RegionContribution, ShareRules, Standing
from hub.domain.identifiers import Agb, Pc4


@dataclass(frozen=True, slots=True)
class RegionTotals:
    """The four figures from which each provider can compute its own target: ΣQ, ΣV, H (minutes) and λ."""

    providers: int
    deployable_minutes: int
    delivered_minutes_12m: int
    pool_minutes: int
    unmet_minutes: int
    level_minutes: Fraction


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


def disclosed_counts(
    counts: Iterable[tuple[Pc4, int]], rules: ShareRules = DEFAULT_SHARE_RULES
) -> tuple[tuple[Pc4, int | None], ...]:
    """Counts per PC4 in order of PC4; None where a count is too small to be told.

    One hidden count beside a known total could be had by subtraction. So where exactly one is hidden, the smallest
    other one is hidden too; and where there is no other, its PC4 is not told either. A count of nothing says nothing of
    anybody and is left out.
    """
    rows = sorted((pc4, count) for pc4, count in counts if count > 0)
    hidden = {pc4 for pc4, count in rows if count < rules.disclosed_count_min}
    if len(hidden) == len(rows) == 1:
        return ()
    if len(hidden) == 1:
        hidden.add(min((count, pc4) for pc4, count in rows if pc4 not in hidden)[1])
    return tuple((pc4, None if pc4 in hidden else count) for pc4, count in rows)
