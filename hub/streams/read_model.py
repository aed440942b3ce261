"""The read model: region facts as Redis keys for pages, and a stream for whoever follows live.

Its position lives in Redis alone, in the same script that applies a batch; so after a flush it is simply built anew.
Keys (all values JSON objects unless said otherwise; minutes are whole minutes, dates ISO):

- `hub:positions` hash: `facts/<partition>` → next offset; `region/<code>` → `<log offset>/<index>` of the last fact;
  from the second generation on behind `g<generation>/`
- `hub:status` hash: region → RegionStatusChanged (computed and declared colour, clauses, reasons, measures, months)
- `hub:history` hash: `<region>/<day>` → the computed and declared colour with which a day of change ended, why, by
  which clause and after which input (ColourChange of hub/console/board.py); the last 100 such days of each region
- `hub:closed-alerts` list, newest first, the last 200: AlertChanged as it was closed
- `hub:alerts` hash: `<region>/<alert id>` → AlertChanged of open episodes; closed ones leave
- `hub:days` hash: region (also `NL`) → DayClosed (date, open proposals, waiting)
- `hub:counts` hash of integers: `receipts/<outcome>/<code>`, `signals/<region>/<phase>`,
  `allocations/<region>/<status>`, `findings/<region>/<code>/<status>`, `mediation/<region>`,
  `capacity-requests/<region>`, `settled/<region>/<outcome>`
- `live` stream, about the last 10,000: fields `kind` (status, alert, day or counts), `region` (empty for counts)
  and `data` (as above; for counts {name: added})

No record ids, no encodings, no bytes of any record, no figures of one provider: what belongs to one client or provider
is told on topics, to whoever may.
"""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import redis.asyncio
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import RedisError

from hub.contracts.catalogue import REGION_FACTS, of_generation
from hub.contracts.codec import decode
from hub.domain import events as e
from hub.domain import facts as f
from hub.domain.identifiers import RegionCode
from hub.domain.reference import Reference
from hub.domain.words import AlertState, SignalAudience
from hub.errors import WorldUnavailable
from hub.log import READ_MODEL_BEHIND, log
from hub.streams.carrier import position_of
from hub.streams.metrics import EVENTS, RECEIPTS
from hub.streams.reader import Polled

POSITIONS: Final = "hub:positions"
STATUS: Final = "hub:status"
HISTORY: Final = "hub:history"
OPEN_ALERTS: Final = "hub:alerts"
CLOSED_ALERTS: Final = "hub:closed-alerts"
CLOSED_ALERTS_MAX: Final = 200
DAYS: Final = "hub:days"
COUNTS: Final = "hub:counts"
LIVE: Final = "live"
LIVE_LENGTH_MAX: Final = 10_000
LOOK_S: Final = 5.0
"""How often an idle relay looks whether Redis was flushed; a page must not stay empty until the next fact."""
_SCRIPT: Final = Path(__file__).with_name("read_model.lua").read_text(encoding="utf-8")
_NEVER_SHOWN: Final = frozenset({"recipient", "document_id", "record_id", "waiting_id", "own_record_ids"})

Command = list[str]


