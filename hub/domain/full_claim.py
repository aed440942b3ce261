"""A provider says that it is full: is that so?

Two signals, never merged (rule 13). *Guideline-full*: it cannot register at the intake guideline any more (S1).
*'Vol'*: it has scaled down to minimal care and still has no room (S0). A claim alone flips nothing (DOMAIN "Colour
predicates"). The hub holds it against three things that the claimant does not write that day: its load beside the
capacity that counts, the insurers' figures for it, and the registrations it accepted since (rule 13). The coordinator
has the last word.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

from hub.domain.chance import Load
from hub.domain.events import FullDeclared
from hub.domain.identifiers import Agb, Month, RecordId, first_day
from hub.domain.region_plan import ColourRules
from hub.domain.shards import Shards
from hub.domain.words import ClaimJudgement, FullLevel, FullStatus

CLAIMS_MAX = 40
"""Standing claims kept per provider: both signals for every month of a year and some. The oldest go."""


class ClaimStatus(StrEnum):
    """What a claim is worth now."""

    VERIFIED = "verified"
    UNVERIFIED = "unverified"
    CONTRADICTED = "contradicted"


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingClaim:
    """A claim that was not taken back. `registered_since`: registrations accepted for its period since it was made.

    `judged`: the coordinator's last word about this very period, None while she has not spoken.
    """

    record_id: RecordId
    level: FullLevel
    period_from: date
    period_until: date
    declared_on: date
    registered_since: int = 0
    judged: ClaimJudgement | None = None

    def covers(self, month: Month) -> bool:
        """Whether the period touches the month."""
        return self.period_from < first_day(Month(month + 1)) and first_day(month) <= self.period_until


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimEvidence:
    """What a claim is held against, for one month. `capacity_minutes` None: no declaration to count on.

    `load`: the provider's own load at the level of the claim; `next_client_minutes`: one more client at that level.
    """

    load: Load
    clients: int
    capacity_minutes: int | None
    insurer_minutes: int | None
    next_client_minutes: int


@dataclass(frozen=True, slots=True)
class ClaimVerdict:
    """What a claim is worth, and what speaks: codes in the order in which they count."""

    status: ClaimStatus
    reasons: tuple[str, ...]


def judge_claim(claim: StandingClaim, evidence: ClaimEvidence, rules: ColourRules) -> ClaimVerdict:
    """Holds a claim against the evidence of one month.

    The coordinator's word speaks first, either way. Any one contradiction then defeats the claim: registrations since,
    room beside the own load, or an insurer who sees room. Without contradiction it is verified by the load, unless
    the capacity is unknown or the provider so small that a single birth decides: then a person confirms.
    """
    if claim.judged is ClaimJudgement.CONFIRMED:
        return ClaimVerdict(ClaimStatus.VERIFIED, ("confirmed_by_coordinator",))
    if claim.judged is ClaimJudgement.REJECTED:
        return ClaimVerdict(ClaimStatus.CONTRADICTED, ("rejected_by_coordinator",))
    next_mean = evidence.load.mean + evidence.next_client_minutes * evidence.load.unit
    contradictions = []
    if claim.registered_since > rules.registrations_after_claim_max:
        contradictions.append("registered_since")
    if evidence.capacity_minutes is not None and next_mean <= evidence.capacity_minutes * evidence.load.unit:
        contradictions.append("load_leaves_room")
    if evidence.insurer_minutes is not None and next_mean <= evidence.insurer_minutes * evidence.load.unit:
        contradictions.append("insurer_sees_room")
    if contradictions:
        return ClaimVerdict(ClaimStatus.CONTRADICTED, tuple(contradictions))
    if evidence.capacity_minutes is None:
        return ClaimVerdict(ClaimStatus.UNVERIFIED, ("capacity_unknown",))
    if evidence.clients < rules.verify_clients_min:
        return ClaimVerdict(ClaimStatus.UNVERIFIED, ("too_few_clients_to_tell",))
    return ClaimVerdict(ClaimStatus.VERIFIED, ("load_bears_it_out",))


class ClaimBook:
    """Standing claims of one region, provider by provider."""

    def __init__(self) -> None:
        self._rows: Shards[tuple[StandingClaim, ...]] = Shards(
            "claims", tuple[StandingClaim, ...], count=8, size_max=20_000
        )

    def declare(self, event: FullDeclared, today: date) -> None:
        """Takes a claim, or takes it back.

        A new version for an overlapping period goes on where the old one stood: saying it again does not make the
        registrations since undone. What the coordinator judged was that very period.
        """
        before = {c.record_id: c for c in self.of(event.provider)}
        old = before.pop(event.record_id, None)
        standing = list(before.values())
        if event.status is FullStatus.DECLARED:
            claim = StandingClaim(
                record_id=event.record_id,
                level=event.level,
                period_from=event.period_from,
                period_until=event.period_until,
                declared_on=today,
            )
            if old is not None and old.level is claim.level and _overlap(old, claim):
                same = (old.period_from, old.period_until) == (claim.period_from, claim.period_until)
                claim = replace(
                    claim,
                    declared_on=old.declared_on,
                    registered_since=old.registered_since,
                    judged=old.judged if same else None,
                )
            standing.append(claim)
        self._write(event.provider, standing)

    def registered(self, provider: Agb, expected_on: date) -> None:
        """A provider accepted a registration with this due date: it counts against its claims for that day."""
        before = self.of(provider)
        after = [
            replace(c, registered_since=c.registered_since + 1) if c.period_from <= expected_on <= c.period_until else c
            for c in before
        ]
        if tuple(after) != before:
            self._write(provider, after)

    def judge(self, provider: Agb, record_id: RecordId, judgement: ClaimJudgement) -> bool:
        """The coordinator confirms or rejects a claim; False where it does not stand."""
        before = self.of(provider)
        if not any(c.record_id == record_id for c in before):
            return False
        self._write(provider, [replace(c, judged=judgement) if c.record_id == record_id else c for c in before])
        return True

    def start_day(self, today: date) -> None:
        """Claims for periods that are over fall away."""
        for provider, claims in self._rows.items():
            standing = [c for c in claims if c.period_until >= today]
            if len(standing) != len(claims):
                self._write(Agb(provider), standing)

    def of(self, provider: Agb) -> tuple[StandingClaim, ...]:
        """A provider's standing claims, oldest first."""
        return self._rows.get(provider) or ()

    def on(self, provider: Agb, month: Month, level: FullLevel) -> StandingClaim | None:
        """The standing claim of one level that touches a month; of several the newest that the coordinator judged.

        Else the oldest, which had longest to prove.
        """
        touching = [c for c in self.of(provider) if c.level is level and c.covers(month)]
        return next((c for c in reversed(touching) if c.judged), touching[0] if touching else None)

    @property
    def providers(self) -> tuple[Agb, ...]:
        """Providers with a standing claim, in the order of their codes."""
        return tuple(Agb(key) for key, _ in self._rows.items())

    @property
    def changed(self) -> bool:
        """Whether a part waits to be written."""
        return self._rows.changed

    def changed_parts(self) -> dict[str, bytes | None]:
        """See `Shards.changed_parts`."""
        return self._rows.changed_parts()

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """See `Shards.restore`."""
        self._rows.restore(parts)

    def _write(self, provider: Agb, claims: list[StandingClaim]) -> None:
        if not claims:
            self._rows.remove(provider)
            return
        order = sorted(claims, key=lambda c: (c.declared_on, c.record_id))
        self._rows.put(provider, tuple(order[-CLAIMS_MAX:]))


def _overlap(one: StandingClaim, other: StandingClaim) -> bool:
    return one.period_from <= other.period_until and other.period_from <= one.period_until
