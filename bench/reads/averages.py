"""`bench reads`: cost of an average by size of history and region.

The baseline is recursive SQL over the observations.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from statistics import median

from psycopg.errors import QueryCanceled
from rich.console import Console
from rich.table import Table

from bench.data.database import apply_csv, clear_prices, find_ids, open_world, read_figure
from bench.data.world import ORIGINS, ROOT, SEED, Shape, make_csv, port, region_of
from bench.reads.compaction import bench_compaction, bench_row_limit
from bench.scale import Scale
from db.connection import Connection
from db.repositories import totals
from db.repositories.prices import MAX_VALIDITY_DAYS
from domain.locations import Lane
from domain.prices import DateRange
from ingest.compact import MAX_ROWS_PER_KEY, compact

YEAR = 365
SMALL = Shape(33_334, 30, date(2025, 1, 1), YEAR - 30 + 1)
LARGE_BATCHES = MAX_ROWS_PER_KEY
"""Each batch adds a row to the measured keys, so these have as many rows as compaction ever leaves to a reader."""
LARGE = Shape(1_000_000 // LARGE_BATCHES, 30, date(2025, 1, 1), YEAR - 30 + 1)
RANGES = (DateRange(date(2025, 6, 15), date(2025, 7, 15)), DateRange(date(2025, 1, 1), date(2025, 12, 31)))
LANES = {
    "port → port": (port(0), port(ORIGINS)),
    "port → region": (port(0), region_of(ORIGINS, 3)),
    "region → region": (region_of(0, 3), region_of(ORIGINS, 3)),
    "root → root": (ROOT, ROOT),
}
MOST_ROWS = (
    "SELECT max(rows) FROM (SELECT count(*) AS rows FROM price_totals GROUP BY origin, destination, month) AS keys"
)
WARM_UP_CALLS = 20
SQL_CALLS = 3
SQL_LIMIT_SECONDS = 60
SQL_ENOUGH_SECONDS = 10
"""A slow query is not repeated: its first time is as good as a median."""
RECURSIVE_JOIN = b"""
WITH RECURSIVE origins AS (
    SELECT id FROM locations WHERE id = %(origin)s
    UNION
    SELECT l.id FROM origins o JOIN locations l ON l.parent_id = o.id
), destinations AS (
    SELECT id FROM locations WHERE id = %(destination)s
    UNION
    SELECT l.id FROM destinations d JOIN locations l ON l.parent_id = d.id
)
SELECT day::date AS day,
       sum(p.usd_cents)::bigint AS price_sum,
       count(*) AS price_count,
       min(p.usd_cents) AS low,
       max(p.usd_cents) AS high,
       (2 * percentile_cont(0.5) WITHIN GROUP (ORDER BY p.usd_cents))::bigint AS median_half_cents
FROM origins o
CROSS JOIN destinations d
JOIN prices p ON p.origin = o.id AND p.destination = d.id
CROSS JOIN LATERAL generate_series(
    greatest(p.first_day, %(first)s::date)::timestamp, least(p.last_day, %(last)s::date)::timestamp, interval '1 day'
) AS day
WHERE p.first_day <= %(last)s::date
  AND p.first_day >= %(first)s::date - %(max_validity_days)s::integer
  AND p.last_day >= %(first)s::date
