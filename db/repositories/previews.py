"""What an upload would do, found out in a transaction that is rolled back. Nothing here outlives it."""

from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from psycopg.rows import args_row

from db.connection import Connection
from db.sql import load_sections
from domain.batches import BatchOutcome, Rejection
from domain.locations import Lane
from domain.prices import MIN_PRICES_FOR_STATISTICS

SQL = load_sections("previews")


@dataclass(frozen=True, slots=True)
class AverageDelta:
    """A day of a lane whose average would change: the sum (US cents) and the number of its prices before and after.

    Before, they may be too few for an average.
    """

    lane: Lane
    day: date
    sum_before: int
    count_before: int
    sum_after: int
    count_after: int


@dataclass(frozen=True, slots=True)
class Preview:
    """What an upload would come to: its outcome, its first problems and lanes, and the averages that it would move most.

    `new_average_count` is the number of days of lanes that would have an average for the first time.
    """

    outcome: BatchOutcome
    rejections: list[Rejection]
    lanes: list[Lane] = field(default_factory=list)
    deltas: list[AverageDelta] = field(default_factory=list)
    new_average_count: int = 0


async def create_previewed_totals(connection: Connection) -> None:
    """Make the transaction's table of the totals that would be appended."""
    await connection.execute(SQL["create_previewed_totals"])


async def copy_previewed_totals(connection: Connection, chunks: AsyncIterable[bytes]) -> None:
    """Put partial sums of lanes, port to port, into the transaction's table, from binary COPY data."""
    async with connection.cursor() as cursor, cursor.copy(SQL["copy_previewed_totals"]) as copy:
        async for chunk in chunks:
            await copy.write(chunk)


async def analyze_previewed_totals(connection: Connection) -> None:
    """Let the planner know what was put into the transaction's table."""
    await connection.execute(SQL["analyze_previewed_totals"])


async def list_average_deltas(connection: Connection, *, limit: int) -> tuple[list[AverageDelta], int]:
    """Return up to `limit` averages that would change, the largest moves first, and how many would be new.

    New averages come after those that move. Everything is compared with one state of the totals.
    """
    async with connection.cursor(row_factory=args_row(_delta)) as cursor:
        await cursor.execute(SQL["list_average_deltas"], {"min_prices": MIN_PRICES_FOR_STATISTICS, "limit": limit})
        found = await cursor.fetchall()
    return [move for move, _ in found], found[0][1] if found else 0


def _delta(origin: int, destination: int, *figures: Any) -> tuple[AverageDelta, int]:  # noqa: ANN401
    *move, new_average_count = figures
    return AverageDelta(Lane(origin, destination), *move), new_average_count
