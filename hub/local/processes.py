"""Child processes that never outlive us, and a supervisor that keeps a set of them running.

`spawn` starts one child. Each child leads a process group of its own, so Ctrl-C in a terminal reaches us alone and we
end the children in order. A guardian process (`hub.local.guardian`) ends them when we could not: after SIGKILL, a
crash, or `os._exit`. `scratch_folder` gives a folder under the same care. `Workers` restarts what dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from hub.errors import HubError, UsageError, WorldUnavailable
from hub.local import guardian

BACKOFF_FIRST_SECONDS: Final = 0.2
BACKOFF_SECONDS_MAX: Final = 10.0
HEALTHY_AFTER_SECONDS: Final = 20.0
"""A worker that ran this long starts its backoff anew when it dies."""
OUTPUT_LINE_BYTES_MAX: Final = 64 * 1024
"""A longer line is cut into several, so that a worker without line ends cannot fill our memory."""
PUMP_SECONDS: Final = 0.1
"""How often dead workers are looked for besides the end of their output."""

# The child waits for a line before it becomes the program, so the guardian knows its id before it does anything.
# If we die in between, the pipe ends, `read` fails, and nothing was started.
_START_WHEN_TOLD: Final = 'read -r go && exec "$@" </dev/null'


class Child:
    """One running program that leads its own process group. Made by `spawn`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._lock = threading.Lock()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def stdout(self) -> IO[bytes] | None:
        return self._process.stdout

    @property
    def stderr(self) -> IO[bytes] | None:
        return self._process.stderr

    def poll(self) -> int | None:
        """The exit status (negative: the signal that ended it), or None while it runs."""
        with self._lock:
            if self._process.returncode is None and self._process.poll() is not None:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.killpg(self.pid, signal.SIGKILL)  # whatever it started and did not end itself
                _guardian.tell(forget_group=self.pid)
            return self._process.returncode

    def wait(self, seconds_max: float) -> int | None:
        """The exit status, or None when it still runs after `seconds_max`."""
        give_up_at = time.monotonic() + seconds_max
        while (status := self.poll()) is None and time.monotonic() < give_up_at:
            time.sleep(0.01)
        return status

    def send(self, what: signal.Signals) -> None:
        """Send a signal; nothing happens when the child has ended."""
        with self._lock:
            if self._process.returncode is None:
                os.kill(self.pid, what)

    def end(self, grace_seconds: float) -> int:
        """Ask it to end, and kill it when `grace_seconds` have passed. The exit status."""
        self.send(signal.SIGTERM)
        self.send(signal.SIGCONT)  # a stopped process would never see the request
        if (status := self.wait(grace_seconds)) is not None:
            return status
        return self.kill()

    def kill(self) -> int:
        """End it at once. The exit status."""
        self.send(signal.SIGKILL)
        if (status := self.wait(10.0)) is None:
            raise WorldUnavailable(
                f"process {self.pid} did not go away within 10 s of SIGKILL; it hangs in the kernel, "
                "most often on a disk that does not answer: look at the disk, then end it by its id"
            )
        return status


