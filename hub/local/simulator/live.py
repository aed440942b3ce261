"""Walks through the days: sends what each tenant sends, waits for receipts, reads what the hub says and answers it.

A day: the clock says that it begins; every region closes it; packages answer proposals and coordinators answer
signals; the inputs of that day follow; every input has its receipt. What is decided here follows from the seed and
the ids alone, never from the moment at which something arrived.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Final

from hub.contracts import codec
from hub.domain import events as e
from hub.domain import facts as f
from hub.domain.identifiers import RecordId, RegionCode, TenantId
from hub.domain.words import (
    AlertKind,
    AlertState,
    AllocationAnswer,
    AllocationStatus,
    DeclineReason,
    DuplicateVerdict,
    InForceKind,
    OverrideOutcome,
    OverrideReason,
    ReceiptOutcome,
    RegistrationStatus,
    RemovalReason,
    SignalAudience,
    SignalPhase,
)
from hub.edge import EdgeEncoder, FileKey
from hub.errors import WorldUnavailable
from hub.local.simulator import national as world
from hub.local.simulator.accidents import accidents
from hub.local.simulator.messages import Expected, Message, Packed, Told, pack
from hub.local.simulator.national import START, Client, Nation, Story
from hub.local.simulator.stories import Script, registration, script, waiting
from hub.local.simulator.tenants import Received, TenantClient
from hub.local.simulator.truth import Truth

RECEIPTS_WAIT_S: Final = 45.0
"""How long nothing at all may arrive before the run gives up."""
OPEN_WAIT_S: Final = 2.0
"""How long to wait for proposals that a region counts as open and no package has seen."""
_POLL_S: Final = 0.002
_DECODED: Final = ("allocations", "signals", "days", "alerts", "in-force")


@dataclass
class Measured:
    """What the run saw, for the summary."""

    inputs: int = 0
    receipts: int = 0
    bulk_inputs: int = 0
    bulk_seconds: float = 0.0
    latency_ms: list[int] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    days: int = 0


@dataclass(frozen=True, slots=True)
class _Proposal:
    id: str
    region: RegionCode
    provider: str
    waiting_id: str


def rehearse(nation: Nation) -> Script:
    """Everything that will be sent whatever the hub says, accidents included."""
    made = script(nation)
    for day, message in accidents(nation):
        made.on(day, message)
    return made


class Live:
    """One run of a nation against a hub. `tell` hears (what, done, of how much) for a progress bar."""

    def __init__(
        self,
        nation: Nation,
        tenants: Mapping[TenantId, TenantClient],
        tell: Callable[[str, int, int], None] = lambda what, done, whole: None,
    ) -> None:
        self.nation = nation
        self.truth = Truth()
        self.measured = Measured()
        self._tenants = tenants
        self._tell = tell
        self._edge = EdgeEncoder(FileKey.derived(f"demo/{nation.seed}"))
        self._script = rehearse(nation)
        self._waiting_for: dict[str, int] = {}
        self._early: dict[str, int] = {}
        self._closed: dict[date, dict[RegionCode, int]] = {}
        self._open: dict[str, _Proposal] = {}
        self._answered: set[str] = set()
        self._replies: list[Message] = []
        self._later: dict[int, list[Message]] = {}
        self._today = -1
        self._providers = {p.agb: p for p in nation.providers}
        self._waiting = {
            c.other_id: c for c in nation.clients if c.story in (Story.WAITING, Story.WAITING_AND_REGISTERED)
        }
        twice = (Story.EXACT_DUPLICATE, Story.DIRTY_DUPLICATE)
        self._twice: dict[str, Client] = {
            i: c for c in nation.clients if c.story in twice for i in (c.record_id, c.other_id)
        }

    def load(self) -> None:
        """Before the first day: mandates, contracts and benchmarks; then what packages already hold."""
        self._send(self._script.founding)
        self._settle("founding")
        started = time.monotonic()
        before = self.measured.inputs
        self._send(self._script.history)
        self._settle("history")
        self.measured.bulk_inputs = self.measured.inputs - before
        self.measured.bulk_seconds = time.monotonic() - started

    def step(self) -> None:
        """One day, until nobody has anything to say about it."""
        self._today += 1
        day = START + timedelta(days=self._today)
        self._send([Message(world.CLOCK, e.DayStarted(date=day))])
        regions = len(self.nation.areas) + 1
        self._until(lambda: len(self._closed.get(day, ())) == regions, f"DayClosed of {day}")
        self._see_open(sum(self._closed.pop(day).values()))
        inputs = [*self._script.days.pop(self._today, []), *self._later.pop(self._today, [])]
        self._send(inputs)
        while True:
            self._send(self._take_replies())
            self._settle(f"day {self._today + 1}")
            if not self._replies:
                break
        self.measured.days = self._today + 1
        self._tell("days", self._today + 1, self.nation.days)

    @property
    def idle(self) -> bool:
        """Whether the days are over and no open proposal wants an answer."""
        return self._today + 1 >= self.nation.days and not self._open and not self._replies

    @property
    def finished(self) -> bool:
        """Idle, or as many days as any run may take."""
        return self.idle or self._today + 1 >= world.DAYS_MAX

    def _send(self, messages: Iterable[Message]) -> None:
        used: dict[TenantId, TenantClient] = {}
        for packed in pack(list(messages), self._edge):
            client = used.setdefault(packed.tenant, self._tenants[packed.tenant])
            client.send(packed, self._placed)
            self.measured.inputs += 1
        for client in used.values():
            client.flush()

    def _placed(self, packed: Packed, source: str, append_ms: int) -> None:
        if packed.told is not None:
            self.truth.add(packed.told, source)
        if self._early.pop(source, None) is None:
            self._waiting_for[source] = append_ms

    def _settle(self, what: str) -> None:
        whole = len(self._waiting_for)
        self._until(
            lambda: not self._waiting_for,
            f"receipts of {what}",
            lambda: self._tell(what, whole - len(self._waiting_for), whole),
        )

    def _until(self, reached: Callable[[], bool], what: str, tell: Callable[[], None] = lambda: None) -> None:
        heard = time.monotonic()
        while not reached():
            if self._poll():
                heard = time.monotonic()
                tell()
            elif time.monotonic() - heard > RECEIPTS_WAIT_S:
                raise WorldUnavailable(
                    f"nothing arrived for {RECEIPTS_WAIT_S:.0f} s while waiting for {what}; "
                    f"{len(self._waiting_for)} receipts are missing, "
                    f"first {sorted(self._waiting_for)[:3]}. See what the workers logged."
                )
            else:
                time.sleep(_POLL_S)

    def _see_open(self, counted: int) -> None:
        """Receipts and days travel apart from proposals; the region says how many are open."""
        give_up_at = time.monotonic() + OPEN_WAIT_S
        while len(self._open) < counted and time.monotonic() < give_up_at:
            if not self._poll():
                time.sleep(_POLL_S)

    def _poll(self) -> bool:
        heard = False
        for client in self._tenants.values():
            for received in client.receive():
                heard = True
                self._hear(received)
        return heard

    def _hear(self, received: Received) -> None:
        kind = received.topic.split(".")[1] if received.topic.startswith("out.") else received.topic
        if kind == "receipts":
            self.measured.receipts += 1
            source = received.headers["ce_hubsrc"]
            append_ms = self._waiting_for.pop(source, None)
            if append_ms is None:
                self._early[source] = received.timestamp_ms
            else:
                self.measured.latency_ms.append(received.timestamp_ms - append_ms)
        elif kind in _DECODED:
            self._replies += self._reply(received.tenant, codec.decode(received.value))

    def _take_replies(self) -> list[Message]:
        replies, self._replies = self._replies, []
        return replies

    def _reply(self, tenant: TenantId, fact: Any) -> list[Message]:
        match fact:
            case f.DayClosed():
                self._closed.setdefault(fact.date, {})[fact.region] = fact.open_proposals
            case f.AllocationStated() if tenant == world.WAITLIST:
                return self._placed_on_list(fact)
            case f.AllocationStated():
                return self._answer(tenant, fact)
            case f.DuplicateSignalled():
                return self._follow_up(tenant, fact)
            case f.AlertChanged(state=AlertState.OPENED) if tenant == world.OPS:
                return self._watch(fact)
            case f.GuidelineInForce() | f.PlanInForce():
                return self._acknowledge(tenant, fact)
            case _:
                pass
        return []

    def _answer(self, tenant: TenantId, fact: f.AllocationStated) -> list[Message]:
        """A package accepts or declines; one in thirty proposals the coordinator settles by telephone."""
        if tenant in self.nation.reference.coordinator.values():
            return self._by_telephone(tenant, fact)
        if fact.status is not AllocationStatus.PROPOSED:
            self._open.pop(fact.proposal_id, None)
            return self._register_placed(fact) if fact.status is AllocationStatus.ACCEPTED else []
        if fact.provider is None or fact.proposal_id in self._answered:
            return []
        self._open[fact.proposal_id] = _Proposal(fact.proposal_id, fact.region, fact.provider, fact.waiting_id)
        if _chance(fact.proposal_id, "telephone") < 33:
            return []
        self._answered.add(fact.proposal_id)
        provider = self._providers[fact.provider]
        declines = _chance(fact.proposal_id, "decline") < provider.declines_permille
        reasons = (DeclineReason.NO_ROOM, DeclineReason.NO_ROOM, DeclineReason.CONFLICT_OF_CARE, DeclineReason.OTHER)
        answer = e.AllocationAnswered(
            record_id=RecordId(f"a1-{_digest(fact.proposal_id)}"),
            version=1,
            provider=provider.agb,
            region=fact.region,
            proposal_id=fact.proposal_id,
            answer=AllocationAnswer.DECLINED if declines else AllocationAnswer.ACCEPTED,
            reason=reasons[_chance(fact.proposal_id, "reason") % 4] if declines else None,
        )
        sent = [Message(tenant, answer)]
        if _chance(fact.proposal_id, "twice") < 40:  # two people of one provider answer
            again = e.AllocationAnswered(
                record_id=RecordId(f"a2-{_digest(fact.proposal_id)}"),
                version=1,
                provider=provider.agb,
                region=fact.region,
                proposal_id=fact.proposal_id,
                answer=AllocationAnswer.ACCEPTED,
            )
            told = Told(
                "answered_twice",
                (f"{tenant}/{again.record_id}",),
                expected=Expected(ReceiptOutcome.REFUSED, "proposal_closed"),
            )
            sent.append(Message(tenant, again, told=told))
        return sent

    def _by_telephone(self, ksv: TenantId, fact: f.AllocationStated) -> list[Message]:
        if (
            fact.status is not AllocationStatus.PROPOSED
            or _chance(fact.proposal_id, "telephone") >= 33
            or fact.proposal_id in self._answered
        ):
            return []
        self._answered.add(fact.proposal_id)
        override = e.AllocationOverridden(
            record_id=RecordId(f"o1-{_digest(fact.proposal_id)}"),
            version=1,
            region=fact.region,
            waiting_tenant=fact.waiting_tenant,
            waiting_id=fact.waiting_id,
            outcome=OverrideOutcome.PLACED,
            provider=fact.provider,
            reason=OverrideReason.PLACED_BY_PHONE,
        )
        return [Message(ksv, override)]

    def _register_placed(self, fact: f.AllocationStated) -> list[Message]:
        """She is placed: the provider registers her the next day, the list lets her go the day after."""
        client = self._waiting.get(fact.waiting_id)
        if client is None or fact.provider is None:
            return []
        provider = self._providers[fact.provider]
        record = RecordId(f"p1-{_digest(fact.waiting_id + fact.provider)}")
        event = registration(client, provider, record)
        told = Told("placed", (f"{provider.package}/{record}", f"{world.WAITLIST}/{client.other_id}"), links=True)
        self._on(self._today + 1, Message(provider.package, event, person=client.person, told=told))
        return []

    def _placed_on_list(self, fact: f.AllocationStated) -> list[Message]:
        placed = (AllocationStatus.ACCEPTED, AllocationStatus.OVERRIDDEN)
        client = self._waiting.get(fact.waiting_id)
        if fact.status in placed and client is not None:
            self._on(
                self._today + 2, Message(world.WAITLIST, waiting(client, 3, RemovalReason.PLACED), person=client.person)
            )
            del self._waiting[fact.waiting_id]
        return []

    def _follow_up(self, tenant: TenantId, fact: f.DuplicateSignalled) -> list[Message]:
        """The coordinator finds out; once confirmed, the provider that came second withdraws in half of the cases."""
        client = next((self._twice[i] for i in fact.own_record_ids if i in self._twice), None)
        if fact.audience is SignalAudience.COORDINATOR and fact.phase is SignalPhase.FOUND:
            verdict = (
                DuplicateVerdict.CONFIRMED
                if client is not None or not fact.own_record_ids
                else DuplicateVerdict.NOT_A_DUPLICATE
            )
            feedback = e.DuplicateFeedbackGiven(
                record_id=RecordId(f"v1-{_digest(fact.link_id + fact.region)}"),
                version=1,
                region=fact.region,
                link_id=fact.link_id,
                verdict=verdict,
            )
            self._on(self._today + 2, Message(tenant, feedback))
        elif fact.audience is SignalAudience.PACKAGE and fact.phase is SignalPhase.CONFIRMED and client is not None:
            if (
                client.other_id in fact.own_record_ids
                and tenant == client.other_provider.package
                and _chance(fact.link_id, "withdraw") < 500
            ):
                event = registration(client, client.other_provider, client.other_id, version=2)
                gone = _with_status(event, RegistrationStatus.WITHDRAWN)
                self._on(self._today + 3, Message(tenant, gone, person=client.person))
        return []

    def _watch(self, fact: f.AlertChanged) -> list[Message]:
        if fact.kind is AlertKind.TENANT_HELD:  # ops telephones; the trust office looks and releases
            released = e.HoldReleased(
                record_id=RecordId(f"h1-{_digest(fact.alert_id)}"), version=1, held_tenant=TenantId(fact.subject)
            )
            return [Message(world.OFFICE, released)]
        if fact.region not in self.nation.reference.region or _chance(fact.alert_id, "seen") >= 600:
            return []
        seen = e.AlertAcknowledged(
            record_id=RecordId(f"s1-{_digest(fact.alert_id + fact.region)}"),
            version=1,
            region=fact.region,
            alert_id=fact.alert_id,
        )
        return [Message(world.OPS, seen)]

    def _acknowledge(self, tenant: TenantId, fact: f.GuidelineInForce | f.PlanInForce) -> list[Message]:
        kind = InForceKind.PLAN if isinstance(fact, f.PlanInForce) else InForceKind.GUIDELINE
        for provider in self.nation.of_region(fact.region):
            if provider.package == tenant and not provider.stale_capacity:  # who forgets one thing forgets another
                mark = _digest(f"{provider.agb}{fact.document_id}{fact.document_version}")
                event = e.InForceAcknowledged(
                    record_id=RecordId(f"k1-{mark}"),
                    version=1,
                    provider=provider.agb,
                    region=fact.region,
                    kind=kind,
                    document_id=fact.document_id,
                    document_version=fact.document_version,
                )
                self._on(self._today + 1, Message(tenant, event))
        return []

    def _on(self, day: int, message: Message) -> None:
        self._later.setdefault(max(day, self._today + 1), []).append(message)


def _with_status(event: e.RegistrationSubmitted, status: RegistrationStatus) -> e.RegistrationSubmitted:
    return replace(event, status=status)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def _chance(text: str, purpose: str) -> int:
    """0 to 999, the same for the same words."""
    return int.from_bytes(hashlib.blake2b(f"{purpose}/{text}".encode(), digest_size=4).digest(), "big") % 1000
