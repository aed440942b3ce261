"""How alike two encodings are, and whether one person explains that better than two.

Comparing gives a *pattern*: for each field one small level, packed three bits a field. A model holds explanations of
patterns: some say "one person" (at one address; moved), the others say "two people" (chance, a twin, one household,
a namesake). The score is the best explanation of the first kind minus the best of the second, in millibits: integers
that a trainer published and this module only adds. From duplicates.ALERT_MILLIBITS on a pair is signalled.

Thresholds and the choice of levels are a PROPOSAL.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Final

from hub.domain.identity import FIELDS, FILTER_BYTES, WIDE_FIELDS, WIDE_FILTER_BYTES, FieldKind, FieldLayout

LEVEL_BITS: Final = 3
_LEVEL_MASK: Final = (1 << LEVEL_BITS) - 1
_PLACES: Final = tuple(range(0, LEVEL_BITS * len(FIELDS), LEVEL_BITS))
ABSENT: Final = 0
DIFFERS: Final = 1

LEVEL_WORDS: Final = {
    FieldKind.NAME: (
        "absent",
        "differs",
        "resembles",
        "swapped with the other name",
        "nearly equal",
        "sounds equal",
        "equal",
    ),
    FieldKind.NAMES: (
        "absent",
        "differs",
        "resembles",
        "swapped with the other name",
        "nearly equal",
        "one holds the other",
        "equal",
    ),
    FieldKind.TEXT: ("absent", "differs", "resembles", "nearly equal", "equal"),
    FieldKind.DATE: (
        "absent",
        "differs",
        "two parts of four equal",
        "month and day equal, year not",
        "year off in one digit",
        "month or day differs",
        "month and day swapped",
        "equal",
    ),
    FieldKind.DIGITS: ("absent", "differs", "two digits differ", "one digit differs", "equal"),
    FieldKind.CODE: ("absent", "differs", "two places differ", "same area", "one place differs", "equal"),
    FieldKind.EXACT: ("absent", "differs", "equal"),
    FieldKind.INITIAL: ("absent", "differs", "equal"),
}
"""What each level means, by kind of field, from absent to equal."""

LEVELS: Final = tuple(len(LEVEL_WORDS[field.kind]) for field in FIELDS)
"""Number of levels of each field, ABSENT included."""

_INDEX: Final = {field.name: index for index, field in enumerate(FIELDS)}


def level_of(pattern: int, field: int) -> int:
    """The level of one field (its index in FIELDS)."""
    return pattern >> LEVEL_BITS * field & _LEVEL_MASK


def levels_of(pattern: int) -> tuple[int, ...]:
    """The levels of all fields."""
    return tuple([pattern >> place & _LEVEL_MASK for place in _PLACES])


def pattern_of(levels: Sequence[int]) -> int:
    """The inverse of `levels_of`."""
    return sum(level << LEVEL_BITS * field for field, level in enumerate(levels))


def lower_of(a: int, b: int) -> int:
    """Field by field the lower level: a Bloom filter errs only upwards, so the lower of two looks is nearer truth."""
    if a == b:
        return a
    both = 0
    for shift in range(0, LEVEL_BITS * len(FIELDS), LEVEL_BITS):
        left, right = a >> shift & _LEVEL_MASK, b >> shift & _LEVEL_MASK
        both |= (left if left < right else right) << shift
    return both


def swap_once(pattern: int) -> int:
    """Given name and surname the wrong way round are one slip: the given name says so, and the surname nothing more."""
    return pattern & ~(_LEVEL_MASK << LEVEL_BITS) if pattern & _BOTH_NAMES == _BOTH_SWAPPED else pattern


# Filters as the fold keeps them: only the fields that are present, said once for all blocks of a record.

_WIDE: Final = 1 << len(FIELDS)
"""In a presence mask, above the fields: laid out by WIDE_FIELDS."""


def _layout_of(mask: int) -> tuple[FieldLayout, ...]:
    return WIDE_FIELDS if mask & _WIDE else FIELDS


def presence(filters: bytes) -> int:
    """Bit i is set where field i is present; 0 where nothing is."""
    whole = int.from_bytes(filters, "big")
    wide, fields = _FIELD_MASKS[len(filters)]
    mask = wide
    for bit, field in fields:
        if whole & field:
            mask |= bit
    return mask if whole else 0


_FIELD_MASKS: Final = {
    size: (
        wide,
        tuple(
            (1 << field.index, (1 << 8 * field.width_bytes) - 1 << 8 * (size - field.offset_bytes - field.width_bytes))
            for field in _layout_of(wide)
        ),
    )
    for size, wide in ((FILTER_BYTES, 0), (WIDE_FILTER_BYTES, _WIDE))
}


@lru_cache(maxsize=4096)
def _slices(mask: int) -> tuple[tuple[int, int], ...]:
    """The runs of bytes of the fields present, neighbours joined."""
    runs: list[tuple[int, int]] = []
    for field in _layout_of(mask):
        if mask >> field.index & 1:
            start, end = field.offset_bytes, field.offset_bytes + field.width_bytes
            if runs and runs[-1][1] == start:
                runs[-1] = (runs[-1][0], end)
            else:
                runs.append((start, end))
    return tuple(runs)


@lru_cache(maxsize=4096)
def packed_bytes(mask: int) -> int:
    """Width of a packed filter (bytes)."""
    return sum(end - start for start, end in _slices(mask))


def whole_bytes(mask: int) -> int:
    """Width of the filters of one block as they were sent (bytes)."""
    return WIDE_FILTER_BYTES if mask & _WIDE else FILTER_BYTES


@lru_cache(maxsize=4096)
def _runs_of(mask: int) -> struct.Struct:
    """Takes the fields present out of a whole filter."""
    code, at = [], 0
    for start, end in _slices(mask):
        code.append(f"{start - at}x{end - start}s")
        at = end
    return struct.Struct("".join([*code, f"{whole_bytes(mask) - at}x"]))


def pack(filters: Sequence[bytes], mask: int) -> bytes:
    """The bytes of the fields present, in order, of one filter after another."""
    return b"".join(chain.from_iterable(_runs_of(mask).iter_unpack(b"".join(filters)))) if mask else b""


# Comparing. Each function takes the XOR of two fields and the fields themselves, and gives a level from DIFFERS up.


def _alike(x: int, a: int, b: int, bits: int) -> int:
    """0 differs, 1 resembles (Dice at least 4/9), 2 nearly equal (2/3): of what is shared beyond chance.

    Two filters of n and m ones share n·m/bits by chance alone. Uncorrected, two long names would resemble each other
    in one case of eight.
    """
    ones_a, ones_b = a.bit_count(), b.bit_count()
    apart, total = x.bit_count(), ones_a + ones_b
    by_chance = 2 * ones_a * ones_b
    if bits * (total - 3 * apart) >= by_chance:
        return 2
    return 1 if bits * (5 * total - 9 * apart) >= 5 * by_chance else 0


def _name(x: int, a: int, b: int, bits: int) -> int:
    if not x:
        return 6
    if not x >> bits - 8:
        return 5
    bits -= 8
    low = (1 << bits) - 1
    return (1, 2, 4)[_alike(x & low, a & low, b & low, bits)]


def _names(x: int, a: int, b: int, bits: int) -> int:
    if not x:
        return 6
    if not x >> bits - 8:
        return 5
    bits -= 8
    low = (1 << bits) - 1
    a &= low
    b &= low
    ones_a, ones_b = a.bit_count(), b.bit_count()
    by_chance = ones_a * ones_b
    shared = bits * (a & b).bit_count() - by_chance
    least = bits * (ones_a if ones_a < ones_b else ones_b) - by_chance
    if 10 * shared >= 9 * least:
        return 5
    if 100 * shared >= 68 * least:
        return 4
    return 2 if 100 * shared >= 50 * least else 1


def _text(x: int, a: int, b: int, bits: int) -> int:
    if not x:
        return 4
    return 1 + _alike(x, a, b, bits)


def _date(x: int, a: int, b: int, bits: int) -> int:
    if not x:
        return 7
    month = x >> 8 & 255 == 0
    day = x & 255 == 0
    if not x >> 16:
        if month or day:
            return 5
        return 6 if a & 255 == b >> 8 & 255 and b & 255 == a >> 8 & 255 else 2
    digits = (x >> 24 == 0) + (x >> 16 & 255 == 0)
    if month and day:
        return 4 if digits == 1 else 3
    return 2 if digits + month + day == 2 else 1


def _apart(x: int) -> int:
    """How many of eight nibbles are not zero."""
    x |= x >> 2
    x |= x >> 1
    return (x & 0x11111111).bit_count()


def _digits(x: int, a: int, b: int, bits: int) -> int:
    if not x:
        return 4
    apart = _apart(x)
    return 4 - apart if apart <= 2 else 1


def _code(x: int, a: int, b: int, bits: int) -> int:
    if not x:
        return 5
    apart = _apart(x)
    if apart == 1:
        return 4
    if not x & 0xFFFF:
        return 3
    return 2 if apart == 2 else 1


def _exact(x: int, a: int, b: int, bits: int) -> int:
    return 1 if x else 2


def _initial(x: int, a: int, b: int, bits: int) -> int:
    return 1 if x & 127 else 2


_COMPARE: Final[dict[FieldKind, Callable[[int, int, int, int], int]]] = {
    FieldKind.NAME: _name,
    FieldKind.NAMES: _names,
    FieldKind.TEXT: _text,
    FieldKind.DATE: _date,
    FieldKind.DIGITS: _digits,
    FieldKind.CODE: _code,
    FieldKind.EXACT: _exact,
    FieldKind.INITIAL: _initial,
}

_Step = tuple[Callable[[int, int, int, int], int], int, int, int, int, int]


@lru_cache(maxsize=65536)
def _steps(mask_a: int, mask_b: int) -> tuple[_Step, ...]:
    """Per field that both have: its comparison, its shift in either filter, its mask, width, place in a pattern.

    Of a name that one side keeps in twice the width, the first half is compared.
    """
    at_a, at_b = _shifts(mask_a), _shifts(mask_b)
    steps: list[_Step] = []
    for index, field in enumerate(FIELDS):
        if index in at_a and index in at_b:
            (shift_a, bits_a), (shift_b, bits_b) = at_a[index], at_b[index]
            bits = min(bits_a, bits_b)
            steps.append(
                (
                    _COMPARE[field.kind],
                    shift_a + bits_a - bits,
                    shift_b + bits_b - bits,
                    (1 << bits) - 1,
                    bits,
                    LEVEL_BITS * index,
                )
            )
    return tuple(steps)


@lru_cache(maxsize=4096)
def _shifts(mask: int) -> dict[int, tuple[int, int]]:
    """Per field present: its shift from the right of a packed filter, and its width (bits)."""
    shifts, at = {}, 8 * packed_bytes(mask)
    for field in _layout_of(mask):
        if mask >> field.index & 1:
            at -= 8 * field.width_bytes
            shifts[field.index] = at, 8 * field.width_bytes
    return shifts


def compare(mask_a: int, a: int, mask_b: int, b: int) -> int:
    """The pattern of two packed filters of one block, read as big-endian integers.

    An initial counts where a given name is absent, or where the given names disagree and both sides wrote initials
    besides (a call name replaces the given names, not the initials); else it would repeat what the names say.
    """
    pattern = 0
    for level, at_a, at_b, mask, bits, place in _steps(mask_a, mask_b):
        field_a, field_b = a >> at_a & mask, b >> at_b & mask
        pattern |= level(field_a ^ field_b, field_a, field_b, bits) << place
    given = pattern & _LEVEL_MASK
    if not given:
        return pattern
    if given > _RESEMBLES:
        return pattern & _WITHOUT_INITIAL
    surname = pattern >> LEVEL_BITS & _LEVEL_MASK
    if surname and surname <= _RESEMBLES:
        pattern = _unswap(
            pattern, *_names_of(mask_a, a, mask_b), *_names_of(mask_b, b, mask_a), _name_bits(mask_a & mask_b)
        )
    at_a, at_b = _initial_places(mask_a, mask_b)
    return pattern if a >> at_a & b >> at_b & 128 else pattern & _WITHOUT_INITIAL


@lru_cache(maxsize=65536)
def _initial_places(mask_a: int, mask_b: int) -> tuple[int, int]:
    """Where the initial's byte stands in two packed filters (shift in bits); behind the end where it is absent."""
    behind = 8 * FILTER_BYTES, 0
    return _shifts(mask_a).get(_INITIAL, behind)[0], _shifts(mask_b).get(_INITIAL, behind)[0]


