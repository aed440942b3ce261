"""How fast the spine is, each figure beside a yardstick on the same broker in the same run (issue 3, shown by 7).

The counting job is done three times over the same log: by the one carrier, by a plain Faust agent with a table, and by
a bare aiokafka loop that does the same per event (decode, count, encode, the same headers) and nothing for safety but
an idempotent producer and a commit per batch. Only the drain of a log that is written already is timed; workers run in
processes of their own, so nothing shares their interpreter.
"""

import asyncio
import itertools
import json
import statistics
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # re-exported without a list

from hub.bench import counting
from hub.bench.row import Row
from hub.contracts import codec
from hub.domain.identifiers import RegionCode
from hub.domain.reference import Reference, Region
from hub.errors import HubError
from hub.local.kafka import KafkaCluster
from hub.log import configure
from hub.settings import Limits, Settings
from hub.streams.app import attach, create_app
from hub.streams.carrier import Carrier
from hub.streams.connection import Connection
from hub.streams.machine import LogRecord
from hub.streams.producer import Publisher, Record
from hub.streams.reader import Reader
from hub.streams.relay import Piece, Relay

EVENTS: Final = 60_000
"""Events of one run of the carrier and of the bare loop."""
PLAIN_EVENTS: Final = 3_000
"""Events of one run of the plain agent, which is slow enough that more would only cost patience."""
RUNS: Final = 3
"""Runs of each worker; the median counts."""
KEYS: Final = 2_000
GOAL_PLAIN: Final = 40.0
GOAL_BARE: Final = 0.85
GOAL_LATENCY: Final = 2.0
LATENCY_PER_S: Final = 500
LATENCY_EVENTS: Final = 2_000
REFERENCE: Final = Reference(
    version=1,
    log_partitions=1,
    regions=(Region(RegionCode("KSV-01"), "Bench", 0),),
    postcodes=(),
    tenants=(),
)
LIMITS: Final = Limits(poll_records_max=4000)


def rows() -> Sequence[Row]:
    """Every row of this group, on a cluster of its own."""
    with KafkaCluster() as cluster:
        return asyncio.run(_rows(cluster))


async def _rows(cluster: KafkaCluster) -> Sequence[Row]:
    connection = Connection(cluster.bootstrap, cluster.admin_user, cluster.admin_password, limits=LIMITS)
    await asyncio.to_thread(_create, cluster, "bench.long", "bench.short")
    await _write(connection, "bench.long", EVENTS)
    await _write(connection, "bench.short", PLAIN_EVENTS)
    rates = {
        name: await _median(cluster, connection, name, topic, events)
        for name, topic, events in (
            ("bare", "bench.long", EVENTS),
            ("carrier", "bench.long", EVENTS),
            ("plain", "bench.short", PLAIN_EVENTS),
        )
    }
    parts = _cost_of_parts()
    chain = await _chain_latency(cluster, connection)
    return [
        Row("spine", "counting job, bare aiokafka loop", rates["bare"], "events/s"),
        Row("spine", "counting job, plain Faust agent with a table", rates["plain"], "events/s"),
        Row(
            "spine", "counting job, one carrier", rates["carrier"], "events/s", "plain agent",
            rates["carrier"] / rates["plain"], GOAL_PLAIN,
        ),
        Row(
            "spine", "counting job, one carrier", rates["carrier"], "events/s", "bare loop",
            rates["carrier"] / rates["bare"], GOAL_BARE,
        ),
        *(Row("spine", f"of it: {name}", cost, "µs/event") for name, cost in parts),
        Row("spine", f"three empty relays, p50 at {LATENCY_PER_S}/s", chain[0], "ms"),
        Row("spine", f"three empty relays, p99 at {LATENCY_PER_S}/s", chain[1], "ms"),
    ]  # fmt: skip


async def _median(cluster: KafkaCluster, connection: Connection, name: str, log_topic: str, events: int) -> float:
    rates = []
    for _ in range(RUNS):
        stem = f"bench-{name}-{uuid.uuid4().hex[:8]}"
        await asyncio.to_thread(_create, cluster, f"{stem}.facts", f"{stem}.snapshots")
        rates.append(await _in_a_process(connection, name, stem, log_topic, events))
    return statistics.median(rates)


async def _in_a_process(connection: Connection, name: str, stem: str, log_topic: str, events: int) -> float:
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "hub.bench.spine", name, stem, log_topic, str(events), connection.bootstrap_servers,
        connection.principal, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, said = await asyncio.wait_for(worker.communicate(connection.password.encode()), 300)
    if worker.returncode != 0:
        raise HubError(f"bench worker {name} ended with {worker.returncode}: {said.decode()[-2000:]}")
    return float(json.loads(out.splitlines()[-1])["events_per_s"])


