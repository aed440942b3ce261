"""Registrations and the care that follows them, as one region holds them, and what each means for the load."""

from datetime import date
from enum import IntEnum
from typing import Final

import msgspec

from hub.domain.events import RecordRef, RegistrationSubmitted
from hub.domain.identifiers import Agb, Pc4, RecordId, RegionCode, TenantId, Uzovi, month_of
from hub.domain.load_forecast import Born, CareNorm, Counting, Due, RegistrationLoad
from hub.domain.shards import SHARDS_MAX, Shards
from hub.domain.words import CareEndReason, IndicationProtocol, RecordKind, RegistrationStatus

REGISTRATIONS_MAX: Final = 60_000
"""Live registrations of one region; a large region has a sixth of it (PROPOSAL)."""
CARE_RECORDS_MAX: Final = 60_000
DELIVERED_MAX: Final = 100_000
KEPT_AFTER_DUE_DAYS: Final = 120
"""A registration stays so long after its due date, or its birth if later: care is reported late (PROPOSAL)."""
DELIVERED_KEPT_MONTHS: Final = 14
"""The last twelve months count in the fair share (PROPOSAL of DOMAIN), and care is reported late."""
DELIVERED_MINUTES_MAX: Final = 366 * 24 * 60
"""What the forecast can count of one client; more is a mistake that many records add up to, and must not stop it."""
DIGITAL_MINUTES_MAX: Final = 6 * 60
"""Digital care counts for at most 6 hours (S2, rule 11)."""


class Standing(IntEnum):
    """Where a registration stands in this region."""

    ACTIVE = 0
    WITHDRAWN = 1
    TRANSFERRED = 2
    MOVED = 3
    """A higher version of the record is active in another region."""
    ENDED = 4
    """Care ended, or will not take place."""


class RegistrationRow(msgspec.Struct, frozen=True, array_like=True):
    """One registration. `loaded`: it came on the first day of its tenant here, or before the clock spoke.

    `duplicate`: the client stands here twice and another registration is counted for her. `from_list`: she came by the
    waiting list, so she counts as allocated and not as her provider's own client. Delivered figures are totals.
    """

    tenant: TenantId
    provider: Agb
    record_id: RecordId
    version: int
    standing: Standing
    pc4: Pc4
    due: date
    requested_on: date
    insurer: Uzovi
    indicated_minutes: int
    klim: bool
    partus: bool
    admitted: date | None
    loaded: bool
    duplicate: bool = False
    from_list: bool = False
    born_on: date | None = None
    hospital_days: int = 0
    physical_minutes: int = 0
    digital_minutes: int = 0
    end_reason: CareEndReason | None = None
    ended_on: date | None = None
    care_judged: bool = False

    @property
    def active(self) -> bool:
        """Whether the provider is to deliver care to this client."""
        return self.standing is Standing.ACTIVE

    @property
    def delivered_minutes(self) -> int:
        """What counts of the care delivered: digital care replaces at most 6 hours and extends nothing (rule 11)."""
        replaced = max(0, self.indicated_minutes - self.physical_minutes)
        return self.physical_minutes + min(self.digital_minutes, DIGITAL_MINUTES_MAX, replaced)


class CareRow(msgspec.Struct, frozen=True, array_like=True):
    """One care record: totals so far of one registration."""

    registration: str
    provider: Agb
    born_on: date
    physical_minutes: int
    digital_minutes: int
    employed_minutes: int
    self_employed_minutes: int
    hospital_days: int


class DeliveredRow(msgspec.Struct, frozen=True, array_like=True):
    """What one provider delivered to clients born in one month: minutes, and clients by how they were served."""

    employed_minutes: int = 0
    self_employed_minutes: int = 0
    physical_minutes: int = 0
    clients: int = 0


def new_registrations() -> Shards[RegistrationRow]:
    """No registrations yet."""
    return Shards("registrations", RegistrationRow, count=SHARDS_MAX, size_max=REGISTRATIONS_MAX)


def new_care() -> Shards[CareRow]:
    """No care yet."""
    return Shards("care", CareRow, count=SHARDS_MAX, size_max=CARE_RECORDS_MAX)


