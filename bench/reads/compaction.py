"""Read cost by rows per key, the reason for MAX_ROWS_PER_KEY, and the cost of compaction."""

import time
from dataclasses import replace
from datetime import date
from statistics import median

from rich.console import Console
from rich.table import Table

from bench.data.database import apply_csv, find_ids, open_world
from bench.data.world import ORIGINS, SEED, Shape, make_csv, port
from bench.scale import Scale
from db.connection import Connection
from db.repositories import totals
from domain.locations import Lane
from domain.prices import DateRange
from ingest.compact import MAX_ROWS_PER_KEY, compact

MONTH = DateRange(date(2025, 7, 1), date(2025, 7, 31))
ROWS = (1, 8, 32, 128)
WARM_UP_CALLS = 20
CROWDED = Shape(500, 30, date(2025, 1, 1), 336)
"""Spans a whole year: the cost of compaction depends on packing the months of a pair."""
CROWDED_BATCHES = 4


async def bench_row_limit(console: Console, server_url: str, scale: Scale) -> None:
    """Measure a read of one month of one lane by the number of rows of its key, and print it."""
    console.print(
        f"\nRead of one month by rows per key, median of {scale.calls} (MAX_ROWS_PER_KEY is {MAX_ROWS_PER_KEY})"
    )
    table = Table()
    for column in ("rows per key", "ms", "÷ 1 row"):
        table.add_column(column, justify="right")
    async with open_world(server_url, "bench_row_limit") as connection:
        ids = await find_ids(connection)
        query = (Lane(ids[port(0)], ids[port(ORIGINS)]), MONTH)
        appended, least = 0, 0.0
        for rows in ROWS:
            with console.status(f"{rows} rows"):
                while appended < rows:
                    await _append(connection, appended)
                    appended += 1
                await connection.execute("VACUUM (ANALYZE) price_totals")
                seconds = await _measure(connection, query, scale.calls)
            least = least or seconds
            table.add_row(str(rows), f"{seconds * 1e3:.2f}", f"{seconds / least:.2f}")
    console.print(table)


async def bench_compaction(console: Console, server_url: str, scale: Scale) -> None:
    """Measure the compaction of a few batches to one row per key, and print it."""
    shape = replace(CROWDED, items=scale.size(CROWDED.items))
    async with open_world(server_url, "bench_compaction") as connection:
        for number in range(CROWDED_BATCHES):
            await apply_csv(connection, make_csv(shape, seed=SEED + number))
        await connection.execute("VACUUM (ANALYZE) price_totals")
        start = time.perf_counter()
        deleted = await compact(connection, max_rows=1)
        seconds = time.perf_counter() - start
    console.print(
        f"\nCompaction of {CROWDED_BATCHES} batches of {shape.items:,} items to one row per key: {deleted:,} rows deleted in"
        f" {seconds:.1f} s, {deleted / seconds:,.0f} rows per second"
    )


async def _append(connection: Connection, number: int) -> None:
    """Apply a batch with a price for every day of the month on the lane."""
    days = len(MONTH)
    await apply_csv(connection, make_csv(Shape(days, 1, MONTH.first, days), seed=SEED + number, busy_lane=True))


async def _measure(connection: Connection, query: tuple[Lane, DateRange], calls: int) -> float:
    seconds = []
    for call in range(-min(calls, WARM_UP_CALLS), calls):
        start = time.perf_counter()
        await totals.select_day_totals(connection, [query])
        if call >= 0:
            seconds.append(time.perf_counter() - start)
    return median(seconds)
