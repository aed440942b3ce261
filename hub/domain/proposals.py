"""Proposals: who is asked, who answers, and what the coordinator decides otherwise (DESIGN spine 8)."""

from dataclasses import replace
from datetime import date
from typing import Final

import msgspec

from hub.domain import events as e
from hub.domain.allocation import owed_minutes
from hub.domain.case import Case
from hub.domain.client_status import status_after
from hub.domain.events import RecordRef
from hub.domain.facts import AllocationStated, WhyNot
from hub.domain.identifiers import Agb, Month, Pc4, RecordId, month_of
from hub.domain.link_rows import key_of_ref
from hub.domain.receipts import APPLIED, Verdict
from hub.domain.region_colours import colour_in_force
from hub.domain.versions import record_key
from hub.domain.waiting_list import ProposalRow, WaitingRow, birth_week, proposal_id, with_refusal
from hub.domain.words import (
    AllocationAnswer,
    AllocationStatus,
    ClientStatus,
    DeclaredColour,
    DeclineReason,
    OverrideOutcome,
    OverrideReason,
    RecordKind,
)

PROPOSALS_KEPT_DAYS: Final = 400
"""A closed proposal stays so long: it counts in this year's shares, and a late answer deserves its own code."""


def registered_meanwhile(case: Case, first: RecordRef, second: RecordRef) -> None:
    """A waiting client turns out to be registered. Her registration wins: a provider has promised her care.

    Where it is the provider that was asked to carry her, that is its yes; any other open proposal is withdrawn.
    """
    waiting_ref, registered_ref = (first, second) if first.kind is RecordKind.WAITING else (second, first)
    waiting_key = key_of_ref(waiting_ref)
    row = case.state.waiting.get(waiting_key) if waiting_ref.region == case.region else None
    placed_by = None if row is None else row.placed_by
    if row is not None:
        proposal = case.state.proposals.get(row.proposal) if row.proposal else None
        if proposal is not None and proposal.provider == registered_ref.provider:
            _accept(case, row.proposal, proposal, waiting_key, row, reason="registered")
            placed_by = proposal.provider
        elif proposal is not None:
            close_proposal(case, row.proposal, AllocationStatus.WITHDRAWN, "registered_elsewhere")
        row = case.state.waiting.get(waiting_key)
        assert row is not None
        case.state.put_waiting(waiting_key, msgspec.structs.replace(row, linked=True))
        if row.listed:
            case.client_statuses[waiting_key] = ClientStatus.REGISTERED
    if registered_ref.region == case.region and placed_by == registered_ref.provider:
        key = key_of_ref(registered_ref)
        registration = case.state.registrations.get(key)
        if registration is not None and not registration.from_list:
            case.state.put_registration(key, msgspec.structs.replace(registration, from_list=True))


def answered(case: Case, event: e.AllocationAnswered) -> Verdict:
    """The first answer to an open proposal takes effect; the provider's package or the coordinator gives it."""
    proposal = case.state.proposals.get(event.proposal_id)
    if proposal is None:
        return Verdict("unknown_proposal", "/proposal_id")
    if proposal.provider != event.provider:
        return Verdict("not_your_proposal", "/provider")
    if not proposal.open:
        return Verdict("proposal_closed", "/proposal_id")
    row = case.state.waiting.get(proposal.waiting)
    assert row is not None, "a waiting client outlives her open proposal"
    if event.answer is AllocationAnswer.ACCEPTED:
        _accept(case, event.proposal_id, proposal, proposal.waiting, row, reason="accepted")
        return APPLIED
    reason = event.reason or DeclineReason.OTHER
    by_client = reason is DeclineReason.CLIENT_DECLINED
    close_proposal(case, event.proposal_id, AllocationStatus.DECLINED, reason.value)
    row = case.state.waiting.get(proposal.waiting)
    assert row is not None
    row = msgspec.structs.replace(
        row,
        declined_by=row.declined_by if by_client else with_refusal(row.declined_by, proposal.provider),
        refused=with_refusal(row.refused, proposal.provider) if by_client else row.refused,
    )
    case.state.put_waiting(proposal.waiting, row)
    return APPLIED


