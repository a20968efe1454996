"""Payloads of batches, and keys of the messages in them, until after the batch has ended."""

from collections.abc import Sequence
from typing import NamedTuple

from psycopg.rows import args_row, class_row

from db.connection import Connection
from db.sql import load_sections
from domain.batches import Payload

SQL = load_sections("payloads")

BATCHES_PER_DELETION = 1_000
"""Batches whose keys one call of `delete_old_keys` deletes: some seconds of work at most."""


class MessageKey(NamedTuple):
    """ID of a message, digest of its content, and number of its first item in the batch, from 1."""

    message_id: str
    digest: bytes
    first_item: int


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


async def find_keys(connection: Connection, source: str, message_ids: Sequence[str]) -> dict[str, bytes]:
    """Return the digests of the messages with these IDs that were stored, by ID."""
    cursor = await connection.execute(SQL["find_keys"], {"source": source, "message_ids": list(message_ids)})
    return {message_id: bytes(digest) for message_id, digest in await cursor.fetchall()}


async def insert_keys(connection: Connection, source: str, batch_id: int, keys: Sequence[MessageKey]) -> int:
    """Store the keys in the transaction that stores their batch, and return how many were new.

    If it is fewer than given, another transaction has stored a message meanwhile: roll back.
    """
    parameters = {
        "source": source,
        "batch_id": batch_id,
        "message_ids": [key.message_id for key in keys],
        "digests": [key.digest for key in keys],
        "first_items": [key.first_item for key in keys],
    }
    return (await connection.execute(SQL["insert_keys"], parameters)).rowcount


async def delete_old_keys(connection: Connection, *, days: int) -> int:
    """Delete keys of batches that ended more than `days` ago. Return the number of deleted keys."""
    parameters = {"days": days, "batches": BATCHES_PER_DELETION}
    return (await connection.execute(SQL["delete_old_keys"], parameters)).rowcount
