"""A small read model as hub/streams/read_model.py leaves it, and a console that serves it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date
from typing import Any

import redis

from hub.console.server import serve
from hub.console.settings import ConsoleSettings
from hub.domain.facts import AlertChanged, DayClosed, MonthFigures, ReceiptIssued, RegionStatusChanged
from hub.domain.identifiers import NATIONAL, RegionCode, TenantId
from hub.domain.reference import Reference
from hub.domain.words import (
    AlertKind,
    AlertSeverity,
    AlertState,
    ComputedColour,
    DeclaredColour,
    Mediator,
    ReceiptOutcome,
)
from hub.streams.read_model import Projection


def month(text: str, mean_permille: int, minimum_permille: int) -> MonthFigures:
    """One month of a forecast with round figures."""
    return MonthFigures(
        month=text,
        demand_mean_minutes=420 * 2520,
        demand_minimum_minutes=420 * 1440,
        deployable_minutes=980_000,
        shortfall_mean_permille=mean_permille,
        shortfall_minimum_permille=minimum_permille,
        assumed=False,
        unknown=False,
    )


GREEN = RegionStatusChanged(
    region=RegionCode("KSV-01"),
    date=date(2026, 3, 9),
    computed=ComputedColour.GREEN,
    computed_since=date(2026, 1, 1),
    declared=DeclaredColour.GREEN,
    clauses=("S1 code green",),
    reasons=("no_shortage",),
    measures=(),
    mediator=Mediator.INSURER,
    plan_version=None,
    months=(month("2026-03", 20, 0), month("2026-04", 60, 0), month("2026-05", 110, 4)),
)
ORANGE = replace(
    GREEN,
    region=RegionCode("KSV-02"),
    computed=ComputedColour.ORANGE,
    computed_since=date(2026, 2, 24),
    declared=DeclaredColour.GREEN,
    clauses=("S1 code orange",),
    reasons=("short_of_mean", "measures_not_recorded"),
    measures=("partus_pool",),
    mediator=Mediator.COORDINATOR,
    plan_version=2,
    months=(month("2026-03", 310, 10), month("2026-04", 640, 90), month("2026-05", 520, 60)),
)
RED = replace(
    GREEN,
    region=RegionCode("KSV-03"),
    computed=ComputedColour.RED_A,
    computed_since=date(2026, 3, 7),
    declared=None,
    clauses=("S1 code red",),
    reasons=("provider_unable",),
    mediator=Mediator.NONE,
    months=(month("2026-03", 960, 580), month("2026-04", 900, 410), month("2026-05", 700, 220)),
)
ALERT_RED = AlertChanged(
    region=RegionCode("KSV-03"),
    alert_id="a-1",
    kind=AlertKind.CODE_RED,
    state=AlertState.OPENED,
    severity=AlertSeverity.CRITICAL,
    since=date(2026, 3, 7),
    subject="KSV-03",
    clause="S1 code red",
    mediator=Mediator.NONE,
    next_step_nl="Verdeel cliënten over alle gecontracteerde aanbieders via de regionale wachtlijst.",
    next_step_en="Distribute clients over all contracted providers through the regional waiting list.",
)
ALERT_ORANGE = replace(
    ALERT_RED,
    region=RegionCode("KSV-02"),
    alert_id="a-2",
    kind=AlertKind.CODE_ORANGE,
    severity=AlertSeverity.WARNING,
    since=date(2026, 2, 24),
    subject="2026-04",
    clause="S1 code orange",
    mediator=Mediator.COORDINATOR,
    next_step_nl="Roep de KSV bijeen en inventariseer de capaciteit.",
    next_step_en="Call the KSV together and take stock of the capacity.",
)
DAY = DayClosed(
    recipient=TenantId("clock"), region=RegionCode("KSV-02"), date=date(2026, 3, 9), open_proposals=4, waiting=17
)
RECEIPT = ReceiptIssued(
    recipient=TenantId("pkg-alfa"),
    outcome=ReceiptOutcome.ACCEPTED,
    code="applied",
    pointer="",
    message_nl="Verwerkt.",
    message_en="Applied.",
)
NATION = (GREEN, ORANGE, RED, ALERT_RED, ALERT_ORANGE, DAY, replace(DAY, region=NATIONAL, waiting=0), RECEIPT)


class Writer:
    """Writes the read model by the relay's own projection, one batch a call."""

    def __init__(self, url: str) -> None:
        self.redis = redis.Redis.from_url(url)
        self.redis.flushdb()

    def say(self, *told: Any) -> None:
        """Facts, each of the region that it names (a receipt: of the nation)."""
        projection = Projection(Reference(version=1, log_partitions=1, regions=(), postcodes=(), tenants=()))
        for fact in told:
            projection.take(fact, getattr(fact, "region", NATIONAL))
        with self.redis.pipeline(transaction=True) as pipe:
            for command in projection.commands():
                pipe.execute_command(*command)  # type: ignore[no-untyped-call]
            pipe.execute()


@contextlib.asynccontextmanager
async def serving(settings: ConsoleSettings) -> AsyncIterator[str]:
    """A console on a free port; yields its URL without the last slash and ends it again."""
    stopped, url = asyncio.Event(), asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve(settings, stopped, url.set_result))
    try:
        yield str(await asyncio.wait_for(url, 10)).rstrip("/")
    finally:
        stopped.set()
        await asyncio.wait_for(task, 10)
