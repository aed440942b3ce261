"""What the match fold remembers, in parts small enough for one record of a snapshot.

Rows are kept as the bytes of their snapshot and decoded when needed: a live record costs little more in memory than on
disk. Tokens stand in sorted arrays of 64-bit words (token bits, row number, block number), so a block is a run of
neighbours. Nothing here depends on the order of a dict: parts are written sorted.
"""

import hashlib
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from hub.domain.match_model import MatchModel

ROWS_PER_PART: Final = 64
"""64 rows of at most two encodings of 1.9 kB stay below 256 kB."""
TOKEN_BUCKETS_BITS: Final = 13
REF_BUCKETS: Final = 1024
LINK_BUCKETS: Final = 64
_NUMBER_BITS: Final = 27
_BLOCK_BITS: Final = 6
_NUMBER_MASK: Final = (1 << _NUMBER_BITS) - 1
_LOW_BITS: Final = _NUMBER_BITS + _BLOCK_BITS
_LOW_MASK: Final = (1 << _LOW_BITS) - 1
_REST_BITS: Final = 64 - _LOW_BITS
STORED_TOKEN_BYTES: Final = 6
"""Of the 8 that arrive; 44 bits of them find the block, and a chance meeting fails on its filters."""
_BUCKET_SHIFT: Final = 8 * STORED_TOKEN_BYTES - TOKEN_BUCKETS_BITS
_REST_SHIFT: Final = _BUCKET_SHIFT - _REST_BITS
_REST_MASK: Final = (1 << _REST_BITS) - 1
_BLOCK_MASK: Final = (1 << _BLOCK_BITS) - 1
PATTERNS_MAX: Final = 12_000
"""Distinct (scope, pattern) counts kept for the trainer; later ones count in the tally `patterns_dropped`."""


class Encoding(msgspec.Struct, array_like=True, frozen=True):
    """One epoch's encoding of a record: passes (1 byte each), 6-byte tokens, packed filters, one after another."""

    epoch: int
    presence: int
    passes: bytes
    tokens: bytes
    filters: bytes


