"""Settings come from the environment, and a missing password is said in words."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.__main__ import app, main
from hub.errors import UsageError
from hub.settings import Settings


def test_addresses_keep_the_names_that_deployments_use(monkeypatch: pytest.MonkeyPatch) -> None:
    """And our own settings nest with two underscores."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "broker:9092")
    monkeypatch.setenv("REDIS_URL", "redis://cache:6379/1")
    monkeypatch.setenv("HUB_LIMITS__SNAPSHOT_INTERVAL_S", "1.5")
    settings = Settings()
    assert settings.bootstrap_servers == "broker:9092"
    assert settings.redis_url.get_secret_value() == "redis://cache:6379/1"
    assert settings.limits.snapshot_interval_s == 1.5


def test_what_is_set_is_shown_by_the_names_that_set_it_and_no_secret_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks for a mistake sees where an address leads and that a key is there."""
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "broker:9092")
    monkeypatch.setenv("REDIS_URL", "rediss://console:hunter2@cache:6379/1")
    monkeypatch.setenv("SCHEMA_REGISTRY_URL", "https://me:hunter2@registry")
    monkeypatch.setenv("HUB_LOG_KEY", "hunter2")
    monkeypatch.setenv("HUB_LIMITS__SNAPSHOT_INTERVAL_S", "1.5")
    monkeypatch.setenv("HUB_CONSOLE_WORKERS", '{"intake": "http://intake:8081"}')
    run = CliRunner().invoke(app, ["config", "show", "--json"])
    told = json.loads(run.stdout)
    assert told["KAFKA_BOOTSTRAP_SERVERS"] == "broker:9092"
    assert told["REDIS_URL"] == "rediss://console:***@cache:6379/1"
    assert told["SCHEMA_REGISTRY_URL"] == "https://me:***@registry"
    assert (told["HUB_LOG_KEY"], told["HUB_CA_FILE"]) == ("***", None)
    assert told["HUB_LIMITS__SNAPSHOT_INTERVAL_S"] == 1.5
    assert told["HUB_CONSOLE_WORKERS"] == {"intake": "http://intake:8081"}
    assert "hunter2" not in run.stdout


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("HUB_HEALTH_PORT", "-1", "HUB_HEALTH_PORT: input should be greater than or equal to 0, found '-1'"),
        ("HUB_LIMITS__STALL_S", "soon", "HUB_LIMITS__STALL_S: input should be a valid number.*found 'soon'"),
        ("HUB_SECURITY_PROTOCOL", "PLAINTEXT", "HUB_SECURITY_PROTOCOL: input should be 'SASL_PLAINTEXT' or 'SASL_SSL'"),
        ("HUB_CONSOLE_PORT", "99999", "HUB_CONSOLE_PORT: input should be less than or equal to 65535"),
        ("HUB_CONSOLE_WORKERS", "{", "workers.*expected JSON"),
        ("HUB_CA_FILE", "nofile", "HUB_CA_FILE: path does not point to a file, found .nofile"),
    ],
)
def test_a_setting_that_cannot_be_is_named_by_its_variable(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], variable: str, value: str, told: str
) -> None:
    """Found, expected, and no traceback."""
    monkeypatch.setenv(variable, value)
    monkeypatch.setattr("sys.argv", ["hub", "config", "show"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert re.search(told, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("content", "told"),
    [(None, "is not set"), ("{", "cannot read credentials"), ('{"other": "x"}', "holds no password for principal")],
)
def test_a_missing_password_is_named_by_file_and_principal(tmp_path: Path, content: str | None, told: str) -> None:
    """The message says what to do, and never shows a password."""
    file = tmp_path / "credentials.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=told):
        Settings(credentials_file=file if content is not None else None).password("hub-region")
