"""Free ports on the loopback."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Final

LOOPBACK: Final = "127.0.0.1"
_LOWEST: Final = 15_000
_ROOM_MIN: Final = 1_000
_TRIES_MAX: Final = 200
_dice: Final = random.SystemRandom()


def free_ports(count: int) -> tuple[int, ...]:
    """So many different TCP ports that nobody listens on now. Somebody may take one before you do: retry then.

    They lie outside the range from which the kernel picks the near end of outgoing connections. Inside it, a client
    that keeps knocking at a server that is down can be given the server's own port, connect to itself, and keep the
    server from coming back.
    """
    with ExitStack() as held:  # all held at once, so that no port comes out twice
        ports: list[int] = []
        candidates = _outside_ephemeral_range()
        for _ in range(_TRIES_MAX):
            if len(ports) == count:
                return tuple(ports)
            probe = held.enter_context(socket.socket())
            try:
                probe.bind((LOOPBACK, _dice.choice(candidates) if candidates else 0))
            except OSError:
                continue
            ports.append(probe.getsockname()[1])
    raise OSError(f"found {len(ports)} free ports on {LOOPBACK} in {_TRIES_MAX} tries, {count} are needed")


def _outside_ephemeral_range() -> range:
    """Empty when there is no such room, or when the system does not say."""
    try:
        low, high = map(int, Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split())
    except (OSError, ValueError):
        return range(0)
    below, above = range(_LOWEST, low), range(max(high + 1, _LOWEST), 65_536)
    return max(below, above, key=len) if max(len(below), len(above)) >= _ROOM_MIN else range(0)
