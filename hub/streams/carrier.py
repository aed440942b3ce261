"""The one carrier of all folds: from a log to its facts, with snapshots, so that a kill at any point changes nothing.

Facts leave outside of transactions (eight times faster); their positions make repeats harmless. What must not be torn
apart goes into one transaction: the changed parts of the state, the marker that names them, and the source offsets.
Its transactional id is the fold and the partition, so a new owner fences whoever believes to be the owner still.
"""

import asyncio
import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError

from hub.contracts.catalogue import ENCODINGS_KEPT_MS
from hub.domain.identifiers import RegionCode
from hub.domain.reference import Reference
from hub.errors import WorldUnavailable
from hub.log import REGION_STOPPED, REPLACED, SNAPSHOT_INCOMPLETE, SNAPSHOT_LOADED, log
from hub.streams.connection import Connection, read_to_end, reading
from hub.streams.crash import CrashPoint, crash_point
from hub.streams.folds import Fold
from hub.streams.machine import FactRecord, LogRecord, Machine, SnapshotIncomplete, marker_key
from hub.streams.metrics import EVENTS, SNAPSHOT_SECONDS, STOPPED_REGIONS
from hub.streams.producer import Packed, Publisher, Record, leave, refuse_more
from hub.streams.reader import QUIET_S, Polled

TURNS_TO_THE_SOCKET: Final = 6
"""Turns of the event loop from handing over a batch until its bytes left. Without them the next batch would be folded
first, and nothing would happen at the broker meanwhile."""
WAITS_PRICED: Final = 2
"""By how many snapshot intervals, at most, the wait for a transaction may put off the next snapshot."""
_log_record: Final = partial(tuple.__new__, LogRecord)
REWRITTEN_MS: Final = ENCODINGS_KEPT_MS // 2
"""Parts that stand on their topic for longer are written again by whoever loads them: the broker deletes those with
encodings, and a snapshot that lacks one counts for nothing. Each version of the tables in force restarts every worker,
which comes far more often than this."""
TAIL_FIRST: Final = 10_000
"""Facts read from the end of their topic where no snapshot says from where on; ten times as many when a region of the
partition is not among them, and so on. All there ever were would take longer than any load may."""
PAUSE_INTERVALS_MAX: Final = 10
"""Longest pause between two snapshots, in intervals: without a bound the committed offset would stand for minutes."""


