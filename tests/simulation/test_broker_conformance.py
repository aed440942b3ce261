"""The simulated broker behaves as the real one, wherever the hub relies on it: every step here runs against both.

What the hub leans on is written as a test of its own; whoever makes an adapter lean on more adds a step.
"""

import asyncio
import json
import random
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import redis
from aiokafka import ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalOperation, ProducerFenced
from confluent_kafka.admin import NewTopic

from hub.contracts.catalogue import FOREVER_MS, Topic
from hub.local.kafka import KafkaCluster
from hub.local.valkey import Valkey
from hub.settings import Limits
from hub.streams.connection import Connection, read_to_end, reading
from hub.streams.producer import Publisher, Record
from hub.streams.read_model import _SCRIPT
from tests.simulation.broker import Broker
from tests.simulation.clients import SimulatedConnection
from tests.simulation.process import Process, Weather
from tests.simulation.redis import RedisServer

LIMITS = Limits(session_timeout_ms=1000, heartbeat_interval_ms=200, revocation_wait_s=0.5, request_timeout_ms=5000)
Script = Callable[[list[str]], list[int]]


@dataclass
class World:
    """One broker with two topics of two partitions: `log`, and `times`, which has the broker's time."""

    connect: Callable[[], Connection]
    stem: str
    producers: list[Any] = field(default_factory=list)
    consumers: list[Any] = field(default_factory=list)

    def at(self, partition: int = 0, topic: str = "log") -> TopicPartition:
        """A partition of this test's own topics."""
        return TopicPartition(f"{self.stem}.{topic}", partition)

    async def producer(self, transactional_id: str | None = None) -> Any:
        """A started producer."""
        connection = self.connect()
        made = (
            connection.producer()
            if transactional_id is None
            else connection.transactional_producer(f"{self.stem}.{transactional_id}")
        )
        await connection.start(made)
        self.producers.append(made)
        return made

    async def member(
        self,
        listener: Any = None,
        instance: str | None = None,
        topics: Sequence[str] = ("log",),
        session_ms: int = LIMITS.session_timeout_ms,
    ) -> Any:
        """A started member of this test's group."""
        limits = LIMITS.model_copy(update={"session_timeout_ms": session_ms})
        connection = replace(self.connect(), instance=instance, limits=limits)
        taken = [self.at(topic=name).topic for name in topics]
        made = connection.group_consumer(f"{self.stem}.group", taken)
        made.subscribe(taken, listener=listener)
        await connection.start(made)
        self.consumers.append(made)
        return made

    async def read(self, target: TopicPartition) -> list[tuple[int, bytes]]:
        """Offset and value of everything that a reader of committed records sees."""
        async with reading(self.connect()) as lone:
            return [(r.offset, r.value) async for r in read_to_end(lone, {target: None})]

    async def end(self, target: TopicPartition) -> int:
        """Where the partition ends for a reader of committed records."""
        async with reading(self.connect()) as lone:
            return int((await lone.end_offsets([target]))[target])


@pytest.fixture(params=["simulated", pytest.param("kafka", marks=pytest.mark.kafka)])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    stem = f"c{secrets.token_hex(4)}"
    if request.param == "kafka":
        cluster: KafkaCluster = request.getfixturevalue("kafka")
        admin = cluster.admin()
        times = NewTopic(f"{stem}.times", 2, 1, config={"message.timestamp.type": "LogAppendTime"})
        for made in admin.create_topics([NewTopic(f"{stem}.log", 2, 1), times]).values():
            made.result()
        real = Connection(cluster.bootstrap, cluster.admin_user, cluster.admin_password, limits=LIMITS)
        world = World(lambda: real, stem)
    else:
        broker = Broker([_topic(f"{stem}.log", append_time=False), _topic(f"{stem}.times", append_time=True)])
        weather = Weather(random.Random(1), calm=True)

        def connect() -> Connection:
            process = Process("p", weather, lambda _: None)
            return SimulatedConnection("simulated:0", "p", "", limits=LIMITS, broker=broker, process=process)

        world = World(connect, stem)
    yield world
    for client in (*world.consumers, *world.producers):
        await client.stop()


