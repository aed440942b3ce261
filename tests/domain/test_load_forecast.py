"""The load of a month: births as distributions, sums kept client by client, chances compared in whole numbers."""

import random
import subprocess
import sys
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from statistics import NormalDist, fmean, variance

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hub.domain.birth_distribution import (
    NATIONAL_FIT,
    PARTS_PER_WHOLE,
    BirthWeights,
    CareModel,
    born_moments,
    unborn_chance,
    unborn_moments,
    unborn_weights,
)
from hub.domain.chance import Load, compare_shortfall, room_minutes, shortfall_permille
from hub.domain.identifiers import Agb, Month, RecordId, RegionCode, first_day, month_of, parse_month
from hub.domain.load_forecast import (
    DUPLICATES,
    REGION,
    Born,
    CareNorm,
    Counting,
    Due,
    Level,
    LoadBook,
    MonthNorms,
    RegistrationLoad,
    expected_clients,
    expected_load,
    month_norms,
)
from hub.domain.region_plan import Deviation, ForecastRules, Interventions, RegionPlan, national_defaults

TODAY = date(2026, 3, 2)
MARCH, APRIL, MAY = (parse_month(f"2026-0{n}") for n in (3, 4, 5))
HOME, OTHER = Agb("41000001"), Agb("41000002")
NORMS = MonthNorms(
    mean_minutes=42 * 60,
    minimal_minutes=24 * 60,
    minimal_minutes_klim=20 * 60,
    hospital_day_minutes=3 * 60,
    partus_minutes=6 * 60,
)
ON_THE_DAY = CareModel(BirthWeights(0, (PARTS_PER_WHOLE,)))
"""A model in which every child is born on its due date, for examples that a reader can check by heart."""


def client(due: date = date(2026, 4, 10), **change: object) -> RegistrationLoad:
    """A client of HOME with 49 indicated hours; `change` replaces fields."""
    fields: dict[str, object] = {"provider": HOME, "birth": Due(due), "care_minutes": 49 * 60} | change
    return RegistrationLoad(**fields)  # type: ignore[arg-type]


def book(*clients: RegistrationLoad, model: CareModel = ON_THE_DAY, today: date = TODAY) -> LoadBook:
    """A book with these clients."""
    made = LoadBook(model, 26, today)
    for one in clients:
        made.put(one)
    return made


def minutes(made: LoadBook, month: Month, level: Level, owner: str = REGION) -> int:
    """Mean load in minutes."""
    return made.load(owner, month, level, NORMS).mean_minutes


