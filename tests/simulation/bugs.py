"""Known mistakes, each as a small piece of the real code replaced, and how the suite names what catches it.

A bug is a context manager: inside it the adapters of the hub are wrong in one way. Production code knows nothing of
it. Whoever adds a rule that the machines rely on adds the mistake here that breaks it; `every bug is caught` is a test.
"""

import asyncio
import contextlib
import dataclasses
import hashlib
import itertools
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any, Final, NamedTuple
from unittest import mock

import msgspec
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from aiokafka.partitioner import murmur2

from hub.contracts.catalogue import REGION_LOG, out_topic
from hub.contracts.codec import encode, type_name
from hub.domain import allocation, fair_share, region
from hub.domain.facts import ReceiptIssued
from hub.domain.region import RegionRules
from hub.domain.words import ReceiptOutcome
from hub.errors import WorldUnavailable
from hub.streams import carrier, intake, machine
from hub.streams.carrier import Carrier, Part
from hub.streams.delivery import CompactedRelay
from hub.streams.intake import Intake
from hub.streams.machine import Machine, Marker
from hub.streams.producer import Publisher, Record
from hub.streams.read_model import ReadModel
from hub.streams.relay import Piece, Relay
from tests.simulation.clients import SimulatedConnection, SimulatedConsumer, SimulatedProducer
from tests.simulation.redis import RedisServer, SimulatedRedis
from tests.simulation.schedule import Fault

Context = Callable[[], "contextlib.AbstractContextManager[None]"]


class Bug(NamedTuple):
    """One mistake, and the faults under which it shows: a run that seeks it has more of those."""

    plant: Context
    shows_under: tuple[Fault, ...]


BUGS: Final[dict[str, Bug]] = {}


def _bug(*shows_under: Fault) -> Callable[[Callable[[], Iterator[None]]], Context]:
    """Give a bug its name."""

    def named(make: Callable[[], Iterator[None]]) -> Context:
        planted = contextlib.contextmanager(make)
        BUGS[make.__name__] = Bug(planted, shows_under)
        return planted

    return named


# Acknowledging


@_bug(Fault.KILL)
def acknowledge_before_publish() -> Iterator[None]:
    """A relay commits what it has read, then writes the copies."""
    handle = Relay.handle

    async def wrong(self: Relay, polled: Any) -> None:
        for source, records in polled.items():
            self._copied[source] = records[-1].offset + 1
        await self.release()
        await handle(self, polled)

    with mock.patch.object(Relay, "handle", wrong):
        yield


@_bug(Fault.KILL)
def auto_commit() -> Iterator[None]:
    """The client commits by itself whatever was handed out."""
    with _consumers(auto_commit=True):
        yield


@_bug()
def latest_when_nothing_is_committed() -> Iterator[None]:
    """aiokafka's own default for where a new group begins."""
    with _consumers(reset="latest"):
        yield


@_bug()
def read_uncommitted_inbox() -> Iterator[None]:
    """aiokafka's own default for what a reader sees: also what a tenant took back."""
    with _consumers(committed_only=False):
        yield


@_bug(Fault.LOST_REQUESTS)
def swallowed_exception() -> Iterator[None]:
    """A write that failed is passed over, and the batch counts as written."""
    send = Publisher._send

    async def wrong(self: Publisher, target: TopicPartition, packed: Any) -> int:
        try:
            return await send(self, target, packed)
        except WorldUnavailable:
            return 0

    with mock.patch.object(Publisher, "_send", wrong):
        yield


@_bug(Fault.LOST_REQUESTS)
def dead_letter_not_awaited() -> Iterator[None]:
    """Dead letters are sent in the background; nobody looks whether they arrive."""
    publish_all = Publisher.publish_all

    async def wrong(self: Publisher, batches: Mapping[TopicPartition, Any]) -> Any:
        background = {target: rows for target, rows in batches.items() if target.topic.endswith(".dlq")}
        if background:
            asyncio.ensure_future(_ignoring(publish_all(self, background)))  # noqa: RUF006  # that is the mistake
        return await publish_all(self, {t: rows for t, rows in batches.items() if t not in background})

    with mock.patch.object(Publisher, "publish_all", wrong):
        yield


