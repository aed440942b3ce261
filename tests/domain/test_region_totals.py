"""Which minutes of a region everybody may read: none by which a package learns of another provider's."""

import pytest

from hub.domain.facts import MonthFigures, RegionStatusChanged
from hub.domain.identifiers import Agb, TenantId
from tests.domain.region_world import (
    ALFA,
    BETA,
    DAY_1,
    GAMMA,
    INS_1,
    World,
    capacity,
    contract,
    of_type,
    registration,
)


def months_of(packages: tuple[TenantId, ...], clients: tuple[int, ...] = ()) -> tuple[MonthFigures, ...]:
    """What the first status tells of the months: one provider for each package named, and clients at the first ones."""
    world = World()
    for number, package in enumerate(packages):
        provider = Agb(f"4100000{number}")
        world.mandate(provider, package)
        world.given(contract(provider), INS_1, home=False)
        world.given(capacity(provider, hours=100), package)
        for client in range(clients[number] if number < len(clients) else 0):
            world.given(registration(f"r{number}-{client}", provider=provider), package)
    world.starts_day(DAY_1)
    [status] = of_type(world.facts, RegionStatusChanged)
    for ground in status.grounds:
        assert (ground.capacity_minutes is None) or status.months[0].deployable_told
    return status.months


@pytest.mark.parametrize(
    ("packages", "told"),
    [
        ((ALFA,), False),
        ((ALFA, BETA), False),
        ((ALFA, BETA, GAMMA), False),
        ((ALFA, ALFA, BETA, GAMMA), False),  # Alfa takes off two and has learnt what two others can do together
        ((ALFA, ALFA, BETA, BETA, GAMMA), True),
        ((ALFA, ALFA, ALFA, BETA, BETA, BETA), True),
        ((ALFA, ALFA, ALFA, ALFA), True),  # all of them are Alfa's own, and four stand behind it for everybody else
        ((ALFA, ALFA, ALFA), False),
    ],
)
def test_deployable_minutes_are_told_where_three_others_stand_behind_them_for_every_package(
    packages: tuple[TenantId, ...], told: bool
) -> None:
    """Four in all (the plan's figure), whatever a reader takes off."""
    for month in months_of(packages):
        assert month.deployable_told is told
        assert (month.deployable_minutes > 0) is told


@pytest.mark.parametrize(
    ("clients", "told"), [((), True), ((1,), False), ((3, 2), False), ((1, 1, 1, 1, 1), True), ((1, 1, 1, 1), False)]
)
def test_demand_is_told_while_nobody_has_clients_and_again_once_enough_have(
    clients: tuple[int, ...], told: bool
) -> None:
    """Who is expected and not registered is nobody's client."""
    months = months_of((ALFA, ALFA, BETA, BETA, GAMMA), clients)
    assert {month.demand_told for month in months if month.month == "2026-05"} == {told}
    assert all(month.demand_told or month.demand_mean_minutes == month.demand_minimum_minutes == 0 for month in months)
