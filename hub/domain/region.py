"""The region fold: the only judge. One event in one order goes in, and facts come out.

`decide` reads nothing but its state, the event and the committed tables. What an event means stands in a module of
its own subject; here stands only which rule an event meets, the version rule before it and the receipt after it.

A changed rule stands beside the old one in `CHANGES`, and holds in a region from `RulesActivated` on: see
rule_versions.py. A change within a rule asks `case.rules`.
"""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from hub.domain import events as e
from hub.domain import supply_records
from hub.domain.capacity_requests import request_capacity
from hub.domain.capacity_statements import state_rooms
from hub.domain.care_records import (
    deliver_care,
    end_care,
    list_waiting_client,
    record_moved,
    settle_refused,
    submit_registration,
)
from hub.domain.carer_pools import notice_declaration
from hub.domain.case import Case, Place, place_of
from hub.domain.client_status import tell_clients
from hub.domain.duplicate_signals import feedback_given, link_ended, link_found
from hub.domain.escalation import Condition
from hub.domain.findings import raise_finding
from hub.domain.identifiers import NATIONAL, Month, RegionCode, month_of
from hub.domain.logged import Logged
from hub.domain.proposals import answered, overridden
from hub.domain.receipts import APPLIED, Verdict, receipt_for, receipt_for_refusal
from hub.domain.reference import Reference, Role
from hub.domain.region_colours import acknowledge_alert, judge_colour, tell_alerts
from hub.domain.region_day import start_day
from hub.domain.region_opening import open_region, openings
from hub.domain.region_state import RegionState
from hub.domain.registrations import KEPT_AFTER_DUE_DAYS
from hub.domain.rounds import place_at_once
from hub.domain.rule_versions import RULES_KNOWN, UnknownRules
from hub.domain.takeovers import grant_takeover, take_over
from hub.domain.upcasts import Parts, Step, upcast_parts
from hub.domain.versions import SPOKEN_FOR_A_PROVIDER, KnownVersion, judge_version, kept_until, key_of, record_key
from hub.domain.words import AlertKind

HELD_CLAUSE: Final = "PROPOSAL: budget of signals"
Rule = Callable[[Case, Any], Verdict]
Telling = Callable[[Case, Any], None]


def _grant_mandate(case: Case, event: e.MandateGranted) -> Verdict:
    """A mandate names a package of the tables; nobody else speaks for providers."""
    row = case.place.reference.tenant.get(event.mandate_tenant)
    if row is None or row.role is not Role.PACKAGE:
        return Verdict("unknown_tenant", "/mandate_tenant")
    key, rows = key_of(case.tenant, event), case.state.mandates.rows
    if rows.full and rows.get(key) is None:
        return Verdict("too_many_records")
    case.state.mandates.grant(key, event)
    case.state.around_changed()
    return APPLIED


def _declare_contract(case: Case, event: e.ContractDeclared) -> Verdict:
    key, rows = key_of(case.tenant, event), case.state.contracts.rows
    if rows.full and rows.get(key) is None:
        return Verdict("too_many_records")
    case.state.contracts.declare(key, event, case.place.postcodes)
    case.state.around_changed()
    return APPLIED


def _release_hold(case: Case, event: e.HoldReleased) -> Verdict:
    if event.held_tenant not in case.state.head.held:
        return Verdict("not_held", "/held_tenant")
    del case.state.head.held[event.held_tenant]
    _observe_held(case)
    return APPLIED


def _activate_rules(case: Case, event: e.RulesActivated) -> Verdict:
    if event.rules_version <= case.rules:
        return Verdict("rules_not_newer", "/rules_version")
    case.state.head.rules = event.rules_version
    return APPLIED


def _adopt_model(case: Case, event: e.ModelAdopted) -> Verdict:
    """NL keeps the version and gives the receipt; the weights are the match fold's."""
    return APPLIED


def _answer(case: Case, event: e.AllocationAnswered) -> Verdict:
    """An answer; whom a provider declined is asked of the next one at once if she is urgent (spine 8)."""
    verdict = answered(case, event)
    proposal = case.state.proposals.get(event.proposal_id)
    if verdict.applied and proposal is not None:
        place_at_once(case, proposal.waiting)
    return verdict


def _override(case: Case, event: e.AllocationOverridden) -> Verdict:
    verdict = overridden(case, event)
    if verdict.applied:
        place_at_once(case, record_key(event.waiting_tenant, "", e.WaitingClientListed, event.waiting_id))
    return verdict


