"""A region's agreed rules as one versioned value: every threshold, margin and deadline that a rule may ask for.

A plan names coordinator, distribution, capacity insight, interventions, information and cost grounds (S0, S1, rule
31). It is in force once both lead insurers concur, from its own first day: a new version never changes a day that has
passed. Regions without a plan are normal; they live by `national_defaults` (rule 31). The agreements behind the
defaults hold through 2026 (S0, rule 43).

Every figure whose comment names no source is PROPOSAL: ours, to be set by the region.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from hub.domain.allocation import AllocationRules, UrgencyKey
from hub.domain.birth_distribution import CARE_PROFILE_MAX_DAYS, NATIONAL_FIT, BirthWeights, CareModel
from hub.domain.fair_share import ShareRules
from hub.domain.identifiers import Month, RecordId, RegionCode, Uzovi, first_day, is_uzovi, month_of
from hub.domain.words import CapacityMethod

HOUR = 60
FIGURE_MAX = 100_000
"""Far beyond any figure of a plan (PROPOSAL)."""


class MediatorRule(StrEnum):
    """Which source decides who mediates where S0 and S1 differ (rule 30)."""

    S0_WITHOUT_RED_AND_PLAN = "s0_without_red_and_plan"
    S1_UNTIL_ORANGE = "s1_until_orange"


class Disclosure(StrEnum):
    """What packages learn of the other provider of a duplicate (DESIGN "Privacy")."""

    OWN_ONLY = "own_only"
    COUNTERPARTY = "counterparty"


class Addressee(StrEnum):
    """Who may act on a breach or an alert (rule 35); the order is plan data."""

    KSV = "ksv"
    BO = "bo"
    INSURER = "insurer"


class Distribution(StrEnum):
    """From which colour the waiting list is distributed: red (S1, rule 27), or orange too (S1, rule 27a)."""

    FROM_RED = "from_red"
    FROM_ORANGE = "from_orange"


@dataclass(frozen=True, slots=True, kw_only=True)
class CareNorms:
    """Hours a client is owed, in minutes, and how her care lies in time."""

    minimal_minutes: int = 24 * HOUR  # S1, rule 6
    minimal_minutes_klim: int = 24 * HOUR  # the KLIM norm (S1, rule 10) is not supplied: the same floor
    hospital_day_minutes: int = 3 * HOUR  # deducted (S1, rule 7)
    mean_minutes: int = 42 * HOUR  # national mean (DOMAIN "Numbers"), where no benchmark of the month is known
    partus_minutes: int = 6 * HOUR  # hours at a birth
    care_profile: tuple[int, ...] = (1,) * 8  # over 8 days (DOMAIN "Numbers")
    birth_weights: str = "national_fit_1"
    birth_report_lag_days: int = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """For a named period of extreme shortage the region's agreements set another floor (S1, rule 9)."""

    name: str
    period_from: date
    period_until: date
    minimal_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastRules:
    """What the load forecast takes for granted."""

    horizon_weeks: int = 26  # DOMAIN "Colour predicates"
    # Share of clients, in ‰, that is registered so many weeks before birth; the first is for the week of birth.
    registration_curve_permille: tuple[int, ...] = (
        *(1000, 995, 995, 990, 990, 985, 985, 980, 980, 975, 970, 965, 960, 950, 940, 925, 905, 880, 850, 815),
        *(770, 720, 660, 600, 530, 460, 390, 320, 250, 190, 140, 100, 70, 45, 25, 10),
    )
    partus_share_permille: int = 150  # of clients that have not registered yet
    expected_clients_deviation_permille: int = 50  # of this year's births against last year's
    capacity_deviation_permille: int = 30  # of what a team delivers against what it declared
    promise_confidence_permille: int = 800  # for "how much may I still promise"
    guideline_margin_permille: int = 50  # risk margin on the mean (S1, rule 19)
    carer_minutes_per_month: int = 78 * HOUR  # deployable hours of one carer, for the indicative inflow (rule 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityRules:
    """How declarations of capacity are taken."""

    stale_after_days: int = 35  # DOMAIN "Colour predicates"
    drop_max_permille: int = 150  # a larger drop than this waits until something bears it out
    reference_days: int = 28  # against the highest figure of so many days
    drop_settles_after_days: int = 14  # without a new registration in the period a drop bears itself out
    request_answer_days: int = 7  # deadline of a capacity request (rule 14)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourRules:
    """Thresholds of the colour predicates, in ‰ of chance and whole days (DOMAIN "Colour predicates")."""

    orange_threat_permille: int = 200
    orange_permille: int = 500
    orange_leave_permille: int = 400
    orange_leave_days: int = 14
    red_threat_permille: int = 300
    red_permille: int = 500
    red_leave_days: int = 14
    provider_load_share_permille: int = 50
    provider_clients_min: int = 20
    # Below so many clients one birth decides whether a provider is full: a person confirms, not the hub.
    verify_clients_min: int = 5
    registrations_after_claim_max: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationStep:
    """An alert that nobody has taken up after so many whole days goes to the next in line."""

    after_days: int
    addressee: Addressee


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRules:
    """Clocks of alerts, in whole days."""

    warning: tuple[EscalationStep, ...] = (
        EscalationStep(after_days=7, addressee=Addressee.INSURER),
        EscalationStep(after_days=21, addressee=Addressee.BO),
    )
    critical: tuple[EscalationStep, ...] = (
        EscalationStep(after_days=2, addressee=Addressee.INSURER),
        EscalationStep(after_days=7, addressee=Addressee.BO),
    )
    acknowledged_rests_days: int = 14  # an acknowledged alert that lasts takes up its clock again after this
    quiet_days: int = 7  # an episode closes when its cause stayed away so long; until then it is the same episode
    revise_after_days: int = 7  # a changed figure alone is told at most once in so many days


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundRules:
    """When the waiting list is distributed and answered."""

    distribution: Distribution = Distribution.FROM_RED  # S1, rule 27
    weekdays: tuple[int, ...] = (1, 4)  # ISO: Monday and Thursday
    answer_days: int = 2
    urgent_answer_days: int = 1
    urgent_within_days: int = 7
    urgency: tuple[UrgencyKey, ...] = (UrgencyKey.DUE_DATE, UrgencyKey.TIME_ON_LIST)


