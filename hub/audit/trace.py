"""How one record went through the hub, link by link, from a dump: what an auditor may see and a tenant may not.

inbox → dead letter, region-log, identity-log → facts at their positions → what was delivered to whom. Each step is
found by the mark that the one before left (`ce_hubsrc`, `ce_hubpos`, destination with region and sequence), never by
its time.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from hub.contracts.catalogue import IDENTITY_LOG, LINKS, REGION_FACTS, REGION_LOG
from hub.errors import UsageError

_NO_STEP: Final = frozenset(
    {REGION_LOG, IDENTITY_LOG, REGION_FACTS, LINKS, "control", "region-snapshots", "match-snapshots"}
)


@dataclass(frozen=True, slots=True)
class Step:
    """One record on the way. `place`: topic/partition/offset."""

    place: str
    at: str
    type: str
    region: str
    because: str


def trace_dump(dump: Path, name: str) -> list[Step]:
    """Every step of a record by its id, or of one message by its place (`inbox.<tenant>/<offset>`), in causal order."""
    if not (dump / "topics").is_dir():
        raise UsageError(f"found no topics in {dump}, expected a folder that `hub dump` wrote; dump again")
    steps: list[Step] = []
    sources: set[str] = set()
    for path in sorted((dump / "topics").glob("inbox.*.jsonl")):
        if path.stem.endswith(".dlq"):
            continue
        for row in _rows(path):
            place = f"{path.stem}/{row['offset']}"
            value = row["value"] or {}
            if name in (place, row["key"], value.get("record_id")):
                sources.add(place)
                steps.append(_step(path.stem, row, "sent"))
    for path in sorted((dump / "topics").glob("inbox.*.dlq.jsonl")):
        steps += [_step(path.stem, row, f"dead letter of {s}") for row in _rows(path) if (s := _source(row)) in sources]
    positions: dict[str, set[str]] = {}
    for topic in (*_of_every_generation(dump, REGION_LOG), *_of_every_generation(dump, IDENTITY_LOG)):
        positions[topic] = set()
        for row in _rows(dump / "topics" / f"{topic}.jsonl"):
            if (source := _source(row)) in sources:
                positions[topic].add(f"{row['partition']}/{row['offset']}")
                steps.append(_step(topic, row, f"copy of {source}"))
    delivered: dict[tuple[str, str, str], str] = {}
    pairs = [
        (topic, log + topic.removeprefix(facts))
        for facts, log in ((REGION_FACTS, REGION_LOG), (LINKS, IDENTITY_LOG))
        for topic in _of_every_generation(dump, facts)
    ]
    for topic, log in pairs:
        seen: set[str] = set()
        for row in _rows(dump / "topics" / f"{topic}.jsonl"):
            position = row["headers"].get("ce_hubpos", "")
            if position.rpartition("/")[0] in positions.get(log, ()) and position not in seen:
                seen.add(position)
                steps.append(_step(topic, row, f"follows from {log}/{position.rpartition('/')[0]}"))
                if (to := row["headers"].get("ce_hubdest")) is not None:
                    delivered[to, row["key"], row["headers"]["ce_sequence"]] = f"{topic}/{position}"
    for path in sorted((dump / "topics").glob("*.jsonl")):
        if _is_no_step(path.stem) or path.stem.startswith("inbox."):
            continue
        for row in _rows(path):
            headers = row["headers"]
            mark = (path.stem, headers.get("ce_hubregion", ""), headers.get("ce_sequence", ""))
            if (fact := delivered.pop(mark, None)) is not None:
                steps.append(_step(path.stem, row, f"copy of {fact}"))
    return steps


def _of_every_generation(dump: Path, topic: str) -> list[str]:
    """The topic of each generation that was dumped: the first has the plain name (adr 0007)."""
    later = (path.stem for path in (dump / "topics").glob(f"{topic}.g*.jsonl"))
    return [topic, *sorted(later, key=lambda name: (len(name), name))]


def _is_no_step(topic: str) -> bool:
    return topic.partition(".g")[0] in _NO_STEP


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    if path.exists():
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)


def _source(row: dict[str, Any]) -> str:
    return str(row["headers"].get("ce_hubsrc", ""))


def _step(topic: str, row: dict[str, Any], because: str) -> Step:
    at = datetime.fromtimestamp(row["timestamp"] / 1000, UTC).isoformat(timespec="milliseconds")
    said = row["headers"].get("ce_type", "").removeprefix("nl.kraamzorg.")
    region = row["headers"].get("ce_hubregion") or (row["key"] if _is_no_step(topic) else "")
    return Step(f"{topic}/{row['partition']}/{row['offset']}", at, said, region or "", because)
