"""The colour of one region, judged when something can tip it, with the alerts and the status that follow."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from hub.domain.case import Case
from hub.domain.colour_code import (
    Judgement,
    Mediation,
    RegionEvidence,
    in_force,
    initial_state,
    mediation,
    next_colour,
)
from hub.domain.escalation import COLOUR_KINDS, AlertChange, Condition, colour_conditions
from hub.domain.events import AlertAcknowledged
from hub.domain.facts import EVERYBODY, AlertChanged, ColourGround, MonthFigures, RegionStatusChanged
from hub.domain.identifiers import Agb, Month, TenantId, month_text
from hub.domain.load_forecast import REGION
from hub.domain.receipts import APPLIED, Verdict
from hub.domain.region_plan import Distribution
from hub.domain.shards import encode_canonical
from hub.domain.statements import enough_behind
from hub.domain.words import AlertKind, ComputedColour, DeclaredColour, Mediator

DAILY_KINDS: Final = (AlertKind.MINIMAL_CARE_MISSED, AlertKind.UNPLACED_URGENT)
"""Alerts whose causes the daily run looks at."""
_STATUS: Final = "status"
GROUNDS_MAX: Final = 40
"""Grounds that a status names; the gravest come first."""


def judge_colour(case: Case) -> Judgement | None:
    """Judge the colour now; None before the first day. Asked twice, nothing more is said."""
    today = case.today
    if today is None or case.place.coordinator is None:
        return None
    state, plan = case.state, case.state.plan
    evidence = state.current_forecast().evidence()
    judgement = next_colour(state.colour or initial_state(today), evidence, plan.colours, today)
    state.colour = judgement.state
    mediates = mediation_now(case)
    _state_status(case, evidence, judgement, mediates)
    clients = {month.month: state.forecast.loads.clients(REGION, month.month) for month in evidence.months}
    told = {month: n for month, n in clients.items() if n >= plan.fair_share.disclosed_count_min}
    conditions = colour_conditions(case.region, judgement, mediates, told)
    tell_alerts(case, state.alerts.observe(conditions, COLOUR_KINDS, today, plan.alerts))
    return judgement


def colour_in_force(case: Case) -> DeclaredColour:
    """The colour by which duties follow: the KSV's own declaration, or else the computed one."""
    computed = ComputedColour.UNKNOWN if case.state.colour is None else case.state.colour.colour
    declared = None if case.today is None else case.state.supply.declared_colour(case.today)
    return in_force(computed, declared)


def mediation_now(case: Case) -> Mediation:
    """Who mediates now (rule 30)."""
    has_plan = case.today is not None and case.state.plans.in_force(case.today) is not None
    return mediation(colour_in_force(case), has_plan, case.state.plan.mediator_rule)


def distributes(case: Case) -> bool:
    """Whether the waiting list is distributed now: in red (S1, rule 27), in orange where the plan says so (27a)."""
    colour = colour_in_force(case)
    from_orange = case.state.plan.rounds.distribution is Distribution.FROM_ORANGE
    return colour is DeclaredColour.RED or (colour is DeclaredColour.ORANGE and from_orange)


def observe_daily(case: Case, kinds_holding: dict[AlertKind, str]) -> None:
    """Open, keep or close the alerts of the daily run. `kinds_holding`: the clause by kind of what holds today."""
    assert case.today is not None
    conditions = [
        Condition(kind=kind, subject=case.region, clause=clause) for kind, clause in sorted(kinds_holding.items())
    ]
    rules = case.state.plan.alerts
    tell_alerts(case, case.state.alerts.observe(conditions, DAILY_KINDS, case.today, rules))


def acknowledge_alert(case: Case, event: AlertAcknowledged) -> Verdict:
    """Somebody has seen an alert and acts: its clock rests."""
    if case.today is None or case.state.alerts.find(event.alert_id) is None:
        return Verdict("unknown_alert", "/alert_id")
    change = case.state.alerts.acknowledge(event.alert_id, case.tenant, case.today, case.state.plan.alerts)
    tell_alerts(case, () if change is None else (change,))
    return APPLIED


