"""`hub backtest`: warnings beside what then happened, for whole seeds; recall, precision, Brier score, reliability."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from statistics import median
from typing import Any

from hub.backtest.forecasters import Answer, DueDateSum, HubForecaster, IdealForecaster
from hub.backtest.truth import SCORED, days_before, draw_region
from hub.domain.identifiers import Month
from hub.errors import UsageError

REGIONS_PER_SEED = 4
LEADS_DAYS = (28, 56, 84, 112, 140)
"""Days before a month begins on which the forecast is asked; the first decides recall and precision (S0, rule 32: in
time), the others tell how much earlier it was orange already."""


@dataclass(frozen=True, slots=True)
class Row:
    """One month of one region, 28 days before it began. `lead_days`: since when the warning stood unbroken.
    `onset`: short, and the month before was not: the harder ones."""

    hub: Answer
    ideal: Answer
    plain: Answer
    short: bool
    short_by_load: bool
    lead_days: int
    onset: bool


def parse_seeds(text: str) -> tuple[int, ...]:
    """`101,102` as numbers. UsageError: anything else."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise UsageError(f"found seeds {text!r}, expected whole numbers with commas between; try --seeds 101,102")
    return tuple(int(part) for part in parts)


def backtest(seeds: tuple[int, ...], regions_per_seed: int = REGIONS_PER_SEED) -> dict[str, Any]:
    """The figures of `hub backtest --json`."""
    rows = [row for seed in seeds for number in range(regions_per_seed) for row in region_rows(seed, number)]
    warned = [row for row in rows if row.hub.orange]
    return {
        "seeds": list(seeds),
        "months": len(rows),
        "shortages": sum(row.short for row in rows),
        "recall_28d": _share([row.hub.orange for row in rows if row.short]),
        "precision": _share([row.short for row in warned]),
        "ideal_recall_28d": _share([row.ideal.orange for row in rows if row.short]),
        "ideal_precision": _share([row.short for row in rows if row.ideal.orange]),
        "load_only": {
            "shortages": sum(row.short_by_load for row in rows),
            "recall_28d": _share([row.hub.orange for row in rows if row.short_by_load]),
            "precision": _share([row.short_by_load for row in warned]),
            "ideal_recall_28d": _share([row.ideal.orange for row in rows if row.short_by_load]),
            "ideal_precision": _share([row.short_by_load for row in rows if row.ideal.orange]),
        },
        "onsets": {
            "shortages": sum(row.onset for row in rows),
            "recall_28d": _share([row.hub.orange for row in rows if row.onset]),
            "ideal_recall_28d": _share([row.ideal.orange for row in rows if row.onset]),
        },
        "baseline": {
            "recall_28d": _share([row.plain.orange for row in rows if row.short]),
            "precision": _share([row.short for row in rows if row.plain.orange]),
        },
        "brier": _brier([(row.hub.chance, row.short) for row in rows]),
        "brier_ideal": _brier([(row.ideal.chance, row.short) for row in rows]),
        "brier_baseline": _brier([(row.plain.chance, row.short) for row in rows]),
        "reliability": _reliability(rows),
        "lead_days_median": median([row.lead_days for row in rows if row.short and row.hub.orange] or [0]),
    }


def region_rows(seed: int, number: int) -> Iterator[Row]:
    """The scored months of one region."""
    region = draw_region(seed, number)
    hub, ideal, plain = HubForecaster(region), IdealForecaster(region), DueDateSum(region)
    days = sorted({days_before(month, lead) for month in SCORED for lead in LEADS_DAYS})
    answers: dict[date, Any] = {day: hub.ask(day) for day in days}
    for month in SCORED:
        day = days_before(month, LEADS_DAYS[0])
        lead_days = 0
        for lead in LEADS_DAYS:
            if not answers[days_before(month, lead)][month].orange:
                break
            lead_days = lead
        yield Row(
            hub=answers[day][month],
            ideal=ideal.ask(day, month),
            plain=plain.ask(day, month),
            short=region.short(month),
            short_by_load=region.short_by_load(month, day),
            lead_days=lead_days,
            onset=region.short(month) and not region.short(Month(month - 1)),
        )


def _share(hits: list[bool]) -> float | None:
    """Part of the cases, or None where there are none."""
    return round(sum(hits) / len(hits), 4) if hits else None


def _brier(pairs: list[tuple[float, bool]]) -> float:
    """Mean squared distance of chance and outcome; 0 is perfect, always saying one half gives 0.25."""
    return round(sum((chance - happened) ** 2 for chance, happened in pairs) / len(pairs), 4)


def _reliability(rows: list[Row]) -> list[dict[str, Any]]:
    """By tenths of chance: how many, the mean chance said, how often it happened."""
    table = []
    for tenth in range(10):
        here = [row for row in rows if min(9, int(row.hub.chance * 10)) == tenth]
        if here:
            table.append(
                {
                    "from": tenth / 10,
                    "months": len(here),
                    "said": round(sum(row.hub.chance for row in here) / len(here), 3),
                    "happened": _share([row.short for row in here]),
                }
            )
    return table
