"""Finds numbers by a hash, in eight bytes each: many small tables of 64-bit words with open addressing.

What a table holds follows from the rows, so no snapshot carries it: it is filled anew at a restore. Where a word stands
depends on what came and went before; what is found does not, since everything under a key is given, in ascending order.
"""

from array import array
from collections.abc import Iterator
from typing import Final

TABLES: Final = 1 << 12
"""One for each value of the first twelve bits of a hash: so that growing one takes no time worth mentioning."""
LOW_BITS: Final = 32
_LOW: Final = (1 << LOW_BITS) - 1
_NONE: Final = array("Q", [0])
"""Stands for every table that has held nothing yet; it is full from the start, so nobody writes to it."""


class HashTable:
    """Words of 32 bits under a hash of a place (16 bits, of which 12 count) and a rest (32 bits). Zero is no word."""

    __slots__ = ("_counts", "_tables")

    def __init__(self) -> None:
        self._tables = [_NONE] * TABLES
        self._counts = [0] * TABLES

    def find(self, place: int, rest: int) -> list[int]:
        """Every word under a hash, ascending."""
        table = self._tables[place >> 4]
        mask = len(table) - 1
        at = rest & mask
        found = []
        while slot := table[at]:
            if slot >> LOW_BITS == rest:
                found.append(slot & _LOW)
            at = at + 1 & mask
        return sorted(found)

    def add(self, place: int, rest: int, word: int) -> None:
        """Put a word under a hash."""
        table = self._with_room(place >> 4)
        mask = len(table) - 1
        at = rest & mask
        while table[at]:
            at = at + 1 & mask
        table[at] = rest << LOW_BITS | word

    def find_and_add(self, hashes: Iterator[int], word: int) -> Iterator[tuple[int, list[int]]]:
        """For each hash (place and rest in turns) that holds words already: its index, and those words, ascending.

        Under each hash goes `word` plus its index. Whoever stops taking leaves the rest out.
        """
        tables, counts = self._tables, self._counts
        for index, (place, rest) in enumerate(zip(hashes, hashes, strict=True), word):
            number = place >> 4
            table = tables[number]
            if counts[number] << 1 >= len(table) - 1:
                table = self._grown(number)
            mask = len(table) - 1
            at = rest & mask
            if slot := table[at]:
                found = []
                while slot:
                    if slot >> LOW_BITS == rest:
                        found.append(slot & _LOW)
                    at = at + 1 & mask
                    slot = table[at]
                if found:
                    found.sort()
                    yield index - word, found
            table[at] = rest << LOW_BITS | index
            counts[number] += 1

    def take_out(self, place: int, rest: int, word: int) -> None:
        """Take a word out again, if it is there; what stands behind it moves up, so that no search ends early."""
        table = self._tables[place >> 4]
        mask = len(table) - 1
        hole, gone = rest & mask, rest << LOW_BITS | word
        while (slot := table[hole]) != gone:
            if not slot:
                return
            hole = hole + 1 & mask
        self._counts[place >> 4] -= 1
        at = hole + 1 & mask
        while slot := table[at]:
            if at - (slot >> LOW_BITS) & mask >= at - hole & mask:
                table[hole] = slot
                hole = at
            at = at + 1 & mask
        table[hole] = 0

    def _with_room(self, number: int) -> "array[int]":
        table = self._tables[number]
        if self._counts[number] << 1 >= len(table) - 1:
            table = self._grown(number)
        self._counts[number] += 1
        return table

    def _grown(self, number: int) -> "array[int]":
        """Twice as large: at most half of a table is taken."""
        old = self._tables[number]
        size = max(8, 2 * len(old))
        table = self._tables[number] = array("Q", bytes(8 * size))
        for slot in filter(None, old):
            at = slot >> LOW_BITS & size - 1
            while table[at]:
                at = at + 1 & size - 1
            table[at] = slot
        return table
