"""`hub allocate SCENARIO.json`: one month of one region, shared out and allocated by the same rules as the fold.

`hub allocate --help` has the format. Hours in, hours out; inside everything is whole minutes. A scenario that cannot be
used is refused whole, with each fault at its JSON pointer: what was found and what was expected.
"""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from hub.domain.allocation import Bearer, PassedOver, Round, ServiceArea, WaitingClient, allocate
from hub.domain.fair_share import Standing, Tally, contributions, share_out
from hub.domain.identifiers import (
    Agb,
    Month,
    Pc4,
    RecordId,
    RegionCode,
    Uzovi,
    first_day,
    is_agb,
    is_pc4,
    is_record_id,
    is_uzovi,
    parse_month,
)
from hub.errors import UsageError

HOURS_MAX: Final = 100_000_000
"""More than the nation delivers in a year: beyond it a figure is a slip of the pen."""
PLANNED_AHEAD_DAYS: Final = 30
"""A month is planned before it begins: unless the scenario names a day, nobody's birth is due within days."""
FAULTS_SHOWN_MAX: Final = 20
FOUND_CHARACTERS_MAX: Final = 60

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _minutes(value: object) -> int:
    """Hours as a JSON number, to the nearest minute."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError
    hours = Decimal(value)
    if hours.copy_abs() > HOURS_MAX:  # abs() would round, and overflow
        raise ValueError
    return int((hours * 60).quantize(Decimal(1), ROUND_HALF_UP))


def _not_negative(minutes: int) -> int:
    if minutes < 0:
        raise ValueError
    return minutes


def _matching(check: Any) -> BeforeValidator:
    def validate(value: object) -> object:
        if not isinstance(value, str) or not check(value):
            raise ValueError
        return value

    return BeforeValidator(validate)


def _month(value: object) -> Month:
    if not isinstance(value, str):
        raise ValueError
    return parse_month(value)


def _moment(value: object) -> int:
    """Milliseconds since 1970; a moment without a zone is taken as UTC."""
    if not isinstance(value, str):
        raise ValueError
    moment = datetime.fromisoformat(value)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // timedelta(milliseconds=1)


def _day(value: object) -> date:
    if not isinstance(value, str):
        raise ValueError
    return date.fromisoformat(value)


Hours = Annotated[int, BeforeValidator(_minutes), AfterValidator(_not_negative)]
SignedHours = Annotated[int, BeforeValidator(_minutes)]
AgbCode = Annotated[Agb, _matching(is_agb)]
UzoviCode = Annotated[Uzovi, _matching(is_uzovi)]
Postcode = Annotated[Pc4, _matching(is_pc4)]
ClientId = Annotated[RecordId, _matching(is_record_id)]
Text = Annotated[str, _matching(lambda text: 0 < len(text) <= 40)]

_HOURS = f"a number of hours from 0 to {HOURS_MAX}"
_AGB = "an AGB code of 8 digits, as a string"
_UZOVI = "a UZOVI code of 4 digits, as a string"
_PC4 = "a PC4 from 1000 to 9999, as a string"


class _Part(BaseModel):
    """A part of the scenario. A field's description is what its error message says was expected."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ScenarioProvider(_Part):
    """A contracted provider; `contracts` absent: contracted with every insurer."""

    agb: AgbCode = Field(description=_AGB)
    employed_hours: Hours = Field(description=_HOURS)
    self_employed_hours: Hours = Field(description=_HOURS)
    own_obligation_hours: Hours = Field(description=_HOURS)
    delivered_hours_12m: Hours = Field(description=_HOURS)
    carry_hours: SignedHours = Field(description=f"a number of hours from -{HOURS_MAX} to {HOURS_MAX}")
    postcodes: list[Annotated[Postcode, Field(description=_PC4)]] = Field(description=f"a list, each {_PC4}")
    contracts: list[Annotated[UzoviCode, Field(description=_UZOVI)]] | None = Field(
        default=None, description=f"a list, each {_UZOVI}; or absent for all insurers"
    )

    def areas(self) -> tuple[ServiceArea, ...]:
        """Where each of its insurers has contracted it: everywhere that it serves."""
        served = frozenset(self.postcodes)
        if self.contracts is None:
            return (ServiceArea(None, served),)
        return tuple(ServiceArea(insurer, served) for insurer in sorted(self.contracts))


