"""The nemesis: what is done to the hub, when, and to whom. A seed gives the whole schedule, which is printed.

Every kind of fault is a function that strikes, keeps tenants publishing meanwhile, puts things right if an operator
would have to, and returns the moment from which the hub is on its own; until its lag is 0 again counts as recovery.
"""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import NewPartitions

from hub.contracts import catalogue
from hub.domain.identifiers import RegionCode
from hub.streams.crash import CrashPoint
from tests.rig.load import Load
from tests.rig.proxy import CLIENT, Rule
from tests.rig.stand import ROLES, SMALL_DISK_NODE, Stand

Clock = Callable[[], float]
NODES: Final = (1, 2, 3)
BURST: Final = 200
"""Inputs that are under way when a fault strikes."""
TRICKLE_PER_S: Final = 100
"""Inputs per second while a fault lasts."""
SETTLE_S: Final = 120.0
CRASH_WAIT_S: Final = 30.0
FROZEN_S: Final = 9.0
"""Longer than any session of the hub's groups, so that the partitions of a frozen worker move."""
LASTS_S: Final = 5.0
"""How long a fault of the network lasts."""


class Skipped(Exception):
    """This machine cannot do this to the hub; the message says why."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One line of the schedule: at how many events, what, to which worker or kind of worker, to which node."""

    at: int
    kind: str
    worker: str
    node: int
    region: int
    nth: int

    def __str__(self) -> str:
        return f"at {self.at:>8} {self.kind:<34} {self.worker:<14} node {self.node} region {self.region} nth {self.nth}"


class Chaos:
    """What a fault works with."""

    def __init__(self, stand: Stand, load: Load) -> None:
        self.stand = stand
        self.load = load
        self.arms = {kind: stand.folder / f"crash-{kind}" for kind in ROLES}

    def burst(self, count: int = BURST) -> None:
        """Send without waiting, so that the fault strikes in the middle of work."""
        for made in self.load.generator.bulk(count):
            self.load.send(made)
        self.load.poll()

    def meanwhile(self, seconds: float, until: Callable[[], bool] = lambda: False) -> bool:
        """Tenants go on publishing for so long, or until it is so. Whether it became so."""
        began = time.monotonic()
        sent = 0
        while (passed := time.monotonic() - began) < seconds:
            if until():
                return True
            due = int(passed * TRICKLE_PER_S) - sent
            if due > 0 and self.load.lag < 10_000:
                for made in self.load.generator.bulk(due):
                    self.load.send(made)
                sent += due
            self.load.poll()
            time.sleep(0.02)
        return until()

    def pid(self, worker: str) -> int:
        """The process of a worker, waited for if it is between two lives."""
        return self.stand.workers.wait_for_start(worker, 1, 30.0)


def worker_kill(chaos: Chaos, plan: Planned) -> float:
    """SIGKILL in the middle of work; the supervisor starts it again."""
    chaos.burst()
    chaos.pid(plan.worker)
    chaos.stand.workers.kill(plan.worker)
    struck = time.monotonic()
    chaos.meanwhile(1.0)
    return struck


def worker_term(chaos: Chaos, plan: Planned) -> float:
    """SIGTERM: an orderly end in the middle of work, as at a deployment."""
    chaos.burst()
    os.kill(chaos.pid(plan.worker), signal.SIGTERM)
    struck = time.monotonic()
    chaos.meanwhile(1.0)
    return struck


def zombie(chaos: Chaos, plan: Planned) -> float:
    """SIGSTOP until others have its partitions, then SIGCONT: it goes on as if they were its own."""
    chaos.burst()
    chaos.pid(plan.worker)
    chaos.stand.workers.pause(plan.worker)
    chaos.meanwhile(FROZEN_S)
    chaos.burst()
    chaos.stand.workers.resume(plan.worker)
    return time.monotonic()


def crash(point: CrashPoint, kinds: tuple[str, ...]) -> Callable[[Chaos, Planned], float]:
    """Death at a named point of the code, where it hurts most."""

    def strike(chaos: Chaos, plan: Planned) -> float:
        kind = kinds[plan.nth % len(kinds)]
        arm = chaos.arms[kind]
        arm.write_text(f"{point}@{1 + plan.nth % 3 if point is not CrashPoint.DURING_LOAD else 1}", encoding="utf-8")
        chaos.burst()
        if point is CrashPoint.DURING_LOAD:
            for worker in chaos.stand.of_kind(kind):  # all of them: one that held no partition would load nothing
                chaos.pid(worker)
                chaos.stand.workers.kill(worker)
        if not chaos.meanwhile(CRASH_WAIT_S, until=lambda: not arm.exists()):
            arm.unlink(missing_ok=True)
            raise RuntimeError(f"no {kind} worker passed {point} within {CRASH_WAIT_S:.0f} s, so nobody died there")
        return time.monotonic()

    strike.__doc__ = f"{crash.__doc__} Here: {point}."
    return strike


