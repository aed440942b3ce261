"""The closed sets of words that cross the wire, each an enum with the meaning that the glossary gives it."""

from enum import StrEnum


class RegistrationStatus(StrEnum):
    """Where one enrolment stands."""

    ACTIVE = "active"
    WITHDRAWN = "withdrawn"
    TRANSFERRED = "transferred"


class IndicationProtocol(StrEnum):
    """Protocol by which the hours were indicated: LIP, or KLIM where a region pioneers it."""

    LIP = "lip"
    KLIM = "klim"


class CareEndReason(StrEnum):
    """Why care ended or never took place."""

    COMPLETED = "completed"
    DECLINED_BY_CLIENT = "declined_by_client"
    MOVED = "moved"
    PREGNANCY_ENDED = "pregnancy_ended"
    OTHER_PROVIDER = "other_provider"


class CapacityMethod(StrEnum):
    """The KSV's method by which capacity was counted."""

    CONTRACT_HOURS = "contract_hours"
    ROSTER = "roster"
    REGIONAL = "regional"


class FullLevel(StrEnum):
    """Guideline-full (S1) starts the capacity request; minimum is 'vol' (S0). Two signals, never merged (rule 13)."""

    GUIDELINE = "guideline"
    MINIMUM = "minimum"


class FullStatus(StrEnum):
    """Whether the claim is made or taken back."""

    DECLARED = "declared"
    LIFTED = "lifted"


class ClaimKind(StrEnum):
    """What a provider claims of itself."""

    FULL = "full"
    CAPACITY = "capacity"


class ClaimJudgement(StrEnum):
    """What the coordinator found out about a claim."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class InflowSource(StrEnum):
    """Which figure of the needed inflow of carers leads (rule 20)."""

    PROGNOSIS = "prognosis"
    INDICATIVE = "indicative"


class MeasureStatus(StrEnum):
    """Whether the measure begins or ends."""

    STARTED = "started"
    ENDED = "ended"


class WaitingStatus(StrEnum):
    """Whether the client waits on the regional list."""

    LISTED = "listed"
    REMOVED = "removed"


class RemovalReason(StrEnum):
    """Why a client left the waiting list."""

    PLACED = "placed"
    WITHDRAWN = "withdrawn"
    BORN = "born"
    MOVED = "moved"
    PREGNANCY_ENDED = "pregnancy_ended"


class ClientStatus(StrEnum):
    """What a client on the regional list may be told (rule 40)."""

    WAITING = "waiting"
    PROVIDER_ASKED = "provider_asked"
    PROVIDER_FOUND = "provider_found"
    NO_PROVIDER_YET = "no_provider_yet"
    KRAAMCENTRUM_OFFERED = "kraamcentrum_offered"
    INSURER_ASKED = "insurer_asked"
    REGISTERED = "registered"
    OFF_THE_LIST = "off_the_list"


class AllocationAnswer(StrEnum):
    """The provider's answer to a proposal."""

    ACCEPTED = "accepted"
    DECLINED = "declined"


class DeclineReason(StrEnum):
    """Why a provider declines a proposal."""

    NO_ROOM = "no_room"
    OUTSIDE_AREA = "outside_area"
    CLIENT_DECLINED = "client_declined"
    CONFLICT_OF_CARE = "conflict_of_care"
    OTHER = "other"


class OverrideOutcome(StrEnum):
    """What the coordinator decided."""

    PLACED = "placed"
    CLIENT_REFUSED = "client_refused"
    CANCELLED = "cancelled"


class OverrideReason(StrEnum):
    """Why the coordinator decided otherwise."""

    PLACED_BY_PHONE = "placed_by_phone"
    CLIENT_REFUSED = "client_refused"
    KRAAMCENTRUM_ACCEPTED = "kraamcentrum_accepted"
    KRAAMCENTRUM_DECLINED = "kraamcentrum_declined"
    ENTERED_IN_ERROR = "entered_in_error"
    OTHER = "other"


class ContractClass(StrEnum):
    """Class of the contract by the insurer's own rules (rules 44 to 49)."""

    A = "a"
    B = "b"
    INDIVIDUAL = "individual"
    MEDIATION_PLATFORM = "mediation_platform"
    OTHER = "other"


class DeclaredColour(StrEnum):
    """The colour that the KSV itself declares; black is only established afterwards."""

    GREEN = "green"
    ORANGE = "orange"
    RED = "red"


class ThreatStatus(StrEnum):
    """Whether the threat is signalled or taken back."""

    SIGNALLED = "signalled"
    LIFTED = "lifted"


