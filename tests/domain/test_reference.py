"""The tables: what is in force when. Every version says the same of the past."""

from dataclasses import replace

import pytest

from hub.domain.identifiers import Pc4, RegionCode, TenantId
from hub.domain.reference import KeyEpochChange, PostcodeMove, Reference, Region, Role, Tenant
from tests.contracts.world import REFERENCE

T1, T2 = 1_000, 2_000
NEW = RegionCode("KSV-03")
LATER = replace(
    REFERENCE,
    version=2,
    regions=(*REFERENCE.regions, Region(NEW, "Zuidrand", 1, valid_from_ms=T1)),
    tenants=(
        *REFERENCE.tenants,
        Tenant(TenantId("ksv-03"), Role.KSV, region=NEW, valid_from_ms=T1),
        Tenant(TenantId("pkg-b"), Role.PACKAGE, valid_from_ms=T2, ended=True),
    ),
    postcode_moves=(PostcodeMove(Pc4("3512"), NEW, T1), PostcodeMove(Pc4("9999"), NEW, T2)),
    key_epoch_changes=(KeyEpochChange(2, True, T1), KeyEpochChange(1, False, T2)),
)


@pytest.mark.parametrize(
    ("at", "home_of_3512", "home_of_9999", "package_b", "epochs"),
    [
        (0, "KSV-02", None, True, (1,)),
        (T1 - 1, "KSV-02", None, True, (1,)),
        (T1, NEW, None, True, (1, 2)),
        (T2, NEW, NEW, False, (2,)),
    ],
)
def test_a_row_is_in_force_from_its_append_time_until_a_later_row_of_its_name(
    at: int, home_of_3512: str, home_of_9999: str | None, package_b: bool, epochs: tuple[int, ...]
) -> None:
    """Postcodes, tenants and key epochs alike; the moment itself belongs to the new row."""
    view = LATER.at(at)
    assert view.region_of[Pc4("3512")] == home_of_3512
    assert view.region_of.get(Pc4("9999")) == home_of_9999
    assert (TenantId("pkg-b") in view.tenant) == package_b
    assert view.key_epochs == epochs


def test_a_newer_version_says_the_same_of_the_past() -> None:
    """So that an old log refolds to the same bytes under the newest tables."""
    before = LATER.at(T1 - 1)
    assert replace(before, version=1) == REFERENCE


def test_tables_without_later_rows_are_their_own_view() -> None:
    """The common case costs nothing."""
    assert REFERENCE.at(T2) is REFERENCE


def test_what_goes_to_every_region_goes_to_every_region_that_any_row_names() -> None:
    """Also before the region is in force, so that it misses nothing."""
    assert LATER.codes == ("KSV-01", "KSV-02", NEW, "NL")
    assert LATER.opened_later == {NEW}


def test_a_tenant_that_ended_keeps_its_topics() -> None:
    """What was said to it stays readable until it expires."""
    assert {row.tenant for row in LATER.tenant.values()} >= {"pkg-b", "ksv-03"}


def test_a_region_changes_its_lead_insurers_without_another_partition() -> None:
    """The later row takes the place of the earlier one."""
    changed: Reference = replace(
        REFERENCE,
        regions=(*REFERENCE.regions, replace(REFERENCE.regions[0], lead_insurers=(), valid_from_ms=T1)),
    )
    assert changed.at(0).region[RegionCode("KSV-01")].lead_insurers
    assert not changed.at(T1).region[RegionCode("KSV-01")].lead_insurers
    assert changed.codes == REFERENCE.codes
