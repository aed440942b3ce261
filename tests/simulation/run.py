"""One seed from its first record to its verdict: the real adapters over the broker of this folder, in virtual time."""

import asyncio
import contextlib
import hashlib
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from unittest import mock

import async_solipsism
import structlog
from aiokafka import ConsumerRecord, TopicPartition

from hub.audit.verify import Row
from hub.contracts import catalogue
from hub.contracts.codec import decode
from hub.domain.identifiers import NATIONAL, RegionCode, TenantId
from hub.domain.region import RegionRules
from hub.errors import HubError
from hub.settings import Limits, Settings
from hub.streams import carrier, delivery, read_model, reader, relay, worker
from hub.streams.app import Batch, _carry_out
from hub.streams.carrier import position_of
from hub.streams.connection import Connection
from hub.streams.read_model import POSITIONS, Projection, ReadModel
from hub.streams.reader import Polled, Reader
from tests.invariants import Failure, Topics, check_all
from tests.simulation import schedule as plan
from tests.simulation.broker import EPOCH_MS, Broker, PartitionLog
from tests.simulation.bugs import Bug
from tests.simulation.clients import SimulatedConnection, SimulatedConsumer
from tests.simulation.process import CURRENT, Died, Process, Weather
from tests.simulation.redis import RedisServer, SimulatedRedis
from tests.simulation.schedule import Fault, Incident, Schedule
from tests.simulation.traffic import POISON, REFERENCE, Send, Tenants

LIMITS: Final = Limits(
    poll_records_max=40,
    snapshot_interval_s=1.0,
    acknowledge_interval_s=0.4,
    session_timeout_ms=3000,
    heartbeat_interval_ms=1000,
    revocation_wait_s=1.0,
    request_timeout_ms=5000,
)
POLL_MS: Final = 1000
IDLE_WITHIN_S: Final = 60.0
"""Virtual time after the last fault within which the hub must have caught up with everything."""
RESTART_S: Final = (0.05, 1.5)
SETTINGS: Final = Settings()
GROUPS: Final = {
    "hub.intake.g1": "intake",
    "hub.region.g1": "region",
    "hub.duplicates.g1": "duplicates",
    "hub.delivery.g1": "delivery",
    "hub.delivery.g1.compacted": "delivery",
}


@dataclass(slots=True)
class Outcome:
    """What one seed came to. `digest` is over everything that stands on the topics: equal runs, equal digest."""

    seed: int
    schedule: Schedule
    failures: list[Failure]
    notes: list[str]
    inputs: int
    facts: int
    repeats: int
    virtual_s: float
    digest: str


