"""How many dead letters each tenant has, as a gauge: looked up now and then by intake, which writes those topics.

What is mended stays on its topic until it expires, so this counts what is kept; `hub dlq list` knows which are open.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from hub.contracts import catalogue
from hub.domain.reference import Reference
from hub.streams.connection import Connection, reading
from hub.streams.metrics import DEAD_LETTERS_KEPT

LOOK_S: Final = 15.0


@contextlib.asynccontextmanager
async def told(connection: Connection, reference: Reference) -> AsyncIterator[None]:
    """Keep the gauge true while the block lasts."""
    tenants = [row.tenant for row in reference.tenant.values()]
    names = {topic.name for topic in catalogue.topics_for(reference)}
    places = {TopicPartition(name, 0): t for t in tenants if (name := catalogue.dead_letters(t)) in names}
    async with reading(connection) as consumer:
        looking = asyncio.create_task(_look(consumer, places))
        try:
            yield
        finally:
            looking.cancel()
            await asyncio.gather(looking, return_exceptions=True)


async def _look(consumer: AIOKafkaConsumer, places: Mapping[TopicPartition, str]) -> None:
    while True:
        with contextlib.suppress(Exception):  # brokers that are away: the gauge keeps what it knew
            first = await consumer.beginning_offsets(list(places))
            ends = await consumer.end_offsets(list(places))
            for place, tenant in places.items():
                DEAD_LETTERS_KEPT.labels(tenant).set(ends[place] - first[place])
        await asyncio.sleep(LOOK_S)