def _create(cluster: KafkaCluster, *topics: str) -> None:
    admin = cluster.admin()
    for outcome in admin.create_topics([NewTopic(topic, 1, 1) for topic in topics]).values():
        outcome.result()


async def _write(connection: Connection, topic: str, events: int) -> None:
    publisher = Publisher(connection.producer())
    await connection.start(publisher.producer)
    records = [counting.log_record(number, KEYS, "KSV-01") for number in range(events)]
    await publisher.publish(TopicPartition(topic, 0), records)
    await publisher.producer.stop()


# --- the three workers; each prints its rate from the first batch to the last acknowledged fact ----------------------


async def _work_carrier(connection: Connection, stem: str, log_topic: str, events: int) -> float:
    fold = counting.fold(log_topic, f"{stem}.facts", f"{stem}.snapshots")
    reader = Reader(Carrier(fold, REFERENCE, 1, connection, f"hub.region.{stem}"), connection)
    app = create_app()
    attach(app, reader)
    await app.start()
    await _until(lambda: reader.ready)
    started = time.perf_counter()
    await _until(lambda: reader.handled >= events)
    took = time.perf_counter() - started
    await app.stop()
    return events / took


async def _work_bare(connection: Connection, stem: str, log_topic: str, events: int) -> float:
    consumer = connection.group_consumer(f"bench.{stem}")
    publisher = Publisher(connection.producer())
    await connection.start(publisher.producer)
    consumer.subscribe([log_topic])
    await connection.start(consumer)
    await _until(lambda: bool(consumer.assignment()))
    target = TopicPartition(f"{stem}.facts", 0)
    counts: dict[str, int] = {}
    handled = 0
    started = time.perf_counter()
    while handled < events:
        for source, records in (await consumer.getmany(timeout_ms=200, max_records=LIMITS.poll_records_max)).items():
            await publisher.publish(target, [_count(counts, record) for record in records])
            handled += len(records)
            await consumer.commit({source: records[-1].offset + 1})
    took = time.perf_counter() - started
    await consumer.stop()
    await publisher.producer.stop()
    return events / took


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  # none of these conditions has an event
        await asyncio.sleep(0.002)


def _count(counts: dict[str, int], record: ConsumerRecord) -> Record:
    headers = dict(record.headers)
    event = codec.decode(record.value)
    count = counts[event.record_id] = counts.get(event.record_id, 0) + 1
    fact = counting.counted(headers["ce_hubtenant"].decode(), event.record_id, count)
    position = b"%d/%d/0" % (record.partition, record.offset)
    kept = [
        ("ce_specversion", b"1.0"),
        ("ce_id", b"g1/counting/" + position),
        ("ce_source", headers["ce_source"]),
        ("ce_type", b"nl.kraamzorg.receipt-issued.v1"),
        ("ce_time", headers["ce_time"]),
        ("ce_hubpos", position),
        ("ce_hubsrc", headers["ce_hubsrc"]),
        ("ce_hubdest", b"out.receipts.bench"),
        ("ce_sequence", b"%d" % (record.offset + 1)),
    ]
    return Record(record.key, codec.encode(fact), kept, record.timestamp)


async def _work_plain(connection: Connection, stem: str, log_topic: str, events: int) -> float:
    import faust

    app = faust.App(
        stem,
        broker=f"kafka://{connection.bootstrap_servers}",
        broker_credentials=faust.SASLCredentials(
            username=connection.principal, password=connection.password, mechanism="SCRAM-SHA-512"
        ),
        store="memory://",
        web_enabled=False,
        topic_partitions=1,
        value_serializer="raw",
        key_serializer="raw",
    )
    source = app.topic(log_topic, value_type=bytes, value_serializer="raw", key_serializer="raw")
    facts = app.topic(f"{stem}.facts", value_type=bytes, value_serializer="raw", key_serializer="raw")
    counts = app.Table("counts", default=int, partitions=1, key_type=str, value_type=int)
    seen = {"events": 0, "started": 0.0, "ended": 0.0}
    done = asyncio.Event()

    @app.agent(source)
    async def count(stream: Any) -> None:
        async for value in stream:
            if not seen["started"]:
                seen["started"] = time.perf_counter()
            event = codec.decode(value)
            counts[event.record_id] += 1
            fact = counting.counted("bench", event.record_id, counts[event.record_id])
            await facts.send(key=event.record_id.encode(), value=codec.encode(fact))
            seen["events"] += 1
            if seen["events"] == events:
                await app.producer.flush()
                seen["ended"] = time.perf_counter()
                done.set()

    await app.start()
    await asyncio.wait_for(done.wait(), 240)
    await app.stop()
    return events / (seen["ended"] - seen["started"])