def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdout: int | IO[bytes] = subprocess.DEVNULL,
    stderr: int | IO[bytes] = subprocess.DEVNULL,
) -> Child:
    """Start a program that ends when we end, whatever ends us.

    `env` replaces the environment (None: ours); `stdout` and `stderr` as for `subprocess`. Raises UsageError when the
    program does not exist. Standard input is empty.
    """
    program = str(argv[0])
    if shutil.which(program, path=None if env is None else env.get("PATH", os.defpath)) is None:
        raise UsageError(f"program {program!r} was not found, or may not be run; check its path, then start again")
    process = subprocess.Popen(  # noqa: S603 - no shell reads argv: "$@" is passed on as it is
        ["/bin/sh", "-c", _START_WHEN_TOLD, "sh", *map(str, argv)],
        env=env,
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    assert process.stdin is not None
    _guardian.tell(watch_group=process.pid)
    with contextlib.suppress(BrokenPipeError), process.stdin as go:  # broken: it was killed before it began
        go.write(b"go\n")
    return Child(process)


def scratch_folder(prefix: str) -> Path:
    """A new folder that only we may read, removed by `remove_folder` or, at the latest, when we are gone."""
    folder = Path(tempfile.mkdtemp(prefix=prefix)).resolve()
    _guardian.tell(watch_folder=str(folder))
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a scratch folder with all that is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    _guardian.tell(forget_folder=str(folder))


class _Guardian:
    """Our end of the guardian's pipe; the guardian starts with the first thing to guard."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._watched: dict[tuple[str, int | str], None] = {}
        os.register_at_fork(after_in_child=self._disown)

    def tell(self, **message: int | str) -> None:
        """One of watch_group, forget_group, watch_folder, forget_folder."""
        [(verb, what)] = message.items()
        action, _, kind = verb.partition("_")
        with self._lock:
            if action == "watch":
                self._watched[kind, what] = None
            else:
                self._watched.pop((kind, what), None)
            if self._process is None or self._process.poll() is not None:
                self._start()
            else:
                try:
                    self._write(message)
                except BrokenPipeError:
                    self._start()

    def _start(self) -> None:
        if not self._watched:
            return
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", "-S", guardian.__file__, str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd="/",
            start_new_session=True,
        )
        for kind, what in self._watched:
            self._write({f"watch_{kind}": what})

    def _write(self, message: Mapping[str, int | str]) -> None:
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        self._process.stdin.flush()

    def _disown(self) -> None:
        """In a forked copy of us: the guardian and what it watches belong to the original."""
        self._lock = threading.Lock()
        self._process = None
        self._watched = {}


_guardian: Final = _Guardian()


@dataclass(slots=True)
class _Worker:
    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] | None
    child: Child | None = None
    started_at: float = 0.0
    start_again_at: float = 0.0
    backoff_seconds: float = BACKOFF_FIRST_SECONDS
    starts: int = 0
    last_status: int | None = None
    partial: dict[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerState:
    """What a worker is doing: `pid` is None between a death and the next start; `starts` counts every start."""

    name: str
    pid: int | None
    starts: int
    last_status: int | None


class Workers:
    """Keeps programs running: starts them, notes what they say, and starts again what dies.

    A worker that dies is started again after a pause that doubles from BACKOFF_FIRST_SECONDS to BACKOFF_SECONDS_MAX
    and falls back once the worker has run for HEALTHY_AFTER_SECONDS. That it ended with status 0 makes no difference:
    a worker ends only when asked. Usable from any thread.

    Each line of a worker becomes one JSON line in `output`. A line that is a JSON object stays one, with `worker`
    added; any other becomes {"worker", "stream", "text"}. Deaths and starts are lines of stream "supervisor".
    """

    def __init__(self, output: Path) -> None:
        self._output: Final = open(output, "ab", opener=_private)  # noqa: SIM115 - closed by `stop`
        self.lines_lost = 0
        """Lines that could not be written to `output`."""
        self._workers: dict[str, _Worker] = {}
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._selector = selectors.DefaultSelector()
        self._stopping = threading.Event()
        self._pump = threading.Thread(target=self._run, name="workers", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    def add(self, name: str, argv: Sequence[str], env: Mapping[str, str] | None = None) -> int:
        """Start a worker under a name that is free; its process id. `env` replaces the environment (None: ours)."""
        with self._lock:
            if self._stopping.is_set():
                raise UsageError(f"worker {name!r} was added after the stop; make new Workers")
            if name in self._workers:
                raise UsageError(f"a worker named {name!r} runs already; remove it first or take another name")
            worker = _Worker(name, tuple(argv), None if env is None else dict(env))
            self._start(worker)
            self._workers[name] = worker
            if self._pump.ident is None:
                self._pump.start()
            assert worker.child is not None
            return worker.child.pid

    def states(self) -> tuple[WorkerState, ...]:
        """Every worker, in the order in which they were added."""
        with self._lock:
            return tuple(
                WorkerState(w.name, None if w.child is None else w.child.pid, w.starts, w.last_status)
                for w in self._workers.values()
            )

    def pid(self, name: str) -> int | None:
        """The process id of a worker, None between a death and the next start."""
        with self._lock:
            child = self._worker(name).child
            return None if child is None else child.pid

    def starts(self, name: str) -> int:
        """How often the worker was started, the first time included."""
        with self._lock:
            return self._worker(name).starts

    def kill(self, name: str) -> None:
        """SIGKILL: it dies at once and is started again after its pause."""
        self._send(name, signal.SIGKILL)

    def pause(self, name: str) -> None:
        """SIGSTOP: it stands still, as a process on a frozen machine does."""
        self._send(name, signal.SIGSTOP)

    def resume(self, name: str) -> None:
        """SIGCONT: it goes on where it stood, and does not know that time has passed."""
        self._send(name, signal.SIGCONT)

    def wait_for_start(self, name: str, starts_min: int, seconds_max: float) -> int:
        """Wait until the worker has been started `starts_min` times and runs; its process id.

        Raises WorldUnavailable when that takes longer than `seconds_max`.
        """
        with self._changed:
            worker = self._worker(name)
            if not self._changed.wait_for(lambda: worker.starts >= starts_min and worker.child, seconds_max):
                raise WorldUnavailable(
                    f"worker {name!r} was started {worker.starts} times within {seconds_max} s, {starts_min} were "
                    f"awaited; its last exit status was {worker.last_status}: read its lines in {self._output.name}"
                )
            assert worker.child is not None
            return worker.child.pid

    def remove(self, name: str, grace_seconds: float = 10.0) -> int | None:
        """End one worker for good; its exit status, None when it was between two starts."""
        with self._changed:
            worker = self._worker(name)
            del self._workers[name]  # first: the pump starts only what stands here
        if worker.child is None:
            return worker.last_status
        status = worker.child.end(grace_seconds)
        with self._lock:
            self._bury(worker)
        return status

    def stop(self, grace_seconds: float = 10.0) -> None:
        """End all within `grace_seconds` (then SIGKILL), side by side. What they said last is noted too."""
        with self._lock:
            already = self._stopping.is_set()
            self._stopping.set()
            running = [(w, w.child) for w in self._workers.values() if w.child is not None]
        if already:
            return
        if self._pump.ident is not None:
            self._pump.join()  # from here on nobody else reads or starts
        give_up_at = time.monotonic() + grace_seconds
        for _, child in running:
            child.send(signal.SIGTERM)
            child.send(signal.SIGCONT)
        while any(child.poll() is None for _, child in running) and time.monotonic() < give_up_at:
            self._read(0.02)  # a worker that says more than its pipe holds could not end otherwise
        for worker, child in running:
            if child.poll() is None:
                child.kill()
            if worker.child is child:
                self._bury(worker)
        self._selector.close()
        self._output.close()

    def _worker(self, name: str) -> _Worker:
        try:
            return self._workers[name]
        except KeyError:
            known = ", ".join(self._workers) or "none"
            raise UsageError(f"no worker is named {name!r}; there are: {known}") from None

    def _send(self, name: str, what: signal.Signals) -> None:
        with self._lock:
            child = self._worker(name).child
            if child is None:
                raise HubError(f"worker {name!r} is dead at the moment; wait for its next start (`wait_for_start`)")
            child.send(what)

    def _run(self) -> None:
        """The one thread that reads, buries and starts again."""
        while not self._stopping.is_set():
            self._read(PUMP_SECONDS)
            with self._changed:
                if self._stopping.is_set():
                    return
                now = time.monotonic()
                for worker in self._workers.values():
                    if worker.child is not None and worker.child.poll() is not None:
                        self._bury(worker)
                        self._schedule(worker, now)
                    elif worker.child is None and now >= worker.start_again_at:
                        self._start_again(worker, now)

    def _start(self, worker: _Worker) -> None:
        child = spawn(worker.argv, env=worker.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        worker.child = child
        worker.starts += 1
        worker.started_at = time.monotonic()
        for stream, pipe in (("stdout", child.stdout), ("stderr", child.stderr)):
            assert pipe is not None
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, (worker, stream))
        self._note(worker, "supervisor", f"started as process {child.pid} (start {worker.starts})".encode())
        self._changed.notify_all()

    def _start_again(self, worker: _Worker, now: float) -> None:
        try:
            self._start(worker)
        except (UsageError, OSError) as error:  # gone meanwhile, or no room for a process: later, perhaps
            self._note(worker, "supervisor", f"could not be started: {error}".encode())
            worker.started_at = now
            self._schedule(worker, now)

    def _schedule(self, worker: _Worker, now: float) -> None:
        if now - worker.started_at >= HEALTHY_AFTER_SECONDS:
            worker.backoff_seconds = BACKOFF_FIRST_SECONDS
        worker.start_again_at = now + worker.backoff_seconds
        worker.backoff_seconds = min(worker.backoff_seconds * 2, BACKOFF_SECONDS_MAX)

    def _bury(self, worker: _Worker) -> None:
        """Read what a dead worker still said, and note its death."""
        child = worker.child
        assert child is not None
        for pipe in (child.stdout, child.stderr):
            assert pipe is not None
            if not pipe.closed:
                self._read_pipe(pipe)
            if not pipe.closed:  # a process outside its group holds the other end
                self._forget(pipe)
        for stream, rest in worker.partial.items():
            self._note(worker, stream, rest)
        worker.partial.clear()
        worker.last_status = child.poll()
        worker.child = None
        self._note(worker, "supervisor", f"process {child.pid} ended with status {worker.last_status}".encode())

    def _read(self, seconds_max: float) -> None:
        if not self._selector.get_map():
            time.sleep(seconds_max)
            return
        for key, _ in self._selector.select(seconds_max):
            with self._lock:
                pipe = key.fileobj
                if not isinstance(pipe, int) and not pipe.closed:  # type: ignore[attr-defined]
                    self._read_pipe(pipe)  # type: ignore[arg-type]

    def _read_pipe(self, pipe: IO[bytes]) -> None:
        worker, stream = self._selector.get_key(pipe).data
        while True:
            try:
                chunk = os.read(pipe.fileno(), OUTPUT_LINE_BYTES_MAX)
            except BlockingIOError:
                return
            if not chunk:
                self._forget(pipe)
                return
            *lines, rest = (worker.partial.get(stream, b"") + chunk).split(b"\n")
            if len(rest) >= OUTPUT_LINE_BYTES_MAX:
                lines.append(rest)
                rest = b""
            worker.partial[stream] = rest
            for line in lines:
                self._note(worker, stream, line)

    def _forget(self, pipe: IO[bytes]) -> None:
        self._selector.unregister(pipe)
        pipe.close()

    def _note(self, worker: _Worker, stream: str, line: bytes) -> None:
        if not (text := line.decode(errors="replace").rstrip()):
            return
        try:
            said = json.loads(text)
        except ValueError:
            said = None
        record = said if isinstance(said, dict) else {"stream": stream, "text": text}
        try:
            self._output.write(json.dumps({"worker": worker.name, **record}, ensure_ascii=False).encode() + b"\n")
            self._output.flush()
        except OSError:  # a full disk must not end the supervision
            self.lines_lost += 1


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
