"""Workers are judged by what they answer, and by whether they answer at all."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from hub.console.board import Worker, WorkerState
from hub.console.health import Health

METRICS = (
    "# TYPE hub_consumer_lag gauge\n"
    'hub_consumer_lag{role="region",topic="region-log",partition="0"} 7.0\n'
    'hub_consumer_lag{role="region",topic="region-log",partition="1"} 5.0\n'
    "# TYPE hub_stopped_regions gauge\n"
    'hub_stopped_regions{role="region",partition="0"} 1.0\n'
)


@contextmanager
def worker_that_answers(status: int) -> Iterator[str]:
    """A worker's health port on loopback."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = (METRICS if self.path == "/metrics" else "{}").encode()
            self.send_response(200 if self.path == "/metrics" else status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()


@pytest.mark.parametrize(("status", "state"), [(200, WorkerState.RUNNING), (503, WorkerState.NOT_READY)])
async def test_a_worker_is_what_its_readiness_says_with_its_lag_and_stops(status: int, state: WorkerState) -> None:
    """The lag of all its partitions is added up."""
    with worker_that_answers(status) as url:
        health = Health({"region": url})
        await health.look()
    assert health.workers == (Worker(name="region", state=state, behind=12, stopped_regions=1),)


async def test_a_worker_that_does_not_answer_is_said_not_to_answer(unused_tcp_port: int) -> None:
    """A dead worker cannot report its death."""
    health = Health({"intake": f"http://127.0.0.1:{unused_tcp_port}", "odd": "file:///etc/hosts"})
    await health.look()
    assert [worker.state for worker in health.workers] == [WorkerState.SILENT, WorkerState.SILENT]