def broker_kill(chaos: Chaos, plan: Planned) -> float:
    """SIGKILL of a broker. It stays down until the hub has recovered without it."""
    chaos.burst()
    chaos.stand.kafka.kill(plan.node)
    struck = time.monotonic()
    chaos.meanwhile(2.0)
    return struck


def broker_pause(chaos: Chaos, plan: Planned) -> float:
    """SIGSTOP of a broker: it keeps its connections and answers nothing."""
    chaos.burst()
    chaos.stand.kafka.pause(plan.node)
    chaos.meanwhile(LASTS_S)
    chaos.stand.kafka.resume(plan.node)
    return time.monotonic()


def broker_partition(chaos: Chaos, plan: Planned) -> float:
    """A broker is cut off from everybody: no packet comes in or goes out."""
    node = str(plan.node)
    return _network(chaos, Rule("stall", to=node), Rule("stall", source=node))


def brokers_apart(chaos: Chaos, plan: Planned) -> float:
    """A broker is cut off from the others, while clients still reach it: it believes to lead and cannot commit."""
    node, others = str(plan.node), [str(n) for n in NODES if n != plan.node]
    rules = [Rule("stall", to=node, source=other) for other in others]
    return _network(chaos, *rules, *(Rule("stall", to=other, source=node) for other in others))


def half_open(chaos: Chaos, plan: Planned) -> float:
    """Requests of clients reach a broker and its answers do not come back."""
    return _network(chaos, Rule("mute", to=str(plan.node), source=CLIENT))


def acknowledgements_lost(chaos: Chaos, plan: Planned) -> float:
    """What tenants publish arrives on every broker, and no tenant is told so."""
    return _network(chaos, Rule("mute", listener="TENANT", source=CLIENT))


def slow_links(chaos: Chaos, plan: Planned) -> float:
    """Every packet to and from a broker is late."""
    return _network(chaos, Rule("delay", to=str(plan.node), ms=150 + 50 * (plan.nth % 5)))


def reset_links(chaos: Chaos, plan: Planned) -> float:
    """All connections of clients are reset, three times."""
    chaos.burst()
    for _ in range(3):
        chaos.stand.proxy.rule(Rule("reset", source=CLIENT), nodes=chaos.stand.node_pids())
        chaos.meanwhile(0.3)
        chaos.stand.proxy.rule()
        chaos.meanwhile(0.7)
    return time.monotonic()


def rebalance_storm(chaos: Chaos, plan: Planned) -> float:
    """Workers come and go faster than a group settles."""
    kind = plan.worker.rpartition("-")[0]
    for turn in range(3):
        name = f"{kind}-{10 + turn}"
        chaos.burst(100)
        chaos.stand.add(name)
        chaos.meanwhile(1.5 + plan.nth % 2)
        chaos.stand.remove(name, grace_seconds=0.0 if turn % 2 else 10.0)
    return time.monotonic()


def repeated_input(chaos: Chaos, plan: Planned) -> float:
    """A vendor sends again what it sent before, bytes and all."""
    _send(chaos, chaos.load.generator.repeats(400))
    return time.monotonic()


def reordered_input(chaos: Chaos, plan: Planned) -> float:
    """A vendor sends versions of its records in any order."""
    _send(chaos, chaos.load.generator.shuffled(400))
    return time.monotonic()


def hot_region(chaos: Chaos, plan: Planned) -> float:
    """Everything is about one region."""
    region = RegionCode(chaos.stand.reference.regions[plan.region % len(chaos.stand.reference.regions)].code)
    _send(chaos, chaos.load.generator.bulk(1_000, region))
    return time.monotonic()


def redis_down(chaos: Chaos, plan: Planned) -> float:
    """Redis is killed, and comes back with nothing in it."""
    chaos.burst()
    chaos.stand.valkey.kill()
    chaos.meanwhile(LASTS_S)
    chaos.stand.valkey.restart()
    return time.monotonic()


def redis_flushed(chaos: Chaos, plan: Planned) -> float:
    """Somebody empties Redis."""
    chaos.burst()
    chaos.stand.redis().flushall()
    return time.monotonic()


