"""What a region keeps in sight until somebody acted: open findings, and capacity requests."""

from datetime import date
from typing import Final

import msgspec

from hub.domain.identifiers import Agb, Month, TenantId
from hub.domain.shards import SHARDS_MAX, Shards
from hub.domain.words import FindingCode

FINDINGS_MAX: Final = 20_000
REQUESTS_MAX: Final = 20_000


class FindingRow(msgspec.Struct, frozen=True, array_like=True):
    """One open finding. `step`: how many addressees have heard of it. `told`: every tenant that has.

    `finding_id`: its public name; the key under which a row stands is made of what it is about and is never published.
    """

    code: FindingCode
    provider: Agb
    clause: str
    since: date
    step: int
    told: tuple[TenantId, ...]
    finding_id: str


class RequestRow(msgspec.Struct, frozen=True, array_like=True):
    """One provider asked about one month."""

    provider: Agb
    month: Month
    asked_on: date
    answer_by: date
    answered: bool = False


def new_findings() -> Shards[FindingRow]:
    """Nothing found."""
    return Shards("findings", FindingRow, count=SHARDS_MAX, size_max=FINDINGS_MAX)


def new_requests() -> Shards[RequestRow]:
    """Nobody asked."""
    return Shards("requests", RequestRow, count=32, size_max=REQUESTS_MAX)
