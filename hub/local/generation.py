"""`hub generation open`: a new set of logs that begins with the state which the old ones left.

For what cannot change inside a generation: the number of partitions, where a region stands, the hub's own name. Nothing
is lost and nothing is read twice:

1. `closing/<generation>` on the control topic: workers start again, and intake leaves its inboxes alone.
2. Everything that the machines still say to each other is carried through, until nobody is behind and every snapshot
   stands at the end of its log.
3. The new topics are made, and nobody may write the old ones any more: whoever slept through it is refused.
4. Every part of every region becomes a record of the new logs, with a last one that counts them.
5. Intake's new group begins in each inbox where the old one stood, and the activation puts the new tables in force.

Interrupted, it is run again: until the activation the new topics are nobody's, and are made anew.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from hub.contracts import catalogue, codec, tables
from hub.contracts.catalogue import of_generation
from hub.contracts.control import closing_key
from hub.domain import events as e
from hub.domain.identifiers import RegionCode
from hub.domain.reference import Reference
from hub.errors import RuleRaised, UsageError, WorldUnavailable
from hub.local import provision
from hub.local.dump import READ_WHOLE, read_whole
from hub.local.offsets import Place, committed, ends
from hub.local.rest import hops
from hub.streams.folds import FOLDS, Fold
from hub.streams.machine import Marker, carried_hash, marker_key, rfc3339

DRAINED_WITHIN_S: Final = 300.0
QUIET_S: Final = 3.0
"""How long no log may grow and nobody be behind before the old generation counts as finished."""
LOOK_S: Final = 0.5
Snapshots = dict[int, tuple[Marker, dict[str, bytes]]]
"""Marker and parts of one fold, by partition, as the fold would load them."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What was carried over."""

    generation: int
    regions: int
    parts: int


