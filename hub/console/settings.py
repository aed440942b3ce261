"""Addresses and limits of the console, read from the environment: `HUB_CONSOLE_*` and `REDIS_URL`."""

from typing import Final

from pydantic import AliasChoices, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

FOLLOWERS_MAX: Final = 100
"""Open pages at once; each holds one connection to Redis."""
FOLLOW_WAIT_S: Final = 5
"""How long one look at the stream waits for news; then health is looked at, and a comment keeps the line alive."""
GATHER_S: Final = 0.3
"""How long changes are gathered before they are sent: a person reads no faster, and a busy day sends one part once."""
REDIS_TIMEOUT_S: Final = FOLLOW_WAIT_S + 5
HEALTH_INTERVAL_S: Final = 3
HEALTH_TIMEOUT_S: Final = 1.0
SHUTDOWN_S: Final = 2


class ConsoleSettings(BaseSettings):
    """What the console may be told from outside."""

    model_config = SettingsConfigDict(env_prefix="HUB_CONSOLE_", frozen=True, populate_by_name=True, extra="ignore")

    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"), validation_alias=AliasChoices("REDIS_URL", "redis_url")
    )
    host: str = "127.0.0.1"
    """Address to listen on. The console knows no users: whatever lets others reach it must also let them in."""
    port: int = Field(default=0, ge=0, le=65535)
    """0 takes a free port."""
    allowed_hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    """Names by which the console may be addressed. Others are refused: a foreign page could rebind its own to here."""
    workers: dict[str, str] = Field(default_factory=dict)
    """Name → base URL of each worker whose /readyz and /metrics are watched."""
