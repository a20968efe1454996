"""Observations: bulk append, and statistics computed directly from them."""

from collections.abc import AsyncGenerator, AsyncIterable

from psycopg import sql
from psycopg.rows import class_row

from db.connection import Connection
from db.sql import load_sections
from domain.locations import Lane
from domain.prices import DateRange, DayStatistics

SQL = load_sections("prices")

MAX_VALIDITY_DAYS = 3_660
"""Maximum validity of one item.

It bounds how far before a range the lane index must be read.
"""


async def copy_prices(connection: Connection, chunks: AsyncIterable[bytes]) -> None:
    """Append observations from binary COPY data. Call `lock_tree_shared` first."""
    async with connection.cursor() as cursor, cursor.copy(SQL["copy_prices"]) as copy:
        async for chunk in chunks:
            await copy.write(chunk)


async def copy_out_batch(connection: Connection, batch_id: int) -> AsyncGenerator[bytes]:
    """Yield the observations of a batch as CSV lines.

    The columns are origin, destination, first day, last day and US cents. Days count from 1970-01-01. Close the generator
    with `aclosing`: until then the connection is busy.
    """
    # COPY does not support parameters, so the ID is formatted as a literal.
    statement = sql.SQL(SQL["copy_out_batch"].decode()).format(batch_id=sql.Literal(batch_id))
    async with connection.cursor() as cursor, cursor.copy(statement) as copy:
        async for chunk in copy:
            yield bytes(chunk)


async def delete_batch_prices(connection: Connection, batch_id: int) -> int:
    """Delete the observations of a batch and return their number."""
    return (await connection.execute(SQL["delete_batch_prices"], {"batch_id": batch_id})).rowcount


async def select_day_statistics(connection: Connection, lane: Lane, days: DateRange) -> list[DayStatistics]:
    """Return statistics for the days of the range that have observations, in order.

    They cover all prices between the ports below the lane's two locations.
    """
    async with connection.cursor(row_factory=class_row(DayStatistics)) as cursor:
        await cursor.execute(
            SQL["select_day_statistics"],
            {
                "origin": lane.origin,
                "destination": lane.destination,
                "first": days.first,
                "last": days.last,
                "max_validity_days": MAX_VALIDITY_DAYS,
            },
        )
        return await cursor.fetchall()
