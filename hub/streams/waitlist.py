"""The connector to a waitlist tool: a relay in both directions, without a state of its own.

From the tool: a page is put in the inbox of its tenant, and acknowledged to the tool once every broker holds it. To the
tool: facts of its topics one after the other, and their offsets are committed once the tool holds them, so that each
client's statements arrive in their order. After a crash both may repeat: the version rule drops what came twice here,
region and sequence tell the tool.

What one side will not have never stops the good ones behind it. A record that is none is told back and counted. A
statement that the tool refuses (4xx) is counted and noted beside the committed offset, and stands on its topic for 90
days: `hub waitlist --again` tells it once more when the tool has been mended. A tool that is away is tried again, one
that asks to be left alone is left alone.
"""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import aiohttp
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition

from hub.connectors.waitlist_tool import (
    Refused,
    Tool,
    ToolBusy,
    ToolRefused,
    allocation_json,
    answer_event,
    client_event,
    packed,
    status_json,
)
from hub.contracts import codec
from hub.contracts.catalogue import OUTPUTS, connector_group, inbox, out_topic
from hub.domain.events import AllocationAnswered, WaitingClientListed
from hub.domain.facts import AllocationStated, ClientStatusChanged
from hub.domain.identifiers import TenantId
from hub.errors import WorldUnavailable
from hub.log import STATEMENT_REFUSED, log
from hub.settings import Settings
from hub.streams.connection import Connection, read_to_end, reading
from hub.streams.health import serving
from hub.streams.metrics import EVENTS
from hub.streams.offset_notes import noted, ranges_of, without
from hub.streams.producer import Publisher, Record

TOLD: Final = (AllocationStated, ClientStatusChanged)
POLL_S: Final = 2.0
PUSH_MAX, PUSH_S = 25, 200.0
"""Statements, and seconds, between two commits; one statement at least. Whoever does not poll for five minutes loses
its place in the group, and would tell the same ones for ever; all attempts at one may take over a minute of them."""
ATTEMPTS: Final = 6
"""Then the connector ends with nothing acknowledged, and is started again by its supervisor."""
WAIT_FIRST_S: Final = 0.2
BUSY_MAX_S: Final = 60.0
"""The longest pause that a tool gets at once (PROPOSAL): well within the five minutes after which the brokers take a
member that does not poll for dead. One that needs more says so again."""
_Read = Callable[[Any], WaitingClientListed | AllocationAnswered | Refused]
_T = TypeVar("_T")


