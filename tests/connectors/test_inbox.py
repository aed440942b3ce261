"""A command puts events into its tenant's inbox on a real Kafka, or says how many it could not."""

import json
import secrets
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewTopic

from hub.connectors import inbox
from hub.connectors.inbox import send_to_inbox
from hub.contracts import catalogue
from hub.contracts.codec import decode_input
from hub.domain import events as e
from hub.domain.identifiers import TenantId
from hub.errors import WorldUnavailable
from hub.local.kafka import KafkaCluster
from hub.settings import Settings
from tests.contracts.examples import example

pytestmark = pytest.mark.kafka


def settings_of(kafka: KafkaCluster, tmp_path: Path) -> Settings:
    """How the broker's administrator reaches it, in the place of a tenant."""
    keys = tmp_path / "keys.json"
    keys.write_text(json.dumps({kafka.admin_user: kafka.admin_password}), "utf-8")
    return Settings(bootstrap_servers=kafka.bootstrap, credentials_file=keys)


def test_every_event_stands_in_the_inbox_in_its_order(kafka: KafkaCluster, tmp_path: Path) -> None:
    """As any vendor's would, and fit to be read by intake."""
    tenant = TenantId(kafka.admin_user)
    admin = kafka.admin()
    for made in admin.create_topics([NewTopic(catalogue.inbox(tenant), 1, 1)]).values():
        made.result()
    events = [example(e.PrognosisPublished, needed_carers=n, version=n) for n in range(1, 6)]
    settings = settings_of(kafka, tmp_path)
    assert send_to_inbox(tenant, events, settings) == 5
    reader = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": kafka.admin_user,
            "sasl.password": kafka.admin_password,
            "group.id": secrets.token_hex(4),
        }
    )
    reader.assign([TopicPartition(catalogue.inbox(tenant), 0, 0)])
    held = reader.consume(5, 20.0)
    reader.close()
    assert [decode_input(message.value(), catalogue.INPUT_KINDS) for message in held] == events


def test_a_broker_that_is_not_there_is_told_with_what_was_not_taken(
    kafka: KafkaCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And that sending again is safe."""
    monkeypatch.setattr(inbox, "WAIT_S", 1.0)
    away = settings_of(kafka, tmp_path).model_copy(update={"bootstrap_servers": "127.0.0.1:1"})
    with pytest.raises(WorldUnavailable, match=r"1 of 1 events were not taken .* then send again"):
        send_to_inbox(TenantId(kafka.admin_user), [example(e.PrognosisPublished)], away)
