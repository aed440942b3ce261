"""Rounds of the regional waiting list: daily work and urgent clients, month by month of birth (rules 27, 27a).

One client is asked of one provider at a time. She is owed minimal care in red, the region's mean before red where the
plan distributes then. Each month of birth is a round of its own, since capacity and shares are figures of a month.
A provider that let a proposal lapse is not asked for that client again (PROPOSAL): silence must not go round in
circles.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta

import msgspec

from hub.domain.allocation import (
    Bearer,
    Outcome,
    Placement,
    Round,
    Unplaceable,
    WaitingClient,
    allocate,
    is_urgent,
)
from hub.domain.allocation import OpenProposal as RoundProposal
from hub.domain.case import Case
from hub.domain.client_status import BEYOND_HORIZON, KRAAMCENTRUM_OFFERED, TOO_MANY_PROPOSALS
from hub.domain.facts import MediationRequested, WhyNot
from hub.domain.fair_share import Shares, Standing, share_out
from hub.domain.identifiers import Agb, Month, month_of
from hub.domain.load_forecast import Level
from hub.domain.proposals import client_minutes, close_proposal, state_allocation, state_unplaced
from hub.domain.region_colours import colour_in_force, distributes, mediation_now
from hub.domain.registrations import delivered_key
from hub.domain.waiting_list import ProposalRow, WaitingRow, client_of, proposal_id, with_refusal
from hub.domain.words import AllocationStatus, ClientStatus, DeclaredColour, Mediator

DELIVERED_MONTHS = 12
"""Months of delivered care that weigh in a share (PROPOSAL of DOMAIN "Fair share")."""


def expire_proposals(case: Case, today: date) -> None:
    """Proposals past their last day for an answer lapse."""
    for key, proposal in case.state.proposals.items():
        if proposal.open and today > proposal.answer_by:
            close_proposal(case, key, AllocationStatus.EXPIRED, "not_answered")
            row = case.state.waiting.get(proposal.waiting)
            assert row is not None
            barred = with_refusal(row.declined_by, proposal.provider)
            case.state.put_waiting(proposal.waiting, msgspec.structs.replace(row, declined_by=barred))


def daily_round(case: Case, today: date) -> None:
    """The day's round: on the plan's weekdays everybody who waits, on other days whoever is urgent."""
    rows = [(key, row) for key, row in case.state.waiting.items() if row.unproposed]
    if not distributes(case):
        for key, row in rows:
            ask_mediation(case, key, row)
        return
    if today.isoweekday() not in case.state.plan.rounds.weekdays:
        rows = [(key, row) for key, row in rows if is_row_urgent(case, row, today)]
    _rounds(case, today, rows)


def place_at_once(case: Case, key: str) -> None:
    """A client came, or a provider said no to her: if she is urgent, a provider is sought now."""
    row = case.state.waiting.get(key)
    today = case.today
    if row is None or not row.unproposed or today is None or case.place.coordinator is None:
        return
    if not distributes(case):
        ask_mediation(case, key, row)
    elif is_row_urgent(case, row, today):
        _rounds(case, today, [(key, row)])


def ask_mediation(case: Case, key: str, row: WaitingRow) -> None:
    """Where the insurer mediates, her own insurer is asked once (rule 30)."""
    if row.mediation_asked or case.today is None or mediation_now(case).mediator is not Mediator.INSURER:
        return
    insurer = case.place.reference.insurer.get(row.insurer)
    if insurer is None:
        return
    case.state.put_waiting(key, msgspec.structs.replace(row, mediation_asked=True))
    case.client_statuses[key] = ClientStatus.INSURER_ASKED
    case.say(
        MediationRequested(
            recipient=insurer,
            region=case.region,
            waiting_tenant=row.tenant,
            waiting_id=row.record_id,
            requested_on=case.today,
            reason=mediation_now(case).clause,
        )
    )


def is_row_urgent(case: Case, row: WaitingRow, today: date) -> bool:
    """Whether she cannot wait for the next round."""
    rules = case.state.plan.allocation_rules(today)
    return is_urgent(client_of("", row, 0), today, rules)


def standings(case: Case, month: Month) -> list[Standing]:
    """What is known of each contracted provider in a month, in the order of their codes.

    A declaration that is too old to count on gives no room. Own clients are counted at minimal care in red, else at
    the mean. Carry is what the last months left over.
    """
    assert case.today is not None
    forecast = case.state.current_forecast()
    level = Level.MINIMAL if colour_in_force(case) is DeclaredColour.RED else Level.MEAN
    found = []
    for provider in case.state.contracts.areas_on(case.today, case.place.postcodes):
        held = forecast.capacities.month(provider, month)
        usable = held.declared if held is not None and not held.stale else None
        found.append(
            Standing(
                provider=provider,
                employed_minutes=0 if usable is None else usable.deployable_employed_minutes,
                self_employed_minutes=0 if usable is None else usable.deployable_self_employed_minutes,
                delivered_minutes_12m=delivered_before(case, provider, month),
                own_obligation_minutes=max(0, forecast.provider_load(provider, month, level).mean_minutes),
                carry_minutes=carry_minutes(case, provider, month),
            )
        )
    return found


def shares_of(case: Case, month: Month, members: Iterable[Standing]) -> Shares:
    """The pool of a month, shared out: the care owed to everybody on the list, placed already or not.

    Whom the tool took off the list since she was placed is part of it, as her minutes are of what is allocated.
    """
    pool = sum(
        client_minutes(case, row)
        for _, row in case.state.waiting.unordered()
        if not row.moved and month_of(row.due) == month and (row.placed_by or (row.listed and not row.linked))
    )
    return share_out(members, pool, case.state.plan.share_rules())


def delivered_before(case: Case, provider: Agb, month: Month) -> int:
    """Minutes that a provider delivered in the twelve months before."""
    rows = (case.state.delivered.get(delivered_key(provider, m)) for m in range(month - DELIVERED_MONTHS, month))
    return max(0, sum(row.physical_minutes for row in rows if row is not None))


def carry_minutes(case: Case, provider: Agb, month: Month) -> int:
    """What earlier months left over for a provider."""
    carry = case.state.carries.get(provider)
    return 0 if carry is None else carry.at(month, case.state.plan.share_rules()).minutes


def _rounds(case: Case, today: date, rows: list[tuple[str, WaitingRow]]) -> None:
    by_month: dict[Month, list[tuple[str, WaitingRow]]] = {}
    for key, row in rows:
        # A client past her due date is asked of the providers of this month.
        month = max(month_of(row.due), month_of(today))
        if month <= case.state.forecast.months[-1]:
            by_month.setdefault(Month(month), []).append((key, row))
        else:
            _publish_unplaced(case, key, BEYOND_HORIZON, ())
    for month in sorted(by_month):
        _round(case, today, month, by_month[month])


def _round(case: Case, today: date, month: Month, rows: list[tuple[str, WaitingRow]]) -> None:
    shares = shares_of(case, month, standings(case, month))
    allocated = case.state.proposals.minutes(month, AllocationStatus.PROPOSED, AllocationStatus.ACCEPTED)
    areas = case.state.contracts.areas_on(today, case.place.postcodes)
    bearers = tuple(
        Bearer.of_share(share, allocated.get(share.provider, 0), areas[share.provider]) for share in shares.shares
    )
    known = {bearer.provider for bearer in bearers}
    open_proposals = tuple(
        RoundProposal(_client(case, proposal.waiting, proposal.minutes), proposal.provider)
        for _, proposal in case.state.proposals.unordered()
        if proposal.open and proposal.month == month and proposal.provider in known
    )
    rules, asked = case.state.plan.allocation_rules(today), dict(rows)
    offered = sum(
        row.unproposed and row.told == KRAAMCENTRUM_OFFERED and not row.kraamcentrum_declined and key not in asked
        for key, row in case.state.waiting.unordered()
        if max(month_of(row.due), month_of(today)) == month
    )
    outcome = allocate(
        Round(
            region=case.region,
            on=today,
            bearers=bearers,
            waiting=tuple(client_of(key, row, client_minutes(case, row)) for key, row in rows),
            open_proposals=open_proposals,
            rules=replace(rules, kraamcentrum_places=max(0, rules.kraamcentrum_places - offered)),
        )
    )
    _carry_out(case, today, month, outcome)


def _client(case: Case, key: str, minutes: int) -> WaitingClient:
    row = case.state.waiting.get(key)
    assert row is not None, "a waiting client outlives her open proposal"
    return client_of(key, row, minutes)


def _carry_out(case: Case, today: date, month: Month, outcome: Outcome) -> None:
    for move in outcome.moves:
        row = case.state.waiting.get(move.placement.client)
        assert row is not None and row.proposal
        close_proposal(case, row.proposal, AllocationStatus.WITHDRAWN, "gave_way")
        _propose(case, today, month, move.placement)
    for placement in outcome.placements:
        _propose(case, today, month, placement)
    for offer in outcome.centrum_offers:
        _publish_unplaced(case, offer.client, KRAAMCENTRUM_OFFERED, ())
    for unplaced in outcome.unplaced:
        if unplaced.why is Unplaceable.GAVE_WAY:
            row = case.state.waiting.get(unplaced.client)
            assert row is not None
            case.state.put_waiting(unplaced.client, msgspec.structs.replace(row, gave_way=True))
        why_not = tuple(WhyNot(provider=one.provider, reason=one.why.value) for one in unplaced.passed_over)
        _publish_unplaced(case, unplaced.client, unplaced.why.value, why_not)


def _propose(case: Case, today: date, month: Month, placement: Placement) -> None:
    row = case.state.waiting.get(placement.client)
    assert row is not None and not row.proposal
    if case.state.proposals.full:
        _publish_unplaced(case, placement.client, TOO_MANY_PROPOSALS, ())
        return
    number = row.proposals_made + 1
    new_id = proposal_id(case.region, placement.client, today, number)
    rounds = case.state.plan.rounds
    days = rounds.urgent_answer_days if is_row_urgent(case, row, today) else rounds.answer_days
    proposal = ProposalRow(
        placement.client,
        placement.provider,
        placement.minutes,
        month,
        today,
        today + timedelta(days=days),
        AllocationStatus.PROPOSED,
        pc4=row.pc4,
    )
    case.state.proposals.put(new_id, proposal)
    row = msgspec.structs.replace(row, proposal=new_id, proposals_made=number, told="")
    case.state.put_waiting(placement.client, row)
    why_not = tuple(WhyNot(provider=one.provider, reason=one.why.value) for one in placement.passed_over)
    state_allocation(case, new_id, proposal, row, AllocationStatus.PROPOSED, placement.why.value, why_not)


def _publish_unplaced(case: Case, key: str, reason: str, why_not: tuple[WhyNot, ...]) -> None:
    """Say why nobody was proposed, and say it again only when the reason changed."""
    row = case.state.waiting.get(key)
    assert row is not None
    if row.told == reason:
        return
    case.state.put_waiting(key, msgspec.structs.replace(row, told=reason))
    state_unplaced(case, row, client_minutes(case, row), reason, why_not)
