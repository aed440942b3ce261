"""Alerts as webhooks: who may be called, what is sent, and how the receiver knows that it came from us."""

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from standardwebhooks import Webhook, WebhookVerificationError

from hub.connectors.webhooks import Answer, Caller, Endpoint, delivery_of, load_endpoints, signed_headers
from hub.domain.facts import AlertChanged
from hub.domain.identifiers import RegionCode
from hub.domain.words import AlertSeverity
from hub.errors import UsageError
from tests.contracts.examples import example

OLD, NEW = (f"whsec_{base64.b64encode(bytes([n]) * 32).decode()}" for n in (1, 2))
HEADERS = {
    "ce_id": "0d0f", "ce_source": "urn:nld:oin:00000000000000000000:hub", "ce_type": "nl.kraamzorg.alert-changed.v1",
    "ce_time": "2026-03-02T03:00:00.000Z", "ce_sequence": "7", "ce_hubregion": "KSV-01",
}  # fmt: skip
ALERT: AlertChanged = example(AlertChanged, alert_id="a1", recipient="", what_nl="Code oranje in KSV-01.")
ENDPOINT = Endpoint(name="desk", url="https://desk.example/alerts", secrets=(NEW,))


def written(tmp_path: Path, *endpoints: dict[str, Any] | str) -> Path:
    """A file of endpoints."""
    path = tmp_path / "webhooks.json"
    path.write_text(json.dumps(list(endpoints)), "utf-8")
    return path


def entry(**change: Any) -> dict[str, Any]:
    """One sound entry, changed."""
    return {"name": "desk", "url": "https://desk.example/alerts", "secrets": [NEW]} | change


def test_a_sound_file_is_read(tmp_path: Path) -> None:
    """Regions and the least severity are the receiver's choice."""
    (one, two) = load_endpoints(
        written(
            tmp_path,
            entry(),
            entry(
                name="local", url="http://127.0.0.1:9/x", secrets=[NEW, OLD], regions=["KSV-01"], severity="critical"
            ),
        )
    )
    assert one == ENDPOINT
    assert (two.secrets, two.regions, two.severity) == ((NEW, OLD), ("KSV-01",), AlertSeverity.CRITICAL)
    assert NEW not in repr(one)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"url": "http://desk.example/x"}, "found http to desk.example, expected https (http on loopback only)"),
        ({"url": "ftp://desk.example/x"}, "found ftp to desk.example"),
        ({"url": "https://user:pw@desk.example/x"}, "found an address without a host, or with a user"),
        ({"url": "https:///x"}, "found an address without a host"),
        ({"url": "https://[x/"}, "found an address that is none"),
        ({"url": "http://127.0.0.1.desk.example/"}, "found http to 127.0.0.1.desk.example"),
        ({"secrets": []}, "found 0 secrets, expected 1, or 2 while one is replaced"),
        ({"secrets": [NEW, OLD, NEW]}, "found 3 secrets"),
        ({"secrets": ["whsec_c2hvcnQ="]}, "secret 1: expected whsec_ and 24 to 64 bytes"),
        ({"secrets": [NEW.removeprefix("whsec_")]}, "secret 1: expected whsec_"),
        ({"name": "Desk!"}, "found name 'Desk!'"),
        ({"severity": "loud"}, "Invalid enum value 'loud'"),
        ({"url": 3}, "Expected `str`, got `int`"),
    ],
)
def test_what_is_wrong_in_the_file_is_told_without_a_secret(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    """Nobody is called who was not registered soundly."""
    with pytest.raises(UsageError) as told:
        load_endpoints(written(tmp_path, entry(**change)))
    assert fault in str(told.value)
    assert NEW.removeprefix("whsec_") not in str(told.value)
    assert "pw" not in str(told.value)


def test_a_name_twice_and_a_missing_file_are_told(tmp_path: Path) -> None:
    """The name is a consumer group: two receivers in one group would each get half."""
    with pytest.raises(UsageError, match="the name 'desk' twice"):
        load_endpoints(written(tmp_path, entry(), entry()))
    with pytest.raises(UsageError, match="cannot read the webhook endpoints"):
        load_endpoints(tmp_path / "none.json")


def test_a_receiver_hears_of_its_regions_from_its_severity_on() -> None:
    """A desk for one region is not woken for another."""
    grave = replace(ALERT, severity=AlertSeverity.CRITICAL)
    only = Endpoint(
        name="x", url="https://x.example/", secrets=(NEW,), regions=(RegionCode("KSV-02"),),
        severity=AlertSeverity.CRITICAL,
    )  # fmt: skip
    assert ENDPOINT.wants(ALERT)
    assert not only.wants(replace(ALERT, region=RegionCode("KSV-02"), severity=AlertSeverity.WARNING))
    assert not only.wants(grave)
    assert only.wants(replace(grave, region=RegionCode("KSV-02")))


def test_the_body_is_a_cloudevent_by_the_nl_gov_profile_and_names_no_client() -> None:
    """Required attributes, a reverse-DNS type without an organisation, a source as URN; the alert as data."""
    event = json.loads(delivery_of(ALERT, HEADERS).body)
    assert {name: event[name] for name in ("specversion", "id", "source", "type", "time", "subject")} == {
        "specversion": "1.0", "id": "0d0f", "source": HEADERS["ce_source"], "type": "nl.kraamzorg.alert-changed.v1",
        "time": HEADERS["ce_time"], "subject": "a1",
    }  # fmt: skip
    assert event["data"]["what_nl"] == "Code oranje in KSV-01."
    assert "recipient" not in event["data"]


def test_each_change_of_an_alert_has_an_id_of_its_own_and_each_attempt_the_same() -> None:
    """Whoever remembers ids acts once on each change and misses no closing."""
    first, again = delivery_of(ALERT, HEADERS), delivery_of(ALERT, HEADERS)
    closed = delivery_of(ALERT, HEADERS | {"ce_sequence": "8"})
    assert first == again
    assert first.message_id == "a1.KSV-01.7"
    assert closed.message_id == "a1.KSV-01.8"


@pytest.mark.parametrize("known", [OLD, NEW])
def test_while_a_secret_is_replaced_the_receiver_may_know_either(known: str) -> None:
    """Both sign, and the stock verifier takes the one that it knows."""
    both = replace(ENDPOINT, secrets=(NEW, OLD))
    delivery = delivery_of(ALERT, HEADERS)
    headers = signed_headers(both, delivery, datetime.now(UTC))
    assert Webhook(known).verify(delivery.body, headers) == json.loads(delivery.body)


def test_a_changed_body_or_another_secret_is_not_taken_for_ours() -> None:
    """That is what the signature is for."""
    delivery = delivery_of(ALERT, HEADERS)
    headers = signed_headers(ENDPOINT, delivery, datetime.now(UTC))
    for secret, body in ((NEW, delivery.body.replace("KSV-01", "KSV-02")), (OLD, delivery.body)):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, headers)


