"""Seeds of the simulator hold every invariant, one seed is one run, and every planted bug is caught by name.

`make test` takes a sample, `make chaos-slice` every planted bug, and `make chaos` ten thousand seeds.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.bugs import BUGS
from tests.simulation.campaign import catch
from tests.simulation.run import run_seed
from tests.simulation.schedule import Fault, draw

SEEDS = range(8)
BUG_SEEDS_MAX = 40
SAMPLE = list(BUGS)[::7]


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_is_lost_and_nothing_twice_whatever_the_seed_breaks(seed: int) -> None:
    """One outcome each, positions and versions that rise, gapless sequences, and the oracle's bytes."""
    outcome = run_seed(seed)
    assert not outcome.failures, f"{outcome.schedule}\n{outcome.failures[:5]}"
    assert outcome.inputs > 30 and outcome.facts > 50, "the run was to have some work in it"


@pytest.mark.parametrize("name", SAMPLE)
def test_a_planted_bug_is_caught(name: str) -> None:
    """A checker that a known mistake slips past proves nothing; `make chaos-slice` plants them all."""
    _, (invariant, _) = catch(name, BUG_SEEDS_MAX)
    assert invariant is not None


def test_a_seed_is_one_run_in_every_process() -> None:
    """Same schedule, same trace, same bytes, whatever the salt of hash()."""
    told = set()
    for salt in ("1", "2"):
        program = [sys.executable, "-m", "tests.simulation", "--show", "5"]
        told.add(subprocess.run(program, env={**os.environ, "PYTHONHASHSEED": salt}, capture_output=True).stdout)
    assert len(told) == 1 and b"digest" in told.pop()


def test_the_document_names_every_bug() -> None:
    """Who reads what is promised must see what was tried."""
    told = (Path(__file__).parents[2] / "docs" / "chaos.md").read_text("utf-8")
    assert [name for name in BUGS if f"`{name}`" not in told] == []


def test_every_fault_is_drawn_within_a_few_seeds() -> None:
    """No fault stands only on paper."""
    assert {one.fault for seed in range(60) for one in draw(seed).incidents} == set(Fault)