class ScenarioClient(_Part):
    """A waiting client, and what she is owed."""

    id: ClientId = Field(description="an id of 1 to 64 letters, digits and ._:-")
    pc4: Postcode = Field(description=_PC4)
    owed_hours: Hours = Field(description=_HOURS)
    preferred: AgbCode | None = Field(default=None, description=f"{_AGB}; or null")
    requested_at: Annotated[int, BeforeValidator(_moment)] = Field(description="a date or date-time by ISO 8601")
    uzovi: UzoviCode | None = Field(default=None, description=f"{_UZOVI}; or absent")
    due_on: Annotated[date, BeforeValidator(_day)] | None = Field(
        default=None, description="a date as YYYY-MM-DD; or absent"
    )


class Scenario(_Part):
    """One region and month."""

    region: Text = Field(description="a region of 1 to 40 characters")
    month: Annotated[Month, BeforeValidator(_month)] = Field(description="a month as YYYY-MM")
    on: Annotated[date, BeforeValidator(_day)] | None = Field(
        default=None, description="the day of the round as YYYY-MM-DD; or absent for a month before it begins"
    )
    providers: list[Annotated[ScenarioProvider, Field(description="a provider")]] = Field(
        description="a list of providers"
    )
    clients: list[Annotated[ScenarioClient, Field(description="a client")]] = Field(description="a list of clients")


def allocate_file(path: Path) -> dict[str, Any]:
    """Allocates the scenario in a file. UsageError: it is no scenario; the message has a line for each fault."""
    try:
        return allocate_scenario(path.read_bytes())
    except UsageError as problem:
        raise UsageError(f"{path} is no scenario:\n{problem}") from problem


def allocate_scenario(content: bytes | str) -> dict[str, Any]:
    """Targets, allocations and who could not be placed, ready for JSON. UsageError as in `allocate_file`."""
    scenario = read_scenario(content)
    standings = [
        Standing(
            provider=one.agb,
            employed_minutes=one.employed_hours,
            self_employed_minutes=one.self_employed_hours,
            delivered_minutes_12m=one.delivered_hours_12m,
            own_obligation_minutes=one.own_obligation_hours,
            carry_minutes=one.carry_hours,
        )
        for one in scenario.providers
    ]
    shares = share_out(standings, sum(client.owed_hours for client in scenario.clients))
    areas = {provider.agb: provider.areas() for provider in scenario.providers}
    outcome = allocate(
        Round(
            region=RegionCode(scenario.region),
            on=scenario.on or first_day(scenario.month) - timedelta(days=PLANNED_AHEAD_DAYS),
            bearers=tuple(Bearer.of_share(share, 0, areas[share.provider]) for share in shares.shares),
            waiting=tuple(
                WaitingClient(
                    id=client.id,
                    pc4=client.pc4,
                    owed_minutes=client.owed_hours,
                    requested_at_ms=client.requested_at,
                    due_on=client.due_on,
                    insurer=client.uzovi,
                    preferred=client.preferred,
                )
                for client in scenario.clients
            ),
        )
    )
    allocated = {share.provider: 0 for share in shares.shares}
    for placement in outcome.placements:
        allocated[placement.provider] += placement.minutes
    tallies = (Tally(provider, open_minutes=minutes) for provider, minutes in allocated.items())
    ledger = contributions(scenario.month, standings, tallies, shares)
    return {
        "region": scenario.region,
        "pool_hours": _hours(shares.pool_minutes),
        "unmet_hours": _hours(shares.unmet_minutes),
        "placed_hours": _hours(ledger.allocated_minutes),
        "jain_index": _shown(ledger.jain_index),
        "targets": [
            {
                "provider": line.provider,
                "hours": _hours(line.share.target_minutes),
                "exact_minutes": str(line.share.target),
                "weight": str(line.share.weight),
                "spare_hours": _hours(line.share.spare_minutes),
                "allocated_hours": _hours(line.tally.allocated_minutes),
                "fulfilment": _shown(line.fulfilment),
                "rank": line.rank,
            }
            for line in ledger.lines
        ],
        "allocations": [
            {
                "client": placement.client,
                "provider": placement.provider,
                "hours": _hours(placement.minutes),
                "reason": placement.why.value,
                "moved": list(placement.moved),
                "passed_over": _passed_over(placement.passed_over),
            }
            for placement in outcome.placements
        ],
        "unplaced": [
            {
                "client": unplaced.client,
                "reason": unplaced.why.value,
                "passed_over": _passed_over(unplaced.passed_over),
            }
            for unplaced in outcome.unplaced
        ],
    }


