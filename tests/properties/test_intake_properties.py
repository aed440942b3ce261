"""Whatever bytes a vendor sends, intake has exactly one answer to them."""

from typing import Any

from hypothesis import example as such_as
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.contracts.catalogue import INPUT_KINDS
from hub.contracts.codec import decode, encode
from hub.domain.events import InputRefused
from tests.contracts.examples import example
from tests.streams.test_intake import INTAKE, record

GOOD = [encode(example(kind)) for kind in sorted(INPUT_KINDS, key=lambda kind: kind.__name__)]


@st.composite
def bent(draw: st.DrawFn) -> bytes:
    """A sound record with a few bytes changed, cut out or put in."""
    value = bytearray(draw(st.sampled_from(GOOD)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(value) - 1)))
        match draw(st.sampled_from(("change", "cut", "insert"))):
            case "change" if value:
                value[at] = draw(st.integers(0, 255))
            case "cut":
                del value[at : at + draw(st.integers(1, 8))]
            case _:
                value[at:at] = draw(st.binary(min_size=1, max_size=8))
    return bytes(value)


@settings(max_examples=600, deadline=None)
@given(value=st.one_of(bent(), st.binary(max_size=300)), topic=st.sampled_from(sorted(INTAKE.inboxes)))
@such_as(value=b"", topic="inbox.pkg-a")
def test_every_record_has_exactly_one_home_and_the_bytes_of_a_refused_one_are_kept(value: bytes, topic: str) -> None:
    """The home copy is the one whose receipt follows; nothing raises, whatever was sent by whomever."""
    pieces = list(INTAKE.route(record(topic, value)))
    letters = [piece for piece in pieces if piece.target.topic == f"{topic}.dlq"]
    home = [piece for piece in pieces if dict(piece.record.headers).get("ce_hubhome") == b"1"]
    assert len(home) == 1
    kind: type[Any] = type(decode(home[0].record.value))  # type: ignore[arg-type]
    if kind is InputRefused:
        assert [letter.record.value for letter in letters] == [value] and len(pieces) == 2
    else:
        assert not letters and encode(decode(home[0].record.value)) == home[0].record.value  # type: ignore[arg-type]
