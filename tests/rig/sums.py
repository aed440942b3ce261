"""CRC-32 of records by offset, in eight bytes each: a run of millions fits."""

from array import array
from collections.abc import Iterator, Mapping


class Sums(Mapping[int, int]):
    """Offset → CRC. Offsets are those of one partition, so they have few gaps."""

    def __init__(self) -> None:
        self._held = array("Q")
        self._count = 0

    def put(self, offset: int, crc: int) -> None:
        """Note the CRC of a record, in place of what stood there."""
        if offset >= len(self._held):
            self._held.extend([0] * (offset + 1 - len(self._held)))
        self._count += not self._held[offset]
        self._held[offset] = crc + 1

    def __getitem__(self, offset: int) -> int:
        if 0 <= offset < len(self._held) and (held := self._held[offset]):
            return held - 1
        raise KeyError(offset)

    def __iter__(self) -> Iterator[int]:
        return (offset for offset, held in enumerate(self._held) if held)

    def __len__(self) -> int:
        return self._count
