"""One region's spring, told by name: green, orange, red and green again, and a false 'vol' that is exposed.

The first region of every nation has hours enough. A wave of illness takes so many of them that the mean is out of
reach, then so many that minimal care is; its coordinator confirms each drop, since a drop alone is only a claim; the
teams recover, and the colour is left slowly. Meanwhile a provider with room says that it is full, and the coordinator
rejects that. Whatever the seed, a run must show it: `truth.jsonl` holds what is expected, and the summary compares.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from hub.domain import events as e
from hub.domain.identifiers import Agb, Month, RecordId, RegionCode, month_of, month_text
from hub.domain.words import ClaimJudgement, ClaimKind, FullLevel, MeasureStatus
from hub.local.simulator.messages import APPLIED, Message, Told
from hub.local.simulator.national import START, Area, Nation, Provider, Story

DIP_DAY, CONFIRMED_DAY = 8, 9
SHORT_DAY, SHORT_CONFIRMED_DAY = 13, 14
WELL_DAY = 20
ENDS_DAY = 40
"""Red and orange are left after a fortnight each at most: what a run shorter than this cannot show is not expected."""
CLIENTS_MIN: Final = 300
"""Clients per region below which a single birth decides a colour: so small a nation tells no story to be expected."""
HOURS_PERMILLE: Final = {DIP_DAY: 800, SHORT_DAY: 350}
"""What is left of the hours that a provider's own clients would take at the mean: below it, then below minimal care."""
COLOURS: Final = ("green", "orange", "red", "green")
VOL_DAY, REJECTED_DAY, LIFTED_DAY = 7, 10, 22
MEASURE: Final = "mutual-aid"


def months(nation: Nation) -> tuple[Month, Month]:
    """The months that run short: two and three months ahead, so that a warning is one."""
    first = month_of(START)
    return Month(first + 2), Month(first + 3)


def takes_part(area: Area, nation: Nation) -> bool:
    """Whether this is the region of the story."""
    return area is nation.areas[0]


def own_clients(nation: Nation, provider: Provider, region: RegionCode, month: Month) -> int:
    """Clients of a provider that are due in a month."""
    return sum(
        client.region == region
        and client.provider.agb == provider.agb
        and client.story is not Story.WAITING
        and month_of(client.due_date) == month
        for client in nation.clients
    )


def capacity_id(provider: Agb, region: RegionCode, month: Month) -> RecordId:
    """The id of a provider's declaration for a month."""
    return RecordId(f"cap-{provider}-{region}-{month_text(month)}")


def vol_id(provider: Agb, region: RegionCode) -> RecordId:
    """The id of a provider's 'vol'."""
    return RecordId(f"full-{provider}-{region}-{FullLevel.MINIMUM}")


def coordinator(area: Area, nation: Nation) -> Iterator[tuple[int, Message]]:
    """What the coordinator of the region says, day by day."""
    whole = nation.days >= ENDS_DAY and len(nation.clients) >= CLIENTS_MIN * len(nation.areas)
    told = Told("colour_story", (area.region,), expected=APPLIED, colours=COLOURS) if whole else None
    for version, day in enumerate((CONFIRMED_DAY, SHORT_CONFIRMED_DAY), start=1):
        if day == SHORT_CONFIRMED_DAY:
            yield day, Message(area.coordinator, _measure(area.region, day, MeasureStatus.STARTED, 1))
        for provider in nation.of_region(area.region):
            if provider.stale_capacity:
                continue
            for month in months(nation):
                judged = _judged(
                    area.region, provider.agb, ClaimKind.CAPACITY, ClaimJudgement.CONFIRMED,
                    capacity_id(provider.agb, area.region, month), version,
                )  # fmt: skip
                yield day, Message(area.coordinator, judged, told=told)
                told = None
    yield WELL_DAY + 1, Message(area.coordinator, _measure(area.region, WELL_DAY + 1, MeasureStatus.ENDED, 2))
    liar = next(p for p in nation.of_region(area.region) if p.contracted_by)
    rejected = _judged(
        area.region, liar.agb, ClaimKind.FULL, ClaimJudgement.REJECTED, vol_id(liar.agb, area.region), 1
    )  # fmt: skip
    exposed = Told("false_vol", (f"{area.region}/{liar.agb}",), expected=APPLIED) if whole else None
    yield REJECTED_DAY, Message(area.coordinator, rejected, told=exposed)


def _judged(
    region: RegionCode, provider: Agb, claim: ClaimKind, judgement: ClaimJudgement, claim_id: RecordId, version: int
) -> e.ClaimJudged:
    return e.ClaimJudged(
        record_id=RecordId(f"judged-{claim_id}"),
        version=version,
        provider=provider,
        region=region,
        claim=claim,
        claim_id=claim_id,
        judgement=judgement,
    )


def _measure(region: RegionCode, day: int, status: MeasureStatus, version: int) -> e.MeasureReported:
    return e.MeasureReported(
        record_id=RecordId(f"measure-{region}-{MEASURE}-story"),
        version=version,
        provider=None,
        region=region,
        measure=MEASURE,
        status=status,
        on=START + timedelta(days=day),
    )