async def test_what_is_aborted_is_never_seen_and_leaves_a_gap(world: World) -> None:
    """A reader cannot count on offsets that follow each other."""
    producer, target = await world.producer("t"), world.at()
    for value, committed in ((b"a", True), (b"b", False), (b"c", True)):
        await producer.begin_transaction()
        await Publisher(producer).publish(target, [Record(b"k", value)])
        await (producer.commit_transaction() if committed else producer.abort_transaction())
    assert await world.read(target) == [(0, b"a"), (4, b"c")], "each transaction takes one offset more, for its marker"
    assert await world.end(target) == 6


async def test_an_open_transaction_holds_up_every_reader_behind_it(world: World) -> None:
    """The end for a reader is where the first open transaction begins."""
    hanging, plain, target = await world.producer("t"), await world.producer(), world.at()
    await Publisher(plain).publish(target, [Record(b"k", b"before")])
    await hanging.begin_transaction()
    await Publisher(hanging).publish(target, [Record(b"k", b"hangs")])
    await Publisher(plain).publish(target, [Record(b"k", b"behind")])
    assert await world.end(target) == 1
    assert await world.read(target) == [(0, b"before")]
    await hanging.commit_transaction()
    assert [value for _, value in await world.read(target)] == [b"before", b"hangs", b"behind"]


async def test_a_successor_shuts_out_whom_it_replaces_and_aborts_what_hung(world: World) -> None:
    """The same transactional id again: a new epoch."""
    first, target = await world.producer("t"), world.at()
    await first.begin_transaction()
    await Publisher(first).publish(target, [Record(b"k", b"hangs")])
    second = await world.producer("t")
    await second.begin_transaction()
    await Publisher(second).publish(target, [Record(b"k", b"new")])
    await second.commit_transaction()
    assert [value for _, value in await world.read(target)] == [b"new"]
    with pytest.raises(ProducerFenced):
        await first.commit_transaction()


async def test_a_fenced_producer_writes_nothing_more(world: World) -> None:
    """Not even the first record of its next transaction."""
    first, target = await world.producer("t"), world.at()
    await world.producer("t")
    with pytest.raises(ProducerFenced):
        await first.begin_transaction()
        await Publisher(first).publish(target, [Record(b"k", b"late")])
    assert await world.read(target) == []


async def test_offsets_of_a_transaction_count_with_its_commit_only(world: World) -> None:
    """Snapshot and position become visible together or not at all."""
    producer, group = await world.producer("t"), f"{world.stem}.group"
    await Publisher(await world.producer()).publish(world.at(), [Record(b"k", b"%d" % n) for n in range(5)])
    for offset, committed in ((3, True), (4, False)):
        await producer.begin_transaction()
        await producer.send_offsets_to_transaction({world.at(): offset}, group)
        await (producer.commit_transaction() if committed else producer.abort_transaction())
    assert [r.offset for r in await _poll(await world.member(), world.at(), 2)] == [3, 4]


async def test_outside_a_transaction_a_transactional_producer_sends_nothing(world: World) -> None:
    """It says so at once."""
    producer = await world.producer("t")
    with pytest.raises(IllegalOperation):
        batch = producer.create_batch()
        batch.append(key=b"k", value=b"v", headers=[], timestamp=None)
        await producer.send_batch(batch, world.at().topic, partition=0)


async def test_a_batch_is_acknowledged_with_the_offset_of_its_first_record(world: World) -> None:
    """So whoever publishes knows where the topic ends."""
    publisher = Publisher(await world.producer())
    assert await publisher.publish(world.at(), [Record(b"k", b"%d" % n) for n in range(30)]) == 30
    assert await publisher.publish(world.at(), [Record(b"k", b"x")]) == 31
    assert [offset for offset, _ in await world.read(world.at())] == list(range(31))


