"""`python -m tests.fuzz --runs N [--engine atheris|own] [--targets a,b] --json`: every target, two processes at once.

The last line with `--json` is {"runs", "crashes", "hangs", "leaks", "memory", "seconds", "per_second", "engine",
"targets": {name: {"runs", "seconds", "memory_mb", "outcomes"}}}. Exit code 1 when anything was found.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.fuzz.targets import TARGETS


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    has_atheris = importlib.util.find_spec("atheris") is not None
    parser.add_argument("--runs", type=int, default=1_000_000, help="inputs over all targets")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--targets", default=",".join(TARGETS))
    parser.add_argument("--engine", choices=("atheris", "own"), default="atheris" if has_atheris else "own")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    targets = [TARGETS[name] for name in asked.targets.split(",")]
    weights = sum(target.weight for target in targets)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder, ThreadPoolExecutor(asked.jobs) as pool:
        jobs = [
            (target.name, max(1, asked.runs * target.weight // weights), asked.seed, asked.engine, Path(folder))
            for target in sorted(targets, key=lambda one: -one.weight)  # the longest first, so that none is last alone
        ]
        reports = dict(pool.map(lambda job: _worked(*job), jobs))
    return _tell(reports, asked.engine, round(time.monotonic() - started, 1), as_json=asked.json)


def _worked(name: str, runs: int, seed: int, engine: str, folder: Path) -> tuple[str, dict[str, Any]]:
    out = folder / f"{name}.json"
    program = [sys.executable, "-m", "tests.fuzz.worker", name, str(runs), str(seed), engine, str(out)]
    done = subprocess.run(program, capture_output=True, check=False)
    if out.exists():
        report: dict[str, Any] = json.loads(out.read_text())
        return name, report
    tail = done.stderr.decode(errors="replace")[-2000:]
    found = {"kind": "crash", "what": f"the interpreter ended with {done.returncode}: {tail}", "input_base64": ""}
    return name, {"runs": 0, "seconds": 0.0, "memory_mb": 0, "outcomes": {}, "found": [found]}


def _tell(reports: dict[str, dict[str, Any]], engine: str, seconds: float, *, as_json: bool) -> int:
    found = [(name, one) for name, report in reports.items() for one in report["found"]]
    for name, report in reports.items():
        print(f"{name}: {report['runs']} runs in {report['seconds']} s, {report['memory_mb']} MB")
    for name, one in found:
        print(f"FOUND {one['kind']} in {name}: {one['what']}; input {one['input_base64'][:200]}")
    total = sum(report["runs"] for report in reports.values())
    kinds = {kind: sum(one["kind"] == kind for _, one in found) for kind in ("crash", "hang", "leak", "memory")}
    print(f"{total} runs with {engine} in {seconds} s; found: {kinds}")
    if as_json:
        told = {
            "runs": total, "crashes": kinds["crash"], "hangs": kinds["hang"], "leaks": kinds["leak"],
            "memory": kinds["memory"], "seconds": seconds, "per_second": round(total / max(seconds, 0.1)),
            "engine": engine,
            "targets": {n: {k: r[k] for k in ("runs", "seconds", "memory_mb", "outcomes")} for n, r in reports.items()},
        }  # fmt: skip
        print(json.dumps(told))
    return 1 if found else 0
