"""A cluster becomes what the catalogue says, and a dump of it holds what anyone needs to check us."""

import base64
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message, Producer
from typer.testing import CliRunner

from hub.__main__ import app
from hub.contracts import catalogue, codec, tables
from hub.contracts.plan_file import write_plan
from hub.domain import events as e
from hub.domain.identifiers import Agb, Pc4, RecordId, RegionCode, TenantId, Uzovi
from hub.domain.reference import Reference, Region, Role, Tenant
from hub.domain.region_plan import national_defaults
from hub.errors import PartitionCountChanged, UsageError
from hub.local.dump import dump_topics
from hub.local.kafka import KafkaCluster
from hub.local.provision import apply

ALFA, OFFICE = TenantId("pkg-alfa"), TenantId("trust-office")
TABLES = Reference(
    version=1,
    log_partitions=2,
    regions=(Region(RegionCode("KSV-01"), "Een", 0), Region(RegionCode("KSV-02"), "Twee", 1)),
    postcodes=((Pc4("1000"), RegionCode("KSV-01")), (Pc4("1020"), RegionCode("KSV-02"))),
    tenants=(Tenant(ALFA, Role.PACKAGE), Tenant(OFFICE, Role.OFFICE), Tenant(TenantId("clock"), Role.CLOCK)),
)
MOVED = (replace(TABLES.regions[0], partition=1), TABLES.regions[1])
pytestmark = pytest.mark.kafka


class NotTakenError(Exception):
    """The broker did not take a record."""