RULES: Final[Mapping[type[Any], Rule]] = {
    e.RegistrationSubmitted: submit_registration,
    e.CareDelivered: deliver_care,
    e.CareEnded: end_care,
    e.WaitingClientListed: list_waiting_client,
    e.AllocationAnswered: _answer,
    e.AllocationOverridden: _override,
    e.ContractDeclared: _declare_contract,
    e.MandateGranted: _grant_mandate,
    e.DuplicateFeedbackGiven: feedback_given,
    e.HoldReleased: _release_hold,
    e.FindingRaised: raise_finding,
    e.AlertAcknowledged: acknowledge_alert,
    e.CapacityDeclared: supply_records.declare_capacity,
    e.FullDeclared: supply_records.declare_full,
    e.ClaimJudged: supply_records.judge_claim,
    e.MeasureReported: supply_records.report_measure,
    e.ProviderFiguresPublished: supply_records.publish_figures,
    e.BenchmarkPublished: supply_records.publish_benchmark,
    e.PrognosisPublished: supply_records.publish_prognosis,
    e.GuidelineAdopted: supply_records.adopt_guideline,
    e.NonContractedDeliverySeen: supply_records.see_non_contracted,
    e.ColourDeclared: supply_records.declare_colour,
    e.RedThreatSignalled: supply_records.signal_red_threat,
    e.InForceAcknowledged: supply_records.acknowledge_document,
    e.RegionPlanAdopted: supply_records.adopt_plan,
    e.RegionPlanConcurred: supply_records.concur_with_plan,
    e.RegistrationsTakenOver: grant_takeover,
    e.RulesActivated: _activate_rules,
    e.ModelAdopted: _adopt_model,
}
"""What each versioned input does once its version is new here and its sender may speak."""


def _tenant_held(case: Case, event: e.TenantHeld) -> None:
    """A tenant spent its budget of signals: ops and the trust office look first."""
    case.state.head.held[event.held_tenant] = case.today
    _observe_held(case)


def _observe_held(case: Case) -> None:
    if case.today is None:
        return
    held = sorted(case.state.head.held)
    conditions = [Condition(kind=AlertKind.TENANT_HELD, subject=one, clause=HELD_CLAUSE) for one in held]
    rules = case.state.plan.alerts
    kinds = (AlertKind.TENANT_HELD,)
    tell_alerts(case, case.state.alerts.observe(conditions, kinds, case.today, rules))


TOLD: Final[Mapping[type[Any], Telling]] = {
    e.LinkFound: link_found,
    e.LinkEnded: link_ended,
    e.RecordMoved: record_moved,
    e.TenantHeld: _tenant_held,
    e.RecordsTakenOver: take_over,
    e.RegionOpened: open_region,
}
"""What the hub's own machines say: no receipt, no version, nothing to refuse."""


@dataclass(frozen=True, slots=True)
class Change:
    """What one version of the rules puts in the place of earlier ones, by type of event."""

    rules: Mapping[type[Any], Rule] = field(default_factory=dict)
    told: Mapping[type[Any], Telling] = field(default_factory=dict)


CHANGES: Final[tuple[Change, ...]] = ()
"""One row for each version above 1, oldest first. A row never changes once its release is out."""

assert 1 + len(CHANGES) == RULES_KNOWN, "rule_versions.py names another newest version of the rules than CHANGES has"


TIPPING: Final = (
    e.CapacityDeclared,
    e.FullDeclared,
    e.ClaimJudged,
    e.MeasureReported,
    e.ColourDeclared,
    e.RedThreatSignalled,
    e.ProviderFiguresPublished,
)
"""Inputs that can tip a region by themselves: its colour is judged at once. Everything else waits for the day."""


UPCASTS: Final[Mapping[int, Step]] = {}
"""Steps from each older state version; none has been released yet."""


