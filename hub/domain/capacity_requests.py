"""When a provider is verifiably full at the guideline, every provider is asked for capacity (S1, rule 14).

The hub asks in the KSV's name. A declaration made since then answers; silence beyond the plan's deadline (PROPOSAL) is
a finding. Regions without a plan are asked under the national defaults, which carry the same mandate (PROPOSAL).
"""

from datetime import date, timedelta
from hashlib import sha256

import msgspec

from hub.domain.case import Case
from hub.domain.colour_code import Judgement, ReasonCode
from hub.domain.facts import CapacityRequested
from hub.domain.findings import Ground
from hub.domain.follow_up_rows import RequestRow
from hub.domain.identifiers import Agb, Month, first_day, month_of


def request_capacity(case: Case, judgement: Judgement) -> None:
    """Ask every provider of the region about each month in which one is verifiably guideline-full; once a month."""
    months = {r.month: None for r in judgement.reasons if r.code is ReasonCode.GUIDELINE_FULL and r.month is not None}
    for month in sorted(months):
        for provider in case.state.providers():
            key = f"{month}|{provider}"
            if case.state.requests.get(key) is None and not case.state.requests.full:
                _ask(case, key, provider, month)


def declared_since(case: Case, provider: Agb, period_from: date, period_until: date) -> None:
    """A declaration answers every request about a month that it touches."""
    for key, row in case.state.requests.items():
        touches = month_of(period_from) <= row.month <= month_of(period_until)
        if row.provider == provider and touches and not row.answered:
            case.state.requests.put(key, msgspec.structs.replace(row, answered=True))


def unanswered(case: Case, today: date) -> dict[str, Ground]:
    """Requests whose deadline passed in silence, for findings; past months are forgotten."""
    grounds: dict[str, Ground] = {}
    for key, row in case.state.requests.items():
        if row.month < month_of(today):
            case.state.requests.remove(key)
        elif not row.answered and today > row.answer_by:
            grounds[key] = Ground(row.provider, "S1 rule 14")
    return grounds


def _ask(case: Case, key: str, provider: Agb, month: Month) -> None:
    assert case.today is not None
    package = case.package_of(provider)
    if package is None:  # asked once somebody speaks for it: who was never told is not found silent (rule 35)
        return
    answer_by = case.today + timedelta(days=case.state.plan.capacity.request_answer_days)
    case.state.requests.put(key, RequestRow(provider, month, case.today, answer_by))
    digest = sha256(f"{case.region}|{key}".encode()).hexdigest()
    case.say(
        CapacityRequested(
            recipient=package,
            region=case.region,
            provider=provider,
            request_id=f"q{digest[:23]}",
            period_from=first_day(month),
            period_until=first_day(Month(month + 1)) - timedelta(days=1),
            answer_by=answer_by,
        )
    )
