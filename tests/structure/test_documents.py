"""What the documents say is so: paths exist, commands exist, tables are as the catalogue has them."""

import importlib
import logging
import re
import shlex
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from prometheus_client import Counter
from prometheus_client.metrics import MetricWrapperBase

from hub import cli, domain, log
from hub.__main__ import app
from hub.console.words import ALERT
from hub.contracts import render
from hub.doctor.findings import Kind
from hub.domain import events, facts
from hub.domain.words import AlertKind
from hub.streams import metrics

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text("utf-8")
README_TOPICS = README.replace(".<", "`<")


@cache
def files() -> tuple[Path, ...]:
    """Files of the project: known to git, or not ignored by it."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return tuple(path for name in listed.stdout.splitlines() if (path := ROOT / name).is_file())


def test_everything_rendered_is_as_the_catalogue_has_it() -> None:
    """The README's tables, AsyncAPI and the codes; `hub docs` renders them anew."""
    assert render.TOPIC_MARKS[0] in README and render.TYPE_MARKS[0] in README
    assert render.stale(ROOT) == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_path_that_a_document_names_exists(document: Path) -> None:
    """In backticks, or behind a link."""
    text = document.read_text("utf-8")
    named = re.findall(r"`((?:hub|tests|schemas|docs|deploy|tools|examples)/[\w./-]+)`", text)
    linked = re.findall(r"\]\((?!https?:|#)([^)#]+)", text)
    missing = [name for name in named if not (ROOT / name).exists()]
    missing += [name for name in linked if not (document.parent / name).exists()]
    assert missing == []


def test_every_function_of_the_readmes_walk_is_in_its_file() -> None:
    """One event through four files: each step names where it happens."""
    steps = re.findall(r"^\d\. `(hub/\S+\.py)`, `(?:(\w+)\.)?(\w+)`", README, re.M)
    assert len(steps) == 4
    for path, owner, name in steps:
        source = (ROOT / path).read_text("utf-8")
        assert f"def {name}(" in source and (not owner or f"class {owner}" in source), path


def test_the_folder_map_names_every_folder_and_no_other() -> None:
    """A stranger finds the folder for a question from the map alone."""
    block = README.split("## Folder map")[1].split("```")[1]
    named = {line.split()[0].rstrip("/") for line in block.splitlines() if line.strip()}
    folders = {path.relative_to(ROOT).parts for path in files()}
    packages = {f"hub/{parts[1]}" for parts in folders if len(parts) > 2 and parts[0] == "hub"}
    top = {parts[0] for parts in folders if len(parts) > 1 and not parts[0].startswith(".")} - {"hub"}
    assert named == packages | top


def test_every_command_that_a_document_names_exists() -> None:
    """Of the command line and of the Makefile."""
    known = {path[0] for path in _options(typer.main.get_command(app))}
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.M))
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        assert set(re.findall(r"`hub ([a-z]+)", text)) <= known, document
        assert set(re.findall(r"(?:`|^)make ([a-z]+)", text, re.M)) <= targets, document


def test_the_map_of_the_commands_has_each_in_the_module_where_it_is_made() -> None:
    """Whoever looks for a command finds its file, and its example under its help."""
    rows = re.findall(r"^    `(\w+)` +(\S.+)$", cli.__doc__ or "", re.M)
    modules = {path.stem for path in (ROOT / "hub" / "cli").glob("*.py")} - {"__init__", "output"}
    made = {
        name: set(typer.main.get_command(importlib.import_module(f"hub.cli.{name}").app).commands)  # type: ignore[attr-defined]
        for name in modules
    }
    assert {name: set(told.split(", ")) for name, told in rows} == made


