"""Limits and addresses of one process, read from the environment: `HUB_*`, nested with `__`.

Three addresses carry the names that every deployment already uses: `KAFKA_BOOTSTRAP_SERVERS`, `REDIS_URL` and
`SCHEMA_REGISTRY_URL`. A setting that nobody changes does not belong here.
"""

import json
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, FilePath, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from hub.errors import UsageError


class Limits(BaseModel):
    """Bounds of the two machines, each with its unit in its name."""

    model_config = ConfigDict(frozen=True)

    poll_records_max: int = Field(default=2000, ge=1)
    """Records that one poll hands to a fold or a relay."""
    snapshot_interval_s: float = Field(default=3.0, gt=0)
    """Least time between two snapshots of one partition to which records keep coming."""
    snapshot_share_max: float = Field(default=0.05, gt=0, le=1)
    """Largest part of the time that snapshots may take."""
    acknowledge_interval_s: float = Field(default=0.5, gt=0)
    """How long a relay may leave what it copied unacknowledged; it bounds the repeats after a crash."""
    session_timeout_ms: int = Field(default=6_000, ge=1000)
    """How long a worker may be silent before its partitions go to another: what a kill costs. A broker that was told
    nothing (group.min.session.timeout.ms) refuses less than 6 s."""
    heartbeat_interval_ms: int = Field(default=500, ge=100)
    """How often a worker tells its group that it lives, and hears that partitions are to move."""
    request_timeout_ms: int = Field(default=15_000, ge=1000)
    """How long one request to Kafka may take; a topic that does not exist shows after this time."""
    revocation_wait_s: float = Field(default=4.0, gt=0)
    """How long a rebalance waits for the batch in hand."""
    load_timeout_s: float = Field(default=60.0, gt=0)
    """How long the load of a snapshot may take before the worker gives up."""
    hang_s: float = Field(default=30.0, gt=0)
    """How long the event loop may be stuck before the watchdog ends the process."""
    stall_s: float = Field(default=90.0, gt=0)
    """How long there may be a backlog without progress before the watchdog ends the process."""


class Settings(BaseSettings):
    """Everything that one process of the hub may be told from outside."""

    model_config = SettingsConfigDict(
        env_prefix="HUB_", env_nested_delimiter="__", frozen=True, populate_by_name=True, extra="ignore"
    )

    bootstrap_servers: str = Field(
        default="127.0.0.1:9092", validation_alias=AliasChoices("KAFKA_BOOTSTRAP_SERVERS", "bootstrap_servers")
    )
    redis_url: SecretStr = Field(
        default=SecretStr("redis://127.0.0.1:6379/0"), validation_alias=AliasChoices("REDIS_URL", "redis_url")
    )
    schema_registry_url: str | None = Field(
        default=None, validation_alias=AliasChoices("SCHEMA_REGISTRY_URL", "schema_registry_url")
    )
    security_protocol: Literal["SASL_PLAINTEXT", "SASL_SSL"] = "SASL_PLAINTEXT"
    """SASL_PLAINTEXT on loopback only; anything that leaves the machine uses SASL_SSL."""
    ca_file: FilePath | None = None
    """Certificate authority of the brokers, for SASL_SSL."""
    credentials_file: Path | None = None
    """JSON object {principal: password}, readable by this process alone."""
    webhooks_file: Path | None = None
    """JSON list of receivers of alerts (hub/connectors/webhooks.py); it holds secrets, so for this process alone."""
    signing_key_file: Path | None = None
    """Ed25519 key of `hub statements key` (PEM) that signs each month's root; for the role `signing` alone."""
    instance: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._-]{1,100}$")
    """Name of this process among those of its roles, the same after a restart and nobody else's: with it, a worker that
    was killed goes on with its partitions as soon as it is back; without one they wait for the end of its session."""
    health_port: int | None = Field(default=None, ge=0, le=65535)
    """Port of /livez, /readyz and /metrics; 0 takes a free one, none leaves them off."""
    health_host: str = "127.0.0.1"
    """Address of that port. They name no client, but another address belongs on a network of the hub's own."""
    log_key: SecretStr | None = None
    """Key under which ids are hashed in logs. Without one, hashes are comparable within one process only."""
    limits: Limits = Limits()

    def password(self, principal: str) -> str:
        """The password of one principal; UsageError names the file and the principal, never a password."""
        if self.credentials_file is None:
            raise UsageError(
                f"no password for principal {principal!r}: HUB_CREDENTIALS_FILE is not set. "
                "Point it at a JSON file {principal: password}."
            )
        try:
            held = json.loads(self.credentials_file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            raise UsageError(
                f"cannot read credentials from {self.credentials_file}: {type(problem).__name__}. "
                "Expected a JSON file {principal: password}."
            ) from None
        if not isinstance(held, dict) or not isinstance(held.get(principal), str):
            raise UsageError(f"{self.credentials_file} holds no password for principal {principal!r}. Add one.")
        return str(held[principal])
