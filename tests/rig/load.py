"""The load: what real tenants publish, through their own principals, as fast as the hub takes it.

First the nation founds itself and hands over what its packages hold (with identities encoded at the edge). Then comes
the bulk: registrations, new versions, withdrawals, care, capacity, claims, waiting clients and days, with repeats,
stale and conflicting versions and refusals among them. It is encoded once, as templates; an event is a template with
another id and version, so that the hub and not the generator is the limit. The same seed gives the same events.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, Final
from zlib import crc32

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, Producer, TopicPartition

from hub.contracts import catalogue, codec
from hub.domain import events as e
from hub.domain.identifiers import Agb, Pc4, RecordId, RegionCode, TenantId, Uzovi
from hub.domain.words import (
    CapacityMethod,
    CareEndReason,
    FullLevel,
    FullStatus,
    IndicationProtocol,
    RegistrationStatus,
    RemovalReason,
    WaitingStatus,
)
from hub.edge import EdgeEncoder, FileKey
from hub.local.simulator import national as world
from hub.local.simulator.live import rehearse
from hub.local.simulator.messages import pack
from hub.local.simulator.national import START, Nation, Provider
from tests.rig.stand import Stand
from tests.rig.sums import Sums

RECORDS_PER_REGION_MAX: Final = 30_000
"""Then come versions of what is there: a large region registers far fewer in the time that the hub keeps them."""
DAYS_MAX: Final = 60
IN_FLIGHT_MAX: Final = 4_000
"""Inputs that wait for their receipt, at most, while the bulk runs."""
_ID: Final = "k00000000x"
_OTHER: Final = "q00000000x"
KINDS: Final = {
    "register": 30,
    "correct": 20,
    "deliver": 14,
    "repeat": 8,
    "end": 6,
    "withdraw": 5,
    "stale": 4,
    "list": 4,
    "capacity": 3,
    "refused": 3,
    "conflict": 2,
    "full": 1,
}
"""What the bulk consists of, in parts of their sum."""


@dataclass(frozen=True, slots=True)
class Template:
    """An encoded event in two pieces around its id and version."""

    head: bytes
    tail: bytes

    @classmethod
    def of(cls, event: Any) -> Template:
        """The event must carry the id that is replaced later, and version 1."""
        value, mark = codec.encode(event), _ID.encode()
        at = value.index(mark)
        assert value[at + len(mark)] == 2, "the version follows the id, as a zigzag varint"
        return cls(value[:at], value[at + len(mark) + 1 :])

    def with_(self, record_id: bytes, version: int, other: bytes | None = None) -> bytes:
        """The event with this id and version, and the id of another record that it names."""
        tail = self.tail if other is None else self.tail.replace(_OTHER.encode(), other)
        return self.head + record_id + _zigzag(version) + tail


@dataclass(slots=True)
class _Record:
    id: bytes
    place: _Place
    version: int
    shape: int
    care_version: int = 0


class _Place:
    """One provider in one region: the templates of what its package says for it."""

    def __init__(self, nation: Nation, provider: Provider, region: RegionCode, draw: random.Random) -> None:
        self.tenant = provider.package
        self.region = region
        postcodes = nation.area[region].postcodes
        registrations = [
            e.RegistrationSubmitted(
                record_id=RecordId(_ID),
                version=1,
                provider=provider.agb,
                status=RegistrationStatus.ACTIVE,
                pc4=draw.choice(postcodes),
                due_date=START + timedelta(days=draw.randrange(-20, 200)),
                requested_on=START - timedelta(days=draw.randrange(0, 60)),
                insurer=Uzovi(draw.choice(world.INSURERS)[0]),
                indicated_minutes=60 * draw.randrange(24, 60),
                protocol=IndicationProtocol.LIP,
                partus_assistance=draw.random() < 0.6,
            )
            for _ in range(4)
        ]
        self.shapes = [Template.of(one) for one in registrations]
        self.withdrawn = Template.of(replace(registrations[0], status=RegistrationStatus.WITHDRAWN))
        self.refused = [
            Template.of(replace(registrations[0], pc4=world.OUTSIDE)),
            Template.of(replace(registrations[0], provider=Agb("41999999"))),
            Template.of(replace(registrations[0], indicated_minutes=-5)),
            Template.of(replace(registrations[0], due_date=date(2012, 1, 1))),
        ]
        pc4 = postcodes[0]
        self.care = [Template.of(_care(provider.agb, pc4, hours)) for hours in (24, 36, 44)]
        self.ended = Template.of(
            e.CareEnded(
                record_id=RecordId(_ID),
                version=1,
                provider=provider.agb,
                pc4=pc4,
                registration_id=RecordId(_OTHER),
                ended_on=START,
                reason=CareEndReason.COMPLETED,
            )
        )
        self.capacity = [Template.of(_capacity(provider.agb, region, share)) for share in (90, 100, 110)]
        self.full = [
            Template.of(_full(provider.agb, region, level, status))
            for level, status in (
                (FullLevel.GUIDELINE, FullStatus.DECLARED),
                (FullLevel.GUIDELINE, FullStatus.LIFTED),
                (FullLevel.MINIMUM, FullStatus.DECLARED),
                (FullLevel.MINIMUM, FullStatus.LIFTED),
            )
        ]
        self.supply = b"s%06d%bx" % (int(provider.agb[2:]), region[-2:].encode())
        self.supply_version = 0


@dataclass(frozen=True, slots=True)
class Input:
    """One record for an inbox. `region` is where it is meant for, for the load that heats one region."""

    tenant: TenantId
    key: bytes
    value: bytes


class Generator:
    """An endless stream of inputs. Pure: the seed and what was asked decide every byte."""

    def __init__(self, nation: Nation, seed: int) -> None:
        self._draw = random.Random(f"load/{seed}")
        self._places = [
            _Place(nation, provider, region, self._draw) for provider in nation.providers for region in provider.regions
        ]
        self._by_region: dict[RegionCode, list[_Place]] = {}
        for place in self._places:
            self._by_region.setdefault(place.region, []).append(place)
        self._records: dict[RegionCode, list[_Record]] = {region: [] for region in self._by_region}
        self._regions = list(self._by_region)
        self._recent: list[Input] = []
        self._made = 0
        self._day = 0
        self._waiting = Template.of(_waiting(nation))
        self._gone = Template.of(
            replace(_waiting(nation), status=WaitingStatus.REMOVED, removal_reason=RemovalReason.WITHDRAWN)
        )
        self._listed: list[tuple[bytes, int]] = []
        self._kinds = [kind for kind, parts in KINDS.items() for _ in range(parts)]

    def day(self) -> Input:
        """The clock: the next day begins."""
        day = START + timedelta(days=self._day)
        self._day += 1
        return Input(world.CLOCK, day.isoformat().encode(), codec.encode(e.DayStarted(date=day)))

    def bulk(self, count: int, region: RegionCode | None = None) -> Iterator[Input]:
        """So many inputs of the mix, of all regions or of one."""
        draw, kinds = self._draw, self._kinds
        for _ in range(count):
            made = self._one(kinds[int(draw.random() * len(kinds))], region or draw.choice(self._regions))
            if len(self._recent) < 2000:
                self._recent.append(made)
            else:
                self._recent[int(draw.random() * 2000)] = made
            yield made

    def repeats(self, count: int) -> list[Input]:
        """Inputs that were sent before, bytes and all, in the order of their making."""
        return self._recent[:count]

    def shuffled(self, count: int) -> list[Input]:
        """Three versions of each of some new records, in any order."""
        found = []
        for _ in range(max(1, count // 3)):
            record = self._new_record(self._draw.choice(self._regions))
            shapes = record.place.shapes
            found += [
                Input(record.place.tenant, record.id, shapes[v % len(shapes)].with_(record.id, v)) for v in (1, 2, 3)
            ]
            record.version = 3
        self._draw.shuffle(found)
        return found

    def registration(self, region: RegionCode) -> Input:
        """The first version of a new registration of a region."""
        record = self._new_record(region)
        return Input(record.place.tenant, record.id, record.place.shapes[record.shape].with_(record.id, 1))

    def _one(self, kind: str, region: RegionCode) -> Input:
        draw = self._draw
        records = self._records[region]
        if kind == "list":
            return self._list()
        if kind == "repeat" and self._recent:
            return draw.choice(self._recent)
        if kind in ("capacity", "full"):
            place = draw.choice(self._by_region[region])
            place.supply_version += 1
            template = draw.choice(place.capacity if kind == "capacity" else place.full)
            return Input(place.tenant, place.supply, template.with_(place.supply, place.supply_version))
        if kind == "refused":
            return self._refused(draw.choice(self._by_region[region]))
        if not records or (kind == "register" and len(records) < RECORDS_PER_REGION_MAX):
            record = self._new_record(region)
            return Input(record.place.tenant, record.id, record.place.shapes[record.shape].with_(record.id, 1))
        record = records[int(draw.random() * len(records))]
        place, shapes = record.place, record.place.shapes
        match kind:
            case "deliver" | "end":
                record.care_version += 1
                template = place.ended if kind == "end" else draw.choice(place.care)
                own = (b"e" if kind == "end" else b"d") + record.id[1:]
                return Input(place.tenant, own, template.with_(own, record.care_version, record.id))
            case "withdraw":
                record.version += 1
                return Input(place.tenant, record.id, place.withdrawn.with_(record.id, record.version))
            case "stale" if record.version > 1:
                return Input(place.tenant, record.id, shapes[record.shape].with_(record.id, record.version - 1))
            case "conflict":
                other = shapes[(record.shape + 1) % len(shapes)]
                return Input(place.tenant, record.id, other.with_(record.id, record.version))
            case _:
                record.version += 1
                record.shape = (record.shape + 1) % len(shapes)
                return Input(place.tenant, record.id, shapes[record.shape].with_(record.id, record.version))

    def _new_record(self, region: RegionCode) -> _Record:
        place = self._draw.choice(self._by_region[region])
        record = _Record(self._next_id(b"k"), place, 1, self._draw.randrange(len(place.shapes)))
        self._records[region].append(record)
        return record

    def _list(self) -> Input:
        if len(self._listed) < 300:
            record_id, version, template = self._next_id(b"w"), 1, self._waiting
            self._listed.append((record_id, 1))
        else:  # a list has a length: the one who waited longest leaves, and may be listed again
            record_id, version = self._listed.pop(0)
            version += 1
            template = self._waiting if version % 2 else self._gone
            self._listed.append((record_id, version))
        return Input(world.WAITLIST, record_id, template.with_(record_id, version))

    def _refused(self, place: _Place) -> Input:
        record_id = self._next_id(b"r")
        pick = self._draw.randrange(len(place.refused) + 2)
        if pick < len(place.refused):
            return Input(place.tenant, record_id, place.refused[pick].with_(record_id, 1))
        good = place.shapes[0].with_(record_id, 1)
        return Input(place.tenant, record_id, good[: len(good) // 2] if pick % 2 else b"\x01" + good[1:])

    def _next_id(self, first: bytes) -> bytes:
        self._made += 1
        return first + b"%08dx" % self._made


class Ledger:
    """What was acknowledged, and what has its receipt: the lag as a tenant sees it. Usable from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._acknowledged: dict[str, Sums] = {}
        self._open: set[tuple[str, int]] = set()
        self._early: set[tuple[str, int]] = set()
        self.acknowledged = 0
        self.answered = 0
        self.repeated = 0

    def acknowledge(self, topic: str, offset: int, value: bytes) -> None:
        """The broker holds an input."""
        with self._lock:
            self.acknowledged += 1
            self._acknowledged.setdefault(topic, Sums()).put(offset, crc32(value))
            place = (topic, offset)
            if place in self._early:
                self._early.discard(place)
                self.answered += 1
            else:
                self._open.add(place)

    def answer(self, topic: str, offset: int) -> None:
        """A receipt has arrived."""
        with self._lock:
            place = (topic, offset)
            if place in self._open:
                self._open.discard(place)
                self.answered += 1
            elif offset in self._acknowledged.get(topic, ()):
                self.repeated += 1
            else:
                self._early.add(place)

    @property
    def open(self) -> int:
        """Acknowledged inputs without a receipt."""
        return len(self._open)

    def first_open(self, count: int = 3) -> list[str]:
        """Some of them, for messages."""
        with self._lock:
            return [f"{topic}/{offset}" for topic, offset in sorted(self._open)[:count]]

    def inputs(self) -> Mapping[str, Mapping[int, int]]:
        """Every acknowledged input: inbox → offset → CRC of its bytes."""
        return self._acknowledged


