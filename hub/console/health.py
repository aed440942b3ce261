"""Looks at every worker's own /readyz and /metrics, so that a worker that died is seen though it cannot say so."""

import asyncio
import urllib.error
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from hub.console.board import Worker, WorkerState
from hub.console.settings import HEALTH_INTERVAL_S, HEALTH_TIMEOUT_S

_LAG = "hub_consumer_lag"
_STOPPED = "hub_stopped_regions"


class Health:
    """The workers at the last look, in the order of their names."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self._addresses = dict(sorted(addresses.items()))
        self.workers: tuple[Worker, ...] = ()

    async def watch(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(HEALTH_INTERVAL_S)

    async def look(self) -> None:
        """Ask every worker once, all at the same time."""
        asked = (asyncio.to_thread(_ask, name, base.rstrip("/")) for name, base in self._addresses.items())
        self.workers = tuple(await asyncio.gather(*asked))


def _ask(name: str, base: str) -> Worker:
    try:
        ready, _ = _get(f"{base}/readyz")
        _, metrics = _get(f"{base}/metrics")
    except OSError:
        return Worker(name=name, state=WorkerState.SILENT)
    totals = {_LAG: 0, _STOPPED: 0}
    for family in text_string_to_metric_families(metrics):
        if family.name in totals:
            totals[family.name] = int(sum(sample.value for sample in family.samples))
    state = WorkerState.RUNNING if ready == 200 else WorkerState.NOT_READY
    return Worker(name=name, state=state, behind=totals[_LAG], stopped_regions=totals[_STOPPED])


def _get(url: str) -> tuple[int, str]:
    """Status and text; an answer that says no is an answer. OSError when there is none."""
    if not url.startswith(("http://", "https://")):
        raise OSError(f"found {url!r}, expected the address of a worker over http or https")
    try:
        with urllib.request.urlopen(url, timeout=HEALTH_TIMEOUT_S) as answer:  # noqa: S310 (scheme checked above)
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode(errors="replace")
