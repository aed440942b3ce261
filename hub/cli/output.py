"""How a command answers, lines for people or one JSON object for programs, and reads what it is given."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from hub.errors import UsageError

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


def text_of(file: Path) -> str:
    """What a text file holds. UsageError: it is no UTF-8."""
    try:
        return file.read_text("utf-8")
    except UnicodeDecodeError as problem:
        raise UsageError(f"{file} is not UTF-8; save it as UTF-8 and try again") from problem


def passwords_of(file: Path) -> dict[str, str]:
    """Passwords by principal. UsageError: it holds no JSON object."""
    try:
        held = json.loads(file.read_text("utf-8"))
    except ValueError:
        held = None
    if not isinstance(held, dict):
        raise UsageError(f"{file} holds no JSON object, expected {{principal: password}}; give the file that has it")
    return held
