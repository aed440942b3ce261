"""The console's server: the page, its live stream, the schema registry's reading part, and its own health.

It answers GET (and the registry's look-up) only, holds no session, sets no cookie and loads nothing from elsewhere.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Generator
from pathlib import Path
from typing import Annotated, Final

import uvicorn
from fastapi import FastAPI, Header, Query, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, StreamingResponse
from fastapi.staticfiles import StaticFiles
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hub import __version__
from hub.connectors.registry import router as registry_router
from hub.console import page
from hub.console.health import Health
from hub.console.live import follow, start_from
from hub.console.settings import FOLLOWERS_MAX, REDIS_TIMEOUT_S, SHUTDOWN_S, ConsoleSettings
from hub.console.store import Store
from hub.console.words import Language
from hub.contracts.schemas import registry

_STATIC = Path(__file__).parent / "static"
_REDIS_CONNECT_S: Final = 2
_ASK_LANGUAGE = Query(alias="lang")

SAFETY_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "cache-control": "no-store",
}
"""On every answer. `no-store`: a colour of an hour ago, shown by the back button, is worse than none."""


def create_app(settings: ConsoleSettings, stopping: asyncio.Event | None = None) -> FastAPI:
    """The console as an ASGI app. Live streams end once `stopping` is set."""
    stop = stopping or asyncio.Event()
    pool = BlockingConnectionPool.from_url(
        settings.redis_url.get_secret_value(),
        max_connections=FOLLOWERS_MAX + 10,
        timeout=_REDIS_CONNECT_S,
        socket_timeout=REDIS_TIMEOUT_S,
        socket_connect_timeout=_REDIS_CONNECT_S,
    )
    redis = Redis(connection_pool=pool)
    store = Store(redis)
    health = Health(settings.workers)
    followers = 0

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(health.watch(), name="health")
        yield
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching
        await redis.aclose()
        await pool.disconnect()

    app = FastAPI(
        title="Kraamzorg waitlist hub: console",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
    )
    app.add_middleware(_SafetyHeaders)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(settings.allowed_hosts))
    app.include_router(registry_router(registry()))
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")

    @app.get("/", response_class=HTMLResponse)
    async def show(language: Annotated[Language, _ASK_LANGUAGE] = Language.NL) -> HTMLResponse:
        """The page, in Dutch or English."""
        try:
            board = await store.board(health.workers)
        except (RedisError, OSError):
            return HTMLResponse(page.unavailable(language), status_code=503, headers={"retry-after": "60"})
        return HTMLResponse(page.document(board, language))

    @app.get("/live", response_class=StreamingResponse)
    async def live(
        language: Annotated[Language, _ASK_LANGUAGE] = Language.NL,
        asked: Annotated[str | None, Query(alias="from")] = None,
        last_event_id: Annotated[str | None, Header()] = None,
    ) -> Response:
        """Parts of the page as they change (server-sent events); 503 when too many pages are open."""
        if followers >= FOLLOWERS_MAX:
            told = f"{FOLLOWERS_MAX} pages are open, which is the bound. Close one and try again."
            return PlainTextResponse(told, status_code=503, headers={"retry-after": "10"})
        events = counted(follow(store, language, start_from(last_event_id, asked), lambda: health.workers, stop))
        return StreamingResponse(events, media_type="text/event-stream", headers={"x-accel-buffering": "no"})

    async def counted(events: AsyncIterator[str]) -> AsyncIterator[str]:
        nonlocal followers
        followers += 1
        try:
            async for event in events:
                yield event
        except (RedisError, OSError):
            # The browser comes back with its Last-Event-ID; until then its page says that the connection is lost.
            return
        finally:
            followers -= 1

    @app.get("/livez")
    async def livez() -> dict[str, str]:
        """Whether this process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> JSONResponse:
        """Whether the page can be shown, per check."""
        try:
            found = await store.answers()
        except (RedisError, OSError):
            found = False
        checks = {"redis": "ok" if found else "does not answer", "schemas": f"{len(registry().rows)} locked"}
        return JSONResponse({"ready": found, "checks": checks}, status_code=200 if found else 503)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Metrics of this process in the format of Prometheus."""
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/version")
    async def version() -> dict[str, str]:
        """The version of the hub."""
        return {"version": __version__}

    return app


async def serve(
    settings: ConsoleSettings,
    stopped: asyncio.Event | None = None,
    listening: Callable[[str], None] = lambda url: None,
) -> None:
    """Serve until `stopped` is set, or without it until the process is told to end. `listening` gets the page's URL.

    OSError when the port is taken.
    """
    stopping = asyncio.Event()
    config = uvicorn.Config(
        create_app(settings, stopping),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
        lifespan="on",
    )
    server = _Server(config, stopping) if stopped is None else _HostedServer(config, stopping)
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.create_server((settings.host, settings.port), family=family) as listener:
        host = f"[{settings.host}]" if family is socket.AF_INET6 else settings.host
        listening(f"http://{host}:{listener.getsockname()[1]}/")
        serving = asyncio.create_task(server.serve(sockets=[listener]), name="console")
        if stopped is None:
            await serving
            return
        told = asyncio.create_task(stopped.wait())
        await asyncio.wait({serving, told}, return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        server.should_exit = True
        await serving


class _Server(uvicorn.Server):
    """Ends the live streams before it waits for connections to close, which open streams would never do."""

    def __init__(self, config: uvicorn.Config, stopping: asyncio.Event) -> None:
        super().__init__(config)
        self._stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping.set()
        await super().shutdown(sockets)


class _HostedServer(_Server):
    """Inside a process that handles signals itself."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


class _SafetyHeaders:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [(name.encode(), value.encode()) for name, value in SAFETY_HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)