# --- where the time goes, in this process ----------------------------------------------------------------------------


def _cost_of_parts(events: int = 5_000) -> list[tuple[str, float]]:
    """Microseconds per event of the carrier's inner parts, without Kafka."""
    records = [counting.log_record(number, KEYS, "KSV-01") for number in range(events)]
    logged = [
        LogRecord(number, record.timestamp_ms or 0, record.key or b"", record.value or b"", record.headers)
        for number, record in enumerate(records)
    ]
    facts = counting.fold().machine(REFERENCE, 0).apply(logged)
    decoded = [codec.decode(record.value) for record in facts]
    machine = counting.fold().machine(REFERENCE, 0)
    return [
        ("decode of the event", _timed(lambda: [codec.decode(record.value) for record in logged], events)),
        ("encode of the fact", _timed(lambda: [codec.encode(fact) for fact in decoded], events)),
        ("the whole machine: decode, order, decide, encode, envelope", _timed(lambda: machine.apply(logged), events)),
    ]


def _timed(work: Callable[[], object], events: int) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) / events * 1e6


# --- latency: what a hop costs when nothing is done in it -------------------------------------------------------------


async def _chain_latency(cluster: KafkaCluster, connection: Connection) -> tuple[float, float]:
    """Milliseconds p50 and p99 from the append to the arrival behind three relays that copy and decide nothing."""
    stem = f"bench.chain.{uuid.uuid4().hex[:8]}"
    hops = [f"{stem}.{number}" for number in range(4)]
    await asyncio.to_thread(_create, cluster, *hops)
    app = create_app()
    for number, (source, target) in enumerate(itertools.pairwise(hops)):
        relay = Relay(f"hop-{number}", f"{stem}.hop-{number}", [source], _copy_to(target), connection)
        attach(app, Reader(relay, connection))
    await app.start()
    consumer = connection.lone_consumer()
    await connection.start(consumer)
    try:
        consumer.assign([TopicPartition(hops[-1], 0)])
        receiving = asyncio.create_task(_receive(consumer, LATENCY_EVENTS))
        await _send_steadily(connection, hops[0])
        waits = sorted(await asyncio.wait_for(receiving, 60))
    finally:
        await consumer.stop()
        await app.stop()
    return waits[len(waits) // 2], waits[len(waits) * 99 // 100]


def _copy_to(topic: str) -> Callable[[ConsumerRecord], Sequence[Piece]]:
    target = TopicPartition(topic, 0)

    def copy(record: ConsumerRecord) -> Sequence[Piece]:
        return (Piece(0, target, Record(record.key, record.value, record.headers, record.timestamp)),)

    return copy


async def _send_steadily(connection: Connection, topic: str) -> None:
    producer = connection.producer()
    await connection.start(producer)
    await asyncio.sleep(2)  # the relays have joined their groups by then
    started = time.perf_counter()
    for number in range(LATENCY_EVENTS):
        due = started + number / LATENCY_PER_S
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        await producer.send(topic, b"%.6f" % time.time(), partition=0)
    await producer.flush()
    await producer.stop()


async def _receive(consumer: AIOKafkaConsumer, events: int) -> list[float]:
    waits: list[float] = []
    while len(waits) < events:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            now = time.time()
            waits.extend((now - float(record.value)) * 1000 for record in records)
    return waits


def main() -> None:
    """One worker: its name, stem, log topic, events, brokers and user as arguments, the password on stdin."""
    name, stem, log_topic, events, bootstrap, user = sys.argv[1:]
    password = sys.stdin.read()
    configure(Settings())
    workers: dict[str, Callable[[Connection, str, str, int], Awaitable[float]]] = {
        "carrier": _work_carrier,
        "bare": _work_bare,
        "plain": _work_plain,
    }

    async def work() -> float:
        return await workers[name](Connection(bootstrap, user, password, limits=LIMITS), stem, log_topic, int(events))

    print(json.dumps({"events_per_s": asyncio.run(work())}))  # noqa: T201  # what the parent process reads


if __name__ == "__main__":
    main()