class _Notes(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka publishes no types
    """What was refused, by place. Read again after every rebalance, since somebody else may have added to it."""

    def __init__(self, connection: Connection, group: str) -> None:
        self._connection, self._group = connection, group
        self._held: dict[TopicPartition, str] | None = None
        self.rebalances = 0

    async def of(self, place: TopicPartition) -> str:
        if self._held is None:
            self._held = await self._connection.notes(self._group)
        return self._held.get(place, "")

    def keep(self, place: TopicPartition, note: str) -> None:
        if self._held is not None:  # else the place went to somebody else meanwhile, with what stood there
            self._held[place] = note

    def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._held = None
        self.rebalances += 1

    def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self.on_partitions_assigned(())


@dataclass(frozen=True, slots=True)
class Bridge:
    """One tool. `coordinator`: the region's KSV, where coordinators enter answers in the tool; None: they do not.

    `again`: first tell once more what the tool refused before.
    """

    tool: Tool
    tenant: TenantId
    connection: Connection
    coordinator: tuple[TenantId, Connection] | None = None
    poll_s: float = POLL_S
    again: bool = False

    async def run(self) -> None:
        """Until it is cancelled. WorldUnavailable: the tool or the brokers were away for too long.

        UsageError, ToolRefused: the tool does not let us in, or will not give or acknowledge a page.
        """
        group = connector_group(self.tenant)
        topics = [out_topic(OUTPUTS[kind].topic, self.tenant) for kind in TOLD]
        consumer, notes = self.connection.group_consumer(group, topics), _Notes(self.connection, group)
        writers = [(self.tenant, self.connection, "clients", client_event)]
        if self.coordinator is not None:
            writers.append((*self.coordinator, "answers", answer_event))  # type: ignore[arg-type]
        producers = [(tenant, connection.producer(), kind, read) for tenant, connection, kind, read in writers]
        due: dict[TopicPartition, str] | None = None if self.again else {}
        try:
            await self.connection.start(consumer)
            consumer.subscribe(topics, listener=notes)
            for _, producer, _, _ in producers:
                await self.connection.start(producer)
            while True:
                try:
                    # Pages first: an address or a token that is wrong shows there, before a statement is refused.
                    moved = 0
                    for tenant, producer, kind, read in producers:
                        moved += await self._pull(tenant, producer, kind, read)
                    moved += await self._push(consumer, notes)
                    if due is None and consumer.assignment():
                        due = {place: await notes.of(place) for place in sorted(consumer.assignment())}
                    if due:
                        await self._tell_again(consumer, notes, due)
                        moved += 1
                except ToolBusy as busy:
                    await asyncio.sleep(min(busy.pause_s, BUSY_MAX_S))
                    continue
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
        events = [read(raw) for raw in records]
        refused = [event for event in events if isinstance(event, Refused)]
        sound = [Record(*packed(event)) for event in events if not isinstance(event, Refused)]
        if sound:
            await Publisher(producer).publish(TopicPartition(inbox(tenant), 0), sound)
        EVENTS.labels(f"waitlist-{kind}", "sent").inc(len(sound))
        for one in refused:
            EVENTS.labels(f"waitlist-{kind}", "refused").inc()
            await self._tell_back(kind, one)
        await self._patiently("received", {"kind": kind, "cursor": cursor})
        return len(records)

    async def _tell_back(self, kind: str, refused: Refused) -> None:
        body = {"kind": kind, "id": refused.id, "pointer": refused.pointer, "expected": refused.expected}
        try:
            await self._patiently("refused", body)
        except ToolRefused:  # it does not want to hear; the record is counted, and those behind it go on
            EVENTS.labels(f"waitlist-{kind}", "refusal_untold").inc()

    async def _patiently(self, kind: str, body: dict[str, Any]) -> None:
        """Tell, after every pause that the tool asks for: a page begun anew might never be told whole."""
        while True:
            try:
                return await _insisting(lambda: self.tool.tell(kind, body))
            except ToolBusy as busy:
                await asyncio.sleep(min(busy.pause_s, BUSY_MAX_S))

    async def _push(self, consumer: AIOKafkaConsumer, notes: _Notes) -> int:
        """What the hub said since, one after the other. Whatever ends it, what the tool has is committed; but for what
        a rebalance has put back to where it was committed before: what was noted since is forgotten, so it comes again.
        """
        polled = await consumer.getmany(timeout_ms=200, max_records=PUSH_MAX)
        until, rebalances = time.monotonic() + PUSH_S, notes.rebalances
        done = {place: records[0].offset for place, records in polled.items()}
        try:
            for place, records in polled.items():
                for record in records:
                    await self._tell(place, record, notes)
                    done[place] = record.offset + 1
                    if time.monotonic() >= until:
                        break
        finally:
            if done and notes.rebalances == rebalances:
                for place, end in done.items():
                    consumer.seek(place, end)
                await consumer.commit({place: (end, await notes.of(place)) for place, end in done.items()})
        return sum(len(records) for records in polled.values())

    async def _tell(self, place: TopicPartition, record: ConsumerRecord, notes: _Notes) -> bool:
        """One statement; whether the tool has it now. One that it refuses is noted."""
        sequence = int(dict(record.headers).get("ce_sequence", b"0"))
        fact = codec.decode(record.value)
        kind, body = (
            ("allocations", allocation_json(fact, sequence))
            if isinstance(fact, AllocationStated)
            else ("client-status", status_json(fact, sequence))
        )
        try:
            await _insisting(lambda: self.tool.tell(kind, body))
        except ToolRefused as problem:
            notes.keep(place, noted(await notes.of(place), record.offset))
            EVENTS.labels(f"waitlist-{kind}", "refused").inc()
            log(STATEMENT_REFUSED, topic=record.topic, offset=record.offset, status=problem.status)
            return False
        EVENTS.labels(f"waitlist-{kind}", "told").inc()
        return True

    async def _tell_again(self, consumer: AIOKafkaConsumer, notes: _Notes, due: dict[TopicPartition, str]) -> None:
        """Some of what was refused once more, between two polls. What the tool has by now leaves the note and is
        committed, whatever ends it; `due` keeps what is still to be told, and is empty after the last."""
        for place in [place for place, note in due.items() if not note or place not in consumer.assignment()]:
            del due[place]
        told, seen, until = 0, set(), time.monotonic() + PUSH_S
        try:
            async with reading(self.connection) as reader:
                async for record in read_to_end(reader, {place: ranges_of(due[place])[0][0] for place in due}):
                    place = TopicPartition(record.topic, record.partition)
                    if not any(first <= record.offset <= last for first, last in ranges_of(due[place])):
                        continue
                    if told == PUSH_MAX or (told and time.monotonic() >= until):
                        return
                    held = await self._tell(place, record, notes)
                    await self._pass(place, record.offset, notes, due)
                    if not held:
                        notes.keep(place, noted(await notes.of(place), record.offset))
                    seen.add(place)
                    told += 1
            for place, note in list(due.items()):
                if note:  # it has expired
                    await self._pass(place, ranges_of(note)[-1][1], notes, due)
                    seen.add(place)
                del due[place]
        finally:
            if seen:
                await consumer.commit({p: (await consumer.committed(p), await notes.of(p)) for p in sorted(seen)})

    async def _pass(self, place: TopicPartition, offset: int, notes: _Notes, due: dict[TopicPartition, str]) -> None:
        """What was due up to this offset is so no longer, and leaves the note."""
        note = await notes.of(place)
        for first, last in ranges_of(due[place]):
            if first <= offset:
                note = without(note, first, min(last, offset))
        notes.keep(place, note)
        due[place] = without(due[place], 0, offset)


async def _insisting(ask: Callable[[], Awaitable[_T]]) -> _T:
    wait_s = WAIT_FIRST_S
    for _ in range(ATTEMPTS - 1):
        try:
            return await ask()
        except WorldUnavailable:
            await asyncio.sleep(wait_s)
            wait_s *= 2
    return await ask()


async def connect(
    settings: Settings, url: str, tenant: str, token: str, coordinator: str | None, *, again: bool = False
) -> None:
    """Run a bridge until SIGTERM or SIGINT: then it leaves its group in order."""
    ksv = None if coordinator is None else (TenantId(coordinator), Connection.of(settings, coordinator))
    own = Connection.of(settings, tenant)
    async with aiohttp.ClientSession() as session, serving(settings):
        bridge = Bridge(Tool(url, token, session), TenantId(tenant), own, ksv, again=again)
        running = asyncio.create_task(bridge.run())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, running.cancel)
        with suppress(asyncio.CancelledError):
            await running
