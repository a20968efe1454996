"""Payloads of batches: the uploaded data, stored until some time after the batch has ended."""

from psycopg.rows import args_row, class_row

from db.connection import Connection
from db.sql import load_sections
from domain.batches import Payload

SQL = load_sections("payloads")


async def insert_payload(connection: Connection, *, batch_id: int, part: int, format: str, data: bytes) -> None:  # noqa: A002
    """Store a part of the payload, counted from 0, in the transaction that inserts the batch."""
    parameters = {"batch_id": batch_id, "part": part, "format": format, "data": data}
    await connection.execute(SQL["insert_payload"], parameters)


async def find_payload(connection: Connection, batch_id: int) -> Payload | None:
    """Return the description of the batch's payload, or None if it never existed or has expired."""
    async with connection.cursor(row_factory=class_row(Payload)) as cursor:
        await cursor.execute(SQL["find_payload"], {"batch_id": batch_id})
        return await cursor.fetchone()


async def get_payload_part(connection: Connection, batch_id: int, part: int) -> bytes:
    """Return the bytes of an existing part. Parts are numbered from 0."""
    async with connection.cursor(row_factory=args_row(bytes), binary=True) as cursor:
        await cursor.execute(SQL["get_payload_part"], {"batch_id": batch_id, "part": part})
        return (await cursor.fetchall())[0]


async def delete_old_payloads(connection: Connection, *, days: int) -> int:
    """Delete the payloads of batches that ended more than `days` ago.

    Return the number of deleted parts.
    """
    return (await connection.execute(SQL["delete_old_payloads"], {"days": days})).rowcount
