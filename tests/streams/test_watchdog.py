"""The watchdog ends what only seems to live, and nothing else."""

import pytest

from hub.streams.watchdog import EXIT_HANGS, EXIT_STALLED, Watchdog


class World:
    """A clock that is moved by hand, and the exits that were asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.exits: list[int] = []
        self.dog = Watchdog(hang_s=30, stall_s=90, clock=lambda: self.now, end=self.exits.append)

    def look_after(self, seconds: float) -> list[int]:
        self.now += seconds
        self.dog.check()
        return self.exits


@pytest.fixture
def world() -> World:
    return World()


def test_a_loop_that_does_not_turn_is_ended(world: World) -> None:
    """No beat for longer than the bound."""
    assert world.look_after(30) == []
    assert world.look_after(1) == [EXIT_HANGS]


def test_a_backlog_that_does_not_shrink_is_ended(world: World) -> None:
    """The loop turns, records wait, nothing is taken."""
    for _ in range(3):
        world.dog.beat()
        world.dog.saw("region", handled=5, backlog=10)
        assert world.look_after(29) == []
    world.dog.beat()
    world.dog.saw("region", handled=5, backlog=12)
    assert world.look_after(10) == [EXIT_STALLED]


@pytest.mark.parametrize(("handled", "backlog"), [(6, 10), (5, 0)])
def test_progress_or_an_empty_backlog_keeps_a_role_alive(world: World, handled: int, backlog: int) -> None:
    """Slow is not stuck, and idle is not stuck."""
    world.dog.saw("region", handled=5, backlog=10)
    world.look_after(20)
    world.dog.saw("region", handled=handled, backlog=backlog)
    world.now += 80
    world.dog.beat()
    assert world.look_after(5) == []
