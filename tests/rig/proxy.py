"""A bad network: a TCP proxy, in a process of its own, before every listener of the cluster and before Redis.

    with Proxy() as proxy, KafkaCluster(3, front=proxy) as kafka:
        proxy.rule(Rule("stall", to="2"), Rule("stall", source="2"), nodes={n: kafka.pid(n) for n in kafka.nodes})
        proxy.rule()  # the network is whole again

A rule names links by where they lead (`to`: a node, or "redis") and who opened them (`source`: a node, or "client").
Who opened a connection is found by looking at whose socket it is, because all nodes tell each other one and the same
address. Kinds of rules:

- `delay`: every chunk is late by `ms`, both ways, in order;
- `stall`: nothing passes either way, as if every packet were lost; what was held arrives when the rule goes;
- `mute`: requests pass and answers are swallowed (a half-open link, a lost acknowledgement); reset when the rule goes;
- `reset`: connections are reset, and new ones too, for as long as the rule stands.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

from hub.local.ports import LOOPBACK
from hub.local.processes import Child, remove_folder, scratch_folder, spawn

ANY: Final = "*"
CLIENT: Final = "client"
START_S: Final = 15.0
LOOK_S: Final = 0.02
"""How long new connections are gathered before one look at whose they are."""
_RESET_AT_CLOSE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: the close is an RST, as when a machine has forgotten the connection."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to the links that it names. The first rule that fits a link speaks."""

    what: Literal["delay", "stall", "mute", "reset"]
    to: str = ANY
    source: str = ANY
    listener: str = ANY
    ms: int = 0


class Proxy:
    """The rig's end: starts the process and tells it what to do. Also a `Front` for KafkaCluster."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._child: Child | None = None
        self._wire: Any = None

    def __enter__(self) -> Self:
        self._folder = scratch_folder("kraamzorg-proxy-")
        address = self._folder / "control"
        with (self._folder / "proxy.log").open("wb") as said:
            self._child = spawn([sys.executable, "-m", "tests.rig.proxy", address], stdout=said, stderr=said)
        give_up_at = time.monotonic() + START_S
        while True:
            control = socket.socket(socket.AF_UNIX)
            try:
                control.connect(str(address))
                break
            except OSError:
                control.close()
                if time.monotonic() > give_up_at or self._child.poll() is not None:
                    said_text = (self._folder / "proxy.log").read_text()
                    raise RuntimeError(f"the proxy did not start:\n{said_text}") from None
                time.sleep(0.02)
        self._wire = control.makefile("rw", encoding="utf-8")
        control.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._wire is not None:
            self._wire.close()
        if self._child is not None:
            self._child.kill()
        if self._folder is not None:
            remove_folder(self._folder)

    @property
    def pid(self) -> int:
        """The process of the proxy."""
        assert self._child is not None
        return self._child.pid

    def port(self, node: int, listener: str, behind: int) -> int:
        """A port that leads to a listener of a node."""
        return self.link(str(node), listener, behind)

    def link(self, to: str, listener: str, behind: int) -> int:
        """A port that leads to port `behind`. Asked again for the same name, it keeps its port and leads elsewhere."""
        return int(self._ask(do="link", to=to, listener=listener, behind=behind)["port"])

    def rule(self, *rules: Rule, nodes: Mapping[int, int | None] | None = None) -> int:
        """Put these rules in force instead of all others. Returns how many open connections they touch now.

        `nodes` is needed for rules that name a source: node → process id.
        """
        pids = {str(node): pid for node, pid in (nodes or {}).items() if pid is not None}
        return int(self._ask(do="rules", rules=[asdict(rule) for rule in rules], pids=pids)["touched"])

    def _ask(self, **what: Any) -> dict[str, Any]:
        self._wire.write(json.dumps(what) + "\n")
        self._wire.flush()
        answer = self._wire.readline()
        if not answer:
            raise RuntimeError("the proxy is gone; see what ended it before the run can mean anything")
        told: dict[str, Any] = json.loads(answer)
        return told


# --- the process itself -----------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Link:
    to: str
    listener: str
    behind: int
    port: int = 0


class _Side(asyncio.Protocol):
    """One end of a connection; what it receives goes to the other end."""

    def __init__(self, pair: _Pair, *, answers: bool) -> None:
        self.pair = pair
        self.answers = answers
        """Whether this is the server's end."""
        self.transport: asyncio.Transport | None = None
        self.held: deque[bytes] = deque()
        self.ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        if (wire := transport.get_extra_info("socket")) is not None:
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if not self.answers:
            self.pair.opened()

    def data_received(self, data: bytes) -> None:
        self.pair.carry(self, data)

    def pause_writing(self) -> None:
        if (other := self.pair.other(self).transport) is not None:
            other.pause_reading()

    def resume_writing(self) -> None:
        if (other := self.pair.other(self).transport) is not None and not self.pair.stalled:
            other.resume_reading()

    def connection_lost(self, problem: Exception | None) -> None:
        self.ended = True
        self.pair.ended(self)


