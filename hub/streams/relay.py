"""The one relay: records in, pieces out, no state of its own.

A route is a pure function from one source record to pieces. Pieces go out stage by stage, each stage acknowledged
before the next, in source order within a partition; then the source offsets are committed. After a crash pieces may be
repeated; every reader behind a relay drops repeats by the mark that the piece carries.
"""

import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError

from hub.log import REPLACED, log
from hub.streams.connection import Connection
from hub.streams.crash import CrashPoint, crash_point
from hub.streams.producer import Outgoing, Publisher, refuse_more
from hub.streams.reader import Polled


@dataclass(frozen=True, slots=True)
class Piece:
    """One record to write, where to, and in which stage (0 first)."""

    stage: int
    target: TopicPartition
    record: Outgoing


Route = Callable[[ConsumerRecord], Iterable[Piece]]


class Relay:
    """A job for `Reader`: copies what a route says."""

    def __init__(
        self,
        name: str,
        group: str,
        topics: Sequence[str],
        route: Route,
        connection: Connection,
        partitions: Sequence[tuple[str, int]] = (),
    ) -> None:
        self.name = name
        self.group = group
        self.topics = topics
        self._route = route
        self._connection = connection
        self._expected = partitions
        self._publisher: Publisher | None = None
        self._consumer: AIOKafkaConsumer | None = None
        self._copied: dict[TopicPartition, int] = {}
        self._acknowledged_s = 0.0

    async def open(self) -> None:
        """Connect the producer; PartitionCountChanged if a log is not what the tables say."""
        self._publisher = Publisher(self._connection.producer())
        await self._connection.start(self._publisher.producer)
        for topic, expected in self._expected:
            await self._publisher.expect_partitions(topic, expected)

    async def load(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        """Nothing to load: the committed offset is where this job starts."""
        refuse_more(partitions, dict(self._expected))
        self._consumer = consumer

    async def handle(self, polled: Polled) -> None:
        """Route every record, then write stage by stage."""
        assert self._publisher is not None
        routed = (self._route(record) for records in polled.values() for record in records)
        for batches in staged(itertools.chain.from_iterable(routed)):
            await self._publisher.publish_all(batches)
            crash_point(CrashPoint.AFTER_STAGE)
        for source, records in polled.items():
            self._copied[source] = records[-1].offset + 1

    async def settle(self) -> None:
        """Commit what was copied, at most once an interval."""
        if time.monotonic() - self._acknowledged_s >= self._connection.limits.acknowledge_interval_s:
            await self.release()

    async def release(self) -> None:
        """Commit what was copied."""
        if not self._copied:
            return
        assert self._consumer is not None
        crash_point(CrashPoint.BEFORE_ACKNOWLEDGE)
        copied, self._copied = self._copied, {}
        try:
            await self._consumer.commit(copied)
        except CommitFailedError as problem:  # replaced: the successor repeats, readers drop the repeats
            log(REPLACED, role=self.name, error=type(problem).__name__)
        self._acknowledged_s = time.monotonic()

    async def drop(self) -> None:
        """Forget what was not committed."""
        self._copied.clear()

    async def close(self) -> None:
        """Disconnect the producer."""
        if self._publisher is not None:
            await self._publisher.producer.stop()


def staged(pieces: Iterable[Piece]) -> list[dict[TopicPartition, list[Outgoing]]]:
    """Pieces by stage and partition, in the order in which they came."""
    stages: dict[int, dict[TopicPartition, list[Outgoing]]] = {}
    for piece in pieces:
        stages.setdefault(piece.stage, {}).setdefault(piece.target, []).append(piece.record)
    return [stages[number] for number in sorted(stages)]
