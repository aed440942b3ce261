"""At month close: what each contracted provider carried beside what it should have, stated to those who may see it.

A provider's package sees its own line, its rank and, with enough providers that nobody's figure follows, the region's
totals; an insurer the lines of its contracted providers; the coordinator every line (DOMAIN "Readers").
"""

from hub.domain.capacity import declared_month
from hub.domain.case import Case
from hub.domain.facts import FairShareStated
from hub.domain.fair_share import (
    Carry,
    Contribution,
    RegionContribution,
    Standing,
    Tally,
    close_month,
    contributions,
    is_flagged,
    low_run_after,
)
from hub.domain.findings import Ground, open_finding
from hub.domain.identifiers import Agb, Month, TenantId, month_text
from hub.domain.registrations import DeliveredRow, delivered_key
from hub.domain.rounds import allocated_minutes, shares_of, standings
from hub.domain.statements import region_totals
from hub.domain.words import AllocationStatus, FindingCode, StatementAudience

PERMYRIAD = 10_000
_NOTHING = DeliveredRow()


def close_share_month(case: Case, month: Month) -> None:
    """Close a month on its last day's state: targets rounded once, carry as integers, one line per recipient."""
    members = standings(case, month)
    if not members:
        return
    shares = shares_of(case, month, members)
    accepted = allocated_minutes(case, month, AllocationStatus.ACCEPTED)
    still_open = allocated_minutes(case, month, AllocationStatus.PROPOSED)
    tallies = [_tally(case, month, member, accepted, still_open) for member in members]
    ledger = contributions(month, members, tallies, shares)
    rules = case.state.plan.share_rules()
    for line in ledger.lines:
        before = case.state.carries.get(line.provider) or Carry()
        after = close_month(before, line.share, line.tally.accepted_minutes, month, rules)
        case.state.carries.put(line.provider, after)
        run = low_run_after(case.state.low_runs.get(line.provider), line, month, rules)
        if run is None:
            case.state.low_runs.remove(line.provider)
        else:
            case.state.low_runs.put(line.provider, run)
        if is_flagged(run, rules):
            subject = f"{line.provider}|{month}"
            open_finding(case, FindingCode.BELOW_FAIR_SHARE, subject, Ground(line.provider, "S0 rule 25"))
        if _delivered_above_declared(case, line, month):
            subject = f"{line.provider}|{month}"
            open_finding(case, FindingCode.DELIVERED_ABOVE_DECLARED, subject, Ground(line.provider, "S3 rule 16"))
        _state(case, ledger, line, after)


def _tally(case: Case, month: Month, member: Standing, accepted: dict[Agb, int], still_open: dict[Agb, int]) -> Tally:
    delivered = case.state.delivered.get(delivered_key(member.provider, month)) or _NOTHING
    return Tally(
        member.provider,
        open_minutes=still_open.get(member.provider, 0),
        accepted_minutes=accepted.get(member.provider, 0),
        delivered_employed_minutes=max(0, delivered.employed_minutes),
        delivered_self_employed_minutes=max(0, delivered.self_employed_minutes),
    )


def _delivered_above_declared(case: Case, line: Contribution, month: Month) -> bool:
    """Against what was declared, whether or not the declaration is fresh; who declared nothing has another finding."""
    declarations = case.state.forecast.capacities.declarations(line.provider)
    declared = declared_month(declarations, month, case.state.plan.compliance.capacity_insight_method)
    if declared is None:
        return False
    done = line.tally.delivered_employed_minutes + line.tally.delivered_self_employed_minutes
    return done > declared.deployable_minutes


def _state(case: Case, ledger: RegionContribution, line: Contribution, carry: Carry) -> None:
    assert case.today is not None
    recipients: list[tuple[TenantId, StatementAudience]] = []
    package = case.package_of(line.provider)
    if package is not None:
        recipients.append((package, StatementAudience.PROVIDER))
    for uzovi in case.state.contracts.insurers_of(line.provider, case.today):
        insurer = case.place.reference.insurer.get(uzovi)
        if insurer is not None:
            recipients.append((insurer, StatementAudience.INSURER))
    if case.place.coordinator is not None:
        recipients.append((case.place.coordinator, StatementAudience.COORDINATOR))
    disclosed = region_totals(ledger, case.state.plan.share_rules()) is not None
    for recipient, audience in recipients:
        totals = disclosed or audience is StatementAudience.COORDINATOR
        case.say(
            FairShareStated(
                recipient=recipient,
                region=case.region,
                month=month_text(ledger.month),
                audience=audience,
                provider=line.provider,
                weight_permyriad=int(line.share.weight * PERMYRIAD),
                deployable_minutes=line.standing.deployable_minutes,
                delivered_minutes_12m=line.standing.delivered_minutes_12m,
                own_obligation_minutes=line.standing.own_obligation_minutes,
                spare_minutes=line.share.spare_minutes,
                target_minutes=line.share.target_minutes,
                allocated_minutes=line.tally.allocated_minutes,
                accepted_minutes=line.tally.accepted_minutes,
                carry_minutes=carry.minutes,
                rank=0 if line.rank is None else line.rank,
                providers=len(ledger.lines),
                pool_minutes=ledger.shares.pool_minutes if totals else None,
                unmet_minutes=ledger.shares.unmet_minutes if totals else None,
            )
        )
