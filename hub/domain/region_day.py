"""What a day asks of a region, in a fixed order, ending with one DayClosed to the clock."""

from datetime import date
from typing import Final

from hub.domain.capacity_requests import request_capacity, unanswered
from hub.domain.capacity_statements import forget_sayings, state_capacity, state_inflow, state_rooms
from hub.domain.care_records import expire
from hub.domain.carer_pools import find_carers_declared_twice
from hub.domain.case import Case
from hub.domain.colour_code import Judgement, ReasonCode
from hub.domain.duplicate_signals import daily_signals
from hub.domain.facts import DayClosed, PlanInForce
from hub.domain.findings import Ground, next_addressees, observe
from hub.domain.guideline_check import check_guideline
from hub.domain.identifiers import NATIONAL, Agb, month_of
from hub.domain.minimal_care_check import CLAUSE, check_minimal_care
from hub.domain.proposals import forget_proposals
from hub.domain.region_colours import colour_in_force, judge_colour, observe_daily, tell_alerts
from hub.domain.rounds import daily_round, expire_proposals, is_row_urgent
from hub.domain.share_statements import close_share_month
from hub.domain.supply_records import forget_past
from hub.domain.versions import forget_expired
from hub.domain.words import AlertKind, DeclaredColour, FindingCode, InForceKind

ENDED_KEPT_DAYS: Final = 400
"""Mandates and contracts stay so long after their last day: a year's figures are stated with them."""
_REGION: Final = Agb("")


def start_day(case: Case, today: date) -> None:
    """A day begins. The month that ended is closed first, by the state of its last day; then time moves.

    Colours come before rounds (red decides whether there is a round), rounds before the figures that they change.
    """
    before = case.today
    is_region = case.place.coordinator is not None
    if is_region and before is not None and month_of(before) != month_of(today):
        close_share_month(case, month_of(before))
    case.state.start_day(today)
    _forget(case, today, month_changed=before is not None and month_of(before) != month_of(today))
    tell_alerts(case, case.state.alerts.start_day(today, case.state.plan.alerts))
    if is_region:
        _publish_plan(case, today)
        missed = check_minimal_care(case, today)
        check_guideline(case, today)
        judgement = judge_colour(case)
        assert judgement is not None
        request_capacity(case, judgement)
        expire_proposals(case, today)
        daily_round(case, today)
        daily_signals(case)
        _find(case, today, judgement)
        next_addressees(case, today)
        _observe_alerts(case, today, missed=missed)
        state_capacity(case)
        state_rooms(case)
        state_inflow(case)
    elif case.region == NATIONAL:
        find_carers_declared_twice(case, today)
        next_addressees(case, today)
    _close(case, today)


def _forget(case: Case, today: date, *, month_changed: bool) -> None:
    expire(case, today)
    forget_proposals(case, today)
    forget_expired(case.state.versions, today)
    if month_changed:
        case.state.mandates.forget_ended(today, ENDED_KEPT_DAYS)
        case.state.contracts.forget_ended(today, ENDED_KEPT_DAYS)
        forget_past(case, today)
        forget_sayings(case)


def _publish_plan(case: Case, today: date) -> None:
    """A plan that comes into force is published once; every provider acknowledges it (rule 31)."""
    plan = case.state.plans.in_force(today)
    if plan is None or case.state.head.plan_told == (plan.plan_id, plan.version):
        return
    since = case.state.plans.in_force_from(plan)
    assert since is not None
    case.state.head.plan_told = (plan.plan_id, plan.version)
    case.say(
        PlanInForce(
            region=case.region,
            document_id=plan.plan_id,
            document_version=plan.version,
            in_force_from=since,
            plan=plan,
        )
    )


