"""Dry runs: the effect of an upload, computed in a transaction that is rolled back."""

from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from psycopg.rows import args_row

from db.connection import Connection, copy_in
from db.sql import load_sections
from domain.batches import BatchOutcome, Rejection
from domain.locations import Lane
from domain.prices import MIN_PRICES_FOR_STATISTICS

SQL = load_sections("previews")


@dataclass(frozen=True, slots=True)
class AverageDelta:
    """Day of a lane whose average would change: sum and number of its prices before and after.

    Sums are in US cents. Before the upload, the prices may be too few for an average.
    """

    lane: Lane
    day: date
    sum_before: int
    count_before: int
    sum_after: int
    count_after: int


@dataclass(frozen=True, slots=True)
class Preview:
    """Result of a dry run: outcome, first problems and lanes, and largest changes of averages.

    `new_average_count` is the number of days of lanes that would have an average for the first time.
    """

    outcome: BatchOutcome
    rejections: list[Rejection]
    lanes: list[Lane] = field(default_factory=list)
    deltas: list[AverageDelta] = field(default_factory=list)
    new_average_count: int = 0


async def create_previewed_totals(connection: Connection) -> None:
    """Create the transaction's temporary table of the totals that would be appended."""
    await connection.execute(SQL["create_previewed_totals"])


async def copy_previewed_totals(connection: Connection, chunks: AsyncIterable[bytes]) -> None:
    """Copy partial sums of lanes, port to port, into the temporary table.

    The chunks are binary COPY data.
    """
    await copy_in(connection, SQL["copy_previewed_totals"], chunks)


async def analyze_previewed_totals(connection: Connection) -> None:
    """Update the planner statistics of the temporary table."""
    await connection.execute(SQL["analyze_previewed_totals"])


async def list_average_deltas(connection: Connection, *, limit: int) -> tuple[list[AverageDelta], int]:
    """Return up to `limit` averages that would change, and the number of new averages.

    The largest changes come first, and new averages come last. All are compared with the same state of the totals.
    """
    async with connection.cursor(row_factory=args_row(_delta)) as cursor:
        await cursor.execute(SQL["list_average_deltas"], {"min_prices": MIN_PRICES_FOR_STATISTICS, "limit": limit})
        rows = await cursor.fetchall()
    return [delta for delta, _ in rows], rows[0][1] if rows else 0


def _delta(origin: int, destination: int, *columns: Any) -> tuple[AverageDelta, int]:  # noqa: ANN401
    *delta, new_average_count = columns
    return AverageDelta(Lane(origin, destination), *delta), new_average_count
