"""One real Kafka node for the tests of this folder; every test makes topics of its own."""

import uuid
from collections.abc import Iterator

import pytest
import redis

from hub.local.kafka import KafkaCluster
from hub.local.valkey import Valkey
from hub.settings import Limits
from hub.streams.connection import Connection

LIMITS = Limits(
    snapshot_interval_s=0.05,
    snapshot_share_max=0.5,
    acknowledge_interval_s=0.05,
    poll_records_max=500,
    session_timeout_ms=2000,
    heartbeat_interval_ms=500,
    request_timeout_ms=5000,
)


@pytest.fixture(scope="session")
def cluster() -> Iterator[KafkaCluster]:
    """A node of this folder's own: its tests write to topics by their real names."""
    with KafkaCluster() as running:
        yield running


@pytest.fixture
def connection(cluster: KafkaCluster) -> Connection:
    """The administrator's connection: these tests are about the machines, not about the locks."""
    return Connection(cluster.bootstrap, cluster.admin_user, cluster.admin_password, limits=LIMITS)


@pytest.fixture
def stem() -> str:
    """A prefix that no other test uses."""
    return f"t{uuid.uuid4().hex[:10]}"


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """A real Valkey, empty."""
    url = valkey.url("root")
    redis.Redis.from_url(url).flushall()
    return url
