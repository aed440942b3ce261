"""How fast the spine is, each figure beside a yardstick on the same broker in the same run (issue 3, shown by 7).

The counting job is done three times over the same records: by the one carrier, by a plain Faust agent with a table, and
by a bare aiokafka loop. All three do the same for an event: decode it, count it by its record id, and write the same
Avro fact with the same nine headers (the command compares them). The agent is a program as Faust's documentation
teaches it (hub/bench/plain_agent.py); the loop adds nothing for safety but an idempotent producer and a commit for each
batch; the carrier adds repeats, positions, sequences and snapshots. Only the drain of a log that is written already is
timed, from a worker that is warm until its last fact is acknowledged: by the wall clock, and by all the CPU of its
process. Workers run in processes of their own, in turns, and every ratio is taken within one turn.
"""

import asyncio
import gc
import itertools
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from confluent_kafka.admin import NewTopic

from hub.bench import counting, nation, plain_agent
from hub.bench.row import Row
from hub.bench.watch import Run, Watch
from hub.contracts import catalogue, codec
from hub.domain.identifiers import RegionCode
from hub.domain.reference import Reference, Region
from hub.errors import HubError
from hub.local.kafka import KafkaCluster
from hub.log import configure
from hub.settings import Limits, Settings
from hub.streams import delivery, intake
from hub.streams.app import GARBAGE_THRESHOLD, attach, create_app
from hub.streams.carrier import Carrier
from hub.streams.connection import Connection, read_to_end, reading
from hub.streams.folds import FOLDS, Fold
from hub.streams.machine import LogRecord, Rules
from hub.streams.producer import Outgoing, Publisher, Record
from hub.streams.reader import Job, Reader
from hub.streams.relay import Piece, Relay

LOGS: Final = ("bench.long", "bench.short", "bench.region")
REGISTRATIONS: Final = 12_000
"""Registrations in the log of the real region fold."""
EVENTS: Final = 200_000
"""Events of one run of the carrier and of the bare loop."""
PLAIN_EVENTS: Final = 6_000
"""Events of one run of the plain agent, which is slow enough that more would only cost patience."""
WARM: Final = 0.1
"""Part of the events that is handled before the clock starts."""
WRITTEN_AT_ONCE: Final = 20_000
COMPARED: Final = 1_000
"""Facts of each of the three counting workers that are held against the others'."""
RUNS: Final = 5
"""Turns; the median of each ratio counts."""
KEYS: Final = 2_000
GOAL_LATENCY: Final = 2.0
LATENCY_PER_S: Final = 500
LATENCY_EVENTS: Final = 2_000
ARRIVAL_S: Final = 120.0
"""How long the last record of a latency run may take before the run counts as failed."""
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
    log = nation.region_log(REGISTRATIONS)
    await asyncio.to_thread(_create, cluster, *LOGS)
    for topic, count in (("bench.long", EVENTS), ("bench.short", PLAIN_EVENTS)):
        for first in range(0, count, WRITTEN_AT_ONCE):
            numbers = range(first, min(first + WRITTEN_AT_ONCE, count))
            await _write(connection, topic, [counting.log_record(number, KEYS, "KSV-01") for number in numbers])
    await _write(connection, "bench.region", log)
    events = {"carrier": EVENTS, "bare": EVENTS, "plain": PLAIN_EVENTS, "region": len(log), "oracle": REGISTRATIONS}
    runs: dict[str, list[Run]] = {name: [] for name in events}
    for turn in range(RUNS):
        stems = {name: f"bench-{name}-{uuid.uuid4().hex[:8]}" for name in events}
        for name, count in events.items():  # in turns, so that a busy moment of the machine meets all of them
            runs[name].append(await _in_a_process(cluster, connection, name, stems[name], count))
        if turn == 0:
            await _expect_same_facts(connection, [f"{stems[name]}.facts" for name in ("carrier", "bare", "plain")])
    chain = await _chain_latency(cluster, connection)
    receipt = await _receipt_latency(cluster, connection)
    per_s = f"at {LATENCY_PER_S}/s"
    return [
        *_compared(
            "counting job, one carrier", runs["carrier"], "a plain Faust agent with a table", runs["plain"], 40.0
        ),
        *_compared("counting job, one carrier", runs["carrier"], "a bare aiokafka loop", runs["bare"], 0.85),
        *_compared("region fold through Kafka", runs["region"], "the oracle in one process", runs["oracle"], 0.6),
        *(_row(name, [cost], "µs/event") for name, cost in _cost_of_parts()),
        _row("region fold, decide alone", [_decide_us(nation.as_log_records(log))], "µs/event"),
        _row(f"three empty relays, p50 {per_s}", [chain.p50_ms], "ms"),
        _row(f"publish to receipt, p50 {per_s}", [receipt.p50_ms], "ms"),
        _row(
            f"publish to receipt, p99 {per_s}",
            [receipt.p99_ms],
            "ms",
            "three empty relays",
            [chain.p99_ms],
            GOAL_LATENCY,
            lower_is_better=True,
        ),
    ]


