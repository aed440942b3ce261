"""Reference data that the sector fixes from outside the log: which postcode lies in which region, and who is who.

The tables are committed data with a version. A row is in force from its `valid_from`, an append time, and never
changes afterwards: a later row of the same name takes its place. So every version says the same of the past, and
whoever refolds an old log with the newest tables judges each record by the rows in force when it arrived
(`Reference.at`).
"""

from bisect import bisect_right
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

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
    OPERATOR = "operator"
    """Whoever runs the hub: activates rules and adopts models. People on duty are `ops`."""
    BO = "bo"
    VSV = "vsv"


@dataclass(frozen=True, slots=True)
class Region:
    """A KSV region: its partition of the log never changes inside a generation.

    A region that comes later opens with what `NL` holds then (`RegionOpened`).
    """

    code: RegionCode
    name: str
    partition: int
    lead_insurers: tuple[Uzovi, ...] = ()
    valid_from_ms: int = 0


@dataclass(frozen=True, slots=True)
class Tenant:
    """Whoever has an inbox. `region` binds a KSV, `insurer` an insurer. `ended`: from then on it may not send."""

    tenant: TenantId
    role: Role
    region: RegionCode | None = None
    insurer: Uzovi | None = None
    valid_from_ms: int = 0
    ended: bool = False


@dataclass(frozen=True, slots=True)
class PostcodeMove:
    """From an append time on a postcode lies in another region, or in one at all."""

    pc4: Pc4
    region: RegionCode
    valid_from_ms: int


@dataclass(frozen=True, slots=True)
class KeyEpochChange:
    """From an append time on encodings of a key epoch are taken, or no longer."""

    epoch: int
    taken: bool
    valid_from_ms: int


R = TypeVar("R", Region, Tenant, PostcodeMove, KeyEpochChange)


@dataclass(frozen=True)
class Reference:
    """One version of the tables, looked up by what a rule has in hand.

    `postcodes` and `key_epochs` hold from the start; what changed later stands beside them. `generation`: of the logs.
    The lookups below take the last row of a name, whenever it begins: for topics and access. A rule asks `at` first.
    """

    version: int
    log_partitions: int
    regions: tuple[Region, ...]
    postcodes: tuple[tuple[Pc4, RegionCode], ...]
    tenants: tuple[Tenant, ...]
    key_epochs: tuple[int, ...] = (1,)
    urn: str = field(default="urn:nld:oin:00000000000000000000:hub")
    postcode_moves: tuple[PostcodeMove, ...] = ()
    key_epoch_changes: tuple[KeyEpochChange, ...] = ()
    generation: int = 1

    @cached_property
    def moments(self) -> tuple[int, ...]:
        """Append times at which a row takes force after the start, ascending."""
        rows: tuple[Region | Tenant | PostcodeMove | KeyEpochChange, ...] = (
            *self.regions, *self.tenants, *self.postcode_moves, *self.key_epoch_changes,
        )  # fmt: skip
        return tuple(sorted({row.valid_from_ms for row in rows if row.valid_from_ms > 0}))

    @cached_property
    def views(self) -> tuple["Reference", ...]:
        """What is in force before the first of `moments`, and from each of them on."""
        return (self,) if not self.moments else tuple(self._view(moment) for moment in (0, *self.moments))

    def at(self, appended_ms: int) -> "Reference":
        """The rows in force for a record that was appended then (milliseconds since 1970)."""
        return self.views[bisect_right(self.moments, appended_ms)]

    def _view(self, moment: int) -> "Reference":
        def last(rows: tuple[R, ...], name: str) -> tuple[R, ...]:
            held = {getattr(row, name): row for row in rows if row.valid_from_ms <= moment}
            return tuple(replace(row, valid_from_ms=0) for row in held.values())

        region_of = dict(self.postcodes)
        region_of.update((move.pc4, move.region) for move in last(self.postcode_moves, "pc4"))
        taken = dict.fromkeys(self.key_epochs, True)
        taken.update((change.epoch, change.taken) for change in last(self.key_epoch_changes, "epoch"))
        return replace(
            self,
            regions=last(self.regions, "code"),
            postcodes=tuple(sorted(region_of.items())),
            tenants=tuple(row for row in last(self.tenants, "tenant") if not row.ended),
            key_epochs=tuple(sorted(epoch for epoch, held in taken.items() if held)),
            postcode_moves=(),
            key_epoch_changes=(),
        )

    @cached_property
    def region(self) -> dict[RegionCode, Region]:
        """Region row by code, without `NL`."""
        return {row.code: row for row in self.regions}

    @cached_property
    def opened_later(self) -> frozenset[RegionCode]:
        """Regions whose first row begins after the start. For membership only: a set has no order."""
        first: dict[RegionCode, int] = {}
        for row in self.regions:
            first.setdefault(row.code, row.valid_from_ms)
        return frozenset(code for code, valid_from_ms in first.items() if valid_from_ms > 0)

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
        rows = self.tenant.values()
        return {row.region: row.tenant for row in rows if row.role is Role.KSV and row.region is not None}

    @cached_property
    def insurer(self) -> dict[Uzovi, TenantId]:
        """The tenant that speaks for an insurer."""
        rows = self.tenant.values()
        return {row.insurer: row.tenant for row in rows if row.role is Role.INSURER and row.insurer is not None}

    @cached_property
    def by_role(self) -> dict[Role, tuple[TenantId, ...]]:
        """Tenants of each role, in the order of the table."""
        return {role: tuple(row.tenant for row in self.tenant.values() if row.role is role) for role in Role}

    @cached_property
    def codes(self) -> tuple[RegionCode, ...]:
        """Every region of the table in its order, then `NL`."""
        return (*self.region, NATIONAL)

    def partition(self, region: RegionCode) -> int:
        """Partition of the log that holds a region; `NL` stands on partition 0. KeyError for an unknown region."""
        return 0 if region == NATIONAL else self.region[region].partition
