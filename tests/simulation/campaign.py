"""`python -m tests.simulation --seeds N --bugs all|none|NAME[,NAME…] --json`: many seeds, and the planted bugs.

Exit code 0 when no seed fails without a bug and every planted bug is caught. With `--json` the last line is
{"seeds": n, "failures": n, "bugs": {name: the invariant that caught it, or null}, "seconds": s}. `--show SEED` prints
the whole schedule and trace of one seed; the same seed gives the same run.
"""

import argparse
import gc
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Sequence

from hub.streams.app import GARBAGE_THRESHOLD
from tests.simulation.bugs import BUGS
from tests.simulation.run import Outcome, run_seed

BUG_SEEDS_MAX = 400
"""Seeds that are tried to catch one bug; the suite is to catch each within far fewer."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what is asked for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=500, help="how many seeds without a bug")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--bugs", default="all", help="all, none, or names with commas between")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes side by side")
    parser.add_argument("--json", action="store_true", help="a JSON object as the last line")
    parser.add_argument("--show", type=int, metavar="SEED", help="run one seed and print everything of it")
    asked = parser.parse_args(arguments)
    if asked.show is not None:
        return show(run_seed(asked.show, BUGS.get(asked.bugs)))
    names = {"all": list(BUGS), "none": []}.get(asked.bugs, asked.bugs.split(","))
    if unknown := [name for name in names if name not in BUGS]:
        parser.error(f"no such bug: {', '.join(unknown)}; known are {', '.join(BUGS)}")
    started = time.monotonic()
    failed: list[tuple[int, list[str]]] = []
    with multiprocessing.get_context("spawn").Pool(asked.jobs, _start) as pool:
        seeds = range(asked.first, asked.first + asked.seeds)
        for done, (seed, failures) in enumerate(pool.imap_unordered(check_seed, seeds, chunksize=4), 1):
            if failures:
                failed.append((seed, failures))
                print(f"seed {seed}: {'; '.join(failures[:3])}", flush=True)
            if sys.stderr.isatty() or done % 1000 == 0:
                print(f"\r{done} of {asked.seeds} seeds", end="", file=sys.stderr, flush=True)
        caught = dict(pool.imap_unordered(catch, names))
    bugs = {name: caught[name] for name in names}
    for name, (by, seed) in bugs.items():
        print(f"{name}: {f'caught by {by}, seed {seed}' if by else 'NOT CAUGHT'}")
    missed = [name for name, (by, _) in bugs.items() if by is None]
    seconds = round(time.monotonic() - started, 1)
    print(
        f"{asked.seeds} seeds, {len(failed)} failed; "
        f"{len(names) - len(missed)} of {len(names)} bugs caught; {seconds} s"
    )
    if asked.json:
        told = {name: by for name, (by, _) in bugs.items()}
        print(json.dumps({"seeds": asked.seeds, "failures": len(failed), "bugs": told, "seconds": seconds}))
    return 1 if failed or missed else 0


def _start() -> None:
    """What a worker of the hub does too: a run makes many small objects and few cycles."""
    gc.set_threshold(GARBAGE_THRESHOLD)


def check_seed(seed: int) -> tuple[int, list[str]]:
    """Run one seed without a bug; what failed."""
    return seed, [f"{one.invariant} {one.where}: {one.found}" for one in run_seed(seed).failures]


def catch(name: str, seeds_max: int = BUG_SEEDS_MAX) -> tuple[str, tuple[str | None, int]]:
    """Run seeds with one bug until an invariant breaks; which one, and at which seed."""
    for seed in range(seeds_max):
        failures = run_seed(seed, BUGS[name]).failures
        if failures:
            return name, (failures[0].invariant, seed)
    return name, (None, seeds_max)


def show(outcome: Outcome) -> int:
    """Print the schedule, the trace and the verdict of one seed."""
    print(outcome.schedule)
    print("\n".join(outcome.notes))
    print(f"{outcome.inputs} inputs, {outcome.facts} facts, {outcome.repeats} repeats, digest {outcome.digest}")
    for one in outcome.failures:
        print(f"FAILED {one.invariant} {one.where}: {one.found}")
    return 1 if outcome.failures else 0
