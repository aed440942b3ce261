"""What providers, insurers and the KSV say about a region's capacity, its plan and its colour, as it comes in."""

from dataclasses import replace
from datetime import date
from typing import Final, TypeVar

from hub.domain import events as e
from hub.domain.capacity_requests import declared_since
from hub.domain.case import Case
from hub.domain.facts import GuidelineInForce
from hub.domain.identifiers import Agb, month_of, parse_month
from hub.domain.receipts import APPLIED, Verdict
from hub.domain.region_plan import plan_faults
from hub.domain.region_state import CLOCK_SILENT, PLANS_MAX
from hub.domain.shards import Shards
from hub.domain.supply_rows import (
    AcknowledgementRow,
    BenchmarkRow,
    ColourRow,
    FiguresRow,
    GuidelineRow,
    MeasureRow,
    NonContractedRow,
    PrognosisRow,
    ThreatRow,
)
from hub.domain.versions import key_of
from hub.domain.words import ClaimKind, InForceKind, MeasureStatus, ThreatStatus

V = TypeVar("V")

NOBODY: Final = Agb("")
"""In the place of a provider: the whole region, or its KSV."""
MONTHS_KEPT: Final = 26
"""Last year's months are compared with this year's, and the evaluation asks for two years (S0, rule 43)."""
ENDED_KEPT_DAYS: Final = 400
"""An ended measure or declaration of a colour stays for this year's evidence."""
TOO_MANY: Final = Verdict("too_many_records")


def declare_capacity(case: Case, event: e.CapacityDeclared) -> Verdict:
    """A provider says what it can deliver; it may answer a capacity request.

    A figure of a day to come counts as today's: a mistaken year must not stay fresh, and the latest, for years.
    """
    if case.today is not None and event.declared_on > case.today:
        event = replace(event, declared_on=case.today)
    case.state.forecast.declare_capacity(event)
    declared_since(case, event.provider, event.period_from, event.period_until)
    return APPLIED


def declare_full(case: Case, event: e.FullDeclared) -> Verdict:
    """A provider says that it is full, or takes that back. What that is worth is judged with the colours (rule 13)."""
    case.state.forecast.declare_full(event)
    return APPLIED


def judge_claim(case: Case, event: e.ClaimJudged) -> Verdict:
    """The coordinator has looked into what a provider says of itself, and says whether it is so (rule 13)."""
    forecast = case.state.forecast
    judge = forecast.judge_claim if event.claim is ClaimKind.FULL else forecast.judge_capacity
    if not judge(event.provider, event.claim_id, event.judgement):
        return Verdict("unknown_claim", "/claim_id")
    return APPLIED


def report_measure(case: Case, event: e.MeasureReported) -> Verdict:
    """A measure of a provider or of the whole region begins or ends; under a plan one of those that it names."""
    named = case.state.plan.measures
    if named and event.measure not in named:
        return Verdict("measure_not_in_plan", "/measure")
    row = MeasureRow(event.provider or NOBODY, event.measure, event.status is MeasureStatus.STARTED, event.on)
    return _keep(case, case.state.supply.measures, key_of(case.tenant, event), row)


def publish_figures(case: Case, event: e.ProviderFiguresPublished) -> Verdict:
    """An insurer's view of one provider's month."""
    row = FiguresRow(
        event.insurer, event.provider, parse_month(event.month), event.mean_care_minutes, event.capacity_minutes
    )
    return _keep(case, case.state.supply.figures, key_of(case.tenant, event), row)


def publish_benchmark(case: Case, event: e.BenchmarkPublished) -> Verdict:
    """Last year's figures of one month."""
    lead = case.tenant in case.place.lead_insurers
    row = BenchmarkRow(event.insurer, lead, parse_month(event.month), event.mean_care_minutes, event.unique_clients)
    return _keep(case, case.state.supply.benchmarks, key_of(case.tenant, event), row)


def publish_prognosis(case: Case, event: e.PrognosisPublished) -> Verdict:
    """Bo's prognosis of one month (rule 20)."""
    row = PrognosisRow(parse_month(event.month), event.needed_carers, event.published_on)
    return _keep(case, case.state.supply.prognoses, key_of(case.tenant, event), row)


def adopt_guideline(case: Case, event: e.GuidelineAdopted) -> Verdict:
    """The KSV adopts the intake guideline of a month."""
    row = GuidelineRow(parse_month(event.month), event.guideline_minutes, event.record_id, event.version, case.today)
    verdict = _keep(case, case.state.supply.guidelines, key_of(case.tenant, event), row)
    if verdict.applied:
        case.say(
            GuidelineInForce(
                region=case.region, month=event.month, document_id=event.record_id,
                document_version=event.version, guideline_minutes=event.guideline_minutes,
            )
        )  # fmt: skip
    return verdict


