"""No provider's topic, page, statement or error carries another provider's raw capacity or clients: tested by trying.

Every capacity that the simulated nation declares is replaced by figures that occur once, so that wherever one of them
turns up it is that provider's. Then everything that a package may read is searched, whatever field it stands in.
"""

import asyncio
import dataclasses
import re
from collections.abc import Iterator
from datetime import date, timedelta
from functools import cache
from typing import Any, Final

import msgspec
import redis
import redis.asyncio

from hub.console.page import document
from hub.console.store import Store
from hub.console.words import Language
from hub.contracts import catalogue, codec
from hub.domain import events as e
from hub.domain import facts as f
from hub.domain.identifiers import Agb, RecordId, RegionCode, TenantId
from hub.domain.reference import Role
from hub.domain.words import ReceiptOutcome
from hub.edge import EdgeEncoder, FileKey
from hub.local.simulator import messages, national
from hub.local.simulator.live import rehearse
from hub.local.simulator.national import START
from hub.local.valkey import Valkey
from hub.streams.read_model import Projection
from tests.whole.one_process import OneProcess

SEED, CLIENTS, DAYS = 11, 1200, 36
"""Until a month is closed, so that there are statements."""
DECLARED: Final = tuple(x.name for x in dataclasses.fields(e.CapacityDeclared) if x.name.endswith("employed_minutes"))
NATION: Final = national.build(SEED, CLIENTS)
PACKAGES: Final = tuple(row.tenant for row in NATION.reference.tenants if row.role is Role.PACKAGE)
MARK: Final = dict(zip(PACKAGES, (7, 11, 13, 17, 19), strict=True))
"""Minutes beyond the whole hour in every figure of a package. Nearly all else is in whole hours, so what comes of its
own figures never looks like a competitor's."""
LONELY: Final = RegionCode("KSV-02")
PAIR: Final = [p.agb for p in NATION.providers if LONELY in p.regions][:2]
"""In this region nobody is left but these two, of two packages: each could take itself off any total."""
SMALLEST: Final = 10_000
"""Minutes below which a figure is too small to be known again."""


@dataclasses.dataclass
class Secrets:
    """What each tenant alone has said: figures of capacity and ids of clients."""

    figures: dict[int, TenantId] = dataclasses.field(default_factory=dict)
    clients: dict[str, set[TenantId]] = dataclasses.field(default_factory=dict)
    deployable: dict[tuple[str, str], dict[str, tuple[TenantId, int]]] = dataclasses.field(default_factory=dict)
    """By region and month: who declared how much for which provider, last."""

    def plant(self, tenant: TenantId, declared: e.CapacityDeclared) -> e.CapacityDeclared:
        """The same capacity, but for some minutes: no other declaration has them, nor has another package its mark."""
        planted = {}
        for name in DECLARED:
            figure = getattr(declared, name)
            if figure:
                figure += MARK[tenant] - figure % 60
                while figure in self.figures:
                    figure += 60
            if figure >= SMALLEST:
                self.figures[figure] = tenant
            planted[name] = figure
        declared = dataclasses.replace(declared, **planted)
        month = self.deployable.setdefault((declared.region, f"{declared.period_from:%Y-%m}"), {})
        minutes = declared.deployable_employed_minutes + declared.deployable_self_employed_minutes
        month[declared.provider] = (tenant, minutes - declared.subcontracted_minutes)
        return declared

    def of_others(self, tenant: TenantId) -> tuple[set[int], set[str]]:
        """Figures and clients that this tenant never said itself. For membership only: a set has no order."""
        figures = {figure for figure, owner in self.figures.items() if owner != tenant}
        return figures, {client for client, owners in self.clients.items() if tenant not in owners}


@cache
def a_nation() -> tuple[OneProcess, Secrets]:
    """The hub after the script, and what each tenant alone has said."""
    hub, secrets, edge = OneProcess(NATION.reference), Secrets(), EdgeEncoder(FileKey.generate(), 1)
    script = rehearse(NATION)

    def send(told: list[messages.Message]) -> None:
        made = []
        for message in told:
            event = message.event
            if _of_a_third_in_the_lonely_region(event):
                continue
            if isinstance(event, e.CapacityDeclared):
                event = secrets.plant(message.tenant, event)
            if isinstance(event, e.RegistrationSubmitted):
                secrets.clients.setdefault(event.record_id, set()).add(message.tenant)
            made.append(dataclasses.replace(message, event=event))
        for sent in messages.pack(made, edge):
            hub.send(sent.tenant, sent.value, sent.key)

    send(list(script.founding))
    for day in range(DAYS + 1):
        send([messages.Message(TenantId("clock"), e.DayStarted(date=START + timedelta(days=day)))])
        send(list(script.days.get(day, ())))
    return hub, secrets


