"""What a package does for one client: encode her at the edge, publish, wait for the receipt.

Stock libraries only (confluent-kafka, fastavro through its serialiser), and `hub.edge`, the one part of the hub that
runs at the provider. Run it against any hub:

    python examples/register_one_client.py --bootstrap HOST:PORT --registry URL \
        --tenant pkg-alfa --password-file FILE --key-file epoch-key.json --provider 41000001 --pc4 1012

Exit code 0: accepted. 1: anything else, with the hub's own sentence.
"""

import argparse
import sys
import time
import uuid
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import SchemaRegistryClient, record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.serialization import MessageField, SerializationContext

from hub.edge import EdgeEncoder, FileKey, PersonFields

SCHEMA = Path(__file__).parents[1] / "schemas/avro/in/registration_submitted.avsc"
WAIT_S = 30.0


def main() -> int:
    """Publish one registration; the exit code."""
    asked = arguments()
    login = {
        "bootstrap.servers": asked.bootstrap,
        "security.protocol": asked.security_protocol,
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": asked.tenant,
        "sasl.password": asked.password_file.read_text("utf-8").strip(),
    }
    registry = SchemaRegistryClient({"url": asked.registry})
    topic, record_id = f"inbox.{asked.tenant}", f"reg-{uuid.uuid4()}"

    # 1. Her name, birth date and BSN stay on this machine: what leaves is a handful of keyed blocks.
    client = PersonFields(
        given_names="Annelies", surname_prefix="van der", surname="Meulen", birth_date="1994-05-17",
        postcode="1012 AB", house_number="12", phone="06 12 34 56 78",
    )  # fmt: skip
    identity = EdgeEncoder(FileKey.from_file(asked.key_file)).encode(client)

    # 2. One record. `record_id` is yours and says nothing about her; a correction is the same id with version 2.
    today = date.today()  # noqa: DTZ011  # the provider's own calendar
    registration: dict[str, Any] = {
        "record_id": record_id,
        "version": 1,
        "provider": asked.provider,
        "status": "active",
        "pc4": asked.pc4,
        "due_date": today + timedelta(days=140),
        "requested_on": today,
        "insurer": asked.insurer,
        "indicated_minutes": 49 * 60,
        "protocol": "lip",
        "partus_assistance": False,
        "identity": {
            "epoch": identity.epoch,
            "blocks": [
                {"pass_number": block.pass_number, "token": block.token, "filters": block.filters}
                for block in identity.blocks
            ],
        },
    }

    # 3. Listen before you speak, so that the receipt cannot be missed; a real package keeps this consumer for good.
    receipts = Consumer(login | {"group.id": f"{asked.tenant}.example", "auto.offset.reset": "earliest"})
    receipts.subscribe([f"out.receipts.{asked.tenant}"])

    # 4. Publish with acks=all: an acknowledged record is never lost, and sending it again changes nothing.
    conf = {"auto.register.schemas": False, "subject.name.strategy": record_subject_name_strategy}
    serialise = AvroSerializer(registry, SCHEMA.read_text("utf-8"), conf=conf)
    refused: list[str] = []
    offsets: list[int] = []
    producer = Producer(login | {"acks": "all", "enable.idempotence": True})
    producer.produce(
        topic,
        serialise(registration, SerializationContext(topic, MessageField.VALUE)),
        key=record_id.encode(),
        on_delivery=lambda error, sent: refused.append(str(error)) if error else offsets.append(sent.offset()),
    )
    producer.flush(WAIT_S)
    if refused or not offsets:
        return say(f"the broker did not take it: {refused or 'no answer'}", 1)

    # 5. The receipt names the record of the inbox that it answers: `ce_hubsrc` is topic/offset.
    mine, read = f"{topic}/{offsets[0]}".encode(), AvroDeserializer(registry)
    give_up_at = time.monotonic() + WAIT_S
    try:
        while time.monotonic() < give_up_at:
            message = receipts.poll(1.0)
            if message is None or message.error() or dict(message.headers() or ()).get("ce_hubsrc") != mine:
                continue
            receipt: Any = read(message.value(), SerializationContext(message.topic(), MessageField.VALUE))
            text = f"{receipt['outcome']} {receipt['code']} {receipt['pointer']}\n{receipt['message_nl']}"
            return say(text, 0 if receipt["outcome"] == "accepted" else 1)
    finally:
        receipts.close()
    return say(f"no receipt within {WAIT_S:.0f} s; publish again with the same id and version, that is safe", 1)


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Register one invented client through the hub.")
    parser.add_argument("--bootstrap", required=True, help="Kafka listener for tenants, HOST:PORT")
    parser.add_argument("--registry", required=True, help="URL of the hub's schema registry")
    parser.add_argument("--tenant", required=True, help="your tenant, which is also your Kafka user")
    parser.add_argument("--password-file", required=True, type=Path)
    parser.add_argument("--key-file", required=True, type=Path, help="key of the epoch (demo); see docs/privacy.md")
    parser.add_argument("--provider", required=True, help="AGB code of the provider whose mandate you hold")
    parser.add_argument("--pc4", required=True, help="four digits of her postcode")
    parser.add_argument("--insurer", default="3332", help="UZOVI code of her insurer")
    parser.add_argument("--security-protocol", default="SASL_PLAINTEXT", help="SASL_SSL outside one machine")
    return parser.parse_args()


def say(text: str, code: int) -> int:
    """Tell the person at the terminal; returns the exit code."""
    sys.stdout.write(text + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
