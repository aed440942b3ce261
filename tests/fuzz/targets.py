"""What is fuzzed: every door through which bytes of others come in, with sound examples, and what must hold of each.

A target takes bytes and says in a word what became of them. Anything else that it raises is a crash. A refusal must
carry its code, and what is in the input must not come out in a log: the example records hold canaries.
"""

import asyncio
import base64
import csv
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Final

import httpx
import msgspec
from aiokafka import ConsumerRecord
from fastapi import FastAPI
from pydantic import SecretStr

from hub.audit.verify import read_topic
from hub.connectors.prognosis import read_prognosis
from hub.connectors.registry import router
from hub.connectors.waitlist_tool import Refused, answer_event, client_event, packed, said
from hub.console.server import create_app
from hub.console.settings import ConsoleSettings
from hub.contracts import catalogue, codec, tables
from hub.contracts.plan_file import PlanFaulty, read_plan, write_plan
from hub.contracts.schemas import registry
from hub.domain.codes import SENTENCES
from hub.edge import EdgeEncoder, FileKey
from hub.edge.columns import read_table
from hub.edge.errors import EdgeError
from hub.errors import HubError
from hub.local.scenario import allocate_scenario
from hub.streams.intake import Intake
from tests.contracts.examples import PLAN, example
from tests.contracts.world import REFERENCE

CANARY: Final = "Kanarie-7f3a"
"""Stands in the examples wherever a text may stand; must never stand in a log."""


@dataclass(frozen=True)
class Target:
    """One door. `weight` is its share of the runs; `words` are pieces that a mutation may put in."""

    name: str
    weight: int
    examples: Callable[[], Sequence[bytes]]
    run: Callable[[bytes], str]
    words: tuple[bytes, ...] = ()


class Broken(AssertionError):
    """A promise does not hold: a refusal without a code, an answer of the 500s, a value where none belongs."""


# Intake: Avro framing, decoding, checks and routing


@cache
def _intake() -> Intake:
    return Intake(REFERENCE)


def _input_examples() -> list[bytes]:
    """One sound record of each type, in the inbox of whoever may send it."""
    found = []
    for kind in sorted(catalogue.INPUTS, key=lambda kind: kind.__name__):
        names = {one.name for one in fields(kind)}
        texts = {"record_id": f"{CANARY}-1x"} if "record_id" in names and "plan" not in names else {}
        writers = [row.tenant for row in REFERENCE.tenants if row.role in catalogue.INPUTS[kind].writers]
        number = _intake().inboxes.index(catalogue.inbox(writers[0]))
        found.append(bytes([number]) + codec.encode(example(kind, **texts)))
    return found


def intake(data: bytes) -> str:
    """The first byte chooses the inbox, the rest is the record."""
    inboxes = _intake().inboxes
    topic = inboxes[data[0] % len(inboxes)] if data else inboxes[0]
    record = ConsumerRecord(topic, 0, 7, 1_772_323_200_000, 1, b"k", data[1:], None, 1, len(data), ())
    pieces = list(_intake().route(record))
    dead = [piece for piece in pieces if piece.target.topic.endswith(".dlq")]
    if not pieces:
        raise Broken("a record without any outcome")
    if not dead:
        return "accepted"
    headers = dict(dead[0].record.headers)
    code = headers["ce_hubreason"].decode()
    if code not in SENTENCES:
        raise Broken(f"refused with {code!r}, which no table of codes has")
    told = b" ".join(value for _, value in dead[0].record.headers)
    if CANARY.encode() in told or CANARY[:-1].encode() in told:
        raise Broken("a dead letter's header quotes the record")
    return code


# Region plans


def _plan_examples() -> list[bytes]:
    sound = write_plan(PLAN)
    noted = f"plan_id: {CANARY}\n" + "\n".join(line for line in sound.splitlines() if not line.startswith("plan_id"))
    return [sound.encode(), noted.encode(), b"- a\n- {b: [1, 2], c: 'd'}\n", b"a: &x [1]\nb: *x\n"]


