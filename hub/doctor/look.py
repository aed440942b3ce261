"""Looks at a cluster, its Redis and its workers, and hands what it saw to judge.py.

Each look stands alone: where one is refused or does not answer, that is a finding and the others go on. Of records it
reads schema ids, days and snapshot markers; never a client's.
"""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from http.client import HTTPException
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
import redis
from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ConfigResource,
    OffsetSpec,
    ResourcePatternType,
    ResourceType,
)
from redis.exceptions import RedisError

from hub.contracts import catalogue, control
from hub.contracts.catalogue import Acl, of_generation
from hub.contracts.codec import decode
from hub.contracts.schemas import registry
from hub.doctor import judge
from hub.doctor.findings import Finding, Kind, in_order
from hub.domain.facts import DayClosed
from hub.domain.reference import Reference, Role
from hub.errors import HubError, WorldUnavailable
from hub.local.dump import READ_WHOLE, control_records, read_whole
from hub.local.offsets import committed, ends, known_groups, notes
from hub.local.rest import hops, shown_positions
from hub.streams.folds import FOLDS
from hub.streams.machine import Marker, marker_key
from hub.streams.offset_notes import ranges_of
from hub.streams.read_model import POSITIONS

AMSTERDAM: Final = ZoneInfo("Europe/Amsterdam")
ANSWER_S: Final = 10.0
CONNECT_S: Final = 2.0
CONNECT_TRIES: Final = 4
DAY_MS: Final = 86_400_000
TAIL_RECORDS: Final = 200
"""How many of the newest records of a log are asked for their schema."""
DAY_GRACE_S: Final = 300
"""So long after midnight a region may still be closing yesterday's state."""
GROUP: Final = f"{catalogue.GROUPS[catalogue.AUDITOR][0]}.doctor"
"""Below the auditor's name, so that it may look as well; the administrator may use any."""
_RESOURCES: Final = {
    ResourceType.TOPIC: "topic",
    ResourceType.GROUP: "group",
    ResourceType.TRANSACTIONAL_ID: "transactional_id",
}


@dataclass(frozen=True, slots=True)
class Stack:
    """How to reach what is looked at. `redis_url` None: no Redis is looked at; `workers`: base address by name.

    `simulated`: its days are not the calendar's, so none can be missed.
    """

    bootstrap_servers: str
    principal: str
    password: str = field(repr=False)
    redis_url: str | None = field(repr=False, default=None)
    workers: Mapping[str, str] = field(default_factory=dict)
    security: Mapping[str, str] = field(default_factory=lambda: {"security.protocol": "SASL_PLAINTEXT"})
    simulated: bool = False


def examine(stack: Stack, now: Callable[[], float] = time.time) -> list[Finding]:
    """Everything that is wrong, what explains the rest first."""
    return in_order(list(_Doctor(stack, now).findings()))


