"""Everything that a tenant may know about one of its records, in the order in which it happened.

The record's own versions, the receipt of each, and every fact that names it: the proof that it went through, or the
place where it did not.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from confluent_kafka import Message

from hub.contracts import codec
from hub.contracts.catalogue import OUTPUTS
from hub.domain.facts import ReceiptIssued
from hub.repair.cases import REPAIRS, VIA, readable
from hub.repair.desk import Desk, headers_of
from hub.repair.written import sentence

_SAID = frozenset({"recipient", "record_type", "message_nl", "message_en", "identity"})
"""Fields that a moment does not repeat: they stand in the line already, or help nobody."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One thing that happened. `place`: topic and offset; `told`: the fields of what was said."""

    at_ms: int
    place: str
    what: str
    told: dict[str, Any]

    @property
    def at(self) -> str:
        """Time as ISO 8601 in UTC, to the millisecond."""
        return datetime.fromtimestamp(self.at_ms / 1000, UTC).isoformat(timespec="milliseconds")


def trace(desk: Desk, name: str) -> list[Moment]:
    """What happened to a record, by its id or by the place of one of its messages (`inbox.<tenant>/<offset>`)."""
    found: list[Moment] = []
    sources: set[str] = set()
    for message in desk.read([desk.inbox]):  # first: which answers are meant shows in what was sent
        place = f"{message.topic()}/{message.offset()}"
        if name == place or name in _names(message):
            sources.add(place)
            found.append(_sent(message, place))
    for message in desk.read([topic for topic in desk.topics() if topic != desk.inbox]):
        found += _heard(message, name, sources)
    # What follows from a record may carry its time: then what was sent comes first.
    return sorted(found, key=lambda moment: (moment.at_ms, not moment.what.startswith("sent"), moment.place))


def mentions(told: Any, name: str) -> bool:
    """Whether a decoded fact names a record anywhere."""
    match told:
        case str():
            return told == name
        case dict():
            return any(mentions(one, name) for one in told.values())
        case [*values]:
            return any(mentions(one, name) for one in values)
        case _:
            return False


def _names(message: Message) -> Iterator[str]:
    yield bytes(message.key() or b"").decode(errors="replace")
    event = readable(message.value())
    for field in ("record_id", "registration_id", "waiting_id"):
        if event is not None and (held := getattr(event, field, None)):
            yield held


def _sent(message: Message, place: str) -> Moment:
    event, headers = readable(message.value()), headers_of(message)
    how = "".join(
        f", {word} {headers[name].decode(errors='replace')}"
        for name, word in ((VIA, "via"), (REPAIRS, "in place of"))
        if name in headers
    )
    if event is None:
        return Moment(message.timestamp()[1], place, f"sent bytes that cannot be read{how}", {})
    version = f" version {event.version}" if hasattr(event, "version") else ""
    return Moment(message.timestamp()[1], place, f"sent {type(event).__name__}{version}{how}", _told(event))


def _heard(message: Message, name: str, sources: Iterable[str]) -> Iterator[Moment]:
    headers = headers_of(message)
    source = headers.get("ce_hubsrc", b"").decode(errors="replace")
    topic = str(message.topic())
    place = f"{topic}/{message.offset()}"
    if topic.endswith(".dlq"):
        if source in sources:
            yield Moment(message.timestamp()[1], place, f"kept as a dead letter of {source}", {})
        return
    fact = codec.decode(bytes(message.value() or b""))
    if isinstance(fact, ReceiptIssued):
        if source in sources:
            region = bytes(message.key() or b"").decode()
            said = f"receipt of {source} by {region}: {fact.outcome}, {sentence(fact.code, fact.pointer)}"
            yield Moment(message.timestamp()[1], place, said, {})
        return
    told = _told(fact)
    if type(fact) in OUTPUTS and mentions(told, name):
        yield Moment(message.timestamp()[1], place, f"heard {type(fact).__name__}", told)


def _told(event: Any) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(event)
    return {name: value for name, value in fields.items() if value not in (None, "", []) and name not in _SAID}
