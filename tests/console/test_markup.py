"""Text cannot become markup, whatever it holds."""

from html.parser import HTMLParser

from hypothesis import given
from hypothesis import strategies as st

from hub.console.markup import element, join


class Reading(HTMLParser):
    """What a browser would find: tags, and the text and attribute values with entities resolved."""

    def __init__(self, markup: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.words = ""
        self.values: list[str | None] = []
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words += data


PRINTABLE = st.text(st.characters(blacklist_categories=("Cs", "Cc")))


@given(PRINTABLE, PRINTABLE)
def test_a_reader_finds_exactly_the_text_and_the_value_that_were_given(words: str, value: str) -> None:
    """Neither text nor an attribute ends the element that holds it."""
    found = Reading(element("p", words, title=value))
    assert (found.tags, found.words, found.values) == (["p"], words, [value])


def test_markup_inside_markup_stays_markup_and_text_beside_it_stays_text() -> None:
    """Only what `element` made is trusted."""
    assert element("p", element("b", "<i>"), "<i>") == "<p><b>&lt;i&gt;</b>&lt;i&gt;</p>"
    assert join("<", element("br")) == "&lt;<br>"


def test_an_attribute_without_a_value_is_left_out() -> None:
    """None says: no such attribute."""
    assert element("a", "x", href=None, class_="c", aria_label="l") == '<a class="c" aria-label="l">x</a>'
