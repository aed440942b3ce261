"""The real Apache Kafka as child processes: no docker, no Java on the machine.

One broker for demo, tests, chaos and bench, so that nothing is proven on a stand-in. The locks are those of a deployed
cluster: every listener asks for a password, nobody may do what no ACL grants, topics are made by hand only.

    with KafkaCluster() as kafka:
        producer = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap, security_protocol="SASL_PLAINTEXT",
                                    sasl_mechanism="SCRAM-SHA-512", sasl_plain_username=kafka.admin_user,
                                    sasl_plain_password=kafka.admin_password)

`start` and its kin block: call them through `asyncio.to_thread` inside a loop.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Literal, Protocol, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from hub.errors import HubError, UsageError, WorldUnavailable
from hub.local import jars, java
from hub.local.ports import LOOPBACK, free_ports
from hub.local.processes import Child, remove_folder, scratch_folder, spawn

ADMIN: Final = "admin"
CONTROLLER: Final = "controller"
START_SECONDS_MAX: Final = 60.0
PORT_TRIES_MAX: Final = 5
STOP_SECONDS_MAX: Final = 10.0
LOG_LINES_SHOWN: Final = 15
PORT_TAKEN: Final = "Address already in use"
STATE_FILE: Final = "cluster.json"

EVERY_NODE: Final[Mapping[str, str | int]] = {
    "process.roles": "broker,controller",
    "listener.security.protocol.map": "INTERNAL:SASL_PLAINTEXT,TENANT:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "INTERNAL",
    "sasl.enabled.mechanisms": "SCRAM-SHA-512",
    "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
    # SCRAM passwords live in the log that the controllers are about to elect a leader for, so these use PLAIN. Without
    # a password here every local user could act as a controller, above all ACLs.
    "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
    "sasl.mechanism.controller.protocol": "PLAIN",
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": f"User:{ADMIN};User:{CONTROLLER}",
    "allow.everyone.if.no.acl.found": "false",
    "auto.create.topics.enable": "false",
    # A topic that names no retention keeps everything: simulated records may carry times long past.
    "log.retention.ms": -1,
    # Rebalances within a second or two; the default minimum of 6 s refuses shorter sessions.
    "group.min.session.timeout.ms": 1_000,
    "group.initial.rebalance.delay.ms": 0,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.num.partitions": 1,
    # The cleaner takes 128 MiB of a heap of 400 otherwise. It still compacts, one topic at a time.
    "log.cleaner.threads": 1,
    "log.cleaner.dedupe.buffer.size": 8 * 1024 * 1024,
    "num.network.threads": 2,
    "num.io.threads": 4,
    "background.threads": 2,
    "num.recovery.threads.per.data.dir": 2,
}
ONE_NODE: Final[Mapping[str, str | int]] = {
    "default.replication.factor": 1,
    "min.insync.replicas": 1,
    "offsets.topic.replication.factor": 1,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    # A killed node is let in again only when the session of its former life is over: 9 s by default.
    "broker.session.timeout.ms": 2_000,
    "broker.heartbeat.interval.ms": 500,
}
THREE_NODES: Final[Mapping[str, str | int]] = {
    "default.replication.factor": 3,
    "min.insync.replicas": 2,
    "offsets.topic.replication.factor": 3,
    "transaction.state.log.replication.factor": 3,
    "transaction.state.log.min.isr": 2,
    "share.coordinator.state.topic.replication.factor": 3,
    "share.coordinator.state.topic.min.isr": 2,
    # After kill -9 of a node others lead within 1.2-1.9 s instead of 8-11 s (measured); a deployed cluster keeps the
    # defaults, because a slow network would look like a dead node.
    "broker.session.timeout.ms": 1_000,
    "broker.heartbeat.interval.ms": 200,
    "replica.lag.time.max.ms": 1_000,
    "replica.socket.timeout.ms": 1_000,
    "controller.socket.timeout.ms": 1_000,
    "controller.quorum.election.timeout.ms": 300,
    "controller.quorum.fetch.timeout.ms": 600,
    "controller.quorum.request.timeout.ms": 600,
    "controller.quorum.election.backoff.max.ms": 150,
}
HEAP_MIB: Final = {1: 400, 3: 256}


class KafkaDidNotStart(WorldUnavailable):
    """A node ended or did not answer while it started; the message shows the last lines of its log."""


class _PortTaken(HubError):
    """Somebody was faster; other ports are tried."""


class Front(Protocol):
    """Something that stands before the listeners of the nodes, such as a proxy that can delay, cut and reset."""

    def port(self, node: int, listener: str, behind: int) -> int:
        """The port that clients and the other nodes are told, for the listener that listens on port `behind`."""
        ...


class _NoFront:
    def port(self, node: int, listener: str, behind: int) -> int:
        return behind


@dataclass(frozen=True, slots=True)
class _Secrets:
    """What a data folder was made with; kept beside the data, since the passwords are in the data."""

    nodes: int
    cluster_id: str
    admin_password: str
    controller_password: str


@dataclass(slots=True)
class _Node:
    id: int
    folder: Path
    internal_port: int = 0
    tenant_port: int = 0
    controller_port: int = 0
    told: dict[str, int] = field(default_factory=dict)
    """Listener → port that others are told: its own, or the one of what stands before it."""
    child: Child | None = None

    @property
    def log_file(self) -> Path:
        return self.folder / "kafka.log"


class KafkaCluster:
    """One node, or three that survive the loss of one (replication 3, at least 2 in sync); loopback only.

    `folder` keeps the data over stop and start (then the passwords stay, too); without it the data lives in a folder
    of its own that is removed at the stop. Nodes are numbered from 1. Listeners: INTERNAL (`bootstrap`) for the hub's
    own roles, TENANT (`tenant_bootstrap`) for everybody else; both SASL_PLAINTEXT with SCRAM-SHA-512. Nothing outlives
    this process: see hub.local.processes. With a `front` all traffic, also between the nodes, goes through it.
    """

    def __init__(self, nodes: Literal[1, 3] = 1, *, folder: Path | None = None, front: Front | None = None) -> None:
        if nodes not in HEAP_MIB:
            raise UsageError(f"a cluster of {nodes} nodes was asked for; there is one of 1, or one of 3")
        self._front: Front = front or _NoFront()
        self._given_folder = None if folder is None else folder.resolve()
        self._folder: Path | None = None
        self._size = nodes
        self._nodes: dict[int, _Node] = {}
        self._secrets: _Secrets | None = None
        self._class_path: tuple[Path, ...] = ()
        self._extra_flags: tuple[str, ...] = ()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, where: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def bootstrap(self) -> str:
        """Addresses of the INTERNAL listener, comma separated."""
        return ",".join(f"{LOOPBACK}:{node.told['INTERNAL']}" for node in self._running().values())

    @property
    def tenant_bootstrap(self) -> str:
        """Addresses of the TENANT listener, comma separated."""
        return ",".join(f"{LOOPBACK}:{node.told['TENANT']}" for node in self._running().values())

    @property
    def admin_user(self) -> str:
        """The one user that exists from the start, above all ACLs."""
        return ADMIN

    @property
    def admin_password(self) -> str:
        """Random, made with the data."""
        self._running()
        assert self._secrets is not None
        return self._secrets.admin_password

    @property
    def nodes(self) -> tuple[int, ...]:
        """The numbers of the nodes, dead ones too."""
        return tuple(self._running())

    @property
    def folder(self) -> Path:
        """Where data and logs lie: node-<n>/kafka.log tells what node n has to say."""
        self._running()
        assert self._folder is not None
        return self._folder

    def pid(self, node: int) -> int | None:
        """The process of a node, None when it is dead."""
        child = self._node(node).child
        return None if child is None or child.poll() is not None else child.pid

    def admin_config(self) -> dict[str, str | int | float | bool]:
        """Settings for a confluent-kafka client as the admin."""
        return _admin_config(self.bootstrap, self.admin_password)

    def admin(self) -> AdminClient:
        """A new admin client, for users, ACLs and topics. Keep it until its futures have answered: they end with it."""
        return _admin_client(self.admin_config())

    def start(self) -> None:
        """Start all nodes and wait until each answers.

        Raises KafkaDidNotStart with the reason, and leaves nothing behind then. JarRefused and WorldUnavailable come
        from the jars (hub.local.jars).
        """
        if self._nodes:
            raise UsageError("this cluster runs already; stop it first, or make another one")
        self._class_path = jars.class_path()
        try:
            self._folder = scratch_folder("kraamzorg-kafka-") if self._given_folder is None else self._given_folder
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._nodes = {n: _Node(n, self._folder / f"node-{n}") for n in range(1, self._size + 1)}
            self._secrets = self._read_secrets()
            for attempt in range(1, PORT_TRIES_MAX + 1):
                self._choose_ports()
                try:
                    if self._secrets is None:
                        self._secrets = self._format()
                    self._launch(tuple(self._nodes.values()))
                    break
                except _PortTaken as error:
                    self._kill_all()
                    if attempt == PORT_TRIES_MAX:
                        raise KafkaDidNotStart(f"{error}; {attempt} sets of ports were tried. Start again") from error
        except BaseException:
            self._kill_all()
            self._clear()
            raise

    def stop(self) -> None:
        """End all nodes in order, and remove the data if its folder was not given. Nothing happens when stopped."""
        alive = [node.child for node in self._nodes.values() if node.child is not None]
        # Data that is removed anyway needs no orderly end; and three nodes that leave together take the quorum with
        # them, so the last one would wait for it in vain.
        grace_seconds = STOP_SECONDS_MAX if self._given_folder is not None else 0.0
        try:
            if grace_seconds:
                for child in alive:
                    child.send(signal.SIGTERM)
                    child.send(signal.SIGCONT)
                give_up_at = time.monotonic() + grace_seconds
                for child in alive:
                    child.wait(max(0.0, give_up_at - time.monotonic()))
        finally:
            self._kill_all()
            self._clear()

    def kill(self, node: int) -> None:
        """SIGKILL: the node is gone at once, with what it had not handed to the kernel."""
        if (child := self._node(node).child) is not None:
            child.kill()

    def pause(self, node: int) -> None:
        """SIGSTOP: the node stands still and keeps its connections."""
        self._alive(node).send(signal.SIGSTOP)

    def resume(self, node: int) -> None:
        """SIGCONT: the node goes on, and learns what it has missed."""
        self._alive(node).send(signal.SIGCONT)

    def restart(self, node: int) -> None:
        """Start a node again with its data, at its address; ends it in order first if it runs. Waits for its answer."""
        again = self._node(node)
        if again.child is not None:
            again.child.end(STOP_SECONDS_MAX)
        for attempt in range(1, PORT_TRIES_MAX + 1):
            try:
                self._launch((again,))
                return
            except _PortTaken as error:  # its address is known to clients, so it cannot move
                if attempt == PORT_TRIES_MAX:
                    raise KafkaDidNotStart(
                        f"{error}, and node {node} must come back where its clients look for it; "
                        f"see who listens there with `ss -ltnp`"
                    ) from error
                time.sleep(attempt)

    def wait_in_sync(self, seconds_max: float = 30.0) -> None:
        """Wait until every partition has all its replicas in sync. Raises WorldUnavailable when it takes longer."""
        admin = self.admin()
        give_up_at = time.monotonic() + seconds_max
        behind: list[str] = ["the cluster did not answer"]
        while time.monotonic() < give_up_at:
            with contextlib.suppress(KafkaException):
                behind = [
                    f"{topic.topic}/{number}"
                    for topic in admin.list_topics(timeout=2).topics.values()
                    for number, part in topic.partitions.items()
                    if set(part.isrs) != set(part.replicas)
                ]
                if not behind:
                    return
            time.sleep(0.05)
        raise WorldUnavailable(
            f"not in sync after {seconds_max} s: {', '.join(sorted(behind)[:10])}; restart the nodes that are down"
        )

    def _running(self) -> dict[int, _Node]:
        if not self._nodes:
            raise UsageError("the cluster is not started; call start(), or use it in a `with`")
        return self._nodes

    def _node(self, node: int) -> _Node:
        if node not in self._running():
            raise UsageError(f"there is no node {node}; the nodes are {', '.join(map(str, self._nodes))}")
        return self._nodes[node]

    def _alive(self, node: int) -> Child:
        child = self._node(node).child
        if child is None or child.poll() is not None:
            raise UsageError(f"node {node} is dead; restart({node}) brings it back")
        return child

    def _choose_ports(self) -> None:
        ports = iter(free_ports(3 * self._size))
        for node in self._nodes.values():
            node.internal_port, node.tenant_port, node.controller_port = next(ports), next(ports), next(ports)
            behind = {"INTERNAL": node.internal_port, "TENANT": node.tenant_port, "CONTROLLER": node.controller_port}
            node.told = {name: self._front.port(node.id, name, port) for name, port in behind.items()}

    def _read_secrets(self) -> _Secrets | None:
        assert self._folder is not None
        try:
            found = _Secrets(**json.loads((self._folder / STATE_FILE).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return None
        except (ValueError, TypeError) as error:
            raise UsageError(
                f"{self._folder / STATE_FILE} cannot be read ({error}); the data in this folder cannot be opened "
                "without it: take another folder, or empty this one"
            ) from error
        if found.nodes != self._size:
            raise UsageError(
                f"{self._folder} holds the data of {found.nodes} node(s), {self._size} were asked for; "
                "take another folder, or that number of nodes"
            )
        return found

    def _format(self) -> _Secrets:
        """Make the store of every node, with the admin's password in it."""
        assert self._folder is not None
        made = _Secrets(
            nodes=self._size,
            cluster_id=_new_cluster_id(),
            admin_password=secrets.token_hex(24),
            controller_password=secrets.token_hex(24),
        )
        steps = [(node, self._format_node(node, made)) for node in self._nodes.values()]
        for node, step in steps:
            if (status := step.wait(START_SECONDS_MAX)) != 0:
                raise KafkaDidNotStart(self._why(node, f"could not make its store (status {status})"))
        _write_private(self._folder / STATE_FILE, json.dumps(asdict(made)))
        return made

    def _format_node(self, node: _Node, made: _Secrets) -> Child:
        if (node.folder / "data").exists():
            raise UsageError(
                f"{node.folder} holds data, yet {STATE_FILE} with its passwords is missing; "
                "take another folder, or empty this one"
            )
        (node.folder / "tmp").mkdir(mode=0o700, parents=True, exist_ok=True)
        self._write_properties(node, made)
        scram = f"SCRAM-SHA-512=[name={ADMIN},password={made.admin_password}]"
        tool = ("kafka.tools.StorageTool", "format", "-t", made.cluster_id, "-c", str(node.folder / "node.properties"))
        return self._java(node, "format.args", (*tool, "--add-scram", scram))

    def _launch(self, nodes: Sequence[_Node]) -> None:
        """Start these nodes side by side, and wait until each answers."""
        assert self._secrets is not None
        for node in nodes:
            self._write_properties(node, self._secrets)
            node.child = self._java(node, "node.args", ("kafka.Kafka", str(node.folder / "node.properties")))
        give_up_at = time.monotonic() + START_SECONDS_MAX
        for node in nodes:
            self._wait_until(node, partial(_listens, node.internal_port), give_up_at)
            config = _admin_config(f"{LOOPBACK}:{node.internal_port}", self._secrets.admin_password)
            admin = _admin_client(config)
            everyone = set(self._nodes) if len(nodes) == self._size else {node.id}
            self._wait_until(node, partial(_knows, admin, everyone), give_up_at)

    def _wait_until(self, node: _Node, ready: Callable[[], bool], give_up_at: float) -> None:
        assert node.child is not None
        while True:
            if (status := node.child.poll()) is not None:
                why = self._why(node, f"ended with status {status} while it started")
                raise _PortTaken(why) if PORT_TAKEN in self._log_since_launch(node) else KafkaDidNotStart(why)
            if ready():
                return
            if time.monotonic() >= give_up_at:
                raise KafkaDidNotStart(self._why(node, f"did not answer within {START_SECONDS_MAX:.0f} s"))
            time.sleep(0.02)

    def _why(self, node: _Node, what: str) -> str:
        # The reason stands above Java's stack, and would be pushed out by it.
        told_lines = (n for n in self._log_since_launch(node).splitlines() if not n.startswith(("\tat ", "\t... ")))
        lines = list(told_lines)[-LOG_LINES_SHOWN:]
        told = "\n".join(f"    {line[:400]}" for line in lines) or "    (nothing)"
        return (
            f"Kafka node {node.id} {what}. The last lines of its log:\n{told}\n"
            f"It needs {HEAP_MIB[self._size] + 150} MB of memory and room on the disk of {node.folder}; "
            "`python -m hub.local.kafka --prefetch` checks its jars"
        )

    def _log_since_launch(self, node: _Node) -> str:
        try:
            return node.log_file.read_text(encoding="utf-8", errors="replace").rpartition(_LAUNCH_LINE)[2]
        except FileNotFoundError:
            return ""

    def _write_properties(self, node: _Node, made: _Secrets) -> None:
        """Written at every start, with the ports of this start."""
        voters = ",".join(f"{n.id}@{LOOPBACK}:{n.told['CONTROLLER']}" for n in self._nodes.values())
        listeners = f"INTERNAL://{LOOPBACK}:{node.internal_port},TENANT://{LOOPBACK}:{node.tenant_port}"
        told = ",".join(f"{name}://{LOOPBACK}:{port}" for name, port in node.told.items())
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required"
        plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
        own = {
            "node.id": node.id,
            "log.dirs": node.folder / "data",
            "controller.quorum.voters": voters,
            "listeners": f"{listeners},CONTROLLER://{LOOPBACK}:{node.controller_port}",
            "advertised.listeners": told,
            "listener.name.internal.scram-sha-512.sasl.jaas.config": (
                f'{scram} username="{ADMIN}" password="{made.admin_password}";'
            ),
            "listener.name.tenant.scram-sha-512.sasl.jaas.config": f"{scram};",
            "listener.name.controller.plain.sasl.jaas.config": (
                f'{plain} username="{CONTROLLER}" password="{made.controller_password}" '
                f'user_{CONTROLLER}="{made.controller_password}";'
            ),
        }
        settings = {**EVERY_NODE, **(ONE_NODE if self._size == 1 else THREE_NODES), **own}
        lines = (f"{name}={str(value).replace(chr(92), chr(92) * 2)}\n" for name, value in settings.items())
        _write_private(node.folder / "node.properties", "".join(lines))

    def _java(self, node: _Node, args_file: str, program: Sequence[str]) -> Child:
        """Run a main class. Its arguments go through a private file: a password must not stand in a process list."""
        args = (
            f"-Xmx{HEAP_MIB[self._size]}m",
            f"-Djava.io.tmpdir={node.folder / 'tmp'}",
            f"-XX:ErrorFile={node.folder / 'crash.log'}",
            *java.FLAGS,
            *(self._extra_flags or java.class_archive_flags()),
            "-cp",
            java.class_path(self._class_path),
            *program,
        )
        _write_private(node.folder / args_file, java.arguments_file(args))
        with open(node.log_file, "ab", opener=_private) as log:
            log.write(_LAUNCH_LINE.encode())
            log.flush()
            return spawn([java.program(), f"@{node.folder / args_file}"], cwd=node.folder, stdout=log, stderr=log)

    def _kill_all(self) -> None:
        for node in self._nodes.values():
            if node.child is not None:
                node.child.kill()
                node.child = None

    def _clear(self) -> None:
        self._nodes = {}
        self._secrets = None
        if self._given_folder is None and self._folder is not None:
            remove_folder(self._folder)
        self._folder = None


