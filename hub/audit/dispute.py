"""A disputed allocation or figure, answered from the log: what was said, why, and from which events it follows.

Both refold one region and compare the bytes of what they show with what the hub published, so that an explanation is
never another story than the one that was told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hub.audit.share_audit import month_in
from hub.audit.verify import RegionLog, logs_of_region, read_topic, reference_of
from hub.contracts import codec
from hub.domain import events as e
from hub.domain.facts import AllocationStated
from hub.domain.identifiers import Agb, Month, month_of
from hub.domain.logged import Logged
from hub.domain.reference import Reference
from hub.domain.region import RegionRules
from hub.domain.region_state import RegionState
from hub.domain.rounds import DELIVERED_MONTHS
from hub.domain.versions import key_of
from hub.domain.words import AllocationStatus
from hub.errors import UsageError
from hub.streams.machine import FactRecord, LogRecord, Machine

DEPLOYABLE: Final = "deployable"
DELIVERED_12M: Final = "delivered_12m"
DELIVERED: Final = "delivered"
OWN_OBLIGATION: Final = "own_obligation"
ALLOCATED: Final = "allocated"
NOT_TAKEN: Final = "not_taken"
FIGURES: Final = (DEPLOYABLE, DELIVERED_12M, DELIVERED, OWN_OBLIGATION, ALLOCATED, NOT_TAKEN)


@dataclass(frozen=True, slots=True)
class Told:
    """One statement about a proposal: where it stands, what it said, and whether those are the published bytes."""

    position: str
    recipient: str
    status: str
    provider: str
    reason: str
    why_not: tuple[tuple[str, str], ...]
    same_bytes: bool


def replay_allocation(dump: Path, region: str, proposal: str) -> list[Told]:
    """Every statement about one proposal, as the log gives it. UsageError: no such region, or proposal, in the dump."""
    published = {
        (log.fold.facts_topic, row.headers["ce_hubpos"]): row.value
        for log in logs_of_region(dump, region)
        for row in read_topic(dump, log.fold.facts_topic, log.partition)
        if row.key == region and row.value
    }
    told = []
    for log, fact in _facts_of(dump, region):
        held, position = codec.decode(fact.value), dict(fact.headers)["ce_hubpos"].decode()
        if isinstance(held, AllocationStated) and held.proposal_id == proposal:
            why_not = tuple((one.provider, one.reason) for one in held.why_not)
            told.append(
                Told(
                    position, held.recipient, held.status.value, held.provider or "", held.reason, why_not,
                    published.get((log.fold.facts_topic, position)) == fact.value,
                )
            )  # fmt: skip
    if not told:
        raise UsageError(f"found no proposal {proposal!r} in {region}, expected an id that a statement named")
    return told


@dataclass(frozen=True, slots=True)
class Ground:
    """One event behind a figure: its offset in the region's log, its inbox and offset there, and which record it was.

    `minutes` is what it brought, None where the figure is no sum over events: what a declaration gives a month is a
    part of it, a client's part of the own obligation is a chance.
    """

    offset: int
    source: str
    record_type: str
    record_id: str
    version: int
    minutes: int | None


def open_figures(dump: Path, region: str, month: str, provider: str) -> dict[str, list[Ground]]:
    """For each figure of a provider's line, the events that it came from: applied ones, of each record the last.

    `delivered` counts births of the month, `delivered_12m` those of the twelve months before; `allocated` are proposals
    open or accepted when the log ends, `not_taken` those that ended without care. UsageError as in `verify_region`, and
    where nothing is known of the provider.
    """
    watching = _Watching(reference_of(dump), Agb(provider), month_in(month))
    for _ in _facts_of(dump, region, watching):
        pass
    if not any(watching.found.values()):
        raise UsageError(
            f"found nothing of provider {provider!r} in {region} for {month}; check the AGB code and month"
        )
    return {figure: list(watching.found[figure].values()) for figure in FIGURES}


class _Watching(RegionRules):
    """The rules as they are, with an eye on what changes one provider's month."""

    def __init__(self, reference: Reference, provider: Agb, month: Month) -> None:
        super().__init__(reference)
        self.provider, self.month = provider, month
        self.found: dict[str, dict[str, Ground]] = {figure: {} for figure in FIGURES}

    def decide(self, state: RegionState, logged: Logged[Any]) -> Sequence[Any]:
        """What the rules say, noted where it concerns the provider's month."""
        version = getattr(logged.event, "version", None)
        key = None if version is None else key_of(logged.tenant, logged.event)
        before = None if key is None else state.versions.get(key)
        facts = super().decide(state, logged)
        if key is not None and state.versions.get(key) != before:
            self._note(key, logged)
        for fact in facts:
            if isinstance(fact, AllocationStated) and fact.provider == self.provider:
                self._follow(state, fact, logged)
        return facts

    def _note(self, key: str, logged: Logged[Any]) -> None:
        """An applied version takes the place of the one before, which may have stood in another figure."""
        for grounds in self.found.values():
            grounds.pop(key, None)
        event = logged.event
        if getattr(event, "provider", None) != self.provider:
            return
        match event:
            case e.CapacityDeclared() if _covers(event, self.month):
                self._put(DEPLOYABLE, key, logged, None)
            case e.CareDelivered() if month_of(event.born_on) == self.month:
                self._put(DELIVERED, key, logged, event.employed_minutes + event.self_employed_minutes)
            case e.CareDelivered() if 0 < self.month - month_of(event.born_on) <= DELIVERED_MONTHS:
                self._put(DELIVERED_12M, key, logged, event.physical_minutes)
            case e.RegistrationSubmitted() if abs(month_of(event.due_date) - self.month) <= 1:
                self._put(OWN_OBLIGATION, key, logged, None)

    def _follow(self, state: RegionState, fact: AllocationStated, logged: Logged[Any]) -> None:
        row = state.proposals.get(fact.proposal_id)
        if row is None or row.month != self.month:
            return
        stands = row.status in (AllocationStatus.PROPOSED, AllocationStatus.ACCEPTED)
        self.found[ALLOCATED].pop(fact.proposal_id, None)
        if stands or row.status in (AllocationStatus.DECLINED, AllocationStatus.EXPIRED):
            self._put(ALLOCATED if stands else NOT_TAKEN, fact.proposal_id, logged, row.minutes)

    def _put(self, figure: str, key: str, logged: Logged[Any], minutes: int | None) -> None:
        event = logged.event
        self.found[figure][key] = Ground(
            offset=logged.offset, source=f"{logged.source}/{logged.source_position[0]}",
            record_type=type(event).__name__, record_id=getattr(event, "record_id", ""),
            version=getattr(event, "version", 0), minutes=minutes,
        )  # fmt: skip


def _covers(event: e.CapacityDeclared, month: Month) -> bool:
    return month_of(event.period_from) <= month <= month_of(event.period_until)


def _facts_of(dump: Path, region: str, rules: RegionRules | None = None) -> Iterator[tuple[RegionLog, FactRecord]]:
    """Every fact of a region, from a refold of its part of the log of each generation."""
    for log in logs_of_region(dump, region):
        held, reference = rules or RegionRules(log.reference), log.reference
        machine: Machine[RegionState] = Machine(
            held, log.partition, log.fold.log_topic, reference, reference.generation
        )  # fmt: skip
        for one in log.rows:
            headers = [(name, text.encode()) for name, text in one.headers.items()]
            record = LogRecord(one.offset, one.timestamp, region.encode(), one.value or b"", headers)
            yield from ((log, fact) for fact in machine.apply([record]))