class _Pair:
    """One connection through the proxy."""

    def __init__(self, network: _Network, link: _Link) -> None:
        self.network = network
        self.link = link
        self.caller = _Side(self, answers=False)
        self.server = _Side(self, answers=True)
        self.source: str | None = None
        self.rule: Rule | None = None
        self.lossy = False
        self._connecting: asyncio.Future[None] | None = None

    @property
    def stalled(self) -> bool:
        return self.rule is not None and self.rule.what == "stall"

    def other(self, side: _Side) -> _Side:
        return self.caller if side is self.server else self.server

    def opened(self) -> None:
        self.network.pairs.add(self)
        assert self.caller.transport is not None
        self.caller.transport.pause_reading()
        self._connecting = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        await self.network.identify(self)
        self.rule = self.network.rule_for(self)
        if self.rule is not None and self.rule.what == "reset":
            self.reset()
            return
        try:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: self.server, LOOPBACK, self.link.behind)
        except OSError:
            self.reset()
            return
        assert self.caller.transport is not None and self.server.transport is not None
        if self.caller.ended:
            self.server.transport.abort()
        elif self.stalled:
            self.server.transport.pause_reading()
        else:
            self.caller.transport.resume_reading()

    def carry(self, side: _Side, data: bytes) -> None:
        rule = self.rule
        if rule is None and not side.held:
            self._write(side, data)
        elif rule is not None and rule.what == "mute" and side.answers:
            self.lossy = True
        elif rule is not None and rule.what == "delay":
            side.held.append(data)
            asyncio.get_running_loop().call_later(rule.ms / 1000, self._release, side)
        elif rule is not None and rule.what == "stall":
            side.held.append(data)
        elif side.held:  # a delay was lifted, and its last chunks are still on their way
            side.held.append(data)
            self._flush(side)
        else:
            self._write(side, data)

    def apply(self, rule: Rule | None) -> None:
        """Another rule, or none, holds for this connection from now on."""
        before, self.rule = self.rule, rule
        if rule is not None and rule.what == "reset":
            self.reset()
            return
        if self.lossy and (rule is None or rule.what != "mute"):
            self.reset()  # answers are missing in the stream: it cannot go on
            return
        for side in (self.caller, self.server):
            if side.transport is None or side.ended:
                continue
            if self.stalled:
                side.transport.pause_reading()
            elif before is not None and before.what == "stall":
                self._flush(side)
                if self.server.transport is not None:
                    side.transport.resume_reading()
        if before is not None and before.what == "stall":
            for side in (self.caller, self.server):
                if side.ended:
                    self.ended(side)

    def ended(self, side: _Side) -> None:
        if self.stalled:
            return  # the farewell is a packet too
        other = self.other(side)
        if other.transport is not None and not other.ended:
            self._flush(side)
            other.transport.close()
        if self.caller.ended and (self.server.ended or self.server.transport is None):
            self.network.pairs.discard(self)

    def reset(self) -> None:
        for side in (self.caller, self.server):
            if side.transport is not None and not side.ended:
                wire = side.transport.get_extra_info("socket")
                if wire is not None:
                    wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
                side.transport.abort()
        self.network.pairs.discard(self)

    def _release(self, side: _Side) -> None:
        if side.held and not self.stalled:
            self._write(side, side.held.popleft())

    def _flush(self, side: _Side) -> None:
        while side.held:
            self._write(side, side.held.popleft())

    def _write(self, side: _Side, data: bytes) -> None:
        transport = self.other(side).transport
        if transport is not None and not transport.is_closing():
            transport.write(data)