@_bug(Fault.LOST_REQUESTS)
def next_batch_before_the_last_is_acknowledged() -> Iterator[None]:
    """Batches of a partition are sent without waiting, by a producer that numbers nothing."""

    async def wrong(self: Publisher, target: TopicPartition, packed: Any) -> int:
        sent = [await self.producer.send_batch(batch, target.topic, partition=target.partition) for batch, _ in packed]
        try:
            return int((await asyncio.gather(*sent))[-1].offset) + 1
        except KafkaError as problem:
            raise WorldUnavailable("lost") from problem

    def plain(self: SimulatedConnection) -> SimulatedProducer:
        return SimulatedProducer(self.broker, self.process, idempotent=False)

    with (
        mock.patch.object(Publisher, "_send", wrong),
        mock.patch.object(SimulatedConnection, "producer", plain),
    ):
        yield


# Snapshots


@_bug(Fault.KILL, Fault.LOST_REQUESTS)
def snapshot_before_facts() -> Iterator[None]:
    """The state is made durable before anybody has its facts."""

    async def wrong(self: Carrier, polled: Any) -> None:
        assert self._facts is not None
        batches = {}
        for source, records in polled.items():
            part = self._parts.get(source)
            if part is not None and self._follows(part, records):
                batches[part.facts] = list(part.apply(records))
        await self._snapshot([part for part in self._parts.values() if part.changed])
        await self._facts.publish_all(batches)

    with mock.patch.object(Carrier, "handle", wrong):
        yield


@_bug(Fault.KILL)
def marker_before_parts() -> Iterator[None]:
    """The marker is written first and by itself, the parts after it; who loads believes it."""

    async def wrong(self: Part) -> None:
        taken = self.machine.snapshot()
        following = self.machine.next
        parts = [Record(key, value) for key, value in taken.parts.items()]
        for records in ([Record(self.marker_key, taken.marker)], parts):
            if records:
                await self._producer.begin_transaction()
                await self._publisher.publish(self.snapshots, records)
                await self._producer.send_offsets_to_transaction({self.source: following}, self._group)
                await self._producer.commit_transaction()
        self._durable = following

    with mock.patch.object(Part, "snapshot", wrong), _believing():
        yield


@_bug(Fault.SNAPSHOTS_LOST)
def snapshot_not_compared_with_its_hash() -> Iterator[None]:
    """What stands on the topic is taken for the whole state, whatever was deleted there."""
    with _believing():
        yield


@_bug()
def tombstone_forgotten() -> Iterator[None]:
    """A part that is gone stays on the snapshots topic."""
    snapshot = Machine.snapshot

    def wrong(self: Machine[Any]) -> machine.Snapshot:
        taken = snapshot(self)
        return machine.Snapshot({k: v for k, v in taken.parts.items() if v is not None}, taken.marker)

    with mock.patch.object(Machine, "snapshot", wrong):
        yield


@_bug(Fault.KILL)
def sequences_not_in_the_snapshot() -> Iterator[None]:
    """After a restart every destination counts from one again."""
    with _forgetting("sequences"):
        yield


@_bug(Fault.KILL, Fault.OFFSETS_LOST)
def sources_not_in_the_snapshot() -> Iterator[None]:
    """After a restart a repeat is news."""
    with _forgetting("sources"):
        yield


@_bug(Fault.SNAPSHOTS_LOST)
def committed_offset_instead_of_the_snapshot() -> Iterator[None]:
    """The log is read on from where the group stands, not from what the snapshot says."""
    load = Carrier.load

    async def wrong(self: Carrier, consumer: SimulatedConsumer, partitions: Sequence[TopicPartition]) -> None:
        stood = {source: await consumer.position(source) for source in partitions}
        await load(self, consumer, partitions)
        for source, part in self._parts.items():
            consumer.seek(source, stood[source])
            part.reads_from = part.machine.next = stood[source]

    with mock.patch.object(Carrier, "load", wrong):
        yield


