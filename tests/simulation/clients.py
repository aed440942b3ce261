"""aiokafka's consumer and producer as the adapters use them, over the broker of this folder.

Only what hub/streams calls is here, under aiokafka's names and with its errors; an adapter that starts to call more
fails with AttributeError. `SimulatedConnection` takes the place of `hub.streams.connection.Connection`, which is the
one place where the hub makes its clients.
"""

import asyncio
import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalOperation, IllegalStateError, KafkaError, OutOfOrderSequenceNumber, ProducerFenced

from hub.settings import Limits
from hub.streams.connection import Connection, known_as
from tests.simulation.broker import Broker, Headers, Rebalancing, UnknownMember
from tests.simulation.process import Process

BATCH_RECORDS_MAX = 10
"""Records that one batch of a producer holds: few, so that a poll's facts need several."""
FETCH_RECORDS_MAX = 25
"""Most that one fetch returns; what a process gets at once is drawn below that."""
RowIn = tuple[bytes | None, bytes | None, Headers, int | None]


class Metadata(NamedTuple):
    """What a producer learns of what it wrote."""

    offset: int


class Batch:
    """aiokafka's BatchBuilder."""

    def __init__(self) -> None:
        self.rows: list[RowIn] = []

    def append(self, *, key: bytes | None, value: bytes | None, headers: Any, timestamp: int | None) -> object | None:
        """None when the batch is full."""
        if len(self.rows) >= BATCH_RECORDS_MAX:
            return None
        self.rows.append((key, value, tuple(headers), timestamp))
        return self

    def close(self) -> None:
        """Nothing more goes in."""


class SimulatedProducer:
    """AIOKafkaProducer: idempotent, or transactional when it has an id, or neither."""

    def __init__(
        self, broker: Broker, process: Process, transactional_id: str | None = None, idempotent: bool = True
    ) -> None:
        self._broker = broker
        self._process = process
        self._id = transactional_id
        self._idempotent = idempotent
        self._epoch = -1
        self._in_transaction = False
        self._fenced = False
        self._last: dict[TopicPartition, asyncio.Task[Metadata]] = {}

    async def start(self) -> None:
        """Connect; a transactional producer fences its predecessors."""
        id_ = self._id
        if id_ is not None:
            self._epoch = await self._process.request(lambda: self._broker.init_transactions(id_))
        else:
            await self._process.request(lambda: None)

    async def stop(self) -> None:
        """Disconnect."""

    async def partitions_for(self, topic: str) -> set[int]:
        """Numbers of the topic's partitions; KafkaError when there is no such topic."""
        found = {p.partition for p in self._broker.logs if p.topic == topic}
        if not found:
            raise KafkaError(topic)
        return found

    def create_batch(self) -> Batch:
        """An empty batch."""
        return Batch()

    async def send_batch(self, batch: Batch, topic: str, *, partition: int) -> "asyncio.Task[Metadata]":
        """Hand a batch over; the task is done when it is acknowledged. Batches of a partition go in order."""
        if self._id is not None and not self._in_transaction:
            raise IllegalOperation("Can't send messages while not in transaction")
        target = TopicPartition(topic, partition)
        before = self._last.get(target)
        task = self._last[target] = self._process.spawn(self._deliver(target, batch.rows, before))
        return task

    async def begin_transaction(self) -> None:
        """Local, as in aiokafka; a fenced producer cannot."""
        if self._fenced:
            raise ProducerFenced
        if self._in_transaction:
            raise IllegalOperation("already in a transaction")
        await self._process.running()
        self._in_transaction = True

    async def send_offsets_to_transaction(self, offsets: Mapping[TopicPartition, int], group: str) -> None:
        """Source offsets that count with the commit."""
        id_, held = self._transactional(), dict(offsets)
        await self._guarded(lambda: self._broker.add_offsets(id_, self._epoch, group, held))

    async def commit_transaction(self) -> None:
        """Make everything visible at once."""
        await self._end(committed=True)

    async def abort_transaction(self) -> None:
        """Make nothing visible."""
        await self._end(committed=False)

    async def _end(self, committed: bool) -> None:
        id_ = self._transactional()
        await asyncio.gather(*self._last.values())
        self._in_transaction = False
        await self._guarded(lambda: self._broker.end_transaction(id_, self._epoch, committed=committed))

    def _transactional(self) -> str:
        if self._id is None or not self._in_transaction:
            raise IllegalOperation("not in a transaction")
        return self._id

    async def _guarded(self, effect: Callable[[], None]) -> None:
        # aiokafka asks again until the coordinator answers, so nothing of this kind is lost on its way.
        try:
            await self._process.request(effect)
        except ProducerFenced:
            self._fenced = True
            raise

    async def _deliver(
        self, target: TopicPartition, rows: list[RowIn], before: "asyncio.Task[Metadata] | None"
    ) -> Metadata:
        if before is not None:
            await asyncio.wait([before])
            if self._idempotent and (before.cancelled() or before.exception() is not None):
                raise OutOfOrderSequenceNumber  # the broker misses the sequence before this one
        broker, id_ = self._broker, self._id
        try:
            if id_ is None:
                base = await self._process.request(lambda: broker.append(target, rows), write=True)
            else:
                epoch = self._epoch
                base = await self._process.request(
                    lambda: broker.append_in_transaction(id_, epoch, target, rows), write=True
                )
        except ProducerFenced:
            self._fenced = True
            raise
        return Metadata(base)


