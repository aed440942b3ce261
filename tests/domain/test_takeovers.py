"""A provider changes its package: nothing is lost, nothing counts twice, and the old package cannot undo it."""

from typing import Any

import pytest

from hub.domain import events as e
from hub.domain.case import Case, place_of
from hub.domain.facts import ReceiptIssued
from hub.domain.identifiers import NATIONAL, RecordId, TenantId
from hub.domain.takeovers import heir_of
from hub.domain.words import LinkKind
from tests.domain.region_world import (
    ALFA,
    BETA,
    DAY_1,
    GAMMA,
    HERE,
    KSV,
    LINDE,
    ROOS,
    THERE,
    World,
    care,
    changed,
    day,
    ended,
    of_type,
    registration,
    registration_ref,
)


def takeover(ids: dict[str, str] | None = None, **change: Any) -> e.RegistrationsTakenOver:
    """Roos goes from Alfa to Gamma."""
    pairs = (
        None
        if ids is None
        else tuple(e.TakenOverId(old_id=RecordId(old), new_id=RecordId(new)) for old, new in ids.items())
    )
    return changed(
        e.RegistrationsTakenOver(
            record_id=RecordId("t-1"), version=1, provider=ROOS, old_tenant=ALFA, new_tenant=GAMMA, ids=pairs
        ),
        **change,
    )  # fmt: skip


def decided(ids: dict[str, str] | None = None) -> e.RecordsTakenOver:
    """What NL tells every region."""
    sent = takeover(ids)
    return e.RecordsTakenOver(region=NATIONAL, provider=ROOS, old_tenant=ALFA, new_tenant=GAMMA, ids=sent.ids)


def codes(facts: list[Any]) -> list[str]:
    """The codes of the receipts among them."""
    return [receipt.code for receipt in of_type(facts, ReceiptIssued)]


@pytest.fixture
def world() -> World:
    """Roos' client r1 came by Alfa, with some care delivered; Gamma has the mandate too by now."""
    world = World()
    world.mandate(ROOS, ALFA)
    world.mandate(ROOS, GAMMA)
    world.mandate(LINDE, BETA)
    world.starts_day(DAY_1)
    world.given(registration("r1"), ALFA)
    world.given(registration("r2", version=3), ALFA)
    world.given(care("c1", physical_minutes=60, employed_minutes=60), ALFA)
    return world


@pytest.mark.parametrize("by", [ALFA, GAMMA, KSV])
def test_nl_judges_once_whoever_of_the_three_publishes(by: TenantId) -> None:
    """With the provider's mandate for the new package it is granted, and every region hears."""
    national = World(region=NATIONAL)
    assert codes(national.given(takeover(), by)) == ["no_mandate"]
    national.mandate(ROOS, GAMMA)
    said = national.given(takeover(), by)
    assert codes(said) == ["applied"]
    assert of_type(said, e.RecordsTakenOver) == [decided()]


def test_the_new_package_goes_on_where_the_old_one_stood(world: World) -> None:
    """Versions count on, care is delivered to the same registration, and the match fold follows."""
    before = world.state.current_forecast().loads.providers
    assert world.told(decided({"r1": "g1"})) == [changed(decided({"r1": "g1"}), region=HERE)]
    assert world.state.current_forecast().loads.providers == before
    assert codes(world.given(registration("g1", version=2), GAMMA)) == ["applied"]
    assert codes(world.given(care("c1", version=2, registration_id=RecordId("g1")), GAMMA)) == ["applied"]
    (row,) = [row for row in world.state.registrations.values() if row.record_id == "g1"]
    assert (row.tenant, row.version, row.physical_minutes) == (GAMMA, 2, 24 * 60)
    assert codes(world.given(ended("x1", registration_id=RecordId("g1")), GAMMA)) == ["applied"]


def test_the_old_package_cannot_resurrect_what_was_taken_over(world: World) -> None:
    """A repeat is a repeat, a new version belongs to the new package, and so does care."""
    world.told(decided())
    assert codes(world.given(world.log[4].event, ALFA)) == ["repeated"]
    assert codes(world.given(registration("r1", version=2), ALFA)) == ["taken_over"]
    assert codes(world.given(care("c2"), ALFA)) == ["taken_over"]
    assert codes(world.given(ended("x1"), ALFA)) == ["taken_over"]
    assert {row.tenant for row in world.state.registrations.values()} == {GAMMA}


def test_only_what_is_named_goes(world: World) -> None:
    """A takeover in several messages is as good as one."""
    world.told(decided({"r1": "g1"}))
    assert {(row.tenant, row.record_id) for row in world.state.registrations.values()} == {(GAMMA, "g1"), (ALFA, "r2")}