class _Doctor:
    def __init__(self, stack: Stack, now: Callable[[], float]) -> None:
        self._stack = stack
        self._now = now
        self._errors: list[KafkaError] = []
        self._config: dict[str, Any] = {
            "bootstrap.servers": stack.bootstrap_servers,
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": stack.principal,
            "sasl.password": stack.password,
            "client.id": "hub-doctor",
            "log_level": 0,
            "error_cb": self._errors.append,
            **stack.security,
        }

    def findings(self) -> Iterator[Finding]:
        yield from self._redis()
        admin = AdminClient(self._config)
        seen = self._connected(admin)
        if seen is None:
            yield self._unreachable()
            return
        in_force = yield from self._tables(seen)
        if in_force is None:
            return
        reference = in_force.reference
        if in_force.closing:
            yield Finding(Kind.GENERATION_CLOSING, f"generation {reference.generation} is being closed; inboxes wait")
        yield from self._workers(reference)
        expected = {topic.name: topic for topic in catalogue.topics_for(reference)}
        here = {name: topic for name, topic in expected.items() if name in seen}
        looks: tuple[tuple[str, Callable[[], Iterator[Finding]]], ...] = (
            ("topics", lambda: self._topics(admin, expected, seen)),
            ("access rules", lambda: self._access(admin, reference)),
            ("groups", lambda: self._groups(admin, reference, here)),
            ("snapshots", lambda: self._markers(admin, reference, here)),
            ("days", lambda: self._days(reference, here)),
            ("dead letters", lambda: self._dead_letters(admin, here)),
            ("statements", lambda: self._statements(admin, reference)),
            ("schemas", lambda: self._schemas(reference, here)),
            ("read model", lambda: self._read_model(admin, reference, here)),
        )
        for what, look in looks:
            yield from self._guarded(what, look)

    def _guarded(self, what: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
        try:
            yield from look()
        except KafkaException as problem:
            yield Finding(Kind.NOT_ALLOWED_TO_LOOK, f"{what}: {problem.args[0].str()}, as {self._stack.principal}")
        except WorldUnavailable as problem:
            yield Finding(Kind.NOT_ALLOWED_TO_LOOK, f"{what}: {problem}")
        except TimeoutError:  # of a future: the client's own bound was not faster
            yield Finding(Kind.NOT_ALLOWED_TO_LOOK, f"{what}: no answer in time")

    def _connected(self, admin: AdminClient) -> Mapping[str, Any] | None:
        """The topics that this user sees; None when nobody answers, or the password is refused, which is known soon."""
        for _ in range(CONNECT_TRIES):
            try:
                seen: Mapping[str, Any] = admin.list_topics(timeout=CONNECT_S).topics
                return seen
            except KafkaException:
                admin.poll(0)
            if self._refused:
                break
        return None

    @property
    def _refused(self) -> bool:
        return any(error.code() == KafkaError._AUTHENTICATION for error in self._errors)

    def _unreachable(self) -> Finding:
        where = self._stack.bootstrap_servers
        if self._refused:
            return Finding(
                Kind.PASSWORD_REFUSED, f"Kafka at {where} refused the password of user {self._stack.principal!r}"
            )
        return Finding(
            Kind.BROKER_UNREACHABLE, f"Kafka at {where} does not answer within {CONNECT_S * CONNECT_TRIES:.0f} s"
        )

    def _tables(self, seen: Mapping[str, Any]) -> Any:
        if catalogue.CONTROL not in seen:
            yield Finding(Kind.TABLES_MISSING, f"topic {catalogue.CONTROL} does not exist, or is closed to this user")
            return None
        try:
            with _closing(Consumer({**self._config, **READ_WHOLE, "log_level": 0, "group.id": GROUP})) as reader:
                return control.read(control_records(reader))
        except WorldUnavailable as problem:
            yield Finding(Kind.TABLES_MISSING, str(problem))
        except HubError as problem:
            yield Finding(Kind.TABLES_UNSOUND, str(problem))
        except KafkaException as problem:
            yield Finding(Kind.NOT_ALLOWED_TO_LOOK, f"topic {catalogue.CONTROL}: {problem.args[0].str()}")
        return None

    def _topics(
        self, admin: AdminClient, expected: Mapping[str, catalogue.Topic], seen: Mapping[str, Any]
    ) -> Iterator[Finding]:
        here = sorted(expected.keys() & seen.keys())
        asked = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in here]
        configs = {
            resource.name: future.result(ANSWER_S)
            for resource, future in admin.describe_configs(asked, request_timeout=ANSWER_S).items()
        }
        held = {
            name: judge.TopicSeen(
                len(seen[name].partitions),
                {key: entry.value for key, entry in configs[name].items()},
                sum(len(part.isrs) < len(part.replicas) for part in seen[name].partitions.values()),
            )
            for name in here
        }
        return judge.judge_topics(expected, held)

    def _access(self, admin: AdminClient, reference: Reference) -> Iterator[Finding]:
        everything = AclBindingFilter(
            ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
        )
        held = admin.describe_acls(everything, request_timeout=ANSWER_S).result(ANSWER_S)
        if not held and self._stack.principal != catalogue.ADMIN:  # who may not see them is shown none
            told = f"access rules: none is shown to {self._stack.principal}"
            return iter((Finding(Kind.NOT_ALLOWED_TO_LOOK, told),))
        seen = {
            Acl(
                binding.principal.removeprefix("User:"),
                _RESOURCES.get(binding.restype, binding.restype.name.lower()),
                binding.name,
                binding.resource_pattern_type is ResourcePatternType.PREFIXED,
                binding.operation.name.lower(),
            )
            for binding in held
            if binding.permission_type is AclPermissionType.ALLOW
        }
        return judge.judge_access(set(catalogue.acls_for(reference, int(self._now() * 1000))), seen)

    def _groups(
        self, admin: AdminClient, reference: Reference, here: Mapping[str, catalogue.Topic]
    ) -> Iterator[Finding]:
        reads = hops(reference, known_groups(admin))
        ends_now = ends(admin, [(n, p) for n in here for p in range(here[n].partitions)])
        first = ends(admin, ends_now, OffsetSpec.earliest())
        described = admin.describe_consumer_groups(list(reads), request_timeout=ANSWER_S)
        seen = {}
        for name, topics in reads.items():
            acknowledged = committed(admin, name)
            behind = sum(
                max(0, end - max(acknowledged.get(place, 0), first[place]))
                for place, end in ends_now.items()
                if place[0] in topics
            )
            seen[name] = judge.GroupSeen(_members(described[name]), behind)
        return judge.judge_groups(tuple(reads), seen)

    def _markers(
        self, admin: AdminClient, reference: Reference, here: Mapping[str, catalogue.Topic]
    ) -> Iterator[Finding]:
        seen: dict[str, judge.MarkerSeen] = {}
        for plain in FOLDS.values():
            fold = plain.in_generation(reference.generation)
            if fold.snapshots_topic not in here or fold.log_topic not in here:
                continue
            partitions = here[fold.snapshots_topic].partitions
            log_ends = ends(admin, [(fold.log_topic, p) for p in range(partitions)])
            key = marker_key(fold.state_version)
            newest: dict[int, Any] = {}
            self._read({fold.snapshots_topic: partitions}, partial(_keep, key, newest))
            for partition in range(partitions):
                if (message := newest.get(partition)) is None:
                    continue
                marker = msgspec.json.decode(message.value(), type=Marker)
                seen[f"{fold.name}, partition {partition}"] = judge.MarkerSeen(
                    marker.next,
                    log_ends[fold.log_topic, partition],
                    self._now() - message.timestamp()[1] / 1000,
                    {region: f"{stop.error}, at offset {stop.at}" for region, stop in marker.stopped.items()},
                )
        return judge.judge_markers(seen)

    def _days(self, reference: Reference, here: Mapping[str, catalogue.Topic]) -> Iterator[Finding]:
        clocks = reference.by_role[Role.CLOCK]
        if self._stack.simulated or not clocks or (topic := catalogue.out_topic("days", clocks[0])) not in here:
            return iter(())
        closed: dict[str, date] = {}
        ids: set[int] = set()

        def keep(message: Any) -> None:
            _note_schema(ids, message)
            if ids <= registry().by_id.keys() and isinstance(fact := decode(message.value()), DayClosed):
                closed[fact.region] = max(fact.date, closed.get(fact.region, date.min))

        self._read({topic: 1}, keep)
        if not ids <= registry().by_id.keys():
            return judge.judge_schemas({topic: ids}, frozenset(registry().by_id))
        moment = datetime.fromtimestamp(self._now() - DAY_GRACE_S, UTC)
        view = reference.at(int(self._now() * 1000))
        return judge.judge_days(closed, view.codes, moment.astimezone(AMSTERDAM).date())

    def _dead_letters(self, admin: AdminClient, here: Mapping[str, catalogue.Topic]) -> Iterator[Finding]:
        places = [(name, 0) for name in here if name.endswith(".dlq")]
        ends_now = ends(admin, places)
        since = ends(admin, places, OffsetSpec.for_timestamp(int(self._now() * 1000) - DAY_MS))
        return judge.judge_dead_letters(
            {name: ends_now[name, 0] - start for (name, _), start in since.items() if start >= 0}
        )  # fmt: skip

    def _statements(self, admin: AdminClient, reference: Reference) -> Iterator[Finding]:
        return judge.judge_statements(
            {
                topic: ranges_of(note)
                for tenant in reference.by_role[Role.WAITLIST]
                for (topic, _), note in notes(admin, catalogue.connector_group(tenant)).items()
            }
        )

    def _schemas(self, reference: Reference, here: Mapping[str, catalogue.Topic]) -> Iterator[Finding]:
        found: dict[str, set[int]] = {}
        for name in (catalogue.REGION_LOG, catalogue.REGION_FACTS):
            topic = of_generation(name, reference.generation)
            if topic in here:
                ids = found.setdefault(topic, set())
                self._read({topic: here[topic].partitions}, partial(_note_schema, ids), tail=TAIL_RECORDS)
        return judge.judge_schemas(found, frozenset(registry().by_id))

    def _read_model(
        self, admin: AdminClient, reference: Reference, here: Mapping[str, catalogue.Topic]
    ) -> Iterator[Finding]:
        facts = of_generation(catalogue.REGION_FACTS, reference.generation)
        if self._stack.redis_url is None or facts not in here:
            return iter(())
        try:
            client = _redis_client(self._stack.redis_url)
            held: Mapping[str, str] = client.hgetall(POSITIONS)  # type: ignore[assignment]
            client.close()
        except (RedisError, ValueError):
            return iter(())  # told already
        positions = {place[1]: at for place, at in shown_positions(held, reference.generation).items()}
        facts_ends = ends(admin, [(facts, p) for p in range(here[facts].partitions)])
        return judge.judge_read_model(positions, {place[1]: end for place, end in facts_ends.items()})

    def _redis(self) -> Iterator[Finding]:
        if self._stack.redis_url is None:
            return
        try:
            client = _redis_client(self._stack.redis_url)
            told = client.execute_command("HELLO")  # type: ignore[no-untyped-call]
            client.close()
        except (RedisError, OSError, ValueError) as problem:
            yield Finding(Kind.REDIS_UNREACHABLE, f"Redis does not answer ({type(problem).__name__})")
            return
        hello = told if isinstance(told, dict) else dict(zip(told[::2], told[1::2], strict=True))
        yield from judge.judge_redis_version(str(hello.get("version", "0")), hello.get("server") == "valkey")

    def _workers(self, reference: Reference) -> Iterator[Finding]:
        seen = {name: _ask(base.rstrip("/")) for name, base in self._stack.workers.items()}
        return judge.judge_workers(seen, reference.version)

    def _read(self, topics: Mapping[str, int], take: Callable[[Any], None], tail: int | None = None) -> None:
        with _closing(Consumer({**self._config, **READ_WHOLE, "log_level": 0, "group.id": GROUP})) as reader:
            read_whole(reader, topics, take, tail)


