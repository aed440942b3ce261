"""However full a region gets, no part outgrows a record of the snapshot topic (DESIGN spine 6)."""

from dataclasses import replace
from datetime import date
from typing import Any, Final

import pytest

from hub.domain import events as e
from hub.domain.contracts import ContractRow
from hub.domain.events import MatchReason
from hub.domain.fair_share import Carry, CarryEntry, LowRun
from hub.domain.follow_up_rows import FindingRow, RequestRow
from hub.domain.identifiers import Month, Pc4, RecordId, TenantId
from hub.domain.link_rows import LinkRow
from hub.domain.mandates import MandateRow
from hub.domain.pool_rows import PoolRow
from hub.domain.region_plan import national_defaults
from hub.domain.registrations import CareRow, DeliveredRow, RegistrationRow, Standing
from hub.domain.shards import Shards, encode_canonical
from hub.domain.supply_rows import (
    AcknowledgementRow,
    BenchmarkRow,
    ColourRow,
    FiguresRow,
    GuidelineRow,
    MeasureRow,
    NonContractedRow,
    PrognosisRow,
    ThreatRow,
)
from hub.domain.versions import KnownVersion
from hub.domain.waiting_list import ProposalRow, WaitingRow
from hub.domain.words import AllocationStatus, DeclaredColour, FindingCode, InForceKind, LinkKind
from hub.streams.machine import PART_BYTES_MAX
from tests.domain.region_world import (
    ALFA,
    DAY_1,
    FIRST_INSURER,
    HERE,
    INS_1,
    INS_2,
    KSV,
    LINDE,
    LIST,
    OFFICE,
    POSTCODE,
    ROOS,
    SECOND_INSURER,
    World,
    contract,
    day,
    mandate,
    registration,
    registration_ref,
)

CROWDED: Final = 1.25
"""A shard gets at most so much more than its even part: 64 shards of hundreds of rows lie close together."""
KEY: Final = "reg|pkg-alfa-software|41000001|client-2026-0001234"
TODAY: Final = date(2026, 3, 2)
MONTH: Final = Month(2026 * 12)
TENANT: Final = TenantId("pkg-alfa-software")

TYPICAL: Final[dict[str, Any]] = {
    "versions": KnownVersion(3, b"0123456789abcdef", 739_000),
    "mandates": MandateRow(ROOS, TENANT, True, TODAY, TODAY),
    "contracts": ContractRow(FIRST_INSURER, ROOS, (Pc4("1011"),) * 200, False, TODAY, TODAY),
    "registrations": RegistrationRow(
        TENANT,
        ROOS,
        RecordId("client-2026-0001234"),
        3,
        Standing.ENDED,
        POSTCODE,
        TODAY,
        TODAY,
        FIRST_INSURER,
        2940,
        False,
        True,
        TODAY,
        True,
        False,
        False,
        TODAY,
        2,
        2400,
        300,
        None,
        TODAY,
        True,
    ),
    "care": CareRow(KEY, ROOS, TODAY, 2400, 300, 2000, 400, 2),
    "delivered": DeliveredRow(100_000, 50_000, 150_000, 60),
    "links": LinkRow(
        LinkKind.REGISTERED_TWICE,
        registration_ref("client-2026-0001234"),
        registration_ref("client-2026-0004321"),
        12_000,
        tuple(MatchReason(pass_number=5, field="birth_date", weight_millibits=9_000) for _ in range(10)),
        False,
        TODAY,
        True,
        True,
        True,
        ((TENANT, ROOS), (TENANT, ROOS)),
    ),
    "waiting": WaitingRow(
        LIST,
        RecordId("waiting-2026-0001234"),
        3,
        True,
        POSTCODE,
        TODAY,
        TODAY,
        FIRST_INSURER,
        False,
        True,
        2700,
        2,
        ROOS,
        TODAY,
        proposal="p20260302-0123456789abcdef",
        declined_by=(ROOS,) * 12,
        told="kraamcentrum_offered",
    ),
    "proposals": ProposalRow(KEY, ROOS, 1440, MONTH, TODAY, TODAY, AllocationStatus.PROPOSED, TODAY),
    "findings": FindingRow(
        FindingCode.CAPACITY_REQUEST_UNANSWERED, ROOS, "S1 rule 14", TODAY, 2, (TENANT,) * 5, "f" * 24
    ),
    "requests": RequestRow(ROOS, MONTH, TODAY, TODAY, True),
    "carries": Carry(tuple(CarryEntry(MONTH, -123_456) for _ in range(12))),
    "low-runs": LowRun(MONTH, 12),
    "sayings": b"0" * 32,
    "measures": MeasureRow(ROOS, "extra-shifts-in-weekends-and-nights", True, TODAY),
    "figures": FiguresRow("3311", ROOS, MONTH, 2520, 1_000_000),
    "benchmarks": BenchmarkRow("3311", True, MONTH, 2520, 400),
    "pools": PoolRow(
        "pkg-a-long-tenant-name/pool-41000001-northern-teams", ROOS, HERE, 3, TODAY, TODAY, 1_000_000, 2_000_000
    ),
    "prognoses": PrognosisRow(MONTH, 120, TODAY),
    "guidelines": GuidelineRow(MONTH, 1800, "guideline-2026-01", 3, TODAY),
    "colours": ColourRow(DeclaredColour.ORANGE, TODAY, TODAY, TODAY),
    "threats": ThreatRow(ROOS, MONTH, True),
    "acknowledgements": AcknowledgementRow(ROOS, InForceKind.GUIDELINE, "guideline-2026-01", 3),
    "non-contracted": NonContractedRow("3311", ROOS, MONTH, 12),
}
"""A row of each kind with everything in it."""


