"""The table of hashes behind blocks and references finds what was put in, whatever came and went before."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hub.domain.match_table import HashTable

_HASHES = st.tuples(st.sampled_from([0x1230, 0x1231, 0x4560]), st.sampled_from([0, 1, 8, 9, 64, 1 << 31]))
"""Few, and many of one home: collisions, growth and moving up happen all the time."""
_STEPS = st.lists(st.tuples(st.booleans(), _HASHES, st.integers(1, 12)), max_size=120)


@given(_STEPS)
def test_it_holds_what_a_plain_list_would(steps: list[tuple[bool, tuple[int, int], int]]) -> None:
    """Added once, found once; taken out, gone; and no other is lost on the way."""
    table, plain = HashTable(), Counter[tuple[int, int, int]]()
    for comes, (place, rest), word in steps:
        key = (place >> 4, rest, word)  # of a place twelve bits count
        if comes and not plain[key]:
            table.add(place, rest, word)
            plain[key] += 1
        elif not comes:
            table.take_out(place, rest, word)
            plain[key] = 0
    for place, rest in {hashed for _, hashed, _ in steps}:
        held = sorted(w for (p, r, w), n in plain.items() if n and (p, r) == (place >> 4, rest))
        assert table.find(place, rest) == held


@given(st.lists(st.lists(_HASHES, min_size=1, max_size=9), max_size=9))
def test_finding_and_adding_at_once_is_finding_and_then_adding(records: list[list[tuple[int, int]]]) -> None:
    """Hash by hash: a record's own earlier hash is found as well."""
    at_once, one_by_one = HashTable(), HashTable()
    for number, hashes in enumerate(records, 1):
        words = iter([part for hashed in hashes for part in hashed])
        met = list(at_once.find_and_add(words, number << 6))
        expected = []
        for index, (place, rest) in enumerate(hashes):
            if held := one_by_one.find(place, rest):
                expected.append((index, held))
            one_by_one.add(place, rest, (number << 6) + index)
        assert met == expected
