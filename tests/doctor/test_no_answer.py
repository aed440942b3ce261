"""What does not answer, or not in its language, is a finding like any other: the looks behind it go on."""

import socket
import threading
from collections.abc import Iterator

import pytest

from hub.doctor.findings import Finding, Kind
from hub.doctor.judge import WorkerSeen
from hub.doctor.look import Stack, _ask, _Doctor


def test_a_look_that_gets_no_answer_in_time_says_so() -> None:
    """A broker may take a request and never answer it."""

    def too_slow() -> Iterator[Finding]:
        raise TimeoutError

    doctor = _Doctor(Stack("127.0.0.1:1", "admin", "x"), lambda: 0.0)
    [finding] = doctor._guarded("topics", too_slow)
    assert (finding.kind, finding.what) == (Kind.NOT_ALLOWED_TO_LOOK, "topics: no answer in time")


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH_9.2\r\n\r\n"])
def test_a_port_on_which_something_else_listens_is_a_worker_that_says_nothing(said: bytes) -> None:
    """It answers, but not in HTTP."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            taken, _ = listener.accept()
            with taken:
                taken.recv(1000)
                taken.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        assert _ask(f"http://127.0.0.1:{listener.getsockname()[1]}") == WorkerSeen(0)
        thread.join()
