"""Each checker catches what it is for: a sound world passes, and every planted violation is told by its place."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from zlib import crc32

import pytest

from hub.contracts import codec
from hub.domain.codes import SENTENCES
from hub.domain.facts import ReceiptIssued
from hub.domain.identifiers import RecordId, TenantId
from hub.domain.words import ReceiptOutcome
from tests.rig.checkers import Findings, Row, check_lag, check_oracle, check_topics

REGION, OUT, INBOX = "KSV-01", "out.receipts.pkg-a", "inbox.pkg-a"
TOPICS = (INBOX, f"{INBOX}.dlq", OUT, "alerts", "region-status", "in-force")
Rows = dict[str, list[Row]]


def receipt(version: int, outcome: str = "accepted", code: str = "applied", record: str = "r-1") -> bytes:
    """A receipt as the hub writes it."""
    sentence = SENTENCES[code]
    return codec.encode(
        ReceiptIssued(
            recipient=TenantId("pkg-a"),
            record_type="nl.kraamzorg.registration-submitted.v1",
            record_id=RecordId(record),
            version=version,
            outcome=ReceiptOutcome(outcome),
            code=code,
            pointer="",
            message_nl=sentence.nl,
            message_en=sentence.en,
        )
    )


def fact(offset: int, place: str, source: int, value: bytes, region: str = REGION) -> Row:
    headers = {"ce_hubpos": place, "ce_hubsrc": f"{INBOX}/{source}"}
    return Row("region-facts", 0, offset, region, headers, value)


def told(offset: int, sequence: int, source: int, value: bytes) -> Row:
    headers = {"ce_hubregion": REGION, "ce_sequence": str(sequence), "ce_hubsrc": f"{INBOX}/{source}"}
    return Row(OUT, 0, offset, REGION, headers, value)


def status(offset: int, sequence: int) -> Row:
    return Row("region-status", 0, offset, REGION, {"ce_hubregion": REGION, "ce_sequence": str(sequence)}, b"s")


def sound() -> Rows:
    """Three inputs: accepted, repeated, and a next version; a fact and a delivery came twice, as may be."""
    one, again, two = receipt(1), receipt(1, "duplicate", "repeated"), receipt(2)
    return {
        INBOX: [Row(INBOX, 0, n, "r-1", {}, b"input-%d" % n) for n in range(3)],
        "region-facts": [fact(0, "0/0/0", 0, one), fact(1, "0/1/0", 1, again), fact(2, "0/1/0", 1, again),
                         fact(3, "0/2/0", 2, two)],
        OUT: [told(0, 1, 0, one), told(1, 2, 1, again), told(2, 1, 0, one), told(3, 3, 2, two)],
        "region-status": [status(0, 1), status(1, 2)],
    }  # fmt: skip


def check(world: Rows, acknowledged: Iterable[int] = range(3), log_end: int = 3) -> Findings:
    """All checks over a world in memory."""
    sums = {INBOX: {n: crc32(b"input-%d" % n) for n in acknowledged}}
    return check_topics(lambda names: [row for n in names for row in world.get(n, [])], TOPICS, sums, {0: log_end})


def swap(topic: str, at: int, **changes: Any) -> Callable[[Rows], None]:
    def change(world: Rows) -> None:
        world[topic][at] = replace(world[topic][at], **changes)

    return change


def drop(topic: str, *at: int) -> Callable[[Rows], None]:
    def change(world: Rows) -> None:
        world[topic] = [row for number, row in enumerate(world[topic]) if number not in at]

    return change


def headers(topic: str, at: int, **changes: str) -> Callable[[Rows], None]:
    def change(world: Rows) -> None:
        row = world[topic][at]
        world[topic][at] = replace(row, headers={**row.headers, **changes})

    return change


def reorder(topic: str, *order: int) -> Callable[[Rows], None]:
    def change(world: Rows) -> None:
        world[topic] = [world[topic][number] for number in order]

    return change


def test_a_sound_world_passes_and_repeats_are_no_violation() -> None:
    """Repeats are what a relay may do; they are counted."""
    findings = check(sound())
    assert findings.sound, findings
    assert findings.counted["facts_repeated"] == 1 and findings.counted["delivered_again"] == 1
    assert findings.counted["receipts_accepted"] == 2 and findings.counted["receipts_duplicate"] == 1


@pytest.mark.parametrize(
    ("plant", "where"),
    [
        (drop(INBOX, 2), "is gone"),
        (swap(INBOX, 1, value=b"other"), "other bytes than were acknowledged"),
        (drop("region-facts", 3), "has no outcome in region-facts"),
        (drop(OUT, 3), "has no outcome in the receipts delivered"),
    ],
)
def test_an_input_that_is_lost_is_named(plant: Callable[[Rows], None], where: str) -> None:
    """Gone from its inbox, changed there, never decided, or decided and never told."""
    world = sound()
    plant(world)
    assert any(where in place for place in check(world).lost)


@pytest.mark.parametrize(
    "plant",
    [headers("region-facts", 3, ce_hubsrc=f"{INBOX}/0"), headers(OUT, 3, ce_hubsrc=f"{INBOX}/0")],
)
def test_an_input_with_two_outcomes_is_named(plant: Callable[[Rows], None]) -> None:
    """In the facts, or only in what was delivered."""
    world = sound()
    plant(world)
    findings = check(world)
    assert any("has a second outcome" in place for place in findings.twice)


@pytest.mark.parametrize(
    ("plant", "why"),
    [
        (headers("region-facts", 3, ce_hubpos="0/9/0"), "an effect without an input"),
        (headers("region-facts", 0, ce_hubsrc=f"{INBOX}/77"), "an effect without an input"),
        (headers("region-facts", 0, ce_hubpos="zero"), "expected partition/offset/index"),
        (reorder("region-facts", 0, 3, 1, 2), "its readers never see it"),
        (swap("region-facts", 2, value=receipt(7)), "has other bytes than the first"),
        (swap(OUT, 2, value=receipt(7)), "has other bytes than the first"),
        (swap(OUT, 3, value=receipt(7)), "has other bytes in the receipts delivered"),
        (drop(OUT, 1), "something was never delivered"),
        (reorder(OUT, 1, 0, 2, 3), "something was never delivered"),
        (reorder("region-status", 1, 0), "an old value came last"),
        (swap("region-status", 1, headers={"ce_hubregion": REGION, "ce_sequence": "1"}), "an old value came last"),
    ],
)
def test_every_other_violation_is_told_by_its_place(plant: Callable[[Rows], None], why: str) -> None:
    """One planted mistake, one sentence that names it."""
    world = sound()
    plant(world)
    assert any(why in what for what in check(world).wrong)


@pytest.mark.parametrize(
    ("version", "outcome", "code"),
    [
        (1, "accepted", "applied"),
        (3, "duplicate", "repeated"),
        (1, "conflict", "same_version_other_content"),
        (2, "stale", "older_version"),
    ],
)
def test_a_version_that_falls_or_does_not_fit_is_told(version: int, outcome: str, code: str) -> None:
    """After version 2 was accepted: 1 accepted, or one judged by something other than what is known."""
    world = sound()
    rest = (receipt(2), receipt(version, outcome, code), receipt(9))
    world["region-facts"] = [fact(n, f"0/{n}/0", n, value) for n, value in enumerate(rest)]
    assert any("while version 2 was accepted" in what for what in check(world).wrong)


def test_a_receipt_that_explains_nothing_is_told() -> None:
    """A refusal without its sentence is not explained."""
    world = sound()
    mute = codec.encode(replace(codec.decode(receipt(1)), message_nl=""))
    world["region-facts"][0] = replace(world["region-facts"][0], value=mute)
    assert any("does not explain itself" in what for what in check(world).wrong)


def test_the_oracle_must_agree_and_must_have_looked() -> None:
    """A difference, or an oracle that compared nothing, is no agreement."""
    for printed, verdict in (
        ({"facts": 3, "differences": []}, "equal"),
        ({"facts": 3, "differences": [{"topic": "region-facts", "position": "0/1/0"}]}, "different"),
        ({"facts": 0, "differences": []}, "different"),
    ):
        findings = Findings()
        assert check_oracle("progress\n" + json.dumps(printed) + "\n", findings) == verdict
        assert findings.sound == (verdict == "equal")


def test_whoever_is_behind_in_the_end_is_named() -> None:
    """Lag returns to 0."""
    findings = Findings()
    check_lag({}, 0, findings)
    assert findings.sound
    check_lag({"hub.region.g1": 3}, 2, findings)
    assert len(findings.wrong) == 2
