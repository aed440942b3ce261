"""What an input must look like before any region sees it: pure checks of one record against its type and the tables.

Checks stand in the order in which they speak: who may say this, ids, codes of the sector, dates, amounts, the type's
own rules, and last where it goes. Everything that needs memory (mandate, version, plan, day) is the region fold's.
"""

import re
from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from typing import Any, Final, NamedTuple

from hub.contracts.catalogue import INPUTS, Destination
from hub.domain import events as e
from hub.domain.identifiers import is_agb, is_pc4, is_record_id, is_tenant_id, is_uzovi, looks_like_identity
from hub.domain.identity import check_identity
from hub.domain.match_model import MatchModel, check_model
from hub.domain.reference import Reference, Role, Tenant
from hub.domain.region_plan import plan_faults
from hub.domain.rule_versions import RULES_KNOWN
from hub.domain.words import AllocationAnswer, OverrideOutcome, WaitingStatus

EARLIEST: Final = date(2015, 1, 1)
LATEST: Final = date(2100, 1, 1)
CARE_MINUTES_MAX: Final = 200 * 60
"""Indicated or delivered care of one client. LIP's longest indication lies well below (PROPOSAL)."""
CAPACITY_MINUTES_MAX: Final = 100_000_000
"""Capacity of one declaration: about twice the whole country's year (PROPOSAL)."""
_COUNTS: Final = {"unique_clients": 1_000_000, "carers": 100, "hospital_days": 366, "needed_carers": 100_000}
"""What a count of each kind cannot exceed (PROPOSAL)."""
VERSION_MAX: Final = 2**31 - 1
PREGNANCY_DAYS_MAX: Final = 310
"""A request lies at most this long before the due date (PROPOSAL)."""
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")
_CODE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_IDS = (
    "record_id",
    "registration_id",
    "waiting_id",
    "proposal_id",
    "plan_id",
    "document_id",
    "alert_id",
    "link_id",
    "carer_pool",
    "claim_id",
)
_AGBS = ("provider", "preferred_provider")


class Refusal(NamedTuple):
    """Why a record is refused: a code of hub/domain/codes.py and the field as a JSON pointer."""

    code: str
    pointer: str


def check_input(event: Any, tenant: Tenant | None, reference: Reference) -> Refusal | None:
    """The first reason to refuse `event` of `tenant` (None: unknown), or None when it may go to the regions."""
    return next(_reasons(event, tenant, reference), None)


_NAMES: Final[dict[type[Any], tuple[str, ...]]] = {kind: tuple(f.name for f in fields(kind)) for kind in INPUTS}


def _reasons(event: Any, tenant: Tenant | None, reference: Reference) -> Iterator[Refusal]:
    kind = INPUTS[type(event)]
    if tenant is None:
        yield Refusal("unknown_tenant", "")
        return
    if tenant.role not in kind.writers:
        yield Refusal("role_may_not_publish", "")
    names = _NAMES[type(event)]
    for name in _IDS:
        if name in names and (value := getattr(event, name)) is not None:
            if not is_record_id(value):
                yield Refusal("invalid_record_id", f"/{name}")
            elif looks_like_identity(value):
                yield Refusal("looks_like_identity", f"/{name}")
    if "version" in names and not 1 <= event.version <= VERSION_MAX:
        yield Refusal("invalid_version", "/version")
    for name in _AGBS:
        if name in names and (value := getattr(event, name)) is not None and not is_agb(value):
            yield Refusal("invalid_agb", f"/{name}")
    if "insurer" in names and not is_uzovi(event.insurer):
        yield Refusal("invalid_uzovi", "/insurer")
    for name in ("mandate_tenant", "held_tenant", "waiting_tenant", "old_tenant", "new_tenant"):
        if name in names and not is_tenant_id(getattr(event, name)):
            yield Refusal("unknown_tenant", f"/{name}")
    for name in names:
        value = getattr(event, name)
        if isinstance(value, date) and not EARLIEST <= value <= LATEST:
            yield Refusal("impossible_date", f"/{name}")
        elif name.endswith("_minutes") and value is not None and not 0 <= value <= _minutes_max(type(event)):
            yield Refusal("impossible_minutes", f"/{name}")
        elif name in _COUNTS and not 0 <= value <= _COUNTS[name]:
            yield Refusal("impossible_count", f"/{name}")
        elif name == "month" and _MONTH.fullmatch(value) is None:
            yield Refusal("invalid_month", "/month")
        elif name == "measure" and _CODE.fullmatch(value) is None:
            yield Refusal("invalid_code", "/measure")
    for first, last in (("period_from", "period_until"), ("valid_from", "valid_until")):
        if first in names and (until := getattr(event, last)) is not None and until < getattr(event, first):
            yield Refusal("impossible_date", f"/{last}")
    yield from _own_rules(event, tenant)
    identity = getattr(event, "identity", None)
    if identity is not None and (code := check_identity(identity, reference.key_epochs)):
        yield Refusal(str(code), "/identity")
    yield from _place(event, kind.destination, tenant, reference)


