"""The colour of every region as it is now, by stock libraries: for a VSV, an insurer, anybody with a password.

    python examples/read_colours.py --bootstrap HOST:PORT --registry URL --tenant vsv-01 --password-file FILE

`region-status` keeps the newest statement of each region, so one read from its beginning to its end is the whole
country. A program that stays remembers `ce_sequence` of each region and goes on reading.
"""

import argparse
import sys
from pathlib import Path
from typing import Any, Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

TOPIC: Final = "region-status"
WAIT_S: Final = 30.0


def main() -> int:
    """Read to the end and print one line for each region."""
    asked = arguments()
    read = AvroDeserializer(SchemaRegistryClient({"url": asked.registry}))
    consumer = Consumer(
        {
            "bootstrap.servers": asked.bootstrap,
            "security.protocol": asked.security_protocol,
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": asked.tenant,
            "sasl.password": asked.password_file.read_text("utf-8").strip(),
            "group.id": f"{asked.tenant}.colours",  # a group's name begins with the tenant and a dot
            "enable.auto.commit": False,
            "enable.partition.eof": True,
        }
    )
    newest: dict[str, dict[str, Any]] = {}
    consumer.assign([TopicPartition(TOPIC, 0, OFFSET_BEGINNING)])
    try:
        while (message := consumer.poll(WAIT_S)) is not None and message.error() is None:
            status: Any = read(message.value(), SerializationContext(TOPIC, MessageField.VALUE))
            newest[status["region"]] = status
    finally:
        consumer.close()
    if message is None or message.error().code() != KafkaError._PARTITION_EOF:
        what = "no answer" if message is None else message.error().str()
        sys.stderr.write(f"{what} within {WAIT_S:.0f} s: check --bootstrap, --tenant and the password\n")
        return 1
    for region, status in sorted(newest.items()):
        declared = status["declared"] or "nothing"
        why = ", ".join(status["reasons"])
        sys.stdout.write(f"{region} {status['date']}: {status['computed']} ({why}); the KSV declared {declared}\n")
    return 0


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Print the colour of every region.")
    parser.add_argument("--bootstrap", required=True, help="Kafka listener for tenants, HOST:PORT")
    parser.add_argument("--registry", required=True, help="URL of the hub's schema registry")
    parser.add_argument("--tenant", required=True, help="your tenant, which is also your Kafka user")
    parser.add_argument("--password-file", required=True, type=Path)
    parser.add_argument("--security-protocol", default="SASL_PLAINTEXT", help="SASL_SSL outside one machine")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
