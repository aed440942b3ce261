"""Planted mistakes: a copy of a module with one piece of its source replaced.

A property that no mistake can break promises nothing. Each property of the neighbouring modules is therefore also run
against copies of the rule in which one line is wrong, and has to find a counterexample there.
"""

import inspect
import itertools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

from hypothesis import HealthCheck, Phase, find, settings
from hypothesis.errors import NoSuchExample
from hypothesis.strategies import SearchStrategy

_NUMBERS = itertools.count()
Case = TypeVar("Case")


@dataclass(frozen=True)
class Mistake:
    """One wrong line: `right` stands in the module exactly once, `wrong` takes its place."""

    name: str
    right: str
    wrong: str

    def __str__(self) -> str:
        return self.name


def planted(module: ModuleType, mistake: Mistake) -> ModuleType:
    """A copy of the module with the mistake in it; fails when the line is no longer there to be broken."""
    source = inspect.getsource(module)
    assert source.count(mistake.right) == 1, f"{mistake.name}: the line to break stands {source.count(mistake.right)} ×"
    copy = ModuleType(f"{module.__name__}_planted_{next(_NUMBERS)}")
    sys.modules[copy.__name__] = copy
    exec(compile(source.replace(mistake.right, mistake.wrong), copy.__name__, "exec"), copy.__dict__)
    return copy


def breaks(axiom: Callable[[Case], None], cases: SearchStrategy[Case]) -> bool:
    """Whether some case breaks the axiom: an assertion fails, or the broken rule falls over."""

    def is_broken(case: Case) -> bool:
        try:
            axiom(case)
        except (AssertionError, ValueError, KeyError, ZeroDivisionError):
            return True
        return False

    search = settings(
        max_examples=3000,
        database=None,
        derandomize=True,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    try:
        find(cases, is_broken, settings=search)
    except NoSuchExample:
        return False
    return True
