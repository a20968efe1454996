"""`bench billion`: load a billion daily prices, a million items per file, and query them.

`bench.data.history` defines the files. Each is written just before it is loaded, and removed afterwards; writing is not
counted. The queries are those of `bench reads`, and five percentiles from sketches; as loaded, and again at one row per key.
They alternate with the same queries to a database that has only the first file, so that both see the same noise. The server
runs with autovacuum, as in production.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory

from psycopg.conninfo import conninfo_to_dict
from rich.console import Console
from rich.table import Table

from bench.data.database import find_ids, open_world, read_figure
from bench.data.history import (
    DAILY_PRICES,
    FILE_ITEMS,
    HISTORY_DAYS,
    ITEM_DAYS,
    START,
    History,
    plan_history,
    write_files,
)
from bench.data.world import ORIGINS, PORTS, ROOT, port
from bench.processes import family_memory, peak_memory, track_peak
from bench.reads.averages import LANES, MOST_ROWS, RANGES, WARM_UP_CALLS, QueryKey
from bench.scale import Scale
from bench.statistics.reads import LANES as REGION_PAIRS
from bench.statistics.reads import from_sketches, read_percentiles
from db.connection import Connection
from db.repositories import totals
from domain.intervals import Interval, divide
from domain.locations import Lane
from domain.prices import DateRange
from server.runtime.child_processes import COMMAND

GOAL_SECONDS, GOAL_RATIO, GOAL_COMPACTED = 600, 1.3, 2.0
LIMITS = {
    # An item of thirty days touches two months at most.
    "RATESGRAPH_MAX_BATCH_PRICE_DAYS": str(FILE_ITEMS * ITEM_DAYS),
    "RATESGRAPH_MAX_BATCH_LANE_MONTHS": str(FILE_ITEMS * 2),
}
"""Settings that admit a file. Those by default would reject files of long items that are this large."""
DISK_BYTES, DISK_BYTES_PER_DAILY_PRICE = 6e9, 8
"""Disk space of the write-ahead log and one file, and of a daily price with its share of indexes and totals."""
EVERY_LANE = "port → port, different lane per call"
PERCENTILES = {f"{name}, percentiles": ends for name, ends in REGION_PAIRS.items()}
SIZES = {
    "prices": "SELECT pg_table_size('prices')",
    "indexes of prices": "SELECT pg_indexes_size('prices')",
    "totals": "SELECT pg_table_size('price_totals')",
    "index of totals": "SELECT pg_indexes_size('price_totals')",
    "sketches": "SELECT pg_total_relation_size('price_sketches')",
    "write-ahead log": "SELECT sum(size)::bigint FROM pg_ls_waldir()",
}
NAMES = [*LANES, EVERY_LANE, *PERCENTILES]
ROWS = "SELECT count(*) FROM price_totals"
Timings = dict[QueryKey, list[float]]
"""Seconds of every call, by number of days and name of the query."""


@dataclass(slots=True)
class Loading:
    """Seconds per file, and the peak memory of a loading process in bytes."""

    seconds: list[float] = field(default_factory=list)
    writing_seconds: float = 0
    peak_bytes: int = 0


async def bench_billion(console: Console, server_url: str, scale: Scale) -> None:
    """Load the history, query it, and print times, disk space and memory."""
    # The socket lies next to the data.
    data = Path(str(conninfo_to_dict(server_url)["host"]))
    needed = DISK_BYTES + DISK_BYTES_PER_DAILY_PRICE * scale.size(DAILY_PRICES)
    free = shutil.disk_usage(data).free
    console.print(f"\nRequired disk space: {needed / 1e9:.0f} GB; free in TMPDIR: {free / 1e9:.0f} GB.")
    if free < needed:
        return
    postmaster = int((data / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    history, loading = plan_history(scale), Loading()
    async with open_world(server_url, "bench_million") as first, open_world(server_url, "bench_billion") as whole:
        with track_peak(lambda: family_memory(postmaster)) as server, TemporaryDirectory() as folder:
            begin = time.perf_counter()
            for number, file in enumerate(write_files(history, Path(folder))):
                loading.writing_seconds += time.perf_counter() - begin
                if number == 0:
                    _run(first, "prices", "load", file)
                _load(console, whole, file, history, loading)
                begin = time.perf_counter()
        sizes = {name: await read_figure(whole, query) for name, query in SIZES.items()}
        sizes["data folder, all of it"] = _disk_usage(data)
        _print_loading(console, history, loading, server.largest, sizes)
        rows = await read_figure(whole, MOST_ROWS)
        loaded = await _time_queries([first, whole], scale.calls)
        _print_timings(console, history, loaded, f"as loaded, at most {rows} rows per key")
        rows = await read_figure(whole, ROWS)
        seconds, peak = _run(whole, "compact")
        keys = await read_figure(whole, ROWS)
        console.print(f"\n`ratesgraph compact`: {rows:,} rows to {keys:,} in {seconds:.0f} s, {_megabytes(peak)}.")
        compacted = await _time_queries([first, whole], scale.calls)
        _print_timings(console, history, compacted, "at one row per key")
        _print_cost_of_rows(console, loaded[1], compacted[1])
        await _check_count(whole, history)


def _disk_usage(folder: Path) -> int:
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*") if file.is_file())


async def _check_count(connection: Connection, history: History) -> None:
    """Assert that the whole world's totals count every daily price."""
    world = (await find_ids(connection))[ROOT]
    ever = DateRange(START, START + timedelta(days=HISTORY_DAYS))
    (days,) = await totals.select_day_totals(connection, [(Lane(world, world), ever)])
    assert sum(days.counts) == history.daily_prices, "the totals have every daily price"


