"""`hub bench`: every group of rows that can run here, as a table for people or JSON for scripts."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from importlib import import_module
from typing import Final

from rich.console import Console
from rich.table import Table

from hub.bench.row import Row
from hub.errors import UsageError

GROUPS = {
    "spine": "hub.bench.spine",
    "match": "hub.bench.match",
    "allocation": "hub.bench.allocation",
    "alerts": "hub.bench.alerts",
}
"""Each module has `rows() -> Iterable[Row]`."""

WIDTH: Final = 190
"""Columns of the table where nobody's window says it."""


def run_bench(groups: Sequence[str], as_json: bool) -> int:
    """Run the groups one after the other (all when none is named); 0 when every goal is met, else 1."""
    for name in groups:
        if name not in GROUPS:
            raise UsageError(f"found group {name!r}, expected one of {', '.join(GROUPS)}")
    rows: list[Row] = []
    console = Console(stderr=as_json)
    if not console.is_terminal:
        console.width = WIDTH
    for name in groups or tuple(GROUPS):
        measure: Callable[[], Iterable[Row]] = import_module(GROUPS[name]).rows
        found = list(measure())
        console.print(table(found))  # group by group: a later one that fails must not take these along
        rows += found
    if as_json:
        Console().out(json.dumps([asdict(row) | {"met": row.met} for row in rows]), highlight=False)
    missed = [f"{row.group}: {row.name}" for row in rows if row.met is False]
    console.print(f"{sum(row.met is True for row in rows)} goals met, {len(missed)} not met", *missed, sep="\n  ")
    return 1 if missed else 0


def table(rows: Sequence[Row]) -> Table:
    """Rows as a person reads them."""
    shown = Table("group", "what", "figure", "beside", "ratio", "lowest to highest", "goal", "met")
    for row in rows:
        sign = "≤" if row.lower_is_better else "≥"
        shown.add_row(
            row.group,
            row.name,
            f"{row.value:,.1f} {row.unit}" if row.value >= 10 or not row.value else f"{row.value:.4f} {row.unit}",
            row.beside,
            "" if row.ratio is None else f"{row.ratio:.2f}",
            "" if row.lowest is None or row.highest is None else f"{row.lowest:,.2f} – {row.highest:,.2f}",
            "" if row.goal is None else f"{sign} {row.goal:g}",
            {None: "", True: "yes", False: "NO"}[row.met],
        )
    return shown
