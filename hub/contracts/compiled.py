"""Avro for our own bytes, compiled from the schema into straight Python: from a dataclass to bytes and back.

The general codec walks a schema for every record and goes through a dict; on the logs, where both ends are ours, that
walk was the largest part of an event's cost. Here a schema becomes two functions once. They trust what they read, so
inboxes keep the general codec with its checks. Tests hold both against each other for every type.

Covers what schemas/avro uses: records, arrays, enums, unions with null, boolean, int, long, string, bytes, date.
"""

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields
from datetime import date
from types import UnionType
from typing import Any, Final, NamedTuple, Union, get_args, get_origin, get_type_hints

from hub.domain.frozen import unfrozen
from hub.errors import ContractError

Schema = Mapping[str, Any]
_EPOCH_ORDINAL: Final = 719_163
"""Ordinal of 1970-01-01, from which Avro counts its days."""


class Compiled(NamedTuple):
    """`read(data, pos) -> (event, pos)` and `write(out, event)`, which appends to a bytearray."""

    read: Callable[[bytes, int], tuple[Any, int]]
    write: Callable[[bytearray, Any], None]


def compile_schema(kind: type[Any], schema: Schema) -> Compiled:
    """Functions for one record schema and the dataclass that mirrors it. ContractError for what is not covered."""
    maker = _Maker()
    name = maker.record(schema, kind)
    exec(maker.source(), maker.names)  # noqa: S102  # source made here from committed schemas, from nothing else
    return Compiled(maker.names[f"read_{name}"], maker.names[f"write_{name}"])


