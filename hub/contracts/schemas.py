"""The Avro schemas with the ids that the committed lock gives them.

schemas/avro/**/*.avsc is written by hand and is the truth of the newest version of each type. schemas/avro/ids.lock
holds every schema that ever had an id, whole, so that an old record stays readable; a row never changes or goes.
"""

import hashlib
import json
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import fastavro
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.schema import parse as parse_with_avro

from hub.errors import ContractError

ROOT = Path(__file__).resolve().parents[2] / "schemas" / "avro"
LOCK = ROOT / "ids.lock"

Schema = dict[str, Any]
"""A schema as parsed JSON: the one place where a foreign shape stays a dict, since Avro defines it."""


@dataclass(frozen=True, slots=True)
class LockedSchema:
    """One row of the lock: `id` is what five bytes of framing carry, `version` counts per subject from 1."""

    id: int
    subject: str
    version: int
    sha256: str
    schema: Schema

    @property
    def text(self) -> str:
        """The schema as one line of JSON, as a registry serves it."""
        return json.dumps(self.schema, ensure_ascii=False, separators=(",", ":"))


def digest(schema: Schema) -> str:
    """SHA-256 of the schema's JSON without white space, keys in the file's order."""
    return hashlib.sha256(json.dumps(schema, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def full_name(schema: Schema) -> str:
    """`namespace.name` of a record schema."""
    return f"{schema['namespace']}.{schema['name']}"


class SchemaRegistry:
    """Every schema of the lock, by id and by subject (RecordNameStrategy: the subject is the record's full name)."""

    def __init__(self, rows: tuple[LockedSchema, ...]) -> None:
        self.rows = rows
        self.by_id = {row.id: row for row in rows}
        self._parsed: dict[int, Schema] = {}

    @cached_property
    def by_subject(self) -> dict[str, tuple[LockedSchema, ...]]:
        """Versions of each subject, oldest first."""
        subjects = sorted({row.subject for row in self.rows})
        return {s: tuple(sorted((r for r in self.rows if r.subject == s), key=lambda r: r.version)) for s in subjects}

    @cached_property
    def latest(self) -> dict[str, LockedSchema]:
        """Newest row by the record's short name."""
        return {rows[-1].schema["name"]: rows[-1] for rows in self.by_subject.values()}

    def parsed(self, schema_id: int) -> Schema:
        """The schema in the form that fastavro reads fastest. KeyError for an id that the lock lacks."""
        if (schema := self._parsed.get(schema_id)) is None:
            parsed = fastavro.parse_schema(self.by_id[schema_id].schema, named_schemas={})
            assert isinstance(parsed, dict)
            schema = self._parsed[schema_id] = parsed
        return schema


@cache
def registry() -> SchemaRegistry:
    """The committed lock. ContractError when it is missing or a row was changed by hand."""
    try:
        rows = json.loads(LOCK.read_text("utf-8"))
    except FileNotFoundError as problem:
        raise ContractError(f"found no {LOCK.name} in {ROOT}; run `hub schemas lock`") from problem
    locked = tuple(LockedSchema(**row) for row in rows)
    for row in locked:
        if digest(row.schema) != row.sha256:
            raise ContractError(f"schema {row.id} ({row.subject}) in {LOCK.name} was changed; rows never change")
    return SchemaRegistry(locked)


def written() -> dict[str, Schema]:
    """The hand-written files by full name, in the order of their paths."""
    found: dict[str, Schema] = {}
    for path in sorted(ROOT.rglob("*.avsc")):
        schema = json.loads(path.read_text("utf-8"))
        found[full_name(schema)] = schema
    return found


def lock() -> list[LockedSchema]:
    """Give an id to every written schema that has none; returns the new rows and writes the lock file."""
    old = [LockedSchema(**row) for row in json.loads(LOCK.read_text("utf-8"))] if LOCK.exists() else []
    known = {row.sha256 for row in old}
    new: list[LockedSchema] = []
    for subject, schema in written().items():
        if (sha := digest(schema)) in known:
            continue
        if faults := evolution_faults([row for row in old if row.subject == subject], schema):
            raise ContractError(f"{subject}: " + "; ".join(faults) + "; publish it as a new type with v<n+1> instead")
        version = sum(row.subject == subject for row in old) + 1
        new.append(LockedSchema(len(old) + len(new) + 1, subject, version, sha, schema))
    rows = [
        {"id": r.id, "subject": r.subject, "version": r.version, "sha256": r.sha256, "schema": r.schema}
        for r in [*old, *new]
    ]
    LOCK.write_text("[\n" + ",\n".join(json.dumps(r, ensure_ascii=False) for r in rows) + "\n]\n", "utf-8")
    registry.cache_clear()
    return new


def evolution_faults(earlier: list[LockedSchema], schema: Schema) -> list[str]:
    """What a new version may not do: readers of either side must understand the other (FULL_TRANSITIVE)."""
    faults: list[str] = []
    new = parse_with_avro(json.dumps(schema))
    for row in earlier:
        old = parse_with_avro(row.text)
        for reader, writer, side in ((new, old, "cannot read"), (old, new, "cannot be read by")):
            result = ReaderWriterCompatibilityChecker().get_compatibility(reader, writer)  # type: ignore[no-untyped-call]
            if result.compatibility is not SchemaCompatibilityType.compatible:
                faults.append(f"{side} version {row.version}: {', '.join(sorted(map(str, result.messages)))}")
        faults += _logical_type_faults(row.schema, schema)
    return faults


def _logical_type_faults(old: Schema, new: Schema) -> list[str]:
    """`avro.compatibility` does not look at logical types: a date that becomes a plain int is caught here."""
    before = {f["name"]: f["type"] for f in old["fields"]}
    return [
        f"field {f['name']} changes its logical type"
        for f in new["fields"]
        if f["name"] in before and _logical(before[f["name"]]) != _logical(f["type"])
    ]


def _logical(kind: Any) -> str | None:
    return kind.get("logicalType") if isinstance(kind, dict) else None


def lint(schema: Schema) -> list[str]:
    """What every schema of ours must have: a doc on each field and type, no recursion, no items of zero bytes."""
    faults: list[str] = []

    def visit(kind: Any, where: str, inside: tuple[str, ...]) -> None:
        match kind:
            case list():
                for branch in kind:
                    visit(branch, where, inside)
            case {"type": "record", "name": name, "fields": fields}:
                if not kind.get("doc"):
                    faults.append(f"{where}: record {name} has no doc")
                if not fields:
                    faults.append(f"{where}: record {name} has no fields, so its items take zero bytes")
                for f in fields:
                    if not f.get("doc"):
                        faults.append(f"{where}.{f['name']}: no doc")
                    visit(f["type"], f"{where}.{f['name']}", (*inside, name))
            case {"type": "enum", "name": name}:
                if not kind.get("doc"):
                    faults.append(f"{where}: enum {name} has no doc")
            case {"type": "array", "items": items}:
                if items == "null":
                    faults.append(f"{where}: items of zero bytes")
                visit(items, where, inside)
            case {"type": "map"}:
                faults.append(f"{where}: maps have no order; use an array of records")
            case {"type": "fixed", "size": 0}:
                faults.append(f"{where}: zero bytes")
            case str() if kind.rsplit(".", 1)[-1] in inside:
                faults.append(f"{where}: {kind} is recursive")
            case _:
                pass

    visit(schema, schema["name"], ())
    return faults
