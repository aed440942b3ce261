"""What the folds are told: inputs of tenants, and what the hub's own machines tell each other.

Each class mirrors a file in schemas/avro/ field by field; tests/contracts checks that they are equal.
What a field means stands in the schema, in one place.
"""

from dataclasses import dataclass, is_dataclass
from datetime import date as Day

from hub.domain.frozen import quick
from hub.domain.identifiers import Agb, Pc4, RecordId, RegionCode, TenantId, Uzovi
from hub.domain.identity import Identity
from hub.domain.match_model import Explanation
from hub.domain.region_plan import RegionPlan
from hub.domain.words import (
    AllocationAnswer,
    CapacityMethod,
    CareEndReason,
    ClaimJudgement,
    ClaimKind,
    ContractClass,
    DeclaredColour,
    DeclineReason,
    DuplicateVerdict,
    FullLevel,
    FullStatus,
    IndicationProtocol,
    InForceKind,
    LinkEndReason,
    LinkKind,
    MeasureStatus,
    OverrideOutcome,
    OverrideReason,
    RecordKind,
    RegistrationStatus,
    RemovalReason,
    SettledOutcome,
    ThreatStatus,
    WaitingStatus,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRef:
    """Names one record of one tenant."""

    tenant: TenantId
    provider: Agb
    kind: RecordKind
    record_id: RecordId
    version: int
    region: RegionCode


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchReason:
    """One part of a score, without any value of the client."""

    pass_number: int
    field: str
    weight_millibits: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationSubmitted:
    """One client's enrolment at one provider for one pregnancy."""

    record_id: RecordId
    version: int
    provider: Agb
    status: RegistrationStatus
    pc4: Pc4
    due_date: Day
    requested_on: Day
    insurer: Uzovi
    indicated_minutes: int
    protocol: IndicationProtocol
    partus_assistance: bool
    identity: Identity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CareDelivered:
    """Care delivered so far to one registered client; a later version replaces it with the new totals."""

    record_id: RecordId
    version: int
    provider: Agb
    pc4: Pc4
    registration_id: RecordId
    born_on: Day
    physical_minutes: int
    digital_minutes: int
    digital_consent: bool
    employed_minutes: int
    self_employed_minutes: int
    hospital_days: int
    carers: int
    carer_codes_present: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CareEnded:
    """Care ended, or was declined by the client."""

    record_id: RecordId
    version: int
    provider: Agb
    pc4: Pc4
    registration_id: RecordId
    ended_on: Day
    reason: CareEndReason


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityDeclared:
    """A provider's capacity in one region and period, by the KSV's method (rules 16, 17)."""

    record_id: RecordId
    version: int
    provider: Agb
    region: RegionCode
    period_from: Day
    period_until: Day
    declared_on: Day
    method: CapacityMethod
    contracted_employed_minutes: int
    contracted_self_employed_minutes: int
    deployable_employed_minutes: int
    deployable_self_employed_minutes: int
    subcontracted_minutes: int
    carer_pool: str | None = None
    carer_pool_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FullDeclared:
    """A provider says that it is full, or takes that back (rule 13)."""

    record_id: RecordId
    version: int
    provider: Agb
    region: RegionCode
    level: FullLevel
    status: FullStatus
    period_from: Day
    period_until: Day


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimJudged:
    """The coordinator confirms or rejects that a provider is full, or that its capacity dropped (rule 13)."""

    record_id: RecordId
    version: int
    provider: Agb
    region: RegionCode
    claim: ClaimKind
    claim_id: RecordId
    judgement: ClaimJudgement


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureReported:
    """A measure against shortage begins or ends."""

    record_id: RecordId
    version: int
    provider: Agb | None = None
    region: RegionCode
    measure: str
    status: MeasureStatus
    on: Day


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingClientListed:
    """A client on the regional waiting list, or removed from it."""

    record_id: RecordId
    version: int
    status: WaitingStatus
    removal_reason: RemovalReason | None = None
    pc4: Pc4
    due_date: Day
    requested_on: Day
    insurer: Uzovi
    indicated_minutes: int
    protocol: IndicationProtocol
    partus_assistance: bool
    hospital_days: int
    preferred_provider: Agb | None = None
    identity: Identity | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationAnswered:
    """A provider's package, or the coordinator, answers an open proposal."""

    record_id: RecordId
    version: int
    provider: Agb
    region: RegionCode
    proposal_id: str
    answer: AllocationAnswer
    reason: DeclineReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationOverridden:
    """The coordinator places a client otherwise, or records what she decided."""

    record_id: RecordId
    version: int
    region: RegionCode
    waiting_tenant: TenantId
    waiting_id: RecordId
    outcome: OverrideOutcome
    provider: Agb | None = None
    reason: OverrideReason


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractDeclared:
    """An insurer's contract with a provider (rule 37). Goes to every region."""

    record_id: RecordId
    version: int
    insurer: Uzovi
    provider: Agb
    contract_class: ContractClass
    postcodes: tuple[Pc4, ...]
    valid_from: Day
    valid_until: Day | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderFiguresPublished:
    """What an insurer knows of one provider's month (rule 18)."""

    record_id: RecordId
    version: int
    insurer: Uzovi
    provider: Agb
    region: RegionCode
    month: str
    mean_care_minutes: int
    capacity_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NonContractedDeliverySeen:
    """A provider without a contract delivers and claims in a region (rule 37)."""

    record_id: RecordId
    version: int
    insurer: Uzovi
    provider: Agb
    region: RegionCode
    month: str
    unique_clients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchmarkPublished:
    """Vektis figures per region and month of the previous year (rule 18)."""

    record_id: RecordId
    version: int
    insurer: Uzovi
    region: RegionCode
    month: str
    mean_care_minutes: int
    unique_clients: int
    range_low_minutes: int
    range_high_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PrognosisPublished:
    """Bo's prognosis of the carers that a region needs in a month (rule 20)."""

    record_id: RecordId
    version: int
    region: RegionCode
    month: str
    needed_carers: int
    published_on: Day


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidelineAdopted:
    """The KSV's intake guideline for a month of expected shortage (rule 19)."""

    record_id: RecordId
    version: int
    region: RegionCode
    month: str
    guideline_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPlanAdopted:
    """A KSV adopts a version of its region plan (rule 31); in force once both lead insurers concur."""

    record_id: RecordId
    version: int
    region: RegionCode
    plan: RegionPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionPlanConcurred:
    """A lead insurer agrees with a version of the region plan (rule 31)."""

    record_id: RecordId
    version: int
    insurer: Uzovi
    region: RegionCode
    plan_id: RecordId
    plan_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourDeclared:
    """The colour that the KSV itself declares."""

    record_id: RecordId
    version: int
    region: RegionCode
    colour: DeclaredColour
    valid_from: Day
    valid_until: Day | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedThreatSignalled:
    """A KSV or provider signals in time that red threatens (rule 32)."""

    record_id: RecordId
    version: int
    provider: Agb | None = None
    region: RegionCode
    status: ThreatStatus
    month: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRaised:
    """A person finds that an agreement is not kept (rule 35)."""

    record_id: RecordId
    version: int
    provider: Agb
    region: RegionCode
    rule_number: int
    found_on: Day


@dataclass(frozen=True, slots=True, kw_only=True)
class MandateGranted:
    """A provider lets a tenant publish for it. Goes to every region."""

    record_id: RecordId
    version: int
    provider: Agb
    mandate_tenant: TenantId
    bo_member: bool
    valid_from: Day
    valid_until: Day | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InForceAcknowledged:
    """A provider has taken note of the plan or guideline in force (rule 31)."""

    record_id: RecordId
    version: int
    provider: Agb
    region: RegionCode
    kind: InForceKind
    document_id: RecordId
    document_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertAcknowledged:
    """Somebody has seen an alert and acts."""

    record_id: RecordId
    version: int
    region: RegionCode
    alert_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateFeedbackGiven:
    """What people found out about a duplicate signal."""

    record_id: RecordId
    version: int
    region: RegionCode
    link_id: str
    verdict: DuplicateVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldReleased:
    """The trust office has looked at a held tenant and releases it."""

    record_id: RecordId
    version: int
    held_tenant: TenantId


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesActivated:
    """From here on a version of the rules holds. Goes to every log."""

    record_id: RecordId
    version: int
    rules_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAdopted:
    """From here on the match fold weighs candidates by another model."""

    record_id: RecordId
    version: int
    model_version: str
    explanations: tuple[Explanation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenOverId:
    """One registration that goes by another id at its new tenant."""

    old_id: RecordId
    new_id: RecordId


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationsTakenOver:
    """A provider's registrations go from one package to another; versions go on counting (spine 7)."""

    record_id: RecordId
    version: int
    provider: Agb
    old_tenant: TenantId
    new_tenant: TenantId
    ids: tuple[TakenOverId, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStarted:
    """A day begins in the Netherlands. Goes to every region."""

    date: Day


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRefused:
    """Intake refused a record; the fold makes its receipt."""

    code: str
    unreadable: bool
    pointer: str
    record_type: str | None = None
    record_id: RecordId | None = None
    version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordSettled:
    """How the home region judged a version of a record that carries an encoded identity."""

    record: RecordRef
    outcome: SettledOutcome
    due_date: Day
    closed_by_transfer: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFound:
    """Two records belong to one client."""

    link_id: str
    kind: LinkKind
    first: RecordRef
    second: RecordRef
    score_millibits: int
    reasons: tuple[MatchReason, ...]
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkEnded:
    """Two records are linked no longer."""

    link_id: str
    kind: LinkKind
    first: RecordRef
    second: RecordRef
    reason: LinkEndReason


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordMoved:
    """A higher version of the record is active in another region."""

    record: RecordRef
    version: int
    new_region: RegionCode


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantHeld:
    """A tenant spent its budget of signals; a person looks first."""

    held_tenant: TenantId
    links_in_window: int
    budget: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsTakenOver:
    """NL tells every region that registrations change hands; each region tells the match fold when it has done so."""

    region: RegionCode
    provider: Agb
    old_tenant: TenantId
    new_tenant: TenantId
    ids: tuple[TakenOverId, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingMandate:
    """A mandate as NL holds it, with what the version rule knows of its record."""

    tenant: TenantId
    record_id: RecordId
    version: int
    content: bytes
    known_until: int
    provider: Agb
    mandate_tenant: TenantId
    bo_member: bool
    valid_from: Day
    valid_until: Day | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingContract:
    """A contract for the whole country as NL holds it, with what the version rule knows of its record."""

    tenant: TenantId
    record_id: RecordId
    version: int
    content: bytes
    known_until: int
    insurer: Uzovi
    provider: Agb
    valid_from: Day
    valid_until: Day | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionOpened:
    """A new region begins with what NL holds. Large ones come in several parts."""

    region: RegionCode
    part: int
    parts: int
    day: Day | None = None
    rules_version: int
    held: tuple[TenantId, ...]
    mandates: tuple[StandingMandate, ...]
    contracts: tuple[StandingContract, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCarried:
    """One part of a region's state, as the generation before left it. A new generation's logs begin with these."""

    generation: int
    state_version: int
    part: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerationOpened:
    """Every part of a region's state has been carried over; from here on the new generation goes on."""

    generation: int
    state_version: int
    parts: int
    state_hash: str


for _kind in tuple(vars().values()):
    if isinstance(_kind, type) and is_dataclass(_kind) and _kind.__module__ == __name__:
        quick(_kind)
