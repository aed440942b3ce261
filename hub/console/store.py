"""Reads the read model. Nothing here writes; what cannot be read is counted and left out, never guessed.

Which keys there are and what they hold stands in hub/streams/read_model.py.
"""

from collections import Counter
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar, cast

import msgspec
from redis.asyncio import Redis

from hub.console.board import Board, ColourChange, Day, Worker
from hub.domain.facts import AlertChanged, RegionStatusChanged
from hub.domain.words import ReceiptOutcome
from hub.streams.read_model import CLOSED_ALERTS, COUNTS, DAYS, HISTORY, LIVE, OPEN_ALERTS, STATUS

BEGIN: Final = "0-0"
"""The place before every entry of a stream."""
CLOSED_SHOWN: Final = 12
"""Alerts that are over and still shown; the whole record is the alerts topic."""
_LOOK_MAX: Final = 1000
"""Entries taken at one look; the rest waits for the next."""

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Changes:
    """What moved since a place in the stream. `lost` says that entries between were trimmed: read everything anew."""

    live_id: str
    regions: frozenset[str] = frozenset()
    alerts: tuple[AlertChanged, ...] = ()
    lost: bool = False


class Store:
    """The read model through one connection pool."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def board(self, workers: tuple[Worker, ...]) -> Board:
        """Everything that the page shows. The place in the stream is read first, so nothing is missed after it."""
        live_id = await self._last_id()
        async with self._redis.pipeline(transaction=True) as pipe:
            for key in (STATUS, OPEN_ALERTS, DAYS, COUNTS, HISTORY):
                pipe.hgetall(key)
            pipe.lrange(CLOSED_ALERTS, 0, CLOSED_SHOWN - 1)
            *hashes, ended = await pipe.execute()
        status, alerts, days, counts, changes = cast("list[dict[bytes, bytes]]", hashes)
        regions, bad_regions = _decoded(status, RegionStatusChanged)
        told, bad_alerts = _decoded(alerts, AlertChanged)
        closed, bad_days = _decoded(days, Day)
        changed, bad_changes = _decoded(changes, ColourChange)
        over, bad_over = _decoded({str(at): told for at, told in enumerate(ended)}, AlertChanged)
        return Board(
            regions=tuple(regions[code] for code in sorted(regions)),
            alerts=tuple(told.values()),
            days=closed,
            receipts=_receipts(counts),
            workers=workers,
            live_id=live_id,
            unreadable=bad_regions + bad_alerts + bad_days + bad_changes + bad_over,
            history=tuple(changed[name] for name in sorted(changed)),
            closed=tuple(over.values()),
        )

    async def changes(self, after: str, wait_s: float) -> Changes:
        """What the stream holds beyond a place, waiting so long for the first entry (0: not at all)."""
        if after != BEGIN and await self._trimmed(after):
            return Changes(await self._last_id(), lost=True)
        found = await self._redis.xread({LIVE: after}, count=_LOOK_MAX, block=int(wait_s * 1000) or None)
        if not found:
            return Changes(after)
        entries = found[0][1]
        regions = {fields[b"region"].decode() for _, fields in entries if fields[b"kind"] in (b"status", b"day")}
        # Of one alert the last word is the one to tell.
        told = {str(at): fields[b"data"] for at, (_, fields) in enumerate(entries) if fields[b"kind"] == b"alert"}
        alerts = {alert.alert_id: alert for alert in _decoded(told, AlertChanged)[0].values()}
        return Changes(entries[-1][0].decode(), frozenset(regions), tuple(alerts.values()))

    async def answers(self) -> bool:
        """Whether Redis answers."""
        return bool(await cast("Awaitable[bool]", self._redis.ping()))

    async def _last_id(self) -> str:
        newest = await self._redis.xrevrange(LIVE, count=1)
        return str(newest[0][0].decode()) if newest else BEGIN

    async def _trimmed(self, after: str) -> bool:
        """Whether the entry at which a follower stopped is gone: trimmed, or flushed with the whole read model."""
        return not await self._redis.xrange(LIVE, after, after)


def _decoded(values: dict[bytes, bytes] | dict[str, bytes], kind: type[F]) -> tuple[dict[str, F], int]:
    """Values by the name of their field, and how many could not be read."""
    found: dict[str, F] = {}
    unreadable = 0
    pairs: Iterable[tuple[bytes | str, bytes]] = values.items()
    for name, value in pairs:
        try:
            found[name.decode() if isinstance(name, bytes) else name] = msgspec.json.decode(value, type=kind)
        except msgspec.DecodeError:
            unreadable += 1
    return found, unreadable


def _receipts(counts: dict[bytes, bytes]) -> dict[ReceiptOutcome, int]:
    """Receipts by outcome, in the order of the glossary; the codes behind them are for /metrics and `hub dlq`."""
    found: Counter[str] = Counter()
    for name, count in counts.items():
        family, _, rest = name.decode().partition("/")
        if family == "receipts":
            found[rest.partition("/")[0]] += int(count)
    return {outcome: found[outcome] for outcome in ReceiptOutcome if found[outcome]}
