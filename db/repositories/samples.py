"""Samples: the lanes of a database, and copies of a part of its rows in another database."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from psycopg.rows import args_row, class_row

from db.connection import Connection
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
        has_duplicates: True if an observation is there twice.
        has_gaps: True if days between the first and the last one have no price.
    """

    origin: int
    destination: int
    observations: int
    price_days: int
    currencies: list[str]
    longest_days: int
    has_low_prices: bool
    has_duplicates: bool
    has_gaps: bool


async def describe_lanes(connection: Connection) -> list[LaneDescription]:
    """Return the lanes between ports that have prices, in no particular order."""
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


async def copy_base(source: Connection, target: Connection) -> None:
    """Copy all locations, aliases and exchange rates. The target must have no locations."""
    await target.execute(SQL["delete_seeds"])
    await target.execute(SQL["delete_rates"])
    for name in ("locations", "aliases", "rates"):
        await _copy(source, target, name)


async def copy_prices(source: Connection, target: Connection, lanes: Collection[Lane]) -> None:
    """Copy the observations of the lanes, and their batches without uploaders and idempotency keys."""
    origins, destinations = [lane.origin for lane in lanes], [lane.destination for lane in lanes]
    await _copy(source, target, "prices", {"origins": origins, "destinations": destinations})
    async with target.cursor(row_factory=args_row(list[int])) as cursor:
        await cursor.execute(SQL["list_batch_ids"])
        ids: Sequence[int] = (await cursor.fetchall())[0]
    await _copy(source, target, "batches", {"ids": ids})
    for name in ("complete_batches", "complete_batch_lanes", "advance_ids"):
        await target.execute(SQL[name])


async def _copy(
    source: Connection, target: Connection, name: str, parameters: Mapping[str, object] | None = None
) -> None:
    """Copy the rows of a section `copy_out_…` to the section `copy_in_…` of the same name."""
    async with (
        source.cursor() as reader,
        target.cursor() as writer,
        reader.copy(SQL[f"copy_out_{name}"], parameters) as rows,
        writer.copy(SQL[f"copy_in_{name}"]) as copy,
    ):
        async for block in rows:
            await copy.write(block)
