"""How much care a region and each of its providers will owe, per month, kept current registration by registration.

A month's load is random, since births are. For each owner (a provider, the region) and month the book keeps sums of
the moments of every client's care (`birth_distribution`), grouped by what decides the hours owed. Adding or removing
a registration adds or subtracts its own moments and touches nothing else; hours are multiplied in when a question is
asked, so a new benchmark or guideline costs nothing. The sums are integers: the same registrations give the same
figures in whatever order they came, and after any number of removals.

What has to survive a restart is smaller: how many clients of which kind have which due date (`Cells`). The sums follow
from the cells and the day, and are made anew once a day, when every unborn client is known to be a day later.

Clients expected but not registered yet: last year's clients of that month, times the share that by the registration
curve still has to come (DOMAIN "Colour predicates").
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from hashlib import sha256
from itertools import pairwise

import msgspec

from hub.domain.birth_distribution import (
    NOTHING,
    PARTS_PER_WHOLE,
    CareModel,
    CareMoments,
    born_moments,
    share_numerators,
    unborn_moments,
)
from hub.domain.chance import PERMILLE, Load
from hub.domain.identifiers import Agb, Month, first_day, month_of
from hub.domain.region_plan import RegionPlan
from hub.domain.shards import encode_canonical


class CareNorm(StrEnum):
    """Which floor holds for a client; care that has been delivered is a fact and follows no norm."""

    LIP = "lip"
    KLIM = "klim"
    DELIVERED = "delivered"


class Counting(StrEnum):
    """Whether a registration counts for the region, or only for its provider since the client stands there twice."""

    ONCE = "once"
    OPEN_DUPLICATE = "open_duplicate"


class Level(StrEnum):
    """At which hours per client the load is asked."""

    INDICATED = "indicated"
    MEAN = "mean"
    GUIDELINE = "guideline"
    MINIMAL = "minimal"


@dataclass(frozen=True, slots=True)
class Due:
    """No birth reported yet."""

    on: date


@dataclass(frozen=True, slots=True)
class Born:
    """A reported day of birth: exact."""

    on: date


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationLoad:
    """All that the forecast needs of one client. `provider` None: on the regional waiting list, counted once there.

    `care_minutes`: the indicated hours; with `CareNorm.DELIVERED` what was delivered in all. ValueError: a negative
    figure, or one beyond what a client can be owed (a whole year of days and nights).
    """

    provider: Agb | None
    birth: Due | Born
    care_minutes: int
    norm: CareNorm = CareNorm.LIP
    hospital_days: int = 0
    partus: bool = False
    counting: Counting = Counting.ONCE

    def __post_init__(self) -> None:
        if not 0 <= self.care_minutes <= 366 * 24 * 60:
            raise ValueError(f"found {self.care_minutes} minutes of care, expected 0 to {366 * 24 * 60}")
        if not 0 <= self.hospital_days <= 366:
            raise ValueError(f"found {self.hospital_days} hospital days, expected 0 to 366")


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthNorms:
    """Minutes per client that hold in one month; `guideline_minutes` None where none is adopted (rule 19)."""

    mean_minutes: int
    minimal_minutes: int
    minimal_minutes_klim: int
    hospital_day_minutes: int
    partus_minutes: int
    guideline_minutes: int | None = None

    def owed_minutes(self, level: Level, norm: CareNorm, hospital_days: int) -> int:
        """Care of one client at a level other than the indicated, less her hospital days (rule 7), never below 0.

        Where no guideline is adopted, that level is the mean (rule 27a). No level is below the floor.
        """
        floor = self.minimal_minutes_klim if norm is CareNorm.KLIM else self.minimal_minutes
        hours = floor
        if level is Level.MEAN or (level is Level.GUIDELINE and self.guideline_minutes is None):
            hours = max(floor, self.mean_minutes)
        elif level is Level.GUIDELINE and self.guideline_minutes is not None:
            hours = max(floor, self.guideline_minutes)
        return max(0, hours - hospital_days * self.hospital_day_minutes)


def month_norms(
    plan: RegionPlan, month: Month, mean_minutes: int | None = None, guideline_minutes: int | None = None
) -> MonthNorms:
    """The norms of a month by the plan, the benchmark of last year's month (None: the plan's own) and the guideline."""
    return MonthNorms(
        mean_minutes=plan.norms.mean_minutes if mean_minutes is None else mean_minutes,
        minimal_minutes=plan.floor_minutes_of_month(month, klim=False),
        minimal_minutes_klim=plan.floor_minutes_of_month(month, klim=True),
        hospital_day_minutes=plan.norms.hospital_day_minutes,
        partus_minutes=0 if plan.pool_carries_partus(month) else plan.norms.partus_minutes,
        guideline_minutes=guideline_minutes,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class ExpectedClients:
    """Clients of one month that are not registered yet, as sums over days of birth. Units as in `CareMoments`.

    `care`, `care_squared`: Σ λ·f and Σ λ·f² over days of birth with λ clients expected and a share f of their care
    inside the month; `births` and `care_at_birth`: Σ λ and Σ λ·f over days inside the month.
    """

    care: int = 0
    care_squared: int = 0
    births: int = 0
    care_at_birth: int = 0

    @property
    def nobody(self) -> bool:
        """Whether nobody is expected."""
        return self.care == 0


NOBODY_EXPECTED = ExpectedClients()


def expected_clients(
    model: CareModel, plan: RegionPlan, month: Month, today: date, last_year: Mapping[Month, int]
) -> ExpectedClients:
    """Clients still to register whose care falls in `month`.

    `last_year`: unique clients by month of the previous year (rule 18), spread evenly over that month's days; a month
    without a figure expects nobody. A day that lies behind us expects nobody: who was born there is registered or
    waits.
    """
    start, end = first_day(month).toordinal(), first_day(Month(month + 1)).toordinal()
    before = first_day(Month(month - 1)).toordinal()
    curve, parts = plan.forecast.registration_curve_permille, sum(model.profile)
    shares = share_numerators(model.profile, end - start)
    lead, now = model.care_days - 1, today.toordinal()
    care = care_squared = births = care_at_birth = 0
    for of_month, first, last, days in (
        (Month(month - 1), start - lead, start, start - before),
        (month, start, end, end - start),
    ):
        clients = last_year.get(Month(of_month - 12), 0)
        if clients == 0:
            continue
        for born_on in range(max(first, now), last):
            week = (born_on - now) // 7
            unregistered = PERMILLE - (curve[week] if week < len(curve) else 0)
            expected = clients * unregistered * (PARTS_PER_WHOLE // PERMILLE) // days
            share = shares[born_on - start + lead]
            care += expected * share
            care_squared += expected * share * share * PARTS_PER_WHOLE
            if born_on >= start:
                births += expected * parts
                care_at_birth += expected * share * parts * PARTS_PER_WHOLE
    return ExpectedClients(care, care_squared, births, care_at_birth)


def expected_load(
    expected: ExpectedClients, unit: int, owed_minutes: int, partus_minutes: int, plan: RegionPlan
) -> Load:
    """Minutes of clients not registered yet: births as a Poisson stream, widened by the doubt about their number."""
    share = plan.forecast.partus_share_permille
    mean = owed_minutes * expected.care + partus_minutes * expected.births * share // PERMILLE
    variance = (
        owed_minutes * owed_minutes * expected.care_squared
        + 2 * owed_minutes * partus_minutes * expected.care_at_birth * share // PERMILLE
        + partus_minutes * partus_minutes * expected.births * unit * share // PERMILLE
    )
    doubt = mean * plan.forecast.expected_clients_deviation_permille // PERMILLE
    return Load(unit, mean, variance + doubt * doubt)


Kind = tuple[CareNorm, int]
"""What decides the hours owed: the norm and the hospital days."""

_CellKey = tuple[int, int, str, int]
"""Day ordinal, 0 for a due date or 1 for a birth, norm, hospital days."""


@dataclass(slots=True)
class _Cell:
    """Clients of one kind and one day: how many, their care, and the same for those with assistance at the birth."""

    clients: int = 0
    care: int = 0
    care_squared: int = 0
    partus_clients: int = 0
    partus_care: int = 0

    @property
    def possible(self) -> bool:
        """Whether some number of clients could add up to this: nothing negative, and nothing left over of nobody."""
        rest = (self.care, self.care_squared, self.partus_clients, self.partus_care)
        return self.clients >= 0 and min(rest) >= 0 and (self.clients > 0 or not any(rest))

    def add(self, load: RegistrationLoad, sign: int) -> None:
        self.clients += sign
        self.care += sign * load.care_minutes
        self.care_squared += sign * load.care_minutes * load.care_minutes
        if load.partus:
            self.partus_clients += sign
            self.partus_care += sign * load.care_minutes

    def merge(self, other: "_Cell", sign: int) -> None:
        self.clients += sign * other.clients
        self.care += sign * other.care
        self.care_squared += sign * other.care_squared
        self.partus_clients += sign * other.partus_clients
        self.partus_care += sign * other.partus_care


@dataclass(slots=True)
class _Sums:
    """Moments of one owner, month and kind, summed over clients; `indicated` ones are weighed by each one's minutes."""

    care: int = 0
    care_variance: int = 0
    indicated: int = 0
    indicated_variance: int = 0
    births: int = 0
    births_variance: int = 0
    covariance: int = 0
    indicated_covariance: int = 0

    def add(self, cell: _Cell, moments: CareMoments, sign: int) -> None:
        self.care += sign * cell.clients * moments.mean_care
        self.care_variance += sign * cell.clients * moments.variance_care
        self.indicated += sign * cell.care * moments.mean_care
        self.indicated_variance += sign * cell.care_squared * moments.variance_care
        self.births += sign * cell.partus_clients * moments.mean_birth
        self.births_variance += sign * cell.partus_clients * moments.variance_birth
        self.covariance += sign * cell.partus_clients * moments.covariance
        self.indicated_covariance += sign * cell.partus_care * moments.covariance

    def load(self, unit: int, owed: int, partus: int) -> Load:
        return Load(
            unit,
            owed * self.care + partus * self.births,
            owed * owed * self.care_variance
            + 2 * owed * partus * self.covariance
            + partus * partus * self.births_variance,
        )

    def indicated_load(self, unit: int, partus: int) -> Load:
        return Load(
            unit,
            self.indicated + partus * self.births,
            self.indicated_variance + 2 * partus * self.indicated_covariance + partus * partus * self.births_variance,
        )


