"""The chance that a load exceeds a capacity: compared in whole numbers, shown from a committed table.

A month's load is a sum over many independent clients, so it is taken to be normal. P(load > Q) ≥ p means that
(mean − Q) ≥ z·sd, which for the right signs is (mean − Q)² against z²·variance: integers, no root and no libm.
"""

from dataclasses import dataclass
from math import isqrt

from hub.domain.normal_table import SQUARED_QUANTILES_MICRO

PERMILLE = 1000
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class Load:
    """A random number of minutes: mean in 1/unit minutes, variance in 1/unit² minutes²."""

    unit: int
    mean: int = 0
    variance: int = 0

    @property
    def mean_minutes(self) -> int:
        """Rounded to a whole minute, half up."""
        return (2 * self.mean + self.unit) // (2 * self.unit)

    @property
    def deviation_minutes(self) -> int:
        """Standard deviation, rounded down to a whole minute."""
        return isqrt(self.variance) // self.unit

    def plus(self, other: "Load") -> "Load":
        """The sum of two independent loads. ValueError: they count in different units."""
        if self.unit != other.unit:
            raise ValueError(f"found loads in 1/{self.unit} and 1/{other.unit} minutes, expected one unit")
        return Load(self.unit, self.mean + other.mean, self.variance + other.variance)

    def widened(self, minutes: int, deviation_permille: int) -> "Load":
        """The same with the variance of `minutes` that are known to within `deviation_permille` of themselves."""
        deviation = minutes * self.unit * deviation_permille
        return Load(self.unit, self.mean, self.variance + deviation * deviation // (PERMILLE * PERMILLE))


def compare_shortfall(load: Load, capacity_minutes: int, permille: int) -> int:
    """Sign of P(load > capacity) − permille/1000: −1, 0 or 1. ValueError: a chance outside 1 to 999 ‰."""
    if not 1 <= permille <= PERMILLE - 1:
        raise ValueError(f"found a chance of {permille} ‰, expected 1 to 999")
    short = load.mean - capacity_minutes * load.unit
    if load.variance == 0:
        return 1 if short > 0 else -1
    bar = SQUARED_QUANTILES_MICRO[abs(permille - 500)] * load.variance
    signed_short = _MICRO * short * abs(short)
    signed_bar = bar if permille >= 500 else -bar
    return (signed_short > signed_bar) - (signed_short < signed_bar)


def shortfall_permille(load: Load, capacity_minutes: int) -> int:
    """The highest chance of the table that P(load > capacity) reaches, 0 to 999; 1000 only where it is certain."""
    if load.variance == 0:
        return PERMILLE if load.mean > capacity_minutes * load.unit else 0
    low, high = 0, PERMILLE
    while high - low > 1:
        middle = (low + high) // 2
        if compare_shortfall(load, capacity_minutes, middle) >= 0:
            low = middle
        else:
            high = middle
    return low


def room_minutes(load: Load, capacity_minutes: int, confidence_permille: int) -> int:
    """Whole minutes that can still be promised so that they fit with at least this confidence; never below zero.

    ValueError: a confidence outside 500 to 999 ‰ (a promise that more likely breaks than holds is none).
    """
    if not 500 <= confidence_permille <= PERMILLE - 1:
        raise ValueError(f"found a confidence of {confidence_permille} ‰, expected 500 to 999")
    squared = SQUARED_QUANTILES_MICRO[confidence_permille - 500] * load.variance
    reserve = isqrt(squared // _MICRO) + (1 if squared else 0)
    return max(0, (capacity_minutes * load.unit - load.mean - reserve) // load.unit)