class SimulatedConsumer:
    """AIOKafkaConsumer: a member of a group, or alone with an assignment of its own."""

    def __init__(
        self,
        broker: Broker,
        process: Process,
        limits: Limits,
        group: str | None = None,
        committed_only: bool = True,
        reset: str = "earliest",
        auto_commit: bool = False,
        instance: str | None = None,
    ) -> None:
        self._broker = broker
        self._process = process
        self._limits = limits
        self._group = group
        self._committed_only = committed_only
        self._reset = reset
        self._auto_commit = auto_commit
        self._instance = instance
        self._topics: Sequence[str] = ()
        self._listener: Any = None
        self._member_id: str | None = None
        self._generation = -1
        self._assigned: tuple[TopicPartition, ...] = ()
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()
        self._joining: asyncio.Future[None] | None = None
        self._membership: asyncio.Task[None] | None = None
        self._turn = 0

    def subscribe(self, topics: Sequence[str], listener: Any = None) -> None:
        """Ask for shares of topics; the listener is told of every change."""
        self._topics, self._listener = topics, listener

    def assign(self, partitions: Collection[TopicPartition]) -> None:
        """Take partitions without a group."""
        self._assigned = tuple(partitions)
        self._positions = {p: self._first(p) for p in partitions}

    async def start(self) -> None:
        """Connect, and join the group in the background."""
        await self._process.request(lambda: None)
        if self._group is not None:
            self._joining = asyncio.get_running_loop().create_future()
            self._membership = self._process.spawn(self._belong(self._group))

    async def stop(self) -> None:
        """Leave the group; a member with a name keeps its place for when it is back, as aiokafka does."""
        if self._membership is not None:
            self._membership.cancel()
            named = self._instance is not None
            if self._process.alive and not named and self._group is not None and self._member_id is not None:
                group, member = self._group, self._member_id
                await self._process.request(lambda: self._broker.leave(group, member))

    async def getmany(
        self, *partitions: TopicPartition, timeout_ms: int, max_records: int | None = None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        """Records of the assigned partitions, or nothing after the timeout. Waits while the group is divided anew."""
        process = self._process
        await process.running()
        while self._joining is not None:
            await asyncio.shield(self._joining)
            await process.running()
        wanted = [p for p in (partitions or self._assigned) if p not in self._paused and p in self._positions]
        ready = [p for p in wanted if self._holds_news(p)]
        if not ready:
            waiting = self._broker.wait_for_records(wanted)
            timer = asyncio.get_running_loop().call_later(timeout_ms / 1000, _set, waiting)
            try:
                await waiting
            finally:
                timer.cancel()
            await process.running()
            ready = [p for p in wanted if self._holds_news(p)]
        if not ready:
            return {}
        await asyncio.sleep(process.weather.delay_s())
        await process.running()
        return {} if self._is_joining() else self._take(ready, max_records)

    def _is_joining(self) -> bool:
        return self._joining is not None

    def _holds_news(self, source: TopicPartition) -> bool:
        if source not in self._positions:  # given away while this reader waited
            return False
        log = self._broker.log(source)
        return self._positions[source] < (log.stable_end if self._committed_only else log.end)

    def _take(
        self, ready: Sequence[TopicPartition], max_records: int | None
    ) -> dict[TopicPartition, list[ConsumerRecord]]:
        weather, chance = self._process.weather, self._process.weather.chance
        bound = min(max_records or FETCH_RECORDS_MAX, FETCH_RECORDS_MAX)
        count = bound if weather.calm else chance.choice((1, 3, bound, bound))
        polled: dict[TopicPartition, list[ConsumerRecord]] = {}
        self._turn += 1
        for source in [*ready[self._turn % len(ready) :], *ready[: self._turn % len(ready)]]:
            if source not in self._positions or source in self._paused:
                continue
            records, following = self._broker.log(source).read(self._positions[source], count, self._committed_only)
            self._positions[source] = following
            if not weather.calm and chance.random() < weather.repeated_fetches:
                self._positions[source] = max(self._first(source), following - chance.randrange(1, 4))
            if records:
                polled[source] = records
        return polled

    def redeliver(self) -> None:
        """Forget how far the reader came: the next fetch begins somewhere before, as after a reset by the broker."""
        for source, position in self._positions.items():
            self._positions[source] = max(self._first(source), position - self._process.weather.chance.randrange(1, 4))

    def seek(self, source: TopicPartition, offset: int) -> None:
        """Read on from there."""
        if source not in self._assigned:
            raise IllegalStateError(f"No current assignment for partition {source}")
        self._positions[source] = offset

    def pause(self, *partitions: TopicPartition) -> None:
        """Fetch nothing from these."""
        self._paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        """Fetch from these again."""
        self._paused.difference_update(partitions)

    async def position(self, source: TopicPartition) -> int:
        """Offset of the next record."""
        return self._positions[source]

    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Where each partition starts."""
        return await self._process.request(lambda: {p: self._broker.log(p).start for p in partitions})

    async def end_offsets(self, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        """Where each partition ends for this reader: before the first open transaction, for committed records."""
        return await self._process.request(
            lambda: {
                p: self._broker.log(p).stable_end if self._committed_only else self._broker.log(p).end
                for p in partitions
            }
        )

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit for the group. CommitFailedError when the group has moved on without this member."""
        assert self._group is not None
        group, held = self._group, dict(offsets)
        await self._process.request(lambda: self._broker.commit(group, self._member_id, self._generation, held))

    def _first(self, source: TopicPartition) -> int:
        log = self._broker.log(source)
        return log.start if self._reset == "earliest" else log.stable_end

    async def _belong(self, group: str) -> None:
        """Join, keep the session alive, join again when told to."""
        while True:
            await self._join(group)
            while True:
                await asyncio.sleep(self._limits.heartbeat_interval_ms / 1000)
                await self._process.running()
                member = self._member_id
                assert member is not None
                try:
                    await self._process.request(
                        lambda name=member: self._broker.heartbeat(group, name, self._generation)  # type: ignore[misc]
                    )
                    if self._auto_commit:
                        await self.commit(self._positions)
                except UnknownMember:
                    self._member_id = None
                    break
                except Rebalancing:
                    break
                except KafkaError:
                    continue

    async def _join(self, group: str) -> None:
        loop = asyncio.get_running_loop()
        if self._joining is None:
            self._joining = loop.create_future()
        await self._tell("on_partitions_revoked", frozenset(self._assigned))
        limits = self._limits
        session_s = limits.session_timeout_ms / 1000
        self._member_id, share = await self._process.request(
            lambda: self._broker.join(
                group, self._member_id, self._topics, session_s, session_s + limits.revocation_wait_s, self._instance
            )
        )
        self._generation, mine = await share
        await self._process.running()
        committed = self._broker.group(group).committed
        self._assigned = tuple(mine)
        self._positions = {p: max(committed.get(p, self._first(p)), self._broker.log(p).start) for p in mine}
        self._paused.clear()
        joined, self._joining = self._joining, None
        await self._tell("on_partitions_assigned", frozenset(mine))
        joined.set_result(None)

    async def _tell(self, name: str, partitions: Collection[TopicPartition]) -> None:
        """aiokafka logs what a listener raises, and goes on."""
        try:
            answer = getattr(self._listener, name)(partitions)
            if inspect.isawaitable(answer):
                await answer
        except Exception as problem:  # noqa: BLE001  # as aiokafka does
            self._process.note(f"{self._process.name} {name} raised {type(problem).__name__}")


def _set(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


@dataclass(frozen=True)
class SimulatedConnection(Connection):
    """The hub's connection, made of simulated clients of one process."""

    broker: Broker = field(kw_only=True)
    process: Process = field(kw_only=True)
    consumers: list[SimulatedConsumer] = field(default_factory=list, kw_only=True)

    def group_consumer(self, group: str, topics: Sequence[str]) -> Any:
        """A member of a group."""
        instance = None if self.instance is None else known_as(self.instance, topics)
        consumer = SimulatedConsumer(self.broker, self.process, self.limits, group, instance=instance)
        self.consumers.append(consumer)
        return consumer

    def lone_consumer(self) -> Any:
        """A reader without a group."""
        return SimulatedConsumer(self.broker, self.process, self.limits)

    def producer(self) -> Any:
        """An idempotent producer."""
        return SimulatedProducer(self.broker, self.process)

    def transactional_producer(self, transactional_id: str) -> Any:
        """A producer with a transactional id."""
        return SimulatedProducer(self.broker, self.process, transactional_id)

    async def start(self, client: Any) -> None:
        """Connect."""
        await client.start()
