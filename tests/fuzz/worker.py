"""One target in a process of its own: `python -m tests.fuzz.worker TARGET RUNS SEED ENGINE OUT.json`.

With the engine `atheris` libFuzzer chooses what to mutate, by the lines of ours that an input reaches; `own` keeps what
had an outcome that was new. Both mutate with mutate.py. What is found is kept and the run goes on; a crash of the
interpreter itself shows in the exit code.
"""

import base64
import contextlib
import io
import json
import logging
import os
import random
import resource
import signal
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

HANG_S: Final = 10
"""An input that takes longer is a hang."""
MEMORY_MB_MAX: Final = 1_500
FOUND_MAX: Final = 20
INSTRUMENTED: Final = (
    "hub.contracts.codec", "hub.contracts.validation", "hub.contracts.plan_file", "hub.contracts.tables",
    "hub.streams.intake", "hub.connectors.registry", "hub.connectors.waitlist_tool", "hub.connectors.prognosis",
    "hub.console.server", "hub.local.scenario", "hub.edge.columns",
    "hub.edge.normalise", "hub.audit.verify", "hub.domain.identifiers", "hub.domain.identity", "hub.domain.region_plan",
)  # fmt: skip


@dataclass
class Report:
    """What one worker saw."""

    target: str
    engine: str
    runs: int = 0
    outcomes: dict[str, int] = field(default_factory=dict)
    found: list[dict[str, str]] = field(default_factory=list)
    seconds: float = 0.0
    memory_mb: int = 0


class Hang(BaseException):
    """Not an Exception, so that nothing swallows it."""


class Judge:
    """Runs inputs and keeps what breaks a promise."""

    def __init__(self, target: Any, canary: str, engine: str) -> None:
        self._target = target
        self._canary = canary
        self._outcomes: Counter[str] = Counter()
        self._started = time.monotonic()
        self._told = io.StringIO()
        self.report = Report(target.name, engine)
        _listen(self._told)
        signal.signal(signal.SIGALRM, _hang)

    def run(self, data: bytes) -> str:
        """One input; a word for what became of it."""
        self.report.runs += 1
        signal.alarm(HANG_S)
        try:
            outcome = str(self._target.run(data))
        except Hang:
            outcome = self._found("hang", data, None)
        except MemoryError as problem:
            outcome = self._found("memory", data, problem)
        except Exception as problem:  # noqa: BLE001  # whatever leaves a target is what we look for
            outcome = self._found("crash", data, problem)
        finally:
            signal.alarm(0)
        if self._told.tell():
            if self._canary in self._told.getvalue():
                self._found("leak", data, None)
            self._told.seek(0)
            self._told.truncate()
        self._outcomes[outcome] += 1
        return outcome

    def finish(self) -> Report:
        """The report so far."""
        report = self.report
        report.outcomes = dict(self._outcomes.most_common(40))
        report.seconds = round(time.monotonic() - self._started, 1)
        report.memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        if report.memory_mb > MEMORY_MB_MAX and not any(one["kind"] == "memory" for one in report.found):
            self._found("memory", b"", None)
        return report

    def _found(self, kind: str, data: bytes, problem: BaseException | None) -> str:
        from hub.log import place_of

        what = f"{type(problem).__name__} at {place_of(problem)}" if problem is not None else ""
        told = {"kind": kind, "what": what, "input_base64": base64.b64encode(data[:4000]).decode()}
        if len(self.report.found) < FOUND_MAX and not any(
            (one["kind"], one["what"]) == (kind, what) for one in self.report.found
        ):
            self.report.found.append(told)
        return f"{kind} {what}".strip()


def fuzz_alone(judge: Judge, target: Any, runs: int, seed: int) -> None:
    """Our own loop: what had a new outcome, or a new length class of one, joins the corpus."""
    from tests.fuzz.mutate import mutated

    chance = random.Random(f"{target.name}/{seed}")
    corpus = list(target.examples())
    seen = {judge.run(data) for data in corpus}
    while judge.report.runs < runs:
        data = mutated(chance.choice(corpus), corpus, target.words, chance)
        outcome = f"{judge.run(data)}/{len(data).bit_length()}"
        if outcome not in seen and len(corpus) < 4000:
            seen.add(outcome)
            corpus.append(data)


def fuzz_with_atheris(judge: Judge, target: Any, runs: int, seed: int, out: Path) -> None:
    """libFuzzer chooses by coverage. It ends the process, so the report is written before."""
    import atheris

    from tests.fuzz.mutate import mutated

    examples = list(target.examples())

    def one(data: bytes) -> None:
        judge.run(data)
        if judge.report.runs >= runs:
            write(judge.finish(), out)
            os._exit(0)

    def mutate(data: bytes, size_max: int, number: int) -> bytes:
        chance = random.Random(number)
        base = chance.choice(examples) if not data or chance.random() < 0.02 else data
        if chance.random() < 0.3:
            return bytes(atheris.Mutate(base, size_max))
        return mutated(base, examples, target.words, chance)[:size_max]

    arguments = [
        sys.argv[0],
        f"-seed={seed or 1}",
        "-max_len=70000",
        "-timeout=60",
        "-rss_limit_mb=4096",
        "-verbosity=0",
    ]
    corpus = out.with_suffix(".corpus")
    corpus.mkdir(exist_ok=True)
    for number, data in enumerate(examples):
        (corpus / f"example-{number}").write_bytes(data)
    atheris.Setup([*arguments, str(corpus)], one, custom_mutator=mutate)
    atheris.Fuzz()


def write(report: Report, out: Path) -> None:
    """The report as JSON."""
    out.write_text(json.dumps(asdict(report)))


def main() -> None:
    """See the module."""
    name, runs, seed, engine, out = sys.argv[1:6]
    with contextlib.ExitStack() as stack:
        if engine == "atheris":
            import atheris

            stack.enter_context(atheris.instrument_imports(include=list(INSTRUMENTED)))
        from tests.fuzz.targets import CANARY, TARGETS
    target = TARGETS[name]
    judge = Judge(target, CANARY, engine)
    if engine == "atheris":
        fuzz_with_atheris(judge, target, int(runs), int(seed), Path(out))
    else:
        fuzz_alone(judge, target, int(runs), int(seed))
        write(judge.finish(), Path(out))


def _listen(told: io.StringIO) -> None:
    """Everything that the hub or a library logs."""
    from hub.log import configure
    from hub.settings import Settings

    configure(Settings(), told)
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def _hang(number: int, frame: Any) -> None:
    raise Hang


if __name__ == "__main__":
    main()