@_bug(Fault.FREEZE)
def unfenced_zombie() -> Iterator[None]:
    """Every process has a transactional id of its own, so nobody shuts out whom it replaced."""
    numbers = itertools.count()

    def wrong(self: SimulatedConnection, transactional_id: str) -> SimulatedProducer:
        return SimulatedProducer(self.broker, self.process, f"{transactional_id}.{next(numbers)}")

    # The comparison of a snapshot with its hash would notice most of what a zombie mixes up: a second net, taken away.
    with mock.patch.object(SimulatedConnection, "transactional_producer", wrong), _believing():
        yield


@_bug(Fault.REBALANCE)
def state_kept_after_revocation() -> Iterator[None]:
    """A partition that comes back finds the state that was left, beside the snapshot's position."""
    load, drop = Carrier.load, Carrier.drop

    async def keep(self: Carrier) -> None:
        kept = self.__dict__.setdefault("kept", {})
        kept.update({source: part.machine._slots for source, part in self._parts.items()})
        await drop(self)

    async def reuse(self: Carrier, consumer: Any, partitions: Sequence[TopicPartition]) -> None:
        await load(self, consumer, partitions)
        for source, slots in self.__dict__.get("kept", {}).items():
            if source in self._parts:
                self._parts[source].machine._slots.update(slots)

    with mock.patch.object(Carrier, "drop", keep), mock.patch.object(Carrier, "load", reuse):
        yield


# Repeats and order


@_bug(Fault.REDIS_FLUSHED, Fault.KILL)
def dedupe_only_in_redis() -> Iterator[None]:
    """Intake remembers in Redis what it has seen, and the folds no longer look."""
    seen: set[tuple[str, int]] = set()
    handle, flush, fold = Relay.handle, RedisServer.flush, Machine._fold

    async def wrong(self: Relay, polled: Any) -> None:
        fresh = {}
        for source, records in polled.items():
            new = [r for r in records if self.name != "intake" or (source.topic, r.offset) not in seen]
            seen.update((source.topic, record.offset) for record in new)
            if new:
                fresh[source] = new
        await handle(self, fresh)

    def forget(self: RedisServer) -> None:
        flush(self)
        seen.clear()

    def believe(self: Machine[Any], slot: Any, record: Any) -> Any:
        slot.envelope.sources.clear()
        return fold(self, slot, record)

    with (
        mock.patch.object(Relay, "handle", wrong),
        mock.patch.object(RedisServer, "flush", forget),
        mock.patch.object(Machine, "_fold", believe),
    ):
        yield


@_bug()
def version_rule_off() -> Iterator[None]:
    """Whatever version comes is applied."""
    with mock.patch.object(region, "judge_version", lambda known, version, content: None):
        yield


@_bug()
def default_partitioner() -> Iterator[None]:
    """A region stands where the client's hash of its key puts it."""
    made = Intake.__init__

    def wrong(self: Intake, reference: Any) -> None:
        made(self, reference)
        for code in self._to_region:
            number = (murmur2(code.encode()) & 0x7FFFFFFF) % reference.log_partitions
            self._to_region[code] = TopicPartition(REGION_LOG, number)

    with mock.patch.object(Intake, "__init__", wrong):
        yield


@_bug()
def national_copy_first() -> Iterator[None]:
    """NL, which issues the receipt, hears of a record before the regions do."""
    with mock.patch.object(intake, "STAGE_NATIONAL", intake.STAGE_DEAD_LETTERS):
        yield


@_bug()
def stages_side_by_side() -> Iterator[None]:
    """All copies of a record leave at once."""
    with (
        mock.patch.object(intake, "STAGE_REGIONS", 0),
        mock.patch.object(intake, "STAGE_IDENTITY", 0),
        mock.patch.object(intake, "STAGE_NATIONAL", 0),
    ):
        yield


@_bug()
def link_marked_by_its_own_offset() -> Iterator[None]:
    """A link's mark is where it stands on the links topic, where a restarted fold writes it again."""
    route = Intake._route_link

    def wrong(self: Intake, record: Any) -> Iterator[Piece]:
        headers = tuple(
            (name, f"0/{record.offset}/0".encode() if name == "ce_hubpos" else value) for name, value in record.headers
        )
        return route(self, dataclasses.replace(record, headers=headers))

    with mock.patch.object(Intake, "_route_link", wrong):
        yield


@_bug()
def settlement_not_copied() -> Iterator[None]:
    """The match fold is never told what a region admitted."""
    with mock.patch.object(Intake, "_route_fact", lambda self, record: iter(())):
        yield


