"""Figures for planners: the region's demand and capacity side by side, what each provider may still promise, and how
many carers more the region needs.
"""

from dataclasses import replace
from hashlib import sha256

from hub.domain.case import Case
from hub.domain.facts import InflowStated, ProviderRoomStated, RegionCapacityStated
from hub.domain.identifiers import Agb, Month, Pc4, TenantId, month_of, month_text
from hub.domain.shards import encode_canonical
from hub.domain.words import AllocationStatus, InflowSource

ROOM_STEP_MINUTES = 60
"""Room is stated in whole hours, rounded down: what moves by minutes every day is no news (PROPOSAL)."""

GUIDELINE_STEP_MINUTES = 60
"""A guideline is suggested in whole hours per client (PROPOSAL)."""


def state_capacity(case: Case) -> None:
    """Per month of the forecast, to the coordinator and the lead insurers, where something changed (rule 17)."""
    forecast = case.state.current_forecast()
    count_min = case.state.plan.fair_share.disclosed_count_min
    recipients = [case.place.coordinator, *case.place.lead_insurers]
    for month in forecast.months:
        totals = forecast.totals(month)
        figures = (
            totals.clients if totals.clients >= count_min else 0,
            totals.demand_indicated_minutes,
            totals.demand_mean_minutes,
            totals.demand_minimal_minutes,
            totals.contracted_minutes,
            totals.deployable_employed_minutes,
            totals.deployable_self_employed_minutes,
            totals.duplicate_minutes,
            totals.providers,
            totals.demand_guideline_minutes,
            totals.registered_minutes,
            totals.assumed,
            len(totals.stale_providers),
            forecast.suggested_guideline_minutes(month) // GUIDELINE_STEP_MINUTES * GUIDELINE_STEP_MINUTES,
        )
        if not case.state.is_new_saying(f"capacity|{month}", sha256(encode_canonical(figures)).digest()):
            continue
        for recipient in recipients:
            if recipient is not None:
                case.say(_capacity_fact(case, recipient, month, figures))


def state_rooms(case: Case, only: Agb | None = None, only_months: tuple[Month, ...] | None = None) -> None:
    """Per provider, month and its postcodes, to its package: what it may still promise beside what it was allocated.

    The planner asks for a postcode and a month; the answer holds for every postcode where a contract lets it deliver.
    `only`, `only_months`: of one provider and some months, right after what changed them.
    """
    forecast = case.state.current_forecast()
    months = forecast.months if only_months is None else tuple(m for m in only_months if m in forecast.months)
    providers = forecast.capacities.providers if only is None else (only,)
    if only is not None and not forecast.capacities.declarations(only):
        return
    committed = {
        month: case.state.proposals.minutes(month, AllocationStatus.PROPOSED, AllocationStatus.ACCEPTED)
        for month in months
    }
    areas = _areas(case, providers)
    for provider in providers:
        package = case.package_of(provider)
        if package is None:
            continue
        for month in months:
            room = forecast.room(provider, month)
            taken = committed[month].get(provider, 0)
            figures = (
                package,
                _whole(room.room_minimal_minutes - taken),
                _whole(room.room_guideline_minutes - taken),
                room.guideline_minutes,
                room.unknown,
                areas.get(provider, ()),
            )
            digest = sha256(encode_canonical(figures)).digest()
            if case.state.is_new_saying(f"room|{month}|{provider}", digest):
                case.say(_room_fact(case, provider, month, figures))


def state_inflow(case: Case) -> None:
    """Carers needed more per month: Bo's prognosis leads, our own figure is indicative (rule 20).

    To the coordinator, the lead insurers and Bo, where something changed. A region whose capacity nobody knows needs
    nobody in our figure: there is nothing to take it from.
    """
    forecast = case.state.current_forecast()
    coordinator = [] if case.place.coordinator is None else [case.place.coordinator]
    for month in forecast.months:
        prognosis = case.state.supply.prognosis_of(month)
        short = forecast.short_of_indicated_minutes(month)
        fact = InflowStated(
            recipient=TenantId(""),
            region=case.region,
            month=month_text(month),
            leading=InflowSource.INDICATIVE if prognosis is None else InflowSource.PROGNOSIS,
            prognosis_carers=None if prognosis is None else prognosis.carers,
            prognosis_published_on=None if prognosis is None else prognosis.published_on,
            indicative_carers=forecast.indicative_inflow_carers(month),
            indicative_short_minutes=short // ROOM_STEP_MINUTES * ROOM_STEP_MINUTES,
        )
        # Minutes move every day; what is told is a number of people.
        told = (fact.leading, fact.prognosis_carers, fact.prognosis_published_on, fact.indicative_carers)
        if case.state.is_new_saying(f"inflow|{month}", sha256(encode_canonical(told)).digest()):
            for recipient in (*coordinator, *case.place.lead_insurers, *case.place.bo):
                case.say(replace(fact, recipient=recipient))


def forget_sayings(case: Case) -> None:
    """What was last said of months that are over."""
    assert case.today is not None
    for key, _ in case.state.sayings.items():
        parts = key.split("|")
        if len(parts) > 1 and int(parts[1]) < month_of(case.today):
            case.state.sayings.remove(key)


def _areas(case: Case, providers: tuple[Agb, ...]) -> dict[Agb, tuple[Pc4, ...]]:
    """Postcodes of this region by contracted provider; left out where a contract covers all of it."""
    assert case.today is not None
    covered: dict[Agb, set[Pc4] | None] = {}
    for _, row in case.state.contracts.rows.unordered():
        if row.provider in providers and row.in_force(case.today):
            before = covered.setdefault(row.provider, set())
            covered[row.provider] = None if row.whole_region or before is None else before | {*row.postcodes}
    return {p: tuple(sorted(codes)) for p, codes in covered.items() if codes and codes != case.place.postcodes}


def _whole(minutes: int) -> int:
    return max(0, minutes) // ROOM_STEP_MINUTES * ROOM_STEP_MINUTES


def _capacity_fact(case: Case, recipient: TenantId, month: Month, figures: tuple[int, ...]) -> RegionCapacityStated:
    clients, indicated, mean, minimal, contracted, employed, self_employed, duplicate, providers, *more = figures
    guideline, registered, assumed, stale, suggested = more
    return RegionCapacityStated(
        recipient=recipient,
        region=case.region,
        month=month_text(month),
        clients=clients,
        demand_indicated_minutes=indicated,
        demand_mean_minutes=mean,
        demand_minimum_minutes=minimal,
        contracted_minutes=contracted,
        deployable_employed_minutes=employed,
        deployable_self_employed_minutes=self_employed,
        duplicate_minutes=duplicate,
        providers=providers,
        demand_guideline_minutes=guideline,
        registered_minutes=registered,
        assumed=bool(assumed),
        stale_providers=stale,
        suggested_guideline_minutes=suggested,
    )


def _room_fact(
    case: Case, provider: Agb, month: Month, figures: tuple[TenantId, int, int, int, bool, tuple[Pc4, ...]]
) -> ProviderRoomStated:
    package, minimal, guideline, asked, unknown, postcodes = figures
    clients = guideline // asked if asked and not unknown else 0
    return ProviderRoomStated(
        recipient=package,
        region=case.region,
        provider=provider,
        month=month_text(month),
        room_minimum_minutes=minimal,
        room_guideline_minutes=guideline,
        guideline_minutes=asked,
        unknown=unknown,
        has_room_guideline=clients > 0,
        clients_guideline=clients,
        postcodes=postcodes,
    )
