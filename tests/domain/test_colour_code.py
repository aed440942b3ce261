"""The colour of a region, predicate by predicate: state × evidence → colour, reason and clause."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, timedelta
from statistics import NormalDist

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.chance import Load
from hub.domain.colour_code import (
    Capacity,
    CareGiven,
    ColourState,
    Judgement,
    Mediation,
    Missed,
    MonthEvidence,
    ProviderMonth,
    RegionEvidence,
    Truth,
    in_force,
    initial_state,
    mediation,
    minimal_care,
    next_colour,
)
from hub.domain.events import CapacityDeclared, FullDeclared
from hub.domain.full_claim import ClaimEvidence, ClaimStatus, ClaimVerdict, StandingClaim, judge_claim
from hub.domain.identifiers import Agb, Month, RecordId, RegionCode, Uzovi, first_day, parse_month
from hub.domain.load_forecast import Due, RegistrationLoad
from hub.domain.region_forecast import NO_SURROUNDINGS, Benchmark, RegionForecast
from hub.domain.region_plan import (
    CapacityRules,
    ColourRules,
    ForecastRules,
    MediatorRule,
    PlanBook,
    RegionPlan,
    national_defaults,
)
from hub.domain.words import (
    CapacityMethod,
    CareEndReason,
    ClaimJudgement,
    ComputedColour,
    DeclaredColour,
    FullLevel,
    FullStatus,
    Mediator,
    RemovalReason,
)

RULES = ColourRules()
DAY = date(2026, 3, 2)
APRIL, MAY = parse_month("2026-04"), parse_month("2026-05")
Q, SD = 1_000_000, 1_000
HERE = RegionCode("KSV-07")
AGB = Agb("41000001")
LEADS = (Uzovi("3311"), Uzovi("7119"))
C = ComputedColour
FRESH_HOURS = Capacity(known_minutes=Q)
NO_HOURS = Capacity(known_minutes=0, declared=False)
OLD_HOURS = Capacity(known_minutes=Q // 2, doubtful_minutes=Q // 2)

CONTRADICTED = ClaimVerdict(ClaimStatus.CONTRADICTED, ("load_leaves_room",))
UNVERIFIED = ClaimVerdict(ClaimStatus.UNVERIFIED, ("too_few_clients_to_tell",))
VERIFIED = ClaimVerdict(ClaimStatus.VERIFIED, ("load_bears_it_out",))


def load(chance: float, capacity: int = Q) -> Load:
    """A load that exceeds the capacity with this chance, a hair above it so that a threshold is reached."""
    return Load(1, capacity + round(SD * NormalDist().inv_cdf(min(0.9999, chance + 0.0005))), SD * SD)


def month(
    mean: float = 0.01,
    minimal: float = 0.001,
    *providers: ProviderMonth,
    capacity: Capacity = FRESH_HOURS,
    at: Month = APRIL,
) -> MonthEvidence:
    """One month with these chances of a shortfall at the mean and at minimal care."""
    return MonthEvidence(
        month=at,
        load_mean=load(mean, capacity.hopeful_minutes),
        load_minimal=load(minimal, capacity.hopeful_minutes),
        capacity=capacity,
        providers=providers,
    )


def provider(
    chance: float = 0.001,
    *,
    agb: str = AGB,
    clients: int = 40,
    capacity: int = Q // 4,
    full: ClaimVerdict | None = None,
    guideline_full: ClaimVerdict | None = None,
    measures: bool = False,
    binding: bool = True,
) -> ProviderMonth:
    """One provider that carries a quarter of the region, with this chance of falling short of minimal care."""
    return ProviderMonth(
        provider=Agb(agb),
        clients=clients,
        load_minimal=load(chance, capacity),
        capacity=Capacity(known_minutes=capacity),
        binding=binding,
        measures_recorded=measures,
        full=full,
        guideline_full=guideline_full,
    )


def region(*months: MonthEvidence, measures: bool = False) -> RegionEvidence:
    """The evidence of a day."""
    return RegionEvidence(months=months, region_measures_recorded=measures)


def judge(*months: MonthEvidence, measures: bool = False, before: ColourState | None = None) -> Judgement:
    """The colour that follows, from green if nothing else is said."""
    state = before or ColourState(colour=C.GREEN, since=DAY)
    return next_colour(state, region(*months, measures=measures), RULES, DAY)


OTHER_FINE = provider(agb="41000002", clients=200, capacity=3 * Q // 4)
ONE_FULL = provider(full=VERIFIED)
TWO_FULL = (ONE_FULL, provider(agb="41000002", full=VERIFIED))


@pytest.mark.parametrize(
    ("evidence", "measures", "colour", "code", "clause"),
    [
        # By the region's own chances
        pytest.param(month(0.19), False, C.GREEN, "no_shortage", "S1 rule 1", id="green"),
        pytest.param(month(0.20), False, C.ORANGE_THREAT, "near_short_of_mean", "S1 rule 2", id="orange threatens"),
        pytest.param(month(0.49), False, C.ORANGE_THREAT, "near_short_of_mean", "S1 rule 2", id="not yet orange"),
        pytest.param(month(0.50), False, C.ORANGE, "short_of_mean", "S1 rule 2", id="orange"),
        pytest.param(month(0.9, 0.29), False, C.ORANGE, "short_of_mean", "S1 rule 2", id="no threat of red yet"),
        pytest.param(month(0.9, 0.30), False, C.RED_THREAT, "region_near_unable", "S0 rule 32", id="red threatens"),
        pytest.param(month(0.9, 0.6), True, C.RED_A, "region_unable", "S1 rule 3", id="red with measures"),
        pytest.param(
            month(0.9, 0.6), False, C.RED_THREAT, "measures_not_recorded", "S1 rule 3", id="red waits for measures"
        ),
        # By one provider
        pytest.param(
            month(0.01, 0.001, provider(0.35), OTHER_FINE),
            False, C.RED_THREAT, "provider_near_unable", "S0 rule 32", id="a provider that matters threatens",
        ),
        pytest.param(
            month(0.01, 0.001, provider(0.45, clients=19), OTHER_FINE),
            True, C.GREEN, "no_shortage", "S1 rule 1", id="too few clients to threaten",
        ),
        pytest.param(
            month(0.01, 0.001, provider(0.45, capacity=Q // 25), OTHER_FINE),
            True, C.GREEN, "no_shortage", "S1 rule 1", id="under 5 % of the load does not threaten",
        ),
        pytest.param(
            month(0.01, 0.001, provider(0.6, measures=True), OTHER_FINE),
            False, C.RED_A, "provider_unable", "S1 rule 3", id="one provider unable, its measures recorded",
        ),
        pytest.param(
            month(0.01, 0.001, provider(0.6), OTHER_FINE),
            False, C.RED_THREAT, "measures_not_recorded", "S1 rule 3", id="one provider unable, nothing recorded",
        ),
        # By claims
        pytest.param(
            month(0.01, 0.001, ONE_FULL, OTHER_FINE),
            False, C.RED_A, "provider_full", "S1 rule 3", id="one verified 'vol'",
        ),
        pytest.param(
            month(0.01, 0.001, provider(full=CONTRADICTED), OTHER_FINE),
            False, C.GREEN, "claim_contradicted", "rule 13", id="a false 'vol'",
        ),
        pytest.param(
            month(0.01, 0.001, provider(full=UNVERIFIED), OTHER_FINE),
            False, C.GREEN, "claim_unverified", "rule 13", id="an unverified 'vol'",
        ),
        pytest.param(
            month(0.01, 0.001, provider(guideline_full=VERIFIED), OTHER_FINE),
            False, C.ORANGE, "guideline_full", "S1 rule 13", id="a verified guideline-full",
        ),
        pytest.param(
            month(0.01, 0.001, provider(guideline_full=CONTRADICTED), OTHER_FINE),
            False, C.GREEN, "claim_contradicted", "rule 13", id="a false guideline-full",
        ),
        pytest.param(month(0.01, 0.001, *TWO_FULL), True, C.RED_B, "all_full", "S0 rule 4", id="all full"),
        pytest.param(
            month(0.01, 0.001, ONE_FULL, provider(agb="41000002", full=UNVERIFIED)),
            True, C.RED_A, "provider_full", "S1 rule 3", id="not all verified",
        ),
        pytest.param(
            month(0.01, 0.001, *TWO_FULL, provider(agb="41000003", binding=False)),
            True, C.RED_B, "all_full", "S0 rule 4", id="neither contracted nor a member of Bo",
        ),
        pytest.param(
            month(0.01, 0.001, *TWO_FULL, provider(agb="41000003", clients=0, capacity=0)),
            True, C.RED_B, "all_full", "S0 rule 4", id="a provider without clients or hours is not asked",
        ),
        # What is not known
        pytest.param(
            month(capacity=NO_HOURS), False, C.UNKNOWN, "capacity_unknown", "S3 rule 16", id="nothing declared",
        ),
        pytest.param(
            month(capacity=OLD_HOURS), False, C.UNKNOWN, "capacity_unknown", "S3 rule 16", id="green on old hours",
        ),
        pytest.param(
            month(0.6, capacity=OLD_HOURS),
            False, C.ORANGE, "short_of_mean", "S1 rule 2", id="orange even with old hours",
        ),
        pytest.param(
            month(capacity=Capacity(known_minutes=2 * Q, doubtful_minutes=0)),
            False, C.GREEN, "no_shortage", "S1 rule 1", id="late capacity came",
        ),
    ],
)  # fmt: skip
def test_a_predicate_gives_its_colour_reason_and_clause(
    evidence: MonthEvidence, measures: bool, colour: ComputedColour, code: str, clause: str
) -> None:
    """DOMAIN "Colour predicates", from a green region."""
    judged = judge(evidence, measures=measures)
    assert judged.state.colour is colour
    assert code in judged.codes
    assert clause in judged.clauses


def test_green_without_the_old_hours_is_green() -> None:
    """Hours that nobody stands for are not needed: the colour is known."""
    enough = replace(month(), capacity=Capacity(known_minutes=Q, doubtful_minutes=Q // 2))
    assert judge(enough).state.colour is C.GREEN


def test_no_months_no_knowledge() -> None:
    """A region of which nothing is known is unknown, never green."""
    judged = judge(before=initial_state(DAY))
    assert judged.state.colour is C.UNKNOWN
    assert judged.codes == ("capacity_unknown",)


def test_the_gravest_month_gives_the_colour_and_each_ground_names_its_month() -> None:
    """April is fine, May is short."""
    judged = judge(month(), month(0.7, at=MAY))
    assert judged.state.colour is C.ORANGE
    ground = judged.reasons[0]
    assert (ground.code, ground.month, ground.clause) == ("short_of_mean", MAY, "S1 rule 2")
    assert (ground.permille, ground.capacity_minutes) == (700, Q)


def test_both_readings_of_red_are_kept() -> None:
    """Red-a by S1 and red-b by S0 hold together; each is published (DOMAIN "Conflicts")."""
    judged = judge(month(0.01, 0.001, *TWO_FULL), measures=True)
    assert (judged.red_a, judged.red_b, judged.state.colour) == (Truth.YES, Truth.YES, C.RED_B)
    assert {"S0 rule 4", "S1 rule 3"} <= set(judged.clauses)


def test_red_without_recorded_measures_says_so() -> None:
    """Rule 3: the provider is full, the colour is red, and the missing inventory stands beside it."""
    judged = judge(month(0.01, 0.001, ONE_FULL, OTHER_FINE))
    assert judged.state.colour is C.RED_A
    assert judged.codes[:2] == ("provider_full", "measures_not_recorded")


def test_a_signal_that_red_threatens_stands_beside_the_colour() -> None:
    """Rule 32: an input beside the computed warning, not a ground for it."""
    signalled = replace(region(month()), red_threats=((MAY, None),))
    judged = next_colour(ColourState(colour=C.GREEN, since=DAY), signalled, RULES, DAY)
    assert judged.state.colour is C.GREEN
    assert "red_threat_signalled" in judged.codes


class TestLeaving:
    """A colour is entered at once and left slowly."""

    @staticmethod
    def days(chances: Iterable[MonthEvidence], start: ColourState | None = None) -> list[ComputedColour]:
        """The colour after each day's evidence, from green."""
        state, colours = start or ColourState(colour=C.GREEN, since=DAY), []
        for n, evidence in enumerate(chances):
            state = next_colour(state, region(evidence, measures=True), RULES, DAY + timedelta(days=n)).state
            colours.append(state.colour)
        return colours

    def test_orange_is_left_after_14_days_at_or_below_the_lower_threshold(self) -> None:
        """Day 1 clear, day 15 gone; the threat that is left speaks then."""
        colours = self.days([month(0.6), *[month(0.39)] * 15])
        assert colours == [C.ORANGE] * 15 + [C.ORANGE_THREAT]

    def test_between_the_thresholds_orange_stays(self) -> None:
        """0.45 enters nothing and leaves nothing."""
        assert self.days([month(0.45)]) == [C.ORANGE_THREAT]
        assert set(self.days([month(0.6), *[month(0.45)] * 40])) == {C.ORANGE}

    def test_a_flapping_figure_keeps_one_colour(self) -> None:
        """Every relapse starts the fortnight anew."""
        flapping = [month(0.6), *([month(0.1)] * 13 + [month(0.41)]) * 3]
        assert set(self.days(flapping)) == {C.ORANGE}

    def test_red_is_left_after_14_clear_days_and_orange_by_its_own_clock(self) -> None:
        """Both clocks ran side by side where both were clear."""
        red = month(0.9, 0.6)
        assert self.days([red, *[month(0.1)] * 15]) == [C.RED_A] * 15 + [C.GREEN]
        assert self.days([red, *[month(0.45)] * 15]) == [C.RED_A] * 15 + [C.ORANGE]

    def test_the_threat_of_red_falls_back_to_orange(self) -> None:
        """Never below orange, so orange is left by its own rule."""
        threat = month(0.01, 0.001, provider(0.35), OTHER_FINE)
        assert self.days([threat, month(), month()]) == [C.RED_THREAT, C.ORANGE, C.ORANGE]

    def test_a_threat_of_orange_is_left_at_once(self) -> None:
        """Hysteresis is for orange and red; the alert has quiet days of its own."""
        assert self.days([month(0.3), month(0.1)]) == [C.ORANGE_THREAT, C.GREEN]

    def test_not_knowing_clears_nothing(self) -> None:
        """A fortnight of silence leaves an orange region orange, and a green one unknown."""
        silence = [month(capacity=OLD_HOURS)] * 20
        assert set(self.days([month(0.6), *silence])) == {C.ORANGE}
        assert self.days([month(), silence[0]]) == [C.GREEN, C.UNKNOWN]

    def test_doubt_about_the_mean_alone_clears_nothing_either(self) -> None:
        """Minimal care is safe without the old hours, the mean is not known to be: orange stays."""
        doubtful = replace(month(capacity=OLD_HOURS), load_minimal=Load(1, 1))
        assert set(self.days([month(0.6), *[doubtful] * 20])) == {C.ORANGE}

    def test_since_is_the_day_of_the_change(self) -> None:
        """Not of the last judgement."""
        state = ColourState(colour=C.GREEN, since=DAY)
        for n in range(5):
            state = next_colour(state, region(month(0.6)), RULES, DAY + timedelta(days=n)).state
        assert (state.colour, state.since) == (C.ORANGE, DAY)

    @pytest.mark.parametrize("start", [date(2028, 2, 20), date(2026, 12, 25), date(2026, 3, 25), date(2026, 10, 20)])
    def test_a_fortnight_is_14_days_over_leap_days_month_ends_and_changes_of_the_clock(self, start: date) -> None:
        """Days are counted, not months and not hours."""
        state = ColourState(colour=C.ORANGE, since=start, orange=True)
        for n in range(15):
            state = next_colour(state, region(month()), RULES, start + timedelta(days=n)).state
            assert (state.colour is C.ORANGE) == (n < 14)

    @settings(deadline=None)
    @given(st.lists(st.tuples(st.floats(0.001, 0.95), st.floats(0.001, 0.95)), min_size=1, max_size=40))
    def test_asked_twice_on_one_day_it_answers_the_same(self, chances: list[tuple[float, float]]) -> None:
        """A repeat changes neither the colour nor a clock."""
        state = ColourState(colour=C.GREEN, since=DAY)
        for n, (mean, minimal) in enumerate(chances):
            evidence, on = region(month(mean, min(mean, minimal)), measures=True), DAY + timedelta(days=n)
            state = next_colour(state, evidence, RULES, on).state
            assert next_colour(state, evidence, RULES, on).state == state

    @settings(deadline=None)
    @given(
        st.lists(st.tuples(st.floats(0.001, 0.95), st.floats(0.001, 0.95)), max_size=30),
        st.floats(0.001, 0.95),
        st.floats(0.001, 0.95),
    )
    def test_no_past_makes_a_colour_lighter_than_todays_evidence(
        self, past: list[tuple[float, float]], mean: float, minimal: float
    ) -> None:
        """Hysteresis only for leaving."""
        grave = [C.GREEN, C.ORANGE_THREAT, C.ORANGE, C.RED_THREAT, C.RED_A]
        fresh = judge(month(mean, minimal), measures=True).state.colour
        before = [month(a, b) for a, b in past]
        lived = self.days([*before, month(mean, minimal)])[-1]
        assert grave.index(lived) >= grave.index(fresh)


