"""The simulated nation: drawn from a seed, true to the figures of the domain, and honest about what it plants."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from hub.contracts import codec
from hub.contracts.catalogue import INPUT_KINDS, INPUTS
from hub.contracts.validation import check_input
from hub.domain import events as e
from hub.domain.identifiers import RecordId
from hub.domain.words import ReceiptOutcome
from hub.edge import EdgeEncoder, FileKey
from hub.local.simulator import national
from hub.local.simulator.accidents import accidents
from hub.local.simulator.live import rehearse
from hub.local.simulator.messages import STOCK_VENDOR, Expected, Message, Told, pack
from hub.local.simulator.national import EXACT_DUPLICATES_MIN, Nation, Story
from hub.local.simulator.stories import Script
from hub.local.simulator.truth import Truth, read, score_duplicates, unmet

CLIENTS = 2000


@pytest.fixture(scope="module")
def nation() -> Nation:
    """A small nation of seed 3."""
    return national.build(3, CLIENTS)


@pytest.fixture(scope="module")
def rehearsed(nation: Nation) -> Script:
    """All that will be sent whatever the hub says."""
    return rehearse(nation)


def everything(script: Script) -> list[Message]:
    """All messages in the order of their phases."""
    return [*script.founding, *script.history, *(m for day in sorted(script.days) for m in script.days[day])]


def edge() -> EdgeEncoder:
    """An edge under a key of the tests."""
    return EdgeEncoder(FileKey.derived("simulator tests"))


def test_the_same_seed_gives_the_same_bytes() -> None:
    """A run can be repeated to the last byte of every message."""
    once, again = (pack(everything(rehearse(national.build(3, 120))), edge()) for _ in range(2))
    assert [(m.tenant, m.key, m.value, m.headers) for m in once] == [
        (m.tenant, m.key, m.value, m.headers) for m in again
    ]


def test_another_seed_gives_other_people() -> None:
    """The seed is used."""
    names = {tuple(c.person.name for c in national.build(seed, 60).clients) for seed in (1, 2)}
    assert len(names) == 2


@pytest.mark.parametrize(("clients", "regions"), [(100, 2), (2000, 5), (8000, 20)])
def test_regions_grow_with_the_clients(clients: int, regions: int) -> None:
    """About 400 clients a region, at least two regions."""
    assert len(national.build(1, clients).areas) == regions


def test_there_are_never_more_than_forty_regions() -> None:
    """The bound has a name."""
    assert len(national.build(1, 20_000).areas) == national.REGIONS_MAX == 40


def test_at_least_twenty_exact_duplicates_are_planted(nation: Nation) -> None:
    """Also in the smallest nation; each at two providers of one region."""
    twice = [c for c in nation.clients if c.story is Story.EXACT_DUPLICATE]
    assert len(twice) >= EXACT_DUPLICATES_MIN >= 20
    assert all(c.provider.agb != c.other_provider.agb for c in twice)


def test_an_exact_duplicate_shares_every_block_with_its_twin(nation: Nation) -> None:
    """Exact means exact: both administrations wrote the same person down."""
    client = next(c for c in nation.clients if c.story is Story.EXACT_DUPLICATE)
    first, second = edge().encode_many([client.person.fields(), client.person.fields()])
    assert first == second and first.comparable


def test_births_lie_around_the_due_date(nation: Nation) -> None:
    """About 70 % within ten days (DOMAIN "Numbers"); a sample, so with room."""
    within = sum(abs((c.born_on - c.due_date).days) <= 10 for c in nation.clients)
    assert 0.6 < within / CLIENTS < 0.8


def test_fewer_are_born_at_weekends() -> None:
    """Per day, against working days."""
    days = Counter(c.born_on.weekday() >= 5 for c in national.build(5, 4000).clients)
    assert days[True] / 2 < days[False] / 5


def test_what_is_not_planted_is_fit_to_be_accepted(nation: Nation, rehearsed: Script) -> None:
    """Every message without an expectation of its own passes the checks of intake, as bytes."""
    tenants = nation.reference.tenant
    for packed in pack([m for m in everything(rehearsed) if m.told is None], edge()):
        event = codec.decode_input(packed.value, INPUT_KINDS)
        assert check_input(event, tenants[packed.tenant], nation.reference) is None


def test_what_intake_must_refuse_is_refused_with_the_code_that_was_planted(nation: Nation) -> None:
    """The simulator and the hub agree on every code that needs no memory."""
    judged_by_regions = {"no_mandate", "unknown_record_here", "unknown_proposal", "unknown_plan_version"}
    codes = set()
    for message in (m for _, m in accidents(nation) if m.told and m.told.expected):
        assert message.told is not None and message.told.expected is not None
        expected = message.told.expected
        if (
            expected.outcome not in (ReceiptOutcome.REFUSED, ReceiptOutcome.UNREADABLE)
            or expected.code in judged_by_regions
        ):
            continue
        [packed] = pack([message], edge())
        try:
            event = codec.decode_input(packed.value, INPUT_KINDS)
        except codec.Unreadable as problem:
            found = problem.code
        else:
            refusal = check_input(event, nation.reference.tenant[packed.tenant], nation.reference)
            found = "" if refusal is None else refusal.code
        assert found == expected.code, message.told.kind
        codes.add(found)
    assert len(codes) >= 15


def test_no_identity_leaves_the_edge_but_in_accidents(nation: Nation, rehearsed: Script) -> None:
    """Names, numbers and marks of real clients stand in no byte that is sent."""
    secrets = {text for c in nation.clients for text in (c.person.name, c.person.bsn, c.person.phone, c.person.mark)}
    for packed in pack(everything(rehearsed), edge()):
        if packed.told is not None and packed.told.accident:
            continue
        sent = b" ".join((packed.key or b"", packed.value, *(value for _, value in packed.headers)))
        assert not any(secret.encode() in sent for secret in secrets)


def test_accidents_really_leak(nation: Nation) -> None:
    """Else the search for leaks would prove nothing."""
    leaks = [m for _, m in accidents(nation) if m.told is not None and m.told.accident]
    for packed in pack(leaks, edge()):
        assert packed.told is not None
        sent = b" ".join((packed.key or b"", packed.value, *(value for _, value in packed.headers)))
        words = (*packed.told.person.values(), *packed.told.canaries, packed.told.person["name"].replace(" ", ""))
        plain = ["".join(c for c in word if c.isascii()) for word in words]
        assert any(word.encode() in sent for word in plain if word), packed.told.kind


def test_a_vendor_without_our_code_sends_the_same_bytes(nation: Nation) -> None:
    """fastavro and the published schema are all that it takes."""
    event = e.MandateGranted(
        record_id=RecordId("m1"),
        version=1,
        provider=nation.providers[0].agb,
        mandate_tenant=STOCK_VENDOR,
        bo_member=True,
        valid_from=national.START,
    )
    [stock] = pack([Message(STOCK_VENDOR, event)], edge())
    assert stock.value == codec.encode(event)


def test_a_tenant_speaks_only_types_of_its_role(nation: Nation, rehearsed: Script) -> None:
    """Planted messages apart."""
    for message in everything(rehearsed):
        if message.told is None and message.event is not None:
            role = nation.reference.tenant[message.tenant].role
            assert role in INPUTS[type(message.event)].writers


def test_a_transfer_registers_elsewhere_only_after_it_left(rehearsed: Script) -> None:
    """Otherwise the client would be registered twice for a while, which would be no transfer."""
    left: dict[str, int] = {}
    for day in sorted(rehearsed.days):
        for message in rehearsed.days[day]:
            event = message.event
            if isinstance(event, e.RegistrationSubmitted) and event.status == "transferred" and message.person:
                left[message.person.mark] = day
            elif isinstance(event, e.RegistrationSubmitted) and message.person and message.person.mark in left:
                assert day > left[message.person.mark]
    assert left


def test_days_lie_inside_the_run(nation: Nation, rehearsed: Script) -> None:
    """Nothing is planned for a day that never comes."""
    assert min(rehearsed.days) >= 0 and max(rehearsed.days) < nation.days <= national.DAYS_MAX
    assert national.START + timedelta(days=nation.days) < national.START.replace(year=2027, month=1, day=1)


def test_the_truth_comes_back_from_its_file(tmp_path: Path) -> None:
    """One line a client or planted event, with the place at which the broker put it."""
    truth = Truth()
    truth.add(
        Told("leak", ("pkg/a",), {"name": "Ada"}, ("zz1zz",), True, Expected(ReceiptOutcome.REFUSED, "x")),
        "inbox.pkg/3",
    )
    truth.write(tmp_path / "truth.jsonl")
    [row] = read(tmp_path / "truth.jsonl")
    assert row["source"] == "inbox.pkg/3" and row["accident"] and row["canaries"] == ["zz1zz"]
    assert row["expected"] == {"outcome": "refused", "code": "x"}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({}, "no receipt"),
        ({"inbox.pkg/3": ("accepted", "applied")}, "accepted/applied"),
        ({"inbox.pkg/3": ("refused", "y")}, "refused/y"),
    ],
)
def test_an_expectation_that_was_not_met_says_what_came_instead(found: dict[str, tuple[str, str]], said: str) -> None:
    """Another outcome, another code and nothing at all are all told."""
    rows = [{"kind": "leak", "source": "inbox.pkg/3", "expected": {"outcome": "refused", "code": "x"}}]
    assert unmet(rows, found) == [f"leak inbox.pkg/3: expected refused/x, found {said}"]
    assert unmet(rows, {"inbox.pkg/3": ("refused", "x")}) == []


def test_recall_counts_exact_duplicates_and_precision_all_true_ones() -> None:
    """A dirty duplicate that was found is no mistake; one that was invented is."""
    rows = [
        {"kind": "exact_duplicate", "ids": ["a/1", "b/1"], "links": True},
        {"kind": "exact_duplicate", "ids": ["a/2", "b/2"], "links": True},
        {"kind": "dirty_duplicate", "ids": ["a/3", "b/3"], "links": True},
        {"kind": "twin_sisters", "ids": ["a/4", "b/4"], "links": False},
    ]
    found = {frozenset(pair) for pair in (("b/1", "a/1"), ("a/3", "b/3"), ("a/4", "b/4"))}
    scored = score_duplicates(rows, found)
    assert (scored.true, scored.found, scored.recall) == (2, 3, 0.5)
    assert scored.precision == pytest.approx(2 / 3, abs=1e-4)


@pytest.mark.parametrize("seed", [7, 202])
def test_who_is_leaked_by_accident_shares_nothing_with_any_client(seed: int) -> None:
    """Else a search for a client's name would find the accident that was planted. Seed 202 once drew such a pair."""
    nation = national.build(seed, 2000)
    told = [message.told for _, message in accidents(nation) if message.told is not None and message.told.accident]
    leaked = {value for one in told for name, value in one.person.items() if name != "birth_date"}
    assert leaked and not leaked & {value for client in nation.clients for value in client.person.told().values()}
