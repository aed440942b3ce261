"""The one catalogue: which types exist, who may send them and where they go; which topics exist, who reads and writes.

Topics, access rules, AsyncAPI and the README's table are rendered from here (hub/contracts/render.py) and checked for
drift. Nobody else types a topic name.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any, Final

from hub.domain import events as e
from hub.domain import facts as f
from hub.domain.identifiers import TenantId
from hub.domain.reference import Reference, Role, Tenant

REGION_LOG: Final = "region-log"
IDENTITY_LOG: Final = "identity-log"
LINKS: Final = "links"
REGION_FACTS: Final = "region-facts"
REGION_SNAPSHOTS: Final = "region-snapshots"
MATCH_SNAPSHOTS: Final = "match-snapshots"
ALERTS: Final = "alerts"
REGION_STATUS: Final = "region-status"
IN_FORCE: Final = "in-force"
REGION_SHARES: Final = "region-shares"
SIGNED_ROOTS: Final = "signed-roots"
CONTROL: Final = "control"

OF_A_GENERATION: Final = (REGION_LOG, REGION_FACTS, REGION_SNAPSHOTS, LINKS, IDENTITY_LOG, MATCH_SNAPSHOTS)
"""Topics of which each generation has its own. Inboxes and what tenants read go on through all of them."""

DAY_MS: Final = 86_400_000
FOREVER_MS: Final = -1
INBOX_KEPT_MS: Final = 30 * DAY_MS
"""At least 14 days, so that what a fold refused can still be fetched, mended and sent again."""
DEAD_LETTERS_KEPT_MS: Final = 14 * DAY_MS
TOLD_KEPT_MS: Final = 90 * DAY_MS
ALERTS_KEPT_MS: Final = 400 * DAY_MS
ENCODINGS_KEPT_MS: Final = 400 * DAY_MS
"""A pregnancy, six weeks and room: encodings end with the state that needs them."""
COMPACTED_SEGMENT_BYTES: Final = 16 * 1024 * 1024
"""The newest segment is never compacted: with a broker's default of 1 GiB, whoever loads a snapshot might have to read
a gigabyte of what no longer holds."""
INBOX_BYTES_MAX: Final = 1_048_576
DEAD_LETTER_BYTES_MAX: Final = INBOX_BYTES_MAX + 65_536


def of_generation(topic: str, generation: int) -> str:
    """The topic of a generation: the first has the plain names."""
    return topic if generation == 1 else f"{topic}.g{generation}"


class Destination(StrEnum):
    """Where an input goes. `EVERY_REGION` includes `NL`, whose copy comes last and issues the receipt."""

    BY_PC4 = "by_pc4"
    BY_REGION = "by_region"
    EVERY_REGION = "every_region"
    NATIONAL = "national"


@dataclass(frozen=True, slots=True)
class InputType:
    """One type that tenants may publish. `identity_log` says whether the match fold needs it too.

    `noticed_nationally`: `NL` gets a copy beside the region's, for what no single region can see. The region remains
    the judge and issues the receipt.
    """

    kind: type[Any]
    writers: tuple[Role, ...]
    destination: Destination
    identity_log: bool = False
    noticed_nationally: bool = False


INPUTS: Final[dict[type[Any], InputType]] = {
    row.kind: row
    for row in (
        InputType(e.RegistrationSubmitted, (Role.PACKAGE,), Destination.BY_PC4, identity_log=True),
        InputType(e.CareDelivered, (Role.PACKAGE,), Destination.BY_PC4),
        InputType(e.CareEnded, (Role.PACKAGE,), Destination.BY_PC4),
        InputType(e.CapacityDeclared, (Role.PACKAGE,), Destination.BY_REGION, noticed_nationally=True),
        InputType(e.FullDeclared, (Role.PACKAGE,), Destination.BY_REGION),
        InputType(e.ClaimJudged, (Role.KSV,), Destination.BY_REGION),
        InputType(e.MeasureReported, (Role.PACKAGE, Role.KSV), Destination.BY_REGION),
        InputType(e.WaitingClientListed, (Role.WAITLIST,), Destination.BY_PC4, identity_log=True),
        InputType(e.AllocationAnswered, (Role.PACKAGE, Role.KSV), Destination.BY_REGION),
        InputType(e.AllocationOverridden, (Role.KSV,), Destination.BY_REGION),
        InputType(e.ContractDeclared, (Role.INSURER,), Destination.EVERY_REGION),
        InputType(e.ProviderFiguresPublished, (Role.INSURER,), Destination.BY_REGION),
        InputType(e.NonContractedDeliverySeen, (Role.INSURER,), Destination.BY_REGION),
        InputType(e.BenchmarkPublished, (Role.INSURER,), Destination.BY_REGION),
        InputType(e.PrognosisPublished, (Role.BO,), Destination.BY_REGION),
        InputType(e.GuidelineAdopted, (Role.KSV,), Destination.BY_REGION),
        InputType(e.RegionPlanAdopted, (Role.KSV,), Destination.BY_REGION),
        InputType(e.RegionPlanConcurred, (Role.INSURER,), Destination.BY_REGION),
        InputType(e.ColourDeclared, (Role.KSV,), Destination.BY_REGION),
        InputType(e.RedThreatSignalled, (Role.KSV, Role.PACKAGE), Destination.BY_REGION),
        InputType(e.FindingRaised, (Role.KSV, Role.INSURER), Destination.BY_REGION),
        InputType(e.MandateGranted, (Role.OFFICE,), Destination.EVERY_REGION),
        InputType(e.InForceAcknowledged, (Role.PACKAGE,), Destination.BY_REGION),
        InputType(e.AlertAcknowledged, (Role.KSV, Role.OPS), Destination.BY_REGION),
        InputType(e.DuplicateFeedbackGiven, (Role.KSV, Role.PACKAGE), Destination.BY_REGION, identity_log=True),
        InputType(e.HoldReleased, (Role.OFFICE,), Destination.NATIONAL, identity_log=True),
        InputType(e.RegistrationsTakenOver, (Role.PACKAGE, Role.KSV), Destination.NATIONAL),
        InputType(e.RulesActivated, (Role.OPERATOR,), Destination.EVERY_REGION, identity_log=True),
        InputType(e.ModelAdopted, (Role.OPERATOR,), Destination.NATIONAL, identity_log=True),
        InputType(e.DayStarted, (Role.CLOCK,), Destination.EVERY_REGION, identity_log=True),
    )
}
INPUT_KINDS: Final = frozenset(INPUTS)


class Audience(StrEnum):
    """Who gets a fact: one tenant, everybody of a shared topic, the newest per key, or the hub's machines alone."""

    TENANT = "tenant"
    SHARED = "shared"
    COMPACTED = "compacted"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class OutputType:
    """One type of fact. For a tenant `topic` is the kind in `out.<kind>.<tenant>`, else the whole name."""

    kind: type[Any]
    audience: Audience
    topic: str
    roles: tuple[Role, ...]


