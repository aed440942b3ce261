"""The regional waiting list and the proposals made from it, as one region holds them.

A proposal is (region, waiting record, round date, n) and its id is a digest of these, so that it tells a package
nothing about the client or the length of the list. The first answer to an open proposal counts (DESIGN spine 8).
"""

from collections.abc import Mapping
from datetime import date
from hashlib import sha256
from typing import Final

import msgspec

from hub.domain.allocation import WaitingClient
from hub.domain.events import RecordRef, WaitingClientListed
from hub.domain.identifiers import Agb, Month, Pc4, RecordId, RegionCode, TenantId, Uzovi
from hub.domain.load_forecast import CareNorm, Due, RegistrationLoad
from hub.domain.shards import SHARDS_MAX, Shards
from hub.domain.words import (
    AllocationStatus,
    ClientStatus,
    IndicationProtocol,
    RecordKind,
    RemovalReason,
    WaitingStatus,
)

WAITING_MAX: Final = 20_000
"""Waiting clients of one region, past ones included until they expire (PROPOSAL)."""
PROPOSALS_MAX: Final = 60_000
REFUSALS_MAX: Final = 64
"""Providers that one client or that refused one client; beyond it the oldest refusal is forgotten."""
WAITING_KEPT_AFTER_DUE_DAYS: Final = 42
"""A waiting client stays on the books so long after her due date: children come late (PROPOSAL)."""
_DAY_MS: Final = 86_400_000
_UNIX_EPOCH: Final = date(1970, 1, 1).toordinal()


class WaitingRow(msgspec.Struct, frozen=True, array_like=True):
    """One client on the list. `listed`: she waits still. `placed_by`: the provider that accepted her, by the
    proposal `agreed`; `proposal` is the one that waits for an answer.

    `declined_by` and `refused` hold providers that said no to her, and to which she said no. `registration` is the key
    of a registration that is hers. `told` is the last reason that was published for not placing her.
    `gave_way`: she lost her place in a round to others who filled the room better; that happens once.
    """

    tenant: TenantId
    record_id: RecordId
    version: int
    listed: bool
    pc4: Pc4
    due: date
    requested_on: date
    insurer: Uzovi
    klim: bool
    partus: bool
    indicated_minutes: int
    hospital_days: int
    preferred: Agb | None
    admitted: date | None
    removal: RemovalReason | None = None
    moved: bool = False
    placed_by: Agb | None = None
    agreed: str = ""
    proposal: str = ""
    proposals_made: int = 0
    declined_by: tuple[Agb, ...] = ()
    refused: tuple[Agb, ...] = ()
    linked: bool = False
    told: str = ""
    mediation_asked: bool = False
    kraamcentrum_declined: bool = False
    missed: bool = False
    gave_way: bool = False
    status_told: ClientStatus | None = None

    @property
    def waits(self) -> bool:
        """Whether she still needs a provider."""
        return self.listed and not self.moved and self.placed_by is None and not self.linked

    @property
    def unproposed(self) -> bool:
        """Whether a round should look for a provider."""
        return self.waits and not self.proposal


class ProposalRow(msgspec.Struct, frozen=True, array_like=True):
    """One proposal to one provider. `minutes`: what it was asked to carry, in `month`. `reason`: why it ended."""

    waiting: str
    provider: Agb
    minutes: int
    month: Month
    on: date
    answer_by: date
    status: AllocationStatus
    closed_on: date | None = None
    reason: str = ""
    pc4: Pc4 = Pc4("")

    @property
    def open(self) -> bool:
        """Whether nobody answered it and nobody withdrew it."""
        return self.status is AllocationStatus.PROPOSED


def new_waiting() -> Shards[WaitingRow]:
    """Nobody waits."""
    return Shards("waiting", WaitingRow, count=SHARDS_MAX, size_max=WAITING_MAX)


