"""Settings come from the environment, and a missing password is said in words."""

from pathlib import Path

import pytest

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
