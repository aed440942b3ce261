"""What would have been different under another plan: history folded twice, from the same log, by the same rules.

Once as it was, once with another plan in force from a day on; the two tellings are compared from that day. Nothing is
published anywhere: the log is read as an auditor reads it, from a dump or from a cluster. History begins with the
generation in force, whose first records carry the state that the one before left.

What people did is history and stays as it was, so the second telling holds what the hub would have *said*, not what
people would then have done. An answer to a proposal that was never made under the other plan is refused there, and a
proposal that history does not know stays unanswered; both are counted, so that nobody reads more into the figures.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from hub.audit.verify import Row, read_topic, reference_of
from hub.contracts import codec
from hub.domain import events as e
from hub.domain import facts as f
from hub.domain.identifiers import RegionCode
from hub.domain.logged import Logged
from hub.domain.reference import Reference
from hub.domain.region import RegionRules
from hub.domain.region_plan import PlanBook, RegionPlan
from hub.domain.region_state import RegionState
from hub.domain.words import AlertState, AllocationStatus, FindingStatus
from hub.errors import HubError, UsageError
from hub.streams.folds import FOLDS
from hub.streams.machine import LogRecord, Machine

TOLD_MAX: Final = 50
"""How many alerts that only one telling has are named; the counts are of all."""


class OtherPlan(RegionRules):
    """The rules as they are, in a region that lives by another plan from a day on."""

    def __init__(self, reference: Reference, plan: RegionPlan, from_day: date) -> None:
        super().__init__(reference)
        self._plan = replace(plan, valid_from=from_day)
        self._from_day = from_day

    def decide(self, state: RegionState, logged: Logged[Any]) -> Sequence[Any]:
        """The plan stands before its first day begins, and stays the last word whatever is adopted afterwards."""
        if state.region == self._plan.region:
            event = logged.event
            if isinstance(event, e.DayStarted) and event.date >= self._from_day:
                state.plans = _with_last(state.plans, self._plan, self._from_day)
        return super().decide(state, logged)


def _with_last(book: PlanBook, plan: RegionPlan, from_day: date) -> PlanBook:
    """A book in which this plan was adopted last, and both lead insurers concurred the day before it takes force."""
    if book.plans and book.plans[-1] is plan:
        return book
    others = tuple(one for one in book.plans if one is not plan)
    for insurer in plan.lead_insurers:
        book = book.concurred(plan.plan_id, plan.version, insurer, from_day - timedelta(days=1))
    return PlanBook(book.region, (*others, plan), book.concurrences)


@dataclass(slots=True)
class Telling:
    """What one fold of the history says, from a day on."""

    from_day: date
    first_day: date | None = None
    today: date | None = None
    colours: dict[date, str] = field(default_factory=dict)
    alerts: dict[tuple[str, str, date], set[str]] = field(default_factory=dict)
    alert_kinds: Counter[str] = field(default_factory=Counter)
    proposals: Counter[str] = field(default_factory=Counter)
    findings: Counter[str] = field(default_factory=Counter)
    mediators: dict[date, str] = field(default_factory=dict)
    unanswerable: int = 0
    _colour: str = "unknown"
    _mediator: str = "none"

    def starts_day(self, day: date) -> None:
        """The clock goes on; what held when the day ended is that day's."""
        self.ends_day()
        self.today = day

    def ends_day(self) -> None:
        """Keep what holds now for the day that ends."""
        if self.today is not None and self.today >= self.from_day:
            self.colours[self.today] = self._colour
            self.mediators[self.today] = self._mediator

    def hears(self, fact: Any, coordinator: str) -> None:
        """One fact. Of copies to several recipients the coordinator's counts, or the one for everybody."""
        if isinstance(fact, f.RegionStatusChanged):
            self._colour, self._mediator = fact.computed.value, fact.mediator.value
        if self.today is None or self.today < self.from_day:
            return
        match fact:
            case f.AlertChanged(recipient=""):
                alert = (fact.kind.value, fact.subject, fact.since)
                self.alerts.setdefault(alert, set()).add(fact.state.value)
                self.alert_kinds[fact.kind.value] += fact.state is AlertState.OPENED
            case f.AllocationStated() if fact.recipient == coordinator:
                self.proposals[fact.status.value] += 1
            case f.ComplianceFound() if fact.recipient == coordinator and fact.status is FindingStatus.OPENED:
                self.findings[fact.code.value] += 1
            case f.ReceiptIssued(code="unknown_proposal"):
                self.unanswerable += 1
            case _:
                pass


