"""The world that is simulated: regions, insurers, providers with market shares, packages, clients and their stories.

Everything follows from the seed and the number of clients. Names, codes and postcode sets of regions are made up: no
source names the official list. Figures are those of DOMAIN.md "Numbers"; where it has none they are ours (PROPOSAL).
"""

import random
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from hub.domain.identifiers import Agb, Month, Pc4, RecordId, RegionCode, TenantId, Uzovi, first_day, month_of
from hub.domain.reference import Reference, Region, Role, Tenant
from hub.domain.words import IndicationProtocol
from hub.edge import pseudonym
from hub.local.simulator.people import Person, Population

START: Final = date(2026, 3, 2)
"""The first simulated day: the agreements of 2026 are in force (rule 43)."""
DAYS: Final = 45
"""Days of a demo; at most 120 are asked for."""
DAYS_MAX: Final = 120
CLIENTS_PER_REGION: Final = 400
REGIONS_MAX: Final = 40
LOG_PARTITIONS: Final = 2
PC4_PER_REGION: Final = 12
DUE_FROM_DAYS: Final = -45
DUE_UNTIL_DAYS: Final = 165
MEAN_CARE_MINUTES: Final = 42 * 60
SEASON_PERMILLE: Final = (980, 950, 970, 970, 1000, 1000, 1050, 1060, 1050, 1010, 980, 980)
"""Births of a month against the mean month, January first: more in late summer."""
WEEKEND_PERMILLE: Final = 780
"""Births of a day at the weekend against a working day."""
PRESSURE_PERMILLE: Final = (1700, 1250, 980, 800, 560)
"""Deployable capacity against demand at the mean duration, region by region in turn: from ample to far too little."""
PARTUS_MINUTES_MEAN: Final = 4 * 60
"""Six hours at a birth, for about two clients in three."""
PACKAGES: Final = (("pkg-alfa", 34), ("pkg-bravo", 26), ("pkg-charlie", 20), ("pkg-delta", 12), ("pkg-echo", 8))
INSURERS: Final = (("9101", 53), ("9102", 40), ("9103", 38), ("9104", 19), ("9105", 8), ("9106", 7), ("9107", 2))
"""Made-up UZOVI codes with shares like those of the real groups (insured, in 100,000)."""
WAITLIST: Final = TenantId("waitlist-nl")
OFFICE: Final = TenantId("trust-office")
OPS: Final = TenantId("ops")
OPERATOR: Final = TenantId("operator")
CLOCK: Final = TenantId("clock")
BO: Final = TenantId("bo")
VSV: Final = TenantId("vsv-01")
OUTSIDE: Final = Pc4("9990")
"""A postcode in no region."""


class Story(StrEnum):
    """What becomes of one client."""

    PLAIN = "plain"
    TWINS = "twins"
    WITHDRAWN = "withdrawn"
    TRANSFERRED = "transferred"
    MOVED = "moved"
    CORRECTED = "corrected"
    DECLINED = "declined"
    EXACT_DUPLICATE = "exact_duplicate"
    DIRTY_DUPLICATE = "dirty_duplicate"
    TWIN_SISTERS = "twin_sisters"
    WAITING = "waiting"
    WAITING_AND_REGISTERED = "waiting_and_registered"


STORIES_PERMILLE: Final = {
    Story.TWINS: 16,
    Story.WITHDRAWN: 20,
    Story.TRANSFERRED: 12,
    Story.MOVED: 10,
    Story.CORRECTED: 30,
    Story.DECLINED: 6,
    Story.EXACT_DUPLICATE: 15,
    Story.DIRTY_DUPLICATE: 5,
    Story.TWIN_SISTERS: 3,
    Story.WAITING: 45,
    Story.WAITING_AND_REGISTERED: 6,
}
"""How many of a thousand clients live each story; the others are plain."""
EXACT_DUPLICATES_MIN: Final = 24


