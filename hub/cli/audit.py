"""For auditors, and for whoever disputes an outcome: everything from a dump, nothing on trust."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from hub.cli.output import Json, say, text_of
from hub.errors import UsageError

PANEL: Final = "For auditors and disputes"
Dump = Annotated[Path, typer.Option(exists=True, file_okay=False, help="Folder that `hub dump` wrote.")]
app = typer.Typer()
audit_app = typer.Typer(no_args_is_help=True, help="Check the hub by refolding its log.")
statements_app = typer.Typer(no_args_is_help=True, help="Fair-share statements as documents.")
app.add_typer(audit_app, name="audit", rich_help_panel=PANEL)
app.add_typer(statements_app, name="statements", rich_help_panel=PANEL)


@audit_app.command("verify", epilog="Example: hub audit verify --dump DIR")
def audit_verify(
    dump: Dump,
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
        say(
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
    say({"oracle": oracle, **counts, "begins": verdict.begins, "differences": named}, as_json)
    raise SystemExit(0 if verdict.equal else 1)


@audit_app.command("statement", epilog="Example: hub audit statement DIR/topics/out.fair-share.pkg-01.jsonl")
def audit_statement(
    file: Annotated[
        Path,
        typer.Argument(
            exists=True, help='Topic out.fair-share (JSONL): of a dump, or a line {"value_base64": …} a record.'
        ),
    ],
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
    say({"verdict": told, "lines": [asdict(one) for one in verdicts]}, as_json)
    raise SystemExit(1 if faulty else 0)


@audit_app.command("allocation", epilog="Example: hub audit allocation PROPOSAL --dump DIR --region KSV-01")
def audit_allocation(
    proposal: Annotated[str, typer.Argument(help="Id of the proposal, as a statement names it.")],
    dump: Dump,
    region: Annotated[str, typer.Option(help="Region that made it.")],
    as_json: Json = False,
) -> None:
    """Replay a disputed allocation from the log: the same bytes, the same explanation, or where they differ."""
    from dataclasses import asdict

    from hub.audit.dispute import replay_allocation

    told = replay_allocation(dump, region, proposal)
    same = all(one.same_bytes for one in told)
    say({"verdict": "equal" if same else "differs", "statements": [asdict(one) for one in told]}, as_json)
    raise SystemExit(0 if same else 1)


@audit_app.command("explain", epilog="Example: hub audit explain 41000001 --dump DIR --region KSV-01 --month 2026-03")
def audit_explain(
    provider: Annotated[str, typer.Argument(help="AGB code.")],
    dump: Dump,
    region: Annotated[str, typer.Option(help="Region of the statement.")],
    month: Annotated[str, typer.Option(help="Month of the statement (YYYY-MM).")],
    as_json: Json = False,
) -> None:
    """Open the figures of a provider's line into the events that they came from."""
    from dataclasses import asdict

    from hub.audit.dispute import open_figures

    figures = open_figures(dump, region, month, provider)
    say({figure: [asdict(one) for one in grounds] for figure, grounds in figures.items()}, as_json)


@statements_app.command("render", epilog="Example: hub statements render --dump DIR --out statements --lang en")
def statements_render(
    dump: Dump,
    out: Annotated[Path, typer.Option(help="Folder for the documents.")],
    lang: Annotated[str, typer.Option(help="nl or en.")] = "nl",
    key: Annotated[
        Path | None, typer.Option(exists=True, help="Private key: sign here, instead of signed-roots.")
    ] = None,
) -> None:
    """Write the fair-share statements as HTML and CSV, a pair for each reader, region and month."""
    from hub.audit.statement_documents import render_dump

    typer.echo(f"{len(render_dump(dump, out, lang, key))} files in {out}")


@statements_app.command("verify", epilog="Example: hub statements verify statements/PAGE.html --public-key HEX")
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
    say({"verdict": "differs" if found.faults else "signed", **asdict(found)}, as_json)
    raise SystemExit(1 if found.faults else 0)


@statements_app.command("key", epilog="Example: hub statements key signing-key.pem")
def statements_key(file: Annotated[Path, typer.Argument(help="Where the new private key goes.")]) -> None:
    """Make a key that signs statements, and print its public half."""
    from hub.contracts.signing import new_key

    typer.echo(new_key(file))


@app.command(
    epilog="Example: hub whatif --plan examples/region-plan.yaml --from 2026-03-02 --dump DIR", rich_help_panel=PANEL
)
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
        other = read_plan(text_of(plan))
    except PlanFaulty as problem:
        raise UsageError(f"{plan} is no sound plan:\n{problem}") from problem
    if dump is not None:
        say(what_if(dump, other, start.date()), as_json)
        return
    with tempfile.TemporaryDirectory(prefix="kraamzorg-whatif-") as folder:
        dump_cluster(Path(folder), only=(REGION_LOG,))
        say(what_if(Path(folder), other, start.date()), as_json)