def _of_a_third_in_the_lonely_region(event: Any) -> bool:
    here = {pc4 for pc4, region in NATION.reference.postcodes if region == LONELY}
    there = getattr(event, "region", None) == LONELY or getattr(event, "pc4", None) in here
    return there and getattr(event, "provider", PAIR[0]) not in PAIR


def readable_by(tenant: TenantId, since: dict[tuple[str, int], int] | None = None) -> Iterator[Any]:
    """Every fact on a topic that a tenant may read; `since`: how many of each machine's facts to leave out."""
    may = {topic.name for topic in catalogue.topics_for(NATION.reference) if tenant in topic.readers}
    hub, _ = a_nation()
    for place, facts in hub.facts.items():
        for fact in facts[(since or {}).get(place, 0) :]:
            if dict(fact.headers).get("ce_hubdest", b"").decode() in may:
                yield codec.decode(fact.value)


def words_in(fact: Any) -> Iterator[str]:
    """Every number and every word of a fact, however deep, and the parts of ids, fractions and sentences."""
    waiting = [msgspec.to_builtins(fact)]
    while waiting:
        match waiting.pop():
            case dict() as fields:
                waiting.extend(fields.values())
            case list() as parts:
                waiting.extend(parts)
            case str() as text:
                yield text
                yield from re.split(r"[^\w-]+", text)
            case bool() | None:
                pass
            case figure:
                yield str(figure)


def found_in(tenant: TenantId, facts: Iterator[Any]) -> list[tuple[str, str]]:
    """Where a figure or a client of another tenant stands."""
    figures, clients = a_nation()[1].of_others(tenant)
    hidden = {str(figure) for figure in figures} | clients
    return [(type(fact).__name__, word) for fact in facts for word in words_in(fact) if word in hidden]


def test_there_is_something_to_learn() -> None:
    """Figures and clients of every package, statements of a closed month, and topics of every kind."""
    _, secrets = a_nation()
    assert set(secrets.figures.values()) == set(PACKAGES)
    assert {owner for owners in secrets.clients.values() for owner in owners} >= set(PACKAGES)
    for package in PACKAGES:
        kinds = {type(fact) for fact in readable_by(package)}
        assert kinds >= {f.ReceiptIssued, f.FairShareStated, f.ProviderRoomStated, f.RegionStatusChanged}


def test_whoever_may_see_a_figure_is_told_it() -> None:
    """The search finds what is there: the coordinator's topics hold figures of every package."""
    [first, *_] = (row.tenant for row in NATION.reference.tenants if row.role is Role.KSV)
    assert found_in(first, readable_by(first))
    for package in PACKAGES:
        own = {str(x) for x, owner in a_nation()[1].figures.items() if owner == package}
        assert any(word in own for fact in readable_by(package) for word in words_in(fact)), package


def test_no_topic_of_a_package_carries_a_competitors_capacity_or_client() -> None:
    """Statements and receipts with their sentences, room, signals, allocations, findings, and what everybody reads."""
    for package in PACKAGES:
        assert found_in(package, readable_by(package)) == [], package


def test_no_total_that_everybody_reads_is_a_competitors_figure_once_the_own_is_taken_off() -> None:
    """A package knows what it declared itself. Where seven stand behind a total it is told, and nobody's follows."""
    declared, told = a_nation()[1].deployable, set()
    for package in PACKAGES:
        status = {one.region: one for one in readable_by(package) if isinstance(one, f.RegionStatusChanged)}
        for region, fact in status.items():
            for month in fact.months:
                of_month = declared.get((region, month.month), {})
                own = sum(minutes for owner, minutes in of_month.values() if owner == package)
                others = {minutes for owner, minutes in of_month.values() if owner != package}
                if month.deployable_told and of_month:
                    told.add(region)
                    assert month.deployable_minutes - own not in others, (package, region, month)
    assert told == {region for region, _ in declared} - {LONELY}