REGION = "region"
DUPLICATES = "duplicates"
"""Owners beside the providers: the region's load, and what open duplicates would free."""

PROVIDER_PARTS = 16
"""Parts over which providers are spread, by a hash of the AGB code."""

KEPT_AFTER_DAYS = 63
"""A client stays in the book until the month that begins so long after her due date or birth: by then every model
has her born (at most 4 weeks late) and cared for (at most 4 weeks), and it does not depend on the plan."""

_Owner = str
_Months = list[dict[Kind, _Sums]]


def part_of(owner: str) -> str:
    """Name of the snapshot part that holds an owner's cells."""
    if owner in (REGION, DUPLICATES):
        return f"load/{owner}"
    return f"load/{sha256(owner.encode()).digest()[0] % PROVIDER_PARTS:02d}"


PART_NAMES = (f"load/{REGION}", f"load/{DUPLICATES}", *(f"load/{n:02d}" for n in range(PROVIDER_PARTS)))


def _months_ahead(today: date, horizon_weeks: int) -> tuple[Month, ...]:
    last = month_of(today + timedelta(weeks=horizon_weeks))
    return tuple(Month(m) for m in range(month_of(today), last + 1))


class LoadBook:
    """The load of one region, its months ahead and its providers. One owner at a time may change it.

    `model`, `horizon_weeks` and `today` are what the sums are made for; `start_day` moves on. `months`: this one up to
    the one that holds the last day of the horizon. Removing what was never
    put is the caller's mistake and raises ValueError, so that a wrong state cannot become a wrong forecast.
    """

    def __init__(self, model: CareModel, horizon_weeks: int, today: date) -> None:
        self.model = model
        self.horizon_weeks = horizon_weeks
        self.today = today
        self.months = _months_ahead(today, horizon_weeks)
        self._cells: dict[_Owner, dict[_CellKey, _Cell]] = {}
        self._sums: dict[_Owner, _Months] = {}
        self._rows: dict[tuple[int, int], tuple[CareMoments, ...]] = {}
        self._clients: dict[_Owner, dict[Month, int]] = {}
        self._changed: dict[str, None] = {}

    @property
    def providers(self) -> tuple[Agb, ...]:
        """Providers with at least one client in the book, in the order of their codes."""
        return tuple(Agb(owner) for owner in sorted(self._cells) if owner not in (REGION, DUPLICATES))

    def put(self, load: RegistrationLoad) -> None:
        """Counts one more client."""
        self._change(load, 1)

    def remove(self, load: RegistrationLoad) -> None:
        """Counts a client no longer; `load` is what was put. Clients whose care lies behind us are gone already."""
        self._change(load, -1)

    def replace(self, old: RegistrationLoad | None, new: RegistrationLoad | None) -> None:
        """One registration changed: `None` for one that came, or went."""
        if old == new:
            return
        if old is not None:
            self.remove(old)
        if new is not None:
            self.put(new)

    def start_day(self, today: date, model: CareModel | None = None, horizon_weeks: int | None = None) -> None:
        """A day begins: who is unborn is so a day longer, and care of past months falls away.

        `model` and `horizon_weeks` change with the plan, which changes at midnight only.
        """
        self.today = today
        self.model = model or self.model
        self.horizon_weeks = horizon_weeks or self.horizon_weeks
        self.months = _months_ahead(today, self.horizon_weeks)
        self._drop_past()
        self._sum_anew()

    def clients(self, owner: str, month: Month) -> int:
        """Clients whose due date or birth lies in the month."""
        return self._clients.get(owner, {}).get(month, 0)

    def load(self, owner: str, month: Month, level: Level, norms: MonthNorms) -> Load:
        """Load of an owner (an AGB code, REGION or DUPLICATES) in a month; registered and waiting clients.

        ValueError: a month outside the horizon.
        """
        unit, partus = self.model.unit, norms.partus_minutes
        total = Load(unit)
        for (norm, hospital_days), sums in self._month_sums(owner, month).items():
            if level is Level.INDICATED or norm is CareNorm.DELIVERED:
                total = total.plus(sums.indicated_load(unit, partus if norm is not CareNorm.DELIVERED else 0))
            else:
                total = total.plus(sums.load(unit, norms.owed_minutes(level, norm, hospital_days), partus))
        return total

    def load_between(self, owner: str, start: date, days: int, level: Level, norms: MonthNorms) -> Load:
        """The same for any period of days, summed from the cells: for the figures per day and week, once a day."""
        sums: dict[Kind, _Sums] = {}
        for key, cell in self._cells.get(owner, {}).items():
            moments = self._moments(key, start, days)
            if moments is not NOTHING:
                sums.setdefault((CareNorm(key[2]), key[3]), _Sums()).add(cell, moments, 1)
        unit, partus, total = self.model.unit, norms.partus_minutes, Load(self.model.unit)
        for (norm, hospital_days), s in sums.items():
            if level is Level.INDICATED or norm is CareNorm.DELIVERED:
                total = total.plus(s.indicated_load(unit, partus if norm is not CareNorm.DELIVERED else 0))
            else:
                total = total.plus(s.load(unit, norms.owed_minutes(level, norm, hospital_days), partus))
        return total

    @property
    def changed(self) -> bool:
        """Whether a part waits to be written."""
        return bool(self._changed)

    def changed_parts(self) -> dict[str, bytes | None]:
        """Canonical bytes by part name of what changed since the last call; None for a part that is empty now."""
        parts = {name: self.encode_part(name) for name in sorted(self._changed)}
        self._changed.clear()
        return parts

    def encode_part(self, name: str) -> bytes | None:
        """Canonical bytes of a part: equal cells give equal bytes, in whatever order they came. None: nobody."""
        rows = {
            owner: [
                (*key, c.clients, c.care, c.care_squared, c.partus_clients, c.partus_care)
                for key, c in sorted(cells.items())
            ]
            for owner, cells in self._cells.items()
            if part_of(owner) == name
        }
        return encode_canonical(rows) if rows else None

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Takes the cells that `changed_parts` wrote; parts of other kinds are passed over."""
        self._cells = {
            owner: {row[:4]: _Cell(*row[4:]) for row in rows}
            for name in PART_NAMES
            if name in parts
            for owner, rows in msgspec.msgpack.decode(parts[name], type=dict[str, list[_Row]]).items()
        }
        self._sum_anew()

    def _owners(self, load: RegistrationLoad) -> Iterator[_Owner]:
        if load.provider is not None:
            yield load.provider
        yield REGION if load.counting is Counting.ONCE else DUPLICATES

    def _change(self, load: RegistrationLoad, sign: int) -> None:
        key = (load.birth.on.toordinal(), int(isinstance(load.birth, Born)), load.norm.value, load.hospital_days)
        if self._is_past(key):
            return
        one = _Cell()
        one.add(load, 1)
        for owner in self._owners(load):
            cells = self._cells.setdefault(owner, {})
            cell = cells.get(key)
            if cell is None:
                cell = cells[key] = _Cell()
            cell.merge(one, sign)
            if not cell.possible:
                cell.merge(one, -sign)
                raise ValueError(f"found no client of {owner} as given, expected one that was put before")
            if cell.clients == 0:
                del cells[key]
                if not cells:
                    del self._cells[owner]
            self._sum(owner, key, one, sign)
            self._changed[part_of(owner)] = None

    def _sum(self, owner: _Owner, key: _CellKey, cell: _Cell, sign: int) -> None:
        months = self._sums.get(owner)
        if months is None:
            months = self._sums[owner] = [{} for _ in self.months]
        clients = self._clients.setdefault(owner, {})
        month = month_of(date.fromordinal(key[0]))
        clients[month] = clients.get(month, 0) + sign * cell.clients
        kind = (CareNorm(key[2]), key[3])
        for sums, moments in zip(months, self._row(key), strict=True):
            if moments is NOTHING:
                continue
            group = sums.get(kind)
            if group is None:
                group = sums[kind] = _Sums()
            group.add(cell, moments, sign)

    def _sum_anew(self) -> None:
        self._sums, self._rows, self._clients = {}, {}, {}
        for owner, cells in self._cells.items():
            for key, cell in cells.items():
                self._sum(owner, key, cell, 1)

    def _row(self, key: _CellKey) -> tuple[CareMoments, ...]:
        row = self._rows.get(key[:2])
        if row is None:
            born = self.model.births
            first = key[0] if key[1] else key[0] + born.first_offset_days
            last = (key[0] if key[1] else key[0] + born.last_offset_days) + self.model.care_days - 1
            row = self._rows[key[:2]] = tuple(
                # Most months are too early or too late for any of her care; asking each would be half of a day's cost.
                NOTHING if last < start or first >= end else self._moments(key, date.fromordinal(start), end - start)
                for start, end in self._month_bounds()
            )
        return row

    def _month_bounds(self) -> Iterator[tuple[int, int]]:
        """First day of each month and of the one after it, as ordinals."""
        return pairwise(first_day(Month(m)).toordinal() for m in (*self.months, self.months[-1] + 1))

    def _moments(self, key: _CellKey, start: date, days: int) -> CareMoments:
        day = date.fromordinal(key[0])
        if key[1]:
            return born_moments(self.model, day, start, days)
        return unborn_moments(self.model, day, self.today, start, days)

    def _month_sums(self, owner: str, month: Month) -> Mapping[Kind, _Sums]:
        index = month - self.months[0]
        if not 0 <= index < len(self.months):
            raise ValueError(f"found month {month}, expected one of {self.months[0]} to {self.months[-1]}")
        months = self._sums.get(owner)
        return {} if months is None else months[index]

    def _is_past(self, key: _CellKey) -> bool:
        """Whether no care of this cell can fall in this month or later, whatever model a plan may choose."""
        return key[0] + KEPT_AFTER_DAYS <= first_day(month_of(self.today)).toordinal()

    def _drop_past(self) -> None:
        for owner in sorted(self._cells):
            cells = self._cells[owner]
            past = [key for key in cells if self._is_past(key)]
            for key in past:
                del cells[key]
            if past:
                self._changed[part_of(owner)] = None
            if not cells:
                del self._cells[owner]


_Row = tuple[int, int, str, int, int, int, int, int, int]
