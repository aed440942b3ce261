"""The same carers declared in several places: split is fine, twice is a finding (rules 16 and 17)."""

from datetime import date
from typing import Any

import pytest

from hub.domain.carer_pools import DECLARATIONS_LOOKED_AT_MAX, declared_twice
from hub.domain.facts import ComplianceFound
from hub.domain.identifiers import NATIONAL, Agb, RegionCode
from hub.domain.pool_rows import PoolRow
from hub.domain.words import FindingCode, FindingStatus
from tests.domain.region_world import (
    ALFA,
    DAY_1,
    GAMMA,
    HERE,
    KSV,
    KSV_THERE,
    LINDE,
    ROOS,
    THERE,
    World,
    capacity,
    changed,
    day,
    of_type,
)

MARCH = (date(2026, 3, 1), date(2026, 3, 31))
APRIL = (date(2026, 4, 1), date(2026, 4, 30))


def row(
    region: RegionCode = HERE,
    minutes: int = 60_000,
    pool: int = 0,
    period: tuple[date, date] = MARCH,
    provider: Agb = ROOS,
) -> PoolRow:
    """1,000 hours of one group in March; `pool` 0: the sender does not tell what the group has."""
    return PoolRow("pool-a", provider, region, 1, *period, minutes, pool)


@pytest.mark.parametrize(
    ("rows", "twice"),
    [
        ([row(pool=120_000), row(THERE, pool=120_000)], 0),
        ([row(pool=60_000), row(THERE, pool=60_000)], 2),
        ([row(pool=119_940), row(THERE, pool=119_940)], 0),
        ([row(pool=119_939), row(THERE, pool=119_939)], 2),
        ([row(pool=60_000), row(THERE, pool=60_000, period=APRIL)], 0),
        ([row(pool=60_000), row(pool=60_000)], 0),
        ([row(pool=60_000), row(pool=60_000, provider=LINDE)], 2),
        ([row(), row(THERE)], 2),
        ([row(), row(THERE, minutes=60_001)], 0),
        ([row(), row(THERE, period=APRIL)], 0),
        ([row(minutes=0), row(THERE, minutes=0)], 0),
        ([row()], 0),
    ],
    ids=[
        "a group split in two", "all of it in both", "an hour of rounding", "more than an hour beyond",
        "another month", "one place, another method", "two providers of one region", "the very same, nothing told",
        "other hours, nothing told", "the same hours of another month", "no hours", "one place",
    ],
)  # fmt: skip
def test_a_group_is_declared_twice_when_its_parts_add_up_to_more_than_it_has(rows: list[PoolRow], twice: int) -> None:
    """Where the sender does not tell what the group has, only the very same hours and days count."""
    assert len(declared_twice(rows)) == twice


def test_a_period_counts_for_the_days_that_it_shares() -> None:
    """A quarter declared here and its March there: a third of the quarter lies in March."""
    quarter = row(minutes=180_000, pool=180_000, period=(date(2026, 2, 1), date(2026, 4, 30)))
    assert len(declared_twice([quarter, row(THERE, minutes=59_000)])) == 2
    assert declared_twice([quarter, row(THERE, minutes=0)]) == ()


def nation() -> World:
    """NL, where two packages speak for two providers."""
    world = World(region=NATIONAL)
    world.mandate(ROOS, ALFA)
    world.starts_day(DAY_1)
    return world


def found(facts: list[Any]) -> list[tuple[str, FindingStatus]]:
    """Who heard what."""
    told = of_type(facts, ComplianceFound)
    assert all(fact.code is FindingCode.CARERS_DECLARED_TWICE for fact in told)
    assert all(fact.provider == ROOS for fact in told)
    return [(str(fact.recipient), fact.status) for fact in told]


def test_both_coordinators_and_the_package_hear_once_and_hear_when_it_is_put_right() -> None:
    """No region sees the other's declarations; NL does."""
    world = nation()
    here = capacity(carer_pool="pool-a", carer_pool_minutes=12 * 60_000)
    world.given(here, ALFA, home=False)
    world.given(changed(here, region=THERE), ALFA, home=False)
    told = [(str(who), FindingStatus.OPENED) for who in (KSV, KSV_THERE, ALFA)]
    assert found(world.starts_day(day(2))) == told
    assert found(world.starts_day(day(3))) == []
    world.given(changed(here, region=THERE, version=2, carer_pool=None, carer_pool_minutes=None), ALFA, home=False)
    assert found(world.starts_day(day(4))) == [(who, FindingStatus.CLOSED) for who, _ in told]


def test_two_packages_that_use_one_name_do_not_speak_of_the_same_carers() -> None:
    """ "team-1" is what many call their first team."""
    world = nation()
    world.mandate(LINDE, GAMMA)
    here = capacity(carer_pool="team-1", carer_pool_minutes=12 * 60_000)
    world.given(here, ALFA, home=False)
    world.given(changed(here, region=THERE, provider=LINDE), GAMMA, home=False)
    assert found(world.starts_day(day(2))) == []


def test_without_a_mandate_nobodys_carers_are_noticed() -> None:
    """What the region refuses counts for nothing in NL either."""
    world = nation()
    here = capacity(carer_pool="pool-a", carer_pool_minutes=60)
    for region in (HERE, THERE):
        world.given(changed(here, region=region), GAMMA, home=False)
    assert found(world.starts_day(day(2))) == []


def test_an_older_version_that_comes_late_changes_nothing() -> None:
    """Versions are judged per region: one package may use one id in two regions."""
    world = nation()
    here = capacity(carer_pool="pool-a", carer_pool_minutes=12 * 60_000)
    world.given(changed(here, version=3), ALFA, home=False)
    world.given(changed(here, region=THERE, version=2, carer_pool=None, carer_pool_minutes=None), ALFA, home=False)
    world.given(changed(here, region=THERE), ALFA, home=False)
    assert found(world.starts_day(day(2))) == []


def test_of_one_name_for_very_much_the_soonest_declarations_are_looked_at() -> None:
    """Comparing each with each would otherwise cost NL its day; what comes later has its turn."""
    national = World(region=NATIONAL)
    national.starts_day(DAY_1)
    for n in range(DECLARATIONS_LOOKED_AT_MAX):
        national.state.pools.put(f"april-{n:04d}", row(minutes=n + 1, period=APRIL))
    for region in (HERE, THERE):
        national.state.pools.put(f"soon-{region}", row(region))
        national.state.pools.put(f"later-{region}", row(region, minutes=59_999, period=APRIL, provider=LINDE))
    said = of_type(national.starts_day(day(2)), ComplianceFound)
    assert {fact.provider for fact in said} == {ROOS}
