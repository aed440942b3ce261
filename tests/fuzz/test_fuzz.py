"""A slice of the fuzzing, and what it once found.

`python -m tests.fuzz --runs 1000000` is the campaign: libFuzzer where there is a wheel of it, our own loop elsewhere.
"""

from pathlib import Path

import pytest

from hub.connectors.waitlist_tool import said
from hub.contracts.plan_file import PlanFaulty, read_plan
from hub.contracts.tables import parse
from hub.edge.columns import read_table
from hub.edge.errors import UnknownColumns
from hub.errors import ContractError, WorldUnavailable
from tests.fuzz.targets import CANARY, TARGETS, Broken, Target
from tests.fuzz.worker import Judge, fuzz_alone

RUNS = {"intake": 3000}
RUNS_OF_OTHERS = 150


@pytest.fixture
def judge(request: pytest.FixtureRequest) -> Judge:
    return Judge(request.getfixturevalue("target"), CANARY, "own")


@pytest.mark.parametrize("target", TARGETS.values(), ids=lambda target: target.name)
def test_whatever_comes_in_is_taken_or_refused_by_name(target: Target, judge: Judge) -> None:
    """No crash, no hang, no refusal without a code, no value in a log."""
    fuzz_alone(judge, target, RUNS.get(target.name, RUNS_OF_OTHERS), 1)
    report = judge.finish()
    assert report.found == []
    assert len(report.outcomes) > 1, "everything came to the same: the mutations do not reach far"


@pytest.mark.parametrize("name", ["intake", "plan", "scenario", "tables", "persons", "waitlist_tool", "prognosis"])
def test_the_examples_get_all_the_way_through(name: str) -> None:
    """Mutations of what is refused at the door would find nothing."""
    outcomes = [TARGETS[name].run(data) for data in TARGETS[name].examples()]
    through = [one for one in outcomes if one.startswith(("accepted", "allocated", "encoded", "sent", "refused sent"))]
    assert len(through) >= (len(outcomes) if name == "intake" else 1), outcomes


def test_a_crash_a_leak_and_a_broken_promise_are_found() -> None:
    """A judge that finds nothing proves nothing."""

    def run(data: bytes) -> str:
        if data == b"crash":
            raise ZeroDivisionError
        if data == b"leak":
            from hub.log import DAY_SENT, log

            log(DAY_SENT, date=CANARY)
        if data == b"broken":
            raise Broken("a refusal without a code")
        return "fine"

    judge = Judge(Target("planted", 1, lambda: (), run), CANARY, "own")
    for data in (b"fine", b"crash", b"leak", b"broken"):
        judge.run(data)
    assert [(one["kind"], one["what"].split(" ")[0]) for one in judge.finish().found] == [
        ("crash", "ZeroDivisionError"),
        ("leak", ""),
        ("crash", "Broken"),
    ]


@pytest.mark.parametrize("text", [b"id,name\n1,\xff\n", b"id,name\n1," + b"x" * 200_000 + b"\n"])
def test_a_file_of_persons_that_is_no_csv_is_refused_by_its_name(text: bytes, tmp_path: Path) -> None:
    """Found by fuzzing: a file in another encoding, and a cell without an end."""
    (tmp_path / "persons.csv").write_bytes(text)
    with pytest.raises(UnknownColumns, match=r"persons\.csv is no "):
        read_table(tmp_path / "persons.csv")


@pytest.mark.parametrize("data", [b"", b"{", b'{"version": "\xff"}'])
def test_tables_that_are_no_json_are_refused_by_their_name(data: bytes) -> None:
    """Found by fuzzing."""
    with pytest.raises(ContractError, match="tables: "):
        parse(data)


@pytest.mark.parametrize(
    "text", ["[" * 30_000, "- " * 5_000, "!!int ''", "!!bool x", "!!timestamp x", "a: !b c"], ids=range(6)
)
def test_a_plan_with_tags_or_nested_without_end_is_refused(text: str) -> None:
    """Found by fuzzing: YAML is read by recursion, and its tags build whatever they like."""
    with pytest.raises(PlanFaulty):
        read_plan(text)


@pytest.mark.parametrize("answer", [b'{"id": "\xff"}', b"[" * 50_000], ids=["no UTF-8", "nested without end"])
def test_an_answer_of_the_waitlist_tool_that_is_no_json_is_told_so(answer: bytes) -> None:
    """Found by fuzzing: the connector would have ended, and started again before the same answer."""
    with pytest.raises(WorldUnavailable, match="answered no JSON to GET /clients"):
        said(answer, "GET /clients")


def test_a_scenario_with_a_number_beyond_every_exponent_is_refused() -> None:
    """Found by fuzzing, in 4 of 30,000 runs."""
    assert TARGETS["scenario"].run(b'{"region": 1e9999999999999999999}') == "refused"
