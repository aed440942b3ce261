"""`make chaos`: load, faults, and the judgement.

python -m tests.rig [--events N] [--seed N] [--worker-kills N] [--broker-kills N] [--faults all|none|a,b] [--json]
python -m tests.rig --slice         what CI takes: 20,000 events, 5 worker kills, 1 broker kill, every fault once
python -m tests.rig --everything    200,000 events, every fault with 3 more seeds, the chaos tests, the simulator

The schedule comes first, then what happened, fault by fault with its recovery; with `--json` the last line is
{events, worker_kills, broker_kills, faults {kind: n}, lost, twice, oracle, recovery_p99_s, seed}. The exit code is 0
when nothing was lost, nothing took effect twice, the oracle agrees and no checker found anything.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import redis
from confluent_kafka import KafkaException
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hub.contracts import catalogue
from hub.local.simulator import national
from tests.rig.checkers import Findings, check_lag, check_oracle, check_topics, read_topics
from tests.rig.load import Input, Load
from tests.rig.nemesis import BROKER_DOWN, KINDS, SETTLE_S, Chaos, Planned, Skipped, schedule
from tests.rig.stand import Stand, enter_own_mounts, may_mount

CLIENTS: Final = 1200
"""Clients of the founding nation: three regions on two partitions, real identities and accidents among them."""
NATION_DAYS: Final = 30
EVENTS_A_DAY: Final = 4_000
EVENTS_MIN_A_FAULT: Final = 100
DISK_MIB: Final = 1_500
"""Room of the small disk besides what the events take."""
DISK_KIB_AN_EVENT: Final = 8
LOOK_S: Final = 0.1
COUNTED: Final = ("worker_kill", "broker_kill")
"""Kinds whose recovery makes the figure `recovery_p99_s`; every other is told beside it."""


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    events: int
    seed: int
    worker_kills: int
    broker_kills: int
    kinds: tuple[str, ...]
    as_json: bool
    minutes_max: float
    keep: Path | None


@dataclass
class Report:
    """What came of it."""

    seed: int
    events: int = 0
    oracle: str = "not asked"
    struck: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, str] = field(default_factory=dict)
    recoveries: list[tuple[str, float]] = field(default_factory=list)
    findings: Findings = field(default_factory=Findings)
    events_per_s: int = 0

    @property
    def recovery_p99_s(self) -> float | None:
        """Nearest rank over the kills of workers and brokers."""
        return p99([seconds for kind, seconds in self.recoveries if kind in COUNTED])

    @property
    def sound(self) -> bool:
        """Whether the promise held."""
        return self.oracle == "equal" and self.findings.sound

    def as_json(self) -> dict[str, Any]:
        """The object of the last line."""
        return {
            "events": self.events,
            "worker_kills": self.struck["worker_kill"],
            "broker_kills": self.struck["broker_kill"],
            "faults": dict(sorted(self.struck.items())),
            "lost": len(self.findings.lost),
            "twice": len(self.findings.twice),
            "oracle": self.oracle,
            "recovery_p99_s": self.recovery_p99_s,
            "seed": self.seed,
        }


def p99(seconds: Sequence[float]) -> float | None:
    """The 99th percentile by nearest rank, None of nothing."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return round(ordered[-(-len(ordered) * 99 // 100) - 1], 1)


def run(options: Options, screen: Console) -> Report:
    """One run: found a nation, publish, strike, wait for lag 0 after each fault, and judge."""
    report = Report(options.seed)
    nation = national.build(options.seed, CLIENTS, NATION_DAYS)
    small_disk = DISK_MIB + options.events * DISK_KIB_AN_EVENT // 1024 if may_mount() else None
    with ExitStack() as kept:
        stand = kept.enter_context(Stand(nation.reference, small_disk_mib=small_disk))
        load = kept.enter_context(Load(stand, nation, options.seed))
        plans = schedule(
            options.seed, options.events, options.worker_kills, options.broker_kills, options.kinds, stand.names
        )
        screen.print(f"seed {options.seed}: {len(plans)} faults")
        for plan in plans:
            screen.print(f"  {plan}", highlight=False)
        began = time.monotonic()
        if options.keep is not None:
            kept.callback(_keep, stand.folder / "output.jsonl", options.keep)
        load.found()
        stream = _Stream(load, options.events)
        chaos = Chaos(stand, load)
        with _bar(screen, options.events) as advance:
            for plan in plans:
                load.bulk(stream.until(plan.at, options.minutes_max, began, advance))
                _strike(chaos, plan, report, screen, began)
            load.bulk(stream.until(options.events, options.minutes_max, began, advance))
        load.settle()
        at_rest(stand, load)
        report.events_per_s = round(load.sent / (time.monotonic() - began))
        report.events = load.ledger.acknowledged
        _judge(options, stand, load, report, screen)
    return report


