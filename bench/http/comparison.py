"""`bench http`: Ratesgraph compared with its peers over HTTP.

All servers use the same data in the same PostgreSQL in one run. Measurements alternate in short rounds, and their medians
count. A peer whose response differs from Ratesgraph's fails the run; low speed never does.
"""

from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.data.database import apply_csv, open_world
from bench.data.world import Shape, make_csv
from bench.http.latency import measure_lanes, measure_memory, measure_size, measure_tail, resident_mb
from bench.http.load import WRK_MISSING, has_wrk
from bench.http.questions import measure_questions
from bench.http.servers import CORES, NPM_MISSING, PROCESSES, database_url, install_peers, peer_versions, ratesgraph
from bench.http.targets import Goal, World
from bench.http.throughput import CACHE_BYTES, measure_cached, measure_recursion, measure_totals
from bench.scale import QUICK, Scale

START = date(2025, 1, 1)
SPAN = 365 - 30 + 1
SQL = Path(__file__).parents[1] / "peers"


@dataclass(frozen=True, slots=True)
class Dataset:
    """Database to fill, and the SQL file of the functions that its peers query."""

    name: str
    shape: Shape
    functions: str


MONTH_OF_PRICES = Dataset("http_month", Shape(53_056, 1, START, 31), "recursion.sql")
"""A month of 53,056 prices: the usual size for judging a recursive query."""
SMALL = Dataset("http_small", Shape(33_334, 30, START, SPAN), "recursion.sql")
LARGE = Dataset("http_large", Shape(1_000_000, 30, START, SPAN), "totals.sql")


async def bench_http(console: Console, server_url: str, scale: Scale, *, with_peers: bool = True) -> None:
    """Run all HTTP measurements and print tables.

    Without wrk nothing is measured. Without npm the Node.js peers are skipped.
    """
    if not has_wrk():
        console.print(WRK_MISSING)
        return
    if with_peers and not install_peers():
        with_peers = False
        console.print(NPM_MISSING)
    installed = f"; {peer_versions()}" if with_peers else ""
    console.print(
        f"\nOver HTTP: strawberry-graphql {version('strawberry-graphql')}, uvicorn {version('uvicorn')}{installed}"
    )
    async with AsyncExitStack() as stack:
        with console.status("loading"):
            month, small, large = [
                await _fill(stack, server_url, dataset, scale) for dataset in (MONTH_OF_PRICES, SMALL, LARGE)
            ]
        uncached, cached = (
            [stack.enter_context(ratesgraph(large.url, processes=count, cache_bytes=size)) for count in PROCESSES]
            for size in (0, CACHE_BYTES)
        )
        alone = (uncached[0], cached[0])
        idle = [resident_mb(server) for server in alone]
        with console.status("totals"):
            goals = measure_totals(console, uncached, large, scale, with_peers=with_peers)
        for world in [month] if scale is QUICK else [month, small]:
            with console.status("recursive SQL"):
                goals += measure_recursion(console, world, scale, with_peers=with_peers)
        with console.status("cached"):
            goals += measure_cached(console, cached, large, scale)
        with console.status("latency"):
            goals += measure_tail(console, uncached, large, scale)
            goals += measure_lanes(uncached[0], large, scale)
            goals += measure_size(uncached[0], small, large, scale)
        with console.status("questions"):
            goals += measure_questions(console, uncached[0], large, scale, with_peers=with_peers)
        with console.status("memory"):
            goals += measure_memory(console, alone, idle, large, scale)
    _print(console, goals)


async def _fill(stack: AsyncExitStack, server_url: str, dataset: Dataset, scale: Scale) -> World:
    connection = await stack.enter_async_context(open_world(server_url, dataset.name))
    shape = replace(dataset.shape, items=scale.size(dataset.shape.items))
    await apply_csv(connection, make_csv(shape, busy_lane=True))
    await connection.execute((SQL / dataset.functions).read_bytes())
    await connection.execute("VACUUM (ANALYZE)")
    return World(
        shape.items * shape.days, shape.start, shape.span + shape.days - 1, database_url(server_url, dataset.name)
    )


def _print(console: Console, goals: list[Goal]) -> None:
    table = Table(
        title=f"Over HTTP; {CORES} cores shared by servers, PostgreSQL and wrk; × n: n processes", title_justify="left"
    )
    table.add_column("measurement")
    for column in ("Ratesgraph", "baseline", "ratio", "target", ""):
        table.add_column(column, justify="right")
    for goal in goals:
        table.add_row(
            goal.name, goal.result, goal.baseline, goal.shown, goal.target, "met" if goal.is_met else "missed"
        )
    console.print(table)
