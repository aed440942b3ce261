"""What really happened, kept apart: which receipts must have followed, which records are one person.

`truth.jsonl` is the only file that may hold a person. One line a client or planted event.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub.local.simulator.messages import Told


@dataclass
class Truth:
    """Lines of the ground truth, each with the place at which the broker put its message."""

    lines: list[tuple[Told, str | None]] = field(default_factory=list)

    def add(self, told: Told, source: str) -> None:
        """A message with this meaning stands at `<inbox topic>/<offset>`."""
        self.lines.append((told, source))

    def write(self, path: Path) -> None:
        """Write truth.jsonl."""
        with path.open("w", encoding="utf-8") as out:
            for told, source in self.lines:
                out.write(json.dumps(_row(told, source), ensure_ascii=False) + "\n")


def _row(told: Told, source: str | None) -> dict[str, Any]:
    return {
        "kind": told.kind,
        "ids": list(told.ids),
        "source": source,
        "person": dict(told.person),
        "canaries": list(told.canaries),
        "accident": told.accident,
        "links": told.links,
        "expected": {"outcome": str(told.expected.outcome), "code": told.expected.code} if told.expected else None,
    }


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a truth.jsonl."""
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def unmet(rows: Iterable[dict[str, Any]], receipts: dict[str, tuple[str, str]]) -> list[str]:
    """What did not come as expected: `kind source: expected …, found …`. `receipts`: (outcome, code) by source."""
    faults = []
    for row in rows:
        if row["expected"] is None or row["source"] is None:
            continue
        found = receipts.get(row["source"])
        expected = (row["expected"]["outcome"], row["expected"]["code"])
        if found is None or found[0] != expected[0] or (found[0] != "accepted" and found[1] != expected[1]):
            seen = "/".join(found) if found else "no receipt"
            faults.append(f"{row['kind']} {row['source']}: expected {'/'.join(expected)}, found {seen}")
    return faults


@dataclass(frozen=True, slots=True)
class DuplicateScore:
    """How duplicate detection did: `true` exact pairs planted, `found` links told, and what part of each was right."""

    true: int
    found: int
    precision: float
    recall: float


def score_duplicates(rows: Iterable[dict[str, Any]], found: set[frozenset[str]]) -> DuplicateScore:
    """Links (pairs of `tenant/record id`) against the truth: recall of exact, precision of all true duplicates."""
    exact: set[frozenset[str]] = set()
    genuine: set[frozenset[str]] = set()
    for row in rows:
        if row["links"] and row["kind"] in ("exact_duplicate", "dirty_duplicate"):
            pair = frozenset(row["ids"])
            genuine.add(pair)
            if row["kind"] == "exact_duplicate":
                exact.add(pair)
    precision = len(found & genuine) / len(found) if found else 1.0
    recall = len(found & exact) / len(exact) if exact else 1.0
    return DuplicateScore(len(exact), len(found), round(precision, 4), round(recall, 4))
