"""The only publisher: what it returns from is on the log, in order, without holes.

Per partition a batch is handed over only after the one before it was acknowledged, since pipelined sends leave holes
when a broker is away. Partitions publish side by side. A failed write ends in WorldUnavailable, with nothing
acknowledged by the caller.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError, ProducerFenced, UnknownTopicOrPartitionError

from hub.errors import PartitionCountChanged, WorldUnavailable
from hub.log import REPLACED, log

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


Packed = Sequence[tuple[Any, int]]
"""Closed batches, each with its count of records."""


def count_changed(topic: str, found: int, expected: int) -> PartitionCountChanged:
    """What is said about a log of another size than the tables were made for."""
    return PartitionCountChanged(
        f"topic {topic} has {found} partitions, the tables say {expected}. Inside a generation the count never "
        "changes: restore the topic, or open a new generation."
    )


async def leave(producer: AIOKafkaProducer, role: str, bound_s: float) -> None:
    """Disconnect, whatever state the producer is in. One that takes longer goes on alone: a rebalance may not wait."""
    await asyncio.wait([asyncio.ensure_future(_stop(producer, role))], timeout=bound_s)


async def _stop(producer: AIOKafkaProducer, role: str) -> None:
    try:
        await producer.stop()
    except Exception as problem:  # noqa: BLE001  # a fenced producer cannot leave politely
        log(REPLACED, role=role, error=type(problem).__name__)


def refuse_more(sources: Sequence[TopicPartition], expected: Mapping[str, int]) -> None:
    """Refuse a partition that came while we run: of these topics there are so many, numbered from 0."""
    for source in sources:
        if (count := expected.get(source.topic)) is not None and source.partition >= count:
            raise count_changed(source.topic, source.partition + 1, count)


class Publisher:
    """Writes batches through one producer and waits for them."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self.producer = producer

    async def publish_all(self, batches: Mapping[TopicPartition, Iterable[Outgoing]]) -> dict[TopicPartition, int]:
        """Write every batch, partitions side by side; the offset after the last record of each that had any.

        WorldUnavailable when one of them failed; then nothing may be acknowledged.
        """
        return await self.send_all({target: self.pack(records) for target, records in batches.items()})

    async def publish(self, target: TopicPartition, records: Iterable[Outgoing]) -> int:
        """Write records to one partition in order; the offset after the last. There must be at least one."""
        return await self._send(target, self.pack(records))

    def pack(self, records: Iterable[Outgoing]) -> Packed:
        """The records as the broker takes them. Taken one by one, so that they may be made while this goes on."""
        packed: list[tuple[Any, int]] = []
        batch, append, count = None, None, 0
        for record in records:
            headers = record.headers
            if type(headers) is not list:
                headers = list(headers)
            at, key, value = record.timestamp_ms, record.key, record.value
            if append is None or append(timestamp=at, key=key, value=value, headers=headers) is None:
                if batch is not None:
                    packed.append((batch, count))
                batch, count = self.producer.create_batch(), 0
                append = batch.append
                append(timestamp=at, key=key, value=value, headers=headers)  # whatever its size: the first always fits
            count += 1
        if batch is not None:
            packed.append((batch, count))
        for closed, _ in packed:
            closed.close()
        return packed

    async def send_all(self, batches: Mapping[TopicPartition, Packed]) -> dict[TopicPartition, int]:
        """`publish_all` of what is packed already."""
        targets = [target for target, packed in batches.items() if packed]
        if len(targets) == 1:
            return {targets[0]: await self._send(targets[0], batches[targets[0]])}
        # Every outcome is collected: an exception that nobody retrieves would end in asyncio's own log.
        outcomes = await asyncio.gather(
            *(self._send(target, batches[target]) for target in targets), return_exceptions=True
        )
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        return {target: end for target, end in zip(targets, outcomes, strict=True) if isinstance(end, int)}

    async def _send(self, target: TopicPartition, packed: Packed) -> int:
        end = 0
        try:
            for batch, count in packed:
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
            raise count_changed(topic, found, expected)
