"""The region's waitlist tool: its JSON in, our events out, and back again.

No source gives the tool's own API (DOMAIN "Identifiers"), so this is a dialect of ours, small enough to be put in front
of any tool; docs/waitlist-tool.md has it with examples. Dates are ISO, care is in whole minutes, ids are opaque.
Persons never pass: `identity` is what the edge made of one (hub/edge runs where the tool runs).

A waiting client's record belongs to the tool: its newest version is the truth about her wish, her due date and her
insurer, since the tool is where people enter them. Once she is linked to a registration, the registration wins on who
cares for her, since a provider has promised it; the tool hears so and takes her off the list (hub/domain/proposals.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec

from hub.connectors.foreign_http import asked_pause_s, is_private
from hub.contracts import codec
from hub.domain.events import AllocationAnswered, WaitingClientListed
from hub.domain.facts import AllocationStated, ClientStatusChanged
from hub.domain.identity import BLOCKS_MAX, IDENTITY_BYTES_MAX, Block, Identity
from hub.errors import HubError, UsageError, WorldUnavailable

PAGE_MAX: Final = 500
"""Records of one page; a tool that has more answers again."""
ANSWER_BYTES_MAX: Final = 4 * 1024 * 1024
ATTEMPT_S: Final = 10.0

T = TypeVar("T")
_QUOTED: Final = re.compile(r"'[^']*'|(?<=field )`[^`]*`")
"""Values and names of fields that a message would repeat."""
Minutes = Annotated[int, msgspec.Meta(ge=0, le=31_622_400)]
Int = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
Version = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
"""What Avro or a message of Kafka cannot hold is told back, else the connector would end."""
Digits4 = Annotated[str, msgspec.Meta(pattern="^[0-9]{4}$")]
Code = Annotated[str, msgspec.Meta(pattern="^[0-9]{8}$")]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class ToolBlock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One block of an encoded identity; bytes are Base64."""

    pass_number: Int
    token: Annotated[bytes, msgspec.Meta(max_length=IDENTITY_BYTES_MAX)]
    filters: Annotated[bytes, msgspec.Meta(max_length=IDENTITY_BYTES_MAX)] = b""


class ToolIdentity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the edge made of a person."""

    epoch: Int
    blocks: Annotated[tuple[ToolBlock, ...], msgspec.Meta(max_length=BLOCKS_MAX)]


class ToolClient(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A version of a waiting client as the tool sends it."""

    id: Id
    version: Version
    status: Literal["listed", "removed"]
    removal_reason: Literal["placed", "withdrawn", "born", "moved", "pregnancy_ended"] | None = None
    pc4: Digits4
    due_date: date
    requested_on: date
    insurer: Digits4
    indicated_minutes: Minutes
    protocol: Literal["lip", "klim"] = "lip"
    partus_assistance: bool = False
    hospital_days: Annotated[int, msgspec.Meta(ge=0, le=366)] = 0
    preferred_provider: Code | None = None
    identity: ToolIdentity | None = None