class Cluster:
    """A broker of this module's own, since it makes the hub's topics under their real names."""

    def __init__(self, kafka: KafkaCluster) -> None:
        self.kafka = kafka
        self.passwords = {name: secrets.token_hex(16) for name in catalogue.principals(TABLES)}
        self.passwords[kafka.admin_user] = kafka.admin_password

    def login(self, user: str) -> dict[str, Any]:
        """Settings of a stock client."""
        return {
            "bootstrap.servers": self.kafka.tenant_bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": user,
            "sasl.password": self.passwords[user],
            "log_level": 0,
        }

    def send(
        self, user: str, topic: str, value: bytes, headers: list[tuple[str, bytes]] | None = None, key: bytes = b"k"
    ) -> None:
        """Write one record as a user; NotTakenError when the broker refuses."""
        answers: list[str] = []

        def delivered(error: Any, _: Message) -> None:
            answers.append("taken" if error is None else error.str())

        producer = Producer({**self.login(user), "message.timeout.ms": 3000})
        producer.produce(topic, value, key, partition=0, headers=headers, on_delivery=delivered)
        producer.flush(20)
        if answers != ["taken"]:
            raise NotTakenError(f"the broker took nothing from {user} for {topic}: {answers}")


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Provisioned once."""
    with KafkaCluster() as kafka:
        made = Cluster(kafka)
        apply(kafka.bootstrap, made.passwords, TABLES)
        yield made


def test_a_second_time_changes_nothing(cluster: Cluster) -> None:
    """Safe to repeat."""
    again = apply(cluster.kafka.bootstrap, cluster.passwords, TABLES)
    assert (again.topics, again.rules_added, again.rules_removed) == (0, 0, 0)


@pytest.mark.parametrize(
    ("expected", "tables_changed"),
    [
        ("raise the version", replace(TABLES, tenants=TABLES.tenants[1:])),
        ("goes to another partition", replace(TABLES, version=2, regions=MOVED)),
        ("is in force or takes force too soon", replace(TABLES, version=2, tenants=TABLES.tenants[1:])),
        ("hub generation open carries the state over", replace(TABLES, version=2, generation=2)),
    ],
)
def test_tables_that_may_not_follow_the_ones_in_force_are_refused_before_anything_is_touched(
    cluster: Cluster, expected: str, tables_changed: Reference
) -> None:
    """A row in force never changes, and inside a generation region → partition never does."""
    with pytest.raises(UsageError, match=expected):
        apply(cluster.kafka.bootstrap, cluster.passwords, tables_changed)
    cluster.send(ALFA, catalogue.inbox(ALFA), b"still mine")


def test_a_log_of_another_size_is_refused(cluster: Cluster) -> None:
    """Inside a generation region → partition never changes."""
    with pytest.raises(PartitionCountChanged, match="region-log has 2 partitions, the tables say 3"):
        apply(cluster.kafka.bootstrap, cluster.passwords, replace(TABLES, version=2, log_partitions=3))


def test_a_missing_password_is_named_before_anything_changes(cluster: Cluster) -> None:
    """The message names the principal and never a password."""
    held = {name: word for name, word in cluster.passwords.items() if name != ALFA}
    with pytest.raises(UsageError, match="pkg-alfa"):
        apply(cluster.kafka.bootstrap, held, TABLES)


def test_a_tenant_writes_its_own_inbox_and_no_other(cluster: Cluster) -> None:
    """The topic is the sender, because the broker lets nobody else write it."""
    cluster.send(ALFA, catalogue.inbox(ALFA), b"mine")
    for topic in (catalogue.inbox(OFFICE), catalogue.REGION_LOG, catalogue.REGION_FACTS, catalogue.CONTROL):
        with pytest.raises(NotTakenError):
            cluster.send(ALFA, topic, b"not mine")


def test_a_dump_holds_every_record_with_bytes_and_meaning(cluster: Cluster, tmp_path: Path) -> None:
    """Row format of DESIGN: headers as strings, the last of equal names wins; what cannot be read has bytes alone."""
    granted = e.MandateGranted(
        record_id=RecordId("mandate-1"),
        version=1,
        provider=Agb("41000001"),
        mandate_tenant=ALFA,
        bo_member=True,
        valid_from=date(2026, 1, 1),
    )
    value = codec.encode(granted)
    cluster.send(OFFICE, catalogue.inbox(OFFICE), value, [("a", b"1"), ("a", b"\xff")])
    cluster.send(OFFICE, catalogue.inbox(OFFICE), b"\x00broken")
    reference = dump_topics(tmp_path, cluster.login(catalogue.AUDITOR))
    assert reference == replace(TABLES, version=reference.version) == tables.load(tmp_path / "tables.json")
    rows = [
        json.loads(line) for line in (tmp_path / "topics" / "inbox.trust-office.jsonl").read_text("utf-8").splitlines()
    ]
    good, broken = rows[-2:]
    assert (good["partition"], good["offset"] + 1, good["key"]) == (0, broken["offset"], "k")
    assert good["headers"] == {"a": "\N{REPLACEMENT CHARACTER}"}
    assert base64.b64decode(good["value_base64"]) == value
    assert good["value"]["mandate_tenant"] == ALFA and good["value"]["valid_from"] == "2026-01-01"
    assert base64.b64decode(broken["value_base64"]) == b"\x00broken" and broken["value"] is None
    assert {path.stem for path in (tmp_path / "topics").iterdir()} == {t.name for t in catalogue.topics_for(TABLES)}


def test_one_log_can_be_dumped_alone_and_history_asked_what_if(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`hub whatif` without a dump reads the region log as the auditor, and writes nothing to the cluster."""
    log = [
        (e.DayStarted(date=date(2026, 3, day)), {"ce_hubsrc": f"inbox.clock/{day}", "ce_hubtenant": "clock"})
        for day in (1, 2, 3)
    ]
    for event, headers in log:
        marks = [(name, text.encode()) for name, text in headers.items()]
        cluster.send(catalogue.INTAKE, catalogue.REGION_LOG, codec.encode(event), marks, key=b"KSV-01")
    dump_topics(tmp_path / "log", cluster.login(catalogue.AUDITOR), only=(catalogue.REGION_LOG,))
    assert [path.stem for path in (tmp_path / "log" / "topics").iterdir()] == [catalogue.REGION_LOG]
    keys, file = tmp_path / "keys.json", tmp_path / "plan.yaml"
    keys.write_text(json.dumps({catalogue.AUDITOR: cluster.passwords[catalogue.AUDITOR]}), "utf-8")
    plan = national_defaults(RegionCode("KSV-01"), (Uzovi("3311"), Uzovi("7119")))
    file.write_text(write_plan(replace(plan, version=1, valid_from=date(2026, 3, 2), short=True)), "utf-8")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", cluster.kafka.tenant_bootstrap)
    monkeypatch.setenv("HUB_CREDENTIALS_FILE", str(keys))
    told = CliRunner().invoke(app, ["whatif", "--plan", str(file), "--from", "2026-03-02", "--json"])
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout.splitlines()[-1])
    assert (answer["from"], answer["until"], answer["colours"]["days_different"]) == ("2026-03-02", "2026-03-03", 0)


def test_a_tenant_that_ended_loses_its_inbox_when_that_takes_force_and_gets_it_back(cluster: Cluster) -> None:
    """It may still read what it was told; no topic with data is touched. Stands late: it changes what is in force."""
    servers, words = cluster.kafka.bootstrap, cluster.passwords
    ends, returns = (int(time.time() * 1000) + minutes * 60_000 for minutes in (2, 10))
    ended = replace(
        TABLES, version=2, tenants=(*TABLES.tenants, replace(TABLES.tenants[0], valid_from_ms=ends, ended=True))
    )
    assert apply(servers, words, ended).rules_removed == 0
    cluster.send(ALFA, catalogue.inbox(ALFA), b"the last minute")
    assert apply(servers, words, ended, now_ms=ends).rules_removed > 0
    with pytest.raises(NotTakenError):
        cluster.send(ALFA, catalogue.inbox(ALFA), b"too late")
    again = replace(ended, version=3, tenants=(*ended.tenants, replace(TABLES.tenants[0], valid_from_ms=returns)))
    apply(servers, words, again)
    back = apply(servers, words, again, now_ms=returns)
    assert back.topics == 0
    cluster.send(ALFA, catalogue.inbox(ALFA), b"back")
