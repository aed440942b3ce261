"""What people hear about a client who is registered twice, and when.

The coordinator hears at once; packages hear in the daily batch, after somebody confirmed it, and of the other provider
only where the plan says so (DESIGN "Privacy"). A link of a held tenant goes to the coordinator alone until the hold is
released. Day one brings no storm: a link among registrations that came on their tenant's first day here (or before the
clock spoke) waits for the daily batch, oldest first and at most SIGNALS_PER_DAY_MAX a day. That figure and the wait
are PROPOSAL.

A waiting client who turns out to be registered is no duplicate: her registration wins, since a provider has promised
her care, and nobody else is asked to carry her.
"""

from dataclasses import replace
from datetime import date
from typing import Final

import msgspec

from hub.domain.case import Case
from hub.domain.events import DuplicateFeedbackGiven, LinkEnded, LinkFound, MatchReason, RecordRef
from hub.domain.facts import DuplicateSignalled
from hub.domain.identifiers import Agb, TenantId
from hub.domain.link_rows import LinkRow, key_of_ref
from hub.domain.proposals import registered_meanwhile
from hub.domain.receipts import APPLIED, Verdict
from hub.domain.reference import Role
from hub.domain.region_plan import Disclosure
from hub.domain.registrations import RegistrationRow
from hub.domain.takeovers import heir_of
from hub.domain.words import DuplicateVerdict, LinkEndReason, LinkKind, RecordKind, SignalAudience, SignalPhase

SIGNALS_PER_DAY_MAX: Final = 50


def link_found(case: Case, event: LinkFound) -> None:
    """Two records belong to one client. Kept only if this region's own record still stands at that version."""
    first, second = (heir_of(case, ref) if ref.region == case.region else ref for ref in (event.first, event.second))
    event = replace(event, first=first, second=second)
    own = [ref for ref in (first, second) if ref.region == case.region]
    if not own or not all(_stands(case, ref) for ref in own):
        return
    known = case.state.links.get(event.link_id)
    if known is None and case.state.links.full:
        return
    if event.kind is LinkKind.WAITING_AND_REGISTERED:
        case.state.links.put(event.link_id, _row(case, event, deferred=False))
        registered_meanwhile(case, event.first, event.second)
        return
    loaded = all(mine.loaded for ref in own if (mine := _registration(case, ref)) is not None)
    deferred = known.deferred if known is not None else loaded
    row = _row(case, event, deferred=deferred)
    if known is not None:
        row = msgspec.structs.replace(
            known, held=event.held, first=event.first, second=event.second, score_millibits=event.score_millibits
        )
    case.state.links.put(event.link_id, row)
    if not event.held:
        _count_once(case, event.second)
    if known is None and not deferred:
        _tell_coordinator(case, event.link_id, row, SignalPhase.FOUND)


def link_ended(case: Case, event: LinkEnded) -> None:
    """Two records are linked no longer: whoever heard of it hears that, and both count again."""
    row = case.state.links.get(event.link_id)
    if row is None:
        return
    case.state.links.remove(event.link_id)
    if row.kind is LinkKind.WAITING_AND_REGISTERED:
        for ref in (row.first, row.second):
            if ref.kind is RecordKind.WAITING and ref.region == case.region:
                _unlink_waiting(case, ref)
        return
    _count_again(case, row.second)
    if row.coordinator_told:
        _tell_coordinator(case, event.link_id, row, SignalPhase.RESOLVED, event.reason)
    for tenant, provider in row.packages_told:
        _tell_package(case, event.link_id, row, tenant, provider, SignalPhase.RESOLVED, event.reason)


def feedback_given(case: Case, event: DuplicateFeedbackGiven) -> Verdict:
    """What people found out. Only the coordinator, or a package that speaks for one of the two providers, may say."""
    row = case.state.links.get(event.link_id)
    if row is None or row.kind is not LinkKind.REGISTERED_TWICE:
        return Verdict("unknown_link", "/link_id")
    if case.role is Role.PACKAGE and not any(
        ref.region == case.region and case.state.mandates.allows(ref.provider, case.tenant, case.today)
        for ref in (row.first, row.second)
    ):
        return Verdict("unknown_link", "/link_id")
    if event.verdict is DuplicateVerdict.CONFIRMED and not row.confirmed:
        row = msgspec.structs.replace(row, confirmed=True, deferred=False, coordinator_told=True)
        case.state.links.put(event.link_id, row)
        _tell_coordinator(case, event.link_id, row, SignalPhase.CONFIRMED)
    return APPLIED


def daily_signals(case: Case) -> None:
    """The daily batch: what was deferred to the coordinator, and what was confirmed to the packages."""
    links = sorted(case.state.links.items(), key=lambda pair: (pair[1].on or date.min, pair[0]))
    said = 0
    for link_id, row in links:
        if row.kind is not LinkKind.REGISTERED_TWICE:
            continue
        if row.deferred and said < SIGNALS_PER_DAY_MAX:
            said += 1
            row = msgspec.structs.replace(row, deferred=False, coordinator_told=True)
            case.state.links.put(link_id, row)
            _tell_coordinator(case, link_id, row, SignalPhase.FOUND)
        if row.confirmed and not row.held:
            _tell_packages(case, link_id, row)


