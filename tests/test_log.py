"""A log line tells what happened, never to whom."""

import io
import json
import logging

import pytest

from hub.log import DAY_SENT, configure, hashed, log, place_of
from hub.settings import Settings


@pytest.fixture
def lines() -> io.StringIO:
    stream = io.StringIO()
    configure(Settings(), stream)
    return stream


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