def tell_alerts(case: Case, changes: tuple[AlertChange, ...]) -> None:
    """Each change once to ops, and a copy to the region's coordinator."""
    mediator = Mediator.NONE if case.today is None else mediation_now(case).mediator
    recipients = [EVERYBODY] if case.place.coordinator is None else [EVERYBODY, case.place.coordinator]
    for change in changes:
        episode = change.episode
        for recipient in recipients:
            case.say(
                AlertChanged(
                    recipient=recipient,
                    region=case.region,
                    alert_id=episode.alert_id,
                    kind=episode.kind,
                    state=episode.state,
                    severity=episode.severity,
                    since=episode.since,
                    subject=episode.subject,
                    clause=episode.clause,
                    mediator=mediator,
                    next_step_nl=change.next_step.nl,
                    next_step_en=change.next_step.en,
                    what_nl=change.what.nl,
                    what_en=change.what.en,
                    affected_nl=change.affected.nl,
                    affected_en=change.affected.en,
                    months=episode.detail,
                    clients=0 if episode.figures is None else episode.figures.clients,
                )
            )


@dataclass(frozen=True, slots=True)
class _Told:
    """Which of a month's minutes everybody may read: totals that show no competitor's figure, also not by subtraction.

    Demand holds clients who are expected and not registered; while nobody registered any it shows nobody's.
    """

    demand: bool
    deployable: bool


def _told(case: Case, evidence: RegionEvidence) -> dict[Month, _Told]:
    """For no package, which takes off what it says itself. Insurers know capacity per provider anyway (S3, rule 18)."""
    rules = case.state.plan.share_rules()
    providers = [row.provider for row in evidence.months[0].providers] if evidence.months else []
    served: dict[TenantId | None, list[Agb]] = {None: []}
    for provider in providers:
        package = case.package_of(provider)
        if package is not None:
            served.setdefault(package, []).append(provider)

    def shows_nobody(behind: Sequence[Agb]) -> bool:
        return all(enough_behind(behind, known, len(providers), rules) for known in served.values())

    told = {}
    for month in evidence.months:
        with_clients = [row.provider for row in month.providers if row.clients]
        with_capacity = [row.provider for row in month.providers if row.capacity.hopeful_minutes]
        told[month.month] = _Told(not with_clients or shows_nobody(with_clients), shows_nobody(with_capacity))
    return told


def _grounds(judgement: Judgement, told: Mapping[Month, _Told]) -> tuple[ColourGround, ...]:
    """Why, ground by ground: with the region's own figures, and never with those of one provider."""
    found = []
    for reason in judgement.reasons:
        own = reason.provider is None
        month = told.get(reason.month) if own and reason.month is not None else None
        found.append(
            ColourGround(
                code=reason.code.value,
                clause=reason.clause,
                month=None if reason.month is None else month_text(reason.month),
                shortfall_permille=reason.permille if own else None,
                load_minutes=reason.load_minutes if month is not None and month.demand else None,
                capacity_minutes=reason.capacity_minutes if month is not None and month.deployable else None,
            )
        )
    return tuple(dict.fromkeys(found))[:GROUNDS_MAX]


def _state_status(case: Case, evidence: RegionEvidence, judgement: Judgement, mediates: Mediation) -> None:
    today, state = case.today, case.state
    assert today is not None
    plan = state.plans.in_force(today)
    told = _told(case, evidence)
    status = RegionStatusChanged(
        region=case.region,
        date=today,
        computed=judgement.state.colour,
        computed_since=judgement.state.since,
        declared=state.supply.declared_colour(today),
        clauses=tuple(dict.fromkeys((*judgement.clauses, mediates.clause))),
        reasons=judgement.codes,
        measures=tuple(dict.fromkeys(sorted(row.measure for row in state.supply.measures_running(today)))),
        mediator=mediates.mediator,
        plan_version=None if plan is None else plan.version,
        months=tuple(
            MonthFigures(
                month=month_text(month.month),
                demand_mean_minutes=month.load_mean.mean_minutes if told[month.month].demand else 0,
                demand_minimum_minutes=month.load_minimal.mean_minutes if told[month.month].demand else 0,
                deployable_minutes=month.capacity.hopeful_minutes if told[month.month].deployable else 0,
                shortfall_mean_permille=colour.shortfall_mean_permille,
                shortfall_minimum_permille=colour.shortfall_minimal_permille,
                assumed=month.capacity.assumed,
                unknown=not month.capacity.declared,
                demand_told=told[month.month].demand,
                deployable_told=told[month.month].deployable,
            )
            for month, colour in zip(evidence.months, judgement.months, strict=True)
        ),
        caused_by=case.cause,
        grounds=_grounds(judgement, told),
    )
    content = encode_canonical([status.computed, status.declared, status.clauses, status.reasons, status.measures,
                                status.mediator, status.plan_version, status.months])  # fmt: skip
    if state.is_new_saying(_STATUS, sha256(content).digest()):
        case.say(status)
