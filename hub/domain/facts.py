"""What the region fold says. One fact per recipient, already redacted; delivery copies bytes and decides nothing.

Each class mirrors a file in schemas/avro/out field by field; tests/contracts checks that they are equal.
"""

from dataclasses import dataclass, is_dataclass
from datetime import date as Day

from hub.domain.events import MatchReason
from hub.domain.frozen import quick
from hub.domain.identifiers import Agb, IsoDate, Pc4, RecordId, RegionCode, TenantId
from hub.domain.region_plan import RegionPlan
from hub.domain.words import (
    AlertKind,
    AlertSeverity,
    AlertState,
    AllocationStatus,
    ClientStatus,
    ComputedColour,
    DeclaredColour,
    FindingCode,
    FindingStatus,
    InflowSource,
    LinkEndReason,
    Mediator,
    ReceiptOutcome,
    SignalAudience,
    SignalPhase,
    StatementAudience,
)

EVERYBODY = TenantId("")
"""No single recipient: the shared topic."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WhyNot:
    """Why another provider was not chosen. For the coordinator only."""

    provider: Agb
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFigures:
    """One month of the forecast. Minutes are whole; chances are in thousandths.

    Everybody reads it, competitors too: minutes are 0 and not `told` where so few providers stand behind them that
    one's own would follow. The chances are always told, since the colour is judged by them.
    """

    month: str
    demand_mean_minutes: int
    demand_minimum_minutes: int
    deployable_minutes: int
    shortfall_mean_permille: int
    shortfall_minimum_permille: int
    assumed: bool
    unknown: bool
    demand_told: bool = True
    deployable_told: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourGround:
    """One ground of a region's colour. Figures are the region's own; those of a single provider are left out.

    Minutes are None too where so few providers stand behind them that one's own would follow.
    """

    code: str
    clause: str
    month: str | None = None
    shortfall_permille: int | None = None
    load_minutes: int | None = None
    capacity_minutes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiptIssued:
    """What became of one input record. Exactly one for each."""

    recipient: TenantId
    record_type: str | None = None
    record_id: RecordId | None = None
    version: int | None = None
    outcome: ReceiptOutcome
    code: str
    pointer: str
    message_nl: str
    message_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DayClosed:
    """A region has done all that a day asks."""

    recipient: TenantId
    region: RegionCode
    date: Day
    open_proposals: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateSignalled:
    """One client is registered twice; phases of one episode."""

    recipient: TenantId
    region: RegionCode
    link_id: str
    phase: SignalPhase
    audience: SignalAudience
    own_record_ids: tuple[str, ...]
    providers: tuple[str, ...]
    score_millibits: int
    reasons: tuple[MatchReason, ...]
    freed_minutes: int
    end_reason: LinkEndReason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionStatusChanged:
    """Colour of a region now: computed and declared side by side."""

    region: RegionCode
    date: Day
    computed: ComputedColour
    computed_since: IsoDate
    declared: DeclaredColour | None = None
    clauses: tuple[str, ...]
    reasons: tuple[str, ...]
    measures: tuple[str, ...]
    mediator: Mediator
    plan_version: int | None = None
    months: tuple[MonthFigures, ...]
    caused_by: str = ""
    grounds: tuple[ColourGround, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionCapacityStated:
    """Demand, contracted and deployable side by side (rule 17), for dashboards."""

    recipient: TenantId
    region: RegionCode
    month: str
    clients: int
    demand_indicated_minutes: int
    demand_mean_minutes: int
    demand_minimum_minutes: int
    contracted_minutes: int
    deployable_employed_minutes: int
    deployable_self_employed_minutes: int
    duplicate_minutes: int
    providers: int
    demand_guideline_minutes: int = 0
    registered_minutes: int = 0
    assumed: bool = False
    stale_providers: int = 0
    suggested_guideline_minutes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InflowStated:
    """Carers that a region needs more in a month: Bo's prognosis leads, the hub's figure is indicative (rule 20)."""

    recipient: TenantId
    region: RegionCode
    month: str
    leading: InflowSource
    prognosis_carers: int | None = None
    prognosis_published_on: IsoDate | None = None
    indicative_carers: int
    indicative_short_minutes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertChanged:
    """An alert episode: opened, revised, acknowledged, escalated or closed."""

    region: RegionCode
    alert_id: str
    kind: AlertKind
    state: AlertState
    severity: AlertSeverity
    since: Day
    subject: str
    clause: str
    mediator: Mediator
    next_step_nl: str
    next_step_en: str
    recipient: TenantId = EVERYBODY
    what_nl: str = ""
    what_en: str = ""
    affected_nl: str = ""
    affected_en: str = ""
    months: tuple[str, ...] = ()
    clients: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class AllocationStated:
    """A proposal, its answer, or why a client could not be placed."""

    recipient: TenantId
    region: RegionCode
    proposal_id: str
    waiting_tenant: TenantId
    waiting_id: RecordId
    status: AllocationStatus
    provider: Agb | None = None
    care_minutes: int
    birth_week: str | None = None
    pc4: Pc4 | None = None
    answer_by: Day | None = None
    reason: str
    why_not: tuple[WhyNot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientStatusChanged:
    """What a client on the regional list may be told, in the same words by everybody (rule 40)."""

    recipient: TenantId
    region: RegionCode
    waiting_tenant: TenantId
    waiting_id: RecordId
    status: ClientStatus
    message_nl: str
    message_en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MediationRequested:
    """The client's insurer is asked to mediate (rule 30)."""

    recipient: TenantId
    region: RegionCode
    waiting_tenant: TenantId
    waiting_id: RecordId
    requested_on: Day
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CarryLine:
    """What one month left over of a provider's share."""

    month: str
    minutes: int
    expires_after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclineCount:
    """How many proposals ended without care for one reason."""

    reason: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalCount:
    """How many waiting clients of one postcode area a provider turned away; None where too few to be told."""

    pc4: Pc4
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FairShareStated:
    """One provider's line of a month's fair share, as this recipient may see it."""

    recipient: TenantId
    region: RegionCode
    month: str
    audience: StatementAudience
    provider: Agb
    weight_permyriad: int
    deployable_minutes: int
    delivered_minutes_12m: int
    own_obligation_minutes: int
    spare_minutes: int
    target_minutes: int
    allocated_minutes: int
    accepted_minutes: int
    carry_minutes: int
    rank: int
    providers: int
    pool_minutes: int | None = None
    unmet_minutes: int | None = None
    weight: str = ""
    target: str = ""
    employed_minutes: int = 0
    self_employed_minutes: int = 0
    delivered_employed_minutes: int = 0
    delivered_self_employed_minutes: int = 0
    carry_before_minutes: int = 0
    carry: tuple[CarryLine, ...] = ()
    declines: tuple[DeclineCount, ...] = ()
    refusals: tuple[RefusalCount, ...] = ()
    over_delivery_minutes: int = 0
    delivered_above_declared_minutes: int = 0
    employment_gap_permille: int | None = None
    fulfilment_permille: int | None = None
    flagged: bool = False
    capacity_weight: str = ""
    deployable_total_minutes: int | None = None
    delivered_total_minutes_12m: int | None = None
    level: str | None = None
    statement_root: str = ""
    blind: str = ""
    proof: tuple[str, ...] = ()
    totals_leaf: str = ""
    totals_blind: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionSharesStated:
    """A region's month, the same for everybody: the root of all statements, and totals that show nobody's figure."""

    region: RegionCode
    month: str
    statement_root: str
    providers: int
    pool_minutes: int | None = None
    unmet_minutes: int | None = None
    allocated_minutes: int | None = None
    accepted_minutes: int | None = None
    jain_permyriad: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RootSigned:
    """The root of a region's month, signed outside the fold; `public_key` says by whom, not that it is right."""

    region: RegionCode
    month: str
    statement_root: str
    public_key: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ComplianceFound:
    """A finding: a signal for people, never a sanction."""

    recipient: TenantId
    region: RegionCode
    finding_id: str
    code: FindingCode
    status: FindingStatus
    provider: Agb
    clause: str
    since: Day
    addressee: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityRequested:
    """In the KSV's name, every provider is asked for capacity (rule 14)."""

    recipient: TenantId
    region: RegionCode
    provider: Agb
    request_id: str
    period_from: Day
    period_until: Day
    answer_by: Day


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderRoomStated:
    """What one provider may still promise in a month (the planner's question)."""

    recipient: TenantId
    region: RegionCode
    provider: Agb
    month: str
    room_minimum_minutes: int
    room_guideline_minutes: int
    guideline_minutes: int
    unknown: bool
    has_room_guideline: bool = False
    clients_guideline: int = 0
    postcodes: tuple[Pc4, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanInForce:
    """The region plan in force; to be acknowledged by every provider."""

    region: RegionCode
    document_id: RecordId
    document_version: int
    in_force_from: Day
    plan: RegionPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidelineInForce:
    """The intake guideline in force; to be acknowledged by every provider."""

    region: RegionCode
    month: str
    document_id: RecordId
    document_version: int
    guideline_minutes: int


for _kind in tuple(vars().values()):
    if isinstance(_kind, type) and is_dataclass(_kind) and _kind.__module__ == __name__:
        quick(_kind)