def overridden(case: Case, event: e.AllocationOverridden) -> Verdict:
    """The coordinator decides otherwise, with a reason, and the hub keeps to it."""
    key = record_key(event.waiting_tenant, "", e.WaitingClientListed, event.waiting_id)
    row = case.state.waiting.get(key)
    if row is None or row.moved:
        return Verdict("unknown_record_here", "/waiting_id")
    if event.outcome is OverrideOutcome.PLACED and not row.listed:
        return Verdict("already_closed", "/waiting_id")
    for known_id in (row.proposal, row.agreed):
        if known_id:
            close_proposal(case, known_id, AllocationStatus.OVERRIDDEN, event.reason.value)
    row = case.state.waiting.get(key)
    assert row is not None
    match event.outcome:
        case OverrideOutcome.PLACED:
            assert event.provider is not None, "checked by intake"
            _place_by_hand(case, key, row, event.provider, event.reason.value)
        case OverrideOutcome.CLIENT_REFUSED:
            refused = row.refused if event.provider is None else with_refusal(row.refused, event.provider)
            declined = row.kraamcentrum_declined or event.reason is OverrideReason.KRAAMCENTRUM_DECLINED
            case.state.put_waiting(key, msgspec.structs.replace(row, refused=refused, kraamcentrum_declined=declined))
        case OverrideOutcome.CANCELLED:
            pass
    return APPLIED


def forget_proposals(case: Case, today: date) -> None:
    """Proposals closed long ago; one shard a day. A proposal that was accepted stays as long as its client does."""
    for key, proposal in case.state.proposals.shard_items(today.toordinal()):
        old = proposal.closed_on is not None and (today - proposal.closed_on).days > PROPOSALS_KEPT_DAYS
        if old and case.state.waiting.get(proposal.waiting) is None:
            case.state.proposals.remove(key)


def close_proposal(case: Case, closed_id: str, status: AllocationStatus, reason: str) -> None:
    """A proposal ends without care: declined, expired, withdrawn or overridden. Everyone who knew of it hears so.

    An accepted proposal ends only when the coordinator overrides it, or when the client leaves the list.
    """
    proposal = case.state.proposals.get(closed_id)
    assert proposal is not None and proposal.status in (AllocationStatus.PROPOSED, AllocationStatus.ACCEPTED)
    case.state.proposals.put(
        closed_id, msgspec.structs.replace(proposal, status=status, closed_on=case.today or proposal.on, reason=reason)
    )
    row = case.state.waiting.get(proposal.waiting)
    assert row is not None, "a waiting client outlives her open proposal"
    if proposal.open:
        case.state.put_waiting(proposal.waiting, msgspec.structs.replace(row, proposal=""))
    else:
        case.state.put_waiting(proposal.waiting, msgspec.structs.replace(row, placed_by=None, agreed=""))
    state_allocation(case, closed_id, proposal, row, status, reason)


def state_allocation(
    case: Case,
    stated_id: str,
    proposal: ProposalRow,
    row: WaitingRow,
    status: AllocationStatus,
    reason: str,
    why_not: tuple[WhyNot, ...] = (),
) -> None:
    """Tell the provider's package, the waitlist tool and the coordinator, each what it may know.

    A package learns the week of the due date with the proposal, and the postcode digits and the record's id only once
    it accepted: due date and postcode never leave together (DESIGN "Privacy").
    """
    accepted = status is AllocationStatus.ACCEPTED
    answer_by = proposal.answer_by if status is AllocationStatus.PROPOSED else None
    package = case.package_of(proposal.provider)
    if package is not None:
        case.say(
            AllocationStated(
                recipient=package, region=case.region, proposal_id=stated_id, waiting_tenant=row.tenant,
                waiting_id=row.record_id if accepted else RecordId(stated_id), status=status,
                provider=proposal.provider, care_minutes=proposal.minutes,
                birth_week=None if accepted else birth_week(row.due), pc4=row.pc4 if accepted else None,
                answer_by=answer_by, reason=reason, why_not=(),
            )
        )  # fmt: skip
    _state_to_region(case, stated_id, proposal.provider, proposal.minutes, row, status, answer_by, reason, why_not)