GROUP BY day
ORDER BY day
"""
"""Statistics by day as a service without totals computes them: by recursive SQL over all observations."""
QueryKey = tuple[int, str]
"""Number of days and name of the lane."""


@dataclass(frozen=True, slots=True)
class History:
    """Database with prices, and the queries to measure."""

    name: str
    connection: Connection
    queries: Mapping[QueryKey, tuple[Lane, DateRange]]


async def bench_reads(console: Console, server_url: str, scale: Scale) -> None:
    """Measure reads of a short and a long history, then compaction.

    Reads are measured with many rows per key, then with one.
    """
    short, *long = (
        make_csv(replace(shape, items=scale.size(shape.items)), seed=SEED + number, busy_lane=True)
        for number, shape in enumerate([SMALL, *[LARGE] * LARGE_BATCHES])
    )
    async with open_world(server_url, "bench_small") as small, open_world(server_url, "bench_large") as large:
        with console.status("loading"):
            histories = [await _load(small, [short]), await _load(large, long)]
        with console.status("reads"):
            reads = await _measure_totals(histories, scale.calls)
            rows = " and ".join([str(await read_figure(history.connection, MOST_ROWS)) for history in histories])
        with console.status("recursive SQL"):
            by_sql = [await _measure_sql(history) for history in histories]
        _print(console, histories, reads, by_sql, f"worst case that compaction allows, {rows} rows per key")
        with console.status("loading"):
            # Compacting so many keys to one row is slow; the same items in one batch result in the same table.
            await clear_prices(large)
            lines = (data.split(b"\n", 1)[1] for data in long[1:])
            histories[1] = await _load(large, [b"".join([long[0], *lines])])
        with console.status("reads"):
            reads = await _measure_totals(histories, scale.calls)
        _print(console, histories, reads, by_sql, "at one row per key")
    await bench_row_limit(console, server_url, scale)
    await bench_compaction(console, server_url, scale)


async def _load(connection: Connection, batches: Sequence[bytes]) -> History:
    for data in batches:
        await apply_csv(connection, data)
    await compact(connection)
    await connection.execute("VACUUM (ANALYZE) prices, price_totals")
    ids = await find_ids(connection)
    days = await read_figure(connection, "SELECT sum(price_day_count) FROM price_batches")
    queries = {
        (len(period), name): (Lane(ids[origin], ids[destination]), period)
        for period in RANGES
        for name, (origin, destination) in LANES.items()
    }
    return History(f"{days / 1e6:.0f} M" if days >= 1e6 else f"{days:,}", connection, queries)


async def _measure_totals(histories: Sequence[History], calls: int) -> list[dict[QueryKey, float]]:
    """Return the median seconds of each query to each history.

    Queries alternate, so that all see the same noise.
    """
    seconds: list[dict[QueryKey, list[float]]] = [{key: [] for key in history.queries} for history in histories]
    for call in range(-min(calls, WARM_UP_CALLS), calls):
        for times, history in zip(seconds, histories, strict=True):
            # The order rotates: the first query after a change of connections is the slowest.
            first = call % len(history.queries)
            queries = list(history.queries.items())
            for key, query in queries[first:] + queries[:first]:
                start = time.perf_counter()
                await totals.select_day_totals(history.connection, [query])
                if call >= 0:
                    times[key].append(time.perf_counter() - start)
    return [{key: median(values) for key, values in times.items()} for times in seconds]


def _parameters(lane: Lane, days: DateRange) -> dict[str, object]:
    return {
        "origin": lane.origin,
        "destination": lane.destination,
        "first": days.first,
        "last": days.last,
        "max_validity_days": MAX_VALIDITY_DAYS,
    }


async def _measure_sql(history: History) -> dict[QueryKey, float | None]:
    """Return the median seconds of each query by recursive SQL over observations.

    None marks a query that exceeded SQL_LIMIT_SECONDS.
    """
    await history.connection.execute(f"SET statement_timeout = '{SQL_LIMIT_SECONDS}s'".encode())
    seconds: dict[QueryKey, float | None] = {}
    for key, (lane, days) in history.queries.items():
        values: list[float] = []
        try:
            while len(values) < SQL_CALLS and sum(values) < SQL_ENOUGH_SECONDS:
                start = time.perf_counter()
                cursor = await history.connection.execute(RECURSIVE_JOIN, _parameters(lane, days))
                await cursor.fetchall()
                values.append(time.perf_counter() - start)
        except QueryCanceled:
            seconds[key] = None
        else:
            seconds[key] = median(values)
    await history.connection.execute("SET statement_timeout = 0")
    return seconds


def _print(
    console: Console,
    histories: Sequence[History],
    reads: Sequence[Mapping[QueryKey, float]],
    by_sql: Sequence[Mapping[QueryKey, float | None]],
    state: str,
) -> None:
    names = [history.name for history in histories]
    console.print(
        f"\nReads of totals over {' and '.join(names)} daily prices, {state}; medians"
        f"\n(targets: root → root at most 1.5× port → port, {names[1]} at most 1.3× {names[0]})"
    )
    table = Table()
    table.add_column("days", justify="right")
    table.add_column("lane")
    for name in names:
        table.add_column(f"{name}\nms", justify="right")
        table.add_column("÷ port\n→ port", justify="right")
    table.add_column(f"{names[1]}\n÷ {names[0]}", justify="right")
    for name in names:
        table.add_column(f"SQL over\n{name}, ms", justify="right")
        table.add_column("÷ totals", justify="right")
    for key in reads[0]:
        base = (key[0], next(iter(LANES)))
        cells = [f"{value:.2f}" for read in reads for value in (read[key] * 1e3, read[key] / read[base])]
        cells.append(f"{reads[1][key] / reads[0][key]:.2f}")
        for read, sql in zip(reads, by_sql, strict=True):
            seconds = sql[key]
            slow = seconds is None
            cells.append(f"> {SQL_LIMIT_SECONDS} s" if seconds is None else f"{seconds * 1e3:,.1f}")
            cells.append("> " * slow + f"{(seconds or SQL_LIMIT_SECONDS) / read[key]:,.0f}")
        table.add_row(str(key[0]), key[1], *cells, end_section=key[1] == list(LANES)[-1])
    console.print(table)
