"""Price batches and the batch queue: insert, claim, end, query."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from psycopg.rows import args_row, class_row

from db.connection import Connection, copy_in
from db.sql import load_sections
from domain.batches import BatchOutcome, BatchStatus, OnError, PriceBatch, QueueState, Rejection, Severity
from domain.pages import PageRequest

SQL = load_sections("batches")


class Attempt(NamedTuple):
    """Attempt of a worker to apply a batch, counted from 1."""

    batch_id: int
    number: int


def _batch(
    id: int,  # noqa: A002
    status: str,
    on_error: str,
    *rest: object,
) -> PriceBatch:
    return PriceBatch(id, BatchStatus(status), OnError(on_error), *rest)  # type: ignore[arg-type]


def _rejection(
    number: int,
    item: int | None,
    field: str | None,
    code: str,
    message: str,
    value: str | None,
    severity: str,
    message_id: str | None,
) -> Rejection:
    return Rejection(item, field, code, message, value, Severity(severity), number, message_id)


async def insert_batch(
    connection: Connection,
    *,
    on_error: OnError,
    source: str,
    idempotency_key: str | None,
    payload_sha256: bytes,
    uploader: str = "",
) -> int | None:
    """Queue a batch and return its ID, or None if the uploader used the idempotency key before."""
    cursor = await connection.execute(
        SQL["insert_batch"],
        {
            "on_error": on_error,
            "source": source,
            "idempotency_key": idempotency_key,
            "payload_sha256": payload_sha256,
            "uploader": uploader,
        },
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def announce_batch(connection: Connection) -> None:
    """Wake the workers when this transaction commits."""
    await connection.execute(SQL["announce_batch"])


async def get_batches(connection: Connection, ids: Sequence[int]) -> list[PriceBatch]:
    """Return the batches with these IDs, in no particular order."""
    async with connection.cursor(row_factory=args_row(_batch)) as cursor:
        await cursor.execute(SQL["get_batches"], {"ids": list(ids)})
        return await cursor.fetchall()


async def find_batch_by_key(connection: Connection, idempotency_key: str, uploader: str = "") -> PriceBatch | None:
    """Return the uploader's batch with this idempotency key or message ID, or None."""
    async with connection.cursor(row_factory=args_row(_batch)) as cursor:
        await cursor.execute(SQL["find_batch_by_key"], {"idempotency_key": idempotency_key, "uploader": uploader})
        return await cursor.fetchone()


async def list_batches(
    connection: Connection, page: PageRequest, *, status: BatchStatus | None, uploader: str | None
) -> list[PriceBatch]:
    """Return up to `page.limit` batches, newest first, optionally of one status or one uploader."""
    async with connection.cursor(row_factory=args_row(_batch)) as cursor:
        await cursor.execute(SQL["list_batches"], _page_parameters(page, status, uploader))
        return await cursor.fetchall()


async def list_batches_backward(
    connection: Connection, page: PageRequest, *, status: BatchStatus | None, uploader: str | None
) -> list[PriceBatch]:
    """Like `list_batches`, but return the last page."""
    async with connection.cursor(row_factory=args_row(_batch)) as cursor:
        await cursor.execute(SQL["list_batches_backward"], _page_parameters(page, status, uploader))
        return (await cursor.fetchall())[::-1]


def _page_parameters(page: PageRequest, status: BatchStatus | None, uploader: str | None) -> dict[str, object]:
    return {
        "status": status,
        "uploader": uploader,
        "after_id": page.after,
        "before_id": page.before,
        "limit": page.limit,
    }


async def count_batches(connection: Connection, *, status: BatchStatus | None, uploader: str | None) -> int:
    """Return the number of batches, optionally of one status or one uploader."""
    async with connection.cursor(row_factory=args_row(int)) as cursor:
        await cursor.execute(SQL["count_batches"], {"status": status, "uploader": uploader})
        return (await cursor.fetchall())[0]


async def begin_attempt(connection: Connection, *, max_attempts: int) -> Attempt | None:
    """Count an attempt at the batch that has waited longest and return it.

    Return None when no batch is due. Call it in a separate transaction; `claim_batch` then locks the batch for the work.
    """
    row = await (await connection.execute(SQL["begin_attempt"], {"max_attempts": max_attempts})).fetchone()
    return None if row is None else Attempt(*row)


async def release_attempt(connection: Connection, attempt: Attempt) -> None:
    """Discount an attempt that failed for reasons outside the batch; it may be retried at once.

    Do nothing if another worker has begun a later attempt since.
    """
    await connection.execute(SQL["release_attempt"], attempt._asdict())


async def record_failure(connection: Connection, batch_id: int, failure: str, *, max_attempts: int) -> None:
    """Record why an attempt failed. The text is shown to callers."""
    parameters = {"batch_id": batch_id, "failure": failure, "max_attempts": max_attempts}
    await connection.execute(SQL["record_failure"], parameters)


async def fail_exhausted(connection: Connection, *, max_attempts: int) -> list[int]:
    """Mark the batches without remaining attempts as FAILED and return their IDs."""
    cursor = await connection.execute(SQL["fail_exhausted"], {"max_attempts": max_attempts})
    return [int(batch_id) for batch_id, _ in await cursor.fetchall()]


