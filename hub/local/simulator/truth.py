"""What really happened, kept apart: which receipts must have followed, which records are one person.

`truth.jsonl` is the only file that may hold a person. One line a client or planted event.
"""

import json
from collections.abc import Iterable, Mapping, Sequence, Set
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
        "colours": list(told.colours),
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


def untold(
    rows: Iterable[dict[str, Any]], colours: Mapping[str, Sequence[str]], exposed: Set[str], twice: Set[str]
) -> list[str]:
    """What of the planted stories did not show: colours gone through by region, claims exposed, carers found twice."""
    faults = []
    for row in rows:
        for one in row["ids"]:
            match row["kind"]:
                case "colour_story" if not goes_through(colours.get(one, ()), row["colours"]):
                    found = " → ".join(colours.get(one, ())) or "no colour"
                    faults.append(f"colours of {one}: expected {' → '.join(row['colours'])}, found {found}")
                case "false_vol" if one not in exposed:
                    faults.append(f"false 'vol' of {one}: expected an alert that opens and closes, found none")
                case "carers_declared_twice" if one not in twice:
                    faults.append(f"carers of {one} declared twice: expected a finding, found none")
                case _:
                    pass
    return faults


def goes_through(history: Sequence[str], story: Sequence[str]) -> bool:
    """Whether a history starts and ends with the story and holds the rest in its order; both reds count as red."""
    plain = ["red" if colour.startswith("red_") and colour != "red_threat" else colour for colour in history]
    if not plain or not story or (plain[0], plain[-1]) != (story[0], story[-1]):
        return False
    rest = iter(plain)
    return all(colour in rest for colour in story)


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
