"""The whole hub with a simulated nation, on this machine or against a hub on trial."""

from pathlib import Path
from typing import Annotated, Final

import typer

from hub.cli.output import Json, say

PANEL: Final = "On this machine"
app = typer.Typer()


@app.command(epilog="Example: hub demo --until-idle --seed 3 --clients 500", rich_help_panel=PANEL)
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


@app.command(epilog="Example: hub simulate --clients 200 --days 30 --truth truth.jsonl", rich_help_panel=PANEL)
def simulate(
    seed: Annotated[int, typer.Option(help="Seed of the simulated nation.")] = 7,
    clients: Annotated[int, typer.Option(min=50, help="How many clients to simulate.")] = 2000,
    days: Annotated[int | None, typer.Option(min=11, max=120, help="Days after the load of history.")] = None,
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
        say({"tables": str(tables), "regions": len(reference.regions), "tenants": len(reference.tenants)}, as_json)
    else:
        say(run(simulation, Settings()), as_json)
