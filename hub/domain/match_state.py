"""What the match fold remembers, in parts small enough for one record of a snapshot.

Rows are kept as the bytes of their snapshot and decoded when needed: a live record costs little more in memory than on
disk. The few in use stay decoded, since a record that arrives is settled soon after. Which rows share a token, and
which row has a reference, follows from the rows: two tables of hashes tell it, and are in no snapshot. Nothing here
depends on the order of a dict: parts are written sorted, and a block gives its rows by number.
"""

import hashlib
import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Container, Iterator, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from hub.domain.identity import BLOCKS_MAX
from hub.domain.match_model import MatchModel
from hub.domain.match_table import LOW_BITS, HashTable

ROWS_PER_PART: Final = 64
"""64 rows of at most two encodings of 1.9 kB stay below 256 kB."""
LIVE_ROWS_MAX: Final = 512
"""Rows that stay decoded until they are written back together: half a millisecond of work at most."""
LINK_BUCKETS: Final = 64
STORED_TOKEN_BYTES: Final = 6
"""Of the 8 that arrive, as many find the block; a chance meeting fails on its filters."""
BLOCK_BITS: Final = 6
"""In a word of 32 bits: which of its blocks it is, behind the number of a row."""
_BLOCK_MASK: Final = (1 << BLOCK_BITS) - 1
NUMBERS_MAX: Final = 1 << LOW_BITS - BLOCK_BITS
"""67 million records: two for each birth, for 200 years."""
PATTERNS_MAX: Final = 12_000
"""Distinct (scope, pattern) counts kept for the trainer; later ones count in the tally `patterns_dropped`."""


class Encoding(msgspec.Struct, array_like=True, frozen=True):
    """One epoch's encoding of a record: passes (1 byte each), 6-byte tokens, packed filters, one after another."""

    epoch: int
    presence: int
    passes: bytes
    tokens: bytes
    filters: bytes

    def without(self, blocks: Container[int]) -> "Encoding":
        """The same with some blocks (by their places) left out."""
        kept = [at for at in range(len(self.passes)) if at not in blocks]
        width = len(self.filters) // len(self.passes)
        return Encoding(
            self.epoch,
            self.presence,
            bytes([self.passes[at] for at in kept]),
            b"".join([self.tokens[at * STORED_TOKEN_BYTES : (at + 1) * STORED_TOKEN_BYTES] for at in kept]),
            b"".join([self.filters[at * width : (at + 1) * width] for at in kept]),
        )


class Submitted(msgspec.Struct, array_like=True, frozen=True):
    """A version that its region has not judged yet; without an encoding: judged (refused) before it arrived here."""

    version: int
    region: str
    encoding: Encoding | None


class Linked(msgspec.Struct, array_like=True, frozen=True):
    """One side of an open link: the other row and what it scored."""

    other: int
    link_id: str
    score_millibits: int


class Row(msgspec.Struct, array_like=True):
    """One record. `status`: 0 submitted, 1 active, 2 closed. `due`: proleptic ordinal of the due date."""

    tenant: str
    provider: str
    kind: str
    record_id: str
    version: int = 0
    region: str = ""
    status: int = 0
    due: int = 0
    encoded_version: int = 0
    encodings: list[Encoding] = []
    pending: list[Submitted] = []
    links: list[Linked] = []
    rejected: list[int] = []


class Tenant(msgspec.Struct, array_like=True):
    """A tenant's links of the last days (ordinal, count), whether it is held, and the links withheld meanwhile."""

    links_by_day: list[tuple[int, int]] = []
    held: bool = False
    withheld: list[str] = []


_encode = msgspec.msgpack.Encoder(order="deterministic").encode
_decode_row = msgspec.msgpack.Decoder(Row).decode
_decode_tenants = msgspec.msgpack.Decoder(dict[str, Tenant]).decode
_decode_rows = msgspec.msgpack.Decoder(list[tuple[int, bytes]]).decode
_decode_model = msgspec.msgpack.Decoder(MatchModel).decode


def _words(data: bytes) -> "array[int]":
    words: array[int] = array("Q", data)
    if sys.byteorder == "little":
        words.byteswap()
    return words


def _word_bytes(words: "array[int]") -> bytes:
    if sys.byteorder == "big":
        return words.tobytes()
    swapped = words[:]
    swapped.byteswap()
    return swapped.tobytes()


