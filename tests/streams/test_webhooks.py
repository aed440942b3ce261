"""The webhook relay on a real Kafka and a real receiver: in order, at least once, and nobody waits for another."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiokafka import TopicPartition
from confluent_kafka.admin import NewTopic

from hub.connectors.webhooks import Endpoint
from hub.contracts.catalogue import ALERTS
from hub.contracts.codec import encode
from hub.domain.facts import AlertChanged
from hub.domain.words import AlertSeverity
from hub.local.kafka import KafkaCluster
from hub.settings import Settings
from hub.streams.connection import Connection
from hub.streams.producer import Publisher, Record
from hub.streams.reader import Reader
from hub.streams.webhooks import ASIDE_MAX, KEPT_TRYING_S, QUEUE_MAX, WebhookRelay, jobs
from tests.contracts.examples import example

pytestmark = pytest.mark.kafka
SECRET = f"whsec_{base64.b64encode(bytes(32)).decode()}"
NOW_S = time.time()
"""A broker takes no record from the future."""


@dataclass
class Desk:
    """A receiver: `closed` says whether it answers 503 now."""

    closed: bool = False
    got: list[str] = field(default_factory=list)
    calls: int = 0
    answer: int = 204
    refuses: str = " "
    """Start of a webhook-id that it answers with 422."""

    async def take(self, request: web.Request) -> web.Response:
        """One call."""
        self.calls += 1
        if self.closed:
            return web.Response(status=503)
        if request.headers["webhook-id"].startswith(self.refuses):
            return web.Response(status=422)
        if self.answer < 300:
            self.got.append(request.headers["webhook-id"])
        return web.Response(status=self.answer)


@dataclass
class Office:
    """A desk, where it is reached, and a clock that a test moves."""

    desk: Desk
    url: str
    now_s: float = NOW_S

    def relay(self, stem: str, **change: object) -> WebhookRelay:
        """The relay to this desk."""
        endpoint = Endpoint(name="desk", url=self.url, secrets=(SECRET,))
        return WebhookRelay(replace(endpoint, **change), f"hub.webhooks.{stem}", now=lambda: self.now_s)  # type: ignore[arg-type]


@pytest_asyncio.fixture
async def office() -> AsyncIterator[Office]:
    """An office on loopback."""
    desk = Desk()
    app = web.Application()
    app.router.add_post("/alerts", desk.take)
    async with TestServer(app, host="127.0.0.1") as server:
        yield Office(desk, str(server.make_url("/alerts")))


@pytest.fixture(autouse=True)
def topic(cluster: KafkaCluster) -> None:
    """An empty alerts topic."""
    admin = cluster.admin()
    if ALERTS in admin.list_topics(timeout=10).topics:
        for done in admin.delete_topics([ALERTS], operation_timeout=10).values():
            done.result()
    for attempt in range(50):
        try:
            for made in admin.create_topics([NewTopic(ALERTS, 1, 1)]).values():
                made.result()
            return
        except Exception:  # a topic takes a moment to be gone
            if attempt == 49:
                raise


async def alert(
    connection: Connection,
    *numbers: int,
    alert_id: str = "a1",
    severity: AlertSeverity = AlertSeverity.WARNING,
    made_s: float = NOW_S,
) -> None:
    """Changes of one alert on the topic, numbered."""
    value = encode(example(AlertChanged, alert_id=alert_id, severity=severity, recipient=""))
    records = [
        Record(
            b"KSV-01",
            value,
            [
                ("ce_id", b"x"), ("ce_source", b"urn:x"), ("ce_type", b"t"), ("ce_time", b"2026-03-02T03:00:00.000Z"),
                ("ce_sequence", b"%d" % number), ("ce_hubregion", b"KSV-01"),
            ],
            int(made_s * 1000),
        )
        for number in numbers
    ]  # fmt: skip
    publisher = Publisher(connection.producer())
    await connection.start(publisher.producer)
    await publisher.publish_all({TopicPartition(ALERTS, 0): records})
    await publisher.producer.stop()


async def works_until(job: WebhookRelay, connection: Connection, reached: Callable[[], bool]) -> None:
    """Run the job until something holds, then stop it in good order."""
    reader, stopping = Reader(job, connection), asyncio.Event()
    await reader.start()
    running = asyncio.create_task(reader.run(job.handle, stopping.is_set))
    try:
        async with asyncio.timeout(20):
            while not reached():  # noqa: ASYNC110  # what is waited for lies with the desk, a plain object
                await asyncio.sleep(0.02)
    finally:
        stopping.set()
        await running
        await reader.stop()


def ids(*numbers: int) -> list[str]:
    """What the desk remembers of these changes."""
    return [f"a1.KSV-01.{number}" for number in numbers]


async def test_changes_arrive_in_order_and_a_restart_goes_on_where_it_stopped(
    connection: Connection, stem: str, office: Office
) -> None:
    """What was taken and acknowledged is not sent again."""
    await alert(connection, 1, 2, 3)
    await works_until(office.relay(stem), connection, lambda: len(office.desk.got) == 3)
    await alert(connection, 4)
    await works_until(office.relay(stem), connection, lambda: len(office.desk.got) == 4)
    assert office.desk.got == ids(1, 2, 3, 4)


async def test_a_repeat_on_the_topic_is_sent_once(connection: Connection, stem: str, office: Office) -> None:
    """Delivery may copy a change twice around a crash; no desk is rung twice for it."""
    await alert(connection, 1, 2, 1, 2, 3)
    await works_until(office.relay(stem), connection, lambda: len(office.desk.got) == 3)
    assert office.desk.got == ids(1, 2, 3)


async def test_a_desk_that_is_closed_gets_everything_later_and_still_in_order(
    connection: Connection, stem: str, office: Office
) -> None:
    """Nothing overtakes the change that was not taken, and a worker that is replaced meanwhile loses none."""
    office.desk.closed = True
    await alert(connection, 1, 2)
    await works_until(office.relay(stem), connection, lambda: office.desk.calls >= 1)
    office.desk.closed = False
    office.now_s += 3600
    await works_until(office.relay(stem), connection, lambda: len(office.desk.got) == 2)
    assert office.desk.got == ids(1, 2)


async def test_a_full_queue_before_a_closed_desk_is_no_backlog_of_the_worker(
    connection: Connection, stem: str, office: Office
) -> None:
    """The watchdog would end the process, and with it the work for every other receiver."""
    office.desk.closed = True
    await alert(connection, *range(1, QUEUE_MAX + 51))
    few = replace(connection, limits=connection.limits.model_copy(update={"poll_records_max": QUEUE_MAX // 2}))
    job = office.relay(stem)
    reader, stopping = Reader(job, few), asyncio.Event()
    await reader.start()
    running = asyncio.create_task(reader.run(job.handle, stopping.is_set))
    try:
        async with asyncio.timeout(20):
            while not reader.consumer.paused() or reader.handled == 0:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        [place] = reader.consumer.assignment()
        ends = await reader.consumer.end_offsets([place])
        assert await reader.consumer.position(place) < ends[place]
        assert await reader.backlog() == 0
    finally:
        stopping.set()
        await running
        await reader.stop()


async def test_pauses_grow_while_a_desk_is_closed(connection: Connection, stem: str, office: Office) -> None:
    """No call before its pause is over; then one."""
    office.desk.closed = True
    await alert(connection, 1)
    job = office.relay(stem)

    def each_pause_is_longer() -> bool:
        if office.desk.calls and job._pause.not_before_s > office.now_s:
            pauses.append(job._pause.not_before_s - office.now_s)
            if len(pauses) < 4:
                office.now_s = job._pause.not_before_s
        return len(pauses) >= 4

    pauses: list[float] = []
    await works_until(job, connection, each_pause_is_longer)
    assert pauses == sorted(pauses)
    assert pauses[-1] > 4 * pauses[0]
    assert office.desk.calls == 4


async def test_what_nobody_took_for_a_day_is_given_up_and_what_follows_goes_on(
    connection: Connection, stem: str, office: Office
) -> None:
    """An alert of the day before yesterday is no alert; a new receiver is not flooded with old ones either."""
    await alert(connection, 1, made_s=NOW_S - KEPT_TRYING_S - 1)
    await alert(connection, 2)
    await works_until(office.relay(stem), connection, lambda: bool(office.desk.got))
    assert office.desk.got == ids(2)


async def test_who_is_gone_is_called_once_and_left_alone(connection: Connection, stem: str, office: Office) -> None:
    """410: nothing more is sent until the worker starts again."""
    office.desk.answer = 410
    await alert(connection, 1, 2, 3)
    job = office.relay(stem)
    await works_until(job, connection, lambda: office.desk.calls == 1 and not job._waiting)
    assert office.desk.calls == 1


async def test_one_alert_that_a_desk_refuses_holds_up_no_other_and_is_taken_once_the_desk_is_mended(
    connection: Connection, stem: str, office: Office
) -> None:
    """Its own later changes wait behind it, those of others go on; a worker that is replaced meanwhile loses none."""
    office.desk.refuses = "a1."
    await alert(connection, 1, 2)
    await alert(connection, 3, 4, alert_id="a2")
    await works_until(office.relay(stem), connection, lambda: len(office.desk.got) == 2)
    assert office.desk.got == ["a2.KSV-01.3", "a2.KSV-01.4"]
    office.desk.refuses = " "
    await works_until(office.relay(stem), connection, lambda: {*ids(1, 2)} <= {*office.desk.got})
    assert [one for one in office.desk.got if one.startswith("a1.")] == ids(1, 2)


async def test_what_is_refused_for_a_day_is_given_up_and_the_next_change_of_its_alert_goes_on(
    connection: Connection, stem: str, office: Office
) -> None:
    """As where nobody answers."""
    office.desk.refuses = "a1.KSV-01.1"
    await alert(connection, 1, made_s=NOW_S - KEPT_TRYING_S + 100)
    await alert(connection, 2)

    def a_day_is_over_once_it_was_refused() -> bool:
        if office.desk.calls and office.now_s == NOW_S:
            assert office.desk.got == []
            office.now_s += 200
        return bool(office.desk.got)

    await works_until(office.relay(stem), connection, a_day_is_over_once_it_was_refused)
    assert office.desk.got == ids(2)


async def test_a_desk_that_refuses_everything_is_ill_itself(connection: Connection, stem: str, office: Office) -> None:
    """So many are held aside, and all the others wait as where nobody answers: nobody is called without end."""
    office.desk.refuses = "a"
    for number in range(1, ASIDE_MAX + 6):
        await alert(connection, number, alert_id=f"a{number}")
    job = office.relay(stem)
    await works_until(job, connection, lambda: job._pause.not_before_s > office.now_s)
    assert office.desk.calls == ASIDE_MAX + 1


async def test_what_is_not_for_this_desk_is_passed_over(connection: Connection, stem: str, office: Office) -> None:
    """Only critical ones were asked for."""
    await alert(connection, 1)
    await alert(connection, 2, severity=AlertSeverity.CRITICAL)
    job = office.relay(stem, severity=AlertSeverity.CRITICAL)
    await works_until(job, connection, lambda: bool(office.desk.got))
    assert office.desk.got == ids(2)


def test_each_registered_receiver_has_a_job_and_a_group_of_its_own(tmp_path: Path) -> None:
    """One that is away holds up nobody else; without a file there is nothing to do."""
    path = tmp_path / "webhooks.json"
    entries = [{"name": name, "url": "https://desk.example/", "secrets": [SECRET]} for name in ("desk", "bell")]
    path.write_text(json.dumps(entries), "utf-8")
    found = list(jobs(Settings(webhooks_file=path), "hub.webhooks.g1"))
    assert [(job.name, job.group) for job in found] == [
        ("webhooks-desk", "hub.webhooks.g1.desk"),
        ("webhooks-bell", "hub.webhooks.g1.bell"),
    ]
    assert list(jobs(Settings(), "hub.webhooks.g1")) == []