class _Network:
    """All links, all connections, and the rules in force."""

    def __init__(self) -> None:
        self.links: dict[tuple[str, str], _Link] = {}
        self.pairs: set[_Pair] = set()
        self.rules: list[Rule] = []
        self.pids: dict[str, int] = {}
        self._scan: asyncio.Task[dict[tuple[int, int], str]] | None = None

    async def identify(self, pair: _Pair) -> None:
        """Find out who opened a connection, if a rule asks for it. One look serves all that were opened meanwhile.

        A look each would drown the proxy in the very storm of connections that a reset brings about.
        """
        if not any(rule.source != ANY for rule in self.rules):
            return
        if self._scan is None:
            self._scan = asyncio.ensure_future(self._look())
        pair.source = self._in(await self._scan, pair)

    async def _look(self) -> dict[tuple[int, int], str]:
        await asyncio.sleep(LOOK_S)
        self._scan = None
        return owners(self.pids)

    def rule_for(self, pair: _Pair) -> Rule | None:
        for rule in self.rules:
            if rule.to not in (ANY, pair.link.to) or rule.listener not in (ANY, pair.link.listener):
                continue
            if rule.source not in (ANY, pair.source or CLIENT):
                continue
            return rule
        return None

    @staticmethod
    def _in(found: Mapping[tuple[int, int], str], pair: _Pair) -> str:
        transport = pair.caller.transport
        peer = None if transport is None else transport.get_extra_info("peername")
        return CLIENT if peer is None else found.get((peer[1], pair.link.port), CLIENT)

    async def control(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            asked = json.loads(line)
            if asked["do"] == "link":
                answer = {"port": await self._link(asked["to"], asked["listener"], asked["behind"])}
            else:
                answer = {"touched": self._rules([Rule(**rule) for rule in asked["rules"]], asked["pids"])}
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        os._exit(0)  # the rig is gone

    async def _link(self, to: str, listener: str, behind: int) -> int:
        found = self.links.get((to, listener))
        if found is None:
            found = self.links[to, listener] = _Link(to, listener, behind)
            loop = asyncio.get_running_loop()
            link = found
            from hub.local.ports import free_ports

            [port] = free_ports(1)
            await loop.create_server(lambda: _Pair(self, link).caller, LOOPBACK, port, backlog=512)
            found.port = port
        found.behind = behind
        return found.port

    def _rules(self, rules: list[Rule], pids: Mapping[str, int]) -> int:
        self.rules, self.pids = rules, dict(pids)
        touched = 0
        found = owners(self.pids) if any(rule.source != ANY for rule in rules) else None
        for pair in list(self.pairs):
            if found is not None:
                pair.source = self._in(found, pair)
            rule = self.rule_for(pair)
            touched += rule is not None
            pair.apply(rule)
        return touched


def owners(pids: Mapping[str, int]) -> dict[tuple[int, int], str]:
    """Loopback connections, as (own port, port at the other end), of the processes that `pids` names."""
    handles: dict[str, str] = {}
    for name, pid in pids.items():
        try:
            with os.scandir(f"/proc/{pid}/fd") as found:
                handles |= {_points_at(handle.path): name for handle in found}
        except OSError:  # the process is gone
            continue
    ports: dict[tuple[int, int], str] = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):  # Java speaks IPv4 through sockets of the other kind
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if (holder := handles.get(f"socket:[{fields[9]}]")) is not None:
                ports[_port(fields[1]), _port(fields[2])] = holder
    return ports


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)


def _points_at(path: str) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


async def _serve(address: str) -> None:
    network = _Network()
    server = await asyncio.start_unix_server(network.control, address)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1]))
