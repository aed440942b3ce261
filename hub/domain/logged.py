"""An event as a log holds it: what happened, who said it, and where it stands in the one order."""

from typing import Generic, NamedTuple, TypeVar

from hub.domain.identifiers import RegionCode, TenantId

E = TypeVar("E")


class Logged(NamedTuple, Generic[E]):
    """One copy of one event.

    `source` and `source_position` (offset, index) name where the event came from: an inbox topic, or the log of the
    machine that said it. `home` marks the one copy whose fold issues the receipt. `content` is the digest by which
    the version rule tells a repeat from a conflict; empty for events without a version. `offset` is the position in
    this log partition. `comparable` says whether the sender gave an identity that can be compared. `appended_ms`: when
    its source was appended (milliseconds since 1970); it decides which rows of the tables are in force, nothing else.
    """

    event: E
    region: RegionCode
    tenant: TenantId
    source: str
    source_position: tuple[int, int]
    home: bool
    content: bytes
    offset: int
    comparable: bool = False
    appended_ms: int = 0
