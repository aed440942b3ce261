"""At month close: what each contracted provider carried beside what it should have, stated to those who may see it.

A provider's package sees its own line, its rank and, with enough providers that nobody's figure follows, the region's
totals; an insurer the lines of its contracted providers; a lead insurer and the coordinator every line (DOMAIN
"Readers"). All lines of a month stand under one root (statement_root.py), which everybody gets.
"""

from collections import Counter
from dataclasses import asdict, replace
from fractions import Fraction
from typing import Final, NamedTuple

from hub.domain.capacity import declared_month
from hub.domain.case import Case
from hub.domain.facts import CarryLine, DeclineCount, FairShareStated, RefusalCount, RegionSharesStated
from hub.domain.fair_share import (
    Carry,
    Contribution,
    RegionContribution,
    Shares,
    Standing,
    Tally,
    close_month,
    contributions,
    is_flagged,
    low_run_after,
)
from hub.domain.findings import Ground, open_finding
from hub.domain.guideline_check import granted_minutes
from hub.domain.identifiers import Agb, Month, TenantId, month_of, month_text
from hub.domain.registrations import DeliveredRow, delivered_key
from hub.domain.rounds import shares_of, standings
from hub.domain.statement_root import Tree, blind, blind_seed, canonical, leaf_hash
from hub.domain.statements import RegionTotals, disclosed_counts, region_totals
from hub.domain.waiting_list import ProposalRow
from hub.domain.words import AllocationStatus, CareEndReason, DeclineReason, FindingCode, StatementAudience

PERMYRIAD: Final = 10_000
PERMILLE: Final = 1_000
PERMILLE_MAX: Final = 1_000_000
"""A thousandfold says all that a larger figure would, and fits its field."""
_NOTHING = DeliveredRow()


def close_share_month(case: Case, month: Month) -> None:
    """Close a month on its last day's state: targets rounded once, carry as integers, one line per recipient."""
    members = standings(case, month)
    if not members:
        return
    shares = shares_of(case, month, members)
    accepted = case.state.proposals.minutes(month, AllocationStatus.ACCEPTED)
    still_open = case.state.proposals.minutes(month, AllocationStatus.PROPOSED)
    not_taken, given = _not_taken(case, month), _given(case, month)
    tallies = [
        _tally(
            case, month, member, accepted.get(member.provider, 0), still_open.get(member.provider, 0),
            not_taken.get(member.provider, []), given.get(member.provider, _NOTHING_GIVEN),
        )
        for member in members
    ]  # fmt: skip
    ledger = contributions(month, members, tallies, shares)
    rules = case.state.plan.share_rules()
    carries: dict[Agb, Carry] = {}
    flagged: dict[Agb, bool] = {}
    for line in ledger.lines:
        before = case.state.carries.get(line.provider) or Carry()
        after = close_month(before, line.share, line.tally.accepted_minutes, month, rules)
        case.state.carries.put(line.provider, after)
        carries[line.provider] = after
        run = low_run_after(case.state.low_runs.get(line.provider), line, month, rules)
        if run is None:
            case.state.low_runs.remove(line.provider)
        else:
            case.state.low_runs.put(line.provider, run)
        flagged[line.provider] = is_flagged(run, rules)
        if flagged[line.provider]:
            subject = f"{line.provider}|{month}"
            open_finding(case, FindingCode.BELOW_FAIR_SHARE, subject, Ground(line.provider, "S0 rule 25"))
        if _delivered_above_declared(case, line, month):
            subject = f"{line.provider}|{month}"
            open_finding(case, FindingCode.DELIVERED_ABOVE_DECLARED, subject, Ground(line.provider, "S3 rule 16"))
    _state_all(case, ledger, carries, flagged)


class _Given(NamedTuple):
    """What one provider's clients born in a month got: care above the guideline, and whether one had minimal care."""

    above_guideline_minutes: int = 0
    scaled_to_floor: bool = False


_NOTHING_GIVEN: Final = _Given()


def _tally(
    case: Case, month: Month, member: Standing, accepted: int, still_open: int, done: list[ProposalRow], given: _Given
) -> Tally:
    delivered = case.state.delivered.get(delivered_key(member.provider, month)) or _NOTHING
    turned_away = Counter(one.pc4 for one in done if one.pc4 and one.reason != DeclineReason.CLIENT_DECLINED)
    return Tally(
        member.provider,
        open_minutes=still_open,
        accepted_minutes=accepted,
        delivered_employed_minutes=max(0, delivered.employed_minutes),
        delivered_self_employed_minutes=max(0, delivered.self_employed_minutes),
        declines=tuple(sorted(Counter(one.reason for one in done).items())),
        refusals=tuple(sorted(turned_away.items())),
        above_guideline_minutes=given.above_guideline_minutes,
        scaled_to_floor=given.scaled_to_floor,
    )


