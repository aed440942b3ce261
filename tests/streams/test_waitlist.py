"""The round trip with a waitlist tool: a real HTTP server, a real broker, the real rules between them."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiokafka import TopicPartition
from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import NewTopic

from hub.connectors.waitlist_tool import Tool, ToolRefused
from hub.contracts import catalogue, codec
from hub.domain import events as e
from hub.domain.facts import AllocationStated
from hub.domain.identifiers import RecordId, TenantId
from hub.domain.words import DeclaredColour
from hub.errors import UsageError, WorldUnavailable
from hub.local.kafka import KafkaCluster
from hub.local.offsets import committed, ends
from hub.settings import Settings
from hub.streams import waitlist
from hub.streams.connection import Connection, read_to_end, reading
from hub.streams.producer import Publisher, Record
from hub.streams.waitlist import PUSH_MAX, Bridge, connect
from tests.contracts.examples import example
from tests.domain.region_world import (
    ALFA,
    CLOCK,
    DAY_1,
    HERE,
    INS_1,
    KSV,
    LIST,
    OFFICE,
    REFERENCE,
    ROOS,
    capacity,
    contract,
    mandate,
)
from tests.whole.one_process import OneProcess

pytestmark = pytest.mark.kafka
PAUSE_S = 1
CLIENT = {"version": 1, "status": "listed", "pc4": "1011", "due_date": "2026-03-06", "requested_on": "2026-03-02",
          "insurer": "3311", "indicated_minutes": 2700}  # fmt: skip


@dataclass
class SmallTool:
    """A tool: pages of clients and answers until acknowledged, and all that it was told.

    `failing`: answers 503 so often. `refuses`: the clients about whom it answers 422. `busy`: how often it asks to be
    left alone for `PAUSE_S`. `asked_s`: when it was told something, whatever it answered.
    """

    pages: dict[str, list[Any]] = field(default_factory=lambda: {"clients": [], "answers": []})
    told: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    failing: int = 0
    refuses: tuple[str, ...] = ()
    busy: int = 0
    refusals: int = 0
    pages_asked: int = 0
    deaf: bool = False
    """Answers 400 to what it is told of its own records."""
    asked_s: list[float] = field(default_factory=list)
    silent: str = ""
    """The client about whom it gives no answer."""
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    gated: str = ""
    """The client about whom it answers when `gate` is open, and then wants a pause first."""
    allows: int = 1_000_000
    """How much it may be told before it wants a pause of `PAUSE_S`, again and again."""

    def app(self) -> web.Application:
        """The server."""
        app = web.Application()
        app.router.add_get("/{kind}", self._page)
        app.router.add_post("/{kind}", self._take)
        return app

    async def _page(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != "Bearer secret":
            return web.Response(status=401)
        self.pages_asked += 1
        return web.json_response({"records": self.pages[request.match_info["kind"]], "cursor": "c1"})

    async def _take(self, request: web.Request) -> web.Response:
        if self.failing:
            self.failing -= 1
            return web.Response(status=503)
        kind, body = request.match_info["kind"], await request.json()
        self.asked_s.append(time.monotonic())
        if len(self.asked_s) % (self.allows + 1) == 0:
            return web.Response(status=429, headers={"Retry-After": str(PAUSE_S)})
        if self.busy:
            self.busy -= 1
            return web.Response(status=429, headers={"Retry-After": str(PAUSE_S)})
        if self.deaf and kind == "refused":
            return web.Response(status=400)
        if body.get("client") == self.gated:
            self.gated = ""
            await self.gate.wait()
            return web.Response(status=429, headers={"Retry-After": str(PAUSE_S)})
        if body.get("client") == self.silent:
            await asyncio.sleep(3600)
        if body.get("client") in self.refuses:
            self.refusals += 1
            return web.Response(status=422)
        if kind == "received":
            self.pages[body["kind"]] = []
        self.told.append((kind, body))
        return web.Response(status=204)

    def of(self, kind: str) -> list[dict[str, Any]]:
        """What it was told of one kind, in order."""
        return [body for one, body in self.told if one == kind]


@asynccontextmanager
async def running(
    tool: SmallTool, connection: Connection, tenant: TenantId = LIST, *, again: bool = False
) -> AsyncIterator[None]:
    """The tool serves and the connector runs, until the block ends."""
    runner = web.AppRunner(tool.app(), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    async with aiohttp.ClientSession() as session:
        server = Tool(f"http://{host}:{port}", "secret", session)
        bridge = Bridge(server, tenant, connection, (KSV, connection), 0.05, again=again)
        task = asyncio.create_task(bridge.run())
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            await runner.cleanup()


async def until(holds: Any) -> None:
    """Wait for it, at most 30 s."""
    for _ in range(600):
        if await holds() if asyncio.iscoroutinefunction(holds) else holds():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it did not come true within 30 s")


async def read(connection: Connection, topic: str) -> list[Any]:
    """Every event in a topic."""
    async with reading(connection) as consumer:
        return [codec.decode(r.value) async for r in read_to_end(consumer, {TopicPartition(topic, 0): None})]


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    """A node of this test's own: it speaks for tenants whose inboxes other tests of the folder use as well."""
    with KafkaCluster() as running:
        yield running