_EVERYONE: Final = (Role.PACKAGE, Role.INSURER, Role.WAITLIST, Role.KSV, Role.OFFICE, Role.OPS, Role.BO, Role.VSV)
_SENDERS: Final = (
    Role.PACKAGE,
    Role.INSURER,
    Role.WAITLIST,
    Role.KSV,
    Role.OFFICE,
    Role.CLOCK,
    Role.OPS,
    Role.BO,
    Role.OPERATOR,
)

OUTPUTS: Final[dict[type[Any], OutputType]] = {
    row.kind: row
    for row in (
        OutputType(f.ReceiptIssued, Audience.TENANT, "receipts", _SENDERS),
        OutputType(f.DuplicateSignalled, Audience.TENANT, "signals", (Role.PACKAGE, Role.KSV)),
        OutputType(f.AllocationStated, Audience.TENANT, "allocations", (Role.PACKAGE, Role.WAITLIST, Role.KSV)),
        OutputType(f.ClientStatusChanged, Audience.TENANT, "client-status", (Role.WAITLIST, Role.INSURER)),
        OutputType(f.MediationRequested, Audience.TENANT, "mediation", (Role.INSURER,)),
        OutputType(f.FairShareStated, Audience.TENANT, "fair-share", (Role.PACKAGE, Role.INSURER, Role.KSV)),
        OutputType(f.RegionSharesStated, Audience.COMPACTED, REGION_SHARES, _EVERYONE),
        OutputType(f.ComplianceFound, Audience.TENANT, "compliance", (Role.PACKAGE, Role.INSURER, Role.KSV, Role.BO)),
        OutputType(f.CapacityRequested, Audience.TENANT, "capacity-requests", (Role.PACKAGE,)),
        OutputType(f.ProviderRoomStated, Audience.TENANT, "room", (Role.PACKAGE,)),
        OutputType(f.RegionCapacityStated, Audience.TENANT, "capacity", (Role.KSV, Role.INSURER)),
        OutputType(f.InflowStated, Audience.TENANT, "inflow", (Role.KSV, Role.INSURER, Role.BO)),
        OutputType(f.DayClosed, Audience.TENANT, "days", (Role.CLOCK,)),
        OutputType(f.AlertChanged, Audience.TENANT, "alerts", (Role.KSV,)),
        OutputType(f.RegionStatusChanged, Audience.COMPACTED, REGION_STATUS, _EVERYONE),
        OutputType(f.PlanInForce, Audience.COMPACTED, IN_FORCE, _EVERYONE),
        OutputType(f.GuidelineInForce, Audience.COMPACTED, IN_FORCE, _EVERYONE),
        OutputType(e.RecordSettled, Audience.INTERNAL, IDENTITY_LOG, ()),
        OutputType(e.RecordsTakenOver, Audience.INTERNAL, IDENTITY_LOG, ()),
        OutputType(e.RegionOpened, Audience.INTERNAL, REGION_LOG, ()),
        OutputType(e.LinkFound, Audience.INTERNAL, REGION_LOG, ()),
        OutputType(e.LinkEnded, Audience.INTERNAL, REGION_LOG, ()),
        OutputType(e.RecordMoved, Audience.INTERNAL, REGION_LOG, ()),
        OutputType(e.TenantHeld, Audience.INTERNAL, REGION_LOG, ()),
    )
}


