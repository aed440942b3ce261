"""Delivery: a fact's bytes to the topic that its header names. It decides nothing.

What leaves carries an id of its destination and sequence, never a position in our logs: positions would tell a tenant
how much everybody else sends. Compacted topics hold the newest value per key, so there a repeat by a replaced worker
must not come last: they have a relay of their own, with the source offset inside the transaction of the copy.
"""

import asyncio
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from hub.contracts.catalogue import ALERTS, IN_FORCE, REGION_FACTS, REGION_SHARES, REGION_STATUS, of_generation
from hub.domain.reference import Reference
from hub.streams.connection import Connection, read_to_end, reading
from hub.streams.crash import CrashPoint, crash_point
from hub.streams.metrics import EVENTS
from hub.streams.producer import Outgoing, Publisher, Record, leave
from hub.streams.reader import QUIET_S, Polled
from hub.streams.relay import Piece, Relay, staged

COMPACTED: Final = (REGION_STATUS, IN_FORCE, REGION_SHARES)
CONTENT_TYPE: Final = ("content-type", b"application/vnd.apache.avro")
"""By the Kafka binding of CloudEvents in binary mode; Avro instead of JSON is a deviation of the NL GOV profile."""
_KEPT: Final = ("ce_specversion", "ce_source", "ce_type", "ce_time", "ce_sequence")


def relay(name: str, group: str, reference: Reference, connection: Connection) -> Relay:
    """The relay to tenants' topics and the shared alerts."""
    facts = of_generation(REGION_FACTS, reference.generation)
    return Relay(
        name=name,
        group=group,
        topics=(facts,),
        route=route_to_tenants,
        connection=connection,
        partitions=((facts, reference.log_partitions), (ALERTS, 1)),
    )


def route_to_tenants(record: ConsumerRecord) -> Iterator[Piece]:
    """One copy where the fact has a destination that is not compacted."""
    headers = dict(record.headers)
    destination = headers.get("ce_hubdest", b"").decode()
    if destination and destination not in COMPACTED:
        yield copy_of(record, headers, destination)


def route_to_compacted(record: ConsumerRecord) -> Iterator[Piece]:
    """One copy where the fact's destination is compacted."""
    headers = dict(record.headers)
    destination = headers.get("ce_hubdest", b"").decode()
    if destination in COMPACTED:
        yield copy_of(record, headers, destination)


def copy_of(record: ConsumerRecord, headers: Mapping[str, bytes], destination: str) -> Piece:
    """The copy that leaves: same bytes and time, an id and key of its destination."""
    region = record.key
    kept = [CONTENT_TYPE, *((name, headers[name]) for name in _KEPT)]
    kept.append(("ce_id", delivered_id(destination, region.decode(), int(headers["ce_sequence"])).encode()))
    kept.append(("ce_hubregion", region))
    if "ce_hubsrc" in headers:  # receipts alone have one, and a receipt goes to the owner of that inbox
        kept.append(("ce_hubsrc", headers["ce_hubsrc"]))
    key = headers.get("ce_hubkey", region)
    EVENTS.labels("out", "delivered").inc()
    return Piece(0, TopicPartition(destination, 0), Record(key, record.value, kept, record.timestamp))


