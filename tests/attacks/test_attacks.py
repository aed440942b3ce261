"""What somebody who holds the hub's encodings, or plays by its rules with bad intent, can learn. Each test prints its
number (`pytest -s tests/attacks`); docs/privacy.md quotes them. The goals stand in docs/privacy.md too.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import TypeVar

import pytest

from hub.domain.duplicates import Matcher, MatchLimits
from hub.domain.events import LinkFound, RecordRef, TenantHeld
from hub.domain.identifiers import Agb, RecordId, RegionCode, TenantId
from hub.domain.identity import FIELDS, FILTER_BYTES, PASSES, TOKEN_BYTES, WIDE_FIELDS, Identity
from hub.domain.match_state import MatchState
from hub.domain.warm_model import WARM_MODEL
from hub.domain.words import RecordKind, SettledOutcome
from hub.edge import Custodian, CustodianClient, CustodianRefused, EdgeEncoder, FileKey, PersonFields
from hub.edge.encoder import block_values, facts_of
from hub.local.dutch_people import DutchPeople, population
from hub.match_evaluation.warm import person_of

SIZE = 6_000
T = TypeVar("T")


@pytest.fixture(scope="module")
def people() -> list[PersonFields]:
    """Whom the hub holds; the attacker of the worst case has identical clear data."""
    return [person_of(row.record) for row in population(SIZE, "std", seed=11)]


@pytest.fixture(scope="module")
def identities(people: list[PersonFields]) -> list[Identity]:
    return EdgeEncoder(FileKey.derived("attacks")).encode_many(people)


@pytest.fixture(scope="module", params=["with accounts", "without"])
def encoded(request: pytest.FixtureRequest, people: list[PersonFields]) -> tuple[list[PersonFields], list[Identity]]:
    """Persons and their encodings, in the layout of those with an account (BSN, phone, mail) and of those without."""
    if request.param == "without":
        people = [replace(one, bsn="", phone="", email="", insurer_number="") for one in people]
    return people, EdgeEncoder(FileKey.derived("attacks")).encode_many(people)


def surname_of(filters: bytes) -> tuple[int, int]:
    """The Bloom filter of the surname behind its sound, and its width (bits)."""
    layout = FIELDS if len(filters) == FILTER_BYTES else WIDE_FIELDS
    field = next(one for one in layout if one.name == "surname")
    whole = int.from_bytes(filters[field.offset_bytes : field.offset_bytes + field.width_bytes], "big")
    return whole & (1 << 8 * field.width_bytes - 8) - 1, 8 * field.width_bytes - 8


def rank(values: Iterable[T], seed: int) -> list[tuple[T, int]]:
    """Values by falling frequency; ties in an order that tells nothing (each side has its own)."""
    counts = list(Counter(values).items())
    random.Random(seed).shuffle(counts)
    return sorted(counts, key=lambda one: -one[1])


def in_full(person: PersonFields) -> PersonFields:
    return person


def without_postcode(person: PersonFields) -> PersonFields:
    """Such a record sends the coarse conjunctions as well; in this one everybody was born where she lives."""
    return replace(person, bsn="", phone="", insurer_number="", postcode="", birth_place=person.city)


def with_half_a_postcode(person: PersonFields) -> PersonFields:
    return replace(without_postcode(person), postcode=person.postcode[:4])


@pytest.mark.parametrize("records", [in_full, without_postcode, with_half_a_postcode])
def test_ranking_tokens_by_frequency_names_almost_nobody(records: Callable[[PersonFields], PersonFields]) -> None:
    """With the very same clear data: the most frequent token is taken for the most frequent value, and so on.

    Goal: at most 0.1 % of the records per kind of token, and no block of more than 20. Ties are broken at random
    (the mean of ten ways), so that about one value of each frequency is named by luck, whatever the size. Of the
    coarse records, which are half as many, that luck is taken off; the others meet the goal with it.
    """
    size, key = 20_000 if records is in_full else 10_000, FileKey.derived("attacks")
    clear: dict[int, list[str]] = defaultdict(list)
    for row in population(size, "std", seed=11):
        for number, value in block_values(facts_of(records(person_of(row.record)))):
            clear[number].append(value)
    for number, values in sorted(clear.items()):
        answers = key.evaluate(1, [f"{number}|{value}".encode() for value in values])
        sent = [answer[:TOKEN_BYTES] for answer in answers]
        truth = dict(zip(sent, values, strict=True))
        named = 0.0
        for tie in range(10):
            guesses = zip(rank(sent, tie), rank(values, 100 + tie), strict=True)
            named += sum(count for (token, count), (value, _) in guesses if truth[token] == value) / 10
        largest = max(Counter(sent).values())
        luck = 0 if records is in_full else sum(range(1, largest + 1))
        print(
            f"frequency ranking ({records.__name__}), {number} {PASSES[number]}: {named / size:.4%} of records, "
            f"{luck / size:.4%} of them by luck, largest block {largest}"
        )
        assert (named - luck) / size <= 0.001 and largest <= 20


def test_frequent_filters_of_a_field_do_not_give_a_surname_away(
    encoded: tuple[list[PersonFields], list[Identity]],
) -> None:
    """Counting the bits of a surname over all blocks finds no common one: each block draws them anew.

    Ties are broken at random, and what ten ways name is averaged.
    """
    seen: list[int] = []
    owner: dict[int, str] = {}
    names: list[str] = []
    for person, identity in zip(*encoded, strict=True):
        surname = facts_of(person).surnames[0] if facts_of(person).surnames else ""
        for block in identity.blocks[:1]:
            seen.append(surname_of(block.filters)[0])
            owner[seen[-1]] = surname
            names.append(surname)
    named = 0.0
    for tie in range(10):
        guesses = zip(rank(seen, tie), rank(names, 100 + tie), strict=False)
        named += sum(count for (bits, count), (name, _) in guesses if owner[bits] == name) / 10
    print(f"surname filters by frequency: {named / SIZE:.4%} of records")
    assert named / SIZE <= 0.001


def test_mining_bit_patterns_finds_no_letters(encoded: tuple[list[PersonFields], list[Identity]]) -> None:
    """Co-occurring bits betray letter pairs in a global Bloom filter; here a pair sets other bits in every block.

    The attack: choose, on half the records, the bit that goes best with the letters "er" and predict by it on the
    other half. Any bit tells a little, because longer names set more bits; the chosen one must tell no more than that.
    """
    width = min(surname_of(block.filters)[1] for identity in encoded[1] for block in identity.blocks)
    halves: tuple[list[tuple[int, bool]], list[tuple[int, bool]]] = ([], [])
    for i, (person, identity) in enumerate(zip(*encoded, strict=True)):
        has = any("er" in name for name in facts_of(person).surnames)
        for block in identity.blocks:
            halves[i % 2].append((surname_of(block.filters)[0] & (1 << width) - 1, has))

    def share(rows: list[tuple[int, bool]], bit: int) -> float:
        chosen = [has for bits, has in rows if bits >> bit & 1]
        return sum(chosen) / max(1, len(chosen))

    best = max(range(width), key=lambda bit: share(halves[0], bit))
    length = sum(share(halves[1], bit) for bit in range(width)) / width - sum(has for _, has in halves[1]) / len(
        halves[1]
    )
    gain = share(halves[1], best) - sum(share(halves[1], bit) for bit in range(width)) / width
    print(f"pattern mining: a name's length tells {length:+.2%} about the letters 'er', the best bit {gain:+.2%} more")
    assert gain <= 0.01


def test_the_graph_of_shared_tokens_does_not_align_with_the_graph_of_clear_data(
    people: list[PersonFields], identities: list[Identity]
) -> None:
    """Who shares how many blocks of which kind with whom, two steps deep, as a fingerprint of each record.

    The attacker computes it from identical clear data and from the tokens. Records whose fingerprint is unique on both
    sides are aligned. An attacker who already holds all the same data can align whoever has a distinctive
    neighbourhood (mostly records with a duplicate, whom it knows in full already); without neighbours nothing can be.
    """

    def fingerprints(blocks: list[list[tuple[int, object]]]) -> list[str]:
        groups: dict[tuple[int, object], list[int]] = defaultdict(list)
        for i, row in enumerate(blocks):
            for key in row:
                groups[key].append(i)
        first = [tuple(sorted((key[0], len(groups[key])) for key in row if len(groups[key]) > 1)) for row in blocks]
        return [
            repr((first[i], sorted(first[j] for key in row for j in groups[key] if j != i))) if first[i] else ""
            for i, row in enumerate(blocks)
        ]

    noisy = random.Random(4)
    # the attacker's copy is another administration's: a third of the clients are not in it
    known = [i for i in range(SIZE) if noisy.random() < 2 / 3]
    clear = fingerprints([[(n, v) for n, v in block_values(facts_of(people[i]))] for i in known])
    held = fingerprints([[(b.pass_number, b.token) for b in identity.blocks] for identity in identities])
    ours, theirs = Counter(held), Counter(clear)
    where = {print_: i for i, print_ in enumerate(held) if print_ and ours[print_] == 1}
    aligned = [(i, where[c]) for i, c in zip(known, clear, strict=True) if c and theirs[c] == 1 and c in where]
    right = sum(i == j for i, j in aligned)
    print(f"graph matching: {right / SIZE:.4%} of records aligned rightly, {len(aligned) - right} wrongly")
    assert right / SIZE <= GRAPH_MAX


GRAPH_MAX = 0.10
"""Not a goal met but a bound held: what remains possible stands in docs/privacy.md."""


def test_a_leaked_credential_names_only_as_many_as_the_custodian_answers(people: list[PersonFields]) -> None:
    """A thief of a provider's credential and of all tokens tries a dictionary: a population register of everybody.

    With the raw key everyone is named. With blinded evaluation it can ask only so many values a day, and it is seen.
    """
    limit = 200
    custodian = Custodian.generate(evaluations_max_per_day=limit)
    checks = custodian.checks()
    honest = CustodianClient(lambda e, points: Custodian.evaluate(custodian, f"p{honest_asks()}", 1, e, points), checks)
    held = {b.token for person in people[:12] for b in EdgeEncoder(honest).encode(person).blocks}
    thief = EdgeEncoder(CustodianClient(lambda e, points: custodian.evaluate("thief", 2, e, points), checks))
    named = tried = 0
    register = [person for pair in zip(people[:12], people[1000:1300:2], strict=False) for person in pair] + people[
        2000:2400
    ]
    try:
        for person in register:
            tried += 1
            named += any(b.token in held for b in thief.encode(person).blocks)
    except CustodianRefused as refusal:
        print(f"leaked credential: {tried - 1} people tried in a day of {limit} values, {refusal}")
    assert tried - 1 <= limit // 8, "the budget bounds how many people can be tried"
    rate = 20_000 // 13
    print(f"at the default of 20,000 values: {rate} people a day, {rate * 365 / 8_900_000:.1%} of women a year")
    offline = EdgeEncoder(FileKey.generate())
    assert all(b.token not in held for person in people[:12] for b in offline.encode(person).blocks), "no key, no match"


_asks = iter(range(10**9))


def honest_asks() -> int:
    """Every provider asks within its own budget."""
    return next(_asks)


def test_guessing_whether_somebody_is_a_competitors_client_gains_less_than_one_point() -> None:
    """10,000 registrations of invented cases: half are clients of the competitor, half are not.

    The prober registers each person, and answers yes where it is signalled. It sees signals until it is held; the rest
    it must guess. Advantage = |P(yes | client) − P(yes | not)|, in points.
    """
    guesses, budget = 10_000, MatchLimits().links_max
    encoder = EdgeEncoder(FileKey.derived("attacks"))
    source = DutchPeople(21)
    matcher, state = Matcher(), MatchState(WARM_MODEL)
    matcher.start_day(state, date(2026, 1, 1))
    due = date(2026, 6, 1)

    def register(i: int, identity: Identity, tenant: str, provider: str) -> list[object]:
        at = RecordRef(
            tenant=TenantId(tenant),
            provider=Agb(provider),
            kind=RecordKind.REGISTRATION,
            record_id=RecordId(f"r{i}"),
            version=1,
            region=RegionCode("KSV-01"),
        )
        return [*matcher.submit(state, at, identity, due), *matcher.settle(state, at, SettledOutcome.ACTIVE, due)]

    # the signals stop at the budget, so that many probes show all there is to see; the others are answered "no"
    shown = held_at = 0
    false_yes = 0
    for i in range(4 * budget):
        person = source.person()
        client = i % 2 == 0
        if client:
            register(i, encoder.encode(person_of(source.record(person))), "pkg-victim", "17000001")
        out = register(i, encoder.encode(person_of(source.record(person))), "pkg-prober", "17000002")
        seen = any(isinstance(o, LinkFound) and not o.held for o in out)
        shown += client and seen
        false_yes += seen and not client
        if any(isinstance(o, TenantHeld) for o in out):
            held_at = i + 1
    advantage = 100 * abs(shown - false_yes) / (guesses / 2)
    print(f"guessing: held after {held_at} guesses, {shown} signals: {advantage:.2f} points over {guesses} guesses")
    assert 0 < held_at <= 2 * budget + 2 and shown == budget
    assert advantage <= 1.0
