"""Sketches after a change of the region tree: those of all regions follow moved ports."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from itertools import groupby

import numpy as np
import polars as pl

from db.connection import Connection
from db.repositories import prices, sketches
from domain.locations import Location
from ingest.archive.reader import read_lane_days
from ingest.observations.csv_lines import read_observations
from ingest.observations.lane_days import LaneDays, to_lane_days
from ingest.sketches.build import MonthSketches, sketches_by_month
from ingest.sketches.copy_encoding import append_sketches
from ingest.sketches.merge import add_up, is_empty

MAX_OBSERVATIONS = 1_000_000
"""Observations whose difference is computed at once, which bounds memory."""


async def move_sketches(
    connection: Connection, ports: Sequence[int], before: Sequence[Location], after: Sequence[Location]
) -> None:
    """Append the difference that the tree `after` makes to the sketches of moved ports.

    Raise ArchiveError if an archived file cannot be read.
    """
    # Otherwise a month that is archived between the two reads would count twice.
    await prices.lock_archive_shared(connection)
    frames = await read_observations(sketches.copy_out_moved(connection, ports))
    is_moved = pl.col("origin").is_in(list(ports)) | pl.col("destination").is_in(list(ports))
    for file in await prices.list_archived_files(connection):
        frames.append((await asyncio.to_thread(read_lane_days, file)).filter(is_moved))
    observations = pl.concat(frames) if frames else pl.DataFrame()
    for part in observations.iter_slices(MAX_OBSERVATIONS):
        await append_sketches(connection, differences(to_lane_days(part), before, after))


def differences(
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
    # Most pairs lie above both the old and the new place.
    changed = sorted(key for key, of_key in found.items() if of_key[-1] != of_key[1])
    rows = [
        (group, sign, sketch)
        for group, key in enumerate(changed)
        for sign, of_sign in found[key].items()
        for sketch in of_sign
    ]
    groups, signs = (np.array([row[at] for row in rows], dtype=np.int64) for at in (0, 1))
    sums = add_up([sketch for _, _, sketch in rows], groups, signs)
    remaining = [(*key, sketch) for key, sketch in zip(changed, sums, strict=True) if not is_empty(sketch)]
    if remaining:
        origins, destinations, differing = zip(*remaining, strict=True)
        yield MonthSketches(month, list(origins), list(destinations), list(differing))
