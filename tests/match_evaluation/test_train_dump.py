"""The trainer learns from what a hub's match fold has counted, and its model is one that the fold takes."""

import base64
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.__main__ import app
from hub.contracts import catalogue
from hub.domain.match_model import MatchModel, check_model
from hub.edge import FileKey
from hub.errors import UsageError
from hub.local.dutch_people import population
from hub.match_evaluation import train_dump
from hub.match_evaluation.evaluate import due_dates, encode_all, fold, references, start_model
from hub.match_evaluation.warm import table_of


@pytest.fixture(scope="module")
def dump(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The last snapshot of a fold that has seen some hundred clients."""
    table = table_of(list(population(600, "hard", seed=3, providers=4)))
    run = fold(references(table), encode_all(table.persons, FileKey.derived("t")), due_dates(table), start_model())
    folder = tmp_path_factory.mktemp("dump")
    (folder / "topics").mkdir()
    rows = [
        {"partition": 0, "offset": n, "timestamp": 0, "key": f"1/identity/{name}", "headers": {},
         "value_base64": base64.b64encode(part).decode()}
        for n, (name, part) in enumerate(run.state.parts().items())
    ]  # fmt: skip
    lines = [json.dumps(row) for row in rows]
    (folder / "topics" / f"{catalogue.MATCH_SNAPSHOTS}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return folder


def test_a_dump_gives_a_model_that_the_fold_accepts(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only counts of patterns are read."""
    monkeypatch.setattr(train_dump, "PAIRS_MIN", 50)
    event, pairs = train_dump.train_from_dump(dump, "autumn-2026")
    assert pairs >= 50 and event.model_version == "autumn-2026"
    assert check_model(MatchModel(event.model_version, event.explanations)) is None
    said = CliRunner().invoke(app, ["match", "train", str(dump), "--name", "autumn-2026", "--json"])
    assert json.loads(said.stdout.splitlines()[-1])["pairs_compared"] == pairs


def test_too_few_pairs_or_no_snapshot_is_said(dump: Path, tmp_path: Path) -> None:
    """A model that rests on nothing is worse than the one that ships."""
    with pytest.raises(UsageError, match="expected at least 1000: train later"):
        train_dump.train_from_dump(dump, "x")
    (tmp_path / "topics").mkdir()
    with pytest.raises(UsageError, match="no snapshot of the match fold"):
        train_dump.train_from_dump(tmp_path, "x")
