"""What leaves the provider: tokens that meet for one client, and filters that mean nothing outside their block."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.domain.identity import (
    FILTER_BYTES,
    IDENTITY_BYTES_MAX,
    WIDE_FILTER_BYTES,
    Block,
    Identity,
    check_identity,
)
from hub.edge import EdgeEncoder, FileKey, PersonFields, pseudonym
from hub.edge.encoder import block_values, facts_of

KEY = FileKey.derived("tests of the edge")
ENCODER = EdgeEncoder(KEY)
ANNA = PersonFields(
    given_names="Johanna Maria",
    surname="van der Berg-de Vries",
    birth_date="1991-04-03",
    bsn="999990342",
    phone="0612345678",
    email="j.berg@voorbeeld.nl",
    postcode="3512 AB",
    house_number="12",
    insurer_number="1234567890",
)


def tokens(person: PersonFields) -> set[bytes]:
    return {block.token for block in ENCODER.encode(person).blocks}


def test_an_encoding_passes_the_check_of_the_hub() -> None:
    """Its epoch, its lengths, its number of blocks."""
    assert check_identity(ENCODER.encode(ANNA), {1}) is None


def test_the_same_person_written_differently_shares_blocks() -> None:
    """Partner's name first, prefix abbreviated, call name, another phone."""
    other = replace(
        ANNA, surname="de Vries-v.d. Berg", given_names="Hanneke", phone="0687654321", bsn="", postcode="3512AB"
    )
    assert len(tokens(ANNA) & tokens(other)) >= 5


def test_day_and_month_swapped_meet_in_the_blocks_of_the_birth_date() -> None:
    """A swap is the most common error in a date."""
    swapped = PersonFields(given_names="Johanna", surname="Berg", birth_date="1991-03-04")
    assert tokens(PersonFields(given_names="Johanna", surname="Berg", birth_date="1991-04-03")) & tokens(swapped)


def test_too_few_fields_give_no_block() -> None:
    """Accepted by the hub, and marked not comparable."""
    assert not ENCODER.encode(PersonFields(given_names="Anna")).comparable
    assert not ENCODER.encode(PersonFields()).comparable


def test_no_block_stands_for_one_common_attribute() -> None:
    """Accounts apart, every block value is a conjunction of at least two facts."""
    accounts = {1, 2, 3, 4, 20}
    for pass_number, value in block_values(facts_of(ANNA)):
        assert pass_number in accounts or "|" in value


def test_a_record_with_accounts_and_a_full_address_sends_no_weak_conjunction() -> None:
    """It is found without them."""
    assert {9, 10, 12, 13}.isdisjoint({number for number, _ in block_values(facts_of(ANNA))})


def test_an_address_made_of_a_name_alone_is_no_account() -> None:
    """`j.jansen` is as common as the name: its block needs a birth year or a town as well, `j.jansen91` does not."""
    coarse = replace(ANNA, postcode="", email="j.jansen@example.org")
    assert {value for number, value in block_values(facts_of(coarse)) if number == 20} == {"j.jansen|1991"}
    coarse = replace(coarse, email="j.jansen91@example.org")
    assert {value for number, value in block_values(facts_of(coarse)) if number == 20} == {"j.jansen91"}


def test_another_key_or_epoch_gives_other_tokens_and_filters() -> None:
    """Encodings of two epochs cannot be compared, which is what shredding a key relies on."""
    later = KEY.with_next_epoch()
    old, new = EdgeEncoder(later, 1).encode(ANNA), EdgeEncoder(later, 2).encode(ANNA)
    assert old == ENCODER.encode(ANNA)
    assert {b.token for b in old.blocks}.isdisjoint({b.token for b in new.blocks})
    assert {b.filters for b in old.blocks}.isdisjoint({b.filters for b in new.blocks})


def test_one_person_has_other_filters_in_every_block() -> None:
    """There is no global encoding of a name to count."""
    filters = [block.filters for block in ENCODER.encode(ANNA).blocks]
    assert len(set(filters)) == len(filters)
    surnames = {one[8:16] for one in filters}
    assert len(surnames) == len(filters)


def test_a_person_without_an_account_has_names_twice_as_wide_whose_first_half_is_the_same() -> None:
    """Names are all that tells her apart; a record that has an account still compares with hers, by the first half."""
    alone = replace(ANNA, bsn="", phone="", email="", insurer_number="")
    wide = {block.token: block.filters for block in ENCODER.encode(alone).blocks}
    narrow = {block.token: block.filters for block in ENCODER.encode(ANNA).blocks}
    shared = wide.keys() & narrow.keys()
    assert shared and {len(one) for one in wide.values()} == {WIDE_FILTER_BYTES} != {FILTER_BYTES}
    for token in shared:
        assert wide[token][:8] == narrow[token][:8] and wide[token][16:24] == narrow[token][8:16]
        assert any(wide[token][8:16]) and any(wide[token][24:32])


def test_nothing_readable_is_in_an_encoding() -> None:
    """Neither the BSN nor a name, in any spelling, occurs in the bytes."""
    data = b"".join(block.token + block.filters for block in ENCODER.encode(ANNA).blocks)
    for secret in (b"999990342", b"berg", b"Berg", b"3512", b"0612345678", (999990342).to_bytes(4, "big")):
        assert secret not in data


_WORDS = st.text(max_size=30)


@settings(max_examples=60, deadline=None)
@given(st.builds(PersonFields, **{name: _WORDS for name in PersonFields.__dataclass_fields__}))
def test_every_person_whatever_was_typed_gives_an_identity_within_bounds(person: PersonFields) -> None:
    """At most 32 blocks and 2 KiB, whatever the administration holds."""
    identity = ENCODER.encode(person)
    assert check_identity(identity, {1}) is None
    assert sum(len(b.token) + len(b.filters) for b in identity.blocks) <= IDENTITY_BYTES_MAX
    assert identity == ENCODER.encode(person)


def test_each_fault_of_an_encoding_has_its_code() -> None:
    """The table that intake answers with."""
    good = Block(5, b"12345678", bytes(FILTER_BYTES))
    many = tuple(Block(5, n.to_bytes(8, "big"), b"") for n in range(33))
    heavy = tuple(Block(5, n.to_bytes(8, "big"), bytes(FILTER_BYTES)) for n in range(32))
    for identity, code in (
        (Identity(9, (good,)), "unknown_epoch"),
        (Identity(1, many), "too_many_blocks"),
        (Identity(1, (Block(5, b"1234", b""),)), "wrong_length"),
        (Identity(1, (Block(5, b"12345678", b"x"),)), "wrong_length"),
        (Identity(1, (good, Block(6, b"12345678", bytes(WIDE_FILTER_BYTES)))), "wrong_length"),
        (Identity(1, heavy), "too_many_bytes"),
        (Identity(1, (Block(99, b"12345678", b""),)), "unknown_pass"),
        (Identity(1, (good, good)), "repeated_block"),
        (Identity(1, ()), None),
    ):
        assert check_identity(identity, {1}) == code


def test_a_pseudonym_is_stable_per_provider_and_unlinkable_between_them() -> None:
    """The same local id at two providers gives two record ids."""
    assert pseudonym(b"a" * 32, "client 7") == pseudonym(b"a" * 32, "client 7") != pseudonym(b"b" * 32, "client 7")
