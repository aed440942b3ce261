"""One line of a benchmark."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A figure with its unit; where it is compared, `beside` names with what, `ratio` and `goal` say how it stands.

    A goal counts as met when `ratio` (or the value, where there is no ratio) is at least `goal`, or at most where
    `lower_is_better`. Where a row was measured more than once, `value` and `ratio` are medians, and `lowest` and
    `highest` are the bounds of the ratio (of the value, where there is no ratio).
    """

    group: str
    name: str
    value: float
    unit: str
    beside: str = ""
    ratio: float | None = None
    goal: float | None = None
    lower_is_better: bool = False
    lowest: float | None = None
    highest: float | None = None

    @property
    def met(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        figure = self.value if self.ratio is None else self.ratio
        return figure <= self.goal if self.lower_is_better else figure >= self.goal
