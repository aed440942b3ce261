"""What one run of one worker took."""

import time
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Run:
    """Wall clock and CPU, from a warm worker to the last acknowledged fact."""

    events_per_s: float
    cpu_us: float


class Watch:
    """Wall clock and CPU since it was made."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def run(self, events: int) -> Run:
        """What so many events took."""
        wall, cpu = time.perf_counter() - self._wall, time.process_time() - self._cpu
        return Run(events / wall, cpu / events * 1e6)
