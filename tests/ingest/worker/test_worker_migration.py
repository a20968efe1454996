"""Worker without the current schema: it waits for the migration and says so once."""

import asyncio
import logging

import psycopg
import pytest

from db.connection import Connection
from db.errors import MigrationNeeded
from db.migrate import migrate
from db.pool import INGEST, connect, open_pool
from domain.batches import BatchStatus
from ingest import maintenance, worker
from ingest.tree import change_tree
from ingest.worker import process_next_batch, run_worker
from tests.support.batches.queue import WORLD, accept, get_batch, wait_for
from tests.support.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.anyio


async def test_worker_waits_for_the_migration_and_reports_it_once(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(maintenance, "MAINTENANCE_SECONDS", 0.02)
    stop = asyncio.Event()
    with caplog.at_level(logging.WARNING, logger="ratesgraph.worker"):
        working = asyncio.create_task(run_worker(empty_database_url, stop, concurrency=2))
        # Many polls of both consumers and of the maintenance.
        await asyncio.sleep(0.5)
        (message,) = [record.getMessage() for record in caplog.records]
        assert message.endswith(
            ": the schema public has no current Ratesgraph tables. Run `ratesgraph migrate` first. The worker waits until then."
        )
        assert caplog.records[0].exc_info is None
        await asyncio.to_thread(migrate, empty_database_url)
        async with connect(empty_database_url, INGEST) as connection:
            await change_tree(connection, WORLD.entries())
            await wait_for(connection, await accept(connection), BatchStatus.APPLIED)
        stop.set()
        await asyncio.wait_for(working, DEADLINE_SECONDS)


async def test_outdated_schema_does_not_count_as_an_attempt(connection: Connection, database_url: str) -> None:
    await change_tree(connection, WORLD.entries())
    batch_id = await accept(connection)
    with psycopg.connect(database_url) as other:
        other.execute("ALTER TABLE prices RENAME TO elsewhere")
    async with open_pool(database_url, INGEST, max_size=2) as pool:
        with pytest.raises(MigrationNeeded):
            await process_next_batch(pool)
    batch = await get_batch(connection, batch_id)
    assert (batch.status, batch.failure) == (BatchStatus.QUEUED, None)
