"""What the match fold remembers, in parts small enough for one record of a snapshot.

Rows are kept as the bytes of their snapshot and decoded when needed: a live record costs little more in memory than on
disk. The few in use stay decoded, since a record that arrives is settled soon after. Tokens stand in many small runs
of bytes, found by the first 16 bits and then by searching for the rest: that search and the appending are C, and a
block is what the search finds. Nothing here depends on the order of a dict: parts are written sorted, and a run grows
in the order of the log.
"""

import hashlib
import struct
import sys
from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from hub.domain.match_model import MatchModel

ROWS_PER_PART: Final = 64
"""64 rows of at most two encodings of 1.9 kB stay below 256 kB."""
LIVE_ROWS_MAX: Final = 512
"""Rows that stay decoded until they are written back together: half a millisecond of work at most."""
RUNS: Final = 1 << 16
RUNS_PER_PART: Final = 8
REF_RUNS: Final = 1 << 14
REF_RUNS_PER_PART: Final = 16
LINK_BUCKETS: Final = 64
STORED_TOKEN_BYTES: Final = 6
"""Of the 8 that arrive, as many find the block; a chance meeting fails on its filters."""
_REST_BYTES: Final = 4
"""Of a token, behind the two bytes that choose its run; of a reference's digest likewise."""
_ENTRY_BYTES: Final = _REST_BYTES + 5
"""The rest of a token, the row's number (4) and which of its blocks it is (1)."""
_REF_ENTRY_BYTES: Final = _REST_BYTES + 4
_BLOCK_BYTE: Final = tuple(bytes([block]) for block in range(64))
_split_token: Final = struct.Struct(">H4s")
_split_digest: Final = struct.Struct(">HH4s")
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
        self.tallies: dict[str, int] = {}
        self.tenants: dict[str, Tenant] = {}
        self._rows: dict[int, bytes] = {}
        self._live: dict[int, Row] = {}
        self._unwritten: dict[int, None] = {}
        self._recent: dict[str, int] = {}
        self._runs: list[bytearray | None] = [None] * RUNS
        self._ref_runs: list[bytearray | None] = [None] * REF_RUNS
        self._expiry: dict[int, array[int]] = {}
        self._links: dict[int, dict[str, tuple[int, int]]] = {}
        self._patterns: dict[int, int] = {}
        self._changed: dict[str, None] = {"head": None, "model": None}
        self._changed_tokens: dict[int, None] = {}
        self._changed_refs: dict[int, None] = {}
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
        if number is not None:
            return number
        place, _, rest = _split_digest.unpack(_digest(key))
        run = self._ref_runs[place % REF_RUNS]
        if run is None:
            return None
        at = run.find(rest)
        while at >= 0:
            if not at % _REF_ENTRY_BYTES:
                number = int.from_bytes(run[at + _REST_BYTES : at + _REF_ENTRY_BYTES], "big")
                row = self.row(number)
                if key_of(row.tenant, row.provider, row.kind, row.record_id) == key:
                    self._recent[key] = number
                    return number
            at = run.find(rest, at + 1)
        return None

    def put_ref(self, key: str, number: int) -> None:
        """Let a reference find a row."""
        place, _, rest = _split_digest.unpack(_digest(key))
        place %= REF_RUNS
        run = self._ref_runs[place]
        if run is None:
            run = self._ref_runs[place] = bytearray()
        run += rest
        run += number.to_bytes(4, "big")
        self._recent[key] = number
        self._changed_refs[place // REF_RUNS_PER_PART] = None

    def drop_ref(self, key: str, number: int) -> None:
        """Let a reference find nothing."""
        place, _, rest = _split_digest.unpack(_digest(key))
        place %= REF_RUNS
        self._recent.pop(key, None)
        if _take_out(self._ref_runs, place, rest + number.to_bytes(4, "big")):
            self._changed_refs[place // REF_RUNS_PER_PART] = None

    # blocks

    def enter_blocks(self, tokens: bytes, number: int, block_max: int) -> tuple[dict[int, list[int]], int]:
        """Put a row into its blocks; returns whom it met there, and how many blocks were full and took it no more.

        Whom it met: other row → (own block number << 6 | theirs) for each shared block, in the order of the tokens.
        """
        met: dict[int, list[int]] = {}
        full, block = 0, -1
        runs, changed = self._runs, self._changed_tokens
        row = number.to_bytes(4, "big")
        for place, rest in _split_token.iter_unpack(tokens):
            block += 1
            run = runs[place]
            if run is None:
                run = runs[place] = bytearray()
            elif (at := run.find(rest)) >= 0:
                members = 0
                while at >= 0:
                    if not at % _ENTRY_BYTES:
                        members += 1
                        other = int.from_bytes(run[at + _REST_BYTES : at + _ENTRY_BYTES], "big")
                        look = block << 6 | other & 255
                        other >>= 8
                        if other in met:
                            met[other].append(look)
                        else:
                            met[other] = [look]
                    at = run.find(rest, at + 1)
                if members >= block_max:
                    full += 1
                    continue
            run += rest + row + _BLOCK_BYTE[block]
            changed[place // RUNS_PER_PART] = None
        if met:
            met.pop(number, None)
        return met, full

    def leave_block(self, token: bytes, number: int, block: int) -> None:
        """Take a row's block out, if it was in (a full block took no more)."""
        place, rest = _split_token.unpack(token)
        if _take_out(self._runs, place, rest + (number << 8 | block).to_bytes(5, "big")):
            self._changed_tokens[place // RUNS_PER_PART] = None

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
            *(f"tokens/{part:04d}" for part in self._changed_tokens),
            *(f"refs/{part:04d}" for part in self._changed_refs),
            *(f"expiry/{day:07d}" for day in self._changed_days),
        ]
        self._write_back()
        self._changed, self._changed_rows, self._changed_days = {}, {}, {}
        self._changed_tokens, self._changed_refs = {}, {}
        return {name: self._part(name) for name in sorted(names)}

    def parts(self) -> dict[str, bytes]:
        """Every part that is not empty, by name."""
        self._write_back()
        names = {"head", "model", "patterns", "tenants"}
        names.update(f"rows/{number // ROWS_PER_PART:07d}" for number in self._rows)
        names.update(f"tokens/{part:04d}" for part in range(RUNS // RUNS_PER_PART))
        names.update(f"refs/{part:04d}" for part in range(REF_RUNS // REF_RUNS_PER_PART))
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
            case "tokens":
                return _runs_part(self._runs, int(place), RUNS_PER_PART)
            case "refs":
                return _runs_part(self._ref_runs, int(place), REF_RUNS_PER_PART)
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
                    _restore_runs(state._runs, int(place), RUNS_PER_PART, data)
                case "refs":
                    _restore_runs(state._ref_runs, int(place), REF_RUNS_PER_PART, data)
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


def _digest(key: str) -> bytes:
    return hashlib.blake2b(key.encode(), digest_size=8).digest()


def _take_out(runs: list[bytearray | None], place: int, entry: bytes) -> bool:
    run = runs[place]
    at = -1 if run is None else run.find(entry)
    while run is not None and at >= 0:
        if not at % len(entry):
            del run[at : at + len(entry)]
            if not run:
                runs[place] = None
            return True
        at = run.find(entry, at + 1)
    return False


def _runs_part(runs: list[bytearray | None], part: int, size: int) -> bytes | None:
    held = runs[part * size : (part + 1) * size]
    return _encode([run or b"" for run in held]) if any(held) else None


def _restore_runs(runs: list[bytearray | None], part: int, size: int, data: bytes) -> None:
    for at, run in enumerate(msgspec.msgpack.decode(data, type=list[bytes])):
        runs[part * size + at] = bytearray(run) if run else None


def _remove(words: "array[int]", word: int) -> bool:
    at = bisect_left(words, word)
    if at < len(words) and words[at] == word:
        del words[at]
        return True
    return False
