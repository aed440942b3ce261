"""One process of the hub: `run(roles, settings)` hosts the chosen roles in one Faust app until it is told to stop.

A role that cannot go on ends the process with nothing acknowledged; whoever supervises starts it again.
"""

import asyncio
import contextlib
import signal
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import faust

from hub.contracts import catalogue
from hub.domain.reference import Reference
from hub.errors import TablesReplaced, UsageError
from hub.log import TABLES_REPLACED, WORKER_STARTED, WORKER_STOPPED, configure, log
from hub.settings import Settings
from hub.streams import crash, dead_letter_depth, delivery, intake, signing
from hub.streams.app import attach, create_app
from hub.streams.carrier import Carrier
from hub.streams.clock import Clock, clock_tenant
from hub.streams.connection import Connection
from hub.streams.delivery import CompactedRelay
from hub.streams.folds import FOLDS
from hub.streams.health import serving
from hub.streams.read_model import ReadModel
from hub.streams.reader import Job, Reader, reason_of
from hub.streams.tables_watch import TablesWatch
from hub.streams.watchdog import Watchdog

PRINCIPALS: Final[Mapping[str, str]] = {**catalogue.PRINCIPAL_OF_ROLE, "clock": "clock"}
"""Kafka user of each role. The clock is a tenant like any other: it only has an inbox."""
ROLES: Final = tuple(PRINCIPALS)
BEAT_S: Final = 0.5
BACKLOG_S: Final = 5.0
STOP_S: Final = 30.0
"""How long an orderly stop may take; then the process ends as in a crash, which loses nothing."""
TABLES_LOOK_S: Final = 2.0
"""How often an idle process looks whether other tables are in force; one at work looks when a record asks for it."""


def run(roles: Sequence[str], settings: Settings) -> None:
    """Host `roles` until SIGTERM or SIGINT. HubError when the process cannot start."""
    unknown = [role for role in roles if role not in PRINCIPALS]
    if unknown or not roles:
        raise UsageError(f"found roles {unknown}, expected some of {', '.join(ROLES)}, or `console` alone")
    configure(settings)
    asyncio.run(work(roles, settings))


async def work(roles: Sequence[str], settings: Settings, stop: asyncio.Event | None = None) -> None:
    """The same inside a running loop; ends when `stop` is set or a signal arrives.

    TablesReplaced, after an orderly stop, when other tables took force meanwhile.
    """
    stop = stop or _stop_on_signal()
    watch = TablesWatch(Connection.of(settings, PRINCIPALS[roles[0]]))
    reference, _, closing = await watch.start()
    app = create_app()
    readers = [
        Reader(job, Connection.of(settings, PRINCIPALS[role]), cover=watch.cover)
        for role in roles
        for job in jobs_of(role, settings, reference, closing=closing)
    ]
    for reader in readers:
        attach(app, reader)
    if "clock" in roles and not closing:
        _attach_clock(app, Clock(reference, Connection.of(settings, clock_tenant(reference))))
    watchdog = Watchdog(settings.limits.hang_s, settings.limits.stall_s)
    async with contextlib.AsyncExitStack() as around:
        port = await around.enter_async_context(serving(settings, readers, reference))
        await around.enter_async_context(_watched(watchdog, readers))
        if "intake" in roles:
            intakes = Connection.of(settings, catalogue.INTAKE)
            await around.enter_async_context(dead_letter_depth.told(intakes, reference))
        try:
            await app.start()
        except Exception as problem:  # noqa: BLE001  # a refused start: Faust's own tasks outlive their cancellation,
            # so the loop would never end, and nobody would hear why
            crash.die(",".join(roles), reason_of(problem), problem)
        log(
            WORKER_STARTED,
            roles=",".join(roles),
            tables_version=reference.version,
            generation=reference.generation,
            port=port,
        )
        looking = asyncio.create_task(_look_for_other_tables(watch, stop))
        await stop.wait()
        watchdog.stop()
        # Before Faust cancels its agents, with batches in their hands.
        await asyncio.gather(*(reader.finish() for reader in readers))
        try:
            await asyncio.wait_for(app.stop(), STOP_S)
        except TimeoutError as problem:  # a client that cannot say goodbye must not keep its successor waiting
            crash.die(",".join(roles), f"it did not stop in order within {STOP_S:.0f} s", problem)
    replaced = await _ended(looking)
    await watch.stop()
    if replaced is not None:
        log(TABLES_REPLACED, roles=",".join(roles), reason=str(replaced))
        raise replaced
    log(WORKER_STOPPED, roles=",".join(roles))