def delivered_id(destination: str, region: str, sequence: int) -> str:
    """`ce_id` of a delivered record: the same for every repeat, and saying nothing about our logs."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"{destination}/{region}/{sequence}"))


class CompactedRelay:
    """A job for `Reader`: copies what must never be overtaken by its own past.

    Per facts partition one transaction holds the copies and the source offset; its transactional id fences a replaced
    worker. A repeat in the facts themselves is dropped by sequence, of which the last per destination and region stands
    on the compacted topic.
    """

    def __init__(self, name: str, group: str, reference: Reference, connection: Connection) -> None:
        self.name = name
        self.group = group
        self._facts = of_generation(REGION_FACTS, reference.generation)
        self.topics: Sequence[str] = (self._facts,)
        self._reference = reference
        self._connection = connection
        self._publishers: dict[TopicPartition, Publisher] = {}
        self._sequences: dict[tuple[str, bytes], int] = {}
        self._passed: dict[TopicPartition, int] = {}
        self._acknowledged_s = self._handled_s = 0.0

    async def open(self) -> None:
        """PartitionCountChanged if a topic is not what the tables say."""
        checker = Publisher(self._connection.producer())
        await self._connection.start(checker.producer)
        try:
            for topic, expected in (
                (self._facts, self._reference.log_partitions),
                *((topic, 1) for topic in COMPACTED),
            ):
                await checker.expect_partitions(topic, expected)
        finally:
            await checker.producer.stop()

    async def load(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        """Fence the former owners, then read the last sequences; the committed offset is where this job starts."""
        self._publishers = {
            source: Publisher(self._connection.transactional_producer(f"{self.group}.{source.partition}"))
            for source in partitions
        }
        await asyncio.gather(*(self._fence(publisher.producer) for publisher in self._publishers.values()))
        async with reading(self._connection) as lone:
            async for record in read_to_end(lone, {TopicPartition(topic, 0): None for topic in COMPACTED}):
                headers = dict(record.headers)
                self._is_newer(record.topic, headers["ce_hubregion"], int(headers["ce_sequence"]))

    async def _fence(self, producer: AIOKafkaProducer) -> None:
        await self._connection.start(producer)
        await producer.begin_transaction()
        await producer.abort_transaction()

    async def handle(self, polled: Polled) -> None:
        """Copy what is newer, together with the offset; remember the offset of what holds nothing for us."""
        for source, records in polled.items():
            pieces = [
                piece
                for record in records
                for piece in route_to_compacted(record)
                if self._is_news(piece.record, piece.target)
            ]
            if pieces:
                await self._write(source, records[-1].offset + 1, staged(pieces)[0])
            else:
                self._passed[source] = records[-1].offset + 1
        self._handled_s = time.monotonic()

    async def settle(self) -> None:
        """Commit the offsets of batches that held nothing for us: once an interval, and when nothing more comes."""
        now, interval_s = time.monotonic(), self._connection.limits.snapshot_interval_s
        if now - self._acknowledged_s >= interval_s or now - self._handled_s >= min(QUIET_S, interval_s):
            await self.release()

    async def release(self) -> None:
        """Commit the offsets of batches that held nothing for us."""
        for source, offset in sorted(self._passed.items()):
            await self._write(source, offset, {})
        self._acknowledged_s = time.monotonic()

    async def drop(self) -> None:
        """Forget every partition."""
        publishers, self._publishers = self._publishers, {}
        self._sequences.clear()
        self._passed.clear()
        bound_s = self._connection.limits.revocation_wait_s
        await asyncio.gather(*(leave(publisher.producer, self.name, bound_s) for publisher in publishers.values()))

    async def close(self) -> None:
        """Nothing is connected any more."""

    async def _write(
        self, source: TopicPartition, offset: int, batches: Mapping[TopicPartition, Sequence[Outgoing]]
    ) -> None:
        publisher = self._publishers[source]
        await publisher.producer.begin_transaction()
        await publisher.publish_all(batches)
        await publisher.producer.send_offsets_to_transaction({source: offset}, self.group)
        crash_point(CrashPoint.BEFORE_ACKNOWLEDGE)
        await publisher.producer.commit_transaction()
        self._passed.pop(source, None)

    def _is_news(self, copy: Outgoing, target: TopicPartition) -> bool:
        headers = dict(copy.headers)
        return self._is_newer(target.topic, headers["ce_hubregion"], int(headers["ce_sequence"]))

    def _is_newer(self, topic: str, region: bytes, sequence: int) -> bool:
        newer = sequence > self._sequences.get((topic, region), 0)
        if newer:
            self._sequences[topic, region] = sequence
        return newer
