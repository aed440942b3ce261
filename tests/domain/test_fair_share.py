"""The fair share of a region's burden: targets, carry, ledger and flags, told by example."""

from dataclasses import replace
from fractions import Fraction

import pytest

from hub.domain.fair_share import (
    Carry,
    CarryEntry,
    LowRun,
    ShareRules,
    Shares,
    Standing,
    Tally,
    close_month,
    contributions,
    is_flagged,
    jain_index,
    low_run_after,
    share_out,
)
from hub.domain.identifiers import Agb, Month, Pc4

JULY = Month(2026 * 12 + 6)
MERWEDE, LINGE, WAAL = Agb("41000001"), Agb("41000002"), Agb("41000003")


def hours(number: float) -> int:
    """Hours in minutes."""
    return int(number * 60)


def standing(provider: Agb, deployable: float, own: float = 0, delivered: float = 0, carry: float = 0) -> Standing:
    """A provider with employed carers only; figures in hours."""
    return Standing(provider, hours(deployable), 0, hours(delivered), hours(own), hours(carry))


def targets(*members: Standing, pool: float) -> dict[Agb, float]:
    """Targets in hours."""
    return {share.provider: share.target_minutes / 60 for share in share_out(members, hours(pool)).shares}


def test_deployable_hours_weigh_two_thirds_and_delivered_hours_one_third() -> None:
    """Equal hours, but only one of them delivered here in the last year: ⅔·½ + ⅓ against ⅔·½."""
    shares = share_out([standing(MERWEDE, 100, delivered=900), standing(LINGE, 100)], hours(60))
    assert [share.weight for share in shares.shares] == [Fraction(2, 3), Fraction(1, 3)]
    assert [share.target for share in shares.shares] == [hours(40), hours(20)]


def test_where_nothing_was_delivered_yet_deployable_hours_speak_alone() -> None:
    """A new region has no year behind it."""
    assert targets(standing(MERWEDE, 300), standing(LINGE, 100), pool=80) == {MERWEDE: 60, LINGE: 20}


def test_what_one_cannot_carry_the_others_do() -> None:
    """Linge has 5 h left after its own clients; the rest is shared by weight among those with room."""
    members = [standing(MERWEDE, 100), standing(LINGE, 100, own=95), standing(WAAL, 100)]
    assert targets(*members, pool=65) == {MERWEDE: 30, LINGE: 5, WAAL: 30}


def test_what_nobody_can_carry_is_published() -> None:
    """50 h asked, 30 h spare: the unmet 20 h stand in the open."""
    shares = share_out([standing(MERWEDE, 100, own=80), standing(LINGE, 100, own=90)], hours(50))
    assert shares.unmet_minutes == hours(20)
    assert sum(share.target_minutes for share in shares.shares) == hours(30)


def test_who_is_busier_than_it_can_be_has_no_spare_time_rather_than_less_than_none() -> None:
    """Own obligations above the deployable hours are no negative room that others would have to fill."""
    assert targets(standing(MERWEDE, 100, own=150), standing(LINGE, 100), pool=10) == {MERWEDE: 0, LINGE: 10}


def test_who_carried_too_much_is_asked_for_less() -> None:
    """The carry comes off before the pool is shared: 24 h too much, equal weights, 48 h to share."""
    assert targets(standing(MERWEDE, 200, carry=24), standing(LINGE, 200), pool=48) == {MERWEDE: 12, LINGE: 36}


def test_while_some_owe_care_the_others_may_be_asked_for_nothing() -> None:
    """The level may be negative: the debt is larger than the pool."""
    assert targets(standing(MERWEDE, 200, carry=-24), standing(LINGE, 200), pool=12) == {MERWEDE: 12, LINGE: 0}


def test_targets_are_whole_minutes_that_add_up() -> None:
    """A hundred minutes over three equals: the odd minute goes to one of them."""
    shares = share_out([standing(MERWEDE, 10), standing(LINGE, 10), standing(WAAL, 10)], 100)
    assert sorted(share.target_minutes for share in shares.shares) == [33, 33, 34]