class _Maker:
    """Collects the source of one schema's functions and the objects that they refer to."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {
            "long": _read_long,
            "raw": _read_raw,
            "put": _write_long,
            "from_ordinal": date.fromordinal,
            "to_ordinal": date.toordinal,
        }
        self._named: dict[str, Schema] = {}
        self._functions: list[str] = []
        self._made: set[str] = set()
        self._variables = 0

    def source(self) -> str:
        return "\n".join(self._functions)

    def record(self, schema: Schema, kind: type[Any]) -> str:
        """Make the two functions of a record; the suffix of their names."""
        name = str(schema["name"])
        self._named[_full_name(schema)] = schema
        if name in self._made:
            return name
        self._made.add(name)
        self.names[f"kind_{name}"] = kind
        hints = _hints(kind)
        known = {field.name for field in fields(kind)}
        read, write, given = [f"def read_{name}(data, pos):"], [f"def write_{name}(out, event):"], {}
        for field in schema["fields"]:
            if field["name"] not in known:
                raise ContractError(f"{kind.__name__} has no field {field['name']}, which its schema names")
            target = self._variable()
            hint = hints[field["name"]]
            read += _indented(self._read(field["type"], hint, target))
            write += _indented(self._write(field["type"], hint, f"event.{field['name']}"))
            given[field["name"]] = target
        read += _indented(self._built(kind, name, given))
        self._functions += [*read, *(write if len(write) > 1 else [*write, "    pass"])]
        return name

    def _built(self, kind: type[Any], name: str, given: Mapping[str, str]) -> list[str]:
        """Build the dataclass while it is not frozen yet: the constructor of a frozen one costs a third of all."""
        if hasattr(kind, "__post_init__") or not hasattr(kind, "__slots__"):
            return [f"return kind_{name}({', '.join(f'{field}={value}' for field, value in given.items())}), pos"]
        self.names[f"open_{name}"] = unfrozen(kind)
        lines = [f"event = open_{name}()"]
        for field in fields(kind):
            if field.name in given:
                lines.append(f"event.{field.name} = {given[field.name]}")
            else:  # the schema is older than the field
                if field.default is MISSING:
                    raise ContractError(f"{kind.__name__}.{field.name} is not in the schema and has no default")
                self.names[f"default_{name}_{field.name}"] = field.default
                lines.append(f"event.{field.name} = default_{name}_{field.name}")
        return [*lines, f"event.__class__ = kind_{name}", "return event, pos"]

    def _read(self, schema: Any, hint: Any, target: str) -> list[str]:
        match self._resolved(schema):
            case list() as branches:
                inner = self._optional(branches)
                body = self._read(inner, _without_none(hint), target)
                return [
                    "pos += 1",
                    "if data[pos - 1] == 0:",
                    f"    {target} = None",
                    "else:",
                    *_indented(body),
                ]
            case "boolean":
                return [f"{target} = data[pos] == 1", "pos += 1"]
            case "int" | "long":
                return [*self._raw(target), f"{target} = ({target} >> 1) ^ -({target} & 1)"]
            case {"type": "int", "logicalType": "date"}:
                days = f"(({target} >> 1) ^ -({target} & 1))"
                return [*self._raw(target), f"{target} = from_ordinal({days} + {_EPOCH_ORDINAL})"]
            case "string":
                return [*self._slice(target), f"{target} = data[pos - {target} : pos].decode()"]
            case "bytes":
                return [*self._slice(target), f"{target} = data[pos - {target} : pos]"]
            case {"type": "enum"} as enum:
                table = f"table_{target}"
                self.names[table] = tuple(_member(hint, symbol) for symbol in enum["symbols"])
                return [*self._raw(target), f"{target} = {table}[{target} >> 1]"]
            case {"type": "array"} as array:
                item = self._variable()
                body = self._read(array["items"], get_args(hint)[0], item)
                return [
                    f"{target} = []",
                    "while True:",
                    f"    n_{target}, pos = long(data, pos)",
                    f"    if n_{target} == 0:",
                    "        break",
                    f"    if n_{target} < 0:",
                    f"        n_{target} = -n_{target}",
                    "        _, pos = long(data, pos)",
                    f"    for _ in range(n_{target}):",
                    *_indented(_indented(body)),
                    f"        {target}.append({item})",
                    f"{target} = tuple({target})",
                ]
            case {"type": "record"} as record:
                return [f"{target}, pos = read_{self.record(record, hint)}(data, pos)"]
            case other:
                raise ContractError(f"schema {other!r} is not covered by hub/contracts/compiled.py")

    def _write(self, schema: Any, hint: Any, source: str) -> list[str]:
        match self._resolved(schema):
            case list() as branches:
                value = self._variable()
                body = self._write(self._optional(branches), _without_none(hint), value)
                return [
                    f"{value} = {source}",
                    f"if {value} is None:",
                    "    out.append(0)",
                    "else:",
                    "    out.append(2)",
                    *_indented(body),
                ]
            case "boolean":
                return [f"out.append(1 if {source} else 0)"]
            case "int" | "long":
                return self._put(source)
            case {"type": "int", "logicalType": "date"}:
                return self._put(f"to_ordinal({source}) - {_EPOCH_ORDINAL}")
            case "string":
                value = self._variable()
                return [f"{value} = {source}.encode()", *self._put_length(value), f"out += {value}"]
            case "bytes":
                value = self._variable()
                return [f"{value} = {source}", *self._put_length(value), f"out += {value}"]
            case {"type": "enum"} as enum:
                table = f"bytes_{self._variable()}"
                self.names[table] = {symbol: _long_bytes(at) for at, symbol in enumerate(enum["symbols"])}
                return [f"out += {table}[{source}]"]
            case {"type": "array"} as array:
                value, item = self._variable(), self._variable()
                body = self._write(array["items"], get_args(hint)[0], item)
                return [
                    f"{value} = {source}",
                    f"if {value}:",
                    f"    put(out, len({value}))",
                    f"    for {item} in {value}:",
                    *_indented(_indented(body)),
                    "out.append(0)",
                ]
            case {"type": "record"} as record:
                return [f"write_{self.record(record, hint)}(out, {source})"]
            case other:
                raise ContractError(f"schema {other!r} is not covered by hub/contracts/compiled.py")

    def _raw(self, target: str) -> list[str]:
        """Read a number as it stands, before zig-zag. Up to three bytes (a date, minutes) are read without a call."""
        return [
            f"{target} = data[pos]",
            "pos += 1",
            f"if {target} > 127:",
            f"    {target} += (data[pos] << 7) - 128",
            "    pos += 1",
            f"    if {target} > 16383:",
            f"        {target} += (data[pos] << 14) - 16384",
            "        pos += 1",
            f"        if {target} > 2097151:",
            f"            {target}, pos = raw(data, pos - 3)",
        ]

    def _slice(self, target: str) -> list[str]:
        return [*self._raw(target), f"{target} >>= 1", f"pos += {target}"]

    def _put(self, source: str) -> list[str]:
        """Write a number. Up to three bytes (a date, minutes) are written without a call."""
        value, raw = self._variable(), self._variable()
        return [
            f"{value} = {source}",
            f"{raw} = ({value} << 1) ^ ({value} >> 63)",
            f"if {raw} < 128:",
            f"    out.append({raw})",
            f"elif {raw} < 16384:",
            f"    out.append({raw} & 127 | 128)",
            f"    out.append({raw} >> 7)",
            f"elif {raw} < 2097152:",
            f"    out.append({raw} & 127 | 128)",
            f"    out.append({raw} >> 7 & 127 | 128)",
            f"    out.append({raw} >> 14)",
            "else:",
            f"    put(out, {value})",
        ]

    def _put_length(self, value: str) -> list[str]:
        return [
            f"if len({value}) < 64:",
            f"    out.append(len({value}) << 1)",
            f"elif len({value}) < 8192:",
            f"    out.append(len({value}) << 1 & 127 | 128)",
            f"    out.append(len({value}) >> 6)",
            "else:",
            f"    put(out, len({value}))",
        ]

    def _variable(self) -> str:
        self._variables += 1
        return f"v{self._variables}"

    def _resolved(self, schema: Any) -> Any:
        if isinstance(schema, Mapping):
            if schema["type"] in ("record", "enum"):
                self._named[_full_name(schema)] = schema
            elif len(schema) == 1 or isinstance(schema["type"], Mapping):
                return self._resolved(schema["type"])
            return dict(schema)
        return dict(self._named[schema]) if isinstance(schema, str) and schema in self._named else schema

    @staticmethod
    def _optional(branches: list[Any]) -> Any:
        if len(branches) != 2 or branches[0] != "null":
            raise ContractError(f"union {branches!r} is not null and one other type, in that order")
        return branches[1]


def _full_name(schema: Schema) -> str:
    name = str(schema["name"])
    return name if "." in name or "namespace" not in schema else f"{schema['namespace']}.{name}"


def _indented(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _plain(hint: Any) -> Any:
    """The type behind a NewType."""
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    return hint


def _without_none(hint: Any) -> Any:
    if get_origin(hint) in (Union, UnionType):
        (hint,) = (arg for arg in get_args(hint) if arg is not type(None))
    return _plain(hint)


def _member(hint: Any, symbol: str) -> Any:
    plain = _without_none(hint)
    return symbol if plain is str else plain(symbol)


def _read_long(data: bytes, pos: int) -> tuple[int, int]:
    raw, pos = _read_raw(data, pos)
    return (raw >> 1) ^ -(raw & 1), pos


def _read_raw(data: bytes, pos: int) -> tuple[int, int]:
    shift = raw = 0
    while True:
        byte = data[pos]
        pos += 1
        raw |= (byte & 0x7F) << shift
        if byte < 0x80:
            return raw, pos
        shift += 7


def _write_long(out: bytearray, value: int) -> None:
    if not -(2**63) <= value < 2**63:
        raise OverflowError("an Avro long has 64 bits")
    raw = (value << 1) ^ (value >> 63)
    while raw > 0x7F:
        out.append(raw & 0x7F | 0x80)
        raw >>= 7
    out.append(raw)


def _long_bytes(value: int) -> bytes:
    out = bytearray()
    _write_long(out, value)
    return bytes(out)
