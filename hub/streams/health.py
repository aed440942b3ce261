"""What a process says of itself to whoever watches it: /livez, /readyz, /metrics and /version."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import uvicorn
from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from hub import __version__
from hub.domain.reference import Reference
from hub.errors import UsageError
from hub.settings import Settings
from hub.streams.carrier import Carrier
from hub.streams.reader import Reader


def health_app(readers: Sequence[Reader], reference: Reference | None = None) -> FastAPI:
    """/livez, /readyz (one check per job, with stopped regions), /metrics and /version."""
    app = FastAPI(title="hub worker", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        checks = {reader.job.name: _check(reader) for reader in readers}
        ready = all(check["ready"] and not check["stopped"] for check in checks.values())
        version = None if reference is None else reference.version
        told = {"ready": ready, "tables_version": version, "checks": checks}
        return JSONResponse(told, status_code=200 if ready else 503)

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
async def serving(
    settings: Settings, readers: Sequence[Reader] = (), reference: Reference | None = None
) -> AsyncIterator[int | None]:
    """Serve it on HUB_HEALTH_PORT while the block lasts; the port, None if unset. UsageError: it is taken."""
    if settings.health_port is None:
        yield None
        return
    try:
        listener = socket.create_server((settings.health_host, settings.health_port))
    except OSError as problem:
        raise UsageError(
            f"cannot listen at {settings.health_host}:{settings.health_port} ({problem.strerror}). "
            "Set HUB_HEALTH_PORT to a free port of this machine, HUB_HEALTH_HOST to an address of it."
        ) from problem
    config = uvicorn.Config(health_app(readers, reference), log_config=None, access_log=False, lifespan="off")
    server = _QuietServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task
