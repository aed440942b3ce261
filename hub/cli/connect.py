"""Other systems: what runs at a provider, a waitlist tool, Bo's prognosis."""

from pathlib import Path
from typing import Annotated, Final

import typer

from hub.cli.output import Json, say, text_of

PANEL: Final = "Other systems"
app = typer.Typer()
edge_app = typer.Typer(no_args_is_help=True, help="What runs at the provider.")
prognosis_app = typer.Typer(no_args_is_help=True, help="Bo's prognosis of the needed inflow of carers.")
app.add_typer(edge_app, name="edge", rich_help_panel=PANEL)
app.add_typer(prognosis_app, name="prognosis", rich_help_panel=PANEL)


@edge_app.command("encode", epilog="Example: hub edge encode persons.csv --key-file epoch.json --out encodings.csv")
def edge_encode(
    file: Annotated[Path, typer.Argument(exists=True, help="CSV with a person on each line.")],
    key_file: Annotated[Path, typer.Option(exists=True, help='Key of the epoch: {"epochs": {"1": "64 hex digits"}}.')],
    out: Annotated[Path, typer.Option(help="Where the encodings go.")],
) -> None:
    """Encode persons so that they can be compared without being known."""
    from hub.edge.files import encode_file

    typer.echo(f"{encode_file(file, key_file, out)} encoded")


@app.command(
    epilog="Example: hub waitlist --url https://tool.example --tenant list-one --token-file token",
    rich_help_panel=PANEL,
)
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

    from hub.log import configure
    from hub.settings import Settings
    from hub.streams.waitlist import connect

    configure(settings := Settings())
    token = text_of(token_file).strip()
    asyncio.run(connect(settings, url, tenant, token, coordinator, again=again))


@prognosis_app.command("import", epilog="Example: hub prognosis import prognosis.csv --dry-run")
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

    events, faults = read_prognosis(text_of(file))
    for fault in faults[:LINES_SHOWN_MAX]:
        typer.echo(str(fault), err=True)
    sent = 0 if dry_run or faults else send_to_inbox(TenantId(tenant), events, Settings())
    say({"lines": len(events) + len(faults), "sound": len(events), "faulty": len(faults), "sent": sent}, as_json)
    raise SystemExit(1 if faults else 0)