@dataclass(frozen=True, slots=True)
class Area:
    """One region: its row of the tables, its postcodes, its coordinator and how tight it is."""

    region: RegionCode
    name: str
    postcodes: tuple[Pc4, ...]
    coordinator: TenantId
    lead_insurers: tuple[Uzovi, Uzovi]
    pressure_permille: int


@dataclass(frozen=True, slots=True)
class Provider:
    """One provider, the package that speaks for it, its market share per region, and its character."""

    agb: Agb
    package: TenantId
    shares: tuple[tuple[RegionCode, int], ...]
    employed_permille: int
    bo_member: bool
    contracted_by: tuple[Uzovi, ...]
    declines_permille: int
    stale_capacity: bool

    @property
    def regions(self) -> tuple[RegionCode, ...]:
        """Where it delivers."""
        return tuple(region for region, _ in self.shares)


@dataclass(frozen=True, slots=True)
class Client:
    """One pregnancy. `other_provider` and `other_id` are her second registration, where her story has one."""

    person: Person
    story: Story
    region: RegionCode
    pc4: Pc4
    insurer: Uzovi
    provider: Provider
    other_provider: Provider
    record_id: RecordId
    other_id: RecordId
    due_date: date
    born_on: date
    requested_on: date
    indicated_minutes: int
    protocol: IndicationProtocol
    partus_assistance: bool
    hospital_days: int


@dataclass(frozen=True, slots=True)
class Nation:
    """The whole world of one run."""

    seed: int
    days: int
    reference: Reference
    areas: tuple[Area, ...]
    providers: tuple[Provider, ...]
    clients: tuple[Client, ...]
    population: Population

    def __post_init__(self) -> None:
        assert len({c.record_id for c in self.clients}) == len(self.clients), "two clients share an id"

    @property
    def area(self) -> dict[RegionCode, Area]:
        """Region by code."""
        return {area.region: area for area in self.areas}

    def of_region(self, region: RegionCode) -> list[Provider]:
        """Providers of a region, biggest first."""
        found = [(dict(p.shares)[region], p) for p in self.providers if region in p.regions]
        return [p for _, p in sorted(found, key=lambda row: (-row[0], row[1].agb))]

    def months(self) -> list[Month]:
        """The months in which a client of this world can be due."""
        first, last = (month_of(START + timedelta(days=d)) for d in (DUE_FROM_DAYS, DUE_UNTIL_DAYS))
        return [Month(m) for m in range(first, last + 1)]


def build(seed: int, clients: int, days: int = DAYS) -> Nation:
    """The same arguments give the same nation, to the last byte."""
    draw = random.Random(f"nation/{seed}/{clients}")
    regions = max(2, min(REGIONS_MAX, round(clients / CLIENTS_PER_REGION)))
    areas = tuple(_area(index) for index in range(regions))
    providers = _providers(draw, areas)
    reference = _reference(areas)
    population = Population(seed)
    return Nation(
        seed,
        days,
        reference,
        areas,
        providers,
        _clients(draw, seed, clients, days, areas, providers, population),
        population,
    )


def births_permille(day: date) -> int:
    """How many births a day has against the mean day."""
    weekend = WEEKEND_PERMILLE if day.weekday() >= 5 else 1000
    return SEASON_PERMILLE[day.month - 1] * weekend // 1000


def due_clients(nation: Nation, region: RegionCode, month: Month) -> int:
    """How many clients a full month of this world has in a region, for benchmarks and capacity."""
    per_day = sum(1 for client in nation.clients if client.region == region) / (DUE_UNTIL_DAYS - DUE_FROM_DAYS)
    first = first_day(month)
    length_days = (first_day(Month(month + 1)) - first).days
    return round(per_day * length_days * SEASON_PERMILLE[month % 12] / 1000)


