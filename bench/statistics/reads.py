"""Five percentiles of a lane at the database plus decoding: from both sources.

Sketches and single prices are measured without HTTP, as the server computes them: the statements, then the arithmetic.
"""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import product
from statistics import fmean, median

import numpy as np
from rich.console import Console
from rich.table import Table

from bench.data.world import ROOT, region, region_of
from bench.scale import Scale
from db.connection import Connection
from db.repositories import locations, prices, sketches
from domain.intervals import Axis, Interval, divide
from domain.locations import Lane
from domain.prices import DateRange
from resolvers.analysis.order_statistics import OrderStatistics
from resolvers.analysis.price_statistics import SortedPrices
from resolvers.analysis.sketched_prices import SketchedPrices

PERCENTILES = (2.5, 25, 50, 75, 97.5)
MONTH = DateRange(date(2025, 6, 15), date(2025, 7, 15))
YEAR = DateRange(date(2025, 1, 1), date(2025, 12, 31))
LANES = {"region → region": (region_of(0, 3), region_of(1, 3)), "root → root": (ROOT, ROOT)}
QUESTIONS = ((MONTH, Interval.DAY), (YEAR, Interval.WEEK), (YEAR, Interval.DAY))
EXACT_CALLS, EXACT_SECONDS = 5, 5
Question = tuple[str, DateRange, Interval]
ReadStatistics = Callable[[Connection, Lane, Axis], Awaitable[tuple[OrderStatistics, int]]]


@dataclass(frozen=True, slots=True)
class History:
    """Database with a history of prices, and the IDs of its locations by key."""

    name: str
    connection: Connection
    ids: dict[str, int]

    def lane(self, origin: str, destination: str) -> Lane:
        """Return the lane between two locations."""
        return Lane(self.ids[origin], self.ids[destination])


async def from_sketches(connection: Connection, lane: Lane, axis: Axis) -> tuple[OrderStatistics, int]:
    """Return the order statistics of a pair of regions, and the bytes that were read."""
    [rows] = await sketches.select_sketches(connection, [(lane, axis.days)])
    return SketchedPrices(rows, axis, None), sum(len(sketch) for _, sketch in rows)


async def from_prices(connection: Connection, lane: Lane, axis: Axis) -> tuple[OrderStatistics, int]:
    """Return the order statistics of a lane, and the number of observations that were read."""
    ports = await locations.list_port_ids(connection, set(lane))
    [packed] = await prices.pack_lane_prices(connection, [(ports[lane.origin], ports[lane.destination], axis.days)])
    return SortedPrices(packed, axis, None), len(packed.first_days) // 4


def read_percentiles(statistics: OrderStatistics) -> list[list[float | None]]:
    """Return the five percentiles of all buckets."""
    wanted = [True] * len(statistics.counts)
    return statistics.percentiles(PERCENTILES, wanted)


async def measure_reads(console: Console, worlds: Sequence[History], scale: Scale) -> None:
    """Measure and print the percentiles of LANES in both worlds, from sketches."""
    seconds: dict[tuple[str, Question], list[float]] = {}
    sizes: dict[tuple[str, Question], int] = {}
    for call in range(-3, scale.calls):
        for world in worlds:
            for name, ends in LANES.items():
                for days, interval in QUESTIONS:
                    question = (name, days, interval)
                    start = time.perf_counter()
                    found, size = await from_sketches(world.connection, world.lane(*ends), divide(days, interval))
                    read_percentiles(found)
                    if call >= 0:
                        seconds.setdefault((world.name, question), []).append(time.perf_counter() - start)
                        sizes[world.name, question] = size
    small, large = worlds
    table = Table(title="Five percentiles from sketches, at the database plus decoding, ms", title_justify="left")
    for column in ("days", "by", "lane"):
        table.add_column(column)
    for world in worlds:
        table.add_column(f"{world.name}\nmedian", justify="right")
        table.add_column("least", justify="right")
        table.add_column("kB read", justify="right")
    table.add_column(f"{large.name} ÷\n{small.name}", justify="right")
    table.add_column("÷ region\n→ region", justify="right")
    for days, interval in QUESTIONS:
        base = min(seconds[large.name, ("region → region", days, interval)])
        for name in LANES:
            question = (name, days, interval)
            cells = []
            for world in worlds:
                values = seconds[world.name, question]
                size = sizes[world.name, question]
                cells += [f"{median(values) * 1e3:.2f}", f"{min(values) * 1e3:.2f}", f"{size / 1e3:.0f}"]
            least = [min(seconds[world.name, question]) for world in worlds]
            ratios = (f"{least[1] / least[0]:.2f}", f"{least[1] / base:.2f}")
            table.add_row(str(len(days)), interval.lower(), name, *cells, *ratios)
    console.print(table)


