"""Reads the read model. Nothing here writes; what cannot be read is counted and left out, never guessed.

Keys, as hub/streams/read_model.py writes them: set `regions`; hash `region:<code>` with field `status`; hash `alerts`
by alert id; stream `live` with fields `kind` (`status` or `alert`) and `region`. Values are the facts as JSON.
"""

from collections.abc import Awaitable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar, cast

import msgspec
from redis.asyncio import Redis

from hub.console.board import Board, Worker
from hub.domain.facts import AlertChanged, RegionStatusChanged

REGIONS: Final = "regions"
REGION: Final = "region:"
STATUS: Final = "status"
ALERTS: Final = "alerts"
LIVE: Final = "live"
BEGIN: Final = "0-0"
"""The place before every entry of a stream."""

F = TypeVar("F", RegionStatusChanged, AlertChanged)


@dataclass(frozen=True, slots=True)
class Changes:
    """What moved since a place in the stream. `lost` says that entries between were trimmed: read everything anew."""

    live_id: str
    regions: frozenset[str] = frozenset()
    alerts: bool = False
    lost: bool = False


class Store:
    """The read model through one connection pool."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def board(self, workers: tuple[Worker, ...]) -> Board:
        """Everything that the page shows. The place in the stream is read first, so nothing is missed after it."""
        live_id = await self._last_id()
        codes = sorted(text.decode() for text in await cast("Awaitable[set[bytes]]", self._redis.smembers(REGIONS)))
        async with self._redis.pipeline(transaction=False) as pipe:
            for code in codes:
                pipe.hget(f"{REGION}{code}", STATUS)
            pipe.hvals(ALERTS)
            *rows, told = cast("list[bytes | None | list[bytes]]", await pipe.execute())
        assert isinstance(told, list)
        # A region without a colour yet has no status: it has only just begun.
        regions, bad = _decoded((row for row in rows if isinstance(row, bytes)), RegionStatusChanged)
        alerts, worse = _decoded(told, AlertChanged)
        return Board(regions=regions, alerts=alerts, workers=workers, live_id=live_id, unreadable=bad + worse)

    async def changes(self, after: str, wait_s: float) -> Changes:
        """What the stream holds beyond a place, waiting so long for the first entry."""
        oldest = await self._redis.xrange(LIVE, count=1)
        if after != BEGIN and oldest and _order(_id(oldest[0][0])) > _order(after) and await self._trimmed(after):
            return Changes(await self._last_id(), lost=True)
        found = await self._redis.xread({LIVE: after}, count=1000, block=int(wait_s * 1000))
        if not found:
            return Changes(after)
        entries = found[0][1]
        regions = frozenset(fields[b"region"].decode() for _, fields in entries if fields.get(b"kind") == b"status")
        alerts = any(fields.get(b"kind") == b"alert" for _, fields in entries)
        return Changes(_id(entries[-1][0]), regions, alerts)

    async def answers(self) -> bool:
        """Whether Redis answers."""
        return bool(await cast("Awaitable[bool]", self._redis.ping()))

    async def _last_id(self) -> str:
        newest = await self._redis.xrevrange(LIVE, count=1)
        return _id(newest[0][0]) if newest else BEGIN

    async def _trimmed(self, after: str) -> bool:
        """Whether the entry at which a follower stopped is gone, so that others after it may be gone too."""
        return not await self._redis.xrange(LIVE, after, after)


def _decoded(values: Iterable[bytes], kind: type[F]) -> tuple[tuple[F, ...], int]:
    found: list[F] = []
    unreadable = 0
    for value in values:
        try:
            found.append(msgspec.json.decode(value, type=kind))
        except msgspec.DecodeError:
            unreadable += 1
    return tuple(found), unreadable


def _id(raw: bytes | str) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw


def _order(live_id: str) -> tuple[int, int]:
    time_ms, number = live_id.split("-")
    return int(time_ms), int(number)
