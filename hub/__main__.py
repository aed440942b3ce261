"""The command line; hub/cli holds its commands by subject.

Exit codes: 0 done, 1 something to mend (the message says what), 2 the command was called wrongly. A worker that stops
for its supervisor to start it again ends with 4 (other tables are in force), a demo that is interrupted with 130.
"""

import typer

from hub.cli import audit, cluster, connect, contracts, local, measure, sender
from hub.edge.errors import EdgeError
from hub.errors import HubError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The kraamzorg waitlist hub.",
    epilog="Exit codes: 0 done, 1 something to mend, 2 called wrongly. `hub COMMAND --help` ends with an example.",
)
for subject in (local, cluster, sender, connect, audit, contracts, measure):
    app.add_typer(subject.app)


def main() -> None:
    """Entry point of `hub`."""
    try:
        app()
    except HubError as problem:
        typer.echo(f"hub: {problem}", err=True)
        raise SystemExit(problem.exit_code) from problem
    except EdgeError as problem:  # the edge stands alone and knows no exit codes
        typer.echo(f"hub: {problem}", err=True)
        raise SystemExit(2) from problem
    except ValueError as problem:
        if (told := _told_of_settings(problem)) is None:
            raise
        typer.echo(
            f"hub: the environment cannot be used:\n{told}\nMend it; `hub config show` then shows every setting.",
            err=True,
        )
        raise SystemExit(2) from problem
    except OSError as problem:
        if (told := _told_of_the_machine(problem)) is None:
            raise
        typer.echo(f"hub: {told}", err=True)
        raise SystemExit(2) from problem


def _told_of_the_machine(problem: OSError) -> str | None:
    """Which path or address of the caller's cannot be used, or None when it is about something else."""
    if problem.filename is not None:
        return f"cannot use {problem.filename}: {problem.strerror}. Give another path, or mend that one."
    if "bind on address" in str(problem.strerror):
        return f"cannot listen: {problem.strerror}. Set another HUB_HEALTH_PORT, or HUB_CONSOLE_PORT for the console."
    return None


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
