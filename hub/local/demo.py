"""`hub demo`: everything on this machine. Kafka and Valkey as deployed, the hub's workers as processes of their own,
a simulated nation that publishes as tenants do, the page, and at the end the auditor's verdict.
"""

import json
import os
import secrets
import signal
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from hub.audit.verify import verify_dump
from hub.contracts import catalogue
from hub.contracts.redis_access import RULES
from hub.domain.reference import Reference, Role
from hub.errors import WorldUnavailable
from hub.local.dump import dump_redis, dump_topics
from hub.local.kafka import KafkaCluster
from hub.local.ports import LOOPBACK, free_ports
from hub.local.processes import Workers, remove_folder, scratch_folder
from hub.local.progress import progress
from hub.local.provision import apply
from hub.local.rest import wait_until_idle
from hub.local.simulate import live_through
from hub.local.simulator import national
from hub.local.simulator.live import Live
from hub.local.simulator.tenants import connect
from hub.local.summary import Summary, summarise
from hub.local.valkey import Valkey, ValkeyUser

ROLES: Final[Mapping[str, tuple[str, ...]]] = {
    "intake": ("intake",),
    "region": ("region",),
    "duplicates": ("duplicates",),
    "delivery": ("delivery", "read-model"),
}
"""Worker → its roles. One process each, so that each can be killed and seen apart; the console is one more."""
ASKED_TO_END: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
READY_S: Final = 60.0
AUDITOR: Final = "auditor"
AUDITOR_RULES: Final = "%R~* -@all +@read +ping +hello +auth +client|setinfo +client|setname +select"
"""Reads every key of the read model, for the dump."""


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What `hub demo` was asked. `speed`: simulated days a second while a person watches."""

    seed: int
    clients: int
    speed: float
    until_idle: bool
    dump: Path | None
    as_json: bool


@dataclass
class Stack:
    """What runs: addresses, passwords and workers. Everything ends with the context that made it."""

    kafka: KafkaCluster
    valkey: Valkey
    workers: Workers
    folder: Path
    keys: Path
    console_url: str
    health: Mapping[str, str]
    passwords: dict[str, str] = field(default_factory=dict)

    @property
    def stack_file(self) -> Path:
        """How `hub doctor` finds this hub."""
        return self.keys / "stack.json"

    @property
    def tenants_file(self) -> Path:
        """Passwords of the tenants and of the auditor: who tries the hub takes any part."""
        return self.keys / "tenants.json"

    def auditor(self) -> dict[str, Any]:
        """Settings of a client that may read everything and write nothing."""
        return {
            "bootstrap.servers": self.kafka.bootstrap,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": catalogue.AUDITOR,
            "sasl.password": self.passwords[catalogue.AUDITOR],
        }


def run_demo(options: DemoOptions) -> int:
    """Run it; the exit code. 0: every input has its receipt and the oracle agrees."""
    for number in ASKED_TO_END:  # Ctrl-C too: a shell that starts us in the background has switched it off
        signal.signal(number, _interrupt)
    quiet = options.as_json or not sys.stderr.isatty()
    screen = Console(stderr=True, quiet=options.as_json)
    try:
        with _scratch("kraamzorg-demo-") as scratch:
            folder = options.dump or scratch / "dump"
            summary = _run(options, folder, screen, quiet)
    except KeyboardInterrupt:
        screen.print("stopped")
        return 130
    return 0 if summary.sound else 1


def _interrupt(number: int, _: object) -> None:
    for again in ASKED_TO_END:  # once is enough: an end that is interrupted itself is the guardian's to finish
        signal.signal(again, signal.SIG_IGN)
    raise KeyboardInterrupt


@contextmanager
def _scratch(prefix: str) -> Iterator[Path]:
    """A folder of ours alone that goes with us, also after kill -9."""
    folder = scratch_folder(prefix)
    try:
        yield folder
    finally:
        remove_folder(folder)


def _run(options: DemoOptions, folder: Path, screen: Console, quiet: bool) -> Summary:
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as running:
        with progress(screen, quiet) as tell:
            tell("starting Kafka and Valkey", 0, 1)
            stack = prepare(running, folder)
            with ThreadPoolExecutor(1) as beside:
                drawing = beside.submit(national.build, options.seed, options.clients)
                running.enter_context(stack.kafka)
                running.callback(stack.workers.stop)  # whatever ends it: before the broker that they say goodbye to
                nation = drawing.result()
            start_hub(stack, nation.reference)
            tell("starting Kafka and Valkey", 1, 1)
            screen.print(f"console: {stack.console_url}")
            tenants = connect(nation.reference, stack.kafka.tenant_bootstrap, stack.passwords)
            for client in tenants.values():
                running.callback(client.close)
            live = Live(nation, tenants, tell)
            try:
                live_through(live, None if options.until_idle else options.speed)
                wait_until_idle(stack.kafka.admin(), nation.reference, stack.valkey.url(AUDITOR))
            except WorldUnavailable:
                if options.dump is not None:  # what there is tells why
                    dump_topics(folder, stack.auditor())
                raise
            _write_metrics(stack, folder / "metrics.txt")
            dump_redis(folder / "redis.jsonl", stack.valkey.url(AUDITOR))
            if options.until_idle:
                stack.workers.stop()
            dump_topics(folder, stack.auditor(), lambda done, whole: tell("dump", done, whole))
            live.truth.write(folder / "truth.jsonl")
            tell("oracle", 0, 1)
            verdict = verify_dump(folder)
            tell("oracle", 1, 1)
        summary = summarise(folder, nation.reference, verdict, live.measured)
        if options.as_json:
            sys.stdout.write(json.dumps(summary.as_json(), ensure_ascii=False) + "\n")
            sys.stdout.flush()
        else:
            _show(summary, stack.console_url)
        if not options.until_idle:
            screen.print(f"the page stays at {stack.console_url}; Ctrl-C ends everything")
            screen.print(f"to look at its health: hub doctor --stack {stack.stack_file}", soft_wrap=True)
            reached = (
                f"KAFKA_BOOTSTRAP_SERVERS={stack.kafka.tenant_bootstrap} HUB_CREDENTIALS_FILE={stack.tenants_file}"
            )
            package = nation.reference.by_role[Role.PACKAGE][0]
            screen.print(f"to take a tenant's part: {reached} hub dlq list --tenant {package}", soft_wrap=True)
            with _quiet_end():
                signal.pause()
    return summary


@contextmanager
def _quiet_end() -> Iterator[None]:
    """Ctrl-C is how a watched demo ends: no failure."""
    try:
        yield
    except KeyboardInterrupt:
        return


def prepare(running: ExitStack, folder: Path) -> Stack:
    """Valkey, and the page that reads it: they need no Kafka, so they start while Kafka does."""
    keys = running.enter_context(_scratch("kraamzorg-keys-"))
    users = (("read-model", RULES["read-model"]), ("console", RULES["console"]), (AUDITOR, AUDITOR_RULES))
    valkey = running.enter_context(Valkey([ValkeyUser(name, secrets.token_hex(24), rules) for name, rules in users]))
    workers = running.enter_context(Workers(folder / "output.jsonl"))
    console_port, *ports = free_ports(1 + len(ROLES))
    health = {name: f"http://{LOOPBACK}:{port}" for name, port in zip(ROLES, ports, strict=True)}
    env = {
        "REDIS_URL": valkey.url("console"),
        "HUB_CONSOLE_PORT": str(console_port),
        "HUB_CONSOLE_WORKERS": json.dumps(health),
    }
    workers.add("console", _hub_run("console"), _bare_environment() | env)
    kafka = KafkaCluster()
    return Stack(kafka, valkey, workers, folder, keys, f"http://{LOOPBACK}:{console_port}/", health)


def start_hub(stack: Stack, reference: Reference, limits: Mapping[str, str] = MappingProxyType({})) -> None:
    """Topics, users and rules, then every worker with no more than its own passwords; returns when all are ready.

    `limits`: settings (`HUB_LIMITS__…`) for the workers, for tests that cannot wait as long as a deployment may.
    """
    kafka = stack.kafka
    stack.passwords = {name: secrets.token_hex(24) for name in catalogue.principals(reference)}
    _write_stack_file(stack)
    _write_secret(stack.tenants_file, {name: stack.passwords[name] for name in (*reference.tenant, catalogue.AUDITOR)})
    apply(kafka.bootstrap, {**stack.passwords, kafka.admin_user: kafka.admin_password}, reference)
    for name, roles in ROLES.items():
        keys = stack.keys / f"{name}.json"
        _write_secret(keys, {p: stack.passwords[p] for p in map(catalogue.PRINCIPAL_OF_ROLE.__getitem__, roles)})
        env = {
            "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap,
            "HUB_CREDENTIALS_FILE": str(keys),
            "HUB_HEALTH_PORT": stack.health[name].rsplit(":", 1)[1],
            "HUB_INSTANCE": name,
            **limits,
        }
        if "read-model" in roles:
            env["REDIS_URL"] = stack.valkey.url("read-model")
        stack.workers.add(name, _hub_run(*roles), _bare_environment() | env)
    ready = [f"{base}/readyz" for base in stack.health.values()]
    _wait_ready([*ready, f"{stack.console_url}readyz"], stack.folder / "output.jsonl")


def _write_stack_file(stack: Stack) -> None:
    """What `hub doctor --stack` needs to look at this hub."""
    told = {
        "bootstrap_servers": stack.kafka.bootstrap,
        "principal": stack.kafka.admin_user,
        "password": stack.kafka.admin_password,
        "redis_url": stack.valkey.url(AUDITOR),
        "workers": dict(stack.health),
        "simulated": True,
    }
    _write_secret(stack.stack_file, told)


def _write_secret(path: Path, told: Mapping[str, Any]) -> None:
    """For this user's eyes, and gone with the demo."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(told), "utf-8")


