"""The only publisher: what it returns from is on the log, in order, without holes.

Per partition a batch is handed over only after the one before it was acknowledged, since pipelined sends leave holes
when a broker is away. Partitions publish side by side. A failed write ends in WorldUnavailable, with nothing
acknowledged by the caller.
"""

import asyncio
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced, UnknownTopicOrPartitionError

from hub.errors import PartitionCountChanged, WorldUnavailable

Headers = Sequence[tuple[str, bytes]]


class Outgoing(Protocol):
    """What can be published: a record without its place."""

    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Headers: ...
    @property
    def timestamp_ms(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Record:
    """One record to write. `timestamp_ms` None: the time of writing."""

    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    timestamp_ms: int | None = None


class Publisher:
    """Writes batches through one producer and waits for them."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.producer = producer

    async def publish_all(self, batches: Mapping[TopicPartition, Sequence[Outgoing]]) -> dict[TopicPartition, int]:
        """Write every batch, partitions side by side; the offset after the last record of each that had any.

        WorldUnavailable when one of them failed; then nothing may be acknowledged.
        """
        targets = [target for target, records in batches.items() if records]
        if len(targets) == 1:
            return {targets[0]: await self.publish(targets[0], batches[targets[0]])}
        # Every outcome is collected: an exception that nobody retrieves would end in asyncio's own log.
        outcomes = await asyncio.gather(
            *(self.publish(target, batches[target]) for target in targets), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return {target: end for target, end in zip(targets, outcomes, strict=True) if isinstance(end, int)}

    async def publish(self, target: TopicPartition, records: Sequence[Outgoing]) -> int:
        """Write records to one partition in order; the offset after the last. There must be at least one."""
        end = at = 0
        try:
            while at < len(records):
                batch, count = self._batch(records, at)
                at += count
                acknowledged = await (await self.producer.send_batch(batch, target.topic, partition=target.partition))
                end = int(acknowledged.offset) + count
        except ProducerFenced:
            raise
        except UnknownTopicOrPartitionError as problem:
            raise WorldUnavailable(
                f"topic {target.topic} partition {target.partition} does not exist. "
                "Run hub topics apply, then start again."
            ) from problem
        except (KafkaError, AssertionError) as problem:  # aiokafka asserts that the partition exists
            raise WorldUnavailable(
                f"could not write to {target.topic}/{target.partition}: {type(problem).__name__}. "
                "Nothing of this batch is acknowledged; the worker reads it again after its restart."
            ) from problem
        return end

    async def expect_partitions(self, topic: str, expected: int) -> None:
        """Refuse to work on a log whose partition count is not the one that the tables were made for."""
        try:
            found = len(await self.producer.partitions_for(topic))
        except KafkaError as problem:
            raise WorldUnavailable(
                f"topic {topic} does not exist or is closed to us. Run hub topics apply."
            ) from problem
        if found != expected:
            raise PartitionCountChanged(
                f"topic {topic} has {found} partitions, the tables say {expected}. Inside a generation the count never "
                "changes: restore the topic, or open a new generation."
            )

    def _batch(self, records: Sequence[Outgoing], start: int) -> tuple[Any, int]:
        """A closed batch of the records from `start` that fit, and how many they are; always at least one."""
        batch = self.producer.create_batch()
        append = batch.append
        count = 0
        for record in itertools.islice(records, start, None):
            headers = record.headers if type(record.headers) is list else list(record.headers)
            if append(key=record.key, value=record.value, headers=headers, timestamp=record.timestamp_ms) is None:
                break
            count += 1
        batch.close()
        return batch, count
