"""The command line. Each command asks one part of the hub to do its work; heavy imports wait until then.

Exit codes: 0 done, 1 something to mend (the message says what), 2 the command was called wrongly.
"""

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.errors import HubError, UsageError
from hub.repair import commands as repair

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help="The kraamzorg waitlist hub."
)
schemas_app = typer.Typer(no_args_is_help=True, help="The Avro schemas and their ids.")
topics_app = typer.Typer(no_args_is_help=True, help="Topics, users and access rules of a cluster.")
generation_app = typer.Typer(no_args_is_help=True, help="Generations of the logs.")
audit_app = typer.Typer(no_args_is_help=True, help="Check the hub by refolding its log.")
statements_app = typer.Typer(no_args_is_help=True, help="Fair-share statements as documents.")
edge_app = typer.Typer(no_args_is_help=True, help="What runs at the provider.")
prognosis_app = typer.Typer(no_args_is_help=True, help="Bo's prognosis of the needed inflow of carers.")
match_app = typer.Typer(no_args_is_help=True, help="Duplicate detection, measured.")
config_app = typer.Typer(no_args_is_help=True, help="What this process would be told by its environment.")
for group, name in (
    (schemas_app, "schemas"),
    (topics_app, "topics"),
    (generation_app, "generation"),
    (audit_app, "audit"),
    (statements_app, "statements"),
    (edge_app, "edge"),
    (match_app, "match"),
    (prognosis_app, "prognosis"),
    (config_app, "config"),
    (repair.dlq_app, "dlq"),
):
    app.add_typer(group, name=name)

app.command("send")(repair.send)
app.command("trace")(repair.trace)

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on the last line.")]