class TestClaims:
    """Who says that it is full, and whether that is so (rule 13)."""

    CLAIM = StandingClaim(
        record_id=RecordId("full-1"),
        level=FullLevel.MINIMUM,
        period_from=date(2026, 4, 1),
        period_until=date(2026, 4, 30),
        declared_on=DAY,
    )
    BUSY = ClaimEvidence(
        load=Load(1, 950), clients=40, capacity_minutes=1000, insurer_minutes=None, next_client_minutes=60
    )

    @pytest.mark.parametrize(
        ("claim", "evidence", "status", "reason"),
        [
            (CLAIM, BUSY, ClaimStatus.VERIFIED, "load_bears_it_out"),
            (CLAIM, replace(BUSY, load=Load(1, 940)), ClaimStatus.CONTRADICTED, "load_leaves_room"),
            (CLAIM, replace(BUSY, insurer_minutes=1010), ClaimStatus.CONTRADICTED, "insurer_sees_room"),
            (CLAIM, replace(BUSY, insurer_minutes=1000), ClaimStatus.VERIFIED, "load_bears_it_out"),
            (replace(CLAIM, registered_since=1), BUSY, ClaimStatus.CONTRADICTED, "registered_since"),
            (CLAIM, replace(BUSY, capacity_minutes=None), ClaimStatus.UNVERIFIED, "capacity_unknown"),
            (CLAIM, replace(BUSY, clients=4), ClaimStatus.UNVERIFIED, "too_few_clients_to_tell"),
            (
                replace(CLAIM, judged=ClaimJudgement.CONFIRMED, registered_since=9),
                replace(BUSY, load=Load(1, 0)),
                ClaimStatus.VERIFIED,
                "confirmed_by_coordinator",
            ),
            (
                replace(CLAIM, judged=ClaimJudgement.REJECTED),
                BUSY,
                ClaimStatus.CONTRADICTED,
                "rejected_by_coordinator",
            ),
        ],
    )
    def test_a_claim_is_held_against_load_insurer_and_registrations(
        self, claim: StandingClaim, evidence: ClaimEvidence, status: ClaimStatus, reason: str
    ) -> None:
        """One contradiction defeats it; the coordinator's word stands above all."""
        verdict = judge_claim(claim, evidence, RULES)
        assert (verdict.status, verdict.reasons[0]) == (status, reason)