def a_red_region() -> OneProcess:
    """Roos has room, and the region is red."""
    hub = OneProcess(REFERENCE)
    colour = e.ColourDeclared(
        record_id=RecordId("k1"), version=1, region=HERE, colour=DeclaredColour.RED, valid_from=DAY_1
    )
    for tenant, event in (
        (OFFICE, mandate(ROOS, ALFA)), (INS_1, contract(ROOS)), (ALFA, capacity(ROOS, hours=200)),
        (CLOCK, e.DayStarted(date=DAY_1)), (KSV, colour),
    ):  # fmt: skip
        hub.send(tenant, codec.encode(event), b"k")
    return hub


async def test_clients_and_answers_come_in_and_allocations_go_out_in_order(
    cluster: KafkaCluster, connection: Connection
) -> None:
    """Listed, proposed, accepted by the coordinator in the tool: and the tool hears each step, once."""
    inboxes = [catalogue.inbox(LIST), catalogue.inbox(KSV)]
    outs = [catalogue.out_topic(kind, LIST) for kind in ("allocations", "client-status")]
    admin = cluster.admin()  # held while its answers are awaited
    made = admin.create_topics([NewTopic(topic, 1, 1) for topic in (*inboxes, *outs)])
    for one in made.values():
        one.result(30)
    tool, hub = SmallTool(failing=2), a_red_region()
    tool.pages["clients"] = [{"id": "w1", **CLIENT}, {"id": "w2", **CLIENT, "pc4": "nowhere"}, {"id": "w3", **CLIENT}]
    delivered = 0

    async def deliver() -> None:
        """What intake, the region fold and delivery do, with the real rules."""
        nonlocal delivered
        facts = [fact for place in sorted(hub.facts) for fact in hub.facts[place]]
        records: dict[TopicPartition, list[Record]] = {}
        for fact in facts[delivered:]:
            headers = dict(fact.headers)
            if (topic := headers.get("ce_hubdest", b"").decode()) in outs:
                kept = [("ce_sequence", headers["ce_sequence"])]
                records.setdefault(TopicPartition(topic, 0), []).append(Record(fact.key, fact.value, kept, 0))
        delivered = len(facts)
        publisher = Publisher(connection.producer())
        await connection.start(publisher.producer)
        await publisher.publish_all(records)
        await publisher.producer.stop()

    async with running(tool, connection):
        await until(lambda: len(tool.of("received")) == 1)
        assert [(one["id"], one["pointer"]) for one in tool.of("refused")] == [("w2", "/pc4")]
        listed = await read(connection, inboxes[0])
        assert [event.record_id for event in listed] == ["w1", "w3"]
        for event in listed:
            hub.send(LIST, codec.encode(event), b"k")
        await deliver()
        await until(lambda: len(tool.of("allocations")) == 2)
        proposal = tool.of("allocations")[0]
        assert (proposal["client"], proposal["status"]) == ("w1", "proposed")
        answer = {"id": "a1", "region": HERE, "proposal": proposal["proposal"], "provider": ROOS, "answer": "accepted"}
        tool.pages["answers"] = [answer]
        await until(lambda: len(tool.of("received")) == 2)
        for event in await read(connection, inboxes[1]):
            hub.send(KSV, codec.encode(event), b"k")
        await deliver()
        await until(lambda: len(tool.of("client-status")) == 3)
    of_w1 = [body["status"] for body in tool.of("allocations") if body["client"] == "w1"]
    assert of_w1 == ["proposed", "accepted"]
    told = [body["status"] for body in tool.of("client-status") if body["client"] == "w1"]
    assert told == ["provider_asked", "provider_found"]
    numbers = [body["sequence"] for body in tool.of("allocations")]
    assert numbers == sorted(set(numbers))


SECOND = TenantId("list-two")
"""A tool of its own for what follows: nothing but statements, as delivery would have put them there."""


