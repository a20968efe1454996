"""Lanes of batches: the port pairs that an applied batch touched."""

from collections.abc import Sequence

from psycopg.rows import args_row

from db.connection import Connection
from db.pipeline import format_integers
from db.sql import load_sections
from domain.batches import BatchLane
from domain.locations import Lane

SQL = load_sections("lanes")


async def insert_lanes(
    connection: Connection, batch_id: int, origins: Sequence[int], destinations: Sequence[int]
) -> None:
    """Record the lanes of a batch, as two parallel lists of origin and destination IDs."""
    # psycopg needs five times as long for lists of 20,000 numbers as for their text.
    parameters = {
        "batch_id": batch_id,
        "origins": format_integers(origins),
        "destinations": format_integers(destinations),
    }
    await connection.execute(SQL["insert_lanes"], parameters)


async def list_lanes(connection: Connection, batch_id: int, *, after: int = 0, limit: int) -> list[BatchLane]:
    """Return up to `limit` lanes of the batch after position `after`."""
    async with connection.cursor(row_factory=args_row(BatchLane.at)) as cursor:
        await cursor.execute(SQL["list_lanes"], {"batch_id": batch_id, "after": after, "limit": limit})
        return await cursor.fetchall()


async def list_touched(
    connection: Connection, batch_ids: Sequence[int], watched: Sequence[Lane]
) -> list[tuple[int, Lane]]:
    """Return a pair (batch ID, watched lane) for each watched lane that a batch touched.

    A batch touches a lane when it has a price between any ports below the lane's two ends.
    """
    parameters = {
        "batch_ids": list(batch_ids),
        "origins": [lane.origin for lane in watched],
        "destinations": [lane.destination for lane in watched],
    }
    async with connection.cursor() as cursor:
        await cursor.execute(SQL["list_touched"], parameters)
        return [(batch_id, watched[position - 1]) for batch_id, position in await cursor.fetchall()]
