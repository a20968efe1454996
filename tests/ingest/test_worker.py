"""The queue and its workers: nothing is lost, nothing is applied twice, what fails ends with a reason."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date

import pytest
from polars.exceptions import PanicException

from db.connection import Connection
from db.notifications import BATCHES, QUEUE, open_notifications
from db.pool import INGEST, Pool, open_pool
from db.repositories import batches, locations, payloads, totals
from domain.batches import BatchOutcome, BatchStatus, OnError, PriceBatch, QueueState
from domain.locations import Lane
from domain.prices import DateRange
from ingest import worker
from ingest.readers import line_blocks
from ingest.tree import change_tree
from ingest.verify import verify
from ingest.worker import MAX_ATTEMPTS, apply_batch, process_next_batch, run_worker
from tests.support.worlds import World, by_key

pytestmark = pytest.mark.anyio

WORLD = World({"top": None, "AAAAA": "top", "BBBBB": "top"}, {"AAAAA", "BBBBB"})
DAY = date(2024, 1, 1)
LINE = b'{"origin":"AAAAA","destination":"BBBBB","date_from":"2024-01-01","price":"10"}'
DEADLINE_SECONDS = 20


@pytest.fixture
async def pool(database_url: str, connection: Connection) -> AsyncIterator[Pool]:
    """A pool over two ports."""
    await change_tree(connection, WORLD.entries())
    async with open_pool(database_url, INGEST, max_size=6) as pool:
        yield pool


async def accept(connection: Connection, data: bytes = LINE, file_format: str = "ndjson") -> int:
    """Put a batch into the queue."""
    async with connection.transaction():
        batch_id = await batches.insert_batch(
            connection, on_error=OnError.REJECT_BATCH, source="test", idempotency_key=None, payload_sha256=b""
        )
        assert batch_id is not None
        await payloads.insert_payload(connection, batch_id=batch_id, part=0, format=file_format, data=data)
        await batches.announce_batch(connection)
    return batch_id


async def get(connection: Connection, batch_id: int) -> PriceBatch:
    """Return the batch."""
    (batch,) = await batches.get_batches(connection, [batch_id])
    return batch


async def count_prices(connection: Connection) -> int:
    """Return how many prices the day has at the root of the tree, after making sure that all totals are right."""
    assert [found async for _, found in verify(connection) if found] == []
    top = by_key(await locations.list_locations(connection))["top"].id
    [days] = await totals.select_day_totals(connection, [(Lane(top, top), DateRange(DAY, DAY))])
    return sum(days.counts)


async def make_due(connection: Connection) -> None:
    """Let the time pass after which batches may be tried again."""
    await connection.execute("UPDATE price_batches SET next_attempt_at = now() WHERE status IN ('QUEUED', 'RUNNING')")


async def wait_for(connection: Connection, batch_id: int, status: BatchStatus) -> PriceBatch:
    """Return the batch once it has the status."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        # What is waited for is in the database, where no event can be set.
        while (batch := await get(connection, batch_id)).status is not status:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return batch


async def test_batches_are_taken_in_the_order_of_their_arrival(connection: Connection, pool: Pool) -> None:
    first, second = await accept(connection), await accept(connection)
    assert await process_next_batch(pool)
    assert (await get(connection, first)).status is BatchStatus.APPLIED
    assert (await get(connection, second)).status is BatchStatus.QUEUED
    assert await process_next_batch(pool)
    assert not await process_next_batch(pool)
    assert await count_prices(connection) == 2


