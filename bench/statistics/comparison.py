"""`bench statistics`: percentiles of large markets, in the database and over HTTP.

They are measured by size of the history and of the region, and compared with exact ones and with a peer.
"""

from contextlib import AsyncExitStack
from dataclasses import replace

from rich.console import Console

from bench.data.database import apply_csv, find_ids, open_world
from bench.data.world import SEED, Shape, make_csv
from bench.http.servers import database_url
from bench.reads.averages import SMALL, YEAR
from bench.scale import Scale
from bench.statistics.over_http import measure_over_http
from bench.statistics.reads import History, measure_border, measure_errors, measure_reads

LARGE = Shape(1_000_000, SMALL.days, SMALL.start, YEAR - SMALL.days + 1)


async def bench_statistics(console: Console, server_url: str, scale: Scale, *, with_peers: bool = True) -> None:
    """Measure percentiles of a short and a long history, then over HTTP."""
    async with AsyncExitStack() as stack:
        worlds = []
        for name, shape in (("statistics_small", SMALL), ("statistics_large", LARGE)):
            connection = await stack.enter_async_context(open_world(server_url, name))
            with console.status("loading"):
                await apply_csv(connection, make_csv(replace(shape, items=scale.size(shape.items)), seed=SEED))
                await connection.execute("VACUUM (ANALYZE) prices, price_totals, price_sketches")
            count = scale.size(shape.items) * shape.days
            worlds.append(History(f"{count / 1e6:.1f} M", connection, await find_ids(connection)))
        with console.status("reads"):
            await measure_reads(console, worlds, scale)
            await measure_border(console, worlds[1])
            await measure_errors(console, worlds[1])
        with console.status("over HTTP"):
            url = database_url(server_url, "statistics_large")
            await measure_over_http(console, worlds[1], url, scale, with_peers=with_peers)
