"""Stock clients read our schemas from the committed lock, and nobody writes to it."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

from hub.connectors.registry import MEDIA_TYPE, SCHEMA_BYTES_MAX, router
from hub.contracts.schemas import LockedSchema, registry

ROWS = registry().rows
SUBJECT = "nl.kraamzorg.v1.ReceiptIssued"


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service."""
    app = FastAPI()
    app.include_router(router(registry()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://registry") as held:
        yield held


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.id}")
async def test_every_locked_schema_is_found_by_id_by_version_and_by_itself(
    client: httpx.AsyncClient, row: LockedSchema
) -> None:
    """Three ways to ask, one answer."""
    by_id = (await client.get(f"/schemas/ids/{row.id}")).json()
    by_version = (await client.get(f"/subjects/{row.subject}/versions/{row.version}")).json()
    by_itself = (await client.post(f"/subjects/{row.subject}", json={"schema": row.text})).json()
    assert json.loads(by_id["schema"]) == row.schema
    assert by_version == by_itself == {"subject": row.subject, "version": row.version, "id": row.id, "schema": row.text}


async def test_subjects_are_the_full_names_of_records(client: httpx.AsyncClient) -> None:
    """RecordNameStrategy: a topic may carry several types."""
    answer = await client.get("/subjects")
    assert answer.json() == sorted({row.subject for row in ROWS}) and answer.headers["content-type"] == MEDIA_TYPE


async def test_latest_is_the_newest_version(client: httpx.AsyncClient) -> None:
    """Also by its other name."""
    versions = (await client.get(f"/subjects/{SUBJECT}/versions")).json()
    for name in ("latest", "-1"):
        assert (await client.get(f"/subjects/{SUBJECT}/versions/{name}")).json()["version"] == versions[-1]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/schemas/ids/999999", 404, 40403),
        ("/schemas/ids/999999/versions", 404, 40403),
        ("/subjects/nobody/versions", 404, 40401),
        ("/subjects/nobody/versions/1", 404, 40401),
        (f"/subjects/{SUBJECT}/versions/999", 404, 40402),
        (f"/subjects/{SUBJECT}/versions/0", 422, 42202),
        (f"/subjects/{SUBJECT}/versions/first", 422, 42202),
        (f"/subjects/{SUBJECT}/versions/١", 422, 42202),
    ],
)
async def test_what_is_not_there_has_the_code_that_clients_know(
    client: httpx.AsyncClient, path: str, status: int, code: int
) -> None:
    """Stock clients tell these codes apart."""
    answer = await client.get(path)
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)


async def test_white_space_and_key_order_of_a_schema_do_not_matter(client: httpx.AsyncClient) -> None:
    """Clients print a schema in their own way."""
    row = registry().by_subject[SUBJECT][-1]
    printed = json.dumps(dict(reversed(row.schema.items())), indent=4)
    assert (await client.post(f"/subjects/{SUBJECT}", json={"schema": printed})).json()["id"] == row.id


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"schema": "{\\"type\\": \\"string\\"}"}', 40403),
        (b"", 42201),
        (b"[]", 42201),
        (b'{"schema": 1}', 42201),
        (b'{"schema": "{"}', 42201),
        (b'{"schema": "{}", "schemaType": "PROTOBUF"}', 42201),
        (b'{"schema": "' + b"[" * 100_000 + b'"}', 42201),
        (b" " * (SCHEMA_BYTES_MAX + 1), 42201),
    ],
)
async def test_a_schema_that_is_not_in_the_lock_is_not_found_and_what_is_no_schema_is_invalid(
    client: httpx.AsyncClient, body: bytes, code: int
) -> None:
    """The service holds its bounds whatever is sent."""
    assert (await client.post(f"/subjects/{SUBJECT}", content=body)).json()["error_code"] == code


@given(st.binary(max_size=200))
async def test_no_body_makes_the_look_up_fail(body: bytes) -> None:
    """Whatever is sent has an answer of this API."""
    app = FastAPI()
    app.include_router(router(registry()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://registry") as held:
        answer = await held.post(f"/subjects/{SUBJECT}", content=body)
    assert answer.status_code in (404, 422) and answer.json()["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"/subjects/{SUBJECT}/versions"),
        ("DELETE", f"/subjects/{SUBJECT}"),
        ("DELETE", f"/subjects/{SUBJECT}/versions/1"),
    ],
)
async def test_nobody_writes_and_the_answer_says_what_to_do_instead(
    client: httpx.AsyncClient, method: str, path: str
) -> None:
    """Ids come from the lock file alone."""
    answer = await client.request(method, path, json={"schema": '"string"'})
    assert answer.status_code == 422 and answer.json()["error_code"] == 42205
    assert "auto.register.schemas=false" in answer.json()["message"]
