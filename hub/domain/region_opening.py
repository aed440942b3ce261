"""A region that comes later begins with what NL holds: day, rules, held tenants, mandates, contracts (DESIGN spine 3).

NL spots it: the first event of NL that was appended when the tables name the region makes NL say `RegionOpened`. What
goes to every region may reach the new one before that, so both are joined by the version rule. Until it is open, a
region refuses its clients' records with a code that asks to send again.

Contracts for single postcodes are not among it: NL has none, so it keeps none. Insurers declare those anew.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any, Final

from hub.domain import events as e
from hub.domain.case import Case
from hub.domain.identifiers import NATIONAL, RecordId, RegionCode, TenantId
from hub.domain.mandates import MandateRow
from hub.domain.reference import Reference
from hub.domain.versions import KnownVersion, record_key, short_name
from hub.domain.words import ContractClass

ROWS_PER_PART: Final = 1500
"""About 200 bytes each: a part stays well below the megabyte that a record holds."""
_UNKNOWN: Final = KnownVersion(0, b"", 0)


def openings(case: Case, view: Reference) -> list[e.RegionOpened]:
    """What NL says to regions that the tables name now and did not when NL last looked. The first look founds."""
    head = case.state.head
    if case.region != NATIONAL or len(view.region) == len(head.regions):
        return []
    new = tuple(code for code in view.region if code not in head.regions)
    founded = bool(head.regions)
    head.regions = (*head.regions, *new)
    return [part for code in new for part in _parts(case, code)] if founded else []


def open_region(case: Case, event: e.RegionOpened) -> None:
    """Take what NL held. What came here by itself meanwhile stands where its version is not lower."""
    head = case.state.head
    if head.day is None and event.day is not None:
        case.state.start_day(event.day)
    head.rules = max(head.rules, event.rules_version)
    for tenant in event.held:
        head.held.setdefault(tenant, event.day)
    for mandate in event.mandates:
        if (key := _newer(case, e.MandateGranted, mandate)) and not case.state.mandates.rows.full:
            row = MandateRow(
                mandate.provider, mandate.mandate_tenant, mandate.bo_member, mandate.valid_from, mandate.valid_until
            )
            case.state.mandates.put(key, row)
    for contract in event.contracts:
        if (key := _newer(case, e.ContractDeclared, contract)) and not case.state.contracts.rows.full:
            declared = e.ContractDeclared(
                record_id=contract.record_id, version=contract.version, insurer=contract.insurer,
                provider=contract.provider, contract_class=ContractClass.A, postcodes=(),
                valid_from=contract.valid_from, valid_until=contract.valid_until,
            )  # fmt: skip  # the class plays no part in the row
            case.state.contracts.declare(key, declared, case.place.postcodes)
    head.opened = head.opened or event.part == event.parts
    case.state.around_changed()


def _newer(case: Case, kind: type[Any], standing: e.StandingMandate | e.StandingContract) -> str | None:
    """The key of a record of which NL knew a higher version than this region does; its version is known from now."""
    key = record_key(standing.tenant, "", kind, standing.record_id)
    if standing.version <= (case.state.versions.get(key) or _UNKNOWN).version:
        return None
    case.state.versions.put(key, KnownVersion(standing.version, standing.content, standing.known_until))
    return key


def _parts(case: Case, region: RegionCode) -> Iterator[e.RegionOpened]:
    mandates, contracts = list(_mandates(case)), list(_contracts(case))
    parts = max(1, -(-(len(mandates) + len(contracts)) // ROWS_PER_PART))
    rows: Iterator[e.StandingMandate | e.StandingContract] = iter([*mandates, *contracts])
    for number in range(1, parts + 1):
        here = list(islice(rows, ROWS_PER_PART))
        yield e.RegionOpened(
            region=region,
            part=number,
            parts=parts,
            day=case.today,
            rules_version=case.rules,
            held=tuple(sorted(case.state.head.held)) if number == 1 else (),
            mandates=tuple(row for row in here if isinstance(row, e.StandingMandate)),
            contracts=tuple(row for row in here if isinstance(row, e.StandingContract)),
        )


def _mandates(case: Case) -> Iterator[e.StandingMandate]:
    for key, row in case.state.mandates.rows.items():
        tenant, record_id, known = _record(case, e.MandateGranted, key)
        yield e.StandingMandate(
            tenant=tenant, record_id=record_id, version=known.version, content=known.content, known_until=known.until,
            provider=row.provider, mandate_tenant=row.tenant, bo_member=row.bo_member, valid_from=row.valid_from,
            valid_until=row.valid_until,
        )  # fmt: skip


def _contracts(case: Case) -> Iterator[e.StandingContract]:
    for key, row in case.state.contracts.rows.items():
        tenant, record_id, known = _record(case, e.ContractDeclared, key)
        yield e.StandingContract(
            tenant=tenant, record_id=record_id, version=known.version, content=known.content, known_until=known.until,
            insurer=row.insurer, provider=row.provider, valid_from=row.valid_from, valid_until=row.valid_until,
        )  # fmt: skip


def _record(case: Case, kind: type[Any], key: str) -> tuple[TenantId, RecordId, KnownVersion]:
    short, tenant, _, record_id = key.split("|", 3)
    assert short == short_name(kind)
    return TenantId(tenant), RecordId(record_id), case.state.versions.get(key) or _UNKNOWN
