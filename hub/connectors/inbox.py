"""Puts a tenant's own events into its inbox, from a command on its own machine. Receipts come as to everybody."""

from collections.abc import Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, Message, Producer

from hub.contracts import codec
from hub.contracts.catalogue import inbox
from hub.domain.identifiers import TenantId
from hub.errors import WorldUnavailable
from hub.settings import Settings

WAIT_S: Final = 30.0


def send_to_inbox(tenant: TenantId, events: Sequence[Any], settings: Settings) -> int:
    """How many events the broker holds now: all of them. WorldUnavailable: it took fewer, and why.

    Sending again is safe: what was taken already is answered as repeated.
    """
    config = {
        "bootstrap.servers": settings.bootstrap_servers,
        "security.protocol": settings.security_protocol,
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": tenant,
        "sasl.password": settings.password(tenant),
        "client.id": tenant,
        "enable.idempotence": True,
        "message.timeout.ms": int(WAIT_S * 1000),
        "log_level": 2,
    }
    if settings.ca_file:
        config["ssl.ca.location"] = str(settings.ca_file)
    refused: list[str] = []

    def placed(error: KafkaError | None, message: Message) -> None:
        if error is not None:
            refused.append(error.str())

    producer = Producer(config)
    for event in events:
        producer.produce(inbox(tenant), codec.encode(event), event.record_id.encode(), partition=0, on_delivery=placed)
    left = producer.flush(WAIT_S + 5)
    if refused or left:
        why = refused[0] if refused else "the brokers do not answer"
        raise WorldUnavailable(
            f"{len(refused) + left} of {len(events)} events were not taken by the inbox of {tenant}: {why}. "
            "Check the brokers and the password, then send again: what was taken is answered as repeated."
        )
    return len(events)
