"""What a process would be told by its environment, for people: each variable with its value, secrets masked."""

import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic import AliasChoices, BaseModel, SecretStr, ValidationError
from pydantic_settings import BaseSettings

_PREFIXES: Final = {"Settings": "HUB_", "ConsoleSettings": "HUB_CONSOLE_"}
MASK: Final = "***"
_PASSWORD: Final = re.compile(r"(?<=:)[^:@/]+(?=@)")
"""The password of a URL. Host and user help whoever looks for a mistake, and are no secret."""


def shown(settings: BaseSettings) -> dict[str, Any]:
    """Variable → value as JSON knows it. A secret URL shows where it leads; any other secret shows that it is set."""
    return dict(_rows(settings, settings.model_config.get("env_prefix", "")))


def faults(problem: ValidationError) -> list[str]:
    """What is wrong with an environment, variable by variable; of a value only what is no secret."""
    prefix = _PREFIXES.get(problem.title, "")
    lines = []
    for fault in problem.errors(include_url=False):
        path = [str(step) for step in fault["loc"]]
        name = "__".join(path)
        variable = name if name.isupper() else f"{prefix}{name}".upper()
        found = "" if any(word in name.lower() for word in ("url", "key")) else f", found {str(fault['input'])[:60]!r}"
        lines.append(f"{variable}: {fault['msg'][0].lower()}{fault['msg'][1:]}{found}")
    return lines


def _rows(settings: BaseModel, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        alias = field.validation_alias
        variable = str(alias.choices[0]) if isinstance(alias, AliasChoices) else f"{prefix}{name}".upper()
        if isinstance(value, BaseModel):
            yield from _rows(value, f"{variable}__")
        elif isinstance(value, SecretStr):
            held = value.get_secret_value()
            yield variable, _PASSWORD.sub(MASK, held) if "://" in held else MASK
        else:
            yield variable, value if value is None or isinstance(value, bool | int | float | dict) else _text(value)


def _text(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return _PASSWORD.sub(MASK, str(value)) if "://" in str(value) else str(value)
