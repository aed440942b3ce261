"""Two administrations spell one client differently; the normaliser lets both spellings meet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.edge import normalise as n


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("van der Berg", ("berg",)),
        ("v.d. Berg", ("berg",)),
        ("vd Berg", ("berg",)),
        ("Vanderberg", ("berg",)),
        ("Berg, van der", ("berg",)),
        ("Jansen-van den Berg", ("jansen", "berg")),
        ("Jansen e/v de Vries", ("jansen", "vries")),
        ("van 't Hof", ("hof",)),
        ("Van Dijk", ("dyk",)),
        ("van Dyk", ("dyk",)),
        ("Öztürk", ("ozturk",)),
        ("O'Brien", ("obrien",)),
        ("de", ("de",)),
        ("onbekend", ()),
        ("", ()),
    ],
)
def test_a_surname_loses_prefixes_diacritics_and_partner_order_but_no_name(typed: str, parts: tuple[str, ...]) -> None:
    """Tussenvoegsels are dropped, abbreviated or glued at will by administrations."""
    assert n.surname_parts(typed) == parts


@pytest.mark.parametrize(
    ("one", "other"),
    [("meijer", "meyer"), ("vermeulen", "fermeulen"), ("schmidt", "smit"), ("thijs", "tijs"), ("kok", "kock")],
)
def test_names_that_sound_alike_get_one_sound(one: str, other: str) -> None:
    """Blocks are keyed by sound, so that a spelling does not part them."""
    assert n.sound(n.surname_parts(one)[0]) == n.sound(n.surname_parts(other)[0])


def test_short_names_keep_their_vowels() -> None:
    """Else all names of one consonant would be one block."""
    assert n.sound("lee") != n.sound("luu")


def test_a_call_name_leads_to_the_official_name() -> None:
    """Anneke at one provider is Johanna at another."""
    assert n.root_of("hanneke") == n.root_of("johanna") == "johanna"
    assert n.root_of("quirine") == "quirine"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [("999990342", "999990342"), ("249566758", "249566758"), ("999940003", ""), ("111111110", ""), ("", "")],
)
def test_a_bsn_counts_only_when_it_passes_the_eleven_test(typed: str, kept: str) -> None:
    """A mistyped BSN may be somebody else's."""
    assert n.bsn(typed) == kept


def test_one_telephone_number_is_written_in_many_ways() -> None:
    """The last nine digits survive all of them."""
    assert len({n.phone(text) for text in ("06-12345678", "+31 6 12345678", "0031612345678", "0612345678")}) == 1


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("1991-04-03", ("1991", "04", "03")),
        ("19910403", ("1991", "04", "03")),
        ("1991-4-3", ("1991", "04", "03")),
        ("1991", ("1991", "", "")),
        ("1991-13-45", ("1991", "13", "45")),
        ("gisteren", ("", "", "")),
    ],
)
def test_a_birth_date_keeps_even_impossible_parts(typed: str, parts: tuple[str, str, str]) -> None:
    """A typing error is still evidence."""
    assert n.birth_date(typed) == parts


@given(st.text(max_size=60))
def test_no_text_breaks_the_normaliser(text: str) -> None:
    """Whatever an administration holds, an encoding comes out."""
    for part in (*n.surname_parts(text), *n.given_parts(text)):
        assert part.isascii() and part == part.lower() and n.sound(part) is not None
    (
        n.phone(text),
        n.email(text),
        n.postcode(text),
        n.birth_date(text),
        n.house_number(text),
        n.street(text),
        n.bsn(text),
    )


@given(st.text(alphabet="abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=20))
def test_a_sound_is_short_and_stable(name: str) -> None:
    """A sound has at most six letters, never none, and case does not matter."""
    assert 1 <= len(n.sound(name)) <= 6
    assert n.surname_parts(name.upper()) == n.surname_parts(name)
