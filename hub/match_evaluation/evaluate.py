"""`hub match evaluate`: a file of persons through the same edge encoding and the same fold as the running hub."""

import csv
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Final

from hub.domain.duplicates import ALERT_MILLIBITS, Matcher, MatchLimits, Outcome
from hub.domain.events import LinkEnded, LinkFound, RecordRef
from hub.domain.identifiers import Agb, RecordId, RegionCode, TenantId
from hub.domain.identity import Identity
from hub.domain.match_model import MatchModel
from hub.domain.match_state import MatchState
from hub.domain.words import RecordKind, SettledOutcome
from hub.edge import EdgeEncoder, FileKey, PersonFields
from hub.edge.columns import Table, read_table
from hub.match_evaluation.trainer import STORIES, model_of, prior_parts, train

_DUE: Final = date(2030, 1, 1)
_UNBOUNDED: Final = 1 << 60
_PARALLEL_FROM: Final = 20_000
_CHUNK: Final = 2_000
EVERY_CANDIDATE: Final = -60_000
"""An alert threshold (millibits) below which no pair of interest scores; for best_f1."""


@dataclass(frozen=True, slots=True)
class Run:
    """One pass of a file through the fold: the links that stand at its end, and what it took."""

    state: MatchState
    links: dict[tuple[int, int], int]
    """(earlier record, later record) by position → score in millibits."""
    seconds: float
    latencies_ns: list[int]


def encode_all(persons: Sequence[PersonFields], key: FileKey) -> list[Identity]:
    """Encode with one process, or two when there is much to do."""
    if len(persons) < _PARALLEL_FROM:
        return EdgeEncoder(key).encode_many(persons)
    chunks = [persons[i : i + _CHUNK] for i in range(0, len(persons), _CHUNK)]
    with ProcessPoolExecutor(max_workers=2) as pool:
        return [one for part in pool.map(EdgeEncoder(key).encode_many, chunks) for one in part]


def references(table: Table) -> list[RecordRef]:
    """Each source is a provider; in a single source each record is its own, so that any pair may match."""
    several = table.several_sources
    return [
        RecordRef(
            tenant=TenantId("evaluation"),
            provider=Agb(source if several else f"{i:08d}"),
            kind=RecordKind.REGISTRATION,
            record_id=RecordId(str(i)),
            version=1,
            region=RegionCode("NL"),
        )
        for i, source in enumerate(table.sources)
    ]


def due_dates(table: Table) -> list[date]:
    """Due dates where the file has them, so that later pregnancies are told apart; else one for all."""
    days = []
    for text in table.due_dates:
        try:
            days.append(date.fromisoformat(text))
        except ValueError:
            days.append(_DUE)
    return days


def across_per_within(table: Table) -> float | None:
    """Pairs of records at two sources for each pair at one; None for a single source."""
    return ratio_of_pairs(tuple(Counter(table.sources).values())) if table.several_sources else None


