"""Offsets noted beside a group's own: which records of a topic somebody else would not take.

A broker keeps some text with each committed offset, so a relay can remember them and stay without a state of its own;
the records stand on the topic as long as it keeps them. A note is a few ranges, `3,17-21`. One that grows beyond what
the broker takes is made shorter by joining the ranges that lie closest: it then names some that were taken as well,
which are told twice and dropped by their sequence, and never forgets one.
"""

from itertools import pairwise
from typing import Final

NOTE_BYTES_MAX: Final = 4000
"""A broker keeps 4096 bytes with an offset (offset.metadata.max.bytes)."""


def ranges_of(note: str) -> list[tuple[int, int]]:
    """First and last offset of each range, rising; none of a text that is no note."""
    found = []
    for part in filter(None, note.split(",")):
        first, _, last = part.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            return []
        found.append((int(first), int(last or first)))
    return found


def noted(note: str, offset: int) -> str:
    """The note with one offset more, short enough for the broker."""
    ranges: list[tuple[int, int]] = []
    for first, last in sorted([*ranges_of(note), (offset, offset)]):
        if ranges and first <= ranges[-1][1] + 1:
            ranges[-1] = (ranges[-1][0], max(ranges[-1][1], last))
        else:
            ranges.append((first, last))
    while len(text := _text(ranges)) > NOTE_BYTES_MAX:
        _, n = min((later[0] - earlier[1], n) for n, (earlier, later) in enumerate(pairwise(ranges)))
        ranges[n : n + 2] = [(ranges[n][0], ranges[n + 1][1])]
    return text


def without(note: str, first: int, last: int) -> str:
    """The note without the offsets from `first` to `last`."""
    left = []
    for a, b in ranges_of(note):
        left += [(a, min(b, first - 1)), (max(a, last + 1), b)]
    return _text([(a, b) for a, b in left if a <= b])


def _text(ranges: list[tuple[int, int]]) -> str:
    return ",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in ranges)