async def stated(cluster: KafkaCluster, connection: Connection, *clients: str) -> None:
    """A statement about each of these clients, in this order."""
    topics = [catalogue.out_topic(kind, SECOND) for kind in ("allocations", "client-status")]
    topics.append(catalogue.inbox(SECOND))
    admin = cluster.admin()
    for topic in set(topics) - admin.list_topics(timeout=10).topics.keys():
        admin.create_topics([NewTopic(topic, 1, 1)])[topic].result(30)
    publisher = Publisher(connection.producer())
    await connection.start(publisher.producer)
    records = [
        Record(
            b"KSV-01",
            codec.encode(example(AllocationStated, recipient=SECOND, waiting_id=RecordId(client))),
            [("ce_sequence", b"%d" % number)],
        )
        for number, client in enumerate(clients, 1)
    ]
    await publisher.publish_all({TopicPartition(topics[0], 0): records})
    await publisher.producer.stop()


async def note_is(connection: Connection, expected: str) -> None:
    """Wait until this stands beside the offset of the second tool's allocations."""
    place = TopicPartition(catalogue.out_topic("allocations", SECOND), 0)

    async def holds() -> bool:
        return (await connection.notes(catalogue.connector_group(SECOND))).get(place) == expected

    await until(holds)


async def test_a_statement_that_the_tool_refuses_stops_nobody_and_can_be_told_again_once_the_tool_is_mended(
    cluster: KafkaCluster, connection: Connection
) -> None:
    """It is noted beside the committed offset, through a restart; the good ones behind it go on at once."""

    def clients() -> list[str]:
        return list(dict.fromkeys(body["client"] for body in tool.of("allocations")))

    tool = SmallTool(refuses=("w2",), busy=1)
    await stated(cluster, connection, "w1", "w2", "w3", "w4")
    async with running(tool, connection, SECOND):
        await note_is(connection, "1")
        await until(lambda: len(clients()) == 3)
    assert clients() == ["w1", "w3", "w4"]
    first, second, *_ = tool.asked_s
    assert second - first >= PAUSE_S  # it was left alone for as long as it asked

    await stated(cluster, connection, "w5")
    async with running(tool, connection, SECOND):
        await until(lambda: "w5" in clients())
        await note_is(connection, "1")
    assert tool.refusals == 1

    async with running(tool, connection, SECOND, again=True):
        await until(lambda: tool.refusals == 2)
        await note_is(connection, "1")
    tool.refuses = ()
    async with running(tool, connection, SECOND, again=True):
        await note_is(connection, "")
    assert clients() == ["w1", "w3", "w4", "w5", "w2"]


@pytest.mark.parametrize(("seconds", "statements"), [(waitlist.PUSH_S, PUSH_MAX), (0.0, 1)])
async def test_what_a_slow_tool_was_told_of_a_long_queue_is_committed_on_the_way(
    cluster: KafkaCluster, connection: Connection, monkeypatch: pytest.MonkeyPatch, seconds: float, statements: int
) -> None:
    """Whoever polls only after the whole queue loses its place meanwhile, and begins again at the same statement."""
    monkeypatch.setattr(waitlist, "PUSH_S", seconds)
    place, group = (catalogue.out_topic("allocations", SECOND), 0), catalogue.connector_group(SECOND)
    admin = cluster.admin()
    await stated(cluster, connection)
    before = ends(admin, [place])[place]
    tool = SmallTool(silent=f"q{statements}")
    await stated(cluster, connection, *(f"q{number}" for number in range(statements + 1)))

    async def some() -> bool:
        with suppress(KafkaException):  # of a group that nobody has joined yet
            return committed(admin, group).get(place, 0) >= before + statements
        return False

    async with running(tool, connection, SECOND):
        await until(some)


async def test_what_a_slow_tool_was_told_again_of_many_leaves_the_note_on_the_way(
    cluster: KafkaCluster, connection: Connection
) -> None:
    """One that is refused again stays in it, and what has not been told yet."""
    place, refused = (catalogue.out_topic("allocations", SECOND), 0), [f"r{number}" for number in range(PUSH_MAX + 2)]
    await stated(cluster, connection)
    first = ends(cluster.admin(), [place])[place]
    await stated(cluster, connection, *refused)
    last = first + PUSH_MAX + 1
    async with running(SmallTool(refuses=tuple(refused)), connection, SECOND):
        await note_is(connection, f"{first}-{last}")
    tool = SmallTool(refuses=("r3",), silent=refused[-1])
    async with running(tool, connection, SECOND, again=True):
        await note_is(connection, f"{first + 3},{last - 1}-{last}")
    async with running(SmallTool(), connection, SECOND, again=True):
        await note_is(connection, "")


