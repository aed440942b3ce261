"""Three who look ahead: the hub's own forecast, an ideal forecaster, and the plain sum of due dates.

Each answers on a day, for a month: how likely is it that the care owed at the region's mean exceeds what will be
delivered? The ideal one knows every true distribution of the region (births, registrations, staff, illness) and what
has happened, but no future draw; it shares no code with the forecast. Nobody can do better on average.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from math import erf, sqrt

import numpy as np

from hub.backtest.truth import (
    CARE_DAYS,
    FIRST_MONTH,
    ILLNESS,
    LATE_DAYS,
    PARTUS_MINUTES,
    WAVE,
    WAVE_CHANCE,
    Floats,
    Nature,
    Region,
    leave,
    rate,
)
from hub.domain.colour_code import ColourState, Truth, initial_state, next_colour
from hub.domain.events import CapacityDeclared
from hub.domain.identifiers import Agb, Month, RecordId, RegionCode, first_day, month_of
from hub.domain.load_forecast import Born, Counting, Due, RegistrationLoad
from hub.domain.region_forecast import NO_SURROUNDINGS, Benchmark, RegionForecast, Surroundings
from hub.domain.region_plan import national_defaults
from hub.domain.words import CapacityMethod

FIRST_OFFSET, LAST_OFFSET = -140, 24
_HERE = RegionCode("KSV-01")


@dataclass(frozen=True, slots=True)
class Answer:
    """Chance of a shortage, and whether the forecaster warns of orange for that month."""

    chance: float
    orange: bool


class HubForecaster:
    """The hub's forecast on the national defaults, fed day by day with what providers and insurers publish."""

    def __init__(self, region: Region) -> None:
        self.region = region
        start = first_day(FIRST_MONTH)
        self.forecast = RegionForecast(national_defaults(_HERE), start)
        self.state: ColourState = initial_state(start)
        self._events = _client_events(region)
        self._fed = 0
        self._declared = [FIRST_MONTH - 1] * region.providers

    def ask(self, today: date) -> dict[Month, Answer]:
        """All months ahead, on a day later than the one asked before."""
        self.forecast.start_day(today, self.forecast.plan)
        while self._fed < len(self._events) and self._events[self._fed][0] < today.toordinal():
            _, old, new = self._events[self._fed]
            self.forecast.replace_load(old, new)
            self._fed += 1
        self._declare(today)
        self.forecast.surround(self._surroundings(today))
        judged = next_colour(self.state, self.forecast.evidence(), self.forecast.plan.colours, today)
        self.state = judged.state
        return {m.month: Answer(m.shortfall_mean_permille / 1000, m.orange is Truth.YES) for m in judged.months}

    def _declare(self, today: date) -> None:
        for n in range(self.region.providers):
            latest = Month(month_of(today) - (today.day < int(self.region.declared_on[n])))
            if latest > self._declared[n]:
                self._declared[n] = latest
                for month in self.forecast.months:
                    minutes = round(self.region.declared_minutes(n, month, today))
                    self.forecast.declare_capacity(_declaration(n, month, minutes, today))

    def _surroundings(self, today: date) -> Surroundings:
        mean = self.region.nature.mean_minutes
        last_year = [Month(m) for m in range(month_of(today) - 13, month_of(today))]
        return Surroundings(
            benchmarks={
                m: Benchmark(mean_minutes=mean, unique_clients=self.region.unique_clients(m))
                for m in last_year
                if m >= FIRST_MONTH
            },
            guidelines=NO_SURROUNDINGS.guidelines,
            insurer_minutes=NO_SURROUNDINGS.insurer_minutes,
            binding=NO_SURROUNDINGS.binding,
            measures=NO_SURROUNDINGS.measures,
        )


_ClientEvent = tuple[int, RegistrationLoad | None, RegistrationLoad | None]


