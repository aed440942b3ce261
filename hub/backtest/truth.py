"""A region's true demand and capacity over two and a half years, drawn from distributions that only this module knows.

Everything that could flatter the forecast is off by a little: births, registrations and hours follow other parameters
than the national plan's, this year's births differ from last year's, carers come and go, fall ill in common, and now
and then a wave of illness comes that nobody could have known. A shortage is a fact: in that month more care was owed at
the region's mean than its carers delivered. Floats and numpy are at home here; nothing of this runs in a fold.
"""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from hub.domain.identifiers import Month, first_day, month_of

FIRST_MONTH, LAST_MONTH = month_of(date(2025, 1, 1)), month_of(date(2027, 12, 1))
SCORED = tuple(Month(m) for m in range(FIRST_MONTH + 12, FIRST_MONTH + 12 + 18))
"""A year to look back on, a year and a half to be judged by, and half a year that is still looked ahead to."""

CARE_DAYS = 8
PARTUS_MINUTES = 6 * 60
LATE_DAYS = 120
"""Some register late: any day of the last so many before the due date."""
DECLARED_MONTHS = 8
"""How far ahead providers declare their capacity."""

LEAVE = {7: 0.14, 8: 0.14, 12: 0.06, 5: 0.05}
STAFFING = (0.85, 1.15)
"""Staff beside what an average month asks at the mean: some regions are short all year, some in summer, some never.
Nationally 1,500 carers are missing beside 9,500 (DOMAIN "Numbers")."""
ILLNESS, WAVE_CHANCE, WAVE = 0.07, 0.03, 0.10

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Nature:
    """The true parameters of one region: what the ideal forecaster knows. Days, shares, minutes."""

    births_per_day: float
    year_factors: tuple[float, float, float]
    season: float
    mixture: tuple[tuple[float, float, float], ...]
    lead_mean_days: float
    lead_sd_days: float
    late_share: float
    mean_minutes: int
    partus_share: float
    turnover_sd: float
    illness_sd: float
    illness_memory: float
    team_sd: float


@dataclass(frozen=True, slots=True)
class Clients:
    """One row per client. Days are ordinals; `twice_at` −1: registered once, else the other provider."""

    due: Ints
    born: Ints
    registered: Ints
    provider: Ints
    indicated_minutes: Ints
    partus: NDArray[np.bool_]
    twice_at: Ints
    found_twice: Ints


@dataclass(frozen=True, slots=True)
class Region:
    """What happened. Axes: staff, delivered (month, provider), illness (month), declared (declared in, for, provider).

    `declared_on`: day of month on which a provider declares.
    """

    nature: Nature
    clients: Clients
    staff: Floats
    illness: Floats
    delivered: Floats
    declared: Floats
    declared_on: Ints

    def owed_minutes(self, month: Month) -> float:
        """Care owed in a month at the region's mean."""
        c = self.clients
        start, end = first_day(month).toordinal(), first_day(Month(month + 1)).toordinal()
        inside = np.clip(np.minimum(end, c.born + CARE_DAYS) - np.maximum(start, c.born), 0, CARE_DAYS)
        partus = ((c.born >= start) & (c.born < end) & c.partus).sum() * PARTUS_MINUTES
        return float(self.nature.mean_minutes * inside.sum() / CARE_DAYS + partus)

    def delivered_minutes(self, month: Month) -> float:
        """Care that the region's carers could deliver in a month."""
        return float(self.delivered[month - FIRST_MONTH].sum())

    def short(self, month: Month) -> bool:
        """Whether care was owed at the region's mean that could not be delivered."""
        return self.owed_minutes(month) > self.delivered_minutes(month)

    def short_by_load(self, month: Month, today: date) -> bool:
        """Whether the month would have been short even if all that had been declared by then had been delivered."""
        return self.owed_minutes(month) > sum(self.declared_minutes(p, month, today) for p in range(self.providers))

    @property
    def providers(self) -> int:
        """How many."""
        return int(self.staff.shape[1])

    def declared_minutes(self, provider: int, month: Month, today: date) -> float:
        """A provider's latest declaration for a month, as known on a day."""
        latest = month_of(today) - FIRST_MONTH - (today.day < int(self.declared_on[provider]))
        return float(self.declared[max(0, latest), month - FIRST_MONTH, provider])

    def unique_clients(self, month: Month) -> int:
        """Births of a month, as the insurers count them afterwards."""
        start, end = first_day(month).toordinal(), first_day(Month(month + 1)).toordinal()
        return int(((self.clients.born >= start) & (self.clients.born < end)).sum())


def season(day: int, depth: float) -> float:
    """More births in late summer (DOMAIN "Numbers"): 1 on average, highest around the end of August."""
    return 1 + depth * float(np.cos(2 * np.pi * ((date.fromordinal(day).timetuple().tm_yday - 240) / 365.25)))


