"""Which messages are open, which were mended, which are put aside: by the receipts and the inbox alone."""

from dataclasses import replace
from typing import Any

import pytest

from hub.contracts.codec import encode
from hub.domain.facts import ReceiptIssued
from hub.domain.identifiers import Agb, RecordId, TenantId
from hub.domain.words import ReceiptOutcome
from hub.errors import UsageError
from hub.repair.cases import REPAIRS, Case, Receipt, Sent, State, cases, compared, highest_version, offset_of
from hub.repair.diagnosis import diagnose
from hub.repair.mend import mended
from tests.streams.test_intake import REGISTRATION

KIND = "nl.kraamzorg.registration-submitted.v1"
INBOX = "inbox.pkg-a"


def receipt(
    offset: int,
    outcome: str,
    record: str | None = "reg-1",
    version: int | None = 1,
    code: str = "no_mandate",
    pointer: str = "",
) -> Receipt:
    """An answer of the hub."""
    fact = ReceiptIssued(
        recipient=TenantId("pkg-a"),
        record_type=KIND if record else None,
        record_id=RecordId(record) if record else None,
        version=version,
        outcome=ReceiptOutcome(outcome),
        code=code,
        pointer=pointer,
        message_nl="",
        message_en="",
    )
    return Receipt(offset, 1000 + offset, "KSV-01", fact)


def sent(offset: int, provider: str = REGISTRATION.provider, **headers: str) -> Sent:
    """A record of the inbox."""
    value = encode(replace(REGISTRATION, provider=Agb(provider)))
    return Sent(offset, offset, b"k", value, {name: text.encode() for name, text in headers.items()})


@pytest.mark.parametrize(
    ("what", "receipts", "inbox", "dropped", "expected"),
    [
        ("refused", [receipt(1, "refused")], [sent(1)], (), [(1, State.OPEN, None)]),
        ("taken", [receipt(1, "accepted"), receipt(2, "duplicate")], [sent(1), sent(2)], (), []),
        (
            "the same record was taken later",
            [receipt(1, "refused"), receipt(2, "accepted", version=2)],
            [sent(1), sent(2)],
            (),
            [(1, State.MENDED, 2)],
        ),
        (
            "the same record was taken before: this version still was not",
            [receipt(1, "accepted"), receipt(2, "conflict")],
            [sent(1), sent(2)],
            (),
            [(2, State.OPEN, None)],
        ),
        (
            "the same id was taken later, of another provider of this package: that is another record",
            [receipt(1, "refused"), receipt(2, "accepted")],
            [sent(1), sent(2, provider="41000099")],
            (),
            [(1, State.OPEN, None)],
        ),
        (
            "it was taken later from another provider, and the provider was what was wrong with it",
            [receipt(1, "refused", pointer="/provider"), receipt(2, "accepted")],
            [sent(1), sent(2, provider="41000099")],
            (),
            [(1, State.MENDED, 2)],
        ),
        (
            "a redrive of unreadable bytes was taken",
            [receipt(1, "unreadable", None, None), receipt(2, "accepted")],
            [sent(1), sent(2, **{REPAIRS: f"{INBOX}/1"})],
            (),
            [(1, State.MENDED, 2)],
        ),
        (
            "a redrive was refused too: both are open",
            [receipt(1, "refused"), receipt(2, "refused")],
            [sent(1), sent(2, **{REPAIRS: f"{INBOX}/1"})],
            (),
            [(1, State.OPEN, None), (2, State.OPEN, None)],
        ),
        (
            "put aside",
            [receipt(1, "refused"), receipt(2, "stale")],
            [sent(1), sent(2)],
            (2,),
            [(1, State.OPEN, None), (2, State.DROPPED, None)],
        ),
        ("the inbox has forgotten it", [receipt(1, "refused")], [], (), [(1, State.OPEN, None)]),
        (
            "two unreadable records are not one",
            [receipt(1, "unreadable", None, None), receipt(2, "unreadable", None, None)],
            [sent(1), sent(2)],
            (),
            [(1, State.OPEN, None), (2, State.OPEN, None)],
        ),
    ],
)
def test_where_a_message_stands(what: str, receipts: Any, inbox: Any, dropped: Any, expected: Any) -> None:
    """One row for each story."""
    found = cases(inbox, receipts, frozenset(dropped))
    assert [(case.offset, case.state, case.settled_by) for case in found] == expected, what


def test_bytes_are_asked_for_of_what_was_not_taken_and_of_what_may_have_settled_it() -> None:
    """An inbox of a month is large; most of it needs only its place."""
    told = [receipt(1, "refused"), receipt(2, "accepted"), receipt(3, "accepted", "reg-2")]
    assert compared(told) == {1, 2}


def test_a_mended_message_lies_above_every_version_that_was_ever_sent() -> None:
    """Also above those that were refused: the hub never takes one version for another."""
    told = [receipt(1, "accepted", version=4), receipt(2, "refused", version=9), receipt(3, "accepted", "reg-2", 30)]
    assert highest_version(told, KIND, "reg-1") == 9
    old = Case(receipt(2, "refused", record="reg-0001"), sent(2), State.OPEN)
    above = [receipt(5, "accepted", record="reg-0001", version=4)]
    assert mended(old, above, [("/pc4", "1011")], "pkg-a").version == 5
    assert mended(old, above, [("/version", "8")], "pkg-a").version == 8
    assert mended(old, [], [("/pc4", "1011")], "pkg-a").pc4 == "1011"
    with pytest.raises(UsageError, match="would be refused: invalid_pc4"):
        mended(old, [], [("/pc4", "11")], "pkg-a")


@pytest.mark.parametrize("name", ["17", "#17", "inbox.pkg-a/17"])
def test_a_message_has_one_number_however_it_is_written(name: str) -> None:
    """As people copy it from a list or a log."""
    assert offset_of(name, INBOX) == 17


@pytest.mark.parametrize("name", ["", "x", "inbox.pkg-b/17", "-1"])
def test_what_names_no_message_is_refused(name: str) -> None:
    """Another tenant's inbox among them."""
    with pytest.raises(UsageError, match="expected the number of a record"):
        offset_of(name, INBOX)


GOOD = encode(REGISTRATION)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "has no value"),
        (b"", "has no value"),
        (b'{"a": 1}', "This is JSON"),
        (b"{ not quite", "starts like JSON"),
        (b"[" * 60_000, "starts like JSON"),
        (b"<bericht/>", "looks like XML"),
        (b"Obj\x01rest", "an Avro file with its own schema"),
        (b"\x03" + bytes(20), "newer registry"),
        (b"zomaar wat", "The first byte is 122"),
        (b"\x00\x00", "ends after 2 bytes"),
        (b"\x00\x00\x01\x86\xa0rest", "names schema 100000, which the lock does not have. It knows 1 to "),
        (GOOD[:60], "do not fit RegistrationSubmitted"),
        (GOOD[:20], "record_id, version could be read, then provider could not"),
        (GOOD + b"\x00\x00", "2 bytes stand behind the record"),
    ],
)
def test_bytes_that_cannot_be_read_are_described_in_plain_words(value: bytes | None, said: str) -> None:
    """What they look like, and how far they follow the schema that they name."""
    assert said in " ".join(diagnose(value))


def test_whole_bytes_have_nothing_wrong_with_them() -> None:
    """Then the reason lies in what they say."""
    assert list(diagnose(GOOD)) == []
