"""Delivery copies bytes by header, and what leaves says nothing about our logs."""

import asyncio
from typing import Any

from aiokafka import TopicPartition
from aiokafka.structs import ConsumerRecord

from hub.settings import Limits
from hub.streams.connection import Connection
from hub.streams.delivery import CompactedRelay, delivered_id, route_to_compacted, route_to_tenants
from hub.streams.producer import Publisher
from tests.contracts.world import REFERENCE


def fact(destination: bytes | None, **more: bytes) -> Any:
    """A fact as the region fold publishes it."""
    headers = {
        "ce_specversion": b"1.0",
        "ce_id": b"g1/region/1/5/0",
        "ce_source": b"urn:x",
        "ce_type": b"nl.kraamzorg.receipt-issued.v1",
        "ce_time": b"2026-03-02T09:00:00.000Z",
        "ce_hubpos": b"1/5/0",
        **more,
    }
    if destination is not None:
        headers |= {"ce_hubdest": destination, "ce_sequence": b"3"}
    return ConsumerRecord("region-facts", 1, 9, 42, 0, b"KSV-02", b"bytes", None, 6, 5, tuple(headers.items()))


def test_a_fact_is_copied_byte_for_byte_to_the_topic_that_it_names() -> None:
    """Delivery decides nothing."""
    (piece,) = route_to_tenants(fact(b"out.receipts.pkg-a", ce_hubsrc=b"inbox.pkg-a/7"))
    assert piece.target == TopicPartition("out.receipts.pkg-a", 0)
    assert (piece.record.key, piece.record.value, piece.record.timestamp_ms) == (b"KSV-02", b"bytes", 42)
    headers = dict(piece.record.headers)
    assert headers["ce_hubsrc"] == b"inbox.pkg-a/7"
    assert (headers["ce_sequence"], headers["ce_hubregion"]) == (b"3", b"KSV-02")


def test_positions_of_our_logs_do_not_leave() -> None:
    """They would tell a tenant how much everybody else sends."""
    (piece,) = route_to_tenants(fact(b"out.signals.pkg-a"))
    headers = dict(piece.record.headers)
    assert "ce_hubpos" not in headers
    assert "ce_hubsrc" not in headers
    assert headers["ce_id"] == delivered_id("out.signals.pkg-a", "KSV-02", 3).encode()


def test_a_fact_without_destination_stays() -> None:
    """Settlements are for the hub's own machines."""
    assert list(route_to_tenants(fact(None))) == list(route_to_compacted(fact(None))) == []


def test_compacted_topics_are_left_to_the_relay_with_transactions() -> None:
    """There a repeat must not come last."""
    status = fact(b"region-status", ce_type=b"nl.kraamzorg.region-status-changed.v1")
    assert list(route_to_tenants(status)) == []
    (piece,) = route_to_compacted(status)
    assert piece.record.key == b"KSV-02"


def test_a_compacted_copy_takes_the_key_that_the_fact_names() -> None:
    """A plan must not replace a guideline."""
    (piece,) = route_to_compacted(fact(b"in-force", ce_hubkey=b"KSV-02/guideline/2026-05"))
    assert piece.record.key == b"KSV-02/guideline/2026-05"


async def test_a_rebalance_does_not_wait_for_producers_that_cannot_leave() -> None:
    """Their broker may be away; all are asked at once, and nobody is waited for longer than a revocation may take."""
    asked = []

    class Stuck:
        """A producer whose broker is away."""

        async def stop(self) -> None:
            asked.append(self)
            await asyncio.Event().wait()

    job = CompactedRelay("compacted", "g", REFERENCE, Connection("", "", "", limits=Limits(revocation_wait_s=0.01)))
    job._publishers = {TopicPartition("region-facts", number): Publisher(Stuck()) for number in range(3)}
    async with asyncio.timeout(30):
        await job.drop()
    assert len(asked) == 3
