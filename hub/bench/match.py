"""Matching beside anonlink and Splink in one run, on invented Dutch clients.

The yardsticks live in an environment of their own, .venv-bench, which `make bench` sets up (HUB_BENCH_PYTHON names
another interpreter that has them); where they cannot run, the rows stand without them and a line says why.
HUB_BENCH_RECORDS (default 10,000) is the size for the comparison, HUB_BENCH_LIVE (default 100,000) the number of live
records, and HUB_BENCH_MANY (default 500,000) that for latency and memory.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Final

from rich.console import Console

from hub.bench import match_hub, match_yardsticks
from hub.bench.row import Row
from hub.domain.events import RecordRef
from hub.domain.identity import Identity
from hub.domain.warm_model import WARM_MODEL
from hub.edge import FileKey
from hub.edge.columns import read_table
from hub.local.dutch_people import population, write_population
from hub.match_evaluation.evaluate import Run, due_dates, encode_all, evaluate_table, fold, references
from hub.match_evaluation.warm import table_of

_OWN_PYTHON: Final = Path(__file__).resolve().parents[2] / ".venv-bench" / "bin" / "python"
_SINGLE_GOAL: Final = 10_000.0
_BATCH_GOAL: Final = 50_000.0
_P99_GOAL_MS: Final = 5.0
_BYTES_GOAL: Final = 800.0
_BATCH: Final = 256
_RUNS: Final = 2
"""Of each rate; the better counts, since what disturbs a run only slows it."""
_NATION_RECORDS_PER_S: Final = 164_000 * 2 / 365 / 86_400
"""Every birth registered twice over, spread over the year."""


def rows() -> Sequence[Row]:
    """Speed, latency, size and quality; then what the running hub makes of it."""
    return [*_rows(), *match_hub.rows()]


def _rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder, "small.csv")
        write_population(small, int(os.environ.get("HUB_BENCH_RECORDS", "10000")), "hard", seed=31)
        table = read_table(small)
        figures, _ = evaluate_table(table)
        yardsticks = {name: said for name, said in sorted(_yardsticks(small).items()) if isinstance(said, dict)}
    f1 = float(str(figures["f1"]))
    yield Row("match", f"F1, hard tier, {len(table.persons):,} records", f1, "F1", goal=0.99)
    yield Row("match", "alert precision, hard tier", float(str(figures["precision"])), "share", goal=0.995)
    for name, said in yardsticks.items():
        yield Row("match", "F1 at the default threshold", f1, "F1", name, f1 / max(said["f1"], 1e-9), 1.0)
    theirs = {name: said["records_per_s"] for name, said in yardsticks.items()}
    live, many = (int(os.environ.get(name, size)) for name, size in _SIZES)
    yield from _live_rows(live, theirs)
    yield from _many_rows(many)


_SIZES: Final = (("HUB_BENCH_LIVE", "100000"), ("HUB_BENCH_MANY", "500000"))


def _encoded(size: int) -> tuple[list[RecordRef], list[Identity], list[date]]:
    table = table_of(list(population(size, "std", seed=32)))
    return references(table), encode_all(table.persons, FileKey.derived("bench")), due_dates(table)


def _live_rows(size: int, theirs: Mapping[str, float]) -> Iterator[Row]:
    """Rates, each beside what anonlink and Splink reach on the smaller file: both slow down as theirs grows."""
    refs, identities, dues = _encoded(size)
    for name, batch, goal in (("one at a time", 1, _SINGLE_GOAL), (f"batches of {_BATCH}", _BATCH, _BATCH_GOAL)):
        rate = size / min(fold(refs, identities, dues, WARM_MODEL, batch=batch).seconds for _ in range(_RUNS))
        yield Row("match", f"{name} to {size:,} live", rate, "records/s", goal=goal)
        for other, their_rate in theirs.items():
            yield Row("match", f"{name} to {size:,} live", rate, "records/s", other, rate / their_rate)
        if batch == 1:
            yield Row(
                "match", "head-room of one worker", rate, "records/s", "the nation", rate / _NATION_RECORDS_PER_S, 100.0
            )


def _many_rows(size: int) -> Iterator[Row]:
    """Latency and size where many records are live."""
    run = fold(*_encoded(size), WARM_MODEL)
    p99, stored = _late_p99_ms(run), sum(map(len, run.state.parts().values())) / size
    yield Row("match", f"p99 of the last tenth of {size:,}", p99, "ms", goal=_P99_GOAL_MS, lower_is_better=True)
    yield Row("match", f"state at {size:,} live", stored, "B a record", goal=_BYTES_GOAL, lower_is_better=True)


def _late_p99_ms(run: Run) -> float:
    late = sorted(run.latencies_ns[-max(1, len(run.latencies_ns) // 10) :])
    return late[len(late) * 99 // 100] / 1e6


def _yardsticks(path: Path) -> dict[str, Any]:
    python = os.environ.get("HUB_BENCH_PYTHON") or str(_OWN_PYTHON)
    if not Path(python).exists():
        _say_missing("no interpreter has them: run `make bench`, or set HUB_BENCH_PYTHON")
        return {}
    command = [python, match_yardsticks.__file__, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the caller's own interpreter
    lines = done.stdout.strip().splitlines()
    said: dict[str, Any] = json.loads(lines[-1]) if lines else {"anonlink and Splink": done.stderr[-300:]}
    for name, why in said.items():
        if isinstance(why, str):
            _say_missing(f"{name}: {why}")
    return said


def _say_missing(why: str) -> None:
    Console(stderr=True).print(f"matching beside anonlink and Splink is not measured: {why}")
