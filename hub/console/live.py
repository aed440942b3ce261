"""The live stream: parts of the page, drawn anew when what they show has changed.

An event says only that something moved; the part is drawn from the read model as it is now. So an event that comes
twice, late or after its successor does no harm, and a follower that returns with `Last-Event-ID` goes on from there.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Final

from hub.console import page
from hub.console.board import Board, Worker
from hub.console.markup import Html
from hub.console.settings import FOLLOW_WAIT_S, GATHER_S
from hub.console.store import BEGIN, Changes, Store
from hub.console.words import Language
from hub.domain.facts import RegionStatusChanged

RETRY_MS: Final = 2000
"""After this long a browser connects again."""
RELOAD: Final = "event: reload\ndata: {}\n\n"
"""What the follower missed is gone: it draws its whole page anew."""

_ID = re.compile(r"[0-9]{1,19}-[0-9]{1,19}")


def start_from(last_event_id: str | None, asked: str | None) -> str:
    """Where a follower goes on: where it was cut off, else where its page ends, else at the begin."""
    for candidate in (last_event_id, asked):
        if candidate is not None and _ID.fullmatch(candidate):
            return candidate
    return BEGIN


async def follow(
    store: Store,
    language: Language,
    after: str,
    health: Callable[[], tuple[Worker, ...]],
    stopping: asyncio.Event,
) -> AsyncIterator[str]:
    """Server-sent events until the console stops or the follower goes away."""
    yield f"retry: {RETRY_MS}\n\n"
    seen = await store.board(health())
    # Health has no place in the stream: whoever comes back may have missed a change of it.
    yield _part(page.workers(seen, language))
    yield _part(page.notice(seen, language))
    while (changes := await _until(stopping, store.changes(after, FOLLOW_WAIT_S))) is not None:
        if changes.lost:
            yield RELOAD
            return
        if changes.live_id != after:
            await asyncio.sleep(GATHER_S)
            changes = await store.changes(after, 0)
        board = await store.board(health())
        parts = list(_parts(seen, board, changes, language))
        for part in parts[:-1]:
            yield part
        # The id stands on the last part alone: who is cut off before it gets all of them again.
        yield f"id: {changes.live_id}\n{parts[-1]}" if parts else ": still here\n\n"
        seen, after = board, changes.live_id


async def _until(stopping: asyncio.Event, looking: Coroutine[None, None, Changes]) -> Changes | None:
    """What a look found, or None as soon as the console stops: it does not wait for news that nobody will see."""
    tasks = (asyncio.create_task(looking), asyncio.create_task(stopping.wait()))
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return await tasks[0] if not stopping.is_set() else None
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _parts(seen: Board, board: Board, changes: Changes, language: Language) -> Iterator[str]:
    for status in board.regions:
        if status.region in changes.regions:
            # A day that closed with the same colour is shown, not spoken.
            said = "" if _computed(seen, status) else page.announcement(status, language)
            yield _part(page.region(status, board.days.get(status.region), language), said)
    if changes.alerts:
        told = " ".join(page.announcement_of_alert(alert, language) for alert in changes.alerts)
        yield _part(page.alerts(board, language), told)
    if changes.regions or changes.alerts:
        yield _part(page.summary(board, language))
        yield _part(page.day(board, language))
        yield _part(page.history(board, language))
    if (seen.workers, seen.receipts) != (board.workers, board.receipts):
        yield _part(page.workers(board, language))
    if seen.unreadable != board.unreadable:
        yield _part(page.notice(board, language))


def _computed(seen: Board, status: RegionStatusChanged) -> bool:
    """Whether this follower was shown the region with this colour before."""
    return any(old.region == status.region and old.computed is status.computed for old in seen.regions)


def _part(html: Html, say: str = "") -> str:
    # JSON holds no line break, so one data line carries it whole.
    return f"event: part\ndata: {json.dumps({'html': html, 'say': say}, ensure_ascii=False)}\n\n"
