"""`bench verify`: verification of 30 million daily prices, and compaction by several jobs."""

import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import date

from psycopg.conninfo import make_conninfo
from rich.console import Console
from rich.table import Table

from bench.data.database import apply_csv, open_world
from bench.data.world import SEED, Shape, make_csv
from bench.scale import Scale
from db.connection import Connection
from db.pool import INGEST, connect
from ingest.compact import compact
from ingest.verify import verify

START, SPAN = date(2024, 1, 1), 702
HISTORY = Shape(1_000_000, 30, START, SPAN)
BATCHES = {
    "10,000 items of a day in one month": Shape(10_000, 1, date(2025, 3, 1), 30),
    "10,000 items of a day in two years": Shape(10_000, 1, START, 730),
    "10,000 items of 30 days in two years": Shape(10_000, 30, START, SPAN),
}
GOAL_SECONDS = 2.0
CROWDED = Shape(50_000, 30, START, SPAN)
CROWDED_BATCHES = 4
JOBS = (1, 2, 4)


async def bench_verify(console: Console, server_url: str, scale: Scale) -> None:
    """Measure the verification and the compaction, and print both."""
    await _bench_verification(console, server_url, scale)
    await _bench_jobs(console, server_url, scale)


async def _bench_verification(console: Console, server_url: str, scale: Scale) -> None:
    table = Table("verification", "s", "goal")
    async with open_world(server_url, "bench_verify") as connection:
        shape = replace(HISTORY, items=scale.size(HISTORY.items))
        with console.status("loading"):
            await apply_csv(connection, make_csv(shape, busy_lane=True))
            await connection.execute("VACUUM (ANALYZE)")
        async with connect(make_conninfo(server_url, dbname="bench_verify"), INGEST) as second_connection:

            async def measure(name: str, goal: str, *, full: bool = False) -> None:
                with console.status(name):
                    seconds = await _time_verification(connection, second_connection, full=full)
                table.add_row(name, f"{seconds:.2f}", goal)

            await measure("first, of everything", "")
            await measure("nothing has changed", "")
            for number, (name, batch) in enumerate(BATCHES.items()):
                data = make_csv(replace(batch, items=scale.size(batch.items)), seed=SEED + 1 + number)
                await apply_csv(connection, data)
                await measure(f"after {name}", f"{GOAL_SECONDS:g}")
            await measure("--full", "", full=True)
    console.print(f"\nVerification of {shape.items * shape.days:,} daily prices over two years")
    console.print(table)


async def _time_verification(connection: Connection, second_connection: Connection, *, full: bool) -> float:
    start = time.perf_counter()
    found = [
        difference
        async for _, of_month in verify(connection, full=full, second_connection=second_connection)
        for difference in of_month
    ]
    assert not found, "the totals equal the observations"
    return time.perf_counter() - start


async def _bench_jobs(console: Console, server_url: str, scale: Scale) -> None:
    table = Table("jobs", "s", "rows merged per second")
    shape = replace(CROWDED, items=scale.size(CROWDED.items))
    for jobs in JOBS:
        async with open_world(server_url, "bench_jobs") as connection, AsyncExitStack() as stack:
            with console.status(f"compaction by {jobs}"):
                for number in range(CROWDED_BATCHES):
                    await apply_csv(connection, make_csv(shape, seed=SEED + number))
                await connection.execute("VACUUM (ANALYZE)")
                url = make_conninfo(server_url, dbname="bench_jobs")
                others = [await stack.enter_async_context(connect(url, INGEST)) for _ in range(jobs - 1)]
                start = time.perf_counter()
                rows = await compact([connection, *others], max_rows=1)
                seconds = time.perf_counter() - start
            table.add_row(str(jobs), f"{seconds:.1f}", f"{rows / seconds:,.0f}")
    console.print(f"\nCompaction of {CROWDED_BATCHES} batches of {shape.items:,} items to one row per key, by jobs")
    console.print(table)