class Submitted(msgspec.Struct, array_like=True, frozen=True):
    """A version that its region has not judged yet."""

    version: int
    due: int
    encoding: Encoding


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
        self.tallies: dict[str, int] = {}
        self.tenants: dict[str, Tenant] = {}
        self._rows: dict[int, bytes] = {}
        self._tokens: dict[int, array[int]] = {}
        self._refs: dict[int, array[int]] = {}
        self._expiry: dict[int, array[int]] = {}
        self._links: dict[int, dict[str, tuple[int, int]]] = {}
        self._patterns: dict[int, int] = {}
        self._changed: dict[str, None] = {"head": None, "model": None}
        self._changed_tokens: dict[int, None] = {}
        self._changed_rows: dict[int, None] = {}

    # rows

    def row(self, number: int) -> Row:
        """A copy of one row. KeyError when there is none."""
        return _decode_row(self._rows[number])

    def put_row(self, number: int, row: Row) -> None:
        """Write a row back."""
        self._rows[number] = _encode(row)
        self._changed_rows[number // ROWS_PER_PART] = None

    def drop_row(self, number: int) -> None:
        """Forget a row."""
        del self._rows[number]
        self._changed_rows[number // ROWS_PER_PART] = None

    def new_number(self) -> int:
        """The number of a new row, counted from 1 and never used again."""
        number = self.next_number
        self.next_number += 1
        self._changed["head"] = None
        return number

    def numbers(self) -> list[int]:
        """All rows, oldest first."""
        return sorted(self._rows)

    # references

    def find(self, key: str) -> int | None:
        """The number of the row with this reference."""
        bucket, word = _hash(key)
        words = self._refs.get(bucket)
        if words is None:
            return None
        at = bisect_left(words, word)
        while at < len(words) and words[at] >> _NUMBER_BITS == word >> _NUMBER_BITS:
            number = words[at] & _NUMBER_MASK
            row = self.row(number)
            if key_of(row.tenant, row.provider, row.kind, row.record_id) == key:
                return number
            at += 1
        return None

    def put_ref(self, key: str, number: int) -> None:
        """Let a reference find a row."""
        bucket, word = _hash(key)
        words = self._refs.setdefault(bucket, array("Q"))
        words.insert(bisect_left(words, word | number), word | number)
        self._changed[f"refs/{bucket:04d}"] = None

    def drop_ref(self, key: str, number: int) -> None:
        """Let a reference find nothing."""
        bucket, word = _hash(key)
        _remove(self._refs[bucket], word | number)
        self._changed[f"refs/{bucket:04d}"] = None

    # blocks

    def enter_blocks(self, tokens: bytes, number: int, block_max: int) -> tuple[dict[int, list[int]], int]:
        """Put a row into its blocks; returns whom it met there, and how many blocks were full and took it no more.

        Whom it met: other row → (own block number << 6 | theirs) for each shared block, in the order of the tokens.
        """
        met: dict[int, list[int]] = {}
        full = 0
        buckets, changed = self._tokens, self._changed_tokens
        for block in range(len(tokens) // STORED_TOKEN_BYTES):
            at = block * STORED_TOKEN_BYTES
            token = int.from_bytes(tokens[at : at + STORED_TOKEN_BYTES], "big")
            bucket = token >> _BUCKET_SHIFT
            word = (token >> _REST_SHIFT & _REST_MASK) << _LOW_BITS
            words = buckets.get(bucket)
            if words is None:
                words = buckets[bucket] = array("Q")
            first = end = bisect_left(words, word)
            size = len(words)
            if end < size and words[end] <= word | _LOW_MASK:
                top = word | _LOW_MASK
                while end < size and words[end] <= top:
                    there = words[end]
                    other = there >> _BLOCK_BITS & _NUMBER_MASK
                    look = block << _BLOCK_BITS | there & _BLOCK_MASK
                    if other in met:
                        met[other].append(look)
                    else:
                        met[other] = [look]
                    end += 1
                if end - first >= block_max:
                    full += 1
                    continue
                entry = word | number << _BLOCK_BITS | block
                words.insert(bisect_left(words, entry, first, end), entry)
            else:
                words.insert(first, word | number << _BLOCK_BITS | block)
            changed[bucket] = None
        met.pop(number, None)
        return met, full

    def leave_block(self, token: int, number: int, block: int) -> None:
        """Take a row's block out, if it was in (a full block took no more)."""
        bucket = token >> _BUCKET_SHIFT
        word = (token >> _REST_SHIFT & _REST_MASK) << _LOW_BITS
        words = self._tokens.get(bucket)
        if words is not None and _remove(words, word | number << _BLOCK_BITS | block):
            self._changed_tokens[bucket] = None

    # expiry

    def put_expiry(self, day: int, number: int) -> None:
        """Let a row expire at the start of a day (ordinal)."""
        words = self._expiry.setdefault(day, array("Q"))
        words.insert(bisect_left(words, number), number)
        self._changed[f"expiry/{day:07d}"] = None

    def drop_expiry(self, day: int, number: int) -> None:
        """Take back when a row expires."""
        words = self._expiry.get(day)
        if words is not None and _remove(words, number):
            self._changed[f"expiry/{day:07d}"] = None
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

    def adopt(self, model: MatchModel) -> None:
        """Use another model from here on; what was learned under the old one starts anew."""
        self.model = model
        self._patterns = {}
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
            *(f"tokens/{bucket:04d}" for bucket in self._changed_tokens),
        ]
        self._changed, self._changed_rows, self._changed_tokens = {}, {}, {}
        return {name: self._part(name) for name in sorted(names)}

    def parts(self) -> dict[str, bytes]:
        """Every part that is not empty, by name."""
        names = {"head", "model", "patterns", "tenants"}
        names.update(f"rows/{number // ROWS_PER_PART:07d}" for number in self._rows)
        names.update(f"tokens/{bucket:04d}" for bucket in self._tokens)
        names.update(f"refs/{bucket:04d}" for bucket in self._refs)
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
            case "tokens" | "refs" | "expiry":
                words = {"tokens": self._tokens, "refs": self._refs, "expiry": self._expiry}[family].get(int(place))
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
                return _encode((self.day, self.next_number, self.tallies, self.rules))

    @classmethod
    def restore(cls, parts: Mapping[str, bytes]) -> "MatchState":
        """The state whose parts these are. Raises msgspec errors on bytes that are none of ours."""
        state = cls(_decode_model(parts["model"]))
        for name, data in parts.items():
            family, _, place = name.partition("/")
            match family:
                case "rows":
                    state._rows.update(_decode_rows(data))
                case "tokens":
                    state._tokens[int(place)] = _words(data)
                case "refs":
                    state._refs[int(place)] = _words(data)
                case "expiry":
                    state._expiry[int(place)] = _words(data)
                case "links":
                    state._links[int(place)] = msgspec.msgpack.decode(data, type=dict[str, tuple[int, int]])
                case "patterns":
                    state._patterns = dict(msgspec.msgpack.decode(data, type=list[tuple[int, int]]))
                case "tenants":
                    state.tenants = _decode_tenants(data)
                case "head":
                    state.day, state.next_number, state.tallies, state.rules = msgspec.msgpack.decode(
                        data, type=tuple[int, int, dict[str, int], int]
                    )
                case _:
                    pass
        state._changed = {}
        return state


def key_of(tenant: str, provider: str, kind: str, record_id: str) -> str:
    """One text for a reference. A unit separator occurs in none of its parts."""
    return f"{tenant}\x1f{provider}\x1f{kind}\x1f{record_id}"


def _hash(key: str) -> tuple[int, int]:
    digest = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big")
    return digest % REF_BUCKETS, digest >> _NUMBER_BITS << _NUMBER_BITS


def _remove(words: "array[int]", word: int) -> bool:
    at = bisect_left(words, word)
    if at < len(words) and words[at] == word:
        del words[at]
        return True
    return False
