"""A simulated nation through real intake, folds and rules: one receipt each, the same bytes however it is cut."""

from collections import Counter
from datetime import timedelta
from functools import cache
from typing import Any

import pytest

from hub.contracts import codec
from hub.domain import events as e
from hub.domain import facts as f
from hub.domain.identifiers import TenantId
from hub.edge import EdgeEncoder, FileKey
from hub.local.simulator import messages, national
from hub.local.simulator.live import rehearse
from hub.local.simulator.national import START
from hub.streams.folds import FOLDS
from hub.streams.machine import Machine
from tests.whole.one_process import OneProcess

SEED, CLIENTS, DAYS = 11, 300, 25


def inputs() -> list[messages.Packed]:
    """Everything that the tenants send by the simulator's script up to a day, each day after its DayStarted."""
    nation = national.build(SEED, CLIENTS)
    script = rehearse(nation)
    edge = EdgeEncoder(FileKey.generate(), 1)
    sent = messages.pack(script.founding, edge)
    for day in sorted(d for d in script.days if d <= DAYS):
        if day >= 0:
            start = messages.Message(TenantId("clock"), e.DayStarted(date=START + timedelta(days=day)))
            sent += messages.pack([start], edge)
        sent += messages.pack(script.days[day], edge)
    return sent


@cache
def a_nation() -> OneProcess:
    """The hub after the script."""
    hub = OneProcess(national.build(SEED, CLIENTS).reference)
    for sent in inputs():
        hub.send(sent.tenant, sent.value, sent.key)
    return hub


def test_every_input_has_exactly_one_receipt() -> None:
    """Also what is unreadable, refused, stale or repeated."""
    assert a_nation().receipts() == Counter(a_nation().inputs)


def test_every_dead_letter_belongs_to_an_input_that_intake_refused() -> None:
    """Kept once, next to its receipt."""
    hub = a_nation()
    assert hub.dead_letters and len(set(hub.dead_letters)) == len(hub.dead_letters)
    assert set(hub.dead_letters) <= set(hub.inputs)


def test_every_region_closes_every_day() -> None:
    """NL too."""
    hub = a_nation()
    closed = Counter((x.region, x.date) for x in hub.decoded() if isinstance(x, f.DayClosed))
    started = {
        codec.decode(r.value).date
        for log in hub.log.values()
        for r in log
        if b"DayStarted" in codec.decode(r.value).__class__.__name__.encode()
    }
    assert set(closed.values()) == {1}
    assert {region for region, _ in closed} == set(hub.reference.codes)
    assert {day for _, day in closed} == started


def test_sequences_per_destination_and_region_have_no_gaps() -> None:
    """What a recipient checks."""
    last: dict[tuple[str, bytes], int] = {}
    for facts in a_nation().facts.values():
        for fact in facts:
            headers = dict(fact.headers)
            if "ce_hubdest" in headers:
                key = (headers["ce_hubdest"].decode(), fact.key)
                assert int(headers["ce_sequence"]) == last.get(key, 0) + 1
                last[key] = last.get(key, 0) + 1
    assert last


@pytest.mark.parametrize("every", [1, 7, 101])
@pytest.mark.parametrize("fold", FOLDS)
def test_restoring_after_every_kth_event_changes_no_byte(fold: str, every: int) -> None:
    """Whatever the order of dicts, the batch or the snapshot: the same facts, the same hash."""
    hub = a_nation()
    for (topic, partition), log in hub.log.items():
        if topic != FOLDS[fold].log_topic:
            continue
        limit = 400 if every == 1 else len(log)
        machine, parts = FOLDS[fold].machine(hub.reference, partition), dict[bytes, bytes]()
        seen: list[Any] = []
        for start in range(0, limit, every):
            seen += machine.apply(log[start : min(limit, start + every)])
            taken = machine.snapshot()
            for key, value in taken.parts.items():
                if value is None:
                    parts.pop(key)
                else:
                    parts[key] = value
            machine = FOLDS[fold].machine(hub.reference, partition)
            machine.restore(parts, taken.marker)
        whole: Machine[Any] = FOLDS[fold].machine(hub.reference, partition)
        assert [(x.value, x.headers) for x in seen] == [(x.value, x.headers) for x in whole.apply(log[:limit])]
        whole.snapshot()
        machine.snapshot()
        assert machine.state_hash() == whole.state_hash()


def test_a_package_never_learns_the_counterparty_of_a_duplicate() -> None:
    """No other provider, no reasons, no score."""
    hub = a_nation()
    for fact in hub.decoded():
        if isinstance(fact, f.DuplicateSignalled) and fact.audience == "package":
            assert len(fact.providers) <= 1 and not fact.reasons and fact.score_millibits == 0