def plan(data: bytes) -> str:
    """A YAML file of a KSV."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "no_text"
    try:
        read = read_plan(text)
    except PlanFaulty as refusal:
        if not refusal.faults or not all(fault.found and fault.expected for fault in refusal.faults):
            raise Broken("a fault that does not say what was found and what was expected") from None
        return f"refused {min(len(refusal.faults), 9)}"
    if read_plan(write_plan(read)) != read:
        raise Broken("a plan that reads otherwise after it was written")
    return "accepted"


# Scenarios


def _scenario_examples() -> list[bytes]:
    provider = {
        "agb": "41000001", "employed_hours": 300, "self_employed_hours": 40.5, "own_obligation_hours": 100,
        "delivered_hours_12m": 900, "carry_hours": -3, "postcodes": ["1011", "1012"], "contracts": ["3311"],
    }  # fmt: skip
    client = {
        "id": f"{CANARY}-1", "pc4": "1011", "owed_hours": 24, "preferred": "41000001",
        "requested_at": "2026-03-01T10:00:00Z", "uzovi": "3311", "due_on": "2026-03-20",
    }  # fmt: skip
    other = {**provider, "agb": "41000002", "postcodes": ["1012"]}
    full = {"region": "KSV-01", "month": "2026-03", "providers": [provider, other], "clients": [client]}
    return [json.dumps(full).encode(), json.dumps({**full, "clients": []}).encode(), b"{}", b"[]"]


def scenario(data: bytes) -> str:
    """A JSON file of a planner."""
    try:
        told = allocate_scenario(data)
    except HubError as refusal:
        if not str(refusal):
            raise Broken("a refusal without a word") from None
        return "refused"
    json.dumps(told, allow_nan=False)
    return "allocated"


# Persons at the edge


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-"))


@cache
def _encoder() -> EdgeEncoder:
    return EdgeEncoder(FileKey.derived("fuzz"), 1)


def _csv_examples() -> list[bytes]:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        ["record_id", "voornaam", "achternaam", "geboortedatum", "postcode", "huisnummer", "telefoon", "bsn"]
    )
    writer.writerow(["a1", CANARY, "van der Berg", "1991-04-03", "1011 AB", "12", "0612345678", "999990342"])
    writer.writerow(["a2", "Anne", "Smit-Visser", "3-4-1991", "1011AB", "12a", "+31 6 12345678", ""])
    return [
        out.getvalue().encode(),
        out.getvalue().replace(",", ";").encode(),
        b"id,name\n1,x\n",
        b"\xef\xbb\xbfid;email\n1;a@b.nl\n",
    ]


def persons(data: bytes) -> str:
    """A CSV file at a provider."""
    file = _folder() / "persons.csv"
    file.write_bytes(data)
    try:
        table = read_table(file)
    except EdgeError:
        return "refused"
    identities = _encoder().encode_many(table.persons[:20])
    if any(CANARY.encode() in block.token + block.filters for one in identities for block in one.blocks):
        raise Broken("an encoding that holds a name")
    return f"encoded {min(len(identities), 3)}"


# What the waitlist tool answers, and Bo's file


def _tool_examples() -> list[bytes]:
    identity = {"epoch": 1, "blocks": [{"pass_number": 1, "token": "AAECAwQFBgc=", "filters": "AAEC"}]}
    client = {
        "id": f"{CANARY}-1", "version": 1, "status": "listed", "pc4": "1011", "due_date": "2026-06-01",
        "requested_on": "2026-03-01", "insurer": "3311", "indicated_minutes": 2880, "protocol": "lip",
        "partus_assistance": True, "hospital_days": 2, "preferred_provider": "41000001", "identity": identity,
    }  # fmt: skip
    answer = {
        "id": f"{CANARY}-2", "version": 1, "region": "KSV-01", "proposal": "p-1", "provider": "41000001",
        "answer": "declined", "reason": "no_room",
    }  # fmt: skip
    gone = {**client, "version": 2, "status": "removed", "removal_reason": "placed", "identity": None}
    records: tuple[object, ...] = (client, gone, answer, {**answer, "answer": "accepted"}, {}, [], "x")
    return [json.dumps(one).encode() for one in records]


def waitlist_tool(data: bytes) -> str:
    """A record of a page of the tool, as either kind."""
    try:
        raw = said(data, "GET /clients")
    except HubError:
        return "no_json"
    became = []
    for event_of in (client_event, answer_event):
        made = event_of(raw)
        if isinstance(made, Refused):
            if not (made.pointer and made.expected):
                raise Broken("a refusal that does not say where, or what was expected")
            if CANARY in made.pointer + made.expected:
                raise Broken("a refusal that quotes a value")
            became.append("refused")
        else:
            packed(made)
            became.append("sent")
    return " ".join(became)


def _prognosis_examples() -> list[bytes]:
    head = "region;month;needed_carers;published_on\n"
    sound = f"{head}KSV-01;2026-04;12;2026-03-01\nKSV-02;2026-04;0;2026-03-01\n"
    return [sound.encode(), sound.replace(";", ",").encode(), f"{head}{CANARY};2026-13;x;2014-01-01\n".encode()]


def prognosis(data: bytes) -> str:
    """A file of Bo."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "no_text"
    events, faults = read_prognosis(text)
    for event in events:
        codec.encode(event)
    if not all(fault.found and fault.expected for fault in faults):
        raise Broken("a fault that does not say what was found and what was expected")
    return f"sent {min(len(events), 3)} refused {min(len(faults), 3)}"


