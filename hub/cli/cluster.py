"""A cluster of one's own: topics and access, workers, generations, and how it is doing."""

from pathlib import Path
from typing import Annotated, Final

import typer

from hub.cli.output import Json, passwords_of, say

PANEL: Final = "A running hub"
Credentials = Annotated[
    Path, typer.Option(exists=True, help="Passwords by principal (JSON), the administrator's among them.")
]
app = typer.Typer()
topics_app = typer.Typer(no_args_is_help=True, help="Topics, users and access rules of a cluster.")
generation_app = typer.Typer(no_args_is_help=True, help="Generations of the logs.")
config_app = typer.Typer(no_args_is_help=True, help="What this process would be told by its environment.")
app.add_typer(topics_app, name="topics", rich_help_panel=PANEL)
app.add_typer(config_app, name="config", rich_help_panel=PANEL)
app.add_typer(generation_app, name="generation", rich_help_panel=PANEL)


@topics_app.command("plan", epilog="Example: hub topics plan deploy/tables.json")
def topics_plan(
    tables: Annotated[Path, typer.Argument(exists=True, help="Reference tables (JSON).")], as_json: Json = False
) -> None:
    """Show the topics and access rules that a cluster with these tables must have."""
    from hub.contracts import catalogue
    from hub.contracts.tables import load

    reference = load(tables)
    topics = [{"topic": t.name, "partitions": t.partitions, **t.config} for t in catalogue.topics_for(reference)]
    say(
        {
            "topics": topics,
            "acls": sum(1 for _ in catalogue.acls_for(reference)),
            "principals": list(catalogue.principals(reference)),
        },
        as_json,
    )


@topics_app.command(
    "apply", epilog="Example: hub topics apply deploy/tables.json --credentials deploy/secrets/topics.json"
)
def topics_apply(
    tables: Annotated[Path, typer.Argument(exists=True, help="Reference tables (JSON).")],
    credentials: Credentials,
) -> None:
    """Make topics, users and access rules so; safe to repeat."""
    from hub.contracts.tables import load
    from hub.local.provision import apply
    from hub.settings import Settings

    settings = Settings()
    more = {"security.protocol": str(settings.security_protocol)}
    if settings.ca_file:
        more["ssl.ca.location"] = str(settings.ca_file)
    done = apply(settings.bootstrap_servers, passwords_of(credentials), load(tables), more)
    typer.echo(
        f"{done.topics} topics made, {done.users} users, {done.rules_added} rules added, {done.rules_removed} removed"
    )


@app.command(epilog="Example: hub run --role intake", rich_help_panel=PANEL)
def run(
    role: Annotated[
        list[str] | None, typer.Option(help="Role of this worker; may be repeated. All when left out.")
    ] = None,
) -> None:
    """Run workers against KAFKA_BOOTSTRAP_SERVERS. The role `console`, alone, serves the page and the registry."""
    if role == ["console"]:
        import asyncio

        from hub.console.server import serve
        from hub.console.settings import ConsoleSettings

        asyncio.run(serve(ConsoleSettings(), listening=lambda url: typer.echo(url)))
    else:
        from hub.settings import Settings
        from hub.streams.worker import ROLES, run

        run(tuple(role or ROLES), Settings())


@config_app.command("show", epilog="Example: HUB_HEALTH_PORT=8081 hub config show")
def config_show(as_json: Json = False) -> None:
    """Show every setting with its value, secrets masked: what a worker and the console would be told here."""
    from hub.console.settings import ConsoleSettings
    from hub.settings import Settings
    from hub.shown_settings import shown

    say({**shown(ConsoleSettings()), **shown(Settings())}, as_json)


@app.command(epilog="Example: hub doctor --credentials deploy/secrets/topics.json", rich_help_panel=PANEL)
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
    """Look at a running hub: what is wrong, and the one next step. Exit code 0: nothing is wrong."""
    from hub.doctor.report import report, stack_from_file, stack_from_settings

    found = stack_from_file(stack) if stack is not None else stack_from_settings(credentials)
    raise SystemExit(report(found, as_json, typer.echo))


@app.command(epilog="Example: HUB_CREDENTIALS_FILE=auditor.json hub dump DIR", rich_help_panel=PANEL)
def dump(folder: Annotated[Path, typer.Argument(help="Folder to write.")]) -> None:
    """Write every topic that the auditor may read, and the tables, to a folder."""
    import sys

    from rich.console import Console

    from hub.local.dump import dump_cluster
    from hub.local.progress import progress

    with progress(Console(stderr=True), not sys.stderr.isatty()) as tell:
        dump_cluster(folder, tell=lambda done, whole: tell("topics", done, whole))
    typer.echo(f"{folder} is written; `hub audit verify --dump {folder}` checks it")


@generation_app.command(
    "open", epilog="Example: hub generation open next-tables.json --credentials deploy/secrets/topics.json"
)
def generation_open(
    tables: Annotated[Path, typer.Argument(exists=True, help="Tables (JSON) of the next generation.")],
    credentials: Credentials,
    as_json: Json = False,
) -> None:
    """Close the generation in force, carry its state over, and open the next; run again if interrupted."""
    from dataclasses import asdict

    from hub.contracts.tables import load
    from hub.local.generation import open_generation
    from hub.settings import Settings

    words = passwords_of(credentials)
    tell = (lambda line: None) if as_json else typer.echo
    say(asdict(open_generation(Settings().bootstrap_servers, words, load(tables), say=tell)), as_json)
