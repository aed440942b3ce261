"""The oracle: equal on what the hub wrote, and the name of the first thing that is not."""

import base64
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.__main__ import app
from hub.audit import verify
from hub.audit.verify import verify_dump
from hub.contracts import catalogue, tables
from hub.errors import UsageError
from hub.streams.folds import FOLDS
from hub.streams.machine import marker_key
from tests.whole.one_process import OneProcess
from tests.whole.test_one_nation import a_nation

Rows = list[dict[str, Any]]


def row(offset: int, partition: int, timestamp: int, key: bytes, value: bytes | None, headers: Any) -> dict[str, Any]:
    """One line of a dump."""
    return {
        "partition": partition,
        "offset": offset,
        "timestamp": timestamp,
        "key": key.decode(),
        "headers": {name: content.decode() for name, content in headers},
        "value_base64": None if value is None else base64.b64encode(value).decode(),
        "value": None,
    }


def rows_of(hub: OneProcess) -> dict[str, Rows]:
    """The topics as a broker would hold them, with one snapshot of each partition at its end."""
    topics: dict[str, Rows] = {}
    for fold in FOLDS.values():
        for (topic, partition), log in hub.log.items():
            if topic != fold.log_topic:
                continue
            machine = fold.machine(hub.reference, partition)
            machine.apply(log)
            taken = machine.snapshot()
            parts = [*taken.parts.items(), (marker_key(fold.state_version), taken.marker)]
            facts = hub.facts[(topic, partition)]
            topics.setdefault(topic, []).extend(
                row(r.offset, partition, r.timestamp_ms, r.key, r.value, r.headers) for r in log
            )
            topics.setdefault(fold.facts_topic, []).extend(
                row(n, partition, fact.timestamp_ms, fact.key, fact.value, fact.headers) for n, fact in enumerate(facts)
            )
            topics.setdefault(fold.snapshots_topic, []).extend(
                row(n, partition, 0, key, value, ()) for n, (key, value) in enumerate(parts)
            )
    return topics


@dataclass
class Dump:
    """A dump on disk whose rows a test may bend."""

    folder: Path
    topics: dict[str, Rows]

    def write(self) -> Path:
        """The folder with what the topics hold now."""
        (self.folder / "topics").mkdir(exist_ok=True)
        for topic, rows in self.topics.items():
            lines = "".join(json.dumps(line) + "\n" for line in rows)
            (self.folder / "topics" / f"{topic}.jsonl").write_text(lines, "utf-8")
        (self.folder / "tables.json").write_bytes(tables.render(a_nation().reference))
        return self.folder


@pytest.fixture
def dump(tmp_path: Path) -> Dump:
    """What a hub left after a simulated nation."""
    return Dump(tmp_path, rows_of(a_nation()))


def bend_value(line: dict[str, Any]) -> None:
    """Change the last byte."""
    body = bytearray(base64.b64decode(line["value_base64"]))
    body[-1] ^= 1
    line["value_base64"] = base64.b64encode(bytes(body)).decode()


def append_a_bent_copy(rows: Rows) -> None:
    """A repeat that is not the same to the byte."""
    rows.append(dict(rows[50]))
    bend_value(rows[-1])


def test_what_the_hub_wrote_is_equal(dump: Dump) -> None:
    """Every fact and every snapshot, and there are some."""
    verdict = verify_dump(dump.write())
    assert verdict.equal and verdict.facts > 100 and verdict.snapshots == 3


def test_a_repeat_is_no_difference(dump: Dump) -> None:
    """A carrier that died may publish a fact twice; it must be the same to the byte."""
    facts = dump.topics[catalogue.REGION_FACTS]
    facts.append(dict(facts[-1], offset=10_000))
    verdict = verify_dump(dump.write())
    assert verdict.equal and verdict.repeats == 1


@pytest.mark.parametrize(
    ("what", "bend"),
    [
        ("a changed byte", lambda rows: bend_value(rows[50])),
        ("another time", lambda rows: rows[50]["headers"].update(ce_time="2026-01-01T00:00:00.000Z")),
        ("another sequence", lambda rows: rows[50]["headers"].update(ce_sequence="99999")),
        ("another region", lambda rows: rows[50].update(key="KSV-99")),
        ("a missing fact", lambda rows: rows.pop(50)),
        ("a fact twice with another content", append_a_bent_copy),
    ],
)
def test_whatever_was_changed_in_a_fact_is_named(dump: Dump, what: str, bend: Callable[[Rows], object]) -> None:
    """By the position that the fact carries."""
    place = dump.topics[catalogue.REGION_FACTS][50]["headers"]["ce_hubpos"]
    bend(dump.topics[catalogue.REGION_FACTS])
    verdict = verify_dump(dump.write())
    assert place in {difference.position for difference in verdict.differences}, what


