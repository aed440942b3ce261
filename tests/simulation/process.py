"""A process of the hub inside the simulator: it can be killed at any await, frozen, and cut off from the world.

What it had sent when it was killed still arrives: the request is the network's by then.
"""

import asyncio
import random
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeVar

from aiokafka.errors import KafkaTimeoutError

from hub.log import place_of

T = TypeVar("T")


@dataclass(slots=True)
class Weather:
    """How the network is at the moment; the schedule changes it. Times in virtual seconds."""

    chance: random.Random
    lost_acknowledgements: float = 0.0
    """Share of writes that are done although the writer is told that they timed out."""
    lost_requests: float = 0.0
    """Share of writes that are not done."""
    slow: float = 0.05
    """Share of requests that take long."""
    slow_s: float = 0.4
    repeated_fetches: float = 0.05
    """Share of fetches after which the reader is given some records again."""
    redis_down: bool = False
    calm: bool = False

    def delay_s(self) -> float:
        """How long one way takes."""
        chance = self.chance
        if not self.calm and chance.random() < self.slow:
            return chance.uniform(0.05, self.slow_s)
        return chance.uniform(0.0005, 0.003)


class Died(BaseException):
    """A process ended itself. Not an Exception: nothing in the hub may catch it."""


CURRENT: ContextVar["Process | None"] = ContextVar("process", default=None)
"""The process in whose name the running task works."""


@dataclass(eq=False)
class Process:
    """One process. `clock_skew_s` is how far its wall clock is off; a rule must never read it."""

    name: str
    weather: Weather
    note: Callable[[str], None]
    clock_skew_s: float = 0.0
    alive: bool = True
    paused: bool = False
    stopping: bool = False
    tasks: list["asyncio.Task[Any]"] = field(default_factory=list)
    _resumed: "asyncio.Future[None] | None" = None

    def spawn(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """A task that dies with the process."""
        task = asyncio.ensure_future(work)
        self.tasks.append(task)
        if len(self.tasks) > 64:
            self.tasks = [one for one in self.tasks if not one.done()]
        return task

    def kill(self) -> None:
        """SIGKILL."""
        self.alive = False
        self.resume()
        tasks, self.tasks = self.tasks, []
        for task in tasks:
            task.cancel()

    def pause(self) -> None:
        """SIGSTOP: what is on its way arrives, answers wait."""
        if not self.paused:
            self.paused = True
            self._resumed = asyncio.get_running_loop().create_future()

    def resume(self) -> None:
        """SIGCONT."""
        self.paused = False
        if self._resumed is not None and not self._resumed.done():
            self._resumed.set_result(None)

    def die(self, role: str, reason: str, problem: BaseException | None = None) -> NoReturn:
        """What `hub.streams.crash.die` is in a real process."""
        kind = type(problem).__name__ if problem is not None else "none"
        if self.alive:
            where = place_of(problem) if problem is not None else ""
            self.note(f"{self.name} dies: {reason} ({kind} at {where})")
            self.alive = False
        raise Died(reason)

    async def running(self) -> None:
        """Wait while frozen; a dead process gets no further."""
        while self.paused and self._resumed is not None:
            await asyncio.shield(self._resumed)
        if not self.alive:
            raise asyncio.CancelledError

    async def request(self, effect: Callable[[], T], *, write: bool = False) -> T:
        """Ask the world for something. A write may be lost on either way; then KafkaTimeoutError."""
        await self.running()
        loop, weather = asyncio.get_running_loop(), self.weather
        answered: asyncio.Future[T] = loop.create_future()
        fate = weather.chance.random() if write and not weather.calm else 1.0

        def arrive() -> None:
            if fate < weather.lost_requests:
                loop.call_later(1.0, fail, KafkaTimeoutError())
                return
            try:
                result = effect()
            except Exception as problem:  # noqa: BLE001  # whatever the broker says is the answer
                loop.call_later(weather.delay_s(), fail, problem)
                return
            if fate < weather.lost_requests + weather.lost_acknowledgements:
                loop.call_later(1.0, fail, KafkaTimeoutError())
            else:
                loop.call_later(weather.delay_s(), succeed, result)

        def fail(problem: Exception) -> None:
            if not answered.done():
                answered.set_exception(problem)

        def succeed(result: T) -> None:
            if not answered.done():
                answered.set_result(result)

        loop.call_later(weather.delay_s(), arrive)
        result = await answered
        await self.running()
        return result
