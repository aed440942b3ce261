"""Every missed day is sent, in order, and no day twice."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from aiokafka import TopicPartition
from confluent_kafka.admin import NewTopic

from hub.contracts import catalogue
from hub.contracts.codec import decode, encode
from hub.domain.events import DayStarted
from hub.domain.facts import DayClosed
from hub.domain.identifiers import TenantId
from hub.domain.reference import Role, Tenant
from hub.local.kafka import KafkaCluster
from hub.streams.clock import Clock, clock_tenant, missed_days
from hub.streams.connection import Connection, read_to_end, reading
from hub.streams.producer import Publisher, Record
from tests.contracts.examples import example
from tests.contracts.world import REFERENCE


@pytest.mark.parametrize(
    ("last", "sent"),
    [
        (None, [date(2026, 3, 2)]),
        (date(2026, 3, 1), [date(2026, 3, 2)]),
        (date(2026, 2, 27), [date(2026, 2, 28), date(2026, 3, 1), date(2026, 3, 2)]),
        (date(2026, 3, 2), []),
        (date(2026, 3, 3), []),
    ],
)
def test_the_days_since_the_last_closed_one_are_sent(last: date | None, sent: list[date]) -> None:
    """Today alone when no day was ever closed; nothing when today was sent."""
    assert list(missed_days(last, date(2026, 3, 2))) == sent


@pytest.mark.kafka
async def test_a_clock_that_was_away_for_a_year_goes_on_where_the_regions_stand(
    cluster: KafkaCluster, connection: Connection
) -> None:
    """They take only the day after their last, so what says which one that is never expires."""
    own = replace(REFERENCE, tenants=(Tenant(TenantId("clock-away"), Role.CLOCK),))  # the other tests have the other
    tenant, last = clock_tenant(own), date(2026, 3, 2)
    inbox, days = (TopicPartition(name, 0) for name in (catalogue.inbox(tenant), catalogue.out_topic("days", tenant)))
    configs = {row.name: row.config for row in catalogue.topics_for(own)}
    assert configs[days.topic]["retention.ms"] == "-1"
    admin = cluster.admin()  # held while its answers are awaited
    for made in admin.create_topics(
        [NewTopic(one.topic, 1, 1, config=configs[one.topic]) for one in (inbox, days)]
    ).values():
        made.result(30)
    publisher = Publisher(connection.producer())
    await connection.start(publisher.producer)
    await publisher.publish(days, [Record(b"KSV-01", encode(example(DayClosed, date=last)))])
    await publisher.producer.stop()
    today = last + timedelta(days=365)
    clock = Clock(own, connection, lambda: datetime(today.year, today.month, today.day, 12, tzinfo=UTC))
    await clock.start()
    await clock.send_due()
    await clock.stop()
    async with reading(connection) as consumer:
        sent = [decode(record.value) async for record in read_to_end(consumer, {inbox: None})]
    assert sent == [DayStarted(date=last + timedelta(days=n)) for n in range(1, 366)]