def inbox(tenant: TenantId) -> str:
    """The topic that only this tenant, or a gateway that has authenticated it, may write."""
    return f"inbox.{tenant}"


def dead_letters(tenant: TenantId) -> str:
    """What intake refused of this tenant, readable by it alone."""
    return f"inbox.{tenant}.dlq"


def out_topic(kind: str, tenant: TenantId) -> str:
    """Facts of one kind for one tenant."""
    return f"out.{kind}.{tenant}"


def connector_group(tenant: TenantId) -> str:
    """Consumer group of the connector to this tenant's waitlist tool."""
    return f"{tenant}.waitlist-connector"


def destination_topic(fact: Any) -> str | None:
    """Where delivery copies a fact, or None for what stays between the machines."""
    row = OUTPUTS[type(fact)]
    match row.audience:
        case Audience.INTERNAL:
            return None
        case Audience.TENANT:
            return out_topic(row.topic, fact.recipient) if fact.recipient else ALERTS
        case _:
            return row.topic


def compaction_key(fact: Any) -> str | None:
    """Key of which a compacted topic keeps the newest fact, or None for a fact of another topic."""
    match fact:
        case f.RegionStatusChanged():
            return fact.region
        case f.RegionSharesStated():
            return f"{fact.region}/{fact.month}"
        case f.PlanInForce():
            return f"{fact.region}/plan"
        case f.GuidelineInForce():
            return f"{fact.region}/guideline/{fact.month}"
        case _:
            return None


