"""From the world to messages: what each tenant sends before the first day, and on each day.

Order matters only within one inbox. What must follow another tenant's message (a mandate, a withdrawal elsewhere)
comes in a later phase or on a later day, as it would in life.
"""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Final

from hub.domain import events as e
from hub.domain.identifiers import Agb, Month, Pc4, RecordId, RegionCode, TenantId, Uzovi, first_day, month_text
from hub.domain.region_plan import Distribution, RegionPlan, national_defaults
from hub.domain.words import (
    CapacityMethod,
    CareEndReason,
    ContractClass,
    DeclaredColour,
    FullLevel,
    FullStatus,
    MeasureStatus,
    ReceiptOutcome,
    RegistrationStatus,
    RemovalReason,
    ThreatStatus,
    WaitingStatus,
)
from hub.local.simulator import colour_story
from hub.local.simulator import national as world
from hub.local.simulator.messages import APPLIED, Expected, Message, Told
from hub.local.simulator.national import START, Area, Client, Nation, Provider, Story, insurer_tenant

SHOCK_DAY: Final = 18
"""Illness halves the deployable hours of the second region from this day."""
SHOCK_OVER_DAY: Final = 34
CLIENT_MINUTES_MEAN: Final = world.MEAN_CARE_MINUTES + world.PARTUS_MINUTES_MEAN
DECLARE_EVERY_DAYS: Final = 28
CARE_DAYS: Final = 8
REPEAT_PERMILLE: Final = 15
"""Messages that a vendor sends twice, bytes and all."""


@dataclass
class Script:
    """Everything that is known beforehand. `founding` is acknowledged before `history` is sent, that before day 0."""

    founding: list[Message] = field(default_factory=list)
    history: list[Message] = field(default_factory=list)
    days: dict[int, list[Message]] = field(default_factory=dict)

    def on(self, day: int, message: Message) -> None:
        """Put a message on a day; before the first day means history."""
        if day < 0:
            self.history.append(message)
        else:
            self.days.setdefault(day, []).append(message)


def script(nation: Nation) -> Script:
    """All messages of a nation but the answers to what the hub says."""
    draw = random.Random(f"script/{nation.seed}/{len(nation.clients)}")
    made = Script()
    made.founding += _mandates(nation)
    made.founding += _contracts(nation, draw)
    made.founding += _benchmarks(nation)
    for day, message in _capacity(nation, draw):
        made.on(day, message)
    for client in nation.clients:
        for day, message in _life(nation, client, draw):
            if day < nation.days:
                made.on(day, message)
    for day, message in _agreements(nation):
        if day < nation.days:
            made.on(day, message)
    for day, messages in sorted(made.days.items()):
        made.days[day] = list(_with_repeats(messages, draw))
    return made


def day_of(day: date) -> int:
    """Number of a simulated day, the first is 0."""
    return (day - START).days


def _with_repeats(messages: list[Message], draw: random.Random) -> Iterator[Message]:
    for message in messages:
        yield message
        if message.event is not None and message.told is None and draw.randrange(1000) < REPEAT_PERMILLE:
            told = Told("repeated", (_id(message),), expected=Expected(ReceiptOutcome.DUPLICATE, "repeated"))
            yield replace(message, told=told)


def _id(message: Message) -> str:
    return f"{message.tenant}/{message.event.record_id}"


def _mandates(nation: Nation) -> Iterator[Message]:
    for provider in nation.providers:
        yield Message(
            world.OFFICE,
            e.MandateGranted(
                record_id=RecordId(f"mandate-{provider.agb}"),
                version=1,
                provider=provider.agb,
                mandate_tenant=provider.package,
                bo_member=provider.bo_member,
                valid_from=date(2025, 1, 1),
            ),
        )


