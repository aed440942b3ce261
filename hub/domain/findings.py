"""Findings: agreements that are not kept, as signals for people and never a sanction (rule 35).

A finding goes first to the first addressee of the plan; when it stands long enough, to the next. The order of address
and its clock are plan data (PROPOSAL). Three hear of it at once, whoever's turn it is to act: the provider's package,
the lead insurers, who watch over compliance (rule 36), and the insurers that contract the provider.
"""

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from typing import Final, NamedTuple

import msgspec

from hub.domain.case import Case
from hub.domain.events import FindingRaised
from hub.domain.facts import ComplianceFound
from hub.domain.follow_up_rows import FindingRow
from hub.domain.identifiers import Agb, TenantId
from hub.domain.receipts import APPLIED, Verdict
from hub.domain.region_plan import Addressee
from hub.domain.versions import key_of
from hub.domain.words import FindingCode, FindingStatus

KEPT_DAYS: Final = 400
"""A finding about what has happened stays open so long; the year's evidence pack holds it."""

LASTING: Final = (
    FindingCode.BELOW_MINIMAL_CARE,
    FindingCode.RAISED_BY_PERSON,
    FindingCode.BELOW_FAIR_SHARE,
    FindingCode.DELIVERED_ABOVE_DECLARED,
    FindingCode.GUIDELINE_NOT_FOLLOWED,
)
"""Findings about what has happened: nothing that happens later makes them untrue, only what is reported late does."""


class Ground(NamedTuple):
    """Why a finding stands: about which provider (empty: the region), by which clause.

    `also`: who hears of it at once beside the addressee; for what `NL` finds, the coordinators concerned.
    """

    provider: Agb
    clause: str
    also: tuple[TenantId, ...] = ()


def raise_finding(case: Case, event: FindingRaised) -> Verdict:
    """A person of the KSV or of an insurer finds that an agreement is not kept (rule 35)."""
    if case.state.findings.full:
        return Verdict("too_many_records")
    subject = f"{key_of(case.tenant, event)}|{event.version}"
    open_finding(case, FindingCode.RAISED_BY_PERSON, subject, Ground(event.provider, f"rule {event.rule_number}"))
    return APPLIED


def open_finding(case: Case, code: FindingCode, subject: str, ground: Ground) -> None:
    """Open a finding, or leave it as it stands. `subject` tells findings of one code apart; it is never published."""
    key = _key(code, subject)
    if case.state.findings.get(key) is not None or case.state.findings.full or case.today is None:
        return
    row = FindingRow(code, ground.provider, ground.clause, case.today, 1, (), _next_id(case))
    package = case.package_of(ground.provider) if ground.provider else None
    readers = [*([] if package is None else [package]), *case.insurers_of(ground.provider, case.today)]
    recipients = [*ground.also, *_tenants(case, _addressee(case, 0)), *readers]
    _tell(case, key, row, recipients, FindingStatus.OPENED)


def close_finding(case: Case, code: FindingCode, subject: str) -> None:
    """It turned out not to be so: whoever heard of it hears that."""
    key = _key(code, subject)
    if (row := case.state.findings.get(key)) is not None:
        case.state.findings.remove(key)
        _say(case, row, row.told, FindingStatus.CLOSED)


def observe(case: Case, code: FindingCode, grounds: Mapping[str, Ground]) -> None:
    """Open what holds and close what no longer does. `grounds` by subject, all of them, in a fixed order."""
    holding = {_key(code, subject): None for subject in grounds}
    for key, row in case.state.findings.items():
        if row.code is code and key not in holding:
            case.state.findings.remove(key)
            _say(case, row, row.told, FindingStatus.CLOSED)
    for subject, ground in grounds.items():
        open_finding(case, code, subject, ground)


def next_addressees(case: Case, today: date) -> None:
    """What stands too long goes to the next in line; what has happened long ago falls away."""
    rules = case.state.plan.compliance
    for key, row in case.state.findings.items():
        age_days = (today - row.since).days
        if row.code in LASTING and age_days > KEPT_DAYS:
            case.state.findings.remove(key)
            continue
        due = 1 + (age_days // rules.next_addressee_days if rules.next_addressee_days else len(rules.addressees))
        if row.step < min(due, len(rules.addressees)):
            recipients = _tenants(case, _addressee(case, row.step))
            _tell(case, key, msgspec.structs.replace(row, step=row.step + 1), recipients, FindingStatus.OPENED)


def _tell(case: Case, key: str, row: FindingRow, recipients: list[TenantId], status: FindingStatus) -> None:
    heard = tuple(dict.fromkeys(recipients))  # whoever's turn it is hears so, also who knew of it
    row = msgspec.structs.replace(row, told=tuple(dict.fromkeys((*row.told, *heard))))
    case.state.findings.put(key, row)
    _say(case, row, heard, status)


def _say(case: Case, row: FindingRow, recipients: tuple[TenantId, ...], status: FindingStatus) -> None:
    addressee = _addressee(case, row.step - 1)
    for recipient in recipients:
        case.say(
            ComplianceFound(
                recipient=recipient,
                region=case.region,
                finding_id=row.finding_id,
                code=row.code,
                status=status,
                provider=row.provider,
                clause=row.clause,
                since=row.since,
                addressee=addressee.value,
            )
        )


def _addressee(case: Case, step: int) -> Addressee:
    order = case.state.plan.compliance.addressees or (Addressee.KSV,)
    return order[min(step, len(order) - 1)]


def _tenants(case: Case, addressee: Addressee) -> list[TenantId]:
    match addressee:
        case Addressee.KSV:
            return [] if case.place.coordinator is None else [case.place.coordinator]
        case Addressee.BO:
            return list(case.place.bo)
        case Addressee.INSURER:
            return list(case.place.lead_insurers)


def _key(code: FindingCode, subject: str) -> str:
    """Under which a finding stands in the state: as long for every subject."""
    return sha256(f"{code.value}|{subject}".encode()).hexdigest()[:24]


def _next_id(case: Case) -> str:
    """The next name of a finding, by a count of the region's findings and nothing else.

    Insurers and Bo hear it. A hash over its subject would let whoever knows a record's name confirm it.
    """
    case.state.head.findings += 1
    return f"f{sha256(f'{case.region}|{case.state.head.findings}'.encode()).hexdigest()[:23]}"
