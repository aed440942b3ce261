"""Intake, delivery and its compacted part on a real Kafka: bad records do not stop good ones, repeats harm nobody."""

import time
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord
from confluent_kafka.admin import NewTopic

from hub.contracts import catalogue
from hub.contracts.codec import decode, encode
from hub.domain import events as e
from hub.local.kafka import KafkaCluster
from hub.streams import delivery, intake
from hub.streams.connection import Connection, read_to_end, reading
from hub.streams.delivery import CompactedRelay
from hub.streams.producer import Publisher, Record
from hub.streams.reader import Job, Reader
from hub.streams.relay import Piece, Relay
from tests.contracts.world import REFERENCE
from tests.streams.counting_worker import fold_everything
from tests.streams.test_intake import REGISTRATION

pytestmark = pytest.mark.kafka
NOW_MS = time.time_ns() // 1_000_000
"""What is older than its topic keeps, the broker may delete while a test reads it."""
REGION_1, REGION_2 = TopicPartition(catalogue.REGION_FACTS, 0), TopicPartition(catalogue.REGION_FACTS, 1)


@pytest.fixture(scope="module")
def hub_topics(cluster: KafkaCluster) -> None:
    """Every topic of the catalogue, as a cluster with these tables has them."""
    wanted = [
        NewTopic(topic.name, topic.partitions, 1, config=topic.config) for topic in catalogue.topics_for(REFERENCE)
    ]
    create(cluster, wanted)


def create(cluster: KafkaCluster, topics: list[NewTopic]) -> None:
    admin = cluster.admin()  # held while its answers are awaited
    for outcome in admin.create_topics(topics).values():
        outcome.result()


async def write(connection: Connection, batches: dict[TopicPartition, list[Record]]) -> None:
    publisher = Publisher(connection.producer())
    await connection.start(publisher.producer)
    await publisher.publish_all(batches)
    await publisher.producer.stop()


async def read(connection: Connection, *targets: TopicPartition) -> list[ConsumerRecord]:
    async with reading(connection) as lone:
        return [record async for record in read_to_end(lone, dict.fromkeys(targets))]


async def relay_everything(job: Job, connection: Connection) -> None:
    await fold_everything(Reader(job, connection))


def fact(destination: str, sequence: int, value: bytes, region: str = "KSV-01", offset: int | None = None) -> Record:
    """A fact of the region fold with a destination."""
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_source", b"urn:x"),
        ("ce_type", b"nl.kraamzorg.region-status-changed.v1"),
        ("ce_time", b"2026-03-02T09:00:00.000Z"),
        ("ce_hubpos", b"0/%d/0" % (sequence if offset is None else offset)),
        ("ce_hubdest", destination.encode()),
        ("ce_sequence", b"%d" % sequence),
    ]
    return Record(region.encode(), value, headers, NOW_MS)


async def test_a_poisoned_record_becomes_a_dead_letter_and_the_ones_around_it_go_on(
    connection: Connection, hub_topics: None
) -> None:
    """Each in its order; the refusal stands in the national log."""
    poison = b"\x00not avro"
    sent = [Record(b"reg-0001", value) for value in (encode(REGISTRATION), poison, encode(REGISTRATION))]
    await write(connection, {TopicPartition("inbox.pkg-a", 0): sent})
    job = intake.relay("intake", "hub.intake.test", REFERENCE, connection)
    await relay_everything(job, connection)
    log = await read(connection, TopicPartition(catalogue.REGION_LOG, 0), TopicPartition(catalogue.REGION_LOG, 1))
    told: dict[str, list[tuple[str, str]]] = {}
    for record in log:
        name = type(decode(record.value)).__name__
        told.setdefault(record.key.decode(), []).append((dict(record.headers)["ce_hubsrc"].decode(), name))
    assert told == {
        "KSV-02": [("inbox.pkg-a/0", "RegistrationSubmitted"), ("inbox.pkg-a/2", "RegistrationSubmitted")],
        "NL": [("inbox.pkg-a/1", "InputRefused")],
    }
    (letter,) = await read(connection, TopicPartition("inbox.pkg-a.dlq", 0))
    assert letter.value == poison
    identity = await read(connection, TopicPartition(catalogue.IDENTITY_LOG, 0))
    assert [decode(record.value).identity for record in identity] == [REGISTRATION.identity] * 2


