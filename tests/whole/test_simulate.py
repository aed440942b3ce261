"""The simulated nation against a hub that runs by itself."""

import json
from contextlib import ExitStack
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.__main__ import app
from hub.contracts import tables
from hub.local.demo import prepare, start_hub
from hub.local.simulator import national
from tests.whole.killed_hub import Run


def test_the_tables_of_a_nation_are_written_for_the_hub_to_have(tmp_path: Path) -> None:
    """`hub topics apply` takes them as they are."""
    file = tmp_path / "tables.json"
    done = CliRunner().invoke(app, ["simulate", "--seed", "5", "--clients", "800", "--tables", str(file), "--json"])
    assert json.loads(done.stdout)["regions"] == len(tables.load(file).regions) > 1
    assert tables.load(file) == tables.parse(tables.render(national.build(5, 800).reference))


@pytest.mark.kafka
def test_a_hub_with_other_tables_is_left_alone(run: Run) -> None:
    """Nothing is published to people who are not of this nation."""
    keys = run.stack.keys / "everybody.json"
    strange = national.build(99, 1600)
    keys.write_text(json.dumps({row.tenant: "x" for row in strange.reference.tenants} | run.stack.passwords), "utf-8")
    told = {"KAFKA_BOOTSTRAP_SERVERS": run.stack.kafka.tenant_bootstrap, "HUB_CREDENTIALS_FILE": str(keys)}
    before = run.ends()
    done = CliRunner().invoke(app, ["simulate", "--seed", "99", "--clients", "1600"], env=told)
    assert done.exit_code != 0 and "this hub has other tables (regions, postcodes, tenants" in str(done.exception)
    assert run.ends() == before


@pytest.mark.kafka
@pytest.mark.chaos
def test_a_nation_lives_through_its_days_on_a_hub_of_its_own(tmp_path: Path) -> None:
    """Every input has its receipt, and the truth of it is written apart."""
    with ExitStack() as running:
        stack = prepare(running, tmp_path)
        running.enter_context(stack.kafka)
        nation = national.build(5, 100, 12)
        start_hub(stack, nation.reference)
        keys = stack.keys / "everybody.json"
        keys.write_text(json.dumps(stack.passwords), "utf-8")
        told = {"KAFKA_BOOTSTRAP_SERVERS": stack.kafka.tenant_bootstrap, "HUB_CREDENTIALS_FILE": str(keys)}
        asked = ["--seed", "5", "--clients", "100", "--days", "12", "--truth", str(tmp_path / "truth.jsonl"), "--json"]
        done = CliRunner().invoke(app, ["simulate", *asked], env=told)
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["inputs"] == found["receipts"] > 100 and found["days"] >= 12
    assert "person" in (tmp_path / "truth.jsonl").read_text("utf-8")
