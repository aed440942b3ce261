"""A read model in a real Valkey, and a console in front of it."""

import secrets
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from pydantic import SecretStr

from hub.console.settings import ConsoleSettings
from hub.contracts.redis_access import RULES
from hub.local.valkey import Valkey, ValkeyUser
from tests.console.world import Writer, serving


@pytest.fixture(scope="session")
def read_model() -> Iterator[Valkey]:
    """A Valkey where the console may do what it may in a deployment, and a writer everything."""
    rules = {"console": RULES["console"], "root": "allkeys allchannels allcommands"}
    with Valkey(ValkeyUser(name, secrets.token_hex(16), rule) for name, rule in rules.items()) as server:
        yield server


@pytest.fixture
def redis_url(read_model: Valkey) -> str:
    """The read model's address for the console."""
    return read_model.url("console")


@pytest.fixture
def writer(read_model: Valkey) -> Writer:
    """An empty read model and its writer."""
    return Writer(read_model.url("root"))


@pytest_asyncio.fixture
async def console(redis_url: str) -> AsyncIterator[str]:
    """The URL of a console."""
    async with serving(ConsoleSettings(redis_url=SecretStr(redis_url))) as url:
        yield url
