"""One region's forecast: its books brought together into the evidence that the colours are judged by.

Events change the books; `evidence()` then makes anew only what they touched: the months of one provider, or of the
region. The figures are the same as if everything had been made anew (a property of the tests).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from hub.domain.capacity import NOT_COUNTED, CapacityBook, MonthCapacity
from hub.domain.chance import Load, room_minutes
from hub.domain.colour_code import Capacity, MonthEvidence, ProviderMonth, RegionEvidence
from hub.domain.events import CapacityDeclared, FullDeclared
from hub.domain.full_claim import ClaimBook, ClaimEvidence, ClaimVerdict, judge_claim
from hub.domain.identifiers import Agb, Month, RecordId, month_of
from hub.domain.load_forecast import (
    DUPLICATES,
    NOBODY_EXPECTED,
    REGION,
    CareNorm,
    ExpectedClients,
    Level,
    LoadBook,
    MonthNorms,
    RegistrationLoad,
    expected_clients,
    expected_load,
    month_norms,
)
from hub.domain.region_plan import RegionPlan
from hub.domain.words import ClaimJudgement, FullLevel


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Vektis figures of one month of the previous year (rule 18)."""

    mean_minutes: int
    unique_clients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the rest of the region's state knows and a forecast needs. Keys of `benchmarks` are last year's months.

    `insurer_minutes`: by (provider, month) the highest capacity that an insurer sees (rule 18). `binding`: providers
    contracted or member of Bo. `measures`: providers with a measure recorded.
    """

    benchmarks: Mapping[Month, Benchmark]
    guidelines: Mapping[Month, int]
    insurer_minutes: Mapping[tuple[Agb, Month], int]
    binding: Mapping[Agb, bool]
    measures: Mapping[Agb, bool]
    region_measures: bool = False
    red_threats: tuple[tuple[Month, Agb | None], ...] = ()


NO_SURROUNDINGS = Surroundings(benchmarks={}, guidelines={}, insurer_minutes={}, binding={}, measures={})


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthTotals:
    """Demand, contracted and deployable side by side (rule 17), in minutes; demand is the expected load.

    `duplicate_minutes`: what open duplicates would free, at the mean. `registered_minutes`: of the demand at the
    mean, registered or waiting; the rest is expected.
    """

    month: Month
    clients: int
    demand_indicated_minutes: int
    demand_mean_minutes: int
    demand_guideline_minutes: int
    demand_minimal_minutes: int
    registered_minutes: int
    contracted_minutes: int
    deployable_employed_minutes: int
    deployable_self_employed_minutes: int
    duplicate_minutes: int
    providers: int
    assumed: bool
    stale_providers: tuple[Agb, ...]
    unverified_drops: tuple[Agb, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What one provider may still promise in a month (the planner's question), in minutes.

    `next_clients`: how many more clients fit at the guideline, or the mean where none is adopted. `unknown`: there is
    no declaration to count on, and both rooms are zero.
    """

    month: Month
    room_minimal_minutes: int
    room_guideline_minutes: int
    guideline_minutes: int
    next_clients: int
    unknown: bool


