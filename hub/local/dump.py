"""`hub dump DIR`: everything that an entitled auditor may read, as files that anyone can check.

topics/<topic>.jsonl holds one record a line in partition and offset order; what an aborted transaction wrote is left
out. The row format is fixed in DESIGN.md "What can be seen from outside", so that others can check us.
"""

import contextlib
import json
import shutil
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
import redis
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from hub.contracts import catalogue, codec, control, tables
from hub.domain.reference import Reference
from hub.errors import WorldUnavailable
from hub.settings import Settings

ANSWER_S: Final = 30.0
OFFSET_TAIL_BASE: Final = -2000
"""librdkafka's way to say "so many before the end"."""
TOPICS_AT_ONCE: Final = 128
"""Each has a file open per partition."""
READ_WHOLE: Final[Mapping[str, Any]] = {
    "log_level": 2,  # a broker that is away is told once, by us, and not twenty times a second
    "enable.auto.commit": False,
    "enable.partition.eof": True,
    "isolation.level": "read_committed",
    "auto.offset.reset": "earliest",
    "fetch.wait.max.ms": 20,
    "queued.max.messages.kbytes": 65_536,
}
"""Settings of a consumer that reads topics from their beginning to their end."""
_PLAIN: Final = (catalogue.CONTROL, catalogue.REGION_SNAPSHOTS, catalogue.MATCH_SNAPSHOTS)
"""Topics whose values are no Avro records."""


def dump_cluster(
    folder: Path,
    settings: Settings | None = None,
    only: Collection[str] = (),
    tell: Callable[[int, int], None] = lambda done, whole: None,
) -> Reference:
    """Write topics (or `only` some) and tables as the auditor of KAFKA_BOOTSTRAP_SERVERS; `tell`: see `dump_topics`."""
    settings = settings or Settings()
    config = {
        "bootstrap.servers": settings.bootstrap_servers,
        "security.protocol": settings.security_protocol,
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": catalogue.AUDITOR,
        "sasl.password": settings.password(catalogue.AUDITOR),
        "client.id": catalogue.AUDITOR,
    }
    if settings.ca_file:
        config["ssl.ca.location"] = str(settings.ca_file)
    return dump_topics(folder, config, tell, only=only)


def dump_topics(
    folder: Path,
    config: Mapping[str, Any],
    tell: Callable[[int, int], None] = lambda done, whole: None,
    only: Collection[str] = (),
) -> Reference:
    """Write every topic of the tables, and the tables. `tell` hears (topics done, of how many).

    `only`: some of them, by their plain names, of the generation in force.

    WorldUnavailable when a topic cannot be read to its end: a dump with a hole would be worse than none.
    """
    (folder / "topics").mkdir(parents=True, exist_ok=True)
    consumer = Consumer(
        {
            **config,
            **READ_WHOLE,
            "group.id": "hub.auditor.dump",
        }
    )
    try:
        reference = control.read(control_records(consumer)).reference
        (folder / "tables.json").write_bytes(tables.render(reference))
        held = consumer.list_topics(timeout=ANSWER_S).topics
        former = [
            replace(topic, partitions=len(held[topic.name].partitions))
            for topic in catalogue.former_topics(reference)
            if topic.name in held
        ]
        whole = (*catalogue.topics_for(reference), *former)
        wanted = {catalogue.of_generation(name, reference.generation) for name in only}
        topics = [topic for topic in whole if not only or topic.name in wanted]
        for start in range(0, len(topics), TOPICS_AT_ONCE):
            part = topics[start : start + TOPICS_AT_ONCE]
            _write(consumer, folder / "topics", {topic.name: topic.partitions for topic in part})
            tell(min(start + TOPICS_AT_ONCE, len(topics)), len(topics))
        return reference
    except KafkaException as problem:
        raise WorldUnavailable(
            f"the cluster cannot be dumped: {problem.args[0].str()}. Check the auditor's rights."
        ) from problem
    finally:
        consumer.close()


def _write(consumer: Consumer, folder: Path, topics: Mapping[str, int]) -> None:
    """Records of a partition come in order, partitions interleaved: one file each first, joined at the end."""
    with contextlib.ExitStack() as opened:
        parts = {
            (name, number): opened.enter_context((folder / f"{name}.{number}.part").open("w+b"))
            for name, partitions in topics.items()
            for number in range(partitions)
        }
        read_whole(consumer, topics, lambda m: _write_row(parts[str(m.topic()), int(m.partition() or 0)], m))
        for name, partitions in topics.items():
            with (folder / f"{name}.jsonl").open("wb") as out:
                for number in range(partitions):
                    parts[name, number].seek(0)
                    shutil.copyfileobj(parts[name, number], out)
                    Path(parts[name, number].name).unlink()


