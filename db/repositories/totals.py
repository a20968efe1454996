"""Price totals, the read-optimised history: append, read, compact, verify, follow the tree.

No function updates a row. The `collect_*` functions need a transaction, because they share its temporary table `day_sums`.
"""

import sys
from array import array
from collections.abc import AsyncIterable, Awaitable, Callable, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from operator import add
from typing import Any, NamedTuple

from psycopg import DataError
from psycopg.errors import NumericValueOutOfRange
from psycopg.rows import args_row, class_row

from db.connection import Connection, copy_in
from db.errors import CountTooLarge, TotalsDamaged
from db.pipeline import RowDecodingError, execute_pipelined, execute_whole_pipeline
from db.sql import load_sections
from domain.compaction import Key, KeyRange
from domain.locations import Lane
from domain.prices import MAX_CHANGES, DateRange, DayTotals, spread_changes

SQL = load_sections("totals")
MAX_MONTH_DAYS = 31

Execute = Callable[[Connection, bytes, Mapping[str, object]], Awaitable[list[Any]]]
"""Runs a statement with one column, and returns its values."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Day on which a location pair's totals differ from its observations; sums are US cents."""

    origin: str
    destination: str
    day: date
    expected_sum: int
    expected_count: int
    actual_sum: int
    actual_count: int


class LaneHistory(NamedTuple):
    """Number of prices of a lane on `first_day` and every day after it."""

    first_day: date
    counts: list[int]


class PricePeriod(NamedTuple):
    """First and last day of all prices, None without prices, and the number of daily prices.

    `has_demo` is true if the demo data is among them.
    """

    first_day: date | None
    last_day: date | None
    price_count: int
    has_demo: bool


async def select_day_totals(connection: Connection, requests: Sequence[tuple[Lane, DateRange]]) -> list[DayTotals]:
    """Return for each request the totals of every day of its range.

    All requests share one round trip, as pipelined statements that each touch a single origin. The result ends before a lane
    with damaged totals. Raise TotalsDamaged if this is the first one.
    """
    parameters = [
        (str(lane.origin), str(lane.destination), str(days.first.replace(day=1)), str(days.last))
        for lane, days in requests
    ]

    def decode(number: int, rows: list[tuple[Any, ...]]) -> DayTotals:
        return _sum_by_day(rows, requests[number][1])

    with _damaged_totals([lane for lane, _ in requests]):
        return await execute_pipelined(connection, SQL["select_day_totals"], parameters, decode)


@contextmanager
def _damaged_totals(lanes: Sequence[Lane]) -> Iterator[None]:
    """Convert the error of rows that cannot be decoded into TotalsDamaged, with their lane."""
    try:
        yield
    except RowDecodingError as error:
        raise TotalsDamaged(lanes[error.number]) from error.__cause__


def _sum_by_day(rows: Iterable[tuple[Any, ...]], days: DateRange) -> DayTotals:
    """Return the sum of the partial sums on each day of the range.

    Partial sums may begin before the range and end after it.
    """
    length = len(days)
    sums, counts = [0] * length, [0] * length
    end = 0
    for first_day, part_sums, part_counts in rows:
        if part_counts is None:
            part_sums, part_counts = spread_changes(first_day, part_sums)
        if len(part_sums) != len(part_counts):
            raise ValueError("arrays of two lengths")
        start = (first_day - days.first).days
        if start < 0:
            part_sums, part_counts, start = part_sums[-start:], part_counts[-start:], 0
        if start + len(part_sums) > length:
            remaining = max(length - start, 0)
            part_sums, part_counts = part_sums[:remaining], part_counts[:remaining]
        stop = start + len(part_sums)
        if start < end:
            part_sums, part_counts = map(add, sums[start:stop], part_sums), map(add, counts[start:stop], part_counts)
        # A part behind all previous parts needs no addition. In compacted totals this is nearly always the case.
        sums[start:stop], counts[start:stop] = part_sums, part_counts
        end = max(end, stop)
    # NULL in an array raises TypeError here, in a fifth of the time that a search takes.
    total, count = sum(sums), sum(counts)
    if count < 0:
        raise ValueError(f"{count} prices with a sum of {total}")
    return DayTotals(sums, counts)


async def select_lane_histories(connection: Connection, lanes: Sequence[Lane]) -> list[LaneHistory]:
    """Return the numbers of prices of each lane over all days.

    All lanes share one round trip. Raise TotalsDamaged.
    """
    if not lanes:
        return []
    parameters = [(str(lane.origin), str(lane.destination)) for lane in lanes]
    with _damaged_totals(lanes):
        return await execute_whole_pipeline(connection, SQL["select_lane_histories"], parameters, _sum_history)