@pytest.mark.parametrize("members", [[], [standing(MERWEDE, 0)], [standing(MERWEDE, 10, own=20)]])
def test_a_region_without_spare_time_shares_out_nothing(members: list[Standing]) -> None:
    """No division by nothing."""
    shares = share_out(members, hours(24))
    assert shares.unmet_minutes == hours(24)
    assert sum(share.target_minutes for share in shares.shares) == 0


def test_wrong_figures_are_refused() -> None:
    """Each refusal says what was found."""
    with pytest.raises(ValueError, match="found a pool of -1 minutes"):
        share_out([], -1)
    with pytest.raises(ValueError, match="found provider 41000001 twice"):
        share_out([standing(MERWEDE, 1), standing(MERWEDE, 2)], 1)
    with pytest.raises(ValueError, match="found -60 minutes for provider 41000001"):
        standing(MERWEDE, -1)
    with pytest.raises(ValueError, match="found capacity weight 1/2 and delivery weight 1/3"):
        ShareRules(capacity_weight=Fraction(1, 2))


def one_month(carry: Carry, month: Month, accepted: float) -> tuple[Shares, Carry]:
    """Two equals share 48 h a month; Merwede accepts so much."""
    shares = share_out([standing(MERWEDE, 200, carry=carry.at(month).minutes / 60), standing(LINGE, 200)], hours(48))
    return shares, close_month(carry, shares.of(MERWEDE), hours(accepted), month)


def test_a_client_too_many_is_made_good_once() -> None:
    """24 h above its share in July; in August it is asked for 12 h less, and after the next months it is even."""
    _, carry = one_month(Carry(), JULY, accepted=48)
    assert carry == Carry((CarryEntry(JULY, hours(24)),))
    asked = []
    for month in range(JULY + 1, JULY + 4):
        shares, _ = one_month(carry, Month(month), accepted=0)
        target = shares.of(MERWEDE).target_minutes
        asked.append(target / 60)
        _, carry = one_month(carry, Month(month), accepted=target / 60)
    assert asked == [12, 24, 24]
    assert carry == Carry()


def test_a_declined_or_open_proposal_is_no_care() -> None:
    """Nothing accepted of a target of 24 h: next month it is asked for more."""
    _, carry = one_month(Carry(), JULY, accepted=0)
    assert carry.minutes == -hours(24)
    assert one_month(carry, Month(JULY + 1), accepted=0)[0].of(MERWEDE).target_minutes == hours(36)


def test_a_carry_expires_after_twelve_months() -> None:
    """What was not made good by then is forgotten."""
    carry = Carry((CarryEntry(JULY, 600), CarryEntry(Month(JULY + 1), 60)))
    assert carry.at(Month(JULY + 12)).minutes == 660
    assert carry.at(Month(JULY + 13)).minutes == 60
    assert carry.at(Month(JULY + 14)).minutes == 0


def test_what_comes_off_comes_off_the_oldest_month_first() -> None:
    """So what is left expires as late as it can."""
    carry = Carry((CarryEntry(JULY, 600), CarryEntry(Month(JULY + 1), 60)))
    assert carry.after(Month(JULY + 2), -630) == Carry((CarryEntry(Month(JULY + 1), 30),))
    assert carry.after(Month(JULY + 2), -700) == Carry((CarryEntry(Month(JULY + 2), -40),))


def test_the_ledger_says_who_carried_what_part_of_its_target() -> None:
    """Open and accepted proposals count; equal parts share a rank; without a target there is none."""
    members = [standing(MERWEDE, 100), standing(LINGE, 100), standing(WAAL, 100, own=100)]
    shares = share_out(members, hours(48))
    tallies = [Tally(MERWEDE, open_minutes=hours(6), accepted_minutes=hours(6)), Tally(LINGE)]
    ledger = contributions(JULY, members, tallies, shares)
    assert [line.fulfilment for line in ledger.lines] == [Fraction(1, 2), 0, None]
    assert [line.rank for line in ledger.lines] == [1, 2, None]
    assert ledger.jain_index == Fraction(1, 2)
    assert ledger.allocated_minutes == hours(12)