@pytest.mark.usefixtures("pool")
async def test_a_worker_starts_at_the_notification_and_tells_when_a_batch_has_ended(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without polling only a notification can wake it.
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
async def test_a_lost_notification_only_costs_the_time_to_the_next_look(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "QUEUE", "nobody_announces_here")
    monkeypatch.setattr(worker, "POLL_SECONDS", 0.05)
    stop = asyncio.Event()
    working = asyncio.create_task(run_worker(database_url, stop))
    await wait_for(connection, await accept(connection), BatchStatus.APPLIED)
    stop.set()
    await asyncio.wait_for(working, DEADLINE_SECONDS)


async def test_the_queue_tells_its_depth_its_age_and_its_pace(connection: Connection) -> None:
    assert await batches.measure_queue(connection) == QueueState(0, 0, 0.0, 0)
    first = await accept(connection)
    await accept(connection)
    await batches.begin_attempt(connection, max_attempts=MAX_ATTEMPTS)
    state = await batches.measure_queue(connection)
    assert (state.queued, state.running, state.ended_last_minute) == (1, 1, 0)
    assert 0 < state.oldest_seconds < 60
    await batches.end_batch(connection, first, BatchOutcome(BatchStatus.REJECTED, 1, 0, 1, 0, 0))
    state = await batches.measure_queue(connection)
    assert (state.queued, state.running, state.ended_last_minute) == (1, 0, 1)


@pytest.mark.usefixtures("pool")
async def test_many_workers_apply_every_batch_once(connection: Connection, database_url: str) -> None:
    stop = asyncio.Event()
    working = [asyncio.create_task(run_worker(database_url, stop, concurrency=2)) for _ in range(3)]
    ids = [await accept(connection) for _ in range(40)]
    for batch_id in ids:
        await wait_for(connection, batch_id, BatchStatus.APPLIED)
    stop.set()
    await asyncio.wait_for(asyncio.gather(*working), DEADLINE_SECONDS)
    assert await count_prices(connection) == 40


async def test_a_batch_that_one_process_holds_is_skipped_by_others(connection: Connection, pool: Pool) -> None:
    batch_id = await accept(connection)
    async with connection.transaction():
        assert await batches.claim_batch(connection, batch_id) is OnError.REJECT_BATCH
        await apply_batch(pool, batch_id)
        assert not await process_next_batch(pool)
    # The holder went away without applying it.
    assert await process_next_batch(pool)
    await apply_batch(pool, batch_id)
    assert await count_prices(connection) == 1


async def test_a_poison_batch_is_tried_again_and_then_fails_with_a_reason(connection: Connection, pool: Pool) -> None:
    poison = await accept(connection, file_format="no such format")
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert await process_next_batch(pool)
        batch = await get(connection, poison)
        assert (batch.status, batch.attempts) == (BatchStatus.RUNNING, attempt)
        # Until its time comes nobody tries it, and others go on.
        assert not await process_next_batch(pool) or attempt == MAX_ATTEMPTS
        if attempt < MAX_ATTEMPTS:
            await make_due(connection)
    assert not await process_next_batch(pool)
    batch = await get(connection, poison)
    assert batch.status is BatchStatus.FAILED
    assert "an unexpected error" in (batch.failure or "")
    assert batch.ended_at is not None
    healthy = await accept(connection)
    assert await process_next_batch(pool)
    assert (await get(connection, healthy)).status is BatchStatus.APPLIED


async def test_a_panic_inside_of_polars_counts_as_a_failed_attempt(
    connection: Connection, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def panic(*_arguments: object) -> None:
        raise PanicException("index out of bounds")

    batch_id = await accept(connection)
    with monkeypatch.context() as patched:
        patched.setattr(worker, "apply_slices", panic)
        assert await process_next_batch(pool)
    batch = await get(connection, batch_id)
    assert (batch.status, batch.attempts) == (BatchStatus.RUNNING, 1)
    assert "in the log" in (batch.failure or "")
    await make_due(connection)
    assert await process_next_batch(pool)
    assert await count_prices(connection) == 1


async def test_a_batch_that_kills_every_worker_fails_too(connection: Connection, pool: Pool) -> None:
    deadly = await accept(connection)
    for _ in range(MAX_ATTEMPTS):
        # A killed worker has counted its attempt and nothing else.
        assert await batches.begin_attempt(connection, max_attempts=MAX_ATTEMPTS) == deadly
        await make_due(connection)
    assert not await process_next_batch(pool)
    batch = await get(connection, deadly)
    assert (batch.status, batch.failure) == (BatchStatus.FAILED, "every attempt ended its worker")
    assert await count_prices(connection) == 0


async def test_a_batch_on_its_last_attempt_does_not_fail_while_it_is_being_applied(
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
    assert (await get(connection, batch_id)).status is BatchStatus.RUNNING


async def test_a_worker_that_is_stopped_gives_its_batch_back(
    connection: Connection, pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "STOP_SECONDS", 0.05)
    begun = asyncio.Event()

    async def take_forever(*_arguments: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patched:
        patched.setattr(worker, "apply_slices", take_forever)
        batch_id = await accept(connection)
        stop = asyncio.Event()
        working = asyncio.create_task(run_worker(database_url, stop))
        await asyncio.wait_for(begun.wait(), DEADLINE_SECONDS)
        assert (await get(connection, batch_id)).status is BatchStatus.RUNNING
        stop.set()
        await asyncio.wait_for(working, DEADLINE_SECONDS)
    batch = await get(connection, batch_id)
    assert (batch.status, batch.attempts) == (BatchStatus.QUEUED, 0)
    assert await process_next_batch(pool)
    assert await count_prices(connection) == 1


async def test_a_broken_payload_rejects_its_batch(connection: Connection, pool: Pool) -> None:
    batch_id = await accept(connection, data=b"{", file_format="ndjson")
    assert await process_next_batch(pool)
    assert (await get(connection, batch_id)).status is BatchStatus.REJECTED
    (rejection,) = await batches.list_rejections(connection, batch_id, limit=10)
    assert (rejection.item, rejection.code) == (None, "BROKEN_FILE")


async def test_a_running_batch_tells_how_far_it_has_come(
    connection: Connection, pool: Pool, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PROGRESS_SECONDS", 0.001)
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 10_000)
    seen = []
    async with open_notifications(database_url, BATCHES) as notifications:
        batch_id = await accept(connection, data=(LINE + b"\n") * 20_000)
        assert (await get(connection, batch_id)).progress == 0
        with notifications.subscribe(BATCHES, str(batch_id)) as told:
            working = asyncio.create_task(process_next_batch(pool))
            while (batch := await get(connection, batch_id)).progress < 1:
                seen.append(batch.progress)
                await asyncio.wait_for(told.wait(), DEADLINE_SECONDS)
                told.clear()
            assert await working
    assert batch.status is BatchStatus.APPLIED
    assert len(set(seen)) > 2
    assert seen == sorted(seen)
    assert await count_prices(connection) == 20_000
    await batches.clear_progress(connection)
    rows = await connection.execute("SELECT count(*) FROM batch_progress")
    assert await rows.fetchall() == [(0,)]


def test_the_channels_are_those_that_the_sql_files_name() -> None:
    assert f"'{QUEUE}'".encode() in batches.SQL["announce_batch"]
    for section in ("end_batch", "mark_reverted", "fail_exhausted", "report_progress"):
        assert f"'{BATCHES}'".encode() in batches.SQL[section]
