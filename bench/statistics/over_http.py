"""Five percentiles of root → root by week over HTTP: Ratesgraph and PostGraphile.

PostGraphile calls SQL functions. One sorts all prices (`percentile_cont`). The other reads a table with the answers of
Ratesgraph: it shows what remains to be gained. That table holds only whole weeks, these percentiles and one currency, and
is outdated by the next batch.
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from statistics import median

import httpx
import orjson
from rich.console import Console

from bench.data.world import ROOT, region
from bench.http.load import WRK_MISSING, Request, Runner, check_equal_responses, has_wrk, measure_interleaved
from bench.http.queries import PATH
from bench.http.servers import NPM_MISSING, Server, install_peers, postgraphile, ratesgraph
from bench.http.targets import print_loads
from bench.scale import Scale
from bench.statistics.reads import PERCENTILES, History, from_sketches, read_percentiles
from domain.intervals import Interval, divide
from domain.prices import DateRange

SQL = Path(__file__).parents[1] / "peers" / "statistics.sql"
DAYS = DateRange(date(2025, 1, 1), date(2025, 12, 31))
ALIASES = " ".join(f"p{at:g}: percentile(at: {at})".replace(".", "_", 1) for at in PERCENTILES)
SERIES = f"""
query Series($from: Date!, $to: Date!) {{
  priceSeries(lanes: [{{ origin: "{ROOT}", destination: "{ROOT}" }}], dateFrom: $from, dateTo: $to, interval: WEEK) {{
    from lanes {{ {ALIASES} }}
  }}
}}
"""
WEEKS = f"""
query Weeks($from: Date!, $to: Date!) {{
  weeklyPercentiles(dateFrom: $from, dateTo: $to, origin: "{ROOT}", destination: "{ROOT}") {{ weekFrom percentiles }}
}}
"""
SLOW_CALLS, SLOW_SECONDS, TIMEOUT = 3, 60, 600


async def measure_over_http(console: Console, world: History, url: str, scale: Scale, *, with_peers: bool) -> None:
    """Measure and print both ways; the answers of the recursive join are compared."""
    if not has_wrk():
        console.print(WRK_MISSING)
        return
    if with_peers and not install_peers():
        with_peers = False
        console.print(NPM_MISSING)
    await world.connection.execute(SQL.read_bytes())
    await _fill_view(world)
    with ExitStack() as stack:
        server = stack.enter_context(ratesgraph(url, processes=1, cache_bytes=0))
        own = Runner(f"{server.name}, sketches", server.url, _post(SERIES), connections=1)
        check_equal_responses([own])
        runners = [own]
        if with_peers:
            view = stack.enter_context(postgraphile(url, "by_view", processes=1))
            runners.append(Runner("PostGraphile, table of answers", view.url, _post(WEEKS), connections=1))
            check_equal_responses(runners[1:])
        measure_interleaved(runners, scale)
        print_loads(console, f"Five percentiles by week, root → root, {world.name}, one connection", {"": runners})
        if with_peers:
            join = stack.enter_context(postgraphile(url, "by_percentiles", processes=1))
            seconds = _time_slow(join, own)
            console.print(
                f"PostGraphile with percentile_cont in a recursive join: {seconds:.2f} s,"
                f" {seconds / own.p50:,.0f} times as long as Ratesgraph (target: at least 20)."
                f"\nRatesgraph answers {own.rate / runners[1].rate:.2f} times as many requests as PostGraphile with a table of"
                " its answers (target: at least 3)."
            )


async def _fill_view(world: History) -> None:
    """Store the answers of all pairs of regions."""
    regions = [region(level, index) for level in (1, 2, 3, 4) for index in range(3 ** (level - 1))]
    axis = divide(DAYS, Interval.WEEK)
    rows: list[tuple[int, int, date, list[float | None]]] = []
    for origin in regions:
        for destination in regions:
            lane = world.lane(origin, destination)
            found, _ = await from_sketches(world.connection, lane, axis)
            for first, *figures in zip(axis.first_days(), *read_percentiles(found), strict=True):
                rows.append((lane.origin, lane.destination, first, figures))
    async with world.connection.cursor() as cursor:
        await cursor.executemany("INSERT INTO by_view.percentiles VALUES (%s, %s, %s, %s)", rows)
    await world.connection.execute("ANALYZE by_view.percentiles")


def _post(query: str) -> Request:
    variables = {"from": str(DAYS.first), "to": str(DAYS.last)}
    return Request(PATH, [orjson.dumps({"query": query, "variables": variables})])


def _time_slow(peer: Server, own: Runner) -> float:
    """Return the median seconds of the recursive join.

    Its figures must be those of Ratesgraph, to within their error.
    """
    values: list[float] = []
    weeks: Sequence[dict[str, list[float]]] = ()
    while len(values) < SLOW_CALLS and sum(values) < SLOW_SECONDS:
        start = time.perf_counter()
        response = httpx.post(peer.url + PATH, json=orjson.loads(_post(WEEKS).bodies[0]), timeout=TIMEOUT)
        values.append(time.perf_counter() - start)
        weeks = response.json()["data"]["weeklyPercentiles"]
    [lane] = orjson.loads(own.request.send(own.url).content)["data"]["priceSeries"]["lanes"]
    for week, found in zip(weeks, zip(*lane.values(), strict=True), strict=True):
        for exact, value in zip(week["percentiles"], found, strict=True):
            assert abs(value - exact) <= exact / 64 + 0.01, f"{own.name} answers {value} instead of {exact}"
    return median(values)
