"""Ends what a process started, and removes what it left, once that process is gone; however it went.

Run as a program of its own by `hub.local.processes`, with nothing but the standard library, so that it starts in a
few milliseconds and outlives Ctrl-C. It learns over its standard input what to watch; the pipe keeps what was written
even when the writer is killed in the next instant.

Rejected: PR_SET_PDEATHSIG. It fires when the *thread* that started the child ends (every `asyncio.to_thread` does so
with its loop), needs a hook between fork and exec that is unsafe beside threads, and cannot remove a folder.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import signal
import sys
import time

PARENT_LOOK_SECONDS = 1.0
"""How often the parent is looked at besides its pipe: a forked copy of it may hold the pipe open."""
GONE_SECONDS_MAX = 5.0
"""How long killed processes may take to vanish before their folders are removed anyway."""


def main(parent_pid: int) -> None:
    """Watch until the parent closes the pipe or is gone; then end its processes and remove its folders."""
    for stop_request in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(stop_request, signal.SIG_IGN)
    os.set_blocking(0, False)
    heritage = Heritage()
    while True:
        select.select([0], [], [], PARENT_LOOK_SECONDS)
        parent_gone = os.getppid() != parent_pid  # asked before the read: what was written until then is read
        pipe_closed = heritage.read()
        if parent_gone or pipe_closed:
            heritage.clear()
            return


class Heritage:
    """What the parent would leave behind: process groups by the id of their leader, and folders."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._folders: set[str] = set()
        self._unread = b""

    def read(self) -> bool:
        """Take in all that is in the pipe; True when the parent closed it."""
        while True:
            try:
                chunk = os.read(0, 65536)
            except BlockingIOError:
                return False
            if not chunk:
                return True
            *lines, self._unread = (self._unread + chunk).split(b"\n")
            for line in lines:
                self._note(json.loads(line))

    def _note(self, message: dict[str, int | str]) -> None:
        match message:
            case {"watch_group": int(group)}:
                self._groups.add(group)
            case {"forget_group": int(group)}:
                self._groups.discard(group)
            case {"watch_folder": str(folder)}:
                self._folders.add(folder)
            case {"forget_folder": str(folder)}:
                self._folders.discard(folder)

    def clear(self) -> None:
        """Kill every group, wait until they are gone (bounded), then remove the folders."""
        for group in self._groups:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        give_up_at = time.monotonic() + GONE_SECONDS_MAX
        while any(map(_exists, self._groups)) and time.monotonic() < give_up_at:
            time.sleep(0.02)
        for folder in self._folders:
            shutil.rmtree(folder, ignore_errors=True)


def _exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


if __name__ == "__main__":
    main(int(sys.argv[1]))
