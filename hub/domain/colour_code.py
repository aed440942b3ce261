"""The colour of a region: green, orange, red, what threatens, and what is not known.

Every predicate is asked per month of the forecast (DOMAIN "Colour predicates"; its figures are PROPOSAL and plan data)
and answers true, false or unknown: capacity that is too old to count on may make a difference, and then nobody knows.
True is true even if every hour too old to count on were there; false is false without any of them. So the colour is
never green on hours that nobody stands for, and never worse because of silence.

A colour is entered at once and left slowly: orange when the chance stayed at or below the lower threshold for
`orange_leave_days`, red after `red_leave_days` without any ground for it. The KSV's own declaration stands beside the
computed colour and changes nothing in it.

Where the sources disagree both readings are kept: red-a (S1, rule 3) and red-b (S0, rule 4) are two answers, and the
mediator's reading names the clause (rule 30).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum

from hub.domain.chance import Load, compare_shortfall, shortfall_permille
from hub.domain.full_claim import ClaimStatus, ClaimVerdict
from hub.domain.identifiers import Agb, Month
from hub.domain.region_plan import ColourRules, MediatorRule
from hub.domain.words import CareEndReason, ComputedColour, DeclaredColour, Mediator, RemovalReason


class Truth(IntEnum):
    """Three values; ordered so that the worst of several is their maximum."""

    NO = 0
    UNKNOWN = 1
    YES = 2


class ReasonCode(StrEnum):
    """Why a region has its colour; the order is the order of importance."""

    ALL_FULL = "all_full"
    PROVIDER_FULL = "provider_full"
    PROVIDER_UNABLE = "provider_unable"
    REGION_UNABLE = "region_unable"
    RED_HELD = "red_held"
    MEASURES_NOT_RECORDED = "measures_not_recorded"
    REGION_NEAR_UNABLE = "region_near_unable"
    PROVIDER_NEAR_UNABLE = "provider_near_unable"
    RED_THREAT_SIGNALLED = "red_threat_signalled"
    GUIDELINE_FULL = "guideline_full"
    SHORT_OF_MEAN = "short_of_mean"
    ORANGE_HELD = "orange_held"
    NEAR_SHORT_OF_MEAN = "near_short_of_mean"
    CAPACITY_UNKNOWN = "capacity_unknown"
    CLAIM_CONTRADICTED = "claim_contradicted"
    CLAIM_UNVERIFIED = "claim_unverified"
    NO_SHORTAGE = "no_shortage"


CLAUSES: dict[ReasonCode, str] = {
    ReasonCode.ALL_FULL: "S0 rule 4",
    ReasonCode.PROVIDER_FULL: "S1 rule 3",
    ReasonCode.PROVIDER_UNABLE: "S1 rule 3",
    ReasonCode.REGION_UNABLE: "S1 rule 3",
    ReasonCode.RED_HELD: "PROPOSAL: leaving red",
    ReasonCode.MEASURES_NOT_RECORDED: "S1 rule 3",
    ReasonCode.REGION_NEAR_UNABLE: "S0 rule 32",
    ReasonCode.PROVIDER_NEAR_UNABLE: "S0 rule 32",
    ReasonCode.RED_THREAT_SIGNALLED: "S0 rule 32",
    ReasonCode.GUIDELINE_FULL: "S1 rule 13",
    ReasonCode.SHORT_OF_MEAN: "S1 rule 2",
    ReasonCode.ORANGE_HELD: "PROPOSAL: leaving orange",
    ReasonCode.NEAR_SHORT_OF_MEAN: "S1 rule 2",
    ReasonCode.CAPACITY_UNKNOWN: "S3 rule 16",
    ReasonCode.CLAIM_CONTRADICTED: "rule 13",
    ReasonCode.CLAIM_UNVERIFIED: "rule 13",
    ReasonCode.NO_SHORTAGE: "S1 rule 1",
}
_IMPORTANCE = {code: n for n, code in enumerate(ReasonCode)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One ground: what, by which clause, about which month and provider, and the figures behind it.

    `permille`: the chance of a shortfall where one was asked. `load_minutes` (mean) and `capacity_minutes` likewise.
    """

    code: ReasonCode
    month: Month | None = None
    provider: Agb | None = None
    permille: int | None = None
    load_minutes: int | None = None
    capacity_minutes: int | None = None

    @property
    def clause(self) -> str:
        """Clause of the source."""
        return CLAUSES[self.code]


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """Minutes that a fresh declaration stands for, and what could be there beside them.

    `doubtful_minutes`: hours of declarations that are too old, carried forward; and for a provider that has clients
    and never declared, the hours of its own clients. `declared` False: nobody stands for anything.
    """

    known_minutes: int
    doubtful_minutes: int = 0
    declared: bool = True
    assumed: bool = False

    @property
    def hopeful_minutes(self) -> int:
        """All hours that could be there."""
        return self.known_minutes + self.doubtful_minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderMonth:
    """One provider's month. `binding`: contracted or a member of Bo, so that red-b asks for it (rule 4)."""

    provider: Agb
    clients: int
    load_minimal: Load
    capacity: Capacity
    binding: bool = True
    measures_recorded: bool = False
    full: ClaimVerdict | None = None
    guideline_full: ClaimVerdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthEvidence:
    """One month of the forecast. Loads hold registered, waiting and expected clients; capacity variance included."""

    month: Month
    load_mean: Load
    load_minimal: Load
    capacity: Capacity
    providers: tuple[ProviderMonth, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionEvidence:
    """All that a colour is judged by on one day.

    `red_threats`: months for which a KSV (provider None) or a provider signals that red threatens (rule 32).
    """

    months: tuple[MonthEvidence, ...]
    region_measures_recorded: bool = False
    red_threats: tuple[tuple[Month, Agb | None], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourState:
    """What a region remembers between two judgements.

    `red`: which red it is in, None outside. `*_clear_since`: first day of the unbroken run without ground for it.
    """

    colour: ComputedColour
    since: date
    orange: bool = False
    orange_clear_since: date | None = None
    red: ComputedColour | None = None
    red_clear_since: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthColour:
    """A month's answers. Chances are those of the hopeful capacity, beside the truth of each predicate."""

    month: Month
    shortfall_mean_permille: int
    shortfall_minimal_permille: int
    orange_threat: Truth
    orange: Truth
    orange_clear: bool
    red_threat: Truth
    red_a: Truth
    red_b: Truth
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A new state, with the grounds in order of importance and both readings of red."""

    state: ColourState
    reasons: tuple[Reason, ...]
    red_a: Truth
    red_b: Truth
    months: tuple[MonthColour, ...]

    @property
    def codes(self) -> tuple[str, ...]:
        """Reason codes, each once, the most important first."""
        return tuple(dict.fromkeys(reason.code.value for reason in self.reasons))

    @property
    def clauses(self) -> tuple[str, ...]:
        """Clauses that speak, each once, in the order of the reasons."""
        return tuple(dict.fromkeys(reason.clause for reason in self.reasons))


def initial_state(on: date) -> ColourState:
    """A region of which nothing is known yet."""
    return ColourState(colour=ComputedColour.UNKNOWN, since=on)


def next_colour(previous: ColourState, evidence: RegionEvidence, rules: ColourRules, on: date) -> Judgement:
    """The colour that follows on a day, from the one before and the evidence. Asked twice, it answers the same."""
    months = tuple(judge_month(month, evidence, rules) for month in evidence.months)
    red_a = max((m.red_a for m in months), default=Truth.UNKNOWN)
    red_b = max((m.red_b for m in months), default=Truth.UNKNOWN)
    red_threat = max((m.red_threat for m in months), default=Truth.UNKNOWN)
    orange = max((m.orange for m in months), default=Truth.UNKNOWN)
    orange_threat = max((m.orange_threat for m in months), default=Truth.UNKNOWN)
    reasons = [reason for month in months for reason in month.reasons]

    red_ground = max(red_a, red_b)
    red_clear_since = _run(previous.red_clear_since, on, red_ground is Truth.NO)
    red: ComputedColour | None = None
    if red_ground is Truth.YES:
        red = ComputedColour.RED_B if red_b is Truth.YES else ComputedColour.RED_A
    elif previous.red is not None and not _over(red_clear_since, on, rules.red_leave_days):
        red = previous.red
        reasons.append(Reason(code=ReasonCode.RED_HELD))

    # The threat of red, and red, are never below orange.
    orange_ground = orange is Truth.YES or red_threat is Truth.YES or red_ground is Truth.YES
    clear = not orange_ground and max(red_threat, red_ground) is Truth.NO and bool(months)
    orange_clear_since = _run(previous.orange_clear_since, on, clear and all(m.orange_clear for m in months))
    in_orange = orange_ground or red is not None
    if not in_orange and previous.orange and not _over(orange_clear_since, on, rules.orange_leave_days):
        in_orange = True
        reasons.append(Reason(code=ReasonCode.ORANGE_HELD))

    colour = ComputedColour.GREEN
    if red is not None:
        colour = red
    elif red_threat is Truth.YES:
        colour = ComputedColour.RED_THREAT
    elif in_orange:
        colour = ComputedColour.ORANGE
    elif orange_threat is Truth.YES:
        colour = ComputedColour.ORANGE_THREAT
    elif max(orange_threat, red_threat) is Truth.UNKNOWN:
        colour = ComputedColour.UNKNOWN
    reasons.extend(Reason(code=ReasonCode.RED_THREAT_SIGNALLED, month=m, provider=p) for m, p in evidence.red_threats)
    if colour is ComputedColour.GREEN:
        reasons.append(Reason(code=ReasonCode.NO_SHORTAGE))
    if not months:
        reasons.append(Reason(code=ReasonCode.CAPACITY_UNKNOWN))
    state = ColourState(
        colour=colour,
        since=previous.since if colour is previous.colour else on,
        orange=in_orange,
        orange_clear_since=orange_clear_since if in_orange else None,
        red=red,
        red_clear_since=red_clear_since if red is not None else None,
    )
    return Judgement(state=state, reasons=tuple(sorted(reasons, key=_order)), red_a=red_a, red_b=red_b, months=months)


def judge_month(evidence: MonthEvidence, region: RegionEvidence, rules: ColourRules) -> MonthColour:
    """All predicates of one month, with their grounds."""
    reasons: list[Reason] = []
    orange_threat = _short(evidence.load_mean, evidence.capacity, rules.orange_threat_permille)
    orange = _short(evidence.load_mean, evidence.capacity, rules.orange_permille)
    if Truth.YES in (orange, orange_threat):
        code = ReasonCode.SHORT_OF_MEAN if orange is Truth.YES else ReasonCode.NEAR_SHORT_OF_MEAN
        reasons.append(_figures(code, evidence.month, None, evidence.load_mean, evidence.capacity))
    claimants = [p for p in evidence.providers if p.full is not None or p.guideline_full is not None]
    full_guideline = [p for p in claimants if _verified(p.guideline_full)]
    if full_guideline:
        orange = Truth.YES
        reasons.extend(
            Reason(code=ReasonCode.GUIDELINE_FULL, month=evidence.month, provider=p.provider) for p in full_guideline
        )
    red_threat, red_a = _region_red(evidence, region, rules, reasons)
    for provider in evidence.providers:
        threat, unable = _provider_red(provider, evidence, region, rules, reasons)
        red_threat, red_a = max(red_threat, threat), max(red_a, unable)
    red_b = _all_full(evidence, reasons) if claimants else Truth.NO
    for provider in claimants:
        reasons.extend(_doubtful_claims(provider, evidence.month))
    if Truth.UNKNOWN in (orange_threat, orange, red_threat):
        reasons.append(
            _figures(ReasonCode.CAPACITY_UNKNOWN, evidence.month, None, evidence.load_mean, evidence.capacity)
        )
    clear = (
        evidence.capacity.declared
        and not full_guideline
        and compare_shortfall(evidence.load_mean, evidence.capacity.known_minutes, rules.orange_leave_permille) <= 0
    )
    return MonthColour(
        month=evidence.month,
        shortfall_mean_permille=shortfall_permille(evidence.load_mean, evidence.capacity.hopeful_minutes),
        shortfall_minimal_permille=shortfall_permille(evidence.load_minimal, evidence.capacity.hopeful_minutes),
        orange_threat=max(orange_threat, orange) if orange is Truth.YES else orange_threat,
        orange=orange,
        orange_clear=clear,
        red_threat=red_threat,
        red_a=red_a,
        red_b=red_b,
        reasons=tuple(reasons),
    )


def _region_red(
    evidence: MonthEvidence, region: RegionEvidence, rules: ColourRules, reasons: list[Reason]
) -> tuple[Truth, Truth]:
    """Threat of red and red-a by the region's own load at minimal care."""
    threat = _short(evidence.load_minimal, evidence.capacity, rules.red_threat_permille)
    unable = _short(evidence.load_minimal, evidence.capacity, rules.red_permille)
    recorded = region.region_measures_recorded or any(p.measures_recorded for p in evidence.providers)
    if unable is Truth.YES and recorded:
        code = ReasonCode.REGION_UNABLE
    elif threat is Truth.YES:
        code = ReasonCode.REGION_NEAR_UNABLE
    else:
        return threat, unable
    reasons.append(_figures(code, evidence.month, None, evidence.load_minimal, evidence.capacity))
    if unable is Truth.YES and not recorded:
        reasons.append(Reason(code=ReasonCode.MEASURES_NOT_RECORDED, month=evidence.month))
        return threat, Truth.NO
    return threat, unable


def _provider_red(
    own: ProviderMonth, month: MonthEvidence, region: RegionEvidence, rules: ColourRules, reasons: list[Reason]
) -> tuple[Truth, Truth]:
    """Threat of red and red-a by one provider: its verified 'vol', or its load beside its own capacity.

    What a provider did not declare afresh is no ground against it: unknown capacity answers no here, and shows in the
    region's own predicates.
    """
    recorded = own.measures_recorded or region.region_measures_recorded
    if _verified(own.full):
        reasons.append(_figures(ReasonCode.PROVIDER_FULL, month.month, own.provider, own.load_minimal, own.capacity))
        if not recorded:
            reasons.append(Reason(code=ReasonCode.MEASURES_NOT_RECORDED, month=month.month, provider=own.provider))
        return Truth.YES, Truth.YES
    if not own.capacity.declared or own.capacity.doubtful_minutes or own.clients < rules.verify_clients_min:
        return Truth.NO, Truth.NO
    if _short(own.load_minimal, own.capacity, rules.red_threat_permille) is Truth.NO:
        return Truth.NO, Truth.NO
    short = _short(own.load_minimal, own.capacity, rules.red_permille)
    if short is Truth.YES and recorded:
        reasons.append(_figures(ReasonCode.PROVIDER_UNABLE, month.month, own.provider, own.load_minimal, own.capacity))
        return Truth.YES, Truth.YES
    matters = own.clients >= rules.provider_clients_min and (
        own.load_minimal.mean * 1000 >= month.load_minimal.mean * rules.provider_load_share_permille
    )
    if not matters:
        return Truth.NO, Truth.NO
    reasons.append(_figures(ReasonCode.PROVIDER_NEAR_UNABLE, month.month, own.provider, own.load_minimal, own.capacity))
    if short is Truth.YES:
        reasons.append(Reason(code=ReasonCode.MEASURES_NOT_RECORDED, month=month.month, provider=own.provider))
    return Truth.YES, Truth.NO


def _all_full(evidence: MonthEvidence, reasons: list[Reason]) -> Truth:
    """Red-b: every contracted provider and Bo member that has clients or hours this month is verified full."""
    asked = [p for p in evidence.providers if p.binding and (p.clients or p.capacity.hopeful_minutes)]
    if not asked or not all(_verified(p.full) for p in asked):
        return Truth.NO
    reasons.append(Reason(code=ReasonCode.ALL_FULL, month=evidence.month))
    return Truth.YES


def _doubtful_claims(own: ProviderMonth, month: Month) -> Iterable[Reason]:
    for verdict in (own.full, own.guideline_full):
        if verdict is not None and verdict.status is ClaimStatus.CONTRADICTED:
            yield Reason(code=ReasonCode.CLAIM_CONTRADICTED, month=month, provider=own.provider)
        elif verdict is not None and verdict.status is ClaimStatus.UNVERIFIED:
            yield Reason(code=ReasonCode.CLAIM_UNVERIFIED, month=month, provider=own.provider)


def _short(load: Load, capacity: Capacity, permille: int) -> Truth:
    """Whether P(load > capacity) reaches a chance, whatever became of the doubtful hours."""
    if not capacity.declared:
        return Truth.UNKNOWN
    if compare_shortfall(load, capacity.hopeful_minutes, permille) >= 0:
        return Truth.YES
    if capacity.doubtful_minutes and compare_shortfall(load, capacity.known_minutes, permille) >= 0:
        return Truth.UNKNOWN
    return Truth.NO


def _figures(code: ReasonCode, month: Month, provider: Agb | None, load: Load, capacity: Capacity) -> Reason:
    return Reason(
        code=code,
        month=month,
        provider=provider,
        permille=shortfall_permille(load, capacity.hopeful_minutes),
        load_minutes=load.mean_minutes,
        capacity_minutes=capacity.hopeful_minutes,
    )


def _verified(verdict: ClaimVerdict | None) -> bool:
    return verdict is not None and verdict.status is ClaimStatus.VERIFIED


def _run(since: date | None, on: date, holds: bool) -> date | None:
    """First day of an unbroken run."""
    return (since or on) if holds else None


def _over(since: date | None, on: date, days: int) -> bool:
    return since is not None and (on - since).days >= days


def _order(reason: Reason) -> tuple[int, int, str]:
    return _IMPORTANCE[reason.code], reason.month or 0, reason.provider or ""


def in_force(computed: ComputedColour, declared: DeclaredColour | None) -> DeclaredColour:
    """The colour by which duties follow: the KSV's declaration, or where it declared none the computed one.

    A threat is not yet the colour that threatens, except that the threat of red is never below orange; unknown is
    taken for green, since no duty follows from not knowing. PROPOSAL: no source says whose colour prevails.
    """
    if declared is not None:
        return declared
    if computed in (ComputedColour.RED_A, ComputedColour.RED_B):
        return DeclaredColour.RED
    if computed in (ComputedColour.ORANGE, ComputedColour.RED_THREAT):
        return DeclaredColour.ORANGE
    return DeclaredColour.GREEN


@dataclass(frozen=True, slots=True)
class Mediation:
    """Who mediates, by which clause, and what the other source says where it says otherwise."""

    mediator: Mediator
    clause: str
    otherwise: str | None = None


def mediation(colour: DeclaredColour, plan_in_force: bool, rule: MediatorRule) -> Mediation:
    """Rule 30. S1: the insurer, while no orange is in force. S0: the insurer, in regions without red and plan.

    Under a plan that names a coordinator, the coordinator mediates from orange on. Red without a plan: no source names
    a mediator. S1 names none in orange without a plan either; the plan's rule, S0 by default, settles that.
    """
    if colour is DeclaredColour.GREEN:
        return Mediation(Mediator.INSURER, "S1 rule 30")
    if plan_in_force:
        return Mediation(Mediator.COORDINATOR, "S0 rule 31")
    if colour is DeclaredColour.RED:
        return Mediation(Mediator.NONE, "rule 30")
    if rule is MediatorRule.S1_UNTIL_ORANGE:
        return Mediation(Mediator.NONE, "S1 rule 30", "S0 rule 30: insurer")
    return Mediation(Mediator.INSURER, "S0 rule 30", "S1 rule 30: none")


class Missed(StrEnum):
    """What became of a client's minimal care, seen afterwards (rule 5)."""

    NOT_YET = "not_yet"
    RECEIVED = "received"
    EXCLUDED = "excluded"
    MISSED = "missed"


_NO_SHORTAGE_REASONS = (
    CareEndReason.DECLINED_BY_CLIENT,
    CareEndReason.MOVED,
    CareEndReason.PREGNANCY_ENDED,
    RemovalReason.WITHDRAWN,
    RemovalReason.MOVED,
    RemovalReason.PREGNANCY_ENDED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CareGiven:
    """One client's care as far as it is known. `delivered_minutes`: physical care; digital never counts (rule 8).

    `born_on` None: no birth reported. `ended` is why care ended or why she left the list; None while it runs.
    """

    due_date: date
    born_on: date | None
    owed_minutes: int
    delivered_minutes: int
    ended: CareEndReason | RemovalReason | None = None


def minimal_care(care: CareGiven, on: date, care_days: int) -> Missed:
    """Whether a client got minimal care; a client who was never placed counts like any other (rule 5).

    The window closes `care_days` after the birth, or after the due date where no birth was reported (PROPOSAL).
    """
    if care.delivered_minutes >= care.owed_minutes:
        return Missed.RECEIVED
    if care.ended in _NO_SHORTAGE_REASONS:
        return Missed.EXCLUDED
    closes = care.born_on or care.due_date
    return Missed.MISSED if (on - closes).days >= care_days or care.ended is CareEndReason.COMPLETED else Missed.NOT_YET
