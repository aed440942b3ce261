"""The lock in somebody else's registry: the same ids, or none."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from hub.connectors.registry_push import push
from hub.contracts.schemas import registry
from hub.errors import ContractError, UsageError, WorldUnavailable

ROWS = registry().rows


class Foreign:
    """A registry as strangers run one: counts ids by itself, or takes them in import mode."""

    def __init__(self, *, imports: bool, password: str | None = None) -> None:
        self.schemas: dict[int, str] = {}
        self.modes: dict[str, str] = {}
        self.elsewhere = ""
        foreign = self

        class Handler(BaseHTTPRequestHandler):
            def _answer(self, status: int, body: Any) -> None:
                data = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def _handle(self) -> None:
                length = int(self.headers.get("content-length") or 0)
                body = json.loads(self.rfile.read(length)) if length else {}
                if password is not None and self.headers.get("authorization") != password:
                    return self._answer(401, {"error_code": 401, "message": "who are you?"})
                if foreign.elsewhere:
                    self.send_response(302)
                    self.send_header("location", foreign.elsewhere)
                    self.end_headers()
                    return None
                _, kind, name, *_ = self.path.split("/")
                if kind == "schemas":
                    held = foreign.schemas.get(int(self.path.rsplit("/", 1)[1]))
                    return (
                        self._answer(404, {"error_code": 40403})
                        if held is None
                        else self._answer(200, {"schema": held})
                    )
                if kind == "mode":
                    if not imports:
                        return self._answer(405, {})
                    foreign.modes[name] = body["mode"]
                    return self._answer(200, body)
                given = body.get("id") if foreign.modes.get(name) == "IMPORT" else None
                number = given or len(foreign.schemas) + 1
                foreign.schemas[number] = body["schema"]
                return self._answer(200, {"id": number})

            do_GET = do_PUT = do_POST = _handle

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def foreign(request: pytest.FixtureRequest) -> Iterator[Foreign]:
    """Serves for one test."""
    made = Foreign(**request.param)
    thread = threading.Thread(target=made.server.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.mark.parametrize("foreign", [{"imports": False}, {"imports": True}], indirect=True)
def test_an_empty_registry_gets_every_schema_under_the_id_of_the_lock(foreign: Foreign) -> None:
    """Whether it lets us choose ids or counts by itself; a second time nothing is new."""
    assert push(registry(), foreign.url) == len(ROWS)
    assert {number: json.loads(text) for number, text in foreign.schemas.items()} == {
        row.id: row.schema for row in ROWS
    }
    assert push(registry(), foreign.url) == 0
    assert set(foreign.modes.values()) <= {"READWRITE"}


@pytest.mark.parametrize("foreign", [{"imports": False}], indirect=True)
def test_an_id_that_stands_for_something_else_there_ends_it(foreign: Foreign) -> None:
    """A reader would take one schema for another."""
    foreign.schemas[3] = '"string"'
    with pytest.raises(ContractError, match="id 3 stands for another schema"):
        push(registry(), foreign.url)
    foreign.schemas = {77: '"string"'}
    with pytest.raises(ContractError, match="got id 2 there, the lock says 1"):
        push(registry(), foreign.url)


@pytest.mark.parametrize("foreign", [{"imports": True, "password": "Basic YTpiOmM="}], indirect=True)
def test_a_registry_that_wants_to_know_who_we_are_is_told(foreign: Foreign) -> None:
    """By the user and password of the address, which no message repeats."""
    with pytest.raises(UsageError, match=r"refuses GET /schemas/ids/1 .401.: .*who are you"):
        push(registry(), foreign.url)
    assert push(registry(), foreign.url.replace("://", "://a:b%3Ac@")) == len(ROWS)


def test_nobody_there_is_said_without_the_password() -> None:
    """And what to look at."""
    with pytest.raises(WorldUnavailable, match=r"127.0.0.1 does not answer .*SCHEMA_REGISTRY_URL") as told:
        push(registry(), "http://me:secret-word@127.0.0.1:1/")
    assert "secret-word" not in str(told.value)
    with pytest.raises(UsageError, match="no http or https address"):
        push(registry(), "ftp://registry")


@pytest.mark.parametrize(
    "said", [b"SSH-2.0-OpenSSH_9.6\r\n", b"HTTP/1.0 200 OK\r\n\r\n{}", b"HTTP/1.0 200 OK\r\n\r\n[1]"]
)
def test_whoever_is_there_but_is_no_registry_is_told_apart(said: bytes) -> None:
    """Another service on that port, or another page of that site."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        answering = threading.Thread(target=_answer_once, args=(listener, said))
        answering.start()
        with pytest.raises(WorldUnavailable, match="does not answer as one"):
            push(registry(), f"http://127.0.0.1:{listener.getsockname()[1]}/")
        answering.join()


def _answer_once(listener: socket.socket, said: bytes) -> None:
    caller, _ = listener.accept()
    with caller:
        caller.recv(65_536)
        caller.sendall(said)


@pytest.mark.parametrize("host", ["registry.example", "10.0.0.1", "127.0.0.1.registry.example"])
def test_a_login_leaves_this_machine_over_https_only(host: str) -> None:
    """Refused before anything is sent; the message repeats no word of it. Without a login there is nothing to read."""
    with pytest.raises(UsageError, match=r"expected https \(http on loopback only\)") as told:
        push(registry(), f"http://me:secret-word@{host}:8081/")
    assert "secret-word" not in str(told.value) and host in str(told.value)
    with pytest.raises(WorldUnavailable):
        push(registry(), "http://registry.invalid:8081/")


@pytest.mark.parametrize("foreign", [{"imports": True}], indirect=True)
def test_a_login_is_not_taken_along_to_wherever_a_registry_points(foreign: Foreign) -> None:
    """A redirect is no answer of a registry."""
    foreign.elsewhere = foreign.url + "/schemas/ids/1"
    with pytest.raises(UsageError, match=r"refuses GET /schemas/ids/1 .302."):
        push(registry(), foreign.url.replace("://", "://a:b@"))


@pytest.mark.parametrize("foreign", [{"imports": True}], indirect=True)
def test_a_registry_on_this_machine_is_spoken_to_without_a_proxy(
    foreign: Foreign, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be handed the login in the clear."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert push(registry(), foreign.url) == len(ROWS)
