"""The doctor on the real broker: each fault is made, found by its name, and gone when it is mended.

The tests stand in an order: later ones break more. Each has the cluster of this module to itself.
"""

import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (
    AclBinding,
    AclOperation,
    AclPermissionType,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    ResourcePatternType,
    ResourceType,
)
from typer.testing import CliRunner

from hub.__main__ import app
from hub.contracts import catalogue, codec, control
from hub.doctor.findings import Kind
from hub.doctor.look import AMSTERDAM, Stack, examine
from hub.domain.facts import DayClosed
from hub.domain.identifiers import TenantId
from hub.errors import PartitionCountChanged
from hub.local import provision
from hub.local.kafka import KafkaCluster
from hub.local.ports import free_ports
from hub.local.valkey import Valkey
from hub.streams.machine import Marker, Stopped, marker_key
from tests.contracts.world import REFERENCE

pytestmark = pytest.mark.kafka
LIST = TenantId("wait-a")
QUIET = {Kind.DAY_MISSED}
"""What is wrong with a hub on which nothing runs yet: no clock has spoken."""


@dataclass
class World:
    """A provisioned cluster, and hands that may break it."""

    cluster: KafkaCluster
    passwords: dict[str, str]
    stack: Stack

    def found(self, **change: Any) -> dict[Kind, str]:
        """What the doctor finds, by kind."""
        return {one.kind: one.what for one in examine(replace(self.stack, **change))}

    def write(self, topic: str, key: bytes, value: bytes | None, partition: int = 0) -> None:
        """One record as the administrator."""
        producer = Producer({
            "bootstrap.servers": self.cluster.bootstrap, "security.protocol": "SASL_PLAINTEXT", "log_level": 0,
            "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "admin", "sasl.password": self.cluster.admin_password,
        })  # fmt: skip
        producer.produce(topic, value, key, partition=partition)
        assert producer.flush(20) == 0

    def mend(self) -> None:
        """The step that most findings name."""
        provision.apply(self.cluster.bootstrap, self.passwords, REFERENCE)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """Topics, users and rules as the catalogue says."""
    with KafkaCluster() as cluster:
        passwords = {name: secrets.token_hex(16) for name in catalogue.principals(REFERENCE)}
        passwords["admin"] = cluster.admin_password
        stack = Stack(cluster.bootstrap, "admin", cluster.admin_password)
        yield World(cluster, passwords, stack)


def test_a_cluster_without_tables_is_told_to_get_some(world: World) -> None:
    """The first start."""
    assert list(world.found()) == [Kind.TABLES_MISSING]


def test_a_provisioned_cluster_lacks_nothing_but_its_first_day(world: World) -> None:
    """And once a day is closed everywhere, nothing at all."""
    world.mend()
    assert set(world.found()) == QUIET
    today = datetime.now(UTC).astimezone(AMSTERDAM).date()
    for region in REFERENCE.codes:
        closed = DayClosed(recipient=TenantId("clock"), region=region, date=today, open_proposals=0, waiting=0)
        world.write("out.days.clock", region.encode(), codec.encode(closed))
    assert world.found() == {}


def test_a_wrong_password_is_not_mistaken_for_a_broker_that_is_away(world: World) -> None:
    """The client library says "unable to bootstrap" to both."""
    found = world.found(password="not-the-password")
    assert (
        list(found) == [Kind.PASSWORD_REFUSED]
        and "refused the password of user 'admin'" in found[Kind.PASSWORD_REFUSED]
    )
    [port] = free_ports(1)
    assert list(world.found(bootstrap_servers=f"127.0.0.1:{port}")) == [Kind.BROKER_UNREACHABLE]


def test_an_auditor_sees_less_and_is_told_so(world: World) -> None:
    """A look that is refused is a finding, and the others go on."""
    found = world.found(principal=catalogue.AUDITOR, password=world.passwords[catalogue.AUDITOR])
    assert Kind.NOT_ALLOWED_TO_LOOK in found and Kind.TOPIC_MISSING not in found
    assert catalogue.CONTROL not in found[Kind.NOT_ALLOWED_TO_LOOK], "it reads the tables, and goes on from there"
    assert Kind.ACCESS_MISSING not in found, "what it may not see is not missing"


