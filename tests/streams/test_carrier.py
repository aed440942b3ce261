"""The carrier on a real Kafka: every event folded once, whatever happens to the process."""

import asyncio
import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord
from confluent_kafka.admin import NewTopic
from prometheus_client import REGISTRY

from hub.bench import counting
from hub.bench.counting import log_record
from hub.contracts.codec import decode
from hub.errors import PartitionCountChanged, WorldUnavailable
from hub.local.kafka import KafkaCluster
from hub.streams import carrier
from hub.streams.carrier import REWRITTEN_MS, Part, position_of
from hub.streams.connection import Connection, read_to_end, reading
from hub.streams.crash import EXIT_CRASH_POINT, CrashPoint
from hub.streams.producer import Publisher, Record, refuse_more
from tests.contracts.world import REFERENCE
from tests.streams.counting_worker import counting_reader, fold_everything

pytestmark = pytest.mark.kafka
PARTITIONS = 2
KEYS = 100


@pytest.fixture
def topics(cluster: KafkaCluster, stem: str) -> str:
    create(cluster, stem, PARTITIONS)
    return stem


def create(cluster: KafkaCluster, stem: str, partitions: int) -> None:
    admin = cluster.admin()
    made = admin.create_topics([NewTopic(f"{stem}.{name}", partitions, 1) for name in ("log", "facts", "snapshots")])
    for outcome in made.values():
        outcome.result()


async def write_log(connection: Connection, stem: str, numbers: range) -> None:
    publisher = Publisher(connection.producer())
    await connection.start(publisher.producer)
    await publisher.publish_all(
        {
            TopicPartition(f"{stem}.log", partition): [log_record(n, KEYS, f"KSV-0{partition + 1}") for n in numbers]
            for partition in range(PARTITIONS)
        }
    )
    await publisher.producer.stop()


async def read_all(connection: Connection, topic: str) -> list[ConsumerRecord]:
    async with reading(connection) as lone:
        return [r async for r in read_to_end(lone, {TopicPartition(topic, p): None for p in range(PARTITIONS)})]


def kept_by_a_reader(facts: list[ConsumerRecord]) -> Iterator[tuple[int, str, int]]:
    """What a reader keeps that drops whatever is not beyond the region's last position; repeats must be equal bytes."""
    last: dict[bytes, tuple[int, int]] = {}
    seen: dict[tuple[bytes, tuple[int, int]], bytes] = {}
    for fact in facts:
        position = position_of(fact.headers)
        assert seen.setdefault((fact.key, position), fact.value) == fact.value
        if position > last.get(fact.key, (-1, -1)):
            last[fact.key] = position
            receipt = decode(fact.value)
            yield fact.partition, receipt.record_id, receipt.version