@_bug()
def receipt_by_intake_too() -> Iterator[None]:
    """Whoever takes a record in says so at once; the fold says it again."""
    route = Intake._route_input

    def wrong(self: Intake, record: Any) -> Iterator[Piece]:
        yield from route(self, record)
        tenant = self._tenants[record.topic].tenant
        receipt = ReceiptIssued(
            recipient=tenant, outcome=ReceiptOutcome.ACCEPTED, code="applied", pointer="", message_nl="", message_en=""
        )
        headers = [
            ("ce_type", type_name(ReceiptIssued).encode()),
            ("ce_hubregion", b"NL"),
            ("ce_sequence", b"%d" % (record.offset + 1)),
            ("ce_hubsrc", f"{record.topic}/{record.offset}".encode()),
        ]
        yield Piece(0, TopicPartition(out_topic("receipts", tenant), 0), Record(b"NL", encode(receipt), headers))

    with mock.patch.object(Intake, "_route_input", wrong):
        yield


# Rules


@_bug()
def random_id() -> Iterator[None]:
    """A fact is given an id when it is made, another one each time."""
    wrapped = Machine._wrapped

    def wrong(self: Machine[Any], *given: Any) -> list[machine.FactRecord]:
        return [
            made._replace(headers=[(n, str(uuid.uuid4()).encode() if n == "ce_id" else v) for n, v in made.headers])
            for made in wrapped(self, *given)
        ]

    with mock.patch.object(Machine, "_wrapped", wrong):
        yield


@_bug()
def wall_clock_in_a_rule() -> Iterator[None]:
    """How long a version is known is counted from the machine's own clock."""
    until = region._until

    def wrong(event: Any, today: Any) -> int:
        now = datetime.fromtimestamp(vars(carrier)["time"].time(), UTC).date()
        return until(event, now) + (now.toordinal() - (today or now).toordinal()) % 7

    with mock.patch.object(region, "_until", wrong):
        yield


@_bug()
def iteration_of_a_set() -> Iterator[None]:
    """What follows from an event is collected in a set."""
    decide = RegionRules.decide

    def wrong(self: RegionRules, state: Any, logged: Any) -> Sequence[Any]:
        return list(set(decide(self, state, logged)))

    with mock.patch.object(RegionRules, "decide", wrong):
        yield


@_bug()
def python_hash_in_a_lot() -> Iterator[None]:
    """Lots are drawn by hash(), which every process salts anew."""

    def wrong(self: Any, client: Any, provider: Any) -> tuple[bytes, bytes]:
        lot = hash((self.seed, client, provider)) & 0xFFFFFFFF
        return lot.to_bytes(4, "big"), b""

    with mock.patch.object(allocation._Lots, "draw", wrong):
        yield


@_bug()
def float_share() -> Iterator[None]:
    """Shares are floats, each rounded by itself."""
    weight_of = fair_share.weight_of

    with (
        mock.patch.object(fair_share, "weight_of", lambda *given: Fraction(round(float(weight_of(*given)), 3))),
        mock.patch.object(
            fair_share, "_round_by_largest_remainder", lambda shares, precedence: [round(float(s)) for s in shares]
        ),
    ):
        yield


@_bug(Fault.BROKEN_RELEASE)
def rule_that_raises_is_skipped() -> Iterator[None]:
    """An event on which a rule raises is left out, and its region goes on with a state half changed."""
    with mock.patch.object(Machine, "_stop", lambda self, code, at, problem: None):
        yield


@_bug(Fault.BROKEN_RELEASE)
def stopped_region_forgotten() -> Iterator[None]:
    """The snapshot does not say which regions stopped, so they go on where the others stand."""
    snapshot = Machine.snapshot

    def wrong(self: Machine[Any]) -> machine.Snapshot:
        taken = snapshot(self)
        mark = msgspec.json.decode(taken.marker, type=Marker)
        return machine.Snapshot(taken.parts, msgspec.json.encode(msgspec.structs.replace(mark, stopped={})))

    with mock.patch.object(Machine, "snapshot", wrong):
        yield


# Delivery and the read model