class Projection:
    """Facts of one batch → Redis commands. Pure; one instance per batch."""

    def __init__(self, reference: Reference) -> None:
        self._coordinator = reference.coordinator
        self._commands: list[Command] = []
        self._counts: Counter[str] = Counter()

    def take(self, fact: Any, region: RegionCode) -> None:
        """Add what one fact changes."""
        match fact:
            case f.RegionStatusChanged():
                self._take_change(fact, region)
                self._show("status", STATUS, region, region, fact)
            case f.DayClosed():
                self._show("day", DAYS, region, region, fact)
            case f.AlertChanged() if not getattr(fact, "recipient", ""):
                self._take_alert(fact, region)
            case f.ReceiptIssued():
                self._counts[f"receipts/{fact.outcome}/{fact.code}"] += 1
            case f.DuplicateSignalled(audience=SignalAudience.COORDINATOR):
                self._counts[f"signals/{region}/{fact.phase}"] += 1
            case f.AllocationStated() if fact.recipient == self._coordinator.get(region):
                self._counts[f"allocations/{region}/{fact.status}"] += 1
            case f.ComplianceFound() if fact.recipient == self._coordinator.get(region):
                self._counts[f"findings/{region}/{fact.code}/{fact.status}"] += 1
            case f.MediationRequested():
                self._counts[f"mediation/{region}"] += 1
            case f.CapacityRequested():
                self._counts[f"capacity-requests/{region}"] += 1
            case e.RecordSettled():
                self._counts[f"settled/{region}/{fact.outcome}"] += 1

    def receipts(self) -> Iterator[tuple[str, str, int]]:
        """Outcome, code and number of the receipts of the batch."""
        for name, added in self._counts.items():
            if name.startswith("receipts/"):
                _, outcome, code = name.split("/")
                yield outcome, code, added

    def commands(self) -> list[Command]:
        """Everything to run, counts last."""
        counted = [["HINCRBY", COUNTS, name, str(added)] for name, added in sorted(self._counts.items())]
        if counted:
            counted.append(_live("counts", "", json.dumps(dict(sorted(self._counts.items())))))
        return [*self._commands, *counted]

    def _take_change(self, fact: f.RegionStatusChanged, region: RegionCode) -> None:
        """A colour that began today: of several on one day the last one stays."""
        if fact.computed_since == fact.date:
            first = fact.grounds[0] if fact.grounds else None
            change = {
                "region": region,
                "day": fact.date.isoformat(),
                "computed": fact.computed.value,
                "declared": None if fact.declared is None else fact.declared.value,
                "reason": fact.reasons[0] if fact.reasons else "",
                "clause": first.clause if first is not None else next(iter(fact.clauses), ""),
                "caused_by": fact.caused_by,
            }
            told = json.dumps(change, separators=(",", ":"))
            self._commands.append(["HSET", HISTORY, f"{region}/{fact.date.isoformat()}", told])

    def _take_alert(self, fact: f.AlertChanged, region: RegionCode) -> None:
        if fact.state is AlertState.CLOSED:
            self._commands.append(["HDEL", OPEN_ALERTS, f"{region}/{fact.alert_id}"])
            self._commands.append(["LPUSH", CLOSED_ALERTS, _json(fact)])
            self._commands.append(["LTRIM", CLOSED_ALERTS, "0", str(CLOSED_ALERTS_MAX - 1)])
            self._commands.append(_live("alert", region, _json(fact)))
        else:
            self._show("alert", OPEN_ALERTS, f"{region}/{fact.alert_id}", region, fact)

    def _show(self, kind: str, key: str, name: str, region: RegionCode, fact: Any) -> None:
        data = _json(fact)
        self._commands.append(["HSET", key, name, data])
        self._commands.append(_live(kind, region, data))


