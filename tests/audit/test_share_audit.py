"""Statements checked by others than the hub: the auditor from the log, the provider from its own line and the root."""

import base64
import json
import re
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.__main__ import app
from hub.audit.dispute import open_figures, replay_allocation
from hub.audit.share_audit import check_statement, verify_region
from hub.audit.statement_documents import as_html, check_document, render_dump
from hub.contracts import catalogue, codec, signing, tables
from hub.domain import events as e
from hub.domain import facts as f
from hub.domain.identifiers import Agb, RecordId, RegionCode, TenantId
from hub.domain.words import DeclaredColour, StatementAudience
from hub.errors import UsageError
from hub.streams.machine import FactRecord
from tests.domain.region_world import (
    ALFA,
    BETA,
    CLOCK,
    DAY_1,
    GAMMA,
    HERE,
    INS_1,
    KSV,
    LIST,
    OFFICE,
    REFERENCE,
    capacity,
    care,
    contract,
    day,
    mandate,
    registration,
    waiting,
)
from tests.whole.one_process import OneProcess

PROVIDERS = {Agb(f"4100000{n}"): tenant for n, tenant in enumerate((ALFA, ALFA, BETA, BETA, GAMMA, GAMMA), 1)}
MARCH = "2026-03"
HOURS = {provider: 300 + 37 * n for n, provider in enumerate(PROVIDERS)}


@cache
def a_region() -> OneProcess:
    """Six providers of three vendors, red, through two closes of a month: real intake, real machines, real rules."""
    hub = OneProcess(REFERENCE)

    def send(tenant: TenantId, *events: Any) -> None:
        for event in events:
            hub.send(tenant, codec.encode(event), b"k")

    for provider, tenant in PROVIDERS.items():
        send(OFFICE, mandate(provider, tenant))
        send(INS_1, contract(provider))
        send(tenant, capacity(provider, hours=HOURS[provider]))
    send(CLOCK, e.DayStarted(date=DAY_1))
    red = e.ColourDeclared(
        record_id=RecordId("k1"), version=1, region=HERE, colour=DeclaredColour.RED, valid_from=DAY_1
    )
    send(KSV, red)
    for n, (provider, tenant) in enumerate(PROVIDERS.items()):
        send(tenant, registration(f"r{provider}", provider=provider, due_date=DAY_1))
        given = care(
            f"c{provider}", provider=provider, registration_id=RecordId(f"r{provider}"), born_on=DAY_1,
            physical_minutes=1447 + 101 * n, employed_minutes=1447 + 101 * n,
        )  # fmt: skip
        send(tenant, given)
    for n in range(9):
        send(LIST, waiting(f"w{n}", due_date=day(20 + n), hospital_days=n % 3))
    today = DAY_1
    while today < date(2026, 5, 1):
        today += timedelta(days=1)
        if today == date(2026, 4, 2):
            for provider, tenant in PROVIDERS.items():
                send(tenant, capacity(provider, hours=HOURS[provider] + 11, version=2, declared_on=today))
        send(CLOCK, e.DayStarted(date=today))
    return hub


def facts_of(hub: OneProcess) -> list[FactRecord]:
    """All facts of the region fold, in order."""
    return [fact for (topic, _), facts in hub.facts.items() if topic == catalogue.REGION_LOG for fact in facts]


@dataclass
class Dump:
    """A dump on disk whose facts a test may bend before it is written."""

    folder: Path
    facts: list[tuple[dict[str, str], Any]]

    def write(self) -> Path:
        """Log, facts, and what each reader got."""
        hub, rows = a_region(), dict[str, list[dict[str, Any]]]()
        rows[catalogue.REGION_LOG] = [
            _row(r.offset, r.key, r.value, dict(r.headers)) for r in hub.log[catalogue.REGION_LOG, 0]
        ]
        for headers, fact in self.facts:
            value = codec.encode(fact)
            plain = {name: text.encode() for name, text in headers.items()}
            for topic in (catalogue.REGION_FACTS, headers.get("ce_hubdest", "")):
                if topic:
                    rows.setdefault(topic, []).append(_row(len(rows.get(topic, [])), HERE.encode(), value, plain))
        (self.folder / "topics").mkdir(exist_ok=True)
        for topic, lines in rows.items():
            text = "".join(json.dumps(line) + "\n" for line in lines)
            (self.folder / "topics" / f"{topic}.jsonl").write_text(text, "utf-8")
        (self.folder / "tables.json").write_bytes(tables.render(REFERENCE))
        return self.folder