# The registry and the console, as a client asks them


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _registry_app() -> FastAPI:
    app = FastAPI()
    app.include_router(router(registry()))
    return app


@cache
def _console_app() -> FastAPI:
    nowhere = ConsoleSettings(redis_url=SecretStr("redis://127.0.0.1:1/0"))
    return create_app(nowhere)


def _request_examples(paths: Sequence[str]) -> list[bytes]:
    row = registry().rows[-1]
    look_up = msgspec.json.encode({"schema": row.text, "schemaType": "AVRO"})
    found = [f"GET {path}\n\n".encode() for path in paths]
    return [*found, b"POST /subjects/" + row.subject.encode() + b"\n\n" + look_up, b"DELETE /subjects/x\n\n"]


def _registry_examples() -> list[bytes]:
    row = registry().rows[-1]
    paths = (
        f"/schemas/ids/{row.id}", f"/schemas/ids/{row.id}/versions", "/subjects", f"/subjects/{row.subject}/versions",
        f"/subjects/{row.subject}/versions/latest", f"/subjects/{row.subject}/versions/1",
        f"/subjects/{CANARY}/versions/-1",
    )  # fmt: skip
    return _request_examples(paths)


def _console_examples() -> list[bytes]:
    paths = (
        "/?lang=nl",
        "/?lang=en",
        "/readyz",
        "/livez",
        "/version",
        "/metrics",
        f"/static/{CANARY}",
        "/openapi.json",
        "/static/console.css",
    )
    return [*_request_examples(paths), b"GET /readyz\nlast-event-id: 1-1\nhost: elsewhere\n\n"]


def _asked(app: FastAPI, data: bytes) -> httpx.Response | None:
    """`METHOD path`, headers line by line, an empty line, a body. None: no HTTP client would send it."""
    head, _, body = data.partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")
    method, _, path = first.partition(" ")
    headers = dict(line.split(": ", 1) for line in lines if ": " in line)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as client:
            return await asyncio.wait_for(client.request(method, path, headers=headers, content=body), 5)

    if not method.isalpha() or not path.startswith("/") or path.startswith(("//", "/live")):
        return None  # an endless stream is tested elsewhere
    try:
        return _loop().run_until_complete(ask())
    except (httpx.InvalidURL, httpx.LocalProtocolError, httpx.UnsupportedProtocol, UnicodeEncodeError):
        return None


