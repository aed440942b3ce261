"""What a next version of the tables may change, and what the control topic says is in force."""

from dataclasses import replace
from typing import Any

import pytest

from hub.contracts import control, tables
from hub.contracts.control import ControlRecord
from hub.contracts.tables import LEAD_MS, succession_faults
from hub.domain.identifiers import Pc4, RegionCode, TenantId
from hub.domain.reference import KeyEpochChange, PostcodeMove, Reference, Region, Role, Tenant
from hub.errors import ContractError, WorldUnavailable
from tests.contracts.world import REFERENCE

NOW = 1_772_000_000_000
SOON, LATER = NOW + LEAD_MS - 1, NOW + LEAD_MS
NEW = RegionCode("KSV-03")
FIRST, SECOND = REFERENCE.regions


def next_version(**change: Any) -> Reference:
    """Version 2 with a change."""
    return replace(REFERENCE, version=2, **change)


def with_tenant(*rows: Tenant) -> Reference:
    """Version 2 with further rows of tenants."""
    return next_version(tenants=(*REFERENCE.tenants, *rows))


def records(*versions: tuple[Reference, int | None]) -> list[ControlRecord]:
    """A control topic on which versions were activated one after another, all at NOW."""
    found = []
    for reference, after in versions:
        found += [control.tables_record(reference), control.activation_record(reference, after)]
    return [ControlRecord(key, value, NOW) for key, value in found]


@pytest.mark.parametrize(
    ("what", "new"),
    [
        ("a tenant comes", with_tenant(Tenant(TenantId("pkg-c"), Role.PACKAGE, valid_from_ms=LATER))),
        ("a tenant leaves", with_tenant(replace(REFERENCE.tenants[0], valid_from_ms=LATER, ended=True))),
        (
            "a region comes with its postcodes",
            next_version(
                regions=(*REFERENCE.regions, Region(NEW, "Nieuw", 1, valid_from_ms=LATER)),
                postcode_moves=(PostcodeMove(Pc4("1011"), NEW, LATER),),
            ),
        ),
        ("a key epoch is taken", next_version(key_epoch_changes=(KeyEpochChange(2, True, LATER),))),
        ("nothing but the version", next_version()),
        ("another partition, in a new generation", replace(next_version(log_partitions=3), generation=2)),
    ],
)
def test_what_a_next_version_may_do(what: str, new: Reference) -> None:
    """Whatever takes force later than every worker knows of it."""
    assert succession_faults(REFERENCE, new, NOW) == [], what
    assert control.read(records((REFERENCE, None), (new, 1))).reference == new


@pytest.mark.parametrize(
    ("expected", "new"),
    [
        ("raise it", replace(REFERENCE, version=1)),
        ("hub generation open", next_version(log_partitions=3)),
        ("keep it, or open a new generation", next_version(urn="urn:nld:oin:1:hub")),
        ("goes to another partition", next_version(regions=(replace(FIRST, partition=1), SECOND))),
        ("postcode_moves instead", next_version(postcodes=REFERENCE.postcodes[1:])),
        ("key_epoch_changes instead", next_version(key_epochs=(1, 2))),
        ("is in force or takes force too soon", next_version(tenants=REFERENCE.tenants[1:])),
        ("is in force or takes force too soon", next_version(regions=(replace(FIRST, name="Anders"), SECOND))),
        ("set a later valid_from_ms", with_tenant(Tenant(TenantId("pkg-c"), Role.PACKAGE, valid_from_ms=SOON))),
        ("set a later valid_from_ms", next_version(key_epoch_changes=(KeyEpochChange(2, True, SOON),))),
        ("the next one is 2", replace(next_version(), generation=3)),
    ],
)  # fmt: skip
def test_what_a_next_version_may_not_do_and_what_to_do_instead(expected: str, new: Reference) -> None:
    """A row in force never changes; and no worker starts with tables that changed one."""
    assert any(expected in fault for fault in succession_faults(REFERENCE, new, NOW))
    if new.version > 1:
        with pytest.raises(ContractError, match="No worker starts with it"):
            control.read(records((REFERENCE, None), (new, 1)))


