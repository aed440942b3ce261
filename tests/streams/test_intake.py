"""What becomes of one record: where it goes, under which envelope, and what is refused with which code."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from hub.contracts.codec import decode, encode, type_name
from hub.domain import events as e
from hub.domain.identity import FILTER_BYTES, Block, Identity
from hub.domain.words import (
    IndicationProtocol,
    LinkKind,
    RecordKind,
    RegistrationStatus,
    SettledOutcome,
)
from hub.streams.intake import Intake
from hub.streams.relay import Piece
from tests.contracts.world import REFERENCE

INTAKE = Intake(REFERENCE)
IDENTITY = Identity(epoch=1, blocks=(Block(1, b"12345678", b"\x01" * FILTER_BYTES),))
REGISTRATION = e.RegistrationSubmitted(
    record_id="reg-0001",  # type: ignore[arg-type]
    version=1,
    provider="41001234",  # type: ignore[arg-type]
    status=RegistrationStatus.ACTIVE,
    pc4="3511",  # type: ignore[arg-type]
    due_date=date(2026, 8, 1),
    requested_on=date(2026, 3, 2),
    insurer="3311",  # type: ignore[arg-type]
    indicated_minutes=2700,
    protocol=IndicationProtocol.LIP,
    partus_assistance=False,
    identity=IDENTITY,
)


def record(
    topic: str, value: bytes | None, headers: tuple[tuple[str, bytes], ...] = (), key: bytes = b"k", offset: int = 7
) -> Any:
    """One record as aiokafka hands it over."""
    size = len(value or b"")
    return ConsumerRecord(topic, 0, offset, 1_772_442_000_123, 1, key, value, None, len(key), size, headers)


def routed(topic: str, event: Any, **more: Any) -> list[Piece]:
    return list(INTAKE.route(record(topic, encode(event), **more)))


def headers(piece: Piece) -> dict[str, bytes]:
    return dict(piece.record.headers)


def test_a_registration_goes_to_its_region_without_identity_and_to_the_identity_log_with_it() -> None:
    """The region never holds an encoding; the match fold does."""
    region, identity = routed("inbox.pkg-a", REGISTRATION)
    assert (region.target, region.record.key) == (TopicPartition("region-log", 1), b"KSV-02")
    assert decode(region.record.value or b"") == replace(REGISTRATION, identity=None)
    assert (identity.target, identity.record.key) == (TopicPartition("identity-log", 0), b"identity")
    assert decode(identity.record.value or b"") == REGISTRATION
    assert region.stage < identity.stage


def test_the_envelope_names_source_sender_and_time_and_only_the_home_copy_issues_the_receipt() -> None:
    """The tenant is the topic's, the time is the inbox's, and nothing of the client's headers remains."""
    region, identity = routed("inbox.pkg-a", REGISTRATION, headers=(("ce_hubtenant", b"pkg-b"), ("x", b"1")))
    envelope = headers(region)
    assert envelope["ce_hubsrc"] == b"inbox.pkg-a/7"
    assert envelope["ce_hubtenant"] == b"pkg-a"
    assert envelope["ce_time"] == b"2026-03-02T09:00:00.123Z"
    assert envelope["ce_type"] == type_name(e.RegistrationSubmitted).encode()
    assert envelope["ce_hubcomparable"] == b"1"
    assert len(envelope["ce_hubcontent"]) == 32
    assert "x" not in envelope
    assert (envelope["ce_hubhome"], headers(identity).get("ce_hubhome")) == (b"1", None)
    assert region.record.timestamp_ms == identity.record.timestamp_ms == 1_772_442_000_123


def test_the_content_digest_tells_two_identities_apart() -> None:
    """Else a changed identity under the same version would pass as a repeat."""
    other = replace(REGISTRATION, identity=Identity(epoch=1, blocks=(Block(1, b"87654321", b""),)))
    digests = {headers(routed("inbox.pkg-a", event)[0])["ce_hubcontent"] for event in (REGISTRATION, other)}
    assert len(digests) == 2


def test_a_day_goes_to_every_region_and_the_national_copy_comes_last_and_is_home() -> None:
    """A receipt means that every log holds the event."""
    pieces = sorted(routed("inbox.clock", e.DayStarted(date=date(2026, 3, 2))), key=lambda piece: piece.stage)
    assert [piece.record.key for piece in pieces] == [b"KSV-01", b"KSV-02", b"identity", b"NL"]
    assert [("ce_hubhome" in headers(piece)) for piece in pieces] == [False, False, False, True]


