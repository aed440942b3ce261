"""Confluent's own serialisers work against our registry, with bytes equal to ours."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio
from confluent_kafka.schema_registry import SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from pydantic import SecretStr

from hub.console.settings import ConsoleSettings
from hub.contracts.codec import decode, encode
from hub.contracts.schemas import registry
from tests.console.world import ALERT_RED, RECEIPT, serving

CONTEXT = SerializationContext("out.receipts.pkg-alfa", MessageField.VALUE)


@pytest_asyncio.fixture
async def stock(unused_tcp_port: int) -> AsyncIterator[SchemaRegistryClient]:
    """Confluent's client of a served registry; the console needs no Redis for that."""
    settings = ConsoleSettings(redis_url=SecretStr(f"redis://127.0.0.1:{unused_tcp_port}/0"))
    async with serving(settings) as url:
        yield SchemaRegistryClient({"url": url})


async def test_a_stock_deserialiser_reads_our_facts(stock: SchemaRegistryClient) -> None:
    """It knows nothing but the registry's address."""
    read = AvroDeserializer(stock)
    receipt = await asyncio.to_thread(read, encode(RECEIPT), CONTEXT)
    assert receipt["outcome"] == "accepted" and receipt["message_nl"] == "Verwerkt."
    alert = await asyncio.to_thread(read, encode(ALERT_RED), CONTEXT)
    assert alert["next_step_en"] == ALERT_RED.next_step_en and alert["since"] == ALERT_RED.since


async def test_a_stock_serialiser_with_the_newest_schema_writes_our_bytes(stock: SchemaRegistryClient) -> None:
    """`use.latest.version`: the vendor holds no schema at all."""
    await writes_our_bytes(stock, None, {"auto.register.schemas": False, "use.latest.version": True})


async def test_a_stock_serialiser_with_a_schema_of_its_own_writes_our_bytes(stock: SchemaRegistryClient) -> None:
    """The vendor ships the .avsc; the registry recognises it."""
    text = registry().latest["ReceiptIssued"].text
    await writes_our_bytes(stock, text, {"auto.register.schemas": False})


async def writes_our_bytes(stock: SchemaRegistryClient, schema: str | None, conf: dict[str, bool]) -> None:
    """What the vendor's serialiser writes of a record is what our codec writes of it."""
    settings = {**conf, "subject.name.strategy": record_subject_name_strategy}
    held = schema or registry().latest["ReceiptIssued"].text
    write = AvroSerializer(stock, held, conf=settings)
    row = {name: getattr(RECEIPT, name) for name in RECEIPT.__dataclass_fields__}
    written = await asyncio.to_thread(write, row, CONTEXT)
    assert written == encode(RECEIPT) and decode(written) == RECEIPT