def _commands(command: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """Every command of the command line by its words."""
    if hasattr(command, "commands"):
        return {k: v for name, one in command.commands.items() for k, v in _commands(one, (*path, name)).items()}
    return {path: command}


@pytest.mark.parametrize(
    ("words", "command"),
    [pytest.param(*row, id=" ".join(row[0])) for row in _commands(typer.main.get_command(app)).items()],
)
def test_every_command_has_an_example_of_its_own_under_its_help(words: tuple[str, ...], command: Any) -> None:
    """With every argument that it cannot do without, and options that it has."""
    _, _, line = (command.epilog or "").partition("Example: ")
    typed = shlex.split(line)
    while typed and re.fullmatch(r"[A-Z_]+=\S+", typed[0]):
        typed = typed[1:]
    assert tuple(typed[: len(words) + 1]) == ("hub", *words)
    for one in command.params:
        if hasattr(one.type, "exists"):
            one.type.exists = False  # of files that only the reader has
    command.make_context("hub", typed[len(words) + 1 :])


def _options(command: Any) -> dict[tuple[str, ...], set[str]]:
    """The options of every command by its words."""
    return {
        path: {option for param in one.params for option in (*param.opts, *param.secondary_opts)}
        for path, one in _commands(command).items()
    }


@pytest.mark.parametrize("document", [*DOCUMENTS, ROOT / "CHANGELOG.md"], ids=lambda path: path.name)
def test_every_command_of_a_document_takes_the_options_that_stand_with_it(document: Path) -> None:
    """Who copies a line from a guide must not be told that there is no such option."""
    known, wrong = _options(typer.main.get_command(app)), []
    for line in re.findall(r"(?:`|^)hub ([a-z][^`\n#]*)", document.read_text("utf-8"), re.M):
        words = tuple(line.split())
        options = known.get(words[:2], known.get(words[:1]))
        if options is None:
            groups = {path[0] for path in known if len(path) > 1}
            wrong += [line] if len(words) < 2 or words[0] not in groups or "|" not in words[1] else []
            continue
        wrong += [f"{line}: {one}" for one in re.findall(r"--[a-z-]+", line) if one not in options]
    assert wrong == []


def test_the_runbook_has_an_entry_for_every_kind_of_alert_and_every_finding_of_the_doctor() -> None:
    """Nobody should meet one at night that nobody wrote about, and none is left of what no longer exists."""
    entries = re.findall(r"^### (\w+)$", (ROOT / "docs" / "runbook.md").read_text("utf-8"), re.M)
    assert sorted(entries) == sorted(kind.value for kind in (*AlertKind, *Kind))


@pytest.mark.parametrize("kind", AlertKind)
def test_the_runbook_calls_each_alert_as_the_page_does(kind: AlertKind) -> None:
    """Who reads the Dutch page finds the entry."""
    assert f"### {kind}\n*{ALERT[kind][0]}.* " in (ROOT / "docs" / "runbook.md").read_text("utf-8")


def test_the_runbook_tells_every_metric_with_its_labels_and_every_line_of_the_log_that_asks_somebody_to_act() -> None:
    """Whoever looks at a graph or a log at night finds what it means."""
    told = (ROOT / "docs" / "runbook.md").read_text("utf-8")
    held = [one for one in vars(metrics).values() if isinstance(one, MetricWrapperBase)]
    named = {f"{one._name}{'_total' if isinstance(one, Counter) else ''}": one._labelnames for one in held}
    assert dict(re.findall(r"^\| `(hub_\w+)\{([\w,]+)\}`", told, re.M)) == {k: ",".join(v) for k, v in named.items()}
    grave = {one.name for one in vars(log).values() if isinstance(one, log.LogEvent) and one.level >= logging.ERROR}
    rows = told.split("| event | what to do |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in rows.splitlines() if "`" in row))) == grave


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_into_a_page_leads_to_a_heading_of_it(document: Path) -> None:
    """Of its own page or of another."""
    missing = []
    for page, anchor in re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", document.read_text("utf-8")):
        target = (document.parent / page) if page else document
        headings = re.findall(r"^#+ (.+)$", target.read_text("utf-8"), re.M)
        anchors = {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}
        missing += [] if anchor in anchors else [f"{page}#{anchor}"]
    assert missing == []


@pytest.mark.parametrize("record", sorted((ROOT / "docs" / "adr").glob("*.md")), ids=lambda path: path.stem)
def test_every_decision_says_what_was_weighed_and_when_to_reconsider(record: Path) -> None:
    """One page, and the README knows of it."""
    text = record.read_text("utf-8")
    parts = ["The question", "The decision", "What follows", "What else was weighed", "When to reconsider"]
    assert re.findall(r"^## (.+)$", text, re.M) == parts
    assert len(text.splitlines()) <= 60 and f"docs/adr/{record.name}" in README


def test_every_dependency_has_a_reason_beside_it() -> None:
    """A line without one is a question."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    project = tomllib.loads(text)["project"]
    wanted = [*project["dependencies"], *(one for extra in project["optional-dependencies"].values() for one in extra)]
    reasons = dict(re.findall(r'^  "([^"]+)",\s+# (\S.+)$', text, re.M))
    assert [one for one in wanted if one not in reasons] == []


def test_nothing_names_a_place_on_somebodys_machine_or_an_installers_source() -> None:
    """A clone works anywhere; where packages come from is the installer's own setting."""
    foreign = re.compile(r"/(?:root|work|Users|home/\w+)/|index-url\s*=|find-links|--(?:extra-)?index-url[ =]h")
    mine = Path(__file__)
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in files()
        if path != mine and path.suffix not in (".csv", ".lock", ".png")
        for match in foreign.finditer(path.read_text("utf-8", errors="replace"))
    ]
    assert found == []


GUIDES = [path for path in DOCUMENTS if path.name.startswith(("for-", "connect-"))]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_every_message_and_topic_that_a_guide_names_exists(guide: Path) -> None:
    """A vendor, an insurer or a coordinator looks these names up, and must find them."""
    known = {kind.__name__ for module in (events, facts) for kind in vars(module).values() if isinstance(kind, type)}
    text = guide.read_text("utf-8")
    assert set(re.findall(r"`([A-Z][a-z]+(?:[A-Z][a-z]+)+)`", text)) <= known
    kinds = {topic.split(".")[1] for topic in re.findall(r"`(out\.[a-z-]+)`", README_TOPICS)}
    assert {kind.split(".")[1] for kind in re.findall(r"`(out\.[a-z-]+)`", text)} <= kinds


def test_the_map_of_the_domain_names_every_module_once_and_no_other() -> None:
    """Whoever has a question about a rule finds its module there."""
    named = re.findall(r"^    `(\w+)` +\S", domain.__doc__ or "", re.M)
    modules = {path.stem for path in (ROOT / "hub" / "domain").glob("*.py")} - {"__init__"}
    assert sorted(named) == sorted(modules)
