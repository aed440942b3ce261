"""Bo's prognosis from a file: every sound line an event, every other line told."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hub.__main__ import app
from hub.connectors.prognosis import BYTES_MAX, read_prognosis
from hub.contracts.validation import check_input
from tests.contracts.world import REFERENCE

HEAD = "region;month;needed_carers;published_on\n"
LINE = "KSV-01;2026-04;12;2026-03-01\n"


def test_a_line_is_an_event_that_intake_would_take() -> None:
    """Valid by the same checks as any other input."""
    (event,), faults = read_prognosis(HEAD + LINE)
    assert faults == ()
    assert (event.region, event.month, event.needed_carers) == ("KSV-01", "2026-04", 12)
    assert event.published_on == date(2026, 3, 1)
    assert check_input(event, REFERENCE.tenant["bo"], REFERENCE) is None  # type: ignore[index]


def test_a_file_of_a_later_day_replaces_and_the_same_one_again_changes_nothing() -> None:
    """The day of publication is the version."""
    (first,), _ = read_prognosis(HEAD + LINE)
    (again,), _ = read_prognosis(HEAD + LINE)
    (later,), _ = read_prognosis(HEAD + LINE.replace("2026-03-01", "2026-03-02"))
    assert first == again
    assert (later.record_id, later.version) == (first.record_id, first.version + 1)
    assert later.published_on - first.published_on == timedelta(days=1)


@pytest.mark.parametrize(
    "text",
    [
        (HEAD + LINE).replace(";", ","),
        "\ufeff" + HEAD + LINE,
        (HEAD + LINE).replace("\n", "\r\n"),
        "month;region;published_on;needed_carers\n2026-04;KSV-01;2026-03-01;12\n",
        HEAD + "\n" + LINE + ";;;\n",
        HEAD + LINE.replace(";", " ; "),
    ],
    ids=["commas", "byte order mark", "windows lines", "other order", "empty lines", "spaces"],
)
def test_files_of_different_programs_say_the_same(text: str) -> None:
    """What a spreadsheet writes."""
    assert read_prognosis(text) == read_prognosis(HEAD + LINE)


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (";2026-04;12;2026-03-01", "line 2, region: found '', expected the code of a region"),
        ("KSV-01;2026-13;12;2026-03-01", "line 2, month: found '2026-13', expected a month as YYYY-MM"),
        ("KSV-01;april;12;2026-03-01", "line 2, month: found 'april', expected a month as YYYY-MM"),
        ("KSV-01;2026-04;-1;2026-03-01", "line 2, needed_carers: found '-1', expected a whole number from 0"),
        ("KSV-01;2026-04;1.5;2026-03-01", "line 2, needed_carers: found '1.5', expected a whole number from 0"),
        ("KSV-01;2026-04;12;01-03-2026", "line 2, published_on: found '01-03-2026', expected a day as YYYY-MM-DD"),
        ("KSV-01;2026-04;12", "line 2: found 3 cells, expected 4"),
        (
            f'KSV-01;"{"x" * 200_000}";12;2026-03-01',
            "line 2: found a cell without end, expected cells of one line; see its quotes",
        ),
    ],
)
def test_a_faulty_line_says_where_and_the_next_line_is_still_read(line: str, fault: str) -> None:
    """Found and expected, by line and column."""
    events, faults = read_prognosis(HEAD + line + "\n" + LINE)
    assert [str(one) for one in faults] == [fault]
    assert len(events) == 1


def test_one_month_twice_and_other_columns_are_told() -> None:
    """Which of both would hold nobody could say."""
    _, (twice,) = read_prognosis(HEAD + LINE + LINE)
    assert str(twice) == "line 3: found KSV-01 2026-04 a second time, expected each once; line 2 has it"
    _, (columns,) = read_prognosis("region;carers\nKSV-01;1\n")
    assert "found the columns 'region, carers', expected region;month;needed_carers;published_on" in str(columns)
    _, (large,) = read_prognosis("x" * (BYTES_MAX + 1))
    assert "expected at most" in str(large)


def test_a_dry_run_sends_nothing_and_a_faulty_file_neither(tmp_path: Path) -> None:
    """All or nothing; the exit code says which."""
    file = tmp_path / "prognosis.csv"
    file.write_text(HEAD + LINE, "utf-8")
    told = CliRunner().invoke(app, ["prognosis", "import", str(file), "--dry-run", "--json"])
    assert (told.exit_code, json.loads(told.stdout)) == (0, {"lines": 1, "sound": 1, "faulty": 0, "sent": 0})
    file.write_text(HEAD + LINE + "KSV-01;2026-05;many;2026-03-01\n", "utf-8")
    told = CliRunner().invoke(app, ["prognosis", "import", str(file), "--json"])
    assert told.exit_code == 1
    assert "needed_carers: found 'many'" in told.output