def what_if(dump: Path, plan: RegionPlan, from_day: date) -> dict[str, Any]:
    """The figures of `hub whatif --json`.

    UsageError: a region that the tables lack, other lead insurers than theirs, or a day that history does not hold.
    """
    reference = reference_of(dump)
    row = reference.region.get(plan.region)
    if row is None:
        raise UsageError(f"found a plan for {plan.region}, expected one of {', '.join(sorted(reference.region))}")
    if row.lead_insurers and sorted(row.lead_insurers) != sorted(plan.lead_insurers):
        raise UsageError(
            f"found lead insurers {', '.join(plan.lead_insurers)} in the plan, expected those of {plan.region} in the "
            f"tables: {', '.join(row.lead_insurers)}; mend lead_insurers"
        )
    topic = FOLDS["region"].in_generation(reference.generation).log_topic
    log = [r for r in read_topic(dump, topic, reference.partition(plan.region)) if r.key == plan.region]
    was = tell(RegionRules(reference), reference, plan.region, log, from_day)
    if from_day not in was.colours:
        held = f"{was.first_day} to {was.today}" if was.first_day else "none"
        raise UsageError(f"found --from {from_day}, expected a day that the log of {plan.region} holds: {held}")
    would = tell(OtherPlan(reference, plan, from_day), reference, plan.region, log, from_day)
    return {
        "region": plan.region,
        "plan": {"plan_id": plan.plan_id, "version": plan.version},
        "from": from_day.isoformat(),
        "until": max(was.colours).isoformat(),
        "colours": {"by_month": _by_month(was, would), "days_different": _differing(was.colours, would.colours),
                    "changes": {"was": _changes(was.colours), "would": _changes(would.colours)}},
        "mediator_days_different": _differing(was.mediators, would.mediators),
        "alerts": {"was": _plain(was.alert_kinds), "would": _plain(would.alert_kinds),
                   "only_was": _named(was, would), "only_would": _named(would, was)},
        "allocations": {"was": _plain(was.proposals), "would": _plain(would.proposals)},
        "findings": {"was": _plain(was.findings), "would": _plain(would.findings)},
        "limits": {"answers_without_a_proposal": would.unanswerable - was.unanswerable,
                   "proposals_nobody_answered": max(0, _unanswered(would) - _unanswered(was))},
    }  # fmt: skip


def tell(rules: RegionRules, reference: Reference, region: RegionCode, log: Sequence[Row], from_day: date) -> Telling:
    """Fold the log of one region by some rules. HubError: a rule raised, so that the telling would have a hole."""
    topic = FOLDS["region"].in_generation(reference.generation).log_topic
    machine: Machine[Any] = Machine(rules, reference.partition(region), topic, reference, reference.generation)
    told = Telling(from_day)
    coordinator = str(reference.coordinator.get(region, ""))
    for row, facts in _folded(machine, log):
        event = codec.decode(row.value) if row.value is not None else None
        if isinstance(event, e.DayStarted) and (told.today is None or event.date > told.today):
            told.starts_day(event.date)
            told.first_day = told.first_day or event.date
        for fact in facts:
            told.hears(fact, coordinator)
    told.ends_day()
    return told


def _folded(machine: Machine[Any], log: Sequence[Row]) -> Iterator[tuple[Row, list[Any]]]:
    for row in log:
        headers = [(name, value.encode()) for name, value in row.headers.items()]
        record = LogRecord(row.offset, row.timestamp, row.key.encode(), row.value or b"", headers)
        yield row, [codec.decode(fact.value) for fact in machine.apply([record])]
        for region, stop in machine.stopped.items():
            raise HubError(f"a rule raised in {region} at log offset {stop.at} ({stop.error}); run hub audit verify")


def _by_month(was: Telling, would: Telling) -> list[dict[str, Any]]:
    """Days of each colour by calendar month, side by side."""
    months = sorted({day.isoformat()[:7] for day in was.colours})
    return [
        {
            "month": month,
            "was": _plain(Counter(c for day, c in was.colours.items() if day.isoformat()[:7] == month)),
            "would": _plain(Counter(c for day, c in would.colours.items() if day.isoformat()[:7] == month)),
        }
        for month in months
    ]


def _changes(colours: dict[date, str]) -> list[list[str]]:
    """Day and colour wherever it changed, the first day included."""
    found: list[list[str]] = []
    for day in sorted(colours):
        if not found or found[-1][1] != colours[day]:
            found.append([day.isoformat(), colours[day]])
    return found


def _differing(was: dict[date, str], would: dict[date, str]) -> int:
    return sum(was[day] != would.get(day) for day in was)


def _named(one: Telling, other: Telling) -> list[dict[str, str]]:
    """Alerts of one telling whose kind and subject the other does not know from the same day on."""
    only = [key for key in sorted(one.alerts) if key not in other.alerts and "opened" in one.alerts[key]]
    return [{"kind": kind, "subject": subject, "since": since.isoformat()} for kind, subject, since in only[:TOLD_MAX]]


def _unanswered(told: Telling) -> int:
    return told.proposals[AllocationStatus.EXPIRED.value]


def _plain(counts: Counter[str]) -> dict[str, int]:
    return {name: counts[name] for name in sorted(counts) if counts[name]}