class _Stream:
    """The bulk with the nation's own days and stories spread over it."""

    def __init__(self, load: Load, events: int) -> None:
        self._load = load
        script = list(load.script())
        self._script = iter(script)
        self._script_every = max(1, events // (len(script) + 1))
        self._day_every = max(EVENTS_A_DAY, events // 60)
        self._next_day = self._day_every

    def until(self, sent: int, minutes_max: float, began: float, advance: Any) -> Iterator[Input]:
        """Inputs until so many were sent in all, or the time is over."""
        while self._load.sent < sent and time.monotonic() - began < minutes_max * 60:
            if self._load.sent >= self._next_day:
                self._next_day += self._day_every
                yield self._load.generator.day()
            if (told := next(self._script, None)) is not None:
                yield told
            yield from self._load.generator.bulk(min(self._script_every, max(1, sent - self._load.sent)))
            advance(self._load.sent)


def _strike(chaos: Chaos, plan: Planned, report: Report, screen: Console, began: float) -> None:
    stand, load = chaos.stand, chaos.load
    load.wait(lambda: load.lag < EVENTS_MIN_A_FAULT, SETTLE_S, f"before {plan.kind}")
    repeated, acknowledged = load.ledger.repeated, load.ledger.acknowledged
    at = time.monotonic() - began
    try:
        struck = KINDS[plan.kind](chaos, plan)
        load.settle(SETTLE_S)
        receipts_s = time.monotonic() - struck
        last = at_rest(stand, load)
        recovery_s = time.monotonic() - struck
    except Skipped as reason:
        report.skipped[plan.kind] = str(reason)
        screen.print(f"  {at:6.0f} s  {plan.kind:<38} SKIPPED: {reason}", highlight=False)
        return
    except RuntimeError as problem:
        raise RuntimeError(f"{plan.kind} (seed {report.seed}): {problem}") from problem
    report.struck[plan.kind] += 1
    report.recoveries.append((plan.kind, recovery_s))
    if plan.kind == "broker_kill":
        stand.kafka.restart(plan.node)
    if plan.kind in BROKER_DOWN:
        stand.kafka.wait_in_sync(60)
    screen.print(
        f"  {at:6.0f} s  {plan.kind:<38} {plan.worker:<13} node {plan.node}  receipts {receipts_s:5.1f} s  lag 0 "
        f"{recovery_s:5.1f} s  ({load.ledger.acknowledged - acknowledged} inputs meanwhile, "
        f"{load.ledger.repeated - repeated} receipts again; after the receipts: {last})",
        highlight=False,
    )


def at_rest(stand: Stand, load: Load, seconds_max: float = SETTLE_S) -> str:
    """Until no group of the hub has anything left to do; how long each had, for those that look into it."""
    began = time.monotonic()
    give_up_at = began + seconds_max
    last: dict[str, float] = {}
    behind: dict[str, int] = {}
    while time.monotonic() < give_up_at:
        load.poll()
        try:
            behind = stand.behind()
        except (KafkaException, redis.exceptions.RedisError) as problem:
            behind = {f"no answer: {problem}": 0}
        if behind == {} and load.ledger.open == 0:
            return ", ".join(f"{group} +{seconds:.1f} s" for group, seconds in last.items()) or "nobody"
        last |= dict.fromkeys(behind, time.monotonic() - began)
        time.sleep(LOOK_S)
    raise RuntimeError(f"lag is not 0 after {seconds_max:.0f} s: {behind}\n{stand.last_words()}")


def _judge(options: Options, stand: Stand, load: Load, report: Report, screen: Console) -> None:
    behind, still_open = stand.behind(), load.ledger.open
    stand.workers.stop()
    report.oracle = "different"
    topics = [topic.name for topic in catalogue.topics_for(stand.reference)]
    logs = [(catalogue.REGION_LOG, n) for n in range(stand.reference.log_partitions)]
    ends = {number: end for (_, number), end in stand.ends(logs).items()}
    read = partial(read_topics, stand.login(catalogue.AUDITOR))
    report.findings = check_topics(read, topics, load.ledger.inputs(), ends)
    check_lag(behind, still_open, report.findings)
    screen.print(f"  topics checked: {report.findings.counted}", highlight=False)
    dump = options.keep or stand.folder / "dump"
    report.oracle = check_oracle(_audit(stand, dump), report.findings)


def _audit(stand: Stand, dump: Path) -> str:
    """`hub dump` and `hub audit verify` as an auditor types them."""
    keys = stand.folder / "auditor.json"
    keys.touch(mode=0o600)
    keys.write_text(json.dumps({catalogue.AUDITOR: stand.passwords[catalogue.AUDITOR]}), "utf-8")
    env = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": stand.kafka.bootstrap, "HUB_CREDENTIALS_FILE": str(keys)}
    program = [sys.executable, "-m", "hub"]
    subprocess.run([*program, "dump", str(dump)], env=env, check=True)
    verify = [*program, "audit", "verify", "--dump", str(dump), "--json"]
    return subprocess.run(verify, env=env, check=False, stdout=subprocess.PIPE, text=True).stdout


def _keep(output: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copy(output, folder / "output.jsonl")


class _Bar:
    def __init__(self, screen: Console, whole: int) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)
        self._task = self._progress.add_task("inputs", total=whole)

    def __enter__(self) -> Any:
        self._progress.start()
        return lambda done: self._progress.update(self._task, completed=done)

    def __exit__(self, *what: Any) -> None:
        self._progress.stop()


def _bar(screen: Console, whole: int) -> _Bar:
    """A bar when a person watches."""
    return _Bar(screen, whole)


def show(report: Report, screen: Console) -> None:
    """The figures for people, and every violation by its place."""
    by_kind: dict[str, list[float]] = {}
    for kind, seconds in report.recoveries:
        by_kind.setdefault(kind, []).append(seconds)
    for kind, times in sorted(by_kind.items()):
        screen.print(f"  {kind:<38} {len(times):>3} times, lag 0 after at most {max(times):5.1f} s", highlight=False)
    for what, places in (("lost", report.findings.lost), ("twice", report.findings.twice), ("", report.findings.wrong)):
        for place in places[:20]:
            screen.print(f"  {what.upper()} {place}", highlight=False)
    screen.print(
        f"seed {report.seed}: {report.events} events ({report.events_per_s}/s, faults included), lost "
        f"{len(report.findings.lost)}, twice {len(report.findings.twice)}, oracle {report.oracle}, other violations "
        f"{len(report.findings.wrong)}, skipped {sorted(report.skipped) or 'nothing'}",
        highlight=False,
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code."""
    asked = list(sys.argv[1:] if argv is None else argv)
    if asked == ["--everything"]:
        return everything()
    options = parse(asked)
    if "disk_full" in options.kinds:
        enter_own_mounts()
    screen = Console(stderr=True, width=200)
    try:
        report = run(options, screen)
    except RuntimeError as problem:
        screen.print(f"the run came to no end: {problem}", highlight=False)
        return 1
    show(report, screen)
    if options.as_json:
        sys.stdout.write(json.dumps(report.as_json()) + "\n")
    return 0 if report.sound else 1


EVERYTHING: Final = (
    ("the load", ["-m", "tests.rig"]),
    *((f"every fault, seed {seed}", ["-m", "tests.rig", "--slice", "--seed", str(seed)]) for seed in (101, 102, 103)),
    ("the chaos tests", ["-m", "pytest", "-q", "-m", "chaos", "tests/chaos"]),
    ("the simulator", ["-m", "tests.simulation", "--seeds", "10000", "--bugs", "all"]),
    ("seeds on the real broker", ["-m", "pytest", "-q", "-m", "chaos", "tests/simulation"]),
    ("the fuzzing", ["-m", "tests.fuzz", "--runs", "1000000"]),
)
"""What `make chaos` takes, each in a process of its own."""


def everything() -> int:
    """All of it, one after the other; 1 when anything failed, and what."""
    screen = Console(stderr=True, width=200)
    failed = []
    for name, arguments in EVERYTHING:
        screen.rule(name)
        if subprocess.run([sys.executable, *arguments], check=False).returncode:
            failed.append(name)
    screen.rule("everything")
    screen.print(f"failed: {', '.join(failed)}" if failed else "all of it passed")
    return 1 if failed else 0


def parse(argv: Sequence[str]) -> Options:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.rig", description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=200_000, help="inputs to publish, at least")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--worker-kills", type=int, default=20)
    parser.add_argument("--broker-kills", type=int, default=3)
    parser.add_argument(
        "--faults", default="all", help="`all`, `none`, or kinds separated by commas; each strikes once"
    )
    parser.add_argument("--slice", action="store_true", help="the part that CI takes, unless told otherwise")
    parser.add_argument("--minutes-max", type=float, default=90.0, help="publish for so long, at most")
    parser.add_argument("--keep", type=Path, help="folder for the dump and the workers' output")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    if "--slice" in argv:
        parser.set_defaults(events=20_000, worker_kills=5, broker_kills=1)
    asked = parser.parse_args(argv)
    kinds = {"all": tuple(KINDS), "none": ()}.get(asked.faults) or tuple(
        k for k in asked.faults.split(",") if k != "none"
    )
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"unknown faults {sorted(unknown)}; there are {', '.join(KINDS)}")
    return Options(
        events=asked.events,
        seed=asked.seed,
        worker_kills=asked.worker_kills,
        broker_kills=asked.broker_kills,
        kinds=kinds,
        as_json=asked.json,
        minutes_max=asked.minutes_max,
        keep=asked.keep,
    )


if __name__ == "__main__":
    sys.exit(main())
