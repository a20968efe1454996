"""Price totals, the read-optimised history: append, read, compact, check against the observations, follow the tree.

Nothing here updates a row. Functions that gather need a transaction: they meet in its temporary table `day_sums`.
"""

from collections.abc import AsyncIterable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from operator import add
from typing import Any

from psycopg.rows import class_row

from db.connection import Connection
from db.pipeline import execute_pipelined
from db.sql import load_sections
from domain.locations import Lane
from domain.prices import DateRange, DayTotals

SQL = load_sections("totals")

Key = tuple[int, int, date]
"""Origin, destination and month of totals: rows of the same key add up."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A day on which a pair's totals are not what its observations say. Sums are US cents."""

    origin: str
    destination: str
    day: date
    expected_sum: int
    expected_count: int
    actual_sum: int
    actual_count: int


async def select_day_totals(connection: Connection, questions: Sequence[tuple[Lane, DateRange]]) -> list[DayTotals]:
    """Return for each question the totals of every day of its range.

    All questions travel in one round trip, as pipelined statements that each touch a single origin.
    """
    parameters = [
        (str(lane.origin), str(lane.destination), str(days.first.replace(day=1)), str(days.last))
        for lane, days in questions
    ]

    def read(number: int, rows: list[tuple[Any, ...]]) -> DayTotals:
        return _add_up(rows, questions[number][1])

    return await execute_pipelined(connection, SQL["select_day_totals"], parameters, read)


def _add_up(rows: Iterable[tuple[Any, ...]], days: DateRange) -> DayTotals:
    """Return the sum of the partial sums on each day of the range; parts of them may lie outside."""
    length = len(days)
    sums, counts = [0] * length, [0] * length
    end = 0
    for first_day, part_sums, part_counts in rows:
        start = (first_day - days.first).days
        if start < 0:
            part_sums, part_counts, start = part_sums[-start:], part_counts[-start:], 0
        if start + len(part_sums) > length:
            left = max(length - start, 0)
            part_sums, part_counts = part_sums[:left], part_counts[:left]
        stop = start + len(part_sums)
        if start < end:
            part_sums, part_counts = map(add, sums[start:stop], part_sums), map(add, counts[start:stop], part_counts)
        # What lies after all that came before has nothing to be added to: nearly always, where totals are compact.
        sums[start:stop], counts[start:stop] = part_sums, part_counts
        end = max(end, stop)
    return DayTotals(sums, counts)


async def copy_totals(connection: Connection, chunks: AsyncIterable[bytes]) -> None:
    """Append partial sums from binary COPY data. Hold the tree by `share_tree` first."""
    async with connection.cursor() as cursor, cursor.copy(SQL["copy_totals"]) as copy:
        async for chunk in chunks:
            await copy.write(chunk)


async def create_day_sums(connection: Connection) -> None:
    """Make the transaction's table of sums by day."""
    await connection.execute(SQL["create_day_sums"])


async def collect_observed_month(connection: Connection, month: date) -> None:
    """Gather what the observations of a month add up to, for every pair of locations."""
    await connection.execute(SQL["collect_observed_month"], {"month": month})


async def compact_keys(
    connection: Connection, after: Key | None, *, max_rows: int, max_keys: int
) -> tuple[Key, int] | None:
    """Replace the rows of up to `max_keys` keys that have more than `max_rows` by their sum.

    Begin behind the key `after`, in the order of origin, destination and month. Return the last of the keys and how many
    rows are gone, or None when no such key is left.
    """
    origin, destination, month = after or (0, 0, date.min)
    cursor = await connection.execute(
        SQL["compact_keys"],
        {"origin": origin, "destination": destination, "month": month, "max_rows": max_rows, "max_keys": max_keys},
    )
    row = await cursor.fetchone()
    return None if row is None else ((row[0], row[1], row[2]), row[3])


async def store_ancestors(connection: Connection) -> None:
    """Note who stands above whom before the tree changes, for `gather_tree_change`."""
    await connection.execute(SQL["store_ancestors"])


async def collect_tree_change(connection: Connection) -> None:
    """Gather what the change of the tree since `remember_ancestors` adds to and takes from each pair of locations."""
    await connection.execute(SQL["collect_tree_change"])


async def pack_day_sums(connection: Connection) -> None:
    """Append what was gathered to the totals."""
    await connection.execute(SQL["pack_day_sums"])


async def list_months(connection: Connection) -> list[date]:
    """Return the first day of every month that holds observations or totals, in order."""
    cursor = await connection.execute(SQL["list_months"])
    return [month for (month,) in await cursor.fetchall()]


async def diff_month(connection: Connection, month: date, *, limit: int) -> list[Difference]:
    """Return up to `limit` days of the month on which totals differ from what was gathered, the worst first."""
    async with connection.cursor(row_factory=class_row(Difference)) as cursor:
        await cursor.execute(SQL["diff_month"], {"month": month, "limit": limit})
        return await cursor.fetchall()


async def delete_month(connection: Connection, month: date) -> None:
    """Remove the totals of a month; `pack_day_sums` puts them back from what was gathered."""
    await connection.execute(SQL["delete_month"], {"month": month})
