"""`hub bench`: every group of rows that can run here, as a table for people or JSON for scripts."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from importlib import import_module

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
"""Each module has `rows() -> Sequence[Row]`."""


def run_bench(groups: Sequence[str], as_json: bool) -> int:
    """Run the groups one after the other (all when none is named); 0 when every goal is met, else 1."""
    for name in groups:
        if name not in GROUPS:
            raise UsageError(f"found group {name!r}, expected one of {', '.join(GROUPS)}")
    rows: list[Row] = []
    for name in groups or tuple(GROUPS):
        measure: Callable[[], Sequence[Row]] = import_module(GROUPS[name]).rows
        rows.extend(measure())
    console = Console(stderr=as_json)
    console.print(table(rows))
    if as_json:
        Console().out(json.dumps([asdict(row) | {"met": row.met} for row in rows]), highlight=False)
    return 0 if all(row.met is not False for row in rows) else 1


def table(rows: Sequence[Row]) -> Table:
    """Rows as a person reads them."""
    shown = Table("group", "what", "figure", "beside", "ratio", "goal", "met")
    for row in rows:
        sign = "≤" if row.lower_is_better else "≥"
        shown.add_row(
            row.group,
            row.name,
            f"{row.value:,.1f} {row.unit}",
            row.beside,
            "" if row.ratio is None else f"{row.ratio:.2f}",
            "" if row.goal is None else f"{sign} {row.goal:g}",
            {None: "", True: "yes", False: "NO"}[row.met],
        )
    return shown
