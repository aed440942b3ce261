"""What counts as wrong: a row a finding, from figures alone."""

import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from hub.contracts.catalogue import Acl, acls_for, topics_for
from hub.doctor import judge
from hub.doctor.findings import NEXT_STEP, Finding, Kind, Severity, in_order
from hub.domain.words import AlertKind
from tests.contracts.world import REFERENCE

RUNBOOK = (Path(__file__).resolve().parents[2] / "docs" / "runbook.md").read_text("utf-8")
TODAY = date(2026, 6, 2)
TOPICS = {topic.name: topic for topic in topics_for(REFERENCE)}
AS_EXPECTED = {name: judge.TopicSeen(topic.partitions, topic.config) for name, topic in TOPICS.items()}
ACCESS = set(acls_for(REFERENCE))


def kinds(findings: Iterator[Finding]) -> list[Kind]:
    """Which kinds were found."""
    return [finding.kind for finding in findings]


def test_every_finding_and_every_alert_has_its_section_in_the_runbook() -> None:
    """Whoever is called at night follows the link and is there."""
    headings = set(re.findall(r"^### (\S+)$", RUNBOOK, re.M))
    assert {kind.value for kind in Kind} | {kind.value for kind in AlertKind} <= headings


@pytest.mark.parametrize("kind", Kind)
def test_every_finding_has_one_next_step(kind: Kind) -> None:
    """A sentence that begins with what to do."""
    step = NEXT_STEP[kind]
    assert step.endswith(".") and step[0].isupper() and len(step) < 120
    assert Finding(kind, "x").as_json()["runbook"] == f"docs/runbook.md#{kind.value}"


def test_what_explains_the_rest_comes_first() -> None:
    """A topic that is missing before a group that is behind because of it."""
    found = [Finding(Kind.GROUP_BEHIND, "g"), Finding(Kind.TOPIC_MISSING, "t"), Finding(Kind.BROKER_UNREACHABLE, "b")]
    assert [one.kind for one in in_order(found)] == [Kind.BROKER_UNREACHABLE, Kind.TOPIC_MISSING, Kind.GROUP_BEHIND]


def test_a_cluster_as_the_catalogue_says_has_nothing_wrong() -> None:
    """Topics and access rules."""
    assert kinds(judge.judge_topics(TOPICS, AS_EXPECTED)) == []
    assert kinds(judge.judge_access(ACCESS, ACCESS)) == []


@pytest.mark.parametrize(
    ("expected", "seen", "words"),
    [
        (Kind.TOPIC_MISSING, {k: v for k, v in AS_EXPECTED.items() if k != "links"}, "first links"),
        (Kind.PARTITIONS_CHANGED, AS_EXPECTED | {"region-log": judge.TopicSeen(5)}, "has 5 partitions, the tables say"),
        (
            Kind.TOPIC_CONFIG,
            AS_EXPECTED | {"region-log": judge.TopicSeen(2, {"retention.ms": "1000"})},
            "retention.ms=1000, expected -1",
        ),
        (
            Kind.REPLICAS_MISSING,
            AS_EXPECTED | {"links": judge.TopicSeen(1, TOPICS["links"].config, replicas_missing=1)},
            "not in sync, first links",
        ),
    ],
)  # fmt: skip
def test_a_topic_that_is_not_as_it_should_be(expected: Kind, seen: dict[str, judge.TopicSeen], words: str) -> None:
    """The first of them by name, with what was found and expected."""
    [finding] = judge.judge_topics(TOPICS, seen)
    assert finding.kind is expected and words in finding.what


def test_access_that_is_missing_and_access_that_nobody_granted() -> None:
    """Both ways of drift, each with the first rules."""
    stranger = Acl("stranger", "topic", "region-log", False, "read")
    one = next(iter(acls_for(REFERENCE)))
    found = list(judge.judge_access(ACCESS, (ACCESS - {one}) | {stranger}))
    assert [finding.kind for finding in found] == [Kind.ACCESS_MISSING, Kind.ACCESS_SURPLUS]
    assert "stranger read topic region-log" in found[1].what


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        (judge.GroupSeen(members=1, behind=5), []),
        (judge.GroupSeen(members=0, behind=0), []),
        (judge.GroupSeen(members=0, behind=1), [Kind.GROUP_WITHOUT_MEMBERS]),
        (judge.GroupSeen(members=2, behind=judge.BEHIND_MAX + 1), [Kind.GROUP_BEHIND]),
    ],
)
def test_a_group_is_judged_by_its_members_and_its_lag(group: judge.GroupSeen, expected: list[Kind]) -> None:
    """Lag with members is a warning, without members nobody works."""
    assert kinds(judge.judge_groups(("hub.region.g1",), {"hub.region.g1": group})) == expected


