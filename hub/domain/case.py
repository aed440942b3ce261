"""One event in front of one region: what a rule may look at, and where it says what follows."""

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from hub.domain.events import RecordRef, RecordSettled
from hub.domain.identifiers import Agb, Pc4, RegionCode, TenantId
from hub.domain.reference import Reference, Role
from hub.domain.region_state import RegionState
from hub.domain.words import ClientStatus, SettledOutcome


@dataclass(frozen=True, slots=True)
class Place:
    """What the tables say of one region, looked up once. `opens_later`: it begins with `RegionOpened`."""

    region: RegionCode
    reference: Reference
    coordinator: TenantId | None
    postcodes: frozenset[Pc4]
    lead_insurers: tuple[TenantId, ...]
    clock: TenantId | None
    bo: tuple[TenantId, ...]
    opens_later: bool = False


def place_of(reference: Reference, region: RegionCode, *, opens_later: bool = False) -> Place:
    """The place of a region; `NL` has neither postcodes nor a coordinator."""
    row = reference.region.get(region)
    clocks = reference.by_role[Role.CLOCK]
    leads = row.lead_insurers if row is not None else ()
    return Place(
        region=region,
        reference=reference,
        coordinator=reference.coordinator.get(region),
        postcodes=frozenset(pc4 for pc4, code in reference.postcodes if code == region),
        lead_insurers=tuple(reference.insurer[uzovi] for uzovi in leads if uzovi in reference.insurer),
        clock=clocks[0] if clocks else None,
        bo=reference.by_role[Role.BO],
        opens_later=opens_later,
    )


@dataclass(slots=True)
class Case:
    """One event in front of one region. `facts` grows in the order in which they will stand in the log.

    `comparable`: whether the sender gave an identity that can be compared. `cause`: the type of the event.
    `client_statuses`: what clients of the list, by record key, may be told once the event is judged; the last word
    counts.
    """

    place: Place
    state: RegionState
    tenant: TenantId
    content: bytes = b""
    comparable: bool = True
    cause: str = ""
    facts: list[Any] = field(default_factory=list)
    client_statuses: dict[str, ClientStatus] = field(default_factory=dict)

    @property
    def region(self) -> RegionCode:
        """The region that judges."""
        return self.state.region

    @property
    def today(self) -> date | None:
        """Its current day; None before the clock first spoke."""
        return self.state.day

    @property
    def rules(self) -> int:
        """The version of the rules in force here: what a rule asks whose change is smaller than a whole rule."""
        return self.state.head.rules

    @property
    def role(self) -> Role | None:
        """What the sender is in the sector."""
        row = self.place.reference.tenant.get(self.tenant)
        return None if row is None else row.role

    def say(self, fact: Any) -> None:
        """One more fact follows."""
        self.facts.append(fact)

    def settle(self, ref: RecordRef, outcome: SettledOutcome, due: date, *, by_transfer: bool = False) -> None:
        """Tell the match fold how a version of a record with an encoded identity was judged (DESIGN spine 4)."""
        self.say(RecordSettled(record=ref, outcome=outcome, due_date=due, closed_by_transfer=by_transfer))

    def package_of(self, provider: Agb) -> TenantId | None:
        """The tenant that holds a provider's mandate now: to whom facts about it go."""
        return self.state.holder(provider)

    def insurers_of(self, provider: Agb, today: date) -> tuple[TenantId, ...]:
        """Insurers that read what concerns a provider: those that lead here, then those that contract it."""
        known = self.place.reference.insurer
        contracting = (known[u] for u in self.state.contracts.insurers_of(provider, today) if u in known)
        return tuple(dict.fromkeys((*self.place.lead_insurers, *contracting)))
