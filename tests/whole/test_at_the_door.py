"""The broker's doors, each tried by everybody, and what comes through the one that is open to vendors.

The expectations below are written by hand from DESIGN (spine 1, "Privacy"), so that a slip in the catalogue shows.
"""

import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from aiokafka.producer import message_accumulator
from aiokafka.record.util import calc_crc32c
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AdminClient, NewTopic

from hub.contracts import catalogue
from hub.contracts.codec import decode, encode
from hub.domain.identifiers import RecordId, TenantId
from hub.domain.reference import Role, Tenant
from hub.local.kafka import KafkaCluster
from hub.local.provision import apply
from hub.streams import header_names, intake
from hub.streams.connection import Connection, read_to_end, reading
from hub.streams.delivery import CompactedRelay
from hub.streams.producer import Publisher, Record
from hub.streams.reader import Reader
from tests.contracts.world import REFERENCE as SMALL_WORLD
from tests.streams.conftest import LIMITS
from tests.streams.counting_worker import fold_everything
from tests.streams.test_intake import REGISTRATION
from tests.streams.test_relay import fact

pytestmark = pytest.mark.kafka
REFERENCE: Final = replace(SMALL_WORLD, tenants=(*SMALL_WORLD.tenants, Tenant(TenantId("vsv-1"), Role.VSV)))
TENANTS: Final = frozenset(row.tenant for row in REFERENCE.tenants)
HUB: Final = frozenset(catalogue.HUB_PRINCIPALS)
OWN: Final = "the tenant in the topic's name"
AUDITOR: Final = "hub-auditor"
SECONDS_MAX: Final = 30.0

ACCESS: Final[tuple[tuple[str, set[str], set[str]], ...]] = (
    ("region-log", {"hub-intake"}, {"hub-region", AUDITOR}),
    ("region-facts", {"hub-region"}, {"hub-region", "hub-intake", "hub-delivery", "hub-readmodel", AUDITOR}),
    ("region-snapshots", {"hub-region"}, {"hub-region", AUDITOR}),
    ("links", {"hub-duplicates"}, {"hub-duplicates", "hub-intake", AUDITOR}),
    ("identity-log", {"hub-intake"}, {"hub-duplicates", AUDITOR}),
    ("match-snapshots", {"hub-duplicates"}, {"hub-duplicates", AUDITOR}),
    ("control", set(), {*HUB, "clock"}),
    ("alerts", {"hub-delivery"}, {"ops", "hub-webhooks", AUDITOR}),
    (
        "region-status|in-force",
        {"hub-delivery"},
        {*(TENANTS - {"clock", "operator"}), "hub-delivery", AUDITOR},
    ),
    ("region-shares", {"hub-delivery"}, {*(TENANTS - {"clock", "operator"}), "hub-delivery", "hub-signing", AUDITOR}),
    ("signed-roots", {"hub-signing"}, {*(TENANTS - {"clock", "operator"}), AUDITOR}),
    (r"inbox\.([^.]+)", {OWN}, {OWN, "hub-intake", AUDITOR}),
    (r"inbox\.([^.]+)\.dlq", {"hub-intake"}, {OWN, AUDITOR}),
    (r"out\.[^.]+\.([^.]+)", {"hub-delivery"}, {OWN, AUDITOR}),
)
"""Family of topics, who may write, who may read: nobody else."""


def expected(topic: str) -> tuple[set[str], set[str]]:
    """Writers and readers of a topic by the table above."""
    [(owner, writers, readers)] = [
        (found.groups(), writers, readers)
        for family, writers, readers in ACCESS
        if (found := re.fullmatch(family, topic))
    ]
    named: tuple[set[str], set[str]] = (
        {owner[0] if who == OWN else who for who in writers},
        {owner[0] if who == OWN else who for who in readers},
    )
    return named