def _row(offset: int, key: bytes, value: bytes, headers: dict[str, bytes]) -> dict[str, Any]:
    return {
        "partition": 0, "offset": offset, "timestamp": 1_767_225_600_000 + offset, "key": key.decode(),
        "headers": {name: text.decode() for name, text in headers.items()},
        "value_base64": base64.b64encode(value).decode(), "value": None,
    }  # fmt: skip


@pytest.fixture
def dump(tmp_path: Path) -> Dump:
    """What the hub left."""
    facts = [
        ({name: text.decode() for name, text in fact.headers}, codec.decode(fact.value))
        for fact in facts_of(a_region())
        if fact.region == HERE
    ]
    return Dump(tmp_path, facts)


def lines_for(tenant: TenantId, month: str = "2026-04") -> list[f.FairShareStated]:
    """What one tenant was told of a month."""
    found = (codec.decode(fact.value) for fact in facts_of(a_region()))
    wanted = (tenant, HERE, month)
    return [x for x in found if isinstance(x, f.FairShareStated) and (x.recipient, x.region, x.month) == wanted]


def test_the_auditor_refolds_a_region_and_finds_its_statements_equal(dump: Dump) -> None:
    """Each line to each reader, and the root to everybody."""
    verdict = verify_region(dump.write(), HERE, MARCH)
    assert verdict.differences == () and verdict.statements == 6 * 4 + 1
    assert verdict.root


def test_the_auditor_names_the_figure_that_is_not_what_the_log_gives(dump: Dump) -> None:
    """Where not, and what it should have been."""
    place, (headers, line) = next(
        (n, pair) for n, pair in enumerate(dump.facts) if isinstance(pair[1], f.FairShareStated)
    )
    dump.facts[place] = (headers, replace(line, accepted_minutes=line.accepted_minutes + 60))
    verdict = verify_region(dump.write(), HERE, MARCH)
    (difference,) = verdict.differences
    assert difference.position.endswith(f"{line.provider} accepted_minutes")
    assert (int(difference.found), int(difference.expected)) == (line.accepted_minutes + 60, line.accepted_minutes)


def test_a_statement_that_was_left_out_or_made_up_is_seen(dump: Dump) -> None:
    """Missing is a difference too."""
    place = next(n for n, (_, fact) in enumerate(dump.facts) if isinstance(fact, f.FairShareStated))
    del dump.facts[place]
    assert [one.found for one in verify_region(dump.write(), HERE, MARCH).differences] == ["no statement"]


@pytest.mark.parametrize(
    ("region", "month", "message"),
    [
        ("KSV-77", MARCH, "found region 'KSV-77', expected one of the tables: KSV-01, KSV-02"),
        (HERE, "March", "found month 'March', expected YYYY-MM"),
        (HERE, "2031-01", "found no statement of KSV-01 for 2031-01"),
    ],
)
def test_what_cannot_be_verified_says_why(dump: Dump, region: str, month: str, message: str) -> None:
    """Rather than that nothing differs."""
    with pytest.raises(UsageError, match=message):
        verify_region(dump.write(), region, month)


def test_a_provider_computes_its_own_line_again_from_the_published_totals() -> None:
    """w, U and T follow from its own figures and ΣQ, ΣV, λ and H; the root is the one that everybody got."""
    (stated,) = (
        x for x in map(codec.decode, (fact.value for fact in facts_of(a_region())))
        if isinstance(x, f.RegionSharesStated) and (x.region, x.month) == (HERE, "2026-04")
    )  # fmt: skip
    for tenant in (ALFA, BETA, GAMMA):
        lines = lines_for(tenant)
        assert len(lines) == 2
        for line in lines:
            verdict = check_statement(line, stated.statement_root)
            assert verdict.recomputed and verdict.root_published and verdict.disagreements == ()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"target_minutes": 1}, "target_minutes"),
        ({"weight": "1/7"}, "weight"),
        ({"spare_minutes": 3}, "spare_minutes"),
        ({"deployable_total_minutes": 999_999}, "totals"),
        ({"rank": 6}, "line"),
        ({"statement_root": "00" * 32}, "root"),
    ],
)
def test_a_line_that_was_bent_is_found_by_its_provider(change: dict[str, Any], complaint: str) -> None:
    """Whoever bent it: each figure stands under the root, and the root is known to everybody."""
    line = next(one for one in lines_for(ALFA) if one.rank != 6)
    verdict = check_statement(replace(line, **change), line.statement_root)
    assert complaint in {text.split(":")[0] for text in verdict.disagreements}