def ratio_of_pairs(sizes: Sequence[int]) -> float:
    """The same from how many records each provider has."""
    within = sum(size * (size - 1) // 2 for size in sizes)
    total = sum(sizes) * (sum(sizes) - 1) // 2
    return (total - within) / max(1, within)


def fold(
    refs: Sequence[RecordRef],
    identities: Sequence[Identity],
    dues: Sequence[date],
    model: MatchModel,
    alert_millibits: int = ALERT_MILLIBITS,
    batch: int = 1,
    matcher: Matcher | None = None,
) -> Run:
    """Submit and settle every record in order, one at a time or in micro-batches (a batch is timed as a whole)."""
    matcher = matcher or Matcher(MatchLimits(links_max=_UNBOUNDED, alert_millibits=alert_millibits))
    state = MatchState(model)
    links: dict[str, tuple[tuple[int, int], int]] = {}
    latencies: list[int] = []
    clock: Callable[[], int] = time.perf_counter_ns
    began = time.perf_counter()
    for start in range(0, len(refs), batch):
        before = clock()
        out: list[Outcome] = []
        for at in range(start, min(start + batch, len(refs))):
            out += matcher.submit(state, refs[at], identities[at], dues[at])
            out += matcher.settle(state, refs[at], SettledOutcome.ACTIVE, dues[at])
        latencies.append(clock() - before)
        for outcome in out:
            if isinstance(outcome, LinkFound):
                pair = (int(outcome.first.record_id), int(outcome.second.record_id))
                links[outcome.link_id] = ((min(pair), max(pair)), outcome.score_millibits)
            elif isinstance(outcome, LinkEnded):
                del links[outcome.link_id]
    return Run(state, dict(links.values()), time.perf_counter() - began, latencies)


def start_model() -> MatchModel:
    """The model under which a file's patterns are first collected; no pair is predicted with it."""
    return model_of(prior_parts(), [story.share for story in STORIES], "start")


def evaluate_table(
    table: Table, key: FileKey | None = None, batch: int = 1
) -> tuple[dict[str, object], dict[tuple[int, int], int]]:
    """(figures, predicted pairs by position with their score). The truth is used for figures only."""
    started = time.perf_counter()
    identities = encode_all(table.persons, key or FileKey.derived("evaluation"))
    encode_seconds = time.perf_counter() - started
    refs, dues = references(table), due_dates(table)
    learned = train(
        fold(refs, identities, dues, start_model()).state.patterns(), prior_parts(), "trained", across_per_within(table)
    )
    run = fold(refs, identities, dues, learned, batch=batch)
    size = max(1, len(refs))
    quantiles = sorted(run.latencies_ns) or [0]
    figures: dict[str, object] = {
        "records": len(refs),
        "fields": dict(table.fields),
        "pairs": len(run.links),
        "not_comparable": run.state.tallies.get("not_comparable", 0),
        "blocks_full": run.state.tallies.get("blocks_full", 0),
        "records_per_s": round(size / max(run.seconds, 1e-9), 1),
        "encode_records_per_s": round(size / max(encode_seconds, 1e-9), 1),
        "batch": batch,
        "p50_ms": round(quantiles[len(quantiles) // 2] / 1e6 / batch, 4),
        "p99_ms": round(quantiles[min(len(quantiles) - 1, len(quantiles) * 99 // 100)] / 1e6 / batch, 4),
        "bytes_per_record": round(sum(map(len, run.state.parts().values())) / size, 1),
    }
    if table.entity_ids:
        scored = score(table, run.links)
        figures |= scored
        met = fold(refs, identities, dues, learned, alert_millibits=EVERY_CANDIDATE).links | run.links
        truth = true_pairs(table)
        figures["pair_recall"] = round(len(truth & met.keys()) / max(1, len(truth)), 6)
        figures["best_f1"] = round(max(best_f1(met, truth), scored["f1"]), 6)
    return figures, run.links


def evaluate_file(path: Path | str, pairs_out: Path | str | None = None, batch: int = 1) -> dict[str, object]:
    """Evaluate a file; with `pairs_out`, write the predicted pairs (record_id_a, record_id_b, score in bits)."""
    table = read_table(path)
    figures, links = evaluate_table(table, batch=batch)
    if pairs_out is not None:
        with Path(pairs_out).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["record_id_a", "record_id_b", "score"])
            for (a, b), points in sorted(links.items()):
                writer.writerow([table.record_ids[a], table.record_ids[b], f"{points / 1000:.3f}"])
    return figures


def true_pairs(table: Table) -> set[tuple[int, int]]:
    """All pairs of one entity; across sources only, where there are several."""
    groups: dict[str, list[int]] = {}
    for i, entity in enumerate(table.entity_ids):
        groups.setdefault(entity, []).append(i)
    several = table.several_sources
    return {
        pair
        for group in groups.values()
        for pair in combinations(group, 2)
        if not several or table.sources[pair[0]] != table.sources[pair[1]]
    }


def score(table: Table, links: dict[tuple[int, int], int]) -> dict[str, float]:
    """Pairwise precision, recall and F1 of predicted pairs."""
    truth = true_pairs(table)
    hits = len(truth & links.keys())
    return {
        "precision": round(hits / max(1, len(links)), 6),
        "recall": round(hits / max(1, len(truth)), 6),
        "f1": round(2 * hits / max(1, len(links) + len(truth)), 6),
    }


def best_f1(scored: dict[tuple[int, int], int], truth: set[tuple[int, int]]) -> float:
    """F1 at the threshold that the truth would choose: how much the default threshold gives away."""
    at: Counter[int] = Counter()
    good: Counter[int] = Counter()
    for pair, points in scored.items():
        at[points] += 1
        good[points] += pair in truth
    best, predicted, hits = 0.0, 0, 0
    for points in sorted(at, reverse=True):
        predicted += at[points]
        hits += good[points]
        best = max(best, 2 * hits / (predicted + len(truth)))
    return best