_INITIAL: Final = _INDEX["initial"]
_RESEMBLES: Final = 2
_SWAPPED: Final = 3
_BOTH_NAMES: Final = _LEVEL_MASK << LEVEL_BITS | _LEVEL_MASK
_BOTH_SWAPPED: Final = _SWAPPED << LEVEL_BITS | _SWAPPED
_WITHOUT_INITIAL: Final = ~(_LEVEL_MASK << LEVEL_BITS * _INITIAL)


def _name_bits(mask: int) -> int:
    return 8 * _layout_of(mask)[0].width_bytes


def _names_of(mask: int, packed: int, other: int) -> tuple[int, int]:
    """Given name and surname, both present, in the width that the other side has too."""
    bits = _name_bits(mask)
    both = packed >> 8 * packed_bytes(mask) - 2 * bits
    half = bits - _name_bits(mask & other)
    return both >> bits + half, (both & (1 << bits) - 1) >> half


def _unswap(pattern: int, given_a: int, surname_a: int, given_b: int, surname_b: int, bits: int) -> int:
    """Where neither name agrees, hold given name against surname crosswise; both must agree at least nearly."""
    if (
        _name(given_a ^ surname_b, given_a, surname_b, bits) > _SWAPPED
        and _name(surname_a ^ given_b, surname_a, given_b, bits) > _SWAPPED
    ):
        return (pattern >> 2 * LEVEL_BITS << 2 * LEVEL_BITS | _BOTH_SWAPPED) & _WITHOUT_INITIAL
    return pattern


