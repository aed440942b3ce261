"""How one principal reaches Kafka. Nothing else in the hub opens a connection to it.

aiokafka's defaults are the wrong ones for a log that must not lose anything (`latest`, `read_uncommitted`, acks=1),
so every consumer and producer is made here with the right ones.
"""

import ssl
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from zlib import crc32

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.conn import collect_hosts, create_conn
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import AuthenticationFailedError, KafkaConnectionError, KafkaError, SaslAuthenticationFailed

from hub.errors import WorldUnavailable
from hub.settings import Limits, Settings

SASL_MECHANISM: Final = "SCRAM-SHA-512"
BATCH_BYTES: Final = 512 * 1024
"""Fullest batch of records that a publisher builds; a single larger record travels alone."""
FETCH_BYTES: Final = 4 * 1024 * 1024
"""Most that one fetch takes from one partition."""
RETRY_BACKOFF_MS: Final = 100
"""Between two tries of anything. With half of it, looking for a dead broker takes the time of those that elect."""
METADATA_AGE_MS: Final = 5_000
"""So often a client asks anew which brokers there are. aiokafka asks those of the last answer and never the bootstrap
servers again: an answer from a second in which the others were fenced names one, and dies with it. Its default of five
minutes left a worker without a broker until the watchdog ended it."""


@dataclass(frozen=True, slots=True)
class Connection:
    """The brokers, and one principal with its password."""

    bootstrap_servers: str
    principal: str
    password: str = field(repr=False)
    security_protocol: str = "SASL_PLAINTEXT"
    ca_file: str | None = None
    instance: str | None = None
    """Name of the process in its groups; None: a member that nobody knows again."""
    limits: Limits = field(default_factory=Limits)

    @classmethod
    def of(cls, settings: Settings, principal: str) -> "Connection":
        """The connection of one principal; UsageError if its password is missing."""
        return cls(
            bootstrap_servers=settings.bootstrap_servers,
            principal=principal,
            password=settings.password(principal),
            security_protocol=settings.security_protocol,
            ca_file=str(settings.ca_file) if settings.ca_file else None,
            instance=settings.instance,
            limits=settings.limits,
        )

    def group_consumer(self, group: str, topics: Sequence[str]) -> AIOKafkaConsumer:
        """A member of a consumer group, to be subscribed to these topics and started. Commits by hand only."""
        limits = self.limits
        return AIOKafkaConsumer(
            group_id=group,
            group_instance_id=None if self.instance is None else known_as(self.instance, topics),
            session_timeout_ms=limits.session_timeout_ms,
            heartbeat_interval_ms=limits.heartbeat_interval_ms,
            rebalance_timeout_ms=int(limits.session_timeout_ms + limits.revocation_wait_s * 1000),
            partition_assignment_strategy=(RoundRobinPartitionAssignor,),
            **self._reading(),
        )

    def lone_consumer(self) -> AIOKafkaConsumer:
        """A consumer without a group, to read a topic to its end; not started."""
        return AIOKafkaConsumer(**self._reading())

    def producer(self) -> AIOKafkaProducer:
        """An idempotent producer that waits for all replicas; not started."""
        return AIOKafkaProducer(enable_idempotence=True, **self._writing())

    def transactional_producer(self, transactional_id: str) -> AIOKafkaProducer:
        """A producer whose writes and offsets become visible together; not started."""
        return AIOKafkaProducer(transactional_id=transactional_id, transaction_timeout_ms=30_000, **self._writing())

    async def start(self, client: AIOKafkaConsumer | AIOKafkaProducer) -> None:
        """Connect, or raise WorldUnavailable with what is wrong: nobody there, or a password refused."""
        try:
            await client.start()
        except KafkaConnectionError as problem:
            await client.stop()
            raise WorldUnavailable(await self._why_not()) from problem

    async def notes(self, group: str) -> dict[TopicPartition, str]:
        """The text that was committed with each offset of a group (hub/streams/offset_notes.py)."""
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self.bootstrap_servers,
            client_id=self.principal,
            request_timeout_ms=self.limits.request_timeout_ms,
            **self._security(),
        )
        try:
            await admin.start()
            held = await admin.list_consumer_group_offsets(group)
        except KafkaConnectionError as problem:
            raise WorldUnavailable(await self._why_not()) from problem
        finally:
            await admin.close()
        return {place: committed.metadata or "" for place, committed in held.items()}

    async def _why_not(self) -> str:
        # aiokafka says "unable to bootstrap" for a wrong password too; one bare connection tells them apart.
        host, port, _ = collect_hosts(self.bootstrap_servers, randomize=False)[0]
        try:
            bare = await create_conn(host, port, request_timeout_ms=5000, **self._security())
        except (AuthenticationFailedError, SaslAuthenticationFailed):
            return (
                f"Kafka at {self.bootstrap_servers} refused the password of principal {self.principal!r}. "
                "Check HUB_CREDENTIALS_FILE against the users of the cluster."
            )
        except (KafkaError, OSError, TimeoutError) as problem:
            return (
                f"Kafka at {self.bootstrap_servers} does not answer ({type(problem).__name__}). "
                "Check KAFKA_BOOTSTRAP_SERVERS and that the brokers run."
            )
        bare.close()
        return f"Kafka at {self.bootstrap_servers} answered only part of the way. Try again."

    def _security(self) -> dict[str, Any]:
        return {
            "security_protocol": self.security_protocol,
            "sasl_mechanism": SASL_MECHANISM,
            "sasl_plain_username": self.principal,
            "sasl_plain_password": self.password,
            "ssl_context": ssl.create_default_context(cafile=self.ca_file) if self._encrypted else None,
        }

    @property
    def _encrypted(self) -> bool:
        return self.security_protocol == "SASL_SSL"

    def _common(self) -> dict[str, Any]:
        return {
            "bootstrap_servers": self.bootstrap_servers,
            "client_id": self.principal,
            "request_timeout_ms": self.limits.request_timeout_ms,
            "retry_backoff_ms": RETRY_BACKOFF_MS,
            "metadata_max_age_ms": METADATA_AGE_MS,
            **self._security(),
        }

    def _reading(self) -> dict[str, Any]:
        return {
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "isolation_level": "read_committed",
            "max_partition_fetch_bytes": FETCH_BYTES,
            **self._common(),
        }

    def _writing(self) -> dict[str, Any]:
        return {
            "acks": "all",
            "linger_ms": 0,
            "max_batch_size": BATCH_BYTES,
            "max_request_size": 8 * 1024 * 1024,
            **self._common(),
        }


