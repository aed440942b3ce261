"""The test stand: three real Kafka nodes, a real Valkey, a bad network before both, and every role of the hub twice.

Each role runs in two processes, so that one can take over from the other; a supervisor starts again what dies. Nothing
here is a stand-in: brokers, access rules, passwords and the workers' own command line are those of a deployment.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, Literal, Self

import redis
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from hub.contracts import catalogue
from hub.contracts.redis_access import RULES
from hub.domain.reference import Reference
from hub.local.kafka import KafkaCluster
from hub.local.ports import LOOPBACK, free_ports
from hub.local.processes import Workers, remove_folder, scratch_folder
from hub.local.provision import apply
from hub.local.valkey import Valkey, ValkeyUser
from tests.rig.proxy import Proxy

ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "intake": ("intake",),
    "region": ("region",),
    "duplicates": ("duplicates",),
    "delivery": ("delivery",),
    "read-model": ("read-model",),
}
"""Kind of worker → its roles."""
COPIES: Final = 2
READY_S: Final = 240.0
SMALL_DISK_NODE: Final = 3
ROOT: Final = "root"
_HOPS: Final = (catalogue.REGION_LOG, catalogue.REGION_FACTS, catalogue.IDENTITY_LOG, catalogue.LINKS)
ASK_S: Final = 2.0


class Stand:
    """Everything that runs. Ends with its context, whatever ends it."""

    def __init__(
        self,
        reference: Reference,
        *,
        nodes: Literal[1, 3] = 3,
        copies: int = COPIES,
        small_disk_mib: int | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.reference = reference
        self.proxy = Proxy()
        self.folder = scratch_folder("kraamzorg-rig-")
        self.small_disk = small_disk_mib is not None
        self._small_disk_mib = small_disk_mib
        self._environment = dict(environment or {})
        self._copies = copies
        self.kafka = KafkaCluster(nodes, folder=self.folder / "kafka", front=self.proxy)
        users = (("read-model", RULES["read-model"]), (ROOT, "allkeys allchannels allcommands"))
        self.valkey = Valkey([ValkeyUser(name, secrets.token_hex(24), rules) for name, rules in users])
        self.workers = Workers(self.folder / "output.jsonl")
        self.passwords: dict[str, str] = {}
        self._commands: dict[str, tuple[list[str], dict[str, str]]] = {}
        self._running = ExitStack()
        self._admin: AdminClient | None = None
        self._redis_port = 0
        self._known_groups: list[str] = []
        self._looks: dict[str, Consumer] = {}
        self._ever_read: dict[str, set[tuple[str, int]]] = {}
        self._read_by_groups = [
            topic
            for topic in catalogue.topics_for(reference)
            if topic.name in _HOPS or (topic.name.startswith("inbox.") and not topic.name.endswith(".dlq"))
        ]

    def __enter__(self) -> Self:
        with ExitStack() as running:
            running.callback(remove_folder, self.folder)
            running.enter_context(self.proxy)
            if self._small_disk_mib is not None:
                running.enter_context(_mounted(self.folder / "kafka" / f"node-{SMALL_DISK_NODE}", self._small_disk_mib))
            running.enter_context(self.valkey)
            self._redis_port = self.proxy.link("redis", "REDIS", self.valkey.port)
            running.enter_context(self.workers)
            running.enter_context(self.kafka)
            running.callback(self._kill_nodes)
            self.provision()
            for kind in ROLES:
                for number in range(self._copies):
                    self.add(f"{kind}-{number + 1}")
            self.wait_ready()
            self._known_groups = self.groups()
            self._running = running.pop_all()
        return self

    def __exit__(self, *what: Any) -> None:
        for look in self._looks.values():
            look.close()
        self._running.close()

    @property
    def names(self) -> tuple[str, ...]:
        """Every worker."""
        return tuple(self._commands)

    def of_kind(self, kind: str) -> tuple[str, ...]:
        """The workers of one kind."""
        return tuple(name for name in self._commands if name.startswith(f"{kind}-"))

    @property
    def admin(self) -> AdminClient:
        """One admin client for the whole run."""
        if self._admin is None:
            self._admin = self.kafka.admin()
        return self._admin

    def provision(self) -> None:
        """What `hub topics apply` does."""
        self.passwords = self.passwords or {
            name: secrets.token_hex(24) for name in catalogue.principals(self.reference)
        }
        kafka = self.kafka
        apply(kafka.bootstrap, {**self.passwords, kafka.admin_user: kafka.admin_password}, self.reference)

    def add(self, name: str, program: str | None = None, **environment: str) -> int:
        """Start a worker (its kind is in its name), with more in its environment if asked; its process id.

        `program` is a module to run instead of `hub run`.
        """
        kind = name.rpartition("-")[0]
        keys = self.folder / f"{name}.json"
        principals = {"read-model": catalogue.READ_MODEL}
        held = {p: self.passwords[p] for p in (principals.get(role, f"hub-{role}") for role in ROLES[kind])}
        keys.touch(mode=0o600)
        keys.write_text(json.dumps(held), "utf-8")
        [port] = free_ports(1)
        env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("HUB_", "KAFKA_", "REDIS_"))},
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap,
            "HUB_CREDENTIALS_FILE": str(keys),
            "HUB_HEALTH_PORT": str(port),
            "HUB_INSTANCE": name,
            "REDIS_URL": self.redis_url("read-model", through_proxy=True),
            "HUB_CRASH_AT": str(self.folder / f"crash-{kind}"),
            **self._environment,
            **environment,
        }
        words = [word for role in ROLES[kind] for word in ("--role", role)]
        argv = [sys.executable, "-m", *([program] if program else ["hub", "run", *words])]
        self._commands[name] = (argv, env)
        return self.workers.add(name, argv, env)

    def readd(self, name: str) -> int:
        """Start a worker again that was removed from its supervision."""
        return self.workers.add(name, *self._commands[name])

    def remove(self, name: str, grace_seconds: float = 10.0) -> int | None:
        """End a worker for good."""
        del self._commands[name]
        return self.workers.remove(name, grace_seconds)

    def redis_url(self, user: str, *, through_proxy: bool = False) -> str:
        """Address of Redis for a user."""
        url = self.valkey.url(user)
        return url.replace(f":{self.valkey.port}/", f":{self._redis_port}/") if through_proxy else url

    def redis(self) -> redis.Redis:
        """A client that may do everything, past the proxy."""
        return redis.Redis.from_url(self.redis_url(ROOT), decode_responses=True)

    def login(self, principal: str) -> dict[str, Any]:
        """Settings of a stock client of one principal; a tenant comes in through the tenants' listener."""
        inner = principal in catalogue.HUB_PRINCIPALS
        return {
            "bootstrap.servers": self.kafka.bootstrap if inner else self.kafka.tenant_bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": principal,
            "sasl.password": self.passwords[principal],
            "reconnect.backoff.ms": 50,
            "reconnect.backoff.max.ms": 500,
            "socket.timeout.ms": 6000,
            "log_level": 0,  # brokers are killed on purpose here
        }

    def node_pids(self) -> dict[int, int | None]:
        """Process of each node, for rules of the proxy."""
        return {node: self.kafka.pid(node) for node in self.kafka.nodes}

    def health(self, name: str) -> dict[str, Any] | None:
        """What a worker says at /readyz; None when it does not answer."""
        port = self._commands[name][1]["HUB_HEALTH_PORT"]
        try:
            with urllib.request.urlopen(f"http://{LOOPBACK}:{port}/readyz", timeout=2) as answer:
                told: dict[str, Any] = json.load(answer)
                return told
        except urllib.error.HTTPError as problem:
            return dict(json.load(problem))
        except (OSError, ValueError):
            return None

    def wait_ready(self, seconds_max: float = READY_S) -> None:
        """Until every worker says that it is ready."""
        give_up_at = time.monotonic() + seconds_max
        for name in self.names:
            while not ((told := self.health(name)) and told["ready"]):
                if time.monotonic() > give_up_at:
                    raise RuntimeError(f"{name} is not ready after {seconds_max:.0f} s: {told}\n{self.last_words()}")
                time.sleep(0.05)

    def groups(self) -> list[str]:
        """Every consumer group of the hub. Every broker is asked, so all must be there."""
        found = self.admin.list_consumer_groups(request_timeout=4 * ASK_S).result()
        return sorted(group.group_id for group in found.valid if group.group_id.startswith("hub."))

    def behind(self) -> dict[str, int]:
        """What is not acknowledged yet, by group; a group that has nothing to do is left out.

        Raises KafkaException while the cluster does not answer. The read model's position is the one in Redis.
        """
        facts = catalogue.REGION_FACTS
        held = self.redis().hgetall("hub:positions")
        committed = {group: self._committed(group) for group in self._known_groups}
        committed["hub.read-model (Redis)"] = {
            (facts, n): int(held.get(f"facts/{n}", 0))  # type: ignore[union-attr]
            for n in range(self.reference.log_partitions)
        }
        ends = self.ends({place for offsets in committed.values() for place in offsets})
        late = {
            group: sum(max(0, ends[place] - offset) for place, offset in offsets.items())
            for group, offsets in committed.items()
        }
        return {group: count for group, count in late.items() if count}

    def ends(self, places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Where each partition ends now."""
        look = self._look("rig.ends")
        return {
            place: look.get_watermark_offsets(TopicPartition(*place), timeout=ASK_S, cached=False)[1]
            for place in sorted(places)
        }

    def _committed(self, group: str) -> dict[tuple[str, int], int]:
        places = [
            TopicPartition(topic.name, number) for topic in self._read_by_groups for number in range(topic.partitions)
        ]
        found = self._look(group).committed(places, timeout=ASK_S)
        held = {(tp.topic, tp.partition): tp.offset for tp in found if tp.offset >= 0}
        # A group that was deleted is behind by everything that it ever read.
        ever = self._ever_read.setdefault(group, set())
        ever.update(held)
        return {**dict.fromkeys(ever, 0), **held}

    def _look(self, group: str) -> Consumer:
        # Plain consumers that never join: they follow a group's coordinator when its broker dies, and an admin client
        # does so late or never.
        if group not in self._looks:
            self._looks[group] = Consumer(
                {
                    **self.kafka.admin_config(),
                    "group.id": group,
                    "enable.auto.commit": False,
                    "socket.timeout.ms": 3000,
                    # Else a leader that died is asked again and again for as long as it is remembered.
                    "topic.metadata.refresh.interval.ms": 500,
                    "metadata.max.age.ms": 1000,
                }
            )
        return self._looks[group]

    def last_words(self, lines: int = 15) -> str:
        """The last lines of what the workers logged."""
        with (self.folder / "output.jsonl").open("rb") as output:
            output.seek(max(0, output.seek(0, os.SEEK_END) - 1000 * lines))
            return "\n".join(output.read().decode(errors="replace").splitlines()[-lines:])

    def _kill_nodes(self) -> None:
        for node in self.kafka.nodes:  # an orderly end of all three takes the quorum away from the last
            self.kafka.kill(node)


def may_mount() -> bool:
    """Whether this process lives in a mount namespace of its own, where a small disk can be mounted."""
    return os.environ.get("RIG_OWN_MOUNTS") == "1"


def enter_own_mounts() -> None:
    """Start this program again in a mount namespace of its own, if the machine allows it; no right is needed on most.

    What is mounted there is gone with its last process, whatever ends it. Returns if that is not possible, or is so.
    """
    if may_mount():
        return
    for way in (["--mount"], ["--user", "--map-root-user", "--mount"]):
        tried = ["unshare", *way, "--propagation", "private"]
        try:
            test = "mount -t tmpfs none /mnt"
            if subprocess.run([*tried, "sh", "-c", test], capture_output=True, check=False).returncode == 0:
                os.environ["RIG_OWN_MOUNTS"] = "1"
                os.execvp("unshare", [*tried, sys.executable, "-m", "tests.rig", *sys.argv[1:]])
        except FileNotFoundError:
            return


@contextmanager
def _mounted(folder: Path, mib: int) -> Iterator[None]:
    folder.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "none", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=False)