@dataclass
class Door:
    """A broker as `hub topics apply` leaves it."""

    kafka: KafkaCluster
    passwords: dict[str, str]

    def login(self, user: str) -> dict[str, Any]:
        """Settings of a stock client, on the listener that is meant for this user."""
        return {
            "bootstrap.servers": self.kafka.bootstrap if user in HUB else self.kafka.tenant_bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": self.passwords[user],
            "log_level": 0,
        }

    def connection(self, principal: str) -> Connection:
        """How a role of the hub connects."""
        return Connection(self.kafka.bootstrap, principal, self.passwords[principal], limits=LIMITS)

    def send(self, user: str, topic: str, value: bytes | None, **more: Any) -> int:
        """Write one record with a stock producer; its offset. KafkaException: the broker's answer is no."""
        placed: list[int] = []

        def delivered(error: KafkaError | None, message: Any) -> None:
            if error is not None:
                raise KafkaException(error)
            placed.append(message.offset())

        settings = {"message.max.bytes": 20_000_000, **more.pop("settings", {})}
        producer = Producer({**self.login(user), **settings})
        producer.produce(topic, value, on_delivery=delivered, **more)
        producer.flush(SECONDS_MAX)
        [offset] = placed
        return offset


@pytest.fixture(scope="module")
def door() -> Iterator[Door]:
    """Every topic with one record in it, written above all rules."""
    with KafkaCluster() as kafka:
        passwords = {name: secrets.token_hex(16) for name in catalogue.principals(REFERENCE)}
        passwords[kafka.admin_user] = kafka.admin_password
        apply(kafka.bootstrap, passwords, REFERENCE)
        yield Door(kafka, passwords)


TOPICS: Final = tuple(topic.name for topic in catalogue.topics_for(REFERENCE))


# What comes through an inbox. First, since the trials below leave bytes on topics that only the hub writes.


async def take_in(door: Door) -> None:
    """Let intake copy all there is, with the rights of its own principal."""
    connection = door.connection("hub-intake")
    job = intake.relay("intake", "hub.intake.door", REFERENCE, connection)
    await fold_everything(Reader(job, connection))


async def logged(door: Door, sources: set[str]) -> dict[str, str]:
    """Source → type of its record in the logs of the regions."""
    async with reading(door.connection(AUDITOR)) as lone:
        parts = [TopicPartition(catalogue.REGION_LOG, number) for number in range(REFERENCE.log_partitions)]
        found = {}
        async for record in read_to_end(lone, dict.fromkeys(parts)):
            source = dict(record.headers).get("ce_hubsrc", b"").decode()
            if source in sources:
                found[source] = type(decode(record.value)).__name__
        return found


async def dead_letters(door: Door, tenant: str) -> dict[str, Any]:
    """Source → dead letter, as the tenant itself reads them."""
    connection = Connection(door.kafka.tenant_bootstrap, tenant, door.passwords[tenant], limits=LIMITS)
    async with reading(connection) as lone:
        letters = read_to_end(lone, {TopicPartition(catalogue.dead_letters(TenantId(tenant)), 0): None})
        return {
            dict(record.headers)["ce_hubsrc"].decode(): record
            async for record in letters
            if "ce_hubsrc" in dict(record.headers)
        }


async def test_a_vendor_may_compress_as_its_client_happens_to(door: Door) -> None:
    """The broker keeps inboxes plain, so nobody behind it needs the codec."""
    sources = set()
    for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
        value = encode(replace(REGISTRATION, record_id=RecordId(f"reg-{codec}-1")))
        offset = door.send("pkg-a", "inbox.pkg-a", value, settings={"compression.type": codec})
        sources.add(f"inbox.pkg-a/{offset}")
    await take_in(door)
    assert await logged(door, sources) == dict.fromkeys(sources, "RegistrationSubmitted")


def test_a_record_that_would_unfold_to_more_than_the_bound_is_refused_at_the_door(door: Door) -> None:
    """Five megabytes of zeros compress to five kilobytes; the producer's error is the answer (spine 9)."""
    with pytest.raises(KafkaException) as refused:
        door.send("pkg-a", "inbox.pkg-a", bytes(5_000_000), settings={"compression.type": "gzip"})
    assert refused.value.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE


@contextmanager
def spelled_by_another_client(name: bytes, mark: str) -> Iterator[None]:
    """Header names are text in our clients and bytes on the wire: puts `name` where `mark` stands."""
    assert len(name) == len(mark)
    build = message_accumulator.MessageBatch.get_data_buffer

    def bent(batch: Any) -> bytes:
        data = bytearray(build(batch))
        if (at := data.find(mark.encode())) >= 0:
            data[at : at + len(name)] = name
            data[17:21] = calc_crc32c(bytes(data[21:])).to_bytes(4, "big")
        return bytes(data)

    message_accumulator.MessageBatch.get_data_buffer = bent
    try:
        yield
    finally:
        message_accumulator.MessageBatch.get_data_buffer = build


