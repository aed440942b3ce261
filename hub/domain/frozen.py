"""Frozen dataclasses at the price of open ones.

A frozen dataclass sets each field through `object.__setattr__`, which makes its constructor the largest single cost of
a small rule. Here the fields are set while the object is of a twin class with the same slots and no freeze; then it
takes its own class. Nobody ever sees it open.
"""

from dataclasses import MISSING, Field, fields
from typing import Any

_become = object.__dict__["__class__"].__set__


def unfrozen(kind: type[Any]) -> type[Any]:
    """The twin of a frozen dataclass with slots: its instances may be given the class of `kind` once they are whole."""
    slots: tuple[str, ...] = vars(kind)["__slots__"]
    return type(kind.__name__, kind.__bases__, {"__slots__": slots, "__module__": kind.__module__})


def quick(kind: type[Any]) -> None:
    """Give a frozen dataclass with slots the same constructor at half its cost."""
    held = fields(kind)
    # No field can be called as these are: an underscore in front marks what is no field.
    names: dict[str, Any] = {"_become": _become, "_open": unfrozen(kind), "_frozen": kind}
    names |= {f"_default_{field.name}": field.default for field in held if field.default is not MISSING}
    positional = [_parameter(field) for field in held if not field.kw_only]
    by_name = [_parameter(field) for field in held if field.kw_only]
    parameters = ", ".join(["self", *positional, *(["*", *by_name] if by_name else [])])
    lines = [
        "_become(self, _open)",
        *(f"self.{field.name} = {field.name}" for field in held),
        "self.__class__ = _frozen",
    ]
    exec(f"def __init__({parameters}):\n    " + "\n    ".join(lines), names)  # noqa: S102  # made from names of fields
    type.__setattr__(kind, "__init__", names["__init__"])


def _parameter(field: Field[Any]) -> str:
    assert field.default_factory is MISSING, f"{field.name}: a default that is made anew is not covered"
    return field.name if field.default is MISSING else f"{field.name}=_default_{field.name}"