# The model.


@dataclass(frozen=True, slots=True)
class Explanation:
    """One story of how a pattern comes about. Weights are millibits: 1000 · log2 of a probability, thus ≤ 0."""

    name: str
    same_person: bool
    prior_millibits: int
    weights_millibits: tuple[tuple[int, ...], ...]
    """Per field of FIELDS, per level; the weight of ABSENT is 0: what is not there says nothing."""


@dataclass(frozen=True, slots=True)
class MatchModel:
    """What `ModelAdopted` carries: a version and the explanations in their committed order."""

    version: str
    explanations: tuple[Explanation, ...]


WEIGHT_MIN_MILLIBITS: Final = -100_000
"""No level and no story is rarer than one in 2^100."""


def check_model(model: MatchModel) -> str | None:
    """Name what makes a model unusable, or None: `no_explanations`, `one_sided`, `wrong_shape`, `wrong_weight`."""
    if not model.explanations:
        return "no_explanations"
    kinds = [explanation.same_person for explanation in model.explanations]
    if all(kinds) or not any(kinds):
        return "one_sided"
    for explanation in model.explanations:
        if tuple(len(row) for row in explanation.weights_millibits) != LEVELS:
            return "wrong_shape"
        rows = explanation.weights_millibits
        if any(row[ABSENT] or min(row) < WEIGHT_MIN_MILLIBITS or max(row) > 0 for row in rows):
            return "wrong_weight"
        if not WEIGHT_MIN_MILLIBITS <= explanation.prior_millibits <= 0:
            return "wrong_weight"
    return None


