"""Ctrl-C, a closed terminal or kill -9: a demo leaves no process and no folder, wherever it stood."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECONDS_MAX = 90.0
pytestmark = pytest.mark.kafka


class Demo:
    """`make run` as a terminal starts it: in a process group of its own, its output to read."""

    def __init__(self, folder: Path, *args: str) -> None:
        self.scratch = folder / "tmp"
        self.scratch.mkdir()
        self.said = folder / "said.txt"
        self.output = folder / "dump" / "output.jsonl"
        environment = {**os.environ, "TMPDIR": str(self.scratch)}
        argument = " ".join(("--clients 60", f"--dump {folder / 'dump'}", *args))
        with self.said.open("wb") as said:
            self.process = subprocess.Popen(
                ["make", "-s", "run", f"ARGS={argument}"],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # as a terminal has it
            )

    def processes(self) -> dict[int, str]:
        """Every living process that this demo started: they inherit its folder for scratch."""
        mark = f"TMPDIR={self.scratch}".encode()
        found = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    if mark in (entry / "environ").read_bytes().split(b"\0"):
                        found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()[:120]
                except OSError:
                    continue  # gone, or nobody's
        return {pid: command for pid, command in found.items() if command}

    def main(self) -> int:
        """The process of `hub demo` itself."""
        return next(pid for pid, command in self.processes().items() if "hub demo" in command)

    def wait_for(self, reached: Callable[[], object], what: str) -> None:
        """Until it is so; what the demo said if it is never so."""
        deadline = time.monotonic() + SECONDS_MAX
        while not reached():
            assert time.monotonic() < deadline, f"{what}: {self.said.read_text('utf-8')[-2000:]} {self.processes()}"
            time.sleep(0.05)

    def is_busy(self) -> bool:
        """Whether every worker has said that it started, so that all there is to leave behind is there."""
        return self.output.exists() and self.output.read_text("utf-8").count('"worker_started"') >= 4

    def assert_gone(self) -> None:
        """No process, no folder, no socket: nothing."""
        self.wait_for(lambda: not self.processes(), "processes are left")
        self.wait_for(lambda: not list(self.scratch.iterdir()), f"left: {list(self.scratch.iterdir())}")


@pytest.fixture
def demo(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Demo]:
    """A demo that ends with the test, whatever the test found."""
    started = Demo(tmp_path, *getattr(request, "param", ()))
    try:
        yield started
    finally:
        for pid in started.processes():
            os.kill(pid, signal.SIGKILL)
        started.process.wait(10)


@pytest.mark.parametrize("asked", [signal.SIGINT, pytest.param(signal.SIGHUP, marks=pytest.mark.chaos)])
def test_ctrl_c_in_the_middle_ends_everything_in_order(demo: Demo, asked: signal.Signals) -> None:
    """A terminal sends it to the whole process group: make, the demo, and whatever else is in the group."""
    demo.wait_for(demo.is_busy, "the hub did not start")
    assert any("java" in command for command in demo.processes().values())
    assert list(demo.scratch.glob("kraamzorg-keys-*")), "there is a folder with passwords to remove"
    os.killpg(demo.process.pid, asked)
    assert demo.process.wait(30) != 0
    demo.assert_gone()
    said = demo.said.read_text("utf-8")
    assert "Traceback" not in said, said
    assert '"worker_stopped"' in demo.output.read_text("utf-8"), "workers were asked to stop, not killed"


def test_impatience_changes_nothing(demo: Demo) -> None:
    """Ctrl-C again and again, as people press it."""
    demo.wait_for(lambda: list(demo.scratch.glob("kraamzorg-kafka-*")), "Kafka did not start")
    for _ in range(6):
        os.killpg(demo.process.pid, signal.SIGINT)
        time.sleep(0.15)
        if demo.process.poll() is not None:
            break
    demo.process.wait(30)
    demo.assert_gone()


def test_kill_9_of_the_demo_leaves_nothing_either(demo: Demo) -> None:
    """The guardian ends what was started and removes the folders, the one with the passwords among them."""
    demo.wait_for(demo.is_busy, "the hub did not start")
    assert list(demo.scratch.glob("kraamzorg-keys-*/*.json"))
    os.kill(demo.main(), signal.SIGKILL)
    demo.process.wait(30)
    demo.assert_gone()


@pytest.mark.chaos
@pytest.mark.parametrize("demo", [("--speed 1000",)], indirect=True)
def test_ctrl_c_while_the_page_is_looked_at_is_how_a_demo_ends(demo: Demo) -> None:
    """Its figures are told, the page is there, and the end is no failure."""
    demo.wait_for(lambda: "Ctrl-C ends everything" in demo.said.read_text("utf-8"), "the demo did not come to its end")
    os.killpg(demo.process.pid, signal.SIGINT)
    demo.process.wait(30)
    demo.assert_gone()
    said = demo.said.read_text("utf-8")
    assert "Traceback" not in said and "oracle" in said and "equal" in said
