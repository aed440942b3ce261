"""The signing relay on a real Kafka: what everybody was given, signed where everybody reads."""

from pathlib import Path

import pytest
from aiokafka import TopicPartition
from confluent_kafka.admin import NewTopic

from hub.contracts import catalogue, signing
from hub.contracts.codec import decode, encode
from hub.domain.facts import RegionSharesStated, RootSigned
from hub.domain.identifiers import RegionCode
from hub.errors import UsageError
from hub.local.kafka import KafkaCluster
from hub.settings import Settings
from hub.streams import delivery
from hub.streams.connection import Connection
from hub.streams.producer import Record
from hub.streams.signing import jobs
from tests.contracts.world import REFERENCE
from tests.streams.test_relay import create, fact, read, relay_everything, write

pytestmark = pytest.mark.kafka
SIGNED = TopicPartition(catalogue.SIGNED_ROOTS, 0)


@pytest.fixture(autouse=True)
def topics(cluster: KafkaCluster) -> None:
    """The two topics of this role, empty."""
    names = (catalogue.REGION_SHARES, catalogue.SIGNED_ROOTS)
    admin = cluster.admin()
    there = [name for name in names if name in admin.list_topics(timeout=10).topics]
    for outcome in (admin.delete_topics(there) if there else {}).values():
        outcome.result()
    wanted = [topic for topic in catalogue.topics_for(REFERENCE) if topic.name in names]
    create(cluster, [NewTopic(topic.name, topic.partitions, 1, config=topic.config) for topic in wanted])


def stated(month: str, region: str = "KSV-01") -> RegionSharesStated:
    """A month of a region."""
    return RegionSharesStated(region=RegionCode(region), month=month, statement_root=month[-2:] * 32, providers=5)


def delivered(month: str, sequence: int) -> Record:
    """The same as delivery copies it."""
    record = fact(catalogue.REGION_SHARES, sequence, encode(stated(month)))
    named = ("ce_hubregion", b"KSV-01")
    return Record(f"KSV-01/{month}".encode(), record.value, [*record.headers, named], record.timestamp_ms)


async def test_every_root_is_signed_once_more_after_a_crash_to_the_same_bytes(
    connection: Connection, tmp_path: Path, stem: str
) -> None:
    """Ed25519 draws no lot, so a repeat changes nothing that a reader could see."""
    public = signing.new_key(tmp_path / "key.pem")
    settings = Settings(signing_key_file=tmp_path / "key.pem")
    months = [delivered("2026-03", 1), delivered("2026-04", 2)]
    await write(connection, {TopicPartition(catalogue.REGION_SHARES, 0): months})
    for attempt in ("first", "after a crash that lost what was acknowledged"):
        [job] = jobs(settings, f"hub.signing.{stem}{len(attempt)}", connection)
        await relay_everything(job, connection)
    records = await read(connection, SIGNED)
    told = [decode(record.value) for record in records[:2]]
    assert [(one.region, one.month, one.statement_root) for one in told] == [
        ("KSV-01", "2026-03", "03" * 32),
        ("KSV-01", "2026-04", "04" * 32),
    ]
    assert all(isinstance(one, RootSigned) and signing.is_signed(one, public) for one in told)
    seen = [(record.key, record.value, record.headers, record.timestamp) for record in records]
    assert [key for key, *_ in seen[:2]] == [b"KSV-01/2026-03", b"KSV-01/2026-04"]
    assert seen[:2] == seen[2:], "headers and time too"
    headers = dict(records[1].headers)
    assert headers["ce_type"] == b"nl.kraamzorg.root-signed.v1"
    assert headers["ce_id"] == delivery.delivered_id(catalogue.SIGNED_ROOTS, "KSV-01", 2).encode()
    assert "ce_hubpos" not in headers, "positions of our logs do not leave"


def test_without_a_key_nobody_signs_and_with_a_wrong_one_nobody_starts(connection: Connection, tmp_path: Path) -> None:
    """A hub without a key says nothing; it never signs with something else."""
    assert list(jobs(Settings(), "hub.signing", connection)) == []
    (tmp_path / "key.pem").write_text("no key")
    for file, said in (("key.pem", "found no private key"), ("none.pem", "No such file")):
        with pytest.raises(UsageError, match=said):
            list(jobs(Settings(signing_key_file=tmp_path / file), "hub.signing", connection))
