"""Mutations: of bytes, and of what the bytes mean, so that a good share gets past the first check of every door."""

import json
import random
from collections.abc import Sequence
from io import BytesIO
from typing import Any, Final

from fastavro import schemaless_reader, schemaless_writer

from hub.contracts.schemas import registry

INPUT_BYTES_MAX: Final = 70_000
"""A little more than an inbox takes."""
_INTEGERS: Final = (0, 1, -1, 7, 127, 128, 2**31 - 1, 2**31, -(2**31), 2**63 - 1, -(2**63))
_TEXTS: Final = (
    "",
    "a",
    "KSV-01",
    "1011",
    "41000001",
    "3311",
    "999990342",
    "0612345678",
    "a@b.nl",
    "é" * 40,
    "\x00",
    "x" * 4000,
)


def mutated(data: bytes, corpus: Sequence[bytes], words: Sequence[bytes], chance: random.Random) -> bytes:
    """One input from another. Deterministic for the same chance."""
    kind = chance.random()
    if kind < 0.35 and len(data) > 6 and data[1] == 0:
        data = _avro(data, chance) or _bytes(data, corpus, words, chance)
    elif kind < 0.35 and data[:1] in b'{["':
        data = _json(data, chance) or _bytes(data, corpus, words, chance)
    elif kind < 0.5 and b"\n" in data:
        data = _lines(data, corpus, chance)
    else:
        for _ in range(chance.choice((1, 1, 1, 2, 4, 8))):
            data = _bytes(data, corpus, words, chance)
    return data[:INPUT_BYTES_MAX]


def _bytes(data: bytes, corpus: Sequence[bytes], words: Sequence[bytes], chance: random.Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    to = min(len(data), at + chance.choice((1, 1, 2, 4, 16, 64)))
    match chance.randrange(8):
        case 0 if at < len(data):
            return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
        case 1:
            return data[:at] + chance.randbytes(chance.randrange(1, 9)) + data[at:]
        case 2:
            return data[:at] + data[to:]
        case 3:
            return data[:at] + data[at:to] * chance.choice((2, 3, 50)) + data[to:]
        case 4 if words:
            return data[:at] + chance.choice(words) + data[at:]
        case 5 if words:
            return data[:at] + chance.choice(words) + data[to:]
        case 6:
            other = chance.choice(corpus)
            return data[:at] + other[chance.randrange(len(other) + 1) :]
        case _:
            return data[:at] + bytes([chance.choice((0, 1, 0x7F, 0x80, 0xFF))]) + data[at + 1 :]


def _avro(data: bytes, chance: random.Random) -> bytes | None:
    """A record of ours with another value in one place, or under another id; None when it is not one any more."""
    row = registry().by_id.get(int.from_bytes(data[2:6], "big"))
    if row is None:
        return None
    if chance.random() < 0.1:
        other = chance.choice(registry().rows)
        return data[:2] + other.id.to_bytes(4, "big") + data[6:]
    try:
        record = schemaless_reader(BytesIO(data[6:]), row.schema, None)
        out = BytesIO()
        schemaless_writer(out, row.schema, _changed(record, chance))
    except Exception:  # noqa: BLE001  # what does not fit its schema is mutated as bytes instead
        return None
    return data[:6] + out.getvalue()


def _json(data: bytes, chance: random.Random) -> bytes | None:
    try:
        lines = data.splitlines()
        number = chance.randrange(len(lines))
        if len(lines) > 1 and lines[number][:1] == b"{" and lines[number][-1:] == b"}":
            lines[number] = json.dumps(_changed(json.loads(lines[number]), chance)).encode()
            return b"\n".join(lines)
        return json.dumps(_changed(json.loads(data), chance)).encode()
    except (ValueError, RecursionError, IndexError):
        return None


def _changed(value: Any, chance: random.Random) -> Any:
    """A value with something else in one place of it."""
    if isinstance(value, dict) and value and chance.random() < 0.95:
        names = list(value)
        name = chance.choice(names)
        match chance.randrange(12):
            case 0:
                return {n: v for n, v in value.items() if n != name}
            case 1:
                return {**value, chance.choice(_TEXTS): value[name]}
            case 2:
                return {**value, name: value[chance.choice(names)]}
            case _:
                return {**value, name: _changed(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        at = chance.randrange(len(value))
        match chance.randrange(5):
            case 0:
                return value[:at] + value[at + 1 :]
            case 1:
                return value * chance.choice((2, 40))
            case _:
                return [*value[:at], _changed(value[at], chance), *value[at + 1 :]]
    match value:
        case bool():
            return chance.choice((not value, 1, None))
        case int():
            return chance.choice((*_INTEGERS, value + 1, value - 1, -value))
        case str():
            return chance.choice((*_TEXTS, value + value[-1:], value[1:], value.upper(), 5))
        case bytes():
            return chance.choice((b"", value[:-1], value + b"\x00", chance.randbytes(len(value)), value * 40))
        case None:
            return chance.choice((0, "", [], {}, "41000001"))
        case _:
            return chance.choice((None, 0, "", [], {}, *_TEXTS[:4]))


def _lines(data: bytes, corpus: Sequence[bytes], chance: random.Random) -> bytes:
    lines = data.split(b"\n")
    at = chance.randrange(len(lines))
    match chance.randrange(5):
        case 0:
            return b"\n".join([*lines[:at], *lines[at + 1 :]])
        case 1:
            return b"\n".join([*lines[:at], lines[at], *lines[at:]])
        case 2:
            other = chance.choice(corpus).split(b"\n")
            return b"\n".join([*lines[:at], chance.choice(other), *lines[at:]])
        case 3:
            chance.shuffle(lines)
            return b"\n".join(lines)
        case _:
            return b"\n".join([*lines[:at], lines[at] + lines[at - 1], *lines[at + 1 :]])