def _say(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    else:
        for key, value in result.items():
            typer.echo(f"{key}: {json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value}")


@app.command()
def demo(
    seed: Annotated[int, typer.Option(help="Seed of the simulated nation.")] = 7,
    clients: Annotated[int, typer.Option(min=50, help="How many clients to simulate.")] = 2000,
    speed: Annotated[float, typer.Option(help="Simulated days per second when the page is watched.")] = 4.0,
    until_idle: Annotated[bool, typer.Option("--until-idle", help="Stop when nothing is left to do.")] = False,
    dump: Annotated[Path | None, typer.Option(help="Write every topic to this folder.")] = None,
    as_json: Json = False,
) -> None:
    """Run everything on this machine: Kafka, Valkey, the hub, a simulated nation and the page."""
    from hub.local.demo import DemoOptions, run_demo

    raise SystemExit(
        run_demo(
            DemoOptions(seed=seed, clients=clients, speed=speed, until_idle=until_idle, dump=dump, as_json=as_json)
        )
    )


@app.command()
def simulate(
    seed: Annotated[int, typer.Option(help="Seed of the simulated nation.")] = 7,
    clients: Annotated[int, typer.Option(min=50, help="How many clients to simulate.")] = 2000,
    days: Annotated[int | None, typer.Option(min=10, help="Days after the load of history.")] = None,
    speed: Annotated[
        float | None, typer.Option(help="Simulated days per second; else as fast as the hub answers.")
    ] = None,
    tables: Annotated[Path | None, typer.Option(help="Only write the tables that the hub must have.")] = None,
    truth: Annotated[Path | None, typer.Option(help="Write what really happened to this file.")] = None,
    as_json: Json = False,
) -> None:
    """Let a simulated nation publish to the hub at KAFKA_BOOTSTRAP_SERVERS, each tenant as itself."""
    from hub.local.simulate import Simulation, write_tables
    from hub.local.simulate import simulate as run
    from hub.settings import Settings

    simulation = Simulation(seed, clients, days, speed, truth)
    if tables is not None:
        reference = write_tables(simulation, tables)
        _say({"tables": str(tables), "regions": len(reference.regions), "tenants": len(reference.tenants)}, as_json)
    else:
        _say(run(simulation, Settings()), as_json)


@app.command()
def run(
    role: Annotated[
        list[str] | None, typer.Option(help="Role of this worker; may be repeated. All when left out.")
    ] = None,
) -> None:
    """Run workers against KAFKA_BOOTSTRAP_SERVERS. The role `console` serves the page and the schema registry."""
    if role == ["console"]:
        import asyncio

        from hub.console.server import serve
        from hub.console.settings import ConsoleSettings

        asyncio.run(serve(ConsoleSettings(), listening=lambda url: typer.echo(url)))
    else:
        from hub.settings import Settings
        from hub.streams.worker import ROLES, run

        run(tuple(role or ROLES), Settings())


@schemas_app.command("check")
def schemas_check() -> None:
    """Check that every schema has its id, its docs and a compatible past."""
    from hub.contracts import schemas

    faults = [fault for schema in schemas.written().values() for fault in schemas.lint(schema)]
    known = {row.sha256 for row in schemas.registry().rows}
    faults += [
        f"{name}: not in the lock; run `hub schemas lock`"
        for name, s in schemas.written().items()
        if schemas.digest(s) not in known
    ]
    for fault in faults:
        typer.echo(fault)
    raise SystemExit(1 if faults else 0)


@schemas_app.command("lock")
def schemas_lock() -> None:
    """Give every new or changed schema an id. Rows of the lock never change."""
    from hub.contracts import schemas

    for row in schemas.lock():
        typer.echo(f"{row.id}: {row.subject} version {row.version}")


@schemas_app.command("push")
def schemas_push(as_json: Json = False) -> None:
    """Bring every schema to the registry at SCHEMA_REGISTRY_URL, under the ids of the lock; safe to repeat."""
    from hub.connectors.registry_push import push
    from hub.contracts import schemas
    from hub.errors import UsageError
    from hub.settings import Settings

    url = Settings().schema_registry_url
    if url is None:
        raise UsageError("SCHEMA_REGISTRY_URL is not set; point it at the registry that is to be filled")
    held = schemas.registry()
    _say({"schemas": len(held.rows), "pushed": push(held, url)}, as_json)


@config_app.command("show")
def config_show(as_json: Json = False) -> None:
    """Show every setting with its value, secrets masked: what a worker and the console would be told here."""
    from hub.console.settings import ConsoleSettings
    from hub.settings import Settings
    from hub.shown_settings import shown

    _say({**shown(ConsoleSettings()), **shown(Settings())}, as_json)


@topics_app.command("plan")
def topics_plan(
    tables: Annotated[Path, typer.Argument(exists=True, help="Reference tables (JSON).")], as_json: Json = False
) -> None:
    """Show the topics and access rules that a cluster with these tables must have."""
    from hub.contracts import catalogue
    from hub.contracts.tables import load

    reference = load(tables)
    topics = [{"topic": t.name, "partitions": t.partitions, **t.config} for t in catalogue.topics_for(reference)]
    _say(
        {
            "topics": topics,
            "acls": sum(1 for _ in catalogue.acls_for(reference)),
            "principals": list(catalogue.principals(reference)),
        },
        as_json,
    )


@topics_app.command("apply")
def topics_apply(
    tables: Annotated[Path, typer.Argument(exists=True, help="Reference tables (JSON).")],
    credentials: Annotated[
        Path, typer.Option(exists=True, help="Passwords by principal (JSON), the administrator's among them.")
    ],
) -> None:
    """Make topics, users and access rules so; safe to repeat."""
    from hub.contracts.tables import load
    from hub.local.provision import apply
    from hub.settings import Settings

    settings = Settings()
    more = {"security.protocol": str(settings.security_protocol)}
    if settings.ca_file:
        more["ssl.ca.location"] = str(settings.ca_file)
    try:
        passwords = json.loads(credentials.read_text("utf-8"))
    except ValueError as problem:
        raise UsageError(f"{credentials} holds no JSON; expected an object {{principal: password}}") from problem
    done = apply(settings.bootstrap_servers, passwords, load(tables), more)
    typer.echo(
        f"{done.topics} topics made, {done.users} users, {done.rules_added} rules added, {done.rules_removed} removed"
    )


@generation_app.command("open")
def generation_open(
    tables: Annotated[Path, typer.Argument(exists=True, help="Tables (JSON) of the next generation.")],
    credentials: Annotated[
        Path, typer.Option(exists=True, help="Passwords by principal (JSON), the administrator's among them.")
    ],
    as_json: Json = False,
) -> None:
    """Close the generation in force, carry its state over, and open the next; run again if interrupted."""
    from dataclasses import asdict

    from hub.contracts.tables import load
    from hub.local.generation import open_generation
    from hub.settings import Settings

    words = json.loads(credentials.read_text("utf-8"))
    say = (lambda line: None) if as_json else typer.echo
    _say(asdict(open_generation(Settings().bootstrap_servers, words, load(tables), say=say)), as_json)


@app.command()
def dump(folder: Path) -> None:
    """Write every topic that the auditor may read, and the tables, to a folder."""
    import sys

    from rich.console import Console

    from hub.local.dump import dump_cluster
    from hub.local.progress import progress

    with progress(Console(stderr=True), not sys.stderr.isatty()) as tell:
        dump_cluster(folder, tell=lambda done, whole: tell("topics", done, whole))


@app.command()
def doctor(
    credentials: Annotated[
        Path | None,
        typer.Option(exists=True, help="Passwords (JSON); HUB_CREDENTIALS_FILE when left out."),
    ] = None,
    stack: Annotated[
        Path | None, typer.Option(exists=True, help="File that a running `hub demo` names: looks at that hub.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Look at a running hub: what is wrong, and the one next step. Exit code 0: nothing."""
    from hub.doctor.report import report, stack_from_file, stack_from_settings

    found = stack_from_file(stack) if stack is not None else stack_from_settings(credentials)
    raise SystemExit(report(found, as_json, typer.echo))


@audit_app.command("verify")
def audit_verify(
    dump: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder that `hub dump` wrote.")],
    region: Annotated[str | None, typer.Option(help="Only the fair-share statements of this region.")] = None,
    month: Annotated[str | None, typer.Option(help="Only those of this month (YYYY-MM); with --region.")] = None,
    as_json: Json = False,
) -> None:
    """Refold the logs and compare every fact and snapshot hash; or the statements of one region and month."""
    import sys
    from dataclasses import asdict

    from rich.console import Console

    from hub.audit.verify import verify_dump
    from hub.local.progress import progress

    if (region is None) != (month is None):
        raise UsageError("found one of --region and --month, expected both or neither")
    if region is not None and month is not None:
        from hub.audit.share_audit import verify_region

        of_region = verify_region(dump, region, month)
        told = "equal" if of_region.equal else "differs"
        differences = [asdict(one) for one in of_region.differences]
        _say(
            {"verdict": told, "statements": of_region.statements, "root": of_region.root, "differences": differences},
            as_json,
        )
        raise SystemExit(0 if of_region.equal else 1)
    with progress(Console(stderr=True), as_json or not sys.stderr.isatty()) as tell:
        verdict = verify_dump(dump, lambda done, whole: tell("partitions refolded", done, whole))
    oracle = "equal"
    if not verdict.equal:
        first = verdict.differences[0]
        oracle = f"{first.topic} {first.position}: found {first.found}, expected {first.expected}"
    counts = {name: getattr(verdict, name) for name in ("records", "facts", "repeats", "snapshots")}
    named = [asdict(difference) for difference in verdict.differences]
    _say({"oracle": oracle, **counts, "begins": verdict.begins, "differences": named}, as_json)
    raise SystemExit(0 if verdict.equal else 1)


@audit_app.command("statement")
def audit_statement(
    file: Annotated[Path, typer.Argument(exists=True, help="Dumped out.fair-share topic (JSONL).")],
    roots: Annotated[Path | None, typer.Option(exists=True, help="Dumped region-shares topic (JSONL).")] = None,
    own: Annotated[Path | None, typer.Option(exists=True, help="Your own figures: {AGB: {figure: minutes}}.")] = None,
    as_json: Json = False,
) -> None:
    """Compute each line of a statement again, and see that it stands under the root that everybody was given."""
    from dataclasses import asdict

    from hub.audit.share_audit import check_file

    verdicts = check_file(file, roots, own)
    faulty = [one for one in verdicts if one.disagreements]
    told = "differs" if faulty else "equal"
    _say({"verdict": told, "lines": [asdict(one) for one in verdicts]}, as_json)
    raise SystemExit(1 if faulty else 0)


@audit_app.command("allocation")
def audit_allocation(
    proposal: Annotated[str, typer.Argument(help="Id of the proposal, as a statement names it.")],
    dump: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder that `hub dump` wrote.")],
    region: Annotated[str, typer.Option(help="Region that made it.")],
    as_json: Json = False,
) -> None:
    """Replay a disputed allocation from the log: the same bytes, the same explanation, or where they differ."""
    from dataclasses import asdict

    from hub.audit.dispute import replay_allocation

    told = replay_allocation(dump, region, proposal)
    same = all(one.same_bytes for one in told)
    _say({"verdict": "equal" if same else "differs", "statements": [asdict(one) for one in told]}, as_json)
    raise SystemExit(0 if same else 1)


@audit_app.command("explain")
def audit_explain(
    provider: Annotated[str, typer.Argument(help="AGB code.")],
    dump: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder that `hub dump` wrote.")],
    region: Annotated[str, typer.Option(help="Region of the statement.")],
    month: Annotated[str, typer.Option(help="Month of the statement (YYYY-MM).")],
    as_json: Json = False,
) -> None:
    """Open the figures of a provider's line into the events that they came from."""
    from dataclasses import asdict

    from hub.audit.dispute import open_figures

    figures = open_figures(dump, region, month, provider)
    _say({figure: [asdict(one) for one in grounds] for figure, grounds in figures.items()}, as_json)


@statements_app.command("render")
def statements_render(
    dump: Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder that `hub dump` wrote.")],
    out: Annotated[Path, typer.Option(help="Folder for the documents.")],
    lang: Annotated[str, typer.Option(help="nl or en.")] = "nl",
    key: Annotated[
        Path | None, typer.Option(exists=True, help="Private key: sign here, instead of signed-roots.")
    ] = None,
) -> None:
    """Write the fair-share statements as HTML and CSV, a pair for each reader, region and month."""
    from hub.audit.statement_documents import render_dump

    typer.echo(f"{len(render_dump(dump, out, lang, key))} files in {out}")


@statements_app.command("verify")
def statements_verify(
    page: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="HTML page of `hub statements render`.")],
    public_key: Annotated[str, typer.Option(help="Public key (hex), told to you by another way than the page.")],
    signed_roots: Annotated[
        Path | None, typer.Option(exists=True, help="Dumped signed-roots topic (JSONL), instead of the page's own.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Check that a page shows what its records say, that they lead to one root, and that the root is signed."""
    from dataclasses import asdict

    from hub.audit.statement_documents import check_document

    found = check_document(page, public_key, signed_roots)
    _say({"verdict": "differs" if found.faults else "signed", **asdict(found)}, as_json)
    raise SystemExit(1 if found.faults else 0)


@statements_app.command("key")
def statements_key(file: Annotated[Path, typer.Argument(help="Where the new private key goes.")]) -> None:
    """Make a key that signs statements, and print its public half."""
    from hub.contracts.signing import new_key

    typer.echo(new_key(file))


@edge_app.command("encode")
def edge_encode(
    file: Annotated[Path, typer.Argument(exists=True, help="CSV with a person on each line.")],
    key_file: Annotated[Path, typer.Option(exists=True, help="Key of the epoch.")],
    out: Annotated[Path, typer.Option(help="Where the encodings go.")],
) -> None:
    """Encode persons so that they can be compared without being known."""
    from hub.edge.files import encode_file

    typer.echo(f"{encode_file(file, key_file, out)} encoded")


@match_app.command("evaluate")
def match_evaluate(
    file: Annotated[
        Path, typer.Argument(exists=True, help="CSV: record_id, optional entity_id, source, person fields.")
    ],
    pairs: Annotated[Path | None, typer.Option(help="Write the predicted pairs to this CSV.")] = None,
    as_json: Json = False,
) -> None:
    """Measure duplicate detection on a person data set, through the edge and the match fold."""
    from hub.match_evaluation.evaluate import evaluate_file

    _say(evaluate_file(file, pairs), as_json)


@match_app.command("train")
def match_train(
    dump: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder that `hub dump` wrote.")],
    name: Annotated[str, typer.Option(help="Name of the new model, never used before.")],
    tenant: Annotated[str, typer.Option(help="The operator's tenant, whose password HUB_CREDENTIALS_FILE holds.")] = "",
    as_json: Json = False,
) -> None:
    """Learn a match model from what the fold has counted; with --tenant, publish it so that the hub adopts it."""
    from dataclasses import asdict

    from hub.connectors.inbox import send_to_inbox
    from hub.domain.identifiers import TenantId
    from hub.match_evaluation.train_dump import train_from_dump
    from hub.settings import Settings

    event, compared = train_from_dump(dump, name)
    sent = send_to_inbox(TenantId(tenant), [event], Settings()) if tenant else 0
    _say({"model": name, "pairs_compared": compared, "sent": sent, "event": asdict(event)}, as_json)


@app.command()
def docs(
    check: Annotated[bool, typer.Option("--check", help="Only say what is not as the catalogue has it.")] = False,
) -> None:
    """Render AsyncAPI and the tables of topics and types into docs/ and README.md."""
    from hub.contracts.render import render_all, stale

    root = Path(__file__).resolve().parents[1]
    if not check:
        render_all(root)
    for path in (late := stale(root)):
        typer.echo(f"{path} is not as the catalogue has it; run `hub docs`", err=True)
    raise SystemExit(1 if late else 0)


@app.command()
def bench(
    group: Annotated[list[str] | None, typer.Option(help="Only this group; may be repeated.")] = None,
    as_json: Json = False,
) -> None:
    """Measure rates and latencies, each beside its yardstick in the same run, on the embedded stack.

    Groups: spine (about 5 minutes), match (3), allocation (4), alerts (2). Each is printed when it ends; every row says
    its goal and whether it was met, and the exit code is 1 where one was not. Only the ratios carry over to another
    machine, and only from one that has nothing else to do.
    """
    from hub.bench.report import run_bench

    raise SystemExit(run_bench(tuple(group or ()), as_json))


@app.command()
def validate(plan: Annotated[Path, typer.Argument(exists=True, help="A region plan as YAML.")]) -> None:
    """Say whether a region plan is sound, or each thing that is not."""
    from hub.contracts.plan_file import PlanFaulty, read_plan

    try:
        read = read_plan(plan.read_text("utf-8"))
    except PlanFaulty as problem:
        typer.echo(str(problem), err=True)
        raise SystemExit(1) from problem
    typer.echo(f"{plan}: plan {read.plan_id} version {read.version} of {read.region} is sound")


@app.command()
def whatif(
    plan: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The other region plan, as YAML.")],
    start: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="From which day it would have held.")],
    dump: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="Folder of `hub dump`; else the cluster is read.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Fold history again under another plan and show what would have been different. Nothing live is touched."""
    import tempfile

    from hub.audit.whatif import what_if
    from hub.contracts.catalogue import REGION_LOG
    from hub.contracts.plan_file import PlanFaulty, read_plan
    from hub.local.dump import dump_cluster

    try:
        other = read_plan(plan.read_text("utf-8"))
    except PlanFaulty as problem:
        raise UsageError(f"{plan} is no sound plan:\n{problem}") from problem
    if dump is not None:
        _say(what_if(dump, other, start.date()), as_json)
        return
    with tempfile.TemporaryDirectory(prefix="kraamzorg-whatif-") as folder:
        dump_cluster(Path(folder), only=(REGION_LOG,))
        _say(what_if(Path(folder), other, start.date()), as_json)


@prognosis_app.command("import")
def prognosis_import(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV of Bo's prognosis (rule 20).")],
    tenant: Annotated[str, typer.Option(help="Bo's own tenant, whose password HUB_CREDENTIALS_FILE holds.")] = "bo",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be sent.")] = False,
    as_json: Json = False,
) -> None:
    """Publish Bo's prognosis from a file: all of it, or nothing and what is wrong in each line."""
    from hub.connectors.inbox import send_to_inbox
    from hub.connectors.prognosis import LINES_SHOWN_MAX, read_prognosis
    from hub.domain.identifiers import TenantId
    from hub.settings import Settings

    try:
        events, faults = read_prognosis(file.read_text("utf-8"))
    except UnicodeDecodeError as problem:
        raise UsageError(f"{file} is not UTF-8; save it as UTF-8 and import it again") from problem
    for fault in faults[:LINES_SHOWN_MAX]:
        typer.echo(str(fault), err=True)
    sent = 0 if dry_run or faults else send_to_inbox(TenantId(tenant), events, Settings())
    _say({"lines": len(events) + len(faults), "sound": len(events), "faulty": len(faults), "sent": sent}, as_json)
    raise SystemExit(1 if faults else 0)


@app.command("allocate")
def allocate(
    scenario: Annotated[Path, typer.Argument(exists=True, help="SCENARIO.json")], as_json: Json = False
) -> None:
    """Divide the clients of a scenario with the same code as the hub."""
    from hub.local.scenario import allocate_file

    _say(allocate_file(scenario), as_json)


@app.command("waitlist")
def waitlist(
    url: Annotated[str, typer.Option(help="Address of the tool; https, or http on loopback.")],
    tenant: Annotated[str, typer.Option(help="The tool's tenant; its password stands in HUB_CREDENTIALS_FILE.")],
    token_file: Annotated[Path, typer.Option(exists=True, help="Token with which the tool is asked.")],
    coordinator: Annotated[
        str | None, typer.Option(help="Tenant of the KSV, where coordinators answer proposals in the tool.")
    ] = None,
    again: Annotated[bool, typer.Option("--again", help="First tell once more what the tool refused.")] = False,
) -> None:
    """Connect a region's waitlist tool: its clients and answers in, allocations and client statuses out."""
    import asyncio

    from hub.streams.waitlist import connect

    asyncio.run(connect(url, tenant, token_file.read_text("utf-8").strip(), coordinator, again=again))


@app.command()
def backtest(
    seeds: Annotated[str, typer.Option(help="Seeds of simulated regions, as N,N,…")] = "101",
    as_json: Json = False,
) -> None:
    """Hold the forecast of shortages against what happens in regions that it was not tuned on."""
    from hub.backtest.score import backtest as run
    from hub.backtest.score import parse_seeds

    _say(run(parse_seeds(seeds)), as_json)


def main() -> None:
    """Entry point of `hub`."""
    try:
        app()
    except HubError as problem:
        typer.echo(f"hub: {problem}", err=True)
        raise SystemExit(problem.exit_code) from problem
    except ValueError as problem:
        if (told := _told_of_settings(problem)) is None:
            raise
        typer.echo(f"hub: the environment cannot be used:\n{told}\nSee `hub config show` for every setting.", err=True)
        raise SystemExit(2) from problem


def _told_of_settings(problem: ValueError) -> str | None:
    """What is wrong with the environment, or None when that is not what this is about."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from hub.shown_settings import faults

    if isinstance(problem, ValidationError) and problem.title.endswith("Settings"):
        return "\n".join(faults(problem))
    return f"{problem}; expected JSON" if isinstance(problem, SettingsError) else None


if __name__ == "__main__":
    main()
