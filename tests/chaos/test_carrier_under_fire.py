"""Workers of one fold are killed and frozen at random while they fold; what is left must be as if nothing had happened.

A frozen worker is the worse of the two: it wakes after its partitions went to somebody else and goes on as if they
were its own, until the broker tells it otherwise.
"""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from hub.local.kafka import KafkaCluster
from hub.streams.connection import Connection
from tests.streams.conftest import LIMITS
from tests.streams.counting_worker import counting_reader, fold_everything
from tests.streams.test_carrier import assert_folded_once, create, read_all, write_log

pytestmark = [pytest.mark.chaos, pytest.mark.kafka]
WORKERS = 3
ROUNDS = 12
EVENTS_A_ROUND = 1_500
FROZEN_S = 3.0
"""Longer than the session of LIMITS, so that the partitions move meanwhile."""


class Fleet:
    """Workers under a supervisor: whoever ends is started again."""

    def __init__(self, stem: str, connection: Connection) -> None:
        self._arguments = [stem, connection.bootstrap_servers, connection.principal, connection.password]
        self._workers = [self._started() for _ in range(WORKERS)]

    def supervise(self) -> None:
        self._workers = [w if w.poll() is None else self._started() for w in self._workers]

    def send(self, worker: int, number: int) -> None:
        if self._workers[worker].poll() is None:
            os.kill(self._workers[worker].pid, number)

    def end(self) -> None:
        for worker in self._workers:
            worker.kill()
            worker.wait()

    def _started(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "tests.streams.counting_worker", *self._arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


@pytest.fixture
def cluster() -> Iterator[KafkaCluster]:
    with KafkaCluster() as running:
        yield running


@pytest.mark.parametrize("seed", [1, 2])
async def test_kills_and_zombies_lose_nothing_and_double_nothing(cluster: KafkaCluster, seed: int) -> None:
    """Every event exactly once for a reader that honours positions, and every repeat byte for byte the same."""
    chance, stem = random.Random(seed), f"fire-{seed}"
    create(cluster, stem, 2)
    connection = Connection(cluster.bootstrap, cluster.admin_user, cluster.admin_password, limits=LIMITS)
    fleet = Fleet(stem, connection)
    try:
        for number in range(ROUNDS):
            await write_log(connection, stem, range(number * EVENTS_A_ROUND, (number + 1) * EVENTS_A_ROUND))
            victim = chance.randrange(WORKERS)
            if chance.random() < 0.5:
                fleet.send(victim, signal.SIGKILL)
            else:
                fleet.send(victim, signal.SIGSTOP)
                await asyncio.sleep(FROZEN_S)
                fleet.send(victim, signal.SIGCONT)
            await asyncio.sleep(chance.uniform(0.5, 2.0))
            fleet.supervise()
        await asyncio.sleep(FROZEN_S)
    finally:
        fleet.end()
    under_fire = len(await read_all(connection, f"{stem}.facts"))
    assert under_fire > ROUNDS * EVENTS_A_ROUND, "most of the work was to be done under fire"
    await fold_everything(counting_reader(stem, connection))
    await assert_folded_once(connection, stem, ROUNDS * EVENTS_A_ROUND)