async def claim_batch(connection: Connection, batch_id: int) -> OnError | None:
    """Lock a waiting batch for this transaction and return its rule for invalid items.

    Return None when the batch has ended or another process holds the lock.
    """
    row = await (await connection.execute(SQL["claim_batch"], {"batch_id": batch_id})).fetchone()
    return None if row is None else OnError(row[0])


async def lock_batch(connection: Connection, batch_id: int) -> BatchStatus | None:
    """Lock the batch for this transaction and return its status, or None if it does not exist."""
    row = await (await connection.execute(SQL["lock_batch"], {"batch_id": batch_id})).fetchone()
    return None if row is None else BatchStatus(row[0])


async def mark_reverted(connection: Connection, batch_id: int) -> None:
    """Mark the batch as reverted, in the transaction that deletes its prices."""
    await connection.execute(SQL["mark_reverted"], {"batch_id": batch_id})


async def list_changes(connection: Connection, seen: str | None, *, limit: int) -> tuple[str, list[int]]:
    """Return a snapshot of the price changes, and up to `limit` batches changed since `seen`.

    A batch changes when it is applied or reverted. The snapshot is opaque; without `seen` no batch is returned. A caller that
    passes each snapshot to its next call receives every change exactly once, in whatever order transactions commit. A batch
    that was applied and reverted in between is one change.
    """
    async with connection.cursor() as cursor:
        await cursor.execute(SQL["list_changes"], {"seen": seen, "limit": limit})
        snapshot, ids = (await cursor.fetchall())[0]
    return snapshot, ids


async def measure_queue(connection: Connection) -> QueueState:
    """Return the current state of the queue."""
    async with connection.cursor(row_factory=class_row(QueueState)) as cursor:
        await cursor.execute(SQL["measure_queue"])
        return (await cursor.fetchall())[0]


async def has_waiting_batches(connection: Connection) -> bool:
    """Return whether a batch is queued or running."""
    async with connection.cursor(row_factory=args_row(bool)) as cursor:
        await cursor.execute(SQL["has_waiting_batches"])
        return (await cursor.fetchall())[0]


async def count_ended_since(connection: Connection, *, seconds: float) -> int:
    """Return the number of batches that ended in the last seconds."""
    async with connection.cursor(row_factory=args_row(int)) as cursor:
        await cursor.execute(SQL["count_ended_since"], {"seconds": seconds})
        return (await cursor.fetchall())[0]


async def count_outcomes(connection: Connection) -> dict[BatchStatus, int]:
    """Return the number of ended batches by status."""
    cursor = await connection.execute(SQL["count_outcomes"])
    return {BatchStatus(status): count for status, count in await cursor.fetchall()}


async def end_batch(connection: Connection, batch_id: int, outcome: BatchOutcome) -> None:
    """Record the batch's outcome, in the transaction that applies the batch."""
    await connection.execute(
        SQL["end_batch"],
        {
            "batch_id": batch_id,
            "status": outcome.status,
            "item_count": outcome.item_count,
            "accepted_count": outcome.accepted_count,
            "rejected_count": outcome.rejected_count,
            "price_count": outcome.price_count,
            "price_day_count": outcome.price_day_count,
            "lane_count": outcome.lane_count,
            "first_day": outcome.first_day,
            "last_day": outcome.last_day,
        },
    )


async def report_progress(connection: Connection, batch_id: int, progress: float) -> None:
    """Record the processed fraction of a running batch's payload, 0 to 1.

    Use another connection than the one that applies the batch.
    """
    await connection.execute(SQL["report_progress"], {"batch_id": batch_id, "progress": progress})


async def clear_progress(connection: Connection) -> None:
    """Delete the progress of batches that have ended."""
    await connection.execute(SQL["clear_progress"])


async def copy_rejections(connection: Connection, chunks: Iterable[bytes]) -> None:
    """Append rejections from CSV lines."""
    await copy_in(connection, SQL["copy_rejections"], chunks)


async def list_rejections(connection: Connection, batch_id: int, *, after: int = 0, limit: int) -> list[Rejection]:
    """Return up to `limit` problems of the batch after number `after`, by item."""
    async with connection.cursor(row_factory=args_row(_rejection)) as cursor:
        await cursor.execute(SQL["list_rejections"], {"batch_id": batch_id, "after": after, "limit": limit})
        return await cursor.fetchall()


async def count_rejections(connection: Connection, batch_id: int) -> int:
    """Return the number of the batch's problems."""
    async with connection.cursor(row_factory=args_row(int)) as cursor:
        await cursor.execute(SQL["count_rejections"], {"batch_id": batch_id})
        return (await cursor.fetchall())[0]


async def export_rejections(connection: Connection, batch_id: int, *, after: int, last: int) -> bytes | None:
    """Return the batch's problems number `after` + 1 to `last` as NDJSON, by item.

    Return None when there are none.
    """
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(SQL["export_rejections"], {"batch_id": batch_id, "after": after, "last": last})
        return (await cursor.fetchall())[0][0]  # type: ignore[no-any-return]


async def select_batches_with_rejections(connection: Connection, ids: Sequence[int]) -> set[int]:
    """Return the IDs of the batches that have a problem, including mere warnings."""
    cursor = await connection.execute(SQL["select_batches_with_rejections"], {"ids": list(ids)})
    return {int(batch_id) for (batch_id,) in await cursor.fetchall()}