def _contracts(nation: Nation, draw: random.Random) -> Iterator[Message]:
    for provider in nation.providers:
        for uzovi in provider.contracted_by:
            postcodes: tuple[Pc4, ...] = ()
            if len(provider.regions) == 1:
                postcodes = nation.area[provider.regions[0]].postcodes
            platform = provider.employed_permille < 700
            yield Message(
                insurer_tenant(uzovi),
                e.ContractDeclared(
                    record_id=RecordId(f"contract-{provider.agb}"),
                    version=1,
                    insurer=uzovi,
                    provider=provider.agb,
                    contract_class=ContractClass.MEDIATION_PLATFORM
                    if platform
                    else draw.choice((ContractClass.A, ContractClass.B)),
                    postcodes=postcodes,
                    valid_from=date(2026, 1, 1),
                    valid_until=date(2026, 12, 31),
                ),
            )


def _benchmarks(nation: Nation) -> Iterator[Message]:
    for area in nation.areas:
        uzovi = area.lead_insurers[0]
        mean = world.MEAN_CARE_MINUTES if area.pressure_permille >= 800 else world.MEAN_CARE_MINUTES * 34 // 42
        for month in nation.months():
            yield Message(
                insurer_tenant(uzovi),
                e.BenchmarkPublished(
                    record_id=RecordId(f"benchmark-{area.region}-{month_text(Month(month - 12))}"),
                    version=1,
                    insurer=uzovi,
                    region=area.region,
                    month=month_text(Month(month - 12)),
                    mean_care_minutes=mean,
                    unique_clients=world.due_clients(nation, area.region, month),
                    range_low_minutes=24 * 60,
                    range_high_minutes=64 * 60,
                ),
            )


def _capacity(nation: Nation, draw: random.Random) -> Iterator[tuple[int, Message]]:
    """Each provider declares each coming month anew every four weeks; one in nine forgets to after the first time.

    The second provider works in several regions and declares the hours of all its carers in each of them.
    """
    for area in nation.areas:
        providers = nation.of_region(area.region)
        total = sum(dict(p.shares)[area.region] for p in providers)
        shocked = area is nation.areas[1]
        told = colour_story.takes_part(area, nation)
        for provider in providers:
            share = dict(provider.shares)[area.region]
            times = [-3, *range(DECLARE_EVERY_DAYS - 3, nation.days, DECLARE_EVERY_DAYS)]
            if shocked:
                times = sorted({*times, SHOCK_DAY, SHOCK_OVER_DAY} & {t for t in range(-3, nation.days)})
            if told:
                times = sorted({*times, *colour_story.HOURS_PERMILLE, colour_story.WELL_DAY})
            if provider.stale_capacity:
                times = times[:1]
            versions: Counter[Month] = Counter()
            for day in times:
                ill = shocked and SHOCK_DAY <= day < SHOCK_OVER_DAY
                dip_permille = colour_story.HOURS_PERMILLE.get(day) if told else None
                story_only = dip_permille is not None or (told and day == colour_story.WELL_DAY)
                for month in colour_story.months(nation) if story_only else nation.months()[2:]:
                    versions[month] += 1
                    demand = world.due_clients(nation, area.region, month) * CLIENT_MINUTES_MEAN
                    deployable = demand * area.pressure_permille * share // (1000 * total)
                    deployable = deployable * draw.randrange(930, 1070) // 1000 * (450 if ill else 1000) // 1000
                    if dip_permille is not None:
                        own = colour_story.own_clients(nation, provider, area.region, month)
                        deployable = own * CLIENT_MINUTES_MEAN * dip_permille // 1000
                    employed = deployable * provider.employed_permille // 1000
                    yield (
                        day,
                        Message(
                            provider.package,
                            e.CapacityDeclared(
                                record_id=colour_story.capacity_id(provider.agb, area.region, month),
                                version=versions[month],
                                provider=provider.agb,
                                region=area.region,
                                period_from=first_day(month),
                                period_until=first_day(Month(month + 1)) - timedelta(days=1),
                                declared_on=START + timedelta(days=day),
                                method=CapacityMethod.CONTRACT_HOURS,
                                contracted_employed_minutes=employed * 115 // 100,
                                contracted_self_employed_minutes=(deployable - employed) * 105 // 100,
                                deployable_employed_minutes=employed,
                                deployable_self_employed_minutes=deployable - employed,
                                subcontracted_minutes=0,
                                carer_pool=f"pool-{provider.agb}",
                                carer_pool_minutes=deployable if provider is nation.providers[1] else None,
                            ),
                            told=Told("carers_declared_twice", (provider.agb,), expected=APPLIED)
                            if provider is nation.providers[1] and day == -3 and month == nation.months()[2] and told
                            else None,
                        ),
                    )


