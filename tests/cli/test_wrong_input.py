"""Whatever a command is given, it ends in a sentence of what was found and what to do, and never in a traceback."""

import json
import socket
from pathlib import Path

import pytest

from hub.__main__ import main
from hub.contracts import catalogue, tables
from hub.local.ports import free_ports
from hub.local.simulator import national, stories

_BYTES = b"\xff\xfe\x00"


def _ends(monkeypatch: pytest.MonkeyPatch, *words: str) -> object:
    monkeypatch.setattr("sys.argv", ["hub", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return ended.value.code


@pytest.mark.parametrize(
    ("command", "content", "told"),
    [
        ("topics plan FILE", b"[]", "FILE: tables: Expected `object`, got `array`; mend the file"),
        (
            "topics apply deploy/tables.json --credentials FILE",
            b"[]",
            "FILE holds no JSON object, expected {principal:",
        ),
        ("generation open deploy/tables.json --credentials FILE", b"{", "FILE holds no JSON object, expected"),
        ("validate FILE", _BYTES, "FILE is not UTF-8; save it as UTF-8"),
        ("validate FILE", b"", "/: found None, expected names with values"),
        ("whatif --plan FILE --from 2026-03-02", _BYTES, "FILE is not UTF-8"),
        ("prognosis import FILE --dry-run", _BYTES, "FILE is not UTF-8"),
        ("waitlist --url https://tool.example --tenant list --token-file FILE", _BYTES, "FILE is not UTF-8"),
        ("send FILE --tenant pkg-alfa", b"", "FILE holds no message, expected JSON"),
        ("audit statement FILE", _BYTES, "FILE:1: found no record"),
        ("allocate FILE", b"{}", "FILE is no scenario:\n/region: found nothing"),
        ("match evaluate FILE", _BYTES, "FILE is no UTF-8 text"),
        ("edge encode FILE --key-file FILE --out OUT", b"{}", "FILE is no key file: expected"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_what_was_expected(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    command: str,
    content: bytes,
    told: str,
) -> None:
    """Of other bytes, another shape, or nothing at all."""
    file, passwords = tmp_path / "file", tmp_path / "passwords.json"
    file.write_bytes(content)
    passwords.write_text('{"pkg-alfa": "x"}')
    monkeypatch.setenv("HUB_CREDENTIALS_FILE", str(passwords))
    assert _ends(monkeypatch, *command.replace("FILE", str(file)).split()) in (1, 2)
    assert told.replace("FILE", str(file)) in capsys.readouterr().err


@pytest.mark.parametrize(
    "command", ["topics plan PATH", "validate PATH", "audit statement PATH", "statements key PATH/none/key.pem"]
)
def test_a_path_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str
) -> None:
    """A folder where a file is wanted, or a folder that is not there."""
    assert _ends(monkeypatch, *command.replace("PATH", str(tmp_path)).split()) == 2
    assert f"hub: cannot use {tmp_path}" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told_with_the_setting_of_another(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The console on a machine where somebody else listens already."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("HUB_CONSOLE_PORT", str(taken.getsockname()[1]))
        assert _ends(monkeypatch, "run", "--role", "console") == 2
    told = capsys.readouterr().err
    assert "cannot listen: Address already in use" in told and "HUB_CONSOLE_PORT" in told


def test_a_nation_lives_for_some_days_at_least(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As few as the command takes are enough for its stories."""
    assert _ends(monkeypatch, "simulate", "--days", "10") == 2
    assert "11<=x<=120" in capsys.readouterr().err
    assert stories.script(national.build(7, 50, 11))


def test_the_console_runs_alone(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """It is no worker, and whoever asks for both hears what can be asked for."""
    assert _ends(monkeypatch, "run", "--role", "console", "--role", "intake") == 2
    assert "or `console` alone" in capsys.readouterr().err


def test_a_broker_that_is_away_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """By the command; its client tries twenty times a second and would say each time that nobody answers."""
    [port] = free_ports(1)
    passwords = tmp_path / "passwords.json"
    principals = [catalogue.ADMIN, *catalogue.principals(tables.load(Path("deploy/tables.json")))]
    passwords.write_text(json.dumps(dict.fromkeys(principals, "x")))
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{port}")
    monkeypatch.setattr("hub.local.provision.ANSWER_S", 1.0)
    assert _ends(monkeypatch, "topics", "apply", "deploy/tables.json", "--credentials", str(passwords)) == 1
    [line] = capfd.readouterr().err.splitlines()
    assert line.startswith(f"hub: Kafka at 127.0.0.1:{port} did not do what was asked")