def new_delivered() -> Shards[DeliveredRow]:
    """Nothing delivered yet."""
    return Shards("delivered", DeliveredRow, count=SHARDS_MAX, size_max=DELIVERED_MAX)


_STANDING: Final = {
    RegistrationStatus.ACTIVE: Standing.ACTIVE,
    RegistrationStatus.WITHDRAWN: Standing.WITHDRAWN,
    RegistrationStatus.TRANSFERRED: Standing.TRANSFERRED,
}


def registered(
    old: RegistrationRow | None, event: RegistrationSubmitted, tenant: TenantId, today: date | None, loaded: bool
) -> RegistrationRow:
    """The row after a version of a registration; what was delivered stays, how the client came, and that care ended."""
    row = RegistrationRow(
        tenant, event.provider, event.record_id, event.version, _STANDING[event.status], event.pc4, event.due_date,
        event.requested_on, event.insurer, event.indicated_minutes, event.protocol is IndicationProtocol.KLIM,
        event.partus_assistance, today, loaded,
    )  # fmt: skip
    if old is None:
        return row
    return msgspec.structs.replace(
        row, admitted=old.admitted, loaded=old.loaded, duplicate=old.duplicate, from_list=old.from_list,
        born_on=old.born_on, hospital_days=old.hospital_days, physical_minutes=old.physical_minutes,
        digital_minutes=old.digital_minutes, care_judged=old.care_judged, end_reason=old.end_reason,
        ended_on=old.ended_on, standing=Standing.ENDED if row.active and old.end_reason is not None else row.standing,
    )  # fmt: skip


def load_of(row: RegistrationRow | None) -> RegistrationLoad | None:
    """What a registration adds to the load; None when it adds nothing.

    An open duplicate counts for its provider and not again for the region. A client who came by the waiting list
    counts for the region alone: for her provider she is allocated, not an own client (`fair_share.Standing`).
    """
    if row is None:
        return None
    birth = Due(row.due) if row.born_on is None else Born(row.born_on)
    counting = Counting.OPEN_DUPLICATE if row.duplicate and not row.from_list else Counting.ONCE
    provider = None if row.from_list else row.provider
    if row.active:
        norm = CareNorm.KLIM if row.klim else CareNorm.LIP
        return RegistrationLoad(
            provider=provider, birth=birth, care_minutes=row.indicated_minutes, norm=norm,
            hospital_days=row.hospital_days, partus=row.partus, counting=counting,
        )  # fmt: skip
    if row.standing is Standing.ENDED and row.born_on is not None and row.delivered_minutes:
        return RegistrationLoad(
            provider=provider, birth=birth, norm=CareNorm.DELIVERED, counting=counting,
            care_minutes=min(row.delivered_minutes, DELIVERED_MINUTES_MAX),
        )  # fmt: skip
    return None


def delivered_key(provider: str, month: int) -> str:
    """Key of a provider's delivered care of one month."""
    return f"{provider}|{month}"


def count_delivered(delivered: Shards[DeliveredRow], care: CareRow, sign: int) -> None:
    """Add what one care record says to its provider's month of birth, or take it off again."""
    key = delivered_key(care.provider, month_of(care.born_on))
    row = delivered.get(key) or DeliveredRow()
    delivered.put(
        key,
        DeliveredRow(
            row.employed_minutes + sign * care.employed_minutes,
            row.self_employed_minutes + sign * care.self_employed_minutes,
            row.physical_minutes + sign * care.physical_minutes,
            row.clients + sign,
        ),
    )


def ref_of(row: RegistrationRow, region: RegionCode) -> RecordRef:
    """How the two folds name a registration."""
    return RecordRef(
        tenant=row.tenant, provider=row.provider, kind=RecordKind.REGISTRATION, record_id=row.record_id,
        version=row.version, region=region,
    )  # fmt: skip


def last_day_kept(row: RegistrationRow) -> date:
    """The last day on which the region needs the row."""
    from_day = row.due if row.born_on is None else max(row.due, row.born_on)
    return date.fromordinal(from_day.toordinal() + KEPT_AFTER_DUE_DAYS)
