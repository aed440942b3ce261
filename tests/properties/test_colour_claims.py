"""Two promises about claims, over the whole region fold and any story: nobody flips a region by saying so, and one
provider that really cannot flips it (DOMAIN "Colour predicates").
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.domain import events as e
from hub.domain.facts import RegionStatusChanged
from hub.domain.identifiers import Agb, RecordId
from hub.domain.words import ComputedColour, FullLevel, FullStatus, MeasureStatus, ThreatStatus
from tests.domain.region_world import (
    ALFA,
    BETA,
    DAY_1,
    HERE,
    INS_1,
    KSV,
    LINDE,
    ROOS,
    WILG,
    World,
    capacity,
    contract,
    day,
    of_type,
    registration,
)

CLIENTS = 12
HONEST = (LINDE, WILG)


def world(hours: dict[Agb, int]) -> World:
    """Three providers with a dozen clients each, due in April, and measures recorded; Alfa speaks for Roos alone."""
    made = World()
    for provider, monthly in hours.items():
        package = ALFA if provider == ROOS else BETA
        made.mandate(provider, package)
        made.given(contract(provider), INS_1, home=False)
        made.given(capacity(provider, hours=monthly), package)
    made.given(
        e.MeasureReported(
            record_id=RecordId("m"), version=1, provider=None, region=HERE, measure="mutual-aid",
            status=MeasureStatus.STARTED, on=DAY_1,
        ),
        KSV,
    )  # fmt: skip
    made.starts_day(DAY_1)
    for provider in hours:
        for n in range(CLIENTS):
            package = ALFA if provider == ROOS else BETA
            made.given(registration(f"r{provider}-{n}", provider=provider, due_date=day(45)), package)
    made.starts_day(day(2))
    return made


def colours(made: World) -> list[ComputedColour]:
    """Every colour that was said."""
    return [fact.computed for fact in of_type(made.facts, RegionStatusChanged)]


@dataclass(frozen=True)
class Lie:
    """One thing that Alfa says of Roos on some day, by kind and figure."""

    kind: str
    figure: int
    days_later: int


lies = st.builds(
    Lie,
    kind=st.sampled_from(("vol", "guideline-full", "drop", "red-threat", "measure", "lift", "again")),
    figure=st.integers(0, 100),
    days_later=st.integers(0, 2),
)


def said(lie: Lie, number: int, today: Any) -> Any:
    """The event of a lie: each kind is one record, told in ever higher versions."""
    match lie.kind:
        case "drop":
            return capacity(ROOS, hours=lie.figure * 5, version=number + 2, declared_on=today)
        case "red-threat":
            return e.RedThreatSignalled(
                record_id=RecordId("threat"), version=number + 1, provider=ROOS, region=HERE,
                status=ThreatStatus.SIGNALLED, month="2026-04",
            )  # fmt: skip
        case "measure":
            return e.MeasureReported(
                record_id=RecordId("own"), version=number + 1, provider=ROOS, region=HERE, measure="extra-shifts",
                status=MeasureStatus.STARTED, on=today,
            )  # fmt: skip
        case _:
            return e.FullDeclared(
                record_id=RecordId("full"), version=number + 1, provider=ROOS, region=HERE,
                level=FullLevel.GUIDELINE if lie.kind == "guideline-full" else FullLevel.MINIMUM,
                status=FullStatus.LIFTED if lie.kind == "lift" else FullStatus.DECLARED,
                period_from=DAY_1, period_until=day(100 + lie.figure),
            )  # fmt: skip


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(lies, min_size=1, max_size=6))
def test_whatever_one_tenant_claims_within_a_fortnight_the_region_keeps_its_colour(told: list[Lie]) -> None:
    """Claims of every kind, in any order: nobody else bears them out, so the region stays green.

    Within a fortnight, since a drop in capacity that lasts so long without a new registration bears itself out.
    """
    made, today = world({ROOS: 1500, LINDE: 1500, WILG: 1500}), day(2)
    assert colours(made)[-1] is ComputedColour.GREEN
    before = len(made.facts)
    for number, lie in enumerate(told):
        for _ in range(lie.days_later):
            today += timedelta(days=1)
            made.starts_day(today)
        made.given(said(lie, number, today), ALFA)
    made.starts_day(today + timedelta(days=1))
    seen = [fact.computed for fact in of_type(made.facts[before:], RegionStatusChanged)]
    assert set(seen) <= {ComputedColour.GREEN}


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(20, 200), st.lists(lies, max_size=3))
def test_one_provider_that_cannot_deliver_minimal_care_turns_the_region_red_whatever_else_is_said(
    hours: int, told: list[Lie]
) -> None:
    """S1, rule 3: also one of three, and nobody talks it away. A dozen clients are owed 288 hours of care."""
    made, today = world({ROOS: 1500, LINDE: hours, WILG: 1500}), day(2)
    assert colours(made)[-1] is ComputedColour.RED_A
    for number, lie in enumerate(told):
        made.given(said(lie, number, today), ALFA)
    made.starts_day(today + timedelta(days=1))
    assert colours(made)[-1] in (ComputedColour.RED_A, ComputedColour.RED_B)
