"""The embedded Kafka has the locks and the habits of a deployed one, and says why when it cannot start."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import socket
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, TopicAuthorizationFailedError, UnknownTopicOrPartitionError
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from hub.errors import UsageError
from hub.local import kafka as embedded
from hub.local import ports
from hub.local.kafka import KafkaCluster, KafkaDidNotStart
from hub.local.ports import LOOPBACK

pytestmark = pytest.mark.kafka


@contextlib.asynccontextmanager
async def producing(bootstrap: str, user: str, password: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=user,
        sasl_plain_password=password,
        acks="all",
        request_timeout_ms=20_000,
    )
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


async def read_all(cluster: KafkaCluster, topic: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=cluster.bootstrap,
        security_protocol="SASL_PLAINTEXT",
        sasl_mechanism="SCRAM-SHA-512",
        sasl_plain_username=cluster.admin_user,
        sasl_plain_password=cluster.admin_password,
        auto_offset_reset="earliest",
    )
    await consumer.start()
    try:
        return [(await asyncio.wait_for(consumer.getone(), 20)).value for _ in range(count)]
    finally:
        await consumer.stop()


def make_topic(cluster: KafkaCluster, topic: str, copies: int = 1) -> None:
    admin = cluster.admin()  # held until it has answered
    for made in admin.create_topics([NewTopic(topic, 1, copies)]).values():
        made.result(20)


def make_vendor(cluster: KafkaCluster, user: str, inbox: str) -> str:
    """A user that may write its own inbox and nothing else; its password."""
    admin, password = cluster.admin(), secrets.token_hex(16)
    scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    credential = UserScramCredentialUpsertion(user, scram, password.encode())
    may_write = AclBinding(
        ResourceType.TOPIC,
        inbox,
        ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation.WRITE,
        AclPermissionType.ALLOW,
    )
    asked = [*admin.alter_user_scram_credentials([credential]).values(), *admin.create_acls([may_write]).values()]
    for answer in asked:
        answer.result(20)
    return password


async def test_a_vendor_writes_its_own_inbox_and_is_refused_at_anothers(kafka: KafkaCluster) -> None:
    """A Kafka record carries no sender, so the topic is the sender: the broker must hold that line (spine 1)."""
    mark = secrets.token_hex(4)
    own, other = f"inbox.own-{mark}", f"inbox.other-{mark}"
    make_topic(kafka, own)
    make_topic(kafka, other)
    password = make_vendor(kafka, f"vendor-{mark}", own)
    async with producing(kafka.tenant_bootstrap, f"vendor-{mark}", password) as vendor:
        await vendor.send_and_wait(own, b"mine")
        with pytest.raises(TopicAuthorizationFailedError):
            await vendor.send_and_wait(other, b"not mine")
    assert await read_all(kafka, own, 1) == [b"mine"]


async def test_a_wrong_password_opens_no_listener(kafka: KafkaCluster) -> None:
    """Both listeners ask: the hub's own and that of the tenants."""
    for bootstrap in (kafka.bootstrap, kafka.tenant_bootstrap):
        with pytest.raises(KafkaConnectionError):
            async with producing(bootstrap, kafka.admin_user, "guessed"):
                pass


async def test_a_topic_that_nobody_made_does_not_come_into_being(kafka: KafkaCluster) -> None:
    """A mistyped topic is an error, not a new topic that nobody reads."""
    topic = f"mistyped-{secrets.token_hex(4)}"
    async with producing(kafka.bootstrap, kafka.admin_user, kafka.admin_password) as producer:
        with pytest.raises((UnknownTopicOrPartitionError, KafkaConnectionError, TimeoutError)):
            await asyncio.wait_for(producer.send_and_wait(topic, b"lost"), 3)
    assert topic not in kafka.admin().list_topics(timeout=5).topics


def test_it_listens_on_the_loopback_only(kafka: KafkaCluster) -> None:
    """A demo on a laptop in a train must not be a broker for the train."""
    pid = kafka.pid(1)
    sockets = {f"socket:[{line.split()[9]}]": line.split()[1] for line in listening_lines()}
    handles = [link for link in map(read_link, Path(f"/proc/{pid}/fd").iterdir()) if link in sockets]
    addresses = {sockets[link].rpartition(":")[0] for link in handles}
    assert len(handles) >= 3
    assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F"}


def listening_lines() -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        yield from (line for line in Path(table).read_text().splitlines()[1:] if line.split()[3] == "0A")


def read_link(link: Path) -> str:
    with contextlib.suppress(FileNotFoundError):
        return str(link.readlink())
    return ""


def test_passwords_are_in_private_files_and_in_no_process_list(kafka: KafkaCluster) -> None:
    """Another user of the machine finds nothing, and the log holds nothing to paste by accident."""
    secret = kafka.admin_password
    holders = [f for f in kafka.folder.rglob("*") if f.is_file() and secret.encode() in f.read_bytes()]
    assert holders
    assert stat.S_IMODE(kafka.folder.stat().st_mode) == 0o700
    assert [f for f in holders if stat.S_IMODE(f.stat().st_mode) != 0o600] == []
    assert kafka.folder / "node-1" / "kafka.log" not in holders
    assert secret.encode() not in Path(f"/proc/{kafka.pid(1)}/cmdline").read_bytes()


