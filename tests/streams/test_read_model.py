"""The read model: every fact counted once, whoever applies it, and nothing of a client in it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
import redis
from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord
from prometheus_client import REGISTRY

from hub.contracts.codec import encode
from hub.domain import facts as f
from hub.domain.words import AlertState, ReceiptOutcome
from hub.streams.read_model import (
    CLOSED_ALERTS,
    CLOSED_ALERTS_MAX,
    COUNTS,
    DAYS,
    HISTORY,
    LIVE,
    OPEN_ALERTS,
    POSITIONS,
    STATUS,
    ReadModel,
)
from tests.contracts.examples import example
from tests.contracts.world import REFERENCE

SOURCE = TopicPartition("region-facts", 0)


class Consumer:
    """Stands in for the group member: remembers where it was sent."""

    def __init__(self) -> None:
        self.sought: dict[TopicPartition, int] = {}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self.sought[partition] = offset


def records(*facts: Any, start: int = 0, positions: Sequence[int] | None = None) -> list[Any]:
    """Facts as the topic holds them, one position each."""
    return [
        ConsumerRecord(
            SOURCE.topic,
            SOURCE.partition,
            start + at,
            42,
            0,
            b"KSV-01",
            encode(fact),
            None,
            6,
            0,
            (("ce_hubpos", b"0/%d/0" % (start + at if positions is None else positions[at])),),
        )
        for at, fact in enumerate(facts)
    ]


RECEIPT = example(f.ReceiptIssued, outcome=ReceiptOutcome.ACCEPTED, code="applied", record_id="secret-7")


async def loaded(redis_url: str) -> tuple[ReadModel, Consumer]:
    model, consumer = ReadModel("read-model", "g", REFERENCE, redis_url), Consumer()
    await model.open()
    await model.load(consumer, [SOURCE])
    return model, consumer


def held(redis_url: str) -> Any:
    return redis.Redis.from_url(redis_url, decode_responses=True)


async def test_what_a_page_shows_is_there_after_one_batch(redis_url: str) -> None:
    """Status, day, alert and counts, and the same on the live stream."""
    model, _ = await loaded(redis_url)
    status = example(f.RegionStatusChanged)
    day = example(f.DayClosed, date=date(2026, 3, 2), waiting=3)
    alert = example(f.AlertChanged, state=AlertState.OPENED, alert_id="a1", recipient="")
    await model.handle({SOURCE: records(status, day, alert, RECEIPT)})
    kept = held(redis_url)
    assert json.loads(kept.hget(STATUS, "KSV-01"))["computed"] == status.computed
    assert json.loads(kept.hget(DAYS, "KSV-01"))["waiting"] == 3
    assert list(kept.hgetall(OPEN_ALERTS)) == ["KSV-01/a1"]
    assert kept.hgetall(COUNTS) == {"receipts/accepted/applied": "1"}
    assert [fields["kind"] for _, fields in kept.xrange(LIVE)] == ["status", "day", "alert", "counts"]
    await model.close()


async def test_a_closed_alert_leaves_the_list(redis_url: str) -> None:
    """The stream still tells that it closed."""
    model, _ = await loaded(redis_url)
    opened, closed = (
        example(f.AlertChanged, state=state, alert_id="a1", recipient="")
        for state in (AlertState.OPENED, AlertState.CLOSED)
    )
    await model.handle({SOURCE: records(opened, closed)})
    assert held(redis_url).hgetall(OPEN_ALERTS) == {}
    assert held(redis_url).xlen(LIVE) == 2
    await model.close()


async def test_a_batch_that_somebody_else_has_applied_changes_nothing_and_seeks_on(redis_url: str) -> None:
    """Two relays after a rebalance: the slower one is refused by the script."""
    slow, slow_consumer = await loaded(redis_url)
    fast, _ = await loaded(redis_url)
    await fast.handle({SOURCE: records(RECEIPT, RECEIPT, RECEIPT)})
    await slow.handle({SOURCE: records(RECEIPT, RECEIPT)})
    assert held(redis_url).hget(COUNTS, "receipts/accepted/applied") == "3"
    assert slow_consumer.sought[SOURCE] == 3
    await slow.handle({SOURCE: records(RECEIPT, start=3)})
    assert held(redis_url).hget(COUNTS, "receipts/accepted/applied") == "4"
    await slow.close()
    await fast.close()


async def test_a_fact_that_was_published_twice_counts_once(redis_url: str) -> None:
    """A region fold repeats facts after a crash; their positions are the same. Also over a restart of the relay."""
    model, _ = await loaded(redis_url)
    await model.handle({SOURCE: records(RECEIPT, RECEIPT, RECEIPT, positions=[5, 6, 5])})
    await model.close()
    again, consumer = await loaded(redis_url)
    assert consumer.sought[SOURCE] == 3
    await again.handle({SOURCE: records(RECEIPT, RECEIPT, start=3, positions=[6, 7])})
    assert held(redis_url).hget(COUNTS, "receipts/accepted/applied") == "3"
    await again.close()


async def test_every_receipt_is_counted_by_its_code_for_whoever_watches(redis_url: str) -> None:
    """What a region refuses has no dead letter, so this is where it shows."""

    def counted() -> float:
        return REGISTRY.get_sample_value("hub_receipts_total", {"outcome": "refused", "code": "no_mandate"}) or 0.0

    before = counted()
    model, _ = await loaded(redis_url)
    refused = replace(RECEIPT, outcome=ReceiptOutcome.REFUSED, code="no_mandate")
    await model.handle({SOURCE: records(refused, RECEIPT, refused, refused, positions=[5, 6, 7, 7])})
    assert counted() == before + 2
    await model.close()


async def test_after_a_flush_it_is_built_anew(redis_url: str) -> None:
    """The position lives where the data lives."""
    model, consumer = await loaded(redis_url)
    await model.handle({SOURCE: records(RECEIPT)})
    held(redis_url).flushall()
    await model.handle({SOURCE: records(RECEIPT, start=1)})
    assert consumer.sought[SOURCE] == 0
    await model.handle({SOURCE: records(RECEIPT, RECEIPT)})
    assert held(redis_url).hget(COUNTS, "receipts/accepted/applied") == "2"
    assert held(redis_url).hget(POSITIONS, "facts/0") == "2"
    await model.close()


async def test_a_flush_is_noticed_without_a_new_fact(redis_url: str) -> None:
    """A page must not stay empty until somebody sends something."""
    model, consumer = await loaded(redis_url)
    await model.handle({SOURCE: records(RECEIPT)})
    held(redis_url).flushall()
    await model.settle()
    assert consumer.sought[SOURCE] == 0
    await model.close()


async def test_a_batch_that_begins_before_its_position_counts_what_is_new(redis_url: str) -> None:
    """A reader that is given records again may find old and new ones in one batch."""
    model, _ = await loaded(redis_url)
    await model.handle({SOURCE: records(RECEIPT)})
    await model.handle({SOURCE: records(RECEIPT, RECEIPT, RECEIPT)})
    assert held(redis_url).hget(COUNTS, "receipts/accepted/applied") == "3"
    await model.close()


async def test_no_id_of_a_record_is_kept(redis_url: str) -> None:
    """Whoever reads Redis learns how many, never who."""
    model, _ = await loaded(redis_url)
    stated = example(f.AllocationStated, waiting_id="secret-8", recipient="ksv-01")
    signal = example(f.DuplicateSignalled, own_record_ids=("secret-10",), recipient="ksv-01")
    await model.handle({SOURCE: records(RECEIPT, stated, signal)})
    kept = held(redis_url)
    everything = json.dumps(
        [kept.hgetall(key) if kept.type(key) == "hash" else kept.xrange(key) for key in kept.scan_iter()]
    )
    assert "allocations/KSV-01" in everything
    assert "secret" not in everything
    await model.close()


async def test_a_redis_that_is_away_is_called_by_its_name() -> None:
    """Nothing is acknowledged by that."""
    from hub.errors import WorldUnavailable

    model = ReadModel("read-model", "g", REFERENCE, "redis://127.0.0.1:1/0")
    with pytest.raises(WorldUnavailable, match="Redis does not answer"):
        await model.open()
    await model.close()


async def test_the_day_on_which_a_colour_changed_is_kept_and_the_days_after_it_are_not(redis_url: str) -> None:
    """One line for a day of change, with the last word of that day."""
    model, _ = await loaded(redis_url)
    day = date(2026, 3, 2)
    status = example(f.RegionStatusChanged, date=day, computed_since=day, computed="orange", caused_by="ClaimJudged")
    later = example(f.RegionStatusChanged, date=date(2026, 3, 3), computed_since=day, computed="orange")
    red = example(f.RegionStatusChanged, date=day, computed_since=day, computed="red_a", caused_by="MeasureReported")
    await model.handle({SOURCE: records(status, red, later)})
    held: Any = redis.Redis.from_url(redis_url, decode_responses=True).hgetall(HISTORY)
    assert list(held) == ["KSV-01/2026-03-02"]
    told = json.loads(held["KSV-01/2026-03-02"])
    assert (told["computed"], told["caused_by"]) == ("red_a", "MeasureReported")


async def test_of_each_region_the_last_hundred_days_of_change_are_kept(redis_url: str) -> None:
    """In the order of the days, and another region's are left alone."""
    model, _ = await loaded(redis_url)
    held(redis_url).hset(HISTORY, mapping={"KSV-010/2020-01-01": "{}", "KSV-01/2020-01-01": "{}"})
    days = [date(2026, 3, 2) + timedelta(days=n) for n in range(100)]
    await model.handle({SOURCE: records(*(example(f.RegionStatusChanged, date=d, computed_since=d) for d in days))})
    assert sorted(held(redis_url).hkeys(HISTORY)) == [*(f"KSV-01/{day}" for day in days), "KSV-010/2020-01-01"]
    await model.close()


async def test_closed_alerts_are_kept_newest_first_up_to_a_bound(redis_url: str) -> None:
    """Open ones leave their place for the list of those that are over."""
    model, _ = await loaded(redis_url)
    closed = [
        example(f.AlertChanged, recipient="", alert_id=f"a{n}", state=AlertState.CLOSED)
        for n in range(CLOSED_ALERTS_MAX + 3)
    ]
    await model.handle({SOURCE: records(*closed)})
    held: Any = redis.Redis.from_url(redis_url, decode_responses=True).lrange(CLOSED_ALERTS, 0, -1)
    assert len(held) == CLOSED_ALERTS_MAX
    assert json.loads(held[0])["alert_id"] == f"a{CLOSED_ALERTS_MAX + 2}"
