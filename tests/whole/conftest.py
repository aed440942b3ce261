"""One hub for the tests of this folder that need a living one."""

from collections.abc import Iterator

import pytest

from tests.whole.killed_hub import LARGE, SMALL, Run, lived


@pytest.fixture(scope="package", params=[SMALL, pytest.param(LARGE, marks=pytest.mark.chaos)], ids=["small", "large"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A nation that has lived its days while a worker of each role was killed."""
    with lived(request.param, tmp_path_factory.mktemp("demo")) as living:
        yield living