def rate(nature: Nature, day: int) -> float:
    """Due dates expected on a day."""
    year = min(2, max(0, date.fromordinal(day).year - 2025))
    return nature.births_per_day * nature.year_factors[year] * season(day, nature.season)


def leave(month: int) -> float:
    """Share of the staff on holiday, by month index."""
    return LEAVE.get(month % 12 + 1, 0.03)


def draw_region(seed: int, number: int) -> Region:
    """One region of one seed; the same arguments give the same region."""
    draw = np.random.default_rng([seed, number])
    nature = Nature(
        births_per_day=float(draw.uniform(5, 14)),
        year_factors=(1.0, float(draw.normal(1.0, 0.03)), float(draw.normal(1.0, 0.03))),
        season=float(draw.uniform(0.02, 0.06)),
        mixture=(
            (0.888, -1.5 + float(draw.normal(0, 0.4)), float(draw.uniform(7.5, 8.5))),
            (0.100, -22 + float(draw.normal(0, 1)), 7.0),
            (0.012, -70.0, 25.0),
        ),
        lead_mean_days=float(draw.normal(170, 7)),
        lead_sd_days=float(draw.uniform(32, 42)),
        late_share=float(draw.uniform(0.02, 0.05)),
        mean_minutes=int(draw.uniform(39, 45) * 60),
        partus_share=float(draw.uniform(0.1, 0.2)),
        turnover_sd=0.008,
        illness_sd=0.008,
        illness_memory=0.5,
        team_sd=0.015,
    )
    clients = _draw_clients(draw, nature, providers := int(draw.integers(5, 12)))
    return _draw_capacity(draw, nature, clients, providers, ratio=float(draw.uniform(*STAFFING)))


def _draw_clients(draw: np.random.Generator, nature: Nature, providers: int) -> Clients:
    days = range(first_day(FIRST_MONTH).toordinal() - 60, first_day(Month(LAST_MONTH + 1)).toordinal() + 60)
    due = np.repeat(np.array(days), draw.poisson([rate(nature, day) for day in days]))
    count = len(due)
    part = draw.choice(3, size=count, p=[share for share, _, _ in nature.mixture])
    means = np.array([mean for _, mean, _ in nature.mixture])[part]
    sds = np.array([sd for _, _, sd in nature.mixture])[part]
    born = due + np.clip(np.rint(draw.normal(means, sds)), -140, 24).astype(np.int64)
    timely = draw.normal(nature.lead_mean_days, nature.lead_sd_days, count)
    late = draw.uniform(0, LATE_DAYS, count)
    lead = np.clip(np.where(draw.random(count) < nature.late_share, late, timely), 0, 250).astype(np.int64)
    registered = np.minimum(due - lead, born)
    shares = draw.dirichlet(np.full(providers, 3.0))
    provider = draw.choice(providers, size=count, p=shares)
    other = (provider + 1 + draw.integers(0, providers - 1, count)) % providers
    return Clients(
        due=due,
        born=born,
        registered=registered,
        provider=provider,
        indicated_minutes=np.rint(draw.normal(45 * 60, 5 * 60, count)).astype(np.int64),
        partus=draw.random(count) < nature.partus_share,
        twice_at=np.where(draw.random(count) < 0.02, other, -1),
        found_twice=registered + 10,
    )


def _draw_capacity(draw: np.random.Generator, nature: Nature, clients: Clients, providers: int, ratio: float) -> Region:
    months = LAST_MONTH - FIRST_MONTH + 1 + DECLARED_MONTHS
    monthly = nature.births_per_day * 30.4 * (nature.mean_minutes + nature.partus_share * PARTUS_MINUTES)
    usual = (1 - 0.03) * (1 - ILLNESS - WAVE_CHANCE * WAVE)
    size = np.bincount(clients.provider, minlength=providers) / len(clients.due)
    walk = np.cumsum(draw.normal(0, nature.turnover_sd, (months, providers)), axis=0)
    staff = ratio * monthly / usual * size * np.exp(walk)
    illness = np.zeros(months)
    for m in range(1, months):
        fresh = nature.illness_sd * np.sqrt(1 - nature.illness_memory**2)
        illness[m] = nature.illness_memory * illness[m - 1] + draw.normal(0, fresh)
    wave = (draw.random(months) < WAVE_CHANCE) * WAVE
    present = np.array([1 - leave(FIRST_MONTH + m) for m in range(months)])
    healthy = (1 - ILLNESS - illness - wave)[:, None] + draw.normal(0, nature.team_sd, (months, providers))
    expected = present * (1 - ILLNESS - WAVE_CHANCE * WAVE)
    return Region(
        nature=nature,
        clients=clients,
        staff=staff,
        illness=illness,
        delivered=staff * present[:, None] * healthy,
        declared=staff[:, None, :] * expected[None, :, None],
        declared_on=draw.integers(1, 6, providers),
    )


def days_before(month: Month, days: int) -> date:
    """The day so many days before a month begins."""
    return first_day(month) - timedelta(days=days)
