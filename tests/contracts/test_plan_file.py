"""A region plan as a YAML file: read back what was written, and every fault told at once in plain words."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from hub.contracts.plan_file import PLAN_BYTES_MAX, PlanFaulty, read_plan, write_plan
from hub.domain.identifiers import RecordId, RegionCode, Uzovi
from hub.domain.region_plan import CareNorms, Deviation, Interventions, RegionPlan

SHORT = """
plan_id: plan-07
version: 1
region: KSV-07
valid_from: 2026-04-01
lead_insurers: ["3311", "7119"]
short: true
"""
FULL = RegionPlan(
    plan_id=RecordId("plan-07"),
    version=3,
    region=RegionCode("KSV-07"),
    valid_from=date(2026, 4, 1),
    valid_until=date(2026, 12, 31),
    lead_insurers=(Uzovi("0101"), Uzovi("7119")),
    coordinator="coordinator-07",
    waiting_clients_informed_by="app",
    norms=CareNorms(minimal_minutes=1200),
    deviations=(
        Deviation(name="zomer", period_from=date(2026, 7, 1), period_until=date(2026, 8, 31), minimal_minutes=1080),
    ),
    interventions=Interventions(kraamcentrum_places=4),
)


def test_a_short_plan_takes_the_national_figures_for_all_that_it_leaves_out() -> None:
    """Six lines will do where little is needed (S0, rule 31)."""
    plan = read_plan(SHORT)
    assert (plan.version, plan.valid_from, plan.lead_insurers) == (1, date(2026, 4, 1), ("3311", "7119"))
    assert plan.colours.orange_permille == 500


def test_what_is_written_is_read_back_equal() -> None:
    """Codes with a leading zero, days, lists and nested parts survive."""
    assert read_plan(write_plan(FULL)) == FULL
    assert read_plan(write_plan(read_plan(SHORT))) == read_plan(SHORT)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            SHORT.replace('"3311"', "3311"),
            ["/lead_insurers/0: found 3311, expected text (put digits in quotes)"],
        ),
        (SHORT + "colors: {}", ["/colors: found an unknown name, expected one of plan_id, version"]),
        (
            SHORT + "norms: {minimal_hours: 24}\ncolours: {orange_permille: half}",
            [
                "/norms/minimal_hours: found an unknown name, expected one of minimal_minutes",
                "/colours/orange_permille: found 'half', expected a whole number",
            ],
        ),
        (SHORT.replace("version: 1", ""), ["/version: found nothing, expected a value: it has no default"]),
        (SHORT.replace("version: 1", "version: true"), ["/version: found True, expected a whole number"]),
        (SHORT.replace("2026-04-01", "spring"), ["/valid_from: found 'spring', expected a day as YYYY-MM-DD"]),
        (SHORT.replace("2026-04-01", "2026-02-30"), [": found day is out of range for month, expected plain YAML"]),
        (SHORT.replace("true", "1"), ["/short: found 1, expected true or false"]),
        (
            SHORT + "mediator_rule: nobody",
            ["/mediator_rule: found 'nobody', expected s0_without_red_and_plan or s1_until_orange"],
        ),
        (SHORT + "version: 2", [": found 'version' twice in line 8, column 1, expected plain YAML"]),
        (SHORT + "cost_grounds: &a [x]\nmeasures: *a", [": found an alias (*name) in line 9, column 11, expected"]),
        (
            SHORT + "coordinator: !!python/name:os.system x",
            [": found a tag (!name) in line 8, column 14, expected plain"],
        ),
        ("- a list", ["found ['a list'], expected names with values"]),
        ("", [": found None, expected names with values"]),
        (SHORT + "colours: {orange_leave_permille: 900}", ["/colours/orange_leave_permille: found 900, expected 1 to"]),
        ("x" * (PLAN_BYTES_MAX + 1), [": found 65537 bytes, expected at most 65536"]),
    ],
)
def test_a_faulty_plan_says_where_what_was_found_and_what_was_expected(text: str, faults: list[str]) -> None:
    """All at once, by JSON pointer."""
    with pytest.raises(PlanFaulty) as raised:
        read_plan(text)
    told = str(raised.value).splitlines()
    assert len(told) == len(faults)
    for line, expected in zip(told, faults, strict=True):
        assert expected in line


def test_a_plan_that_contradicts_itself_is_no_plan() -> None:
    """The shape is right, the content is not."""
    with pytest.raises(PlanFaulty, match="/norms/mean_minutes: found 600, expected at least the minimal 1440"):
        read_plan(write_plan(replace(FULL, norms=CareNorms(mean_minutes=600))))


def test_the_example_in_the_documents_is_a_sound_plan() -> None:
    """A coordinator starts from it."""
    example = Path(__file__).resolve().parents[2] / "examples" / "region-plan.yaml"
    assert read_plan(example.read_text("utf-8")).coordinator