def _area(index: int) -> Area:
    number = index + 1
    lead = INSURERS[index % 4][0], INSURERS[(index + 1) % 4][0]
    return Area(
        region=RegionCode(f"KSV-{number:02d}"),
        name=f"Voorbeeldregio {number}",
        postcodes=tuple(Pc4(str(1000 + 20 * index + offset)) for offset in range(PC4_PER_REGION)),
        coordinator=TenantId(f"ksv-{number:02d}"),
        lead_insurers=(Uzovi(lead[0]), Uzovi(lead[1])),
        pressure_permille=PRESSURE_PERMILLE[index % len(PRESSURE_PERMILLE)],
    )


def _providers(draw: random.Random, areas: tuple[Area, ...]) -> tuple[Provider, ...]:
    found: list[Provider] = []

    def add(shares: tuple[tuple[RegionCode, int], ...], employed_permille: int, reach_permille: int) -> None:
        agb = Agb(f"41{100_001 + 37 * len(found):06d}")
        package = TenantId(draw.choices([p for p, _ in PACKAGES], [w for _, w in PACKAGES])[0])
        lead = {uzovi for region, _ in shares for uzovi in _lead(areas, region)}
        contracted = tuple(
            Uzovi(uzovi)
            for uzovi, _ in INSURERS
            if reach_permille and (uzovi in lead or draw.randrange(1000) < reach_permille)
        )
        found.append(
            Provider(
                agb=agb,
                package=package,
                shares=shares,
                employed_permille=employed_permille,
                bo_member=draw.random() < 0.85,
                contracted_by=contracted,
                declines_permille=draw.choice((40, 120, 200, 450)),
                stale_capacity=len(found) % 9 == 5,
            )
        )

    for start in range(0, len(areas), 8):  # each big provider works in eight regions side by side
        block = areas[start : start + 8]
        add(tuple((area.region, draw.randrange(180, 260)) for area in block), 820, 900)
        add(tuple((area.region, draw.randrange(90, 150)) for area in block), 740, 800)
    for index, area in enumerate(areas):
        for share in (280, 190, 130):
            add(((area.region, share + draw.randrange(40)),), draw.randrange(600, 900), 600)
        add(((area.region, 60),), 150, 400)  # a mediation platform
        add(
            ((area.region, 25),), 0, 0 if index % 2 else 300
        )  # self-employed; in every second region without a contract
    return tuple(found)


def _lead(areas: tuple[Area, ...], region: RegionCode) -> tuple[Uzovi, Uzovi]:
    return next(area.lead_insurers for area in areas if area.region == region)


def _reference(areas: tuple[Area, ...]) -> Reference:
    tenants = [
        *(Tenant(TenantId(name), Role.PACKAGE) for name, _ in PACKAGES),
        *(Tenant(insurer_tenant(Uzovi(uzovi)), Role.INSURER, insurer=Uzovi(uzovi)) for uzovi, _ in INSURERS),
        *(Tenant(area.coordinator, Role.KSV, region=area.region) for area in areas),
        Tenant(WAITLIST, Role.WAITLIST),
        Tenant(OFFICE, Role.OFFICE),
        Tenant(OPS, Role.OPS),
        Tenant(OPERATOR, Role.OPERATOR),
        Tenant(CLOCK, Role.CLOCK),
        Tenant(BO, Role.BO),
        Tenant(VSV, Role.VSV),
    ]
    return Reference(
        version=1,
        log_partitions=LOG_PARTITIONS,
        regions=tuple(Region(a.region, a.name, i % LOG_PARTITIONS, a.lead_insurers) for i, a in enumerate(areas)),
        postcodes=tuple(sorted((pc4, a.region) for a in areas for pc4 in a.postcodes)),
        tenants=tuple(tenants),
    )


def insurer_tenant(uzovi: Uzovi) -> TenantId:
    """The tenant that speaks for an insurer."""
    return TenantId(f"ins-{uzovi}")


