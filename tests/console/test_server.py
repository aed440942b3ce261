"""The page and its answers, asked as a browser or a probe asks them."""

import re
from dataclasses import replace

import httpx
import pytest
from pydantic import SecretStr

from hub.console.page import document
from hub.console.settings import ConsoleSettings
from tests.console.world import ALERT_RED, GREEN, NATION, ORANGE, RED, Writer, serving


async def page(console: str, language: str = "nl") -> str:
    """The page's HTML."""
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(f"{console}/?lang={language}")
    assert answer.status_code == 200
    return answer.text


async def test_the_page_shows_both_colours_side_by_side_and_where_they_differ(console: str, writer: Writer) -> None:
    """The KSV's declaration stands beside the computed colour; neither replaces the other."""
    writer.say(GREEN, ORANGE, RED)
    html = await page(console)
    assert re.findall(r'<tbody id="region-(.*?)">', html) == ["KSV-01", "KSV-02", "KSV-03"]
    orange = html[html.index('id="region-KSV-02"') : html.index('id="region-KSV-03"')]
    assert 'class="chip orange"' in orange and 'class="chip green"' in orange and "wijkt af" in orange
    assert "Niet afgegeven" in html[html.index('id="region-KSV-03"') :]


async def test_every_alert_is_shown_with_its_next_step_in_the_readers_language(console: str, writer: Writer) -> None:
    """Dutch unless English is asked for."""
    writer.say(ALERT_RED)
    assert ALERT_RED.next_step_nl in await page(console)
    english = await page(console, "en")
    assert ALERT_RED.next_step_en in english and ALERT_RED.next_step_nl not in english
    assert '<html lang="en">' in english


async def test_an_empty_read_model_is_said_to_be_empty(console: str, writer: Writer) -> None:
    """Nothing to see is not the same as nothing wrong."""
    assert "Nog geen regio ontvangen" in await page(console)


async def test_what_cannot_be_read_is_counted_aloud_and_the_rest_is_shown(console: str, writer: Writer) -> None:
    """One broken entry does not take the page away, and does not vanish either."""
    writer.say(GREEN)
    writer.redis.hset("hub:status", "KSV-99", '{"region":')
    html = await page(console)
    assert "1 gegevens in het leesmodel zijn niet te lezen" in html and 'id="region-KSV-01"' in html


async def test_markup_in_the_read_model_is_shown_as_text(console: str, writer: Writer) -> None:
    """Whatever a fact holds, a browser runs none of it."""
    writer.say(replace(GREEN, reasons=("<script>alert(1)</script>",)))
    html = await page(console)
    assert "<script>alert" not in html and "&lt;script&gt;alert(1)" in html


async def test_every_answer_forbids_what_the_page_does_not_need(console: str, writer: Writer) -> None:
    """No foreign source, no inline script or style, no framing, nothing kept."""
    async with httpx.AsyncClient(base_url=console) as browser:
        for path in ("/", "/static/console.css", "/livez", "/nowhere"):
            headers = (await browser.get(path)).headers
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
            assert headers["x-content-type-options"] == "nosniff" and headers["cache-control"] == "no-store"
            assert "set-cookie" not in headers and "server" not in headers


async def test_the_page_names_no_address_outside_itself(console: str, writer: Writer) -> None:
    """It works in a building without internet, and tells nobody who looks."""
    writer.say(*NATION)
    async with httpx.AsyncClient(base_url=console) as browser:
        for path in ("/", "/static/console.css", "/static/console.js"):
            found = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", (await browser.get(path)).text)
            assert found == [], path


async def test_a_foreign_name_for_the_console_is_refused(console: str, writer: Writer) -> None:
    """So a page elsewhere cannot rebind its own name to this address and read along."""
    async with httpx.AsyncClient() as browser:
        assert (await browser.get(console, headers={"host": "elsewhere.example"})).status_code == 400


async def test_without_redis_the_page_says_so_and_readiness_fails(unused_tcp_port: int) -> None:
    """The process lives; the page tells what to do; nobody sees an old colour."""
    nobody = ConsoleSettings(redis_url=SecretStr(f"redis://127.0.0.1:{unused_tcp_port}/0"))
    async with serving(nobody) as url, httpx.AsyncClient(base_url=url) as browser:
        shown = await browser.get("/")
        assert shown.status_code == 503 and "leesmodel antwoordt niet" in shown.text
        assert (await browser.get("/readyz")).status_code == 503
        assert (await browser.get("/livez")).status_code == 200


async def test_readiness_names_each_check(console: str, writer: Writer) -> None:
    """A probe reads the code, a person the checks."""
    async with httpx.AsyncClient(base_url=console) as browser:
        answer = await browser.get("/readyz")
        assert answer.status_code == 200 and answer.json()["checks"]["redis"] == "ok"
        assert "python_info" in (await browser.get("/metrics")).text
        assert (await browser.get("/version")).json()["version"][0].isdigit()


async def test_an_unknown_language_is_refused_by_name(console: str) -> None:
    """Nothing is guessed."""
    async with httpx.AsyncClient(base_url=console) as browser:
        assert (await browser.get("/?lang=xx")).status_code == 422


@pytest.mark.parametrize("forbidden", ["record_id", "waiting_id", "link_id", "proposal_id"])
def test_no_text_of_the_page_is_made_from_a_clients_record(forbidden: str) -> None:
    """The page has no place for an id of a client's record."""
    source = document.__code__.co_filename
    with open(source, encoding="utf-8") as file:
        assert forbidden not in file.read()