class MatchState:
    """The state of the match fold. Change it only through its methods: they note which parts changed."""

    def __init__(self, model: MatchModel) -> None:
        """Empty, with the model that a cold start ships."""
        self.day = 0
        self.next_number = 1
        self.rules = 1
        self.model = model
        self.models: dict[str, int] = {}
        self.tallies: dict[str, int] = {}
        self.tenants: dict[str, Tenant] = {}
        self._rows: dict[int, bytes] = {}
        self._live: dict[int, Row] = {}
        self._unwritten: dict[int, None] = {}
        self._recent: dict[str, int] = {}
        self._blocks = HashTable()
        self._refs = HashTable()
        self._expiry: dict[int, array[int]] = {}
        self._links: dict[int, dict[str, tuple[int, int]]] = {}
        self._patterns: dict[int, int] = {}
        self._changed: dict[str, None] = {"head": None, "model": None}
        self._changed_rows: dict[int, None] = {}
        self._changed_days: dict[int, None] = {}

    # rows

    def row(self, number: int) -> Row:
        """One row, the same object until `rest`; whoever changes it says so by `put_row`. KeyError without one."""
        row = self._live.get(number)
        if row is None:
            row = self._live[number] = _decode_row(self._rows[number])
        return row

    def holds(self, number: int) -> bool:
        """Whether there is such a row."""
        return number in self._rows

    def put_row(self, number: int, row: Row) -> None:
        """Keep a row: one that was changed, or a new one."""
        if number not in self._live:
            self._live[number] = row
            self._rows.setdefault(number, b"")
        self._unwritten[number] = None
        self._changed_rows[number // ROWS_PER_PART] = None

    def drop_row(self, number: int) -> None:
        """Forget a row."""
        self._live.pop(number, None)
        self._unwritten.pop(number, None)
        del self._rows[number]
        self._changed_rows[number // ROWS_PER_PART] = None

    def rest(self) -> None:
        """Between two events, while nobody holds a row: where many are decoded, they become bytes again."""
        if len(self._live) >= LIVE_ROWS_MAX:
            self._write_back()

    def _write_back(self) -> None:
        live, rows = self._live, self._rows
        for number in self._unwritten:
            rows[number] = _encode(live[number])
        self._unwritten.clear()
        live.clear()
        self._recent.clear()

    def new_number(self) -> int:
        """The number of a new row, counted from 1 and never used again."""
        number = self.next_number
        assert number < NUMBERS_MAX, "no number left for a record"
        self.next_number += 1
        self._changed["head"] = None
        return number

    def numbers(self) -> list[int]:
        """All rows, oldest first."""
        return sorted(self._rows)

    # references

    def find(self, key: str) -> int | None:
        """The number of the row with this reference."""
        number = self._recent.get(key)
        return self._found(key, *_place_and_rest(key)) if number is None else number

    def find_or_take(self, key: str) -> tuple[int, bool]:
        """The number of the row with this reference, or a fresh one that it finds from here on; whether it is fresh."""
        number = self._recent.get(key)
        if number is not None:
            return number, False
        place, rest = _place_and_rest(key)
        number = self._found(key, place, rest)
        if number is not None:
            return number, False
        number = self.new_number()
        self._refs.add(place, rest, number)
        self._recent[key] = number
        return number, True

    def put_ref(self, key: str, number: int) -> None:
        """Let a reference find a row."""
        self._refs.add(*_place_and_rest(key), number)
        self._recent[key] = number

    def drop_ref(self, key: str, number: int) -> None:
        """Let a reference find nothing."""
        self._refs.take_out(*_place_and_rest(key), number)
        self._recent.pop(key, None)

    def _found(self, key: str, place: int, rest: int) -> int | None:
        for number in self._refs.find(place, rest):
            if key_of_row(self.row(number)) == key:
                self._recent[key] = number
                return number
        return None

    # blocks

    def enter_blocks(self, encoding: Encoding, number: int, block_max: int) -> tuple[dict[int, list[int]], Encoding]:
        """Put a row into its blocks; returns whom it met there, and the encoding without the blocks that were full.

        Whom it met: other row → (own block number << 6 | theirs) for each shared block, in the order of the blocks.
        A block that holds `block_max` rows takes no more.
        """
        met: dict[int, list[int]] = {}
        full: dict[int, None] = {}
        words = _split(encoding.tokens)
        for block, others in self._blocks.find_and_add(words, number << BLOCK_BITS):
            if len(others) >= block_max:
                full[block] = None
            for other in others:
                met.setdefault(other >> BLOCK_BITS, []).append(block << BLOCK_BITS | other & _BLOCK_MASK)
        met.pop(number, None)
        if not full:
            return met, encoding
        self.leave_blocks(encoding, number)
        kept = encoding.without(full)
        self._fill_blocks(kept, number)
        return met, kept

    def leave_blocks(self, encoding: Encoding, number: int) -> None:
        """Take a row out of the blocks of one encoding."""
        words = _split(encoding.tokens)
        for block, (place, rest) in enumerate(zip(words, words, strict=True)):
            self._blocks.take_out(place, rest, number << BLOCK_BITS | block)

    def _fill_blocks(self, encoding: Encoding, number: int) -> None:
        for _ in self._blocks.find_and_add(_split(encoding.tokens), number << BLOCK_BITS):
            pass

    # expiry

    def put_expiry(self, day: int, number: int) -> None:
        """Let a row expire at the start of a day (ordinal)."""
        words = self._expiry.get(day)
        if words is None:
            words = self._expiry[day] = array("Q")
        if not words or words[-1] < number:
            words.append(number)
        else:
            words.insert(bisect_left(words, number), number)
        self._changed_days[day] = None

    def drop_expiry(self, day: int, number: int) -> None:
        """Take back when a row expires."""
        words = self._expiry.get(day)
        if words is not None and _remove(words, number):
            self._changed_days[day] = None
            if not words:
                del self._expiry[day]

    def expired_by(self, day: int) -> list[int]:
        """Rows that expire on or before a day, by day and number."""
        return [number for due in sorted(d for d in self._expiry if d <= day) for number in self._expiry[due]]

    # links

    def put_link(self, link_id: str, first: int, second: int) -> None:
        """Remember between which rows a link stands."""
        bucket = int(link_id[:4], 16) % LINK_BUCKETS
        self._links.setdefault(bucket, {})[link_id] = (first, second)
        self._changed[f"links/{bucket:02d}"] = None

    def drop_link(self, link_id: str) -> None:
        """Forget a link."""
        bucket = int(link_id[:4], 16) % LINK_BUCKETS
        if self._links.get(bucket, {}).pop(link_id, None) is not None:
            self._changed[f"links/{bucket:02d}"] = None

    def link(self, link_id: str) -> tuple[int, int] | None:
        """The two rows of a link that stands."""
        try:
            bucket = int(link_id[:4], 16) % LINK_BUCKETS
        except ValueError:
            return None
        return self._links.get(bucket, {}).get(link_id)

    def links(self) -> Iterator[tuple[str, int, int]]:
        """All links that stand, by id."""
        for link_id, (first, second) in sorted(pair for bucket in self._links.values() for pair in bucket.items()):
            yield link_id, first, second

    # small things

    def count(self, name: str, by: int = 1) -> None:
        """Add to a tally."""
        self.tallies[name] = self.tallies.get(name, 0) + by
        self._changed["head"] = None

    def learn(self, within_provider: bool, pattern: int) -> None:
        """Count a pattern for the trainer: seen inside one provider, or across providers."""
        key = pattern << 1 | within_provider
        seen = self._patterns.get(key)
        if seen is None and len(self._patterns) >= PATTERNS_MAX:
            self.count("patterns_dropped")
            return
        self._patterns[key] = (seen or 0) + 1
        self._changed["patterns"] = None

    def patterns(self) -> list[tuple[bool, int, int]]:
        """(within one provider, pattern, count) in ascending order: what the trainer reads."""
        return [(bool(key & 1), key >> 1, count) for key, count in sorted(self._patterns.items())]

    def put_tenant(self, name: str, tenant: Tenant) -> None:
        """Write a tenant's budget back."""
        self.tenants[name] = tenant
        self._changed["tenants"] = None

    def adopt(self, model: MatchModel, record_id: str, version: int) -> None:
        """Use another model, a version of a record, from here on; what was learned under the old one starts anew."""
        self.model = model
        self.models[record_id] = version
        self._patterns = {}
        self._changed["head"] = None
        self._changed["model"] = None
        self._changed["patterns"] = None

    def put_day(self, day: int) -> None:
        """The day that has begun (ordinal)."""
        self.day = day
        self._changed["head"] = None

    def put_rules(self, version: int) -> None:
        """The version of the rules in force; it never falls."""
        self.rules = max(self.rules, version)
        self._changed["head"] = None

    # snapshots

    def take_changed(self) -> dict[str, bytes | None]:
        """The parts that changed since the last call, each in canonical bytes; None for a part that is gone."""
        names = [
            *self._changed,
            *(f"rows/{part:07d}" for part in self._changed_rows),
            *(f"expiry/{day:07d}" for day in self._changed_days),
        ]
        self._write_back()
        self._changed, self._changed_rows, self._changed_days = {}, {}, {}
        return {name: self._part(name) for name in sorted(names)}

    def parts(self) -> dict[str, bytes]:
        """Every part that is not empty, by name."""
        self._write_back()
        names = {"head", "model", "patterns", "tenants"}
        names.update(f"rows/{number // ROWS_PER_PART:07d}" for number in self._rows)
        names.update(f"expiry/{day:07d}" for day in self._expiry)
        names.update(f"links/{bucket:02d}" for bucket in self._links)
        full = ((name, self._part(name)) for name in sorted(names))
        return {name: part for name, part in full if part is not None}

    def _part(self, name: str) -> bytes | None:
        family, _, place = name.partition("/")
        match family:
            case "rows":
                start = int(place) * ROWS_PER_PART
                rows = {n: self._rows[n] for n in range(start, start + ROWS_PER_PART) if n in self._rows}
                return _encode(list(rows.items())) if rows else None
            case "expiry":
                words = self._expiry.get(int(place))
                return _word_bytes(words) if words else None
            case "links":
                links = self._links.get(int(place))
                return _encode(links) if links else None
            case "patterns":
                return _encode(sorted(self._patterns.items())) if self._patterns else None
            case "tenants":
                return _encode(self.tenants) if self.tenants else None
            case "model":
                return _encode(self.model)
            case _:
                return _encode((self.day, self.next_number, self.tallies, self.rules, self.models))

    @classmethod
    def restore(cls, parts: Mapping[str, bytes]) -> "MatchState":
        """The state whose parts these are. Raises msgspec errors on bytes that are none of ours."""
        state = cls(_decode_model(parts["model"]))
        for name, data in parts.items():
            family, _, place = name.partition("/")
            match family:
                case "rows":
                    state._rows.update(_decode_rows(data))
                case "expiry":
                    state._expiry[int(place)] = _words(data)
                case "links":
                    state._links[int(place)] = msgspec.msgpack.decode(data, type=dict[str, tuple[int, int]])
                case "patterns":
                    state._patterns = dict(msgspec.msgpack.decode(data, type=list[tuple[int, int]]))
                case "tenants":
                    state.tenants = _decode_tenants(data)
                case "head":
                    state.day, state.next_number, state.tallies, state.rules, state.models = msgspec.msgpack.decode(
                        data, type=tuple[int, int, dict[str, int], int, dict[str, int]]
                    )
                case _:
                    pass
        state._changed = {}
        for number in state.numbers():
            row = _decode_row(state._rows[number])
            state._refs.add(*_place_and_rest(key_of_row(row)), number)
            for encoding in row.encodings:
                state._fill_blocks(encoding, number)
        return state


def key_of(tenant: str, provider: str, kind: str, record_id: str) -> str:
    """One text for a reference. A unit separator occurs in none of its parts."""
    return f"{tenant}\x1f{provider}\x1f{kind}\x1f{record_id}"


def key_of_row(row: Row) -> str:
    """The same of a row."""
    return key_of(row.tenant, row.provider, row.kind, row.record_id)


def _place_and_rest(key: str) -> tuple[int, int]:
    place, rest = _split_digest(hashlib.blake2b(key.encode(), digest_size=8).digest())
    return place, rest


_split_digest: Final = struct.Struct(">HI2x").unpack


def _split(tokens: bytes) -> Iterator[int]:
    """The place and the rest of each token, in turns."""
    return iter(_tokens_of(len(tokens)).unpack(tokens))


@lru_cache(maxsize=BLOCKS_MAX + 1)
def _tokens_of(size: int) -> struct.Struct:
    return struct.Struct(">" + "HI" * (size // STORED_TOKEN_BYTES))


def _remove(words: "array[int]", word: int) -> bool:
    at = bisect_left(words, word)
    if at < len(words) and words[at] == word:
        del words[at]
        return True
    return False
