"""Price batches: accept, claim, end, look up."""

from collections.abc import Iterable, Sequence

from psycopg.rows import args_row

from db.model import BatchOutcome, BatchStatus, OnError, PriceBatch, Rejection, Severity
from db.pool import Connection
from db.sql import load_sections

SQL = load_sections("batches")


def _batch(
    id: int,  # noqa: A002
    status: str,
    on_error: str,
    *rest: object,
) -> PriceBatch:
    return PriceBatch(id, BatchStatus(status), OnError(on_error), *rest)  # type: ignore[arg-type]


def _rejection(
    item: int | None, field: str | None, code: str, message: str, value: str | None, severity: str
) -> Rejection:
    return Rejection(item, field, code, message, value, Severity(severity))


async def insert_batch(
    connection: Connection, *, on_error: OnError, source: str, idempotency_key: str | None, payload_sha256: bytes
) -> int | None:
    """Queue a batch and return its id, or None when another batch has the idempotency key."""
    cursor = await connection.execute(
        SQL["insert_batch"],
        {
            "on_error": on_error,
            "source": source,
            "idempotency_key": idempotency_key,
            "payload_sha256": payload_sha256,
        },
    )
    row = await cursor.fetchone()
    return None if row is None else int(row[0])


async def insert_payload(connection: Connection, *, batch_id: int, format: str, data: bytes) -> None:  # noqa: A002
    """Keep what was uploaded, in the transaction of `insert_batch`."""
    await connection.execute(SQL["insert_payload"], {"batch_id": batch_id, "format": format, "data": data})


async def get_batches(connection: Connection, ids: Sequence[int]) -> list[PriceBatch]:
    """Return the batches with these ids, in no particular order."""
    async with connection.cursor(row_factory=args_row(_batch)) as cursor:
        await cursor.execute(SQL["get_batches"], {"ids": list(ids)})
        return await cursor.fetchall()


async def find_batch_by_key(connection: Connection, idempotency_key: str) -> PriceBatch | None:
    """Return the batch that was accepted under the idempotency key."""
    async with connection.cursor(row_factory=args_row(_batch)) as cursor:
        await cursor.execute(SQL["find_batch_by_key"], {"idempotency_key": idempotency_key})
        return await cursor.fetchone()


async def list_batches(
    connection: Connection, *, status: BatchStatus | None, before_id: int | None, limit: int
) -> list[PriceBatch]:
    """Return up to `limit` batches older than the one with `before_id`, newest first."""
    async with connection.cursor(row_factory=args_row(_batch)) as cursor:
        await cursor.execute(SQL["list_batches"], {"status": status, "before_id": before_id, "limit": limit})
        return await cursor.fetchall()


async def count_batches(connection: Connection, *, status: BatchStatus | None) -> int:
    """Return how many batches there are, with a status or in all."""
    async with connection.cursor(row_factory=args_row(int)) as cursor:
        await cursor.execute(SQL["count_batches"], {"status": status})
        return (await cursor.fetchall())[0]


async def claim_batch(connection: Connection, batch_id: int) -> tuple[OnError, str, bytes] | None:
    """Lock a waiting batch for this transaction and return (on_error, format, payload).

    Return None when it has ended or another process holds it.
    """
    cursor = await connection.execute(SQL["claim_batch"], {"batch_id": batch_id})
    row = await cursor.fetchone()
    return None if row is None else (OnError(row[0]), row[1], row[2])


async def end_batch(connection: Connection, batch_id: int, outcome: BatchOutcome) -> None:
    """Record what became of the batch, in the transaction that made it so."""
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
        },
    )


async def copy_rejections(connection: Connection, chunks: Iterable[bytes]) -> None:
    """Append rejections from CSV lines."""
    async with connection.cursor() as cursor, cursor.copy(SQL["copy_rejections"]) as copy:
        for chunk in chunks:
            await copy.write(chunk)


async def list_rejections(connection: Connection, batch_id: int, *, limit: int) -> list[Rejection]:
    """Return the first problems of the batch, by item."""
    async with connection.cursor(row_factory=args_row(_rejection)) as cursor:
        await cursor.execute(SQL["list_rejections"], {"batch_id": batch_id, "limit": limit})
        return await cursor.fetchall()
