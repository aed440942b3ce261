"""A provider changes its package: its registrations go from one tenant to another, with what was delivered on them.

NL judges the takeover, the one judge of it, and tells every region; each region moves what it holds and tells the match
fold, after everything that it had told before under the old names. Nothing resurrects: the old names stay as tombstones
that point at their heirs, by which a late link or a late version finds its record (DESIGN spine 7).
"""

from dataclasses import replace
from typing import Final

import msgspec

from hub.domain import events as e
from hub.domain.case import Case
from hub.domain.identifiers import NATIONAL, RecordId, TenantId
from hub.domain.receipts import APPLIED, TAKEN_OVER, Verdict
from hub.domain.registrations import count_delivered
from hub.domain.versions import KnownVersion, record_key
from hub.domain.words import RecordKind

_KEY_PARTS: Final = 3


def grant_takeover(case: Case, event: e.RegistrationsTakenOver) -> Verdict:
    """NL's judgement: the new tenant must hold the provider's mandate, whoever of the three published this."""
    if not case.state.mandates.allows(event.provider, event.new_tenant, case.today):
        return Verdict("no_mandate", "/new_tenant")
    case.say(
        e.RecordsTakenOver(
            region=NATIONAL, provider=event.provider, old_tenant=event.old_tenant, new_tenant=event.new_tenant,
            ids=event.ids,
        )
    )  # fmt: skip
    return APPLIED


def take_over(case: Case, event: e.RecordsTakenOver) -> None:
    """Move what this region holds. Where the new tenant has sent a record already, the higher version stands."""
    renamed = None if event.ids is None else {pair.old_id: pair.new_id for pair in event.ids}
    moved: dict[str, str] = {}
    joined: dict[str, None] = {}
    for key, row in case.state.registrations.items():
        if row.tenant != event.old_tenant or row.provider != event.provider:
            continue
        if renamed is not None and row.record_id not in renamed:
            continue
        fresh = row.record_id if renamed is None else renamed[row.record_id]
        heir = record_key(event.new_tenant, event.provider, e.RegistrationSubmitted, fresh)
        own = case.state.registrations.get(heir)
        case.state.drop_registration(key)
        stands, other = (row, own) if own is None or own.version < row.version else (own, row)
        if other is not None:
            joined[heir] = None
            if stands.born_on is None:
                stands = msgspec.structs.replace(stands, born_on=other.born_on, hospital_days=other.hospital_days)
        case.state.put_registration(heir, msgspec.structs.replace(stands, tenant=event.new_tenant, record_id=fresh))
        moved[key] = heir
        _bequeath(case, key, heir)
    if not moved:
        return
    _move_care(case, event, moved)
    _add_up_care(case, joined)
    _move_links(case, event, moved)
    case.say(replace(event, region=case.region))


def heir_of(case: Case, ref: e.RecordRef) -> e.RecordRef:
    """The reference under which this region holds a record now, after any number of takeovers."""
    if ref.kind is not RecordKind.REGISTRATION:
        return ref
    known = case.state.versions.get(record_key(ref.tenant, ref.provider, e.RegistrationSubmitted, ref.record_id))
    while known is not None and known.heir:
        _, tenant, _, record_id = known.heir.split("|", _KEY_PARTS)
        ref = replace(ref, tenant=TenantId(tenant), record_id=RecordId(record_id))
        known = case.state.versions.get(known.heir)
    return ref


def no_such_record(case: Case, key: str, pointer: str) -> Verdict:
    """Why a record that is named is not here: another package took it over, or this region never held it."""
    known = case.state.versions.get(key)
    return Verdict(TAKEN_OVER.code, pointer) if known is not None and known.heir else Verdict(
        "unknown_record_here", pointer
    )  # fmt: skip


def _move_care(case: Case, event: e.RecordsTakenOver, moved: dict[str, str]) -> None:
    for key, care in case.state.care.items():
        heir = moved.get(care.registration)
        if heir is None:
            continue
        care_id = key.split("|", _KEY_PARTS)[_KEY_PARTS]
        new_key = record_key(event.new_tenant, event.provider, e.CareDelivered, care_id)
        case.state.care.remove(key)
        if case.state.care.get(new_key) is None:
            case.state.care.put(new_key, msgspec.structs.replace(care, registration=heir))
        else:
            count_delivered(case.state.delivered, care, -1)
        _bequeath(case, key, new_key)


def _add_up_care(case: Case, joined: dict[str, None]) -> None:
    """Of a client whom both packages had sent, what either delivered is hers, whichever version stands."""
    sums = dict.fromkeys(joined, (0, 0))
    for _, care in case.state.care.unordered() if joined else ():
        if care.registration in sums:
            physical, digital = sums[care.registration]
            sums[care.registration] = physical + care.physical_minutes, digital + care.digital_minutes
    for heir, (physical, digital) in sums.items():
        row = case.state.registrations.get(heir)
        assert row is not None
        case.state.put_registration(
            heir, msgspec.structs.replace(row, physical_minutes=physical, digital_minutes=digital)
        )  # fmt: skip


def _move_links(case: Case, event: e.RecordsTakenOver, moved: dict[str, str]) -> None:
    for link_id, row in case.state.links.items():
        first, second = (heir_of(case, ref) if ref.region == case.region else ref for ref in (row.first, row.second))
        if (first, second) != (row.first, row.second):
            case.state.links.put(link_id, msgspec.structs.replace(row, first=first, second=second))


def _bequeath(case: Case, key: str, heir: str) -> None:
    """The heir goes on counting where the record stood; the old name stays, and points at it.

    A heir that was given away before stands again and points nowhere, so that no chain of heirs ever comes back to
    where it began: `heir_of` ends.
    """
    known, own = case.state.versions.get(key), case.state.versions.get(heir)
    if known is None:
        return
    if own is None or own.heir or own.version < known.version:
        newest = known if own is None or own.version <= known.version else own
        case.state.versions.put(heir, KnownVersion(newest.version, newest.content, newest.until))
    case.state.versions.put(key, KnownVersion(known.version, known.content, known.until, heir))
