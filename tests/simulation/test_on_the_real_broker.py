"""A seed's traffic through the same adapters on the real Kafka and Valkey, judged by the same invariants.

Here a worker can only stop politely or lose its partitions to another, since everything shares one process; real kills
are the rig's (tests/rig). What this shows: the seeds, the adapters and the checkers of the simulator are not made for
the simulated broker.
"""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator
from typing import Any
from unittest import mock

import pytest
from aiokafka import TopicPartition
from confluent_kafka.admin import NewTopic
from pydantic import SecretStr

from hub.contracts import catalogue
from hub.local.kafka import KafkaCluster
from hub.local.rest import wait_until_idle
from hub.local.valkey import Valkey
from hub.settings import Limits, Settings
from hub.streams import worker
from hub.streams.connection import Connection, read_to_end, reading
from hub.streams.producer import Publisher, Record
from hub.streams.reader import Reader
from tests.invariants import Topics, check_all
from tests.simulation.run import _hand_over, _row
from tests.simulation.schedule import draw
from tests.simulation.traffic import REFERENCE, Send, Tenants

pytestmark = pytest.mark.kafka
SENDS = 40
LIMITS = Limits(snapshot_interval_s=1.0)
"""Sessions as long as a deployment's: eight workers share this process, and a busy machine is no fault of theirs."""
WORKERS = ("intake", "intake", "region", "region", "duplicates", "delivery", "delivery", "read-model")


@pytest.fixture
def cluster() -> Iterator[KafkaCluster]:
    """A node whose topics have their real names."""
    with KafkaCluster() as running:
        topics = [
            NewTopic(topic.name, topic.partitions, 1, config=topic.config) for topic in catalogue.topics_for(REFERENCE)
        ]
        admin = running.admin()
        for made in admin.create_topics(topics).values():
            made.result()
        yield running


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.chaos) for seed in (2, 3, 4, 5))])
async def test_a_seed_holds_on_the_real_broker(cluster: KafkaCluster, valkey: Valkey, seed: int) -> None:
    """Workers stop and come back in the middle of the traffic; nothing is lost, nothing twice, the oracle agrees."""
    connection = Connection(cluster.bootstrap, cluster.admin_user, cluster.admin_password, limits=LIMITS)
    settings = Settings(redis_url=SecretStr(valkey.url("root")))
    chance = random.Random(f"real/{seed}")
    async with _crew(connection, settings) as crew, _tenants(connection) as plain:
        for sent in _traffic(seed):
            await _send(connection, plain, sent)
            if chance.random() < 0.1:
                await crew.replace_one(chance)
        await asyncio.to_thread(wait_until_idle, cluster.admin(), REFERENCE, settings.redis_url.get_secret_value())
    topics = await _everything(connection)
    assert check_all(topics, REFERENCE) == []
    assert len(topics[catalogue.REGION_FACTS]) > SENDS
    assert crew.replaced, "workers were to be replaced"


def _traffic(seed: int) -> Iterator[Send]:
    tenants = Tenants(random.Random(f"traffic/{draw(seed).seed}"), lambda tenant: [])
    yield from tenants.found()
    for _ in range(SENDS):
        yield tenants.one()


class _Crew:
    """Workers of all roles in this process."""

    def __init__(self, connection: Connection, settings: Settings) -> None:
        self._connection = connection
        self._settings = settings
        self._members: list[tuple[str, list[Reader], list[asyncio.Task[None]], asyncio.Event]] = []
        self.replaced = 0

    async def start(self, role: str) -> None:
        """One worker of a role."""
        with mock.patch.object(Connection, "of", lambda settings, principal: self._connection):
            jobs = list(worker.jobs_of(role, self._settings, REFERENCE))
        readers, ended = [Reader(job, self._connection, _die) for job in jobs], asyncio.Event()
        for one in readers:
            await one.start()
        tasks = [asyncio.ensure_future(one.run(_hand_over(one), ended.is_set)) for one in readers]
        self._members.append((role, readers, tasks, ended))

    async def replace_one(self, chance: random.Random) -> None:
        """A worker stops, another of its role starts."""
        member = self._members.pop(chance.randrange(len(self._members)))
        await _stop(member)
        await self.start(member[0])
        self.replaced += 1

    async def stop(self) -> None:
        """All of them."""
        for member in self._members:
            await _stop(member)


async def _stop(member: tuple[str, list[Reader], list["asyncio.Task[None]"], asyncio.Event]) -> None:
    _, readers, tasks, ended = member
    ended.set()
    for one in readers:
        await one.stop()
    await asyncio.gather(*tasks)


def _die(role: str, reason: str, problem: BaseException | None = None) -> Any:
    raise AssertionError(f"{role}: {reason}") from problem


@contextlib.asynccontextmanager
async def _crew(connection: Connection, settings: Settings) -> AsyncIterator[_Crew]:
    crew = _Crew(connection, settings)
    try:
        for role in WORKERS:
            await crew.start(role)
        yield crew
    finally:
        await crew.stop()


@contextlib.asynccontextmanager
async def _tenants(connection: Connection) -> AsyncIterator[Publisher]:
    """The producer of all tenants, but for their transactions."""
    publisher = Publisher(connection.producer())
    await connection.start(publisher.producer)
    try:
        yield publisher
    finally:
        await publisher.producer.stop()


async def _send(connection: Connection, plain: Publisher, sent: Send) -> None:
    target = TopicPartition(catalogue.inbox(sent.tenant), 0)
    records = [Record(b"key", value) for value in sent.values]
    if not sent.in_transaction:
        await plain.publish(target, records)
        return
    producer = connection.transactional_producer(f"{sent.tenant}.batches")
    await connection.start(producer)
    try:
        await producer.begin_transaction()
        await Publisher(producer).publish(target, records)
        await (producer.abort_transaction() if sent.taken_back else producer.commit_transaction())
    finally:
        await producer.stop()


async def _everything(connection: Connection) -> Topics:
    """What `hub dump` would write."""
    topics: dict[str, list[Any]] = {topic.name: [] for topic in catalogue.topics_for(REFERENCE)}
    async with reading(connection) as lone:
        places = {
            TopicPartition(topic.name, number): None
            for topic in catalogue.topics_for(REFERENCE)
            for number in range(topic.partitions)
        }
        async for record in read_to_end(lone, places):
            topics[record.topic].append(_row(record))
    return {name: sorted(rows, key=lambda row: (row.partition, row.offset)) for name, rows in topics.items()}
