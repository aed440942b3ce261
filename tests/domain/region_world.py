"""A small country to tell stories in: two regions, three packages, two insurers, one coordinator each.

`World` plays intake: it puts events in front of the fold in the order in which a story tells them.
"""

import hashlib
from dataclasses import dataclass, field, fields
from datetime import date, timedelta
from typing import Any, TypeVar

from hub.domain import events as e
from hub.domain.identifiers import NATIONAL, Agb, Pc4, RecordId, RegionCode, TenantId, Uzovi
from hub.domain.logged import Logged
from hub.domain.reference import Reference, Region, Role, Tenant
from hub.domain.region import RegionRules
from hub.domain.region_state import RegionState
from hub.domain.words import (
    CapacityMethod,
    CareEndReason,
    ContractClass,
    IndicationProtocol,
    RecordKind,
    RegistrationStatus,
    RemovalReason,
    WaitingStatus,
)

F = TypeVar("F")

HERE, THERE = RegionCode("KSV-01"), RegionCode("KSV-02")
ALFA, BETA, GAMMA = TenantId("pkg-alfa"), TenantId("pkg-beta"), TenantId("pkg-gamma")
LIST, KSV, KSV_THERE, OFFICE = TenantId("list-one"), TenantId("ksv-01"), TenantId("ksv-02"), TenantId("office")
CLOCK, OPS, BO = TenantId("clock"), TenantId("ops"), TenantId("bo")
OPERATOR = TenantId("operator")
FIRST_INSURER, SECOND_INSURER, THIRD_INSURER = Uzovi("3311"), Uzovi("7119"), Uzovi("3332")
INS_1, INS_2, INS_3 = TenantId("ins-3311"), TenantId("ins-7119"), TenantId("ins-3332")
"""The first two lead in both regions."""
ROOS, LINDE, WILG = Agb("41000001"), Agb("41000002"), Agb("41000003")
POSTCODE, POSTCODE_2, POSTCODE_THERE = Pc4("1011"), Pc4("1012"), Pc4("2011")
DAY_1 = date(2026, 3, 2)

REFERENCE = Reference(
    version=1,
    log_partitions=1,
    regions=(
        Region(HERE, "Hier", 0, (FIRST_INSURER, SECOND_INSURER)),
        Region(THERE, "Daar", 0, (FIRST_INSURER, SECOND_INSURER)),
    ),
    postcodes=((POSTCODE, HERE), (POSTCODE_2, HERE), (POSTCODE_THERE, THERE)),
    tenants=(
        Tenant(ALFA, Role.PACKAGE),
        Tenant(BETA, Role.PACKAGE),
        Tenant(GAMMA, Role.PACKAGE),
        Tenant(INS_1, Role.INSURER, insurer=FIRST_INSURER),
        Tenant(INS_2, Role.INSURER, insurer=SECOND_INSURER),
        Tenant(INS_3, Role.INSURER, insurer=THIRD_INSURER),
        Tenant(LIST, Role.WAITLIST),
        Tenant(KSV, Role.KSV, region=HERE),
        Tenant(KSV_THERE, Role.KSV, region=THERE),
        Tenant(OFFICE, Role.OFFICE),
        Tenant(CLOCK, Role.CLOCK),
        Tenant(OPS, Role.OPS),
        Tenant(OPERATOR, Role.OPERATOR),
        Tenant(BO, Role.BO),
    ),
)


def day(number: int) -> date:
    """Day 1 is DAY_1."""
    return DAY_1 + timedelta(days=number - 1)