async def test_the_broker_keeps_the_writers_time_or_its_own_as_the_topic_says(world: World) -> None:
    """Inboxes have append times; logs carry on the time of their source."""
    publisher = Publisher(await world.producer())
    found = {}
    for topic in ("log", "times"):
        await publisher.publish(world.at(topic=topic), [Record(b"k", b"v", timestamp_ms=1_000)])
        async with reading(world.connect()) as lone:
            async for record in read_to_end(lone, {world.at(topic=topic): None}):
                found[topic] = record.timestamp
    assert found["log"] == 1_000 and found["times"] > 1_600_000_000_000


async def test_a_new_group_begins_at_the_start_and_goes_on_where_it_committed(world: World) -> None:
    """Earliest, not latest."""
    await Publisher(await world.producer()).publish(world.at(), [Record(b"k", b"%d" % n) for n in range(4)])
    first = await world.member()
    assert [r.offset for r in await _poll(first, world.at(), 4)] == [0, 1, 2, 3]
    await first.commit({world.at(): 2})
    await first.stop()
    world.consumers.remove(first)
    assert [r.offset for r in await _poll(await world.member(), world.at(), 2)] == [2, 3]


async def test_a_seek_overrules_what_was_committed_or_fetched(world: World) -> None:
    """A fold starts from its snapshot."""
    await Publisher(await world.producer()).publish(world.at(), [Record(b"k", b"%d" % n) for n in range(6)])
    member = await world.member()
    await _poll(member, world.at(), 3)
    member.seek(world.at(), 1)
    assert (await _poll(member, world.at(), 1))[0].offset == 1


async def test_two_members_share_the_partitions_and_are_told_before_and_after(world: World) -> None:
    """Revoked first, then assigned; nobody holds what the other holds."""
    told: list[tuple[str, str, tuple[int, ...]]] = []
    first = await world.member(_Listener("first", told))
    await _until(lambda: ("first", "assigned", (0, 1)) in told)
    await world.member(_Listener("second", told))
    await _until(lambda: sum(what == "assigned" for _, what, _ in told) >= 3)
    mine = [(what, parts) for who, what, parts in told if who == "first"]
    assert mine[1:4] == [("assigned", (0, 1)), ("revoked", (0, 1)), mine[3]] and mine[3][0] == "assigned"
    others = [parts for who, what, parts in told if who == "second" and what == "assigned"][-1]
    assert sorted((*mine[3][1], *others)) == [0, 1] and len(others) == 1
    assert first is not None


async def test_a_member_with_a_name_takes_its_own_place_again_and_troubles_nobody(world: World) -> None:
    """Its session may last: nobody waits for it, and nobody else is told anything."""
    told: list[tuple[str, str, tuple[int, ...]]] = []
    await world.member(_Listener("other", told), instance="other", session_ms=60_000)
    await _until(lambda: ("other", "assigned", (0, 1)) in told)
    former = await world.member(_Listener("former", told), instance="same", session_ms=60_000)
    await _until(lambda: sum(what == "assigned" for _, what, _ in told) >= 3)
    [share] = [parts for who, what, parts in told if (who, what) == ("former", "assigned")]
    before = [one for one in told if one[0] == "other"]
    await former.stop()
    world.consumers.remove(former)
    await world.member(_Listener("later", told), instance="same", session_ms=60_000)
    await _until(lambda: ("later", "assigned", share) in told)
    assert [one for one in told if one[0] == "other"] == before


