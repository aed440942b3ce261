"""A log line tells what happened, never to whom."""

import asyncio
import gc
import io
import json
import logging
import sys
import threading
from collections.abc import Iterator

import pytest

from hub.log import DAY_SENT, LIBRARY_QUIET_S, configure, hashed, log, place_of
from hub.settings import Settings


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """What the hub says, in a process that is told to log as a worker does."""
    hooks, handlers = (sys.excepthook, threading.excepthook, sys.unraisablehook), logging.getLogger().handlers
    stream = io.StringIO()
    configure(Settings(), stream)
    yield stream
    sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
    logging.getLogger().handlers = handlers


def test_an_event_is_one_json_line_with_its_fields(lines: io.StringIO) -> None:
    """So that a machine can read it."""
    log(DAY_SENT, date="2026-03-02")
    line = json.loads(lines.getvalue())
    assert (line["event"], line["date"], line["level"]) == ("day_sent", "2026-03-02", "info")


def test_a_field_that_is_not_on_the_list_is_refused(lines: io.StringIO) -> None:
    """A new field is a decision."""
    with pytest.raises(TypeError, match="add it to hub/log"):
        log(DAY_SENT, name="Jansen")
    assert lines.getvalue() == ""


def test_the_arguments_of_a_library_stay_out(lines: io.StringIO) -> None:
    """Whoever logs a record of ours logs its template only."""
    logging.getLogger("some.library").warning("cannot parse %s", "Jansen")
    assert "Jansen" not in lines.getvalue()
    assert json.loads(lines.getvalue())["message"] == "cannot parse %s"


def test_a_text_that_a_library_put_together_itself_stays_out_whole(lines: io.StringIO) -> None:
    """asyncio quotes the exception of a task that nobody awaited; the place in its source is told instead."""

    async def fails() -> None:
        raise ValueError("Jansen")

    async def forgets() -> None:
        task = asyncio.create_task(fails())
        await asyncio.sleep(0)
        del task
        gc.collect()

    asyncio.run(forgets())
    line = json.loads(lines.getvalue())
    assert (line["logger"], line["error"], line["message"]) == ("asyncio", "ValueError", None)
    assert line["at"].startswith("base_events.py:")
    assert "Jansen" not in lines.getvalue()


def test_an_exception_that_nobody_caught_is_told_by_its_place(lines: io.StringIO) -> None:
    """In a thread too; Python itself would print its message."""

    def fails() -> None:
        raise ValueError("Jansen")

    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    line = json.loads(lines.getvalue())
    assert (line["event"], line["error"]) == ("uncaught", "ValueError") and line["at"].startswith("test_log.py:")
    assert "Jansen" not in lines.getvalue()


def test_a_warning_that_a_library_repeats_is_told_once_a_second_with_its_number(lines: io.StringIO) -> None:
    """A broker that is away must not fill the disk of everybody who looks for it."""

    def warning(number: int, after_s: float = 0.0) -> None:
        record = logging.LogRecord(
            "aiokafka", logging.WARNING, "client.py", 7, "cannot connect, try %d", (number,), None
        )
        record.created += after_s
        logging.getLogger("aiokafka").handle(record)

    for number in range(50):
        warning(number)
    assert [json.loads(line)["message"] for line in lines.getvalue().splitlines()] == ["cannot connect, try 0"]
    warning(50, after_s=LIBRARY_QUIET_S)
    last = json.loads(lines.getvalue().splitlines()[-1])
    assert (last["message"], last["repeats"]) == ("cannot connect, try 50", 49)


def test_an_exception_is_named_by_place_and_not_by_message() -> None:
    """Its message may hold a value."""
    try:
        raise ValueError("Jansen")
    except ValueError as problem:
        assert place_of(problem).startswith("test_log.py:")
        assert "Jansen" not in place_of(problem)


def test_an_id_is_hashed_per_tenant() -> None:
    """Equal ids of two tenants are two things."""
    assert hashed("pkg-a", "1") == hashed("pkg-a", "1") != hashed("pkg-b", "1")