def _hub_run(*roles: str) -> list[str]:
    return [sys.executable, "-m", "hub", "run", *(word for role in roles for word in ("--role", role))]


def _bare_environment() -> dict[str, str]:
    """Ours, without what would tell a worker to reach another hub than this one."""
    return {key: value for key, value in os.environ.items() if not key.startswith(("HUB_", "KAFKA_", "REDIS_"))}


def _wait_ready(urls: list[str], output: Path) -> None:
    give_up_at = time.monotonic() + READY_S
    for url in urls:
        while not _answers(url):
            if time.monotonic() > give_up_at:
                lines = output.read_text("utf-8", errors="replace").splitlines()[-10:]
                raise WorldUnavailable(
                    f"a worker was not ready within {READY_S:.0f} s ({url}); last lines:\n" + "\n".join(lines)
                )
            time.sleep(0.05)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310  # our own loopback address
            return bool(answer.status == 200)
    except OSError:
        return False


def _write_metrics(stack: Stack, path: Path) -> None:
    with path.open("w", encoding="utf-8") as out:
        for name, base in {**stack.health, "console": stack.console_url.rstrip("/")}.items():
            with urllib.request.urlopen(f"{base}/metrics", timeout=5) as answer:  # noqa: S310  # our own loopback address
                out.write(f"# worker {name}\n{answer.read().decode()}\n")


def _show(summary: Summary, url: str) -> None:
    table = Table(title="A simulated nation through the hub", show_header=False)
    for name, value in summary.lines():
        table.add_row(name, value)
    out = Console()
    out.print(table)
    out.print(f"console: {url}")