class Proposals(Shards[ProposalRow]):
    """All proposals of a region, and beside them the minutes by month, status and provider, which are asked for often.

    The sums follow from the rows, so they are in no snapshot.
    """

    __slots__ = ("_minutes",)

    def __init__(self) -> None:
        """Nothing proposed."""
        super().__init__("proposals", ProposalRow, count=SHARDS_MAX, size_max=PROPOSALS_MAX)
        self._minutes: dict[tuple[Month, AllocationStatus], dict[Agb, int]] = {}

    def put(self, key: str, value: ProposalRow) -> None:
        """Write a proposal."""
        self._count_minutes(self.get(key), -1)
        super().put(key, value)
        self._count_minutes(value, 1)

    def remove(self, key: str) -> None:
        """Forget a proposal; nothing happens where there is none."""
        self._count_minutes(self.get(key), -1)
        super().remove(key)

    def restore(self, parts: Mapping[str, bytes]) -> None:
        """Take the rows that `changed_parts` wrote."""
        super().restore(parts)
        self._minutes = {}
        for _, row in self.unordered():
            self._count_minutes(row, 1)

    def minutes(self, month: Month, *statuses: AllocationStatus) -> dict[Agb, int]:
        """Minutes of proposals for births in a month, by provider in the order of the AGB codes."""
        sums = [self._minutes.get((month, status), {}) for status in statuses]
        found = {provider: sum(each.get(provider, 0) for each in sums) for each in sums for provider in each}
        return dict(sorted(found.items()))

    def _count_minutes(self, row: ProposalRow | None, times: int) -> None:
        if row is not None:
            of_status = self._minutes.setdefault((row.month, row.status), {})
            of_status[row.provider] = of_status.get(row.provider, 0) + times * row.minutes
            if not of_status[row.provider]:
                del of_status[row.provider]


def proposal_id(region: RegionCode, waiting: str, on: date, number: int) -> str:
    """An opaque id: the same for the same proposal, and nothing can be read from it but its round."""
    digest = sha256(f"{region}|{waiting}|{on.isoformat()}|{number}".encode()).hexdigest()
    return f"p{on:%Y%m%d}-{digest[:16]}"


def listed(old: WaitingRow | None, event: WaitingClientListed, tenant: TenantId, today: date | None) -> WaitingRow:
    """The row after a version of a waiting client. What was agreed about her stays; a new listing waits anew."""
    row = WaitingRow(
        tenant, event.record_id, event.version, event.status is WaitingStatus.LISTED, event.pc4, event.due_date,
        event.requested_on, event.insurer, event.protocol is IndicationProtocol.KLIM, event.partus_assistance,
        event.indicated_minutes, event.hospital_days, event.preferred_provider, today, event.removal_reason,
    )  # fmt: skip
    if old is None:
        return row
    return msgspec.structs.replace(
        row, admitted=old.admitted, placed_by=old.placed_by, agreed=old.agreed, proposal=old.proposal,
        proposals_made=old.proposals_made, declined_by=old.declined_by, refused=old.refused, linked=old.linked,
        mediation_asked=old.mediation_asked and old.insurer == row.insurer,
        kraamcentrum_declined=old.kraamcentrum_declined, missed=old.missed, gave_way=old.gave_way,
        status_told=old.status_told,
    )  # fmt: skip


def with_refusal(providers: tuple[Agb, ...], provider: Agb) -> tuple[Agb, ...]:
    """One more provider that is out of the question, each once and the youngest last."""
    return (*(one for one in providers if one != provider), provider)[-REFUSALS_MAX:]


def load_of_waiting(row: WaitingRow | None) -> RegistrationLoad | None:
    """What a waiting client adds to the region's load; nothing once a registration of hers is counted."""
    if row is None or row.linked or row.moved or not row.listed:
        return None
    return RegistrationLoad(
        provider=None, birth=Due(row.due), care_minutes=row.indicated_minutes,
        norm=CareNorm.KLIM if row.klim else CareNorm.LIP, hospital_days=row.hospital_days, partus=row.partus,
    )  # fmt: skip


def client_of(key: str, row: WaitingRow, owed_minutes: int) -> WaitingClient:
    """A waiting client as a round sees her. The round knows her by the key of her record."""
    return WaitingClient(
        id=RecordId(key), pc4=row.pc4, owed_minutes=owed_minutes,
        requested_at_ms=(row.requested_on.toordinal() - _UNIX_EPOCH) * _DAY_MS, due_on=row.due, insurer=row.insurer,
        preferred=row.preferred, declined_by=frozenset(row.declined_by), refused=frozenset(row.refused),
        kraamcentrum_declined=row.kraamcentrum_declined, gave_way=row.gave_way,
    )  # fmt: skip


def ref_of_waiting(row: WaitingRow, region: RegionCode) -> RecordRef:
    """How the two folds name a waiting client."""
    return RecordRef(
        tenant=row.tenant, provider=Agb(""), kind=RecordKind.WAITING, record_id=row.record_id, version=row.version,
        region=region,
    )  # fmt: skip


def birth_week(due: date) -> str:
    """ISO week of the due date, as `2026-W09`: what a provider needs to answer, and no more."""
    year, week, _ = due.isocalendar()
    return f"{year:04d}-W{week:02d}"