async def test_the_copies_carry_the_append_time_of_the_inbox(connection: Connection, hub_topics: None) -> None:
    """A fold knows no other time, and the broker's clock is the one that a tenant cannot set."""
    day = e.HoldReleased(record_id="hold-0001", version=1, held_tenant="pkg-a")  # type: ignore[arg-type]
    await write(connection, {TopicPartition("inbox.office", 0): [Record(b"hold-0001", encode(day), (), 1)]})
    await relay_everything(intake.relay("intake", "hub.intake.time", REFERENCE, connection), connection)
    (inbox,) = await read(connection, TopicPartition("inbox.office", 0))
    logged = await read(connection, TopicPartition(catalogue.REGION_LOG, 0))
    copy = next(record for record in logged if dict(record.headers)["ce_hubsrc"] == b"inbox.office/0")
    assert copy.timestamp == inbox.timestamp > 1


async def test_facts_reach_their_topic_and_the_compacted_ones_only_by_their_own_relay(
    connection: Connection, hub_topics: None
) -> None:
    """A zombie's old fact after a newer one must not be the value that stays."""
    newer, older = fact("region-status", 2, b"new"), fact("region-status", 1, b"old")
    await write(connection, {REGION_1: [older, newer, older, fact("out.signals.pkg-a", 1, b"signal")]})
    await relay_everything(delivery.relay("delivery", "hub.delivery.test", REFERENCE, connection), connection)
    assert [r.value for r in await read(connection, TopicPartition("out.signals.pkg-a", 0))] == [b"signal"]
    status = TopicPartition("region-status", 0)
    assert await read(connection, status) == []
    compacted = "hub.delivery.test.compacted"
    await relay_everything(CompactedRelay("compacted", compacted, REFERENCE, connection), connection)
    assert await values_that_stay(connection, status) == [b"new"]
    # After a restart the last sequence is read from the topic itself.
    other = fact("region-status", 1, b"other", region="KSV-02")
    await write(connection, {REGION_1: [older], REGION_2: [other]})
    await relay_everything(CompactedRelay("compacted", compacted, REFERENCE, connection), connection)
    assert await values_that_stay(connection, status) == [b"new", b"other"]


async def values_that_stay(connection: Connection, target: TopicPartition) -> list[bytes]:
    """The last value of each key, which is all that a compacted topic promises to hold."""
    return list({record.key: record.value for record in await read(connection, target)}.values())


async def test_a_topic_that_does_not_exist_stops_with_its_name_and_acknowledges_nothing(
    connection: Connection, cluster: KafkaCluster, stem: str
) -> None:
    """Waiting for ever would hold up everybody behind it."""
    create(cluster, [NewTopic(stem, 1, 1)])
    await write(connection, {TopicPartition(stem, 0): [Record(b"k", b"v")]})

    def nowhere(record: ConsumerRecord) -> list[Piece]:
        return [Piece(0, TopicPartition("does-not-exist", 0), Record(record.key, record.value))]

    relay = Relay("lost", f"hub.intake.{stem}", [stem], nowhere, connection)
    deaths: list[tuple[str, str]] = []

    class Ended(BaseException):
        pass

    def die(role: str, reason: str, problem: BaseException | None = None) -> Any:
        deaths.append((role, reason))
        raise Ended

    reader = Reader(relay, connection, die)
    await reader.start()
    with pytest.raises(Ended):
        await reader.run(relay.handle, lambda: False)
    await reader.consumer.stop()
    await relay.close()
    assert deaths == [
        ("lost", "topic does-not-exist partition 0 does not exist. Run hub topics apply, then start again.")
    ]
    again = connection.group_consumer(f"hub.intake.{stem}", [stem])
    await connection.start(again)
    again.assign([TopicPartition(stem, 0)])
    assert await again.committed(TopicPartition(stem, 0)) is None
    await again.stop()
