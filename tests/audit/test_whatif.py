"""Another plan over the same history: what the hub would have said, and what it would not."""

import json
import shutil
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.__main__ import app
from hub.audit.verify import reference_of
from hub.audit.whatif import what_if
from hub.contracts import catalogue, tables
from hub.contracts.plan_file import write_plan
from hub.domain import events as e
from hub.domain.identifiers import RecordId, RegionCode, Uzovi
from hub.domain.region_plan import RegionPlan, national_defaults
from hub.edge import EdgeEncoder, FileKey
from hub.errors import UsageError
from hub.local.simulator import messages, national
from hub.local.simulator.colour_story import CONFIRMED_DAY, DIP_DAY
from hub.local.simulator.live import rehearse
from hub.local.simulator.national import START
from tests.audit.test_verify import Dump, rows_of
from tests.whole.one_process import OneProcess

HERE = RegionCode("KSV-01")
FROM = START + timedelta(days=5)
DAYS = 12
LAST = START + timedelta(days=DAYS)


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a hub left after twelve days of a simulated nation, in whose first region a wave of illness comes."""
    nation = national.build(5, 300)
    hub, script, edge = OneProcess(nation.reference), rehearse(nation), EdgeEncoder(FileKey.derived("what if"), 1)
    sent = [*script.founding, *script.history]
    for day in range(DAYS + 1):
        start = messages.Message(national.CLOCK, e.DayStarted(date=START + timedelta(days=day)))
        sent += [start, *script.days.get(day, [])]
    for packed in messages.pack(sent, edge):
        hub.send(packed.tenant, packed.value, packed.key)
    return Dump(tmp_path_factory.mktemp("history"), rows_of(hub)).write()


def plan(**change: Any) -> RegionPlan:
    """A plan with the national figures, but for what is given."""
    leads = national.build(5, 300).areas[0].lead_insurers
    named = replace(
        national_defaults(HERE, leads), plan_id=RecordId("plan-other"), version=1, valid_from=FROM, short=True
    )
    return replace(named, **change)


def believing(text: RegionPlan) -> RegionPlan:
    """Every drop in capacity counts at once."""
    return replace(text, capacity=replace(text.capacity, drop_max_permille=1000))


def test_the_same_figures_as_a_plan_change_no_colour(dump: Path) -> None:
    """Only who mediates: under a plan that is the coordinator, from orange on (rule 31)."""
    told = what_if(dump, plan(), FROM)
    assert told["colours"]["days_different"] == 0
    assert told["alerts"]["only_would"] == []
    assert told["mediator_days_different"] > 0
    assert (told["from"], told["until"]) == (FROM.isoformat(), LAST.isoformat())


def test_another_rule_shows_in_colours_and_alerts_by_day_and_by_month(dump: Path) -> None:
    """A plan that believes a drop at once is orange a day before the coordinator confirms."""
    told = what_if(dump, believing(plan()), FROM)
    first = {name: next(day for day, colour in changes if colour == "orange")
             for name, changes in told["colours"]["changes"].items()}  # fmt: skip
    assert first["was"] == (START + timedelta(days=CONFIRMED_DAY)).isoformat()
    assert first["would"] == (START + timedelta(days=DIP_DAY)).isoformat()
    (march,) = told["colours"]["by_month"]
    assert sum(march["was"].values()) == sum(march["would"].values()) == (LAST - FROM).days + 1
    assert march["would"]["green"] == march["was"]["green"] - 1
    assert {"kind": "code_orange", "subject": HERE, "since": first["would"]} in told["alerts"]["only_would"]
    assert {"kind": "code_orange", "subject": HERE, "since": first["was"]} in told["alerts"]["only_was"]


def test_days_before_keep_their_rules(dump: Path) -> None:
    """From the last day on nothing that came before can differ."""
    told = what_if(dump, believing(plan()), LAST)
    assert told["colours"]["by_month"] == [
        {
            "month": "2026-03",
            "was": told["colours"]["by_month"][0]["was"],
            "would": told["colours"]["by_month"][0]["was"],
        }
    ]
    assert sum(told["colours"]["by_month"][0]["was"].values()) == 1


def test_a_later_generation_has_a_history_too(dump: Path, tmp_path: Path) -> None:
    """Its log has a name of its own, and is folded like the first."""
    folder = Path(shutil.copytree(dump, tmp_path / "later"))
    log = folder / "topics" / f"{catalogue.REGION_LOG}.jsonl"
    log.rename(log.with_name(f"{catalogue.of_generation(catalogue.REGION_LOG, 2)}.jsonl"))
    later = replace(reference_of(dump), generation=2)
    (folder / "tables.json").write_bytes(tables.render(later))
    assert what_if(folder, believing(plan()), FROM) == what_if(dump, believing(plan()), FROM)


def test_nothing_is_written_beside_the_log(dump: Path) -> None:
    """An auditor reads."""
    before = {path: path.read_bytes() for path in sorted(dump.rglob("*")) if path.is_file()}
    what_if(dump, plan(), FROM)
    assert {path: path.read_bytes() for path in sorted(dump.rglob("*")) if path.is_file()} == before


@pytest.mark.parametrize(
    ("change", "start", "said"),
    [
        ({"region": RegionCode("KSV-99")}, FROM, "found a plan for KSV-99, expected one of KSV-01"),
        ({"lead_insurers": (Uzovi("1111"), Uzovi("2222"))}, FROM, "expected those of KSV-01"),
        ({}, date(2030, 1, 1), "expected a day that the log of KSV-01 holds: 2026-03-02 to 2026-03-14"),
    ],
)
def test_what_cannot_be_asked_is_told(dump: Path, change: dict[str, Any], start: date, said: str) -> None:
    """What was found, and what was expected."""
    with pytest.raises(UsageError, match=said):
        what_if(dump, plan(**change), start)


def test_the_command_takes_a_plan_as_people_write_it(dump: Path, tmp_path: Path) -> None:
    """YAML in, one JSON object out; a plan that is none is told fault by fault."""
    file = tmp_path / "new.yaml"
    file.write_text(write_plan(believing(plan())), "utf-8")
    asked = ["whatif", "--plan", str(file), "--from", FROM.isoformat(), "--dump", str(dump), "--json"]
    answer = CliRunner().invoke(app, asked)
    assert answer.exit_code == 0, answer.output
    told = json.loads(answer.stdout.splitlines()[-1])
    assert told["plan"] == {"plan_id": "plan-other", "version": 1}
    file.write_text(write_plan(plan(version=0)), "utf-8")
    refused = CliRunner().invoke(app, asked)
    assert isinstance(refused.exception, UsageError)
    assert "/version: found 0, expected a version from 1" in str(refused.exception)
