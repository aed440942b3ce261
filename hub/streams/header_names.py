"""Reads records whose header names are no UTF-8, as any client but ours may write them.

aiokafka raises UnicodeDecodeError for the whole poll then, again and again: one record of one tenant would stop intake
for everybody. Its own reader in Python does the same, but lets us say how a name is decoded. It is a few times slower,
so a process changes over when it meets such a record, and goes back with its next start.
"""

import codecs
from typing import Any, Final

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy


def tolerate() -> None:
    """From the next fetch on, each byte of a header name that is no UTF-8 comes as `?`.

    One byte for one: a record that grew here would not fit among the dead letters, and hold intake up for ever.
    """
    fetcher.MemoryRecords = TolerantRecords


def _one_for_one(problem: UnicodeError) -> tuple[str, int]:
    assert isinstance(problem, UnicodeDecodeError)
    return "?" * (problem.end - problem.start), problem.end


_ONE_FOR_ONE: Final = "hub.one-for-one"
codecs.register_error(_ONE_FOR_ONE, _one_for_one)


class _Buffer(bytearray):
    """Bytes of records; what is cut out of them and decoded is a header name."""

    def __getitem__(self, at: Any) -> Any:
        found = super().__getitem__(at)
        return _Buffer(found) if isinstance(at, slice) else found

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        return super().decode(encoding, _ONE_FOR_ONE)


class _Batch(_DefaultRecordBatchPy):  # type: ignore[misc]  # aiokafka publishes no types
    _buffer: bytearray

    def __iter__(self) -> "_Batch":
        super().__iter__()
        self._buffer = _Buffer(self._buffer)
        return self


class TolerantRecords(_MemoryRecordsPy):  # type: ignore[misc]  # likewise
    """What a fetch brought, batch by batch."""

    def next_batch(self) -> Any:
        """The next batch, None after the last."""
        held = self._next_slice
        return None if super().next_batch() is None else _Batch(held)


STRICT: Final = fetcher.MemoryRecords
"""What a process starts with; for tests that put it back."""