class VirtualTime:
    """Takes the place of the module `time` in the adapters: time passes when the loop says so."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def monotonic(self) -> float:
        """Seconds since the start of the run."""
        return self._loop.time()

    def time(self) -> float:
        """The wall clock of the running process, which may be off."""
        process = CURRENT.get()
        return EPOCH_MS / 1000 + self._loop.time() + (process.clock_skew_s if process else 0.0)


def run_seed(seed: int, bug: Bug | None = None) -> Outcome:
    """Run one seed, with a planted bug or none, and check what it left. The bug is out again before the check."""
    drawn = plan.draw(seed, bug.shows_under if bug else ())
    loop = async_solipsism.EventLoop()
    loop.set_exception_handler(lambda *_: None)  # futures of killed processes that nobody asks for any more
    simulation = Simulation(drawn)
    try:
        asyncio.set_event_loop(loop)
        with _in_virtual_time(loop, simulation), bug.plant() if bug else contextlib.nullcontext():
            loop.run_until_complete(simulation.play())
            loop.run_until_complete(simulation.clear_up())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    return simulation.outcome()


class Simulation:
    """The broker, Redis, the workers with their supervisor, the tenants and the faults of one seed."""

    broker: Broker

    def __init__(self, drawn: Schedule) -> None:
        self.schedule = drawn
        self.notes: list[str] = []
        self.redis = RedisServer()
        self.weather = Weather(random.Random(f"weather/{drawn.seed}"))
        self.broken = False
        """Whether the release that is out raises on POISON."""
        self.idle = False
        self._chance = random.Random(f"traffic/{drawn.seed}")
        self._workers: dict[str, Process] = {}
        self._connections: dict[str, SimulatedConnection] = {}
        self._supervisors: list[asyncio.Task[None]] = []
        self._ended_s = 0.0
        self._told: dict[TopicPartition, tuple[int, list[Any]]] = {}

    async def play(self) -> None:
        """Everything, until the hub is idle again or is given up."""
        self.broker = Broker(catalogue.topics_for(REFERENCE))
        self._supervisors = [asyncio.ensure_future(self._supervise(name)) for name in self.schedule.workers]
        tenants = asyncio.ensure_future(self._send_everything())
        for incident in self.schedule.incidents:
            await asyncio.sleep(max(0.0, incident.at_s - asyncio.get_running_loop().time()))
            self._strike(incident)
        await tenants
        await asyncio.sleep(max(0.0, plan.TRAFFIC_S + 8.5 - asyncio.get_running_loop().time()))
        self.weather.calm = True
        if self.broken:
            self._mend()
        await self._until_idle()
        self._ended_s = asyncio.get_running_loop().time()

    async def clear_up(self) -> None:
        """End every process and the tasks that watch them."""
        for supervisor in self._supervisors:
            supervisor.cancel()
        for process in self._workers.values():
            process.kill()
        await asyncio.sleep(0.01)
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def note(self, what: str) -> None:
        """One line of the trace."""
        self.notes.append(f"{asyncio.get_running_loop().time():8.3f} {what}")

    # Workers

    async def _supervise(self, name: str) -> None:
        """Start a worker, and again whenever it ends."""
        await asyncio.sleep(self.weather.chance.uniform(0.0, 0.3))
        while True:
            process = Process(name, self.weather, self.note, clock_skew_s=self.weather.chance.uniform(-90_000, 90_000))
            self._workers[name] = process
            main = process.spawn(self._work(process))
            await asyncio.wait([main])
            process.kill()
            self.note(f"{name} ended")
            await asyncio.sleep(self.weather.chance.uniform(*RESTART_S))

    async def _work(self, process: Process) -> None:
        """What hub.streams.worker does in a real process, without Faust's channel between reader and job."""
        CURRENT.set(process)
        role = process.name.rpartition("-")[0]
        instance = process.name if self.schedule.named else None
        connection = SimulatedConnection(
            "simulated:0", role, "", instance=instance, limits=LIMITS, broker=self.broker, process=process
        )
        self._connections[process.name] = connection
        with mock.patch.object(Connection, "of", lambda settings, principal: connection):
            jobs = list(worker.jobs_of(role, SETTINGS, REFERENCE))
        for job in jobs:
            if isinstance(job, ReadModel):
                job._redis = SimulatedRedis(self.redis, process)  # type: ignore[assignment]
        readers = [Reader(job, connection, process.die) for job in jobs]
        try:
            for one in readers:
                await one.start()
            await asyncio.gather(
                *(process.spawn(one.run(_hand_over(one), lambda: process.stopping)) for one in readers)
            )
            for one in readers:
                await one.stop()
        except HubError as problem:
            self.note(f"{process.name} cannot start: {type(problem).__name__}")
        except Exception as problem:  # noqa: BLE001  # the end of this process, not of the run
            self.note(f"{process.name} ended by {type(problem).__name__}")
        except Died:
            pass

    # Faults

    def _strike(self, incident: Incident) -> None:
        self.note(f"FAULT {incident.fault} {incident.target}")
        loop, weather = asyncio.get_running_loop(), self.weather
        match incident.fault:
            case Fault.KILL:
                self._kill(incident.target)
            case Fault.STOP:
                self._workers[incident.target].stopping = True
            case Fault.FREEZE:
                process = self._workers.get(incident.target)
                if process is not None and process.alive:
                    process.pause()
                    loop.call_later(incident.for_s, process.resume)
            case Fault.REBALANCE:
                for group, role in GROUPS.items():
                    if role == incident.target:
                        self.broker.disturb(group)
            case Fault.REDELIVER:
                for consumer in self._consumers(incident.target):
                    consumer.redeliver()
            case Fault.LOST_ACKNOWLEDGEMENTS:
                weather.lost_acknowledgements = 0.15
                loop.call_later(incident.for_s, setattr, weather, "lost_acknowledgements", 0.0)
            case Fault.LOST_REQUESTS:
                weather.lost_requests = 0.15
                loop.call_later(incident.for_s, setattr, weather, "lost_requests", 0.0)
            case Fault.SLOW_NETWORK:
                weather.slow, weather.slow_s = 0.3, 2.5
                loop.call_later(incident.for_s, setattr, weather, "slow", 0.05)
            case Fault.REDIS_FLUSHED:
                self.redis.flush()
            case Fault.REDIS_DOWN:
                weather.redis_down = True
                loop.call_later(incident.for_s, setattr, weather, "redis_down", False)
            case Fault.SNAPSHOTS_LOST:
                for log in self._logs(incident.target):
                    log.delete_all()
                # Who holds the state in memory does not notice; the next to load it must.
                loop.call_later(
                    incident.for_s, self._replace, "region" if "region" in incident.target else "duplicates"
                )
            case Fault.OFFSETS_LOST:
                self._lose_offsets(incident.target)
            case Fault.COMPACTION:
                for log in self._logs(incident.target):
                    log.compact()
            case Fault.BROKEN_RELEASE:
                self.broken = True
                loop.call_later(incident.for_s, self._mend)

    def _kill(self, name: str) -> None:
        process = self._workers.get(name)
        if process is not None:
            process.kill()

    def _mend(self) -> None:
        """The fix is out: every region worker is replaced."""
        if self.broken:
            self.broken = False
            self._replace("region")

    def _replace(self, role: str) -> None:
        """End every worker of a role; their supervisors start new ones."""
        for name in [name for name in self._workers if name.rpartition("-")[0] == role]:
            self._kill(name)

    def _lose_offsets(self, role: str) -> None:
        """An administrator deletes a group's offsets, for which the group must be empty."""
        self._replace(role)
        for group, owner in GROUPS.items():
            if owner == role:
                self.broker.group(group).members.clear()
                self.broker.group(group).committed.clear()

    def _consumers(self, name: str) -> Sequence[SimulatedConsumer]:
        connection = self._connections.get(name)
        return connection.consumers if connection is not None else ()

    def _logs(self, topic: str) -> list[PartitionLog]:
        return [log for source, log in sorted(self.broker.logs.items()) if source.topic == topic]

    # Tenants

    async def _send_everything(self) -> None:
        tenants = Tenants(self._chance, self._facts_told)
        for sent in tenants.found():
            await self._send(sent)
            await asyncio.sleep(self._chance.uniform(0.0, 0.1))
        for number in range(self.schedule.sends):
            sent = tenants.poison() if number == self.schedule.sends // 2 else tenants.one()
            await self._send(sent)
            if self._chance.random() < 0.08:
                await self._send(tenants.repeat(sent))
            await asyncio.sleep(self._chance.expovariate(self.schedule.sends / plan.TRAFFIC_S))

    async def _send(self, sent: Send) -> None:
        """A tenant's own producer, which asks again until it is answered: so what is acknowledged is on the inbox."""
        target = TopicPartition(catalogue.inbox(sent.tenant), 0)
        rows = [(b"key", value, (), None) for value in sent.values]
        if not sent.in_transaction:
            self.broker.append(target, rows)
            return
        vendor = f"{sent.tenant}.batches"
        epoch = self.broker.init_transactions(vendor)
        self.broker.append_in_transaction(vendor, epoch, target, rows)
        await asyncio.sleep(self._chance.uniform(0.0, 0.5))
        self.broker.end_transaction(vendor, epoch, committed=not sent.taken_back)

    def _facts_told(self, tenant: TenantId) -> list[Any]:
        target = TopicPartition(catalogue.out_topic("allocations", tenant), 0)
        at, known = self._told.get(target, (0, []))
        records, following = self.broker.log(target).read(at, 10_000, committed=True)
        known.extend(decode(record.value) for record in records)
        self._told[target] = following, known
        return known

    # The end

    async def _until_idle(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + IDLE_WITHIN_S
        quiet = 0
        while loop.time() < deadline:
            await asyncio.sleep(1.0)
            quiet = quiet + 1 if not self._behind() else 0
            if quiet == 3:
                self.idle = True
                return

    def _behind(self) -> list[str]:
        """Who has not read what."""
        found = []
        for source, log in self.broker.logs.items():
            for group in _readers_of(source.topic):
                if log.visible(self.broker.group(group).committed.get(source, 0)):
                    found.append(f"{group} {source.topic}/{source.partition}")
            if source.topic == catalogue.REGION_FACTS:
                held = self.redis.hashes.get(POSITIONS, {}).get(f"facts/{source.partition}", "0")
                if log.visible(int(held)):
                    found.append(f"read-model {source.topic}/{source.partition}")
        return found

    def outcome(self) -> Outcome:
        """Check what is left."""
        topics = self.topics()
        failures = [Failure("lag_returns_to_zero", who, f"not after {IDLE_WITHIN_S:.0f} s") for who in self._behind()]
        if not self.idle and not failures:
            failures.append(Failure("lag_returns_to_zero", "", "never stayed idle"))
        failures += check_all(topics, REFERENCE)
        failures += national_copy_last(self.broker)
        failures += read_model_equals_facts(topics, self.redis)
        facts = topics.get(catalogue.REGION_FACTS, ())
        places = {(row.key, row.headers["ce_hubpos"]) for row in facts}
        return Outcome(
            self.schedule.seed, self.schedule, failures, self.notes,
            sum(len(rows) for name, rows in topics.items() if name.startswith("inbox.") and not name.endswith(".dlq")),
            len(places), len(facts) - len(places), self._ended_s, _digest(topics),
        )  # fmt: skip

    def topics(self) -> Topics:
        """What a reader of committed records sees, as `hub dump` writes it."""
        topics: dict[str, list[Row]] = {}
        for source, log in sorted(self.broker.logs.items()):
            topics.setdefault(source.topic, []).extend(_row(entry.record) for entry in log.committed())
        return topics


def _readers_of(topic: str) -> Iterator[str]:
    if topic == catalogue.REGION_LOG:
        yield "hub.region.g1"
    elif topic == catalogue.IDENTITY_LOG:
        yield "hub.duplicates.g1"
    elif topic == catalogue.REGION_FACTS:
        yield from ("hub.intake.g1", "hub.delivery.g1", "hub.delivery.g1.compacted")
    elif topic == catalogue.LINKS or (topic.startswith("inbox.") and not topic.endswith(".dlq")):
        yield "hub.intake.g1"


def national_copy_last(broker: Broker) -> list[Failure]:
    """A receipt means that every log holds the event: the NL copy is written after every region's."""
    first: dict[str, dict[str, int]] = {}
    for source, log in broker.logs.items():
        if source.topic in (catalogue.REGION_LOG, catalogue.IDENTITY_LOG):
            for entry in log.committed():
                mark = dict(entry.record.headers)["ce_hubsrc"].decode()
                first.setdefault(mark, {}).setdefault(entry.record.key.decode(), entry.appended)
    return [
        Failure("national_copy_last", mark, "stands on NL before it stands everywhere")
        for mark, copies in sorted(first.items())
        if NATIONAL in copies and copies[NATIONAL] < max(copies.values())
    ]


def read_model_equals_facts(topics: Topics, server: RedisServer) -> list[Failure]:
    """What a page shows is what the facts say, each counted once."""
    wanted = RedisServer()
    projection = Projection(REFERENCE)
    highest: dict[str, tuple[int, int]] = {}
    for row in topics.get(catalogue.REGION_FACTS, ()):
        place = position_of([("ce_hubpos", row.headers["ce_hubpos"].encode())])
        if place > highest.get(row.key, (-1, -1)):
            highest[row.key] = place
            projection.take(decode(row.value or b""), RegionCode(row.key))
    for command in projection.commands():
        wanted.run(command)
    differing = [
        name
        for name in sorted(wanted.hashes.keys() | (server.hashes.keys() - {POSITIONS}))
        if wanted.hashes.get(name, {}) != server.hashes.get(name, {})
    ]
    differing += [  # partitions are read side by side, so what two of them push may stand in either order
        name
        for name in sorted(wanted.lists.keys() | server.lists.keys())
        if sorted(wanted.lists.get(name, [])) != sorted(server.lists.get(name, []))
    ]
    return [Failure("read_model_equals_facts", name, "differs from a projection of all facts") for name in differing]


def _hand_over(one: Reader) -> Callable[[Polled], Awaitable[None]]:
    async def hand_over(polled: Polled) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        await _carry_out(one, Batch(polled, done))
        await done

    return hand_over


@contextlib.contextmanager
def _in_virtual_time(loop: asyncio.AbstractEventLoop, simulation: Simulation) -> Iterator[None]:
    """The adapters read the loop's clock; log events become notes; a broken release raises on POISON."""
    clock = VirtualTime(loop)
    decide = RegionRules.decide

    def decide_or_raise(self: RegionRules, state: Any, logged: Any) -> Sequence[Any]:
        if simulation.broken and getattr(logged.event, "record_id", None) == POISON:
            raise ZeroDivisionError
        return decide(self, state, logged)

    def keep(logger: Any, method: str, event: Any) -> Any:
        process = CURRENT.get()
        told = " ".join(f"{key}={value}" for key, value in sorted(event.items()) if key != "event")
        simulation.note(f"{process.name if process else ''} {event['event']} {told}")
        raise structlog.DropEvent

    with contextlib.ExitStack() as stack:
        for module in (carrier, delivery, read_model, relay, reader):
            stack.enter_context(mock.patch.object(module, "time", clock))
        stack.enter_context(mock.patch.object(reader, "POLL_MS", POLL_MS))
        stack.enter_context(mock.patch.object(RegionRules, "decide", decide_or_raise))
        before = structlog.get_config()
        structlog.configure(processors=[keep], wrapper_class=structlog.make_filtering_bound_logger(0))
        try:
            yield
        finally:
            structlog.configure(**before)


def _row(record: ConsumerRecord) -> Row:
    headers = {name: value.decode(errors="replace") for name, value in record.headers}
    key = (record.key or b"").decode(errors="replace")
    return Row(record.partition, record.offset, record.timestamp, key, headers, record.value)


def _digest(topics: Topics) -> str:
    total = hashlib.sha256()
    for name, rows in sorted(topics.items()):
        for row in rows:
            total.update(repr((name, row.partition, row.offset, row.timestamp, row.key, row.value)).encode())
    return total.hexdigest()[:16]
