"""Rules and speed, measured without a running hub."""

from pathlib import Path
from typing import Annotated, Final

import typer

from hub.cli.output import Json, say
from hub.local.dutch_people import Tier

PANEL: Final = "Measured, without a hub"
app = typer.Typer()
match_app = typer.Typer(no_args_is_help=True, help="Duplicate detection: measured, and its model learned.")
app.add_typer(match_app, name="match", rich_help_panel=PANEL)


@match_app.command("evaluate", epilog="Example: hub match evaluate persons.csv --pairs pairs.csv")
def match_evaluate(
    file: Annotated[
        Path, typer.Argument(exists=True, help="CSV: record_id, optional entity_id, source, person fields.")
    ],
    pairs: Annotated[Path | None, typer.Option(help="Write the predicted pairs to this CSV.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Records that are handed over and timed together.")] = 1,
    as_json: Json = False,
) -> None:
    """Measure duplicate detection on a person data set, through the edge and the match fold."""
    from hub.match_evaluation.evaluate import evaluate_file

    say(evaluate_file(file, pairs, batch), as_json)


@match_app.command("generate", epilog="Example: hub match generate persons.csv --tier hard --records 50000 --seed 41")
def match_generate(
    file: Annotated[Path, typer.Argument(help="CSV to write.")],
    records: Annotated[int, typer.Option(min=1, max=1_000_000, help="Records, about.")] = 10_000,
    tier: Annotated[Tier, typer.Option(help="How many errors: std, or three times as many.")] = "std",
    seed: Annotated[int, typer.Option(help="The same seed gives the same persons.")] = 1,
    bsn: Annotated[bool, typer.Option(help="With or without the BSN column.")] = True,
) -> None:
    """Invent Dutch clients with the truth beside them, for `hub match evaluate`."""
    from hub.local.dutch_people import write_population

    write_population(file, records, tier, seed, bsn)


@match_app.command("train", epilog="Example: hub match train DIR --name autumn-2026")
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
    say({"model": name, "pairs_compared": compared, "sent": sent, "event": asdict(event)}, as_json)


@app.command(epilog="Example: hub allocate scenario.json", rich_help_panel=PANEL)
def allocate(
    scenario: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="Scenario (JSON).")],
    as_json: Json = False,
) -> None:
    """Divide the clients of a scenario with the same code as the hub.

    The scenario is JSON: region, month (YYYY-MM), providers and clients.
    A provider: agb, employed_hours, self_employed_hours, delivered_hours_12m,
    own_obligation_hours, carry_hours, postcodes, and perhaps contracts.
    A client: id, pc4, owed_hours, requested_at, and perhaps preferred, uzovi
    and due_on. Hours are numbers; codes and postcodes are strings.
    """
    from hub.local.scenario import allocate_file

    say(allocate_file(scenario), as_json)


@app.command(epilog="Example: hub backtest --seeds 4101,4102", rich_help_panel=PANEL)
def backtest(
    seeds: Annotated[str, typer.Option(help="Seeds of simulated regions, as N,N,…")] = "101",
    as_json: Json = False,
) -> None:
    """Hold the forecast of shortages against what happens in regions that it was not tuned on."""
    from hub.backtest.score import backtest as run
    from hub.backtest.score import parse_seeds

    say(run(parse_seeds(seeds)), as_json)


@app.command(epilog="Example: hub bench --group match", rich_help_panel=PANEL)
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
