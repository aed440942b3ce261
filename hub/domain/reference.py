"""Reference data that the sector fixes from outside the log: which postcode lies in which region, and who is who.

The tables are committed data with a version. A row is in force from its `valid_from` and never changes afterwards.
"""

from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from hub.domain.identifiers import NATIONAL, Pc4, RegionCode, TenantId, Uzovi


class Role(StrEnum):
    """What a tenant is in the sector; decides which event types it may publish and which facts it may read."""

    PACKAGE = "package"
    INSURER = "insurer"
    WAITLIST = "waitlist"
    KSV = "ksv"
    OFFICE = "office"
    CLOCK = "clock"
    OPS = "ops"
    BO = "bo"
    VSV = "vsv"


@dataclass(frozen=True, slots=True)
class Region:
    """A KSV region: its partition of the log never changes inside a generation."""

    code: RegionCode
    name: str
    partition: int
    lead_insurers: tuple[Uzovi, ...] = ()


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whoever has an inbox. `region` binds a KSV, `insurer` an insurer; a waitlist tool serves its `regions`."""

    tenant: TenantId
    role: Role
    region: RegionCode | None = None
    insurer: Uzovi | None = None
    valid_from_ms: int = 0


@dataclass(frozen=True)
class Reference:
    """One version of the tables, looked up by what a rule has in hand."""

    version: int
    log_partitions: int
    regions: tuple[Region, ...]
    postcodes: tuple[tuple[Pc4, RegionCode], ...]
    tenants: tuple[Tenant, ...]
    key_epochs: tuple[int, ...] = (1,)
    urn: str = field(default="urn:nld:oin:00000000000000000000:hub")

    @cached_property
    def region(self) -> dict[RegionCode, Region]:
        """Region row by code, without `NL`."""
        return {row.code: row for row in self.regions}

    @cached_property
    def region_of(self) -> dict[Pc4, RegionCode]:
        """Region by postcode digits; a missing key means outside every region."""
        return dict(self.postcodes)

    @cached_property
    def tenant(self) -> dict[TenantId, Tenant]:
        """Tenant row by id."""
        return {row.tenant: row for row in self.tenants}

    @cached_property
    def coordinator(self) -> dict[RegionCode, TenantId]:
        """The KSV tenant that coordinates a region."""
        return {row.region: row.tenant for row in self.tenants if row.role is Role.KSV and row.region is not None}

    @cached_property
    def insurer(self) -> dict[Uzovi, TenantId]:
        """The tenant that speaks for an insurer."""
        return {row.insurer: row.tenant for row in self.tenants if row.role is Role.INSURER and row.insurer is not None}

    @cached_property
    def by_role(self) -> dict[Role, tuple[TenantId, ...]]:
        """Tenants of each role, in the order of the table."""
        return {role: tuple(row.tenant for row in self.tenants if row.role is role) for role in Role}

    @cached_property
    def codes(self) -> tuple[RegionCode, ...]:
        """Every region of the table in its order, then `NL`."""
        return (*(row.code for row in self.regions), NATIONAL)

    def partition(self, region: RegionCode) -> int:
        """Partition of the log that holds a region; `NL` stands on partition 0. KeyError for an unknown region."""
        return 0 if region == NATIONAL else self.region[region].partition
