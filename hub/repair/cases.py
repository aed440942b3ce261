"""What became of everything that one tenant sent, from what that tenant may read: pure, over records already read.

A case is one record of the inbox that was not taken: refused, unreadable, in conflict or stale. It is open until a
later record settles it (the same record in a version that was accepted, or a redrive of these very bytes), or until
somebody of the tenant drops it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from hub.contracts import codec
from hub.domain.facts import ReceiptIssued
from hub.domain.versions import SPOKEN_FOR_A_PROVIDER
from hub.domain.words import ReceiptOutcome
from hub.errors import UsageError

REPAIRS: Final = "repairs"
"""Header of a redriven record: the source that it stands for."""
VIA: Final = "via"
"""Header of every record that did not come from the tenant's own system: by which way it came (DESIGN, gateway)."""
NOT_TAKEN: Final = frozenset(
    {ReceiptOutcome.REFUSED, ReceiptOutcome.UNREADABLE, ReceiptOutcome.CONFLICT, ReceiptOutcome.STALE}
)


class State(StrEnum):
    """Where a case stands."""

    OPEN = "open"
    MENDED = "mended"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Sent:
    """One record of the tenant's inbox. `value` and `key` are None when the inbox no longer holds it."""

    offset: int
    appended_ms: int
    key: bytes | None = None
    value: bytes | None = None
    headers: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The hub's answer to one record."""

    offset: int
    issued_ms: int
    region: str
    fact: ReceiptIssued

    @property
    def taken(self) -> bool:
        """Whether the record had its effect, now or before."""
        return self.fact.outcome not in NOT_TAKEN


@dataclass(frozen=True, slots=True)
class Case:
    """One record that was not taken. `settled_by`: the offset of the record that mended it."""

    receipt: Receipt
    sent: Sent | None
    state: State
    settled_by: int | None = None

    @property
    def offset(self) -> int:
        """Its place in the inbox, by which people name it."""
        return self.receipt.offset


def cases(sent: Iterable[Sent], receipts: Iterable[Receipt], dropped: frozenset[int]) -> list[Case]:
    """Every case in the order of the inbox."""
    told = {receipt.offset: receipt for receipt in receipts}
    held = {one.offset: one for one in sent}
    redrives: dict[int, int] = {}
    for one in held.values():
        original = _repaired(one)
        receipt = told.get(one.offset)
        if original is not None and receipt is not None and receipt.taken:
            redrives[original] = one.offset
    accepted: dict[tuple[str | None, str | None], list[int]] = {}
    for receipt in told.values():
        if receipt.taken and receipt.fact.record_id:
            accepted.setdefault(_named(receipt), []).append(receipt.offset)
    found = []
    for offset, receipt in sorted(told.items()):
        if receipt.taken:
            continue
        later = (one for one in accepted.get(_named(receipt), ()) if one > offset)
        provider = None if receipt.fact.pointer == "/provider" else _provider(held.get(offset))
        same = (one for one in later if None in (provider, other := _provider(held.get(one))) or other == provider)
        settled = redrives.get(offset, min(same, default=None))
        state = State.MENDED if settled is not None else State.DROPPED if offset in dropped else State.OPEN
        found.append(Case(receipt, held.get(offset), state, settled))
    return found


def compared(receipts: Iterable[Receipt]) -> frozenset[int]:
    """Offsets of the records whose bytes `cases` asks for: what was not taken, and what may have settled it."""
    receipts = list(receipts)
    failed = {_named(receipt) for receipt in receipts if not receipt.taken}
    return frozenset(receipt.offset for receipt in receipts if not receipt.taken or _named(receipt) in failed)


def highest_version(receipts: Iterable[Receipt], record_type: str, record_id: str) -> int:
    """The highest version of a record that was ever sent, 0 if none: a mended one must lie above it."""
    return max(
        (
            receipt.fact.version or 0
            for receipt in receipts
            if (receipt.fact.record_type, receipt.fact.record_id) == (record_type, record_id)
        ),
        default=0,
    )


def readable(value: bytes | None) -> Any | None:
    """The event that bytes hold, None where they hold none."""
    from hub.contracts.catalogue import INPUT_KINDS

    try:
        return codec.decode_input(value, INPUT_KINDS)
    except codec.Unreadable:
        return None


def offset_of(name: str, inbox: str) -> int:
    """`17`, `#17` and `inbox.pkg-alfa/17` name the same record. UsageError for anything else."""
    text = name.removeprefix("#").removeprefix(f"{inbox}/")
    if not text.isdecimal():
        raise UsageError(f"found {name!r}, expected the number of a record in {inbox}, as `hub dlq list` shows it")
    return int(text)


def _named(receipt: Receipt) -> tuple[str | None, str | None]:
    return receipt.fact.record_type, receipt.fact.record_id


def _provider(one: Sent | None) -> str | None:
    """Of whose numbering its id is, None where nothing tells: two providers of one package may use the same id."""
    event = None if one is None or one.value is None else readable(one.value)
    return event.provider if isinstance(event, SPOKEN_FOR_A_PROVIDER) else None


def _repaired(one: Sent) -> int | None:
    named = one.headers.get(REPAIRS, b"").decode(errors="replace").rpartition("/")[2]
    return int(named) if named.isdecimal() else None
