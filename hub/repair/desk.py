"""A tenant's own view of what it sent, over Kafka and with its own password: no right of the hub's is needed.

It reads the inbox (what was sent), the dead letters and the receipts (what became of it), and writes the inbox. What
was dropped is kept with the tenant's consumer group, in the metadata of its offset: so colleagues see the same list,
and nothing has to be stored anywhere else.
"""

import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    Producer,
    TopicPartition,
)

from hub.contracts import codec
from hub.contracts.catalogue import dead_letters, inbox, out_topic
from hub.domain.facts import ReceiptIssued
from hub.domain.identifiers import TenantId
from hub.errors import UsageError, WorldUnavailable
from hub.repair.cases import Case, Receipt, Sent, cases, compared, offset_of
from hub.settings import Settings

ANSWER_S: Final = 30.0
METADATA_BYTES_MAX: Final = 4000
"""A broker keeps 4096 bytes with an offset; enough for several hundred dropped records."""


class Desk:
    """One tenant at one cluster. Use it in a `with`, or close it."""

    def __init__(self, tenant: TenantId, config: Mapping[str, Any]) -> None:
        """`config`: settings of a stock client that reaches the cluster as this tenant."""
        self.tenant = tenant
        self.inbox = inbox(tenant)
        self._config = {**config, "client.id": tenant, "log_level": 2}

    @classmethod
    def of(cls, settings: Settings, tenant: str | None) -> "Desk":
        """As the settings say; the tenant may be left out where the credentials name one alone."""
        name = tenant or _only_principal(settings)
        config = {
            "bootstrap.servers": settings.bootstrap_servers,
            "security.protocol": settings.security_protocol,
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": name,
            "sasl.password": settings.password(name),
        }
        if settings.ca_file:
            config["ssl.ca.location"] = str(settings.ca_file)
        return cls(TenantId(name), config)

    def receipts(self) -> list[Receipt]:
        """Every receipt that is kept, one for each record."""
        found: dict[int, Receipt] = {}
        for message in self.read([out_topic("receipts", self.tenant)]):
            receipt = self._receipt(message)
            if receipt is not None:
                found.setdefault(receipt.offset, receipt)
        return list(found.values())

    def sent(self, whole: Collection[int]) -> list[Sent]:
        """Every record of the inbox that is kept, the `whole` ones with their bytes."""
        return [_sent(message, keep=int(message.offset() or 0) in whole) for message in self.read([self.inbox])]

    def cases(self) -> tuple[list[Case], list[Receipt]]:
        """What was not taken, and all receipts."""
        receipts = self.receipts()
        return cases(self.sent(compared(receipts)), receipts, self.dropped()), receipts

    def case(self, name: str) -> tuple[Case, list[Receipt]]:
        """The case of one record. UsageError when there is none."""
        offset = offset_of(name, self.inbox)
        found, receipts = self.cases()
        for one in found:
            if one.offset == offset:
                return one, receipts
        taken = any(receipt.offset == offset for receipt in receipts)
        raise UsageError(
            f"{self.inbox}/{offset} was taken: there is nothing to mend"
            if taken
            else f"{self.inbox}/{offset} has no receipt yet; wait for it, or see `hub dlq list`"
        )

    def end_of_receipts(self) -> int:
        """Where the next receipt will stand: asked before something is sent, so that its receipt is not missed."""
        consumer = self._consumer()
        try:
            _, end = consumer.get_watermark_offsets(TopicPartition(out_topic("receipts", self.tenant), 0), ANSWER_S)
            return int(end)
        except KafkaException as problem:
            raise self._unavailable(problem) from problem
        finally:
            consumer.close()

    def send(self, records: Iterator[tuple[bytes | None, bytes, Mapping[str, str]]]) -> list[int]:
        """Write (key, value, headers) to the inbox in order; the offsets. WorldUnavailable if not all are in."""
        placed: list[int] = []
        failed: list[KafkaError] = []

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                placed.append(int(message.offset() or 0))
            else:
                failed.append(error)

        producer = Producer({**self._config, "enable.idempotence": True, "message.timeout.ms": int(ANSWER_S * 1000)})
        for key, value, headers in records:
            while True:
                try:
                    producer.produce(
                        self.inbox,
                        value,
                        key,
                        partition=0,
                        headers=[(name, text.encode()) for name, text in headers.items()],
                        on_delivery=delivered,
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
        left = producer.flush(ANSWER_S + 5)
        if failed or left:
            why = failed[0].str() if failed else "no answer"
            raise WorldUnavailable(
                f"{self.inbox} took {len(placed)} record(s), then {why}. Check the tenant's password and the brokers; "
                "what was taken has its receipt, and sending it again does no harm"
            )
        return placed

    def follow(
        self,
        offsets: Collection[int],
        start: int,
        seconds: float,
        heard: Callable[[Receipt], None] = lambda receipt: None,
    ) -> dict[int, Receipt]:
        """Receipts of these records from `start` on, until all are there. WorldUnavailable names what is missing."""
        topic = out_topic("receipts", self.tenant)
        waiting = set(offsets)
        found: dict[int, Receipt] = {}
        consumer = self._consumer()
        give_up_at = time.monotonic() + seconds
        try:
            consumer.assign([TopicPartition(topic, 0, start)])
            while waiting:
                if time.monotonic() > give_up_at:
                    raise WorldUnavailable(
                        f"no receipt within {seconds:.0f} s for {len(waiting)} record(s), first "
                        f"{self.inbox}/{min(waiting)}. They are in the inbox and will get one; look with `hub trace`"
                    )
                message = consumer.poll(0.2)
                if message is None:
                    continue
                if (error := message.error()) is not None:
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    continue
                receipt = self._receipt(message)
                if receipt is not None and receipt.offset in waiting:
                    waiting.discard(receipt.offset)
                    found[receipt.offset] = receipt
                    heard(receipt)
        except KafkaException as problem:
            raise self._unavailable(problem) from problem
        finally:
            consumer.close()
        return found

    def dropped(self) -> frozenset[int]:
        """Offsets of records that somebody of the tenant has put aside."""
        consumer = self._consumer()
        try:
            [place] = consumer.committed([TopicPartition(self.inbox, 0)], ANSWER_S)
            return frozenset(json.loads(place.metadata)) if place.metadata else frozenset()
        except KafkaException as problem:
            raise self._unavailable(problem) from problem
        finally:
            consumer.close()

    def drop(self, offsets: Collection[int]) -> None:
        """Put records aside: they are no open cases any more. What the inbox does not keep any more is forgotten."""
        consumer = self._consumer()
        try:
            first, _ = consumer.get_watermark_offsets(TopicPartition(self.inbox, 0), ANSWER_S)
            kept = sorted(offset for offset in {*self.dropped(), *offsets} if offset >= first)
            metadata = json.dumps(kept, separators=(",", ":"))
            if len(metadata) > METADATA_BYTES_MAX:
                raise UsageError(
                    f"{len(kept)} records would be put aside, which is more than the broker keeps for a group; "
                    "mend what can be mended, or wait until older ones leave the inbox"
                )
            consumer.commit(offsets=[TopicPartition(self.inbox, 0, 0, metadata)], asynchronous=False)
        except KafkaException as problem:
            raise self._unavailable(problem) from problem
        finally:
            consumer.close()

    def topics(self) -> list[str]:
        """Topics that this tenant may read, its own first; the broker shows no others."""
        consumer = self._consumer()
        try:
            seen = consumer.list_topics(timeout=ANSWER_S).topics
        except KafkaException as problem:
            raise self._unavailable(problem) from problem
        finally:
            consumer.close()
        return [self.inbox, dead_letters(self.tenant), *sorted(name for name in seen if name.startswith("out."))]

    def read(self, topics: Collection[str]) -> Iterator[Message]:
        """Every record of these topics to their ends, topics interleaved."""
        consumer = self._consumer()
        left = set(topics)
        try:
            consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING) for topic in topics])
            while left:
                messages = consumer.consume(5000, 0.1) or consumer.consume(1, ANSWER_S)
                if not messages:
                    raise WorldUnavailable(
                        f"topic {min(left)} gave nothing for {ANSWER_S:.0f} s; check KAFKA_BOOTSTRAP_SERVERS, and that "
                        f"{self.tenant} is a tenant of this hub with this password"
                    )
                for message in messages:
                    if (error := message.error()) is None:
                        yield message
                    elif error.code() == KafkaError._PARTITION_EOF:
                        left.discard(str(message.topic()))
                    else:
                        raise KafkaException(error)
        except KafkaException as problem:
            raise self._unavailable(problem) from problem
        finally:
            consumer.close()

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                **self._config,
                "group.id": f"{self.tenant}.repair",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
            }
        )

    def _receipt(self, message: Message) -> Receipt | None:
        source = headers_of(message).get("ce_hubsrc", b"").decode()
        topic, _, offset = source.rpartition("/")
        if topic != self.inbox:
            return None
        fact = codec.decode(bytes(message.value() or b""))
        assert isinstance(fact, ReceiptIssued)
        return Receipt(int(offset), message.timestamp()[1], bytes(message.key() or b"").decode(), fact)

    def _unavailable(self, problem: KafkaException) -> Exception:
        error = problem.args[0]
        if error.code() in (KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError.GROUP_AUTHORIZATION_FAILED):
            return UsageError(f"{self.tenant} may not do that here: {error.str()}. Is it a tenant with an inbox?")
        return WorldUnavailable(
            f"Kafka did not do what {self.tenant} asked: {error.str()}. Check KAFKA_BOOTSTRAP_SERVERS and the password"
        )


def headers_of(message: Message) -> dict[str, bytes]:
    """Headers by name, the last of equal names; none where a name is no text."""
    try:
        return {name: value or b"" for name, value in message.headers() or []}
    except SystemError:
        return {}


def _sent(message: Message, *, keep: bool) -> Sent:
    return Sent(
        offset=int(message.offset() or 0),
        appended_ms=message.timestamp()[1],
        key=message.key() if keep else None,
        value=message.value() if keep else None,
        headers=headers_of(message),
    )


def _only_principal(settings: Settings) -> str:
    try:
        held = json.loads(settings.credentials_file.read_text("utf-8")) if settings.credentials_file else {}
    except (OSError, ValueError):
        held = {}
    if isinstance(held, dict) and len(held) == 1:
        return str(next(iter(held)))
    raise UsageError(
        "which tenant? Give --tenant, or point HUB_CREDENTIALS_FILE at a JSON file {tenant: password} "
        "that names one alone"
    )
