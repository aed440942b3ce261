"""How fast a coordinator hears: from sending the event that tips a region to the alert on the topic.

On the embedded stack as the demo starts it: the real Kafka with its locks, a process per role, each event through
intake, the region fold and delivery. Packages register clients at a steady rate meanwhile, spread over all regions. In
each turn every region is tipped into red by one report of a measure (a provider that cannot deliver minimal care, and
now has measures recorded); then the measure ends and fifteen days pass, so that the next turn finds every region green.
The first turn warms the broker's and the workers' code up and does not count.
"""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from hub.bench import nation
from hub.bench.nation import CLOCK, OFFICE, PACKAGE
from hub.bench.row import Row
from hub.contracts import catalogue, codec
from hub.domain import events as e
from hub.domain import facts as f
from hub.domain.identifiers import Agb, Pc4, RecordId, RegionCode, TenantId, Uzovi
from hub.domain.words import (
    AlertKind,
    AlertState,
    CapacityMethod,
    IndicationProtocol,
    MeasureStatus,
    RegistrationStatus,
)
from hub.errors import HubError
from hub.local import demo
from hub.local.simulator.messages import Packed
from hub.local.simulator.tenants import Login, TenantClient

PER_S: Final = 200
REGIONS: Final = 30
TURNS: Final = 6
TIP_EVERY: Final = 20
"""Every twentieth event tips a region: ten alerts a second."""
GOAL_P99_MS: Final = 250.0
RED_LEAVE_DAYS: Final = 15
ARRIVAL_S: Final = 60.0
OPS: Final = TenantId("ops")
START: Final = date(2026, 3, 2)
SHORT: Final = Agb("41000001")
AMPLE: Final = tuple(Agb(f"4100000{n}") for n in range(2, 7))
CODES: Final = tuple(RegionCode(f"KSV-{n:02d}") for n in range(1, REGIONS + 1))
REFERENCE: Final = nation.small((PACKAGE,), CODES, 2, (OPS,))


