"""Samples: the lanes of a database, and copies of a part of its rows in another database."""

from collections.abc import AsyncGenerator, AsyncIterable, Collection, Sequence
from dataclasses import dataclass
from datetime import date

from psycopg.rows import args_row, class_row

from db.connection import Connection, copy_in, copy_out
from db.sql import load_sections
from domain.locations import Lane

SQL = load_sections("samples")


@dataclass(frozen=True, slots=True)
class LaneDescription:
    """Prices of a lane between two ports.

    Attributes:
        price_days: Number of daily prices.
        longest_days: Days of the observation that is valid for longest.
        has_low_prices: True if a price is zero or negative.
        has_duplicates: True if an observation occurs twice.
        starts, ends: First days of its unbroken runs of days with a price, and the days after them, in order.
    """

    origin: int
    destination: int
    observations: int
    price_days: int
    currencies: list[str]
    longest_days: int
    has_low_prices: bool
    has_duplicates: bool
    starts: list[date]
    ends: list[date]

    @property
    def has_gaps(self) -> bool:
        """Return whether days between the first and the last one have no price."""
        return len(self.starts) > 1


async def describe_lanes(connection: Connection) -> list[LaneDescription]:
    """Return the lanes between ports that have prices in the table, in no particular order."""
    async with connection.cursor(row_factory=class_row(LaneDescription)) as cursor:
        await cursor.execute(SQL["describe_lanes"])
        return await cursor.fetchall()


async def list_thin_lanes(connection: Connection) -> set[Lane]:
    """Return the lanes between ports that have a day with one or two prices."""
    async with connection.cursor(row_factory=args_row(Lane)) as cursor:
        await cursor.execute(SQL["list_thin_lanes"])
        return set(await cursor.fetchall())


async def is_empty(connection: Connection) -> bool:
    """Return whether the database has neither locations nor batches."""
    async with connection.cursor(row_factory=args_row(bool)) as cursor:
        await cursor.execute(SQL["is_empty"])
        return (await cursor.fetchall())[0]


def copy_out_locations(connection: Connection) -> AsyncGenerator[bytes, None]:
    """Yield all locations in PostgreSQL's binary COPY format."""
    return copy_out(connection, SQL["copy_out_locations"])


async def copy_in_locations(connection: Connection, blocks: AsyncIterable[bytes]) -> None:
    """Insert locations with their IDs, from the blocks of `copy_out_locations`."""
    await copy_in(connection, SQL["copy_in_locations"], blocks)


async def list_alias_rows(connection: Connection) -> list[tuple[str, str, str]]:
    """Return all aliases as (alias, key, source), in order."""
    cursor = await connection.execute(SQL["list_alias_rows"])
    return [(alias, key, source) for alias, key, source in await cursor.fetchall()]


def copy_out_rates(connection: Connection) -> AsyncGenerator[bytes, None]:
    """Yield all exchange rates as lines of CSV."""
    return copy_out(connection, SQL["copy_out_rates"])


def copy_out_lanes(connection: Connection, lanes: Collection[Lane]) -> AsyncGenerator[bytes, None]:
    """Yield the observations of the lanes in the format of `prices.copy_prices`."""
    parameters = {"origins": [lane.origin for lane in lanes], "destinations": [lane.destination for lane in lanes]}
    return copy_out(connection, SQL["copy_out_lanes"], parameters)


async def copy_in_archived(connection: Connection, lines: bytes) -> None:
    """Insert observations of an archived file, from CSV lines whose days are dates."""
    await copy_in(connection, SQL["copy_in_archived"], [lines])


async def list_batch_ids(connection: Connection) -> list[int]:
    """Return the ordered IDs of the batches that have prices."""
    async with connection.cursor() as cursor:
        await cursor.execute(SQL["list_batch_ids"])
        ((ids,),) = await cursor.fetchall()
    return list(ids)


def copy_out_batches(connection: Connection, ids: Sequence[int]) -> AsyncGenerator[bytes, None]:
    """Yield batches in PostgreSQL's binary COPY format, without uploaders and keys."""
    return copy_out(connection, SQL["copy_out_batches"], {"ids": list(ids)})


async def copy_in_batches(connection: Connection, blocks: AsyncIterable[bytes]) -> None:
    """Insert batches with their IDs, from the blocks of `copy_out_batches`."""
    await copy_in(connection, SQL["copy_in_batches"], blocks)


async def complete_batches(connection: Connection) -> None:
    """Write the counts and days of all batches from their observations."""
    await connection.execute(SQL["complete_batches"])


async def insert_batch_lanes(connection: Connection) -> None:
    """Insert the lanes of all batches from their observations."""
    await connection.execute(SQL["insert_batch_lanes"])


async def advance_ids(connection: Connection) -> None:
    """Advance the ID sequences past the IDs of the copied locations and batches."""
    await connection.execute(SQL["advance_ids"])