@dataclass(frozen=True, slots=True, kw_only=True)
class FairShareFigures:
    """Constants of the fair share (DOMAIN "Fair share")."""

    capacity_weight_parts: int = 2
    delivery_weight_parts: int = 1
    carry_months_max: int = 12
    fulfilment_min_permille: int = 800
    flag_months: int = 2
    flag_target_minutes_min: int = 72 * HOUR
    disclosed_providers_min: int = 4
    disclosed_count_min: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Interventions:
    """Agreed interventions (S0, rule 42). A partus pool carries the hours at births; a kraamcentrum is an offer."""

    partus_pool_from: date | None = None
    partus_pool_until: date | None = None
    kraamcentrum_places: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplianceRules:
    """Deadlines and order of address when agreements are not kept (rule 35)."""

    addressees: tuple[Addressee, ...] = (Addressee.KSV, Addressee.BO, Addressee.INSURER)
    acknowledge_days: int = 14  # to acknowledge plan and guideline (rule 31)
    next_addressee_days: int = 28
    capacity_insight_method: CapacityMethod = CapacityMethod.ROSTER


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPlan:
    """One version of a region's plan. `valid_until` None: until another version takes over."""

    plan_id: RecordId
    version: int
    region: RegionCode
    valid_from: date
    valid_until: date | None = None
    lead_insurers: tuple[Uzovi, ...] = ()  # two (rule 33)
    coordinator: str = ""
    waiting_clients_informed_by: str = ""  # how clients on the list are informed digitally (S0, rule 28)
    cost_grounds: tuple[str, ...] = ()  # S0, rule 39
    measures: tuple[str, ...] = ()  # codes that providers may report; the annex of S1 is not supplied
    mediator_rule: MediatorRule = MediatorRule.S0_WITHOUT_RED_AND_PLAN
    disclosure: Disclosure = Disclosure.OWN_ONLY
    short: bool = False  # a short plan will do where little is needed (S0, rule 31)
    norms: CareNorms = field(default_factory=CareNorms)
    deviations: tuple[Deviation, ...] = ()
    forecast: ForecastRules = field(default_factory=ForecastRules)
    capacity: CapacityRules = field(default_factory=CapacityRules)
    colours: ColourRules = field(default_factory=ColourRules)
    alerts: AlertRules = field(default_factory=AlertRules)
    rounds: RoundRules = field(default_factory=RoundRules)
    fair_share: FairShareFigures = field(default_factory=FairShareFigures)
    interventions: Interventions = field(default_factory=Interventions)
    compliance: ComplianceRules = field(default_factory=ComplianceRules)

    def covers(self, day: date) -> bool:
        """Whether the plan's validity holds on a day."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)

    def minimal_minutes(self, day: date) -> int:
        """The floor on a day: a deviation's where one covers it, the first named first (S1, rules 6 and 9)."""
        for deviation in self.deviations:
            if deviation.period_from <= day <= deviation.period_until:
                return deviation.minimal_minutes
        return self.norms.minimal_minutes

    def floor_minutes(self, day: date, *, klim: bool) -> int:
        """The floor of one client: by LIP or, where a region pioneers it, KLIM (S1, rules 6 and 10).

        A deviation lowers the KLIM norm too where it lies below it: it is for a period of extreme shortage (rule 9).
        """
        minimal = self.minimal_minutes(day)
        if not klim:
            return minimal
        deviates = minimal != self.norms.minimal_minutes
        return min(minimal, self.norms.minimal_minutes_klim) if deviates else self.norms.minimal_minutes_klim

    def floor_minutes_of_month(self, month: Month, *, klim: bool) -> int:
        """The mean floor over the days of a month, rounded up: nobody is owed less because of rounding."""
        start, end = first_day(month), first_day(Month(month + 1))
        days = (end - start).days
        if not any(d.period_from < end and start <= d.period_until for d in self.deviations):
            return self.norms.minimal_minutes_klim if klim else self.norms.minimal_minutes
        return -(-sum(self.floor_minutes(start + timedelta(days=n), klim=klim) for n in range(days)) // days)

    def pool_carries_partus(self, month: Month) -> bool:
        """Whether a partus pool carries the hours at births during the whole month (S0, rule 42)."""
        pool, last = self.interventions, first_day(Month(month + 1)) - timedelta(days=1)
        starts = pool.partus_pool_from is not None and pool.partus_pool_from <= first_day(month)
        return starts and (pool.partus_pool_until is None or last <= pool.partus_pool_until)

    def care_model(self) -> CareModel:
        """How births and care lie in time. KeyError: birth weights that this version of the hub does not hold."""
        return CareModel(KNOWN_BIRTH_WEIGHTS[self.norms.birth_weights], self.norms.care_profile,
                         self.norms.birth_report_lag_days)  # fmt: skip

    def share_rules(self) -> ShareRules:
        """Constants of the fair share as its rules take them."""
        figures = self.fair_share
        whole = figures.capacity_weight_parts + figures.delivery_weight_parts
        return ShareRules(
            capacity_weight=Fraction(figures.capacity_weight_parts, whole),
            delivery_weight=Fraction(figures.delivery_weight_parts, whole),
            carry_months_max=figures.carry_months_max,
            fulfilment_min=Fraction(figures.fulfilment_min_permille, 1000),
            flag_months=figures.flag_months,
            flag_target_minutes_min=figures.flag_target_minutes_min,
            disclosed_providers_min=figures.disclosed_providers_min,
            disclosed_count_min=figures.disclosed_count_min,
        )

    def allocation_rules(self, day: date, *, klim: bool = False) -> AllocationRules:
        """Constants of a round on a day; `klim`: for a client who follows that norm (S1, rule 10)."""
        pooled = self.pool_carries_partus(month_of(day))
        return AllocationRules(
            urgency=self.rounds.urgency,
            floor_minutes=self.floor_minutes(day, klim=klim),
            hospital_day_minutes=self.norms.hospital_day_minutes,
            partus_minutes=0 if pooled else self.norms.partus_minutes,
            kraamcentrum_places=self.interventions.kraamcentrum_places,
            urgent_within_days=self.rounds.urgent_within_days,
        )


KNOWN_BIRTH_WEIGHTS: dict[str, BirthWeights] = {"national_fit_1": NATIONAL_FIT}
"""Committed fits by name; a name, once published, keeps its weights."""


def national_defaults(region: RegionCode, lead_insurers: tuple[Uzovi, ...] = ()) -> RegionPlan:
    """The rules of a region without a plan (rule 31): version 0, always valid, no coordinator of its own."""
    return RegionPlan(
        plan_id=RecordId("national-defaults"), version=0, region=region, valid_from=date.min,
        lead_insurers=lead_insurers,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong in a plan: a JSON pointer, what was found, what was expected."""

    pointer: str
    found: str
    expected: str

    def __str__(self) -> str:
        return f"{self.pointer or '/'}: found {self.found}, expected {self.expected}"


def plan_faults(plan: RegionPlan) -> tuple[Fault, ...]:
    """Everything in a plan that contradicts itself or a source's floor; empty for a sound plan."""
    faults = list(_signs(plan, ""))

    def want(holds: bool, pointer: str, found: object, expected: str) -> None:
        if not holds:
            faults.append(Fault(pointer, str(found), expected))

    colours, norms, rounds = plan.colours, plan.norms, plan.rounds
    want(plan.version >= 1, "/version", plan.version, "a version from 1")
    want(
        len(set(plan.lead_insurers)) == len(plan.lead_insurers) == 2 and all(map(is_uzovi, plan.lead_insurers)),
        "/lead_insurers", ", ".join(plan.lead_insurers) or "none", "two different UZOVI codes (S0, rule 33)",
    )  # fmt: skip
    want(
        plan.valid_until is None or plan.valid_from <= plan.valid_until,
        "/valid_until", plan.valid_until, f"a day on or after {plan.valid_from}",
    )  # fmt: skip
    if not plan.short:
        want(plan.coordinator != "", "/coordinator", "nothing", "who coordinates, or `short: true` (S0, rule 31)")
        want(
            plan.waiting_clients_informed_by != "",
            "/waiting_clients_informed_by", "nothing", "how they are informed, or `short: true` (S0, rule 28)",
        )  # fmt: skip
    want(
        norms.birth_weights in KNOWN_BIRTH_WEIGHTS,
        "/norms/birth_weights", norms.birth_weights, " or ".join(sorted(KNOWN_BIRTH_WEIGHTS)),
    )  # fmt: skip
    want(
        1 <= len(norms.care_profile) <= CARE_PROFILE_MAX_DAYS and sum(norms.care_profile) > 0,
        "/norms/care_profile", list(norms.care_profile), f"1 to {CARE_PROFILE_MAX_DAYS} parts, not all zero",
    )  # fmt: skip
    want(
        norms.mean_minutes >= norms.minimal_minutes,
        "/norms/mean_minutes", norms.mean_minutes, f"at least the minimal {norms.minimal_minutes}",
    )  # fmt: skip
    for n, deviation in enumerate(plan.deviations):
        where = f"/deviations/{n}"
        want(deviation.name != "", f"{where}/name", "nothing", "a name for the period (S1, rule 9)")
        want(
            deviation.period_from <= deviation.period_until,
            f"{where}/period_until", deviation.period_until, f"a day on or after {deviation.period_from}",
        )  # fmt: skip
    want(
        1 <= colours.orange_leave_permille <= colours.orange_permille <= 999,
        "/colours/orange_leave_permille", colours.orange_leave_permille,
        f"1 to {colours.orange_permille}, the threshold for entering",
    )  # fmt: skip
    want(
        1 <= colours.orange_threat_permille <= colours.orange_permille,
        "/colours/orange_threat_permille", colours.orange_threat_permille, f"1 to {colours.orange_permille}",
    )  # fmt: skip
    want(
        1 <= colours.red_threat_permille <= colours.red_permille <= 999,
        "/colours/red_threat_permille", colours.red_threat_permille, f"1 to {colours.red_permille}",
    )  # fmt: skip
    curve = plan.forecast.registration_curve_permille
    want(
        bool(curve) and all(a >= b for a, b in pairwise(curve)) and curve[0] <= 1000,
        "/forecast/registration_curve_permille", list(curve), "shares from at most 1000, none above the one before it",
    )  # fmt: skip
    want(
        500 <= plan.forecast.promise_confidence_permille <= 999,
        "/forecast/promise_confidence_permille", plan.forecast.promise_confidence_permille, "500 to 999",
    )  # fmt: skip
    want(
        1 <= plan.forecast.horizon_weeks <= 40,
        "/forecast/horizon_weeks", plan.forecast.horizon_weeks, "1 to 40 weeks",
    )  # fmt: skip
    want(
        bool(rounds.weekdays) and all(1 <= day <= 7 for day in rounds.weekdays) and _rising(rounds.weekdays),
        "/rounds/weekdays", list(rounds.weekdays), "ISO weekdays 1 to 7, each once and in order",
    )  # fmt: skip
    for name in ("warning", "critical"):
        steps: tuple[EscalationStep, ...] = getattr(plan.alerts, name)
        want(
            _rising(step.after_days for step in steps),
            f"/alerts/{name}", [step.after_days for step in steps], "each step after more days than the one before",
        )  # fmt: skip
    want(
        plan.fair_share.capacity_weight_parts > 0,
        "/fair_share/capacity_weight_parts", plan.fair_share.capacity_weight_parts, "a positive number of parts",
    )  # fmt: skip
    return tuple(faults)


def _rising(numbers: Iterable[int]) -> bool:
    return all(a < b for a, b in pairwise(numbers))


def _signs(value: object, pointer: str) -> Iterable[Fault]:
    """Every figure of a plan counts something: none is negative, nor so large that a day counted by it is no date."""
    if is_dataclass(value):
        for part in fields(value):
            yield from _signs(getattr(value, part.name), f"{pointer}/{part.name}")
    elif isinstance(value, tuple):
        for n, item in enumerate(value):
            yield from _signs(item, f"{pointer}/{n}")
    elif isinstance(value, int) and value < 0:
        yield Fault(pointer, str(value), "a figure of at least 0")
    elif isinstance(value, int) and value > FIGURE_MAX and pointer != "/version":
        yield Fault(pointer, str(value), f"a figure of at most {FIGURE_MAX}")


@dataclass(frozen=True, slots=True)
class PlanBook:
    """Versions of a region's plan and who concurs; the only way to ask which rules hold on a day.

    `concurrences`: (plan id, version, insurer, day), in the order in which they came.
    """

    region: RegionCode
    plans: tuple[RegionPlan, ...] = ()
    concurrences: tuple[tuple[RecordId, int, Uzovi, date], ...] = ()

    def adopted(self, plan: RegionPlan) -> "PlanBook":
        """With one more version; what was adopted before stays, since old days keep their rules."""
        return PlanBook(self.region, (*self.plans, plan), self.concurrences)

    def without_past(self, day: date) -> "PlanBook":
        """Without versions that hold on no day from this one on: over, or behind one in force that has no end."""
        lasting = [n for n, plan in enumerate(self.plans) if plan.valid_until is None and self._begun(plan, day)]
        plans = self.plans[max(lasting, default=0) :]
        plans = tuple(plan for plan in plans if plan.valid_until is None or day <= plan.valid_until)
        known = [(plan.plan_id, plan.version) for plan in plans]
        return PlanBook(self.region, plans, tuple(one for one in self.concurrences if one[:2] in known))

    def concurred(self, plan_id: RecordId, version: int, insurer: Uzovi, on: date) -> "PlanBook":
        """With one insurer's concurrence; the first day counts, a repeat changes nothing."""
        if any((p, v, i) == (plan_id, version, insurer) for p, v, i, _ in self.concurrences):
            return self
        return PlanBook(self.region, self.plans, (*self.concurrences, (plan_id, version, insurer, on)))

    def in_force_from(self, plan: RegionPlan) -> date | None:
        """First day on which a version holds: its own first day, or the day after the last concurrence if later.

        Rules change at midnight only, so that one day has one set of rules. None while a lead insurer has not
        concurred (rule 31), or where no two lead insurers are named.
        """
        days = [
            on
            for insurer in plan.lead_insurers
            for p, v, i, on in self.concurrences
            if (p, v, i) == (plan.plan_id, plan.version, insurer)
        ]
        if not plan.lead_insurers or len(days) < len(plan.lead_insurers):
            return None
        return max(plan.valid_from, max(days) + timedelta(days=1))

    def in_force(self, day: date) -> RegionPlan | None:
        """The version that holds on a day: of those in force the one adopted last; None: national defaults."""
        return next((plan for plan in reversed(self.plans) if self._begun(plan, day) and plan.covers(day)), None)

    def _begun(self, plan: RegionPlan, day: date) -> bool:
        since = self.in_force_from(plan)
        return since is not None and since <= day

    def rules_on(self, day: date) -> RegionPlan:
        """The plan in force on a day, or else the national defaults."""
        return self.in_force(day) or national_defaults(self.region)