def known_as(instance: str, topics: Sequence[str]) -> str:
    """The name by which a group knows a worker again: another one when it takes other topics.

    A broker gives a member that it knows its former share, whatever it asks for now: an inbox that came with newer
    tables would belong to nobody.
    """
    return f"{instance}.{crc32(' '.join(sorted(topics)).encode()):08x}"


@asynccontextmanager
async def reading(connection: Connection) -> AsyncIterator[AIOKafkaConsumer]:
    """A started consumer without a group, stopped at the end."""
    consumer = connection.lone_consumer()
    await connection.start(consumer)
    try:
        yield consumer
    finally:
        await consumer.stop()


async def read_to_end(
    consumer: AIOKafkaConsumer, starts: Mapping[TopicPartition, int | None]
) -> AsyncIterator[ConsumerRecord]:
    """Every committed record from `starts` (None: the beginning) to the ends as they are now.

    Takes over the consumer's assignment. Partitions come interleaved, each in its own order. WorldUnavailable when
    nothing more arrives within the consumer's request timeout although an end is not reached.
    """
    if not starts:
        return
    partitions = list(starts)
    consumer.assign(partitions)
    first = await consumer.beginning_offsets(partitions)
    ends = await consumer.end_offsets(partitions)
    waiting = {}
    for partition, start in starts.items():
        begin = max(first[partition], start or 0)
        consumer.seek(partition, begin)
        if begin < ends[partition]:
            waiting[partition] = ends[partition]
    idle_polls = 0
    while waiting:
        polled = await consumer.getmany(*waiting, timeout_ms=1000)
        for partition, records in polled.items():
            for record in records:
                if record.offset < ends[partition]:
                    yield record
        before = dict(waiting)
        # Transaction markers and compacted records leave gaps: the position tells the end, not the last record.
        waiting = {part: end for part, end in waiting.items() if await consumer.position(part) < end}
        idle_polls = 0 if polled or waiting != before else idle_polls + 1
        if idle_polls >= 30:
            raise WorldUnavailable(f"{sorted(f'{p.topic}/{p.partition}' for p in waiting)} stopped short of their ends")