def test_a_provider_holds_its_own_figures_against_the_statement() -> None:
    """What the hub was told may not be what the provider knows."""
    line = lines_for(ALFA)[0]
    verdict = check_statement(line, own={"employed_minutes": line.employed_minutes + 600})
    assert verdict.disagreements[0].startswith("employed_minutes: the statement says")


def test_no_package_is_told_a_competitors_figure_or_client() -> None:
    """Every value of every fact that goes to a package, against all that the coordinator sees of the others."""
    secrets: dict[TenantId, set[int]] = {tenant: set() for tenant in (ALFA, BETA, GAMMA)}
    for month in (MARCH, "2026-04"):
        for line in lines_for(KSV, month):
            figures = (
                line.deployable_minutes, line.delivered_minutes_12m, line.own_obligation_minutes, line.spare_minutes,
                line.delivered_employed_minutes,
            )  # fmt: skip
            secrets[PROVIDERS[line.provider]] |= {figure for figure in figures if figure > 1_440}
    assert min(len(figures) for figures in secrets.values()) >= 6
    searched = 0
    for tenant in secrets:
        others = set[int]().union(*(secrets[other] for other in secrets if other != tenant)) - secrets[tenant]
        rivals = {provider for provider, held_by in PROVIDERS.items() if held_by != tenant}
        clients = {f"r{provider}" for provider in rivals}
        for fact in facts_of(a_region()):
            headers = {name: text.decode() for name, text in fact.headers}
            if not headers.get("ce_hubdest", "").endswith(f".{tenant}"):
                continue
            searched += 1
            said = list(_values(codec.decode(fact.value)))
            assert not others & {one for one in said if isinstance(one, int)}
            assert not {one for one in said if isinstance(one, str)} & {*rivals, *clients}
            assert not any(rival.encode() in fact.value for rival in rivals)
    assert searched > 50


def test_the_search_would_find_a_figure_that_slipped_through() -> None:
    """The coordinator's copy holds them all."""
    told = {value for line in lines_for(KSV) for value in _values(line) if isinstance(value, int)}
    assert {line.deployable_minutes for line in lines_for(KSV)} <= told


def _values(value: Any) -> Any:
    if is_dataclass(value):
        for part in fields(value):
            yield from _values(getattr(value, part.name))
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _values(part)
    else:
        yield value


@pytest.mark.parametrize("language", ["nl", "en"])
def test_statements_are_documents_for_people(dump: Dump, tmp_path: Path, language: str) -> None:
    """One pair of files for each reader and month, signed, with the reader's own lines only."""
    key = tmp_path / "key.pem"
    public = signing.new_key(key)
    written = render_dump(dump.write(), tmp_path / "out", language, key)
    assert len(written) == 2 * 2 * 6, "HTML and CSV, two months, three packages, two lead insurers and the coordinator"
    page = (tmp_path / "out" / f"{ALFA}.{HERE}.2026-04.{language}.html").read_text("utf-8")
    assert public in page and ("Gelijke inspanning" in page) == (language == "nl")
    table = (tmp_path / "out" / f"{ALFA}.{HERE}.2026-04.{language}.csv").read_text("utf-8").splitlines()
    assert len(table) == 3 and len({line.count(";") for line in table}) == 1
    assert all(provider not in page for provider, tenant in PROVIDERS.items() if tenant != ALFA)


def test_a_signature_covers_region_month_and_root(tmp_path: Path) -> None:
    """And a key that signed is never overwritten."""
    public = signing.new_key(tmp_path / "key.pem")
    stated = f.RegionSharesStated(region=HERE, month=MARCH, statement_root="ab" * 32, providers=4)
    key = signing.load_key(tmp_path / "key.pem")
    signed = signing.sign(stated, key)
    assert signed == signing.sign(stated, key), "a repeat has the same bytes"
    assert signed.public_key == public and signing.is_signed(signed, public)
    for bent in (
        replace(signed, month="2026-04"),
        replace(signed, region=RegionCode("KSV-02")),
        replace(signed, statement_root="cd" * 32),
        replace(signed, signature="no hex"),
    ):
        assert not signing.is_signed(bent, public)
    other = signing.new_key(tmp_path / "other.pem")
    assert not signing.is_signed(replace(signed, public_key=other), other), "the key that it names is not believed"
    with pytest.raises(UsageError, match="expected a new file"):
        signing.new_key(tmp_path / "key.pem")


