"""What the hub knows of who somebody is: block tokens and block-salted filters, and nothing else.

An `Identity` is made at the provider (`hub/edge`) under a key epoch whose key the hub never holds. Each block is one
conjunction of facts about a person (say birth date and surname) as an 8-byte token, and beside it the person's
filters, salted by that same block: two filters mean something to each other only where their tokens are equal.

The layout of the filters is fixed here because three parties share it: the edge writes it, the match fold compares it,
and the trainer learns from the comparison. Every figure in this file is a PROPOSAL (ours).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

TOKEN_BYTES: Final = 8
BLOCKS_MAX: Final = 32
IDENTITY_BYTES_MAX: Final = 2048


class FieldKind(StrEnum):
    """How the filter of a field was made, and so how two of them compare."""

    NAME = "name"
    """A sound byte, then a Bloom filter over letter pairs: the given name."""
    NAMES = "names"
    """Likewise, over one or several names of which the other side may hold fewer: surnames. Given name and surname are
    drawn alike, so that a swap of the two shows."""
    TEXT = "text"
    """A Bloom filter over letter pairs."""
    DATE = "date"
    """Four bytes: decade, year within it, month, day; month and day share one table, so a swap shows."""
    DIGITS = "digits"
    """Eight nibbles, one for each position counted from the end."""
    CODE = "code"
    """Eight nibbles, one for each position counted from the start: a postcode."""
    EXACT = "exact"
    """One byte: equal or not."""
    INITIAL = "initial"
    """One byte, of which the highest bit says that it was written as an initial, not taken from a name."""


@dataclass(frozen=True, slots=True)
class FieldLayout:
    """One field of a filter: its name in explanations, its kind, where it stands (bytes), its place in a pattern."""

    name: str
    kind: FieldKind
    offset_bytes: int
    width_bytes: int
    index: int


def _layout(fields: Iterable[tuple[int, str, FieldKind, int]]) -> tuple[FieldLayout, ...]:
    rows, offset = [], 0
    for index, name, kind, width in fields:
        rows.append(FieldLayout(name, kind, offset, width, index))
        offset += width
    return tuple(rows)


_NAMES: Final = (FieldKind.NAME, FieldKind.NAMES)
_ACCOUNTS: Final = ("phone", "email", "national_id", "insurer_number")
_FIELDS: Final = (
    ("given_name", FieldKind.NAME, 8),
    ("surname", FieldKind.NAMES, 8),
    ("birth_date", FieldKind.DATE, 4),
    ("postcode", FieldKind.CODE, 4),
    ("house_number", FieldKind.EXACT, 1),
    ("street", FieldKind.TEXT, 6),
    ("city", FieldKind.TEXT, 5),
    ("phone", FieldKind.DIGITS, 4),
    ("email", FieldKind.TEXT, 5),
    ("national_id", FieldKind.DIGITS, 4),
    ("insurer_number", FieldKind.DIGITS, 4),
    ("initial", FieldKind.INITIAL, 1),
    ("second_initial", FieldKind.EXACT, 1),
    ("sex", FieldKind.EXACT, 1),
    ("birth_place", FieldKind.TEXT, 4),
    ("other", FieldKind.TEXT, 6),
)
FIELDS: Final = _layout((index, *field) for index, field in enumerate(_FIELDS))
"""The fields in the order of their bytes. An all-zero field is absent: a present one always sets a bit."""
WIDE_FIELDS: Final = _layout(
    (index, name, kind, width * 2 if kind in _NAMES else width)
    for index, (name, kind, width) in enumerate(_FIELDS)
    if name not in _ACCOUNTS
)
"""The same of a record without an account: the room for these doubles its names, by which it must be told apart.
The first half of a name is what it would be in FIELDS, so that records of both sorts compare."""

FILTER_BYTES: Final = sum(field.width_bytes for field in FIELDS)
WIDE_FILTER_BYTES: Final = sum(field.width_bytes for field in WIDE_FIELDS)

PASSES: Final = MappingProxyType(
    {
        1: "national id",
        2: "phone",
        3: "e-mail",
        4: "insurer number",
        5: "birth date and a name",
        6: "birth date and postcode area",
        7: "postcode and house number",
        8: "both names, birth year and month",
        9: "both names, birth year and day",
        10: "both names, birth month and day",
        11: "a name and postcode",
        12: "birth date and the start of a name",
        13: "birth date and the end of a name",
        14: "street, house number and a name",
        15: "a name, an initial, birth year and month",
        16: "a name, an initial, birth month and day",
        17: "a name, an initial, birth year and day",
        18: "street and postcode",
        20: "name of the e-mail address, without a figure in it also birth year or town",
        21: "birth date and town",
        22: "a name, an initial and town",
        23: "street and town",
        24: "a name, an initial and birth place",
    }
)
"""Stable numbers of the conjunctions that make a block, in the words that explain a score. No number is reused."""


@dataclass(frozen=True, slots=True)
class Block:
    """One conjunction: its number in PASSES, its token (8 bytes), its filters (FILTER_BYTES, or WIDE_FILTER_BYTES for a
    person without an account; or empty)."""

    pass_number: int
    token: bytes
    filters: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """What one record says of who somebody is, under one key epoch. No blocks: accepted, but not comparable."""

    epoch: int
    blocks: tuple[Block, ...]

    @property
    def comparable(self) -> bool:
        """Whether the record can be found by another at all (too few fields give no block)."""
        return bool(self.blocks)


_LENGTHS: Final = (set[int](), {FILTER_BYTES}, {WIDE_FILTER_BYTES})


def check_identity(identity: Identity, epochs: Collection[int]) -> str | None:
    """Name what is wrong with an encoding, or None. The first reason in this order speaks.

    `unknown_epoch` (not among the epochs in force), `too_many_blocks` (over 32), `wrong_length` (a token is not 8
    bytes, or filters are neither empty nor all of FILTER_BYTES nor all of WIDE_FILTER_BYTES), `too_many_bytes` (over
    2 KiB in all), `unknown_pass`, `repeated_block` (one token twice in one pass).
    """
    if identity.epoch not in epochs:
        return "unknown_epoch"
    blocks = identity.blocks
    if len(blocks) > BLOCKS_MAX:
        return "too_many_blocks"
    lengths = {len(block.filters) for block in blocks if block.filters}
    if any(len(block.token) != TOKEN_BYTES for block in blocks) or lengths not in _LENGTHS:
        return "wrong_length"
    if sum(len(block.token) + len(block.filters) for block in blocks) > IDENTITY_BYTES_MAX:
        return "too_many_bytes"
    if any(block.pass_number not in PASSES for block in blocks):
        return "unknown_pass"
    if len({(block.pass_number, block.token) for block in blocks}) != len(blocks):
        return "repeated_block"
    return None
