"""The connector to a waitlist tool: a relay in both directions, without a state of its own.

From the tool: a page is put in the inbox of its tenant, and acknowledged to the tool once every broker holds it. To the
tool: facts of its topics one after the other, and their offsets are committed once the tool holds them, so that each
client's statements arrive in their order. After a crash both may repeat: the version rule drops what came twice here,
region and sequence tell the tool. A record that is none is told back and counted; the good ones behind it go on.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from hub.connectors.waitlist_tool import (
    Refused,
    Tool,
    allocation_json,
    answer_event,
    client_event,
    packed,
    status_json,
)
from hub.contracts import codec
from hub.contracts.catalogue import OUTPUTS, inbox, out_topic
from hub.domain.events import AllocationAnswered, WaitingClientListed
from hub.domain.facts import AllocationStated, ClientStatusChanged
from hub.domain.identifiers import TenantId
from hub.errors import WorldUnavailable
from hub.settings import Settings
from hub.streams.connection import Connection
from hub.streams.metrics import EVENTS

TOLD: Final = (AllocationStated, ClientStatusChanged)
POLL_S: Final = 2.0
ATTEMPTS: Final = 6
"""Then the connector ends with nothing acknowledged, and is started again by its supervisor."""
WAIT_FIRST_S: Final = 0.2
_Read = Callable[[Any], WaitingClientListed | AllocationAnswered | Refused]


@dataclass(frozen=True, slots=True)
class Bridge:
    """One tool. `coordinator`: the region's KSV, where coordinators enter answers in the tool; None: they do not."""

    tool: Tool
    tenant: TenantId
    connection: Connection
    coordinator: tuple[TenantId, Connection] | None = None
    poll_s: float = POLL_S

    async def run(self) -> None:
        """Until it is cancelled. WorldUnavailable: the tool or the brokers were away for too long."""
        consumer = self.connection.group_consumer(f"{self.tenant}.waitlist-connector")
        writers = [(self.tenant, self.connection, "clients", client_event)]
        if self.coordinator is not None:
            writers.append((*self.coordinator, "answers", answer_event))  # type: ignore[arg-type]
        producers = [(tenant, connection.producer(), kind, read) for tenant, connection, kind, read in writers]
        try:
            await self.connection.start(consumer)
            consumer.subscribe(
                [out_topic(OUTPUTS[k].topic, self.tenant) for k in (AllocationStated, ClientStatusChanged)]
            )
            for _, producer, _, _ in producers:
                await self.connection.start(producer)
            while True:
                moved = await self._push(consumer)
                for tenant, producer, kind, read in producers:
                    moved += await self._pull(tenant, producer, kind, read)
                if not moved:
                    await asyncio.sleep(self.poll_s)
        finally:
            await consumer.stop()
            for _, producer, _, _ in producers:
                await producer.stop()

    async def _pull(self, tenant: TenantId, producer: AIOKafkaProducer, kind: str, read: _Read) -> int:
        """One page into the inbox; what is no record goes back with the reason."""
        records, cursor = await _insisting(lambda: self.tool.page(kind))
        if not records:
            return 0
        sent = []
        for raw in records:
            event = read(raw)
            if isinstance(event, Refused):
                body = {"kind": kind, "id": event.id, "pointer": event.pointer, "expected": event.expected}
                await _insisting(lambda body=body: self.tool.tell("refused", body))  # type: ignore[misc]
                EVENTS.labels(f"waitlist-{kind}", "refused").inc()
                continue
            key, value = packed(event)
            sent.append(await producer.send(inbox(tenant), value, key))
            EVENTS.labels(f"waitlist-{kind}", "sent").inc()
        await asyncio.gather(*sent)
        await _insisting(lambda: self.tool.tell("received", {"kind": kind, "cursor": cursor}))
        return len(records)

    async def _push(self, consumer: AIOKafkaConsumer) -> int:
        """What the hub said since, one after the other."""
        polled = await consumer.getmany(timeout_ms=200)
        for records in polled.values():
            for record in records:
                sequence = int(dict(record.headers).get("ce_sequence", b"0"))
                fact = codec.decode(record.value)
                kind, body = (
                    ("allocations", allocation_json(fact, sequence))
                    if isinstance(fact, AllocationStated)
                    else ("client-status", status_json(fact, sequence))
                )
                await _insisting(lambda kind=kind, body=body: self.tool.tell(kind, body))  # type: ignore[misc]
                EVENTS.labels(f"waitlist-{kind}", "told").inc()
        if polled:
            await consumer.commit()
        return sum(len(records) for records in polled.values())


async def _insisting(ask: Callable[[], Any]) -> Any:
    wait_s = WAIT_FIRST_S
    for _ in range(ATTEMPTS - 1):
        try:
            return await ask()
        except WorldUnavailable:
            await asyncio.sleep(wait_s)
            wait_s *= 2
    return await ask()


async def connect(url: str, tenant: str, token: str, coordinator: str | None) -> None:
    """Run a bridge with the settings of the environment until it is cancelled."""
    settings = Settings()
    ksv = None if coordinator is None else (TenantId(coordinator), Connection.of(settings, coordinator))
    async with aiohttp.ClientSession() as session:
        own = Connection.of(settings, tenant)
        await Bridge(Tool(url, token, session), TenantId(tenant), own, ksv).run()