def _run(connection: Connection, *arguments: str | Path) -> tuple[float, int]:
    """Run the command on the connection's database.

    Return its seconds and its peak memory in bytes.
    """
    environment = {**os.environ, **LIMITS, "DATABASE_URL": connection.info.dsn}
    start = time.perf_counter()
    with (
        subprocess.Popen([*COMMAND, *arguments], env=environment, stdout=subprocess.DEVNULL) as process,
        track_peak(lambda: peak_memory(process.pid)) as peak,
    ):
        code = process.wait()
    assert code == 0, f"{arguments[0]} exited with code {code}"
    return time.perf_counter() - start, peak.largest


def _load(console: Console, connection: Connection, file: Path, history: History, loading: Loading) -> None:
    number, items = len(loading.seconds), history.items[len(loading.seconds)]
    seconds, peak = _run(connection, "prices", "load", file)
    loading.seconds.append(seconds)
    loading.peak_bytes = max(loading.peak_bytes, peak)
    console.print(
        f"file {number + 1:2} of {len(history.items)}, from {history.shapes[number].start}: {items:9,} items in"
        f" {seconds:5.1f} s, {items / seconds:7,.0f} items/s, {_megabytes(peak)};"
        f" {sum(loading.seconds):4.0f} s so far, load {os.getloadavg()[0]:.1f}"
    )


async def _time_queries(connections: Sequence[Connection], calls: int) -> list[Timings]:
    """Return the seconds of each query to each database, after a vacuum and warm-up calls."""
    for connection in connections:
        await connection.execute("VACUUM (ANALYZE) price_totals, price_sketches")
    ids = await find_ids(connections[0])
    timings: list[Timings] = [{(len(period), name): [] for period in RANGES for name in NAMES} for _ in connections]
    for call in range(-min(calls, WARM_UP_CALLS), calls):
        other = (port(call % ORIGINS), port(PORTS - 1 - call % (PORTS - ORIGINS)))
        lanes = {**LANES, EVERY_LANE: other, **PERCENTILES}
        for connection, times in zip(connections, timings, strict=True):
            for period, name in product(RANGES, NAMES):
                origin, destination = lanes[name]
                read = _read_percentiles if name in PERCENTILES else _read_averages
                start = time.perf_counter()
                await read(connection, Lane(ids[origin], ids[destination]), period)
                seconds = time.perf_counter() - start
                if call >= 0:
                    times[len(period), name].append(seconds)
    return timings


async def _read_averages(connection: Connection, lane: Lane, period: DateRange) -> None:
    await totals.select_day_totals(connection, [(lane, period)])


async def _read_percentiles(connection: Connection, lane: Lane, period: DateRange) -> None:
    found, _ = await from_sketches(connection, lane, divide(period, Interval.DAY))
    read_percentiles(found)


def _print_loading(
    console: Console, history: History, loading: Loading, server_bytes: int, sizes: Mapping[str, int]
) -> None:
    seconds, items = sum(loading.seconds), sum(history.items)
    table = Table("loading", "result", "goal", title=f"\n{history.daily_prices:,} daily prices", title_justify="left")
    table.add_row(f"{items:,} items, {len(history.items)} files, sequentially", f"{seconds:.0f} s", f"{GOAL_SECONDS} s")
    table.add_row("items per second", f"{items / seconds:,.0f}", "")
    table.add_row("slowest file", f"{max(loading.seconds):.1f} s", "")
    table.add_row("writing the files, not counted", f"{loading.writing_seconds:.0f} s", "")
    table.add_row("peak memory of a loading process", _megabytes(loading.peak_bytes), "")
    table.add_row("peak memory of all PostgreSQL processes, shared memory once", _megabytes(server_bytes), "")
    for name, size in sizes.items():
        table.add_row(f"disk: {name}", f"{size / 1e9:.2f} GB", "")
    console.print(table)


def _print_timings(console: Console, history: History, timings: Sequence[Timings], state: str) -> None:
    first, whole = timings
    console.print(
        f"\nReads from the database, {state}; medians and 99th percentiles of {len(first[31, EVERY_LANE])} in ms"
        f"\n(goal: at most {GOAL_RATIO}× the same query with the first file alone)"
    )
    table = Table()
    table.add_column("days", justify="right")
    table.add_column("lane")
    for name in (f"{history.items[0]:,} items", f"{sum(history.items):,} items"):
        table.add_column(f"{name}\nmedian", justify="right")
        table.add_column("p99", justify="right")
    table.add_column("ratio", justify="right")
    for (days, lane), times in first.items():
        pair = (times, whole[days, lane])
        cells = [f"{value * 1e3:.2f}" for times in pair for value in (median(times), quantiles(times, n=100)[-1])]
        ratio = f"{median(pair[1]) / median(pair[0]):.2f}"
        table.add_row(str(days), lane, *cells, ratio, end_section=lane == NAMES[-1])
    console.print(table)


def _print_cost_of_rows(console: Console, loaded: Timings, compacted: Timings) -> None:
    """Print how much longer each query takes as loaded than at one row per key."""
    table = Table("days", "lane", "as loaded ÷ compacted", title="\nMedians of the whole history", title_justify="left")
    for days, lane in loaded:
        ratio = median(loaded[days, lane]) / median(compacted[days, lane])
        table.add_row(str(days), lane, f"{ratio:.2f}")
    console.print(table, f"Goal: at most {GOAL_COMPACTED}.")


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.0f} MB" if size else "? MB"