def _stands(case: Case, ref: RecordRef) -> bool:
    if ref.kind is RecordKind.REGISTRATION:
        row = _registration(case, ref)
        return row is not None and row.active and row.version >= ref.version
    waiting = case.state.waiting.get(key_of_ref(ref))
    if waiting is None or waiting.moved or waiting.version < ref.version:
        return False
    return waiting.listed or waiting.placed_by is not None


def _registration(case: Case, ref: RecordRef) -> RegistrationRow | None:
    return case.state.registrations.get(key_of_ref(ref)) if ref.kind is RecordKind.REGISTRATION else None


def _row(case: Case, event: LinkFound, *, deferred: bool) -> LinkRow:
    return LinkRow(
        event.kind, event.first, event.second, event.score_millibits, event.reasons, event.held, case.today,
        deferred=deferred, coordinator_told=event.kind is LinkKind.REGISTERED_TWICE and not deferred,
    )  # fmt: skip


def _count_once(case: Case, later: RecordRef) -> None:
    """The registration that came later counts for its provider, and no more for the region."""
    row = _registration(case, later) if later.region == case.region else None
    if row is not None and not row.duplicate:
        case.state.put_registration(key_of_ref(later), msgspec.structs.replace(row, duplicate=True))


def _count_again(case: Case, later: RecordRef) -> None:
    key = key_of_ref(later)
    if later.region != case.region or any(
        row.kind is LinkKind.REGISTERED_TWICE and not row.held and key_of_ref(row.second) == key
        for _, row in case.state.links.unordered()
    ):
        return
    registration = _registration(case, later)
    if registration is not None and registration.duplicate:
        case.state.put_registration(key, msgspec.structs.replace(registration, duplicate=False))


def _unlink_waiting(case: Case, ref: RecordRef) -> None:
    key = key_of_ref(ref)
    others = any(
        row.kind is LinkKind.WAITING_AND_REGISTERED and key in (key_of_ref(row.first), key_of_ref(row.second))
        for _, row in case.state.links.unordered()
    )
    waiting = case.state.waiting.get(key)
    if waiting is not None and waiting.linked and not others:
        case.state.put_waiting(key, msgspec.structs.replace(waiting, linked=False))


def _freed_minutes(case: Case, row: LinkRow, refs: tuple[RecordRef, ...]) -> int:
    for ref in refs:
        if ref.region == case.region and (registration := _registration(case, ref)) is not None:
            return registration.indicated_minutes
    return 0


def _tell_coordinator(
    case: Case, link_id: str, row: LinkRow, phase: SignalPhase, reason: LinkEndReason | None = None
) -> None:
    if case.place.coordinator is None:
        return
    case.say(
        DuplicateSignalled(
            recipient=case.place.coordinator, region=case.region, link_id=link_id, phase=phase,
            audience=SignalAudience.COORDINATOR, own_record_ids=(),
            providers=(row.first.provider, row.second.provider), score_millibits=row.score_millibits,
            reasons=row.reasons, freed_minutes=_freed_minutes(case, row, (row.second, row.first)), end_reason=reason,
        )
    )  # fmt: skip


def _tell_packages(case: Case, link_id: str, row: LinkRow) -> None:
    told = list(row.packages_told)
    for ref in (row.first, row.second):
        if ref.region != case.region or any(provider == ref.provider for _, provider in told):
            continue
        tenant = case.package_of(ref.provider)
        if tenant is not None:
            told.append((tenant, ref.provider))
            _tell_package(case, link_id, row, tenant, ref.provider, SignalPhase.CONFIRMED)
    if len(told) != len(row.packages_told):
        case.state.links.put(link_id, msgspec.structs.replace(row, packages_told=tuple(told)))


def _tell_package(
    case: Case,
    link_id: str,
    row: LinkRow,
    tenant: TenantId,
    provider: Agb,
    phase: SignalPhase,
    reason: LinkEndReason | None = None,
) -> None:
    own = tuple(ref for ref in (row.first, row.second) if ref.provider == provider and ref.region == case.region)
    disclosed = case.state.plan.disclosure is Disclosure.COUNTERPARTY
    no_reasons: tuple[MatchReason, ...] = ()
    case.say(
        DuplicateSignalled(
            recipient=tenant, region=case.region, link_id=link_id, phase=phase, audience=SignalAudience.PACKAGE,
            own_record_ids=tuple(ref.record_id for ref in own),
            providers=(row.first.provider, row.second.provider) if disclosed else (provider,),
            score_millibits=0, reasons=no_reasons, freed_minutes=_freed_minutes(case, row, own), end_reason=reason,
        )
    )  # fmt: skip
