"""What a region remembers of one kind of record, in parts small enough for one record of a snapshot.

A shard is picked by the checksum of a record's key, so the same record always stands in the same part. Values are
immutable and change only through `put` and `remove`, which note the part; nothing here depends on the order in which
records came: parts are written sorted, and rows are read in the order of their keys.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, Generic, TypeVar
from zlib import crc32

import msgspec

V = TypeVar("V")

SHARDS_MAX: Final = 64
"""Parts of one kind in one region (DESIGN spine 6)."""

encode_canonical = msgspec.msgpack.Encoder(order="deterministic").encode
"""Equal values, equal bytes."""


class Shards(Generic[V]):
    """Rows of one kind by key. `count` is fixed for a state version."""

    __slots__ = ("_changed", "_count", "_decoder", "_rows", "_size", "name", "size_max")

    def __init__(self, name: str, row: Any, *, count: int, size_max: int) -> None:
        """Empty. `row` is the type of a value; `size_max` bounds the rows (see `full`)."""
        assert 1 <= count <= SHARDS_MAX
        self.name = name
        self.size_max = size_max
        self._count = count
        self._rows: list[dict[str, V]] = [{} for _ in range(count)]
        self._changed: dict[int, None] = {}
        self._size = 0
        self._decoder: msgspec.msgpack.Decoder[dict[str, V]] = msgspec.msgpack.Decoder(dict[str, row])

    def __len__(self) -> int:
        return self._size

    @property
    def count(self) -> int:
        """Over how many parts the rows are spread."""
        return self._count

    @property
    def full(self) -> bool:
        """Whether a new key would go beyond the bound; rows that are there can still change."""
        return self._size >= self.size_max

    def get(self, key: str) -> V | None:
        """The row of a key, or None."""
        return self._rows[crc32(key.encode()) % self._count].get(key)

    def put(self, key: str, value: V) -> None:
        """Write a row."""
        shard = crc32(key.encode()) % self._count
        rows = self._rows[shard]
        if key not in rows:
            self._size += 1
        rows[key] = value
        self._changed[shard] = None

    def remove(self, key: str) -> None:
        """Forget a row; nothing happens where there is none."""
        shard = crc32(key.encode()) % self._count
        if self._rows[shard].pop(key, None) is not None:
            self._size -= 1
            self._changed[shard] = None

    def items(self) -> list[tuple[str, V]]:
        """All rows in the order of their keys: what a fact may depend on."""
        return sorted((pair for rows in self._rows for pair in rows.items()), key=lambda pair: pair[0])

    def values(self) -> list[V]:
        """All values in the order of their keys."""
        return [value for _, value in self.items()]

    def unordered(self) -> Iterator[tuple[str, V]]:
        """All rows in no fixed order: for sums and counts, whose result does not depend on it."""
        for rows in self._rows:
            yield from rows.items()

    def shard_items(self, number: int) -> list[tuple[str, V]]:
        """The rows of one shard (modulo their count) in the order of their keys: for work spread over days."""
        return sorted(self._rows[number % self._count].items())

    @property
    def changed(self) -> bool:
        """Whether a part waits to be written."""
        return bool(self._changed)

    def changed_parts(self) -> dict[str, bytes | None]:
        """Canonical bytes by part name of what changed since the last call; None for a shard that is empty now."""
        parts: dict[str, bytes | None] = {}
        for shard in sorted(self._changed):
            rows = self._rows[shard]
            parts[f"{self.name}/{shard:02d}"] = encode_canonical(rows) if rows else None
        self._changed.clear()
        return parts

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take the rows that `changed_parts` wrote; parts of other kinds are passed over."""
        for shard in range(self._count):
            part = parts.get(f"{self.name}/{shard:02d}")
            if part is not None:
                self._rows[shard] = self._decoder.decode(part)
        self._size = sum(len(rows) for rows in self._rows)
