"""Makes topics, users and access rules of a cluster what the catalogue says, and hands the tables to the workers.

Safe to repeat: what is right stays, what is missing comes, access that the catalogue does not grant goes. Nothing is
ever deleted that holds data, and a log with another number of partitions is refused, not changed.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaException, Producer
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

    UsageError when a password is missing, PartitionCountChanged for a log of another size, WorldUnavailable when the
    cluster does not answer or refuses the administrator.
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
        users = _users(admin, reference, passwords)
        topics = _topics(admin, reference)
        added, removed = _rules(admin, reference)
        _wait(users.values())
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


def _topics(admin: AdminClient, reference: Reference) -> int:
    found = admin.list_topics(timeout=ANSWER_S).topics
    wanted = list(catalogue.topics_for(reference))
    for topic in wanted:
        held = found.get(topic.name)
        if held is not None and len(held.partitions) != topic.partitions:
            raise PartitionCountChanged(
                f"topic {topic.name} has {len(held.partitions)} partitions, the tables say {topic.partitions}; inside "
                "a generation the count never changes: restore the topic, or open a new generation"
            )
    new = [NewTopic(t.name, t.partitions, -1, config=t.config) for t in wanted if t.name not in found]
    for part in _batches(new):
        _wait(admin.create_topics(part, operation_timeout=ANSWER_S, request_timeout=ANSWER_S).values())
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
    everything = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
    )
    held = admin.describe_acls(everything, request_timeout=ANSWER_S).result()
    found = {
        (b.principal.removeprefix("User:"), b.restype, b.name, b.resource_pattern_type, b.operation)
        for b in held
        if b.permission_type is AclPermissionType.ALLOW
    }
    added = [_binding(rule) for rule in wanted if rule not in found]
    for part in _batches(added):
        _wait(admin.create_acls(part, request_timeout=ANSWER_S).values())
    gone = sorted(found - wanted.keys(), key=str)
    for part in _batches([_filter(rule) for rule in gone]):
        _wait(admin.delete_acls(part, request_timeout=ANSWER_S).values())
    return len(added), len(gone)


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
        f"tables/{reference.version}".encode(),
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


def _wait(asked: Iterable["Future[Any]"]) -> None:
    for future in asked:
        future.result(ANSWER_S)