class Carrier:
    """A job for `Reader`: carries one fold."""

    def __init__(self, fold: Fold, reference: Reference, partitions: int, connection: Connection, group: str) -> None:
        self.name = fold.name
        self.group = group
        self.topics: Sequence[str] = (fold.log_topic,)
        self._fold = fold
        self._reference = reference
        self._partitions = partitions
        self._connection = connection
        self._parts: dict[TopicPartition, Part] = {}
        self._consumer: AIOKafkaConsumer | None = None
        self._facts: Publisher | None = None
        self._flight: tuple[asyncio.Future[dict[TopicPartition, int]], tuple[Part, ...]] | None = None

    @property
    def acknowledged(self) -> bool:
        """Whether every fact of what was handled is on the log."""
        return self._flight is None or self._flight[0].done()

    @property
    def stopped(self) -> dict[int, list[RegionCode]]:
        """Regions whose rule raised, by partition."""
        held = {part.number: sorted(part.machine.stopped) for part in self._parts.values()}
        return {number: regions for number, regions in held.items() if regions}

    async def open(self) -> None:
        """Connect the facts producer; PartitionCountChanged if a topic is not what the tables say."""
        fold = self._fold
        self._facts = Publisher(self._connection.producer())
        await self._connection.start(self._facts.producer)
        for topic in (fold.log_topic, fold.facts_topic, fold.snapshots_topic):
            await self._facts.expect_partitions(topic, self._partitions)

    async def load(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        """Fence the former owners, load their snapshots, seek to what those say, and commit that at once."""
        self._consumer = consumer
        refuse_more(partitions, {self._fold.log_topic: self._partitions})
        started = time.monotonic()
        parts = {
            source: Part(
                self._fold, self._fold.machine(self._reference, source.partition), source, self._connection, self.group
            )
            for source in partitions
        }
        self._parts = parts  # before the first await: `drop` must find the producers, also when this is cancelled
        await asyncio.gather(*(part.fence() for part in parts.values()))
        crash_point(CrashPoint.DURING_LOAD)
        async with reading(self._connection) as lone:
            firsts = await lone.beginning_offsets(list(parts))
            await _load_snapshots(lone, parts.values(), {source: offset > 0 for source, offset in firsts.items()})
            await _load_published(lone, parts.values())
        for source, part in parts.items():
            part.begin_at(firsts[source])
            consumer.seek(source, part.reads_from)
            log(
                SNAPSHOT_LOADED, role=self.name, partition=part.number, next=part.machine.next, parts=part.parts_loaded,
                seconds=round(time.monotonic() - started, 3),
            )  # fmt: skip
        try:
            # Else the committed offset lags when an owner dies between a snapshot and its commit.
            await consumer.commit({source: part.reads_from for source, part in parts.items()})
        except CommitFailedError as problem:
            log(REPLACED, role=self.name, error=type(problem).__name__)
            await self.drop()

    async def handle(self, polled: Polled) -> None:
        """Fold every batch, then publish the facts that nobody has yet, partitions side by side.

        A batch is folded while the one before it is on its way, and leaves when that one is acknowledged. Whatever
        needs the acknowledgement (a snapshot, a rebalance) waits for it.
        """
        assert self._facts is not None
        packed: dict[TopicPartition, Packed] = {}
        for source, records in polled.items():
            part = self._parts.get(source)
            if part is not None and self._follows(part, records):
                packed[part.facts] = self._facts.pack(part.apply(records))
                await asyncio.sleep(0)  # heartbeats between two partitions
        await self._landed()
        if any(packed.values()):
            self._flight = asyncio.ensure_future(self._facts.send_all(packed)), tuple(self._parts.values())
            for _ in range(TURNS_TO_THE_SOCKET):
                await asyncio.sleep(0)

    async def settle(self) -> None:
        """Take the snapshots that are due."""
        if self._flight is not None and self._flight[0].done():
            await self._landed()
        now = time.monotonic()
        await self._snapshot([part for part in self._parts.values() if part.is_due(now)])

    async def release(self) -> None:
        """Take a last snapshot of whatever changed."""
        await self._landed()
        await self._snapshot([part for part in self._parts.values() if part.changed])

    async def _landed(self) -> None:
        """Wait until what was sent is acknowledged; raises what its sending raised."""
        if self._flight is None:
            return
        sending, parts = self._flight
        await asyncio.wait([sending])  # not the task itself: a bound on this wait must not cut off the sending
        self._flight = None
        ends = sending.result()
        crash_point(CrashPoint.AFTER_PUBLISH)
        for part in parts:
            part.machine.facts_offset = ends.get(part.facts, part.machine.facts_offset)

    async def drop(self) -> None:
        """Forget every partition."""
        parts, self._parts = self._parts, {}
        await asyncio.gather(*(part.close() for part in parts.values()))

    async def close(self) -> None:
        """Disconnect the facts producer."""
        with contextlib.suppress(Exception):  # what is not acknowledged now is repeated after the next start
            await self._landed()
        if self._facts is not None:
            await self._facts.producer.stop()

    def _follows(self, part: "Part", records: Sequence[ConsumerRecord]) -> bool:
        # On our own logs offsets have no gaps, so a jump means records that this member never saw.
        assert self._consumer is not None
        if records[0].offset > part.reads_from:
            self._consumer.seek(part.source, part.reads_from)
            return False
        return True

    async def _snapshot(self, parts: Sequence["Part"]) -> None:
        if parts:
            await self._landed()  # a snapshot covers acknowledged facts only
        outcomes = await asyncio.gather(*(part.snapshot() for part in parts), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome  # fenced or unavailable: either way this process knows too little to go on


class Part:
    """One partition of one fold: its machine, its transactional producer, and what is durable."""

    def __init__(
        self, fold: Fold, machine: Machine[Any], source: TopicPartition, connection: Connection, group: str
    ) -> None:
        self.number = source.partition
        self.source = source
        self.facts = TopicPartition(fold.facts_topic, source.partition)
        self.snapshots = TopicPartition(fold.snapshots_topic, source.partition)
        self.machine = machine
        self.regions = fold.regions(machine.reference, source.partition)
        self.reads_from = 0
        """Offset of the next record to read: below `machine.next` while a stopped region catches up."""
        self.parts_loaded = 0
        self._name = fold.name
        self._group = group
        self._connection = connection
        self._durable = 0
        self._left_over: tuple[bytes, ...] = ()
        self._folded_s = 0.0
        self._rested_s = 0.0
        self._next_snapshot_s = 0.0
        self._stopped: set[RegionCode] = set()
        self._producer: AIOKafkaProducer = connection.transactional_producer(f"{group}.{source.partition}")
        self._publisher = Publisher(self._producer)
        self._started = False

    @property
    def changed(self) -> bool:
        """Whether a snapshot would say something new, and may be taken."""
        return (self.machine.next > self._durable and self.machine.caught_up) or self.machine.resumed

    def is_due(self, now_s: float) -> bool:
        """Whether a snapshot is due at this monotonic time.

        Its share of the time is bounded for the sake of what waits to be folded. Where nothing has come for a while
        nothing waits, and what a slow snapshot made wait for the next one need not wait any longer.
        """
        if not self.changed:
            return False
        quiet = now_s - self._folded_s >= QUIET_S
        return now_s >= (self._rested_s if quiet else self._next_snapshot_s)

    async def fence(self) -> None:
        """Shut out the former owner: an empty transaction makes the broker raise the epoch and abort what hung."""
        self._started = True
        await self._connection.start(self._producer)
        await self._producer.begin_transaction()
        await self._producer.abort_transaction()

    def restore(self, found: Mapping[bytes, bytes], marker: bytes | None, state_version: int | None = None) -> None:
        """Take up where the snapshot stands; without a marker, or with parts missing, the log is folded from the start.

        What is left of such a snapshot must not mix with the next one: it gets tombstones then.
        """
        try:
            self.reads_from = self.machine.restore(found, marker, state_version)
        except SnapshotIncomplete:
            self._left_over = tuple(found)
            log(SNAPSHOT_INCOMPLETE, role=self._name, partition=self.number, parts=len(found))
        else:
            self.parts_loaded = len(found)
            self._left_over = tuple(found) if marker is None else ()

    @property
    def marker_key(self) -> bytes:
        """Key of the marker among the snapshots of this state version."""
        return marker_key(self.machine.rules.state_version)

    def begin_at(self, first_offset: int) -> None:
        """Check that the log still holds what the snapshot lacks; an expired log without a snapshot starts later."""
        if self._left_over and first_offset:
            raise WorldUnavailable(
                f"the snapshot of {self.source.topic}/{self.number} lacks parts, and the log starts at {first_offset}. "
                f"Restore topic {self.snapshots.topic}, or open a new generation."
            )
        if self.machine.next == 0:
            self.machine.next = self.reads_from = first_offset
        elif self.reads_from < first_offset:
            raise WorldUnavailable(
                f"{self.source.topic}/{self.number} starts at {first_offset}, its snapshot asks for {self.reads_from}. "
                "Records between them expired unread; open a new generation."
            )
        self._durable = self.machine.next

    def apply(self, records: Sequence[ConsumerRecord]) -> Iterator[FactRecord]:
        """Fold the records not yet folded; the facts that are not published yet, each when it is asked for."""
        yield from self.machine.fold(
            _log_record((record.offset, record.timestamp, record.key, record.value, record.headers))
            for record in records
            if record.offset >= self.reads_from
        )
        self.reads_from = max(self.reads_from, records[-1].offset + 1)
        self._folded_s = time.monotonic()
        EVENTS.labels(self.source.topic, "folded").inc(len(records))
        self._tell_stops()

    async def snapshot(self) -> None:
        """Parts, marker and source offset in one transaction."""
        started = time.monotonic()
        taken = self.machine.snapshot()
        worked = time.monotonic() - started
        following = self.machine.next
        left_over, self._left_over = self._left_over, ()
        records = [Record(key, None) for key in left_over if key not in taken.parts]
        records += [Record(key, value) for key, value in taken.parts.items()]
        records.append(Record(self.marker_key, taken.marker))
        crash_point(CrashPoint.BEFORE_SNAPSHOT)
        await self._producer.begin_transaction()
        await self._publisher.publish(self.snapshots, records)
        await self._producer.send_offsets_to_transaction({self.source: following}, self._group)
        crash_point(CrashPoint.BETWEEN_SNAPSHOT_AND_ACKNOWLEDGE)
        await self._producer.commit_transaction()
        crash_point(CrashPoint.AFTER_SNAPSHOT)
        limits = self._connection.limits
        took = time.monotonic() - started
        SNAPSHOT_SECONDS.labels(self._name).observe(took)
        self._durable = following
        # Waiting for a broker that is away is no price of a snapshot: its lag is to be gone soon after.
        priced = min(took, worked + WAITS_PRICED * limits.snapshot_interval_s * limits.snapshot_share_max)
        pause = min(priced / limits.snapshot_share_max, PAUSE_INTERVALS_MAX * limits.snapshot_interval_s)
        now = time.monotonic()
        self._rested_s = now + min(QUIET_S, limits.snapshot_interval_s)
        self._next_snapshot_s = now + max(limits.snapshot_interval_s, pause)

    async def close(self) -> None:
        """Disconnect, whatever state the producer is in."""
        STOPPED_REGIONS.remove(self._name, str(self.number))  # whoever has the partition next tells of it
        if self._started:
            await leave(self._producer, self._name, self._connection.limits.revocation_wait_s)

    def _tell_stops(self) -> None:
        stopped = set(self.machine.stopped)
        for region in sorted(stopped - self._stopped):
            stop = self.machine.stopped[region]
            log(REGION_STOPPED, role=self._name, partition=self.number, region=region, at=stop.at, error=stop.error)
        STOPPED_REGIONS.labels(self._name, self.number).set(len(stopped))
        self._stopped = stopped


async def _load_snapshots(
    lone: AIOKafkaConsumer, parts: Iterable[Part], cut: Mapping[TopicPartition, bool]
) -> None:  # `cut`: whether the log no longer holds its beginning
    by_topic = {part.snapshots: part for part in parts}
    found: dict[TopicPartition, dict[bytes, bytes]] = {target: {} for target in by_topic}
    written: dict[tuple[TopicPartition, bytes], int] = {}
    newest = 0  # the log's time: what it says does not hang on whose clock reads it
    async for record in read_to_end(lone, dict.fromkeys(by_topic)):
        place = TopicPartition(record.topic, record.partition)
        held = found[place]
        written[place, record.key] = record.timestamp
        newest = max(newest, record.timestamp)
        if record.value is None:
            held.pop(record.key, None)
        else:
            held[record.key] = record.value
    for target, part in by_topic.items():
        held = found[target]
        version = own = part.machine.rules.state_version
        # Another state version refolds from the log. Where the log has expired, the last snapshot is upcast instead.
        if marker_key(own) not in held and cut[part.source]:
            version = max((v for v in range(1, own) if marker_key(v) in held), default=own)
        marker = held.pop(marker_key(version), None)
        prefix = f"{version}/".encode()
        held = {key: value for key, value in held.items() if key.startswith(prefix)}
        part.restore(held, marker, version)
        if part.parts_loaded and marker is not None and version == own:
            old = newest - REWRITTEN_MS
            part.machine.rewrite({key: value for key, value in held.items() if written[target, key] < old})


async def _load_published(lone: AIOKafkaConsumer, parts: Iterable[Part]) -> None:
    # A lower bound: a zombie may have filled the tail. Too low costs repeats, which readers drop; never a loss.
    by_topic = {part.facts: part for part in parts}
    since = {target: part.machine.facts_offset for target, part in by_topic.items()}
    ends = await lone.end_offsets(list(by_topic))
    tail = TAIL_FIRST
    while by_topic:
        starts = {target: since[target] or max(0, ends[target] - tail) for target in by_topic}
        async for record in read_to_end(lone, starts):
            machine = by_topic[TopicPartition(record.topic, record.partition)].machine
            region = RegionCode(record.key.decode())
            machine.published[region] = max(position_of(record.headers), machine.published.get(region, (-1, -1)))
            machine.facts_offset = record.offset + 1
        by_topic = {
            target: part
            for target, part in by_topic.items()
            if starts[target] > since[target] and not part.regions <= part.machine.published.keys()
        }
        tail *= 10


def position_of(headers: Sequence[tuple[str, bytes]]) -> tuple[int, int]:
    """Log offset and index of a fact, from its `ce_hubpos`; KeyError if it has none."""
    for name, value in headers:
        if name == "ce_hubpos":
            _, offset, index = value.split(b"/")
            return int(offset), int(index)
    raise KeyError("ce_hubpos")
