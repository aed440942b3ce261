"""Webhooks: the alerts topic to registered receivers, a job and a consumer group for each, so that none waits.

At least once, each alert's changes in order. A receiver that does not answer is tried again after growing pauses, for a
day; what it has not taken by then is given up, counted and logged, since an alert of yesterday is no alert. One change
that it refuses (4xx) is tried on like that by itself, with the later changes of the same alert behind it, and holds up
no other alert; when it refuses `ASIDE_MAX` of them it is the receiver that is ill, and everything waits. Who answers
"gone" (410) is left alone until the worker starts again. Offsets are committed up to the first change that was not
taken, so whatever a stop or a crash interrupts is sent again, under the same webhook-id.

The reader must not stand still while a receiver does: records wait in a short queue, and each look at the clock
(`settle`) makes at most the attempts that fit into `TURN_S`.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError

from hub.connectors.webhooks import Answer, Caller, Delivery, Endpoint, delivery_of, load_endpoints
from hub.contracts.catalogue import ALERTS
from hub.contracts.codec import decode
from hub.domain.facts import AlertChanged
from hub.log import REPLACED, WEBHOOK_GIVEN_UP, WEBHOOK_GONE, WEBHOOK_REFUSED, log
from hub.settings import Settings
from hub.streams.metrics import WEBHOOKS
from hub.streams.reader import Polled

KEPT_TRYING_S: Final = 24 * 3600.0
"""How old a change may get before it is given up (PROPOSAL)."""
PAUSE_FIRST_S, PAUSE_MAX_S = 1.0, 300.0
"""Pauses double from the first to the longest, each with up to a quarter off, so that receivers are not hit in step."""
TURN_S: Final = 1.0
ASIDE_MAX: Final = 20
"""Refused changes that may be held aside at a time (PROPOSAL)."""
QUEUE_MAX: Final = 500
"""Changes that wait for one receiver; beyond it the topic waits."""


@dataclass(slots=True)
class _Pause:
    """When the next attempt may be, further off each time."""

    draw: random.Random
    not_before_s: float = 0.0
    last_s: float = 0.0

    def grow(self, now_s: float, asked_s: float) -> None:
        self.last_s = min(PAUSE_MAX_S, max(PAUSE_FIRST_S, self.last_s * 2))
        self.not_before_s = now_s + max(min(asked_s, PAUSE_MAX_S), self.last_s * self.draw.uniform(0.75, 1.0))

    def end(self) -> None:
        self.last_s = self.not_before_s = 0.0


@dataclass(slots=True)
class _Waiting:
    """One record of the topic: what to send, or None where that is done or not for this receiver.

    `aside`: set once the receiver has refused it.
    """

    offset: int
    made_s: float
    alert_id: str
    delivery: Delivery | None
    aside: _Pause | None = None


class WebhookRelay:
    """A job for `Reader`: sends each change of an alert to one receiver."""

    def __init__(self, endpoint: Endpoint, group: str, now: Callable[[], float] = time.time) -> None:
        self.name = f"webhooks-{endpoint.name}"
        self.group = f"{group}.{endpoint.name}"
        self.topics: Sequence[str] = (ALERTS,)
        self._endpoint = endpoint
        self._caller = Caller()
        self._now = now
        self._draw = random.Random(endpoint.name)  # noqa: S311  # spreads pauses, guards nothing
        self._pause = _Pause(self._draw)
        self._gone = False
        self._waiting: deque[_Waiting] = deque()
        self._source = TopicPartition(ALERTS, 0)
        self._consumer: AIOKafkaConsumer | None = None
        self._next: int | None = None
        self._queued: dict[str, int] = {}

    async def open(self) -> None:
        """Make the pool of connections."""
        await self._caller.open()

    async def load(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        """Nothing to load: the committed offset is where this job starts; what is too old is given up at once."""
        self._consumer = consumer

    async def handle(self, polled: Polled) -> None:
        """Queue what came; the topic waits while the queue is full."""
        for records in polled.values():
            for record in records:
                self._waiting.append(self._waiting_of(record))
        if len(self._waiting) >= QUEUE_MAX and self._consumer is not None:
            self._consumer.pause(self._source)

    async def settle(self) -> None:
        """Send what is due, for as long as a turn lasts; then commit up to the first change not taken."""
        until = time.monotonic() + TURN_S
        behind: set[str] = set()  # alerts of which an earlier change waits aside
        for one in self._waiting:
            if time.monotonic() >= until:
                break
            if one.delivery is None or one.alert_id in behind:
                continue
            if not await self._taken(one):
                if one.aside is None:
                    break
                behind.add(one.alert_id)
        self._clear()
        await self.release()
        if len(self._waiting) < QUEUE_MAX // 2 and self._consumer is not None and self._consumer.paused():
            self._consumer.resume(self._source)

    async def release(self) -> None:
        """Commit up to the first change that was not taken."""
        if self._next is None or self._consumer is None:
            return
        offset, self._next = self._next, None
        try:
            await self._consumer.commit({self._source: offset})
        except CommitFailedError as problem:  # replaced: the successor repeats, webhook-id tells
            log(REPLACED, role=self.name, error=type(problem).__name__)

    async def drop(self) -> None:
        """Forget what waits: whoever gets the partition reads it again."""
        self._waiting.clear()
        self._queued.clear()
        self._next = None

    async def close(self) -> None:
        """Let every connection go."""
        await self._caller.close()

    def _clear(self) -> None:
        """Let go of what is done: all before the first that waits, and of each run behind it all but the last."""
        kept: deque[_Waiting] = deque()
        for one in self._waiting:
            if one.delivery is None and kept and kept[-1].delivery is None:
                kept.pop()
            kept.append(one)
        if kept and kept[0].delivery is None:
            self._next = kept.popleft().offset + 1
        self._waiting = kept

    async def _taken(self, one: _Waiting) -> bool:
        """Whether a change need not wait any longer: taken, or given up."""
        assert one.delivery is not None
        if self._gone or self._now() - one.made_s > KEPT_TRYING_S:
            WEBHOOKS.labels(self._endpoint.name, "given_up").inc()
            log(WEBHOOK_GIVEN_UP, endpoint=self._endpoint.name, offset=one.offset)
            one.delivery = None
            return True
        if self._now() < max(self._pause.not_before_s, one.aside.not_before_s if one.aside else 0.0):
            return False
        attempt = await self._caller.call(self._endpoint, one.delivery)
        WEBHOOKS.labels(self._endpoint.name, attempt.answer.value).inc()
        match attempt.answer:
            case Answer.TAKEN:
                self._pause.end()
                one.delivery = None
                return True
            case Answer.GONE:
                self._gone = True
                log(WEBHOOK_GONE, endpoint=self._endpoint.name)
            case Answer.REFUSED if one.aside or sum(held.aside is not None for held in self._waiting) < ASIDE_MAX:
                if one.aside is None:
                    one.aside = _Pause(self._draw)
                    log(WEBHOOK_REFUSED, endpoint=self._endpoint.name, offset=one.offset, status=attempt.status)
                one.aside.grow(self._now(), attempt.retry_after_s)
            case Answer.REFUSED | Answer.FAILED:
                self._pause.grow(self._now(), attempt.retry_after_s)
        return False

    def _waiting_of(self, record: ConsumerRecord) -> _Waiting:
        alert = decode(record.value)
        headers = {name: bytes(value).decode() for name, value in record.headers}
        # Delivery repeats what it copied before a crash: the sequence of a region tells, as to every reader.
        region, sequence = headers["ce_hubregion"], int(headers["ce_sequence"])
        fresh = sequence > self._queued.get(region, 0)
        self._queued[region] = max(sequence, self._queued.get(region, 0))
        wanted = fresh and isinstance(alert, AlertChanged) and self._endpoint.wants(alert)
        return _Waiting(
            record.offset,
            record.timestamp / 1000,
            alert.alert_id if wanted else "",
            delivery_of(alert, headers) if wanted else None,
        )


def jobs(settings: Settings, group: str) -> Iterator[WebhookRelay]:
    """One job for each receiver of HUB_WEBHOOKS_FILE; none where it is not set."""
    if settings.webhooks_file is not None:
        for endpoint in load_endpoints(settings.webhooks_file):
            yield WebhookRelay(endpoint, group)
