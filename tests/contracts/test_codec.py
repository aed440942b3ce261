"""The wire: stock clients understand us, and hostile bytes end in a code, never in an effect."""

import struct
from dataclasses import MISSING, fields, make_dataclass
from datetime import date
from io import BytesIO
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.contracts import codec
from hub.contracts.catalogue import INPUT_KINDS
from hub.contracts.schemas import registry
from hub.domain import events as e
from hub.domain.identity import Block, Identity
from hub.errors import ContractError
from tests.contracts.examples import ALL, example

VALID = codec.encode(example(e.RegistrationSubmitted))


@pytest.mark.parametrize("name", ALL)
def test_what_is_encoded_decodes_to_the_same(name: str) -> None:
    """Every type survives the wire."""
    event = example(codec.kinds()[name])
    assert codec.decode(codec.encode(event)) == event


@pytest.mark.parametrize("name", ALL)
def test_plain_fastavro_reads_our_bytes(name: str) -> None:
    """Five bytes of framing, then the Avro body of the schema that they name: nothing of ours is needed to read it."""
    data = codec.encode(example(codec.kinds()[name]))
    magic, schema_id = struct.unpack_from(">bI", data)
    body = BytesIO(data[5:])
    fastavro.schemaless_reader(body, fastavro.parse_schema(registry().by_id[schema_id].schema, named_schemas={}), None)
    assert (magic, body.read()) == (0, b"")


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("not_confluent_framed", None),
        ("not_confluent_framed", b""),
        ("not_confluent_framed", b"\x00\x00\x00"),
        ("not_confluent_framed", b"\x01" + VALID[1:]),
        ("unknown_schema", struct.pack(">bI", 0, 999_999) + VALID[5:]),
        ("schema_not_for_inboxes", codec.encode(example(codec.kinds()["ReceiptIssued"]))),
        ("not_decodable", VALID[:-3]),
        ("not_decodable", VALID[:5]),
        ("not_canonical", VALID + b"\x00"),
        ("too_large", VALID + bytes(codec.INPUT_BYTES_MAX)),
    ],
)
def test_bytes_that_are_no_input_are_refused_with_a_code(code: str, data: bytes | None) -> None:
    """The first reason that holds speaks."""
    with pytest.raises(codec.Unreadable) as refused:
        codec.decode_input(data, INPUT_KINDS)
    assert refused.value.code == code


def test_a_release_that_is_older_than_the_hub_says_so() -> None:
    """A vendor looks at its receipts with the program that it once got."""
    with pytest.raises(ContractError, match=r"a record of schema 65535, which .* of this release lacks"):
        codec.decode(b"\x00\x00\x00\xff\xff")


def test_an_enum_index_below_zero_is_not_taken_for_the_last_symbol() -> None:
    """fastavro reads index -1 as the last symbol; the canonical form gives it away."""
    day = codec.encode(example(e.FullDeclared))
    at = day.index(b"KSV-01") + len(b"KSV-01")
    bent = day[:at] + b"\x01" + day[at + 1 :]
    with pytest.raises(codec.Unreadable):
        codec.decode_input(bent, INPUT_KINDS)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader(tail: bytes) -> None:
    """Any body under any known schema id is an event or an Unreadable, never another error."""
    for schema_id in registry().by_id:
        try:
            codec.decode_input(struct.pack(">bI", 0, schema_id) + tail, INPUT_KINDS)
        except codec.Unreadable as refused:
            assert refused.code in ("schema_not_for_inboxes", "not_decodable", "not_canonical")


@given(st.binary(min_size=1, max_size=40), st.integers(0, len(VALID) - 1))
def test_a_bent_record_decodes_only_to_what_encodes_to_the_same_bytes(noise: bytes, at: int) -> None:
    """Whatever passes is canonical: no two byte strings mean the same event."""
    bent = VALID[:at] + noise + VALID[at + len(noise) :]
    try:
        event = codec.decode_input(bent, INPUT_KINDS)
    except codec.Unreadable:
        return
    assert codec.encode(event) == bent


def test_encodings_count_as_content() -> None:
    """The same version with another identity is a conflict, although the region never sees the identity."""
    one = Identity(epoch=1, blocks=(Block(pass_number=1, token=b"12345678", filters=b""),))
    plain = example(e.RegistrationSubmitted)
    assert codec.content_digest(plain) != codec.content_digest(example(e.RegistrationSubmitted, identity=one))


def test_an_absent_optional_field_is_no_content() -> None:
    """A field that is at its default is not told, so a later optional field makes no conflict with an old repeat."""
    assert codec.content_digest(example(e.MeasureReported)) == codec.content_digest(
        example(e.MeasureReported, provider=None)
    )


@pytest.mark.parametrize(
    ("kind", "default", "other"),
    [
        (int, 4, 0),
        (str, "", "x"),
        (bool, True, False),
        (tuple[str, ...], (), ("x",)),
        (date | None, date(2026, 1, 1), None),
    ],
)
def test_a_new_field_at_its_default_is_no_content_whatever_the_default(kind: Any, default: Any, other: Any) -> None:
    """A repeat that was sent before the field existed is no conflict; another value in it is one, be it nothing."""
    before = make_dataclass("Noted", [("count", int)], frozen=True, kw_only=True)
    after = make_dataclass("Noted", [("count", int), ("weeks", kind, default)], frozen=True, kw_only=True)
    assert codec.content_digest(after(count=1)) == codec.content_digest(before(count=1))
    assert codec.content_digest(after(count=1, weeks=other)) != codec.content_digest(before(count=1))


@pytest.mark.parametrize("name", ALL)
def test_the_default_of_a_dataclass_is_that_of_its_schema(name: str) -> None:
    """So what counts as content can be read from either."""
    in_schema = {f["name"]: f["default"] for f in registry().latest[name].schema["fields"] if "default" in f}
    in_class = {f.name: f.default for f in fields(codec.kinds()[name]) if f.default is not MISSING}
    assert msgspec.json.encode(in_class, order="sorted") == msgspec.json.encode(in_schema, order="sorted")
