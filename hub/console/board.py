"""What the page shows, as values: regions, open alerts and workers, in the order in which a person needs them."""

from collections import Counter
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from hub.domain.facts import AlertChanged, RegionStatusChanged
from hub.domain.identifiers import NATIONAL
from hub.domain.words import AlertSeverity, AlertState, ComputedColour, DeclaredColour, ReceiptOutcome

_URGENCY: Final = (AlertSeverity.CRITICAL, AlertSeverity.WARNING, AlertSeverity.INFO)
_COLOUR_OF: Final[dict[ComputedColour, DeclaredColour | None]] = {
    ComputedColour.UNKNOWN: None,
    ComputedColour.GREEN: DeclaredColour.GREEN,
    ComputedColour.ORANGE_THREAT: DeclaredColour.GREEN,
    ComputedColour.ORANGE: DeclaredColour.ORANGE,
    ComputedColour.RED_THREAT: DeclaredColour.ORANGE,
    ComputedColour.RED_A: DeclaredColour.RED,
    ComputedColour.RED_B: DeclaredColour.RED,
}
"""A threat is no colour yet: orange that threatens is still green, red that threatens is at least orange."""


class WorkerState(StrEnum):
    """What a worker's readiness says; `silent` is what we say when it says nothing."""

    RUNNING = "running"
    NOT_READY = "not_ready"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One worker at the last look. `behind` counts records that it has not taken, `stopped_regions` those at rest."""

    name: str
    state: WorkerState
    behind: int = 0
    stopped_regions: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """The last day that a region has closed, and what was left open then."""

    date: date
    waiting: int
    open_proposals: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourChange:
    """With which colour a day of change ended, why, by which clause, and after which type of input."""

    region: str
    day: date
    computed: ComputedColour
    declared: DeclaredColour | None = None
    reason: str = ""
    clause: str = ""
    caused_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """One reading of the read model. `live_id` is the place in the stream of changes up to which it is certain."""

    regions: tuple[RegionStatusChanged, ...]
    alerts: tuple[AlertChanged, ...]
    days: dict[str, Day]
    receipts: dict[ReceiptOutcome, int]
    workers: tuple[Worker, ...]
    live_id: str
    unreadable: int = 0
    history: tuple[ColourChange, ...] = ()
    closed: tuple[AlertChanged, ...] = ()

    @property
    def day(self) -> date | None:
        """The last day that the whole nation has closed; None before the first."""
        return self.days[NATIONAL].date if NATIONAL in self.days else None

    @property
    def urgent(self) -> tuple[AlertChanged, ...]:
        """Alerts that are not closed: most severe first, not yet acknowledged first, oldest first."""
        return tuple(
            sorted(
                (alert for alert in self.alerts if alert.state is not AlertState.CLOSED),
                key=lambda a: (
                    _URGENCY.index(a.severity),
                    a.state is AlertState.ACKNOWLEDGED,
                    a.since,
                    a.region,
                    a.alert_id,
                ),
            )
        )

    def changes_of(self, region: str) -> tuple[ColourChange, ...]:
        """How a region's colour came about, the newest change first."""
        return tuple(sorted((c for c in self.history if c.region == region), key=lambda c: c.day, reverse=True))

    @property
    def counts(self) -> dict[str, int]:
        """Regions per word of the summary: red, orange, threat, green, unknown."""
        found = Counter(_summary_word(region.computed) for region in self.regions)
        return {word: found[word] for word in ("red", "orange", "threat", "green", "unknown")}


def differs(status: RegionStatusChanged) -> bool:
    """Whether the KSV declared another colour than the predicates give. Both are shown; neither corrects the other."""
    computed = _COLOUR_OF[status.computed]
    return computed is not None and status.declared is not None and status.declared is not computed


def _summary_word(colour: ComputedColour) -> str:
    match colour:
        case ComputedColour.RED_A | ComputedColour.RED_B:
            return "red"
        case ComputedColour.ORANGE:
            return "orange"
        case ComputedColour.ORANGE_THREAT | ComputedColour.RED_THREAT:
            return "threat"
        case ComputedColour.GREEN:
            return "green"
        case ComputedColour.UNKNOWN:
            return "unknown"
