"""The model of a cold start, learned on invented Dutch clients: `python -m hub.match_evaluation.warm` learns it anew.

Then run tools/make_match_model.py, which writes it down as the integers that the fold starts with.
"""

import argparse
import json
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from hub.domain.match_model import MatchModel
from hub.edge import FileKey, PersonFields
from hub.edge.columns import Table
from hub.local.dutch_people import DutchRecord, PopulationRow, population
from hub.match_evaluation import evaluate
from hub.match_evaluation.trainer import STORIES, Prior, fit, model_of, prior_parts

_SIZE: Final = 20_000
_SEED: Final = 20260101
_FILE: Final = "dutch_fit.json"


def person_of(record: DutchRecord) -> PersonFields:
    """A generated record as the edge takes it."""
    fields = asdict(record)
    del fields["due_date"]
    return PersonFields(**fields)


def table_of(rows: list[PopulationRow]) -> Table:
    """Generated records as an evaluation file would hold them."""
    return Table(
        record_ids=tuple(row.record_id for row in rows),
        sources=tuple(row.source for row in rows),
        entity_ids=tuple(row.entity_id for row in rows),
        persons=tuple(person_of(row.record) for row in rows),
        due_dates=tuple(row.record.due_date for row in rows),
        fields={},
    )


def learn() -> tuple[Prior, list[float]]:
    """Fit to both tiers together; the truth of the generator is not looked at."""
    patterns: list[tuple[bool, int, int]] = []
    ratio = 0.0
    start = model_of(prior_parts(), [story.share for story in STORIES], "start")
    for tier in ("std", "hard"):
        table = table_of(list(population(_SIZE, tier, _SEED)))
        identities = evaluate.encode_all(table.persons, FileKey.derived("warm"))
        run = evaluate.fold(evaluate.references(table), identities, evaluate.due_dates(table), start)
        patterns += run.state.patterns()
        ratio = evaluate.across_per_within(table) or 0.0
    return fit(patterns, prior_parts(), ratio)


def warm_model(version: str = "warm") -> MatchModel:
    """The committed fit as integers."""
    raw: Any = json.loads((files("hub.match_evaluation") / _FILE).read_text(encoding="utf-8"))
    return model_of(raw["parts"], raw["shares"], version)


def main() -> None:
    """Learn, and write the fit over the committed one."""
    argparse.ArgumentParser(prog="python -m hub.match_evaluation.warm", description=main.__doc__).parse_args()
    parts, shares = learn()
    body = {"parts": parts, "shares": shares, "learned_on": f"population({_SIZE}, std and hard, seed {_SEED})"}
    Path(str(files("hub.match_evaluation") / _FILE)).write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