class Scorer:
    """Scores patterns under one model, remembering those already seen (a cache: it never changes an answer).

    What each story pays for a level stands side by side in one integer, 32 bits a story, so that one addition a field
    serves all stories. Weights are never positive and are bounded (`check_model`): no lane runs over into the next.
    """

    __slots__ = ("_costs", "_lanes", "_ones", "_priors", "_scores", "_stories", "model")

    def __init__(self, model: MatchModel) -> None:
        self.model = model
        ones = [one for one in model.explanations if one.same_person]
        stories = [*ones, *(two for two in model.explanations if not two.same_person)]
        self._ones = len(ones)
        self._stories = stories
        self._lanes = struct.Struct(f"<{len(stories)}I")
        self._priors = self._side_by_side(story.prior_millibits for story in stories)
        self._costs = [
            (
                LEVEL_BITS * field,
                [self._side_by_side(one.weights_millibits[field][level] for one in stories) for level in range(size)],
            )
            for field, size in enumerate(LEVELS)
        ]
        self._scores: dict[int, int] = {}

    def score(self, pattern: int) -> int:
        """Millibits by which "one person" beats "two people"."""
        known = self._scores.get(pattern)
        if known is None:
            costs = self._paid(pattern)
            known = min(costs[self._ones :]) - min(costs[: self._ones])
            if len(self._scores) >= _REMEMBERED_MAX:
                self._scores.clear()
            self._scores[pattern] = known
        return known

    def best(self, pattern: int) -> tuple[Explanation, Explanation]:
        """The best explanation by one person, and the best by two; the first in the model's order where they tie."""
        costs = self._paid(pattern)
        ones, twos = costs[: self._ones], costs[self._ones :]
        return self._stories[ones.index(min(ones))], self._stories[self._ones + twos.index(min(twos))]

    def _side_by_side(self, weights_millibits: Iterable[int]) -> int:
        return int.from_bytes(self._lanes.pack(*[-weight for weight in weights_millibits]), "little")

    def _paid(self, pattern: int) -> tuple[int, ...]:
        """What each story pays for a pattern (millibits, at least 0), those of one person first."""
        paid = self._priors
        for place, costs in self._costs:
            paid += costs[pattern >> place & _LEVEL_MASK]
        return self._lanes.unpack(paid.to_bytes(self._lanes.size, "little"))


_REMEMBERED_MAX: Final = 100_000


def explain(scorer: Scorer, pattern: int) -> list[tuple[str, int]]:
    """(field, how far it speaks for one person in millibits) of each field present, without any value.

    The weights are those between the best story of one person and the best of two.
    """
    one, two = scorer.best(pattern)
    return [
        (field.name, one.weights_millibits[index][level] - two.weights_millibits[index][level])
        for index, (field, level) in enumerate(zip(FIELDS, levels_of(pattern), strict=True))
        if level != ABSENT
    ]


assert LEVEL_BITS * len(FIELDS) <= 63 and max(LEVELS) <= _LEVEL_MASK + 1 and FILTER_BYTES < 256
