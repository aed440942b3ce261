"""Why bytes cannot be read, in plain words: what they look like, and how far they follow the schema that they name.

The hub says "not_decodable" and no more, since it must not repeat what a record holds. The sender may see its own.
"""

import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any, Final

from fastavro import schemaless_reader, schemaless_writer

from hub.contracts.catalogue import INPUT_KINDS
from hub.contracts.codec import INPUT_BYTES_MAX, kinds
from hub.contracts.schemas import registry

FRAME_BYTES: Final = 5
SHOWN_BYTES: Final = 48


def diagnose(value: bytes | None) -> Iterator[str]:
    """What can be said, one finding a line; nothing for bytes that are whole."""
    if value is None or not value:
        yield "The record has no value. Every message needs one; a deletion is a new version with another status."
        return
    if len(value) > INPUT_BYTES_MAX:
        yield f"The record takes {len(value)} bytes, at most {INPUT_BYTES_MAX} are read."
    if value[0] != 0:
        yield from _foreign(value)
        return
    if len(value) < FRAME_BYTES:
        yield f"The record ends after {len(value)} bytes, inside the frame of {FRAME_BYTES}."
        return
    schema_id = int.from_bytes(value[1:FRAME_BYTES], "big")
    row = registry().by_id.get(schema_id)
    if row is None:
        yield f"The frame names schema {schema_id}, which the lock does not have. {_nearest(schema_id)}"
        return
    name = row.schema["name"]
    if kinds()[name] not in INPUT_KINDS:
        yield f"The frame names schema {schema_id}, {name}: that is something the hub says, not something it is told."
        return
    yield from _body(value, schema_id, name)


def _body(value: bytes, schema_id: int, name: str) -> Iterator[str]:
    schema = registry().parsed(schema_id)
    body = BytesIO(value)
    body.seek(FRAME_BYTES)
    try:
        record = schemaless_reader(body, schema, None)
    except Exception as problem:  # noqa: BLE001  # fastavro raises whatever the bytes provoke
        whole, reached = _fields_until(value, schema)
        yield (
            f"The bytes do not fit {name} (schema {schema_id}): {', '.join(whole) or 'no field'} could be read, then "
            f"{reached} could not ({type(problem).__name__} near byte {body.tell()} of {len(value)}). Often another "
            "schema was used for encoding than the id says, or the bytes were cut off."
        )
        return
    if left := len(value) - body.tell():
        yield f"{left} bytes stand behind the record. One message holds one record."
    again = BytesIO()
    try:
        schemaless_writer(again, schema, record)
    except Exception as problem:  # noqa: BLE001  # likewise
        yield f"A value lies outside the schema: {problem}"


def _fields_until(value: bytes, schema: Any) -> tuple[list[str], str]:
    """Names of the fields that could be read, and of the first that could not."""
    body = BytesIO(value)
    body.seek(FRAME_BYTES)
    read: list[str] = []
    for field in schema["fields"]:
        try:
            schemaless_reader(body, {**schema, "fields": [field]}, None)
        except Exception:  # noqa: BLE001  # this is the one
            return read, str(field["name"])
        read.append(str(field["name"]))
    return read, "the rest"


def _foreign(value: bytes) -> Iterator[str]:
    text = value[:SHOWN_BYTES].lstrip()
    if text[:1] in (b"{", b"["):
        try:
            json.loads(value)
            yield "This is JSON, which is not read from an inbox. `hub send FILE --via kafka` encodes it."
        except (ValueError, RecursionError):
            yield "This starts like JSON. Inboxes take Avro in the Confluent wire format."
    elif text[:1] == b"<":
        yield "This looks like XML. Inboxes take Avro in the Confluent wire format."
    elif value.startswith(b"Obj\x01"):
        yield "This is an Avro file with its own schema. An inbox takes one record a message: byte 0, schema id, body."
    elif value[:1] == b"\x03":
        yield "The frame is that of a newer registry with ids of 16 bytes. Use ids of four bytes (magic byte 0)."
    else:
        yield f"The first byte is {value[0]}, expected 0 and then a schema id of four bytes."


def _nearest(schema_id: int) -> str:
    known = sorted(row.id for row in registry().rows)
    return f"It knows {known[0]} to {known[-1]}; your registry gives ids of its own." if schema_id > known[-1] else ""
