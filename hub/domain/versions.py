"""The version rule (DESIGN spine 7): which record this is, and whether this version of it is new here.

A record is (tenant, provider or none, type, record id). A higher version is applied; the same version with the same
content is a repeat, with other content a conflict; a lower one is stale. After a record's own end its id and version
stay 24 months as a tombstone, so that nothing resurrects.
"""

from datetime import date
from typing import Any, Final

import msgspec

from hub.domain import events as e
from hub.domain.identifiers import TenantId
from hub.domain.receipts import CONFLICT, REPEATED, STALE, TAKEN_OVER, Verdict
from hub.domain.shards import SHARDS_MAX, Shards

TOMBSTONE_DAYS: Final = 731
"""24 months after the record's own end (DESIGN spine 7)."""
VERSIONS_MAX: Final = 150_000
"""Records of all kinds, tombstones included, that one region holds; over 10 × what a large region needs (PROPOSAL)."""

_SHORT: Final[dict[type[Any], str]] = {
    e.RegistrationSubmitted: "reg",
    e.CareDelivered: "care",
    e.CareEnded: "end",
    e.CapacityDeclared: "cap",
    e.FullDeclared: "full",
    e.ClaimJudged: "claim",
    e.MeasureReported: "meas",
    e.WaitingClientListed: "wait",
    e.AllocationAnswered: "ans",
    e.AllocationOverridden: "over",
    e.ContractDeclared: "contr",
    e.ProviderFiguresPublished: "fig",
    e.NonContractedDeliverySeen: "nonc",
    e.BenchmarkPublished: "bench",
    e.PrognosisPublished: "prog",
    e.GuidelineAdopted: "guide",
    e.RegionPlanAdopted: "plan",
    e.RegionPlanConcurred: "conc",
    e.ColourDeclared: "colour",
    e.RedThreatSignalled: "red",
    e.FindingRaised: "find",
    e.MandateGranted: "mand",
    e.InForceAcknowledged: "ack",
    e.AlertAcknowledged: "alert",
    e.DuplicateFeedbackGiven: "feed",
    e.HoldReleased: "hold",
    e.RegistrationsTakenOver: "take",
    e.RulesActivated: "rules",
    e.ModelAdopted: "model",
}
"""Short names of the versioned types: they stand in every key of a snapshot."""

SPOKEN_FOR_A_PROVIDER: Final = (
    e.RegistrationSubmitted,
    e.CareDelivered,
    e.CareEnded,
    e.CapacityDeclared,
    e.FullDeclared,
    e.MeasureReported,
    e.AllocationAnswered,
    e.RedThreatSignalled,
    e.InForceAcknowledged,
)
"""Types of which a tenant keeps one numbering per provider. Elsewhere the provider is a field like any other."""


class KnownVersion(msgspec.Struct, frozen=True, array_like=True):
    """The highest version applied and its content digest. `until`: ordinal of the last day kept, 0 while open-ended.

    `heir`: the key under which another tenant goes on with the record after a takeover.
    """

    version: int
    content: bytes
    until: int
    heir: str = ""


def new_versions() -> Shards[KnownVersion]:
    """An empty memory of versions."""
    return Shards("versions", KnownVersion, count=SHARDS_MAX, size_max=VERSIONS_MAX)


def short_name(kind: type[Any]) -> str:
    """The short name of a versioned type. KeyError for a type without a version."""
    return _SHORT[kind]


def record_key(tenant: TenantId, provider: str, kind: type[Any], record_id: str) -> str:
    """One record among all that a region holds; the bar stands in none of its parts."""
    return f"{_SHORT[kind]}|{tenant}|{provider}|{record_id}"


def key_of(tenant: TenantId, event: Any) -> str:
    """The key of the record of which an event is a version."""
    provider = event.provider or "" if type(event) in SPOKEN_FOR_A_PROVIDER else ""
    return f"{_SHORT[type(event)]}|{tenant}|{provider}|{event.record_id}"


def judge_version(known: KnownVersion | None, version: int, content: bytes) -> Verdict | None:
    """None when this version is new here; otherwise what it is instead."""
    if known is None:
        return None
    if version > known.version:
        return TAKEN_OVER if known.heir else None
    if version < known.version:
        return STALE
    return REPEATED if content == known.content else CONFLICT


def kept_until(ends_on: date | None, today: date | None) -> int:
    """Ordinal of the last day on which a version must be known; 0 for a record without an end of its own."""
    if ends_on is None:
        return 0
    last = ends_on if today is None else max(ends_on, today)
    return last.toordinal() + TOMBSTONE_DAYS


def forget_expired(versions: Shards[KnownVersion], today: date) -> None:
    """Forget tombstones that are over. One shard a day: the whole memory is walked every 64 days."""
    ordinal = today.toordinal()
    for key, known in versions.shard_items(ordinal):
        if known.until and known.until < ordinal:
            versions.remove(key)