async def measure_border(console: Console, world: History) -> None:
    """Measure and print what exact statistics and those from sketches cost by number of prices."""
    table = Table(
        title="Five percentiles by day or week: from single prices and from sketches, ms", title_justify="left"
    )
    for column in ("lane", "days", "observations", "daily prices", "exact", "sketches", "ratio"):
        table.add_column(column, justify="right")
    narrow = DateRange(date(2025, 6, 15), date(2025, 6, 17))
    week = DateRange(date(2025, 6, 15), date(2025, 6, 21))
    for origin, destination, days in (
        (region(4, 0), region(4, 1), narrow),
        (region(4, 0), region(4, 1), week),
        (region(4, 0), region(4, 1), MONTH),
        (region(4, 0), region(4, 1), YEAR),
        (region(3, 0), region(3, 1), narrow),
        (region(3, 0), region(3, 1), MONTH),
        (region(3, 0), region(3, 1), YEAR),
        (ROOT, ROOT, MONTH),
    ):
        axis = divide(days, Interval.DAY if len(days) < 100 else Interval.WEEK)
        lane = world.lane(origin, destination)
        exact, observations, counts = await _measure(world.connection, from_prices, lane, axis)
        sketched, _, _ = await _measure(world.connection, from_sketches, lane, axis)
        table.add_row(
            f"{origin} → {destination}",
            str(len(days)),
            f"{observations:,}",
            f"{sum(counts):,}",
            f"{exact * 1e3:.2f}",
            f"{sketched * 1e3:.2f}",
            f"{exact / sketched:.1f}",
        )
    console.print(table)


async def _measure(
    connection: Connection, read: ReadStatistics, lane: Lane, axis: Axis
) -> tuple[float, int, list[int]]:
    found, size = await read(connection, lane, axis)
    values: list[float] = []
    while len(values) < EXACT_CALLS and sum(values) < EXACT_SECONDS:
        start = time.perf_counter()
        read_percentiles((await read(connection, lane, axis))[0])
        values.append(time.perf_counter() - start)
    return min(values), size, found.counts


async def measure_errors(console: Console, world: History) -> None:
    """Compare statistics of all pairs of regions with the exact ones.

    They are those of a month by day, and of a year by month.
    """
    regions = [region(level, index) for level in (1, 2, 3, 4) for index in range(3 ** (level - 1))]
    for days, interval in ((MONTH, Interval.DAY), (YEAR, Interval.MONTH)):
        axis, asked = divide(days, interval), (0, *PERCENTILES, 100)
        wanted, errors = [True] * len(axis.buckets), list[float]()
        for origin, destination in product(regions, repeat=2):
            lane = world.lane(origin, destination)
            exact, _ = await from_prices(world.connection, lane, axis)
            sketched, _ = await from_sketches(world.connection, lane, axis)
            assert exact.counts == sketched.counts
            truth, found = (np.array(each.percentiles(asked, wanted), dtype=float) for each in (exact, sketched))
            # A day without prices is not a number.
            relative = np.abs(found - truth) / np.abs(truth)
            errors += relative[~np.isnan(relative)].tolist()
        console.print(
            f"Error of statistics from sketches, {world.name} prices, {len(regions) ** 2} pairs of regions, {len(days)} days by"
            f" {interval.lower()}: largest {max(errors):.2%}, mean {fmean(errors):.2%} of {len(errors):,} figures"
        )