def kinds() -> dict[str, Shards[Any]]:
    """Every kind of row that a region holds."""
    return {rows.name: rows for rows in World().state.kinds()}


def test_every_kind_has_a_typical_row() -> None:
    """A new kind cannot forget its bound."""
    assert set(kinds()) == set(TYPICAL)


@pytest.mark.parametrize("name", sorted(TYPICAL))
def test_a_full_region_fits_its_parts(name: str) -> None:
    """The bound on rows and the number of parts belong together."""
    rows = kinds()[name]
    row_bytes = len(encode_canonical({KEY: TYPICAL[name]}))
    assert rows.size_max / rows.count * row_bytes * CROWDED <= PART_BYTES_MAX


def test_a_full_kind_refuses_new_records_and_still_takes_new_versions() -> None:
    """Every bound has a name, and a receipt that says so."""
    world = World()
    world.mandate(ROOS, ALFA)
    world.starts_day(DAY_1)
    world.given(registration("r1"), ALFA)
    world.state.registrations.size_max = 1
    assert world.given(registration("r2"), ALFA)[0].code == "too_many_records"
    assert world.given(registration("r1", version=2), ALFA)[0].code == "applied"
    assert [type(fact) for fact in world.given(registration("r3"), ALFA)][1:] == [e.RecordSettled]


def test_where_mandates_or_contracts_are_on_their_bound_they_can_still_be_ended() -> None:
    """The refusal asks to end old ones first."""
    world = World()
    world.mandate(ROOS, ALFA)
    world.given(contract(ROOS), INS_1)
    world.state.mandates.rows.size_max = world.state.contracts.rows.size_max = 1
    assert world.given(mandate(ROOS, ALFA, version=2, valid_until=day(9)), OFFICE)[0].code == "applied"
    assert world.given(contract(ROOS, version=2, valid_until=day(9)), INS_1)[0].code == "applied"
    assert world.given(mandate(LINDE, ALFA), OFFICE)[0].code == "too_many_records"
    assert world.given(contract(LINDE), INS_1)[0].code == "too_many_records"


def test_a_region_may_adopt_a_plan_however_many_it_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions that can hold no more make room."""
    monkeypatch.setattr("hub.domain.supply_records.PLANS_MAX", 2)
    world = World()
    world.starts_day(DAY_1)
    said = []
    for version in (1, 2, 3, 4):
        plan = replace(
            national_defaults(HERE, (FIRST_INSURER, SECOND_INSURER)), version=version, short=True, valid_from=DAY_1
        )
        sent = e.RegionPlanAdopted(record_id=plan.plan_id, version=version, region=HERE, plan=plan)
        said.append(world.given(sent, KSV)[0].code)
        for insurer, tenant in ((FIRST_INSURER, INS_1), (SECOND_INSURER, INS_2)) if version < 3 else ():
            concurs = e.RegionPlanConcurred(
                record_id=RecordId(f"{version}-{insurer}"), version=1, insurer=insurer, region=HERE,
                plan_id=plan.plan_id, plan_version=version,
            )  # fmt: skip
            world.given(concurs, tenant)
        world.starts_day(day(version + 1))
    assert said == ["applied", "applied", "applied", "too_many_records"], "the fourth waits for the third's concurrence"
