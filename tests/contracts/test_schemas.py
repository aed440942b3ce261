"""Schemas: hand-written, documented, locked, and equal to the dataclasses of the domain."""

import dataclasses
import json
import types
from datetime import date
from enum import StrEnum
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest

from hub.contracts import codec, schemas
from hub.errors import ContractError

WRITTEN = schemas.written()


@pytest.mark.parametrize("name", WRITTEN)
def test_every_type_and_field_is_documented_and_bounded(name: str) -> None:
    """No recursion, no items of zero bytes, no maps, a doc everywhere."""
    assert schemas.lint(WRITTEN[name]) == []


@pytest.mark.parametrize("name", WRITTEN)
def test_every_written_schema_has_an_id_in_the_lock(name: str) -> None:
    """What is on disk is the newest version that the lock knows."""
    newest = schemas.registry().by_subject[name][-1]
    assert newest.sha256 == schemas.digest(WRITTEN[name])


def test_ids_count_from_one_without_gaps() -> None:
    """An id is a promise: none is skipped, reused or removed."""
    assert [row.id for row in schemas.registry().rows] == list(range(1, len(schemas.registry().rows) + 1))


@pytest.mark.parametrize("name", sorted(codec.kinds()))
def test_a_dataclass_mirrors_its_schema_field_by_field(name: str) -> None:
    """Names, order, nullability and types agree, so neither side can drift."""
    assert shape_of_class(codec.kinds()[name]) == shape_of_schema(schemas.registry().latest[name].schema)


@pytest.mark.parametrize(
    ("fault", "change"),
    [
        ("a required field is added", lambda s: s["fields"].append({"name": "extra", "type": "int", "doc": "x"})),
        ("a field changes its type", lambda s: s["fields"][1].update(type="string")),
        ("a date becomes a plain int", lambda s: _field(s, "due_date").update(type="int")),
        ("a symbol of an enum goes", lambda s: _field(s, "protocol")["type"]["symbols"].pop()),
    ],
)
def test_an_incompatible_change_is_refused(fault: str, change: Any) -> None:
    """Readers of either version must understand the other."""
    row = schemas.registry().latest["RegistrationSubmitted"]
    changed = json.loads(row.text)
    change(changed)
    assert schemas.evolution_faults([row], changed), fault


def test_an_optional_field_may_be_added() -> None:
    """The way in which types grow."""
    row = schemas.registry().latest["RegistrationSubmitted"]
    changed = json.loads(row.text)
    changed["fields"].append({"name": "extra", "type": ["null", "int"], "default": None, "doc": "x"})
    assert schemas.evolution_faults([row], changed) == []


def test_a_changed_row_of_the_lock_is_noticed(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lock is append-only: a row that was edited by hand stops everything."""
    rows = json.loads(schemas.LOCK.read_text("utf-8"))
    rows[0]["schema"]["doc"] = "edited"
    (tmp_path / "ids.lock").write_text(json.dumps(rows), "utf-8")
    monkeypatch.setattr(schemas, "LOCK", tmp_path / "ids.lock")
    with pytest.raises(ContractError, match="rows never change"):
        schemas.registry.__wrapped__()


def _field(schema: Any, name: str) -> Any:
    return next(f for f in schema["fields"] if f["name"] == name)


def shape_of_schema(schema: Any) -> Any:
    """A schema as (name, [(field, shape)]) with primitive names that both sides share."""
    named: dict[str, Any] = {}

    def shape(kind: Any) -> Any:
        match kind:
            case list():
                return ("optional", shape(next(k for k in kind if k != "null")))
            case {"logicalType": "date"}:
                return "date"
            case {"type": "array"}:
                return ("many", shape(kind["items"]))
            case {"type": "enum"}:
                named[kind["name"]] = ("enum", kind["name"], tuple(kind["symbols"]))
                return named[kind["name"]]
            case {"type": "record"}:
                named[kind["name"]] = (kind["name"], tuple((f["name"], shape(f["type"])) for f in kind["fields"]))
                return named[kind["name"]]
            case str() if kind.rsplit(".", 1)[-1] in named:
                return named[kind.rsplit(".", 1)[-1]]
            case _:
                return {"string": "str", "int": "int", "long": "int", "boolean": "bool", "bytes": "bytes"}[kind]

    return shape(schema)


def shape_of_class(kind: Any) -> Any:
    """A dataclass in the same form as `shape_of_schema`."""
    kind = getattr(kind, "__supertype__", kind)
    if get_origin(kind) in (Union, types.UnionType):
        return ("optional", shape_of_class(next(k for k in get_args(kind) if k is not type(None))))
    if get_origin(kind) is tuple:
        return ("many", shape_of_class(get_args(kind)[0]))
    if kind is date:
        return "date"
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return ("enum", kind.__name__, tuple(m.value for m in kind))
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return (kind.__name__, tuple((f.name, shape_of_class(hints[f.name])) for f in dataclasses.fields(kind)))
    return kind.__name__