class ToolAnswer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An answer to a proposal that a coordinator entered in the tool, in the region's name."""

    id: Id
    version: Version = 1
    region: Id
    proposal: Id
    provider: Code
    answer: Literal["accepted", "declined"]
    reason: Literal["no_room", "outside_area", "client_declined", "conflict_of_care", "other"] | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A record of the tool that is none: where, what was found and expected. Told to the tool; the others go on.

    `found` never quotes a value: a person may have been typed into any field.
    """

    id: str
    pointer: str
    expected: str


def client_event(raw: Any) -> WaitingClientListed | Refused:
    """A waiting client as our event."""
    read = _read(raw, ToolClient)
    if isinstance(read, Refused):
        return read
    if (read.status == "removed") != (read.removal_reason is not None):
        return Refused(read.id, "/removal_reason", "a reason exactly where the status is removed")
    plain = {name: getattr(read, name) for name in read.__struct_fields__ if name not in ("id", "identity")}
    event = msgspec.convert({"record_id": read.id, **plain}, WaitingClientListed, builtin_types=(date,))
    if read.identity is None:
        return event
    blocks = tuple(Block(one.pass_number, one.token, one.filters) for one in read.identity.blocks)
    return replace(event, identity=Identity(read.identity.epoch, blocks))


def answer_event(raw: Any) -> AllocationAnswered | Refused:
    """An answer as our event."""
    read = _read(raw, ToolAnswer)
    if isinstance(read, Refused):
        return read
    return msgspec.convert(
        {
            "record_id": read.id, "version": read.version, "provider": read.provider, "region": read.region,
            "proposal_id": read.proposal, "answer": read.answer, "reason": read.reason,
        },
        AllocationAnswered,
    )  # fmt: skip


def allocation_json(fact: AllocationStated, sequence: int) -> dict[str, Any]:
    """A statement about a client as the tool gets it. `region` and `sequence` name it once and for all."""
    return {
        "region": fact.region, "sequence": sequence, "client": fact.waiting_id, "proposal": fact.proposal_id,
        "status": fact.status.value, "provider": fact.provider, "care_minutes": fact.care_minutes,
        "answer_by": None if fact.answer_by is None else fact.answer_by.isoformat(), "reason": fact.reason,
    }  # fmt: skip


def status_json(fact: ClientStatusChanged, sequence: int) -> dict[str, Any]:
    """What a client may be told, in both languages."""
    return {
        "region": fact.region, "sequence": sequence, "client": fact.waiting_id, "status": fact.status.value,
        "message_nl": fact.message_nl, "message_en": fact.message_en,
    }  # fmt: skip


class ToolRefused(HubError):
    """The tool understands us and will not have this one (4xx): asking again gives the same answer."""

    def __init__(self, status: int, asked: str) -> None:
        """`asked`: method and path."""
        super().__init__(f"the waitlist tool answered {status} to {asked}, expected 2xx; see what it holds against it")
        self.status = status


class ToolBusy(HubError):
    """The tool asks to be left alone for so long: it is well, and nothing is wrong with what it was told."""

    def __init__(self, pause_s: float) -> None:
        """`pause_s`: seconds, as it says itself."""
        super().__init__(f"the waitlist tool asks to be left alone for {pause_s:.0f} s")
        self.pause_s = pause_s


_LOCKED_OUT: Final = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_MAY_SAY_WHEN: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_PASSES: Final = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS)
"""Answers of the 4xx that are not about what was asked."""


class Tool:
    """The tool's HTTP side. WorldUnavailable: it does not answer, or answers what is no page or receipt.

    ToolRefused and ToolBusy: see there. UsageError: an address that is neither https nor on loopback, or a token that
    the tool does not take. No message quotes the address, the token or an answer.
    """

    def __init__(self, base: str, token: str, session: aiohttp.ClientSession) -> None:
        parts = urlsplit(base)
        if not is_private(parts.scheme, parts.hostname):
            raise UsageError(f"found {parts.scheme or 'no scheme'} in the tool's address, expected https")
        self._base, self._session = base.rstrip("/"), session
        self._headers = {"Authorization": f"Bearer {token}"}

    async def page(self, kind: str) -> tuple[list[Any], str]:
        """Records of `clients` or `answers` not acknowledged yet, oldest first, and the cursor behind them."""
        answer = await self._ask("GET", f"/{kind}", params={"limit": str(PAGE_MAX)})
        if not isinstance(answer, Mapping) or not isinstance(answer.get("records"), list) or "cursor" not in answer:
            raise WorldUnavailable("the waitlist tool answered no page, expected {records: […], cursor: …}")
        if len(answer["records"]) > PAGE_MAX:
            raise WorldUnavailable(f"the waitlist tool sent a page of over {PAGE_MAX}, expected it to keep the limit")
        return answer["records"], str(answer["cursor"])

    async def tell(self, kind: str, body: Mapping[str, Any]) -> None:
        """One statement; the tool answers once it holds it, and drops what it holds already."""
        await self._ask("POST", f"/{kind}", json=dict(body))

    async def _ask(self, method: str, path: str, **rest: Any) -> Any:
        limit = aiohttp.ClientTimeout(total=ATTEMPT_S)
        try:
            async with self._session.request(
                method, self._base + path, headers=self._headers, timeout=limit, allow_redirects=False, **rest
            ) as answer:
                body = bytearray()
                async for piece in answer.content.iter_any():  # `read` returns what has come so far, not all
                    body += piece
                    if len(body) > ANSWER_BYTES_MAX:
                        break
        except (aiohttp.ClientError, TimeoutError) as problem:
            raise WorldUnavailable(f"the waitlist tool does not answer ({type(problem).__name__})") from None
        _judge(answer.status, answer.headers.get("Retry-After", ""), f"{method} {path}")
        if len(body) > ANSWER_BYTES_MAX:
            raise WorldUnavailable(f"the waitlist tool answered {method} {path} with over {ANSWER_BYTES_MAX} bytes")
        return said(body, f"{method} {path}")


def said(body: bytes | bytearray, asked: str) -> Any:
    """What an answer says, None for an empty one. WorldUnavailable: no JSON, or nested without end."""
    try:
        return msgspec.json.decode(body) if body else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise WorldUnavailable(f"the waitlist tool answered no JSON to {asked}") from None


def _judge(status: int, retry_after: str, asked: str) -> None:
    """Return for what is an answer to use; else raise what it means."""
    if status in _LOCKED_OUT:
        raise UsageError(f"the waitlist tool answered {status} to {asked}, our token is not its: mend --token-file")
    if status in _MAY_SAY_WHEN and (pause_s := asked_pause_s(retry_after, datetime.now(UTC))):
        raise ToolBusy(pause_s)
    if 400 <= status < 500 and status not in _PASSES:
        raise ToolRefused(status, asked)
    if status // 100 != 2:
        raise WorldUnavailable(f"the waitlist tool answered {status} to {asked}, expected 2xx")


def packed(event: WaitingClientListed | AllocationAnswered) -> tuple[bytes, bytes]:
    """Key and value for an inbox."""
    return event.record_id.encode(), codec.encode(event)


def _read(raw: Any, kind: type[T]) -> T | Refused:
    told = raw.get("id") if isinstance(raw, Mapping) else None
    who = told if isinstance(told, str) and 0 < len(told) <= 64 else ""
    try:
        return msgspec.convert(raw, kind, strict=True)
    except msgspec.ValidationError as problem:
        text, _, where = str(problem).partition(" - at `$")
        pointer = where.rstrip("`").replace(".", "/").replace("[", "/").replace("]", "")
        return Refused(who, pointer or "/", _QUOTED.sub("…", text))