def see_non_contracted(case: Case, event: e.NonContractedDeliverySeen) -> Verdict:
    """A provider without a contract delivers and claims (rule 37)."""
    row = NonContractedRow(event.insurer, event.provider, parse_month(event.month), event.unique_clients)
    return _keep(case, case.state.supply.non_contracted, key_of(case.tenant, event), row)


def declare_colour(case: Case, event: e.ColourDeclared) -> Verdict:
    """The KSV declares a colour; it stands beside the computed one."""
    row = ColourRow(event.colour, event.valid_from, event.valid_until, case.today)
    return _keep(case, case.state.supply.colours, key_of(case.tenant, event), row)


def signal_red_threat(case: Case, event: e.RedThreatSignalled) -> Verdict:
    """The KSV or a provider signals that red threatens (rule 32)."""
    row = ThreatRow(event.provider or NOBODY, parse_month(event.month), event.status is ThreatStatus.SIGNALLED)
    return _keep(case, case.state.supply.threats, key_of(case.tenant, event), row)


def acknowledge_document(case: Case, event: e.InForceAcknowledged) -> Verdict:
    """A provider has taken note of the plan or a guideline (rule 31)."""
    document = (event.document_id, event.document_version)
    if event.kind is InForceKind.PLAN:
        known = any((plan.plan_id, plan.version) == document for plan in case.state.plans.plans)
    else:
        known = any(
            row.document_id == event.document_id and event.document_version <= row.document_version
            for _, row in case.state.supply.guidelines.unordered()
        )
    if not known:
        return Verdict("unknown_record_here", "/document_id")
    row = AcknowledgementRow(event.provider, event.kind, event.document_id, event.document_version)
    return _keep(case, case.state.supply.acknowledgements, key_of(case.tenant, event), row)


def adopt_plan(case: Case, event: e.RegionPlanAdopted) -> Verdict:
    """The KSV adopts a version of its plan; it is in force once both lead insurers concur."""
    plan = event.plan
    leads = case.place.reference.region[case.region].lead_insurers
    if (plan.plan_id, plan.version, plan.region) != (event.record_id, event.version, case.region):
        return Verdict("invalid_plan", "/plan")
    if faults := plan_faults(plan):
        return Verdict("invalid_plan", f"/plan{faults[0].pointer}")
    if leads and sorted(plan.lead_insurers) != sorted(leads):
        return Verdict("invalid_plan", "/plan/lead_insurers")
    book = case.state.plans
    if len(book.plans) >= PLANS_MAX and case.today is not None:
        book = book.without_past(case.today)
    if len(book.plans) >= PLANS_MAX:
        return TOO_MANY
    case.state.plans = book.adopted(plan)
    return APPLIED


def concur_with_plan(case: Case, event: e.RegionPlanConcurred) -> Verdict:
    """A lead insurer concurs with a version of the plan; the next midnight may bring it into force."""
    plans = case.state.plans.plans
    plan = next((p for p in plans if (p.plan_id, p.version) == (event.plan_id, event.plan_version)), None)
    if plan is None:
        return Verdict("unknown_plan_version", "/plan_version")
    if event.insurer not in plan.lead_insurers:
        return Verdict("not_a_lead_insurer", "/insurer")
    on = case.today or CLOCK_SILENT
    case.state.plans = case.state.plans.concurred(plan.plan_id, plan.version, event.insurer, on)
    return APPLIED


def forget_past(case: Case, today: date) -> None:
    """Rows of months and periods that no rule asks for any more."""
    supply, oldest = case.state.supply, month_of(today) - MONTHS_KEPT
    for key, figures in supply.figures.items():
        if figures.month < oldest:
            supply.figures.remove(key)
    for key, benchmark in supply.benchmarks.items():
        if benchmark.month < oldest:
            supply.benchmarks.remove(key)
    for key, guideline in supply.guidelines.items():
        if guideline.month < oldest:
            supply.guidelines.remove(key)
    for key, prognosis in supply.prognoses.items():
        if prognosis.month < oldest:
            supply.prognoses.remove(key)
    for key, threat in supply.threats.items():
        if threat.month < month_of(today):
            supply.threats.remove(key)
    for key, seen in supply.non_contracted.items():
        if seen.month < oldest:
            supply.non_contracted.remove(key)
    for key, measure in supply.measures.items():
        if not measure.started and (today - measure.on).days > ENDED_KEPT_DAYS:
            supply.measures.remove(key)
    for key, colour in supply.colours.items():
        if colour.valid_until is not None and (today - colour.valid_until).days > ENDED_KEPT_DAYS:
            supply.colours.remove(key)


def _keep(case: Case, rows: Shards[V], key: str, row: V) -> Verdict:
    """Write a row within its bound; whatever it says, the forecast looks around anew."""
    if rows.full and rows.get(key) is None:
        return TOO_MANY
    rows.put(key, row)
    case.state.around_changed()
    return APPLIED
