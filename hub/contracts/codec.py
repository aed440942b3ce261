"""Bytes to events and back: Confluent framing (0, schema id, Avro body) around the dataclasses of the domain.

Our own logs hold only what we wrote, so `decode` trusts them. An inbox holds whatever a vendor sent: `decode_input`
bounds the size before it decodes, allows input types only, and demands that encoding the result again gives the same
bytes, which catches trailing bytes, enum indexes outside the schema and records of another schema.
"""

import hashlib
import re
import struct
from collections.abc import Callable
from dataclasses import MISSING, fields
from datetime import date
from functools import cache
from io import BytesIO
from typing import Any, Final, NamedTuple

import msgspec
from fastavro import schemaless_reader, schemaless_writer

from hub.contracts.compiled import Compiled, compile_schema
from hub.contracts.schemas import Schema, registry
from hub.domain import events, facts
from hub.errors import ContractError

INPUT_BYTES_MAX: Final = 65_536
"""Largest input record. A registration with 32 blocks takes under 3 KiB."""
CONTENT_DIGEST_BYTES: Final = 16
_FRAME: Final = struct.Struct(">bI")
_NATIVE: Final = (bytes, date)
_WORD: Final = re.compile(r"(?<!^)(?=[A-Z])")


class Unreadable(Exception):
    """Bytes that are no input of ours. `code` is a code of hub/domain/codes.py."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class _Shape(NamedTuple):
    kind: type[Any]
    schema: Schema
    frame: bytes
    name: str
    compiled: Compiled


@cache
def kinds() -> dict[str, type[Any]]:
    """Dataclass by the short name of its schema."""
    named = {**vars(events), **vars(facts)}
    missing = [name for name in registry().latest if name not in named]
    if missing:
        raise ContractError(f"schemas without a dataclass in hub/domain: {', '.join(missing)}")
    return {name: named[name] for name in registry().latest}


@cache
def _shapes() -> tuple[dict[int, _Shape], dict[type[Any], _Shape]]:
    by_id, by_kind = {}, {}
    for row in registry().rows:
        kind = kinds()[row.schema["name"]]
        compiled = compile_schema(kind, row.schema)
        shape = _Shape(kind, registry().parsed(row.id), _FRAME.pack(0, row.id), row.schema["name"], compiled)
        by_id[row.id] = shape
        if registry().latest[shape.name].id == row.id:
            by_kind[kind] = shape
    return by_id, by_kind


_type_names: dict[type[Any], str] = {}


def type_name(kind: type[Any]) -> str:
    """`ce_type` of an event or fact by the NL GOV profile: reverse DNS, no organisation, one version."""
    if (name := _type_names.get(kind)) is None:
        name = _type_names[kind] = f"nl.kraamzorg.{_WORD.sub('-', kind.__name__).lower()}.v1"
    return name


class _Readers(dict[bytes, Callable[[bytes, int], tuple[Any, int]]]):
    """By the frame of the bytes, looked up once."""

    def __missing__(self, frame: bytes) -> Callable[[bytes, int], tuple[Any, int]]:
        schema_id = _FRAME.unpack(frame)[1]
        if (shape := _shapes()[0].get(schema_id)) is None:
            raise ContractError(
                f"found a record of schema {schema_id}, which schemas/avro/ids.lock of this release lacks. "
                "Bring this program to the release of the hub that wrote it."
            )
        read = self[frame] = shape.compiled.read
        return read


class _Writers(dict[type[Any], tuple[bytes, Callable[[bytearray, Any], None]]]):
    """Frame and writer by the type of the event, looked up once."""

    def __missing__(self, kind: type[Any]) -> tuple[bytes, Callable[[bytearray, Any], None]]:
        shape = _shapes()[1][kind]
        made = self[kind] = shape.frame, shape.compiled.write
        return made


class _Defaults(dict[type[Any], dict[str, Any]]):
    """By the type of the event, as a record holds them; looked up once. A field without one tells nothing by None."""

    def __missing__(self, kind: type[Any]) -> dict[str, Any]:
        given = {field.name: field.default for field in fields(kind) if field.default is not MISSING}
        made: dict[str, Any] = msgspec.to_builtins(given, builtin_types=_NATIVE)
        self[kind] = made
        return made


_readers: Final = _Readers()
_writers: Final = _Writers()
_defaults: Final = _Defaults()


def encode(event: Any) -> bytes:
    """Frame and encode a dataclass of hub/domain/events.py or facts.py with the newest schema of its type."""
    frame, write = _writers[type(event)]
    out = bytearray(frame)
    write(out, event)
    return bytes(out)


def decode(data: bytes) -> Any:
    """Decode bytes that we wrote ourselves. ContractError for a schema id that the lock lacks: it is too old."""
    return _readers[data[:5]](data, 5)[0]


def decode_input(data: bytes | None, allowed: frozenset[type[Any]]) -> Any:
    """Decode bytes of a vendor into one of the `allowed` types, or raise `Unreadable` with the code that says why.

    The first reason that holds speaks: size, framing, schema id, type, body, canonical form.
    """
    if data is not None and len(data) > INPUT_BYTES_MAX:
        raise Unreadable("too_large")
    if data is None or len(data) < _FRAME.size or data[0] != 0:
        raise Unreadable("not_confluent_framed")
    shape = _shapes()[0].get(_FRAME.unpack_from(data)[1])
    if shape is None:
        raise Unreadable("unknown_schema")
    if shape.kind not in allowed:
        raise Unreadable("schema_not_for_inboxes")
    body = BytesIO(data)
    body.seek(_FRAME.size)
    try:
        record = schemaless_reader(body, shape.schema, None)
    except (
        Exception
    ) as problem:  # fastavro raises whatever the bytes provoke: EOFError, IndexError, UnicodeDecodeError …
        raise Unreadable("not_decodable") from problem
    again = BytesIO()
    again.write(shape.frame)
    try:
        schemaless_writer(again, shape.schema, record)
        event = msgspec.convert(record, shape.kind, builtin_types=_NATIVE)
    except Exception as problem:
        raise Unreadable("not_canonical") from problem
    if again.getvalue() != data:
        raise Unreadable("not_canonical")
    return event


def content_digest(event: Any) -> bytes:
    """What the version rule compares: SHA-256 (16 bytes) over the fields that differ from the schema's default.

    A new optional field therefore makes no conflict with a repeat that was sent before it existed. Identity and
    encodings count, although the region's copy of the event no longer holds them.
    """
    record = msgspec.to_builtins(event, builtin_types=_NATIVE)
    defaults = _defaults[type(event)]
    told = [(name, value) for name, value in sorted(record.items()) if value != defaults.get(name)]
    return hashlib.sha256(msgspec.msgpack.encode([type(event).__name__, told])).digest()[:CONTENT_DIGEST_BYTES]