def read_scenario(content: bytes | str) -> Scenario:
    """The scenario that a JSON text holds. UsageError: each fault on a line of its own, at its JSON pointer."""
    try:
        raw = json.loads(content, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError, InvalidOperation) as fault:
        raise UsageError(f"/: found no JSON ({fault}), expected a scenario; see `hub allocate --help`") from fault
    try:
        scenario = Scenario.model_validate(raw)
    except ValidationError as refusal:
        lines = [_fault(raw, error["type"], error["loc"]) for error in refusal.errors(include_url=False)]
        more = len(lines) - FAULTS_SHOWN_MAX
        raise UsageError("\n".join([*lines[:FAULTS_SHOWN_MAX], *([f"and {more} more"] if more > 0 else [])])) from None
    twice = [
        *_twice("providers", "agb", [provider.agb for provider in scenario.providers]),
        *_twice("clients", "id", [client.id for client in scenario.clients]),
    ]
    if twice:
        raise UsageError("\n".join(twice[:FAULTS_SHOWN_MAX]))
    return scenario


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no JSON number")


def _fault(raw: object, kind: str, path: Sequence[int | str]) -> str:
    """`/clients/0/pc4: found "12", expected …`, where the expectation is the description of the field."""
    pointer = "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in path) or "/"
    if kind == "extra_forbidden":
        known = ", ".join(_model_at(path[:-1]).model_fields)
        return f"{pointer}: found an unknown field, expected one of {known}"
    expected = _description_at(path)
    if kind == "missing":
        return f"{pointer}: found nothing, expected {expected}"
    found: Any = raw
    for step in path:
        found = found[step]
    text = str(found) if isinstance(found, Decimal) else json.dumps(found, ensure_ascii=False, default=str)
    if len(text) > FOUND_CHARACTERS_MAX:
        text = text[:FOUND_CHARACTERS_MAX] + "…"
    return f"{pointer}: found {text}, expected {expected}"


def _model_at(path: Sequence[int | str]) -> type[_Part]:
    inside: dict[str, type[_Part]] = {"providers": ScenarioProvider, "clients": ScenarioClient}
    return inside[str(path[0])] if path else Scenario


def _description_at(path: Sequence[int | str]) -> str:
    elements = {"postcodes": _PC4, "contracts": _UZOVI}
    match path:
        case []:
            return "an object with region, month, providers and clients"
        case [field]:
            return Scenario.model_fields[str(field)].description or ""
        case [field, int()]:
            return f"an object with {', '.join(_model_at(path).model_fields)}"
        case [_, int(), field]:
            return _model_at(path).model_fields[str(field)].description or ""
        case [_, int(), field, int()]:
            return elements[str(field)]
        case _:
            raise AssertionError(path)


def _twice(where: str, field: str, values: Sequence[str]) -> list[str]:
    first: dict[str, int] = {}
    return [
        f"/{where}/{index}/{field}: found {json.dumps(value)}, expected it once; /{where}/{first[value]} has it too"
        for index, value in enumerate(values)
        if first.setdefault(value, index) != index
    ]


def _passed_over(passed_over: Sequence[PassedOver]) -> list[dict[str, Any]]:
    return [
        {"provider": one.provider, "reason": one.why.value}
        if one.room_minutes is None
        else {"provider": one.provider, "reason": one.why.value, "room_hours": _hours(one.room_minutes)}
        for one in passed_over
    ]


def _hours(minutes: int) -> int | float:
    return minutes // 60 if minutes % 60 == 0 else round(minutes / 60, 4)


def _shown(share: Fraction | None) -> float | None:
    return None if share is None else round(float(share), 4)
