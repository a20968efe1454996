"""A worker without a database connection does not count the attempt against its batch."""

import pytest

from db.connection import Connection
from db.errors import DatabaseError, DatabaseUnavailable, ServerBusy
from db.pool import INGEST, open_pool
from db.repositories import batches, payloads
from domain.batches import BatchStatus, OnError
from ingest import worker
from ingest.worker import process_next_batch

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("error", [ServerBusy, DatabaseUnavailable])
async def test_worker_releases_its_batch_when_no_connection_is_available(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch, error: type[DatabaseError]
) -> None:
    async def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(worker, "apply_batch", fail)
    batch_id = await batches.insert_batch(
        connection, on_error=OnError.REJECT_BATCH, source="test", idempotency_key=None, payload_sha256=b""
    )
    assert batch_id is not None
    await payloads.insert_payload(connection, batch_id=batch_id, part=0, format="ndjson", data=b"{}")
    async with open_pool(database_url, INGEST, max_size=2) as pool:
        with pytest.raises(error):
            await process_next_batch(pool)
    [batch] = await batches.get_batches(connection, [batch_id])
    assert (batch.status, batch.attempts, batch.failure) == (BatchStatus.QUEUED, 0, None)