def dump_redis(path: Path, url: str) -> int:
    """Write every key of the read model, one a line: key, type, value. Returns how many."""
    client = redis.Redis.from_url(url, decode_responses=True)
    keys = sorted(client.scan_iter(count=1000))
    with path.open("w", encoding="utf-8") as out:
        for key in keys:
            out.write(json.dumps(_key(client, key), ensure_ascii=False) + "\n")
    client.close()
    return len(keys)


def _key(client: "redis.Redis", key: str) -> dict[str, Any]:
    kind = str(client.type(key))
    match kind:
        case "hash":
            value: Any = dict(sorted(client.hgetall(key).items()))  # type: ignore[union-attr]
        case "stream":
            value = client.xrange(key)
        case "set":
            value = sorted(client.smembers(key))  # type: ignore[arg-type]
        case "list":
            value = client.lrange(key, 0, -1)
        case "zset":
            value = client.zrange(key, 0, -1, withscores=True)
        case _:
            value = client.get(key)
    return {"key": key, "type": kind, "value": value}


def control_records(consumer: Consumer) -> list[control.ControlRecord]:
    """The control topic as it stands. Takes over the consumer's assignment."""
    records: list[control.ControlRecord] = []

    def keep(message: Message) -> None:
        key, value = message.key() or b"", message.value()
        records.append(
            control.ControlRecord(key.decode(), None if value is None else bytes(value), message.timestamp()[1])
        )

    read_whole(consumer, {catalogue.CONTROL: 1}, keep)
    return records


def read_whole(
    consumer: Consumer, topics: Mapping[str, int], take: Callable[[Message], None], tail: int | None = None
) -> None:
    """Every record of topics with so many partitions, or about the last `tail` of each partition.

    Takes over the consumer's assignment. WorldUnavailable when an end is not reached.
    """
    left = {(name, number) for name, partitions in topics.items() for number in range(partitions)}
    start = OFFSET_BEGINNING if tail is None else OFFSET_TAIL_BASE - tail
    consumer.assign([TopicPartition(name, number, start) for name, number in sorted(left)])
    while left:
        messages = consumer.consume(10_000, 0.05) or consumer.consume(1, ANSWER_S)
        if not messages:
            raise WorldUnavailable(
                f"topic {min(left)[0]} gave nothing for {ANSWER_S:.0f} s; check KAFKA_BOOTSTRAP_SERVERS, the password "
                "and the brokers, then ask again"
            )
        for message in messages:
            error = message.error()
            if error is None:
                take(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard((str(message.topic()), int(message.partition() or 0)))
            else:
                raise KafkaException(error)
    consumer.unassign()


def _write_row(out: BinaryIO, message: Message) -> None:
    value, key = message.value(), message.key()
    held = None if value is None else bytes(value)
    row = {
        "partition": message.partition(),
        "offset": message.offset(),
        "timestamp": message.timestamp()[1],
        "key": None if key is None else bytes(key).decode(errors="replace"),
        "headers": _headers(message),
        "value_base64": held,  # msgspec writes bytes as Base64
        "value": _decoded(str(message.topic()), held),
    }
    out.write(msgspec.json.encode(row) + b"\n")


def _headers(message: Message) -> dict[str, str]:
    try:
        held = message.headers() or []
    except SystemError:  # a header's name is no UTF-8, and the client hands over none of them then
        return {}
    return {name: _text(content) for name, content in held}


def _text(content: Any) -> str:
    return "" if content is None else content if isinstance(content, str) else bytes(content).decode(errors="replace")


def _decoded(topic: str, value: bytes | None) -> Any:
    """What the bytes say, or null where they are not ours to understand (dead letters, snapshots)."""
    if value is None or topic.startswith(_PLAIN) or topic.endswith(".dlq"):
        return None
    try:
        return codec.decode_input(value, catalogue.INPUT_KINDS) if topic.startswith("inbox.") else codec.decode(value)
    except Exception:  # noqa: BLE001  # an inbox holds whatever a vendor sent; its bytes stand beside this field
        return None