def _clients(
    draw: random.Random,
    seed: int,
    count: int,
    days: int,
    areas: tuple[Area, ...],
    providers: tuple[Provider, ...],
    population: Population,
) -> tuple[Client, ...]:
    stories: list[Story] = []
    for story, permille in STORIES_PERMILLE.items():
        least = EXACT_DUPLICATES_MIN if story is Story.EXACT_DUPLICATE else 1
        stories += [story] * max(least, count * permille // 1000)
    stories = (stories + [Story.PLAIN] * (count - len(stories)))[:count]
    draw.shuffle(stories)
    due_days = [START + timedelta(days=d) for d in range(DUE_FROM_DAYS, DUE_UNTIL_DAYS)]
    due_weights = [SEASON_PERMILLE[day.month - 1] for day in due_days]
    serving = {a.region: [p for p in providers if a.region in p.regions] for a in areas}
    shares = {a.region: [dict(p.shares)[a.region] for p in serving[a.region]] for a in areas}
    tight = [a for a in areas if a.pressure_permille < 1200]
    made = []
    for index, story in enumerate(stories):
        waits = story in (Story.WAITING, Story.WAITING_AND_REGISTERED)
        area = draw.choice(tight) if waits and tight else areas[index % len(areas)]
        pc4 = draw.choice(area.postcodes)
        provider = draw.choices(serving[area.region], shares[area.region])[0]
        other = draw.choice([p for p in serving[area.region] if p.agb != provider.agb])
        if story is Story.MOVED and len(provider.regions) < 2:
            provider = next(p for p in serving[area.region] if len(p.regions) > 1)
        due = draw.choices(due_days, due_weights)[0]
        if waits or story in (Story.TRANSFERRED, Story.MOVED, Story.WITHDRAWN, Story.DECLINED):
            due = max(due, START + timedelta(days=days + 25))
        if waits and draw.random() < 0.35:  # she comes late: urgent
            due = START + timedelta(days=draw.randrange(20, 20 + days))
        elif story in (Story.EXACT_DUPLICATE, Story.DIRTY_DUPLICATE, Story.TWIN_SISTERS):
            due = max(due, START + timedelta(days=30))
        lead_days = round(min(240.0, max(70.0, draw.gauss(165, 25))))
        requested = min(due - timedelta(days=lead_days), START + timedelta(days=days - 12))
        if waits:
            requested = max(requested, START - timedelta(days=20))
            if due - requested < timedelta(days=14):
                requested = due - timedelta(days=14)
        secret = f"{seed}/{provider.agb}".encode()
        indicated = draw.choice((49, 45)) * 60 + 30 * draw.randrange(-10, 9)
        made.append(
            Client(
                person=population.somebody(pc4),
                story=story,
                region=area.region,
                pc4=pc4,
                insurer=Uzovi(draw.choices([u for u, _ in INSURERS], [w for _, w in INSURERS])[0]),
                provider=provider,
                other_provider=other,
                record_id=RecordId(pseudonym(secret, f"client/{index}")),
                other_id=RecordId(pseudonym(secret, f"client/{index}/elsewhere")),
                due_date=due,
                born_on=max(_birth(draw, due), requested + timedelta(days=7)),
                requested_on=requested,
                indicated_minutes=indicated + (8 * 60 if story is Story.TWINS else 0),
                protocol=IndicationProtocol.KLIM if draw.random() < 0.05 else IndicationProtocol.LIP,
                partus_assistance=draw.random() < 0.6,
                hospital_days=draw.choice((0, 0, 0, 0, 1, 1, 2, 3)),
            )
        )
    return tuple(made)


def _birth(draw: random.Random, due: date) -> date:
    """Around the due date by the mixture of DOMAIN.md, fewer at weekends."""
    while True:
        kind = draw.random()
        shift = draw.gauss(-1.5, 8) if kind < 0.888 else draw.gauss(-22, 7) if kind < 0.988 else draw.gauss(-70, 25)
        born = due + timedelta(days=round(min(21.0, max(-110.0, shift))))
        if draw.randrange(1100) < births_permille(born):
            return born
