"""What becomes of a client who registers twice, through real intake and real folds: keys at a custodian, a change of
epoch, confirmation and the daily batch, and a tenant that guesses."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from hub.contracts import codec
from hub.domain import events as e
from hub.domain import facts as f
from hub.domain.identifiers import Agb, RecordId, RegionCode, TenantId
from hub.domain.identity import Block, Identity
from hub.domain.words import AlertKind, DuplicateVerdict, RegistrationStatus, SignalAudience, SignalPhase
from hub.edge import Custodian, CustodianClient, EdgeEncoder, FileKey
from hub.edge.person import PersonFields
from hub.local.dutch_people import DutchPeople
from hub.match_evaluation.warm import person_of
from tests.contracts.examples import example
from tests.contracts.world import REFERENCE
from tests.whole.one_process import OneProcess

A, B, KSV, OFFICE, CLOCK = (TenantId(name) for name in ("pkg-a", "pkg-b", "ksv-01", "office", "clock"))
PROVIDER = {A: Agb("41000001"), B: Agb("41000002")}
DAY = date(2026, 1, 10)
DUE = date(2026, 6, 1)
ANNA = PersonFields(
    given_names="Johanna", surname="van der Berg", birth_date="1991-04-03", bsn="999990342", phone="0612345678",
    postcode="1011AB", house_number="12",
)  # fmt: skip


class Hub(OneProcess):
    """Two providers with their packages, on the second day of both: what they send is no day-one load."""

    def __init__(self, key_epochs: tuple[int, ...] = (1,)) -> None:
        super().__init__(replace(REFERENCE, key_epochs=key_epochs))
        self.today = DAY
        for tenant, provider in PROVIDER.items():
            self.say(
                OFFICE,
                e.MandateGranted(
                    record_id=RecordId(f"m-{provider}"), version=1, provider=provider, mandate_tenant=tenant,
                    bo_member=False, valid_from=date(2020, 1, 1),
                ),
            )  # fmt: skip
        self.say(CLOCK, e.DayStarted(date=DAY))
        for tenant in PROVIDER:
            self.register(tenant, "first-1", None)
        self.next_day()

    def say(self, tenant: TenantId, event: Any) -> list[Any]:
        """Publish; returns the facts that follow."""
        before = {place: len(facts) for place, facts in self.facts.items()}
        self.send(tenant, codec.encode(event))
        return [codec.decode(x.value) for place in sorted(self.facts) for x in self.facts[place][before[place] :]]

    def register(
        self,
        tenant: TenantId,
        record: str,
        identity: Identity | None,
        version: int = 1,
        status: RegistrationStatus = RegistrationStatus.ACTIVE,
    ) -> list[Any]:
        sent = replace(
            example(e.RegistrationSubmitted), record_id=RecordId(record), version=version, provider=PROVIDER[tenant],
            status=status, pc4="1011", due_date=DUE, requested_on=DAY, identity=identity,
        )  # fmt: skip
        return self.say(tenant, sent)

    def next_day(self) -> list[Any]:
        self.today += timedelta(days=1)
        return self.say(CLOCK, e.DayStarted(date=self.today))


def signals(said: Sequence[Any]) -> list[tuple[TenantId, SignalPhase]]:
    """Who hears what."""
    return [(one.recipient, one.phase) for one in said if isinstance(one, f.DuplicateSignalled)]


def test_an_episode_is_found_confirmed_told_without_the_counterparty_and_resolved() -> None:
    """The coordinator hears at once, the packages in the daily batch after confirmation (DESIGN "Privacy")."""
    hub, encoder = Hub(), EdgeEncoder(FileKey.generate())
    hub.register(A, "a-1", encoder.encode(ANNA))
    said = hub.register(B, "b-1", encoder.encode(replace(ANNA, surname="Berg", phone="")))
    assert signals(said) == [(KSV, SignalPhase.FOUND)]
    assert signals(hub.next_day()) == [], "not confirmed: no package hears"
    (found,) = [one for one in said if isinstance(one, f.DuplicateSignalled)]
    feedback = e.DuplicateFeedbackGiven(
        record_id=RecordId("feedback-1"), version=1, region=RegionCode("KSV-01"), link_id=found.link_id,
        verdict=DuplicateVerdict.CONFIRMED,
    )  # fmt: skip
    assert signals(hub.say(KSV, feedback)) == [(KSV, SignalPhase.CONFIRMED)]
    batch = [one for one in hub.next_day() if isinstance(one, f.DuplicateSignalled)]
    assert sorted((one.recipient, one.phase) for one in batch) == [(t, SignalPhase.CONFIRMED) for t in (A, B)]
    for one in batch:
        own = {A: "a-1", B: "b-1"}[one.recipient]
        assert one.audience is SignalAudience.PACKAGE and one.own_record_ids == (own,)
        assert one.providers == (PROVIDER[one.recipient],) and one.reasons == () and one.score_millibits == 0
    ended = hub.register(A, "a-1", None, version=2, status=RegistrationStatus.WITHDRAWN)
    assert sorted(signals(ended)) == sorted((who, SignalPhase.RESOLVED) for who in (A, B, KSV))


def test_a_transfer_gives_no_signal() -> None:
    """She leaves A for B: nobody is told of anything."""
    hub, encoder = Hub(), EdgeEncoder(FileKey.generate())
    hub.register(A, "a-1", encoder.encode(ANNA))
    hub.register(A, "a-1", None, version=2, status=RegistrationStatus.TRANSFERRED)
    assert signals(hub.register(B, "b-1", encoder.encode(ANNA))) == []


def test_a_change_of_epoch_loses_nobody_and_no_provider_ever_holds_the_key() -> None:
    """While two epochs overlap a package sends each record under both; then the custodian shreds the old key."""
    custodian = Custodian.generate()
    custodian.start_epoch()
    hub = Hub(key_epochs=(1, 2))

    def encoder(tenant: TenantId, epoch: int) -> EdgeEncoder:
        client = CustodianClient(lambda e, points: custodian.evaluate(tenant, 1, e, points), custodian.checks())
        return EdgeEncoder(client, epoch)

    hub.register(A, "a-1", encoder(A, 1).encode(ANNA))
    assert signals(hub.register(B, "b-1", encoder(B, 2).encode(ANNA))) == [], "one under the old, one under the new"
    assert signals(hub.register(A, "a-1", encoder(A, 2).encode(ANNA), version=2)) == [(KSV, SignalPhase.FOUND)]
    custodian.shred_epoch(1)
    assert signals(hub.register(B, "b-1", encoder(B, 2).encode(ANNA), version=2)) == [], "still one episode"


@pytest.mark.parametrize(
    ("code", "identity"),
    [
        ("unknown_epoch", Identity(7, (Block(1, bytes(range(8)), b""),))),
        ("wrong_length", Identity(1, (Block(1, b"short", b""),))),
    ],
)
def test_an_encoding_that_cannot_be_used_is_refused_with_its_code(code: str, identity: Identity) -> None:
    """And what comes behind it is not held up."""
    hub = Hub()
    (receipt,) = [one for one in hub.register(A, "a-1", identity) if isinstance(one, f.ReceiptIssued)]
    assert (receipt.code, receipt.pointer) == (code, "/identity")
    after = hub.register(A, "a-2", EdgeEncoder(FileKey.generate()).encode(ANNA))
    assert [one.code for one in after if isinstance(one, f.ReceiptIssued)] == ["applied"]


def test_a_record_with_too_few_facts_is_accepted_and_marked_not_comparable() -> None:
    """She is a client all the same; only her duplicate cannot be found."""
    hub = Hub()
    said = hub.register(A, "a-1", EdgeEncoder(FileKey.generate()).encode(PersonFields(given_names="Bo")))
    (receipt,) = [one for one in said if isinstance(one, f.ReceiptIssued)]
    assert (receipt.code, receipt.outcome.value) == ("applied_not_comparable", "accepted")


def test_a_tenant_that_floods_guesses_is_held_with_an_alert_until_a_person_releases_it() -> None:
    """Beyond its budget its links are withheld: the coordinator hears of them only after somebody looked."""
    hub, encoder, people = Hub(), EdgeEncoder(FileKey.derived("guesses")), DutchPeople(9)
    clients = [encoder.encode(person_of(people.record(people.person()))) for _ in range(43)]
    for number, identity in enumerate(clients):
        hub.register(A, f"a-{number}", identity)
    said = [one for number, identity in enumerate(clients) for one in hub.register(B, f"b-{number}", identity)]
    (held,) = [one for one in said if isinstance(one, e.TenantHeld)]
    assert held.held_tenant == B and held.links_in_window == held.budget + 1 == 41
    alerts = [one for one in said if isinstance(one, f.AlertChanged) and one.kind is AlertKind.TENANT_HELD]
    assert [one.subject for one in alerts] == [B]
    assert sum(one.held for one in said if isinstance(one, e.LinkFound)) == 3
    release = e.HoldReleased(record_id=RecordId("release-1"), version=1, held_tenant=B)
    again = [one for one in hub.say(OFFICE, release) if isinstance(one, e.LinkFound)]
    assert len(again) == 3 and not any(one.held for one in again)
