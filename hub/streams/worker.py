"""One process of the hub: `run(roles, settings)` hosts the chosen roles in one Faust app until it is told to stop.

A role that cannot go on ends the process with nothing acknowledged; whoever supervises starts it again.
"""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import faust
import uvicorn
from aiokafka import TopicPartition
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from hub import __version__
from hub.contracts import catalogue, tables
from hub.domain.reference import Reference
from hub.errors import UsageError, WorldUnavailable
from hub.log import WORKER_STARTED, WORKER_STOPPED, configure, log
from hub.settings import Settings
from hub.streams import crash, delivery, intake
from hub.streams.app import attach, create_app
from hub.streams.carrier import Carrier
from hub.streams.clock import Clock, clock_tenant
from hub.streams.connection import Connection, read_to_end, reading
from hub.streams.delivery import CompactedRelay
from hub.streams.folds import FOLDS
from hub.streams.read_model import ReadModel
from hub.streams.reader import Job, Reader, reason_of
from hub.streams.watchdog import Watchdog

PRINCIPALS: Final[Mapping[str, str]] = {
    "intake": catalogue.INTAKE,
    "region": catalogue.REGION,
    "duplicates": catalogue.DUPLICATES,
    "delivery": catalogue.DELIVERY,
    "read-model": catalogue.READ_MODEL,
    "webhooks": catalogue.WEBHOOKS,
    "clock": "clock",
}
"""Kafka user of each role. The clock is a tenant like any other: it only has an inbox."""
ROLES: Final = tuple(PRINCIPALS)
BEAT_S: Final = 0.5
BACKLOG_S: Final = 5.0


def run(roles: Sequence[str], settings: Settings) -> None:
    """Host `roles` until SIGTERM or SIGINT. HubError when the process cannot start."""
    unknown = [role for role in roles if role not in PRINCIPALS]
    if unknown or not roles:
        raise UsageError(f"unknown roles {unknown}, expected some of {', '.join(ROLES)}")
    configure(settings)
    asyncio.run(work(roles, settings))


async def work(roles: Sequence[str], settings: Settings, stop: asyncio.Event | None = None) -> None:
    """The same inside a running loop; ends when `stop` is set or a signal arrives."""
    stop = stop or _stop_on_signal()
    reference = await tables_in_force(Connection.of(settings, PRINCIPALS[roles[0]]))
    app = create_app()
    readers = [
        Reader(job, Connection.of(settings, PRINCIPALS[role]))
        for role in roles
        for job in jobs_of(role, settings, reference)
    ]
    for reader in readers:
        attach(app, reader)
    if "clock" in roles:
        _attach_clock(app, Clock(reference, Connection.of(settings, clock_tenant(reference))))
    watchdog = Watchdog(settings.limits.hang_s, settings.limits.stall_s)
    async with _health(settings, readers) as port, _watched(watchdog, readers):
        try:
            await app.start()
        except Exception as problem:  # noqa: BLE001  # a refused start: Faust's own tasks outlive their cancellation,
            # so the loop would never end, and nobody would hear why
            crash.die(",".join(roles), reason_of(problem), problem)
        log(
            WORKER_STARTED,
            roles=",".join(roles),
            tables_version=reference.version,
            generation=settings.generation,
            port=port,
        )
        await stop.wait()
        watchdog.stop()
        await app.stop()
    log(WORKER_STOPPED, roles=",".join(roles))


async def tables_in_force(connection: Connection) -> Reference:
    """The newest tables on the control topic; WorldUnavailable when there are none."""
    newest: bytes | None = None
    version = 0
    async with reading(connection) as lone:
        async for record in read_to_end(lone, {TopicPartition(catalogue.CONTROL, 0): None}):
            kind, _, number = (record.key or b"").decode().partition("/")
            if kind == "tables" and record.value is not None and int(number) > version:
                newest, version = record.value, int(number)
    if newest is None:
        raise WorldUnavailable(f"topic {catalogue.CONTROL} holds no tables. Run hub topics apply with a tables file.")
    return tables.parse(newest)


def jobs_of(role: str, settings: Settings, reference: Reference) -> Iterator[Job]:
    """The jobs of one role, each with its consumer group below the role's own name."""
    group = f"hub.{role}.g{settings.generation}"
    connection = Connection.of(settings, PRINCIPALS[role])
    match role:
        case "intake":
            yield intake.relay(role, group, reference, connection)
        case "region":
            yield Carrier(FOLDS[role], reference, reference.log_partitions, connection, group)
        case "duplicates":
            yield Carrier(FOLDS[role], reference, 1, connection, group)
        case "delivery":
            yield delivery.relay(role, group, reference, connection)
            yield CompactedRelay("delivery-compacted", f"{group}.compacted", reference, connection)
        case "read-model":
            yield ReadModel(role, group, reference, settings.redis_url.get_secret_value())
        case "webhooks":
            from hub.streams import webhooks  # the HTTP client takes long to import, and only this role needs it

            yield from webhooks.jobs(settings, group)


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


def health_app(readers: Sequence[Reader]) -> FastAPI:
    """/livez, /readyz (one check per job, with stopped regions), /metrics and /version."""
    app = FastAPI(title="hub worker", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        checks = {reader.job.name: _check(reader) for reader in readers}
        ready = all(check["ready"] and not check["stopped"] for check in checks.values())
        return JSONResponse({"ready": ready, "checks": checks}, status_code=200 if ready else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/version")
    async def version() -> dict[str, str]:
        return {"version": __version__}

    return app


def _check(reader: Reader) -> dict[str, Any]:
    stopped = reader.job.stopped if isinstance(reader.job, Carrier) else {}
    return {
        "ready": reader.ready,
        "handled": reader.handled,
        "stopped": [code for codes in stopped.values() for code in codes],
    }


class _QuietServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # the worker has its own handlers, which stop the roles first


@contextlib.asynccontextmanager
async def _health(settings: Settings, readers: Sequence[Reader]) -> Any:
    if settings.health_port is None:
        yield None
        return
    listener = socket.create_server((settings.health_host, settings.health_port))
    config = uvicorn.Config(health_app(readers), log_config=None, access_log=False, lifespan="off")
    server = _QuietServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await serving
