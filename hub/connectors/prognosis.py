"""Bo's prognosis as a file: lines of region, month and carers needed in, events out, or every line that is wrong.

UTF-8, separated by `;` or `,`, with these names in the first line, in any order:

    region;month;needed_carers;published_on
    KSV-01;2026-04;12;2026-03-01

The day of publication is the version: a file of a later day replaces the figures of an earlier one, and sending a file
again changes nothing (spine 7). One wrong line keeps none of the others from being read; whoever imports decides.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from io import StringIO
from typing import Final

from hub.domain.events import PrognosisPublished
from hub.domain.identifiers import RecordId, RegionCode, parse_month

COLUMNS: Final = ("region", "month", "needed_carers", "published_on")
BYTES_MAX: Final = 1_000_000
"""Forty regions for two years take under 40 kB."""
LINES_SHOWN_MAX: Final = 40
_FIRST_DAY: Final = date(2015, 1, 1)


@dataclass(frozen=True, slots=True)
class LineFault:
    """What is wrong in one line: where, what was found, what was expected."""

    line: int
    column: str
    found: str
    expected: str

    def __str__(self) -> str:
        where = f"line {self.line}" + (f", {self.column}" if self.column else "")
        return f"{where}: found {self.found}, expected {self.expected}"


def read_prognosis(text: str) -> tuple[tuple[PrognosisPublished, ...], tuple[LineFault, ...]]:
    """Events of the sound lines in their order, and the faults of the others."""
    if len(text.encode()) > BYTES_MAX:
        return (), (LineFault(1, "", f"{len(text.encode())} bytes", f"at most {BYTES_MAX}"),)
    lines = StringIO(text.removeprefix("\ufeff"), newline="")
    first = lines.readline()
    separator = ";" if ";" in first else ","
    names = [name.strip() for name in first.rstrip("\r\n").split(separator)]
    if sorted(names) != sorted(COLUMNS):
        return (), (LineFault(1, "", f"the columns {', '.join(names)[:120]!r}", f"{separator.join(COLUMNS)}"),)
    events: list[PrognosisPublished] = []
    faults: list[LineFault] = []
    seen: dict[RecordId, int] = {}
    for number, cells in _rows(lines, separator):
        if cells is None:
            faults.append(LineFault(number, "", "a cell without end", "cells of one line; see its quotes"))
            continue
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            faults.append(LineFault(number, "", f"{len(cells)} cells", f"{len(names)}"))
            continue
        row = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
        event = _event(row, number, faults)
        if event is None:
            continue
        if event.record_id in seen:
            told = f"{event.region} {event.month} a second time"
            faults.append(LineFault(number, "", told, f"each once; line {seen[event.record_id]} has it"))
            continue
        seen[event.record_id] = number
        events.append(event)
    return tuple(events), tuple(faults)


def _rows(lines: StringIO, separator: str) -> Iterator[tuple[int, list[str] | None]]:
    """Cells of each row behind the heading, with the number of its last line; None for one that is none."""
    rows = csv.reader(lines, delimiter=separator)
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error:  # a cell beyond csv's own bound
            yield rows.line_num + 1, None
        else:
            yield rows.line_num + 1, cells


def _event(row: dict[str, str], line: int, faults: list[LineFault]) -> PrognosisPublished | None:
    """The event of one line; what is wrong in it is added to the faults, all of it."""
    before = len(faults)

    def fault(column: str, expected: str) -> None:
        faults.append(LineFault(line, column, repr(row[column][:40]), expected))

    if not row["region"]:
        fault("region", "the code of a region")
    if not _is_month(row["month"]):
        fault("month", "a month as YYYY-MM")
    if not (row["needed_carers"].isascii() and row["needed_carers"].isdigit() and len(row["needed_carers"]) <= 6):
        fault("needed_carers", "a whole number from 0")
    published = _day(row["published_on"])
    if published is None:
        fault("published_on", "a day as YYYY-MM-DD")
    if len(faults) > before or published is None:
        return None
    return PrognosisPublished(
        record_id=RecordId(f"prognosis-{row['region']}-{row['month']}"),
        version=(published - _FIRST_DAY).days + 1,
        region=RegionCode(row["region"]),
        month=row["month"],
        needed_carers=int(row["needed_carers"]),
        published_on=published,
    )


def _is_month(text: str) -> bool:
    try:
        parse_month(text)
    except ValueError:
        return False
    return len(text) == 7


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day >= _FIRST_DAY else None
