"""What one region knows: rows of each kind, in parts that a snapshot can carry, and the load that follows from them.

Rows are immutable and keyed by the record they come from; they change through `put` and `remove` only, which note the
part. The forecast's books are kept current one registration at a time and are part of the snapshot; what they
take from elsewhere (contracts, figures, measures) follows from the rows when it is asked for.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import msgspec

from hub.domain.colour_code import ColourState
from hub.domain.contracts import Contracts
from hub.domain.escalation import AlertBook
from hub.domain.fair_share import Carry, LowRun
from hub.domain.follow_up_rows import new_findings, new_requests
from hub.domain.identifiers import Agb, RegionCode, TenantId
from hub.domain.link_rows import new_links
from hub.domain.mandates import Mandates
from hub.domain.pool_rows import new_pools
from hub.domain.region_forecast import RegionForecast, Surroundings
from hub.domain.region_plan import PlanBook, RegionPlan, national_defaults
from hub.domain.registrations import RegistrationRow, load_of, new_care, new_delivered, new_registrations
from hub.domain.shards import SHARDS_MAX, Shards, encode_canonical
from hub.domain.supply_rows import SupplyRows
from hub.domain.versions import new_versions
from hub.domain.waiting_list import Proposals, WaitingRow, load_of_waiting, new_waiting

PLANS_MAX: Final = 20
"""Versions of a region's plan; a part of a snapshot must hold them all, and each takes a few kilobytes."""

CLOCK_SILENT: Final = date(1970, 1, 1)
"""The day of the forecast before the clock first spoke: nothing that arrives then lies behind it."""

PROVIDERS_MAX: Final = 5_000
SAYINGS_MAX: Final = 100_000
"""Last sayings: one a month for the region, and one a month for each provider."""

_HEAD: Final = "head"
_PLANS: Final = "plans"


class Head(msgspec.Struct, array_like=True):
    """What a region knows once.

    `opened_on`: its first day. `plan_told`: id and version of the plan that was last published as in force.
    `first_days`: the day on which each tenant's first registration came here. `held`: tenants whose signals wait.
    `rules`: version of the rules in force. `opened`: a later region has heard of NL. `regions`: those that NL knows.
    `findings`: how many were opened, ever.
    """

    day: date | None = None
    opened_on: date | None = None
    colour: ColourState | None = None
    plan_told: tuple[str, int] | None = None
    first_days: dict[TenantId, date | None] = {}
    held: dict[TenantId, date | None] = {}
    rules: int = 1
    opened: bool = False
    regions: tuple[RegionCode, ...] = ()
    findings: int = 0


_decode_head = msgspec.msgpack.Decoder(Head).decode
_decode_plans = msgspec.msgpack.Decoder(PlanBook).decode