def registration(client: Client, provider: Provider, record_id: RecordId, version: int = 1) -> e.RegistrationSubmitted:
    """The registration of a client as a package submits it, without her identity."""
    return e.RegistrationSubmitted(
        record_id=record_id,
        version=version,
        provider=provider.agb,
        status=RegistrationStatus.ACTIVE,
        pc4=client.pc4,
        due_date=client.due_date,
        requested_on=client.requested_on,
        insurer=client.insurer,
        indicated_minutes=client.indicated_minutes,
        protocol=client.protocol,
        partus_assistance=client.partus_assistance,
    )


def waiting(client: Client, version: int = 1, removed: RemovalReason | None = None) -> e.WaitingClientListed:
    """A client on the regional list, or taken off it, without her identity."""
    return e.WaitingClientListed(
        record_id=client.other_id,
        version=version,
        status=WaitingStatus.LISTED if removed is None else WaitingStatus.REMOVED,
        removal_reason=removed,
        pc4=client.pc4,
        due_date=client.due_date,
        requested_on=client.requested_on,
        insurer=client.insurer,
        indicated_minutes=client.indicated_minutes,
        protocol=client.protocol,
        partus_assistance=client.partus_assistance,
        hospital_days=0,
        preferred_provider=client.provider.agb if int(client.record_id[1:3], 16) < 64 else None,
    )


def _life(nation: Nation, client: Client, draw: random.Random) -> Iterator[tuple[int, Message]]:
    told_id = f"{client.provider.package}/{client.record_id}"
    begin = day_of(client.requested_on)
    person = client.person
    told = Told("client", (told_id,), person.told(), (person.mark,), expected=APPLIED)
    package = client.provider.package

    def submitted(event: Any, by: TenantId = package, who: Any = person, line: Told | None = None) -> Message:
        return Message(by, event, person=who, told=line)

    first = registration(client, client.provider, client.record_id)
    other_id = f"{client.other_provider.package}/{client.other_id}"
    listed_id = f"{world.WAITLIST}/{client.other_id}"
    match client.story:
        case Story.WAITING:
            line = replace(told, kind="waiting_client", ids=(listed_id,))
            yield begin, submitted(waiting(client), world.WAITLIST, line=line)
            return
        case Story.WAITING_AND_REGISTERED:
            line = replace(told, kind="waiting_and_registered", ids=(told_id, listed_id), links=True)
            yield begin, submitted(first, line=line)
            yield begin + 2, submitted(waiting(client), world.WAITLIST)
            yield begin + 6, submitted(waiting(client, 2, RemovalReason.WITHDRAWN), world.WAITLIST)
        case Story.EXACT_DUPLICATE | Story.DIRTY_DUPLICATE | Story.TWIN_SISTERS:
            who = {
                Story.EXACT_DUPLICATE: lambda: person,
                Story.DIRTY_DUPLICATE: lambda: nation.population.as_typed_elsewhere(person),
                Story.TWIN_SISTERS: lambda: nation.population.sister(person, client.pc4),
            }[client.story]()
            marks = tuple(dict.fromkeys((person.mark, who.mark)))
            later = min(max(begin + draw.randrange(3, 30), begin), nation.days - 8)
            line = replace(
                told,
                kind=str(client.story),
                ids=(told_id, other_id),
                canaries=marks,
                links=client.story is not Story.TWIN_SISTERS,
            )
            yield begin, submitted(first, line=line)
            second = registration(client, client.other_provider, client.other_id)
            own = (
                Told("twin_sister", (other_id,), who.told(), (who.mark,))
                if client.story is Story.TWIN_SISTERS
                else None
            )
            yield later, submitted(second, client.other_provider.package, who, own)
            return  # who withdraws follows from the signal
        case Story.WITHDRAWN:
            yield begin, submitted(first, line=told)
            day = max(begin + 2, draw.randrange(2, nation.days - 5))
            yield day, submitted(replace(first, version=2, status=RegistrationStatus.WITHDRAWN))
            return
        case Story.TRANSFERRED:
            line = replace(told, kind="transferred", ids=(told_id, other_id))
            yield begin, submitted(first, line=line)
            day = max(begin + 2, draw.randrange(2, nation.days - 8))
            yield day, submitted(replace(first, version=2, status=RegistrationStatus.TRANSFERRED))
            second = registration(client, client.other_provider, client.other_id)
            yield day + 2, submitted(second, client.other_provider.package)
            return
        case Story.MOVED:
            yield begin, submitted(first, line=replace(told, kind="moved"))
            elsewhere = draw.choice([r for r in client.provider.regions if r != client.region] or [client.region])
            new_pc4 = draw.choice(nation.area[elsewhere].postcodes)
            day = max(begin + 2, draw.randrange(2, nation.days - 5))
            yield day, submitted(replace(first, version=2, pc4=new_pc4))
            return
        case Story.CORRECTED:
            yield begin, submitted(first, line=replace(told, kind="corrected"))
            day = max(begin + 2, draw.randrange(1, nation.days - 5))
            moved = client.due_date + timedelta(days=draw.choice((-6, -4, 3, 5)))
            third = replace(first, version=3, due_date=moved)
            yield day, submitted(third)
            late = Told("out_of_order", (told_id,), expected=Expected(ReceiptOutcome.STALE, "older_version"))
            yield day, submitted(replace(third, version=2), line=late)
            first = third
        case Story.DECLINED:
            yield begin, submitted(first, line=replace(told, kind="declined"))
            day = max(begin + 2, draw.randrange(2, nation.days - 5))
            yield day, Message(package, _ended(client, START + timedelta(days=day), CareEndReason.DECLINED_BY_CLIENT))
            return
        case Story.PLAIN | Story.TWINS:
            yield begin, submitted(first, line=replace(told, kind="twins") if client.story is Story.TWINS else told)
    yield from _care(nation, client, max(day_of(client.born_on), begin + 1), draw)


