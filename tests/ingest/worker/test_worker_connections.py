"""An attempt that ends for reasons outside the batch does not count against it."""

import pytest

from db.connection import Connection
from db.errors import ConnectionLost, DatabaseError, DatabaseUnavailable, ServerBusy
from db.pool import INGEST, Pool, open_pool
from db.repositories.batches import Attempt
from domain.batch_size import DEFAULT_LIMITS, BatchLimits
from domain.batches import BatchStatus
from ingest import worker
from ingest.tree import change_tree
from ingest.worker import apply_batch, process_next_batch
from tests.support.batches.queue import WORLD, accept, get_batch
from tests.support.faults.database_proxy import running_database_proxy

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("error", [ServerBusy, DatabaseUnavailable])
async def test_worker_releases_its_batch_when_no_connection_is_available(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch, error: type[DatabaseError]
) -> None:
    async def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(worker, "apply_batch", fail)
    batch_id = await accept(connection)
    async with open_pool(database_url, INGEST, max_size=2) as pool:
        with pytest.raises(error):
            await process_next_batch(pool)
    batch = await get_batch(connection, batch_id)
    assert (batch.status, batch.attempts, batch.failure) == (BatchStatus.QUEUED, 0, None)


async def test_worker_releases_its_batch_after_an_outage_that_interrupted_it(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await change_tree(connection, WORLD.entries())
    batch_id = await accept(connection)
    interrupted: set[Attempt] = set()
    with running_database_proxy(database_url) as (proxy, url):
        server = proxy.server

        async def lose_database(pool: Pool, batch_id: int, limits: BatchLimits) -> bool:
            proxy.server = None
            proxy.cut()
            return await apply_batch(pool, batch_id, limits)

        async with open_pool(url, INGEST, max_size=2, outage_seconds=0.1) as pool:
            with monkeypatch.context() as patch:
                patch.setattr(worker, "apply_batch", lose_database)
                with pytest.raises(ConnectionLost):
                    await process_next_batch(pool, DEFAULT_LIMITS, interrupted)
            batch = await get_batch(connection, batch_id)
            assert (batch.status, batch.attempts) == (BatchStatus.RUNNING, 1)
            proxy.server = server
            pool._outage._seconds = 20
            assert await process_next_batch(pool, DEFAULT_LIMITS, interrupted)
    batch = await get_batch(connection, batch_id)
    assert (batch.status, batch.attempts, interrupted) == (BatchStatus.APPLIED, 1, set())


async def test_worker_does_not_release_a_later_attempt_of_another_worker(
    connection: Connection, database_url: str
) -> None:
    batch_id = await accept(connection)
    await connection.execute(
        "UPDATE price_batches SET status = 'RUNNING', attempts = 2, next_attempt_at = now() + '9 s'"
    )
    async with connection.transaction():
        # The other worker is applying the batch, so a release that waited for it would last long.
        await connection.execute("SELECT FROM price_batches FOR UPDATE")
        async with open_pool(database_url, INGEST, max_size=2) as pool:
            assert not await process_next_batch(pool, DEFAULT_LIMITS, {Attempt(batch_id, 1)})
    batch = await get_batch(connection, batch_id)
    assert (batch.status, batch.attempts) == (BatchStatus.RUNNING, 2)


async def test_worker_retries_at_once_if_another_one_has_just_locked_the_batch(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def apply_locked(pool: Pool, batch_id: int, limits: BatchLimits) -> bool:
        async with connection.transaction():
            await connection.execute("SELECT FROM price_batches FOR UPDATE")
            return await apply_batch(pool, batch_id, limits)

    await change_tree(connection, WORLD.entries())
    batch_id = await accept(connection)
    async with open_pool(database_url, INGEST, max_size=2) as pool:
        with monkeypatch.context() as patch:
            patch.setattr(worker, "apply_batch", apply_locked)
            assert await process_next_batch(pool)
        assert await process_next_batch(pool)
    batch = await get_batch(connection, batch_id)
    assert (batch.status, batch.attempts) == (BatchStatus.APPLIED, 1)
