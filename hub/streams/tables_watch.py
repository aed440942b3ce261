"""Whether the tables that this process works by are still the ones in force.

A row takes force at the earliest LEAD_MS after its activation was appended. So whoever has looked at the control topic
after a record was appended knows every row for that record, and for whatever is appended until LEAD_MS later. A record
beyond that is not taken before another look: a process that was stopped for an hour and wakes up with records in hand
still judges each by rows that it knows, or stops. SKEW_MS is left for brokers whose clocks differ.
"""

import asyncio
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from hub.contracts import catalogue, control
from hub.contracts.tables import LEAD_MS
from hub.errors import TablesReplaced
from hub.streams.connection import Connection, read_to_end

SKEW_MS: Final = 10_000
CONTROL: Final = TopicPartition(catalogue.CONTROL, 0)


class TablesWatch:
    """What is in force, and until which append time that is known. Started once a process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._consumer: AIOKafkaConsumer | None = None
        self._records: list[control.ControlRecord] = []
        self._next = 0
        self._known_until_ms = 0
        self._lock = asyncio.Lock()
        self._in_force: control.InForce | None = None
        self._seen: tuple[int, control.InForce] | None = None

    @property
    def in_force(self) -> control.InForce:
        """What this process works by; only after `start`."""
        assert self._in_force is not None, "start the watch first"
        return self._in_force

    async def start(self) -> control.InForce:
        """Read what is in force. WorldUnavailable or ContractError when a worker cannot start with it."""
        consumer = self._connection.lone_consumer()
        await self._connection.start(consumer)
        self._consumer = consumer
        await self._read_on(consumer)
        self._in_force = self._now()
        return self._in_force

    async def cover(self, appended_ms: int) -> None:
        """Return when a record that was appended then may be taken; TablesReplaced when other tables are in force."""
        if appended_ms < self._known_until_ms:
            return
        await self.look()
        self._known_until_ms = appended_ms + LEAD_MS - SKEW_MS

    async def look(self) -> control.InForce:
        """Look again; what is in force. TablesReplaced when that is something else by now."""
        assert self._consumer is not None
        async with self._lock:
            ends = await self._consumer.end_offsets([CONTROL])
            if ends[CONTROL] > self._next:
                await self._read_on(self._consumer)
        now = self._now()
        if (now.reference.version, now.closing) != (self.in_force.reference.version, self.in_force.closing):
            raise TablesReplaced(
                f"tables version {now.reference.version} of generation {now.reference.generation} is in force"
                f"{', which is being closed' if now.closing else ''}; this process knows "
                f"{self.in_force.reference.version}. It stops with nothing acknowledged and starts again with those."
            )
        return now

    async def stop(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()

    def _now(self) -> control.InForce:
        """What the records say; they are parsed only when one has come. What raises is not kept: it raises again."""
        if self._seen is None or self._seen[0] != self._next:
            self._seen = self._next, control.read(self._records)
        return self._seen[1]

    async def _read_on(self, consumer: AIOKafkaConsumer) -> None:
        async for record in read_to_end(consumer, {CONTROL: self._next}):
            key = (record.key or b"").decode(errors="replace")
            self._records.append(control.ControlRecord(key, record.value, record.timestamp))
            self._next = record.offset + 1