async def test_whatever_a_record_is_made_of_the_ones_behind_it_are_taken(door: Door) -> None:
    """No key, a huge key, headers without value, names that are no text, a long one too: nothing stops intake."""
    good = encode(REGISTRATION)
    own = Connection(door.kafka.tenant_bootstrap, "pkg-b", door.passwords["pkg-b"], limits=LIMITS)
    publisher = Publisher(own.producer())
    await own.start(publisher.producer)
    inbox = TopicPartition("inbox.pkg-b", 0)
    first = await publisher.publish(inbox, [Record(None, good)]) - 1
    await publisher.publish(inbox, [Record(b"k" * 900_000, b"too much of a key")])
    with spelled_by_another_client(b"\xff\xfe\x80\xc3", "ZQZQ"):
        await publisher.publish(inbox, [Record(b"k", b"no avro", [("ZQZQ", b"1")])])
    with spelled_by_another_client(b"\xff" * 400_000, "Z" * 400_000):
        await publisher.publish(inbox, [Record(b"k", b"no avro", [("Z" * 400_000, b"1")])])
    await publisher.publish(inbox, [Record(b"k", None)])
    await publisher.producer.stop()
    door.send("pkg-b", "inbox.pkg-b", b"no avro", headers=[("empty", None), ("binary", b"\xff")])
    last = door.send("pkg-b", "inbox.pkg-b", good)
    try:
        await take_in(door)
    finally:
        fetcher.MemoryRecords = header_names.STRICT
    kinds = ["RegistrationSubmitted", *["InputRefused"] * 5, "RegistrationSubmitted"]
    sources = [f"inbox.pkg-b/{offset}" for offset in range(first, last + 1)]
    assert await logged(door, set(sources)) == dict(zip(sources, kinds, strict=True))
    letters = await dead_letters(door, "pkg-b")
    values = [b"too much of a key", b"no avro", b"no avro", None, b"no avro"]
    assert [letters[source].value for source in sources[1:-1]] == values
    assert len(letters[sources[1]].key) == 900_000
    assert dict(letters[sources[2]].headers)["????"] == b"1"
    assert dict(letters[sources[3]].headers)["?" * 400_000] == b"1"
    assert dict(letters[sources[5]].headers)["binary"] == b"\xff"


async def test_a_dead_letter_says_why_and_where_and_keeps_the_bytes(door: Door) -> None:
    """The headers that tools for dead letters know, and our stable code."""
    broken = encode(REGISTRATION)[:-3]
    offset = door.send(
        "pkg-a", "inbox.pkg-a", broken, key=b"reg-1", headers=[("x-own", b"kept"), ("ce_hubsrc", b"a lie")]
    )
    await take_in(door)
    letter = (await dead_letters(door, "pkg-a"))[f"inbox.pkg-a/{offset}"]
    assert (letter.key, letter.value) == (b"reg-1", broken)
    assert dict(letter.headers) == {
        "x-own": b"kept",
        "ce_hubsrc": f"inbox.pkg-a/{offset}".encode(),
        "ce_hubreason": b"not_decodable",
        "__streams.errors.exception": b"InputRefused",
        "__streams.errors.message": b"not_decodable",
        "__streams.errors.topic": b"inbox.pkg-a",
        "__streams.errors.partition": b"0",
        "__streams.errors.offset": str(offset).encode(),
    }


async def test_delivery_comes_back_after_a_restart_with_the_rights_that_it_has(door: Door) -> None:
    """It reads its own compacted topics then, to know what was written last."""
    connection = door.connection("hub-delivery")
    region = Publisher(door.connection("hub-region").producer())
    await region.producer.start()
    for sequence in (1, 2):
        await region.publish(
            TopicPartition(catalogue.REGION_FACTS, 0), [fact("region-status", sequence, b"%d" % sequence)]
        )
        job = CompactedRelay("compacted", "hub.delivery.door.compacted", REFERENCE, connection)
        await fold_everything(Reader(job, connection))
    await region.producer.stop()
    async with reading(door.connection(AUDITOR)) as lone:
        told = [record.value async for record in read_to_end(lone, {TopicPartition("region-status", 0): None})]
    assert told[-2:] == [b"1", b"2"]


