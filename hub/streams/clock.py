"""The clock: tells the nation that a day begins. Every day it missed comes first, in order.

The Amsterdam calendar is looked up here and nowhere else; inside the folds time is an event. Two clocks at once do no
harm: a fold takes only the day after its last.
"""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from aiokafka import TopicPartition

from hub.contracts.catalogue import inbox, out_topic
from hub.contracts.codec import decode, encode, type_name
from hub.domain.events import DayStarted
from hub.domain.facts import DayClosed
from hub.domain.identifiers import TenantId
from hub.domain.reference import Reference, Role
from hub.errors import UsageError
from hub.log import DAY_SENT, log
from hub.streams.connection import Connection, read_to_end, reading
from hub.streams.machine import rfc3339
from hub.streams.producer import Publisher, Record

AMSTERDAM: Final = ZoneInfo("Europe/Amsterdam")
LOOK_S: Final = 20.0
"""How often the clock looks whether a new day began."""


def clock_tenant(reference: Reference) -> TenantId:
    """The tenant that is the clock; UsageError unless the tables name exactly one."""
    clocks = reference.by_role[Role.CLOCK]
    if len(clocks) != 1:
        raise UsageError(f"the tables name {len(clocks)} clocks, expected one tenant with role clock")
    return clocks[0]


def missed_days(last: date | None, today: date) -> Iterator[date]:
    """The days to send: those after `last` up to today; today alone when no day was ever closed."""
    day = today if last is None else last + timedelta(days=1)
    while day <= today:
        yield day
        day += timedelta(days=1)


class Clock:
    """Sends days as the clock's tenant. `now` gives the time with its zone."""

    def __init__(
        self, reference: Reference, connection: Connection, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._tenant = clock_tenant(reference)
        self._urn = reference.urn
        self._connection = connection
        self._now = now
        self._publisher = Publisher(connection.producer())
        self._last: date | None = None

    async def start(self) -> None:
        """Connect, and find the last day that any region closed."""
        await self._connection.start(self._publisher.producer)
        async with reading(self._connection) as lone:
            days = TopicPartition(out_topic("days", self._tenant), 0)
            async for record in read_to_end(lone, {days: None}):
                closed = decode(record.value)
                if isinstance(closed, DayClosed):
                    self._last = max(self._last or closed.date, closed.date)

    async def run(self, stopping: Callable[[], bool]) -> None:
        """Send what is due, then look again."""
        while not stopping():
            await self.send_due()
            await asyncio.sleep(LOOK_S)

    async def send_due(self) -> None:
        """Send every day that began since the last one."""
        today = self._now().astimezone(AMSTERDAM).date()
        for day in missed_days(self._last, today):
            await self._publisher.publish(TopicPartition(inbox(self._tenant), 0), [self._record(day)])
            log(DAY_SENT, date=day.isoformat())
            self._last = day

    async def stop(self) -> None:
        """Disconnect."""
        await self._publisher.producer.stop()

    def _record(self, day: date) -> Record:
        headers = [
            ("ce_specversion", b"1.0"),
            ("ce_id", str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._urn}/{day.isoformat()}")).encode()),
            ("ce_source", self._urn.encode()),
            ("ce_type", type_name(DayStarted).encode()),
            ("ce_time", rfc3339(int(self._now().timestamp() * 1000))),
        ]
        return Record(day.isoformat().encode(), encode(DayStarted(date=day)), headers)
