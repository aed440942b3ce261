"""Children never outlive us, and workers are kept running."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.errors import HubError, UsageError, WorldUnavailable
from hub.local.processes import Workers, WorkerState, remove_folder, scratch_folder, spawn

ENDS_S = 60.0
"""A bound and no promise: how long a child may take to end on a machine that does much else."""
SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")
DEAF = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('{}', flush=True); time.sleep(600)",
)


def test_a_child_is_the_program_itself_and_leads_its_own_group() -> None:
    """Ctrl-C in a terminal goes to our group; children end when we say so, in our order."""
    child = spawn(SLEEPER)
    try:
        assert os.getpgid(child.pid) == child.pid != os.getpgid(0)
        eventually(lambda: b"time.sleep" in command_line(child.pid))
    finally:
        assert child.kill() == -signal.SIGKILL


def test_a_program_that_does_not_exist_is_named() -> None:
    """Not the shell's status 127 some time later."""
    with pytest.raises(UsageError, match="nosuchprogram"):
        spawn(["nosuchprogram"])


def test_a_child_outlives_the_thread_that_started_it() -> None:
    """What is started through asyncio.to_thread must not end with the loop."""
    started: list[int] = []
    thread = threading.Thread(target=lambda: started.append(spawn(SLEEPER).pid))
    thread.start()
    thread.join()
    [pid] = started
    eventually(lambda: b"time.sleep" in command_line(pid))
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_what_a_child_started_itself_ends_with_it(tmp_path: Path) -> None:
    """A worker that is killed cannot clear up after itself."""
    note = tmp_path / "grandchild"
    shell = f"sleep 600 & echo $! > {note}.new; mv {note}.new {note}; wait"
    child = spawn(["/bin/sh", "-c", shell])
    eventually(note.exists)
    grandchild = int(note.read_text())
    child.kill()
    eventually(lambda: not alive(grandchild))


@pytest.mark.parametrize("way", ["SIGKILL", "SIGTERM", "SIGINT", "os._exit", "fork"])
def test_children_and_folders_go_with_the_parent_whatever_ends_it(way: str) -> None:
    """After kill -9, and even when a forked copy of the parent still holds its pipes."""
    with parent(
        f"""
        from hub.local.processes import scratch_folder, spawn
        if {way!r} == "fork":
            from hub.local import processes
            spawn({SLEEPER!r}).kill()                     # the guardian is there before the copy is made
            os.dup(processes._guardian._process.stdin.fileno())
            if not (copy := os.fork()):
                time.sleep(30); os._exit(0)
        child, folder = spawn({SLEEPER!r}), scratch_folder("kraamzorg-test-")
        (folder / "data").write_text("x")
        print(child.pid, folder, copy if {way!r} == "fork" else 0, flush=True)
        if {way!r} == "os._exit":
            os._exit(3)
        time.sleep(600)
        """
    ) as (process, said):
        pid, folder, copy = int(said[0]), Path(said[1]), int(said[2])
        if way != "os._exit":
            assert alive(pid)
            assert folder.exists()
            process.send_signal(signal.Signals[way] if way.startswith("SIG") else signal.SIGKILL)
        process.wait(ENDS_S)
        eventually(lambda: not alive(pid))
        eventually(lambda: not folder.exists())
        if copy:
            os.kill(copy, signal.SIGKILL)


@pytest.mark.kafka
def test_the_jvm_goes_when_its_parent_is_killed() -> None:
    """kill -9 of a demo leaves no broker, no Valkey and no data."""
    with parent(
        """
        import secrets
        from hub.local.kafka import KafkaCluster
        from hub.local.valkey import Valkey, ValkeyUser
        kafka, valkey = KafkaCluster(), Valkey([ValkeyUser("root", secrets.token_hex(8), "+@all")])
        kafka.start(); valkey.start()
        print(kafka.pid(1), valkey.pid, kafka.folder, valkey.folder, flush=True)
        time.sleep(600)
        """
    ) as (process, said):
        pids, folders = [int(said[0]), int(said[1])], [Path(said[2]), Path(said[3])]
        assert all(map(alive, pids))
        assert b"java" in command_line(pids[0])
        process.kill()
        process.wait(ENDS_S)
        eventually(lambda: not any(map(alive, pids)))
        eventually(lambda: not any(folder.exists() for folder in folders))


