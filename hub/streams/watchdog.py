"""Ends the process when it only seems to live: the event loop hangs, or a backlog stands and nothing moves.

It is a thread, because a loop that hangs cannot watch itself. Ending is safe (nothing is acknowledged) and cheap (the
supervisor starts the process again); hanging is neither.
"""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hub.log import LOOP_HANGS, NO_PROGRESS, log

EXIT_HANGS: Final = 4
EXIT_STALLED: Final = 5


@dataclass(slots=True)
class _Pulse:
    handled: int
    backlog: int
    moved_s: float


class Watchdog:
    """Watches the loop's heartbeat and every role's progress. `clock` is monotonic seconds; `end` ends the process."""

    def __init__(
        self,
        hang_s: float,
        stall_s: float,
        clock: Callable[[], float] = time.monotonic,
        end: Callable[[int], object] = os._exit,
    ) -> None:
        self._hang_s = hang_s
        self._stall_s = stall_s
        self._clock = clock
        self._end = end
        self._beat_s = clock()
        self._pulses: dict[str, _Pulse] = {}
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer; the end of the process may take its time now."""
        self._done.set()

    def beat(self) -> None:
        """Said by the event loop, often: it turns."""
        self._beat_s = self._clock()

    def saw(self, role: str, handled: int, backlog: int) -> None:
        """Said per role: records taken since its start, and how many it could take now."""
        now = self._clock()
        pulse = self._pulses.get(role)
        if pulse is None or handled != pulse.handled or backlog == 0:
            self._pulses[role] = _Pulse(handled, backlog, now)
        else:
            pulse.backlog = backlog

    def check(self) -> None:
        """One look: ends the process if a bound is passed."""
        now = self._clock()
        if now - self._beat_s > self._hang_s:
            log(LOOP_HANGS, seconds=round(now - self._beat_s, 1))
            faulthandler.dump_traceback(sys.stderr)
            self._end(EXIT_HANGS)
            return
        for role, pulse in list(self._pulses.items()):
            if pulse.backlog and now - pulse.moved_s > self._stall_s:
                log(NO_PROGRESS, role=role, seconds=round(now - pulse.moved_s, 1), backlog=pulse.backlog)
                self._end(EXIT_STALLED)
                return

    def _watch(self) -> None:
        while not self._done.wait(min(1.0, self._hang_s / 4)):
            self.check()
