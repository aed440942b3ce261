"""What goes wrong in one run, and when: drawn from the seed, printable, and the same for the same seed."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Fault(StrEnum):
    """What can go wrong. `target` is a worker (`region-1`), a role, or a topic, as the fault needs."""

    KILL = "kill"
    STOP = "stop"
    FREEZE = "freeze"
    REBALANCE = "rebalance"
    REDELIVER = "redeliver"
    LOST_ACKNOWLEDGEMENTS = "lost_acknowledgements"
    LOST_REQUESTS = "lost_requests"
    SLOW_NETWORK = "slow_network"
    REDIS_FLUSHED = "redis_flushed"
    REDIS_DOWN = "redis_down"
    SNAPSHOTS_LOST = "snapshots_lost"
    OFFSETS_LOST = "offsets_lost"
    COMPACTION = "compaction"
    BROKEN_RELEASE = "broken_release"


ROLES: Final = ("intake", "region", "duplicates", "delivery", "read-model")
WORKERS: Final = (
    "intake-1", "intake-2", "region-1", "region-2", "duplicates-1", "duplicates-2", "delivery-1", "delivery-2",
    "read-model-1",
)  # fmt: skip
COMPACTED: Final = ("region-snapshots", "match-snapshots", "region-status", "in-force")
TRAFFIC_S: Final = 16.0
MORE: Final = 3
_WEIGHTS: Final = {
    Fault.KILL: 30,
    Fault.STOP: 6,
    Fault.FREEZE: 18,
    Fault.REBALANCE: 6,
    Fault.REDELIVER: 6,
    Fault.LOST_ACKNOWLEDGEMENTS: 12,
    Fault.LOST_REQUESTS: 6,
    Fault.SLOW_NETWORK: 4,
    Fault.REDIS_FLUSHED: 4,
    Fault.REDIS_DOWN: 3,
    Fault.SNAPSHOTS_LOST: 4,
    Fault.OFFSETS_LOST: 4,
    Fault.COMPACTION: 5,
    Fault.BROKEN_RELEASE: 4,
}


@dataclass(frozen=True, slots=True)
class Incident:
    """One fault: when (virtual seconds), what, to whom, for how long."""

    at_s: float
    fault: Fault
    target: str
    for_s: float

    def __str__(self) -> str:
        return f"{self.at_s:7.3f} {self.fault} {self.target} for {self.for_s:.3f} s".replace("  for", " for")


@dataclass(frozen=True, slots=True)
class Schedule:
    """One run: who works, how much is sent, what goes wrong."""

    seed: int
    workers: tuple[str, ...]
    sends: int
    incidents: tuple[Incident, ...]

    @property
    def named(self) -> bool:
        """Whether the groups know a worker again after its restart: in every other seed."""
        return self.seed % 2 == 1

    def __str__(self) -> str:
        known = ", known by their names" if self.named else ""
        lines = [f"seed {self.seed}: workers {' '.join(self.workers)}{known}; {self.sends} sends"]
        return "\n".join([*lines, *(f"  {one}" for one in self.incidents)])


def draw(seed: int, more_of: Sequence[Fault] = ()) -> Schedule:
    """The schedule of a seed; with `more_of`, a few more of these faults, to bring something out."""
    chance = random.Random(f"schedule/{seed}")
    workers = tuple(name for name in WORKERS if name.endswith("-1") or chance.random() < 0.5)
    incidents = []
    faults = [chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0] for _ in range(chance.randrange(2, 8))]
    for fault in (*faults, *(one for one in more_of for _ in range(MORE))):
        incidents.append(
            Incident(chance.uniform(0.5, TRAFFIC_S), fault, _target(chance, fault, workers), _span(chance))
        )
    return Schedule(seed, workers, chance.randrange(40, 75), tuple(sorted(incidents, key=lambda one: one.at_s)))


def _target(chance: random.Random, fault: Fault, workers: tuple[str, ...]) -> str:
    match fault:
        case Fault.KILL | Fault.STOP | Fault.FREEZE | Fault.REDELIVER:
            return chance.choice(workers)
        case Fault.REBALANCE | Fault.OFFSETS_LOST:
            return chance.choice(ROLES)
        case Fault.SNAPSHOTS_LOST:
            return chance.choice(COMPACTED[:2])
        case Fault.COMPACTION:
            return chance.choice(COMPACTED)
        case _:
            return ""


def _span(chance: random.Random) -> float:
    """Short, or longer than a session."""
    return chance.choice((chance.uniform(0.1, 1.5), chance.uniform(2.5, 8.0)))
