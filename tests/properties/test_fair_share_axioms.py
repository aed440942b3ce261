"""What the fair share promises, for any region: each promise is a property, and each is seen to fail on a mistake."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain import fair_share
from hub.domain.fair_share import Carry, ShareRules, Standing
from hub.domain.identifiers import Agb, Month
from tests.properties.planted import Mistake, breaks, planted

MARCH = Month(2026 * 12 + 2)
RULES = ShareRules()

Region = tuple[list[Standing], int]


@st.composite
def regions(draw: st.DrawFn) -> Region:
    """One to six contracted providers, small figures so that ties and corners are met, and a pool."""
    count = draw(st.integers(1, 6))
    minutes = st.integers(0, 12)
    members = [
        Standing(
            provider=Agb(f"4100{number:04d}"),
            employed_minutes=draw(minutes),
            self_employed_minutes=draw(minutes),
            delivered_minutes_12m=draw(minutes),
            own_obligation_minutes=draw(minutes),
            carry_minutes=draw(st.integers(-6, 6)),
        )
        for number in range(count)
    ]
    return members, draw(st.integers(0, 60))


def all_that_can_be_shared_is_shared(rules: ModuleType, region: Region) -> None:
    members, pool = region
    shares = rules.share_out(members, pool)
    spare = sum(member.spare_minutes for member in members)
    assert sum(share.target for share in shares.shares) == min(pool, spare)
    assert shares.unmet_minutes == pool - min(pool, spare)


def nobody_is_asked_beyond_its_spare_time(rules: ModuleType, region: Region) -> None:
    members, pool = region
    shares = rules.share_out(members, pool)
    for member in members:
        assert 0 <= shares.of(member.provider).target <= member.spare_minutes


def nobody_bears_more_for_its_weight_unless_the_others_are_full(rules: ModuleType, region: Region) -> None:
    """Weighted max-min: of two that bear something, the one with the higher burden is there for lack of room."""
    members, pool = region
    shares = rules.share_out(members, pool)
    for one in shares.shares:
        for other in shares.shares:
            if one.target > 0 and other.target < other.spare_minutes:
                burden = (one.target + one.carry_minutes) / one.weight
                assert burden <= (other.target + other.carry_minutes) / other.weight


def rounding_adds_up_and_moves_nobody_by_a_minute(rules: ModuleType, region: Region) -> None:
    members, pool = region
    shares = rules.share_out(members, pool)
    assert sum(share.target_minutes for share in shares.shares) == sum(share.target for share in shares.shares)
    for share in shares.shares:
        assert abs(share.target_minutes - share.target) < 1
        assert share.target_minutes <= share.spare_minutes


def a_provider_finds_its_target_from_its_own_figures(rules: ModuleType, region: Region) -> None:
    members, pool = region
    shares = rules.share_out(members, pool)
    for member in members:
        weight = rules.weight_of(member, shares.deployable_minutes, shares.delivered_minutes_12m, RULES)
        assert rules.own_target(member, weight, shares.level_minutes) == shares.of(member.provider).target


def other_names_change_nothing(rules: ModuleType, region: Region) -> None:
    members, pool = region
    renamed = [
        replace(member, provider=Agb(f"4199{9999 - int(member.provider[4:]):04d}")) for member in reversed(members)
    ]

    def asked(of: list[Standing]) -> Counter[tuple[Standing, int]]:
        shares = rules.share_out(of, pool)
        return Counter((replace(member, provider=Agb("")), shares.of(member.provider).target_minutes) for member in of)

    assert asked(members) == asked(renamed)


def a_larger_pool_asks_nobody_less(rules: ModuleType, region: Region) -> None:
    members, pool = region
    before, after = rules.share_out(members, pool), rules.share_out(members, pool + 1)
    for share in before.shares:
        assert after.of(share.provider).target >= share.target


def who_meets_its_target_owes_no_more_than_before(rules: ModuleType, region: Region) -> None:
    """The carry moves towards zero, and never past it, by at most a minute of rounding."""
    members, pool = region
    shares = rules.share_out(members, pool)
    for share in shares.shares:
        carried = Carry().after(Month(MARCH - 1), share.carry_minutes)
        left = rules.close_month(carried, share, share.target_minutes, MARCH).minutes
        assert abs(left) <= abs(share.carry_minutes)
        assert left * share.carry_minutes >= 0


AXIOMS: list[Callable[[ModuleType, Region], None]] = [
    all_that_can_be_shared_is_shared,
    nobody_is_asked_beyond_its_spare_time,
    nobody_bears_more_for_its_weight_unless_the_others_are_full,
    rounding_adds_up_and_moves_nobody_by_a_minute,
    a_provider_finds_its_target_from_its_own_figures,
    other_names_change_nothing,
    a_larger_pool_asks_nobody_less,
    who_meets_its_target_owes_no_more_than_before,
]


@pytest.mark.parametrize("axiom", AXIOMS, ids=lambda axiom: axiom.__name__)
def test_the_fair_share_promises(axiom: Callable[[ModuleType, Region], None]) -> None:
    """Each promise holds for any region."""

    @given(regions())
    def holds(region: Region) -> None:
        axiom(fair_share, region)

    holds()


MISTAKES: list[tuple[Callable[[ModuleType, Region], None], Mistake]] = [
    (
        all_that_can_be_shared_is_shared,
        Mistake("the last stretch is not filled", "if filled < shared_minutes:", "if False:"),
    ),
    (
        nobody_is_asked_beyond_its_spare_time,
        Mistake(
            "targets know no room",
            "return min(Fraction(standing.spare_minutes), max(",
            "return max(Fraction(0), max(",
        ),
    ),
    (
        nobody_bears_more_for_its_weight_unless_the_others_are_full,
        Mistake(
            "all full at once, in proportion to spare time",
            "targets = [own_target(member, weight, level) for member, weight in zip(members, weights, strict=True)]",
            "targets = [Fraction(shared * member.spare_minutes,"
            " max(1, sum(one.spare_minutes for one in members))) for member in members]",
        ),
    ),
    (
        nobody_bears_more_for_its_weight_unless_the_others_are_full,
        Mistake(
            "the carry is forgotten",
            "level_minutes * weight - standing.carry_minutes",
            "level_minutes * weight",
        ),
    ),
    (
        rounding_adds_up_and_moves_nobody_by_a_minute,
        Mistake("remainders are dropped", "        whole[index] += 1", "        pass"),
    ),
    (
        rounding_adds_up_and_moves_nobody_by_a_minute,
        Mistake("the remainder goes to one", "for index in order[:left]:", "for index in [order[0]] * left:"),
    ),
    (
        a_provider_finds_its_target_from_its_own_figures,
        Mistake(
            "the published level is rounded", "deployable, delivered, level)", "deployable, delivered, round(level))"
        ),
    ),
    (
        other_names_change_nothing,
        Mistake("equal remainders go by name", "(whole[index] - shares[index], precedence[index])", "index"),
    ),
    (
        a_larger_pool_asks_nobody_less,
        Mistake(
            "the pool starts again at seven",
            "shared = min(pool_minutes, ",
            "shared = min(pool_minutes % 7, ",
        ),
    ),
    (
        who_meets_its_target_owes_no_more_than_before,
        Mistake(
            "the carry is applied and never paid",
            "accepted_minutes - share.target_minutes - share.settled_minutes",
            "accepted_minutes - share.target_minutes + share.settled_minutes",
        ),
    ),
]


@pytest.mark.parametrize(("axiom", "mistake"), MISTAKES, ids=[mistake.name for _, mistake in MISTAKES])
def test_a_planted_mistake_breaks_the_promise(axiom: Callable[[ModuleType, Region], None], mistake: Mistake) -> None:
    """A promise that nothing can break would be no promise."""
    broken = planted(fair_share, mistake)
    assert breaks(lambda region: axiom(broken, region), regions())


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(-40, 40)), max_size=30))
def test_a_carry_is_the_sum_of_what_was_left_over(months: list[tuple[int, int]]) -> None:
    """Netting off oldest first changes which month stands, never the sum, and leaves one sign only."""
    carry, month, total = Carry(), MARCH, 0
    for later, deviation in months:
        month = Month(month + later)
        carry, total = carry.after(month, deviation), total + deviation
        assert carry.minutes == total
        assert len({entry.minutes > 0 for entry in carry.entries}) <= 1
        assert all(entry.minutes for entry in carry.entries)
        assert [entry.month for entry in carry.entries] == sorted(entry.month for entry in carry.entries)