def _minutes_max(kind: type[Any]) -> int:
    return CAPACITY_MINUTES_MAX if kind in (e.CapacityDeclared, e.ProviderFiguresPublished) else CARE_MINUTES_MAX


def _own_rules(event: Any, tenant: Tenant) -> Iterator[Refusal]:
    match event:
        case e.RegistrationSubmitted() | e.WaitingClientListed():
            if abs((event.due_date - event.requested_on).days) > PREGNANCY_DAYS_MAX:
                yield Refusal("impossible_date", "/requested_on")
            if isinstance(event, e.WaitingClientListed) and (event.removal_reason is None) != (
                event.status == WaitingStatus.LISTED
            ):
                yield Refusal("missing_reason", "/removal_reason")
        case e.CareDelivered():
            if event.employed_minutes + event.self_employed_minutes > event.physical_minutes:
                yield Refusal("parts_exceed_total", "/physical_minutes")
            if event.digital_minutes and not event.digital_consent:
                yield Refusal("digital_without_consent", "/digital_consent")
        case e.CapacityDeclared():
            deployable = event.deployable_employed_minutes + event.deployable_self_employed_minutes
            if event.subcontracted_minutes > deployable:
                yield Refusal("parts_exceed_total", "/subcontracted_minutes")
            if event.carer_pool is None and event.carer_pool_minutes is not None:
                yield Refusal("pool_not_named", "/carer_pool")
        case e.AllocationAnswered(answer=AllocationAnswer.DECLINED, reason=None):
            yield Refusal("missing_reason", "/reason")
        case e.AllocationOverridden(outcome=OverrideOutcome.PLACED, provider=None):
            yield Refusal("missing_reason", "/provider")
        case e.ContractDeclared():
            if any(not is_pc4(code) for code in event.postcodes):
                yield Refusal("invalid_pc4", "/postcodes")
        case e.RegionPlanAdopted():
            plan = event.plan
            if (plan.plan_id, plan.version, plan.region) != (event.record_id, event.version, event.region):
                yield Refusal("invalid_plan", "/plan")
            for fault in plan_faults(plan):
                yield Refusal("invalid_plan", f"/plan{fault.pointer}")
            texts = (plan.coordinator, plan.waiting_clients_informed_by, *plan.cost_grounds, *plan.measures)
            if any(text and _CODE.fullmatch(text) is None for text in (*texts, *(d.name for d in plan.deviations))):
                yield Refusal("invalid_code", "/plan")
        case e.RulesActivated():
            if not 1 <= event.rules_version <= RULES_KNOWN:
                yield Refusal("unknown_rules", "/rules_version")
        case e.ModelAdopted():
            if check_model(MatchModel(event.model_version, event.explanations)) is not None:
                yield Refusal("invalid_model", "/explanations")
        case e.RegistrationsTakenOver():
            yield from _takeover_reasons(event, tenant)
        case e.BenchmarkPublished():
            if not event.range_low_minutes <= event.mean_care_minutes <= event.range_high_minutes:
                yield Refusal("impossible_minutes", "/mean_care_minutes")
        case _:
            pass


def _takeover_reasons(event: e.RegistrationsTakenOver, tenant: Tenant) -> Iterator[Refusal]:
    if event.old_tenant == event.new_tenant:
        yield Refusal("invalid_takeover", "/new_tenant")
    if tenant.role is Role.PACKAGE and tenant.tenant not in (event.old_tenant, event.new_tenant):
        yield Refusal("wrong_tenant", "/new_tenant")
    for side in ("old_id", "new_id"):
        named = [getattr(pair, side) for pair in event.ids or ()]
        if len(set(named)) != len(named):
            yield Refusal("invalid_takeover", "/ids")
        if not all(map(is_record_id, named)):
            yield Refusal("invalid_record_id", "/ids")
        elif any(map(looks_like_identity, named)):
            yield Refusal("looks_like_identity", "/ids")


def _place(event: Any, destination: Destination, tenant: Tenant, reference: Reference) -> Iterator[Refusal]:
    if tenant.role is Role.INSURER and getattr(event, "insurer", tenant.insurer) != tenant.insurer:
        yield Refusal("wrong_tenant", "/insurer")
    match destination:
        case Destination.BY_PC4:
            if not is_pc4(event.pc4):
                yield Refusal("invalid_pc4", "/pc4")
            elif event.pc4 not in reference.region_of:
                yield Refusal("postcode_outside_regions", "/pc4")
        case Destination.BY_REGION:
            if event.region not in reference.region:
                yield Refusal("unknown_region", "/region")
            elif tenant.role is Role.KSV and event.region != tenant.region:
                yield Refusal("wrong_tenant", "/region")
        case _:
            pass