PROVIDERS = tuple(Agb(f"4100000{n}") for n in range(1, 5))


def declared(agb: Agb, at: Month, hours: int, on: date, record: str = "") -> CapacityDeclared:
    """A provider's deployable hours for a month, all by employees."""
    return CapacityDeclared(
        record_id=RecordId(record or f"cap-{agb}-{at}"),
        version=1,
        provider=agb,
        region=HERE,
        period_from=first_day(at),
        period_until=first_day(Month(at + 1)) - timedelta(days=1),
        declared_on=on,
        method=CapacityMethod.ROSTER,
        contracted_employed_minutes=hours * 60,
        contracted_self_employed_minutes=0,
        deployable_employed_minutes=hours * 60,
        deployable_self_employed_minutes=0,
        subcontracted_minutes=0,
    )


def full(agb: Agb, level: FullLevel = FullLevel.MINIMUM, record: str = "full") -> FullDeclared:
    """'Vol', for the whole horizon."""
    return FullDeclared(
        record_id=RecordId(record),
        version=1,
        provider=agb,
        region=HERE,
        level=level,
        status=FullStatus.DECLARED,
        period_from=DAY,
        period_until=DAY + timedelta(days=300),
    )


def world(clients_per_month: list[int], hours: list[int], plan: RegionPlan | None = None) -> RegionForecast:
    """Four providers; each has so many clients, and so many hours, in each month of the horizon."""
    made = RegionForecast(plan or national_defaults(HERE), DAY)
    for agb, clients, own_hours in zip(PROVIDERS, clients_per_month, hours, strict=True):
        for at in made.months:
            for n in range(clients):
                due = first_day(at) + timedelta(days=n % 28)
                made.replace_load(None, RegistrationLoad(provider=agb, birth=Due(due), care_minutes=45 * 60))
            made.declare_capacity(declared(agb, at, own_hours, DAY))
    made.surround(replace(NO_SURROUNDINGS, binding=dict.fromkeys(PROVIDERS, True)))
    return made


