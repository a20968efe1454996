"""Observations: bulk append, and bulk reads for statistics."""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence

from psycopg import sql

from db.connection import Connection
from db.pipeline import execute_whole_pipeline, format_integers
from db.sql import load_sections
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


async def pack_lane_prices(
    connection: Connection, requests: Sequence[tuple[Sequence[int], Sequence[int], DateRange]]
) -> list[PackedPrices]:
    """Return for each request the observations that are valid on a day of its range.

    A request names the IDs of the origin ports and of the destination ports, and the days. All requests share one round trip.
    """
    parameters = [
        (
            format_integers(origins),
            format_integers(destinations),
            str(days.first),
            str(days.last),
            str(MAX_VALIDITY_DAYS),
        )
        for origins, destinations, days in requests
    ]
    return await execute_whole_pipeline(connection, SQL["pack_lane_prices"], parameters, _packed)


def _packed(_number: int, rows: list[tuple[bytes | None, ...]]) -> PackedPrices:
    return PackedPrices(*(column or b"" for column in rows[0]))
