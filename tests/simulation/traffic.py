"""What tenants send in one simulated day or so of the hub: seeded, with everything in it that vendors do to a hub.

Two regions on two partitions, three packages, two insurers, a waitlist tool. Registrations of a few women at several
providers, so that there are duplicates; every record said again, changed under the same version, or late; answers to
the proposals that the hub made; bytes that are no record at all; and batches that a tenant takes back.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cache
from typing import Any, Final

from hub.contracts import codec
from hub.domain import events as e
from hub.domain.facts import AllocationStated
from hub.domain.identifiers import Agb, Pc4, RecordId, RegionCode, TenantId
from hub.domain.identity import Identity
from hub.domain.reference import Reference
from hub.domain.words import (
    AllocationAnswer,
    AllocationStatus,
    DeclaredColour,
    DeclineReason,
    RegistrationStatus,
    RemovalReason,
    WaitingStatus,
)
from hub.edge import EdgeEncoder, FileKey, PersonFields
from tests.domain import region_world as w

REFERENCE: Final[Reference] = replace(
    w.REFERENCE, log_partitions=2, regions=(w.REFERENCE.regions[0], replace(w.REFERENCE.regions[1], partition=1))
)
SPOKEN_BY: Final = {w.ROOS: w.ALFA, w.LINDE: w.BETA, w.WILG: w.GAMMA}
POISON: Final = RecordId("poison-1")
"""A record on which the broken release of a rule raises."""
FIRST_DAY: Final = 28
"""The run begins at the end of March, so that a month closes in it."""


@dataclass(frozen=True, slots=True)
class Send:
    """One batch for one inbox. `taken_back` batches are written in a transaction that is aborted."""

    tenant: TenantId
    values: tuple[bytes, ...]
    taken_back: bool = False
    in_transaction: bool = False


@cache
def women() -> tuple[Identity, ...]:
    """The encodings of a few women, made once at the edge under a key for demos."""
    rows = [
        PersonFields(
            given_names=name,
            surname=surname,
            birth_date=f"{1990 + number}-0{1 + number}-0{3 + number}",
            phone=f"06{10000000 + 7919 * number}",
            postcode="1011AB",
            house_number=str(10 + number),
        )
        for number, (name, surname) in enumerate(
            zip(
                ("Anna", "Bregje", "Carolien", "Dieuwertje", "Evelien", "Fenna"),
                ("Visser", "Smit", "Bakker", "Meijer", "Mulder", "Bos"),
                strict=True,
            )
        )
    ]
    return tuple(EdgeEncoder(FileKey.derived("simulator"), 1).encode_many(rows))


class Tenants:
    """All tenants of one run. `told` gives the facts that stand on a tenant's own topics at that moment."""

    def __init__(self, chance: random.Random, told: Callable[[TenantId], list[Any]]) -> None:
        self._chance = chance
        self._told = told
        self._sent: list[tuple[TenantId, Any]] = []
        self._today = FIRST_DAY - 1
        self._numbers = 0
        self._answered: set[tuple[str, str]] = set()

    def found(self) -> Iterator[Send]:
        """What must stand before anything can be placed: mandates, contracts, capacity, a first day, red."""
        for provider, tenant in SPOKEN_BY.items():
            yield self._send(w.OFFICE, w.mandate(provider, tenant))
            yield self._send(w.INS_1, w.contract(provider))
        yield self._next_day()
        for provider, tenant in SPOKEN_BY.items():
            yield self._send(tenant, w.capacity(provider, hours=self._chance.choice((60, 200, 1000))))
        yield self._send(
            w.KSV,
            e.ColourDeclared(
                record_id=RecordId("k1"), version=1, region=w.HERE, colour=DeclaredColour.RED, valid_from=w.DAY_1
            ),
        )

    def one(self) -> Send:
        """The next thing that anybody sends."""
        chance = self._chance
        kinds: list[tuple[int, Callable[[], Send]]] = [
            (24, self._registration),
            (14, self._waiting),
            (10, self._again),
            (8, self._changed_content),
            (8, self._next_version),
            (12, self._answer),
            (4, self._next_day),
            (2, self._same_day),
            (5, self._care),
            (6, self._unreadable),
            (4, self._refused),
            (5, self._taken_back),
            (5, self._several),
            (3, self._removal),
        ]
        return chance.choices([make for _, make in kinds], [weight for weight, _ in kinds])[0]()

    def poison(self) -> Send:
        """The record on which a broken release raises."""
        return self._send(w.ALFA, w.registration(POISON, version=1))

    def repeat(self, sent: Send) -> Send:
        """The same once more, because the tenant never heard of the acknowledgement."""
        return sent

    def _send(self, tenant: TenantId, event: Any) -> Send:
        self._sent.append((tenant, event))
        return Send(tenant, (codec.encode(event),))

    def _record_id(self, stem: str) -> RecordId:
        self._numbers += 1
        return RecordId(f"{stem}-{self._numbers}x")

    def _place(self) -> Pc4:
        return self._chance.choice((w.POSTCODE, w.POSTCODE_2, w.POSTCODE_THERE))

    def _registration(self) -> Send:
        chance = self._chance
        provider = chance.choice(tuple(SPOKEN_BY))
        event = w.registration(
            self._record_id("r"),
            provider=provider,
            pc4=self._place(),
            due_date=w.day(FIRST_DAY + chance.randrange(20, 180)),
            identity=chance.choice(women()) if chance.random() < 0.6 else None,
        )
        return self._send(SPOKEN_BY[provider], event)

    def _waiting(self) -> Send:
        chance = self._chance
        event = w.waiting(
            self._record_id("w"),
            pc4=self._place(),
            due_date=w.day(FIRST_DAY + chance.choice((3, 5, 12, 40, 70))),
            identity=chance.choice(women()) if chance.random() < 0.4 else None,
        )
        return self._send(w.LIST, event)

    def _known(self, *kinds: type[Any]) -> tuple[TenantId, Any] | None:
        known = [row for row in self._sent if isinstance(row[1], kinds)]
        return self._chance.choice(known) if known else None

    def _again(self) -> Send:
        """An old record once more, whatever came after it."""
        tenant, event = self._chance.choice(self._sent)
        return Send(tenant, (codec.encode(event),))

    def _changed_content(self) -> Send:
        """The same version with other content: a conflict."""
        known = self._known(e.RegistrationSubmitted, e.WaitingClientListed)
        if known is None:
            return self._registration()
        return self._send(known[0], w.changed(known[1], indicated_minutes=known[1].indicated_minutes + 60))

    def _next_version(self) -> Send:
        known = self._known(e.RegistrationSubmitted)
        if known is None:
            return self._registration()
        tenant, event = known
        status = self._chance.choice(
            (RegistrationStatus.ACTIVE, RegistrationStatus.ACTIVE, RegistrationStatus.WITHDRAWN)
        )
        return self._send(
            tenant,
            w.changed(event, version=event.version + self._chance.randrange(1, 3), status=status, pc4=self._place()),
        )

    def _removal(self) -> Send:
        known = self._known(e.WaitingClientListed)
        if known is None:
            return self._waiting()
        tenant, event = known
        return self._send(
            tenant,
            w.changed(
                event,
                version=event.version + 1,
                status=WaitingStatus.REMOVED,
                removal_reason=self._chance.choice((RemovalReason.WITHDRAWN, RemovalReason.MOVED)),
            ),
        )

    def _answer(self) -> Send:
        """A package answers a proposal that it was told of; now and then twice."""
        chance = self._chance
        for tenant in chance.sample((w.ALFA, w.BETA, w.GAMMA), 3):
            proposed = [
                fact
                for fact in self._told(tenant)
                if isinstance(fact, AllocationStated) and fact.status is AllocationStatus.PROPOSED and fact.proposal_id
            ]
            fresh = [fact for fact in proposed if (fact.proposal_id, tenant) not in self._answered]
            if fresh and (fact := chance.choice(fresh)).provider:
                self._answered.add((fact.proposal_id, tenant))
                yes = chance.random() < 0.5
                return self._send(
                    tenant,
                    e.AllocationAnswered(
                        record_id=self._record_id("a"),
                        version=1,
                        region=fact.region,
                        proposal_id=fact.proposal_id,
                        provider=Agb(fact.provider),
                        answer=AllocationAnswer.ACCEPTED if yes else AllocationAnswer.DECLINED,
                        reason=None if yes else chance.choice((DeclineReason.NO_ROOM, DeclineReason.CLIENT_DECLINED)),
                    ),
                )
        return self._waiting()

    def _care(self) -> Send:
        known = self._known(e.RegistrationSubmitted)
        if known is None:
            return self._registration()
        tenant, event = known
        return self._send(
            tenant,
            w.care(self._record_id("c"), provider=event.provider, pc4=event.pc4, registration_id=event.record_id),
        )

    def _next_day(self) -> Send:
        self._today += 1
        return Send(w.CLOCK, (codec.encode(e.DayStarted(date=w.day(self._today))),))

    def _same_day(self) -> Send:
        """A second clock."""
        return Send(w.CLOCK, (codec.encode(e.DayStarted(date=w.day(self._today))),))

    def _unreadable(self) -> Send:
        chance = self._chance
        sound = codec.encode(self._sent[-1][1])
        broken = chance.choice(
            (b"", b"\x01\x02\x03", sound[: len(sound) // 2], sound + b"\x00", b"\x00\x00\x00\x7f\xff" + sound[5:])
        )
        return Send(chance.choice((w.ALFA, w.BETA, w.LIST)), (broken,))

    def _refused(self) -> Send:
        """Readable, and not to be accepted: another's event type, an impossible date, a postcode outside."""
        chance = self._chance
        record = self._record_id("x")
        event = chance.choice(
            (
                w.registration(record, pc4=Pc4("9999")),
                w.registration(record, requested_on=date(1999, 1, 1)),
                w.contract(),
                w.registration(RecordId("999990342")),
            )
        )
        return Send(w.ALFA, (codec.encode(event),))

    def _taken_back(self) -> Send:
        """A batch that the tenant aborts: nobody may ever act on it."""
        event = w.registration(self._record_id("t"), pc4=self._place())
        return Send(w.ALFA, (codec.encode(event), codec.encode(event)), taken_back=True, in_transaction=True)

    def _several(self) -> Send:
        """A batch in one transaction, which leaves a gap in the offsets."""
        sends = [self._registration() for _ in range(3)]
        tenant = sends[0].tenant
        return Send(tenant, tuple(v for one in sends if one.tenant == tenant for v in one.values), in_transaction=True)


REGIONS: Final[tuple[RegionCode, ...]] = (w.HERE, w.THERE)
