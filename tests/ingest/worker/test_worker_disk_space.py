"""A worker on a full disk: batches wait, and no attempt counts against them."""

import asyncio
from pathlib import Path

import pytest

from db.connection import Connection
from db.embedded.disk_space import DiskSpace
from domain.batches import BatchStatus
from ingest import worker
from ingest.tree import change_tree
from ingest.worker import run_worker
from tests.support.batches.queue import WORLD, accept, get_batch, wait_for
from tests.support.databases.disk_full import raise_disk_full
from tests.support.waiting import eventually

pytestmark = pytest.mark.anyio


async def test_worker_retries_a_batch_that_met_a_full_disk(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(worker, "DISK_FULL_SECONDS", 0.1)
    await change_tree(connection, WORLD.entries())
    stop = asyncio.Event()
    with raise_disk_full(database_url, "prices"):
        working = asyncio.create_task(run_worker(database_url, stop))
        batch_id = await accept(connection)
        message = "database disk is full; retrying in 0.1 s"
        await asyncio.to_thread(eventually, lambda: caplog.messages.count(message) > worker.MAX_ATTEMPTS, message)
        assert (await get_batch(connection, batch_id)).status in {BatchStatus.QUEUED, BatchStatus.RUNNING}
    batch = await wait_for(connection, batch_id, BatchStatus.APPLIED)
    assert (batch.attempts, batch.failure) == (1, None)
    stop.set()
    await working


async def test_worker_begins_no_batch_below_the_reserve(
    connection: Connection, database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await change_tree(connection, WORLD.entries())
    batch_id = await accept(connection)
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(database_url, stop, disk_space=DiskSpace(tmp_path, 2**62)))
    await asyncio.to_thread(eventually, lambda: "disk is full" in caplog.messages, "not logged")
    stop.set()
    await working
    batch = await get_batch(connection, batch_id)
    assert (batch.status, batch.attempts) == (BatchStatus.QUEUED, 0)
