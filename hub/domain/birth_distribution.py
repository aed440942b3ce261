"""When a client's child will be born, and how much of her care falls in a period, in whole parts per million.

A due date says little about the day: 4 in 100 children are born on it. A birth is therefore a distribution around the
due date; a reported birth is exact; and a client of whom no birth is reported yet is not born before that day, so her
distribution is cut off and brought back to one. All of it is integers: sums over clients have one denominator, and
do not depend on the order in which they were added.

PROPOSAL: the fit behind the weights, the days over which care is spread, and how soon a birth is reported.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, chain

from hub.domain.birth_weights import FIRST_OFFSET_DAYS, NATIONAL_FIT_1

PARTS_PER_WHOLE = 1_000_000


@dataclass(frozen=True, slots=True)
class BirthWeights:
    """Chances of birth in parts per million, a day each, the first at `first_offset_days` from the due date.

    ValueError: a negative weight, or a sum other than one million.
    """

    first_offset_days: int
    weights: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.weights or min(self.weights) < 0 or sum(self.weights) != PARTS_PER_WHOLE:
            raise ValueError(
                f"found birth weights that sum to {sum(self.weights)}, expected non-negative ones that sum to"
                f" {PARTS_PER_WHOLE}; make them with tools/make_domain_tables.py"
            )

    @property
    def last_offset_days(self) -> int:
        """Days from the due date of the last weight."""
        return self.first_offset_days + len(self.weights) - 1


NATIONAL_FIT = BirthWeights(FIRST_OFFSET_DAYS, NATIONAL_FIT_1)

CARE_PROFILE_MAX_DAYS = 28
"""Care spread over more days than the shortest month has no meaning in the protocols (LIP: 8 days)."""


@dataclass(frozen=True, slots=True)
class CareModel:
    """How the care of one client lies in time.

    `profile`: parts of her care on the day of birth and the days after; the national protocol spreads it over 8 days
    (DOMAIN "Numbers"), evenly is PROPOSAL. `report_lag_days`: a birth of so many days ago may not be reported yet
    (PROPOSAL); earlier ones are taken to be known. ValueError: an empty or overlong profile, a negative figure.
    """

    births: BirthWeights = NATIONAL_FIT
    profile: tuple[int, ...] = (1,) * 8
    report_lag_days: int = 2

    def __post_init__(self) -> None:
        if not 1 <= len(self.profile) <= CARE_PROFILE_MAX_DAYS or min(self.profile) < 0 or sum(self.profile) == 0:
            raise ValueError(f"found care profile {self.profile}, expected 1 to {CARE_PROFILE_MAX_DAYS} parts")
        if self.report_lag_days < 0:
            raise ValueError(f"found a report lag of {self.report_lag_days} days, expected none below zero")

    @property
    def unit(self) -> int:
        """What one whole counts as in `CareMoments`."""
        return PARTS_PER_WHOLE * sum(self.profile)

    @property
    def care_days(self) -> int:
        """Days over which the care of one client is spread."""
        return len(self.profile)


@dataclass(frozen=True, slots=True)
class CareMoments:
    """Moments of F, the share of her care, and G, whether her birth, in one period. Unit u = `CareModel.unit`.

    Means are in 1/u, variances and the covariance in 1/u².
    """

    mean_care: int
    variance_care: int
    mean_birth: int
    variance_birth: int
    covariance: int


NOTHING = CareMoments(0, 0, 0, 0, 0)


@lru_cache(maxsize=4096)
def unborn_weights(births: BirthWeights, after_offset_days: int) -> tuple[int, ...]:
    """Weights of a child that was not born up to and including `after_offset_days` from the due date.

    The cumulative chance is divided exactly and rounded once per day, half up, so the weights again sum to one
    million and each cumulative chance lies within half a part per million of the exact one. All zero where the child
    would by then have been born: nobody reports such a birth any more.
    """
    known = after_offset_days - births.first_offset_days + 1
    if known <= 0:
        return births.weights
    tail = sum(births.weights[known:])
    if tail == 0:
        return (0,) * len(births.weights)
    cumulative = accumulate(0 if i < known else w for i, w in enumerate(births.weights))
    rounded = [(2 * c * PARTS_PER_WHOLE + tail) // (2 * tail) for c in cumulative]
    return tuple(here - before for before, here in zip([0, *rounded], rounded, strict=False))


def unborn_chance(births: BirthWeights, after_offset_days: int, offset_days: int) -> Fraction:
    """Exact chance of birth at `offset_days`, given none up to `after_offset_days`; the yardstick of the rounding."""
    known = max(0, after_offset_days - births.first_offset_days + 1)
    index = offset_days - births.first_offset_days
    tail = sum(births.weights[known:])
    if not known <= index < len(births.weights) or tail == 0:
        return Fraction(0)
    return Fraction(births.weights[index], tail)


@lru_cache(maxsize=8192)
def share_numerators(profile: tuple[int, ...], length_days: int) -> tuple[int, ...]:
    """Parts of the care inside a period, by day of birth, from `len(profile) - 1` days before the period to its end."""
    days = range(1 - len(profile), length_days)
    return tuple(sum(part for k, part in enumerate(profile) if 0 <= day + k < length_days) for day in days)


@lru_cache(maxsize=131_072)
def _moments(model: CareModel, start_offset: int, length_days: int, after_offset: int) -> CareMoments:
    weights, sums = _unborn_sums(model.births, after_offset)
    return _weigh(model, weights, sums, model.births.first_offset_days - start_offset, length_days)


@lru_cache(maxsize=4096)
def _unborn_sums(births: BirthWeights, after_offset_days: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    weights = unborn_weights(births, after_offset_days)
    return weights, tuple(accumulate(weights, initial=0))


def _weigh(
    model: CareModel, weights: Sequence[int], sums: Sequence[int], first_day: int, length_days: int
) -> CareMoments:
    """`first_day`: day of the first weight, counted from the start of the period. `sums`: weights before each one.

    Who is born on a day from which all her care falls inside is counted with the others of those days at once.
    """
    shares = share_numerators(model.profile, length_days)
    lead = model.care_days - 1
    first, end = max(first_day, -lead), min(first_day + len(weights), length_days)
    whole, rest = max(first, 0), min(end, length_days - lead)
    if rest <= whole:
        whole = rest = first
    parts = sum(model.profile)
    births = sums[rest - first_day] - sums[whole - first_day] if whole < rest else 0
    care = care_and_birth = births * parts
    care_squared = care * parts
    for day in chain(range(first, whole), range(rest, end)):
        weight = weights[day - first_day]
        share = shares[day + lead]
        care += weight * share
        care_squared += weight * share * share
        if day >= 0:
            births += weight
            care_and_birth += weight * share
    if care == 0:
        return NOTHING
    return CareMoments(
        mean_care=care,
        variance_care=PARTS_PER_WHOLE * care_squared - care * care,
        mean_birth=births * parts,
        variance_birth=parts * parts * births * (PARTS_PER_WHOLE - births),
        covariance=parts * (PARTS_PER_WHOLE * care_and_birth - care * births),
    )


def unborn_moments(model: CareModel, due: date, today: date, start: date, length_days: int) -> CareMoments:
    """Moments for a client whose birth is not reported on `today`, in the period of `length_days` from `start`."""
    after = today.toordinal() - model.report_lag_days - 1 - due.toordinal()
    # All cut-offs before the first weight cut off nothing; one value keeps the cache small.
    after = max(after, model.births.first_offset_days - 1)
    return _moments(model, start.toordinal() - due.toordinal(), length_days, after)


def born_moments(model: CareModel, born_on: date, start: date, length_days: int) -> CareMoments:
    """Moments for a client whose child was born on `born_on`: exact, so without variance."""
    return _weigh(model, (PARTS_PER_WHOLE,), (0, PARTS_PER_WHOLE), born_on.toordinal() - start.toordinal(), length_days)
