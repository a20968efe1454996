"""`ratesgraph worker --until-empty`: the worker ends when nothing is left to do."""

import asyncio

import pytest

from db.connection import Connection
from db.repositories import batches
from domain.batches import BatchStatus
from ingest.tree import change_tree
from ingest.worker import run_worker
from tests.support.batches.queue import WORLD, accept, get_batch
from tests.support.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.anyio


async def test_worker_until_empty_ends_after_the_last_batch(connection: Connection, database_url: str) -> None:
    await change_tree(connection, WORLD.entries())
    ids = [await accept(connection) for _ in range(5)]
    await asyncio.wait_for(run_worker(database_url, asyncio.Event(), until_empty=True), DEADLINE_SECONDS)
    assert {(await get_batch(connection, batch_id)).status for batch_id in ids} == {BatchStatus.APPLIED}


async def test_worker_until_empty_waits_for_a_batch_that_another_worker_applies(
    connection: Connection, database_url: str
) -> None:
    await change_tree(connection, WORLD.entries())
    batch_id = await accept(connection)
    async with connection.transaction():
        # As if another worker had claimed it, and then died: its transaction is rolled back.
        await batches.claim_batch(connection, batch_id)
        working = asyncio.create_task(run_worker(database_url, asyncio.Event(), until_empty=True))
        done, _ = await asyncio.wait([working], timeout=1)
        assert not done
    await connection.execute("UPDATE price_batches SET next_attempt_at = now() WHERE id = %s", (batch_id,))
    await asyncio.wait_for(working, DEADLINE_SECONDS)
    assert (await get_batch(connection, batch_id)).status is BatchStatus.APPLIED
