"""Periodic maintenance of a worker, which delays no batch."""

import asyncio

import pytest

from db.connection import Connection
from db.repositories import payloads
from domain.batches import BatchStatus, Payload
from ingest import maintenance
from ingest.tree import change_tree
from ingest.worker import run_worker
from tests.support.batches.queue import LINE, WORLD, accept, count_prices, wait_for
from tests.support.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.anyio


async def test_worker_deletes_payloads_after_the_retention_period(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await change_tree(connection, WORLD.entries())
    monkeypatch.setattr(maintenance, "MAINTENANCE_SECONDS", 0.05)
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(database_url, stop, payload_days=7))
    old, new = await accept(connection), await accept(connection)
    await wait_for(connection, new, BatchStatus.APPLIED)
    await connection.execute("UPDATE price_batches SET ended_at = now() - interval '8 days' WHERE id = %s", (old,))
    async with asyncio.timeout(DEADLINE_SECONDS):
        # The test waits for a change in the database, where no event can be set.
        while await payloads.find_payload(connection, old) is not None:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    stop.set()
    await asyncio.wait_for(working, DEADLINE_SECONDS)
    assert await payloads.find_payload(connection, new) == Payload("ndjson", 1, len(LINE))
    assert await count_prices(connection) == 2
