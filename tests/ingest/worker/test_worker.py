"""Batch queue and workers: no batch is lost or applied twice, every failure has a reason."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
from polars.exceptions import PanicException

from db.connection import Connection
from db.notifications import BATCHES, QUEUE, open_notifications
from db.pool import INGEST, Pool, open_pool
from db.repositories import batches
from domain.batches import BatchStatus, OnError
from ingest import worker
from ingest.readers import line_blocks
from ingest.tree import change_tree
from ingest.worker import MAX_ATTEMPTS, apply_batch, process_next_batch, run_worker
from tests.support.batches.queue import LINE, WORLD, accept, count_prices, get_batch, wait_for
from tests.support.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pool(database_url: str, connection: Connection) -> AsyncIterator[Pool]:
    """A pool over two ports."""
    await change_tree(connection, WORLD.entries())
    async with open_pool(database_url, INGEST, max_size=6) as pool:
        yield pool


async def make_due(connection: Connection) -> None:
    """Move the time of the next attempt of all batches to now."""
    await connection.execute("UPDATE price_batches SET next_attempt_at = now() WHERE status IN ('QUEUED', 'RUNNING')")


async def test_worker_applies_batches_in_arrival_order(connection: Connection, pool: Pool) -> None:
    first, second = await accept(connection), await accept(connection)
    assert await process_next_batch(pool)
    assert (await get_batch(connection, first)).status is BatchStatus.APPLIED
    assert (await get_batch(connection, second)).status is BatchStatus.QUEUED
    assert await process_next_batch(pool)
    assert not await process_next_batch(pool)
    assert await count_prices(connection) == 2


@pytest.mark.usefixtures("pool")
async def test_worker_starts_on_a_notification_and_announces_the_end_of_a_batch(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without polling, only a notification can wake the worker.
    monkeypatch.setattr(worker, "POLL_SECONDS", 3_600)
    stop = asyncio.Event()
    async with open_notifications(database_url, BATCHES) as notifications:
        working = asyncio.create_task(run_worker(database_url, stop))
        first = await accept(connection)
        await wait_for(connection, first, BatchStatus.APPLIED)
        with notifications.subscribe(BATCHES, str(first + 1)) as ended:
            assert await accept(connection) == first + 1
            await asyncio.wait_for(ended.wait(), DEADLINE_SECONDS)
        stop.set()
        await asyncio.wait_for(working, DEADLINE_SECONDS)
    assert await count_prices(connection) == 2


@pytest.mark.usefixtures("pool")
async def test_worker_polls_the_queue_without_notifications(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "QUEUE", "nobody_announces_here")
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.05)
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(database_url, stop))
    await wait_for(connection, await accept(connection), BatchStatus.APPLIED)
    stop.set()
    await asyncio.wait_for(working, DEADLINE_SECONDS)


@pytest.mark.usefixtures("pool")
async def test_worker_concurrency_applies_every_batch_once(connection: Connection, database_url: str) -> None:
    stop = asyncio.Event()
    working = [asyncio.create_task(run_worker(database_url, stop, concurrency=2)) for _ in range(3)]
    try:
        ids = [await accept(connection) for _ in range(40)]
        for batch_id in ids:
            await wait_for(connection, batch_id, BatchStatus.APPLIED)
    finally:
        # Workers that are only cancelled could keep a failed test from ending.
        stop.set()
        await asyncio.wait_for(asyncio.gather(*working), DEADLINE_SECONDS)
    assert await count_prices(connection) == 40


async def test_worker_skips_a_batch_locked_by_another_process(connection: Connection, pool: Pool) -> None:
    batch_id = await accept(connection)
    async with connection.transaction():
        assert await batches.claim_batch(connection, batch_id) is OnError.REJECT_BATCH
        await apply_batch(pool, batch_id)
        assert not await process_next_batch(pool)
    # The owner of the lock has gone without an application of the batch.
    assert await process_next_batch(pool)
    await apply_batch(pool, batch_id)
    assert await count_prices(connection) == 1


async def test_worker_retries_a_poison_batch_and_then_fails_it_with_a_reason(
    connection: Connection, pool: Pool
) -> None:
    poison = await accept(connection, file_format="no such format")
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert await process_next_batch(pool)
        batch = await get_batch(connection, poison)
        assert (batch.status, batch.attempts) == (BatchStatus.RUNNING, attempt)
        # Before the retry time the batch is not attempted; other batches proceed.
        assert not await process_next_batch(pool) or attempt == MAX_ATTEMPTS
        if attempt < MAX_ATTEMPTS:
            await make_due(connection)
    assert not await process_next_batch(pool)
    batch = await get_batch(connection, poison)
    assert batch.status is BatchStatus.FAILED
    assert "internal error" in (batch.failure or "")
    assert batch.ended_at is not None
    healthy = await accept(connection)
    assert await process_next_batch(pool)
    assert (await get_batch(connection, healthy)).status is BatchStatus.APPLIED


async def test_worker_counts_a_polars_panic_as_a_failed_attempt(
    connection: Connection, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def panic(*_arguments: object, **_options: object) -> None:
        raise PanicException("index out of bounds")

    batch_id = await accept(connection)
    with monkeypatch.context() as patched:
        patched.setattr(worker, "apply_slices", panic)
        assert await process_next_batch(pool)
    batch = await get_batch(connection, batch_id)
    assert (batch.status, batch.attempts) == (BatchStatus.RUNNING, 1)
    assert "error ID" in (batch.failure or "")
    await make_due(connection)
    assert await process_next_batch(pool)
    assert await count_prices(connection) == 1


async def test_worker_fails_a_batch_that_killed_the_worker_on_every_attempt(connection: Connection, pool: Pool) -> None:
    deadly = await accept(connection)
    for _ in range(MAX_ATTEMPTS):
        # A killed worker has counted its attempt and nothing else.
        attempt = await batches.begin_attempt(connection, max_attempts=MAX_ATTEMPTS)
        assert attempt is not None
        assert attempt.batch_id == deadly
        await make_due(connection)
    assert not await process_next_batch(pool)
    batch = await get_batch(connection, deadly)
    assert (batch.status, batch.failure) == (BatchStatus.FAILED, "every attempt ended its worker")
    assert await count_prices(connection) == 0


async def test_worker_does_not_fail_a_batch_that_another_applies_on_its_last_attempt(
    connection: Connection, pool: Pool
) -> None:
    batch_id = await accept(connection)
    for _ in range(MAX_ATTEMPTS):
        await make_due(connection)
        await batches.begin_attempt(connection, max_attempts=MAX_ATTEMPTS)
    await make_due(connection)
    async with connection.transaction():
        await batches.claim_batch(connection, batch_id)
        assert not await process_next_batch(pool)
    assert (await get_batch(connection, batch_id)).status is BatchStatus.RUNNING


async def test_worker_returns_its_batch_to_the_queue_when_stopped(
    connection: Connection, pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "STOP_SECONDS", 0.05)
    started = asyncio.Event()

    async def hang(*_arguments: object, **_options: object) -> None:
        started.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(worker, "apply_slices", hang)
        batch_id = await accept(connection)
        stop = asyncio.Event()
        working = asyncio.create_task(run_worker(database_url, stop))
        await asyncio.wait_for(started.wait(), DEADLINE_SECONDS)
        assert (await get_batch(connection, batch_id)).status is BatchStatus.RUNNING
        stop.set()
        await asyncio.wait_for(working, DEADLINE_SECONDS)
    batch = await get_batch(connection, batch_id)
    assert (batch.status, batch.attempts) == (BatchStatus.QUEUED, 0)
    assert await process_next_batch(pool)
    assert await count_prices(connection) == 1


async def test_worker_rejects_a_batch_with_a_broken_payload(connection: Connection, pool: Pool) -> None:
    batch_id = await accept(connection, data=gzip.compress(b"{}\n" * 9)[:20], file_format="ndjson.gz")
    assert await process_next_batch(pool)
    assert (await get_batch(connection, batch_id)).status is BatchStatus.REJECTED
    (rejection,) = await batches.list_rejections(connection, batch_id, limit=10)
    assert (rejection.item, rejection.code) == (None, "BROKEN_FILE")


async def test_worker_reports_increasing_progress_of_a_running_batch(
    connection: Connection, pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PROGRESS_SECONDS", 0.001)
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 10_000)
    seen = []
    async with open_notifications(database_url, BATCHES) as notifications:
        batch_id = await accept(connection, data=(LINE + b"\n") * 20_000)
        assert (await get_batch(connection, batch_id)).progress == 0
        with notifications.subscribe(BATCHES, str(batch_id)) as notified:
            working = asyncio.create_task(process_next_batch(pool))
            while (batch := await get_batch(connection, batch_id)).progress < 1:
                seen.append(batch.progress)
                await asyncio.wait_for(notified.wait(), DEADLINE_SECONDS)
                notified.clear()
            assert await working
    assert batch.status is BatchStatus.APPLIED
    assert len(set(seen)) > 2
    assert seen == sorted(seen)
    assert await count_prices(connection) == 20_000
    await batches.clear_progress(connection)
    rows = await connection.execute("SELECT count(*) FROM batch_progress")
    assert await rows.fetchall() == [(0,)]


def test_notification_channels_match_the_sql_files() -> None:
    assert f"'{QUEUE}_'".encode() in batches.SQL["announce_batch"]
    for section in ("end_batch", "mark_reverted", "fail_exhausted", "report_progress"):
        assert f"'{BATCHES}_'".encode() in batches.SQL[section]


@pytest.mark.parametrize("is_retry", [False, True])
async def test_worker_starts_a_batch_after_the_database_clock_was_set_back(
    connection: Connection, pool: Pool, *, is_retry: bool
) -> None:
    batch_id = await accept(connection)
    if is_retry:
        await batches.begin_attempt(connection, max_attempts=MAX_ATTEMPTS)
        assert not await process_next_batch(pool)
    # Times of the future are what a clock leaves behind that was an hour fast.
    await connection.execute(
        "UPDATE price_batches SET created_at = created_at + interval '1 hour',"
        " next_attempt_at = next_attempt_at + interval '1 hour', started_at = started_at + interval '1 hour'"
    )
    assert (await batches.measure_queue(connection)).oldest_seconds == 0
    assert await process_next_batch(pool)
    assert (await get_batch(connection, batch_id)).status is BatchStatus.APPLIED
    await connection.execute("UPDATE price_batches SET ended_at = ended_at + interval '1 hour'")
    assert (await batches.measure_queue(connection)).ended_last_minute == 0


async def test_worker_fails_an_exhausted_batch_after_the_database_clock_was_set_back(
    connection: Connection, pool: Pool
) -> None:
    deadly = await accept(connection)
    for _ in range(MAX_ATTEMPTS):
        await batches.begin_attempt(connection, max_attempts=MAX_ATTEMPTS)
        await make_due(connection)
    await connection.execute("UPDATE price_batches SET next_attempt_at = next_attempt_at + interval '1 hour'")
    assert not await process_next_batch(pool)
    assert (await get_batch(connection, deadly)).status is BatchStatus.FAILED