def _compared(name: str, ours: Sequence[Run], beside: str, theirs: Sequence[Run], goal: float) -> Iterator[Row]:
    """Two rows: by the wall clock, and by CPU (whose ratio is theirs over ours, so that more is better in both)."""
    rates = [run.events_per_s for run in ours]
    yield _row(f"{name}, by rate", rates, "events/s", beside, [run.events_per_s for run in theirs], goal)
    ratio = [their.cpu_us / our.cpu_us for our, their in zip(ours, theirs, strict=True)]
    yield Row(
        "spine",
        f"{name}, by CPU",
        statistics.median(run.cpu_us for run in ours),
        "µs/event",
        f"{beside}: {statistics.median(run.cpu_us for run in theirs):.1f} µs",
        statistics.median(ratio),
        goal,
        lowest=min(ratio),
        highest=max(ratio),
    )


def _row(
    name: str,
    values: Sequence[float],
    unit: str,
    beside: str = "",
    yardstick: Sequence[float] = (),
    goal: float | None = None,
    *,
    lower_is_better: bool = False,
) -> Row:
    """The median of the values, and of their ratios to the yardstick's of the same turn, with the bounds."""
    ratios = [value / other for value, other in zip(values, yardstick, strict=True)] if yardstick else []
    spread = ratios or values
    return Row(
        "spine",
        name,
        statistics.median(values),
        unit,
        f"{beside}: {statistics.median(yardstick):,.0f}" if yardstick else beside,
        statistics.median(ratios) if ratios else None,
        goal,
        lower_is_better,
        *((min(spread), max(spread)) if len(spread) > 1 else (None, None)),
    )