# Every door, tried by everybody.


def test_every_topic_is_of_exactly_one_family() -> None:
    """A new topic is a decision about who may read it."""
    assert all(expected(topic) for topic in TOPICS) and len(set(TOPICS)) == len(TOPICS)


@pytest.mark.parametrize("user", catalogue.principals(REFERENCE))
def test_everybody_writes_what_it_may_and_nothing_else(door: Door, user: str) -> None:
    """Tried on every topic of the cluster."""
    taken, refused = set(), set()

    def delivered(error: KafkaError | None, message: Any) -> None:
        if error is None:
            taken.add(message.topic())
        else:
            assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, error
            refused.add(message.topic())

    producer = Producer({**door.login(user), "linger.ms": 0})
    for topic in TOPICS:
        producer.produce(topic, b"tried", b"key", partition=0, on_delivery=delivered)
    producer.flush(SECONDS_MAX)
    assert taken == {topic for topic in TOPICS if user in expected(topic)[0]}
    assert taken | refused == set(TOPICS)


@pytest.mark.parametrize("user", catalogue.principals(REFERENCE))
def test_everybody_reads_what_it_may_and_sees_no_more(door: Door, user: str) -> None:
    """Nor even the names of other topics, since they name other tenants."""
    readable = {topic for topic in TOPICS if user in expected(topic)[1]}
    own_group = f"{catalogue.GROUPS[user][0] if user in HUB else user}.door"
    settings = {"group.id": own_group, "auto.offset.reset": "earliest", "enable.partition.eof": True}
    consumer = Consumer({**door.login(user), **settings, "fetch.wait.max.ms": 20})
    consumer.subscribe(list(TOPICS))
    read: set[str] = set()
    refused: set[str] = set()
    while len(read | refused) < len(TOPICS):
        message = consumer.poll(SECONDS_MAX)
        assert message is not None, set(TOPICS) - read - refused
        error = message.error()
        if error is None or error.code() == KafkaError._PARTITION_EOF:
            read.add(message.topic())
        else:
            assert error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED, error
            refused.add(message.topic())
    seen = set(consumer.list_topics(timeout=SECONDS_MAX).topics)
    consumer.close()
    assert read == readable
    assert seen == readable | {topic for topic in TOPICS if user in expected(topic)[0]}


@pytest.mark.parametrize(
    ("user", "group"), [("pkg-a", "pkg-b.reader"), ("pkg-a", "hub.intake.g1"), ("hub-delivery", "hub.intake.g1")]
)
def test_nobody_commits_in_the_name_of_another_group(door: Door, user: str, group: str) -> None:
    """An offset set by somebody else would make a reader pass over records."""
    admin = AdminClient(door.login(user))
    asked = ConsumerGroupTopicPartitions(group, [Place("region-status", 0, 1)])
    with pytest.raises(KafkaException) as refused:
        admin.alter_consumer_group_offsets([asked], request_timeout=SECONDS_MAX)[group].result(SECONDS_MAX)
    assert refused.value.args[0].code() == KafkaError.GROUP_AUTHORIZATION_FAILED


def test_nobody_takes_the_transactional_id_of_a_fold(door: Door) -> None:
    """It would fence the fold out."""
    producer = Producer({**door.login("pkg-a"), "transactional.id": "hub.region.g1.0"})
    with pytest.raises(KafkaException) as refused:
        producer.init_transactions(SECONDS_MAX)
    assert refused.value.args[0].code() == KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED


@pytest.mark.parametrize("user", ["pkg-a", "hub-intake", "hub-region", AUDITOR])
def test_nobody_but_the_administrator_makes_topics(door: Door, user: str) -> None:
    """Nor changes any rule; what exists is the catalogue's to say."""
    admin = AdminClient(door.login(user))
    with pytest.raises(KafkaException) as refused:
        admin.create_topics([NewTopic("another", 1, 1)])["another"].result(SECONDS_MAX)
    assert refused.value.args[0].code() in (
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    )
