"""Move of a region with millions of prices, and the waits of uploads meanwhile."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from statistics import median
from unittest.mock import patch

from rich.console import Console
from rich.table import Table

from bench.data.database import apply_csv, open_world, read_figure
from bench.data.world import SEED, Shape, make_csv
from bench.scale import Scale
from db.connection import Connection
from db.pool import INGEST, connect
from domain.locations import LocationKind, TreeEntry
from ingest import tree
from ingest.tree import change_tree

BATCH = Shape(1_000_000, 30, date(2024, 1, 1), 700)
"""30 million daily prices over 24 months: 4.7 seconds to apply on two idle cores."""
BATCHES = 6
ITEM = Shape(1, 30, date(2024, 1, 1), 700)
MOVED, HOME, TARGET = "region_2_0", "world", "region_2_1"
"""A third of all ports: five lanes of nine have an end there."""
WAYS = {"one transaction": 10**12, "steps": tree.MAX_ROWS_AT_ONCE}
PRICES = """
    SELECT sum(last_day - first_day + 1) FROM prices p
    WHERE EXISTS (SELECT FROM locations l JOIN locations r ON r.id = l.parent_id JOIN locations s ON s.id = r.parent_id
                  JOIN locations t ON t.id = s.parent_id WHERE l.id IN (p.origin, p.destination) AND t.key = 'region_2_0')
"""


@dataclass
class Uploads:
    """Seconds from the beginning of each upload of one item to its commit."""

    seconds: list[float] = field(default_factory=list)


async def bench_tree_changes(console: Console, server_url: str, scale: Scale) -> None:
    """Measure moves of a region in one transaction and in steps, and print them."""
    shape = Shape(scale.size(BATCH.items), BATCH.days, BATCH.start, BATCH.span)
    async with open_world(server_url, "bench_tree_changes") as connection:
        for number in range(BATCHES):
            with console.status(f"batch {number + 1} of {BATCHES}"):
                await apply_csv(connection, make_csv(shape, seed=SEED + number))
        await connection.execute("VACUUM (ANALYZE) prices, price_totals")
        moved = await read_figure(connection, PRICES)
        console.print(f"\nMove of a region with {moved:,} daily prices, while items are uploaded one by one")
        table = Table()
        for column in ("move", "s", "uploads", "median ms", "longest ms"):
            table.add_column(column, justify="right")
        async with uploading(connection.info.dsn, connection.info.password) as uploads:
            await asyncio.sleep(scale.seconds)
        table.add_row("none", "", *describe(uploads))
        for way, rows in WAYS.items():
            with patch.object(tree, "MAX_ROWS_AT_ONCE", rows):
                start = time.perf_counter()
                async with uploading(connection.info.dsn, connection.info.password) as uploads:
                    await change_tree(connection, [move(TARGET)])
                    seconds = time.perf_counter() - start
            table.add_row(way, f"{seconds:.1f}", *describe(uploads))
            with console.status("moving back"):
                await change_tree(connection, [move(HOME)])
    console.print(table)


def move(parent: str) -> TreeEntry:
    """Return the entry that moves the region."""
    return TreeEntry(LocationKind.REGION, MOVED, None, parent, "bench:1")


def describe(uploads: Uploads) -> tuple[str, str, str]:
    """Return the number of uploads, and their median and longest time in milliseconds."""
    times = uploads.seconds
    return f"{len(times):,}", f"{median(times) * 1e3:.0f}", f"{max(times) * 1e3:,.0f}"


@asynccontextmanager
async def uploading(url: str, password: str) -> AsyncIterator[Uploads]:
    """Upload items one after the other, on another connection, until the block ends."""
    uploads, has_ended = Uploads(), asyncio.Event()

    async def upload(connection: Connection) -> None:
        while not has_ended.is_set():
            data = make_csv(ITEM, seed=len(uploads.seconds))
            start = time.perf_counter()
            await apply_csv(connection, data)
            uploads.seconds.append(time.perf_counter() - start)

    patient = replace(INGEST, lock_timeout=0)
    async with connect(f"{url} password={password}" if password else url, patient) as connection:
        task = asyncio.create_task(upload(connection))
        try:
            yield uploads
        finally:
            has_ended.set()
            await task
