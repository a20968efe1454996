"""Observations: bulk append, and bulk reads for statistics."""

from collections.abc import AsyncGenerator, AsyncIterable

from psycopg import sql
from psycopg.rows import args_row

from db.connection import Connection
from db.sql import load_sections
from domain.locations import Lane
from domain.prices import DateRange, PackedPrices

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


async def pack_lane_prices(connection: Connection, lane: Lane, days: DateRange) -> PackedPrices:
    """Return the observations of a lane that are valid on a day of the range.

    They are all prices between the ports below the lane's two locations.
    """
    parameters = {
        "origin": lane.origin,
        "destination": lane.destination,
        "first": days.first,
        "last": days.last,
        "max_validity_days": MAX_VALIDITY_DAYS,
    }
    async with connection.cursor(row_factory=args_row(_packed), binary=True) as cursor:
        await cursor.execute(SQL["pack_lane_prices"], parameters)
        return (await cursor.fetchall())[0]


def _packed(*columns: bytes | None) -> PackedPrices:
    return PackedPrices(*(column or b"" for column in columns))
