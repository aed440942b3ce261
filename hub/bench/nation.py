"""A small nation for the benchmarks: inputs as tenants send them, and the region log that intake makes of them."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from hub.contracts import catalogue, codec
from hub.domain.events import DayStarted, MandateGranted, RegistrationSubmitted
from hub.domain.identifiers import Agb, Pc4, RecordId, RegionCode, TenantId, Uzovi
from hub.domain.reference import Reference, Region, Role, Tenant
from hub.domain.words import IndicationProtocol, RegistrationStatus
from hub.streams.intake import Intake
from hub.streams.machine import LogRecord
from hub.streams.producer import Outgoing

PACKAGE: Final = TenantId("pkg-bench")
OFFICE: Final = TenantId("office")
CLOCK: Final = TenantId("clock")
HERE: Final = RegionCode("KSV-01")


def small(
    packages: Sequence[TenantId],
    codes: Sequence[RegionCode] = (HERE,),
    partitions: int = 1,
    ops: Sequence[TenantId] = (),
) -> Reference:
    """Tables with these packages and regions, at least twenty postcodes dealt out over them, and a KSV for each."""
    return Reference(
        version=1,
        log_partitions=partitions,
        regions=tuple(Region(code, "Bench", n % partitions) for n, code in enumerate(codes)),
        postcodes=tuple((Pc4(str(1000 + n)), codes[n % len(codes)]) for n in range(max(20, len(codes)))),
        tenants=(
            *(Tenant(package, Role.PACKAGE) for package in packages),
            Tenant(OFFICE, Role.OFFICE),
            Tenant(CLOCK, Role.CLOCK),
            *(Tenant(tenant, Role.OPS) for tenant in ops),
            *(Tenant(TenantId(code.lower()), Role.KSV, code) for code in codes),
        ),
    )


def mandate(provider: Agb, package: TenantId) -> MandateGranted:
    """A provider lets a package speak for it."""
    return MandateGranted(
        record_id=RecordId(f"mandate-{provider}"),
        version=1,
        provider=provider,
        mandate_tenant=package,
        bo_member=True,
        valid_from=date(2020, 1, 1),
    )


REFERENCE: Final = small((PACKAGE,))
TODAY: Final = date(2026, 3, 2)
PROVIDERS: Final = tuple(Agb(f"4100{n:04d}") for n in range(1, 11))
_NOON_MS: Final = 1_772_449_200_000


def opening() -> Iterator[tuple[TenantId, Any]]:
    """What must be said before the first registration: mandates, and the day."""
    for provider in PROVIDERS:
        yield OFFICE, mandate(provider, PACKAGE)
    yield CLOCK, DayStarted(date=TODAY)


def registrations(count: int) -> Iterator[RegistrationSubmitted]:
    """Registrations of different clients, spread over providers, postcodes and due dates."""
    for number in range(count):
        yield RegistrationSubmitted(
            record_id=RecordId(f"reg-{number:07d}"),
            version=1,
            provider=PROVIDERS[number % len(PROVIDERS)],
            status=RegistrationStatus.ACTIVE,
            pc4=REFERENCE.postcodes[number % len(REFERENCE.postcodes)][0],
            due_date=TODAY + timedelta(days=number % 200),
            requested_on=TODAY - timedelta(days=number % 30),
            insurer=Uzovi("3311"),
            indicated_minutes=2400 + 60 * (number % 8),
            protocol=IndicationProtocol.LIP,
            partus_assistance=number % 5 == 0,
        )


def region_log(count: int) -> list[Outgoing]:
    """The region log of the opening and `count` registrations, by intake itself."""
    intake = Intake(REFERENCE)
    said = itertools.chain(opening(), ((PACKAGE, event) for event in registrations(count)))
    offsets = {tenant.tenant: itertools.count() for tenant in REFERENCE.tenants}
    log: list[Outgoing] = []
    for at_ms, (tenant, event) in enumerate(said, _NOON_MS):
        value = codec.encode(event)
        record = ConsumerRecord(
            catalogue.inbox(tenant), 0, next(offsets[tenant]), at_ms, 1, b"k", value, None, 1, len(value), ()
        )
        pieces = sorted(intake.route(record), key=lambda piece: piece.stage)
        log.extend(piece.record for piece in pieces if piece.target == TopicPartition(catalogue.REGION_LOG, 0))
    return log


def as_log_records(log: Sequence[Outgoing]) -> list[LogRecord]:
    """The same records as the machine takes them."""
    return [
        LogRecord(offset, record.timestamp_ms or 0, record.key or b"", record.value or b"", record.headers)
        for offset, record in enumerate(log)
    ]