def prefetch(say: Callable[[str], None], fetched: Callable[[jars.LockedJar], None]) -> None:
    """Fetch and check the jars, and make the class archive: every later start is offline and takes half the time."""
    files = jars.class_path(fetched=fetched)
    say(f"{len(files)} jars are here and have the sums of the lock")
    if java.class_archive().exists():
        say("the class archive is here")
        return
    scratch = scratch_folder("kraamzorg-kafka-classes-")
    try:
        classes = scratch / "classes.lst"
        cluster = KafkaCluster()
        cluster._extra_flags = (f"-XX:DumpLoadedClassList={classes}",)
        with cluster:
            node = cluster._alive(1)
            node.end(STOP_SECONDS_MAX)  # in order: the list is written at the end
        reason = java.make_class_archive(classes, files, scratch)
    finally:
        remove_folder(scratch)
    say("the class archive was made" if reason is None else f"no class archive, so starts take longer: {reason}")


_LAUNCH_LINE: Final = "--- launch ---\n"


def _new_cluster_id() -> str:
    """22 characters of base64. One that begins with a dash would be an option to Kafka's tools, one time in 64."""
    while (made := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return made


def _write_private(file: Path, text: str) -> None:
    with open(file, "w", encoding="utf-8", opener=_private) as opened:
        opened.write(text)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=1):
        return True
    return False


