"""From a case to what is sent again: mended under a version above all before it, or the very same bytes.

Nothing leaves that intake would refuse for a reason that can be known here; what depends on the hub's tables or memory
(a mandate, a region, an open proposal) only the receipt can tell.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.contracts.codec import encode, type_name
from hub.errors import UsageError
from hub.repair.cases import REPAIRS, VIA, Case, Receipt, highest_version, readable
from hub.repair.written import edited, faults_here, parse, read_file, sentence, write

if TYPE_CHECKING:
    from hub.repair.desk import Desk


@dataclass(frozen=True, slots=True)
class Again:
    """One record for the inbox. `offset`: the case that it stands for."""

    offset: int
    key: bytes | None
    value: bytes
    headers: dict[str, str]


def mended(case: Case, receipts: Iterable[Receipt], changes: Sequence[tuple[str, str]], tenant: str) -> Any:
    """The event of a case with these changes. UsageError: it cannot be read, or would be refused as it is now."""
    event = readable(_value(case))
    if event is None:
        raise UsageError(
            f"#{case.offset} holds bytes that cannot be read, so there is no field to set; "
            f"`hub dlq show {case.offset}` says what they look like. Send the message anew from where it came from, "
            "or mend it with --from FILE"
        )
    written = edited(write(event), changes)
    made = parse(written, "the mended message")
    if hasattr(made, "version") and not any(pointer == "/version" for pointer, _ in changes):
        above = highest_version(receipts, type_name(type(made)), made.record_id)
        made = dataclasses.replace(made, version=max(above, event.version, 0) + 1)
    return _sound(made, tenant)


def with_changes(
    case: Case, receipts: Iterable[Receipt], changes: Sequence[tuple[str, str]], source: Path | None, desk: "Desk"
) -> Again:
    """What is sent for a case: with changes, or what somebody wrote in a file instead."""
    if source is None:
        event = mended(case, receipts, changes, desk.tenant)
    elif changes:
        raise UsageError("give --set or --from, not both: the file is sent as it stands")
    else:
        held = list(read_file(source))
        if len(held) != 1:
            raise UsageError(f"{source} holds {len(held)} messages, expected the one that stands for #{case.offset}")
        event = _sound(held[0], desk.tenant)
    key = getattr(event, "record_id", None)
    return Again(case.offset, key.encode() if key else None, encode(event), _marks(case, desk))


def unchanged(case: Case, desk: "Desk") -> Again:
    """The very same bytes: when what was missing elsewhere is there now."""
    value = _value(case)
    event = readable(value)
    if event is None:
        raise UsageError(
            f"#{case.offset} holds bytes that cannot be read and never will be; `hub dlq show {case.offset}` says why. "
            "Mend it with --from FILE, or put it aside with `hub dlq drop`"
        )
    _sound(event, desk.tenant)
    assert value is not None and case.sent is not None
    return Again(case.offset, case.sent.key, value, _marks(case, desk))


def _value(case: Case) -> bytes | None:
    if case.sent is None:
        raise UsageError(f"the inbox does not keep the bytes of #{case.offset} any more; send the message anew")
    return case.sent.value


def _marks(case: Case, desk: "Desk") -> dict[str, str]:
    return {VIA: "repair", REPAIRS: f"{desk.inbox}/{case.offset}"}


def _sound(event: Any, tenant: str) -> Any:
    for fault in faults_here(event, tenant):
        raise UsageError(f"nothing was sent, it would be refused: {sentence(fault.code, fault.pointer)}")
    return event
