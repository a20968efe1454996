"""Batches in the queue: insert, count, wait for a worker."""

import asyncio
from datetime import date

from db.connection import Connection
from db.repositories import batches, locations, payloads, totals
from domain.batches import BatchStatus, OnError, PriceBatch
from domain.locations import Lane
from domain.prices import DateRange
from ingest.verify import verify
from tests.support.waiting import DEADLINE_SECONDS
from tests.support.worlds import World, by_key

WORLD = World({"top": None, "AAAAA": "top", "BBBBB": "top"}, {"AAAAA", "BBBBB"})


DAY = date(2024, 1, 1)


LINE = b'{"origin":"AAAAA","destination":"BBBBB","date_from":"2024-01-01","price":"10"}'


async def accept(connection: Connection, data: bytes = LINE, file_format: str = "ndjson") -> int:
    """Insert a batch into the queue and announce it."""
    async with connection.transaction():
        batch_id = await batches.insert_batch(
            connection, on_error=OnError.REJECT_BATCH, source="test", idempotency_key=None, payload_sha256=b""
        )
        assert batch_id is not None
        await payloads.insert_payload(connection, batch_id=batch_id, part=0, format=file_format, data=data)
        await batches.announce_batch(connection)
    return batch_id


async def get_batch(connection: Connection, batch_id: int) -> PriceBatch:
    """Return the batch."""
    (batch,) = await batches.get_batches(connection, [batch_id])
    return batch


async def count_prices(connection: Connection) -> int:
    """Verify all totals and return the number of prices of the day at the root of the tree."""
    assert [found async for _, found in verify(connection) if found] == []
    top = by_key(await locations.list_locations(connection))["top"].id
    [days] = await totals.select_day_totals(connection, [(Lane(top, top), DateRange(DAY, DAY))])
    return sum(days.counts)


async def wait_for(connection: Connection, batch_id: int, status: BatchStatus) -> PriceBatch:
    """Wait until the batch has the status and return it."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        # The status is in the database, for which no event exists.
        while (batch := await get_batch(connection, batch_id)).status is not status:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return batch
