"""Membership of one consumer group: polling, handing over, rebalances and the end. Carrier and relay both sit on it.

One lock covers the batch in hand, its settlement and every rebalance: a snapshot taken in the middle of a publish
would cover facts that nobody has. New partitions stay paused until the job has loaded what it needs; the load runs in
the read loop and not in the rebalance callback, because aiokafka sends no heartbeats during that callback and only
logs what it raises.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Final, NoReturn, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition

from hub.errors import HubError, TablesReplaced
from hub.log import HEADER_NAME_UNREADABLE, PARTITIONS_ASSIGNED, PARTITIONS_REVOKED, log
from hub.streams import crash, header_names
from hub.streams.connection import Connection
from hub.streams.metrics import LAG, LATENCY

Polled = Mapping[TopicPartition, Sequence[ConsumerRecord]]
HandOver = Callable[[Polled], Awaitable[None]]
Cover = Callable[[int], Awaitable[None]]
"""Waits until records appended at a time (milliseconds) may be taken, or raises because they may not."""
POLL_MS = 200
QUIET_S: Final = 1.0
"""When nothing came for this long nothing waits: what is not acknowledged yet is acknowledged now."""


class Job(Protocol):
    """What a role does with the records of its partitions."""

    name: str
    group: str
    topics: Sequence[str]

    async def open(self) -> None:
        """Connect what the job writes to, and refuse a world that is not the one of the tables."""

    async def load(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        """Get ready for partitions that were just assigned, and seek. May be cancelled by another rebalance."""

    async def handle(self, polled: Polled) -> None:
        """Take one poll. What it returns from is written; an exception ends the process."""

    async def settle(self) -> None:
        """Acknowledge what is due. Called after every poll, empty ones too."""

    async def release(self) -> None:
        """Acknowledge what can be, because the partitions go to somebody else. Bounded by the caller."""

    async def drop(self) -> None:
        """Forget everything about every partition: whatever was known is stale."""

    async def close(self) -> None:
        """Disconnect."""


class Reader(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka publishes no types
    """Reads for one job. Every exception of the loop ends the process; nothing is acknowledged by that."""

    def __init__(
        self,
        job: Job,
        connection: Connection,
        die: Callable[[str, str, BaseException | None], NoReturn] = crash.die,
        cover: Cover | None = None,
    ) -> None:
        self.job = job
        self._cover = cover
        self.handled = 0
        """Records taken since the start: what the watchdog calls progress."""
        self.ready = False
        self._connection = connection
        self._limits = connection.limits
        self._die = die
        self._lock = asyncio.Lock()
        self._loaded: set[TopicPartition] = set()
        self._unloaded: tuple[TopicPartition, ...] = ()
        self._loading: asyncio.Future[None] | None = None
        self._finished = asyncio.Event()
        self._last_poll = False
        self._consumer: AIOKafkaConsumer | None = None

    @property
    def consumer(self) -> AIOKafkaConsumer:
        """The group member; only after `start`."""
        assert self._consumer is not None, "start the reader first"
        return self._consumer

    async def start(self) -> None:
        """Join the group. HubError when the world is not as the tables say."""
        await self.job.open()
        self._consumer = self._connection.group_consumer(self.job.group, self.job.topics)
        self._consumer.subscribe(list(self.job.topics), listener=self)
        await self._connection.start(self._consumer)

    async def run(self, hand_over: HandOver, stopping: Callable[[], bool]) -> None:
        """Poll until `stopping`; each poll goes through `hand_over` and back before the next."""
        try:
            while not (self._last_poll or stopping()):
                polled = await self._poll()
                async with self._lock:
                    await self._take(polled, hand_over)
        except TablesReplaced as replaced:  # what came before the record that told was taken by tables in force then
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self.job.release(), self._limits.revocation_wait_s)
            self._die(self.job.name, str(replaced), replaced)
        except Exception as problem:  # noqa: BLE001  # the one loop: nothing that leaves it may acknowledge anything
            self._die(self.job.name, reason_of(problem), problem)
        finally:
            self._finished.set()

    async def _poll(self) -> Polled:
        try:
            polled: Polled = await self.consumer.getmany(timeout_ms=POLL_MS, max_records=self._limits.poll_records_max)
        except UnicodeDecodeError:
            log(HEADER_NAME_UNREADABLE, role=self.job.name)
            header_names.tolerate()
            polled = {}
        return polled

    async def finish(self) -> None:
        """Take no further batch, and wait for the one in hand: what is half written would be written again."""
        self._last_poll = True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._finished.wait(), self._limits.revocation_wait_s)

    async def stop(self) -> None:
        """Wait for the batch in hand, settle, leave the group."""
        bound = self._limits.revocation_wait_s
        await self.finish()
        async with self._lock:
            with contextlib.suppress(Exception):  # what is not acknowledged now is repeated after the next start
                await asyncio.wait_for(self.job.release(), bound)
            await self._forget()
        if self._consumer is not None:
            await self._consumer.stop()
        await self.job.close()

    async def backlog(self) -> int:
        """Readable records that could be taken now, over the partitions held; also sets the gauges, to all that lie
        there. What a job has paused waits on purpose: a receiver that is away is no worker that hangs.
        """
        if self._consumer is None or not (held := tuple(self._loaded)):
            return 0
        ends = await self._consumer.end_offsets(held)
        total = 0
        for partition in held:
            if partition in self._loaded:
                lag = max(0, ends[partition] - await self._consumer.position(partition))
                LAG.labels(self.job.name, partition.topic, partition.partition).set(lag)
                total += 0 if partition in self._consumer.paused() else lag
        return total

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """Pause what came until it is loaded. Plain, not a coroutine: nothing may be fetched in between."""
        self._unloaded = tuple(sorted(assigned))
        if assigned:
            self.consumer.pause(*assigned)
        self.ready = not assigned  # a stand-by without partitions has nothing to load
        log(PARTITIONS_ASSIGNED, role=self.job.name, partitions=len(assigned))

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """Wait for the batch in hand, settle if possible, then forget everything."""
        self._unloaded = ()
        if self._loading is not None:
            self._loading.cancel()
        try:
            await asyncio.wait_for(self._lock.acquire(), self._limits.revocation_wait_s)
        except TimeoutError as problem:
            self._die(self.job.name, "a rebalance could not wait any longer for the batch in hand", problem)
        try:
            # A failure here is the usual fate of a replaced member: its successor repeats what we did not settle.
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self.job.release(), self._limits.revocation_wait_s)
            await self._forget()
        finally:
            self._lock.release()
        if revoked:
            log(PARTITIONS_REVOKED, role=self.job.name, partitions=len(revoked))

    async def _take(self, polled: Polled, hand_over: HandOver) -> None:
        if self._unloaded:
            await self._load()
            return
        ours = {partition: records for partition, records in polled.items() if partition in self._loaded}
        if ours:
            if self._cover is not None:
                await self._cover(max(record.timestamp for records in ours.values() for record in records))
            await hand_over(ours)
            self.handled += sum(len(records) for records in ours.values())
            now = time.time()
            for records in ours.values():
                LATENCY.labels(self.job.name).observe(max(0.0, now - records[0].timestamp / 1000))
        await self.job.settle()

    async def _load(self) -> None:
        partitions = self._unloaded
        self._loading = asyncio.ensure_future(self.job.load(self.consumer, partitions))
        try:
            await asyncio.wait_for(self._loading, self._limits.load_timeout_s)
        except asyncio.CancelledError:
            if self._unloaded is partitions:
                raise
            return  # another rebalance overtook this load
        finally:
            self._loading = None
        if self._unloaded is partitions:
            self._unloaded = ()
            self._loaded = set(partitions)
            self.consumer.resume(*partitions)
            self.ready = True

    async def _forget(self) -> None:
        for partition in self._loaded:  # whoever has it next tells of it
            LAG.remove(self.job.name, partition.topic, str(partition.partition))
        self._loaded.clear()
        self.ready = False
        await self.job.drop()


def reason_of(problem: BaseException) -> str:
    """What may be said of a problem in a log."""
    # Our own errors carry sentences that were written to be read; others may quote a record.
    return str(problem) if isinstance(problem, HubError) else "an exception left the loop"
