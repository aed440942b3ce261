"""A region that comes later begins with what NL holds, and misses nothing of what went to every region."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from hub.domain import events as e
from hub.domain import region_opening
from hub.domain.facts import ReceiptIssued
from hub.domain.identifiers import NATIONAL, Agb, Pc4, RegionCode, TenantId
from hub.domain.logged import Logged
from hub.domain.reference import PostcodeMove, Region, Role, Tenant
from hub.domain.region import RegionRules
from tests.domain.region_world import (
    ALFA,
    CLOCK,
    DAY_1,
    FIRST_INSURER,
    INS_1,
    OFFICE,
    REFERENCE,
    ROOS,
    World,
    changed,
    contract,
    day,
    mandate,
    of_type,
    registration,
)

NEW, T = RegionCode("KSV-03"), 5_000
LATER = replace(
    REFERENCE,
    version=2,
    regions=(*REFERENCE.regions, Region(NEW, "Nieuw", 0, (FIRST_INSURER,), valid_from_ms=T)),
    tenants=(*REFERENCE.tenants, Tenant(TenantId("ksv-03"), Role.KSV, region=NEW, valid_from_ms=T)),
    postcode_moves=(PostcodeMove(Pc4("3011"), NEW, T),),
)


class Later(World):
    """A world whose events have an append time."""

    appended_ms = 0

    def given(self, event: Any, by: TenantId, *, home: bool = True, comparable: bool = True) -> list[Any]:
        """As in World, at the time that the test has set."""
        content = repr(event).encode()[:16] if hasattr(event, "version") else b""
        offset = len(self.log)
        logged = Logged(
            event, self.region, by, f"inbox.{by}", (offset, 0), home, content, offset, comparable, self.appended_ms
        )
        self.log.append(logged)
        said = list(self.rules.decide(self.state, logged))
        self.facts.extend(said)
        return said


def world(region: RegionCode) -> Later:
    """A region under tables that name a later one."""
    return Later(region=region, rules=RegionRules(LATER))


def opened_by_nl(mandates: int = 1) -> list[e.RegionOpened]:
    """What NL says when it first hears something after the new region's time."""
    nl = world(NATIONAL)
    for number in range(mandates):
        nl.given(mandate(Agb(f"4100{number:04d}"), ALFA), OFFICE)
    nl.given(contract(), INS_1)
    nl.starts_day(DAY_1)
    nl.appended_ms = T
    opened = of_type(nl.starts_day(day(2)), e.RegionOpened)
    assert of_type(nl.starts_day(day(3)), e.RegionOpened) == []
    return opened


def test_nl_opens_the_region_with_what_it_holds() -> None:
    """Day, rules, mandates and contracts of the whole country; the regions of the start need no opening."""
    (opened,) = opened_by_nl()
    assert (opened.region, opened.day, opened.rules_version) == (NEW, day(2), 1)
    assert [(m.provider, m.mandate_tenant, m.version) for m in opened.mandates] == [(Agb("41000000"), ALFA, 1)]
    assert [(c.provider, c.insurer) for c in opened.contracts] == [(ROOS, FIRST_INSURER)]


def test_the_new_region_judges_by_what_it_was_told() -> None:
    """Before it refuses and asks to send again; afterwards the same record is taken, and the next day follows."""
    one = world(NEW)
    one.appended_ms = T
    sent = registration(provider=Agb("41000000"), pc4=Pc4("3011"))
    assert [r.code for r in of_type(one.given(sent, ALFA), ReceiptIssued)] == ["region_not_open"]
    for part in opened_by_nl():
        one.told(part)
    assert [r.code for r in of_type(one.given(sent, ALFA), ReceiptIssued)] == ["applied"]
    assert one.state.day == one.state.forecast.today == day(2), "the forecast begins with the day that NL told"
    assert one.given(e.DayStarted(date=day(3)), CLOCK, home=False)
    assert one.state.contracts.contracted_on(day(3)) == {ROOS}


def test_what_reached_the_region_by_itself_stands_where_its_version_is_not_lower() -> None:
    """A mandate that was changed between NL's word and its arrival keeps the change."""
    one = world(NEW)
    one.appended_ms = T
    revoked = mandate(Agb("41000000"), ALFA, version=2, valid_until=date(2025, 1, 1))
    one.given(revoked, OFFICE, home=False)
    one.starts_day(day(3))
    for part in opened_by_nl():
        one.told(part)
    assert not one.state.mandates.allows(Agb("41000000"), ALFA, day(3))
    assert one.state.day == day(3)


def test_a_large_country_comes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A record holds a megabyte; the region is open with the last part."""
    monkeypatch.setattr(region_opening, "ROWS_PER_PART", 2)
    parts = opened_by_nl(mandates=4)
    assert [(p.part, p.parts, len(p.mandates) + len(p.contracts)) for p in parts] == [(1, 3, 2), (2, 3, 2), (3, 3, 1)]
    one = world(NEW)
    one.appended_ms = T
    for part in parts[:2]:
        one.told(part)
    sent = registration(provider=Agb("41000000"), pc4=Pc4("3011"))
    assert [r.code for r in of_type(one.given(sent, ALFA), ReceiptIssued)] == ["region_not_open"]
    one.told(parts[2])
    assert [r.code for r in of_type(one.given(sent, ALFA), ReceiptIssued)] == ["applied"]
    assert len(one.state.mandates.rows) == 4


def test_a_repeated_version_is_known_in_the_new_region() -> None:
    """The version rule goes with the record."""
    one = world(NEW)
    one.appended_ms = T
    for part in opened_by_nl():
        one.told(part)
    older = changed(mandate(Agb("41000000"), ALFA), version=1, valid_until=date(2020, 1, 2))
    one.given(older, OFFICE, home=False)
    assert one.state.mandates.allows(Agb("41000000"), ALFA, day(2))