@pytest.mark.parametrize(
    ("topic", "value", "code"),
    [
        ("inbox.pkg-a", None, "not_confluent_framed"),
        ("inbox.pkg-a", b"{}", "not_confluent_framed"),
        ("inbox.pkg-a", b"\x00\x7f\xff\xff\xff\x00", "unknown_schema"),
        ("inbox.pkg-a", encode(REGISTRATION) + b"\x00", "not_canonical"),
        ("inbox.pkg-a", encode(REGISTRATION)[:-40], "not_decodable"),
        ("inbox.pkg-a", b"\x00" * 70_000, "too_large"),
        ("inbox.pkg-a", encode(e.InputRefused(code="x", unreadable=True, pointer="")), "schema_not_for_inboxes"),
        ("inbox.ins-3311", encode(REGISTRATION), "role_may_not_publish"),
        ("inbox.pkg-a", encode(replace(REGISTRATION, pc4="9999")), "postcode_outside_regions"),  # type: ignore[arg-type]
        ("inbox.pkg-a", encode(replace(REGISTRATION, provider="4100123")), "invalid_agb"),  # type: ignore[arg-type]
        ("inbox.pkg-a", encode(replace(REGISTRATION, record_id="999990342")), "looks_like_identity"),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_taken_is_kept_as_it_came_and_told_to_the_nation_with_its_code(
    topic: str, value: bytes | None, code: str
) -> None:
    """A dead letter holds the original bytes; the refusal becomes a receipt in the fold."""
    letter, refused = INTAKE.route(record(topic, value, headers=(("mine", b"1"),)))
    assert letter.stage < refused.stage
    assert letter.target == TopicPartition(f"{topic}.dlq", 0)
    assert (letter.record.key, letter.record.value) == (b"k", value)
    envelope = headers(letter)
    assert envelope["mine"] == b"1"
    assert envelope["__streams.errors.offset"] == b"7"
    assert envelope["ce_hubreason"] == code.encode()
    assert envelope["ce_hubsrc"] == f"{topic}/7".encode()
    event = decode(refused.record.value or b"")
    assert isinstance(event, e.InputRefused)
    assert (event.code, refused.record.key) == (code, b"NL")
    assert headers(refused)["ce_hubhome"] == b"1"
    assert event.record_id in (None, "reg-0001")


def test_a_tenant_that_is_not_in_force_yet_is_unknown() -> None:
    """A row counts from its append time on."""
    later = tuple(replace(row, valid_from_ms=1_772_442_000_124) for row in REFERENCE.tenants)
    letter, _ = Intake(replace(REFERENCE, tenants=later)).route(record("inbox.pkg-a", encode(REGISTRATION)))
    assert headers(letter)["ce_hubreason"] == b"unknown_tenant"


def _ref(region: str) -> e.RecordRef:
    return e.RecordRef(
        tenant="pkg-a",  # type: ignore[arg-type]
        provider="41001234",  # type: ignore[arg-type]
        kind=RecordKind.REGISTRATION,
        record_id="reg-0001",  # type: ignore[arg-type]
        version=1,
        region=region,  # type: ignore[arg-type]
    )


@pytest.mark.parametrize(("second", "keys"), [("KSV-02", [b"KSV-01", b"KSV-02"]), ("KSV-01", [b"KSV-01"])])
def test_a_link_goes_once_to_each_region_that_holds_one_of_its_records(second: str, keys: list[bytes]) -> None:
    """Its mark is the position in the identity log that it follows from."""
    link = e.LinkFound(
        link_id="l1",
        kind=LinkKind.REGISTERED_TWICE,
        first=_ref("KSV-01"),
        second=_ref(second),
        score_millibits=1,
        reasons=(),
        held=False,
    )
    pieces = routed("links", link, headers=(("ce_hubpos", b"0/12/1"),))
    assert [piece.record.key for piece in pieces] == keys
    assert {headers(piece)["ce_hubsrc"] for piece in pieces} == {b"identity-log/0/12/1"}


def test_a_settlement_reaches_the_identity_log_and_other_facts_yield_nothing() -> None:
    """Only the header is read: most facts are no settlements."""
    settled = e.RecordSettled(
        record=_ref("KSV-01"), outcome=SettledOutcome.ACTIVE, due_date=date(2026, 8, 1), closed_by_transfer=False
    )
    name = type_name(e.RecordSettled).encode()
    (piece,) = routed("region-facts", settled, headers=(("ce_type", name), ("ce_hubpos", b"1/5/0")), key=b"KSV-01")
    assert piece.target == TopicPartition("identity-log", 0)
    assert headers(piece)["ce_hubsrc"] == b"region-log/1/5/0"
    other = record("region-facts", b"not decoded", headers=(("ce_type", b"nl.kraamzorg.receipt-issued.v1"),))
    assert list(INTAKE.route(other)) == []