def _find(case: Case, today: date, judgement: Judgement) -> None:
    """Every finding of which the daily run knows all grounds: opened where it holds, closed where it no longer does."""
    state, forecast = case.state, case.state.current_forecast()
    contracted = sorted(state.contracts.contracted_on(today))
    settled = state.head.opened_on is not None and (
        (today - state.head.opened_on).days > state.plan.capacity.stale_after_days
    )
    declared = {provider: None for provider in forecast.capacities.providers}
    silent = [provider for provider in state.providers() if settled and provider not in declared]
    observe(case, FindingCode.CAPACITY_NOT_SHARED, {p: Ground(p, "S3 rule 16") for p in silent})
    stale = forecast.totals(forecast.months[0]).stale_providers
    observe(case, FindingCode.CAPACITY_STALE, {p: Ground(p, "S3 rule 16") for p in stale})
    observe(case, FindingCode.CAPACITY_REQUEST_UNANSWERED, unanswered(case, today))
    observe(case, FindingCode.FALSE_FULL_CLAIM, _by_reason(judgement, ReasonCode.CLAIM_CONTRADICTED, "S0 rule 13"))
    observe(case, FindingCode.MEASURES_NOT_RECORDED,
            _by_reason(judgement, ReasonCode.MEASURES_NOT_RECORDED, "S1 rule 3"))  # fmt: skip
    unreachable = [p for p in contracted if case.package_of(p) is None]
    observe(case, FindingCode.NOT_CONNECTED_TO_WAITLIST, {p: Ground(p, "S3 rule 23") for p in unreachable})
    no_plan = colour_in_force(case) is DeclaredColour.RED and state.plans.in_force(today) is None
    observe(case, FindingCode.PLAN_MISSING_IN_RED, {case.region: Ground(_REGION, "S0 rule 31")} if no_plan else {})
    observe(case, FindingCode.PLAN_NOT_ACKNOWLEDGED, _unacknowledged(case, today))
    strangers = {row.provider: None for row in state.supply.non_contracted.values() if row.unique_clients}
    outside = [p for p in sorted(strangers) if p not in contracted]
    observe(case, FindingCode.NON_CONTRACTED_DELIVERY, {p: Ground(p, "S3 rule 37") for p in outside})


def _by_reason(judgement: Judgement, code: ReasonCode, clause: str) -> dict[str, Ground]:
    found = {reason.provider or _REGION: None for reason in judgement.reasons if reason.code is code}
    return {provider: Ground(provider, clause) for provider in sorted(found)}


def _unacknowledged(case: Case, today: date) -> dict[str, Ground]:
    """Providers that were told of the plan or this month's guideline and stayed silent beyond the deadline."""
    state, days = case.state, case.state.plan.compliance.acknowledge_days
    documents: list[tuple[InForceKind, str, int]] = []
    plan = state.plans.in_force(today)
    since = None if plan is None else state.plans.in_force_from(plan)
    if plan is not None and since is not None and (today - since).days > days:
        documents.append((InForceKind.PLAN, plan.plan_id, plan.version))
    guideline = state.supply.guideline_of(month_of(today))
    if guideline is not None and guideline.adopted_on is not None and (today - guideline.adopted_on).days > days:
        documents.append((InForceKind.GUIDELINE, guideline.document_id, guideline.document_version))
    return {
        f"{provider}|{kind.value}|{document}|{version}": Ground(provider, "S0 rule 31")
        for kind, document, version in documents
        for provider in state.providers()
        if case.package_of(provider) is not None and not state.supply.acknowledged(provider, kind, document, version)
    }


def _observe_alerts(case: Case, today: date, *, missed: bool) -> None:
    holding: dict[AlertKind, str] = {}
    if missed:
        holding[AlertKind.MINIMAL_CARE_MISSED] = CLAUSE
    if any(row.unproposed and is_row_urgent(case, row, today) for _, row in case.state.waiting.unordered()):
        holding[AlertKind.UNPLACED_URGENT] = "S1 rule 27"
    observe_daily(case, holding)


def _close(case: Case, today: date) -> None:
    if case.place.clock is None:
        return
    waiting = sum(row.waits for _, row in case.state.waiting.unordered())
    proposals = sum(row.open for _, row in case.state.proposals.unordered())
    case.say(
        DayClosed(recipient=case.place.clock, region=case.region, date=today, open_proposals=proposals, waiting=waiting)
    )