@dataclass(frozen=True, slots=True)
class _Latency:
    p50_ms: float
    p99_ms: float

    @classmethod
    def of(cls, waits_ms: Iterable[float]) -> "_Latency":
        ordered = sorted(waits_ms)
        return cls(ordered[len(ordered) // 2], ordered[len(ordered) * 99 // 100])


async def _in_a_process(cluster: KafkaCluster, connection: Connection, name: str, stem: str, events: int) -> Run:
    await asyncio.to_thread(_create, cluster, f"{stem}.facts", f"{stem}.snapshots")
    at = connection.bootstrap_servers, connection.principal
    with tempfile.TemporaryDirectory() as folder:
        if name == "plain":
            warm = int(events * WARM)
            task = plain_agent.Task(
                *at, connection.password, stem, "bench.short", f"{stem}.facts", events, warm, folder
            )
            return await _run("hub.bench.plain_agent", ["worker", "--loglevel", "info"], json.dumps(asdict(task)))
    return await _run("hub.bench.spine", [name, stem, str(events), *at], connection.password)


async def _run(module: str, arguments: Sequence[str], said: str) -> Run:
    pipe = asyncio.subprocess.PIPE
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, stdin=pipe, stdout=pipe, stderr=pipe
    )
    out, complaint = await asyncio.wait_for(worker.communicate(said.encode()), 300)
    told = [line for line in out.splitlines() if line.startswith(b"{")]
    if worker.returncode != 0 or not told:
        raise HubError(f"{module} {' '.join(arguments)} ended with {worker.returncode}: {complaint.decode()[-2000:]}")
    return Run(**json.loads(told[-1]))


async def _expect_same_facts(connection: Connection, topics: Sequence[str]) -> None:
    """The three jobs are one job: the same bytes under the same headers. HubError where they are not."""
    found = [await _first_facts(connection, topic) for topic in topics]
    if any(facts != found[0] for facts in found):
        raise HubError(f"the workers of the counting job wrote different facts to {', '.join(topics)}")


async def _first_facts(connection: Connection, topic: str) -> list[tuple[bytes, Any]]:
    facts: list[tuple[bytes, Any]] = []
    async with reading(connection) as consumer:
        async for fact in read_to_end(consumer, {TopicPartition(topic, 0): None}):
            facts.append((fact.value, fact.headers))
            if len(facts) == COMPARED:
                break
    return facts


def _create(cluster: KafkaCluster, *topics: str) -> None:
    admin = cluster.admin()
    for outcome in admin.create_topics([NewTopic(topic, 1, 1) for topic in topics]).values():
        outcome.result()


async def _write(connection: Connection, topic: str, records: Sequence[Outgoing]) -> None:
    publisher = Publisher(connection.producer())
    await connection.start(publisher.producer)
    await publisher.publish(TopicPartition(topic, 0), records)
    await publisher.producer.stop()


# --- the workers ----------------------


async def _work_carrier(connection: Connection, stem: str, events: int) -> Run:
    fold = counting.fold("bench.long", f"{stem}.facts", f"{stem}.snapshots")
    return await _carry(connection, stem, events, fold, REFERENCE)


async def _work_region(connection: Connection, stem: str, events: int) -> Run:
    fold = replace(
        FOLDS["region"], log_topic="bench.region", facts_topic=f"{stem}.facts", snapshots_topic=f"{stem}.snapshots"
    )
    return await _carry(connection, stem, events, fold, nation.REFERENCE)


async def _work_oracle(connection: Connection, stem: str, events: int) -> Run:
    """What the carrier does to the region log, without Kafka: decode, decide, encode. The log is made here."""
    log = nation.as_log_records(nation.region_log(events))
    gc.set_threshold(GARBAGE_THRESHOLD)
    warm, machine = int(len(log) * WARM), FOLDS["region"].machine(nation.REFERENCE, 0)
    machine.apply(log[:warm])
    watch = Watch()
    for _ in machine.fold(log[warm:]):
        pass
    _expect_no_stop(machine.stopped)
    return watch.run(len(log) - warm)


async def _carry(connection: Connection, stem: str, events: int, fold: Fold, reference: Reference) -> Run:
    carrier = Carrier(fold, reference, 1, connection, f"hub.region.{stem}")
    reader = Reader(carrier, connection)
    app = create_app()
    attach(app, reader)
    await app.start()
    await _until(lambda: reader.ready)
    await _until(lambda: reader.handled >= events * WARM)
    done, watch = reader.handled, Watch()
    await _until(lambda: reader.handled >= events and carrier.acknowledged)
    run = watch.run(events - done)
    _expect_no_stop(carrier.stopped)
    await app.stop()
    return run


def _expect_no_stop(stopped: Mapping[Any, Any]) -> None:
    if stopped:
        raise HubError(f"a rule raised in {stopped}, so the figure would be that of doing nothing; mend the rule first")


async def _work_bare(connection: Connection, stem: str, events: int) -> Run:
    gc.set_threshold(GARBAGE_THRESHOLD)
    consumer = connection.group_consumer(f"bench.{stem}", ["bench.long"])
    publisher = Publisher(connection.producer())
    await connection.start(publisher.producer)
    consumer.subscribe(["bench.long"])
    await connection.start(consumer)
    await _until(lambda: bool(consumer.assignment()))
    target = TopicPartition(f"{stem}.facts", 0)
    counts: dict[str, int] = defaultdict(int)
    handled, done, watch = 0, 0, None
    while handled < events:
        for source, records in (await consumer.getmany(timeout_ms=200, max_records=LIMITS.poll_records_max)).items():
            await publisher.publish(target, [_count(counts, record) for record in records])
            handled += len(records)
            await consumer.commit({source: records[-1].offset + 1})
        if watch is None and handled >= events * WARM:
            done, watch = handled, Watch()
    assert watch is not None
    run = watch.run(events - done)
    await consumer.stop()
    await publisher.producer.stop()
    return run


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():  # noqa: ASYNC110  # none of these conditions has an event
        await asyncio.sleep(0.02)  # not shorter: this process's CPU is what gets measured


def _count(counts: dict[str, int], record: Any) -> Record:
    """The whole job for one record."""
    headers = dict(record.headers)
    event = codec.decode(record.value)
    count = counts[event.record_id] = counts[event.record_id] + 1
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


# --- where the time goes, in this process ----------------------------------------------------------------------------


def _cost_of_parts(events: int = 2_000) -> Iterator[tuple[str, float]]:
    """CPU microseconds per event of what the hops do, without Kafka and with the workers' garbage threshold."""
    gc.set_threshold(GARBAGE_THRESHOLD)
    logged = nation.as_log_records([counting.log_record(number, KEYS, "KSV-01") for number in range(events)])
    decoded = [codec.decode(record.value) for record in counting.fold().machine(REFERENCE, 0).apply(logged)]
    yield "of the carrier: decode of the event", _timed(lambda: [codec.decode(r.value) for r in logged], events)
    yield "of the carrier: encode of the fact", _timed(lambda: [codec.encode(fact) for fact in decoded], events)
    whole = _timed(lambda: [None for _ in counting.fold().machine(REFERENCE, 0).fold(logged)], events)
    yield "of the carrier: decode, order, decide, encode, envelope", whole
    entry = intake.Intake(nation.REFERENCE)
    inbox = catalogue.inbox(nation.PACKAGE)
    sent = [
        ConsumerRecord(inbox, 0, number, 1_772_449_200_000, 1, b"k", value, None, 1, len(value), ())
        for number, value in enumerate(map(codec.encode, nation.registrations(events)))
    ]
    log = nation.as_log_records(nation.region_log(events))
    facts = FOLDS["region"].machine(nation.REFERENCE, 0).apply(log)
    told = [
        ConsumerRecord(
            catalogue.REGION_FACTS,
            0,
            number,
            fact.timestamp_ms,
            0,
            fact.key,
            fact.value,
            None,
            6,
            0,
            tuple(fact.headers),
        )
        for number, fact in enumerate(facts)
    ]
    yield "a registration: intake", _timed(lambda: [list(entry.route(record)) for record in sent], events)
    fold = _timed(lambda: [None for _ in FOLDS["region"].machine(nation.REFERENCE, 0).fold(log)], events)
    yield f"a registration: region fold, {len(facts) / events:.1f} facts", fold
    yield "a registration: intake again, settlements", _timed(lambda: [list(entry.route(r)) for r in told], events)
    delivered = _timed(lambda: [list(delivery.route_to_tenants(record)) for record in told], events)
    yield "a registration: delivery", delivered


class _TimedRules:
    """The rules, with the time that `decide` takes."""

    def __init__(self, rules: Rules[Any]) -> None:
        self._rules = rules
        self.name, self.state_version = rules.name, rules.state_version
        self.open, self.restore, self.changed_parts = rules.open, rules.restore, rules.changed_parts
        self.spent_s = 0.0

    def decide(self, state: Any, logged: Any) -> Sequence[Any]:
        started = time.perf_counter()
        facts = self._rules.decide(state, logged)
        self.spent_s += time.perf_counter() - started
        return facts


def _decide_us(log: Sequence[LogRecord]) -> float:
    """Microseconds per event of `decide` alone."""
    machine = FOLDS["region"].machine(nation.REFERENCE, 0)
    machine.rules = rules = _TimedRules(machine.rules)
    machine.apply(log)
    _expect_no_stop(machine.stopped)
    return rules.spent_s / len(log) * 1e6


def _timed(work: Callable[[], object], events: int) -> float:
    """The least CPU of several runs: what disturbs only ever adds."""
    spent = []
    for _ in range(RUNS):
        started = time.process_time()
        work()
        spent.append(time.process_time() - started)
    return min(spent) / events * 1e6


# --- latency: what a hop costs when nothing is done in it -------------------------------------------------------------


async def _chain_latency(cluster: KafkaCluster, connection: Connection) -> _Latency:
    """From sending to the arrival behind three relays that copy and decide nothing."""
    stem = f"bench.chain.{uuid.uuid4().hex[:8]}"
    hops = [f"{stem}.{number}" for number in range(4)]
    await asyncio.to_thread(_create, cluster, *hops)
    jobs = [
        Relay(f"hop-{number}", f"{stem}.hop-{number}", [source], _copy_to(target), connection)
        for number, (source, target) in enumerate(itertools.pairwise(hops))
    ]
    values = [b"%d" % number for number in range(LATENCY_EVENTS)]
    return await _latency(connection, jobs, hops[0], values, hops[-1], lambda record: int(record.value))


async def _receipt_latency(cluster: KafkaCluster, connection: Connection) -> _Latency:
    """From a package's send to its receipt: intake, the region fold and delivery as they are."""
    admin = cluster.admin()
    wanted = [NewTopic(t.name, t.partitions, 1, config=t.config) for t in catalogue.topics_for(nation.REFERENCE)]
    for outcome in admin.create_topics(wanted).values():
        await asyncio.to_thread(outcome.result)
    for tenant, event in nation.opening():
        await _write(connection, catalogue.inbox(tenant), [Record(b"k", codec.encode(event))])
    jobs: list[Job] = [
        intake.relay("intake", "hub.intake.bench", nation.REFERENCE, connection),
        Carrier(FOLDS["region"], nation.REFERENCE, 1, connection, "hub.region.bench"),
        delivery.relay("delivery", "hub.delivery.bench", nation.REFERENCE, connection),
    ]
    values = [codec.encode(event) for event in nation.registrations(LATENCY_EVENTS)]
    source = catalogue.inbox(nation.PACKAGE)
    target = catalogue.out_topic("receipts", nation.PACKAGE)
    return await _latency(connection, jobs, source, values, target, _inbox_offset)


async def _latency(
    connection: Connection,
    jobs: Sequence[Job],
    source: str,
    values: Sequence[bytes],
    target: str,
    number_of: Callable[[ConsumerRecord], int],
) -> _Latency:
    """Send at a steady rate, and match what arrives with what was sent by its number."""
    app = create_app()
    readers = [Reader(job, connection) for job in jobs]
    for reader in readers:
        attach(app, reader)
    await app.start()
    await _until(lambda: all(reader.ready for reader in readers))
    await asyncio.sleep(1)
    consumer = connection.lone_consumer()
    await connection.start(consumer)
    try:
        consumer.assign([TopicPartition(target, 0)])
        receiving = asyncio.create_task(_receive(consumer, len(values), number_of))
        sent = await _send_steadily(connection, source, values)
        await asyncio.wait([receiving], timeout=ARRIVAL_S)
        for job in jobs:
            _expect_no_stop(job.stopped if isinstance(job, Carrier) else {})
        if not receiving.done():
            receiving.cancel()
            took = ", ".join(f"{reader.job.name} {reader.handled}" for reader in readers)
            raise HubError(f"not everything arrived on {target} within {ARRIVAL_S:.0f} s; records taken: {took}")
        arrived = receiving.result()
    finally:
        await consumer.stop()
        await app.stop()
    return _Latency.of((arrived[number] - at) * 1000 for number, at in enumerate(sent))


def _inbox_offset(receipt: ConsumerRecord) -> int:
    return int(dict(receipt.headers)["ce_hubsrc"].rpartition(b"/")[2])


def _copy_to(topic: str) -> Callable[[ConsumerRecord], Sequence[Piece]]:
    target = TopicPartition(topic, 0)

    def copy(record: ConsumerRecord) -> Sequence[Piece]:
        return (Piece(0, target, Record(record.key, record.value, record.headers, record.timestamp)),)

    return copy


async def _send_steadily(connection: Connection, topic: str, values: Sequence[bytes]) -> list[float]:
    producer = connection.producer()
    await connection.start(producer)
    await producer.partitions_for(topic)
    sent: list[float] = []
    started = time.perf_counter()
    for number, value in enumerate(values):
        if (wait := started + number / LATENCY_PER_S - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        sent.append(time.perf_counter())
        await producer.send(topic, value, partition=0)
    await producer.flush()
    await producer.stop()
    return sent


async def _receive(
    consumer: AIOKafkaConsumer, events: int, number_of: Callable[[ConsumerRecord], int]
) -> dict[int, float]:
    arrived: dict[int, float] = {}
    while len(arrived) < events:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            now = time.perf_counter()
            for record in records:
                arrived.setdefault(number_of(record), now)
    return arrived


def main() -> None:
    """One worker: its name, stem, events, brokers and user as arguments, the password on stdin."""
    name, stem, events, bootstrap, user = sys.argv[1:]
    password = sys.stdin.read()
    configure(Settings())
    workers: dict[str, Callable[[Connection, str, int], Awaitable[Run]]] = {
        "carrier": _work_carrier,
        "region": _work_region,
        "oracle": _work_oracle,
        "bare": _work_bare,
    }

    async def work() -> Run:
        return await workers[name](Connection(bootstrap, user, password, limits=LIMITS), stem, int(events))

    print(json.dumps(asdict(asyncio.run(work()))))  # noqa: T201  # what the parent process reads


if __name__ == "__main__":
    main()