def test_a_fact_that_the_log_does_not_give_is_named(dump: Dump) -> None:
    """Nobody can slip one in."""
    facts = dump.topics[catalogue.REGION_FACTS]
    forged = json.loads(json.dumps(facts[50]))
    forged["headers"]["ce_hubpos"] = "0/9999999/0"
    facts.append(forged)
    assert [d.position for d in verify_dump(dump.write()).differences] == ["0/9999999/0"]


@pytest.mark.parametrize("place", ["", "0/17", "one/two/three", "0/17/x", "1/0/0/0", "0/99999999999999999999/0"])
def test_a_fact_without_a_place_is_named(dump: Dump, place: str) -> None:
    """Whatever stands where the position should, the audit goes on to the end."""
    forged = json.loads(json.dumps(dump.topics[catalogue.REGION_FACTS][50]))
    forged["headers"]["ce_hubpos"] = place
    dump.topics[catalogue.REGION_FACTS].append(forged)
    assert [d.position for d in verify_dump(dump.write()).differences] == [place]


def judged(log_topic: str, gone: int, snapshots_at: tuple[int, ...], bent: int | None = None) -> verify.Verdict:
    """One partition of a nation's region fold as if its log were `log_topic`: the first `gone` records have expired."""
    hub, fold = a_nation(), replace(FOLDS["region"], log_topic=log_topic)
    log = hub.log[catalogue.REGION_LOG, 0]
    snapshots: Rows = []
    machine = fold.machine(hub.reference, 0)
    for number, record in enumerate(log, 1):
        machine.apply([record])
        if number in snapshots_at:
            taken = machine.snapshot()
            parts = [*taken.parts.items(), (marker_key(fold.state_version), taken.marker)]
            snapshots += [row(len(snapshots) + n, 0, 0, key, value, ()) for n, (key, value) in enumerate(parts)]
    facts = [
        row(n, 0, f.timestamp_ms, f.key, f.value, f.headers) for n, f in enumerate(hub.facts[catalogue.REGION_LOG, 0])
    ]
    if bent is not None:
        bend_value(facts[bent])
    rows = [row(r.offset, 0, r.timestamp_ms, r.key, r.value, r.headers) for r in log[gone:]]
    verdict = verify.Verdict()
    given = [map(as_dumped, part) for part in (rows, facts, snapshots)]
    verify.compare(fold, hub.reference, 0, given[0], given[1], given[2], verdict)
    return verdict


def as_dumped(line: dict[str, Any]) -> verify.Row:
    """The row that a line of a dump is read as."""
    value = line["value_base64"]
    held = None if value is None else base64.b64decode(value)
    return verify.Row(line["partition"], line["offset"], line["timestamp"], line["key"], line["headers"], held)


def test_an_expired_identity_log_is_refolded_from_the_oldest_whole_snapshot() -> None:
    """What was folded before is not judged, and the verdict says so; what came after is judged as ever."""
    whole, late = judged(catalogue.IDENTITY_LOG, 0, (50, 90)), judged(catalogue.IDENTITY_LOG, 60, (50, 90))
    assert whole.equal and late.equal and late.snapshots == 1
    assert (whole.begins, late.begins) == ({}, {f"{catalogue.IDENTITY_LOG}/0": 90})
    assert late.records == whole.records - 90 and 0 < late.facts < whole.facts
    assert judged(catalogue.IDENTITY_LOG, 60, (50, 90), bent=0).equal
    assert not judged(catalogue.IDENTITY_LOG, 60, (50, 90), bent=-1).equal


def test_a_log_whose_beginning_is_gone_is_named() -> None:
    """The region-log is kept for its whole generation, and a snapshot before what is left stands in for no gap."""
    [gap] = judged(catalogue.IDENTITY_LOG, 60, (50,)).differences
    assert (gap.topic, gap.expected) == (catalogue.IDENTITY_LOG, "the records before it, or a whole snapshot there")
    [gone] = judged(catalogue.REGION_LOG, 60, (50, 90)).differences
    assert (gone.topic, gone.expected) == (catalogue.REGION_LOG, "the records before it")