class TestBirths:
    """A birth around its due date."""

    def test_the_committed_tables_are_what_their_generator_writes(self) -> None:
        """Nobody edits a table by hand."""
        script = Path(__file__).parents[2] / "tools" / "make_domain_tables.py"
        assert subprocess.run([sys.executable, script, "--check"], check=False).returncode == 0

    def test_the_national_fit_agrees_with_public_figures(self) -> None:
        """About 4 % on the day, 70 % within 10 days, 6.9 % before 37 weeks, 2 % from 42 weeks on (DOMAIN Numbers)."""
        chance = {NATIONAL_FIT.first_offset_days + n: w / 1e6 for n, w in enumerate(NATIONAL_FIT.weights)}
        assert chance[0] == pytest.approx(0.04, abs=0.005)
        assert sum(chance[d] for d in range(-10, 11)) == pytest.approx(0.70, abs=0.03)
        assert sum(w for d, w in chance.items() if d < -21) == pytest.approx(0.069, abs=0.005)
        assert sum(w for d, w in chance.items() if d >= 14) == pytest.approx(0.02, abs=0.01)

    def test_weights_that_are_no_distribution_are_refused(self) -> None:
        """The message says what was found, what was expected and what to do."""
        with pytest.raises(ValueError, match="sum to 3, expected non-negative ones that sum to 1000000; make them"):
            BirthWeights(0, (1, 2))

    @settings(deadline=None)
    @given(st.integers(-200, 60))
    def test_whoever_is_not_born_yet_will_be_born_later(self, after: int) -> None:
        """Cut off at any day the weights are one again, none before the cut, and each cumulative chance is exact to
        half a part per million."""
        weights = unborn_weights(NATIONAL_FIT, after)
        first = NATIONAL_FIT.first_offset_days
        assert sum(weights) == (PARTS_PER_WHOLE if after < NATIONAL_FIT.last_offset_days else 0)
        assert min(weights) >= 0
        assert not any(w for n, w in enumerate(weights) if first + n <= after)
        exact = rounded = Fraction(0)
        for n, weight in enumerate(weights):
            exact += unborn_chance(NATIONAL_FIT, after, first + n)
            rounded += Fraction(weight, PARTS_PER_WHOLE)
            assert abs(exact - rounded) <= Fraction(1, 2 * PARTS_PER_WHOLE)

    def test_waiting_moves_the_care_later(self) -> None:
        """A week past the due date, with no birth reported, nothing is left for the days before."""
        model, due = CareModel(), date(2026, 4, 1)
        before = unborn_moments(model, due, date(2026, 3, 1), date(2026, 3, 1), 31).mean_care
        after = unborn_moments(model, due, date(2026, 4, 8), date(2026, 3, 1), 31).mean_care
        assert before > model.unit // 3
        assert after == 0

    def test_a_birth_of_yesterday_may_not_be_reported_yet(self) -> None:
        """With a lag of two days a birth of one or two days ago is still possible, one of three days ago is not."""
        model = CareModel(BirthWeights(-3, (250_000,) * 4), profile=(1,), report_lag_days=2)
        due = date(2026, 3, 10)
        chances = [unborn_moments(model, due, due, due - timedelta(days=n), 1).mean_care for n in (3, 2, 1, 0)]
        assert chances[0] == 0
        assert chances[1:] == [333_333, 333_334, 333_333]

    @pytest.mark.parametrize(
        ("born_on", "share"),
        [("2026-02-22", "1/8"), ("2026-02-21", "0"), ("2026-03-01", "1"), ("2026-03-24", "1"), ("2026-03-28", "1/2")],
    )
    def test_care_at_the_edge_of_a_month_is_split_by_days(self, born_on: str, share: str) -> None:
        """A reported birth is exact: 8 days of care from the day itself, and no variance."""
        moments = born_moments(CareModel(), date.fromisoformat(born_on), date(2026, 3, 1), 31)
        assert Fraction(moments.mean_care, CareModel().unit) == Fraction(share)
        assert moments.variance_care == moments.variance_birth == moments.covariance == 0

    def test_a_leap_day_belongs_to_its_february(self) -> None:
        """Born on 29 February 2028: one day of care in February, seven in March."""
        born = date(2028, 2, 29)
        february = born_moments(CareModel(), born, date(2028, 2, 1), 29)
        march = born_moments(CareModel(), born, date(2028, 3, 1), 31)
        assert (february.mean_care, march.mean_care) == (PARTS_PER_WHOLE, 7 * PARTS_PER_WHOLE)

    @settings(deadline=None)
    @given(st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any), st.integers(-12, 12), st.integers(1, 12))
    def test_moments_are_those_of_all_births_counted_out(self, parts: list[int], start: int, length: int) -> None:
        """Mean, variance and covariance of share and birth, day by day with fractions."""
        weights = [part * PARTS_PER_WHOLE // sum(parts) for part in parts]
        weights[0] += PARTS_PER_WHOLE - sum(weights)
        model = CareModel(BirthWeights(0, tuple(weights)), profile=(3, 1, 1), report_lag_days=0)
        begin = TODAY + timedelta(days=start)
        moments = unborn_moments(model, TODAY, TODAY, begin, length)
        cases = []
        for day, weight in enumerate(weights):
            care = sum((3, 1, 1)[k] for k in range(3) if start <= day + k < start + length)
            cases.append((Fraction(weight, PARTS_PER_WHOLE), Fraction(care, 5), int(start <= day < start + length)))
        mean = sum(p * f for p, f, _ in cases)
        birth = sum(p * g for p, _, g in cases)
        unit = model.unit
        assert Fraction(moments.mean_care, unit) == mean
        assert Fraction(moments.mean_birth, unit) == birth
        assert Fraction(moments.variance_care, unit**2) == sum(p * f * f for p, f, _ in cases) - mean**2
        assert Fraction(moments.variance_birth, unit**2) == birth - birth**2
        assert Fraction(moments.covariance, unit**2) == sum(p * f * g for p, f, g in cases) - mean * birth

    @settings(deadline=None)
    @given(st.dates(date(2026, 1, 1), date(2029, 1, 1)), st.integers(-40, 170))
    @example(date(2028, 2, 29), 0)
    def test_nobody_gets_lost_between_months(self, due: date, days_ahead: int) -> None:
        """Over all months around it the care of an unborn client is exactly one client's care, and her birth one."""
        today = due - timedelta(days=days_ahead)
        model = CareModel()
        months = [Month(month_of(due) + n) for n in range(-6, 3)]
        parts = [
            unborn_moments(model, due, today, first_day(m), (first_day(Month(m + 1)) - first_day(m)).days)
            for m in months
        ]
        still_possible = -days_ahead <= NATIONAL_FIT.last_offset_days + model.report_lag_days
        expected = model.unit if still_possible else 0
        assert sum(p.mean_care for p in parts) == expected
        assert sum(p.mean_birth for p in parts) == expected


class TestLevels:
    """The same clients at four levels of care."""

    def test_each_level_counts_its_own_hours(self) -> None:
        """49 indicated, 42 mean, 30 guideline, 24 minimal."""
        norms = MonthNorms(**{name: getattr(NORMS, name) for name in NORMS.__slots__} | {"guideline_minutes": 30 * 60})
        made = book(client())
        hours = [made.load(REGION, APRIL, level, norms).mean_minutes // 60 for level in Level]
        assert hours == [49, 42, 30, 24]

    def test_without_a_guideline_its_level_is_the_mean(self) -> None:
        """Rule 27a: registrations are distributed at the region's mean."""
        assert minutes(book(client()), APRIL, Level.GUIDELINE) == 42 * 60

    @pytest.mark.parametrize(("days", "hours"), [(0, 24), (2, 18), (8, 0), (9, 0)])
    def test_minimal_care_is_24_hours_less_3_for_each_hospital_day(self, days: int, hours: int) -> None:
        """Rules 6 and 7; never below zero."""
        assert minutes(book(client(hospital_days=days)), APRIL, Level.MINIMAL) == hours * 60

    def test_a_klim_client_follows_the_klim_norm(self) -> None:
        """Rule 10."""
        assert minutes(book(client(norm=CareNorm.KLIM)), APRIL, Level.MINIMAL) == 20 * 60

    def test_care_that_was_delivered_is_a_fact_at_every_level(self) -> None:
        """31 hours were given, whatever the norms say."""
        given_care = client(birth=Born(date(2026, 3, 3)), norm=CareNorm.DELIVERED, care_minutes=31 * 60)
        assert {minutes(book(given_care), MARCH, level) for level in Level} == {31 * 60}

    def test_partus_assistance_takes_hours_unless_a_pool_carries_them(self) -> None:
        """Rule 42: 6 hours more, or none in a month that the pool covers from its first day to its last."""
        made = book(client(partus=True))
        assert minutes(made, APRIL, Level.MINIMAL) == 30 * 60
        pool = Interventions(partus_pool_from=date(2026, 4, 1), partus_pool_until=date(2026, 4, 30))
        plan = plan_with(interventions=pool)
        hours = {
            month: made.load(REGION, APRIL, Level.MINIMAL, month_norms(plan, month)).mean_minutes // 60
            for month in (MARCH, APRIL, MAY)
        }
        assert hours == {MARCH: 30, APRIL: 24, MAY: 30}

    def test_a_named_deviation_lowers_the_floor_of_its_days(self) -> None:
        """Rule 9: half of April at 20 hours makes 22 on average; a month outside keeps 24."""
        half = Deviation(
            name="april", period_from=date(2026, 4, 1), period_until=date(2026, 4, 15), minimal_minutes=20 * 60
        )
        plan = plan_with(deviations=(half,))
        assert month_norms(plan, APRIL).minimal_minutes == 22 * 60
        assert month_norms(plan, MAY).minimal_minutes == 24 * 60

    def test_a_client_on_the_waiting_list_is_load_of_the_region_only(self) -> None:
        """She is nobody's client yet."""
        made = book(client(provider=None))
        assert minutes(made, APRIL, Level.MEAN) == 42 * 60
        assert made.providers == ()

    def test_an_open_duplicate_counts_once_and_shows_what_it_would_free(self) -> None:
        """Both providers hold her; the region owes her care once."""
        made = book(client(), client(provider=OTHER, counting=Counting.OPEN_DUPLICATE))
        assert minutes(made, APRIL, Level.MEAN) == 42 * 60
        assert minutes(made, APRIL, Level.MEAN, HOME) == minutes(made, APRIL, Level.MEAN, OTHER) == 42 * 60
        assert minutes(made, APRIL, Level.MEAN, DUPLICATES) == 42 * 60


def plan_with(**change: object) -> RegionPlan:
    """A region's plan with these fields."""
    fields: dict[str, object] = {
        "plan_id": RecordId("plan"),
        "version": 1,
        "region": RegionCode("KSV-07"),
        "valid_from": date(2026, 1, 1),
    }
    return RegionPlan(**fields | change)  # type: ignore[arg-type]


clients = st.builds(
    RegistrationLoad,
    provider=st.sampled_from([None, HOME, OTHER]),
    birth=st.one_of(
        st.builds(Due, st.dates(date(2025, 12, 1), date(2026, 12, 31))),
        st.builds(Born, st.dates(date(2026, 1, 1), date(2026, 3, 20))),
    ),
    care_minutes=st.integers(0, 80 * 60),
    norm=st.sampled_from(CareNorm),
    hospital_days=st.integers(0, 9),
    partus=st.booleans(),
    counting=st.sampled_from(Counting),
)


def figures(made: LoadBook) -> list[tuple[str, Month, Level, Load, int]]:
    """Everything that a book answers."""
    owners = (REGION, DUPLICATES, HOME, OTHER)
    return [
        (owner, month, level, made.load(owner, month, level, NORMS), made.clients(owner, month))
        for owner in owners
        for month in made.months
        for level in Level
    ]


class TestIncremental:
    """Sums are kept, not made anew; they must say the same."""

    @settings(deadline=None)
    @given(st.lists(clients, max_size=25), st.randoms(use_true_random=False), st.integers(0, 45))
    def test_any_history_gives_the_figures_of_a_book_made_from_scratch(
        self, everyone: list[RegistrationLoad], random_order: random.Random, days: int
    ) -> None:
        """Clients come, days pass, clients change and go: what is left counts as if it had been put just now."""
        lived = book(model=CareModel())
        for one in everyone:
            lived.put(one)
        gone = everyone[::3]
        kept = [one for n, one in enumerate(everyone) if n % 3]
        for one in gone[::2]:
            lived.remove(one)
        for n in range(0, days, 9):
            lived.start_day(TODAY + timedelta(days=n))
        lived.start_day(TODAY + timedelta(days=days))
        for one in gone[1::2]:
            lived.remove(one)
        random_order.shuffle(kept)
        scratch = book(*kept, model=CareModel(), today=TODAY + timedelta(days=days))
        assert figures(lived) == figures(scratch)

    @settings(deadline=None)
    @given(st.lists(clients, max_size=25), st.randoms(use_true_random=False))
    def test_the_order_of_events_never_reaches_the_snapshot(
        self, everyone: list[RegistrationLoad], random_order: random.Random
    ) -> None:
        """Equal clients, equal bytes; and a book restored from them answers alike."""
        shuffled = list(everyone)
        random_order.shuffle(shuffled)
        one, other = book(*everyone), book(*shuffled)
        parts = one.changed_parts()
        assert parts == other.changed_parts()
        restored = book()
        restored.restore({name: part for name, part in parts.items() if part is not None})
        assert figures(restored) == figures(one)

    def test_removing_what_was_never_put_is_an_error(self) -> None:
        """A wrong state must not become a wrong forecast."""
        with pytest.raises(ValueError, match="expected one that was put before"):
            book(client()).remove(client(care_minutes=1))

    def test_care_of_long_past_months_is_forgotten_and_may_still_be_removed(self) -> None:
        """The state stays bounded; a late withdrawal changes nothing."""
        made = book(client(due=date(2026, 3, 3)))
        made.start_day(date(2026, 6, 1))
        made.remove(client(due=date(2026, 3, 3)))
        made.put(client(due=date(2026, 3, 3)))
        assert made.providers == ()

    def test_a_large_region_fits_its_snapshot_parts(self) -> None:
        """12,000 clients of 40 providers: every part well below 256 kB."""
        draw = random.Random(7)
        made = LoadBook(CareModel(), 26, TODAY)
        for n in range(12_000):
            due = TODAY + timedelta(days=draw.randrange(280))
            made.put(
                client(due, provider=Agb(f"{n % 40:08d}"), care_minutes=draw.randrange(2000, 4000), partus=n % 7 == 0)
            )
        sizes = [len(part) for part in made.changed_parts().values() if part is not None]
        assert max(sizes) < 128 * 1024


class TestChances:
    """P(load > capacity) against a threshold, without a root."""

    @settings(deadline=None)
    @given(st.integers(0, 10**6), st.integers(1, 10**5), st.integers(0, 10**6), st.integers(1, 999))
    def test_the_comparison_is_that_of_the_normal_distribution(
        self, mean: int, deviation: int, capacity: int, permille: int
    ) -> None:
        """Except within a hair of the threshold, where the rounding of the table decides."""
        load = Load(1, mean, deviation * deviation)
        chance = 1 - NormalDist(mean, deviation).cdf(capacity)
        if abs(chance - permille / 1000) > 1e-5:
            assert compare_shortfall(load, capacity, permille) == (1 if chance > permille / 1000 else -1)

    @settings(deadline=None)
    @given(st.integers(0, 10**6), st.integers(0, 10**5), st.integers(0, 10**6))
    def test_what_is_shown_and_what_is_decided_agree(self, mean: int, deviation: int, capacity: int) -> None:
        """The shown figure is the highest threshold that is reached."""
        load = Load(1, mean, deviation * deviation)
        shown = shortfall_permille(load, capacity)
        for permille in (200, 300, 400, 500):
            assert (compare_shortfall(load, capacity, permille) >= 0) == (shown >= permille)

    @pytest.mark.parametrize(("mean", "expected"), [(99, 0), (100, 0), (101, 1000)])
    def test_a_certain_load_is_short_or_not(self, mean: int, expected: int) -> None:
        """Exactly enough is enough."""
        assert shortfall_permille(Load(1, mean), 100) == expected

    @settings(deadline=None)
    @given(st.integers(0, 10**5), st.integers(0, 10**4), st.integers(0, 2 * 10**5), st.integers(500, 999))
    def test_a_promise_within_the_room_holds_and_one_beyond_it_does_not(
        self, mean: int, deviation: int, capacity: int, confidence: int
    ) -> None:
        """`room_minutes` is the most that keeps the odds, to within one minute."""
        load = Load(1, mean, deviation * deviation)
        room = room_minutes(load, capacity, confidence)
        if room:
            assert compare_shortfall(Load(1, mean + room, load.variance), capacity, 1000 - confidence) <= 0
        beyond = Load(1, mean + room + 2, load.variance)
        assert compare_shortfall(beyond, capacity, 1000 - confidence) > 0

    def test_the_forecast_is_what_a_monte_carlo_of_births_gives(self) -> None:
        """300 clients with assistance at birth for some: mean and variance within the sampling error of 4,000 draws."""
        draw, model = random.Random(11), CareModel()
        dues = [TODAY + timedelta(days=draw.randrange(0, 120)) for _ in range(300)]
        everyone = [
            client(due, partus=n % 5 == 0, care_minutes=draw.randrange(1800, 3600)) for n, due in enumerate(dues)
        ]
        made = book(*everyone, model=model)
        first = NATIONAL_FIT.first_offset_days
        offsets = range(first, NATIONAL_FIT.last_offset_days + 1)
        start, end = date(2026, 4, 1), date(2026, 5, 1)
        totals: list[float] = []
        tables = {due: unborn_weights(NATIONAL_FIT, (TODAY - due).days - model.report_lag_days - 1) for due in dues}
        births = [draw.choices(offsets, tables[due], k=4000) for due in dues]
        for n in range(4000):
            total = 0.0
            for one, due, born in zip(everyone, dues, births, strict=True):
                day = due + timedelta(days=born[n])
                inside = max(0, (min(end, day + timedelta(days=8)) - max(start, day)).days)
                total += one.care_minutes * inside / 8 + (360 if one.partus and start <= day < end else 0)
            totals.append(total)
        load = made.load(REGION, APRIL, Level.INDICATED, NORMS)
        deviation = (load.variance / load.unit**2) ** 0.5
        assert fmean(totals) == pytest.approx(load.mean / load.unit, abs=4 * deviation / 4000**0.5)
        assert variance(totals) == pytest.approx(deviation**2, rel=4 * (2 / 4000) ** 0.5)


class TestExpectedClients:
    """Clients of last year's numbers that have not registered yet."""

    @staticmethod
    def coming(month: Month, clients_last_year: int, plan: RegionPlan | None = None) -> float:
        """How many clients' care is still expected in a month."""
        model = CareModel()
        rules = plan or national_defaults(RegionCode("KSV-07"))
        last_year = {Month(month - 12): clients_last_year}
        return expected_clients(model, rules, month, TODAY, last_year).births / model.unit

    def test_few_are_missing_nearby_and_most_far_away(self) -> None:
        """The registration curve: of 200 clients almost all of this month are known, and about half of August's."""
        near, far = self.coming(MARCH, 200), self.coming(parse_month("2026-08"), 200)
        assert near < 4
        assert 60 < far < 140

    def test_a_month_without_last_years_figure_expects_nobody(self) -> None:
        """Nothing is invented."""
        assert self.coming(MAY, 0) == 0

    def test_expected_care_is_spread_like_births_of_a_poisson_stream(self) -> None:
        """With nobody registered and no doubt about the number, a far month has mean n·h and variance n·E[(h·f)²]."""
        plan = plan_with(
            forecast=ForecastRules(
                registration_curve_permille=(0,), partus_share_permille=0, expected_clients_deviation_permille=0
            )
        )
        model, june = CareModel(), parse_month("2026-06")
        last_year = {Month(june - 12): 300, Month(june - 13): 310}
        load = expected_load(expected_clients(model, plan, june, TODAY, last_year), model.unit, 1440, 0, plan)
        assert load.mean / load.unit == pytest.approx(300 * 1440, rel=1e-4)
        shares = [min(1.0, n / 8) for n in range(1, 8)] + [1.0] * 23 + [n / 8 for n in range(7, 0, -1)]
        assert len(shares) == 30 + 7
        exact = sum(10 * (1440 * share) ** 2 for share in shares)
        assert load.variance / load.unit**2 == pytest.approx(exact, rel=1e-4)


def test_demand_of_the_days_and_weeks_adds_up_to_the_month() -> None:
    """Per day, week and month the same care, cut differently."""
    made = book(*(client(date(2026, 4, day)) for day in range(1, 29)), model=CareModel())
    month = made.load(REGION, APRIL, Level.MEAN, NORMS).mean
    days = [made.load_between(REGION, date(2026, 4, day), 1, Level.MEAN, NORMS).mean for day in range(1, 31)]
    weeks = [made.load_between(REGION, date(2026, 4, day), 5, Level.MEAN, NORMS).mean for day in range(1, 31, 5)]
    assert sum(days) == sum(weeks) == month
