"""Redis as the read model uses it: hashes, lists, and the one script, with what a flush or an outage does to them.

The script is the real `read_model.lua` in meaning, not in text, but for old days of change, which it keeps;
test_broker_conformance.py runs both over the same steps.
"""

import json
from collections.abc import Sequence

from redis.exceptions import ConnectionError as RedisConnectionError

from tests.simulation.process import Process


class RedisServer:
    """What every client sees."""

    def __init__(self) -> None:
        self.hashes: dict[str, dict[str, str]] = {}
        self.lists: dict[str, list[str]] = {}
        self.live = 0

    def flush(self) -> None:
        """Everything is gone."""
        self.hashes.clear()
        self.lists.clear()
        self.live = 0

    def run(self, command: Sequence[str]) -> None:
        """One command of a batch."""
        match command:
            case ["HSET", key, name, value]:
                self.hashes.setdefault(key, {})[name] = value
            case ["HDEL", key, name]:
                self.hashes.get(key, {}).pop(name, None)
            case ["HINCRBY", key, name, added]:
                held = self.hashes.setdefault(key, {})
                held[name] = str(int(held.get(name, "0")) + int(added))
            case ["LPUSH", key, value]:
                self.lists.setdefault(key, []).insert(0, value)
            case ["LTRIM", key, "0", last]:
                del self.lists.get(key, [])[int(last) + 1 :]
            case ["XADD", *_]:
                self.live += 1
            case _:
                raise AssertionError(f"the read model says {command[0]}; teach it to tests/simulation/redis.py")

    def script(self, positions: str, field: str, expected: str, following: str, commands: str) -> list[int]:
        """read_model.lua."""
        found = int(self.hashes.get(positions, {}).get(field, "0"))
        if found != int(expected):
            return [0, found]
        for command in json.loads(commands):
            self.run(command)
        self.hashes.setdefault(positions, {})[field] = following
        return [1, int(following)]


class SimulatedRedis:
    """redis.asyncio.Redis of one process."""

    def __init__(self, server: RedisServer, process: Process) -> None:
        self._server = server
        self._process = process

    async def ping(self) -> bool:
        """Is somebody there."""
        await self._process.request(self._reachable)
        return True

    async def hgetall(self, key: str) -> dict[str, str]:
        """A hash."""

        def read() -> dict[str, str]:
            self._reachable()
            return dict(self._server.hashes.get(key, {}))

        return await self._process.request(read)

    async def eval(self, script: str, keys: int, *arguments: str) -> list[int]:
        """The one script."""
        assert keys == 1 and script

        def run() -> list[int]:
            self._reachable()
            return self._server.script(*arguments)

        return await self._process.request(run)

    async def aclose(self) -> None:
        """Disconnect."""

    def _reachable(self) -> None:
        if self._process.weather.redis_down:
            raise RedisConnectionError("down")
