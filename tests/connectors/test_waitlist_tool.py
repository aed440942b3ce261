"""The waitlist tool's dialect: what comes in becomes our event or a reason, what goes out names no one."""

import asyncio
import base64
import json
from datetime import date
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from hub.connectors.waitlist_tool import (
    Refused,
    Tool,
    ToolBusy,
    ToolRefused,
    allocation_json,
    answer_event,
    client_event,
    status_json,
)
from hub.domain.client_status import SENTENCES
from hub.domain.events import WaitingClientListed
from hub.domain.facts import AllocationStated, ClientStatusChanged
from hub.domain.identifiers import Agb, RecordId, RegionCode, TenantId
from hub.domain.words import AllocationStatus, ClientStatus
from hub.errors import UsageError, WorldUnavailable

CLIENT: dict[str, Any] = {
    "id": "w1", "version": 1, "status": "listed", "pc4": "1011", "due_date": "2026-04-27",
    "requested_on": "2026-03-02", "insurer": "3311", "indicated_minutes": 2700,
}  # fmt: skip


def test_a_client_of_the_tool_is_a_waiting_client_of_ours() -> None:
    """What the tool leaves out has the ordinary value; an encoded identity passes as it is."""
    block = {"pass_number": 5, "token": base64.b64encode(b"12345678").decode()}
    event = client_event({**CLIENT, "identity": {"epoch": 3, "blocks": [block]}})
    assert isinstance(event, WaitingClientListed)
    assert (event.record_id, event.due_date, event.hospital_days) == ("w1", date(2026, 4, 27), 0)
    assert event.identity is not None and event.identity.epoch == 3
    assert event.identity.blocks[0].token == b"12345678"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"pc4": "1011AB"}, "/pc4"),
        ({"due_date": "soon"}, "/due_date"),
        ({"indicated_minutes": -1}, "/indicated_minutes"),
        ({"status": "gone"}, "/status"),
        ({"status": "removed"}, "/removal_reason"),
        ({"surname": "Jansen"}, "/"),
        ({"version": 2**63}, "/version"),
        ({"identity": {"epoch": 2**70, "blocks": []}}, "/identity/epoch"),
        ({"identity": {"epoch": 3, "blocks": [{"pass_number": 5, "token": "A" * 4000}]}}, "/identity/blocks/0/token"),
    ],
)
def test_what_is_no_client_says_where_and_never_repeats_a_value(change: dict[str, Any], pointer: str) -> None:
    """A person may have been typed into any field, so a message quotes none."""
    refused = client_event({**CLIENT, **change})
    assert isinstance(refused, Refused)
    assert (refused.id, refused.pointer) == ("w1", pointer)
    assert not any(word in refused.expected for word in ("1011AB", "soon", "gone", "Jansen", "surname"))


def test_an_answer_entered_in_the_tool_is_the_coordinators() -> None:
    """One that is none says so."""
    answer = {"id": "a1", "region": "KSV-01", "proposal": "p1", "provider": "41000001", "answer": "accepted"}
    assert not isinstance(answer_event(answer), Refused)
    assert isinstance(answer_event({**answer, "answer": "perhaps"}), Refused)


def test_an_allocation_goes_out_with_a_number_that_tells_it_from_a_repeat() -> None:
    """Region and sequence; the client by the tool's own id."""
    fact = AllocationStated(
        recipient=TenantId("list-one"), region=RegionCode("KSV-01"), proposal_id="p1",
        waiting_tenant=TenantId("list-one"), waiting_id=RecordId("w1"), status=AllocationStatus.ACCEPTED,
        provider=Agb("41000001"), care_minutes=1440, reason="accepted", why_not=(),
    )  # fmt: skip
    told = allocation_json(fact, 7)
    assert (told["region"], told["sequence"], told["client"], told["status"]) == ("KSV-01", 7, "w1", "accepted")


@pytest.mark.parametrize("status", list(ClientStatus))
def test_every_status_has_its_sentence_in_two_languages(status: ClientStatus) -> None:
    """Everybody passes on the same words (rule 40)."""
    nl, en = SENTENCES[status]
    fact = ClientStatusChanged(
        recipient=TenantId("list-one"), region=RegionCode("KSV-01"), waiting_tenant=TenantId("list-one"),
        waiting_id=RecordId("w1"), status=status, message_nl=nl, message_en=en,
    )  # fmt: skip
    assert status_json(fact, 1)["message_nl"].endswith(".")


async def test_a_page_that_comes_in_pieces_is_one_page() -> None:
    """Every page of more than a few kilobytes does."""
    client = json.dumps(CLIENT)

    async def slowly(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in ('{"records": [', client[:20], client[20:], '], "cursor": "c9"}'):
            await response.write(piece.encode())
            await asyncio.sleep(0.02)
        return response

    app = web.Application()
    app.router.add_get("/clients", slowly)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with aiohttp.ClientSession() as session:
            tool = Tool(f"http://127.0.0.1:{runner.addresses[0][1]}", "secret", session)
            assert await tool.page("clients") == ([CLIENT], "c9")
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "headers", "expected"),
    [
        (422, {}, ToolRefused),
        (404, {}, ToolRefused),
        (413, {"Retry-After": "5"}, ToolRefused),
        (401, {}, UsageError),
        (403, {}, UsageError),
        (429, {"Retry-After": "5"}, ToolBusy),
        (503, {"Retry-After": "5"}, ToolBusy),
        (429, {}, WorldUnavailable),
        (408, {}, WorldUnavailable),
        (500, {}, WorldUnavailable),
        (302, {"Location": "/elsewhere"}, WorldUnavailable),
    ],
)
async def test_an_answer_is_about_the_statement_about_us_or_about_the_tool(
    status: int, headers: dict[str, str], expected: type[Exception]
) -> None:
    """Only what the tool holds against one statement lets the next go on."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=status, headers=headers)

    app = web.Application()
    app.router.add_post("/allocations", answer)
    async with TestServer(app, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        with pytest.raises(expected) as told:
            await Tool(str(server.make_url("")), "secret", session).tell("allocations", {"client": "w1"})
    assert "w1" not in str(told.value) and "secret" not in str(told.value)


def test_a_tool_is_spoken_to_over_https_only() -> None:
    """But for a loopback, where a test or a side-car lives."""
    with pytest.raises(UsageError, match="expected https"):
        Tool("http://tool.example", "token", None)  # type: ignore[arg-type]