def _knows(admin: AdminClient, brokers: set[int]) -> bool:
    with contextlib.suppress(KafkaException):
        return brokers <= set(admin.list_topics(timeout=2).brokers)
    return False


def _admin_config(bootstrap: str, password: str) -> dict[str, str | int | float | bool]:
    return {
        "bootstrap.servers": bootstrap,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": ADMIN,
        "sasl.password": password,
        "reconnect.backoff.ms": 20,
        "reconnect.backoff.max.ms": 200,
        "log_level": 0,  # a node that is not there yet, or was killed on purpose, is no news on stderr
    }


def _admin_client(config: dict[str, str | int | float | bool]) -> AdminClient:
    return AdminClient(config)


def main(argv: Sequence[str] | None = None) -> int:
    """`--prefetch` for the set-up, `--lock` for a maintainer who changes the version."""
    parser = argparse.ArgumentParser(prog="python -m hub.local.kafka", description=__doc__.splitlines()[0])
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--prefetch", action="store_true", help="fetch and check the jars; later starts are offline")
    what.add_argument("--lock", action="store_true", help="resolve the jars anew and write jars.lock")
    asked = parser.parse_args(argv)
    try:
        if asked.lock:
            lock = Path(jars.__file__).with_name("jars.lock")
            lock.write_text(jars.resolve_lock(), encoding="utf-8")
            _say(f"wrote {lock}; read the difference before you commit it")
        else:
            _prefetch_watched()
    except HubError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


def _prefetch_watched() -> None:
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, disable=not console.is_terminal, transient=True) as progress:
        task = progress.add_task("jars of Apache Kafka", total=len(jars.read_lock(jars.lock_text())))
        prefetch(_say, lambda jar: progress.advance(task))


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