INTAKE: Final = "hub-intake"
REGION: Final = "hub-region"
DUPLICATES: Final = "hub-duplicates"
DELIVERY: Final = "hub-delivery"
READ_MODEL: Final = "hub-readmodel"
CONSOLE: Final = "hub-console"
WEBHOOKS: Final = "hub-webhooks"
SIGNING: Final = "hub-signing"
AUDITOR: Final = "hub-auditor"
ADMIN: Final = "admin"
PRINCIPAL_OF_ROLE: Final = {
    "intake": INTAKE,
    "region": REGION,
    "duplicates": DUPLICATES,
    "delivery": DELIVERY,
    "read-model": READ_MODEL,
    "webhooks": WEBHOOKS,
    "signing": SIGNING,
}
"""Kafka user of each role of `hub run`, but for the clock, which is a tenant, and the console, which has none yet."""
HUB_PRINCIPALS: Final = (INTAKE, REGION, DUPLICATES, DELIVERY, READ_MODEL, CONSOLE, WEBHOOKS, SIGNING, AUDITOR)


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as it must exist. `sensitivity`: open, business, client (pseudonymous), encoding (match fold only).

    `uncompressed`: the broker takes any compression and keeps the bytes plain, so that the bound on a record holds for
    what a reader gets, and a reader needs no codec that some vendor's client happens to have.
    """

    name: str
    partitions: int
    owner: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    retention_ms: int
    sensitivity: str
    carries: tuple[type[Any], ...]
    key: str
    compacted: bool = False
    append_time: bool = False
    uncompressed: bool = False
    bytes_max: int = INBOX_BYTES_MAX

    @property
    def config(self) -> dict[str, str]:
        """Broker settings of the topic."""
        policy = (
            "compact,delete"
            if self.compacted and self.retention_ms != FOREVER_MS
            else "compact"
            if self.compacted
            else "delete"
        )
        segments = {"segment.bytes": str(COMPACTED_SEGMENT_BYTES)} if self.compacted else {}
        return {
            "cleanup.policy": policy,
            **segments,
            "retention.ms": str(self.retention_ms),
            "max.message.bytes": str(self.bytes_max),
            "message.timestamp.type": "LogAppendTime" if self.append_time else "CreateTime",
            "compression.type": "uncompressed" if self.uncompressed else "producer",
        }


def principal_of(row_tenant: TenantId) -> str:
    """The Kafka user of a tenant: its id."""
    return row_tenant


def topics_for(reference: Reference) -> Iterator[Topic]:
    """Every topic that a cluster with these tables must have."""
    yield from _logs(reference.log_partitions, reference.generation)
    yield from _shared(reference)
    for row in reference.tenant.values():
        yield from _own(row)


_MATCH_FACTS: Final = (e.LinkFound, e.LinkEnded, e.RecordMoved, e.TenantHeld)
_MATCH_INPUTS: Final = tuple(kind for kind, row in INPUTS.items() if row.identity_log)
_PART_KEY: Final = "state version/region/part"


_CARRIED: Final = (e.StateCarried, e.GenerationOpened)


def former_topics(reference: Reference) -> Iterator[Topic]:
    """Topics of the generation before: nobody writes them any more; whoever read them may while they are kept."""
    if reference.generation > 1:
        for topic in _logs(reference.log_partitions, reference.generation - 1):
            yield replace(topic, writers=())


def _logs(partitions: int, generation: int) -> Iterator[Topic]:
    """What the two machines say to each other. Kept for the whole generation, but for what holds encodings."""
    for topic in _machine_topics(partitions):
        yield replace(topic, name=of_generation(topic.name, generation))


def _machine_topics(partitions: int) -> Iterator[Topic]:
    log = partial(Topic, retention_ms=FOREVER_MS, sensitivity="client")
    yield log(
        REGION_LOG,
        partitions,
        INTAKE,
        (INTAKE,),
        (REGION, AUDITOR),
        carries=(*INPUTS, e.InputRefused, *_MATCH_FACTS, e.RecordsTakenOver, e.RegionOpened, *_CARRIED),
        key="region",
    )
    yield log(
        REGION_FACTS,
        partitions,
        REGION,
        (REGION,),
        (REGION, INTAKE, DELIVERY, READ_MODEL, AUDITOR),
        carries=tuple(kind for kind in OUTPUTS if kind not in _MATCH_FACTS),
        key="region",
    )
    yield log(
        REGION_SNAPSHOTS, partitions, REGION, (REGION,), (REGION, AUDITOR), carries=(), key=_PART_KEY, compacted=True
    )
    yield log(LINKS, 1, DUPLICATES, (DUPLICATES,), (INTAKE, DUPLICATES, AUDITOR), carries=_MATCH_FACTS, key="identity")
    encoded = partial(Topic, retention_ms=ENCODINGS_KEPT_MS, sensitivity="encoding")
    yield encoded(
        IDENTITY_LOG,
        1,
        INTAKE,
        (INTAKE,),
        (DUPLICATES, AUDITOR),
        carries=(*_MATCH_INPUTS, e.RecordSettled, e.RecordsTakenOver, *_CARRIED),
        key="identity",
    )
    yield encoded(
        MATCH_SNAPSHOTS,
        1,
        DUPLICATES,
        (DUPLICATES,),
        (DUPLICATES, AUDITOR),
        carries=(),
        key=_PART_KEY,
        compacted=True,
    )


def _shared(reference: Reference) -> Iterator[Topic]:
    """What more than one tenant reads."""
    members = {role: tuple(principal_of(t) for t in reference.by_role[role]) for role in Role}
    everyone = (*(p for role in _EVERYONE for p in members[role]), AUDITOR)
    hub = (INTAKE, REGION, DUPLICATES, DELIVERY, READ_MODEL, CONSOLE, WEBHOOKS, SIGNING, AUDITOR, *members[Role.CLOCK])
    key = "tables/<version>, activation/<version>, closing/<generation>"
    yield Topic(CONTROL, 1, ADMIN, (), hub, FOREVER_MS, "open", (), key, compacted=True, append_time=True)
    told = partial(Topic, partitions=1, owner=DELIVERY, writers=(DELIVERY,), sensitivity="business")
    yield told(
        ALERTS,
        readers=(*members[Role.OPS], WEBHOOKS, AUDITOR),
        retention_ms=ALERTS_KEPT_MS,
        carries=(f.AlertChanged,),
        key="region",
    )
    # Delivery reads them as well: after a rebalance it learns there which sequence was the last.
    kept = partial(told, readers=(*everyone, DELIVERY), retention_ms=FOREVER_MS, compacted=True)
    yield kept(REGION_STATUS, carries=(f.RegionStatusChanged,), key="region")
    # The one who signs reads no more than everybody may: it holds a secret, and needs none of the hub's.
    shares = partial(kept, readers=(*everyone, DELIVERY, SIGNING))
    yield shares(REGION_SHARES, carries=(f.RegionSharesStated,), key="region/month")
    yield kept(IN_FORCE, carries=(f.PlanInForce, f.GuidelineInForce), key="region/kind[/month]")
    signed = partial(kept, owner=SIGNING, writers=(SIGNING,), readers=everyone)
    yield signed(SIGNED_ROOTS, carries=(f.RootSigned,), key="region/month")


def _own(row: Tenant) -> Iterator[Topic]:
    """One tenant's inbox with its dead letters, and the topics on which it is told."""
    own = principal_of(row.tenant)
    sent = tuple(kind for kind, sort in INPUTS.items() if row.role in sort.writers)
    topic = partial(Topic, partitions=1, sensitivity="client")
    if sent:
        yield topic(
            inbox(row.tenant),
            owner=own,
            writers=(own,),
            readers=(INTAKE, own, AUDITOR),  # own: to see what it sent, and mend what was not taken
            retention_ms=INBOX_KEPT_MS,
            carries=sent,
            key="record id",
            append_time=True,
            uncompressed=True,
        )
        yield topic(
            dead_letters(row.tenant),
            owner=INTAKE,
            writers=(INTAKE,),
            readers=(own, AUDITOR),
            retention_ms=DEAD_LETTERS_KEPT_MS,
            carries=(),
            key="record id",
            bytes_max=DEAD_LETTER_BYTES_MAX,
        )
    for kind, output in OUTPUTS.items():
        if output.audience is Audience.TENANT and row.role in output.roles:
            yield topic(
                out_topic(output.topic, row.tenant),
                owner=DELIVERY,
                writers=(DELIVERY,),
                readers=(own, AUDITOR),
                # A clock that was away learns from its days where the regions stand; they take only the day after that.
                retention_ms=FOREVER_MS if kind is f.DayClosed else TOLD_KEPT_MS,
                carries=(kind,),
                key="region",
                append_time=True,
            )


