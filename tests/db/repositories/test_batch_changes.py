"""Change feed of prices, in query order: no change is missed, none is listed twice."""

from collections.abc import AsyncIterator

import pytest

from db.connection import Connection
from db.pool import INGEST, connect
from db.repositories import batches
from domain.batches import BatchOutcome, BatchStatus, OnError

pytestmark = pytest.mark.anyio


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Connection]:
    """A second connection to the test's own database."""
    async with connect(database_url, INGEST) as connection:
        yield connection


async def end(connection: Connection, status: BatchStatus = BatchStatus.APPLIED) -> int:
    """Insert a batch that has ended and return its id."""
    batch_id = await batches.insert_batch(
        connection, on_error=OnError.REJECT_BATCH, source="test", idempotency_key=None, payload_sha256=b""
    )
    assert batch_id is not None
    await batches.end_batch(connection, batch_id, BatchOutcome(status, 1, 1, 0))
    return batch_id


async def test_batch_changes_include_a_change_committed_late_in_the_next_poll(
    connection: Connection, other: Connection
) -> None:
    await end(connection)
    start, found = await batches.list_changes(connection, None, limit=9)
    assert found == []
    async with other.transaction():
        # It has the older number and time but becomes visible after the other change.
        late = await end(other)
        early = await end(connection)
        middle, found = await batches.list_changes(connection, start, limit=9)
        assert found == [early]
    now, found = await batches.list_changes(connection, middle, limit=9)
    assert found == [late]
    assert (await batches.list_changes(connection, now, limit=9))[1] == []
    assert (await batches.list_changes(connection, start, limit=9))[1] == [late, early]
    assert (await batches.list_changes(connection, start, limit=1))[1] == [late]


async def test_batch_changes_include_only_applied_and_reverted_batches(connection: Connection) -> None:
    applied = await end(connection)
    start, _ = await batches.list_changes(connection, None, limit=9)
    await end(connection, BatchStatus.REJECTED)
    assert (await batches.list_changes(connection, start, limit=9))[1] == []
    await batches.mark_reverted(connection, applied)
    again = await end(connection)
    await batches.mark_reverted(connection, again)
    assert (await batches.list_changes(connection, start, limit=9))[1] == [applied, again]


async def test_batch_changes_exclude_changes_restored_from_a_dump_of_another_server(connection: Connection) -> None:
    batch_id = await end(connection)
    start, _ = await batches.list_changes(connection, None, limit=9)
    await connection.execute(
        "UPDATE price_batches SET changed_in = '4611686018427387904'::xid8 WHERE id = %s", (batch_id,)
    )
    assert (await batches.list_changes(connection, start, limit=9))[1] == []
