"""What the hub says about itself: JSON lines on stderr, each an event of this list with the fields that it may have.

A record that passes through is somebody's; so a log line tells what happened and to which position, never to whom. An
id appears only as an HMAC (`hashed`), and an exception only by its type and place, since its message may hold a value.
A new field is a decision: it is added here, where a reviewer sees it.
"""

import hashlib
import hmac
import json
import logging
import secrets
import sys
import threading
import traceback
from dataclasses import dataclass
from typing import Final, TextIO

import structlog

from hub.settings import Settings

Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class LogEvent:
    """One thing that can be said, at one level, with exactly these fields."""

    name: str
    level: int
    fields: frozenset[str]


def _event(name: str, level: int, *fields: str) -> LogEvent:
    return LogEvent(name, level, frozenset(fields))


WORKER_STARTED: Final = _event("worker_started", logging.INFO, "roles", "tables_version", "generation", "port")
WORKER_STOPPED: Final = _event("worker_stopped", logging.INFO, "roles")
WORKER_DIED: Final = _event("worker_died", logging.ERROR, "role", "error", "at", "reason")
PARTITIONS_ASSIGNED: Final = _event("partitions_assigned", logging.INFO, "role", "partitions")
PARTITIONS_REVOKED: Final = _event("partitions_revoked", logging.INFO, "role", "partitions")
SNAPSHOT_LOADED: Final = _event("snapshot_loaded", logging.INFO, "role", "partition", "next", "parts", "seconds")
SNAPSHOT_INCOMPLETE: Final = _event("snapshot_incomplete", logging.WARNING, "role", "partition", "parts")
REPLACED: Final = _event("replaced", logging.WARNING, "role", "error")
REGION_STOPPED: Final = _event("region_stopped", logging.ERROR, "role", "partition", "region", "at", "error")
HEADER_NAME_UNREADABLE: Final = _event("header_name_unreadable", logging.WARNING, "role")
READ_MODEL_BEHIND: Final = _event("read_model_behind", logging.WARNING, "partition", "expected", "found")
WEBHOOK_GIVEN_UP: Final = _event("webhook_given_up", logging.ERROR, "endpoint", "offset")
WEBHOOK_GONE: Final = _event("webhook_gone", logging.ERROR, "endpoint")
WEBHOOK_REFUSED: Final = _event("webhook_refused", logging.ERROR, "endpoint", "offset", "status")
STATEMENT_REFUSED: Final = _event("statement_refused", logging.ERROR, "topic", "offset", "status")
DAY_SENT: Final = _event("day_sent", logging.INFO, "date")
TABLES_REPLACED: Final = _event("tables_replaced", logging.WARNING, "roles", "reason")
LOOP_HANGS: Final = _event("loop_hangs", logging.CRITICAL, "seconds")
NO_PROGRESS: Final = _event("no_progress", logging.CRITICAL, "role", "seconds", "backlog")
TENANT_REQUEST: Final = _event("tenant_request", logging.INFO, "tenant", "status", "record", "seconds")
LIBRARY: Final = _event("library", logging.WARNING, "logger", "message", "error", "at", "repeats")
UNCAUGHT: Final = _event("uncaught", logging.CRITICAL, "error", "at")

LIBRARY_QUIET_S: Final = 1.0
"""How long the same warning of a library is only counted after it was told."""
LIBRARY_PLACES_MAX: Final = 500

_PROCESS_KEY = secrets.token_bytes(32)
_key = _PROCESS_KEY
_CHATTY_BUT_SAFE = ("aiokafka", "kafka")
"""Libraries whose warnings speak of topics, groups and hosts, never of a record."""


def configure(settings: Settings, stream: TextIO | None = None) -> None:
    """Send every event, and the warnings of libraries, to `stream` (stderr) as JSON lines."""
    global _key
    _key = settings.log_key.get_secret_value().encode() if settings.log_key else _PROCESS_KEY
    target = stream or sys.stderr
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(sort_keys=True),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    handler = _LibraryHandler()
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    # Python prints an exception with its message, which may hold a value of a record.
    sys.excepthook = lambda kind, problem, trace: _log_uncaught(problem)
    threading.excepthook = lambda args: _log_uncaught(args.exc_value)
    sys.unraisablehook = lambda args: _log_uncaught(args.exc_value)


def log(event: LogEvent, **fields: Value) -> None:
    """Say one event. A field outside its list is a TypeError, as with any function."""
    if unknown := fields.keys() - event.fields:
        raise TypeError(f"log event {event.name!r} has no field {sorted(unknown)}; add it to hub/log.py on purpose")
    structlog.get_logger().log(event.level, event.name, **fields)


def hashed(tenant: str, record_id: str) -> str:
    """How an id may appear in a log: 16 hex digits of an HMAC over tenant and id."""
    return hmac.new(_key, f"{tenant}\x00{record_id}".encode(), hashlib.sha256).hexdigest()[:16]


def place_of(problem: BaseException) -> str:
    """Where an exception was raised, innermost last: `carrier.py:120 < machine.py:88`; no message, no values."""
    frames = traceback.extract_tb(problem.__traceback__)[-4:]
    return " < ".join(f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}" for frame in reversed(frames))


def _log_uncaught(problem: BaseException | None) -> None:
    if problem is not None:
        log(UNCAUGHT, error=type(problem).__name__, at=place_of(problem))


class _LibraryHandler(logging.Handler):
    """Turns a library's warning into our one shape.

    Of a library that we do not know only the template is told, never what was put into it; and nothing at all where
    the text was put together before it came here (asyncio does so with the words of an exception). The place in the
    library's source remains, by which anyone can look up what it says there.

    A client whose broker is away says the same thing twenty times a second per partition. The first is told at once;
    those from the same place within LIBRARY_QUIET_S are counted and told with the next one as `repeats`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, str], tuple[float, int]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        place = f"{record.filename}:{record.lineno}"
        told_s, repeats = self._said.get((record.name, place), (float("-inf"), 0))
        if record.created - told_s < LIBRARY_QUIET_S:
            self._said[record.name, place] = told_s, repeats + 1
            return
        if len(self._said) >= LIBRARY_PLACES_MAX:
            self._said.clear()
        self._said[record.name, place] = record.created, 0
        known = record.name.startswith(_CHATTY_BUT_SAFE)
        message = record.getMessage() if known else str(record.msg) if record.args else None
        error = record.exc_info[0].__name__ if record.exc_info and record.exc_info[0] else None
        try:
            log(LIBRARY, logger=record.name, message=message and message[:500], error=error, at=place, repeats=repeats)
        except Exception:  # noqa: BLE001  # a handler that raises would end whatever logged
            sys.stderr.write(json.dumps({"event": "library", "logger": record.name}) + "\n")