async def _look_for_other_tables(watch: TablesWatch, stop: asyncio.Event) -> TablesReplaced | None:
    """Look now and then; when other tables are in force, ask for an orderly stop and say so."""
    while not stop.is_set():
        try:
            await watch.look()
        except TablesReplaced as replaced:
            stop.set()
            return replaced
        except Exception:  # noqa: BLE001, S110  # a broker that is away is no other table; readers look for themselves
            pass
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), TABLES_LOOK_S)
    return None


async def _ended(looking: "asyncio.Task[TablesReplaced | None]") -> TablesReplaced | None:
    """What the look ended with; one that is still under way is given up."""
    if not looking.done():
        looking.cancel()
    [outcome] = await asyncio.gather(looking, return_exceptions=True)
    return outcome if isinstance(outcome, TablesReplaced) else None


def jobs_of(role: str, settings: Settings, reference: Reference, *, closing: bool = False) -> Iterator[Job]:
    """The jobs of one role, each with its consumer group below the role's own name and generation.

    `closing`: the generation ends, so intake leaves inboxes alone and only lets the machines finish.
    """
    generation = reference.generation
    group = f"hub.{role}.g{generation}"
    connection = Connection.of(settings, PRINCIPALS[role])
    match role:
        case "intake":
            yield intake.relay(role, group, reference, connection, closing=closing)
        case "region":
            fold = FOLDS[role].in_generation(generation)
            yield Carrier(fold, reference, reference.log_partitions, connection, group)
        case "duplicates":
            yield Carrier(FOLDS[role].in_generation(generation), reference, 1, connection, group)
        case "delivery":
            yield delivery.relay(role, group, reference, connection)
            yield CompactedRelay("delivery-compacted", f"{group}.compacted", reference, connection)
        case "read-model":
            yield ReadModel(role, group, reference, settings.redis_url.get_secret_value())
        case "webhooks":
            from hub.streams import webhooks  # the HTTP client takes long to import, and only this role needs it

            yield from webhooks.jobs(settings, f"hub.{role}")  # alerts go on through all generations
        case "signing":
            yield from signing.jobs(settings, f"hub.{role}", connection)  # months go on through all generations


def _attach_clock(app: faust.App, clock: Clock) -> None:
    @app.service
    class Tick(faust.Service):
        async def on_start(self) -> None:
            await clock.start()

        @faust.Service.task
        async def _tick(self) -> None:
            try:
                await clock.run(lambda: self.should_stop)
            except Exception as problem:  # noqa: BLE001  # the clock's one loop: a clock that stops must be seen
                crash.die("clock", "an exception left the loop", problem)

        async def on_stop(self) -> None:
            await clock.stop()


def _stop_on_signal() -> asyncio.Event:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


@contextlib.asynccontextmanager
async def _watched(watchdog: Watchdog, readers: Sequence[Reader]) -> Any:
    async def beat() -> None:
        while True:
            watchdog.beat()
            await asyncio.sleep(BEAT_S)

    async def tell_backlog() -> None:
        while True:
            await asyncio.sleep(BACKLOG_S)
            for reader in readers:
                with contextlib.suppress(Exception):  # no answer is no news: the watchdog keeps what it knew
                    backlog = await asyncio.wait_for(reader.backlog(), BACKLOG_S)
                    watchdog.saw(reader.job.name, reader.handled, backlog)

    tasks = [asyncio.create_task(beat()), asyncio.create_task(tell_backlog())]
    watchdog.start()
    try:
        yield
    finally:
        watchdog.stop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