def test_a_killed_guardian_is_replaced_and_learns_all() -> None:
    """The guard is guarded: the next thing that is told starts another one, with everything that is still there."""
    with parent(
        f"""
        from hub.local.processes import scratch_folder, spawn
        from hub.local import processes
        first = spawn({SLEEPER!r})
        processes._guardian._process.kill()
        processes._guardian._process.wait()
        second = spawn({SLEEPER!r})
        print(first.pid, second.pid, flush=True)
        time.sleep(600)
        """
    ) as (process, said):
        pids = [int(pid) for pid in said]
        process.kill()
        process.wait(ENDS_S)
        eventually(lambda: not any(map(alive, pids)))


def test_a_scratch_folder_is_private_and_removed() -> None:
    """Nobody else reads it, and nothing of it stays."""
    folder = scratch_folder("kraamzorg-test-")
    (folder / "data").write_text("x")
    assert folder.stat().st_mode & 0o077 == 0
    remove_folder(folder)
    assert not folder.exists()


def test_a_killed_worker_is_started_again(tmp_path: Path) -> None:
    """Another process under the same name; the count of starts tells."""
    with Workers(tmp_path / "output.jsonl") as workers:
        first = workers.add("fold-0", SLEEPER)
        workers.kill("fold-0")
        second = workers.wait_for_start("fold-0", starts_min=2, seconds_max=ENDS_S)
        assert second != first
        assert workers.states() == (WorkerState("fold-0", second, 2, -signal.SIGKILL),)