def test_a_setting_that_somebody_changed_is_named_and_mended(world: World) -> None:
    """With the value found and the one expected."""
    entry = ConfigEntry("retention.ms", "1000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ConfigResource.Type.TOPIC, catalogue.REGION_LOG, incremental_configs=[entry])
    admin = world.cluster.admin()
    for future in admin.incremental_alter_configs([resource]).values():
        future.result()
    assert world.found() == {Kind.TOPIC_CONFIG: "topic region-log has retention.ms=1000, expected -1"}
    world.mend()
    assert world.found() == {}


def test_access_that_drifted_is_named_and_mended(world: World) -> None:
    """A rule that nobody granted is an error: somebody may read what is not theirs."""
    rule = AclBinding(
        ResourceType.TOPIC, catalogue.REGION_LOG, ResourcePatternType.LITERAL, "User:pkg-a", "*", AclOperation.READ,
        AclPermissionType.ALLOW,
    )  # fmt: skip
    admin = world.cluster.admin()
    for future in admin.create_acls([rule]).values():
        future.result()
    assert "pkg-a read topic region-log" in world.found()[Kind.ACCESS_SURPLUS]
    world.mend()
    assert world.found() == {}


def test_a_stopped_region_is_told_with_its_place(world: World) -> None:
    """From the snapshot's own marker: no worker need answer."""
    stopped = Marker(7, 0, "", {"KSV-01": Stopped(3, 5, "ZeroDivisionError in decide:7")})
    world.write(catalogue.REGION_SNAPSHOTS, marker_key(1), msgspec.json.encode(stopped))
    told = world.found()[Kind.REGION_STOPPED]
    assert told == "region KSV-01 of region, partition 0 stands still: ZeroDivisionError in decide:7, at offset 5"
    mended = Marker(7, 0, "", {})
    world.write(catalogue.REGION_SNAPSHOTS, marker_key(1), msgspec.json.encode(mended))
    assert world.found() == {}


def test_work_that_nobody_does_and_dead_letters_are_told(world: World) -> None:
    """An inbox holds a record, and no intake runs; a vendor's records were refused."""
    world.write("inbox.pkg-a", b"k", b"x")
    world.write("inbox.pkg-a.dlq", b"k", b"x")
    found = world.found()
    assert found[Kind.GROUP_WITHOUT_MEMBERS] == "group hub.intake.g1 has no members, 1 records behind"
    assert found[Kind.DEAD_LETTERS_GROW] == "dead letters of the last 24 hours: inbox.pkg-a.dlq 1"


def test_statements_that_a_waitlist_tool_refused_are_told_and_so_is_a_connector_that_does_not_run(world: World) -> None:
    """From what its group keeps with its offset: no connector need answer."""
    topic, group = catalogue.out_topic("allocations", LIST), catalogue.connector_group(LIST)
    for _ in range(3):
        world.write(topic, b"KSV-01", b"x")
    connector = Consumer({
        "bootstrap.servers": world.cluster.bootstrap, "security.protocol": "SASL_PLAINTEXT", "log_level": 0,
        "sasl.mechanism": "SCRAM-SHA-512", "sasl.username": LIST, "sasl.password": world.passwords[LIST],
        "group.id": group,
    })  # fmt: skip
    connector.commit(offsets=[TopicPartition(topic, 0, 2, "0-1")], asynchronous=False)
    found = examine(world.stack)
    connector.close()
    told = [one.what for one in found if one.kind in (Kind.STATEMENTS_REFUSED, Kind.GROUP_WITHOUT_MEMBERS)]
    assert f"the waitlist tool refused 2 statements of {topic}, first 0" in told
    assert f"group {group} has no members, 1 records behind" in told


def test_a_day_that_the_clock_missed_is_told(world: World) -> None:
    """Tomorrow, when nobody has sent it."""
    later = examine(world.stack, lambda: time.time() + timedelta(days=2).total_seconds())
    assert Kind.DAY_MISSED in {one.kind for one in later}
    demo = replace(world.stack, simulated=True)
    assert Kind.DAY_MISSED not in {one.kind for one in examine(demo)}, "a demo's days are its own"


def test_a_record_of_a_schema_that_this_release_lacks_is_told(world: World) -> None:
    """A newer intake writes what an older fold cannot read."""
    for topic in (catalogue.REGION_LOG, "out.days.clock"):
        world.write(topic, b"KSV-01", b"\x00\x00\x00\xff\xff")
    told = [one.what for one in examine(world.stack) if one.kind is Kind.SCHEMA_UNKNOWN]
    assert [what.partition(" holds records of schema 65535")[0] for what in told] == ["out.days.clock", "region-log"]


def test_redis_that_is_away_is_told_and_one_that_is_there_is_asked_its_version(world: World, valkey: Valkey) -> None:
    """Nothing of a password reaches the words."""
    [port] = free_ports(1)
    found = world.found(redis_url=f"redis://user:secret@127.0.0.1:{port}/0")
    assert found[Kind.REDIS_UNREACHABLE] == "Redis does not answer (ConnectionError)"
    assert world.found(redis_url="127.0.0.1:6379")[Kind.REDIS_UNREACHABLE] == "Redis does not answer (ValueError)"
    assert not {Kind.REDIS_UNREACHABLE, Kind.REDIS_TOO_OLD} & world.found(redis_url=valkey.url("root")).keys()


def test_the_command_speaks_to_people_and_to_scripts(world: World, tmp_path: Any) -> None:
    """Exit code 1 with findings; 2 for a file that is none."""
    file = tmp_path / "stack.json"
    file.write_text(json.dumps({
        "bootstrap_servers": world.cluster.bootstrap, "principal": "admin", "password": world.cluster.admin_password,
    }))  # fmt: skip
    said = CliRunner().invoke(app, ["doctor", "--stack", str(file)])
    assert said.exit_code == 1
    assert "error: group_without_members\n" in said.stdout and "  next: Start the workers of that role." in said.stdout
    told = json.loads(CliRunner().invoke(app, ["doctor", "--stack", str(file), "--json"]).stdout.splitlines()[-1])
    assert told["healthy"] is False
    assert {"kind", "severity", "what", "next_step", "runbook"} == set(told["findings"][0])
    assert world.cluster.admin_password not in said.stdout


def test_a_topic_that_is_gone_is_named(world: World) -> None:
    """With how many there are."""
    admin = world.cluster.admin()
    for future in admin.delete_topics(["out.receipts.ops"]).values():
        future.result()
    give_up = time.monotonic() + 20
    while Kind.TOPIC_MISSING not in (found := world.found()) and time.monotonic() < give_up:
        time.sleep(0.2)
    assert found[Kind.TOPIC_MISSING] == "1 topics are missing, first out.receipts.ops"
    world.mend()
    assert Kind.TOPIC_MISSING not in world.found()


def test_partitions_that_somebody_added_are_told_and_never_mended_by_a_command(world: World) -> None:
    """Nothing is lost: the command refuses, and so do the workers (tests of the carrier)."""
    admin = world.cluster.admin()
    for future in admin.create_partitions([NewPartitions(catalogue.REGION_LOG, 3)]).values():
        future.result()
    give_up = time.monotonic() + 20
    while Kind.PARTITIONS_CHANGED not in (found := world.found()) and time.monotonic() < give_up:
        time.sleep(0.2)
    assert found[Kind.PARTITIONS_CHANGED] == "topic region-log has 3 partitions, the tables say 2"
    with pytest.raises(PartitionCountChanged, match="restore the topic, or open a new generation"):
        world.mend()


def test_a_generation_that_is_being_closed_and_tables_that_are_unsound_are_told(world: World) -> None:
    """Both stand on the control topic."""
    world.write(catalogue.CONTROL, control.closing_key(1).encode(), b"{}")
    assert Kind.GENERATION_CLOSING in world.found()
    key, value = control.tables_record(REFERENCE)
    world.write(catalogue.CONTROL, key.encode(), value + b" ")
    assert list(world.found()) == [Kind.TABLES_UNSOUND]
