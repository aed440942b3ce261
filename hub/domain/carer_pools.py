"""The same carers, declared in several places: what no single region can see (rules 16 and 17).

A package gives one group of carers the same opaque `carer_pool` wherever it declares their hours. The name is the
package's own: two packages that both say "team-1" do not speak of the same carers. A group may well be split over
regions; declared twice it is only when the parts add up to more than the group has. Where the sender tells what the
group has (`carer_pool_minutes`), that is the yardstick. Where it does not, only the plainest case counts: the very same
hours for the very same days in two places (PROPOSAL).

`NL` gets a copy of every declaration (catalogue, `noticed_nationally`) and looks once a day.
"""

from collections.abc import Iterable
from datetime import date
from typing import Final

from hub.domain.case import Case
from hub.domain.events import CapacityDeclared
from hub.domain.findings import Ground, observe
from hub.domain.pool_rows import NO_POOL, PoolRow
from hub.domain.receipts import APPLIED, STALE, Verdict
from hub.domain.versions import key_of
from hub.domain.words import FindingCode

CLAUSE: Final = "S3 rule 16"
ROUNDING_MINUTES: Final = 60
"""What parts may add up to beyond the whole: each is rounded where it is declared (PROPOSAL)."""
DECLARATIONS_LOOKED_AT_MAX: Final = 250
"""Of one group, the soonest ones: eight regions by the week for half a year. Each is held against each other, so a name
that a package gives to all that it declares must not cost `NL` its day; later ones have their turn (PROPOSAL)."""


def notice_declaration(case: Case, event: CapacityDeclared) -> Verdict:
    """Keep what a declaration says of a group of carers; the region where it belongs judges everything else.

    Versions are told apart per region here: one package may use one id in two regions.
    """
    key = f"{key_of(case.tenant, event)}|{event.region}"
    old = case.state.pools.get(key)
    if old is not None and old.version >= event.version:
        return STALE
    if old is None and case.state.pools.full:
        return Verdict("too_many_records")
    deployable = event.deployable_employed_minutes + event.deployable_self_employed_minutes
    pool = NO_POOL if event.carer_pool is None else f"{case.tenant}/{event.carer_pool}"
    row = PoolRow(
        pool, event.provider, event.region, event.version, event.period_from, event.period_until,
        deployable - event.subcontracted_minutes, event.carer_pool_minutes or 0,
    )  # fmt: skip
    case.state.pools.put(key, row)
    return APPLIED


def find_carers_declared_twice(case: Case, today: date) -> None:
    """Open a finding for every provider whose carers stand twice today or later, and close what was put right.

    The coordinators of all regions concerned hear of it; periods that are over are forgotten.
    """
    by_pool: dict[str, list[PoolRow]] = {}
    for key, row in case.state.pools.items():
        if row.period_until < today:
            case.state.pools.remove(key)
        elif row.pool != NO_POOL:
            by_pool.setdefault(row.pool, []).append(row)
    grounds: dict[str, Ground] = {}
    for pool in sorted(by_pool):
        soonest = sorted(by_pool[pool], key=lambda row: row.period_from)
        twice = declared_twice(soonest[:DECLARATIONS_LOOKED_AT_MAX])
        regions = sorted({row.region for row in twice})
        coordinators = [case.place.reference.coordinator.get(region) for region in regions]
        also = tuple(tenant for tenant in coordinators if tenant is not None)
        for provider in sorted({row.provider for row in twice}):
            grounds[f"{pool}|{provider}"] = Ground(provider, CLAUSE, also)
    observe(case, FindingCode.CARERS_DECLARED_TWICE, grounds)


def declared_twice(rows: Iterable[PoolRow]) -> tuple[PoolRow, ...]:
    """Those declarations of one group that together stand for more hours than it has; empty where all is well."""
    known = tuple(rows)
    twice: dict[int, None] = {}
    for n, anchor in enumerate(known):
        beside = [
            m for m, row in enumerate(known)
            if m != n and (row.region, row.provider) != (anchor.region, anchor.provider) and row.within(anchor)
        ]  # fmt: skip
        if anchor.pool_minutes:
            whole = anchor.minutes + sum(known[m].within(anchor) for m in beside)
            if beside and whole > anchor.pool_minutes + ROUNDING_MINUTES:
                twice |= dict.fromkeys((n, *beside))
            continue
        same = [m for m in beside if not known[m].pool_minutes and _the_very_same(known[m], anchor)]
        if same:
            twice |= dict.fromkeys((n, *same))
    return tuple(known[n] for n in sorted(twice))


def _the_very_same(one: PoolRow, other: PoolRow) -> bool:
    return (one.minutes, one.period_from, one.period_until) == (other.minutes, other.period_from, other.period_until)