def redis_slow(chaos: Chaos, plan: Planned) -> float:
    """Redis answers late."""
    return _network(chaos, Rule("delay", to="redis", ms=400))


def disk_full(chaos: Chaos, plan: Planned) -> float:
    """The disk of a broker is full to the last byte; an operator makes room and starts it again."""
    stand = chaos.stand
    if not stand.small_disk:
        raise Skipped("a small disk needs a mount namespace of our own, which this machine does not allow")
    stand.kafka.wait_in_sync()
    chaos.burst()
    ballast = stand.folder / "kafka" / f"node-{SMALL_DISK_NODE}" / "ballast"
    _fill(ballast)
    struck = time.monotonic()
    chaos.meanwhile(30.0, until=lambda: stand.kafka.pid(SMALL_DISK_NODE) is None)
    fell = stand.kafka.pid(SMALL_DISK_NODE) is None
    chaos.load.settle(SETTLE_S)
    ballast.unlink()
    if not fell:
        stand.kafka.kill(SMALL_DISK_NODE)
    stand.kafka.restart(SMALL_DISK_NODE)
    return struck if fell else time.monotonic()


def snapshots_deleted(chaos: Chaos, plan: Planned) -> float:
    """An operator deletes the snapshots of both folds, and makes the topics anew when the workers complain."""
    topics = [catalogue.REGION_SNAPSHOTS, catalogue.MATCH_SNAPSHOTS]
    chaos.burst()
    delete_topics(chaos, topics)
    for name in (*chaos.stand.of_kind("region"), *chaos.stand.of_kind("duplicates")):
        chaos.pid(name)
        chaos.stand.workers.kill(name)
    chaos.meanwhile(2.0)
    chaos.stand.provision()
    restored = time.monotonic()
    _wait_written(chaos, topics)
    return restored


def offsets_deleted(chaos: Chaos, plan: Planned) -> float:
    """All consumer groups of the hub are gone, so every relay starts at the first record again."""
    stand = chaos.stand
    chaos.burst()
    names = stand.names
    for name in names:
        stand.workers.remove(name, 0.0)
    groups = stand.groups()
    give_up_at = time.monotonic() + SETTLE_S
    while groups and time.monotonic() < give_up_at:  # a group is not empty before its members' sessions are over
        for group, asked in stand.admin.delete_consumer_groups(groups).items():
            try:
                asked.result()
                groups.remove(group)
            except KafkaException as problem:
                if not problem.args[0].retriable() and "empty" not in problem.args[0].str().lower():
                    raise
        time.sleep(0.2)
    if groups:
        raise RuntimeError(f"groups could not be deleted: {groups}")
    chaos.burst()
    for name in names:
        stand.readd(name)
    return time.monotonic()


def partition_count(chaos: Chaos, plan: Planned) -> float:
    """Somebody gives a topic of the fold another partition: workers refuse by name, and go on once it is restored."""
    stand, topic = chaos.stand, catalogue.REGION_SNAPSHOTS
    count = stand.reference.log_partitions
    said = f"topic {topic} has {count + 1} partitions"
    chaos.burst()
    for asked in stand.admin.create_partitions([NewPartitions(topic, count + 1)]).values():
        asked.result()
    output = stand.folder / "output.jsonl"
    before = output.stat().st_size
    for name in stand.of_kind("region"):
        chaos.pid(name)
        stand.workers.kill(name)
    if not chaos.meanwhile(CRASH_WAIT_S, until=lambda: _says(output, before, said)):
        raise RuntimeError(f"no worker refused although {said}")
    delete_topics(chaos, [topic])
    stand.provision()
    restored = time.monotonic()
    _wait_written(chaos, [topic])
    return restored


