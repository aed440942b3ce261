"""From what was seen to what is wrong: no broker, no clock, only figures. Bounds are PROPOSAL."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from hub.contracts.catalogue import Acl, Topic
from hub.doctor.findings import Finding, Kind

BEHIND_MAX: Final = 10_000
"""Records that a group with members may be behind before it is told: some seconds of work."""
SNAPSHOT_AGE_MAX_S: Final = 120
"""Snapshots are due every few seconds while a log moves."""
DEAD_LETTERS_A_DAY_MAX: Final = 0
REDIS_VERSION_MIN: Final = (6, 2)
ACL_EXAMPLES: Final = 3


@dataclass(frozen=True, slots=True)
class TopicSeen:
    """One topic as the cluster has it. `config`: the settings that the catalogue speaks of."""

    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)
    replicas_missing: int = 0


@dataclass(frozen=True, slots=True)
class GroupSeen:
    """One consumer group: how many members, how far behind."""

    members: int
    behind: int


@dataclass(frozen=True, slots=True)
class MarkerSeen:
    """The newest snapshot of one partition. `stopped`: region → error and offset; `log_end`: where its log ends."""

    next: int
    log_end: int
    age_s: float
    stopped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class WorkerSeen:
    """What a worker says of itself; `status` 0 when it says nothing."""

    status: int
    not_ready: tuple[str, ...] = ()
    tables_version: int | None = None


def judge_topics(expected: Mapping[str, Topic], seen: Mapping[str, TopicSeen]) -> Iterator[Finding]:
    """Topics that lack, have other partitions, another configuration or too few replicas."""
    missing = sorted(expected.keys() - seen.keys())
    if missing:
        yield Finding(Kind.TOPIC_MISSING, f"{len(missing)} topics are missing, first {missing[0]}")
    for name in sorted(expected.keys() & seen.keys()):
        topic, held = expected[name], seen[name]
        if held.partitions != topic.partitions:
            yield Finding(
                Kind.PARTITIONS_CHANGED,
                f"topic {name} has {held.partitions} partitions, the tables say {topic.partitions}",
            )
        for setting, value in sorted(topic.config.items()):
            found = held.config.get(setting)
            if found is not None and found != value:
                yield Finding(Kind.TOPIC_CONFIG, f"topic {name} has {setting}={found}, expected {value}")
    away = sorted(name for name in seen if seen[name].replicas_missing)
    if away:
        yield Finding(Kind.REPLICAS_MISSING, f"{len(away)} topics have replicas that are not in sync, first {away[0]}")


def judge_access(expected: set[Acl], seen: set[Acl]) -> Iterator[Finding]:
    """Permissions that the catalogue grants and the cluster lacks, and the other way round."""
    for kind, word, rules in (
        (Kind.ACCESS_MISSING, "lacks", expected - seen),
        (Kind.ACCESS_SURPLUS, "has", seen - expected),
    ):
        if rules:
            told = sorted(f"{one.principal} {one.operation} {one.resource} {one.name}" for one in rules)
            yield Finding(kind, f"the cluster {word} {len(rules)} rules, first {', '.join(told[:ACL_EXAMPLES])}")


def judge_groups(expected: tuple[str, ...], seen: Mapping[str, GroupSeen]) -> Iterator[Finding]:
    """Groups that nobody works for although there is work, and groups that are far behind."""
    for name in expected:
        group = seen.get(name, GroupSeen(0, 0))
        if group.members == 0 and group.behind > 0:
            yield Finding(Kind.GROUP_WITHOUT_MEMBERS, f"group {name} has no members, {group.behind} records behind")
        elif group.behind > BEHIND_MAX:
            yield Finding(Kind.GROUP_BEHIND, f"group {name} is {group.behind} records behind, bound {BEHIND_MAX}")


def judge_markers(seen: Mapping[str, MarkerSeen]) -> Iterator[Finding]:
    """Stopped regions, and snapshots that stand still while their log moves."""
    for place, marker in sorted(seen.items()):
        for region, error in sorted(marker.stopped.items()):
            yield Finding(Kind.REGION_STOPPED, f"region {region} of {place} stands still: {error}")
        if marker.log_end > marker.next and marker.age_s > SNAPSHOT_AGE_MAX_S:
            yield Finding(
                Kind.SNAPSHOT_OLD,
                f"the snapshot of {place} is {marker.age_s:.0f} s old, {marker.log_end - marker.next} records behind; "
                f"bound {SNAPSHOT_AGE_MAX_S} s",
            )


def judge_days(last_closed: Mapping[str, date], regions: tuple[str, ...], today: date) -> Iterator[Finding]:
    """Regions whose newest closed day lies before today. A hub whose clock never spoke has none at all."""
    if not last_closed:
        yield Finding(Kind.DAY_MISSED, f"no region has closed a day yet, expected {today.isoformat()}")
        return
    late = [code for code in regions if last_closed.get(code, date.min) < today]
    if late:
        oldest = min(last_closed.get(code, date.min) for code in late)
        since = "never" if oldest == date.min else oldest.isoformat()
        yield Finding(
            Kind.DAY_MISSED,
            f"{len(late)} regions have not closed {today.isoformat()}, first {late[0]}; last day {since}",
        )


def judge_dead_letters(since_yesterday: Mapping[str, int]) -> Iterator[Finding]:
    """Tenants of whose records some were refused in the last day, those with most first."""
    grown = [(-count, topic) for topic, count in since_yesterday.items() if count > DEAD_LETTERS_A_DAY_MAX]
    if grown:
        told = ", ".join(f"{topic} {-count}" for count, topic in sorted(grown))
        yield Finding(Kind.DEAD_LETTERS_GROW, f"dead letters of the last 24 hours: {told}")


def judge_statements(refused: Mapping[str, list[tuple[int, int]]]) -> Iterator[Finding]:
    """Statements that a waitlist tool would not have, by topic: first and last offset of each range."""
    for topic, ranges in sorted(refused.items()):
        if ranges:
            count = sum(last - first + 1 for first, last in ranges)
            yield Finding(
                Kind.STATEMENTS_REFUSED,
                f"the waitlist tool refused {count} statements of {topic}, first {ranges[0][0]}",
            )


def judge_workers(seen: Mapping[str, WorkerSeen], tables_version: int) -> Iterator[Finding]:
    """Workers that say nothing, are not ready, or work by other tables."""
    for name, worker in sorted(seen.items()):
        if worker.status == 0:
            yield Finding(Kind.WORKER_SILENT, f"worker {name} does not answer")
            continue
        if worker.not_ready:
            yield Finding(Kind.WORKER_NOT_READY, f"worker {name} is not ready: {', '.join(worker.not_ready)}")
        if worker.tables_version not in (None, tables_version):
            yield Finding(
                Kind.WORKER_OTHER_TABLES,
                f"worker {name} works by tables version {worker.tables_version}, in force is {tables_version}",
            )


def judge_redis_version(found: str, is_valkey: bool) -> Iterator[Finding]:
    """Redis before 6.2 lacks commands of ours; every Valkey has them."""
    numbers = tuple(int(part) for part in found.split(".")[:2] if part.isdigit())
    if not is_valkey and numbers < REDIS_VERSION_MIN:
        wanted = ".".join(map(str, REDIS_VERSION_MIN))
        yield Finding(Kind.REDIS_TOO_OLD, f"Redis is version {found}, expected {wanted} or later")


def judge_read_model(positions: Mapping[int, int], ends: Mapping[int, int]) -> Iterator[Finding]:
    """How far Redis is behind the facts."""
    behind = sum(max(0, end - positions.get(partition, 0)) for partition, end in ends.items())
    if behind > BEHIND_MAX or (behind and not positions):
        yield Finding(Kind.READ_MODEL_BEHIND, f"the read model is {behind} facts behind")


def judge_schemas(found: Mapping[str, set[int]], known: frozenset[int]) -> Iterator[Finding]:
    """Ids on our own logs that this release's lock does not have."""
    for topic, ids in sorted(found.items()):
        if strange := sorted(ids - known):
            yield Finding(Kind.SCHEMA_UNKNOWN, f"{topic} holds records of schema {strange[0]}, which the lock lacks")
