"""The live stream: what moved is sent, in order, once it is needed again also again."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from hub.console.live import start_from
from hub.console.settings import ConsoleSettings
from hub.domain.words import AlertState, ComputedColour
from tests.console.world import ALERT_RED, GREEN, ORANGE, RECEIPT, RED, Writer, serving


@dataclass(frozen=True)
class Event:
    """One server-sent event: its name, the id that stands on it, the part's HTML and what is said."""

    name: str
    id: str
    html: str = ""
    say: str = ""


class Follower:
    """Reads events until none comes for a moment."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._events = self._read(lines)

    async def next(self) -> Event:
        """The next event; fails after a while without one."""
        return await asyncio.wait_for(anext(self._events), 5)

    async def until(self, part: str) -> Event:
        """The next event that draws a part with this id."""
        while f'id="{part}"' not in (event := await self.next()).html:
            pass
        return event

    @staticmethod
    async def _read(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
        fields: dict[str, str] = {}
        async for line in lines:
            if line.startswith(":"):
                continue
            if line:
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                if "event" in fields:
                    yield Event(fields["event"], fields.get("id", ""), **json.loads(fields["data"]))
                fields = {}


@contextlib.asynccontextmanager
async def following(console: str, after: str = "0-0", **headers: str) -> AsyncIterator[Follower]:
    """A follower of the stream from a place."""
    async with (
        httpx.AsyncClient(timeout=10) as browser,
        browser.stream("GET", f"{console}/live?from={after}", headers=headers) as answer,
    ):
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
        follower = Follower(answer.aiter_lines())
        await follower.until("health")
        await follower.until("notice")
        yield follower


def last(writer: Writer) -> str:
    """The newest place in the stream."""
    newest: Any = writer.redis.xrevrange("live", count=1)
    return str(newest[0][0].decode())


async def test_a_changed_region_is_drawn_anew_and_said(console: str, writer: Writer) -> None:
    """Its row comes as it would stand on the page, with the new colour in words for who listens."""
    writer.say(GREEN)
    async with following(console, last(writer)) as follower:
        writer.say(replace(GREEN, computed=ComputedColour.RED_B))
        event = await follower.until("region-KSV-01")
        assert 'class="chip red-b"' in event.html and event.say == "KSV-01: Rood (b)"
        assert "<strong>1</strong> rood" in (await follower.until("summary")).html


async def test_a_day_with_the_same_colour_is_drawn_and_not_said(console: str, writer: Writer) -> None:
    """A screen reader is not told every day that nothing changed."""
    writer.say(GREEN)
    async with following(console, last(writer)) as follower:
        writer.say(replace(GREEN, measures=("partus_pool",)))
        event = await follower.until("region-KSV-01")
        assert "partus_pool" in event.html and event.say == ""


async def test_a_new_alert_is_said_with_its_next_step_and_a_closed_one_leaves_the_list(
    console: str, writer: Writer
) -> None:
    """What to do is said; that it is over is said too."""
    writer.say(GREEN)
    async with following(console, last(writer)) as follower:
        writer.say(ALERT_RED)
        opened = await follower.until("alerts")
        assert ALERT_RED.next_step_nl in opened.html and ALERT_RED.next_step_nl in opened.say
        writer.say(replace(ALERT_RED, state=AlertState.CLOSED))
        closed = await follower.until("alerts")
        assert "Geen open meldingen" in closed.html and closed.say == "KSV-03: Code rood, Gesloten."


async def test_who_comes_back_with_the_last_id_gets_what_was_missed_and_nothing_older(
    console: str, writer: Writer
) -> None:
    """`Last-Event-ID` goes before the place that the page was drawn at."""
    writer.say(GREEN)
    seen = last(writer)
    writer.say(ORANGE)
    async with following(console, "0-0", **{"last-event-id": seen}) as follower:
        event = await follower.next()
        assert 'id="region-KSV-02"' in event.html


async def test_the_id_stands_on_the_last_part_of_a_look_alone(console: str, writer: Writer) -> None:
    """Who is cut off between two parts gets all of them again."""
    writer.say(GREEN)
    async with following(console, last(writer)) as follower:
        writer.say(ORANGE, ALERT_RED, RECEIPT)
        events = [await follower.until("region-KSV-02")]
        while not events[-1].id:
            events.append(await follower.next())
        assert len(events) == 6 and [bool(event.id) for event in events[:-1]] == [False] * 5
        assert events[-1].id == last(writer)


async def test_who_missed_entries_that_are_gone_is_told_to_draw_the_page_anew(console: str, writer: Writer) -> None:
    """A gap is never papered over."""
    writer.say(GREEN)
    seen = last(writer)
    writer.say(ORANGE, RED)
    writer.redis.xtrim("live", maxlen=1, approximate=False)
    async with following(console, seen) as follower:
        assert (await follower.next()).name == "reload"


async def test_a_stop_ends_open_streams(redis_url: str, writer: Writer) -> None:
    """Otherwise the console could not stop while somebody looks."""
    async with serving(ConsoleSettings(redis_url=SecretStr(redis_url))) as url, following(url):
        pass
    # `serving` waits for the end itself and would have timed out.


@pytest.mark.parametrize(
    ("last_event_id", "asked", "expected"),
    [
        ("5-1", "2-0", "5-1"),
        (None, "2-0", "2-0"),
        ("$", "2-0", "2-0"),
        ("1-0\r\nDEL live", None, "0-0"),
        ("9" * 30 + "-0", None, "0-0"),
        (None, None, "0-0"),
    ],
)
def test_only_a_place_of_the_stream_is_passed_on(last_event_id: str | None, asked: str | None, expected: str) -> None:
    """Anything else starts at the begin; a header is somebody's text."""
    assert start_from(last_event_id, asked) == expected
