"""A fold small enough to see through: it counts days per region and says each count."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import msgspec

from hub.contracts import codec
from hub.domain import events as e
from hub.domain.facts import DayClosed, ReceiptIssued
from hub.domain.identifiers import NATIONAL, RegionCode, TenantId
from hub.domain.logged import Logged
from hub.domain.words import ReceiptOutcome
from hub.streams.machine import LogRecord

FORBIDDEN = date(2026, 6, 6)
"""The day on which the rule raises, until it is mended."""


@dataclass
class Count:
    """How many days a region has seen."""

    days: int = 0
    changed: bool = field(default=False, compare=False)


class CountingRules:
    """Says a DayClosed to the clock for each day, and a receipt where it is the home."""

    name = "counting"
    state_version = 1

    def __init__(self, *, mended: bool = False) -> None:
        self.mended = mended

    def open(self, region: RegionCode) -> Count:
        return Count()

    def restore(self, region: RegionCode, parts: Mapping[str, bytes]) -> Count:
        return Count(msgspec.msgpack.decode(parts["count"], type=int))

    def changed_parts(self, state: Count) -> dict[str, bytes | None]:
        parts: dict[str, bytes | None] = {"count": msgspec.msgpack.encode(state.days)} if state.changed else {}
        state.changed = False
        return parts

    def decide(self, state: Count, logged: Logged[Any]) -> Sequence[Any]:
        state.days += 1  # changed before it raises: a half-changed state must never be kept
        state.changed = True
        day = logged.event.date
        if day == FORBIDDEN and not self.mended:
            raise ZeroDivisionError
        closed = DayClosed(
            recipient=TenantId("clock"), region=logged.region, date=day, open_proposals=0, waiting=state.days
        )
        return (closed, receipt(logged)) if logged.home else (closed,)


def receipt(logged: Logged[Any]) -> ReceiptIssued:
    """The receipt of a home record."""
    return ReceiptIssued(
        recipient=logged.tenant,
        outcome=ReceiptOutcome.ACCEPTED,
        code="applied",
        pointer="",
        message_nl="",
        message_en="",
    )


def day_record(offset: int, day: date, region: str = NATIONAL, source: str | None = None) -> LogRecord:
    """A DayStarted at `offset` of the log; `source` as intake would mark it."""
    headers = [
        ("ce_hubsrc", (source or f"inbox.clock/{offset}").encode()),
        ("ce_hubtenant", b"clock"),
        ("ce_hubhome", b"1"),
    ]
    return LogRecord(offset, 1_772_323_200_000 + offset, region.encode(), codec.encode(e.DayStarted(date=day)), headers)