def test_whoever_holds_a_page_checks_it_with_the_key_alone(dump: Dump, tmp_path: Path) -> None:
    """What is shown, the root that it leads to, and who signed that; a page that was touched is seen."""
    public = signing.new_key(tmp_path / "key.pem")
    out = tmp_path / "out"
    render_dump(dump.write(), out, "nl", tmp_path / "key.pem")
    page = out / f"{ALFA}.{HERE}.2026-04.nl.html"
    table, text = page.with_suffix(".csv"), page.read_text("utf-8")
    found = check_document(page, public)
    assert (found.faults, found.lines) == ((), 2)
    other = signing.new_key(tmp_path / "other.pem")
    assert check_document(page, other).faults == (f"signature: not by the key {other}",)
    hours = re.search(r"<td>(\d+:\d\d)</td>", text)
    assert hours is not None
    page.write_text(text.replace(hours[0], "<td>1:11</td>", 1), "utf-8")
    assert check_document(page, public).faults == ("page: it does not show what its records say",)
    page.write_text(text, "utf-8")
    table.write_text(table.read_text("utf-8").replace(hours[1], "1:11", 1), "utf-8")
    assert check_document(page, public).faults == (f"{table.name}: it does not show what the records of the page say",)
    table.unlink()
    mine = sorted(lines_for(ALFA), key=lambda line: line.provider)
    bent = [replace(mine[0], allocated_minutes=mine[0].allocated_minutes + 60), *mine[1:]]
    root = f.RegionSharesStated(region=HERE, month="2026-04", statement_root=mine[0].statement_root, providers=6)
    page.write_text(as_html(bent, "nl", signing.sign(root, signing.load_key(tmp_path / "key.pem"))), "utf-8")
    [fault] = check_document(page, public).faults
    assert fault == f"{bent[0].provider} line: it does not lead to the root that the statement names"
    page.write_text(as_html(mine, "nl"), "utf-8")
    assert check_document(page, public).faults == (f"signature: found none for {HERE} 2026-04",)
    page.write_text("<html>", "utf-8")
    with pytest.raises(UsageError, match=r"found no records .* expected an HTML page"):
        check_document(page, public)


def test_a_page_that_nobody_signed_is_held_against_what_everybody_reads(dump: Dump, tmp_path: Path) -> None:
    """The signatures on `signed-roots` need no trust in whoever renders; without them the command says no."""
    public = signing.new_key(tmp_path / "key.pem")
    folder = dump.write()
    render_dump(folder, tmp_path / "out", "en")
    page, run = tmp_path / "out" / f"{INS_1}.{HERE}.{MARCH}.en.html", CliRunner()
    command = ["statements", "verify", str(page), "--public-key", public, "--json"]
    unsigned = run.invoke(app, command)
    assert (unsigned.exit_code, json.loads(unsigned.stdout)["verdict"]) == (1, "differs")
    key = signing.load_key(tmp_path / "key.pem")
    signed = [signing.sign(one, key) for _, one in dump.facts if isinstance(one, f.RegionSharesStated)]
    roots = folder / "topics" / f"{catalogue.SIGNED_ROOTS}.jsonl"
    roots.write_text("".join(json.dumps(_row(n, b"k", codec.encode(x), {})) + "\n" for n, x in enumerate(signed)))
    checked = run.invoke(app, [*command, "--signed-roots", str(roots)])
    assert (checked.exit_code, json.loads(checked.stdout)["verdict"]) == (0, "signed")
    render_dump(folder, tmp_path / "out", "en")
    rendered_again = run.invoke(app, command)
    assert rendered_again.exit_code == 0, "the page now carries the signature of the topic"


def test_the_commands_answer_for_scripts(dump: Dump, tmp_path: Path) -> None:
    """`hub audit verify --region --month` and `hub audit statement`, with the exit codes of a check."""
    folder, run = dump.write(), CliRunner()
    told = run.invoke(app, ["audit", "verify", "--dump", str(folder), "--region", HERE, "--month", MARCH, "--json"])
    assert (told.exit_code, json.loads(told.stdout)["verdict"]) == (0, "equal")
    own_topic, roots = folder / "topics" / f"out.fair-share.{ALFA}.jsonl", folder / "topics" / "region-shares.jsonl"
    checked = run.invoke(app, ["audit", "statement", str(own_topic), "--roots", str(roots), "--json"])
    assert (checked.exit_code, json.loads(checked.stdout)["verdict"]) == (0, "equal")
    figures = tmp_path / "own.json"
    figures.write_text(json.dumps({"41000001": {"employed_minutes": 5}}))
    differs = run.invoke(app, ["audit", "statement", str(own_topic), "--own", str(figures), "--json"])
    assert (differs.exit_code, json.loads(differs.stdout)["verdict"]) == (1, "differs")


