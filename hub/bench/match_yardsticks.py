"""anonlink and Splink on the same file, for `hub bench`. Runs in an interpreter of its own:
clkhash pins an older `cryptography` than the hub may use. Prints JSON, seconds and F1 for each:
{"anonlink": {...}, "splink": {...}} with seconds and F1.

Usage: python match_yardsticks.py FILE.csv (columns of hub.local.dutch_people; pairs across sources only).
"""

import csv
import json
import sys
import time
from collections import defaultdict
from itertools import combinations
from typing import Any

Pairs = set[tuple[str, str]]


def f1(found: Pairs, truth: Pairs) -> float:
    """Pairwise F1."""
    return 2 * len(found & truth) / max(1, len(found) + len(truth))


def true_pairs(rows: list[dict[str, str]]) -> Pairs:
    """Pairs of one entity across sources."""
    groups: dict[str, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        groups[row["entity_id"]].append(row)
    return {
        (min(a["record_id"], b["record_id"]), max(a["record_id"], b["record_id"]))
        for group in groups.values()
        for a, b in combinations(group, 2)
        if a["source"] != b["source"]
    }


def anonlink_run(rows: list[dict[str, str]]) -> dict[str, float]:
    """CLKs of 1,024 bits over the usual fields; the whole file against itself, Dice at least 0.8."""
    import anonlink
    from clkhash import clk, field_formats, schema
    from clkhash.comparators import NgramComparison

    names = ("given_names", "surname", "birth_date", "phone", "postcode", "house_number")

    def spec(name: str) -> Any:
        comparator, strategy = NgramComparison(2), field_formats.BitsPerFeatureStrategy(100)
        return field_formats.StringSpec(name, field_formats.FieldHashingProperties(comparator, strategy=strategy))

    fields = [spec(name) for name in names]
    began = time.perf_counter()
    encoded = clk.generate_clks([[row[name] for name in names] for row in rows], schema.Schema(fields, 1024), b"secret")
    encode_seconds = time.perf_counter() - began
    began = time.perf_counter()
    candidates = anonlink.candidate_generation.find_candidate_pairs(
        [encoded, encoded], anonlink.similarities.dice_coefficient, 0.8
    )
    found: Pairs = set()
    for a, b in zip(candidates[2][0], candidates[2][1], strict=True):
        if a < b and rows[a]["source"] != rows[b]["source"]:
            left, right = rows[a]["record_id"], rows[b]["record_id"]
            found.add((min(left, right), max(left, right)))
    seconds = time.perf_counter() - began
    return {"records_per_s": len(rows) / seconds, "encode_seconds": encode_seconds, "f1": f1(found, true_pairs(rows))}


def splink_run(rows: list[dict[str, str]]) -> dict[str, float]:
    """Splink on clear text with blocking rules and comparisons as its manual recommends for persons; match at .5."""
    import pandas as pd  # type: ignore[import-untyped]
    import splink.comparison_library as cl
    from splink import DuckDBAPI, Linker, SettingsCreator, block_on

    frame: Any = pd.DataFrame(rows).replace("", None).rename(columns={"record_id": "unique_id"})
    settings = SettingsCreator(
        link_type="dedupe_only",
        comparisons=[
            cl.JaroWinklerAtThresholds("given_names"),
            cl.JaroWinklerAtThresholds("surname"),
            cl.LevenshteinAtThresholds("birth_date"),
            cl.ExactMatch("phone"),
            cl.ExactMatch("postcode"),
            cl.ExactMatch("house_number"),
            cl.ExactMatch("bsn"),
        ],
        blocking_rules_to_generate_predictions=[
            block_on("birth_date", "surname"),
            block_on("postcode", "house_number"),
            block_on("phone"),
            block_on("bsn"),
            block_on("given_names", "birth_date"),
        ],
    )
    began = time.perf_counter()
    api = DuckDBAPI()
    linker = Linker(
        api.register(frame) if hasattr(api, "register") else frame,
        settings,
        **({} if hasattr(api, "register") else {"db_api": api}),
    )
    linker.training.estimate_probability_two_random_records_match([block_on("bsn")], recall=0.8)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6)
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("birth_date"))
    linker.training.estimate_parameters_using_expectation_maximisation(block_on("postcode"))
    predicted = linker.inference.predict(threshold_match_probability=0.5).as_pandas_dataframe()
    seconds = time.perf_counter() - began
    source = {row["record_id"]: row["source"] for row in rows}
    found = {
        (min(a, b), max(a, b))
        for a, b in zip(predicted["unique_id_l"], predicted["unique_id_r"], strict=True)
        if source[a] != source[b]
    }
    return {"records_per_s": len(rows) / seconds, "f1": f1(found, true_pairs(rows))}


def main(path: str) -> None:
    """Run what can run; an absent yardstick says why."""
    with open(path, encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    said: dict[str, dict[str, float] | str] = {}
    for name, run in (("anonlink", anonlink_run), ("splink", splink_run)):
        try:
            said[name] = run(rows)
        except Exception as problem:  # noqa: BLE001 - a yardstick that fails must not stop the other
            said[name] = f"{type(problem).__name__}: {problem}"[:300]
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
