"""Where partitions end, and where groups stand: what doctor, rest and the opening of a generation ask of a cluster."""

from collections.abc import Iterable, Sequence
from typing import Final

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

ANSWER_S: Final = 30.0
Place = tuple[str, int]
"""Topic and partition."""
LATEST: Final = OffsetSpec.latest()


def ends(admin: AdminClient, places: Iterable[Place], spec: OffsetSpec = LATEST) -> dict[Place, int]:
    """Offset after the last record of each partition, or what `spec` asks for. KafkaException without an answer."""
    asked = {TopicPartition(*place): spec for place in places}
    if not asked:
        return {}
    answers = admin.list_offsets(asked, request_timeout=ANSWER_S)
    return {(tp.topic, tp.partition): future.result(ANSWER_S).offset for tp, future in answers.items()}


def committed(admin: AdminClient, group: str) -> dict[Place, int]:
    """What a group has acknowledged; nothing where there is no such group. KafkaException without an answer."""
    return {(tp.topic, tp.partition): tp.offset for tp in _held(admin, group) if tp.offset >= 0}


def notes(admin: AdminClient, group: str) -> dict[Place, str]:
    """The text that a group keeps with each offset (hub/streams/offset_notes.py). KafkaException without an answer."""
    return {(tp.topic, tp.partition): tp.metadata or "" for tp in _held(admin, group)}


def _held(admin: AdminClient, group: str) -> Sequence[TopicPartition]:
    [future] = admin.list_consumer_group_offsets(
        [ConsumerGroupTopicPartitions(group)], request_timeout=ANSWER_S
    ).values()
    try:
        return future.result(ANSWER_S).topic_partitions or ()
    except KafkaException as problem:
        if problem.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND:
            return ()
        raise


def known_groups(admin: AdminClient) -> list[str]:
    """Every consumer group of the cluster, with members or without."""
    return [one.group_id for one in admin.list_consumer_groups(request_timeout=ANSWER_S).result(ANSWER_S).valid or ()]
