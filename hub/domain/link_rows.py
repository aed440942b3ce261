"""Links between records of one client, as a region holds them: references and who has heard of them."""

from datetime import date
from typing import Final

import msgspec

from hub.domain.events import MatchReason, RecordRef, RegistrationSubmitted, WaitingClientListed
from hub.domain.identifiers import Agb, TenantId
from hub.domain.shards import SHARDS_MAX, Shards
from hub.domain.versions import record_key
from hub.domain.words import LinkKind, RecordKind

LINKS_MAX: Final = 10_000
"""Open links of one region; beyond it further ones are not kept (PROPOSAL)."""


class LinkRow(msgspec.Struct, frozen=True, array_like=True):
    """One open link. `deferred`: the coordinator hears in a daily batch. `packages_told`: (tenant, provider)."""

    kind: LinkKind
    first: RecordRef
    second: RecordRef
    score_millibits: int
    reasons: tuple[MatchReason, ...]
    held: bool
    on: date | None
    deferred: bool = False
    coordinator_told: bool = False
    confirmed: bool = False
    packages_told: tuple[tuple[TenantId, Agb], ...] = ()


def new_links() -> Shards[LinkRow]:
    """No links."""
    return Shards("links", LinkRow, count=SHARDS_MAX, size_max=LINKS_MAX)


def key_of_ref(ref: RecordRef) -> str:
    """The key under which a region holds the record that a reference names."""
    kind = RegistrationSubmitted if ref.kind is RecordKind.REGISTRATION else WaitingClientListed
    return record_key(ref.tenant, ref.provider, kind, ref.record_id)
