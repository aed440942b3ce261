"""The Faust app: it runs the agents and services, and nothing else of Faust is on.

Faust's own consumer, producer, tables, web server and acknowledgements stay off (docs/adr/0002): a service of ours
reads, a channel of one batch hands over, an agent with a recognisable name does the work.
"""

import asyncio
import gc
from dataclasses import dataclass
from typing import Final

import faust
from faust.app.base import BootStrategy

from hub.streams.reader import Polled, Reader


@dataclass(frozen=True, slots=True)
class Batch:
    """One poll on its way to the agent, and the future by which the reader learns that it is done."""

    polled: Polled
    done: "asyncio.Future[None]"


GARBAGE_THRESHOLD: Final = 100_000
"""New objects between two looks for cycles. A batch makes thousands of small tuples and no cycle; with the default of
700 the collector takes a sixth of an event's cost."""


def create_app(name: str = "hub") -> faust.App:
    """A Faust app that opens no connection of its own."""
    gc.set_threshold(GARBAGE_THRESHOLD)

    class ChannelsOnly(BootStrategy):
        enable_kafka_consumer = False
        enable_kafka_producer = False
        enable_web = False

    app = faust.App(name, broker="kafka://unused.invalid", store="memory://", web_enabled=False, autodiscover=False)
    app.boot_strategy = ChannelsOnly(app)
    return app


def attach(app: faust.App, reader: Reader) -> None:
    """Wire one reader to an agent that carries the job's name."""
    channel = app.channel(maxsize=1)

    @app.agent(channel, name=reader.job.name)
    async def work(batches: faust.StreamT[Batch]) -> None:
        async for batch in batches:
            await _carry_out(reader, batch)

    async def hand_over(polled: Polled) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await channel.put(Batch(polled, done))  # type: ignore[arg-type]  # a channel takes any value, its types say events
        await done

    @app.service
    class Read(faust.Service):
        async def on_start(self) -> None:
            app.flow_control.resume()  # without tables nobody else opens the queue
            await reader.start()

        @faust.Service.task
        async def _read(self) -> None:
            await reader.run(hand_over, lambda: self.should_stop)

        async def on_stop(self) -> None:
            await reader.stop()


async def _carry_out(reader: Reader, batch: Batch) -> None:
    # Faust would acknowledge and forget a raised exception; the reader ends the process instead.
    try:
        await reader.job.handle(batch.polled)
    except BaseException as problem:
        if not batch.done.done():
            batch.done.set_exception(problem)
        if not isinstance(problem, Exception):
            raise
    else:
        if not batch.done.done():
            batch.done.set_result(None)
