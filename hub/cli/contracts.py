"""What is promised: schemas and their ids, region plans, and the documents rendered from the catalogue."""

from pathlib import Path
from typing import Annotated, Final

import typer

from hub.cli.output import Json, say, text_of
from hub.errors import UsageError

PANEL: Final = "What is promised: schemas, plans, documents"
app = typer.Typer()
schemas_app = typer.Typer(no_args_is_help=True, help="The Avro schemas and their ids.")
app.add_typer(schemas_app, name="schemas", rich_help_panel=PANEL)


@schemas_app.command("check", epilog="Example: hub schemas check")
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


@schemas_app.command("lock", epilog="Example: hub schemas lock")
def schemas_lock() -> None:
    """Give every new or changed schema an id. Rows of the lock never change."""
    from hub.contracts import schemas

    for row in schemas.lock():
        typer.echo(f"{row.id}: {row.subject} version {row.version}")


@schemas_app.command("push", epilog="Example: SCHEMA_REGISTRY_URL=http://127.0.0.1:8085 hub schemas push")
def schemas_push(as_json: Json = False) -> None:
    """Bring every schema to the registry at SCHEMA_REGISTRY_URL, under the ids of the lock; safe to repeat."""
    from hub.connectors.registry_push import push
    from hub.contracts import schemas
    from hub.settings import Settings

    url = Settings().schema_registry_url
    if url is None:
        raise UsageError("SCHEMA_REGISTRY_URL is not set; point it at the registry that is to be filled")
    held = schemas.registry()
    say({"schemas": len(held.rows), "pushed": push(held, url)}, as_json)


@app.command(epilog="Example: hub validate examples/region-plan.yaml", rich_help_panel=PANEL)
def validate(plan: Annotated[Path, typer.Argument(exists=True, help="A region plan as YAML.")]) -> None:
    """Say whether a region plan is sound, or each thing that is not."""
    from hub.contracts.plan_file import PlanFaulty, read_plan

    try:
        read = read_plan(text_of(plan))
    except PlanFaulty as problem:
        typer.echo(str(problem), err=True)
        raise SystemExit(1) from problem
    typer.echo(f"{plan}: plan {read.plan_id} version {read.version} of {read.region} is sound")


@app.command(epilog="Example: hub docs --check", rich_help_panel=PANEL)
def docs(
    check: Annotated[bool, typer.Option("--check", help="Only say what is not as the catalogue has it.")] = False,
) -> None:
    """Render AsyncAPI and the tables of topics and types into docs/ and README.md."""
    from hub.contracts.render import render_all, stale

    root = Path(__file__).resolve().parents[2]
    if not check:
        render_all(root)
    for path in (late := stale(root)):
        typer.echo(f"{path} is not as the catalogue has it; run `hub docs`", err=True)
    raise SystemExit(1 if late else 0)
