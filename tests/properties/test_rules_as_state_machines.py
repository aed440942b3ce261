"""Rules driven step by step in whatever order hypothesis finds, beside a model that is too simple to be wrong.

Each machine is one promise of DESIGN.md's spine or of DOMAIN.md; what it says is in its docstring.
"""

from collections import deque
from datetime import date, timedelta
from typing import Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from hub.domain import events as e
from hub.domain.escalation import AlertBook, AlertChange, Condition
from hub.domain.facts import AllocationStated, ReceiptIssued
from hub.domain.fair_share import Carry, ShareRules
from hub.domain.identifiers import Agb, Month, RecordId, RegionCode, TenantId
from hub.domain.logged import Logged
from hub.domain.mandates import Mandates
from hub.domain.matching import MatchRules
from hub.domain.region_plan import AlertRules
from hub.domain.warm_model import WARM_MODEL
from hub.domain.words import (
    AlertKind,
    AlertState,
    AllocationAnswer,
    AllocationStatus,
    DeclaredColour,
    DeclineReason,
    ReceiptOutcome,
    RecordKind,
    RegistrationStatus,
    SettledOutcome,
)
from tests.domain.region_world import (
    ALFA,
    BETA,
    CLOCK,
    DAY_1,
    GAMMA,
    HERE,
    INS_1,
    KSV,
    LINDE,
    LIST,
    POSTCODE,
    POSTCODE_THERE,
    REFERENCE,
    ROOS,
    THERE,
    WILG,
    World,
    capacity,
    contract,
    day,
    mandate,
    of_type,
    registration,
    waiting,
)
from tests.simulation.traffic import women