def rows() -> Sequence[Row]:
    """p50 and p99 over every tipped region of every turn."""
    with tempfile.TemporaryDirectory(prefix="kraamzorg-bench-") as folder, ExitStack() as running:
        stack = demo.prepare(running, Path(folder))
        running.enter_context(stack.kafka)
        demo.start_hub(stack, REFERENCE)
        tenants = _clients(stack)
        for client in tenants.values():
            running.callback(client.close)
        waits_ms = sorted(_Bench(tenants).waits_ms())
    p50, p99 = waits_ms[len(waits_ms) // 2], waits_ms[len(waits_ms) * 99 // 100]
    what = f"{len(waits_ms)} regions tipped, at {PER_S} events/s"
    return [
        Row("alerts", f"publish to alert, p50, {what}", p50, "ms"),
        Row("alerts", f"publish to alert, p99, {what}", p99, "ms", goal=GOAL_P99_MS, lower_is_better=True),
    ]


def _clients(stack: demo.Stack) -> dict[TenantId, TenantClient]:
    """Those who speak, and who listens: a client more would only take the machine's time."""
    listens = {CLOCK: [catalogue.out_topic("days", CLOCK)], OPS: [catalogue.ALERTS]}
    return {
        tenant: TenantClient(
            tenant, Login(stack.kafka.tenant_bootstrap, tenant, stack.passwords[tenant]), listens.get(tenant, ())
        )
        for tenant in (PACKAGE, OFFICE, CLOCK, OPS)
    }


class _Bench:
    """One run: what was sent, when, and what was heard."""

    def __init__(self, tenants: dict[TenantId, TenantClient]) -> None:
        self._tenants = tenants
        self._day = START
        self._closed = 0
        self._opened: dict[str, float] = {}
        self._over: set[str] = set()
        self._clients = 0

    def waits_ms(self) -> Iterator[float]:
        """How long each alert took."""
        self._send(OFFICE, *(nation.mandate(provider, PACKAGE) for provider in (SHORT, *AMPLE)))
        self._start_days(1)
        short_clients = [_registration(code, SHORT, n, START + timedelta(days=165)) for code in CODES for n in range(8)]
        self._send(PACKAGE, *short_clients)
        for turn in range(TURNS):
            self._send(PACKAGE, *(_capacity(c, p, turn, self._day) for c in CODES for p in (SHORT, *AMPLE)))
            self._start_days(1)
            waits = list(self._turn(turn))
            if turn:
                yield from waits
            self._send(PACKAGE, *(_measure(code, turn, MeasureStatus.ENDED, self._day) for code in CODES))
            self._over.clear()
            self._start_days(RED_LEAVE_DAYS)
            self._until(lambda: len(self._over) == REGIONS, "every red alert to close")

    def _turn(self, turn: int) -> Iterator[float]:
        """A steady stream of registrations, in which every region is tipped once."""
        self._opened.clear()
        sent: dict[str, float] = {}
        began = time.perf_counter()
        for number in range(REGIONS * TIP_EVERY):
            while time.perf_counter() < began + number / PER_S:
                if not self._listen():
                    time.sleep(0.0005)
            code = CODES[number // TIP_EVERY]
            if number % TIP_EVERY == TIP_EVERY - 1:
                tip = _measure(code, turn, MeasureStatus.STARTED, self._day)
                sent[code] = time.perf_counter()
                self._put(PACKAGE, tip)
            else:
                self._clients += 1
                provider, due = AMPLE[number % len(AMPLE)], self._day + timedelta(days=20 + number % 150)
                where = CODES[self._clients % REGIONS]
                self._put(PACKAGE, _registration(where, provider, 1000 + self._clients, due))
        self._until(lambda: len(self._opened) == REGIONS, "an alert for every region")
        for code in CODES:
            yield (self._opened[code] - sent[code]) * 1000

    def _start_days(self, count: int) -> None:
        for _ in range(count):
            self._closed = 0
            self._send(CLOCK, e.DayStarted(date=self._day))
            self._until(lambda: self._closed == REGIONS + 1, f"every region to close {self._day}")
            self._day += timedelta(days=1)

    def _send(self, tenant: TenantId, *events: Any) -> None:
        for event in events:
            self._put(tenant, event)
        self._tenants[tenant].flush()

    def _put(self, tenant: TenantId, event: Any) -> None:
        packed = Packed(tenant, b"k", codec.encode(event), (), None)
        self._tenants[tenant].send(packed, lambda packed, source, append_ms: None)

    def _listen(self) -> bool:
        """Take what has arrived; whether anything had."""
        heard = False
        for received in self._tenants[OPS].receive():
            heard = True
            if received.topic == catalogue.ALERTS:
                self._hear(codec.decode(received.value), time.perf_counter())
        for received in self._tenants[CLOCK].receive():
            heard = True
            self._closed += isinstance(codec.decode(received.value), f.DayClosed)
        return heard

    def _hear(self, alert: Any, at: float) -> None:
        if alert.kind is AlertKind.CODE_RED and alert.state is AlertState.OPENED:
            self._opened[alert.region] = at
        elif alert.kind is AlertKind.CODE_RED and alert.state is AlertState.CLOSED:
            self._over.add(alert.region)

    def _until(self, reached: Callable[[], bool], what: str) -> None:
        give_up_at = time.monotonic() + ARRIVAL_S
        while not reached():
            if not self._listen():
                time.sleep(0.0005)
            if time.monotonic() > give_up_at:
                raise HubError(f"waited {ARRIVAL_S:.0f} s for {what}; see what the workers logged")


def _registration(code: RegionCode, provider: Agb, number: int, due: date) -> e.RegistrationSubmitted:
    return e.RegistrationSubmitted(
        record_id=RecordId(f"reg-{code}-{number}"),
        version=1,
        provider=provider,
        status=RegistrationStatus.ACTIVE,
        pc4=Pc4(str(1000 + CODES.index(code))),
        due_date=due,
        requested_on=due - timedelta(days=150),
        insurer=Uzovi("3311"),
        indicated_minutes=2700,
        protocol=IndicationProtocol.LIP,
        partus_assistance=False,
    )


def _capacity(code: RegionCode, provider: Agb, turn: int, today: date) -> e.CapacityDeclared:
    """A year: far too little at one provider, plenty at the others."""
    minutes = 12 * 60 * (50 if provider == SHORT else 100_000)
    return e.CapacityDeclared(
        record_id=RecordId(f"cap-{code}-{provider}"),
        version=turn + 1,
        provider=provider,
        region=code,
        period_from=date(2026, 3, 1),
        period_until=date(2027, 2, 28),
        declared_on=today,
        method=CapacityMethod.ROSTER,
        contracted_employed_minutes=minutes,
        contracted_self_employed_minutes=0,
        deployable_employed_minutes=minutes,
        deployable_self_employed_minutes=0,
        subcontracted_minutes=0,
    )


def _measure(code: RegionCode, turn: int, status: MeasureStatus, today: date) -> e.MeasureReported:
    return e.MeasureReported(
        record_id=RecordId(f"measure-{code}-{turn}"),
        version=1 if status is MeasureStatus.STARTED else 2,
        provider=SHORT,
        region=code,
        measure="extra-shifts",
        status=status,
        on=today - timedelta(days=1),
    )
