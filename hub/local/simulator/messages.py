"""What tenants send, before it is encoded, with what the simulator expects to become of it."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from fastavro import schemaless_writer

from hub.contracts import codec
from hub.contracts.schemas import registry
from hub.domain.identifiers import TenantId
from hub.domain.words import ReceiptOutcome
from hub.edge import EdgeEncoder
from hub.local.simulator.people import Person

STOCK_VENDOR = TenantId("pkg-echo")
"""This vendor encodes with fastavro and the published schema alone, as somebody without our code would."""


@dataclass(frozen=True, slots=True)
class Expected:
    """Outcome and code of the receipt, whatever order the hub takes the tenants' messages in."""

    outcome: ReceiptOutcome
    code: str


APPLIED = Expected(ReceiptOutcome.ACCEPTED, "applied")


@dataclass(frozen=True, slots=True)
class Told:
    """A line of the ground truth. `ids` are tenant/record id; `person` and `canaries` exist nowhere else.

    Of a region's story `ids` holds the region, and `colours` those that it must go through, in their order.
    """

    kind: str
    ids: tuple[str, ...]
    person: Mapping[str, str] = field(default_factory=dict)
    canaries: tuple[str, ...] = ()
    accident: bool = False
    expected: Expected | None = None
    links: bool = False
    colours: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """One record for the inbox of `tenant`: an event (with the person whom the edge encodes) or raw bytes."""

    tenant: TenantId
    event: Any = None
    person: Person | None = None
    raw: bytes | None = None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class Packed:
    """A message as bytes."""

    tenant: TenantId
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]
    told: Told | None


def pack(messages: Sequence[Message], edge: EdgeEncoder) -> list[Packed]:
    """Encode persons at the edge, then events to Avro. What leaves here holds no person but in planted accidents."""
    persons = [m.person.fields() for m in messages if m.person is not None]
    identities = iter(edge.encode_many(persons))
    packed = []
    for message in messages:
        event = message.event
        if message.person is not None:
            event = dataclasses.replace(event, identity=next(identities))
        value = (
            message.raw
            if message.raw is not None
            else _stock_bytes(event)
            if message.tenant == STOCK_VENDOR
            else codec.encode(event)
        )
        key = message.key if message.key is not None else _key(event)
        packed.append(Packed(message.tenant, key, value, message.headers, message.told))
    return packed


def _key(event: Any) -> bytes | None:
    if event is None:
        return None
    identifier = getattr(event, "record_id", None) or event.date.isoformat()
    return str(identifier).encode()


def _stock_bytes(event: Any) -> bytes:
    row = registry().latest[type(event).__name__]
    out = BytesIO(b"\x00" + row.id.to_bytes(4, "big"))
    out.seek(5)
    schemaless_writer(out, row.schema, {k: _plain(v) for k, v in _fields(event).items()})
    return out.getvalue()


def _fields(event: Any) -> dict[str, Any]:
    return {f.name: getattr(event, f.name) for f in dataclasses.fields(event)}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {k: _plain(v) for k, v in _fields(value).items()}
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, str) else value