def colour_of(made: RegionForecast, before: ColourState | None = None) -> Judgement:
    """The colour by the forecast."""
    state = before or ColourState(colour=C.GREEN, since=DAY)
    return next_colour(state, made.evidence(), made.plan.colours, made.today)


sizes = st.lists(st.integers(0, 30), min_size=4, max_size=4)


class TestOneTenant:
    """What one provider can do to the colour of a region, alone."""

    @settings(deadline=None, max_examples=30)
    @given(sizes, st.lists(st.integers(26, 120), min_size=4, max_size=4), st.integers(0, 3), st.booleans())
    def test_a_claim_that_the_load_does_not_bear_out_flips_nothing(
        self, clients: list[int], hours_each: list[int], who: int, at_minimum: bool
    ) -> None:
        """Whatever the region's colour, an unfounded 'vol' or guideline-full leaves it as it is."""
        made = world(clients, [max(40, c * h) for c, h in zip(clients, hours_each, strict=True)])
        before = colour_of(made)
        made.declare_full(full(PROVIDERS[who], FullLevel.MINIMUM if at_minimum else FullLevel.GUIDELINE))
        evidence = made.evidence()
        verdicts = [v for m in evidence.months for p in m.providers for v in (p.full, p.guideline_full) if v]
        after = colour_of(made)
        if not any(v.status is ClaimStatus.VERIFIED for v in verdicts):
            assert after.state.colour is before.state.colour

    @settings(deadline=None, max_examples=30)
    @given(sizes, st.integers(0, 3), st.integers(0, 100))
    def test_a_drop_beyond_the_bound_counts_no_further_than_the_bound(
        self, clients: list[int], who: int, percent: int
    ) -> None:
        """Until it is borne out, declaring next to nothing does what declaring the bound itself would do."""
        usual = [max(100, c * 50) for c in clients]
        agb, rules = PROVIDERS[who], CapacityRules()
        bound = usual[who] * (1000 - rules.drop_max_permille) // 1000
        dropped, at_bound = world(clients, usual), world(clients, usual)
        for made, hours in ((dropped, min(bound, usual[who] * percent // 100)), (at_bound, bound)):
            made.start_day(DAY + timedelta(days=1), made.plan)
            for at in made.months:
                made.declare_capacity(declared(agb, at, hours, DAY + timedelta(days=1)))
        assert colour_of(dropped).state == colour_of(at_bound).state

    def test_a_vol_and_a_drop_together_flip_nothing_either(self) -> None:
        """The drop is not believed, so it cannot bear out the 'vol'."""
        made = world([20, 20, 20, 20], [1100] * 4)
        assert colour_of(made).state.colour is C.GREEN
        made.start_day(DAY + timedelta(days=1), made.plan)
        for at in made.months:
            made.declare_capacity(declared(PROVIDERS[0], at, 0, DAY + timedelta(days=1)))
        made.declare_full(full(PROVIDERS[0]))
        judged = colour_of(made)
        assert judged.state.colour is C.GREEN
        assert "claim_contradicted" in judged.codes

    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.integers(6, 30), min_size=4, max_size=4), st.integers(0, 3))
    def test_one_providers_established_inability_flips_the_region(self, clients: list[int], who: int) -> None:
        """S1: even one. Its load at 24 hours leaves no room, so its 'vol' is true, and the whole region is red."""
        hours = [c * 70 for c in clients]
        hours[who] = clients[who] * 22
        made = world(clients, hours)
        made.declare_full(full(PROVIDERS[who]))
        assert colour_of(made).state.colour is C.RED_A

    def test_the_coordinators_word_settles_it(self) -> None:
        """A drop and a 'vol' that she confirms count in full."""
        made = world([20, 20, 20, 20], [1200] * 4)
        made.start_day(DAY + timedelta(days=1), made.plan)
        for at in made.months:
            made.declare_capacity(declared(PROVIDERS[0], at, 100, DAY + timedelta(days=1)))
        made.declare_full(full(PROVIDERS[0]))
        assert colour_of(made).state.colour is C.GREEN
        for at in made.months:
            assert made.judge_capacity(PROVIDERS[0], RecordId(f"cap-{PROVIDERS[0]}-{at}"), ClaimJudgement.CONFIRMED)
        assert colour_of(made).state.colour is C.RED_A

    def test_a_vol_that_she_rejects_stays_rejected_though_the_load_would_bear_it_out(self) -> None:
        """The last word is hers, either way; a later word replaces it."""
        made = world([20, 20, 20, 20], [1400, 1400, 1400, 20 * 22])
        made.declare_full(full(PROVIDERS[3]))
        assert colour_of(made).state.colour is C.RED_A
        judged = full(PROVIDERS[3]).record_id
        made.judge_claim(PROVIDERS[3], judged, ClaimJudgement.REJECTED)
        assert "provider_full" not in colour_of(made).codes
        assert "claim_contradicted" in colour_of(made).codes
        made.judge_claim(PROVIDERS[3], judged, ClaimJudgement.CONFIRMED)
        assert "provider_full" in colour_of(made).codes

    def test_an_insurer_who_sees_the_drop_bears_it_out(self) -> None:
        """S3: insurers know capacity per provider (rule 18)."""
        made = world([20, 20, 20, 20], [1200] * 4)
        made.start_day(DAY + timedelta(days=1), made.plan)
        for at in made.months:
            made.declare_capacity(declared(PROVIDERS[0], at, 100, DAY + timedelta(days=1)))
        seen = {(PROVIDERS[0], at): 110 * 60 for at in made.months}
        made.surround(replace(made.surroundings, insurer_minutes=seen, region_measures=True))
        assert colour_of(made).state.colour is C.RED_A


class TestForecastEvidence:
    """The books brought together."""

    @settings(deadline=None, max_examples=30)
    @given(sizes, st.lists(st.integers(30, 1500), min_size=4, max_size=4), st.lists(st.integers(0, 3), max_size=6))
    def test_evidence_made_piece_by_piece_is_evidence_made_anew(
        self, clients: list[int], hours: list[int], leaving: list[int]
    ) -> None:
        """Providers gain and lose clients, hours and claims; asking in between changes nothing."""
        made = world(clients, hours)
        for n, who in enumerate(leaving):
            made.evidence()
            one = RegistrationLoad(
                provider=PROVIDERS[who], birth=Due(DAY + timedelta(days=9 * n)), care_minutes=2700, partus=n % 2 == 0
            )
            made.replace_load(None, one)
            made.evidence()
            if n % 3 == 0:
                made.replace_load(one, None)
            made.declare_full(full(PROVIDERS[who], record=f"full-{n}"))
            made.registered(PROVIDERS[who], DAY + timedelta(days=20))
            made.declare_capacity(declared(PROVIDERS[who], made.months[1], 10 * n, DAY))
        anew = RegionForecast(made.plan, made.today)
        anew.restore({name: part for name, part in made.changed_parts().items() if part is not None})
        anew.surround(made.surroundings)
        assert anew.evidence() == made.evidence()
        assert [anew.totals(m) for m in anew.months] == [made.totals(m) for m in made.months]

    def test_a_provider_that_lost_its_last_client_leaves_no_trace(self) -> None:
        """It never declared, so only its clients stood for it."""
        made = world([5, 0, 0, 0], [400, 400, 400, 400])
        before = made.evidence()
        stranger = RegistrationLoad(provider=Agb("49999999"), birth=Due(DAY), care_minutes=2700)
        made.replace_load(None, stranger)
        assert made.evidence() != before
        made.replace_load(stranger, None)
        assert made.evidence() == before

    def test_stale_hours_are_not_counted_on(self) -> None:
        """35 days after the last declaration the hours still count; a day later nobody knows, and it is never green."""
        made = world([10, 10, 10, 10], [800] * 4)
        made.start_day(DAY + timedelta(days=35), made.plan)
        assert colour_of(made).state.colour is C.GREEN
        made.start_day(DAY + timedelta(days=36), made.plan)
        judged = colour_of(made)
        assert judged.state.colour is C.UNKNOWN
        assert made.totals(made.months[0]).stale_providers == PROVIDERS

    def test_late_capacity_turns_unknown_into_a_colour(self) -> None:
        """One declaration by each, and the region is known again."""
        made = world([10, 10, 10, 10], [800] * 4)
        made.start_day(DAY + timedelta(days=40), made.plan)
        before = colour_of(made).state
        for agb in PROVIDERS:
            made.declare_capacity(declared(agb, made.months[0], 800, made.today))
        assert (before.colour, colour_of(made, before).state.colour) == (C.UNKNOWN, C.GREEN)

    def test_a_plan_changes_at_midnight(self) -> None:
        """On the last day of the old plan its threshold holds, on the first day of the new one the new."""
        strict = replace(
            national_defaults(HERE),
            plan_id=RecordId("strict"), version=1, valid_from=DAY + timedelta(days=1), lead_insurers=LEADS,
            colours=replace(RULES, orange_threat_permille=1, orange_permille=1, orange_leave_permille=1),
        )  # fmt: skip
        plans = PlanBook(HERE).adopted(strict)
        for insurer in strict.lead_insurers:
            plans = plans.concurred(strict.plan_id, 1, insurer, DAY)
        made = world([20, 20, 20, 20], [1050] * 4)
        colours = []
        for n in range(3):
            day = DAY + timedelta(days=n)
            made.start_day(day, plans.rules_on(day))
            colours.append(colour_of(made).state.colour)
        assert colours == [C.GREEN, C.ORANGE, C.ORANGE]

    def test_more_registrations_never_make_a_colour_lighter(self) -> None:
        """Month by month the chance of a shortfall only rises."""
        made = world([15, 15, 15, 15], [800] * 4)
        before = [m.shortfall_mean_permille for m in colour_of(made).months]
        for n in range(60):
            made.replace_load(
                None,
                RegistrationLoad(provider=PROVIDERS[n % 4], birth=Due(DAY + timedelta(days=2 * n)), care_minutes=2400),
            )
        after = [m.shortfall_mean_permille for m in colour_of(made).months]
        assert all(b <= a for b, a in zip(before, after, strict=True))
        assert before != after

    def test_the_planner_learns_what_can_still_be_promised(self) -> None:
        """Room at the guideline is less than room at minimal care; without hours to count on there is none."""
        made = world([10, 10, 10, 10], [600] * 4)
        at = made.months[1]
        made.surround(replace(made.surroundings, guidelines={at: 30 * 60}))
        room = made.room(PROVIDERS[0], at)
        assert 0 < room.room_guideline_minutes < room.room_minimal_minutes < 600 * 60
        assert room.next_clients == room.room_guideline_minutes // (30 * 60)
        made.start_day(DAY + timedelta(days=50), made.plan)
        stale = made.room(PROVIDERS[0], made.months[0])
        assert (stale.unknown, stale.room_minimal_minutes, stale.room_guideline_minutes) == (True, 0, 0)

    def test_expected_clients_are_load_before_they_register(self) -> None:
        """Last year's clients × what the registration curve still leaves out."""
        made = world([10, 10, 10, 10], [900] * 4)
        at = made.months[-1]
        before = made.totals(at)
        made.surround(
            replace(made.surroundings, benchmarks={Month(at - 12): Benchmark(mean_minutes=2400, unique_clients=120)})
        )
        after = made.totals(at)
        assert after.demand_mean_minutes > before.demand_mean_minutes
        assert after.registered_minutes < after.demand_mean_minutes

    def test_a_guideline_is_suggested_by_the_mean_and_the_hours_there_are(self) -> None:
        """Rule 19: mean and margin in a month with room, less in a scarce one, never below minimal care."""
        roomy, scarce, desperate = (world([20] * 4, [hours] * 4) for hours in (2000, 600, 100))
        at = roomy.months[2]
        assert roomy.suggested_guideline_minutes(at) == 42 * 60 * 1050 // 1000
        assert 24 * 60 < scarce.suggested_guideline_minutes(at) < 42 * 60
        assert desperate.suggested_guideline_minutes(at) == 24 * 60

    def test_inflow_is_what_is_missing_at_indicated_hours(self) -> None:
        """Indicative beside Bo's prognosis (rule 20): whole carers, none where there is room."""
        plan = replace(national_defaults(HERE), forecast=ForecastRules(carer_minutes_per_month=78 * 60))
        assert world([20] * 4, [2000] * 4, plan).indicative_inflow_carers(APRIL) == 0
        short = world([20] * 4, [600] * 4, plan)
        missing = short.totals(APRIL).demand_indicated_minutes - 4 * 600 * 60
        assert short.indicative_inflow_carers(APRIL) == -(-missing // (78 * 60))


@pytest.mark.parametrize(
    ("computed", "declares", "duties"),
    [
        (C.GREEN, None, "green"),
        (C.UNKNOWN, None, "green"),
        (C.ORANGE_THREAT, None, "green"),
        (C.ORANGE, None, "orange"),
        (C.RED_THREAT, None, "orange"),
        (C.RED_A, None, "red"),
        (C.RED_B, None, "red"),
        (C.RED_B, DeclaredColour.GREEN, "green"),
        (C.GREEN, DeclaredColour.RED, "red"),
    ],
)
def test_duties_follow_the_declared_colour_where_there_is_one(
    computed: ComputedColour, declares: DeclaredColour | None, duties: str
) -> None:
    """The computed colour stands beside it and is never overwritten."""
    assert in_force(computed, declares).value == duties


S0, S1 = MediatorRule.S0_WITHOUT_RED_AND_PLAN, MediatorRule.S1_UNTIL_ORANGE


@pytest.mark.parametrize(
    ("colour", "plan", "rule", "answer"),
    [
        ("green", False, S0, Mediation(Mediator.INSURER, "S1 rule 30")),
        ("green", True, S1, Mediation(Mediator.INSURER, "S1 rule 30")),
        ("orange", False, S0, Mediation(Mediator.INSURER, "S0 rule 30", "S1 rule 30: none")),
        ("orange", False, S1, Mediation(Mediator.NONE, "S1 rule 30", "S0 rule 30: insurer")),
        ("orange", True, S0, Mediation(Mediator.COORDINATOR, "S0 rule 31")),
        ("red", True, S1, Mediation(Mediator.COORDINATOR, "S0 rule 31")),
        ("red", False, S0, Mediation(Mediator.NONE, "rule 30")),
        ("red", False, S1, Mediation(Mediator.NONE, "rule 30")),
    ],
)
def test_who_mediates_and_what_the_other_source_says(
    colour: str, plan: bool, rule: MediatorRule, answer: Mediation
) -> None:
    """Rule 30; red without a plan has nobody, and says so."""
    assert mediation(DeclaredColour(colour), plan, rule) == answer


CARE = CareGiven(due_date=DAY, born_on=DAY + timedelta(days=3), owed_minutes=1440, delivered_minutes=1000)


@pytest.mark.parametrize(
    ("care", "after_days", "outcome"),
    [
        (CARE, 3 + 7, Missed.NOT_YET),
        (CARE, 3 + 8, Missed.MISSED),
        (replace(CARE, delivered_minutes=1440), 0, Missed.RECEIVED),
        (replace(CARE, born_on=None, delivered_minutes=0), 7, Missed.NOT_YET),
        (replace(CARE, born_on=None, delivered_minutes=0), 8, Missed.MISSED),
        (replace(CARE, ended=CareEndReason.COMPLETED), 4, Missed.MISSED),
        (replace(CARE, ended=CareEndReason.DECLINED_BY_CLIENT), 20, Missed.EXCLUDED),
        (replace(CARE, ended=CareEndReason.MOVED), 20, Missed.EXCLUDED),
        (replace(CARE, ended=RemovalReason.PREGNANCY_ENDED), 20, Missed.EXCLUDED),
        (replace(CARE, ended=RemovalReason.BORN), 20, Missed.MISSED),
        (replace(CARE, owed_minutes=0, delivered_minutes=0), 0, Missed.RECEIVED),
    ],
)
def test_black_is_established_afterwards(care: CareGiven, after_days: int, outcome: Missed) -> None:
    """Rule 5: the window closes 8 days after the birth, else the due date; who was never placed counts."""
    assert minimal_care(care, DAY + timedelta(days=after_days), care_days=8) is outcome
