"""A read model in a real Valkey, and a console in front of it."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from hub.console.settings import ConsoleSettings
from hub.local.valkey import Valkey
from tests.console.world import Writer, serving


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """The read model's address."""
    return valkey.url("root")


@pytest.fixture
def writer(redis_url: str) -> Writer:
    """An empty read model and its writer."""
    return Writer(redis_url)


@pytest_asyncio.fixture
async def console(redis_url: str) -> AsyncIterator[str]:
    """The URL of a console."""
    async with serving(ConsoleSettings(redis_url=SecretStr(redis_url))) as url:
        yield url
