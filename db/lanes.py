"""Lanes of batches: which port pairs an applied batch touched."""

from collections.abc import Sequence

from psycopg.rows import args_row

from db.model import BatchLane, Lane
from db.pool import Connection
from db.sql import load_sections

SQL = load_sections("lanes")


async def insert_lanes(
    connection: Connection, batch_id: int, origins: Sequence[int], destinations: Sequence[int]
) -> None:
    """Record the lanes of a batch, given as the ids of their origins and of their destinations, in order."""
    parameters = {"batch_id": batch_id, "origins": list(origins), "destinations": list(destinations)}
    await connection.execute(SQL["insert_lanes"], parameters)


async def list_lanes(connection: Connection, batch_id: int, *, after: int = 0, limit: int) -> list[BatchLane]:
    """Return up to `limit` lanes of the batch after the one at the position `after`."""
    async with connection.cursor(row_factory=args_row(BatchLane.at)) as cursor:
        await cursor.execute(SQL["list_lanes"], {"batch_id": batch_id, "after": after, "limit": limit})
        return await cursor.fetchall()


async def touches_lane(connection: Connection, batch_id: int, lane: Lane) -> bool:
    """Return whether the batch has a price between any ports below the lane's two locations."""
    async with connection.cursor(row_factory=args_row(bool)) as cursor:
        parameters = {"batch_id": batch_id, "origin": lane.origin, "destination": lane.destination}
        await cursor.execute(SQL["touches_lane"], parameters)
        return (await cursor.fetchall())[0]