@dataclass
class World:
    """One region of the fold, and the events that it was shown."""

    region: RegionCode = HERE
    rules: RegionRules = field(default_factory=lambda: RegionRules(REFERENCE))
    state: RegionState = field(init=False)
    facts: list[Any] = field(default_factory=list)
    log: list[Logged[Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = self.rules.open(self.region)

    def given(self, event: Any, by: TenantId, *, home: bool = True, comparable: bool = True) -> list[Any]:
        """Put one event in front of the fold; returns what follows from it."""
        content = hashlib.sha256(repr(event).encode()).digest()[:16] if hasattr(event, "version") else b""
        offset = len(self.log)
        logged = Logged(event, self.region, by, f"inbox.{by}", (offset, 0), home, content, offset, comparable)
        self.log.append(logged)
        said = list(self.rules.decide(self.state, logged))
        self.facts.extend(said)
        return said

    def told(self, event: Any) -> list[Any]:
        """The match fold says something."""
        return self.given(event, TenantId("hub"), home=False)

    def starts_day(self, on: date) -> list[Any]:
        """The clock says that a day begins; NL issues the receipt."""
        return self.given(e.DayStarted(date=on), CLOCK, home=self.region == NATIONAL)

    def lives_until(self, last: date) -> list[Any]:
        """Every day up to and including the last begins, in order."""
        said: list[Any] = []
        while self.state.day is None or self.state.day < last:
            said += self.starts_day(DAY_1 if self.state.day is None else self.state.day + timedelta(days=1))
        return said

    def mandate(self, provider: Agb, tenant: TenantId, **change: Any) -> list[Any]:
        """The provider lets a package publish for it."""
        return self.given(mandate(provider, tenant, **change), OFFICE, home=False)


def of_type(facts: list[Any], kind: type[F]) -> list[F]:
    """The facts of one type, in their order."""
    return [fact for fact in facts if type(fact) is kind]


def changed(event: F, **change: Any) -> F:
    """The same event with other values; `raised` for the next version."""
    values = {one.name: getattr(event, one.name) for one in fields(event)}  # type: ignore[arg-type]
    return type(event)(**{**values, **change})


def mandate(provider: Agb, tenant: TenantId, **change: Any) -> e.MandateGranted:
    """A mandate from 2020 on."""
    return changed(
        e.MandateGranted(
            record_id=RecordId(f"m-{provider}-{tenant}"), version=1, provider=provider, mandate_tenant=tenant,
            bo_member=False, valid_from=date(2020, 1, 1), valid_until=None,
        ),
        **change,
    )  # fmt: skip


def registration(record: str = "r1", **change: Any) -> e.RegistrationSubmitted:
    """A registration at Roos, 12 weeks before the due date."""
    return changed(
        e.RegistrationSubmitted(
            record_id=RecordId(record), version=1, provider=ROOS, status=RegistrationStatus.ACTIVE, pc4=POSTCODE,
            due_date=day(85), requested_on=day(1), insurer=FIRST_INSURER, indicated_minutes=49 * 60,
            protocol=IndicationProtocol.LIP, partus_assistance=False,
        ),
        **change,
    )  # fmt: skip


def waiting(record: str = "w1", **change: Any) -> e.WaitingClientListed:
    """A client on the waiting list, due in eight weeks."""
    return changed(
        e.WaitingClientListed(
            record_id=RecordId(record), version=1, status=WaitingStatus.LISTED, removal_reason=None, pc4=POSTCODE,
            due_date=day(57), requested_on=day(1), insurer=FIRST_INSURER, indicated_minutes=45 * 60,
            protocol=IndicationProtocol.LIP, partus_assistance=False, hospital_days=0,
        ),
        **change,
    )  # fmt: skip


def removed(record: str = "w1", reason: RemovalReason = RemovalReason.WITHDRAWN, version: int = 2) -> Any:
    """She leaves the list."""
    return waiting(record, version=version, status=WaitingStatus.REMOVED, removal_reason=reason)


def care(record: str = "c1", **change: Any) -> e.CareDelivered:
    """24 hours of care for r1."""
    return changed(
        e.CareDelivered(
            record_id=RecordId(record), version=1, provider=ROOS, pc4=POSTCODE, registration_id=RecordId("r1"),
            born_on=day(1), physical_minutes=24 * 60, digital_minutes=0, digital_consent=False,
            employed_minutes=24 * 60, self_employed_minutes=0, hospital_days=0, carers=1, carer_codes_present=True,
        ),
        **change,
    )  # fmt: skip


def ended(record: str = "x1", **change: Any) -> e.CareEnded:
    """Care of r1 is complete."""
    return changed(
        e.CareEnded(
            record_id=RecordId(record), version=1, provider=ROOS, pc4=POSTCODE, registration_id=RecordId("r1"),
            ended_on=day(9), reason=CareEndReason.COMPLETED,
        ),
        **change,
    )  # fmt: skip


def capacity(provider: Agb = ROOS, hours: int = 1000, **change: Any) -> e.CapacityDeclared:
    """A declaration for a year, all by employees: `hours` a month on average."""
    minutes = hours * 60 * 12
    return changed(
        e.CapacityDeclared(
            record_id=RecordId(f"cap-{provider}"), version=1, provider=provider, region=HERE,
            period_from=date(2026, 3, 1), period_until=date(2027, 2, 28), declared_on=DAY_1,
            method=CapacityMethod.ROSTER, contracted_employed_minutes=minutes, contracted_self_employed_minutes=0,
            deployable_employed_minutes=minutes, deployable_self_employed_minutes=0, subcontracted_minutes=0,
        ),
        **change,
    )  # fmt: skip


def contract(provider: Agb = ROOS, insurer: Uzovi = FIRST_INSURER, **change: Any) -> e.ContractDeclared:
    """A contract for the whole country."""
    return changed(
        e.ContractDeclared(
            record_id=RecordId(f"con-{provider}-{insurer}"), version=1, insurer=insurer, provider=provider,
            contract_class=ContractClass.A, postcodes=(), valid_from=date(2026, 1, 1), valid_until=None,
        ),
        **change,
    )  # fmt: skip


def registration_ref(record: str = "r1", **change: Any) -> e.RecordRef:
    """How the match fold names a registration."""
    return changed(
        e.RecordRef(
            tenant=ALFA, provider=ROOS, kind=RecordKind.REGISTRATION, record_id=RecordId(record), version=1, region=HERE
        ),
        **change,
    )


def waiting_ref(record: str = "w1", **change: Any) -> e.RecordRef:
    """How the match fold names a waiting client."""
    return changed(
        e.RecordRef(
            tenant=LIST, provider=Agb(""), kind=RecordKind.WAITING, record_id=RecordId(record), version=1, region=HERE
        ),
        **change,
    )