def _care(nation: Nation, client: Client, born: int, draw: random.Random) -> Iterator[tuple[int, Message]]:
    pressure = nation.area[client.region].pressure_permille
    owed = max(0, (24 - 3 * client.hospital_days) * 60)
    given = min(client.indicated_minutes, world.MEAN_CARE_MINUTES * min(pressure, 1100) // 1000)
    given = max(given, owed) if pressure > 500 or draw.random() < 0.93 else owed - 180 if owed > 180 else owed
    given = given // 30 * 30
    employed = given * client.provider.employed_permille // 1000
    digital = draw.choice((0, 0, 0, 60, 120)) if pressure < 1000 else 0
    full = e.CareDelivered(
        record_id=RecordId(f"care-{client.record_id}"),
        version=2,
        provider=client.provider.agb,
        pc4=client.pc4,
        registration_id=client.record_id,
        born_on=START + timedelta(days=born),
        physical_minutes=given,
        digital_minutes=digital,
        digital_consent=digital > 0,
        employed_minutes=employed,
        self_employed_minutes=given - employed,
        hospital_days=client.hospital_days,
        carers=draw.choice((1, 2, 2, 3)),
        carer_codes_present=draw.random() < 0.97,
    )
    half = replace(
        full,
        version=1,
        physical_minutes=given // 2,
        employed_minutes=employed // 2,
        self_employed_minutes=0,
        digital_minutes=0,
        digital_consent=False,
    )
    end = born + CARE_DAYS
    if end >= 0:
        yield born + 3, Message(client.provider.package, half)
    if draw.random() < 0.03:
        end += 12  # entered late
    yield end, Message(client.provider.package, full)
    yield (
        end + 1,
        Message(
            client.provider.package, _ended(client, START + timedelta(days=born + CARE_DAYS), CareEndReason.COMPLETED)
        ),
    )


def _ended(client: Client, day: date, reason: CareEndReason) -> e.CareEnded:
    return e.CareEnded(
        record_id=RecordId(f"end-{client.record_id}"),
        version=1,
        provider=client.provider.agb,
        pc4=client.pc4,
        registration_id=client.record_id,
        ended_on=day,
        reason=reason,
    )


def _agreements(nation: Nation) -> Iterator[tuple[int, Message]]:
    """What coordinators, insurers and providers say about the region as a whole."""
    months = nation.months()
    soon = Month(months[0] + 3)
    yield from colour_story.coordinator(nation.areas[0], nation)
    for area in nation.areas:
        yield 6, Message(world.BO, _prognosis(area, soon))
        providers = nation.of_region(area.region)
        contracted = [p for p in providers if p.contracted_by]
        ksv, region = area.coordinator, area.region
        insurer = insurer_tenant(area.lead_insurers[0])
        if area.pressure_permille < 1000:
            yield -1, Message(ksv, _guideline(region, soon, 34 * 60 if area.pressure_permille > 600 else 24 * 60))
            yield 2, Message(ksv, _measure(region, None, "digital-care-where-possible", START + timedelta(days=2)))
            yield (
                3,
                Message(
                    ksv,
                    _colour(
                        region, DeclaredColour.ORANGE if area.pressure_permille > 600 else DeclaredColour.RED, START
                    ),
                ),
            )
        if 600 < area.pressure_permille < 1000:
            yield (
                5,
                Message(
                    contracted[0].package,
                    _full(region, contracted[0].agb, FullLevel.GUIDELINE, soon, FullStatus.DECLARED),
                ),
            )
            yield (
                30,
                Message(
                    contracted[0].package,
                    _full(region, contracted[0].agb, FullLevel.GUIDELINE, soon, FullStatus.LIFTED, 2),
                ),
            )
        if 600 < area.pressure_permille < 1000:  # the tightest have none: nobody is named who mediates in red
            plan = _plan(area)
            adopted = e.RegionPlanAdopted(record_id=plan.plan_id, version=1, region=region, plan=plan)
            yield 3, Message(ksv, adopted)
            for day, uzovi in enumerate(area.lead_insurers, start=4):
                yield day, Message(insurer_tenant(uzovi), _concurred(region, uzovi, plan))
        if area.pressure_permille < 600:
            yield 4, Message(ksv, _threat(region, None, soon))
            yield (
                6,
                Message(
                    contracted[1].package, _measure(region, contracted[1].agb, "partus-pool", START + timedelta(days=6))
                ),
            )
            for index, provider in enumerate(contracted):  # all of them: red-b
                yield (
                    8 + index,
                    Message(
                        provider.package, _full(region, provider.agb, FullLevel.MINIMUM, soon, FullStatus.DECLARED)
                    ),
                )
        if area.pressure_permille > 1200:  # a 'vol' that the load does not bear out
            yield (
                7,
                Message(
                    contracted[0].package,
                    _full(region, contracted[0].agb, FullLevel.MINIMUM, soon, FullStatus.DECLARED),
                ),
            )
            yield from _taken_back(area, contracted[0], soon)
        if area.pressure_permille > 1200 and not colour_story.takes_part(area, nation):
            yield 35, Message(ksv, _measure(region, None, "mutual-aid", START + timedelta(days=35)))
            yield (
                41,
                Message(ksv, _measure(region, None, "mutual-aid", START + timedelta(days=41), MeasureStatus.ENDED, 2)),
            )
        yield (
            10,
            Message(
                ksv,
                e.FindingRaised(
                    record_id=RecordId(f"finding-{region}-1"),
                    version=1,
                    provider=contracted[-1].agb,
                    region=region,
                    rule_number=16,
                    found_on=START + timedelta(days=9),
                ),
            ),
        )
        for provider in contracted[:3]:
            yield (
                12,
                Message(
                    insurer,
                    e.ProviderFiguresPublished(
                        record_id=RecordId(f"figures-{provider.agb}-{region}"),
                        version=1,
                        insurer=area.lead_insurers[0],
                        provider=provider.agb,
                        region=region,
                        month=month_text(soon),
                        mean_care_minutes=world.MEAN_CARE_MINUTES,
                        capacity_minutes=dict(provider.shares)[region] * 600,
                    ),
                ),
            )
        for provider in (p for p in providers if not p.contracted_by):
            yield (
                14,
                Message(
                    insurer,
                    e.NonContractedDeliverySeen(
                        record_id=RecordId(f"seen-{provider.agb}-{region}"),
                        version=1,
                        insurer=area.lead_insurers[0],
                        provider=provider.agb,
                        region=region,
                        month=month_text(Month(months[0] + 1)),
                        unique_clients=3,
                    ),
                ),
            )


def _taken_back(area: Area, provider: Provider, month: Month) -> Iterator[tuple[int, Message]]:
    """The provider takes its 'vol' back some weeks later."""
    lifted = _full(area.region, provider.agb, FullLevel.MINIMUM, month, FullStatus.LIFTED, 2)
    yield colour_story.LIFTED_DAY, Message(provider.package, lifted)


def _prognosis(area: Area, month: Month) -> e.PrognosisPublished:
    """Bo's figure of the carers that a region needs: the tighter, the more."""
    return e.PrognosisPublished(
        record_id=RecordId(f"prognosis-{area.region}-{month_text(month)}"),
        version=1,
        region=area.region,
        month=month_text(month),
        needed_carers=max(0, 1000 - area.pressure_permille) // 20,
        published_on=START + timedelta(days=5),
    )


def _plan(area: Area) -> RegionPlan:
    plan = national_defaults(area.region, area.lead_insurers)
    return replace(
        plan,
        plan_id=RecordId(f"plan-{area.region}-1"),
        version=1,
        valid_from=START,
        coordinator=area.coordinator,
        waiting_clients_informed_by="letter",
        measures=("digital-care-where-possible", "partus-pool", "mutual-aid"),
        rounds=replace(plan.rounds, distribution=Distribution.FROM_ORANGE),
    )


def _concurred(region: RegionCode, uzovi: Uzovi, plan: RegionPlan) -> e.RegionPlanConcurred:
    return e.RegionPlanConcurred(
        record_id=RecordId(f"concur-{region}-1"),
        version=1,
        insurer=uzovi,
        region=region,
        plan_id=plan.plan_id,
        plan_version=plan.version,
    )


def _guideline(region: RegionCode, month: Month, minutes: int) -> e.GuidelineAdopted:
    return e.GuidelineAdopted(
        record_id=RecordId(f"guide-{region}-1"),
        version=1,
        region=region,
        month=month_text(month),
        guideline_minutes=minutes,
    )


def _measure(
    region: RegionCode,
    provider: Agb | None,
    code: str,
    on: date,
    status: MeasureStatus = MeasureStatus.STARTED,
    version: int = 1,
) -> e.MeasureReported:
    identifier = RecordId(f"measure-{provider or region}-{code}-1")
    return e.MeasureReported(
        record_id=identifier, version=version, provider=provider, region=region, measure=code, status=status, on=on
    )


def _colour(region: RegionCode, colour: DeclaredColour, on: date) -> e.ColourDeclared:
    return e.ColourDeclared(
        record_id=RecordId(f"colour-{region}-1"), version=1, region=region, colour=colour, valid_from=on
    )


def _threat(region: RegionCode, provider: Agb | None, month: Month) -> e.RedThreatSignalled:
    return e.RedThreatSignalled(
        record_id=RecordId(f"threat-{region}-1"),
        version=1,
        provider=provider,
        region=region,
        status=ThreatStatus.SIGNALLED,
        month=month_text(month),
    )


def _full(
    region: RegionCode, provider: Agb, level: FullLevel, month: Month, status: FullStatus, version: int = 1
) -> e.FullDeclared:
    return e.FullDeclared(
        record_id=RecordId(f"full-{provider}-{region}-{level}"),
        version=version,
        provider=provider,
        region=region,
        level=level,
        status=status,
        period_from=first_day(month),
        period_until=first_day(Month(month + 1)) - timedelta(days=1),
    )