def state_unplaced(case: Case, row: WaitingRow, minutes: int, reason: str, why_not: tuple[WhyNot, ...]) -> None:
    """Nobody was proposed; tool and coordinator hear why."""
    _state_to_region(case, "", None, minutes, row, AllocationStatus.UNPLACED, None, reason, why_not)


def _state_to_region(
    case: Case,
    stated_id: str,
    provider: Agb | None,
    minutes: int,
    row: WaitingRow,
    status: AllocationStatus,
    answer_by: date | None,
    reason: str,
    why_not: tuple[WhyNot, ...],
) -> None:
    key = record_key(row.tenant, "", e.WaitingClientListed, row.record_id)
    case.client_statuses[key] = status_after(status, reason, listed=row.listed)
    no_place: Pc4 | None = None
    recipients = [row.tenant] if case.place.coordinator is None else [row.tenant, case.place.coordinator]
    for recipient in recipients:
        case.say(
            AllocationStated(
                recipient=recipient, region=case.region, proposal_id=stated_id, waiting_tenant=row.tenant,
                waiting_id=row.record_id, status=status, provider=provider, care_minutes=minutes, birth_week=None,
                pc4=no_place, answer_by=answer_by, reason=reason,
                why_not=why_not if recipient == case.place.coordinator else (),
            )
        )  # fmt: skip


def _accept(case: Case, accepted_id: str, proposal: ProposalRow, key: str, row: WaitingRow, reason: str) -> None:
    closed = msgspec.structs.replace(proposal, status=AllocationStatus.ACCEPTED, closed_on=case.today or proposal.on)
    case.state.proposals.put(accepted_id, closed)
    agreed = msgspec.structs.replace(row, proposal="", placed_by=proposal.provider, agreed=accepted_id)
    case.state.put_waiting(key, agreed)
    state_allocation(case, accepted_id, proposal, row, AllocationStatus.ACCEPTED, reason)


def _place_by_hand(case: Case, key: str, row: WaitingRow, provider: Agb, reason: str) -> None:
    """The coordinator found her a provider: that counts as an accepted proposal of today."""
    today = case.today or row.requested_on
    number = row.proposals_made + 1
    new_id = proposal_id(case.region, key, today, number)
    minutes = client_minutes(case, row)
    month = month_of(max(row.due, today))
    proposal = ProposalRow(key, provider, minutes, month, today, today, AllocationStatus.ACCEPTED, today, pc4=row.pc4)
    case.state.proposals.put(new_id, proposal)
    case.state.put_waiting(key, msgspec.structs.replace(row, proposals_made=number, placed_by=provider, agreed=new_id))
    state_allocation(case, new_id, proposal, row, AllocationStatus.ACCEPTED, reason)


def client_minutes(case: Case, row: WaitingRow) -> int:
    """What a provider must have room for to take this client: minimal care in red, before it the region's mean.

    By what the plan says of the day on which she is due: deviations (rule 9) and partus pools (rule 42) have periods.
    """
    plan = case.state.plan
    rules = plan.allocation_rules(max(row.due, case.today or row.due), klim=row.klim)
    rules = replace(rules, partus_minutes=rules.partus_minutes if row.partus else 0)
    if colour_in_force(case) is DeclaredColour.RED:
        return owed_minutes(rules, row.hospital_days)
    benchmark = case.state.current_forecast().surroundings.benchmarks.get(Month(month_of(row.due) - 12))
    mean = plan.norms.mean_minutes if benchmark is None else benchmark.mean_minutes
    return owed_minutes(rules, row.hospital_days, mean)
