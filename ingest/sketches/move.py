"""Moves of sketches: the differences that a change of the region tree makes to them."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from datetime import date
from heapq import merge
from itertools import groupby

import numpy as np
import polars as pl

from db.connection import Connection
from db.repositories import prices, sketches
from domain.locations import Location, TreeMove
from domain.prices import DateRange
from ingest.archive.reader import read_lane_days
from ingest.observations.csv_lines import cut_observations, read_observations
from ingest.observations.lane_days import LaneDays, to_lane_days
from ingest.sketches.build import MonthSketches, sketches_by_month
from ingest.sketches.copy_encoding import append_sketches
from ingest.sketches.merge import is_empty, merge_sketches

MAX_OBSERVATIONS = 1_000_000
"""Observations whose difference is computed at once, which bounds memory."""
ALL_DAYS = DateRange(date.min, date.max)


async def move_sketches(connection: Connection, move: TreeMove, report: Callable[[float], None]) -> None:
    """Append the difference that a change of the tree makes to the sketches.

    `report` receives the fraction before each part of the observations. Raise ArchiveError if an archived file cannot be read.
    """
    # No price may move from the table to a file between the two reads.
    await prices.lock_archive_shared(connection)
    async with aclosing(read_differences(connection, move, ALL_DAYS, report)) as parts:
        async for part in parts:
            await append_sketches(connection, part)


async def read_differences(
    connection: Connection,
    move: TreeMove,
    days: DateRange,
    report: Callable[[float], None] = lambda _fraction: None,
) -> AsyncGenerator[Iterator[MonthSketches]]:
    """Yield the differences that a change of the tree makes to the sketches of the days.

    The result is the sum of the parts. `report` receives the fraction before each part; reading the observations counts as
    one more part. Raise ArchiveError if an archived file cannot be read.
    """
    ports = move.list_moved_ports()
    if not ports:
        return
    frames = await read_observations(sketches.copy_out_moved(connection, ports, days))
    is_moved = pl.col("origin").is_in(ports) | pl.col("destination").is_in(ports)
    for file in await prices.list_archived_files(connection, days):
        frames.append((await asyncio.to_thread(read_lane_days, file)).filter(is_moved))
    observations = cut_observations(pl.concat(frames), days) if frames else pl.DataFrame()
    part_count = -(-len(observations) // MAX_OBSERVATIONS)
    for number, part in enumerate(observations.iter_slices(MAX_OBSERVATIONS), start=1):
        report(number / (part_count + 1))
        yield compute_sketch_differences(to_lane_days(part), move.before, move.after)


def compute_sketch_differences(
    observations: LaneDays, before: Iterable[Location], after: Iterable[Location]
) -> Iterator[MonthSketches]:
    """Yield the sketches in the tree `after` minus those in the tree `before`."""
    parts = merge(
        _signed(-1, sketches_by_month(observations, before)),
        _signed(1, sketches_by_month(observations, after)),
        key=lambda signed: signed[1].month,
    )
    for month, of_month in groupby(parts, key=lambda signed: signed[1].month):
        yield from _subtract(month, list(of_month))


def _signed(sign: int, parts: Iterable[MonthSketches]) -> Iterator[tuple[int, MonthSketches]]:
    return ((sign, part) for part in parts)


def _subtract(month: int, parts: Sequence[tuple[int, MonthSketches]]) -> Iterator[MonthSketches]:
    found: dict[tuple[int, int], dict[int, list[bytes]]] = {}
    for sign, part in parts:
        for origin, destination, sketch in zip(part.origins, part.destinations, part.sketches, strict=True):
            found.setdefault((origin, destination), {-1: [], 1: []})[sign].append(sketch)
    # Most pairs contain the port before and after its move, so their sketches stay the same.
    changed = sorted(key for key, of_key in found.items() if of_key[-1] != of_key[1])
    yield from sum_by_pair(
        month,
        ((*key, sign, sketch) for key in changed for sign, of_sign in found[key].items() for sketch in of_sign),
    )


def sum_by_pair(month: int, rows: Iterable[tuple[int, int, int, bytes]]) -> Iterator[MonthSketches]:
    """Yield the sums of the sketches of each pair, without empty ones.

    A row is an origin, a destination, the sign 1 or -1, and a sketch of the month.
    """
    of_pair: dict[tuple[int, int], list[tuple[int, bytes]]] = {}
    for origin, destination, sign, sketch in rows:
        of_pair.setdefault((origin, destination), []).append((sign, sketch))
    pairs = sorted(of_pair)
    numbered = [(group, *signed) for group, pair in enumerate(pairs) for signed in of_pair[pair]]
    groups, signs = (np.array([row[at] for row in numbered], dtype=np.int64) for at in (0, 1))
    sums = merge_sketches(
        [sketch for _, _, sketch in numbered], groups, signs, np.full(len(pairs), month, dtype=np.int64)
    )
    remaining = [(*pair, sketch) for pair, sketch in zip(pairs, sums, strict=True) if not is_empty(sketch)]
    if remaining:
        origins, destinations, differing = zip(*remaining, strict=True)
        yield MonthSketches(month, list(origins), list(destinations), list(differing))