class Load:
    """Tenants at work: one producer each, and a reader of everybody's receipts that keeps the ledger."""

    def __init__(self, stand: Stand, nation: Nation, seed: int) -> None:
        self.ledger = Ledger()
        self.generator = Generator(nation, seed)
        self.sent = 0
        self._stand = stand
        self._nation = nation
        self._seed = seed
        self._producers: dict[str, Producer] = {}
        self._stop = threading.Event()
        self._reader = threading.Thread(target=self._read, name="receipts", daemon=True)
        self.failed: list[str] = []

    def __enter__(self) -> Load:
        self._reader.start()
        return self

    def __exit__(self, *what: Any) -> None:
        self._stop.set()
        self._reader.join(10)
        for producer in self._producers.values():
            producer.flush(5)

    def found(self) -> None:
        """Mandates, contracts, benchmarks and the first day; then what packages hold, with identities and accidents."""
        script = rehearse(self._nation)
        edge = EdgeEncoder(FileKey.derived(f"rig/{self._seed}"))
        days = [message for day in sorted(script.days) for message in script.days[day]]
        self._script: Sequence[Input] = [
            Input(packed.tenant, packed.key or b"", packed.value) for packed in pack(days, edge)
        ]
        for part in (script.founding, script.history):
            for packed in pack(part, edge):
                self.send(Input(packed.tenant, packed.key or b"", packed.value))
            self.settle()
        self.send(self.generator.day())
        self.settle()

    def script(self) -> Iterator[Input]:
        """What the nation says day by day; real identities, plans, guidelines and accidents."""
        yield from self._script

    def send(self, made: Input) -> None:
        """Hand an input to its tenant's producer."""
        producer = self._producers.get(made.tenant)
        if producer is None:
            producer = self._producers[made.tenant] = Producer(
                {
                    **self._stand.login(made.tenant),
                    "enable.idempotence": True,
                    "linger.ms": 2,
                    "retry.backoff.max.ms": 500,
                    "message.max.bytes": 2_000_000,
                    "queue.buffering.max.messages": 20_000,
                }
            )
        self.sent += 1
        while True:
            try:
                producer.produce(
                    catalogue.inbox(made.tenant), made.value, made.key, partition=0, on_delivery=self._delivered
                )
                break
            except BufferError:
                producer.poll(0.05)
        if not self.sent % 50:
            self.poll()

    def poll(self) -> None:
        """Hear what was acknowledged."""
        for producer in self._producers.values():
            producer.poll(0)

    @property
    def lag(self) -> int:
        """Inputs handed over and without a receipt."""
        return self.sent - self.ledger.answered

    def bulk(
        self, inputs: Iterator[Input] | Sequence[Input], in_flight_max: int = IN_FLIGHT_MAX, patience_s: float = 120.0
    ) -> None:
        """Send, and never be further ahead of the receipts than `in_flight_max`."""
        for made in inputs:
            if self.lag >= in_flight_max:
                self.wait(lambda: self.lag < in_flight_max, patience_s, "the hub fell behind")
            self.send(made)

    def settle(self, patience_s: float = 120.0) -> None:
        """Until every input has its receipt."""
        self.wait(lambda: self.lag == 0 and self.ledger.open == 0, patience_s, "receipts are missing")

    def wait(self, reached: Callable[[], bool], patience_s: float, what: str) -> None:
        """Until it is so. RuntimeError when nothing at all is answered for `patience_s`."""
        answered, since = self.ledger.answered, time.monotonic()
        while not reached():
            self.poll()
            if self.failed:
                raise RuntimeError(f"an inbox took no record: {self.failed[0]}")
            if self.ledger.answered != answered:
                answered, since = self.ledger.answered, time.monotonic()
            elif time.monotonic() - since > patience_s:
                raise RuntimeError(
                    f"{what}: nothing for {patience_s:.0f} s, {self.lag} open, first {self.ledger.first_open()}\n"
                    f"{self._stand.last_words()}"
                )
            time.sleep(0.005)

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self.failed.append(error.str())
        else:
            self.ledger.acknowledge(str(message.topic()), int(message.offset() or 0), bytes(message.value() or b""))

    def _read(self) -> None:
        topics = [t.name for t in catalogue.topics_for(self._stand.reference) if t.name.startswith("out.receipts.")]
        consumer = Consumer(
            {
                **self._stand.login(catalogue.AUDITOR),
                "group.id": "hub.auditor.rig",
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "fetch.error.backoff.ms": 50,
                "fetch.queue.backoff.ms": 20,
            }
        )
        consumer.assign([TopicPartition(topic, 0, OFFSET_BEGINNING) for topic in topics])
        while not self._stop.is_set():
            for message in consumer.consume(2_000, 0.05):
                if message.error() is not None:
                    continue  # a broker is away: the client looks for the next one by itself
                for name, value in message.headers() or []:
                    if name == "ce_hubsrc":
                        topic, _, offset = bytes(value).decode().rpartition("/")
                        self.ledger.answer(topic, int(offset))
        consumer.close()


