"""A changed rule stands beside the old one, and holds from RulesActivated on in every log."""

from typing import Any

import pytest

from hub.domain import events as e
from hub.domain.case import Case
from hub.domain.facts import ReceiptIssued
from hub.domain.identifiers import NATIONAL, RecordId
from hub.domain.matching import MatchRules
from hub.domain.receipts import APPLIED, Verdict
from hub.domain.region import Change, RegionRules
from hub.domain.rule_versions import UnknownRules
from hub.domain.supply_records import declare_capacity
from hub.domain.warm_model import WARM_MODEL
from tests.domain.region_world import ALFA, DAY_1, OPERATOR, REFERENCE, ROOS, World, capacity, changed, of_type


def careful_capacity(case: Case, event: e.CapacityDeclared) -> Verdict:
    """A changed rule: from version 2 on a declaration of nothing at all is refused."""
    if event.deployable_employed_minutes + event.deployable_self_employed_minutes == 0:
        return Verdict("impossible_minutes", "/deployable_employed_minutes")
    return declare_capacity(case, event)


NEXT = (Change(rules={e.CapacityDeclared: careful_capacity}),)
"""What the next release would add to CHANGES."""


def activation(version: int, record: str = "rules-1x") -> e.RulesActivated:
    """The operator activates a version of the rules."""
    return e.RulesActivated(record_id=RecordId(record), version=version, rules_version=version)


def world(**more: Any) -> World:
    """A region with a mandate, on its first day."""
    made = World(rules=RegionRules(REFERENCE, **more))
    made.mandate(ROOS, ALFA)
    made.starts_day(DAY_1)
    return made


def codes(facts: list[Any]) -> list[str]:
    """The codes of the receipts among them."""
    return [receipt.code for receipt in of_type(facts, ReceiptIssued)]


def nothing(version: int) -> e.CapacityDeclared:
    """A declaration of no capacity."""
    return changed(capacity(hours=0), version=version)


def test_both_versions_of_a_rule_live_side_by_side() -> None:
    """What was decided before the activation is decided so again; what comes after meets the new rule."""
    one = world(changes=NEXT)
    assert codes(one.given(nothing(1), ALFA)) == ["applied"]
    one.given(activation(2), OPERATOR, home=False)
    assert codes(one.given(nothing(2), ALFA)) == ["impossible_minutes"]


def test_a_refold_by_the_newer_release_gives_what_the_older_one_published() -> None:
    """Until the activation the newer release decides as the older one did: the same facts, in the same order."""
    old, new = world(), world(changes=NEXT)
    for version in (1, 2, 3):
        assert old.given(nothing(version), ALFA) == new.given(nothing(version), ALFA)


def test_the_version_in_force_survives_a_restart() -> None:
    """It is part of the region's state."""
    one = world(changes=NEXT)
    one.given(activation(2), OPERATOR, home=False)
    parts = {name: part for name, part in one.rules.changed_parts(one.state).items() if part is not None}
    one.state = one.rules.restore(one.region, parts)
    assert codes(one.given(nothing(1), ALFA)) == ["impossible_minutes"]


@pytest.mark.parametrize("again", [1, 2])
def test_rules_never_go_back(again: int) -> None:
    """A version that is in force already, or lower, changes nothing and says so."""
    one = World(region=NATIONAL, rules=RegionRules(REFERENCE, changes=NEXT))
    assert codes(one.given(activation(2), OPERATOR)) == ["applied"]
    assert codes(one.given(activation(again, record="rules-2x"), OPERATOR)) == ["rules_not_newer"]


def test_a_release_that_does_not_know_the_version_refuses_to_guess() -> None:
    """In the region fold, also from a snapshot, and in the match fold."""
    newer, older = world(changes=NEXT), world()
    with pytest.raises(UnknownRules, match="knows up to 1; start a newer release"):
        older.given(activation(2), OPERATOR, home=False)
    newer.given(activation(2), OPERATOR, home=False)
    parts = {name: part for name, part in newer.rules.changed_parts(newer.state).items() if part is not None}
    with pytest.raises(UnknownRules):
        older.rules.restore(older.region, parts)
    match = MatchRules(REFERENCE, WARM_MODEL)
    logged = newer.log[-1]
    with pytest.raises(UnknownRules):
        match.decide(match.open(NATIONAL), logged)


def test_a_small_change_asks_the_case_which_rules_hold() -> None:
    """Not every change is a whole rule."""
    seen: list[int] = []

    def curious(case: Case, event: e.CapacityDeclared) -> Verdict:
        seen.append(case.rules)
        return APPLIED

    one = world(changes=(Change(), Change(rules={e.CapacityDeclared: curious})))
    one.given(activation(3), OPERATOR, home=False)
    one.given(nothing(1), ALFA)
    assert seen == [3]
