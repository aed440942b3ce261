"""The two ways in which a process ends without a goodbye: because it must, or because a chaos test asked for it.

A death acknowledges nothing: the supervisor starts the process again and it goes on from what Kafka knows.
`HUB_CRASH_AT=after_publish@3` ends the process at the third time that it passes the point of that name. With
`HUB_CRASH_AT=/a/file` the same words are looked for in that file, as often as a point is passed; whoever dies of them
removes the file first, so that one process dies, once, and not each of its successors.
"""

import contextlib
import os
import sys
from collections import Counter
from enum import StrEnum
from typing import Final, NoReturn

from hub.log import WORKER_DIED, log, place_of

EXIT_DIED: Final = 3
EXIT_CRASH_POINT: Final = 77


class CrashPoint(StrEnum):
    """Places where a kill hurts most."""

    AFTER_PUBLISH = "after_publish"
    BEFORE_SNAPSHOT = "before_snapshot"
    BETWEEN_SNAPSHOT_AND_ACKNOWLEDGE = "between_snapshot_and_acknowledge"
    AFTER_SNAPSHOT = "after_snapshot"
    AFTER_STAGE = "after_stage"
    BEFORE_ACKNOWLEDGE = "before_acknowledge"
    DURING_LOAD = "during_load"


_passed: Counter[CrashPoint] = Counter()


def crash_point(point: CrashPoint) -> None:
    """End the process here if the environment asks for it."""
    asked = os.environ.get("HUB_CRASH_AT")
    if asked is None:
        return
    file = asked if asked.startswith("/") else None
    if file is not None and (asked := _read(file)) is None:
        _passed.clear()
        return
    name, _, nth = asked.partition("@")
    if name == point:
        _passed[point] += 1
        if _passed[point] >= int(nth or 1) and (file is None or _taken(file)):
            os._exit(EXIT_CRASH_POINT)


def _read(file: str) -> str | None:
    with contextlib.suppress(FileNotFoundError), open(file, encoding="utf-8") as opened:
        return opened.read().strip()
    return None


def _taken(file: str) -> bool:
    """Whether it is this process that dies of the file."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(file)
        return True
    return False


def die(role: str, reason: str, problem: BaseException | None = None) -> NoReturn:
    """End the process at once: nothing more is published, committed or cleaned up."""
    error = type(problem).__name__ if problem else None
    log(WORKER_DIED, role=role, reason=reason, error=error, at=place_of(problem) if problem else None)
    sys.stderr.flush()
    os._exit(EXIT_DIED)
