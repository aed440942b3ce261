"""Tenants as Kafka sees them: each with its own user, writing its own inbox and reading its own facts.

The clients are stock confluent-kafka: what works here works for a vendor who has none of our code.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from hub.contracts.catalogue import OUTPUTS, Audience, inbox, topics_for
from hub.domain.identifiers import TenantId
from hub.domain.reference import Reference
from hub.errors import WorldUnavailable
from hub.local.simulator.messages import Packed

QUEUE_WAIT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Login:
    """How one user reaches the brokers. `more`: settings of the client (TLS)."""

    bootstrap_servers: str
    user: str
    password: str
    more: Mapping[str, str] = field(default_factory=dict)

    def config(self) -> dict[str, Any]:
        """Settings of a stock client."""
        return {
            "bootstrap.servers": self.bootstrap_servers,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": self.user,
            "sasl.password": self.password,
            "client.id": self.user,
            "log_level": 3,
            **self.more,
        }


@dataclass(frozen=True, slots=True)
class Received:
    """One fact that a tenant read."""

    tenant: TenantId
    topic: str
    value: bytes
    headers: Mapping[str, str]
    timestamp_ms: int


class TenantClient:
    """One tenant: sends to its inbox, reads every topic of its own and the shared ones that it may."""

    def __init__(self, tenant: TenantId, login: Login, topics: Sequence[str]) -> None:
        self.tenant = tenant
        self._inbox = inbox(tenant)
        self._login = login
        self._made: Producer | None = None
        self._consumer: Consumer | None = None
        if topics:
            self._consumer = Consumer(
                {
                    **login.config(),
                    "group.id": f"{tenant}.reader",
                    "enable.auto.commit": False,
                    "auto.offset.reset": "earliest",
                    "isolation.level": "read_committed",
                    "fetch.wait.max.ms": 250,
                    "fetch.error.backoff.ms": 50,
                }
            )
            self._consumer.assign([TopicPartition(topic, 0, 0) for topic in topics])

    @property
    def _producer(self) -> Producer:
        """Made when first needed: a tenant without an inbox may not write anywhere."""
        if self._made is None:
            self._made = Producer(
                {**self._login.config(), "enable.idempotence": True, "linger.ms": 1, "message.max.bytes": 2_000_000}
            )
        return self._made

    def send(self, packed: Packed, placed: Callable[[Packed, str, int], None]) -> None:
        """Hand a record over; `placed` hears where it stands (`<topic>/<offset>`, append time in ms)."""

        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is not None:
                raise WorldUnavailable(
                    f"the inbox of {self.tenant} took no record: {error.str()}. Check its rights and the brokers."
                )
            placed(packed, f"{message.topic()}/{message.offset()}", message.timestamp()[1])

        while True:
            try:
                self._producer.produce(
                    self._inbox,
                    packed.value,
                    packed.key,
                    partition=0,
                    headers=list(packed.headers) or None,
                    on_delivery=delivered,
                )
                return
            except BufferError:
                self._producer.poll(0.05)

    def flush(self) -> None:
        """Wait until the broker holds everything. WorldUnavailable if it does not in time."""
        if self._producer.flush(QUEUE_WAIT_S):
            raise WorldUnavailable(f"the inbox of {self.tenant} did not take every record within {QUEUE_WAIT_S:.0f} s")

    def receive(self) -> Iterable[Received]:
        """What has arrived since the last call; never waits."""
        if self._consumer is None:
            return
        for message in self._consumer.consume(500, 0.0):
            if (error := message.error()) is not None:
                if error.fatal() or error.code() in (
                    KafkaError.TOPIC_AUTHORIZATION_FAILED,
                    KafkaError._ALL_BROKERS_DOWN,
                ):
                    raise WorldUnavailable(f"{self.tenant} cannot read its facts: {error.str()}")
                continue
            headers = {name: bytes(value).decode(errors="replace") for name, value in message.headers() or []}
            value = message.value()
            yield Received(
                self.tenant,
                str(message.topic()),
                value if isinstance(value, bytes) else b"",
                headers,
                message.timestamp()[1],
            )

    def close(self) -> None:
        """Leave."""
        if self._made is not None:
            self._made.close()
        if self._consumer is not None:
            self._consumer.close()


def connect(
    reference: Reference,
    bootstrap_servers: str,
    passwords: Mapping[str, str],
    more: Mapping[str, str] = MappingProxyType({}),
) -> dict[TenantId, TenantClient]:
    """A client for every tenant of the tables. `more`: settings of the clients (TLS)."""
    readable: dict[str, list[str]] = {row.tenant: [] for row in reference.tenants}
    facts = {row.topic for row in OUTPUTS.values() if row.audience is not Audience.INTERNAL}
    for topic in topics_for(reference):
        if topic.name.startswith("out.") or topic.name in facts | {"alerts"}:
            for reader in topic.readers:
                if reader in readable and topic.name != "region-status":
                    readable[reader].append(topic.name)
    return {
        row.tenant: TenantClient(
            row.tenant, Login(bootstrap_servers, row.tenant, passwords[row.tenant], more), readable[row.tenant]
        )
        for row in reference.tenants
    }