def _not_taken(case: Case, month: Month) -> dict[Agb, list[ProposalRow]]:
    """Proposals for births of the month that ended without care, by provider. For counts: the lists have no order."""
    found: dict[Agb, list[ProposalRow]] = {}
    for _, proposal in case.state.proposals.unordered():
        if proposal.month == month and proposal.status in (AllocationStatus.DECLINED, AllocationStatus.EXPIRED):
            found.setdefault(proposal.provider, []).append(proposal)
    return found


def _given(case: Case, month: Month) -> dict[Agb, _Given]:
    """By provider what clients born in the month got. Sums, so the order of the rows does not matter."""
    guideline, plan = case.state.supply.guideline_of(month), case.state.plan
    found: dict[Agb, _Given] = {}
    for _, row in case.state.registrations.unordered():
        if row.born_on is None or month_of(row.born_on) != month:
            continue
        floor = granted_minutes(plan, row, month, plan.floor_minutes(row.born_on, klim=row.klim))
        at_floor = row.end_reason is CareEndReason.COMPLETED and row.delivered_minutes <= floor
        above = 0
        if guideline is not None:
            above = max(0, row.delivered_minutes - granted_minutes(plan, row, month, guideline.minutes))
        so_far = found.get(row.provider, _NOTHING_GIVEN)
        found[row.provider] = _Given(so_far.above_guideline_minutes + above, so_far.scaled_to_floor or at_floor)
    return found


def _delivered_above_declared(case: Case, line: Contribution, month: Month) -> int:
    """Against what was declared, whether or not the declaration is fresh; who declared nothing has another finding."""
    declarations = case.state.forecast.capacities.declarations(line.provider)
    declared = declared_month(declarations, month, case.state.plan.compliance.capacity_insight_method)
    if declared is None:
        return 0
    done = line.tally.delivered_employed_minutes + line.tally.delivered_self_employed_minutes
    return max(0, done - declared.deployable_minutes)


def _state_all(case: Case, ledger: RegionContribution, carries: dict[Agb, Carry], flagged: dict[Agb, bool]) -> None:
    """Every line to each who may see it, all under one root; then the root to everybody."""
    rules, month = case.state.plan.share_rules(), month_text(ledger.month)
    lines = {line.provider: _line(case, ledger, line, carries, flagged) for line in ledger.lines}
    seed = blind_seed((key, known.content) for key, known in case.state.versions.items())
    blinds = {provider: blind(seed, case.region, month, provider) for provider in lines}
    leaves = {provider: leaf_hash(blinds[provider], canonical(line_text(one))) for provider, one in lines.items()}
    totals_blind = blind(seed, case.region, month, "totals")
    shares = ledger.shares
    totals_leaf = leaf_hash(totals_blind, canonical(totals_text(case.region, month, _all_totals(shares, ledger))))
    tree = Tree(list(leaves.values()), totals_leaf)
    readers = {provider: _readers(case, provider) for provider in lines}
    for provider, one in lines.items():
        for recipient, audience in readers[provider]:
            known = [other for other in lines if (recipient, audience) in readers[other]]
            totals = region_totals(ledger, rules, known)
            if audience is StatementAudience.COORDINATOR:
                totals = _all_totals(shares, ledger)
            case.say(
                replace(
                    one,
                    recipient=recipient,
                    audience=audience,
                    weight_permyriad=0 if totals is None else one.weight_permyriad,
                    weight="" if totals is None else one.weight,
                    target="" if totals is None else one.target,
                    pool_minutes=None if totals is None else totals.pool_minutes,
                    unmet_minutes=None if totals is None else totals.unmet_minutes,
                    deployable_total_minutes=None if totals is None else totals.deployable_minutes,
                    delivered_total_minutes_12m=None if totals is None else totals.delivered_minutes_12m,
                    level=None if totals is None else str(totals.level_minutes),
                    statement_root=tree.root,
                    blind=blinds[provider],
                    proof=tree.proof(leaves[provider]),
                    totals_leaf=totals_leaf,
                    totals_blind=None if totals is None else totals_blind,
                )
            )
    # Everybody reads it: nobody's own line may make a competitor's figure follow, so it is told as to who has most.
    disclosed = all(
        region_totals(ledger, rules, [other for other in lines if reader in readers[other]]) is not None
        for provider in lines
        for reader in readers[provider]
        if reader[1] is not StatementAudience.COORDINATOR
    )
    told = disclosed and region_totals(ledger, rules) is not None
    jain = ledger.jain_index
    case.say(
        RegionSharesStated(
            region=case.region,
            month=month,
            statement_root=tree.root,
            providers=len(lines),
            pool_minutes=shares.pool_minutes if told else None,
            unmet_minutes=shares.unmet_minutes if told else None,
            allocated_minutes=ledger.allocated_minutes if told else None,
            accepted_minutes=sum(line.tally.accepted_minutes for line in ledger.lines) if told else None,
            jain_permyriad=int(jain * PERMYRIAD) if told and jain is not None else None,
        )
    )


