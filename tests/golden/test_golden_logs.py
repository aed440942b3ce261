"""Every release makes the same facts of every golden log that there ever was."""

import gzip
from pathlib import Path

import pytest

from hub import __version__
from hub.contracts import tables
from hub.streams.folds import FOLDS
from tests.golden.golden_log import places, read_log, refold, releases

ADVICE = (
    "If {release} is not out yet, run `make golden`. If it is, this change alters facts that were published: let the "
    "changed rule stand beside the old one (hub/domain/rule_versions.py)."
)
LOGS = [
    pytest.param(release, *place, id=f"{release.name}-{place[2].name}")
    for release in releases()
    for place in places(release)
]


@pytest.mark.parametrize("every", [1_000_000, 97])
@pytest.mark.parametrize(("release", "fold", "partition", "path"), LOGS)
def test_a_golden_log_refolds_to_the_same_facts_and_the_same_state(
    release: Path, fold: object, partition: int, path: Path, every: int
) -> None:
    """Byte for byte, whatever the batches; the first fact that differs is named, with what to do."""
    plain = next(one for one in FOLDS.values() if one is fold)
    reference = tables.load(release / "tables.json")
    with gzip.open(path.with_name(path.name.replace(".jsonl.gz", ".facts.gz")), "rt", encoding="utf-8") as lines:
        state, *expected = lines.read().splitlines()
    found = refold(plain, reference, partition, read_log(path), every)
    advice = ADVICE.format(release=release.name)
    for was, now in zip(expected, found.facts, strict=False):
        assert now == was, advice
    assert len(found.facts) == len(expected), advice
    _, version, state_hash = state.split(" ")
    if int(version) == found.state_version:  # another state version has another shape, and the same facts
        assert found.state_hash == state_hash, advice


def test_this_release_has_a_golden_log_with_something_in_it() -> None:
    """Made by `make golden` before it goes out."""
    [mine] = [release for release in releases() if release.name == __version__]
    sizes = dict.fromkeys(FOLDS, 0)
    for fold, _, path in places(mine):
        sizes[fold.name] += len(read_log(path))
    assert sizes["region"] > 300 and sizes["duplicates"] > 100