def expected(events: int) -> set[tuple[int, str, int]]:
    return {(p, counting.record_id(n % KEYS), n // KEYS + 1) for p in range(PARTITIONS) for n in range(events)}


async def assert_folded_once(connection: Connection, stem: str, events: int) -> None:
    kept = list(kept_by_a_reader(await read_all(connection, f"{stem}.facts")))
    assert len(kept) == len(set(kept)) == PARTITIONS * events
    assert set(kept) == expected(events)


async def test_a_restart_goes_on_where_the_snapshot_stands(connection: Connection, topics: str) -> None:
    """Two sessions give what one would have given, and nothing is published twice in an orderly life."""
    for numbers in (range(1000), range(1000, 1500)):
        await write_log(connection, topics, numbers)
        await fold_everything(counting_reader(topics, connection))
    await assert_folded_once(connection, topics, 1500)
    assert len(await read_all(connection, f"{topics}.facts")) == PARTITIONS * 1500


async def test_parts_that_nothing_changes_are_written_again_before_they_expire(
    connection: Connection, topics: str
) -> None:
    """The broker deletes what stands for too long, whether it is the newest or not."""
    snapshots = f"{topics}.snapshots"
    await write_log(connection, topics, range(1000))
    await fold_everything(counting_reader(topics, connection))
    kept = {(r.partition, r.key): r for r in await read_all(connection, snapshots)}
    publisher = Publisher(connection.producer())
    await connection.start(publisher.producer)
    for (partition, key), r in kept.items():
        aged = r.timestamp - (0 if key.endswith(b"/marker") else REWRITTEN_MS + 60_000)
        await publisher.publish(TopicPartition(snapshots, partition), [Record(key, r.value, (), aged)])
    await publisher.producer.stop()
    await write_log(connection, topics, range(1000, 1001))
    await fold_everything(counting_reader(topics, connection))
    now = {(r.partition, r.key): r for r in await read_all(connection, snapshots)}
    assert len(kept) > 4 * PARTITIONS
    assert min(now[place].timestamp for place in kept) > max(r.timestamp for r in kept.values())
    await assert_folded_once(connection, topics, 1001)


async def test_without_a_snapshot_the_facts_are_read_backwards_until_each_region_has_appeared(
    connection: Connection, topics: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All that was ever published would not be read in the time that a load may take, at any of its starts."""
    monkeypatch.setattr(carrier, "TAIL_FIRST", 10)
    read: Counter[int] = Counter()

    async def counted(*asked: Any) -> AsyncIterator[ConsumerRecord]:
        async for record in read_to_end(*asked):
            read[record.partition] += 1
            yield record

    monkeypatch.setattr(carrier, "read_to_end", counted)
    publisher = Publisher(connection.producer())
    await connection.start(publisher.producer)
    for partition, first in ((0, b"NL"), (1, b"KSV-02")):  # of NL nothing but its first fact
        keys = [first, *[b"KSV-0%d" % (partition + 1)] * 499]
        facts = [Record(key, b"", [("ce_hubpos", b"%d/%d/0" % (partition, n))]) for n, key in enumerate(keys)]
        await publisher.publish(TopicPartition(f"{topics}.facts", partition), facts)
    await publisher.producer.stop()
    fold = counting.fold(f"{topics}.log", f"{topics}.facts", f"{topics}.snapshots")
    parts = [
        Part(fold, fold.machine(REFERENCE, n), TopicPartition(fold.log_topic, n), connection, topics)
        for n in range(PARTITIONS)
    ]
    async with reading(connection) as lone:
        await carrier._load_published(lone, parts)
    assert [part.machine.published for part in parts] == [{"NL": (0, 0), "KSV-01": (499, 0)}, {"KSV-02": (499, 0)}]
    assert [part.machine.facts_offset for part in parts] == [500, 500]
    assert read == {0: 10 + 100 + 500, 1: 10}


@pytest.mark.parametrize("point", [*list(CrashPoint)[:4], CrashPoint.DURING_LOAD])
async def test_a_death_at_the_worst_moment_loses_nothing_and_doubles_nothing(
    connection: Connection, topics: str, point: CrashPoint
) -> None:
    """Killed at its second passage of each point, then started again."""
    await write_log(connection, topics, range(2000))
    nth = 1 if point is CrashPoint.DURING_LOAD else 2
    died = await in_a_process(connection, topics, {"HUB_CRASH_AT": f"{point}@{nth}"})
    assert died == EXIT_CRASH_POINT
    assert await in_a_process(connection, topics, {}) == 0
    await assert_folded_once(connection, topics, 2000)


async def test_a_worker_with_a_name_goes_on_when_it_is_back(connection: Connection, topics: str) -> None:
    """Its former self may be in the group for ten more minutes, and holds nothing back."""
    await write_log(connection, topics, range(2000))
    died = await in_a_process(connection, topics, {"HUB_CRASH_AT": f"{CrashPoint.AFTER_PUBLISH}@2"}, "region-1")
    assert died == EXIT_CRASH_POINT
    assert await in_a_process(connection, topics, {}, "region-1") == 0
    await assert_folded_once(connection, topics, 2000)


async def test_partitions_that_move_between_workers_are_folded_once(connection: Connection, topics: str) -> None:
    """A second worker joins in the middle, and the first leaves."""
    await write_log(connection, topics, range(3000))
    first, second = counting_reader(topics, connection), counting_reader(topics, connection)
    leaving = asyncio.create_task(fold_everything(first))
    while first.handled < 500:  # noqa: ASYNC110  # a counter has no event
        await asyncio.sleep(0.01)
    await asyncio.gather(leaving, fold_everything(second))
    await fold_everything(counting_reader(topics, connection))
    await assert_folded_once(connection, topics, 3000)


async def test_what_a_worker_measured_of_a_partition_goes_with_it(connection: Connection, topics: str) -> None:
    """Else it would tell for ever of a lag, or of a stopped region, that are another worker's by now."""
    await write_log(connection, topics, range(10))
    await fold_everything(counting_reader(topics, connection))
    told = {
        (metric.name, sample.labels.get("topic"))
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.labels.get("role") == "counting"
    }
    assert not {("hub_consumer_lag", f"{topics}.log"), ("hub_stopped_regions", None)} & told


async def test_a_changed_partition_count_is_refused(cluster: KafkaCluster, connection: Connection, stem: str) -> None:
    """A region would stand on another partition than its history."""
    create(cluster, stem, PARTITIONS + 1)
    reader = counting_reader(stem, connection)
    with pytest.raises(PartitionCountChanged, match="has 3 partitions, the tables say 2"):
        await reader.start()
    await reader.job.close()


def test_a_partition_that_came_while_we_run_is_refused() -> None:
    """The check at the start cannot see it; the assignment that follows from it can."""
    known = [TopicPartition("region-log", 0), TopicPartition("region-log", 1), TopicPartition("inbox.pkg-a", 5)]
    refuse_more(known, {"region-log": 2})
    with pytest.raises(PartitionCountChanged, match="region-log has 3 partitions, the tables say 2"):
        refuse_more([*known, TopicPartition("region-log", 2)], {"region-log": 2})


async def test_a_wrong_password_is_called_by_its_name(cluster: KafkaCluster, connection: Connection) -> None:
    """The client library says only that it cannot bootstrap."""
    wrong = Connection(connection.bootstrap_servers, "admin", "not-the-password", limits=connection.limits)
    with pytest.raises(WorldUnavailable, match="refused the password of principal 'admin'"):
        async with reading(wrong):
            pass


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nobody.invalid", "[::1]:1"])
async def test_nobody_listening_is_called_by_its_name(address: str) -> None:
    """And is not mistaken for a wrong password; a port that nobody gave is Kafka's own."""
    nobody = Connection(address, "admin", "x")
    with pytest.raises(WorldUnavailable, match="does not answer"):
        async with reading(nobody):
            pass


async def in_a_process(connection: Connection, stem: str, environment: dict[str, str], *instance: str) -> int:
    worker = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.streams.counting_worker",
        stem,
        connection.bootstrap_servers,
        connection.principal,
        connection.password,
        *instance,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return await asyncio.wait_for(worker.wait(), 60)


async def test_a_slow_snapshot_makes_the_next_one_wait_only_while_there_is_work() -> None:
    """Its share of the time is bounded for the sake of what waits to be folded, and at rest nothing does."""
    part = Part(
        counting.fold("log", "facts", "snapshots"),
        counting.fold("log", "facts", "snapshots").machine(REFERENCE, 0),
        TopicPartition("log", 0),
        Connection("127.0.0.1:1", "nobody", "secret"),
        "group",
    )
    part.machine.next = 5
    part._folded_s, part._rested_s, part._next_snapshot_s = 100.0, 101.5, 140.0
    assert [part.is_due(now) for now in (100.5, 101.4, 101.5, 139.0)] == [False, False, True, True]
    part._folded_s = 138.5
    assert [part.is_due(now) for now in (139.0, 139.6, 140.0)] == [False, True, True]
    part.machine.next = 0
    assert not part.is_due(1000.0)