def test_a_total_that_is_not_told_does_not_follow_from_the_own_weight_either() -> None:
    """w = Q/ΣQ where nobody delivered yet: beside its own Q a provider would read ΣQ, and of two the other's Q."""
    lines = {
        (one.region, one.month, one.provider): one
        for row in NATION.reference.tenants
        if row.role is Role.KSV
        for one in readable_by(row.tenant)
        if isinstance(one, f.FairShareStated)
    }
    untold = [
        one
        for package in PACKAGES
        for one in readable_by(package)
        if isinstance(one, f.FairShareStated) and one.deployable_total_minutes is None
    ]
    assert any(lines[one.region, one.month, one.provider].weight_permyriad for one in untold)
    for one in untold:
        held = [line.deployable_minutes for (*place, _), line in lines.items() if place == [one.region, one.month]]
        assert str(sum(held)) not in set(words_in(one))
        assert (one.weight, one.target, one.weight_permyriad) == ("", "", 0)


def test_who_writes_in_anothers_name_is_refused_and_told_nothing() -> None:
    """A competitor's provider, region and client by their true ids: the error holds no more than the attempt."""
    hub, secrets = a_nation()
    attacker, victim = PACKAGES[0], next(p for p in NATION.providers if p.package == PACKAGES[1])
    client = next(client for client, owners in secrets.clients.items() if owners == {PACKAGES[1]})
    today = START + timedelta(days=DAYS)
    before = {place: len(facts) for place, facts in hub.facts.items()}
    tries = (_capacity(victim, today), _care(victim, RecordId(client), today))
    for attempt in tries:
        hub.send(attacker, codec.encode(attempt), b"try")
    told = list(readable_by(attacker, before))
    receipts = [fact for fact in told if isinstance(fact, f.ReceiptIssued)]
    assert [one.outcome for one in receipts] == [ReceiptOutcome.REFUSED] * len(tries)
    assert found_in(attacker, iter(told)) == []


def _capacity(victim: national.Provider, today: date) -> e.CapacityDeclared:
    like = next(
        event
        for record in a_nation()[0].log[catalogue.REGION_LOG, 0]
        if isinstance(event := codec.decode(record.value), e.CapacityDeclared)
    )
    return dataclasses.replace(
        like, record_id=RecordId("try-1"), version=1, provider=Agb(victim.agb), region=victim.regions[0],
        declared_on=today,
    )  # fmt: skip


def _care(victim: national.Provider, client: RecordId, today: date) -> e.CareDelivered:
    [area] = (area for area in NATION.areas if area.region == victim.regions[0])
    like = next(
        event
        for place, log in a_nation()[0].log.items()
        if place[0] == catalogue.REGION_LOG
        for record in log
        if isinstance(event := codec.decode(record.value), e.CareDelivered)
    )
    return dataclasses.replace(
        like, record_id=RecordId("try-2"), version=1, provider=Agb(victim.agb), registration_id=client,
        pc4=area.postcodes[0],
    )  # fmt: skip


def test_no_page_of_the_console_carries_a_providers_capacity_or_a_client(valkey: Valkey) -> None:
    """The real read model of these facts, on the real store, in both languages."""
    hub, secrets = a_nation()
    projection = Projection(NATION.reference)
    for facts in hub.facts.values():
        for fact in facts:
            projection.take(codec.decode(fact.value), fact.region)
    with redis.Redis.from_url(valkey.url("root")) as writer:
        writer.flushall()
        for command in projection.commands():
            writer.execute_command(*command)

    async def pages() -> list[str]:
        async with redis.asyncio.Redis.from_url(valkey.url("root")) as reader:
            board = await Store(reader).board(())
        assert board.regions and not board.unreadable
        return [document(board, language) for language in Language]

    hidden = {str(figure) for figure in secrets.figures} | set(secrets.clients)
    for page in asyncio.run(pages()):
        plain = page.replace("\N{NARROW NO-BREAK SPACE}", "").replace("\N{NO-BREAK SPACE}", "")
        shown = {word for part in (page, plain) for word in re.split(r"[^\w-]+", part)}
        assert sorted(hidden & shown) == []
