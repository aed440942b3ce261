"""A real browser. Without one these tests skip by name; HUB_REQUIRE_BROWSER=1 makes a missing browser a failure."""

import os
import shutil
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from tests.console.conftest import console, read_model, redis_url, writer

__all__ = ["browser", "console", "read_model", "redis_url", "writer"]

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Nothing of the browser's own reaches for the internet; as root its sandbox cannot start.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest_asyncio.fixture
async def browser() -> AsyncIterator[Browser]:
    """Chromium of the machine, headless."""
    path = next((found for name in _NAMES if (found := shutil.which(name))), None)
    if path is None:
        told = f"found no browser under any of {', '.join(_NAMES)}; install chromium to run the browser tests"
        if os.environ.get("HUB_REQUIRE_BROWSER") == "1":
            pytest.fail(told)
        pytest.skip(told)
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, headless=True, args=list(_FLAGS))
        yield started
        await started.close()