@dataclass(frozen=True, slots=True)
class Acl:
    """One permission. `resource`: topic, group, transactional_id; `operation`: read, write, describe."""

    principal: str
    resource: str
    name: str
    prefixed: bool
    operation: str


GROUPS: Final = {
    INTAKE: ("hub.intake",),
    REGION: ("hub.region",),
    DUPLICATES: ("hub.duplicates",),
    DELIVERY: ("hub.delivery",),
    READ_MODEL: ("hub.read-model",),
    CONSOLE: ("hub.console",),
    WEBHOOKS: ("hub.webhooks",),
    SIGNING: ("hub.signing",),
    AUDITOR: ("hub.auditor",),
}
"""Consumer groups are prefixes: a role may have several below its own name."""
TRANSACTIONS: Final = {REGION: "hub.region", DUPLICATES: "hub.duplicates", DELIVERY: "hub.delivery"}


def gone_by(reference: Reference, now_ms: int) -> frozenset[TenantId]:
    """Tenants that ended before a time. For membership only: a set has no order."""
    last = {row.tenant: row for row in reference.tenants if row.valid_from_ms <= now_ms}
    return frozenset(row.tenant for row in last.values() if row.ended)


def acls_for(reference: Reference, now_ms: int = 0) -> Iterator[Acl]:
    """Every permission that a cluster with these tables must grant; what is not listed is refused.

    A tenant that ended before `now_ms` may still read what it was told, and write nothing.
    """
    gone = gone_by(reference, now_ms)
    for topic in (*topics_for(reference), *former_topics(reference)):
        for writer in topic.writers:
            if writer in gone:
                continue
            yield Acl(writer, "topic", topic.name, False, "write")
            yield Acl(writer, "topic", topic.name, False, "describe")
        for reader in topic.readers:
            yield Acl(reader, "topic", topic.name, False, "read")
            yield Acl(reader, "topic", topic.name, False, "describe")
    if reference.generation > 1:  # a former writer may still see that the topic is there: else it cannot end in order
        for topic in _logs(reference.log_partitions, reference.generation - 1):
            for writer in topic.writers:
                yield Acl(writer, "topic", topic.name, False, "describe")
    for principal, groups in GROUPS.items():
        for group in groups:
            yield Acl(principal, "group", group, True, "read")
    for principal, name in TRANSACTIONS.items():
        yield Acl(principal, "transactional_id", name, True, "write")
        yield Acl(principal, "transactional_id", name, True, "describe")
    for row in reference.tenant.values():
        yield Acl(principal_of(row.tenant), "group", f"{row.tenant}.", True, "read")


def principals(reference: Reference) -> tuple[str, ...]:
    """Every Kafka user but the administrator."""
    return (*HUB_PRINCIPALS, *(principal_of(row.tenant) for row in reference.tenant.values()))
