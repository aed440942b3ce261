"""Makes topics, users and access rules of a cluster what the catalogue says, and hands the tables to the workers.

Safe to repeat: what is right stays, what is missing comes, access that the catalogue does not grant goes. Nothing is
ever deleted that holds data, and a log with another number of partitions is refused, not changed. So are tables that
say something else under a version that workers have seen: two workers would route by different tables.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, fields
from typing import Any, Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from hub.contracts import catalogue, tables
from hub.domain.reference import Reference
from hub.errors import PartitionCountChanged, UsageError, WorldUnavailable
from hub.local.control import key_of, tables_held

ADMIN: Final = "admin"
ANSWER_S: Final = 60.0
SCRAM_ITERATIONS: Final = 4096
"""The least that the mechanism allows. Passwords here are long and random, so guessing is hopeless at any count."""
LOG_ERRORS: Final = 3
"""Of syslog: what a client retries by itself is no news."""
AT_ONCE: Final = 200
"""Topics or rules in one request; a controller takes a bounded batch at a time."""
_RESOURCES: Final = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional_id": ResourceType.TRANSACTIONAL_ID,
}
_OPERATIONS: Final = {"read": AclOperation.READ, "write": AclOperation.WRITE, "describe": AclOperation.DESCRIBE}
_Rule = tuple[str, ResourceType, str, ResourcePatternType, AclOperation]


@dataclass(frozen=True, slots=True)
class Applied:
    """How many of each were made or changed."""

    topics: int
    users: int
    rules_added: int
    rules_removed: int


def apply(
    bootstrap_servers: str, passwords: Mapping[str, str], reference: Reference, extra: Mapping[str, str] | None = None
) -> Applied:
    """Make it so. `passwords`: by principal, the administrator's among them; `extra`: settings of the client (TLS).

    UsageError when a password is missing or the tables contradict those in force, PartitionCountChanged for a log of
    another size, WorldUnavailable when the cluster does not answer or refuses the administrator. Nothing is changed
    before all of that is known.
    """
    missing = [name for name in (ADMIN, *catalogue.principals(reference)) if name not in passwords]
    if missing:
        raise UsageError(f"no password for {', '.join(missing[:5])}; give one for every principal of `hub topics plan`")
    config: dict[str, Any] = {
        "bootstrap.servers": bootstrap_servers,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": ADMIN,
        "sasl.password": passwords[ADMIN],
        "client.id": "hub-topics",
        "log_level": LOG_ERRORS,
        **(extra or {}),
    }
    admin = AdminClient(config)
    try:
        found = {name: len(topic.partitions) for name, topic in admin.list_topics(timeout=ANSWER_S).topics.items()}
        _check_sizes(found, reference)
        held = _tables_held(config) if catalogue.CONTROL in found else {}
        _check_tables(held, reference)
        users = _users(admin, reference, passwords)
        topics = _topics(admin, found, reference)
        added, removed = _rules(admin, reference)
        _wait(users.values())
        if reference.version not in held:
            _publish_tables(config, reference)
    except KafkaException as problem:
        error = problem.args[0]
        raise WorldUnavailable(
            f"Kafka at {bootstrap_servers} did not do what was asked: {error.str()}. "
            "Check that it runs and that the administrator's password is right; then apply again."
        ) from problem
    return Applied(topics, len(users), added, removed)


def _users(admin: AdminClient, reference: Reference, passwords: Mapping[str, str]) -> Mapping[str, "Future[Any]"]:
    mechanism = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, SCRAM_ITERATIONS)
    wanted = [
        UserScramCredentialUpsertion(name, mechanism, passwords[name].encode())
        for name in catalogue.principals(reference)
    ]
    asked: Mapping[str, Future[Any]] = admin.alter_user_scram_credentials(wanted, request_timeout=ANSWER_S)
    return asked


def _check_sizes(found: Mapping[str, int], reference: Reference) -> None:
    for topic in catalogue.topics_for(reference):
        if (held := found.get(topic.name, topic.partitions)) != topic.partitions:
            raise PartitionCountChanged(
                f"topic {topic.name} has {held} partitions, the tables say {topic.partitions}; inside "
                "a generation the count never changes: restore the topic, or open a new generation"
            )


def _tables_held(config: Mapping[str, Any]) -> dict[int, bytes]:
    consumer = Consumer(
        {
            **config,
            "group.id": "hub.topics",  # never joined
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
            "message.max.bytes": catalogue.INBOX_BYTES_MAX,
        }
    )
    try:
        return tables_held(consumer)
    finally:
        consumer.close()


def _check_tables(held: Mapping[int, bytes], reference: Reference) -> None:
    """Refuse what no worker could follow: another content of a version, an older version, a region that moves."""
    if not held:
        return
    newest = max(held)
    if reference.version < newest:
        raise UsageError(
            f"the tables are version {reference.version}, version {newest} is in force; "
            f"give changed tables version {newest + 1}"
        )
    before, now = tables.parse(held[newest]), tables.parse(tables.render(reference))
    if now.version == newest and now != before:
        raise UsageError(
            f"the tables differ from the version {newest} that is in force, in {_where(before, now)}; a version "
            f"never changes: give changed tables version {newest + 1}"
        )
    for row in before.regions:
        moved = now.region.get(row.code)
        if moved is not None and moved.partition != row.partition:
            raise UsageError(
                f"region {row.code} moves from log partition {row.partition} to {moved.partition}; its order "
                "would break: leave it where it is, or open a new generation"
            )


def _where(before: Reference, after: Reference) -> str:
    """The tables that differ, by name."""
    names = [field.name for field in fields(Reference) if getattr(before, field.name) != getattr(after, field.name)]
    return ", ".join(names)


def _topics(admin: AdminClient, found: Mapping[str, int], reference: Reference) -> int:
    wanted = list(catalogue.topics_for(reference))
    new = [NewTopic(t.name, t.partitions, -1, config=t.config) for t in wanted if t.name not in found]
    for part in _batches(new):
        _wait_made(admin.create_topics(part, operation_timeout=ANSWER_S, request_timeout=ANSWER_S).values())
    kept = [
        ConfigResource(
            ConfigResource.Type.TOPIC,
            t.name,
            incremental_configs=[
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                for name, value in t.config.items()
            ],
        )
        for t in wanted
        if t.name in found
    ]
    for part in _batches(kept):
        _wait(admin.incremental_alter_configs(part, request_timeout=ANSWER_S).values())
    return len(new)


def _rules(admin: AdminClient, reference: Reference) -> tuple[int, int]:
    wanted = dict.fromkeys(_rule(acl) for acl in catalogue.acls_for(reference))
    found = _rules_held(admin)
    added = [_binding(rule) for rule in wanted if rule not in found]
    for part in _batches(added):
        _wait(admin.create_acls(part, request_timeout=ANSWER_S).values())
    gone = sorted(found - wanted.keys(), key=str)
    for part in _batches([_filter(rule) for rule in gone]):
        _wait(admin.delete_acls(part, request_timeout=ANSWER_S).values())
    # The controller has them now; the brokers take a moment, in which a worker that starts would be turned away.
    give_up_at = time.monotonic() + ANSWER_S
    while _rules_held(admin) != wanted.keys():
        if time.monotonic() > give_up_at:
            raise WorldUnavailable(
                f"the brokers did not take over the access rules within {ANSWER_S:.0f} s; apply again"
            )
        time.sleep(0.05)
    return len(added), len(gone)


def _rules_held(admin: AdminClient) -> set[_Rule]:
    everything = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
    )
    held = admin.describe_acls(everything, request_timeout=ANSWER_S).result()
    return {
        (b.principal.removeprefix("User:"), b.restype, b.name, b.resource_pattern_type, b.operation)
        for b in held
        if b.permission_type is AclPermissionType.ALLOW
    }


def _rule(acl: catalogue.Acl) -> _Rule:
    pattern = ResourcePatternType.PREFIXED if acl.prefixed else ResourcePatternType.LITERAL
    return acl.principal, _RESOURCES[acl.resource], acl.name, pattern, _OPERATIONS[acl.operation]


def _binding(rule: _Rule) -> AclBinding:
    principal, resource, name, pattern, operation = rule
    return AclBinding(resource, name, pattern, f"User:{principal}", "*", operation, AclPermissionType.ALLOW)


def _filter(rule: _Rule) -> AclBindingFilter:
    principal, resource, name, pattern, operation = rule
    return AclBindingFilter(resource, name, pattern, f"User:{principal}", "*", operation, AclPermissionType.ALLOW)


def _publish_tables(config: Mapping[str, Any], reference: Reference) -> None:
    """The record that every worker reads before it starts. The same version again is the same record."""
    failed: list[KafkaException] = []

    def delivered(error: Any, _: Any) -> None:
        if error is not None:
            failed.append(KafkaException(error))

    producer = Producer({**config, "acks": "all", "message.max.bytes": catalogue.INBOX_BYTES_MAX})
    producer.produce(
        catalogue.CONTROL,
        tables.render(reference),
        key_of(reference.version).encode(),
        partition=0,
        on_delivery=delivered,
    )
    if producer.flush(ANSWER_S):
        raise WorldUnavailable(
            f"topic {catalogue.CONTROL} did not take the tables within {ANSWER_S:.0f} s; apply again"
        )
    if failed:
        raise failed[0]


def _batches(rows: Sequence[Any]) -> Iterable[list[Any]]:
    for start in range(0, len(rows), AT_ONCE):
        yield list(rows[start : start + AT_ONCE])


def _wait_made(asked: Iterable["Future[Any]"]) -> None:
    """As `_wait`; a topic that is there already was made by our own request, which the client repeated when a slow
    cluster did not answer it in time. Workers check its size when they start."""
    for future in asked:
        try:
            future.result(ANSWER_S)
        except KafkaException as problem:
            if problem.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise


def _wait(asked: Iterable["Future[Any]"]) -> None:
    for future in asked:
        future.result(ANSWER_S)