def test_a_row_that_is_not_in_force_yet_may_still_be_changed_or_taken_back() -> None:
    """Until a minute before."""
    planned = with_tenant(Tenant(TenantId("pkg-c"), Role.PACKAGE, valid_from_ms=LATER + LEAD_MS))
    withdrawn = replace(REFERENCE, version=3)
    assert succession_faults(planned, withdrawn, NOW) == []
    assert succession_faults(planned, withdrawn, NOW + 2 * LEAD_MS) != []


def test_nothing_is_in_force_before_an_activation() -> None:
    """Tables that were only handed over bind nobody."""
    handed = [ControlRecord(*control.tables_record(REFERENCE), NOW)]
    with pytest.raises(WorldUnavailable, match="hub topics apply"):
        control.read(handed)
    assert control.read([*handed, *records((REFERENCE, None))]).reference == REFERENCE


def test_the_bytes_that_were_activated_are_the_ones_that_count() -> None:
    """Tables that were exchanged afterwards, or are gone, stop every worker."""
    known = records((REFERENCE, None))
    other = ControlRecord(known[0].key, tables.render(replace(REFERENCE, tenants=())), NOW)
    with pytest.raises(ContractError, match="other bytes than were activated"):
        control.read([*known, other])
    with pytest.raises(ContractError, match="named on topic control and not there"):
        control.read([*known, ControlRecord(known[0].key, None, NOW)])


def test_a_generation_that_is_being_closed_says_so() -> None:
    """Intake leaves its inboxes alone then."""
    known = records((REFERENCE, None))
    assert not control.read(known).closing
    assert control.read([*known, ControlRecord(control.closing_key(1), b"{}", NOW)]).closing
    assert not control.read([*known, ControlRecord(control.closing_key(2), b"{}", NOW)]).closing


@pytest.mark.parametrize(
    ("expected", "bad"),
    [
        ("two rows that begin at 0", replace(REFERENCE, tenants=(*REFERENCE.tenants, REFERENCE.tenants[0]))),
        ("two partitions", replace(REFERENCE, regions=(FIRST, SECOND, replace(FIRST, partition=1, valid_from_ms=5)))),
        ("has no row in force then", replace(REFERENCE, postcode_moves=(PostcodeMove(Pc4("1011"), NEW, 5),))),
        ("expected 1 to 4", replace(REFERENCE, log_partitions=5)),
        ("no name of the hub's own", with_tenant(Tenant(TenantId("hub"), Role.PACKAGE))),
        ("no name of the hub's own", with_tenant(Tenant(TenantId("hub-intake"), Role.PACKAGE))),
        ("digits and dashes", with_tenant(Tenant(TenantId("pkg-a.dlq"), Role.PACKAGE))),
        ("NL has a row", replace(REFERENCE, regions=(*REFERENCE.regions, Region(RegionCode("NL"), "Nederland", 0)))),
    ],
)  # fmt: skip
def test_a_file_that_contradicts_itself_is_refused_with_the_row(expected: str, bad: Reference) -> None:
    """Before it is anywhere near a cluster."""
    with pytest.raises(ContractError, match=expected):
        tables.parse(tables.render(bad))


def test_tables_survive_their_file() -> None:
    """Every row that there can be."""
    full = replace(
        with_tenant(Tenant(TenantId("pkg-c"), Role.PACKAGE, valid_from_ms=LATER)),
        key_epoch_changes=(KeyEpochChange(2, True, LATER),),
        regions=(*REFERENCE.regions, Region(NEW, "Nieuw", 1, valid_from_ms=LATER)),
        postcode_moves=(PostcodeMove(Pc4("1011"), NEW, LATER),),
        generation=3,
    )
    assert tables.parse(tables.render(full)) == full


def test_a_file_that_is_nested_beyond_reading_is_refused_as_any_other() -> None:
    """Brackets without end exhaust the reader's stack; that is a fault of the file, not of the hub."""
    with pytest.raises(ContractError, match="mend the file"):
        tables.parse(b'{"regions": [{"remark": ' + b"[" * 50_000)


def test_a_file_of_a_newer_release_is_refused_by_name() -> None:
    """This release would miss what it says."""
    with pytest.raises(ContractError, match="start the release that wrote it"):
        tables.parse(tables.render(REFERENCE).replace(b'"version"', b'"colour": 1, "version"', 1))