@_bug(Fault.FREEZE)
def compacted_copy_outside_a_transaction() -> Iterator[None]:
    """Compacted topics are written like any other, so a zombie puts an older value last."""

    async def wrong(self: CompactedRelay, source: TopicPartition, offset: int, batches: Any) -> None:
        connection: Any = self._connection
        plain = Publisher(SimulatedProducer(connection.broker, connection.process))
        await plain.publish_all(batches)
        await connection.process.request(lambda: connection.broker.group(self.group).committed.update({source: offset}))
        self._passed.pop(source, None)

    with mock.patch.object(CompactedRelay, "_write", wrong):
        yield


@_bug(Fault.FREEZE, Fault.KILL)
def compacted_copy_without_a_sequence() -> Iterator[None]:
    """A fact that a restarted fold says again is put last once more."""
    with mock.patch.object(CompactedRelay, "_is_newer", lambda self, topic, code, sequence: True):
        yield


@_bug(Fault.KILL)
def read_model_position_apart() -> Iterator[None]:
    """What a batch shows and how far it came are two writes."""

    async def wrong(self: SimulatedRedis, script: str, keys: int, *given: str) -> list[int]:
        positions, field, _, following, commands = given

        def show() -> None:
            found = self._server.hashes.get(positions, {}).get(field, "0")
            self._server.script(positions, field, found, found, commands)

        await self._process.request(show)
        await self._process.request(lambda: self._server.run(["HSET", positions, field, following]))
        return [1, int(following)]

    with mock.patch.object(SimulatedRedis, "eval", wrong):
        yield


@_bug(Fault.REDIS_FLUSHED)
def read_model_position_not_compared() -> Iterator[None]:
    """The script takes a batch wherever Redis stands, also after a flush, and nobody looks."""
    script = RedisServer.script

    def wrong(self: RedisServer, positions: str, field: str, expected: str, following: str, commands: str) -> list[int]:
        found = self.hashes.get(positions, {}).get(field, "0")
        return script(self, positions, field, found, following, commands)

    async def nothing(self: ReadModel) -> None:
        return

    with mock.patch.object(RedisServer, "script", wrong), mock.patch.object(ReadModel, "settle", nothing):
        yield


# Pieces


@contextlib.contextmanager
def _consumers(**options: Any) -> Iterator[None]:
    def made(self: SimulatedConnection, group: str, topics: Sequence[str]) -> SimulatedConsumer:
        consumer = SimulatedConsumer(self.broker, self.process, self.limits, group, **options)
        self.consumers.append(consumer)
        return consumer

    with mock.patch.object(SimulatedConnection, "group_consumer", made):
        yield


@contextlib.contextmanager
def _believing() -> Iterator[None]:
    """Machine.restore without the comparison of the parts with their hash."""
    restore = Machine.restore

    def wrong(self: Machine[Any], parts: Mapping[bytes, bytes], marker: bytes | None) -> int:
        if marker is not None:
            mark = msgspec.json.decode(marker, type=Marker)
            found = machine._hash_of({key: hashlib.sha256(value).digest() for key, value in parts.items()})
            marker = msgspec.json.encode(msgspec.structs.replace(mark, hash=found))
            regions = {key.decode().split("/", 2)[1] for key in parts}
            whole = {r for r in regions if f"{self.rules.state_version}/{r}/machine".encode() in parts}
            parts = {key: value for key, value in parts.items() if key.decode().split("/", 2)[1] in whole}
            found = machine._hash_of({key: hashlib.sha256(value).digest() for key, value in parts.items()})
            marker = msgspec.json.encode(msgspec.structs.replace(mark, hash=found))
        return restore(self, parts, marker)

    with mock.patch.object(Machine, "restore", wrong):
        yield


@contextlib.contextmanager
def _forgetting(what: str) -> Iterator[None]:
    restore = Machine.restore

    def wrong(self: Machine[Any], parts: Mapping[bytes, bytes], marker: bytes | None) -> int:
        begins = restore(self, parts, marker)
        for slot in self._slots.values():
            getattr(slot.envelope, what).clear()
        return begins

    with mock.patch.object(Machine, "restore", wrong):
        yield


async def _ignoring(work: Any) -> None:
    with contextlib.suppress(WorldUnavailable):
        await work
