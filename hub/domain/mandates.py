"""Who may speak for a provider, and to which package a fact about it goes.

A mandate counts by the region's current day. Before the first day a region knows no date, so a period cannot be judged
and every mandate granted counts: a package can load its records before the clock has spoken.
"""

from datetime import date
from typing import Final

import msgspec

from hub.domain.events import MandateGranted
from hub.domain.identifiers import Agb, TenantId
from hub.domain.shards import SHARDS_MAX, Shards

MANDATES_MAX: Final = 50_000
"""Every provider of the country with several mandates; carers who work on their own have an AGB code each."""


class MandateRow(msgspec.Struct, frozen=True, array_like=True):
    """One mandate as it stands."""

    provider: Agb
    tenant: TenantId
    bo_member: bool
    valid_from: date
    valid_until: date | None

    def in_force(self, today: date | None) -> bool:
        """Whether it counts on a day."""
        if today is None:
            return True
        return self.valid_from <= today and (self.valid_until is None or today <= self.valid_until)


class Mandates:
    """All mandates of the country, as one region holds them."""

    def __init__(self) -> None:
        """None yet."""
        self.rows: Shards[MandateRow] = Shards("mandates", MandateRow, count=SHARDS_MAX, size_max=MANDATES_MAX)
        self._by_provider: dict[str, dict[str, MandateRow]] | None = None

    def grant(self, key: str, event: MandateGranted) -> None:
        """Note a mandate, or replace an older version of it."""
        row = MandateRow(event.provider, event.mandate_tenant, event.bo_member, event.valid_from, event.valid_until)
        self.put(key, row)

    def put(self, key: str, row: MandateRow) -> None:
        """Write a row."""
        self.rows.put(key, row)
        self._by_provider = None

    def allows(self, provider: Agb, tenant: TenantId, today: date | None) -> bool:
        """Whether a tenant may speak for a provider."""
        return any(row.tenant == tenant and row.in_force(today) for row in self._of(provider).values())

    def holder(self, provider: Agb, today: date | None) -> TenantId | None:
        """The tenant to whom facts about a provider go: of several mandates in force the youngest; None without one."""
        best = max(
            ((row.valid_from, key, row.tenant) for key, row in self._of(provider).items() if row.in_force(today)),
            default=None,
        )
        return None if best is None else best[2]

    def bo_members_on(self, today: date) -> frozenset[Agb]:
        """Providers of whom a mandate in force says that they are a member of Bo (rule 4). A set has no order."""
        return frozenset(row.provider for _, row in self.rows.unordered() if row.bo_member and row.in_force(today))

    def forget_ended(self, today: date, kept_days: int) -> None:
        """Forget mandates that ended so many days ago."""
        for key, row in self.rows.items():
            if row.valid_until is not None and (today - row.valid_until).days > kept_days:
                self.rows.remove(key)
                self._by_provider = None

    def _of(self, provider: str) -> dict[str, MandateRow]:
        if self._by_provider is None:
            index: dict[str, dict[str, MandateRow]] = {}
            for key, row in self.rows.unordered():
                index.setdefault(row.provider, {})[key] = row
            self._by_provider = index
        return self._by_provider.get(provider, {})