def test_every_reader_is_told_the_same_line_of_one_provider() -> None:
    """Only totals, proof and address differ by reader."""
    by_provider: dict[Agb, set[str]] = {}
    for tenant in (ALFA, BETA, GAMMA, INS_1, KSV):
        for line in lines_for(tenant):
            told = asdict(replace(line, recipient=KSV, audience=StatementAudience.COORDINATOR))
            by_provider.setdefault(line.provider, set()).add(
                json.dumps([told["target"], told["carry"], told["rank"], told["blind"]], default=str)
            )
    assert {len(told) for told in by_provider.values()} == {1}


def test_a_disputed_allocation_is_replayed_to_the_same_bytes_and_the_same_explanation(dump: Dump) -> None:
    """Who was asked, why, and why not each other one; a bent statement is seen."""
    headers, said = next(
        pair for pair in dump.facts if isinstance(pair[1], f.AllocationStated) and pair[1].recipient == KSV
    )
    told = replay_allocation(dump.write(), HERE, said.proposal_id)
    first = next(one for one in told if one.recipient == KSV)
    assert all(one.same_bytes for one in told)
    assert (first.provider, first.reason, first.why_not) == (
        said.provider, said.reason, tuple((one.provider, one.reason) for one in said.why_not),
    )  # fmt: skip
    assert len(first.why_not) == len(PROVIDERS) - 1
    place = dump.facts.index((headers, said))
    dump.facts[place] = (headers, replace(said, reason="lot" if said.reason != "lot" else "preferred"))
    bent = replay_allocation(dump.write(), HERE, said.proposal_id)
    assert [one.recipient for one in bent if not one.same_bytes] == [KSV]
    with pytest.raises(UsageError, match="found no proposal 'p1' in KSV-01"):
        replay_allocation(dump.folder, HERE, "p1")


def test_every_figure_opens_into_the_events_that_it_came_from(dump: Dump) -> None:
    """Sums are the sums of their events; a record that was replaced stands there once."""
    folder = dump.write()
    for line in lines_for(KSV, "2026-04"):
        figures = open_figures(folder, HERE, "2026-04", line.provider)
        assert sum(one.minutes or 0 for one in figures["delivered_12m"]) == line.delivered_minutes_12m
        assert sum(one.minutes or 0 for one in figures["allocated"]) == line.allocated_minutes
        assert [one.record_id for one in figures["own_obligation"]] == [f"r{line.provider}"]
        assert [(one.record_type, one.version) for one in figures["deployable"]] == [("CapacityDeclared", 2)]
        assert all(one.source.startswith("inbox.") for grounds in figures.values() for one in grounds)
    march = lines_for(KSV, MARCH)
    assert sum(one.count for line in march for one in line.declines) > 0, "nobody answered in time"
    for line in march:
        figures = open_figures(folder, HERE, MARCH, line.provider)
        assert sum(one.minutes or 0 for one in figures["delivered"]) == line.delivered_employed_minutes
        assert len(figures["not_taken"]) == sum(one.count for one in line.declines)


def test_a_later_generation_is_audited_like_the_first(dump: Dump) -> None:
    """Its topics have names of their own: statements, disputes, figures and traces are looked for there too."""
    folder = dump.write()
    for topic in (catalogue.REGION_LOG, catalogue.REGION_FACTS):
        (folder / "topics" / f"{topic}.jsonl").rename(folder / "topics" / f"{catalogue.of_generation(topic, 2)}.jsonl")
    (folder / "tables.json").write_bytes(tables.render(replace(REFERENCE, generation=2)))
    verdict = verify_region(folder, HERE, MARCH)
    assert verdict.differences == () and verdict.statements == 6 * 4 + 1
    said = next(fact for _, fact in dump.facts if isinstance(fact, f.AllocationStated))
    told = replay_allocation(folder, HERE, said.proposal_id)
    assert told and all(one.same_bytes for one in told)
    line = lines_for(KSV, MARCH)[0]
    assert open_figures(folder, HERE, MARCH, line.provider)["deployable"]
