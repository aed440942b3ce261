"""What holds for everybody else's HTTP server: others must not read on the way, and it may ask for a pause."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
ASKED_MAX_S: Final = 86_400.0
"""What a server can ask at most; each caller has a bound of its own below it."""


def is_private(scheme: str, host: str | None) -> bool:
    """Whether nobody on the way can read: https, or http that does not leave the machine (a test, a side-car)."""
    return scheme == "https" or (scheme == "http" and host in LOOPBACK)


def asked_pause_s(header: str, now: datetime) -> float:
    """Seconds from `now` for which a Retry-After (RFC 9110) asks; 0 where it is missing, past, or none."""
    text = header.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), ASKED_MAX_S)
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # the latter for a year or an hour that no calendar has
        return 0.0
    aware = until if until.tzinfo is not None else until.replace(tzinfo=UTC)
    return min(max(0.0, (aware - now).total_seconds()), ASKED_MAX_S)