def registry_look_up(data: bytes) -> str:
    """A request to the schema registry's reading part."""
    answer = _asked(_registry_app(), data)
    if answer is None:
        return "not_sent"
    if answer.status_code >= 500:
        raise Broken(f"{answer.status_code}")
    if answer.status_code >= 400 and not answer.content and answer.request.method != "HEAD":
        raise Broken(f"{answer.status_code} without a word")
    return f"{answer.status_code}"


def console(data: bytes) -> str:
    """A request to the console, whose Redis is away."""
    answer = _asked(_console_app(), data)
    if answer is None:
        return "not_sent"
    if answer.status_code >= 500 and answer.status_code != 503:
        raise Broken(f"{answer.status_code}")
    return f"{answer.status_code}"


# A dump, and the tables in it


def _dump_examples() -> list[bytes]:
    value = base64.b64encode(codec.encode(example(next(iter(sorted(catalogue.INPUTS, key=str)))))).decode()
    row = {"partition": 0, "offset": 1, "timestamp": 2, "key": CANARY, "headers": {"a": "b"}, "value_base64": value}
    line = json.dumps(row) + "\n"
    return [line.encode(), (line + json.dumps({**row, "value_base64": None, "key": None}) + "\n").encode()]


def dump(data: bytes) -> str:
    """A file that says it is a dump, handed to an auditor."""
    topic = _folder() / "topics"
    topic.mkdir(exist_ok=True)
    (topic / "region-log.jsonl").write_bytes(data)
    try:
        rows = list(read_topic(_folder(), "region-log"))
    except HubError:
        return "refused"
    return f"read {min(len(rows), 3)}"


def reference_tables(data: bytes) -> str:
    """A file of tables."""
    try:
        parsed = tables.parse(data)
    except HubError:
        return "refused"
    if tables.parse(tables.render(parsed)) != parsed:
        raise Broken("tables that read otherwise after they were written")
    return "accepted"


_JSON_WORDS: Final = (b"null", b"true", b"-1", b"1e400", b"9" * 5000, b"[" * 50_000, b'"\\ud800"', b"NaN", b"{}", b"[]")
_YAML_WORDS: Final = (
    b"[" * 3000,
    b"{" * 3000,
    b"!!python/object:os.system",
    b"&a ",
    b"*a",
    b"? ",
    b"---\n",
    b"<<: ",
    b"0x1f",
    b"1e999",
    b"2026-02-30",
    b"~",
)
TARGETS: Final = {
    target.name: target
    for target in (
        Target(
            "intake",
            600,
            _input_examples,
            intake,
            (CANARY.encode(), b"\x00\x00\x00\x00\x01", b"\xff" * 9, b"\x80" * 10),
        ),
        Target("tables", 60, lambda: [tables.render(REFERENCE)], reference_tables, _JSON_WORDS),
        Target("dump", 60, _dump_examples, dump, _JSON_WORDS),
        Target(
            "registry",
            60,
            _registry_examples,
            registry_look_up,
            (b"%00", b"%ff", b"9" * 5000, b"latest", b"-1", b"[" * 50_000),
        ),
        Target("console", 40, _console_examples, console, (b"lang=", b"%00", b"from=", b"../", b"9" * 5000)),
        Target("scenario", 30, _scenario_examples, scenario, _JSON_WORDS),
        Target(
            "persons",
            30,
            _csv_examples,
            persons,
            (b'"', b"\x00", b"\r", b"," * 2000, b"1" * 200_000, b"\xff\xfe", b";"),
        ),
        Target("plan", 20, _plan_examples, plan, _YAML_WORDS),
        Target("waitlist_tool", 60, _tool_examples, waitlist_tool, _JSON_WORDS),
        Target("prognosis", 40, _prognosis_examples, prognosis, (b";", b",", b'"', b"\r", b"2026-04", b"9" * 5000)),
    )
}