class RegionState:
    """The state of one region of the fold; `NL` is a region without registrations."""

    def __init__(self, region: RegionCode) -> None:
        """Before the first event."""
        self.region = region
        self.head = Head()
        self.plans = PlanBook(region)
        self.versions = new_versions()
        self.mandates = Mandates()
        self.contracts = Contracts()
        self.registrations = new_registrations()
        self.care = new_care()
        self.delivered = new_delivered()
        self.links = new_links()
        self.waiting = new_waiting()
        self.proposals = Proposals()
        self.supply = SupplyRows()
        self.forecast = RegionForecast(national_defaults(region), CLOCK_SILENT)
        self._around_changed = True
        self.alerts = AlertBook(region)
        self.findings = new_findings()
        self.requests = new_requests()
        self.carries: Shards[Carry] = Shards("carries", Carry, count=16, size_max=PROVIDERS_MAX)
        self.pools = new_pools()
        self.low_runs: Shards[LowRun] = Shards("low-runs", LowRun, count=4, size_max=PROVIDERS_MAX)
        self.sayings: Shards[bytes] = Shards("sayings", bytes, count=SHARDS_MAX, size_max=SAYINGS_MAX)
        self._head_bytes = b""
        self._plans_bytes = b""

    @property
    def day(self) -> date | None:
        """The region's current day; None before the clock first spoke."""
        return self.head.day

    @property
    def colour(self) -> ColourState | None:
        """What the last judgement of the colour left to remember."""
        return self.head.colour

    @colour.setter
    def colour(self, colour: ColourState) -> None:
        self.head.colour = colour

    @property
    def plan(self) -> RegionPlan:
        """The rules that hold today: the plan in force, or the national defaults (rule 31)."""
        return national_defaults(self.region) if self.day is None else self.plans.rules_on(self.day)

    def holder(self, provider: Agb) -> TenantId | None:
        """The tenant to whom facts about a provider go today."""
        return self.mandates.holder(provider, self.day)

    def providers(self) -> tuple[Agb, ...]:
        """Everybody who delivers, declares or is contracted here, in the order of their codes."""
        forecast, today = self.forecast, self.day or CLOCK_SILENT
        books = (forecast.loads.providers, forecast.capacities.providers, forecast.claims.providers)
        return tuple(sorted({*self.contracts.contracted_on(today), *(p for book in books for p in book)}))

    def is_new_saying(self, what: str, digest: bytes) -> bool:
        """Whether this was not the last thing said about `what`; from now on it is."""
        if self.sayings.get(what) == digest:
            return False
        self.sayings.put(what, digest)
        return True

    def is_first_day_of(self, tenant: TenantId) -> bool:
        """Whether today is the first day on which this tenant's registrations come here; it is from the first one."""
        if tenant not in self.head.first_days:
            self.head.first_days[tenant] = self.day
        return self.head.first_days[tenant] in (None, self.day)

    def put_registration(self, key: str, row: RegistrationRow) -> None:
        """Write a registration, and count it in the load."""
        self.forecast.replace_load(load_of(self.registrations.get(key)), load_of(row))
        self.registrations.put(key, row)

    def drop_registration(self, key: str) -> None:
        """Forget a registration."""
        self.forecast.replace_load(load_of(self.registrations.get(key)), None)
        self.registrations.remove(key)

    def put_waiting(self, key: str, row: WaitingRow) -> None:
        """Write a waiting client, and count her in the load."""
        self.forecast.replace_load(load_of_waiting(self.waiting.get(key)), load_of_waiting(row))
        self.waiting.put(key, row)

    def drop_waiting(self, key: str) -> None:
        """Forget a waiting client."""
        self.forecast.replace_load(load_of_waiting(self.waiting.get(key)), None)
        self.waiting.remove(key)

    def start_day(self, today: date) -> None:
        """Move to a day: from here on its plan holds, and every unborn child is known to be a day later."""
        self.head.day = today
        self.head.opened_on = self.head.opened_on or today
        # The forecast makes its figures anew with the day; what surrounds it must be true before.
        self.forecast.surroundings = self._surroundings(today)
        self._around_changed = False
        self.forecast.start_day(today, self.plan)

    def around_changed(self) -> None:
        """Something that the forecast takes from elsewhere changed: contracts, mandates, figures, measures."""
        self._around_changed = True

    def current_forecast(self) -> RegionForecast:
        """The forecast with everything around it as it is now. It follows from the rows and is never stored."""
        if self._around_changed:
            self.forecast.surround(self._surroundings(self.day or CLOCK_SILENT))
            self._around_changed = False
        return self.forecast

    def _surroundings(self, today: date) -> Surroundings:
        return self.supply.surroundings(self.contracts, self.mandates, today)

    def changed_parts(self) -> dict[str, bytes | None]:
        """Canonical bytes of each part changed since the last call; None for a part that is gone."""
        parts: dict[str, bytes | None] = {}
        for rows in self.kinds():
            parts.update(rows.changed_parts())
        if (head := encode_canonical(self.head)) != self._head_bytes:
            parts[_HEAD] = self._head_bytes = head
        if (plans := encode_canonical(self.plans)) != self._plans_bytes:
            parts[_PLANS] = self._plans_bytes = plans
        parts.update(self.forecast.changed_parts())
        parts.update(self.alerts.changed_parts())
        return parts

    @classmethod
    def restore(cls, region: RegionCode, parts: Mapping[str, bytes]) -> "RegionState":
        """The state that `changed_parts` wrote."""
        state = cls(region)
        for rows in state.kinds():
            rows.restore(parts)
        if _HEAD in parts:
            state._head_bytes = parts[_HEAD]
            state.head = _decode_head(parts[_HEAD])
        if _PLANS in parts:
            state._plans_bytes = parts[_PLANS]
            state.plans = _decode_plans(parts[_PLANS])
        state.forecast = RegionForecast(state.plan, state.day or CLOCK_SILENT)
        state.forecast.restore(parts)
        state.alerts.restore(parts)
        return state

    def kinds(self) -> tuple[Shards[Any], ...]:
        """Every kind of row, for snapshots and their bounds."""
        return (
            self.versions, self.mandates.rows, self.contracts.rows, self.registrations, self.care, self.delivered,
            self.links, self.waiting, self.proposals, self.findings, self.requests, self.carries,
            self.low_runs, self.pools, self.sayings, *self.supply.kinds,
        )  # fmt: skip