async def test_a_member_with_a_name_that_takes_another_topic_gets_it(world: World) -> None:
    """A broker would give a member that it knows its former share, and nothing of what is new."""
    told: list[tuple[str, str, tuple[int, ...]]] = []
    former = await world.member(_Listener("former", told), instance="same")
    await _until(lambda: ("former", "assigned", (0, 1)) in told)
    await former.stop()
    world.consumers.remove(former)
    await world.member(_Listener("later", told), instance="same", topics=("log", "times"))
    await _until(lambda: ("later", "assigned", (0, 0, 1, 1)) in told)


async def test_who_was_given_up_by_the_group_commits_nothing(world: World) -> None:
    """A member that did not come back in time for the new generation learns it when it commits."""
    await Publisher(await world.producer()).publish(world.at(), [Record(b"k", b"v")])
    outcome: list[Any] = []
    told: list[tuple[str, str, tuple[int, ...]]] = []

    async def stuck(member: Any) -> None:
        await _until(lambda: ("second", "assigned", (0, 1)) in told)
        try:
            await member.commit({world.at(): 1})
        except Exception as problem:  # noqa: BLE001  # which one it is, is what this test asks
            outcome.append(type(problem))

    listener = _Listener("first", told, on_revoked=stuck)
    first = await world.member(listener)
    listener.member = first
    await _until(lambda: ("first", "assigned", (0, 1)) in told)
    await world.member(_Listener("second", told))
    await _until(lambda: bool(outcome))
    assert outcome == [CommitFailedError]


@pytest.fixture(params=["simulated", "valkey"])
def script(request: pytest.FixtureRequest) -> tuple[Script, Callable[[], None]]:
    """The read model's script, and a flush."""
    if request.param == "simulated":
        server = RedisServer()
        return lambda given: server.script(*given), server.flush
    valkey: Valkey = request.getfixturevalue("valkey")
    client = redis.Redis.from_url(valkey.url("root"), decode_responses=True)
    client.flushall()
    return lambda given: client.eval(_SCRIPT, 1, *given), lambda: client.flushall() and None  # type: ignore[return-value]


def test_the_script_takes_a_batch_once_and_says_where_it_stands(script: tuple[Script, Callable[[], None]]) -> None:
    """A repeat, a gap and a flush are answered with the position that Redis holds."""
    run, flush = script
    commands = json.dumps([["HSET", "h", "a", "1"], ["HINCRBY", "n", "b", "2"]])
    assert run(["p", "facts/0", "0", "7", commands]) == [1, 7]
    assert run(["p", "facts/0", "0", "7", commands]) == [0, 7], "a repeat"
    assert run(["p", "facts/0", "9", "12", commands]) == [0, 7], "a gap"
    assert run(["p", "facts/0", "7", "9", commands]) == [1, 9]
    flush()
    assert run(["p", "facts/0", "9", "12", commands]) == [0, 0]


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka publishes no types
    def __init__(
        self,
        who: str,
        told: list[tuple[str, str, tuple[int, ...]]],
        on_revoked: Callable[[Any], Awaitable[None]] | None = None,
    ) -> None:
        self.who, self.told, self.on_revoked = who, told, on_revoked
        self.member: Any = None

    async def on_partitions_revoked(self, revoked: Any) -> None:
        self.told.append((self.who, "revoked", tuple(sorted(p.partition for p in revoked))))
        if revoked and self.on_revoked is not None:
            await self.on_revoked(self.member)

    def on_partitions_assigned(self, assigned: Any) -> None:
        self.told.append((self.who, "assigned", tuple(sorted(p.partition for p in assigned))))


async def _poll(consumer: Any, source: TopicPartition, count: int) -> list[Any]:
    found: list[Any] = []
    for _ in range(100):
        polled = await consumer.getmany(timeout_ms=200)
        found += polled.get(source, [])
        if len(found) >= count:
            return found
    raise AssertionError(f"{len(found)} records of {count}")


async def _until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("did not come about within 30 s")


def _topic(name: str, append_time: bool) -> Topic:
    return Topic(name, 2, "admin", (), (), FOREVER_MS, "open", (), "key", append_time=append_time)
