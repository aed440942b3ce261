"""A client's records as they come in: registration, waiting client, care delivered, care ended, moved."""

from datetime import date
from typing import Final

import msgspec

from hub.domain import events as e
from hub.domain.case import Case
from hub.domain.identifiers import Agb, month_of
from hub.domain.link_rows import key_of_ref
from hub.domain.proposals import close_proposal
from hub.domain.receipts import APPLIED, NOT_COMPARABLE, Verdict
from hub.domain.registrations import (
    DELIVERED_KEPT_MONTHS,
    CareRow,
    Standing,
    count_delivered,
    last_day_kept,
    ref_of,
    registered,
)
from hub.domain.rounds import place_at_once
from hub.domain.takeovers import heir_of, no_such_record
from hub.domain.versions import key_of, record_key
from hub.domain.waiting_list import WAITING_KEPT_AFTER_DUE_DAYS, listed, ref_of_waiting
from hub.domain.words import AllocationStatus, CareEndReason, ClientStatus, RecordKind, RemovalReason, SettledOutcome

HOSPITAL_DAYS_MAX: Final = 366
"""The load forecast counts at most a year of them."""


CARE_NOT_NEEDED: Final = (RemovalReason.WITHDRAWN, RemovalReason.MOVED, RemovalReason.PREGNANCY_ENDED)
"""Who leaves the list for one of these is carried by nobody, also when a provider had agreed to."""


def submit_registration(case: Case, event: e.RegistrationSubmitted) -> Verdict:
    """A version of an enrolment: admitted, and settled for the match fold."""
    key = key_of(case.tenant, event)
    old = case.state.registrations.get(key)
    if old is None and case.state.registrations.full:
        return Verdict("too_many_records")
    row = registered(old, event, case.tenant, case.today, case.state.is_first_day_of(case.tenant))
    case.state.put_registration(key, row)
    if old is None and row.active and not row.loaded:
        case.state.forecast.registered(row.provider, row.due)
    by_transfer = row.standing is Standing.TRANSFERRED
    outcome = SettledOutcome.ACTIVE if row.active else SettledOutcome.CLOSED
    case.settle(ref_of(row, case.region), outcome, row.due, by_transfer=by_transfer)
    return _heard(case, needs_comparing=row.active)


def list_waiting_client(case: Case, event: e.WaitingClientListed) -> Verdict:
    """A version of a waiting client: listed, or removed and her open proposal withdrawn."""
    if event.hospital_days > HOSPITAL_DAYS_MAX:
        return Verdict("impossible_count", "/hospital_days")
    key = key_of(case.tenant, event)
    old = case.state.waiting.get(key)
    if old is None and case.state.waiting.full:
        return Verdict("too_many_records")
    row = listed(old, event, case.tenant, case.today)
    case.state.put_waiting(key, row)
    if not row.listed and row.proposal:
        close_proposal(case, row.proposal, AllocationStatus.WITHDRAWN, row.removal or "removed")
    if not row.listed and row.agreed and row.removal in CARE_NOT_NEEDED:
        close_proposal(case, row.agreed, AllocationStatus.WITHDRAWN, row.removal)
    if not row.listed:
        case.client_statuses[key] = ClientStatus.OFF_THE_LIST
    elif row.status_told in (None, ClientStatus.OFF_THE_LIST):
        case.client_statuses[key] = ClientStatus.WAITING
    # Who was placed is still looked for among registrations: by the link she counts as allocated, not as an own client.
    placed = row.placed_by is not None and row.removal not in CARE_NOT_NEEDED
    outcome = SettledOutcome.ACTIVE if row.listed or placed else SettledOutcome.CLOSED
    case.settle(ref_of_waiting(row, case.region), outcome, row.due)
    if row.listed:
        place_at_once(case, key)
    return _heard(case, needs_comparing=row.listed)


def deliver_care(case: Case, event: e.CareDelivered) -> Verdict:
    """Care delivered so far to one registered client; a later version replaces the totals of the record."""
    if event.hospital_days > HOSPITAL_DAYS_MAX:
        return Verdict("impossible_count", "/hospital_days")
    registration_key = record_key(case.tenant, event.provider, e.RegistrationSubmitted, event.registration_id)
    registration = case.state.registrations.get(registration_key)
    if registration is None:
        return no_such_record(case, registration_key, "/registration_id")
    key = key_of(case.tenant, event)
    old = case.state.care.get(key)
    if old is None and case.state.care.full:
        return Verdict("too_many_records")
    if old is not None and old.registration != registration_key:
        return Verdict("unknown_record_here", "/registration_id")
    new = CareRow(
        registration_key, event.provider, event.born_on, event.physical_minutes, event.digital_minutes,
        event.employed_minutes, event.self_employed_minutes, event.hospital_days,
    )  # fmt: skip
    case.state.care.put(key, new)
    if old is not None:
        count_delivered(case.state.delivered, old, -1)
    count_delivered(case.state.delivered, new, 1)
    before = old or msgspec.structs.replace(new, physical_minutes=0, digital_minutes=0, hospital_days=0)
    case.state.put_registration(
        registration_key,
        msgspec.structs.replace(
            registration, born_on=event.born_on, hospital_days=event.hospital_days,
            physical_minutes=registration.physical_minutes + new.physical_minutes - before.physical_minutes,
            digital_minutes=registration.digital_minutes + new.digital_minutes - before.digital_minutes,
            care_judged=False,
        ),
    )  # fmt: skip
    return APPLIED


