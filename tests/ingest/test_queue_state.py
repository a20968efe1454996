"""State of the queue: depth, age, throughput, and an estimate of the work that waits."""

import pytest

from db.connection import Connection
from db.repositories import batches
from domain.batches import BatchOutcome, BatchStatus, QueueState
from ingest.worker import MAX_ATTEMPTS
from tests.support.batches.queue import accept

pytestmark = pytest.mark.anyio


async def test_queue_state_reports_depth_age_and_throughput(connection: Connection) -> None:
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


async def test_queue_state_weighs_payloads_by_size_and_format(connection: Connection) -> None:
    await accept(connection, b"x" * 2_000_000, "csv")
    await accept(connection, b"x" * 1_000_000, "parquet")
    state = await batches.measure_queue(connection)
    assert state.payload_bytes == 3_000_000
    assert state.work_seconds == pytest.approx(2 * 0.03 + 2 * 0.13 + 1 * 0.5)


async def test_queue_state_extrapolates_the_size_of_a_long_queue(connection: Connection) -> None:
    await connection.execute(
        "INSERT INTO price_batches (status, on_error, source, payload_sha256)"
        " SELECT 'QUEUED', 'REJECT_BATCH', 'test', '' FROM generate_series(1, 25000)"
    )
    await connection.execute(
        "INSERT INTO batch_payloads (batch_id, part, format, data) SELECT id, 0, 'csv', 'four'::bytea FROM price_batches"
    )
    state = await batches.measure_queue(connection)
    assert (state.queued, state.payload_bytes) == (25_000, 100_000)
    assert state.work_seconds == pytest.approx(25_000 * 0.03 + 100_000 * 0.13e-6)