def _all_totals(shares: Shares, ledger: RegionContribution) -> RegionTotals:
    return RegionTotals(
        len(ledger.lines), shares.deployable_minutes, shares.delivered_minutes_12m, shares.pool_minutes,
        shares.unmet_minutes, shares.level_minutes,
    )  # fmt: skip


def _readers(case: Case, provider: Agb) -> list[tuple[TenantId, StatementAudience]]:
    """The package that speaks for it, the insurers that contracted it or lead here, the coordinator."""
    assert case.today is not None
    readers: list[tuple[TenantId, StatementAudience]] = []
    package = case.package_of(provider)
    if package is not None:
        readers.append((package, StatementAudience.PROVIDER))
    readers.extend((insurer, StatementAudience.INSURER) for insurer in case.insurers_of(provider, case.today))
    if case.place.coordinator is not None:
        readers.append((case.place.coordinator, StatementAudience.COORDINATOR))
    return readers


def _line(
    case: Case, ledger: RegionContribution, line: Contribution, carries: dict[Agb, Carry], flagged: dict[Agb, bool]
) -> FairShareStated:
    """One line, before it is addressed: the same for everybody who may see it."""
    rules = case.state.plan.share_rules()
    carry = carries[line.provider]
    return FairShareStated(
        recipient=TenantId(""),
        region=case.region,
        month=month_text(ledger.month),
        audience=StatementAudience.COORDINATOR,
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
        weight=str(line.share.weight),
        target=str(line.share.target),
        employed_minutes=line.standing.employed_minutes,
        self_employed_minutes=line.standing.self_employed_minutes,
        delivered_employed_minutes=line.tally.delivered_employed_minutes,
        delivered_self_employed_minutes=line.tally.delivered_self_employed_minutes,
        carry_before_minutes=line.share.carry_minutes,
        carry=tuple(
            CarryLine(
                month=month_text(entry.month),
                minutes=entry.minutes,
                expires_after=month_text(Month(entry.month + rules.carry_months_max)),
            )
            for entry in carry.entries
        ),
        declines=tuple(DeclineCount(reason=reason, count=count) for reason, count in line.tally.declines),
        refusals=tuple(
            RefusalCount(pc4=pc4, count=count) for pc4, count in disclosed_counts(line.tally.refusals, rules)
        ),
        over_delivery_minutes=line.over_delivery_minutes,
        delivered_above_declared_minutes=_delivered_above_declared(case, line, ledger.month),
        employment_gap_permille=None if line.employment_gap is None else _permille(line.employment_gap),
        fulfilment_permille=None if line.fulfilment is None else _permille(line.fulfilment),
        flagged=flagged[line.provider],
        capacity_weight=str(rules.capacity_weight),
    )


_ADDRESSED: Final = frozenset(
    {
        "recipient", "audience", "pool_minutes", "unmet_minutes", "deployable_total_minutes",
        "delivered_total_minutes_12m", "level", "weight_permyriad", "weight", "target",
        "statement_root", "blind", "proof", "totals_leaf", "totals_blind",
    }
)  # fmt: skip
"""Fields that differ by reader; the others are the line itself. Weight and exact target go with the totals: who knows
its own Q and w = Q/ΣQ knows ΣQ. They need no place under the root, since both follow from line and totals."""


def line_text(statement: FairShareStated) -> dict[str, object]:
    """What the leaf of a line says, for `statement_root.canonical`: all fields that are the same for every reader."""
    plain = asdict(statement)
    return {name: value for name, value in plain.items() if name not in _ADDRESSED}


def totals_text(region: str, month: str, totals: RegionTotals) -> dict[str, object]:
    """What the leaf of the totals says."""
    return {
        "region": region, "month": month, "deployable": totals.deployable_minutes,
        "delivered": totals.delivered_minutes_12m, "pool": totals.pool_minutes, "unmet": totals.unmet_minutes,
        "level": str(totals.level_minutes),
    }  # fmt: skip


def _permille(share: Fraction) -> int:
    return max(-PERMILLE_MAX, min(int(share * PERMILLE), PERMILLE_MAX))
