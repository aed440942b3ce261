"""`hub simulate`: the simulated nation against any hub, through its tenants' own principals, as in the demo.

The hub must have the nation's tables (`--tables` writes them, `hub topics apply` brings them) and no clock of its own:
here time is the nation's. The ground truth stays with whoever simulates.
"""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException
from rich.console import Console

from hub.contracts import control, tables
from hub.domain.reference import Reference
from hub.errors import UsageError, WorldUnavailable
from hub.local.dump import READ_WHOLE, control_records
from hub.local.progress import progress
from hub.local.simulator import national
from hub.local.simulator.live import Live
from hub.local.simulator.tenants import Login, connect
from hub.settings import Settings

DIFFERENCES_SHOWN: Final = ("regions", "postcodes", "tenants", "log_partitions", "key_epochs")


@dataclass(frozen=True, slots=True)
class Simulation:
    """What `hub simulate` was asked. `speed`: simulated days a second, None as fast as the hub answers."""

    seed: int
    clients: int
    days: int | None = None
    speed: float | None = None
    truth: Path | None = None

    def nation(self) -> national.Nation:
        """The nation of this seed."""
        return national.build(self.seed, self.clients, *(() if self.days is None else (self.days,)))


def write_tables(simulation: Simulation, path: Path) -> Reference:
    """The tables that a hub must have for this nation."""
    reference = simulation.nation().reference
    path.write_bytes(tables.render(reference))
    return reference


def simulate(simulation: Simulation, settings: Settings) -> dict[str, Any]:
    """Live through the days; what was sent and heard. UsageError when the hub is not this nation's."""
    nation = simulation.nation()
    passwords: dict[str, str] = {row.tenant: settings.password(row.tenant) for row in nation.reference.tenants}
    more: dict[str, str] = {"security.protocol": settings.security_protocol}
    if settings.ca_file:
        more["ssl.ca.location"] = str(settings.ca_file)
    _check_tables(nation.reference, Login(settings.bootstrap_servers, national.CLOCK, passwords[national.CLOCK], more))
    with ExitStack() as running:
        tell = running.enter_context(progress(Console(stderr=True), not sys.stderr.isatty()))
        tenants = connect(nation.reference, settings.bootstrap_servers, passwords, more)
        for client in tenants.values():
            running.callback(client.close)
        live = Live(nation, tenants, tell)
        live_through(live, simulation.speed)
    if simulation.truth is not None:
        live.truth.write(simulation.truth)
    measured = live.measured
    return {
        "inputs": measured.inputs,
        "receipts": measured.receipts,
        "days": measured.days,
        "events_per_s": round(measured.bulk_inputs / measured.bulk_seconds) if measured.bulk_seconds else 0,
    }


def live_through(live: Live, speed: float | None, wait: Callable[[float], None] = time.sleep) -> None:
    """History first, then day by day until nothing wants an answer any more."""
    live.load()
    while not live.finished:
        began = time.monotonic()
        live.step()
        if speed is not None:
            wait(max(0.0, 1 / speed - (time.monotonic() - began)))


def _check_tables(reference: Reference, clock: Login) -> None:
    consumer = Consumer({**clock.config(), **READ_WHOLE, "group.id": f"{clock.user}.simulate"})
    try:
        records = control_records(consumer)
    except KafkaException as problem:
        raise WorldUnavailable(
            f"the tables of the hub cannot be read: {problem.args[0].str()}. Check KAFKA_BOOTSTRAP_SERVERS and the "
            f"password of {clock.user}"
        ) from problem
    finally:
        consumer.close()
    here = control.read(records).reference if records else None
    wanted = tables.parse(tables.render(reference))
    if here is None or (other := [n for n in DIFFERENCES_SHOWN if getattr(here, n) != getattr(wanted, n)]):
        what = "has no tables" if here is None else f"has other tables ({', '.join(other)})"
        raise UsageError(
            f"this hub {what} than this nation needs. Write them with `hub simulate --tables FILE`, same seed and "
            "clients, and bring them with `hub topics apply FILE`: to a hub for trials, never to one that serves people"
        )
