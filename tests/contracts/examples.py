"""One valid record of each type, made from its schema: what a careful vendor would send."""

from datetime import date
from typing import Any

import msgspec

from hub.contracts import codec
from hub.contracts.schemas import registry
from hub.domain import events as e
from hub.domain.identifiers import RecordId, RegionCode, Uzovi
from hub.domain.match_model import LEVELS
from hub.domain.region_plan import RegionPlan

PLAN = RegionPlan(
    plan_id=RecordId("plan-1x"),
    version=1,
    region=RegionCode("KSV-01"),
    valid_from=date(2026, 1, 1),
    lead_insurers=(Uzovi("3311"), Uzovi("7119")),
    coordinator="ksv-desk",
    waiting_clients_informed_by="waitlist-app",
)
"""A sound plan with the national figures."""

_TEXTS = {
    "provider": "41000001",
    "preferred_provider": "41000001",
    "insurer": "3311",
    "pc4": "1011",
    "region": "KSV-01",
    "new_region": "KSV-01",
    "month": "2026-03",
    "tenant": "pkg-a",
    "mandate_tenant": "pkg-a",
    "held_tenant": "pkg-a",
    "waiting_tenant": "wait-a",
    "old_tenant": "pkg-a",
    "new_tenant": "pkg-b",
    "recipient": "pkg-a",
    "measure": "shorter-care",
}

_AGREEING: dict[str, dict[str, Any]] = {
    "CareDelivered": {"physical_minutes": 2, "digital_consent": True},
    "AllocationOverridden": {"provider": "41000001"},
    "ModelAdopted": {
        "explanations": [
            {"name": name, "same_person": same, "prior_millibits": -1, "weights_millibits": [[0] * n for n in LEVELS]}
            for name, same in (("one", True), ("two", False))
        ]
    },
}
"""Fields that must agree with others of the same record."""


def example(kind: type[Any], **given: Any) -> Any:
    """A valid event or fact of `kind`, with the fields that a test cares about."""
    schema = registry().latest[kind.__name__].schema
    named: dict[str, Any] = {}
    if kind is e.RegionPlanAdopted:
        return e.RegionPlanAdopted(
            **{"record_id": PLAN.plan_id, "version": 1, "region": PLAN.region, "plan": PLAN, **given}
        )
    record = {f["name"]: _value(f["name"], f["type"], named) for f in schema["fields"]} | _AGREEING.get(
        kind.__name__, {}
    )
    return msgspec.convert({**record, **given}, kind, builtin_types=(bytes, date))


def _value(name: str, kind: Any, named: dict[str, Any]) -> Any:
    match kind:
        case ["null", _]:
            return None
        case {"logicalType": "date"}:
            return date(2026, 3, 1)
        case {"type": "array"}:
            return []
        case {"type": "enum"}:
            named[kind["name"]] = kind
            return kind["symbols"][0]
        case {"type": "record"}:
            named[kind["name"]] = kind
            return {f["name"]: _value(f["name"], f["type"], named) for f in kind["fields"]}
        case "string":
            return _TEXTS.get(name, f"{name}-1x")
        case "int" | "long":
            return 1
        case "boolean":
            return False
        case "bytes":
            return b"12345678"
        case str():
            return _value(name, named[kind.rsplit(".", 1)[-1]], named)
    raise AssertionError(kind)


ALL = sorted(codec.kinds())