class RegionRules:
    """Rules of the fold over region-log, for one version of the tables."""

    name = "region"
    state_version = 1

    def __init__(self, reference: Reference, changes: Sequence[Change] = CHANGES) -> None:
        self.reference = reference
        self._views: tuple[tuple[Reference, Mapping[RegionCode, Place]], ...] = tuple(
            (view, {c: place_of(view, c, opens_later=c in reference.opened_later) for c in reference.codes})
            for view in reference.views
        )
        self._rules, self._told = [dict(RULES)], [dict(TOLD)]
        for change in changes:
            self._rules.append({**self._rules[-1], **change.rules})
            self._told.append({**self._told[-1], **change.told})

    @property
    def rules_known(self) -> int:
        """The newest version of the rules that can be in force."""
        return len(self._rules)

    def open(self, region: RegionCode) -> RegionState:
        """A region before its first event."""
        return RegionState(region)

    def restore(self, region: RegionCode, parts: Mapping[str, bytes]) -> RegionState:
        """The state that `changed_parts` wrote."""
        state = RegionState.restore(region, parts)
        if state.head.rules > self.rules_known:
            raise UnknownRules(state.head.rules, self.rules_known)
        return state

    def upcast(self, state_version: int, parts: Parts) -> Parts:
        """Parts that an older release wrote, in the shape of this one."""
        return upcast_parts(UPCASTS, state_version, self.state_version, parts)

    def changed_parts(self, state: RegionState) -> dict[str, bytes | None]:
        """Canonical bytes of each part changed since the last call."""
        return state.changed_parts()

    def decide(self, state: RegionState, logged: Logged[Any]) -> Sequence[Any]:
        """What follows from one event: the receipt first where this copy is the home one, then the facts."""
        view, places = self._views[bisect_right(self.reference.moments, logged.appended_ms)]
        case = Case(
            places[logged.region], state, logged.tenant, logged.content, logged.comparable, type(logged.event).__name__
        )
        facts = self._facts(case, logged)
        return [*facts, *openings(case, view)] if logged.region == NATIONAL else facts

    def _facts(self, case: Case, logged: Logged[Any]) -> Sequence[Any]:
        event, kind = logged.event, type(logged.event)
        if (tell := self._told[case.rules - 1].get(kind)) is not None:
            if kind is e.RegionOpened and event.rules_version > self.rules_known:
                raise UnknownRules(event.rules_version, self.rules_known)
            tell(case, event)
            tell_clients(case)
            return case.facts
        if kind is e.InputRefused:
            return [receipt_for_refusal(event, logged.tenant)]
        if kind is e.RulesActivated and event.rules_version > self.rules_known:
            raise UnknownRules(event.rules_version, self.rules_known)
        verdict = self._start_day(case, event) if kind is e.DayStarted else self._judge(case, event, logged.home)
        tell_clients(case)
        if logged.home:
            return [receipt_for(event, logged.tenant, verdict), *case.facts]
        return case.facts

    def _start_day(self, case: Case, event: e.DayStarted) -> Verdict:
        """Only the day after the last one; the first is taken as it is."""
        if case.today is not None and event.date.toordinal() != case.today.toordinal() + 1:
            return Verdict("day_not_next", "/date")
        start_day(case, event.date)
        return APPLIED

    def _judge(self, case: Case, event: Any, home: bool) -> Verdict:
        """The version rule, then who may speak, then the rule of the type. The first "no" speaks."""
        if case.region == NATIONAL and type(event) is e.CapacityDeclared:
            # A copy for noticing: its region judges it, and one id may stand in several regions.
            return notice_declaration(case, event) if _has_mandate(case, event) else Verdict("no_mandate", "/provider")
        key = key_of(case.tenant, event)
        known = case.state.versions.get(key)
        seen = judge_version(known, event.version, case.content)
        if seen is not None:
            return seen
        verdict = self._apply(case, event, new_record=known is None, home=home)
        if verdict.applied:
            case.state.versions.put(key, KnownVersion(event.version, case.content, _until(event, case.today)))
        elif isinstance(event, e.RegistrationSubmitted | e.WaitingClientListed):
            settle_refused(case, event)
        return verdict

    def _apply(self, case: Case, event: Any, *, new_record: bool, home: bool) -> Verdict:
        if home and case.place.opens_later and not case.state.head.opened:
            return Verdict("region_not_open")
        if new_record and case.state.versions.full:
            return Verdict("too_many_records")
        if type(event) in SPOKEN_FOR_A_PROVIDER and case.role is Role.PACKAGE and not _has_mandate(case, event):
            return Verdict("no_mandate", "/provider")
        verdict = self._rules[case.rules - 1][type(event)](case, event)
        if verdict.applied and type(event) in TIPPING and (judgement := judge_colour(case)) is not None:
            request_capacity(case, judgement)
        if verdict.applied and case.today is not None:
            _answer_planner(case, event)
        return verdict


def _answer_planner(case: Case, event: Any) -> None:
    """What a provider may still promise, said anew right after what it did itself; for the rest the day does it."""
    match event:
        case e.RegistrationSubmitted():
            born = month_of(event.due_date)
            state_rooms(case, event.provider, (born, Month(born + 1)))
        case e.CapacityDeclared() | e.ClaimJudged() | e.AllocationAnswered():
            state_rooms(case, event.provider)
        case _:
            pass


def _has_mandate(case: Case, event: Any) -> bool:
    """A package speaks for a provider by mandate only, and never for a whole region."""
    return event.provider is not None and case.state.mandates.allows(event.provider, case.tenant, case.today)


def _until(event: Any, today: date | None) -> int:
    """How long a record's id and version are known: 24 months after its own end."""
    match event:
        case e.RegistrationSubmitted() | e.WaitingClientListed():
            return kept_until(date.fromordinal(event.due_date.toordinal() + KEPT_AFTER_DUE_DAYS), today)
        case e.CareDelivered():
            return kept_until(date.fromordinal(event.born_on.toordinal() + KEPT_AFTER_DUE_DAYS), today)
        case e.CapacityDeclared() | e.FullDeclared():
            return kept_until(event.period_until, today)
        case e.MandateGranted() | e.ContractDeclared() | e.ColourDeclared():
            return kept_until(event.valid_until, today)
        case e.RegionPlanAdopted() | e.RegionPlanConcurred() | e.HoldReleased():
            return 0
        case e.RegistrationsTakenOver() | e.RulesActivated() | e.ModelAdopted():
            return 0
        case _:
            return kept_until(today, today)
