"""Key custody: a file for the demo, a custodian for the field, and epochs that overlap and end."""

import threading
from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from hub.edge import (
    Custodian,
    CustodianClient,
    CustodianRefused,
    EdgeEncoder,
    FileKey,
    KeyFileError,
    PersonFields,
    UnknownEpoch,
)
from hub.edge.custodian_service import over_https, service
from hub.edge.oprf import points_of, question_bytes

ANNA = PersonFields(
    given_names="Anna", surname="de Vries", birth_date="1990-01-02", postcode="3512AB", house_number="1"
)


def client_of(custodian: Custodian, provider: str = "17000001", day: int = 1) -> CustodianClient:
    return CustodianClient(lambda epoch, points: custodian.evaluate(provider, day, epoch, points), custodian.checks())


def test_a_key_file_survives_the_disk_and_is_its_owners_alone(tmp_path: Path) -> None:
    """Mode 0600, and never overwritten: a lost key cannot be recovered."""
    key = FileKey.generate()
    key.save(tmp_path / "key.json")
    assert FileKey.from_file(tmp_path / "key.json") == key
    assert (tmp_path / "key.json").stat().st_mode & 0o077 == 0
    with pytest.raises(FileExistsError):
        FileKey.generate().save(tmp_path / "key.json")


@pytest.mark.parametrize(
    "body", ["", "[]", '{"epochs": {"1": "00"}}', '{"epochs": {"1": "%s"}}' % ("00" * 32), '{"epochs": {}}']
)
def test_a_missing_or_weak_key_is_refused(tmp_path: Path, body: str) -> None:
    """The message says what was found and what to do."""
    path = tmp_path / "key.json"
    with pytest.raises(KeyFileError, match="FileKey"):
        FileKey.from_file(path)
    path.write_text(body, encoding="utf-8")
    with pytest.raises(KeyFileError):
        FileKey.from_file(path)


def test_epochs_overlap_until_the_old_one_is_shredded() -> None:
    """In the overlap a record is encoded under both; afterwards the old epoch gives no token any more."""
    both = FileKey.generate().with_next_epoch()
    assert both.epochs() == (1, 2)
    assert EdgeEncoder(both).epoch == 2
    with pytest.raises(UnknownEpoch):
        EdgeEncoder(both.without_epoch(1), 1).encode(ANNA)


def test_two_providers_get_the_same_encoding_from_the_custodian() -> None:
    """Fresh blinding each time, one answer in the end."""
    custodian = Custodian.generate()
    first = EdgeEncoder(client_of(custodian, "17000001")).encode(ANNA)
    assert first == EdgeEncoder(client_of(custodian, "17000002")).encode(ANNA)
    assert first != EdgeEncoder(client_of(Custodian.generate())).encode(ANNA)


@pytest.mark.parametrize("scalar", [0, 1, 1 << 128, 1 << 256, -1])
def test_a_custodian_starts_with_no_number_that_nobody_drew(scalar: int) -> None:
    """With it anybody could make the hub's tokens."""
    with pytest.raises(KeyFileError, match="epoch 2 is no random number"):
        Custodian({2: scalar})


def test_the_custodian_never_sees_the_same_question_twice() -> None:
    """Blinded points are fresh, so it cannot even tell that one client is encoded again."""
    custodian = Custodian.generate()
    seen: list[bytes] = []

    def ask(epoch: int, points: Sequence[bytes]) -> list[bytes]:
        seen.extend(points)
        return custodian.evaluate("17000001", 1, epoch, points)

    client = CustodianClient(ask, custodian.checks())
    client.evaluate(1, [b"one value"])
    client.evaluate(1, [b"one value"])
    assert len(seen) == 4 == len(set(seen))


def test_a_custodian_that_uses_another_key_is_found_out() -> None:
    """Else it could mark one provider's records."""
    honest, other = Custodian.generate(), Custodian.generate()
    client = CustodianClient(lambda epoch, points: other.evaluate("p", 1, epoch, points), honest.checks())
    with pytest.raises(CustodianRefused, match="another key"):
        client.evaluate(1, [b"value"])


def test_a_provider_can_have_only_so_many_values_evaluated_a_day() -> None:
    """The bound on a dictionary attack with a leaked credential; the next day counts anew."""
    custodian = Custodian.generate(evaluations_max_per_day=10)
    client_of(custodian).evaluate(1, [b"%d" % n for n in range(9)])
    with pytest.raises(CustodianRefused, match="today"):
        client_of(custodian).evaluate(1, [b"one more"])
    client_of(custodian, "17000002").evaluate(1, [b"another provider"])
    client_of(custodian, day=2).evaluate(1, [b"another day"])