def test_a_changed_event_of_the_log_shows_in_the_facts(dump: Dump) -> None:
    """The log is the witness: bending it contradicts everything that followed."""
    dump.topics[catalogue.REGION_LOG] = dump.topics[catalogue.REGION_LOG][:-1]
    assert not verify_dump(dump.write()).equal


def test_a_changed_part_of_a_snapshot_is_named(dump: Dump) -> None:
    """The parts on the topic must add up to the hash of their marker."""
    bend_value(dump.topics[catalogue.REGION_SNAPSHOTS][0])
    assert [d.topic for d in verify_dump(dump.write()).differences] == [catalogue.REGION_SNAPSHOTS]


@pytest.mark.parametrize("topic", [catalogue.REGION_LOG, catalogue.REGION_FACTS, catalogue.MATCH_SNAPSHOTS])
def test_a_record_beyond_the_partitions_of_the_tables_is_named(dump: Dump, topic: str) -> None:
    """No worker reads it; whoever trusts the topic might."""
    dump.topics[topic].append(dict(dump.topics[topic][0], partition=7, offset=41))
    assert [(d.topic, d.position) for d in verify_dump(dump.write()).differences] == [(topic, "7/41")]


def test_a_record_that_is_gone_from_the_log_is_named_even_if_no_fact_follows_from_it(dump: Dump) -> None:
    """Offsets of our logs have no gaps."""
    log = dump.topics[catalogue.IDENTITY_LOG]
    gone = log.pop(40)
    told = {(d.topic, d.position) for d in verify_dump(dump.write()).differences}
    assert (catalogue.IDENTITY_LOG, f"0/{gone['offset']}") in told


def test_a_large_dump_is_refolded_side_by_side_to_the_same_verdict(dump: Dump, monkeypatch: pytest.MonkeyPatch) -> None:
    """By programs of their own, one for each partition but the first."""
    bend_value(dump.topics[catalogue.REGION_FACTS][50])
    alone = verify_dump(dump.write())
    monkeypatch.setattr(verify, "SIDE_BY_SIDE_BYTES_MIN", 0)
    assert verify_dump(dump.folder) == alone and not alone.equal


def test_a_refold_beside_ends_when_nobody_waits_for_it_any_more(dump: Dump) -> None:
    """Its standard input is the thread on which it hangs."""
    program = [sys.executable, "-m", "hub.audit.verify", str(dump.write()), "region", "1", "0"]
    with subprocess.Popen(program, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.wait(30) == 1 and process.stdout is not None and process.stdout.read() == b""


def test_the_command_says_equal_or_where_not(dump: Dump) -> None:
    """Exit 0 with `equal`; exit 1 with the position on standard output."""
    run = CliRunner()
    good = run.invoke(app, ["audit", "verify", "--json", "--dump", str(dump.write())])
    assert (good.exit_code, json.loads(good.stdout.splitlines()[-1])["oracle"]) == (0, "equal")
    bend_value(dump.topics[catalogue.REGION_FACTS][7])
    bad = run.invoke(app, ["audit", "verify", "--json", "--dump", str(dump.write())])
    assert bad.exit_code == 1 and dump.topics[catalogue.REGION_FACTS][7]["headers"]["ce_hubpos"] in bad.stdout


def test_a_folder_that_is_no_dump_is_refused(tmp_path: Path) -> None:
    """With what to do instead."""
    with pytest.raises(UsageError, match="dump again"):
        verify_dump(tmp_path)


def test_half_a_dump_is_refused(dump: Dump) -> None:
    """A log that is missing, cut off within a line or nested beyond reading must not look like agreement."""
    folder = dump.write()
    log = folder / "topics" / f"{catalogue.REGION_LOG}.jsonl"
    log.write_text(log.read_text("utf-8")[:-100], "utf-8")
    with pytest.raises(UsageError, match=r"no record of a dump .*dump again"):
        verify_dump(folder)
    log.write_bytes(b'{"partition": 0, "offset": 0, "remark": ' + b"[" * 50_000)
    with pytest.raises(UsageError, match=r"no record of a dump .*dump again"):
        verify_dump(folder)
    log.unlink()
    with pytest.raises(UsageError, match="found no topics/region-log"):
        verify_dump(folder)
