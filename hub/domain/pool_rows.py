"""Declarations that name a group of carers, as `NL` keeps them (carer_pools.py)."""

from datetime import date
from typing import Final

import msgspec

from hub.domain.identifiers import Agb, RegionCode
from hub.domain.shards import Shards

POOLS_MAX: Final = 50_000
"""Declarations that name a group: a thousand providers, eight regions, half a year of months."""

NO_POOL: Final = ""
"""A declaration that names no group; kept for its version, since an older one that does may still come."""


class PoolRow(msgspec.Struct, frozen=True, array_like=True):
    """One declaration of a group of carers, whose name belongs to the package that gave it (`tenant/carer_pool`).

    `pool_minutes` 0: the sender does not tell what the group has in all.
    """

    pool: str
    provider: Agb
    region: RegionCode
    version: int
    period_from: date
    period_until: date
    minutes: int
    pool_minutes: int

    @property
    def days(self) -> int:
        """Days of the period, both ends included."""
        return (self.period_until - self.period_from).days + 1

    def within(self, other: "PoolRow") -> int:
        """Minutes of this declaration on the days of another, spread evenly."""
        start, end = max(self.period_from, other.period_from), min(self.period_until, other.period_until)
        return self.minutes * max(0, (end - start).days + 1) // self.days


def new_pools() -> Shards[PoolRow]:
    """No group named yet."""
    return Shards("pools", PoolRow, count=64, size_max=POOLS_MAX)
