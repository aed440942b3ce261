"""Makes topics, users and access rules of a cluster what the catalogue says, and hands the tables to the workers.

Safe to repeat: what is right stays, what is missing comes, access that the catalogue does not grant goes. Nothing is
ever deleted that holds data, and a log with another number of partitions is refused, not changed. Tables that may not
follow the ones in force are refused before anything is touched.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
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

from hub.contracts import catalogue, control, tables
from hub.contracts.catalogue import ADMIN
from hub.domain.reference import Reference
from hub.errors import PartitionCountChanged, UsageError, WorldUnavailable
from hub.local.dump import READ_WHOLE, control_records

ANSWER_S: Final = 60.0
SCRAM_ITERATIONS: Final = 4096
"""The least that the mechanism allows. Passwords here are long and random, so guessing is hopeless at any count."""
LOG_CRITICAL: Final = 2
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
    bootstrap_servers: str,
    passwords: Mapping[str, str],
    reference: Reference,
    extra: Mapping[str, str] | None = None,
    now_ms: int | None = None,
) -> Applied:
    """Make it so. `passwords`: by principal, the administrator's among them; `extra`: settings of the client (TLS).

    `now_ms`: the time (milliseconds since 1970; now when left out), by which tenants that ended lose their inbox.

    UsageError when a password is missing or the tables may not follow those in force, PartitionCountChanged for a log
    of another size, WorldUnavailable when the cluster does not answer or refuses the administrator. Nothing is changed
    before all of that is known.
    """
    config = admin_config(bootstrap_servers, passwords, reference, extra)
    admin = AdminClient(config)
    now_ms = int(time.time() * 1000) if now_ms is None else now_ms
    try:
        check_sizes(admin, reference)
        before = in_force_at(config)
        if before is not None:
            _refuse_unsound(before.reference, reference, now_ms)
            _refuse_generation(before.reference, reference)
        applied = make(admin, reference, passwords, now_ms)
        if before is None or before.reference.version != reference.version:
            activate(config, reference, None if before is None else before.reference)
    except KafkaException as problem:
        error = problem.args[0]
        raise WorldUnavailable(
            f"Kafka at {bootstrap_servers} did not do what was asked: {error.str()}. "
            "Check that it runs and that the administrator's password is right; then apply again."
        ) from problem
    return applied


def admin_config(
    bootstrap_servers: str, passwords: Mapping[str, str], reference: Reference, extra: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Settings of the administrator's clients. UsageError when the password of a principal is missing."""
    missing = [name for name in (ADMIN, *catalogue.principals(reference)) if name not in passwords]
    if missing:
        raise UsageError(f"no password for {', '.join(missing[:5])}; give one for every principal of `hub topics plan`")
    return {
        "bootstrap.servers": bootstrap_servers,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": ADMIN,
        "sasl.password": passwords[ADMIN],
        "client.id": "hub-topics",
        "log_level": LOG_CRITICAL,
        **(extra or {}),
    }


def make(admin: AdminClient, reference: Reference, passwords: Mapping[str, str], now_ms: int | None = None) -> Applied:
    """Topics, users and access rules of these tables, whether or not they are in force."""
    found = check_sizes(admin, reference)
    users = _users(admin, reference, passwords)
    topics = _topics(admin, found, reference)
    added, removed = _rules(admin, reference, int(time.time() * 1000) if now_ms is None else now_ms)
    _wait(users.values())
    return Applied(topics, len(users), added, removed)


def _users(admin: AdminClient, reference: Reference, passwords: Mapping[str, str]) -> Mapping[str, "Future[Any]"]:
    mechanism = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, SCRAM_ITERATIONS)
    wanted = [
        UserScramCredentialUpsertion(name, mechanism, passwords[name].encode())
        for name in catalogue.principals(reference)
    ]
    asked: Mapping[str, Future[Any]] = admin.alter_user_scram_credentials(wanted, request_timeout=ANSWER_S)
    return asked


def check_sizes(admin: AdminClient, reference: Reference) -> dict[str, int]:
    """How many partitions each topic has; PartitionCountChanged where that is not what the tables say."""
    found = {name: len(topic.partitions) for name, topic in admin.list_topics(timeout=ANSWER_S).topics.items()}
    for topic in catalogue.topics_for(reference):
        if (held := found.get(topic.name, topic.partitions)) != topic.partitions:
            raise PartitionCountChanged(
                f"topic {topic.name} has {held} partitions, the tables say {topic.partitions}; inside "
                "a generation the count never changes: restore the topic, or open a new generation"
            )
    return found


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


def _rules(admin: AdminClient, reference: Reference, now_ms: int) -> tuple[int, int]:
    wanted = dict.fromkeys(_rule(acl) for acl in catalogue.acls_for(reference, now_ms))
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


def in_force_at(config: Mapping[str, Any]) -> control.InForce | None:
    """What a cluster's control topic says; None for a cluster that has none yet."""
    consumer = Consumer({**config, **READ_WHOLE, "group.id": "hub.admin.control"})
    try:
        if catalogue.CONTROL not in consumer.list_topics(timeout=ANSWER_S).topics:
            return None
        records = control_records(consumer)
        return control.read(records) if any(r.key.startswith(control.ACTIVATION) for r in records) else None
    finally:
        consumer.close()


def activate(config: Mapping[str, Any], reference: Reference, before: Reference | None) -> None:
    """Hand the tables to the workers, and put them in force: by the broker's clock no row may begin too soon."""
    appended_ms = publish_control(config, *control.tables_record(reference))
    if before is not None:
        _refuse_unsound(before, reference, appended_ms)
    publish_control(config, *control.activation_record(reference, None if before is None else before.version))


def _refuse_generation(before: Reference, reference: Reference) -> None:
    if reference.generation != before.generation:
        raise UsageError(
            f"the tables are of generation {reference.generation}, in force is {before.generation}; "
            "hub generation open carries the state over"
        )


def _refuse_unsound(before: Reference, reference: Reference, now_ms: int) -> None:
    if reference.version == before.version:
        if tables.render(reference) != tables.render(before):
            raise UsageError(
                f"tables version {reference.version} is in force with other content; what is in force never changes: "
                "raise the version"
            )
        return
    if faults := tables.succession_faults(before, reference, now_ms):
        raise UsageError(f"tables version {reference.version} may not follow {before.version}: {'; '.join(faults)}")


def publish_control(config: Mapping[str, Any], key: str, value: bytes | None) -> int:
    """Write one record of the control topic; its append time in milliseconds."""
    answers: list[tuple[Any, int]] = []
    producer = Producer({**config, "acks": "all", "message.max.bytes": catalogue.INBOX_BYTES_MAX})
    producer.produce(
        catalogue.CONTROL,
        value,
        key.encode(),
        partition=0,
        on_delivery=lambda error, message: answers.append((error, message.timestamp()[1])),
    )
    if producer.flush(ANSWER_S) or not answers:
        raise WorldUnavailable(
            f"topic {catalogue.CONTROL} did not take {key} within {ANSWER_S:.0f} s; run the same command again"
        )
    [(error, appended_ms)] = answers
    if error is not None:
        raise KafkaException(error)
    return appended_ms


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