def _zigzag(number: int) -> bytes:
    coded = number << 1
    out = bytearray()
    while coded >= 0x80:
        out.append(coded & 0x7F | 0x80)
        coded >>= 7
    out.append(coded)
    return bytes(out)


def _care(provider: Agb, pc4: Pc4, hours: int) -> e.CareDelivered:
    return e.CareDelivered(
        record_id=RecordId(_ID),
        version=1,
        provider=provider,
        pc4=pc4,
        registration_id=RecordId(_OTHER),
        born_on=START - timedelta(days=8),
        physical_minutes=hours * 60,
        digital_minutes=0,
        digital_consent=False,
        employed_minutes=hours * 40,
        self_employed_minutes=hours * 20,
        hospital_days=0,
        carers=2,
        carer_codes_present=True,
    )


def _capacity(provider: Agb, region: RegionCode, percent: int) -> e.CapacityDeclared:
    return e.CapacityDeclared(
        record_id=RecordId(_ID),
        version=1,
        provider=provider,
        region=region,
        period_from=START,
        period_until=START + timedelta(days=30),
        declared_on=START,
        method=CapacityMethod.CONTRACT_HOURS,
        contracted_employed_minutes=60_000 * percent,
        contracted_self_employed_minutes=20_000 * percent,
        deployable_employed_minutes=50_000 * percent,
        deployable_self_employed_minutes=15_000 * percent,
        subcontracted_minutes=0,
        carer_pool=None,
    )


def _full(provider: Agb, region: RegionCode, level: FullLevel, status: FullStatus) -> e.FullDeclared:
    return e.FullDeclared(
        record_id=RecordId(_ID),
        version=1,
        provider=provider,
        region=region,
        level=level,
        status=status,
        period_from=START,
        period_until=START + timedelta(days=30),
    )


def _waiting(nation: Nation) -> e.WaitingClientListed:
    return e.WaitingClientListed(
        record_id=RecordId(_ID),
        version=1,
        status=WaitingStatus.LISTED,
        removal_reason=None,
        pc4=nation.areas[0].postcodes[0],
        due_date=START + timedelta(days=80),
        requested_on=START - timedelta(days=5),
        insurer=Uzovi("9101"),
        indicated_minutes=2400,
        protocol=IndicationProtocol.LIP,
        partus_assistance=False,
        hospital_days=0,
        preferred_provider=None,
    )