def test_a_worker_that_keeps_dying_is_started_ever_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause doubles up to its bound. Pauses are read from the schedule, not from a clock."""
    pauses: list[float] = []
    schedule = Workers._schedule

    def noting(self: Workers, worker: object, now: float) -> None:
        schedule(self, worker, now)  # type: ignore[arg-type]
        pauses.append(worker.start_again_at - now)  # type: ignore[attr-defined]

    monkeypatch.setattr(Workers, "_schedule", noting)
    monkeypatch.setattr("hub.local.processes.BACKOFF_SECONDS_MAX", 0.8)
    with Workers(tmp_path / "output.jsonl") as workers:
        workers.add("doomed", ["/bin/sh", "-c", "exit 3"])
        workers.wait_for_start("doomed", starts_min=5, seconds_max=20)
        [state] = workers.states()
    assert state.last_status == 3
    assert [round(pause, 6) for pause in pauses[:4]] == [0.2, 0.4, 0.8, 0.8]


def test_a_paused_worker_stands_still_and_goes_on_as_the_same_process(tmp_path: Path) -> None:
    """A zombie of the streams: it does not know that time has passed."""
    with Workers(tmp_path / "output.jsonl") as workers:
        pid = workers.add("fold-0", SLEEPER)
        workers.pause("fold-0")
        eventually(lambda: process_state(pid) == "T")
        workers.resume("fold-0")
        eventually(lambda: process_state(pid) != "T")
        assert workers.pid("fold-0") == pid
        assert workers.starts("fold-0") == 1


def test_all_workers_end_within_the_grace_even_deaf_and_paused_ones(tmp_path: Path) -> None:
    """SIGTERM first; whoever does not hear it is killed when the grace is over."""
    output = tmp_path / "output.jsonl"
    workers = Workers(output)
    pids = [workers.add("polite", SLEEPER), workers.add("deaf", DEAF), workers.add("paused", SLEEPER)]
    eventually(lambda: any(record.get("worker") == "deaf" and "stream" not in record for record in lines(output)))
    workers.pause("paused")
    workers.stop(grace_seconds=1.0)
    assert not any(map(alive, pids))
    statuses = {r["worker"]: r["text"].rpartition(" ")[2] for r in lines(output) if "ended with" in r.get("text", "")}
    assert statuses == {"polite": "-15", "deaf": "-9", "paused": "-15"}


def test_a_removed_worker_is_not_started_again(tmp_path: Path) -> None:
    """Removal is an end, not a death."""
    with Workers(tmp_path / "output.jsonl") as workers:
        pid = workers.add("fold-0", SLEEPER)
        assert workers.remove("fold-0") == -signal.SIGTERM
        assert not alive(pid)
        assert workers.states() == ()


def test_every_line_of_a_worker_is_one_json_line_with_its_name(tmp_path: Path) -> None:
    """JSON stays what it was; a traceback becomes lines that say where they came from. Nothing said is lost."""
    code = """
        import json, sys
        print(json.dumps({"event": "started", "worker": "own name"}))
        print(json.dumps(["not", "an", "object"]))
        sys.stderr.write("Traceback: é\\xff\\n")
        print("x" * 200_000)
        sys.stdout.write("last words without an end of line")
        sys.stdout.flush()
        raise SystemExit(0)
    """
    output = tmp_path / "output.jsonl"
    with Workers(output) as workers:
        workers.add("fold-0", [sys.executable, "-c", textwrap.dedent(code)])
        eventually(lambda: any("ended with status 0" in record.get("text", "") for record in lines(output)))
    said = [record for record in lines(output) if record.get("stream") != "supervisor"]
    ends = [i for i, record in enumerate(said) if record.get("text") == "last words without an end of line"]
    first_run = said[: ends[0] + 1]
    assert {"event": "started", "worker": "own name"} in first_run
    assert {"worker": "fold-0", "stream": "stdout", "text": '["not", "an", "object"]'} in first_run
    assert {"worker": "fold-0", "stream": "stderr", "text": "Traceback: éÿ"} in first_run
    pieces = [record["text"] for record in first_run if set(record.get("text", "")) == {"x"}]
    assert "".join(pieces) == "x" * 200_000
    assert len(pieces) > 1


def test_a_worker_gets_the_environment_it_was_given(tmp_path: Path) -> None:
    """Each role sees its own password and no other."""
    output = tmp_path / "output.jsonl"
    with Workers(output) as workers:
        workers.add("env", ["/usr/bin/env"], {"HUB_ROLE": "intake"})
        eventually(lambda: any("ended" in record.get("text", "") for record in lines(output)))
    said = {record["text"].partition("=")[0] for record in lines(output) if record.get("stream") == "stdout"}
    assert "HUB_ROLE" in said
    assert "HOME" not in said


def test_misuse_of_workers_is_told_in_words(tmp_path: Path) -> None:
    """What was found, what was expected, what to do."""
    with Workers(tmp_path / "output.jsonl") as workers:
        workers.add("fold-0", SLEEPER)
        with pytest.raises(UsageError, match="runs already"):
            workers.add("fold-0", SLEEPER)
        with pytest.raises(UsageError, match="no worker is named 'fold-1'; there are: fold-0"):
            workers.kill("fold-1")
        with pytest.raises(WorldUnavailable, match="started 1 times"):
            workers.wait_for_start("fold-0", starts_min=2, seconds_max=0.1)
    with pytest.raises(UsageError, match="after the stop"):
        workers.add("fold-2", SLEEPER)
    assert issubclass(UsageError, HubError)


@contextlib.contextmanager
def parent(program: str) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A process that runs `program` and has said its first line, split into words; killed at the end."""
    code = "import os, sys, time\n" + textwrap.dedent(program)
    root = str(Path(__file__).parents[2])
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
        env={**os.environ, "PYTHONPATH": root},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a script in the background ignores it
    )
    try:
        assert process.stdout is not None
        yield process, process.stdout.readline().split()
    finally:
        process.kill()
        process.communicate()


def eventually(holds: Callable[[], bool], seconds_max: float = ENDS_S) -> None:
    give_up_at = time.monotonic() + seconds_max
    while not holds():
        assert time.monotonic() < give_up_at, "did not come about"
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Runs, or stands still; a dead child that nobody has waited for is dead."""
    return process_state(pid) not in ("", "Z", "X")


def process_state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def lines(output: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in output.read_text().splitlines()]
