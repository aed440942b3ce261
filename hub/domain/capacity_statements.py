"""Figures for planners: the region's demand and capacity side by side, and what each provider may still promise."""

from hashlib import sha256

from hub.domain.case import Case
from hub.domain.facts import ProviderRoomStated, RegionCapacityStated
from hub.domain.identifiers import Agb, Month, TenantId, month_of, month_text
from hub.domain.rounds import allocated_minutes
from hub.domain.shards import encode_canonical
from hub.domain.words import AllocationStatus

ROOM_STEP_MINUTES = 60
"""Room is stated in whole hours, rounded down: what moves by minutes every day is no news (PROPOSAL)."""


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
        )
        if not case.state.is_new_saying(f"capacity|{month}", sha256(encode_canonical(figures)).digest()):
            continue
        for recipient in recipients:
            if recipient is not None:
                case.say(_capacity_fact(case, recipient, month, figures))


def state_rooms(case: Case) -> None:
    """Per provider and month, to its package: what it may still promise beside what it was allocated."""
    forecast = case.state.current_forecast()
    committed = {
        month: allocated_minutes(case, month, AllocationStatus.PROPOSED, AllocationStatus.ACCEPTED)
        for month in forecast.months
    }
    for provider in forecast.capacities.providers:
        package = case.package_of(provider)
        if package is None:
            continue
        for month in forecast.months:
            room = forecast.room(provider, month)
            taken = committed[month].get(provider, 0)
            figures = (
                package,
                _whole(room.room_minimal_minutes - taken),
                _whole(room.room_guideline_minutes - taken),
                room.guideline_minutes,
                room.unknown,
            )
            digest = sha256(encode_canonical(figures)).digest()
            if case.state.is_new_saying(f"room|{month}|{provider}", digest):
                case.say(_room_fact(case, provider, month, figures))


def forget_sayings(case: Case) -> None:
    """What was last said of months that are over."""
    assert case.today is not None
    for key, _ in case.state.sayings.items():
        parts = key.split("|")
        if len(parts) > 1 and int(parts[1]) < month_of(case.today):
            case.state.sayings.remove(key)


def _whole(minutes: int) -> int:
    return max(0, minutes) // ROOM_STEP_MINUTES * ROOM_STEP_MINUTES


def _capacity_fact(case: Case, recipient: TenantId, month: Month, figures: tuple[int, ...]) -> RegionCapacityStated:
    clients, indicated, mean, minimal, contracted, employed, self_employed, duplicate, providers = figures
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
    )


def _room_fact(
    case: Case, provider: Agb, month: Month, figures: tuple[TenantId, int, int, int, bool]
) -> ProviderRoomStated:
    package, minimal, guideline, asked, unknown = figures
    return ProviderRoomStated(
        recipient=package,
        region=case.region,
        provider=provider,
        month=month_text(month),
        room_minimum_minutes=minimal,
        room_guideline_minutes=guideline,
        guideline_minutes=asked,
        unknown=unknown,
    )