KINDS: Final[dict[str, Callable[[Chaos, Planned], float]]] = {
    "worker_kill": worker_kill,
    "broker_kill": broker_kill,
    "worker_term": worker_term,
    "zombie": zombie,
    "crash_after_publish": crash(CrashPoint.AFTER_PUBLISH, ("region",)),  # links are too rare to wait for one
    "crash_before_snapshot": crash(CrashPoint.BEFORE_SNAPSHOT, ("region", "duplicates")),
    "crash_between_snapshot_and_acknowledge": crash(
        CrashPoint.BETWEEN_SNAPSHOT_AND_ACKNOWLEDGE, ("region", "duplicates")
    ),
    "crash_after_snapshot": crash(CrashPoint.AFTER_SNAPSHOT, ("region", "duplicates")),
    "crash_during_load": crash(CrashPoint.DURING_LOAD, ("region", "duplicates")),
    "crash_after_stage": crash(CrashPoint.AFTER_STAGE, ("intake", "delivery")),
    "crash_before_acknowledge": crash(CrashPoint.BEFORE_ACKNOWLEDGE, ("intake", "delivery")),
    "broker_pause": broker_pause,
    "broker_partition": broker_partition,
    "brokers_apart": brokers_apart,
    "half_open": half_open,
    "acknowledgements_lost": acknowledgements_lost,
    "slow_links": slow_links,
    "reset_links": reset_links,
    "rebalance_storm": rebalance_storm,
    "repeated_input": repeated_input,
    "reordered_input": reordered_input,
    "hot_region": hot_region,
    "redis_down": redis_down,
    "redis_flushed": redis_flushed,
    "redis_slow": redis_slow,
    "disk_full": disk_full,
    "snapshots_deleted": snapshots_deleted,
    "offsets_deleted": offsets_deleted,
    "partition_count": partition_count,
}
REREAD: Final = ("offsets_deleted", "snapshots_deleted", "partition_count")
"""After these everything is read again from the first record, so they come while the logs are short."""
BROKER_DOWN: Final = ("broker_kill", "disk_full")
"""At most one broker is down: the next fault waits until all replicas are in sync again."""


def schedule(
    seed: int, events: int, worker_kills: int, broker_kills: int, kinds: Iterable[str], workers: Iterable[str]
) -> list[Planned]:
    """The whole of what will happen; the same arguments give the same schedule. Each of `kinds` strikes once more."""
    draw = random.Random(f"nemesis/{seed}")
    names = sorted(workers)
    others = [kind for kind in kinds if kind not in ("worker_kill", "broker_kill")]
    chosen = ["worker_kill"] * worker_kills + ["broker_kill"] * broker_kills + others
    draw.shuffle(chosen)
    chosen.sort(key=lambda kind: kind not in REREAD)
    victims: list[str] = []
    while len(victims) < len(chosen):  # every worker in turn, in any order
        part = list(names)
        draw.shuffle(part)
        victims += part
    step = events / (len(chosen) + 1)
    return [
        Planned(
            at=round(step * (number + 1)),
            kind=kind,
            worker=victims.pop(),
            node=draw.choice(NODES),
            region=draw.randrange(100),
            nth=draw.randrange(12),
        )
        for number, kind in enumerate(chosen)
    ]


def _network(chaos: Chaos, *rules: Rule) -> float:
    chaos.burst()
    chaos.stand.proxy.rule(*rules, nodes=chaos.stand.node_pids())
    chaos.meanwhile(LASTS_S)
    chaos.stand.proxy.rule()
    return time.monotonic()


def _send(chaos: Chaos, inputs: Iterable[object]) -> None:
    for made in inputs:
        chaos.load.send(made)  # type: ignore[arg-type]
    chaos.load.poll()


def _fill(ballast: Path) -> None:
    """Write until the disk takes no more byte."""
    with ballast.open("wb", buffering=0) as out:
        for size in (1 << 20, 1 << 12, 1):
            piece = bytes(size)
            try:
                while True:
                    out.write(piece)
            except OSError:
                continue


def delete_topics(chaos: Chaos, topics: list[str]) -> None:
    """Delete topics, and wait until the cluster knows."""
    admin = chaos.stand.admin
    for asked in admin.delete_topics(topics, operation_timeout=30).values():
        asked.result()
    give_up_at = time.monotonic() + 30
    while set(topics) & set(admin.list_topics(timeout=10).topics):
        if time.monotonic() > give_up_at:
            raise RuntimeError(f"{topics} could not be deleted")
        time.sleep(0.1)


def _wait_written(chaos: Chaos, topics: list[str]) -> None:
    """Until every partition of the new topics holds a snapshot: only then has everything been refolded."""
    places = [(topic, n) for topic in topics for n in range(_partitions(chaos.stand, topic))]

    def written() -> bool:
        try:
            return all(chaos.stand.ends(places).values())
        except KafkaException:
            return False

    if not chaos.meanwhile(SETTLE_S, until=written):
        raise RuntimeError(f"no snapshots on {topics} after {SETTLE_S:.0f} s")


def _partitions(stand: Stand, topic: str) -> int:
    return next(t.partitions for t in catalogue.topics_for(stand.reference) if t.name == topic)


def _says(output: Path, since: int, what: str) -> bool:
    """Whether the workers' output says it beyond that byte."""
    with output.open("rb") as lines:
        lines.seek(since)
        return what.encode() in lines.read()
