"""What holds for everybody else's HTTP server."""

from datetime import UTC, datetime

import pytest

from hub.connectors.foreign_http import ASKED_MAX_S, asked_pause_s, is_private


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        (" 7 ", 7),
        ("Mon, 02 Mar 2026 12:00:30 GMT", 30),
        ("Mon, 02 Mar 2026 11:59:00 GMT", 0),
        ("9" * 5000, ASKED_MAX_S),
        ("Mon, 02 Mar 2099 12:00:00 GMT", ASKED_MAX_S),
        ("", 0),
        ("-3", 0),
        ("soon", 0),
        ("\u00b2", 0),
        ("Mon, 02 Mar 99999999999 12:00:00 GMT", 0),
        ("Mon, 02 Mar 2026 12:00:00 +99999999999999999999", 0),
    ],
)
def test_seconds_and_dates_are_read_and_everything_else_asks_for_nothing(header: str, seconds: float) -> None:
    """RFC 9110 allows both; a server that writes nonsense, or the past, is asked again at the caller's own pace."""
    assert asked_pause_s(header, datetime(2026, 3, 2, 12, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("scheme", "host", "private"),
    [
        ("https", "tool.example", True),
        ("http", "127.0.0.1", True),
        ("http", "localhost", True),
        ("http", "127.0.0.1.tool.example", False),
        ("http", None, False),
        ("ftp", "127.0.0.1", False),
    ],
)
def test_only_https_leaves_the_machine(scheme: str, host: str | None, private: bool) -> None:
    """A token or an alert on the way is nobody else's to read."""
    assert is_private(scheme, host) is private