class RegionForecast:
    """Load, capacity and claims of one region under the plan of the day. One owner at a time may change it."""

    def __init__(self, plan: RegionPlan, today: date) -> None:
        self.plan = plan
        self.today = today
        self.loads = LoadBook(plan.care_model(), plan.forecast.horizon_weeks, today)
        self.claims = ClaimBook()
        self.capacities = CapacityBook(plan.capacity, plan.compliance.capacity_insight_method, self.loads.months, today)
        self.surroundings = NO_SURROUNDINGS
        self._expected: dict[Month, ExpectedClients] = {}
        self._norms: dict[Month, MonthNorms] = {}
        self._provider_months: dict[Agb, tuple[ProviderMonth, ...]] = {}
        self._stale_rows: dict[Agb, tuple[ProviderMonth, ...]] = {}
        self._region_capacities: tuple[tuple[Capacity, Load], ...] | None = None
        self._set_month_figures()

    @property
    def months(self) -> tuple[Month, ...]:
        """This month up to the one at the end of the horizon."""
        return self.loads.months

    def replace_load(self, old: RegistrationLoad | None, new: RegistrationLoad | None) -> None:
        """A client came, changed or went."""
        self.loads.replace(old, new)
        for load in (old, new):
            if load is not None and load.provider is not None:
                self._touch(load.provider)

    def registered(self, provider: Agb, expected_on: date) -> None:
        """A provider accepted a new registration: it speaks against its own claims for that time."""
        self.claims.registered(provider, expected_on)
        self.capacities.registered(provider, month_of(expected_on))
        self._touch(provider)

    def declare_capacity(self, event: CapacityDeclared) -> None:
        """A provider declares what it can deliver."""
        self.capacities.declare(event)
        self._touch(event.provider)

    def declare_full(self, event: FullDeclared) -> None:
        """A provider says it is full, or takes that back."""
        self.claims.declare(event, self.today)
        self._touch(event.provider)

    def judge_claim(self, provider: Agb, record_id: RecordId, judgement: ClaimJudgement) -> bool:
        """The coordinator judges a claim to be full; False where it does not stand."""
        self._touch(provider)
        return self.claims.judge(provider, record_id, judgement)

    def judge_capacity(self, provider: Agb, record_id: RecordId, judgement: ClaimJudgement) -> bool:
        """The coordinator judges a declaration of capacity; False where it does not stand."""
        self._touch(provider)
        return self.capacities.judge(provider, record_id, judgement)

    def surround(self, surroundings: Surroundings) -> None:
        """Benchmarks, guidelines, insurers' figures, contracts or measures changed."""
        self.surroundings = surroundings
        self._set_month_figures()

    def start_day(self, today: date, plan: RegionPlan) -> None:
        """A day begins under the plan of that day."""
        self.today, self.plan = today, plan
        self.loads.start_day(today, plan.care_model(), plan.forecast.horizon_weeks)
        self.claims.start_day(today)
        self.capacities.start_day(today, self.months, plan.capacity, plan.compliance.capacity_insight_method)
        self._set_month_figures()

    def evidence(self) -> RegionEvidence:
        """What the colours are judged by now."""
        rows = [self._provider_row(provider) for provider in self._providers()]
        return RegionEvidence(
            months=tuple(
                MonthEvidence(
                    month=month,
                    load_mean=self.region_load(month, Level.MEAN).plus(doubt),
                    load_minimal=self.region_load(month, Level.MINIMAL).plus(doubt),
                    capacity=capacity,
                    providers=tuple(row[n] for row in rows),
                )
                for n, (month, (capacity, doubt)) in enumerate(
                    zip(self.months, self._region_capacity_rows(), strict=True)
                )
            ),
            region_measures_recorded=self.surroundings.region_measures,
            red_threats=self.surroundings.red_threats,
        )

    def totals(self, month: Month) -> MonthTotals:
        """Region-capacity figures of a month, for statements and dashboards (rules 17, 21)."""
        norms = self._norms[month]
        held = {p: self._capacity(p, month) for p in self._providers()}
        known = {p: c for p, c in held.items() if c is not None}
        return MonthTotals(
            month=month,
            clients=self.loads.clients(REGION, month),
            demand_indicated_minutes=self.region_load(month, Level.INDICATED).mean_minutes,
            demand_mean_minutes=self.region_load(month, Level.MEAN).mean_minutes,
            demand_guideline_minutes=self.region_load(month, Level.GUIDELINE).mean_minutes,
            demand_minimal_minutes=self.region_load(month, Level.MINIMAL).mean_minutes,
            registered_minutes=self.loads.load(REGION, month, Level.MEAN, norms).mean_minutes,
            contracted_minutes=sum(c.declared.contracted_minutes for c in known.values()),
            deployable_employed_minutes=sum(c.declared.deployable_employed_minutes for c in known.values()),
            deployable_self_employed_minutes=sum(c.declared.deployable_self_employed_minutes for c in known.values()),
            duplicate_minutes=self.loads.load(DUPLICATES, month, Level.MEAN, norms).mean_minutes,
            providers=len(known),
            assumed=any(c.declared.assumed for c in known.values()),
            stale_providers=tuple(p for p, c in known.items() if c.stale),
            unverified_drops=tuple(p for p, c in known.items() if c.verdict in NOT_COUNTED),
        )

    def region_load(self, month: Month, level: Level) -> Load:
        """Load of the region: registered, waiting and expected clients."""
        norms = self._norms[month]
        expected = self._expected.get(month, NOBODY_EXPECTED)
        # Nobody is indicated yet: at that level the expected clients count at the mean.
        owed = norms.owed_minutes(Level.MEAN if level is Level.INDICATED else level, CareNorm.LIP, 0)
        coming = expected_load(expected, self.loads.model.unit, owed, norms.partus_minutes, self.plan)
        return self.loads.load(REGION, month, level, norms).plus(coming)

    def provider_load(self, provider: Agb, month: Month, level: Level) -> Load:
        """Load of one provider's registered clients."""
        return self.loads.load(provider, month, level, self._norms[month])

    def room(self, provider: Agb, month: Month) -> Room:
        """How many minutes a provider may still promise for a month, so that the promise holds with the plan's odds."""
        norms, capacity = self._norms[month], self._capacity(provider, month)
        asked = norms.owed_minutes(Level.GUIDELINE, CareNorm.LIP, 0)
        if capacity is None or capacity.stale:
            return Room(
                month=month,
                room_minimal_minutes=0,
                room_guideline_minutes=0,
                guideline_minutes=asked,
                next_clients=0,
                unknown=True,
            )
        minutes, odds = capacity.declared.deployable_minutes, self.plan.forecast.promise_confidence_permille
        at_minimal, at_guideline = (
            room_minutes(self._widened(self.provider_load(provider, month, level), minutes), minutes, odds)
            for level in (Level.MINIMAL, Level.GUIDELINE)
        )
        return Room(
            month=month,
            room_minimal_minutes=at_minimal,
            room_guideline_minutes=at_guideline,
            guideline_minutes=asked,
            next_clients=at_guideline // asked if asked else 0,
            unknown=False,
        )

    def suggested_guideline_minutes(self, month: Month) -> int:
        """Our default for an intake guideline (rule 19): mean and risk margin, less where capacity falls short.

        The margin makes providers plan for more care per client than the mean; a capacity below the demand at the mean
        brings the guideline down in proportion, never below minimal care. PROPOSAL.
        """
        norms = self._norms[month]
        planned = norms.mean_minutes * (1000 + self.plan.forecast.guideline_margin_permille) // 1000
        demand = self.region_load(month, Level.MEAN).mean_minutes
        capacity = self._region_capacity(month).hopeful_minutes
        if demand > capacity:
            planned = planned * capacity // demand
        return max(norms.minimal_minutes, planned)

    def indicative_inflow_carers(self, month: Month) -> int:
        """Carers more that the demand at indicated hours would take; indicative beside Bo's prognosis (rule 20)."""
        return -(-self.short_of_indicated_minutes(month) // max(1, self.plan.forecast.carer_minutes_per_month))

    def short_of_indicated_minutes(self, month: Month) -> int:
        """Demand at indicated hours beyond what could be delivered; 0 where nothing is short or nobody declared."""
        capacity = self._region_capacity(month)
        if not capacity.declared:
            return 0
        return max(0, self.region_load(month, Level.INDICATED).mean_minutes - capacity.hopeful_minutes)

    def changed_parts(self) -> dict[str, bytes | None]:
        """Parts of all three books that changed since the last call."""
        return self.loads.changed_parts() | self.capacities.changed_parts() | self.claims.changed_parts()

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Takes the books from their parts; the plan, the day and the surroundings are the caller's."""
        self.loads.restore(parts)
        self.capacities.restore(parts)
        self.claims.restore(parts)
        self._forget_rows()

    def _set_month_figures(self) -> None:
        around = self.surroundings
        clients = {month: b.unique_clients for month, b in around.benchmarks.items()}
        self._expected = {
            month: expected_clients(self.loads.model, self.plan, month, self.today, clients) for month in self.months
        }
        self._norms = {}
        for month in self.months:
            benchmark = around.benchmarks.get(Month(month - 12))
            mean = None if benchmark is None else benchmark.mean_minutes
            self._norms[month] = month_norms(self.plan, month, mean, around.guidelines.get(month))
        self._forget_rows()

    def _providers(self) -> tuple[Agb, ...]:
        return tuple(sorted({*self.loads.providers, *self.capacities.providers, *self.claims.providers}))

    def _capacity(self, provider: Agb, month: Month) -> MonthCapacity | None:
        return self.capacities.month(provider, month, self.surroundings.insurer_minutes.get((provider, month)))

    def _widened(self, load: Load, minutes: int) -> Load:
        return load.widened(minutes, self.plan.forecast.capacity_deviation_permille)

    def _provider_row(self, provider: Agb) -> tuple[ProviderMonth, ...]:
        row = self._provider_months.get(provider)
        if row is None:
            row = self._provider_months[provider] = tuple(self._provider_month(provider, m) for m in self.months)
            before = self._stale_rows.pop(provider, None)
            if before is None or any(a.capacity != b.capacity for a, b in zip(before, row, strict=True)):
                self._region_capacities = None
        return row

    def _touch(self, provider: Agb) -> None:
        """What was made of a provider holds no longer; its old capacity is kept to see whether the region's changed."""
        row = self._provider_months.pop(provider, None)
        if row is not None:
            self._stale_rows[provider] = row

    def _forget_rows(self) -> None:
        self._provider_months, self._stale_rows, self._region_capacities = {}, {}, None

    def _provider_month(self, provider: Agb, month: Month) -> ProviderMonth:
        held = self._capacity(provider, month)
        minimal = self.provider_load(provider, month, Level.MINIMAL)
        if held is None:
            own = self.provider_load(provider, month, Level.MEAN).mean_minutes
            capacity = Capacity(known_minutes=0, doubtful_minutes=own, declared=False)
        elif held.stale:
            capacity = Capacity(known_minutes=0, doubtful_minutes=held.counted_minutes, declared=False)
        else:
            capacity = Capacity(known_minutes=held.counted_minutes, assumed=held.declared.assumed)
        return ProviderMonth(
            provider=provider,
            clients=self.loads.clients(provider, month),
            load_minimal=self._widened(minimal, capacity.known_minutes),
            capacity=capacity,
            binding=self.surroundings.binding.get(provider, False),
            measures_recorded=self.surroundings.measures.get(provider, False),
            full=self._verdict(provider, month, FullLevel.MINIMUM, capacity),
            guideline_full=self._verdict(provider, month, FullLevel.GUIDELINE, capacity),
        )

    def _verdict(self, provider: Agb, month: Month, level: FullLevel, capacity: Capacity) -> ClaimVerdict | None:
        claim = self.claims.on(provider, month, level)
        if claim is None:
            return None
        at = Level.MINIMAL if level is FullLevel.MINIMUM else Level.GUIDELINE
        evidence = ClaimEvidence(
            load=self.provider_load(provider, month, at),
            clients=self.loads.clients(provider, month),
            capacity_minutes=capacity.known_minutes if capacity.declared else None,
            insurer_minutes=self.surroundings.insurer_minutes.get((provider, month)),
            next_client_minutes=self._norms[month].owed_minutes(at, CareNorm.LIP, 0),
        )
        return judge_claim(claim, evidence, self.plan.colours)

    def _region_capacity(self, month: Month) -> Capacity:
        return self._region_capacity_rows()[month - month_of(self.today)][0]

    def _region_capacity_rows(self) -> tuple[tuple[Capacity, Load], ...]:
        """Per month the region's capacity, and the doubt about what its teams deliver of it.

        The doubt is independent between providers, as their illnesses are. Made anew only when the capacity of some
        provider changed: most events change loads.
        """
        rows = [self._provider_row(provider) for provider in self._providers()]
        if self._stale_rows:
            # Of these nothing is left: neither a client nor a declaration nor a claim.
            self._stale_rows, self._region_capacities = {}, None
        if self._region_capacities is None:
            self._region_capacities = tuple(
                self._sum_capacities([row[n].capacity for row in rows]) for n in range(len(self.months))
            )
        return self._region_capacities

    def _sum_capacities(self, capacities: list[Capacity]) -> tuple[Capacity, Load]:
        unit = self.loads.model.unit
        doubt = Load(unit)
        for capacity in capacities:
            doubt = doubt.plus(self._widened(Load(unit), capacity.known_minutes))
        total = Capacity(
            known_minutes=sum(c.known_minutes for c in capacities),
            doubtful_minutes=sum(c.doubtful_minutes for c in capacities),
            declared=any(c.declared for c in capacities),
            assumed=any(c.assumed for c in capacities),
        )
        return total, doubt