def _client_events(region: Region) -> list[_ClientEvent]:
    """Day, what was known of a client, what is known now; births are reported on the day itself."""
    c, events = region.clients, list[_ClientEvent]()
    for n in range(len(c.due)):
        registered, born = int(c.registered[n]), int(c.born[n])
        due = Due(date.fromordinal(int(c.due[n])))
        one = RegistrationLoad(
            provider=_agb(int(c.provider[n])),
            birth=due,
            care_minutes=int(c.indicated_minutes[n]),
            partus=bool(c.partus[n]),
        )
        events.append((registered, None, one))
        events.append((max(born, registered), one, _changed(one, birth=Born(date.fromordinal(born)))))
        if c.twice_at[n] >= 0:
            again = _changed(one, provider=_agb(int(c.twice_at[n])))
            found = min(int(c.found_twice[n]), born)
            noticed = _changed(again, counting=Counting.OPEN_DUPLICATE)
            events.append((registered, None, again))
            events.append((found, again, noticed))
            events.append((max(found, born), noticed, None))
    order = sorted(range(len(events)), key=lambda n: (events[n][0], n))
    return [events[n] for n in order]


def _changed(
    load: RegistrationLoad,
    *,
    provider: Agb | None = None,
    birth: Due | Born | None = None,
    counting: Counting | None = None,
) -> RegistrationLoad:
    return RegistrationLoad(
        provider=provider or load.provider,
        birth=birth or load.birth,
        care_minutes=load.care_minutes,
        partus=load.partus,
        counting=counting or load.counting,
    )


def _agb(provider: int) -> Agb:
    return Agb(f"{41_000_000 + provider}")


def _declaration(provider: int, month: Month, minutes: int, today: date) -> CapacityDeclared:
    return CapacityDeclared(
        record_id=RecordId(f"{provider}-{month}"),
        version=1,
        provider=_agb(provider),
        region=_HERE,
        period_from=first_day(month),
        period_until=first_day(Month(month + 1)) - timedelta(days=1),
        declared_on=today,
        method=CapacityMethod.ROSTER,
        contracted_employed_minutes=minutes,
        contracted_self_employed_minutes=0,
        deployable_employed_minutes=minutes,
        deployable_self_employed_minutes=0,
        subcontracted_minutes=0,
    )


class DueDateSum:
    """The plain rule: registered clients with a due date in the month, at the mean, beside what was declared."""

    def __init__(self, region: Region) -> None:
        self.region = region

    def ask(self, today: date, month: Month) -> Answer:
        """Certain one way or the other."""
        c, start, end = self.region.clients, first_day(month).toordinal(), first_day(Month(month + 1)).toordinal()
        known = (c.due >= start) & (c.due < end) & (c.registered < today.toordinal())
        owed = known.sum() * self.region.nature.mean_minutes
        capacity = sum(self.region.declared_minutes(p, month, today) for p in range(self.region.providers))
        return Answer(float(owed > capacity), bool(owed > capacity))