class FindingCode(StrEnum):
    """What a finding is about."""

    CAPACITY_NOT_SHARED = "capacity_not_shared"
    CAPACITY_STALE = "capacity_stale"
    CAPACITY_REQUEST_UNANSWERED = "capacity_request_unanswered"
    DELIVERED_ABOVE_DECLARED = "delivered_above_declared"
    NOT_CONNECTED_TO_WAITLIST = "not_connected_to_waitlist"
    PLAN_MISSING_IN_RED = "plan_missing_in_red"
    FALSE_FULL_CLAIM = "false_full_claim"
    BELOW_MINIMAL_CARE = "below_minimal_care"
    BELOW_FAIR_SHARE = "below_fair_share"
    GUIDELINE_NOT_FOLLOWED = "guideline_not_followed"
    PLAN_NOT_ACKNOWLEDGED = "plan_not_acknowledged"
    MEASURES_NOT_RECORDED = "measures_not_recorded"
    CARERS_DECLARED_TWICE = "carers_declared_twice"
    NON_CONTRACTED_DELIVERY = "non_contracted_delivery"
    RAISED_BY_PERSON = "raised_by_person"


class InForceKind(StrEnum):
    """Which document is acknowledged."""

    PLAN = "plan"
    GUIDELINE = "guideline"


class DuplicateVerdict(StrEnum):
    """What people found out about a signal."""

    CONFIRMED = "confirmed"
    NOT_A_DUPLICATE = "not_a_duplicate"


class ReceiptOutcome(StrEnum):
    """What became of one input record."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    STALE = "stale"
    CONFLICT = "conflict"
    REFUSED = "refused"
    UNREADABLE = "unreadable"


class SettledOutcome(StrEnum):
    """How the region fold judged a version of a record."""

    ACTIVE = "active"
    CLOSED = "closed"
    REFUSED = "refused"


class LinkKind(StrEnum):
    """Two registrations of one client (signalled), or a waiting client and her registration (not signalled)."""

    REGISTERED_TWICE = "registered_twice"
    WAITING_AND_REGISTERED = "waiting_and_registered"


class LinkEndReason(StrEnum):
    """Why two records are linked no longer."""

    WITHDRAWN = "withdrawn"
    TRANSFERRED = "transferred"
    CORRECTED = "corrected"
    EXPIRED = "expired"
    NOT_A_DUPLICATE = "not_a_duplicate"


class RecordKind(StrEnum):
    """Which kind of record carries an encoded identity."""

    REGISTRATION = "registration"
    WAITING = "waiting"


class SignalPhase(StrEnum):
    """Where a duplicate episode stands."""

    FOUND = "found"
    CONFIRMED = "confirmed"
    RESOLVED = "resolved"


class ComputedColour(StrEnum):
    """The colour that the predicates give (DOMAIN 'Colour predicates')."""

    UNKNOWN = "unknown"
    GREEN = "green"
    ORANGE_THREAT = "orange_threat"
    ORANGE = "orange"
    RED_THREAT = "red_threat"
    RED_A = "red_a"
    RED_B = "red_b"


class AlertState(StrEnum):
    """Where an alert episode stands."""

    OPENED = "opened"
    REVISED = "revised"
    ACKNOWLEDGED = "acknowledged"
    ESCALATED = "escalated"
    CLOSED = "closed"


class AlertSeverity(StrEnum):
    """How fast a person must look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class AlertKind(StrEnum):
    """What an alert is about."""

    CODE_ORANGE_THREAT = "code_orange_threat"
    CODE_ORANGE = "code_orange"
    CODE_RED_THREAT = "code_red_threat"
    CODE_RED = "code_red"
    CAPACITY_UNKNOWN = "capacity_unknown"
    FALSE_FULL_CLAIM = "false_full_claim"
    NO_MEDIATOR_NAMED = "no_mediator_named"
    MINIMAL_CARE_MISSED = "minimal_care_missed"
    TENANT_HELD = "tenant_held"
    UNPLACED_URGENT = "unplaced_urgent"


class AllocationStatus(StrEnum):
    """Where a proposal or a waiting client stands."""

    PROPOSED = "proposed"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    OVERRIDDEN = "overridden"
    UNPLACED = "unplaced"


class FindingStatus(StrEnum):
    """Whether a finding stands."""

    OPENED = "opened"
    CLOSED = "closed"


class Mediator(StrEnum):
    """Who mediates by rule 30; none where no source names one."""

    INSURER = "insurer"
    COORDINATOR = "coordinator"
    NONE = "none"


class SignalAudience(StrEnum):
    """For whom a signal was written."""

    COORDINATOR = "coordinator"
    PACKAGE = "package"


class StatementAudience(StrEnum):
    """For whom a statement was written."""

    PROVIDER = "provider"
    INSURER = "insurer"
    COORDINATOR = "coordinator"