def _sum_history(_number: int, rows: list[tuple[Any, ...]]) -> LaneHistory:
    if not rows:
        return LaneHistory(date.min, [])
    parts = [
        (first_day, counts if changes is None else spread_changes(first_day, changes).counts)
        for first_day, counts, changes in rows
    ]
    # Damaged rows would lead to days that Python cannot represent.
    if any(first_day.day - 1 + len(counts) > MAX_MONTH_DAYS for first_day, counts in parts):
        raise ValueError("days behind the month")
    start = min(first_day for first_day, _ in parts)
    length = max((first_day - start).days + len(counts) for first_day, counts in parts)
    totals = [0] * length
    for first_day, counts in parts:
        at = (first_day - start).days
        totals[at : at + len(counts)] = map(add, totals[at : at + len(counts)], counts)
    return LaneHistory(start, totals)


async def list_priced_lanes(
    connection: Connection, origins: Iterable[int], destinations: Container[int] | None
) -> list[Lane]:
    """Return the port-to-port lanes with observations between ports, ordered by IDs.

    None stands for all destinations. All origins share one round trip.
    """
    origins = sorted(origins)
    parameters = [(str(origin),) for origin in origins]
    reached = await execute_whole_pipeline(connection, SQL["list_priced_lanes"], parameters, _unpack_destinations)
    return [
        Lane(origin, destination)
        for origin, lanes in zip(origins, reached, strict=True)
        for destination in lanes
        if destinations is None or destination in destinations
    ]


def _unpack_destinations(_number: int, rows: list[tuple[bytes | None]]) -> "array[int]":
    destinations = array("i", rows[0][0] or b"")
    if sys.byteorder == "little":
        destinations.byteswap()
    return destinations


async def select_price_period(connection: Connection) -> PricePeriod:
    """Return the period of all prices. Raise TotalsDamaged."""
    async with connection.cursor(row_factory=args_row(PricePeriod)) as cursor:
        try:
            await cursor.execute(SQL["select_price_period"])
            return (await cursor.fetchall())[0]
        except DataError as error:
            raise TotalsDamaged from error


async def copy_totals(connection: Connection, chunks: AsyncIterable[bytes]) -> None:
    """Append partial sums from binary COPY data. Call `lock_tree_shared` first."""
    await copy_in(connection, SQL["copy_totals"], chunks)


async def can_store_changes(connection: Connection) -> bool:
    """Return whether rows of totals may have changes, which older releases cannot read."""
    ((can_store,),) = await (await connection.execute(SQL["can_store_changes"])).fetchall()
    return bool(can_store)


async def create_day_sums(connection: Connection) -> None:
    """Create the transaction's temporary table of sums by day."""
    await connection.execute(SQL["create_day_sums"])


async def create_ancestors(connection: Connection) -> None:
    """Create the transaction's temporary table of each location's ancestors."""
    await connection.execute(SQL["create_ancestors"])


async def collect_observed_month(connection: Connection, month: date) -> None:
    """Collect the sums of a month's observations for every pair of locations.

    Call `create_day_sums` and `create_ancestors` first.
    """
    await connection.execute(SQL["collect_observed_month"], {"month": month})


async def execute_at_once(connection: Connection, statement: bytes, parameters: Mapping[str, object]) -> list[Any]:
    """Return the only column of the statement, which processes the whole table."""
    return [value for (value,) in await (await connection.execute(statement, parameters)).fetchall()]


async def compact_keys(
    connection: Connection, keys: KeyRange, *, execute: Execute = execute_at_once
) -> tuple[Key, int] | None:
    """Merge the rows of the keys of a range that have more than `max_rows` rows each.

    Return a key up to which no such key remains, and the number of deleted rows, or None at the end. `execute` may run the
    statement once on each shard: the limits then hold for each. Raise CountTooLarge.
    """
    parameters = keys.to_parameters() | {"max_changes": MAX_CHANGES}
    try:
        found = await execute(connection, SQL["compact_keys"], parameters)
    except NumericValueOutOfRange as error:
        raise CountTooLarge from error
    steps = [((origin, destination, date.fromisoformat(month)), rows) for origin, destination, month, rows in found]
    return (min(last for last, _ in steps), sum(rows for _, rows in steps)) if steps else None


async def pack_day_sums(connection: Connection) -> None:
    """Append the rows of the temporary table `day_sums` to the totals.

    Each pair and month becomes one row with arrays. Raise CountTooLarge.
    """
    try:
        await connection.execute(SQL["pack_day_sums"])
    except NumericValueOutOfRange as error:
        raise CountTooLarge from error


async def list_months(connection: Connection) -> list[date]:
    """Return the first day of every month that has observations or totals, in order."""
    cursor = await connection.execute(SQL["list_months"])
    return [month for (month,) in await cursor.fetchall()]


async def diff_month(connection: Connection, month: date, *, limit: int) -> list[Difference]:
    """Return up to `limit` days of the month on which totals differ from the collected sums.

    The largest differences come first.
    """
    async with connection.cursor(row_factory=class_row(Difference)) as cursor:
        await cursor.execute(SQL["diff_month"], {"month": month, "limit": limit})
        return await cursor.fetchall()


async def delete_month(connection: Connection, month: date) -> None:
    """Delete the totals of a month; `pack_day_sums` restores them from the collected sums."""
    await connection.execute(SQL["delete_month"], {"month": month})
