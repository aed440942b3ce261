"""When a hub is at rest: every hop has taken all that lies before it, and nothing has come since.

Nobody's word is asked for this, neither a worker's nor its group's: who is dead, or waits for a dead member's session
to end, says nothing. What counts is what survives a kill: the offsets that a relay or a fold has committed (a fold
commits with its snapshot, after the facts below it are acknowledged), and the positions that the read model keeps in
Redis. So this holds whoever was killed and whoever has not come back yet.

Why one look is enough: the ends of all logs are read before and after the positions. If every position has reached the
earlier ends and the later ends are the same, then at that moment no record lay before anybody, and what a hop would
have written for the last record it took was written before it committed. Nothing is left that could move, but repeats
of what was written already.
"""

import time
from collections.abc import Collection, Mapping
from typing import Final

import redis
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from hub.contracts import catalogue
from hub.domain.reference import Reference, Role
from hub.errors import WorldUnavailable
from hub.local.offsets import Place, committed, ends, known_groups

REST_S: Final = 120.0
"""How long nothing at all may move before the wait is given up: a dead member's session, a load and a snapshot, and
room for a busy machine."""
LOOK_S: Final = 0.2
SHOWN_MAX: Final = 8
WEBHOOKS: Final = "hub.webhooks."
POSITIONS: Final = "hub:positions"
"""Where the read model keeps its positions (hub/streams/read_model.py)."""

Offsets = Mapping[Place, int]


def hops(reference: Reference, groups: Collection[str] = ()) -> dict[str, tuple[str, ...]]:
    """Consumer group → the topics that it takes, for every hop that commits. A test holds it equal to the workers'.

    `groups`: those that the cluster knows. A receiver of webhooks has one, and so has the connector to a waitlist tool;
    it counts as long as it is kept. Signing
    is not asked: what it reads is written in transactions, whose marker lies behind the last record and is never
    committed by a reader.
    """
    generation = reference.generation
    links, facts, log, identity = (
        catalogue.of_generation(name, generation)
        for name in (catalogue.LINKS, catalogue.REGION_FACTS, catalogue.REGION_LOG, catalogue.IDENTITY_LOG)
    )
    inboxes = tuple(topic.name for topic in catalogue.topics_for(reference) if topic.append_time and _is_inbox(topic))
    return {
        f"hub.intake.g{generation}": (*inboxes, links, facts),
        f"hub.region.g{generation}": (log,),
        f"hub.duplicates.g{generation}": (identity,),
        f"hub.delivery.g{generation}": (facts,),
        f"hub.delivery.g{generation}.compacted": (facts,),
        **{group: (catalogue.ALERTS,) for group in sorted(groups) if group.startswith(WEBHOOKS)},
        **{
            group: (catalogue.out_topic("allocations", tenant), catalogue.out_topic("client-status", tenant))
            for tenant in reference.by_role[Role.WAITLIST]
            if (group := catalogue.connector_group(tenant)) in groups
        },
    }


def wait_until_idle(admin: AdminClient, reference: Reference, redis_url: str) -> None:
    """Return once the hub is at rest. WorldUnavailable names who is behind when nothing has moved for REST_S."""
    seen: object = None
    since = time.monotonic()
    while True:
        behind, state = look(admin, reference, redis_url)
        if not behind:
            return
        now = time.monotonic()
        if state != seen:
            seen, since = state, now
        elif now - since > REST_S:
            shown = ", ".join(behind[:SHOWN_MAX]) + (", …" if len(behind) > SHOWN_MAX else "")
            raise WorldUnavailable(
                f"the hub did not come to rest: nothing has moved for {REST_S:.0f} s, and behind are {shown}. "
                "See what those workers logged."
            )
        time.sleep(LOOK_S)


def look(admin: AdminClient, reference: Reference, redis_url: str) -> tuple[list[str], object]:
    """Who is behind, in words, and all that was seen, to compare with the next look. Nobody behind: at rest."""
    try:
        asked = hops(reference, known_groups(admin))
        places = [
            (topic.name, number)
            for topic in catalogue.topics_for(reference)
            if any(topic.name in taken for taken in asked.values())
            for number in range(topic.partitions)
        ]
        before = ends(admin, places)
        positions: dict[str, Offsets] = {group: committed(admin, group) for group in asked}
        positions["read model"] = _shown(redis_url, reference)
        after = ends(admin, places)
    except (KafkaException, redis.RedisError) as problem:
        raise WorldUnavailable(
            f"positions cannot be read ({type(problem).__name__}); see that the stack runs"
        ) from problem
    takes = {**asked, "read model": (catalogue.of_generation(catalogue.REGION_FACTS, reference.generation),)}
    behind = [
        f"{who} {topic}/{partition} at {at} of {end}"
        for who, taken in takes.items()
        for (topic, partition), end in before.items()
        if topic in taken and (at := positions[who].get((topic, partition), 0)) < end
    ]
    grown = [
        f"{topic}/{partition} still grows"
        for (topic, partition), end in after.items()
        if end != before[topic, partition]
    ]
    return behind + grown, (after, positions)


def _is_inbox(topic: catalogue.Topic) -> bool:
    return topic.name.startswith("inbox.")


def _shown(redis_url: str, reference: Reference) -> Offsets:
    client = redis.Redis.from_url(redis_url, decode_responses=True)
    try:
        held: Mapping[str, str] = client.hgetall(POSITIONS)  # type: ignore[assignment]  # one type for both clients
    finally:
        client.close()
    return shown_positions(held, reference.generation)


def shown_positions(held: Mapping[str, str], generation: int) -> dict[Place, int]:
    """Next offset by partition of a generation's facts, as the read model holds them in its hash of positions."""
    prefix = "facts/" if generation == 1 else f"g{generation}/facts/"
    facts = catalogue.of_generation(catalogue.REGION_FACTS, generation)
    return {
        (facts, int(name.removeprefix(prefix))): int(offset) for name, offset in held.items() if name.startswith(prefix)
    }