def test_a_client_counts_once_when_both_packages_have_sent_her(world: World) -> None:
    """The higher version stands; the region's load does not count her twice."""
    records = len(world.state.registrations)
    world.given(registration("g2", version=1), GAMMA)
    world.told(decided({"r2": "g2"}))
    assert len(world.state.registrations) == records
    (row,) = [row for row in world.state.registrations.values() if row.record_id == "g2"]
    assert row.version == 3


@pytest.mark.parametrize("version", [1, 2])
def test_what_either_package_delivered_stays_with_the_client_whom_both_had_sent(world: World, version: int) -> None:
    """Whichever version stands; a lower total afterwards is taken from what was counted, and stops nothing."""
    world.given(registration("r1", version=version), GAMMA)
    world.given(care("c1", physical_minutes=120, employed_minutes=120), GAMMA)
    world.given(care("c2", physical_minutes=180, employed_minutes=180), ALFA)
    world.told(decided())
    assert [row.physical_minutes for row in world.state.registrations.values() if row.record_id == "r1"] == [300]
    assert [row.physical_minutes for row in world.state.delivered.values()] == [300]
    for record in ("c1", "c2"):
        world.given(care(record, version=2, physical_minutes=30, employed_minutes=30), GAMMA)
    assert [row.physical_minutes for row in world.state.registrations.values() if row.record_id == "r1"] == [60]
    assert codes(world.given(ended("x1"), GAMMA)) == ["applied"]


def test_a_region_that_holds_nothing_of_it_says_nothing() -> None:
    """No fact about a provider that does not deliver here."""
    assert World().told(decided()) == []


def test_links_stand_and_a_late_link_finds_the_heir(world: World) -> None:
    """The match fold may speak of the old name for a while: it is judged by what stands there now."""
    world.starts_day(day(2))
    world.given(registration("b1", provider=LINDE), BETA)
    world.told(decided({"r1": "g1"}))
    link = e.LinkFound(
        link_id="l1", kind=LinkKind.REGISTERED_TWICE, first=registration_ref("r1"),
        second=registration_ref("b1", tenant=BETA, provider=LINDE), score_millibits=12_000, reasons=(), held=False,
    )  # fmt: skip
    world.told(link)
    row = world.state.links.get("l1")
    assert row is not None and (row.first.tenant, row.first.record_id) == (GAMMA, "g1")


def test_a_link_that_stands_follows_its_record(world: World) -> None:
    """So that a resolution finds both sides."""
    world.starts_day(day(2))
    world.given(registration("b1", provider=LINDE), BETA)
    link = e.LinkFound(
        link_id="l1", kind=LinkKind.REGISTERED_TWICE, first=registration_ref("r1"),
        second=registration_ref("b1", tenant=BETA, provider=LINDE), score_millibits=12_000, reasons=(), held=False,
    )  # fmt: skip
    world.told(link)
    world.told(decided({"r1": "g1"}))
    row = world.state.links.get("l1")
    assert row is not None and (row.first.tenant, row.first.record_id) == (GAMMA, "g1")


def test_a_second_takeover_follows_the_first(world: World) -> None:
    """From Alfa to Gamma to Beta: the oldest name still finds the record."""
    world.told(decided({"r1": "g1"}))
    again = e.RecordsTakenOver(region=NATIONAL, provider=ROOS, old_tenant=GAMMA, new_tenant=BETA, ids=None)
    world.told(again)
    moved = e.RecordMoved(record=registration_ref("r1"), version=1, new_region=THERE)
    world.told(moved)
    (row,) = [row for row in world.state.registrations.values() if row.record_id == "g1"]
    assert row.tenant == BETA and not row.active


def test_a_provider_may_return_to_its_old_package(world: World) -> None:
    """From Alfa to Gamma and back: the old name stands again, a late link finds it, and Gamma is the former one."""
    world.told(decided())
    world.told(changed(decided(), old_tenant=GAMMA, new_tenant=ALFA))
    assert {row.tenant for row in world.state.registrations.values()} == {ALFA}
    at_gamma = changed(registration_ref("r1"), tenant=GAMMA)
    case = Case(place_of(world.rules.reference, HERE), world.state, GAMMA)
    assert heir_of(case, at_gamma) == heir_of(case, registration_ref("r1")) == registration_ref("r1")
    assert codes(world.given(registration("r1", version=2), GAMMA)) == ["taken_over"]
    assert codes(world.given(registration("r1", version=2), ALFA)) == ["applied"]
    assert codes(world.given(care("c1", version=2), ALFA)) == ["applied"]