class ReadModel:
    """A job for `Reader`: a relay whose target and position are Redis."""

    def __init__(self, name: str, group: str, reference: Reference, redis_url: str) -> None:
        self.name = name
        self.group = group
        self.topics: Sequence[str] = (of_generation(REGION_FACTS, reference.generation),)
        self._stem = "" if reference.generation == 1 else f"g{reference.generation}/"
        self._reference = reference
        self._redis: redis.asyncio.Redis = redis.asyncio.Redis.from_url(
            redis_url,
            decode_responses=True,
            socket_timeout=5,
            socket_connect_timeout=5,
            retry=Retry(ExponentialBackoff(cap=2, base=0.1), 5),
            retry_on_error=[redis.exceptions.ConnectionError, redis.exceptions.TimeoutError],
        )
        self._consumer: AIOKafkaConsumer | None = None
        self._next: dict[TopicPartition, int] = {}
        self._last: dict[str, tuple[int, int]] = {}
        self._looked_s = 0.0

    async def open(self) -> None:
        """WorldUnavailable when Redis does not answer."""
        try:
            await self._redis.ping()  # type: ignore[misc]  # redis types one method for both clients
        except RedisError as problem:
            raise WorldUnavailable(f"Redis does not answer ({type(problem).__name__}). Check REDIS_URL.") from problem

    async def load(self, consumer: AIOKafkaConsumer, partitions: Sequence[TopicPartition]) -> None:
        """Seek to what Redis says, 0 if it says nothing."""
        self._consumer = consumer
        held = await self._redis.hgetall(POSITIONS)  # type: ignore[misc]
        self._last = {
            name.removeprefix(f"{self._stem}region/"): _position(text)
            for name, text in held.items()
            if name.startswith(f"{self._stem}region/")
        }
        for source in partitions:
            self._next[source] = int(held.get(self._field(source), 0))
            consumer.seek(source, self._next[source])

    async def handle(self, polled: Polled) -> None:
        """Apply each partition's batch by one script."""
        for source, records in polled.items():
            news = [record for record in records if record.offset >= self._next[source]]
            if news:
                await self._apply(source, news)

    async def settle(self) -> None:
        """The script has acknowledged already. Look now and then whether Redis still stands where it stood."""
        now = time.monotonic()
        if self._consumer is None or now - self._looked_s < LOOK_S:
            return
        self._looked_s = now
        try:
            held = await self._redis.hgetall(POSITIONS)  # type: ignore[misc]
        except RedisError:  # the next batch says it, and loudly
            return
        for source, expected in sorted(self._next.items()):
            if (found := int(held.get(self._field(source), 0))) != expected:
                await self._start_over(source, found)

    async def release(self) -> None:
        """Nothing: the script has acknowledged already."""

    async def drop(self) -> None:
        """Forget every position."""
        self._next.clear()
        self._last.clear()

    async def close(self) -> None:
        """Disconnect."""
        await self._redis.aclose()

    async def _apply(self, source: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        projection = Projection(self._reference)
        fresh = self._fresh(records)
        for record, _ in fresh:
            projection.take(decode(record.value), RegionCode(record.key.decode()))
        commands = projection.commands()
        for region, position in {record.key.decode(): at for record, at in fresh}.items():
            commands.append(["HSET", POSITIONS, f"{self._stem}region/{region}", f"{position[0]}/{position[1]}"])
        following = records[-1].offset + 1
        try:
            taken, found = await self._redis.eval(  # type: ignore[misc]
                _SCRIPT,
                1,
                POSITIONS,
                self._field(source),
                str(self._next[source]),
                str(following),
                json.dumps(commands),
            )
        except RedisError as problem:
            raise WorldUnavailable(f"Redis took no facts ({type(problem).__name__}). Nothing is lost.") from problem
        if taken:
            self._next[source] = following
            EVENTS.labels(REGION_FACTS, "shown").inc(len(records))
            for outcome, code, added in projection.receipts():
                RECEIPTS.labels(outcome, code).inc(added)
            return
        await self._start_over(source, int(found))

    async def _start_over(self, source: TopicPartition, found: int) -> None:
        """Somebody else has moved on, or Redis was flushed: what it says is where this partition stands."""
        log(READ_MODEL_BEHIND, partition=source.partition, expected=self._next[source], found=found)
        assert self._consumer is not None
        await self.load(self._consumer, [source])

    def _field(self, source: TopicPartition) -> str:
        return f"{self._stem}facts/{source.partition}"

    def _fresh(self, records: Iterable[ConsumerRecord]) -> list[tuple[ConsumerRecord, tuple[int, int]]]:
        """Facts beyond the last position of their region; a restarted fold may have published some again."""
        fresh = []
        for record in records:
            region, position = record.key.decode(), position_of(record.headers)
            if position > self._last.get(region, (-1, -1)):
                self._last[region] = position
                fresh.append((record, position))
        return fresh


def _live(kind: str, region: str, data: str) -> Command:
    return ["XADD", LIVE, "MAXLEN", "~", str(LIVE_LENGTH_MAX), "*", "kind", kind, "region", region, "data", data]


def _json(fact: Any) -> str:
    shown = {name: value for name, value in msgspec.to_builtins(fact).items() if name not in _NEVER_SHOWN}
    return json.dumps(shown, separators=(",", ":"))


def _position(text: str) -> tuple[int, int]:
    offset, _, index = text.partition("/")
    return int(offset), int(index)
