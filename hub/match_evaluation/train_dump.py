"""The trainer of a running hub: from a dump, the model that fits what its match fold has counted.

It reads counts of patterns and nothing else: no encoding, no record. What it makes becomes `ModelAdopted` in the
operator's inbox, an event like any other; links that stand are not judged again.
"""

from collections import Counter
from pathlib import Path
from typing import Final

from hub.audit.verify import read_topic
from hub.contracts.catalogue import MATCH_SNAPSHOTS
from hub.domain.events import ModelAdopted
from hub.domain.identifiers import RecordId
from hub.domain.match_state import MatchState
from hub.errors import UsageError
from hub.match_evaluation.evaluate import ratio_of_pairs
from hub.match_evaluation.trainer import prior_parts, train
from hub.streams.folds import FOLDS

PAIRS_MIN: Final = 1_000
"""Below as many compared pairs the priors say more than the counts. PROPOSAL."""


def train_from_dump(dump: Path, name: str) -> tuple[ModelAdopted, int]:
    """The event to send, and on how many compared pairs the model rests. UsageError when there are too few."""
    state = match_state_of(dump)
    patterns = state.patterns()
    pairs = sum(count for _, _, count in patterns)
    if pairs < PAIRS_MIN:
        raise UsageError(f"found {pairs} compared pairs in {dump}, expected at least {PAIRS_MIN}: train later")
    sizes = Counter(row.provider or row.tenant for row in map(state.row, state.numbers()))
    model = train(patterns, prior_parts(), name, ratio_of_pairs(tuple(sizes.values())))
    event = ModelAdopted(
        record_id=RecordId(f"model-{name}"), version=1, model_version=model.version, explanations=model.explanations
    )
    return event, pairs


def match_state_of(dump: Path) -> MatchState:
    """The match fold's state as its last snapshot holds it. UsageError when the dump has none."""
    prefix = f"{FOLDS['duplicates'].state_version}/identity/"
    parts: dict[str, bytes] = {}
    for row in read_topic(dump, MATCH_SNAPSHOTS):
        if not row.key.startswith(prefix):
            continue
        part = row.key.removeprefix(prefix)
        if row.value is None:
            parts.pop(part, None)
        else:
            parts[part] = row.value
    if "model" not in parts:
        raise UsageError(
            f"found no snapshot of the match fold in {dump}, expected a dump made with the right to read it"
        )
    return MatchState.restore(parts)
