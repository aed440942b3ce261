"""The reading part of the Confluent Schema Registry API, answered from the committed lock.

Stock AvroSerializers and AvroDeserializers work against it: RecordNameStrategy, `auto.register.schemas=false`. Ids come
from schemas/avro/ids.lock alone, so a request to write is refused with what to do instead.
"""

import json
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from fastapi.responses import JSONResponse

from hub.contracts.schemas import LockedSchema, SchemaRegistry

MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
SCHEMA_BYTES_MAX: Final = 262_144
"""Largest schema that a client may ask about; ours are under 8 KiB."""

VERSION_DIGITS_MAX: Final = 9
SUBJECT_NOT_FOUND: Final = 40401
VERSION_NOT_FOUND: Final = 40402
SCHEMA_NOT_FOUND: Final = 40403
INVALID_SCHEMA: Final = 42201
INVALID_VERSION: Final = 42202
NOT_PERMITTED: Final = 42205
"""Error codes of that API."""


class _Answer(JSONResponse):
    media_type = MEDIA_TYPE


def router(registry: SchemaRegistry) -> APIRouter:
    """Routes at the root, as clients expect them."""
    routes = APIRouter(default_response_class=_Answer, tags=["schema registry"])

    @routes.get("/schemas/ids/{schema_id}")
    async def schema_by_id(schema_id: Annotated[int, Path(ge=0, le=2**31 - 1)]) -> _Answer:
        """The schema that five bytes of framing name."""
        row = registry.by_id.get(schema_id)
        if row is None:
            return _error(404, SCHEMA_NOT_FOUND, f"Schema {schema_id} not found")
        return _Answer({"schema": row.text, "subject": row.subject, "version": row.version, "id": row.id})

    @routes.get("/schemas/ids/{schema_id}/versions")
    async def versions_by_id(schema_id: Annotated[int, Path(ge=0, le=2**31 - 1)]) -> _Answer:
        """Subject and version that the id stands for."""
        row = registry.by_id.get(schema_id)
        if row is None:
            return _error(404, SCHEMA_NOT_FOUND, f"Schema {schema_id} not found")
        return _Answer([{"subject": row.subject, "version": row.version}])

    @routes.get("/subjects")
    async def subjects() -> _Answer:
        """Full names of all records."""
        return _Answer(list(registry.by_subject))

    @routes.get("/subjects/{subject}/versions")
    async def versions(subject: str) -> _Answer:
        """Versions of one record, oldest first."""
        rows = registry.by_subject.get(subject)
        if rows is None:
            return _unknown(subject)
        return _Answer([row.version for row in rows])

    @routes.get("/subjects/{subject}/versions/{version}")
    async def schema_by_version(subject: str, version: str) -> _Answer:
        """One version of a record: a number, or `latest` (also written -1)."""
        rows = registry.by_subject.get(subject)
        if rows is None:
            return _unknown(subject)
        if version in ("latest", "-1"):
            return _row(rows[-1])
        if not (version.isascii() and version.isdigit() and len(version) <= VERSION_DIGITS_MAX and int(version) > 0):
            told = f"The specified version {version[:40]!r} is not a valid version id. Expected 1, 2, … or 'latest'."
            return _error(422, INVALID_VERSION, told)
        for row in rows:
            if row.version == int(version):
                return _row(row)
        return _error(404, VERSION_NOT_FOUND, f"Version {version} not found.")

    @routes.post("/subjects/{subject}")
    async def look_up(subject: str, request: Request) -> _Answer:
        """Id and version of a schema that the client holds: equal as JSON, whatever its white space and key order."""
        rows = registry.by_subject.get(subject)
        if rows is None:
            return _unknown(subject)
        try:
            held = await _asked(request)
        except ValueError as problem:
            return _error(422, INVALID_SCHEMA, f"Invalid schema: {problem}")
        for row in reversed(rows):
            if row.schema == held:
                return _row(row)
        return _error(404, SCHEMA_NOT_FOUND, "Schema not found: no version of this subject in the lock equals it.")

    @routes.post("/subjects/{subject}/versions")
    @routes.delete("/subjects/{subject}")
    @routes.delete("/subjects/{subject}/versions/{version}")
    async def refuse(subject: str) -> _Answer:
        """Nobody registers a schema here."""
        told = (
            f"Schemas of {subject} are not written through this service: ids come from the committed lock file. "
            "Set auto.register.schemas=false and use.latest.version=true, or RecordNameStrategy with a locked schema."
        )
        return _error(422, NOT_PERMITTED, told)

    return routes


async def _asked(request: Request) -> Any:
    """The schema in a look-up as parsed JSON; ValueError says what is wrong with it."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > SCHEMA_BYTES_MAX:
            raise ValueError(f"the request is larger than {SCHEMA_BYTES_MAX} bytes")
    try:
        asked = json.loads(body)
        if not isinstance(asked, dict) or not isinstance(asked.get("schema"), str):
            raise ValueError('expected a JSON object with the schema as text under "schema"')
        if asked.get("schemaType", "AVRO") != "AVRO":
            raise ValueError(f"found schemaType {asked['schemaType']!r}, expected AVRO")
        return json.loads(asked["schema"])
    except RecursionError:
        raise ValueError("the schema is nested too deeply") from None


def _row(row: LockedSchema) -> _Answer:
    return _Answer({"subject": row.subject, "version": row.version, "id": row.id, "schema": row.text})


def _unknown(subject: str) -> _Answer:
    return _error(404, SUBJECT_NOT_FOUND, f"Subject '{subject}' not found. Subjects are full names of records.")


def _error(status: int, code: int, message: str) -> _Answer:
    return _Answer({"error_code": code, "message": message}, status_code=status)
