"""The page in a real browser: it stays true, stays put, speaks, can be read in any light and by keyboard alone."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import pytest
from playwright.async_api import Browser, Page, Route, expect

from hub.domain.identifiers import RegionCode
from hub.domain.words import AlertState, ComputedColour
from tests.console.world import ALERT_ORANGE, ALERT_RED, GREEN, NATION, ORANGE, RECEIPT, RED, Writer

pytestmark = pytest.mark.browser

CONTRAST_MIN = 4.5
"""WCAG 2.2, success criterion 1.4.3."""

MEASURE_CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (node) => {
    for (; node; node = node.parentElement) {
      const colour = rgb(getComputedStyle(node).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const found = {};
  for (const node of document.querySelectorAll("body *")) {
    const words = [...node.childNodes].filter((n) => n.nodeType === 3 && n.textContent.trim());
    if (!words.length || !node.getClientRects().length || node.closest(".unseen, .skip")) continue;
    const [a, b] = [light(rgb(getComputedStyle(node).color)), light(ground(node))].sort((x, y) => y - x);
    found[`${node.tagName}.${node.className}: ${words[0].textContent.trim()}`] = (a + 0.05) / (b + 0.05);
  }
  return found;
}"""


async def opened(browser: Browser, url: str, **settings: Any) -> Page:
    """The page once it is live."""
    page = await (await browser.new_context(**settings)).new_page()
    await page.goto(url)
    await expect(page.locator("#connection")).to_have_class("connection connected")
    return page


async def test_the_browser_has_nothing_to_complain_of(browser: Browser, console: str, writer: Writer) -> None:
    """No script error, and nothing that the page's own policy forbids."""
    complaints: list[str] = []
    page = await browser.new_page()
    page.on("pageerror", lambda problem: complaints.append(str(problem)))
    page.on("console", lambda told: complaints.append(told.text) if told.type in ("error", "warning") else None)
    writer.say(*NATION)
    await page.goto(console)
    await expect(page.locator("#connection")).to_have_class("connection connected")
    writer.say(replace(GREEN, computed=ComputedColour.RED_B), ALERT_RED)
    await expect(page.locator("#region-KSV-01 .chip").first).to_contain_text("Rood (b)")
    assert complaints == []


async def test_a_colour_that_changes_changes_on_the_page_and_is_spoken(
    browser: Browser, console: str, writer: Writer
) -> None:
    """Without a reload; the live region says it to a screen reader."""
    writer.say(*NATION)
    page = await opened(browser, console)
    await expect(page.locator("#region-KSV-01 .chip").first).to_contain_text("Groen")
    writer.say(replace(GREEN, computed=ComputedColour.RED_B))
    await expect(page.locator("#region-KSV-01 .chip").first).to_contain_text("Rood (b)")
    await expect(page.locator("#announcer")).to_have_text("KSV-01: Rood (b)")
    await expect(page.locator("#summary .red strong")).to_have_text("2")


async def test_what_is_open_stays_open_and_the_focus_stays_when_a_row_is_drawn_anew(
    browser: Browser, console: str, writer: Writer
) -> None:
    """Nobody loses their place because the world moved on."""
    writer.say(*NATION)
    page = await opened(browser, console)
    await page.locator("#region-KSV-02 summary").focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#region-KSV-02 dl")).to_be_visible()
    writer.say(replace(ORANGE, measures=("kraamcentrum",)))
    await expect(page.locator("#region-KSV-02 dl")).to_contain_text("kraamcentrum")
    await expect(page.locator("#region-KSV-02 dl")).to_be_visible()
    await expect(page.locator("#region-KSV-02 summary")).to_be_focused()


async def test_an_alert_comes_and_goes_without_a_reload(browser: Browser, console: str, writer: Writer) -> None:
    """It is on the list while it asks for somebody."""
    writer.say(GREEN, ORANGE)
    page = await opened(browser, console)
    await expect(page.locator("#alerts")).to_contain_text("Geen open meldingen")
    writer.say(ALERT_ORANGE)
    await expect(page.locator("#alerts .step")).to_have_text(f"Nu doen: {ALERT_ORANGE.next_step_nl}")
    writer.say(replace(ALERT_ORANGE, state=AlertState.CLOSED))
    await expect(page.locator("#alerts")).to_contain_text("Geen open meldingen")


async def test_an_alert_says_what_is_wrong_for_whom_and_leads_to_its_region(
    browser: Browser, console: str, writer: Writer
) -> None:
    """What a person needs who was asleep a minute ago, in one glance."""
    writer.say(*NATION, replace(ALERT_ORANGE, what_nl="KSV-02: Code oranje.", affected_nl="Cliënten van april."))
    page = await opened(browser, console)
    shown = page.locator("#alerts .alert", has_text="KSV-02")
    await expect(shown.locator(".what")).to_have_text("KSV-02: Code oranje.")
    await expect(shown.locator(".affected")).to_have_text("Voor wie: Cliënten van april.")
    await shown.get_by_role("link", name="KSV-02").click()
    assert await page.evaluate("location.hash") == "#region-KSV-02"


