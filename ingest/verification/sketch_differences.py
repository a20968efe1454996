"""Differences between the sketches of a month and its observations, found pair by pair."""

from collections import defaultdict
from datetime import date, timedelta
from typing import NamedTuple

import numpy as np

from db.connection import Connection
from db.repositories import locations, sketches
from db.sketches.buckets import bucket_bounds
from db.sketches.encoding import decode_sketches
from db.sketches.errors import UnreadableSketch
from domain.intervals import month_number
from ingest.observations.lane_days import to_lane_days
from ingest.sketches.build import sketches_by_month
from ingest.sketches.merge import is_empty, merge_sketches
from ingest.sketches.rebuild import read_month


class Cell(NamedTuple):
    """Day and bucket of sketches, with the numbers of prices in it.

    The bounds of the bucket are US cents. `actual_count` is None if a sketch cannot be decoded.
    """

    day: date
    lowest: int
    highest: int
    expected_count: int
    actual_count: int | None


class SketchDifference(NamedTuple):
    """First cell in which the sketches of two regions have a wrong number of prices."""

    origin: str
    destination: str
    cell: Cell


async def list_sketch_differences(connection: Connection, month: date, *, limit: int) -> list[SketchDifference]:
    """Return up to `limit` pairs of regions whose sketches differ from the observations.

    Raise ArchiveError if an archived file cannot be read.
    """
    tree = await locations.list_locations(connection)
    names = {location.id: location.key for location in tree}
    observations = await read_month(connection, month)
    expected: dict[int, dict[int, list[bytes]]] = defaultdict(lambda: defaultdict(list))
    if len(observations):
        for part in sketches_by_month(to_lane_days(observations), tree):
            if part.month == month_number(month):
                for origin, destination, sketch in zip(part.origins, part.destinations, part.sketches, strict=True):
                    expected[origin][destination].append(sketch)
    found: list[SketchDifference] = []
    for origin in sorted({*expected, *await sketches.list_month_origins(connection, month)}):
        stored: dict[int, list[bytes]] = defaultdict(list)
        for destination, sketch in await sketches.select_origin_sketches(connection, origin, month):
            stored[destination].append(sketch)
        for destination in sorted({*expected[origin], *stored}):
            cell = _compare(expected[origin][destination], stored[destination], month)
            if cell is not None:
                pair = names.get(origin, f"?{origin}"), names.get(destination, f"?{destination}")
                found.append(SketchDifference(*pair, cell))
                if len(found) == limit:
                    return found
    return found


def _compare(expected: list[bytes], stored: list[bytes], month: date) -> Cell | None:
    signs = np.array([-1] * len(expected) + [1] * len(stored), dtype=np.int64)
    try:
        (rest,) = merge_sketches(
            [*expected, *stored], np.zeros(len(signs), dtype=np.int64), signs, np.array([month_number(month)])
        )
    except UnreadableSketch:
        return Cell(month, 0, 0, 0, None)
    if is_empty(rest):
        return None
    entries, _ = decode_sketches([rest])
    day, bucket = int(entries.day[0]), int(entries.bucket[0])
    low, high = (int(bound[0]) for bound in bucket_bounds(entries.bucket[:1]))
    expected_count, actual_count = (_count(parts, day, bucket) for parts in (expected, stored))
    return Cell(month + timedelta(day), low, high, expected_count, actual_count)


def _count(parts: list[bytes], day: int, bucket: int) -> int:
    """Return the number of prices of a day and bucket."""
    entries, is_change = decode_sketches(parts)
    is_counted = (entries.bucket == bucket) & np.where(is_change, entries.day <= day, entries.day == day)
    return int(entries.count[is_counted].sum())