def test_care_above_the_guideline_counts_only_while_others_give_minimal_care() -> None:
    """More than the guideline is no over-delivery in a region where nobody had to scale down."""
    members = [standing(MERWEDE, 100), standing(LINGE, 100)]
    generous = Tally(MERWEDE, above_guideline_minutes=hours(9))
    shares = share_out(members, 0)
    alone = contributions(JULY, members, [generous], shares)
    beside = contributions(JULY, members, [generous, Tally(LINGE, scaled_to_floor=True)], shares)
    itself = contributions(JULY, members, [replace(generous, scaled_to_floor=True)], shares)
    assert [ledger.lines[0].over_delivery_minutes for ledger in (alone, beside, itself)] == [0, hours(9), 0]


def test_delivering_above_what_was_declared_shows() -> None:
    """Declaring less lowers weight and target; what was delivered tells."""
    members = [standing(MERWEDE, 100), standing(LINGE, 100)]
    tally = Tally(MERWEDE, delivered_employed_minutes=hours(110))
    ledger = contributions(JULY, members, [tally], share_out(members, 0))
    assert [line.delivered_above_declared_minutes for line in ledger.lines] == [hours(10), 0]


def test_the_gap_between_employed_and_self_employed_is_delivered_per_deployable_hour() -> None:
    """60 of 80 employed hours against 20 of 20 self-employed: a quarter less. No gap where one group is empty."""
    both = Standing(MERWEDE, hours(80), hours(20), 0, 0)
    tally = Tally(MERWEDE, delivered_employed_minutes=hours(60), delivered_self_employed_minutes=hours(20))
    members = [both, standing(LINGE, 100)]
    ledger = contributions(JULY, members, [tally], share_out(members, 0))
    assert [line.employment_gap for line in ledger.lines] == [Fraction(-1, 4), None]


def test_a_tally_of_a_stranger_is_refused() -> None:
    """What it did would silently be left out of the region."""
    with pytest.raises(ValueError, match="found a tally of provider 41000009"):
        contributions(JULY, [standing(MERWEDE, 1)], [Tally(Agb("41000009"))], share_out([standing(MERWEDE, 1)], 0))


@pytest.mark.parametrize(
    ("accepted", "target", "before", "months"),
    [
        (59, 80, None, 1),
        (59, 80, LowRun(Month(JULY - 1), 1), 2),
        (59, 80, LowRun(Month(JULY - 2), 1), 1),
        (64, 80, LowRun(Month(JULY - 1), 1), None),
        (0, 71, LowRun(Month(JULY - 1), 1), None),
    ],
    ids=["first low month", "second in a row", "a month between", "four fifths is enough", "too small to judge"],
)
def test_a_run_of_low_months(accepted: int, target: int, before: LowRun | None, months: int | None) -> None:
    """F below 0.8, two months running, with a target of at least 72 h."""
    members = [standing(MERWEDE, 1000)]
    shares = share_out(members, hours(target))
    ledger = contributions(JULY, members, [Tally(MERWEDE, accepted_minutes=hours(accepted))], shares)
    run = low_run_after(before, ledger.lines[0], JULY)
    assert (None if run is None else run.months) == months
    assert is_flagged(run) == (months == 2)


@pytest.mark.parametrize(
    ("values", "index"),
    [([1, 1, 1], Fraction(1)), ([1, 0, 0, 0], Fraction(1, 4)), ([2, 1], Fraction(9, 10)), ([], None), ([0, 0], None)],
)
def test_the_jain_index(values: list[int], index: Fraction | None) -> None:
    """1 when all are equal, 1/n when one has everything."""
    assert jain_index(Fraction(value) for value in values) == index


def test_refusals_and_declines_are_kept_by_postcode_and_reason() -> None:
    """The ledger carries what the fold counted, untouched."""
    tally = Tally(MERWEDE, declines=(("no_room", 2),), refusals=((Pc4("1011"), 7),))
    members = [standing(MERWEDE, 1)]
    line = contributions(JULY, members, [tally], share_out(members, 0)).lines[0]
    assert line.tally.declines == (("no_room", 2),) and line.tally.refusals == ((Pc4("1011"), 7),)
