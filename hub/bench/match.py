"""Matching beside anonlink and Splink in one run, on invented Dutch clients.

The yardsticks run when HUB_BENCH_PYTHON names an interpreter that has them (`pip install splink anonlink clkhash` in an
environment of its own); without it the rows stand alone. HUB_BENCH_RECORDS (default 10,000) is the size for the
comparison, HUB_BENCH_LIVE (default 100,000; 500,000 for the goals of latency and memory) the number of live records.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from hub.bench import match_yardsticks
from hub.bench.row import Row
from hub.domain.warm_model import WARM_MODEL
from hub.edge import FileKey
from hub.edge.columns import Table, read_table
from hub.local.dutch_people import write_population
from hub.match_evaluation.evaluate import Run, due_dates, encode_all, evaluate_table, fold, references

_SINGLE_GOAL: Final = 10_000.0
_BATCH_GOAL: Final = 50_000.0
_P99_GOAL_MS: Final = 5.0
_BYTES_GOAL: Final = 800.0
_BATCH: Final = 256
_NATION_RECORDS_PER_S: Final = 164_000 * 2 / 365 / 86_400
"""Every birth registered twice over, spread over the year."""


def rows() -> Sequence[Row]:
    """Speed, latency, size and quality."""
    return list(_rows())


def _rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        small, live = Path(folder, "small.csv"), Path(folder, "live.csv")
        write_population(small, int(os.environ.get("HUB_BENCH_RECORDS", "10000")), "hard", seed=31)
        write_population(live, int(os.environ.get("HUB_BENCH_LIVE", "100000")), "std", seed=32)
        table = read_table(small)
        figures, _ = evaluate_table(table)
        yardsticks = _yardsticks(small)
        ours, f1 = float(str(figures["records_per_s"])), float(str(figures["f1"]))
        yield Row("match", f"F1, hard tier, {len(table.persons):,} records", f1, "F1", goal=0.99)
        yield Row("match", "alert precision, hard tier", float(str(figures["precision"])), "share", goal=0.995)
        for name, said in sorted(yardsticks.items()):
            if isinstance(said, dict):
                yield Row("match", "records compared", ours, "records/s", name, ours / said["records_per_s"])
                yield Row("match", "F1 at the default threshold", f1, "F1", name, f1 / max(said["f1"], 1e-9), 1.0)
        yield from _live_rows(read_table(live))


def _live_rows(table: Table) -> Iterator[Row]:
    identities = encode_all(table.persons, FileKey.derived("bench"))
    refs, dues = references(table), due_dates(table)
    size = len(refs)
    single = fold(refs, identities, dues, WARM_MODEL)
    yield Row("match", f"one at a time to {size:,} live", size / single.seconds, "records/s", goal=_SINGLE_GOAL)
    batched = fold(refs, identities, dues, WARM_MODEL, batch=_BATCH)
    yield Row("match", f"batches of {_BATCH} to {size:,} live", size / batched.seconds, "records/s", goal=_BATCH_GOAL)
    p99 = _late_p99_ms(single)
    yield Row("match", f"p99 of the last tenth of {size:,}", p99, "ms", goal=_P99_GOAL_MS, lower_is_better=True)
    stored = sum(map(len, single.state.parts().values())) / size
    yield Row("match", f"state at {size:,} live", stored, "B a record", goal=_BYTES_GOAL, lower_is_better=True)
    yield Row(
        "match",
        "head-room of one worker",
        size / single.seconds,
        "records/s",
        "the nation",
        size / single.seconds / _NATION_RECORDS_PER_S,
        100.0,
    )


def _late_p99_ms(run: Run) -> float:
    late = sorted(run.latencies_ns[-max(1, len(run.latencies_ns) // 10) :])
    return late[len(late) * 99 // 100] / 1e6


def _yardsticks(path: Path) -> dict[str, Any]:
    python = os.environ.get("HUB_BENCH_PYTHON")
    if not python:
        return {}
    command = [python, match_yardsticks.__file__, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the caller's own interpreter
    lines = done.stdout.strip().splitlines()
    said: dict[str, Any] = json.loads(lines[-1]) if lines else {}
    return said
