"""The control topic, which tells every worker the tables in force."""

from typing import Final

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from hub.contracts.catalogue import CONTROL
from hub.errors import WorldUnavailable

ANSWER_S: Final = 30.0


def key_of(version: int) -> str:
    """Key of the record with the tables of a version."""
    return f"tables/{version}"


def tables_held(consumer: Consumer) -> dict[int, bytes]:
    """Every version on the topic with its bytes. The consumer must end partitions with an event; it is left unassigned.

    KafkaException when the topic does not exist or is closed to the consumer's user.
    """
    held: dict[int, bytes] = {}
    consumer.assign([TopicPartition(CONTROL, 0, OFFSET_BEGINNING)])
    try:
        while True:
            message = consumer.poll(ANSWER_S)
            if message is None:
                raise WorldUnavailable(
                    f"topic {CONTROL} gave nothing for {ANSWER_S:.0f} s; check the brokers, then again"
                )
            if (error := message.error()) is not None:
                if error.code() == KafkaError._PARTITION_EOF:
                    return held
                raise KafkaException(error)
            kind, _, number = (message.key() or b"").decode().partition("/")
            if kind == "tables" and (value := message.value()) is not None:
                held[int(number)] = bytes(value)
    finally:
        consumer.unassign()