def open_generation(
    bootstrap_servers: str,
    passwords: Mapping[str, str],
    reference: Reference,
    extra: Mapping[str, str] | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Opened:
    """Open the generation of `reference`. The workers of the old one must run, so that they can finish.

    UsageError for tables that may not follow; RuleRaised while a region stands still; WorldUnavailable when the old
    generation does not come to rest.
    """
    config = provision.admin_config(bootstrap_servers, passwords, reference, extra)
    admin = AdminClient(config)
    try:
        now = provision.in_force_at(config)
        if now is None:
            raise UsageError("no tables are in force; the first generation is opened by hub topics apply")
        before = now.reference
        if reference.generation != before.generation + 1:
            raise UsageError(
                f"generation {before.generation} is in force, the tables are of {reference.generation}; "
                f"expected {before.generation + 1}"
            )
        if faults := tables.succession_faults(before, reference, int(time.time() * 1000)):
            raise UsageError(f"tables version {reference.version} may not follow {before.version}: {'; '.join(faults)}")
        if not now.closing:
            provision.publish_control(config, closing_key(before.generation), b"{}")
        say(f"generation {before.generation} is being closed: inboxes wait, the machines finish")
        left = _wait_until_drained(admin, config, before)
        say(f"generation {before.generation} is finished; carrying its state over")
        _forget_unfinished(admin, reference)
        provision.make(admin, reference, passwords)
        opened = _carry(config, left, before, reference)
        _begin_inboxes(admin, before, reference)
        provision.activate(config, reference, before)
    except KafkaException as problem:
        raise WorldUnavailable(
            f"Kafka at {bootstrap_servers} did not do what was asked: {problem.args[0].str()}. "
            "Nothing is lost; run the same command again."
        ) from problem
    say(f"generation {opened.generation} is open")
    return opened


def _wait_until_drained(admin: AdminClient, config: Mapping[str, Any], before: Reference) -> dict[str, Snapshots]:
    """The snapshots of each fold, once nobody is behind and nothing has moved for a while.

    A fold acknowledges with its snapshot, so the snapshots are read when all is acknowledged, and not before.
    """
    takes = {  # inboxes wait: what the tenants send meanwhile is taken by the next generation
        group: [name for name in topics if not name.startswith("inbox.")] for group, topics in hops(before).items()
    }
    counts = {topic.name: topic.partitions for topic in catalogue.topics_for(before)}
    places = sorted({(name, n) for topics in takes.values() for name in topics for n in range(counts[name])})
    give_up_at, quiet_since = time.monotonic() + DRAINED_WITHIN_S, time.monotonic()
    held: object = None
    behind = ["?"]
    while time.monotonic() < give_up_at:
        now = ends(admin, places)
        stands = {group: committed(admin, group) for group in takes}
        behind = [
            f"{group} in {place[0]}/{place[1]}"
            for group, topics in takes.items()
            for place, end in now.items()
            if place[0] in topics and stands[group].get(place, 0) < end
        ]
        if behind or (now, stands) != held:
            held, quiet_since = (now, stands), time.monotonic()
        elif time.monotonic() - quiet_since >= QUIET_S:
            left = {fold.name: _snapshots(config, fold, before) for fold in _folds(before.generation)}
            if not (behind := list(_not_covered(left, now, before))):
                return left
            quiet_since = time.monotonic()
        time.sleep(LOOK_S)
    raise WorldUnavailable(
        f"generation {before.generation} did not come to rest within {DRAINED_WITHIN_S:.0f} s; behind: "
        f"{', '.join(behind[:3]) or 'its logs grow'}. Start its workers, then run the same command again."
    )


def _folds(generation: int) -> list[Fold]:
    return [fold.in_generation(generation) for fold in FOLDS.values()]


def _not_covered(left: Mapping[str, Snapshots], now: Mapping[Place, int], before: Reference) -> Iterator[str]:
    """Logs whose snapshot does not reach their end, as after its deletion; RuleRaised while a region stands still."""
    for fold in _folds(before.generation):
        for number, (marker, _) in left[fold.name].items():
            for region, stop in marker.stopped.items():
                raise RuleRaised(
                    f"region {region} of {fold.name} stands still ({stop.error}, at offset {stop.at}). Mend the rule "
                    "and let it catch up, since only whole regions are carried over; then run the same command again."
                )
            if marker.next < now[fold.log_topic, number]:
                yield f"the snapshot of {fold.name}, partition {number}"


def _snapshots(config: Mapping[str, Any], fold: Fold, before: Reference) -> Snapshots:
    """What the fold would load."""
    partitions = before.log_partitions if fold.name == "region" else 1
    parts: dict[int, dict[str, bytes]] = {number: {} for number in range(partitions)}

    def keep(message: Any) -> None:
        held, key, value = parts[message.partition()], message.key().decode(), message.value()
        if value is None:
            held.pop(key, None)
        else:
            held[key] = bytes(value)

    consumer = Consumer({**config, **READ_WHOLE, "group.id": "hub.admin.generation"})
    try:
        read_whole(consumer, {fold.snapshots_topic: partitions}, keep)
    finally:
        consumer.close()
    key, prefix = marker_key(fold.state_version).decode(), f"{fold.state_version}/"
    return {
        number: (
            msgspec.json.decode(held.pop(key), type=Marker) if key in held else Marker(0, 0, "", {}),
            {name.removeprefix(prefix): value for name, value in held.items() if name.startswith(prefix)},
        )
        for number, held in parts.items()
    }


def _forget_unfinished(admin: AdminClient, reference: Reference) -> None:
    """New topics of a run that was interrupted: not in force, so nobody has read them."""
    names = [of_generation(name, reference.generation) for name in catalogue.OF_A_GENERATION]
    held = [name for name in names if name in admin.list_topics(timeout=provision.ANSWER_S).topics]
    if held:
        for future in admin.delete_topics(held, request_timeout=provision.ANSWER_S).values():
            future.result(provision.ANSWER_S)
    give_up_at = time.monotonic() + provision.ANSWER_S
    while set(names) & admin.list_topics(timeout=provision.ANSWER_S).topics.keys():
        if time.monotonic() > give_up_at:
            raise WorldUnavailable(f"topics of an interrupted run do not go away: {', '.join(held)}; run again")
        time.sleep(0.2)


def _carry(config: Mapping[str, Any], left: Mapping[str, Snapshots], before: Reference, reference: Reference) -> Opened:
    failed: list[Any] = []
    producer = Producer({**config, "acks": "all", "enable.idempotence": True})
    regions = parts = 0
    written: dict[tuple[str, int], int] = {}
    for former in _folds(before.generation):
        log = FOLDS[former.name].in_generation(reference.generation).log_topic
        by_region: dict[str, dict[str, bytes]] = {}
        for _, held in left[former.name].values():
            for name, content in held.items():
                region, _, part = name.partition("/")
                by_region.setdefault(region, {})[part] = content
        for region, named in sorted(by_region.items()):
            target = reference.partition(RegionCode(region)) if former.name == "region" else 0
            regions, parts = regions + 1, parts + len(named)
            for event in _opening(named, before.generation, reference.generation, former.state_version):
                number = written.get((log, target), 0)
                written[log, target] = number + 1
                producer.produce(
                    log,
                    codec.encode(event),
                    region.encode(),
                    partition=target,
                    headers=_headers(event, before.generation, number, reference),
                    on_delivery=lambda error, _: failed.append(error) if error is not None else None,
                )
                producer.poll(0)
            if producer.flush(provision.ANSWER_S) or failed:
                raise WorldUnavailable(f"topic {log} did not take the carried state; run the same command again")
    return Opened(reference.generation, regions, parts)


def _opening(named: dict[str, bytes], former: int, generation: int, state_version: int) -> Iterator[Any]:
    for part, content in sorted(named.items()):
        yield e.StateCarried(generation=former, state_version=state_version, part=part, content=content)
    yield e.GenerationOpened(
        generation=generation, state_version=state_version, parts=len(named), state_hash=carried_hash(named)
    )


def _headers(event: Any, former: int, number: int, reference: Reference) -> list[tuple[str, bytes]]:
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", f"g{former}.state/{reference.generation}/{number}".encode()),
        ("ce_source", reference.urn.encode()),
        ("ce_type", codec.type_name(type(event)).encode()),
        ("ce_time", rfc3339(int(time.time() * 1000))),
        ("ce_hubsrc", f"g{former}.state/0/{number}/0".encode()),
        ("ce_hubtenant", b"hub"),
    ]


def _begin_inboxes(admin: AdminClient, before: Reference, reference: Reference) -> None:
    """Where the old intake stood, the new one begins. What it had copied and not acknowledged the folds drop."""
    stood = {
        place: offset
        for place, offset in committed(admin, f"hub.intake.g{before.generation}").items()
        if place[0].startswith("inbox.")
    }
    if not stood:
        return
    begin = ConsumerGroupTopicPartitions(
        f"hub.intake.g{reference.generation}", [TopicPartition(*place, offset) for place, offset in stood.items()]
    )
    for future in admin.alter_consumer_group_offsets([begin]).values():
        future.result(provision.ANSWER_S)