async def test_a_killed_node_comes_back_at_its_address_with_what_it_had_acknowledged() -> None:
    """kill -9 loses the process, not the records."""
    with KafkaCluster() as cluster:
        make_topic(cluster, "kept")
        async with producing(cluster.bootstrap, cluster.admin_user, cluster.admin_password) as producer:
            for number in range(3):
                await producer.send_and_wait("kept", b"%d" % number)
        address = cluster.bootstrap
        await asyncio.to_thread(cluster.kill, 1)
        assert cluster.pid(1) is None
        await asyncio.to_thread(cluster.restart, 1)
        assert cluster.bootstrap == address
        assert await read_all(cluster, "kept", 3) == [b"0", b"1", b"2"]


async def test_a_given_folder_keeps_data_users_and_passwords_over_a_stop(tmp_path: Path) -> None:
    """Whoever names a folder wants to find the data again."""
    with KafkaCluster(folder=tmp_path) as cluster:
        password = cluster.admin_password
        make_topic(cluster, "kept")
        async with producing(cluster.bootstrap, cluster.admin_user, password) as producer:
            await producer.send_and_wait("kept", b"still here")
    with KafkaCluster(folder=tmp_path) as again:
        assert again.admin_password == password
        assert await read_all(again, "kept", 1) == [b"still here"]
    with pytest.raises(UsageError, match=r"holds the data of 1 node\(s\), 3 were asked for"):
        KafkaCluster(3, folder=tmp_path).start()


def test_without_a_folder_nothing_is_left_after_the_stop() -> None:
    """The data of a demo goes with the demo."""
    cluster = KafkaCluster()
    cluster.start()
    folder, port = cluster.folder, int(cluster.bootstrap.rpartition(":")[2])
    assert folder.exists()
    cluster.stop()
    assert not folder.exists()
    with socket.socket() as probe:
        assert probe.connect_ex((LOOPBACK, port)) != 0
    cluster.stop()  # a second stop is no error


def test_a_taken_port_is_not_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between finding a free port and using it somebody else may take it; then other ports are tried."""
    with socket.socket() as squatter:
        squatter.bind((LOOPBACK, 0))
        squatter.listen()
        taken = squatter.getsockname()[1]
        offers = iter([(taken, *ports.free_ports(2)), ports.free_ports(3)])
        monkeypatch.setattr(embedded, "free_ports", lambda count: next(offers))
        with KafkaCluster() as cluster:
            assert str(taken) not in cluster.bootstrap
            assert cluster.admin().list_topics(timeout=5).brokers


def test_a_cluster_id_that_looks_like_an_option_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chance offers an id that begins with a dash one time in 64, and Kafka's tools take it for an option."""
    offers = iter([UUID(bytes=b"\xf8" + bytes(15)), UUID(bytes=bytes(15) + b"\x01")])
    monkeypatch.setattr("hub.local.kafka.uuid.uuid4", lambda: next(offers))
    with KafkaCluster() as cluster:
        assert json.loads((cluster.folder / embedded.STATE_FILE).read_text())["cluster_id"] == "A" * 20 + "AQ"


def test_a_node_that_cannot_start_says_why_and_leaves_no_process(tmp_path: Path) -> None:
    """The last lines of its log stand in the error, with what to do."""
    with KafkaCluster(folder=tmp_path):
        pass
    (tmp_path / "node-1" / "data" / "meta.properties").write_text("version=1\ncluster.id=another\nnode.id=7\n")
    with pytest.raises(KafkaDidNotStart) as refused:
        KafkaCluster(folder=tmp_path).start()
    message = str(refused.value)
    assert "Kafka node 1 ended with status 1 while it started" in message
    assert "Stored node id 7 doesn't match" in message
    assert "\tat " not in message
    assert "--prefetch" in message
    assert json.loads((tmp_path / embedded.STATE_FILE).read_text())["admin_password"] not in message


async def test_three_nodes_go_on_when_one_is_killed_and_take_it_back() -> None:
    """Replication 3, two in sync: one loss is no loss, and neither is one that stands still."""
    with KafkaCluster(3) as cluster:
        admin = cluster.admin()
        make_topic(cluster, "kept", copies=3)
        await asyncio.to_thread(cluster.wait_in_sync)
        async with producing(cluster.bootstrap, cluster.admin_user, cluster.admin_password) as producer:
            await producer.send_and_wait("kept", b"all")
            leader = leader_of(admin, "kept")
            await asyncio.to_thread(cluster.kill, leader)
            await producer.send_and_wait("kept", b"two")
            assert leader_of(admin, "kept") != leader
            await asyncio.to_thread(cluster.restart, leader)
            await asyncio.to_thread(cluster.wait_in_sync)
            follower = next(node for node in cluster.nodes if node != leader_of(admin, "kept"))
            cluster.pause(follower)
            await producer.send_and_wait("kept", b"one stands still")
            cluster.resume(follower)
            await asyncio.to_thread(cluster.wait_in_sync)
        assert await read_all(cluster, "kept", 3) == [b"all", b"two", b"one stands still"]


def leader_of(admin: AdminClient, topic: str) -> int:
    return int(admin.list_topics(timeout=5).topics[topic].partitions[0].leader)


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        (lambda c: c.bootstrap, "not started"),
        (lambda c: c.kill(1), "not started"),
        (lambda c: KafkaCluster(2), "one of 1, or one of 3"),  # type: ignore[arg-type]
    ],
)
def test_misuse_is_told_in_words(use: object, expected: str) -> None:
    """What was found, what was expected, what to do."""
    assert callable(use)
    with pytest.raises(UsageError, match=expected):
        use(KafkaCluster())