async def test_what_was_refused_is_noted_though_the_places_are_dealt_anew_meanwhile(
    cluster: KafkaCluster, connection: Connection
) -> None:
    """What had not been committed yet is told again, so that it is refused again."""
    place, group = (catalogue.out_topic("allocations", SECOND), 0), catalogue.connector_group(SECOND)
    await stated(cluster, connection)
    first = ends(admin := cluster.admin(), [place])[place]
    await stated(cluster, connection, "n1", "n2", "n3")
    tool = SmallTool(refuses=("n1",), gated="n2")

    async def settled(many: int) -> bool:
        [asked] = admin.describe_consumer_groups([group]).values()
        told = await asyncio.to_thread(asked.result, 20)
        return told.state is ConsumerGroupState.STABLE and len(told.members) == many

    async with running(tool, connection, SECOND):
        await until(lambda: not tool.gated)
        other = connection.group_consumer(group, [place[0]])
        other.subscribe([place[0]])
        await connection.start(other)
        await until(partial(settled, 2))
        await other.stop()
        await until(partial(settled, 1))
        tool.gate.set()
        await until(lambda: any(body["client"] == "n3" for body in tool.of("allocations")))
        await note_is(connection, f"{first}")
    async with running(SmallTool(), connection, SECOND, again=True):
        await note_is(connection, "")


@pytest.mark.parametrize(("status", "expected"), [(401, UsageError), (404, ToolRefused)])
async def test_a_tool_that_gives_no_page_ends_the_connector_before_a_statement_is_refused(
    cluster: KafkaCluster, connection: Connection, status: int, expected: type[Exception]
) -> None:
    """A wrong address or token refuses everything: that says nothing about what it would be told."""

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.method)
        return web.Response(status=status)

    asked: list[str] = []
    await stated(cluster, connection, "w1")
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    async with TestServer(app, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        with pytest.raises(expected, match=f"answered {status} to GET /clients"):
            await Bridge(Tool(str(server.make_url("/")), "secret", session), SECOND, connection).run()
    assert set(asked) == {"GET"}


async def test_a_tool_that_will_not_hear_what_is_wrong_with_a_record_still_gets_its_others_in(
    cluster: KafkaCluster, connection: Connection
) -> None:
    """And the page is acknowledged, else it would come for ever."""
    await stated(cluster, connection)
    tool = SmallTool(deaf=True)
    tool.pages["clients"] = [{"id": "w8", **CLIENT, "pc4": "nowhere"}, {"id": "w9", **CLIENT}]
    async with running(tool, connection, SECOND):
        await until(lambda: len(tool.of("received")) == 1)
    assert [event.record_id for event in await read(connection, catalogue.inbox(SECOND))] == ["w9"]


async def test_a_page_of_which_a_tool_hears_little_at_a_time_is_told_back_once_and_taken_once(
    cluster: KafkaCluster, connection: Connection
) -> None:
    """Begun anew after every pause, it would never be told whole, and its sound records would come again each time."""
    await stated(cluster, connection)
    tool = SmallTool(allows=2)
    wrong = [{"id": f"x{number}", **CLIENT, "pc4": "nowhere"} for number in range(3)]
    tool.pages["clients"] = [{"id": "w10", **CLIENT}, *wrong]
    before = len(await read(connection, catalogue.inbox(SECOND)))
    async with running(tool, connection, SECOND):
        await until(lambda: len(tool.of("received")) == 1)
    assert [one["id"] for one in tool.of("refused")] == ["x0", "x1", "x2"]
    assert [event.record_id for event in (await read(connection, catalogue.inbox(SECOND)))[before:]] == ["w10"]


async def test_an_inbox_that_will_not_have_a_page_ends_the_connector_with_words(
    cluster: KafkaCluster, connection: Connection
) -> None:
    """The page is not acknowledged."""
    tool = SmallTool()
    tool.pages["clients"] = [{"id": "w1", **CLIENT}]
    nobody = TenantId("list-without-inbox")
    async with TestServer(tool.app(), host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        with pytest.raises(WorldUnavailable, match=f"inbox.{nobody}"):
            await Bridge(Tool(str(server.make_url("")), "secret", session), nobody, connection).run()
    assert tool.of("received") == []


async def test_a_connector_that_is_told_to_stop_leaves_in_order(cluster: KafkaCluster, tmp_path: Path) -> None:
    """Its place is free at once, instead of after its session."""
    (keys := tmp_path / "keys.json").write_text(json.dumps({cluster.admin_user: cluster.admin_password}), "utf-8")
    settings = Settings(bootstrap_servers=cluster.bootstrap, credentials_file=keys)
    tool = SmallTool()
    async with TestServer(tool.app(), host="127.0.0.1") as server:
        ended = asyncio.create_task(connect(settings, str(server.make_url("")), cluster.admin_user, "secret", None))
        await until(lambda: tool.pages_asked > 0)
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(ended, 20)
    assert await asyncio.to_thread(members, cluster, catalogue.connector_group(TenantId(cluster.admin_user))) == []


def members(cluster: KafkaCluster, group: str) -> list[Any]:
    """Who is in it."""
    admin = cluster.admin()  # held while its answers are awaited
    [future] = admin.describe_consumer_groups([group]).values()
    return list(future.result(20).members)
