"""Reverts of batches that are waiting, being applied, or being reverted by another caller."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from db.connection import Connection
from db.pool import INGEST, Pool, open_pool
from domain.batches import BatchStatus
from ingest import worker
from ingest.batches.apply import apply_slices
from ingest.batches.revert import revert_batch
from ingest.tree import change_tree
from ingest.worker import process_next_batch
from tests.support.batches.queue import WORLD, accept, count_prices, get_batch
from tests.support.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.anyio

AT_ONCE_SECONDS = 20.0
"""Far below the lock timeout of a minute, and above the duration of a query on a busy machine."""


@pytest.fixture
async def pool(database_url: str, connection: Connection) -> AsyncIterator[Pool]:
    """A pool over two ports."""
    await change_tree(connection, WORLD.entries())
    async with open_pool(database_url, INGEST, max_size=10) as pool:
        yield pool


async def revert(pool: Pool, batch_id: int) -> BatchStatus | None:
    """Revert the batch and return its previous status."""
    async with pool.connection() as connection:
        return await revert_batch(connection, batch_id)


async def test_revert_leaves_a_queued_batch_in_the_queue(connection: Connection, pool: Pool) -> None:
    batch_id = await accept(connection)
    assert await revert(pool, batch_id) is BatchStatus.QUEUED
    assert await process_next_batch(pool)
    assert await count_prices(connection) == 1
    assert await revert(pool, batch_id + 1) is None


async def test_revert_does_not_wait_for_a_batch_that_is_being_applied(
    connection: Connection, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_started, may_end = asyncio.Event(), asyncio.Event()

    async def apply_slowly(*arguments: object, **options: object) -> object:
        has_started.set()
        await may_end.wait()
        return await apply_slices(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(worker, "apply_slices", apply_slowly)
    batch_id = await accept(connection)
    working = asyncio.create_task(process_next_batch(pool))
    await asyncio.wait_for(has_started.wait(), DEADLINE_SECONDS)
    async with asyncio.timeout(AT_ONCE_SECONDS):
        assert await asyncio.gather(*(revert(pool, batch_id) for _ in range(4))) == [BatchStatus.RUNNING] * 4
    may_end.set()
    assert await working
    # The refused reverts have left nothing behind: the batch is applied, and can be reverted once.
    assert (await get_batch(connection, batch_id)).status is BatchStatus.APPLIED
    assert await count_prices(connection) == 1
    assert await revert(pool, batch_id) is BatchStatus.APPLIED
    assert await count_prices(connection) == 0


async def test_parallel_reverts_of_a_batch_revert_it_once(connection: Connection, pool: Pool) -> None:
    for _ in range(3):
        batch_id = await accept(connection)
        assert await process_next_batch(pool)
        statuses = await asyncio.gather(*(revert(pool, batch_id) for _ in range(8)))
        assert sorted(statuses, key=str) == [BatchStatus.APPLIED] + [BatchStatus.REVERTED] * 7
        assert await count_prices(connection) == 0
