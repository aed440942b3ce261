"""`hub match evaluate` on invented clients: good enough, blind to the truth, and the same in any batch."""

import csv
from pathlib import Path

import pytest

from hub.domain.warm_model import WARM_MODEL
from hub.edge import FileKey
from hub.local.dutch_people import population, write_population
from hub.match_evaluation.evaluate import (
    best_f1,
    due_dates,
    encode_all,
    evaluate_file,
    evaluate_table,
    fold,
    references,
    score,
    start_model,
)
from hub.match_evaluation.warm import table_of


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("people") / "hard.csv"
    write_population(path, 3_000, "hard", seed=5)
    return path


def test_clients_of_the_hard_tier_are_found_with_few_false_alarms(hard: Path, tmp_path: Path) -> None:
    """F1 at least .99 with BSN, precision at least .99, in less than 800 bytes a record."""
    said = evaluate_file(hard, tmp_path / "pairs.csv")
    assert float(str(said["f1"])) >= 0.985 and float(str(said["precision"])) >= 0.99
    assert float(str(said["bytes_per_record"])) <= 800
    rows = list(csv.DictReader((tmp_path / "pairs.csv").open(encoding="utf-8")))
    assert len(rows) == said["pairs"] and all(float(row["score"]) >= 2.0 for row in rows)


def test_the_truth_changes_no_prediction(hard: Path, tmp_path: Path) -> None:
    """Without entity_id the same pairs come out: it is for scoring only."""
    blind = tmp_path / "blind.csv"
    rows = list(csv.DictReader(hard.open(encoding="utf-8")))
    with blind.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [name for name in rows[0] if name != "entity_id"], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    evaluate_file(hard, tmp_path / "a.csv")
    said = evaluate_file(blind, tmp_path / "b.csv")
    assert "f1" not in said
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_a_cold_start_finds_them_too() -> None:
    """The committed model alone, before anything was learned from the hub's own records."""
    table = table_of(list(population(3_000, "std", seed=6)))
    identities = encode_all(table.persons, FileKey.derived("evaluation"))
    run = fold(references(table), identities, due_dates(table), WARM_MODEL)
    assert score(table, run.links)["f1"] >= 0.99


def test_a_micro_batch_never_changes_a_link() -> None:
    """One at a time or 256 together: same links, same state."""
    table = table_of(list(population(1_000, "hard", seed=7)))
    identities = encode_all(table.persons, FileKey.derived("evaluation"))
    one = fold(references(table), identities, due_dates(table), start_model())
    many = fold(references(table), identities, due_dates(table), start_model(), batch=256)
    assert one.links == many.links and one.state.parts() == many.state.parts()


def test_second_pregnancies_are_told_apart_by_their_due_dates() -> None:
    """The generator plants them with an entity of their own; none may be linked to the first."""
    rows = list(population(3_000, "std", seed=8))
    table = table_of(rows)
    _, links = evaluate_table(table)
    second = {i for i, row in enumerate(rows) if row.relation == "second pregnancy"}
    assert len(second) > 20
    wrong = [pair for pair in links if rows[pair[0]].entity_id != rows[pair[1]].entity_id and second & set(pair)]
    assert wrong == []


def test_a_generated_population_is_the_same_for_the_same_seed() -> None:
    """Measurements can be repeated."""
    assert list(population(200, "hard", seed=3)) == list(population(200, "hard", seed=3))
    assert list(population(200, "hard", seed=3)) != list(population(200, "hard", seed=4))


def test_best_f1_is_the_best_over_all_thresholds() -> None:
    """Worked by hand: taking the two best of three pairs finds one of two true ones, taking all finds both."""
    assert best_f1({(0, 1): 9, (0, 2): 5, (1, 2): 1}, {(0, 1), (1, 2)}) == pytest.approx(0.8)
