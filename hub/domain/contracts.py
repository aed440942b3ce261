"""Which insurer has contracted which provider where in this region (rule 37)."""

from datetime import date
from typing import Final

import msgspec

from hub.domain.allocation import ServiceArea
from hub.domain.events import ContractDeclared
from hub.domain.identifiers import Agb, Pc4, Uzovi
from hub.domain.shards import SHARDS_MAX, Shards

CONTRACTS_MAX: Final = 10_000
"""Ten groups of insurers with a thousand providers each, as far as they deliver here."""


class ContractRow(msgspec.Struct, frozen=True, array_like=True):
    """One contract, as far as it concerns this region: its postcodes here, or all of them (`whole_region`)."""

    insurer: Uzovi
    provider: Agb
    postcodes: tuple[Pc4, ...]
    whole_region: bool
    valid_from: date
    valid_until: date | None

    def in_force(self, today: date) -> bool:
        """Whether it counts on a day; it may have begun before it arrived (rule 47)."""
        return self.valid_from <= today and (self.valid_until is None or today <= self.valid_until)


class Contracts:
    """The contracts that concern one region."""

    def __init__(self) -> None:
        """None yet."""
        self.rows: Shards[ContractRow] = Shards("contracts", ContractRow, count=SHARDS_MAX, size_max=CONTRACTS_MAX)

    def declare(self, key: str, event: ContractDeclared, postcodes_here: frozenset[Pc4]) -> None:
        """Note a contract or replace an older version of it; one that covers nothing here leaves no row."""
        here = tuple(sorted(code for code in event.postcodes if code in postcodes_here))
        if event.postcodes and not here:
            self.rows.remove(key)
            return
        row = ContractRow(event.insurer, event.provider, here, not event.postcodes, event.valid_from, event.valid_until)
        self.rows.put(key, row)

    def areas_on(self, today: date, region_postcodes: frozenset[Pc4]) -> dict[Agb, tuple[ServiceArea, ...]]:
        """Where each provider with at least one contract in force is contracted, by AGB code in their order.

        A provider with one contract counts as contracted in the region's totals (PROPOSAL of DOMAIN "contracted").
        """
        areas: dict[Agb, list[ServiceArea]] = {}
        for row in self.rows.values():
            if row.in_force(today):
                covered = region_postcodes if row.whole_region else frozenset(row.postcodes)
                areas.setdefault(row.provider, []).append(ServiceArea(row.insurer, covered))
        return {
            provider: tuple(sorted(areas[provider], key=lambda area: area.insurer or "")) for provider in sorted(areas)
        }

    def contracted_on(self, today: date) -> frozenset[Agb]:
        """Providers with at least one contract in force here. For membership only: a set has no order."""
        return frozenset(row.provider for _, row in self.rows.unordered() if row.in_force(today))

    def insurers_of(self, provider: Agb, today: date) -> tuple[Uzovi, ...]:
        """Insurers that have a contract in force with a provider here, in the order of their codes."""
        found = {row.insurer: None for row in self.rows.values() if row.provider == provider and row.in_force(today)}
        return tuple(sorted(found))

    def forget_ended(self, today: date, kept_days: int) -> None:
        """Forget contracts that ended so many days ago."""
        for key, row in self.rows.items():
            if row.valid_until is not None and (today - row.valid_until).days > kept_days:
                self.rows.remove(key)
