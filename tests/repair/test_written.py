"""Events as people write them: whatever is wrong is told by its place, and nothing is guessed."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hub.contracts.codec import decode, encode
from hub.errors import UsageError
from hub.repair.written import KINDS, edited, faults_here, parse, read_file, sentence, shorten, write
from tests.contracts.examples import example
from tests.streams.test_intake import IDENTITY

REGISTRATION = {
    "type": "RegistrationSubmitted",
    "record_id": "reg-1",
    "version": 1,
    "provider": "41001234",
    "status": "active",
    "pc4": "3511",
    "due_date": "2026-08-01",
    "requested_on": "2026-03-02",
    "insurer": "3311",
    "indicated_minutes": 2700,
    "protocol": "lip",
    "partus_assistance": False,
}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_input_comes_back_from_what_is_written_of_it(name: str) -> None:
    """To the byte: dates, encodings and whole plans too."""
    event = example(KINDS[name])
    written = json.loads(json.dumps(write(event)))
    assert encode(parse(written, "here")) == encode(event)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"type": "Registration"}, "here/type: found 'Registration', expected one of AlertAcknowledged"),
        ({"pc": "3511"}, "here/pc: found a field that RegistrationSubmitted has not, expected record_id"),
        ({"version": "1"}, "here/version: expected `int`, got `str`"),
        ({"status": "actief"}, "here/status: invalid enum value 'actief'"),
        ({"due_date": "1 augustus"}, "here/due_date: invalid"),
        (
            {"identity": {"epoch": 1, "blocks": [{"pass_number": "x"}]}},
            "here/identity/blocks/0/pass_number: expected `int`",
        ),
    ],
)
def test_what_cannot_be_an_event_is_told_by_its_place(change: dict[str, Any], told: str) -> None:
    """With what was found and what was expected."""
    with pytest.raises(UsageError) as refused:
        parse({**REGISTRATION, **change}, "here")
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    ("changes", "path", "value"),
    [
        ([("/pc4", "1011")], ("pc4",), "1011"),
        ([("/indicated_minutes", "2400")], ("indicated_minutes",), 2400),
        ([("/partus_assistance", "true")], ("partus_assistance",), True),
        ([("/identity", "null")], ("identity",), None),
        ([("/status", "withdrawn"), ("/version", "7")], ("version",), 7),
    ],
)
def test_a_field_is_set_by_its_pointer(changes: list[tuple[str, str]], path: tuple[str, ...], value: Any) -> None:
    """Text where text stood, JSON elsewhere; the original stays as it was."""
    before = json.dumps(REGISTRATION)
    held: Any = edited(REGISTRATION, changes)
    for step in path:
        held = held[step]
    assert held == value and json.dumps(REGISTRATION) == before


@pytest.mark.parametrize("pointer", ["pc4", "/", "", "/nobody/pc4", "/pc4/0"])
def test_a_pointer_that_leads_nowhere_is_refused(pointer: str) -> None:
    """Nothing is set by guessing."""
    with pytest.raises(UsageError, match=r"expected|found"):
        edited(REGISTRATION, [(pointer, "x")])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, None),
        ({"pc4": "0123"}, "invalid_pc4"),
        ({"record_id": "999990342"}, "looks_like_identity"),
        ({"indicated_minutes": -1}, "impossible_minutes"),
        ({"pc4": "9990"}, None),
    ],
)
def test_what_intake_would_refuse_is_known_before_anything_is_sent(change: dict[str, Any], code: str | None) -> None:
    """But for what only the hub's tables can tell: there the receipt speaks."""
    found = faults_here(parse({**REGISTRATION, **change}, "here"), "pkg-a")
    assert [fault.code for fault in found] == ([] if code is None else [code])


def test_a_file_holds_one_event_a_line_or_a_list(tmp_path: Path) -> None:
    """Blank lines are none; a line that is no JSON is told by its number."""
    lines, listed = tmp_path / "lines.jsonl", tmp_path / "list.json"
    two = [{**REGISTRATION, "record_id": f"reg-{n}"} for n in (1, 2)]
    lines.write_text("\n\n".join(map(json.dumps, two)) + "\n", "utf-8")
    listed.write_text(json.dumps(two, indent=1), "utf-8")
    assert list(read_file(lines)) == list(read_file(listed)) == [parse(one, "here") for one in two]
    lines.write_text(json.dumps(two[0]) + "\n{\n", "utf-8")
    with pytest.raises(UsageError, match=r"lines.jsonl line 2: found no JSON"):
        list(read_file(lines))


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b'{"type": "CareEnded", "record_id": "a", "version": NaN}', "line 1: found a value that JSON has not"),
        (b'{"type": "CareEnded", "record_id": "\\ud800"}', "line 1: found a value that JSON has not"),
        (
            json.dumps({**REGISTRATION, "version": 2**63}).encode(),
            "line 1: found a number that takes more than 64 bits",
        ),
        (b'{"type": "CareEnded", "record_id": ' + b"[" * 100_000, "line 1: found brackets in brackets without end"),
        (b"[" * 100_000, "found brackets in brackets without end"),
        (b"[{]", "found no JSON"),
        ('{"type": "CareEnded", "record_id": "\xe9"}'.encode("latin-1"), "is not UTF-8"),
    ],
)
def test_a_file_that_is_none_of_ours_is_told_in_a_sentence(tmp_path: Path, content: bytes, told: str) -> None:
    """Never by a traceback, which may quote what was in it."""
    (tmp_path / "sent.jsonl").write_bytes(content)
    with pytest.raises(UsageError, match=told):
        list(read_file(tmp_path / "sent.jsonl"))


def test_encodings_are_shown_by_their_size_alone() -> None:
    """Nobody reads them, and a screen is no place for them."""
    with_identity = replace(example(KINDS["RegistrationSubmitted"]), identity=IDENTITY)
    shown = shorten(write(decode(encode(with_identity))))
    assert shown["identity"].startswith("encoding of key epoch ")


def test_a_code_is_told_in_both_languages_with_its_field() -> None:
    """As on the receipt."""
    assert sentence("invalid_pc4", "/pc4").startswith("invalid_pc4 (/pc4): De postcode")
    assert "The postcode" in sentence("invalid_pc4")