@pytest.mark.parametrize(
    ("marker", "expected"),
    [
        (judge.MarkerSeen(10, 10, 9999), []),
        (judge.MarkerSeen(10, 12, 5), []),
        (judge.MarkerSeen(10, 12, judge.SNAPSHOT_AGE_MAX_S + 1), [Kind.SNAPSHOT_OLD]),
        (judge.MarkerSeen(10, 10, 5, {"KSV-01": "ZeroDivisionError in rule:7, at offset 3"}), [Kind.REGION_STOPPED]),
    ],
)
def test_a_snapshot_tells_of_stops_and_of_standing_still(marker: judge.MarkerSeen, expected: list[Kind]) -> None:
    """An old snapshot of a quiet log is no trouble."""
    assert kinds(judge.judge_markers({"region, partition 0": marker})) == expected


@pytest.mark.parametrize(
    ("closed", "expected"),
    [
        ({"KSV-01": TODAY, "NL": TODAY}, None),
        ({"KSV-01": date(2026, 5, 30), "NL": TODAY}, "1 regions have not closed 2026-06-02, first KSV-01; last day 2"),
        ({"NL": TODAY}, "first KSV-01; last day never"),
        ({}, "no region has closed a day yet"),
    ],
)  # fmt: skip
def test_a_day_that_was_missed_is_told_with_the_last_one(closed: dict[str, date], expected: str | None) -> None:
    """By region, since one may stand still alone."""
    found = list(judge.judge_days(closed, ("KSV-01", "NL"), TODAY))
    assert (expected is None) == (found == [])
    assert all(one.kind is Kind.DAY_MISSED and (expected or "") in one.what for one in found)


@pytest.mark.parametrize(
    ("worker", "expected"),
    [
        (judge.WorkerSeen(200, (), 2), []),
        (judge.WorkerSeen(200, (), None), []),
        (judge.WorkerSeen(0), [Kind.WORKER_SILENT]),
        (judge.WorkerSeen(503, ("intake",), 2), [Kind.WORKER_NOT_READY]),
        (judge.WorkerSeen(200, (), 1), [Kind.WORKER_OTHER_TABLES]),
    ],
)
def test_a_worker_is_judged_by_what_it_says(worker: judge.WorkerSeen, expected: list[Kind]) -> None:
    """Silent, not ready, or working by other tables than are in force."""
    assert kinds(judge.judge_workers({"intake": worker}, 2)) == expected


@pytest.mark.parametrize(
    ("version", "valkey", "expected"),
    [("6.2.14", False, []), ("8.0", False, []), ("6.0.16", False, [Kind.REDIS_TOO_OLD]), ("0", True, [])],
)
def test_redis_must_know_our_commands(version: str, valkey: bool, expected: list[Kind]) -> None:
    """From 6.2 on, and every Valkey."""
    assert kinds(judge.judge_redis_version(version, valkey)) == expected


@pytest.mark.parametrize(
    ("positions", "ends", "expected"),
    [
        ({0: 5}, {0: 9}, []),
        ({}, {0: 0}, []),
        ({}, {0: 9}, [Kind.READ_MODEL_BEHIND]),
        ({0: 5}, {0: 6 + judge.BEHIND_MAX}, [Kind.READ_MODEL_BEHIND]),
    ],
)
def test_a_read_model_that_is_empty_or_far_behind(
    positions: dict[int, int], ends: dict[int, int], expected: list[Kind]
) -> None:
    """A few facts are on their way at any moment."""
    assert kinds(judge.judge_read_model(positions, ends)) == expected


def test_a_schema_that_the_lock_lacks_and_dead_letters_of_a_day() -> None:
    """Both name the topic and nothing of a record."""
    assert kinds(judge.judge_schemas({"region-log": {1, 999}}, frozenset({1}))) == [Kind.SCHEMA_UNKNOWN]
    found = list(judge.judge_dead_letters({"inbox.pkg-a.dlq": 3, "inbox.pkg-b.dlq": 0, "inbox.pkg-c.dlq": 5}))
    assert [one.what for one in found] == ["dead letters of the last 24 hours: inbox.pkg-c.dlq 5, inbox.pkg-a.dlq 3"]
    assert found[0].severity is Severity.WARNING