class _closing:
    """A consumer that is closed at the end."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer

    def __enter__(self) -> Consumer:
        return self._consumer

    def __exit__(self, *_: object) -> None:
        self._consumer.close()


def _note_schema(ids: set[int], message: Any) -> None:
    ids.add(int.from_bytes(message.value()[1:5], "big"))


def _keep(key: bytes, newest: dict[int, Any], message: Any) -> None:
    if message.key() == key and message.value() is not None:
        newest[message.partition()] = message


def _members(described: Any) -> int:
    try:
        return len(described.result(ANSWER_S).members)
    except KafkaException as problem:
        if problem.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return 0
        raise


def _redis_client(url: str) -> "redis.Redis":
    return redis.Redis.from_url(url, decode_responses=True, socket_timeout=5, socket_connect_timeout=5)


def _ask(base: str) -> judge.WorkerSeen:
    if not base.startswith(("http://", "https://")):
        return judge.WorkerSeen(0)
    try:
        with urllib.request.urlopen(f"{base}/readyz", timeout=5) as answer:  # noqa: S310  # scheme checked above
            status, body = answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            status, body = refusal.code, refusal.read()
    except (OSError, HTTPException):  # what listens there may be no worker, nor speak HTTP
        return judge.WorkerSeen(0)
    try:
        said = json.loads(body)
        not_ready = tuple(sorted(name for name, check in said.get("checks", {}).items() if not check["ready"]))
        return judge.WorkerSeen(status, not_ready, said.get("tables_version"))
    except (ValueError, KeyError, TypeError, AttributeError):
        return judge.WorkerSeen(status, ("its answer cannot be read",))