STEPS = settings(max_examples=60, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEWER_STEPS = settings(STEPS, max_examples=12, stateful_step_count=20)
"""A day of a region in red takes milliseconds, and a run has many days."""
RECORDS = st.sampled_from(["r1", "r2", "r3"])
VERSIONS = st.integers(1, 4)


class VersionsAgainstADictionary(RuleBasedStateMachine):
    """Spine 7: higher is applied; the same version is a repeat or a conflict by its content; lower is stale."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.world.mandate(ROOS, ALFA)
        self.known: dict[str, tuple[int, int]] = {}

    @rule(record=RECORDS, version=VERSIONS, hours=st.sampled_from([40, 49]))
    def submit(self, record: str, version: int, hours: int) -> None:
        said = self.world.given(registration(record, version=version, indicated_minutes=hours * 60), ALFA)
        (receipt,) = of_type(said, ReceiptIssued)
        applied, content = self.known.get(record, (0, 0))
        if version > applied:
            wanted = ReceiptOutcome.ACCEPTED, "applied"
            self.known[record] = version, hours
        elif version < applied:
            wanted = receipt.outcome, "older_version"
        else:
            wanted = receipt.outcome, "repeated" if hours == content else "same_version_other_content"
        assert (receipt.outcome, receipt.code) == wanted

    @invariant()
    def holds_what_was_applied_last(self) -> None:
        held = {row.record_id: row.version for _, row in self.world.state.registrations.items()}
        assert held == {record: version for record, (version, _) in self.known.items()}


class OneRecordInTwoRegions(RuleBasedStateMachine):
    """Spine 4: in whatever order the copies, the judgements and the moves arrive, one region holds the record.

    It is the region that admitted the highest version; at equal versions either, but only one.
    """

    PLACES: ClassVar = {HERE: POSTCODE, THERE: POSTCODE_THERE}

    def __init__(self) -> None:
        super().__init__()
        self.regions = {region: World(region) for region in self.PLACES}
        for world in self.regions.values():
            world.mandate(ROOS, ALFA)
        self.match_rules = MatchRules(REFERENCE, WARM_MODEL)
        self.match = self.match_rules.open(RegionCode("NL"))
        self.queues: dict[str, deque[Any]] = {name: deque() for name in ("to-" + r for r in self.PLACES)}
        self.queues |= {name: deque() for name in ("inbox", *(f"settled-{r}" for r in self.PLACES))}
        self.queues |= {f"moved-{r}": deque() for r in self.PLACES}
        self.positions = 0

    @rule(version=VERSIONS, region=st.sampled_from([HERE, THERE]))
    def send(self, version: int, region: RegionCode) -> None:
        """The package sends a version; intake makes the region's copy and the match fold's."""
        event = registration("r1", version=version, pc4=self.PLACES[region], identity=women()[0])
        self.queues[f"to-{region}"].append(registration("r1", version=version, pc4=self.PLACES[region]))
        self.queues["inbox"].append(event)

    @rule(number=st.integers(0, 20))
    def arrive(self, number: int) -> None:
        """One of the queues delivers its oldest."""
        waiting_ones = [name for name, queue in self.queues.items() if queue]
        if waiting_ones:
            self._deliver(waiting_ones[number % len(waiting_ones)])

    def teardown(self) -> None:
        """Everything arrives in the end."""
        while names := [name for name, queue in self.queues.items() if queue]:
            self._deliver(names[0])
        active = {}
        admitted = {}
        for region, world in self.regions.items():
            for _, row in world.state.registrations.items():
                admitted[region] = row.version
                if row.active:
                    active[region] = row.version
        if admitted:
            assert len(active) == 1, f"{admitted} admitted, {active} active"
            assert max(active.values()) == max(admitted.values())

    def _deliver(self, name: str) -> None:
        event = self.queues[name].popleft()
        if name.startswith("to-"):
            region = RegionCode(name.removeprefix("to-"))
            said = self.regions[region].given(event, ALFA)
            self.queues[f"settled-{region}"].extend(of_type(said, e.RecordSettled))
        elif name.startswith("moved-"):
            said = self.regions[RegionCode(name.removeprefix("moved-"))].told(event)
            assert not of_type(said, e.RecordSettled)
        else:
            self.positions += 1
            logged = Logged(event, RegionCode("NL"), ALFA, name, (self.positions, 0), False, b"", self.positions, True)
            for told in self.match_rules.decide(self.match, logged):
                if isinstance(told, e.RecordMoved):
                    self.queues[f"moved-{told.record.region}"].append(told)


class ProposalsOfOneRegion(RuleBasedStateMachine):
    """Spine 8: the first answer to an open proposal counts, later ones are told so, who declined is not asked again."""

    SPOKEN: ClassVar = {ROOS: ALFA, LINDE: BETA, WILG: GAMMA}

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        for provider, tenant in self.SPOKEN.items():
            self.world.mandate(provider, tenant)
            self.world.given(contract(provider), INS_1, home=False)
            self.world.given(capacity(provider, hours=200), tenant)
        self.world.starts_day(DAY_1)
        red = e.ColourDeclared(
            record_id=RecordId("k1"), version=1, region=HERE, colour=DeclaredColour.RED, valid_from=DAY_1
        )
        self.world.given(red, KSV)
        self.listed = 0
        self.answers = 0
        self.closed: set[str] = set()
        self.declined: set[tuple[str, str]] = set()

    @rule(urgent=st.booleans())
    def list_client(self, urgent: bool) -> None:
        self.listed += 1
        today = self.world.state.day or DAY_1
        due = today + timedelta(days=3 if urgent else 50)
        self._hear(self.world.given(waiting(f"w{self.listed}", due_date=due), LIST))

    @rule()
    def next_day(self) -> None:
        before = {key for key, row in self.world.state.proposals.items() if row.open}
        self._hear(self.world.lives_until((self.world.state.day or DAY_1) + timedelta(days=1)))
        self.closed |= {key for key in before if not self.world.state.proposals.get(key).open}  # type: ignore[union-attr]

    @rule(number=st.integers(0, 9), yes=st.booleans())
    @precondition(lambda self: any(True for _ in self.world.state.proposals.items()))
    def answer(self, number: int, yes: bool) -> None:
        rows = list(self.world.state.proposals.items())
        key, row = rows[number % len(rows)]
        self.answers += 1
        was_open = row.open
        said = self.world.given(
            e.AllocationAnswered(
                record_id=RecordId(f"a{self.answers}"), version=1, provider=Agb(row.provider), region=HERE,
                proposal_id=key, answer=AllocationAnswer.ACCEPTED if yes else AllocationAnswer.DECLINED,
                reason=None if yes else DeclineReason.NO_ROOM,
            ),
            self.SPOKEN[Agb(row.provider)],
        )  # fmt: skip
        (receipt,) = of_type(said, ReceiptIssued)
        assert receipt.code == ("applied" if was_open else "proposal_closed")
        assert was_open == (key not in self.closed)
        self.closed.add(key)
        if was_open and not yes:
            self.declined.add((row.waiting, row.provider))
        self._hear(said)

    @invariant()
    def at_most_one_open_proposal_a_client(self) -> None:
        open_for = [row.waiting for _, row in self.world.state.proposals.items() if row.open]
        assert len(open_for) == len(set(open_for))

    @invariant()
    def nobody_is_asked_again_who_declined(self) -> None:
        for _, row in self.world.state.proposals.items():
            assert not (row.open and (row.waiting, row.provider) in self.declined)

    def _hear(self, said: list[Any]) -> None:
        """A closed proposal is never spoken of as open again."""
        for fact in of_type(said, AllocationStated):
            if fact.status is AllocationStatus.PROPOSED:
                assert fact.proposal_id not in self.closed


class AlertsAsEpisodes(RuleBasedStateMachine):
    """An alert opens once, is told when it changes, closes after quiet days, and comes back under another identity."""

    RULES = AlertRules()
    SUBJECTS = ("KSV-01", "41000001")
    KIND = AlertKind.CAPACITY_UNKNOWN

    def __init__(self) -> None:
        super().__init__()
        self.book = AlertBook(HERE)
        self.today = DAY_1
        self.open: dict[str, str] = {}
        self.quiet: dict[str, date] = {}
        self.closed: set[str] = set()

    @rule(subjects=st.sets(st.sampled_from(SUBJECTS)), detail=st.sampled_from([(), ("2026-05",)]))
    def observe(self, subjects: set[str], detail: tuple[str, ...]) -> None:
        conditions = [Condition(kind=self.KIND, subject=s, clause="c", detail=detail) for s in sorted(subjects)]
        changes = self.book.observe(conditions, (self.KIND,), self.today, self.RULES)
        for subject in sorted(subjects):
            self.quiet.pop(subject, None)
        for subject in self.SUBJECTS:
            if subject in self.open and subject not in subjects:
                self.quiet.setdefault(subject, self.today)
        self._take(changes)
        assert subjects <= self.open.keys()

    @rule()
    def next_day(self) -> None:
        self.today += timedelta(days=1)
        self._take(self.book.start_day(self.today, self.RULES))

    @rule(number=st.integers(0, 3))
    @precondition(lambda self: bool(self.open))
    def acknowledge(self, number: int) -> None:
        alert_id = sorted(self.open.values())[number % len(self.open)]
        before = self.book.find(alert_id)
        assert before is not None
        change = self.book.acknowledge(alert_id, KSV, self.today, self.RULES)
        assert (change is None) == (before.state is AlertState.ACKNOWLEDGED)

    @rule()
    def restored(self) -> None:
        """What was written reads back as the same book."""
        fresh = AlertBook(HERE)
        parts = {name: value for name, value in self._parts().items() if value is not None}
        fresh.restore(parts)
        assert fresh.open_episodes() == self.book.open_episodes()
        self.book = fresh

    @invariant()
    def open_episodes_are_those_told_open(self) -> None:
        assert {one.subject: one.alert_id for one in self.book.open_episodes()} == self.open

    def _parts(self) -> dict[str, bytes | None]:
        written: dict[str, bytes | None] = self.__dict__.setdefault("written", {})
        written.update(self.book.changed_parts())
        return written

    def _take(self, changes: tuple[AlertChange, ...]) -> None:
        for change in changes:
            episode = change.episode
            match episode.state:
                case AlertState.OPENED:
                    assert episode.subject not in self.open and episode.alert_id not in self.closed
                    self.open[episode.subject] = episode.alert_id
                case AlertState.CLOSED:
                    assert self.open.pop(episode.subject) == episode.alert_id
                    assert (self.today - self.quiet.pop(episode.subject)).days >= self.RULES.quiet_days
                    self.closed.add(episode.alert_id)
                case _:
                    assert self.open[episode.subject] == episode.alert_id


class CarryAsALedger(RuleBasedStateMachine):
    """What a provider bore too much or too little is neither lost nor counted twice, and expires after a year."""

    RULES = ShareRules()

    def __init__(self) -> None:
        super().__init__()
        self.carry = Carry()
        self.month = Month(24_000)

    @rule(deviation=st.integers(-50_000, 50_000))
    def close(self, deviation: int) -> None:
        """A month closes once; the next begins."""
        self.month = Month(self.month + 1)
        counted = self.carry.at(self.month, self.RULES)
        self.carry = counted.after(self.month, deviation)
        assert self.carry.minutes == counted.minutes + deviation

    @rule(months=st.integers(1, 15))
    def months_pass(self, months: int) -> None:
        self.month = Month(self.month + months)
        held = self.carry.at(self.month, self.RULES)
        assert abs(held.minutes) <= abs(self.carry.minutes)
        if months > self.RULES.carry_months_max:
            assert held.minutes == 0

    @invariant()
    def has_one_sign_and_no_empty_entry(self) -> None:
        assert len({entry.minutes > 0 for entry in self.carry.entries}) <= 1
        assert all(entry.minutes for entry in self.carry.entries)
        assert [entry.month for entry in self.carry.entries] == sorted({entry.month for entry in self.carry.entries})


class MandatesAgainstAList(RuleBasedStateMachine):
    """Who may speak for a provider is who holds a mandate of which the day lies in its period."""

    DAYS = st.integers(1, 40)
    WHO = st.sampled_from([ALFA, BETA])

    def __init__(self) -> None:
        super().__init__()
        self.mandates = Mandates()
        self.told: dict[str, e.MandateGranted] = {}

    @rule(record=RECORDS, provider=st.sampled_from([ROOS, LINDE]), tenant=WHO, first=DAYS, length=st.integers(0, 20))
    def grant(self, record: str, provider: Agb, tenant: TenantId, first: int, length: int) -> None:
        until = None if length == 20 else day(first + length)
        event = mandate(provider, tenant, record_id=RecordId(record), valid_from=day(first), valid_until=until)
        self.mandates.grant(record, event)
        self.told[record] = event

    @rule(provider=st.sampled_from([ROOS, LINDE]), tenant=WHO, on=DAYS)
    def ask(self, provider: Agb, tenant: TenantId, on: int) -> None:
        in_force = [
            (one.valid_from, record, one.mandate_tenant)
            for record, one in self.told.items()
            if one.provider == provider
            and one.valid_from <= day(on)
            and (one.valid_until is None or day(on) <= one.valid_until)
        ]
        assert self.mandates.allows(provider, tenant, day(on)) == any(who == tenant for _, _, who in in_force)
        assert self.mandates.holder(provider, day(on)) == (max(in_force)[2] if in_force else None)

    @rule(on=DAYS, kept=st.integers(0, 10))
    def forget(self, on: int, kept: int) -> None:
        self.mandates.forget_ended(day(on), kept)
        self.told = {
            record: one
            for record, one in self.told.items()
            if one.valid_until is None or (day(on) - one.valid_until).days <= kept
        }


class LinksAsEpisodes(RuleBasedStateMachine):
    """A link is told once, ends once, and stands only between two records that stand; a snapshot changes nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.match_rules = MatchRules(REFERENCE, WARM_MODEL)
        self.state = self.match_rules.open(RegionCode("NL"))
        self.versions: dict[tuple[Agb, str], int] = {}
        self.standing: set[tuple[str, str, int]] = set()
        self.links: dict[str, tuple[e.RecordRef, e.RecordRef]] = {}
        self.parts: dict[str, bytes] = {}
        self.number = 0
        self._logged(e.DayStarted(date=DAY_1), CLOCK)

    @rule(
        provider=st.sampled_from([ROOS, LINDE]),
        record=RECORDS,
        woman=st.integers(0, 1),
        status=st.sampled_from([RegistrationStatus.ACTIVE, RegistrationStatus.ACTIVE, RegistrationStatus.WITHDRAWN]),
    )
    def submit_and_settle(self, provider: Agb, record: str, woman: int, status: RegistrationStatus) -> None:
        tenant = {ROOS: ALFA, LINDE: BETA}[provider]
        version = self.versions[provider, record] = self.versions.get((provider, record), 0) + 1
        sent = registration(record, version=version, provider=provider, status=status, identity=women()[woman])
        self._logged(sent, tenant)
        outcome = "active" if status is RegistrationStatus.ACTIVE else "closed"
        ref = e.RecordRef(
            tenant=tenant, provider=provider, kind=RecordKind.REGISTRATION, record_id=RecordId(record),
            version=version, region=HERE,
        )  # fmt: skip
        self.standing = {one for one in self.standing if one[:2] != (provider, record)}
        if outcome == "active":
            self.standing.add((provider, record, version))
        settled = e.RecordSettled(
            record=ref, outcome=SettledOutcome(outcome), due_date=sent.due_date, closed_by_transfer=False
        )
        self._logged(settled, TenantId("hub"))

    @rule()
    def restored(self) -> None:
        for name, value in self.match_rules.changed_parts(self.state).items():
            if value is None:
                self.parts.pop(name, None)
            else:
                self.parts[name] = value
        self.state = self.match_rules.restore(RegionCode("NL"), self.parts)

    @invariant()
    def links_stand_between_records_that_stand(self) -> None:
        for first, second in self.links.values():
            for ref in (first, second):
                assert any(one[:2] == (ref.provider, ref.record_id) for one in self.standing)

    def _logged(self, event: Any, tenant: TenantId) -> None:
        self.number += 1
        logged = Logged(event, RegionCode("NL"), tenant, "inbox", (self.number, 0), False, b"", self.number, True)
        for told in self.match_rules.decide(self.state, logged):
            match told:
                case e.LinkFound():
                    assert told.link_id not in self.links, "a link is told once"
                    self.links[told.link_id] = told.first, told.second
                case e.LinkEnded():
                    assert told.link_id in self.links, "a link that was never told ends"
                    del self.links[told.link_id]
                case _:
                    pass


for machine in (
    VersionsAgainstADictionary,
    OneRecordInTwoRegions,
    ProposalsOfOneRegion,
    AlertsAsEpisodes,
    CarryAsALedger,
    MandatesAgainstAList,
    LinksAsEpisodes,
):
    machine.TestCase.settings = FEWER_STEPS if machine is ProposalsOfOneRegion else STEPS
    globals()[f"Test{machine.__name__}"] = machine.TestCase
