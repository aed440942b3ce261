"""Whether providers kept to the intake guideline of a month: seen afterwards, in what they delivered (rule 19).

The guideline binds every provider in the region, also those without a contract (S1). Who gives its own clients more in
a scarce month takes it from clients whom nobody can place. Judged once, when the care of the month has been reported,
client by client: the guideline less her hospital days, and the hours at the birth beside it. Providers that report
no care here are held against the mean duration that an insurer knows of them (rule 18).
"""

from datetime import date, timedelta

from hub.domain.case import Case
from hub.domain.findings import Ground, open_finding
from hub.domain.identifiers import Agb, Month, first_day, month_of
from hub.domain.minimal_care_check import REPORTING_DAYS
from hub.domain.region_plan import RegionPlan
from hub.domain.registrations import RegistrationRow
from hub.domain.words import FindingCode

CLAUSE = "S1 rule 19"


def check_guideline(case: Case, today: date) -> None:
    """Judge the month whose care was reported by today; any other day does nothing.

    A guideline that was adopted after its month had begun is no yardstick for who had registered before (PROPOSAL).
    """
    ended = today - timedelta(days=case.state.plan.care_model().care_days + REPORTING_DAYS)
    month = Month(month_of(ended) - 1)
    guideline = case.state.supply.guideline_of(month)
    if ended.day != 1 or guideline is None:
        return
    if guideline.adopted_on is not None and guideline.adopted_on > first_day(month):
        return
    margin = 1000 + case.state.plan.forecast.guideline_margin_permille
    delivered = _delivered(case, month, guideline.minutes)
    for provider in case.state.providers():
        minutes, owed, clients = delivered.get(provider, (0, 0, 0))
        if clients:
            enough = clients >= case.state.plan.colours.verify_clients_min
            above = enough and minutes * 1000 > owed * margin
        else:
            known = [
                row.mean_care_minutes
                for row in case.state.supply.figures.values()
                if row.provider == provider and row.month == month
            ]
            above = bool(known) and min(known) * 1000 > guideline.minutes * margin
        if above:
            subject = f"{provider}|{month}"
            open_finding(case, FindingCode.GUIDELINE_NOT_FOLLOWED, subject, Ground(provider, CLAUSE))


def _delivered(case: Case, month: Month, guideline_minutes: int) -> dict[Agb, tuple[int, int, int]]:
    """By provider: minutes delivered to clients born in the month, minutes that the guideline grants them, clients."""
    sums: dict[Agb, tuple[int, int, int]] = {}
    for _, row in case.state.registrations.unordered():
        if row.born_on is None or month_of(row.born_on) != month or not row.physical_minutes:
            continue
        owed = granted_minutes(case.state.plan, row, month, guideline_minutes)
        minutes, granted, clients = sums.get(row.provider, (0, 0, 0))
        sums[row.provider] = (minutes + row.physical_minutes, granted + owed, clients + 1)
    return sums


def granted_minutes(plan: RegionPlan, row: RegistrationRow, month: Month, care_minutes: int) -> int:
    """So much care for one client: less her hospital days, and the hours at the birth where no pool has them."""
    partus = plan.norms.partus_minutes if row.partus and not plan.pool_carries_partus(month) else 0
    return max(0, care_minutes - row.hospital_days * plan.norms.hospital_day_minutes) + partus