def test_a_shredded_epoch_answers_nobody() -> None:
    """After birth plus six weeks and the overlap, old tokens cannot be tested any more."""
    custodian = Custodian.generate()
    client = client_of(custodian)
    custodian.start_epoch()
    custodian.shred_epoch(1)
    with pytest.raises(UnknownEpoch):
        client.evaluate(1, [b"value"])


def test_bytes_that_are_no_point_are_refused() -> None:
    """Both sides check what the other sends."""
    with pytest.raises(CustodianRefused):
        Custodian.generate().evaluate("p", 1, 1, [b"\xff" * 32])
    with pytest.raises(CustodianRefused):
        points_of(b'{"points": ["00"]}')
    assert points_of(question_bytes([b"\x01" * 32])) == [b"\x01" * 32]


def test_the_service_knows_its_providers_by_a_hashed_token() -> None:
    """An unknown credential gets 401; an unknown epoch 404; a spent budget 429; a good question its answers."""
    custodian = Custodian.generate(evaluations_max_per_day=3)
    app = service(custodian, {"17000001": sha256(b"secret").hexdigest()}, lambda: date(2026, 1, 1))
    web = TestClient(app)
    mine = {"Authorization": "Bearer secret"}

    def ask(epoch: int, points: object) -> list[bytes]:
        answer = web.post(f"/v1/epochs/{epoch}/evaluate", content=question_bytes(points), headers=mine)  # type: ignore[arg-type]
        if answer.status_code != 200:
            raise CustodianRefused(answer.text)
        return points_of(answer.content)

    announced = web.get("/v1/epochs").json()["epochs"]
    assert [row["epoch"] for row in announced] == [1]
    assert (
        web.post("/v1/epochs/1/evaluate", content=b"{}", headers={"Authorization": "Bearer wrong"}).status_code == 401
    )
    assert web.post("/v1/epochs/7/evaluate", content=question_bytes([]), headers=mine).status_code == 404
    client = CustodianClient(ask, custodian.checks())
    assert client.evaluate(1, [b"value"]) == client_of(custodian, "other").evaluate(1, [b"value"])
    assert (
        web.post("/v1/epochs/1/evaluate", content=question_bytes([b"\x01" * 32] * 2), headers=mine).status_code == 429
    )


def test_the_program_in_the_custodians_guide_serves_its_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/for-trust-office.md, as it stands there: a number from a file, a provider's digest, and answers."""
    guide = (Path(__file__).resolve().parents[2] / "docs" / "for-trust-office.md").read_text("utf-8")
    program = guide.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    Path("epoch-1").write_text(str(12345 << 240), "utf-8")
    made: dict[str, Any] = {}
    exec(program, made)
    web = TestClient(made["app"])
    assert [row["epoch"] for row in web.get("/v1/epochs").json()["epochs"]] == [1]
    mine = {"Authorization": "Bearer the provider's token"}
    assert web.post("/v1/epochs/1/evaluate", content=question_bytes([]), headers=mine).status_code == 200


@pytest.mark.parametrize(
    "url",
    [
        "http://custodian.example",
        "http://localhost:x@evil.example/",
        "http://127.0.0.1:1@evil.example:80/",
        "http://localhost.evil.example:80/",
        "https://me:secret-word@custodian.example",
        "https://custodian.example:x",
        "https://",
        "ftp://localhost:21",
    ],
)
def test_a_custodian_is_asked_over_https_only(url: str) -> None:
    """A credential in the clear would be anybody's, and an address can look as if it led to this machine."""
    with pytest.raises(CustodianRefused, match="https") as told:
        over_https(url, "token")
    assert "secret-word" not in str(told.value)


def test_the_token_goes_to_the_custodian_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not along with a redirect, which is no answer of a custodian, and not through a proxy in the clear."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(self.path)
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(302)
            self.send_header("location", f"http://localhost:{server.server_port}/elsewhere")
            self.send_header("content-length", "0")
            self.end_headers()

        def do_GET(self) -> None:
            asked.append(f"{self.path} with {self.headers['authorization']}")
            self.send_error(404)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    try:
        with pytest.raises(CustodianRefused, match="answers 302"):
            over_https(f"http://127.0.0.1:{server.server_port}/", "token")(1, [b"\x01" * 32])
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert asked == ["/v1/epochs/1/evaluate"]
    with pytest.raises(CustodianRefused, match="no answer"):
        over_https(f"http://127.0.0.1:{server.server_port}", "token")(1, [b"\x01" * 32])


@pytest.mark.parametrize("body", [b"", b"[]", b'{"points": ["x"]}', b'{"points": ["00"]}', b"[" * 50_000], ids=range(5))
def test_a_body_that_holds_no_points_is_refused(body: bytes) -> None:
    """Whatever a stranger sends or answers."""
    with pytest.raises(CustodianRefused, match="expected"):
        points_of(body)
