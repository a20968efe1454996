"""Sketches, the distributions of prices by day: append, read, compact, rebuild.

No function updates a row. The sketches are bytes here; `db.sketches` defines their format.
"""

from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from datetime import date
from typing import NamedTuple

from psycopg.rows import args_row

from db.connection import Connection, copy_in, copy_out
from db.pipeline import execute_whole_pipeline
from db.sql import load_sections
from domain.compaction import KeyRange
from domain.locations import Lane
from domain.prices import DateRange

SQL = load_sections("sketches")

ALL_MONTHS = date.min
"""Stands for all months among the stale ones."""


class SketchRow(NamedTuple):
    """Stored row of a sketch. The sketch of a key is the sum of its rows."""

    origin: int
    destination: int
    month: date
    sketch: bytes


async def declare_sketch_maintenance(connection: Connection) -> None:
    """Declare that this transaction changes the sketches together with the prices or the tree."""
    await connection.execute(SQL["declare_sketch_maintenance"])


async def copy_sketches(connection: Connection, chunks: AsyncIterable[bytes]) -> None:
    """Append sketches from binary COPY data.

    Call `lock_tree_shared` and `declare_sketch_maintenance` first.
    """
    await copy_in(connection, SQL["copy_sketches"], chunks)


async def select_sketches(
    connection: Connection, requests: Sequence[tuple[Lane, DateRange]]
) -> list[list[tuple[date, bytes]]]:
    """Return for each request the month and the bytes of every sketch of its months.

    There are none if one of these months is stale. Only pairs of two regions have sketches. All requests share one round trip,
    as pipelined statements that each touch a single origin.
    """
    parameters = [
        (str(lane.origin), str(lane.destination), str(days.first.replace(day=1)), str(days.last))
        for lane, days in requests
    ]
    return await execute_whole_pipeline(connection, SQL["select_sketches"], parameters, lambda _number, rows: rows)


async def list_stale_months(connection: Connection) -> list[date]:
    """Return the months whose sketches must not be read, in order; ALL_MONTHS stands for all."""
    cursor = await connection.execute(SQL["list_stale_months"])
    return [month for (month,) in await cursor.fetchall()]


async def mark_stale(connection: Connection, months: Sequence[date]) -> None:
    """Mark months as stale: readers do not use their sketches."""
    await connection.execute(SQL["mark_stale"], {"months": list(months)})


async def unmark_stale(connection: Connection, month: date) -> bool:
    """Remove the mark of a stale month; return whether it was stale."""
    return await (await connection.execute(SQL["unmark_stale"], {"month": month})).fetchone() is not None


async def delete_month(connection: Connection, month: date) -> None:
    """Delete the sketches of a month."""
    await connection.execute(SQL["delete_month"], {"month": month})


async def list_month_origins(connection: Connection, month: date) -> list[int]:
    """Return the origins of the sketches of a month, by ID."""
    cursor = await connection.execute(SQL["list_month_origins"], {"month": month})
    return [origin for (origin,) in await cursor.fetchall()]


async def select_origin_sketches(connection: Connection, origin: int, month: date) -> list[tuple[int, bytes]]:
    """Return the destination and the bytes of every sketch of an origin in a month."""
    async with connection.cursor(binary=True) as cursor:
        await cursor.execute(SQL["select_origin_sketches"], {"origin": origin, "month": month})
        return await cursor.fetchall()


def copy_out_month(connection: Connection, month: date) -> AsyncGenerator[bytes]:
    """Yield the observations that are valid in a month as CSV lines.

    The columns are origin, destination, first day, last day and US cents. Days count from 1970-01-01. Close the generator
    with `aclosing`: until then the connection is busy.
    """
    return copy_out(connection, SQL["copy_out_month"], {"month": month})


def copy_out_moved(connection: Connection, ports: Sequence[int], days: DateRange) -> AsyncGenerator[bytes]:
    """Yield the observations with an end among the ports that are valid on one of the days.

    The format is that of `copy_out_month`.
    """
    return copy_out(connection, SQL["copy_out_moved"], {"ports": list(ports), "first": days.first, "last": days.last})


async def delete_crowded_sketches(connection: Connection, keys: KeyRange) -> list[SketchRow]:
    """Delete and return the sketches of the crowded keys of a range, ordered by key.

    A key is crowded if it has more than `max_rows` sketches.
    """
    async with connection.cursor(binary=True, row_factory=args_row(SketchRow)) as cursor:
        await cursor.execute(SQL["delete_crowded_sketches"], keys.to_parameters())
        return await cursor.fetchall()
