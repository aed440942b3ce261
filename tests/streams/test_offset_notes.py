"""Notes beside a committed offset: never too long for the broker, and none forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.streams.offset_notes import NOTE_BYTES_MAX, noted, ranges_of, without


def test_neighbours_are_one_range() -> None:
    """A tool that refuses everything for a week costs a few bytes."""
    note = ""
    for offset in (3, 17, 18, 19, 18, 4):
        note = noted(note, offset)
    assert note == "3-4,17-19"
    assert ranges_of(note) == [(3, 4), (17, 19)]


def test_a_text_that_is_no_note_names_nothing() -> None:
    """Whoever committed it."""
    assert ranges_of("") == ranges_of("x") == ranges_of("3,y-4") == []


@given(st.lists(st.integers(min_value=0, max_value=2**63 - 1), max_size=40))
def test_what_was_noted_once_is_named(offsets: list[int]) -> None:
    """In whatever order; and nothing else, while there is room."""
    note = ""
    for offset in offsets:
        note = noted(note, offset)
    assert [n for first, last in ranges_of(note) for n in range(first, last + 1)] == sorted(set(offsets))


@pytest.mark.parametrize(
    ("first", "last", "left"),
    [(0, 2, "3-4,17-19"), (3, 4, "17-19"), (4, 17, "3,18-19"), (18, 18, "3-4,17,19"), (0, 99, "")],
)
def test_what_was_told_again_leaves_the_note(first: int, last: int, left: str) -> None:
    """A range may become two."""
    assert without("3-4,17-19", first, last) == left


def test_a_note_that_grows_too_long_names_some_that_were_taken_and_forgets_none() -> None:
    """The closest ranges become one."""
    offsets = [10**9 + n * (50 + n % 3) for n in range(600)]
    note = ""
    for offset in offsets:
        note = noted(note, offset)
    ranges = ranges_of(note)
    assert len(note) <= NOTE_BYTES_MAX < len(",".join(map(str, offsets)))
    assert all(any(first <= offset <= last for first, last in ranges) for offset in offsets)
