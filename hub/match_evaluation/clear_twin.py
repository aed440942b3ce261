"""The same fold, blocks and trainer on clear text: what encoding costs is the difference.

`python -m hub.match_evaluation.clear_twin FILE.csv…` prints F1 encoded, F1 in the clear, and the gap.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

from hub.domain.duplicates import Matcher, MatchLimits, stored
from hub.domain.identity import FIELDS, Identity
from hub.domain.match_model import ABSENT, packed_bytes, pattern_of
from hub.domain.match_state import Encoding
from hub.edge import FileKey
from hub.edge import normalise as n
from hub.edge.columns import Table, read_table
from hub.edge.encoder import Facts, facts_of
from hub.edge.errors import EdgeError
from hub.match_evaluation.evaluate import (
    across_per_within,
    due_dates,
    encode_all,
    fold,
    references,
    score,
    start_model,
)
from hub.match_evaluation.trainer import prior_parts, train


class ClearTwin(Matcher):
    """Compares facts where the product compares filters; everything else is the product's own code."""

    def __init__(self, facts: Sequence[Facts], identities: Sequence[Identity], limits: MatchLimits) -> None:
        super().__init__(limits)
        self._facts: dict[bytes, Facts] = {}
        for one, identity in zip(facts, identities, strict=True):
            encoding = stored(identity)
            for at in range(len(encoding.passes)):
                self._facts[_filter(encoding, at)] = one

    def pattern(self, ours: Encoding, theirs: Encoding, looks: Sequence[int]) -> int:
        """The levels that filters without any collision would give."""
        return clear_pattern(self._facts[_filter(ours, 0)], self._facts[_filter(theirs, 0)])


def _filter(encoding: Encoding, block: int) -> bytes:
    """The filters beside one block: no others are equal to it, unless everything about two persons is."""
    width = packed_bytes(encoding.presence)
    return encoding.filters[block * width : (block + 1) * width]


def clear_pattern(a: Facts, b: Facts) -> int:
    """The pattern of two records in the clear, by the thresholds of match_model."""
    levels = {field.name: ABSENT for field in FIELDS}
    if a.given and b.given:
        levels["given_name"] = _name(a.given, b.given)
    if a.surnames and b.surnames:
        levels["surname"] = _surnames(a.surnames, b.surnames)
    crosswise = a.given and a.surnames and b.given and b.surnames
    if crosswise and levels["given_name"] <= 2 and levels["surname"] <= 2 and _swapped(a, b):
        levels["given_name"], levels["surname"] = 3, ABSENT
    if (
        a.initial
        and b.initial
        and levels["given_name"] <= 2
        and (not levels["given_name"] or (a.initial_written and b.initial_written))
    ):
        levels["initial"] = 1 + (a.initial == b.initial)
    if a.year and b.year:
        levels["birth_date"] = _date((a.year, a.month, a.day), (b.year, b.month, b.day))
    if a.postcode and b.postcode:
        levels["postcode"] = _code(a.postcode[:8], b.postcode[:8])
    for name in ("house_number", "second_initial", "sex"):
        left, right = getattr(a, name), getattr(b, name)
        if left and right:
            levels[name] = 1 + (left == right)
    for name, left, right in (
        ("street", a.street, b.street),
        ("city", a.city, b.city),
        ("email", a.email_local, b.email_local),
        ("birth_place", a.birth_place, b.birth_place),
        ("other", a.other, b.other),
    ):
        if left and right:
            levels[name] = _text(left, right)
    for name in ("phone", "national_id", "insurer_number"):
        left, right = getattr(a, name)[-8:][::-1], getattr(b, name)[-8:][::-1]
        if left and right:
            apart = _apart(left, right)
            levels[name] = 4 - apart if apart <= 2 else 1
    return pattern_of([levels[field.name] for field in FIELDS])


def _swapped(a: Facts, b: Facts) -> bool:
    return _name(a.given, b.surnames[0]) > 3 and _name(a.surnames[0], b.given) > 3


def _grams(*words: str) -> set[str]:
    return {x + y for word in words for x, y in pairwise(f" {word} ")}


def _dice_level(a: set[str], b: set[str]) -> int:
    apart, total = len(a ^ b), len(a) + len(b)
    return 2 if 3 * apart <= total else 1 if 9 * apart <= 5 * total else 0


def _name(a: str, b: str) -> int:
    if a == b:
        return 6
    if n.sound(n.root_of(a)) == n.sound(n.root_of(b)):
        return 5
    return (1, 2, 4)[_dice_level(_grams(a), _grams(b))]


def _surnames(a: tuple[str, ...], b: tuple[str, ...]) -> int:
    if set(a) == set(b):
        return 6 if a[0] == b[0] else 5
    left, right = _grams(*a), _grams(*b)
    shared, least = len(left & right), min(len(left), len(right))
    if 10 * shared >= 9 * least or n.sound(a[0]) == n.sound(b[0]):
        return 5
    if 100 * shared >= 68 * least:
        return 4
    return 2 if 100 * shared >= 50 * least else 1


def _text(a: str, b: str) -> int:
    return 4 if a == b else (1, 2, 3)[_dice_level(_grams(a), _grams(b))]


def _date(a: tuple[str, str, str], b: tuple[str, str, str]) -> int:
    if a == b:
        return 7
    decade, year = a[0][:3] == b[0][:3], a[0][3:] == b[0][3:]
    month, day = a[1] == b[1], a[2] == b[2]
    if decade and year:
        if month or day:
            return 5
        return 6 if a[1] == b[2] and a[2] == b[1] else 2
    if month and day:
        return 4 if decade or year else 3
    return 2 if decade + year + month + day == 2 else 1


def _apart(a: str, b: str) -> int:
    return sum(x != y for x, y in zip(a.ljust(8), b.ljust(8), strict=True))


def _code(a: str, b: str) -> int:
    if a == b:
        return 5
    apart = _apart(a, b)
    if apart == 1:
        return 4
    if a[:4] == b[:4]:
        return 3
    return 2 if apart == 2 else 1


def gap(table: Table) -> tuple[float, float]:
    """(F1 encoded, F1 in the clear), each with a model trained on its own patterns."""
    identities = encode_all(table.persons, FileKey.derived("evaluation"))
    refs, dues, ratio = references(table), due_dates(table), across_per_within(table)
    limits = MatchLimits(links_max=1 << 60)
    results = []
    for matcher in (Matcher(limits), ClearTwin([facts_of(person) for person in table.persons], identities, limits)):
        seen = fold(refs, identities, dues, start_model(), matcher=matcher).state.patterns()
        model = train(seen, prior_parts(), "twin", ratio)
        results.append(score(table, fold(refs, identities, dues, model, matcher=matcher).links)["f1"])
    return results[0], results[1]


def main() -> None:
    """Measure what encoding costs on each file."""
    parser = argparse.ArgumentParser(prog="python -m hub.match_evaluation.clear_twin", description=main.__doc__)
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE.csv", help="persons, as hub match evaluate takes them"
    )
    for path in parser.parse_args().files:
        try:
            encoded, clear = gap(read_table(path))
        except (OSError, EdgeError) as problem:
            parser.error(str(problem))
        sys.stdout.write(f"{path}: encoded {encoded:.4f}, clear {clear:.4f}, gap {clear - encoded:+.4f}\n")


if __name__ == "__main__":
    main()
