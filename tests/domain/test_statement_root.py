"""The text of a leaf under the root of a month's statements."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from hub.domain.statement_root import canonical


def test_a_leaf_is_one_text_whatever_the_order_of_its_fields() -> None:
    """Text, whole numbers, truth, nothing, and lists and mappings of these."""
    one = {"b": 1, "a": [True, None, {"y": "é", "x": -2}]}
    assert canonical(one) == canonical(dict(reversed(one.items()))) == b'{"a":[true,null,{"x":-2,"y":"\\u00e9"}],"b":1}'


@pytest.mark.parametrize("value", [0.5, Fraction(1, 2), Decimal(1), date(2026, 3, 2), b"x", {1: "a name that is none"}])
def test_what_could_be_written_in_two_ways_is_refused_in_a_leaf(value: object) -> None:
    """Also deep inside; the caller says as what text it stands there."""
    for leaf in ({"a": value}, {"a": [{"b": value}]}):
        with pytest.raises(ValueError, match="in a leaf, expected text"):
            canonical(leaf)