def end_care(case: Case, event: e.CareEnded) -> Verdict:
    """Care ended, or will not take place: the client stands nowhere twice any more."""
    key = record_key(case.tenant, event.provider, e.RegistrationSubmitted, event.registration_id)
    row = case.state.registrations.get(key)
    if row is None:
        return no_such_record(case, key, "/registration_id")
    if not row.active:
        if row.standing is not Standing.ENDED:
            return Verdict("already_closed", "/registration_id")
        case.state.put_registration(
            key, msgspec.structs.replace(row, end_reason=event.reason, ended_on=event.ended_on, care_judged=False)
        )
        return APPLIED
    row = msgspec.structs.replace(
        row, standing=Standing.ENDED, end_reason=event.reason, ended_on=event.ended_on, care_judged=False
    )
    case.state.put_registration(key, row)
    by_transfer = event.reason is CareEndReason.OTHER_PROVIDER
    case.settle(ref_of(row, case.region), SettledOutcome.CLOSED, row.due, by_transfer=by_transfer)
    return APPLIED


def record_moved(case: Case, event: e.RecordMoved) -> None:
    """Another region holds the record now: the copy here closes unless it is newer; delivered care stays."""
    if event.new_region == case.region:
        return
    key = key_of_ref(heir_of(case, event.record))
    if event.record.kind is RecordKind.REGISTRATION:
        row = case.state.registrations.get(key)
        if row is not None and row.active and row.version <= event.version:
            case.state.put_registration(key, msgspec.structs.replace(row, standing=Standing.MOVED))
        return
    waiting = case.state.waiting.get(key)
    if waiting is None or waiting.version > event.version or waiting.moved:
        return
    if waiting.proposal:
        close_proposal(case, waiting.proposal, AllocationStatus.WITHDRAWN, "moved")
        waiting = case.state.waiting.get(key)
        assert waiting is not None
    case.state.put_waiting(key, msgspec.structs.replace(waiting, moved=True))


def expire(case: Case, today: date) -> None:
    """What no rule needs any more is forgotten; ids and versions stay behind as tombstones (versions.py).

    An open proposal always has its waiting client: the client stays while a proposal to her is open. Care goes with
    its registration: one that comes anew begins with none.
    """
    known = case.state.registrations.shard_items(today.toordinal())
    gone = {key: None for key, row in known if last_day_kept(row) < today}
    for key in gone:
        case.state.drop_registration(key)
    for key, care in case.state.care.items() if gone else ():
        if care.registration in gone:
            case.state.care.remove(key)
    oldest = month_of(today) - DELIVERED_KEPT_MONTHS
    for key, _ in case.state.delivered.shard_items(today.toordinal()):
        if int(key.rsplit("|", 1)[1]) < oldest:
            case.state.delivered.remove(key)
    for key, waiting in case.state.waiting.shard_items(today.toordinal()):
        if (today - waiting.due).days > WAITING_KEPT_AFTER_DUE_DAYS and not waiting.proposal:
            case.state.drop_waiting(key)


def _heard(case: Case, *, needs_comparing: bool) -> Verdict:
    """Applied; the sender hears when nothing can be compared, since a duplicate will then stay unseen."""
    return NOT_COMPARABLE if needs_comparing and not case.comparable else APPLIED


def settle_refused(case: Case, event: e.RegistrationSubmitted | e.WaitingClientListed) -> None:
    """A version that carries identity was refused: the match fold forgets its encoding."""
    registration = isinstance(event, e.RegistrationSubmitted)
    ref = e.RecordRef(
        tenant=case.tenant, provider=event.provider if isinstance(event, e.RegistrationSubmitted) else Agb(""),
        kind=RecordKind.REGISTRATION if registration else RecordKind.WAITING, record_id=event.record_id,
        version=event.version, region=case.region,
    )  # fmt: skip
    case.settle(ref, SettledOutcome.REFUSED, event.due_date)
