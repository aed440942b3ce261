"""How a command answers: lines for people, one JSON object for programs."""

import json
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on the last line.")]


def say(result: dict[str, Any], as_json: bool) -> None:
    """One line for each figure, or all as JSON."""
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    else:
        for key, value in result.items():
            typer.echo(
                f"{key}: {json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | tuple) else value}"
            )