class IdealForecaster:
    """Knows what is true of the region and what has happened; draws nothing and copies nothing from the forecast."""

    def __init__(self, region: Region) -> None:
        self.region = region
        self._births = _offset_chances(region.nature)

    def ask(self, today: date, month: Month) -> Answer:
        """Normal approximation of the care owed; staff and illness given their present state, a wave or none."""
        mean, variance = self._owed(today.toordinal(), month)
        nature, region = self.region.nature, self.region
        now, then = month_of(today) - FIRST_MONTH, month - FIRST_MONTH
        # Declarations tell the staff of this month, or for who has not declared yet of the last one; illness is known
        # once its month is over.
        known = now - (today.day < region.declared_on)
        ahead = then - known
        staff = region.staff[known, np.arange(region.providers)] * np.exp(nature.turnover_sd**2 * ahead / 2)
        memory = nature.illness_memory ** (then - now + 1)
        illness = ILLNESS + memory * float(region.illness[now - 1])
        illness_sd = nature.illness_sd * sqrt(1 - memory * memory)
        present = 1 - leave(month)
        chance = 0.0
        for wave, odds in ((0.0, 1 - WAVE_CHANCE), (WAVE, WAVE_CHANCE)):
            healthy = 1 - illness - wave
            capacity = float(staff.sum()) * present * healthy
            doubt = (
                float((staff**2 * (nature.turnover_sd**2 * ahead * healthy**2 + nature.team_sd**2)).sum())
                + float(staff.sum()) ** 2 * illness_sd**2
            ) * present**2
            chance += odds * _normal_above(mean - capacity, variance + doubt)
        return Answer(chance, chance >= 0.5)

    def _owed(self, today: int, month: Month) -> tuple[float, float]:
        """Mean and variance of the care owed in the month, given who registered and was born before today."""
        c, nature = self.region.clients, self.region.nature
        start, end = first_day(month).toordinal(), first_day(Month(month + 1)).toordinal()
        known = (c.registered < today) & (c.born < today)
        inside = np.clip(np.minimum(end, c.born + CARE_DAYS) - np.maximum(start, c.born), 0, CARE_DAYS) / CARE_DAYS
        at_birth = (c.born >= start) & (c.born < end) & c.partus
        mean = float((inside[known] * nature.mean_minutes).sum() + at_birth[known].sum() * PARTUS_MINUTES)
        variance = 0.0
        unborn = (c.registered < today) & (c.born >= today)
        for partus in (False, True):
            here = np.unique(c.due[unborn & (c.partus == partus)], return_counts=True)
            for due, count in zip(*here, strict=True):
                one, two = self._care(int(due), today, start, end, partus)
                mean += count * one
                variance += count * (two - one * one)
        for due in range(today, end + 150):
            timely = _normal_below(due - today - nature.lead_mean_days, nature.lead_sd_days)
            late = min(1.0, (due - today) / LATE_DAYS)
            missing = rate(nature, due) * ((1 - nature.late_share) * timely + nature.late_share * late)
            for partus, share in ((False, 1 - nature.partus_share), (True, nature.partus_share)):
                one, two = self._care(due, today, start, end, partus)
                mean += missing * share * one
                variance += missing * share * two
        return mean, variance

    def _care(self, due: int, today: int, start: int, end: int, partus: bool) -> tuple[float, float]:
        """First and second moment of one unborn client's care in a period."""
        if due + FIRST_OFFSET >= end or due + LAST_OFFSET + CARE_DAYS <= start:
            return 0.0, 0.0
        days = np.arange(due + FIRST_OFFSET, due + LAST_OFFSET + 1)
        chances = np.where(days >= today, self._births, 0.0)
        total = chances.sum()
        if total <= 0:
            return 0.0, 0.0
        inside = np.clip(np.minimum(end, days + CARE_DAYS) - np.maximum(start, days), 0, CARE_DAYS) / CARE_DAYS
        minutes = inside * self.region.nature.mean_minutes
        if partus:
            minutes = minutes + ((days >= start) & (days < end)) * PARTUS_MINUTES
        return float((chances * minutes).sum() / total), float((chances * minutes * minutes).sum() / total)


def _offset_chances(nature: Nature) -> Floats:
    """True chance of a birth by days from the due date."""
    days = range(FIRST_OFFSET, LAST_OFFSET + 1)
    mass = [
        sum(
            share * (_normal_below(d + 0.5 - m, sd) - _normal_below(d - 0.5 - m, sd)) for share, m, sd in nature.mixture
        )
        for d in days
    ]
    return np.array(mass)


@cache
def _normal_below(x: float, sd: float) -> float:
    return (1 + erf(x / (sd * sqrt(2)))) / 2


def _normal_above(mean: float, variance: float) -> float:
    """Chance that a normal with this mean is positive."""
    return (1 + erf(mean / sqrt(2 * variance))) / 2