def test_the_time_of_an_attempt_is_signed_in_utc_whatever_the_clock_says() -> None:
    """A clock in another zone must not make every signature wrong."""
    delivery, now = delivery_of(ALERT, HEADERS), datetime.now(UTC)
    there = now.astimezone(timezone(timedelta(hours=2)))
    assert signed_headers(ENDPOINT, delivery, there) == signed_headers(ENDPOINT, delivery, now)


class Desk:
    """A receiver on loopback that answers what it is told to, and keeps what it got."""

    def __init__(self) -> None:
        self.answers: list[web.Response] = []
        self.got: list[tuple[dict[str, str], str]] = []

    async def take(self, request: web.Request) -> web.Response:
        """One call."""
        self.got.append((dict(request.headers), await request.text()))
        return self.answers.pop(0) if self.answers else web.Response(status=204)


@pytest_asyncio.fixture
async def desk() -> AsyncIterator[tuple[Desk, Endpoint, Caller]]:
    """A desk, its registration, and an open caller."""
    receiver, caller = Desk(), Caller()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", receiver.take)
    async with TestServer(app, host="127.0.0.1") as server:
        await caller.open()
        yield receiver, replace(ENDPOINT, url=str(server.make_url("/alerts"))), caller
        await caller.close()


async def test_a_call_arrives_as_it_was_signed(desk: tuple[Desk, Endpoint, Caller]) -> None:
    """Byte for byte, through a real server and the stock verifier."""
    receiver, endpoint, caller = desk
    assert (await caller.call(endpoint, delivery_of(ALERT, HEADERS))).answer is Answer.TAKEN
    ((headers, body),) = receiver.got
    assert Webhook(NEW).verify(body, headers)["data"]["alert_id"] == "a1"
    assert headers["Content-Type"].startswith("application/cloudevents+json")


@pytest.mark.parametrize(
    ("response", "answer", "wait_s"),
    [
        (web.Response(status=200), Answer.TAKEN, 0),
        (web.Response(status=410), Answer.GONE, 0),
        (web.Response(status=503, headers={"retry-after": "120"}), Answer.FAILED, 120),
        (web.Response(status=429, headers={"retry-after": "soon"}), Answer.FAILED, 0),
        (web.Response(status=422), Answer.REFUSED, 0),
        (web.Response(status=404), Answer.FAILED, 0),
        (web.Response(status=302, headers={"location": "/elsewhere"}), Answer.FAILED, 0),
    ],
    ids=[
        "taken",
        "gone",
        "later",
        "busy",
        "this one is refused",
        "nobody at this address",
        "a redirect is not followed",
    ],
)
async def test_what_a_receiver_answers_is_judged(
    desk: tuple[Desk, Endpoint, Caller], response: web.Response, answer: Answer, wait_s: float
) -> None:
    """A redirect could lead to a host that nobody registered."""
    receiver, endpoint, caller = desk
    receiver.answers = [response]
    attempt = await caller.call(endpoint, delivery_of(ALERT, HEADERS))
    assert (attempt.answer, attempt.retry_after_s, len(receiver.got)) == (answer, wait_s, 1)


async def test_nobody_there_is_an_answer_too() -> None:
    """No exception leaves a call."""
    caller = Caller()
    await caller.open()
    attempt = await caller.call(replace(ENDPOINT, url="http://127.0.0.1:1/"), delivery_of(ALERT, HEADERS))
    await caller.close()
    assert (attempt.answer, attempt.status) == (Answer.FAILED, 0)
