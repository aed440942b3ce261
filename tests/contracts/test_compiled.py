"""The compiled codec and the general one give the same bytes and the same events, for every type that exists."""

from dataclasses import fields, replace
from datetime import date
from io import BytesIO
from typing import Any

import msgspec
import pytest
from fastavro import schemaless_reader, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from hub.contracts import codec
from hub.contracts.compiled import Compiled, compile_schema
from hub.contracts.schemas import registry
from hub.domain.events import CareDelivered, RegistrationSubmitted
from hub.domain.identity import FILTER_BYTES, Block, Identity
from hub.errors import ContractError
from tests.contracts.examples import example

NATIVE = (bytes, date)
LATEST = {codec.kinds()[name]: row for name, row in registry().latest.items()}
ROWS = registry().rows


def compiled(kind: type[Any]) -> Compiled:
    return compile_schema(kind, LATEST[kind].schema)


def general(event: Any) -> bytes:
    """What fastavro writes."""
    out = BytesIO()
    schemaless_writer(out, registry().parsed(LATEST[type(event)].id), msgspec.to_builtins(event, builtin_types=NATIVE))
    return out.getvalue()


def assert_same(event: Any) -> None:
    functions, out = compiled(type(event)), bytearray()
    functions.write(out, event)
    assert bytes(out) == general(event)
    assert functions.read(bytes(out), 0) == (event, len(out))


@pytest.mark.parametrize("kind", list(LATEST), ids=lambda kind: kind.__name__)
def test_every_type_is_written_and_read_as_the_general_codec_does(kind: type[Any]) -> None:
    """With its optional fields given, and left out."""
    event = example(kind)
    assert_same(event)
    optional = [field.name for field in fields(kind) if field.default is None]
    assert_same(replace(event, **dict.fromkeys(optional)))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.schema['name']}-{row.id}")
def test_every_schema_that_was_ever_locked_is_still_read(row: Any) -> None:
    """Bytes of an older schema decode to today's dataclass, with defaults for what it lacked."""
    kind = codec.kinds()[row.schema["name"]]
    names = {field["name"] for field in row.schema["fields"]}
    record = {k: v for k, v in msgspec.to_builtins(example(kind), builtin_types=NATIVE).items() if k in names}
    out = BytesIO()
    schemaless_writer(out, registry().parsed(row.id), record)
    body = out.getvalue()
    plain = schemaless_reader(BytesIO(body), registry().parsed(row.id), None)
    expected = msgspec.convert(plain, kind, builtin_types=NATIVE)
    assert compile_schema(kind, row.schema).read(body, 0) == (expected, len(body))


@given(
    minutes=st.integers(min_value=-(2**31), max_value=2**31 - 1),
    day=st.dates(),
    text=st.text(max_size=200),
    flag=st.booleans(),
)
def test_numbers_dates_texts_and_flags_of_any_size_agree(minutes: int, day: date, text: str, flag: bool) -> None:
    """One byte, many bytes, before 1970, outside ASCII."""
    assert_same(
        example(CareDelivered, physical_minutes=minutes, born_on=day, digital_consent=flag, registration_id=text)
    )


@given(
    st.lists(
        st.builds(Block, st.integers(1, 16), st.binary(max_size=70), st.sampled_from((b"", b"\x01" * FILTER_BYTES))),
        max_size=70,
    )
)
def test_arrays_of_records_agree(blocks: list[Block]) -> None:
    """Empty ones, and longer than one byte can count."""
    identity = Identity(epoch=1, blocks=tuple(blocks))
    assert_same(example(RegistrationSubmitted, identity=msgspec.to_builtins(identity, builtin_types=NATIVE)))


def test_a_number_beyond_64_bits_is_refused() -> None:
    """It would be read as another number."""
    with pytest.raises(OverflowError, match="64 bits"):
        codec.encode(replace(example(CareDelivered), physical_minutes=2**63))


def test_a_schema_outside_the_subset_is_refused_when_it_is_compiled() -> None:
    """Not when the first record comes."""
    schema = {**LATEST[CareDelivered].schema, "fields": [{"name": "carers", "type": "double"}]}
    with pytest.raises(ContractError, match="'double' is not covered"):
        compile_schema(CareDelivered, schema)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.id}-{row.schema['name']}-{row.version}")
def test_every_version_of_a_schema_that_ever_had_an_id_decodes_to_the_present_class(row: Any) -> None:
    """What an older release logged stays readable; a field that it did not know has its default, always the same."""
    newest = example(codec.kinds()[row.schema["name"]])
    known = {f["name"] for f in row.schema["fields"]}
    record = {name: value for name, value in msgspec.to_builtins(newest, builtin_types=NATIVE).items()}
    out = BytesIO()
    out.write(b"\x00" + row.id.to_bytes(4, "big"))
    schemaless_writer(out, registry().parsed(row.id), {k: v for k, v in record.items() if k in known})
    decoded = codec.decode(out.getvalue())
    assert type(decoded) is type(newest)
    assert {k: getattr(decoded, k) for k in known} == {k: getattr(newest, k) for k in known}
    for one in fields(decoded):
        if one.name not in known:
            assert getattr(decoded, one.name) == one.default
