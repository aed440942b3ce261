"""Black, established afterwards: who did not get minimal care (S1, rule 5). A dated finding, never a colour."""

from datetime import date, timedelta
from operator import itemgetter

import msgspec

from hub.domain.case import Case
from hub.domain.colour_code import CareGiven, Missed, minimal_care
from hub.domain.findings import Ground, close_finding, open_finding
from hub.domain.identifiers import Agb
from hub.domain.registrations import RegistrationRow, Standing
from hub.domain.waiting_list import WaitingRow
from hub.domain.words import CareEndReason, FindingCode, RemovalReason

CLAUSE = "S1 rule 5"
REPORTING_DAYS = 7
"""Care is reported within a week of its last day (PROPOSAL); only then is what is missing missed."""


def check_minimal_care(case: Case, today: date) -> bool:
    """Judge every client whose window closed; True while a client missed it in the last reporting days.

    A registration that was never delivered to and never ended is silence of a package, and no finding of black: the
    window of a client counts from a reported birth, or from the end of her care. A client on the list who was never
    placed counts like any other.
    """
    missed = False
    window_days = case.state.plan.care_model().care_days + REPORTING_DAYS
    open_rows = [
        (key, row)
        for key, row in case.state.registrations.unordered()
        if not row.care_judged and not (row.born_on is None and row.end_reason is None)
    ]
    for key, row in sorted(open_rows, key=itemgetter(0)):  # the order is seen in the findings; most rows never get here
        verdict = _verdict_of_registration(case, row, today, window_days)
        if verdict is Missed.NOT_YET:
            continue
        case.state.put_registration(key, msgspec.structs.replace(row, care_judged=True))
        missed |= _find(case, key, row.provider, missed=verdict is Missed.MISSED)
    for key, waiting in case.state.waiting.items():
        if (never := _never_placed(case, waiting, today)) is not waiting.missed:
            case.state.put_waiting(key, msgspec.structs.replace(waiting, missed=never))
            missed |= _find(case, key, Agb(""), missed=never)
    return missed


def _find(case: Case, key: str, provider: Agb, *, missed: bool) -> bool:
    """What is reported late or put right can show that she got her care after all: then the finding closes."""
    if missed:
        open_finding(case, FindingCode.BELOW_MINIMAL_CARE, key, Ground(provider, CLAUSE))
    else:
        close_finding(case, FindingCode.BELOW_MINIMAL_CARE, key)
    return missed


def _verdict_of_registration(case: Case, row: RegistrationRow, today: date, window_days: int) -> Missed:
    left = row.standing in (Standing.WITHDRAWN, Standing.TRANSFERRED, Standing.MOVED)
    if (left or row.end_reason is CareEndReason.OTHER_PROVIDER) and not row.delivered_minutes:
        return Missed.EXCLUDED
    given = CareGiven(
        due_date=row.due,
        born_on=row.born_on,
        owed_minutes=_owed_minutes(case, row, row.born_on or row.due),
        delivered_minutes=row.physical_minutes,
        ended=row.end_reason,
    )
    return minimal_care(given, today, window_days)


def _never_placed(case: Case, row: WaitingRow, today: date) -> bool:
    """Whether a client's window closed while nobody carried her: by her due date, or when she left by the birth."""
    if row.placed_by is not None or row.linked or row.moved or not _owed_minutes(case, row, row.due):
        return False
    if not row.listed:
        return row.removal is RemovalReason.BORN
    return today > row.due + timedelta(days=case.state.plan.norms.birth_report_lag_days)


def _owed_minutes(case: Case, row: RegistrationRow | WaitingRow, day: date) -> int:
    """Her floor less her days in hospital, never below zero (rule 7, PROPOSAL)."""
    plan = case.state.plan
    return max(0, plan.floor_minutes(day, klim=row.klim) - row.hospital_days * plan.norms.hospital_day_minutes)