async def test_how_a_colour_came_about_grows_while_somebody_looks(
    browser: Browser, console: str, writer: Writer
) -> None:
    """Newest first, with the reason, the clause and what happened before; alerts that are over stand below."""
    today = replace(ORANGE, computed_since=ORANGE.date, caused_by="ClaimJudged")
    writer.say(*NATION)
    page = await opened(browser, console)
    await expect(page.locator("#history")).to_contain_text("Nog geen kleur is veranderd")
    writer.say(today, replace(ALERT_RED, state=AlertState.CLOSED))
    await expect(page.locator("#history .timeline li")).to_contain_text("oordeel van de coördinator")
    await expect(page.locator("#history .closed")).to_contain_text("Code rood")


async def test_a_region_that_was_not_there_yet_appears(browser: Browser, console: str, writer: Writer) -> None:
    """The page that was opened before the first day fills itself."""
    page = await opened(browser, console)
    await expect(page.locator("#regions .empty")).to_be_visible()
    writer.say(RED, ALERT_RED)
    await expect(page.locator("#region-KSV-03 .chip")).to_contain_text("Rood (a)")


@pytest.mark.parametrize("answer", ["cut", "refused"])
async def test_a_lost_connection_is_said_and_taken_up_again(
    browser: Browser, console: str, writer: Writer, answer: str
) -> None:
    """An old colour that looks fresh would be worse than none. Unlike a browser, the page survives a refusal."""
    writer.say(*NATION)

    async def lose(route: Route) -> None:
        await (route.abort() if answer == "cut" else route.fulfill(status=502))

    page = await browser.new_page()
    await page.route("**/live**", lose)
    await page.goto(console)
    await expect(page.locator("#connection")).to_contain_text("kan verouderd zijn")
    await page.unroute("**/live**")
    await expect(page.locator("#connection")).to_have_text("Live", timeout=10_000)
    writer.say(replace(GREEN, computed=ComputedColour.RED_B))
    await expect(page.locator("#region-KSV-01 .chip").first).to_contain_text("Rood (b)")


async def test_the_whole_page_can_be_reached_by_keyboard(browser: Browser, console: str, writer: Writer) -> None:
    """The first stop skips to the alerts; then the language, each alert's region and every region's details follow."""
    writer.say(*NATION)
    page = await opened(browser, console)
    stops = []
    for _ in range(7):
        await page.keyboard.press("Tab")
        stops.append(await page.evaluate("document.activeElement.textContent.trim()"))
    assert stops == [
        "Naar de meldingen",
        "English",
        "KSV-03",
        "KSV-02",
        *(f"Onderbouwing {code}" for code in ("KSV-01", "KSV-02", "KSV-03")),
    ]


async def test_english_is_one_link_away_and_stays_while_the_page_lives(
    browser: Browser, console: str, writer: Writer
) -> None:
    """Also what comes over the stream is English then."""
    writer.say(*NATION)
    page = await opened(browser, console)
    await page.get_by_role("link", name="English").click()
    await expect(page.locator("h1")).to_have_text("Maternity care waitlist hub")
    await expect(page.locator("#connection")).to_have_text("Live")
    writer.say(replace(GREEN, computed=ComputedColour.ORANGE))
    await expect(page.locator("#region-KSV-01 .chip").first).to_contain_text("Orange")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_stands_out_from_its_ground(
    browser: Browser, console: str, writer: Writer, scheme: Literal["light", "dark"]
) -> None:
    """In daylight and at three in the morning, every colour and severity that there is."""
    colours = [
        replace(GREEN, region=RegionCode(f"KSV-1{n}"), computed=colour) for n, colour in enumerate(ComputedColour)
    ]
    writer.say(*NATION, *colours, replace(RECEIPT, code="x"))
    page = await opened(browser, console, color_scheme=scheme)
    for summary in await page.locator("summary").all():
        await summary.click()
    measured: Mapping[str, float] = await page.evaluate(MEASURE_CONTRAST)
    assert len(measured) > 40
    assert {what: round(ratio, 2) for what, ratio in measured.items() if ratio < CONTRAST_MIN} == {}


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
async def test_the_page_never_scrolls_sideways(browser: Browser, console: str, writer: Writer, width: int) -> None:
    """On a telephone as on a wall; 320 is also a screen of 1280 at four times its size (WCAG 1.4.10)."""
    writer.say(*NATION)
    page = await opened(browser, console, viewport={"width": width, "height": 800})
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
