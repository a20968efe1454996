"""Sketches of observations: prices by day and bucket for every pair of regions above them.

The arithmetic runs in numpy, month by month. A large batch is processed one origin region at a time, so memory is bounded by
the destinations of one region. If the cells of a month are well filled, they are counted in a dense array, and the rows of
destinations are added to those of their parents. Otherwise every observation is expanded to its ancestors, and equal keys are
counted after a sort.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from db.sketches.arrays import Int64
from db.sketches.buckets import bucket_of
from db.sketches.encoding import DAYS, Entries, encode_sketches
from domain.locations import Location
from ingest.observations.lane_days import LaneDays, first_day_of, month_of
from ingest.sketches.tree import RegionOrder

MAX_DENSE_CELLS = 1 << 24
"""Cells of one origin region's dense array, at 8 bytes each."""
SORT_COST = 4
"""Cost of sorting a key, in units of the cost of a dense cell."""
MAX_KEYS_AT_ONCE = 1 << 18
"""Keys up to which all origin regions are counted together: fewer steps for small batches."""
MAX_KEYS = 1 << 22
"""Keys that are sorted at once, at 8 bytes each."""


@dataclass(frozen=True, slots=True)
class MonthSketches:
    """Sketches of one month, counted from January 1970, as columns.

    Origins and destinations are location IDs of regions. A pair may occur several times.
    """

    month: int
    origins: list[int]
    destinations: list[int]
    sketches: list[bytes]


class _MonthRows(NamedTuple):
    """Observations of a month as columns. Origins and destinations are numbers of regions.

    They are valid on the days from `first` to before `after`, counted from 0 at the first of the month, which has `days` days.
    """

    days: int
    origin: Int64
    destination: Int64
    first: Int64
    after: Int64
    bucket: Int64


class _Changes(NamedTuple):
    """Changes of a month's counts as columns, sorted by origin region.

    A change adds `sign` (+1 or -1) to a count from its day to the end of the month. If `are_changes` is false, it adds 1 on its
    day alone. `cell` is day × buckets + bucket, where buckets are counted from `first_bucket`.
    """

    origin: Int64
    destination: Int64
    cell: Int64
    sign: Int64
    first_bucket: int
    buckets: int
    are_changes: bool


def sketches_by_month(
    observations: LaneDays, locations: Iterable[Location], *, sign: int = 1
) -> Iterator[MonthSketches]:
    """Yield the sketches of every pair of regions, month by month.

    With the sign -1 they subtract the observations.
    """
    regions = RegionOrder(locations)
    if not len(regions) or not len(observations.origin):
        return
    origin, destination = regions.region_of(observations.origin), regions.region_of(observations.destination)
    first_month, last_month = month_of(observations.first_day), month_of(observations.last_day)
    bucket = bucket_of(observations.usd_cents).astype(np.int64)
    has_regions = (origin >= 0) & (destination >= 0)
    for month in range(int(first_month.min()), int(last_month.max()) + 1):
        rows = np.flatnonzero((first_month <= month) & (month <= last_month) & has_regions)
        if not len(rows):
            continue
        begin, end = first_day_of(month), first_day_of(month + 1)
        first = np.maximum(observations.first_day[rows] - begin, 0)
        after = np.minimum(observations.last_day[rows] + 1, end) - begin
        of_month = _MonthRows(end - begin, origin[rows], destination[rows], first, after, bucket[rows])
        yield from _sketch_month(month, of_month, regions, sign)


def _sketch_month(month: int, rows: _MonthRows, regions: RegionOrder, sign: int) -> Iterator[MonthSketches]:
    """Yield the sketches of every pair of regions in a month, with counts times the sign."""
    changes = _list_changes(rows)
    for entries in _count_pairs(changes, regions):
        # Entries are sorted by pair.
        filled = np.flatnonzero(np.diff(entries.row, prepend=-1))
        if not len(filled):
            continue
        row = np.repeat(np.arange(len(filled)), np.diff(filled, append=len(entries)))
        numbered = Entries(row, entries.day, entries.bucket, sign * entries.count)
        origins, destinations = (regions.ids[side].tolist() for side in np.divmod(entries.row[filled], len(regions)))
        sketches = encode_sketches(numbered, np.full(len(filled), changes.are_changes))
        yield MonthSketches(month, origins, destinations, sketches)


def _count_pairs(changes: _Changes, regions: RegionOrder) -> Iterator[Entries]:
    """Yield the entries of all pairs of regions, where a row is origin × regions + destination."""
    if int(regions.levels[changes.origin] @ regions.levels[changes.destination]) <= MAX_KEYS_AT_ONCE:
        below, origin = regions.expand(changes.origin)
        source, destination = regions.expand(changes.destination[below])
        yield _count_sorted(changes, below[source], origin[source] * len(regions) + destination)
        return
    starts, stops = (np.searchsorted(changes.origin, bound) for bound in (np.arange(len(regions)), regions.stops))
    for region in np.flatnonzero(starts < stops).tolist():
        for part in _split(changes, int(starts[region]), int(stops[region]), regions):
            entries = _count_destinations(part, regions)
            yield replace(entries, row=entries.row + region * len(regions))


def _split(changes: _Changes, start: int, stop: int, regions: RegionOrder) -> Iterator[_Changes]:
    """Yield the changes of an origin region in one part, or in several to be summed."""
    is_dense = len(regions) * DAYS * changes.buckets <= MAX_DENSE_CELLS
    step = stop - start if is_dense else max(1, MAX_KEYS // int(regions.levels.max()))
    for at in range(start, stop, step):
        yield changes._replace(
            **{
                name: getattr(changes, name)[at : min(at + step, stop)]
                for name in ("origin", "destination", "cell", "sign")
            }
        )


def _list_changes(rows: _MonthRows) -> _Changes:
    """Return the counts by day, or their changes, whichever are fewer."""
    days, origin, destination, first, after, bucket = rows
    length = after - first
    ends = np.flatnonzero(after < days)
    are_changes = int(length.sum()) > len(length) + len(ends)
    if are_changes:
        source = np.concatenate([np.arange(len(length)), ends])
        day = np.concatenate([first, after[ends]])
        sign = np.ones(len(source), dtype=np.int64)
        sign[len(length) :] = -1
    else:
        source = np.repeat(np.arange(len(length)), length)
        day = np.arange(len(source)) + (first - np.cumsum(length) + length)[source]
        sign = np.ones(len(source), dtype=np.int64)
    low, high = int(bucket.min()), int(bucket.max())
    width = high - low + 1
    order = np.argsort(origin[source], kind="stable")
    source = source[order]
    cell = day[order] * width + bucket[source] - low
    return _Changes(origin[source], destination[source], cell, sign[order], low, width, are_changes)


def _count_destinations(changes: _Changes, regions: RegionOrder) -> Entries:
    """Return the entries of the destinations of an origin region; a row is a region."""
    keys = int(regions.levels[changes.destination].sum())
    if keys * SORT_COST > len(regions) * DAYS * changes.buckets <= MAX_DENSE_CELLS:
        return _count_dense(changes, regions)
    return _count_sorted(changes, *regions.expand(changes.destination))


def _count_dense(changes: _Changes, regions: RegionOrder) -> Entries:
    """Return the entries of destination regions, counted in an array of all cells."""
    cells = DAYS * changes.buckets
    key = changes.destination * cells + changes.cell
    size = len(regions) * cells
    if changes.are_changes:
        counted = np.bincount(key[changes.sign > 0], minlength=size) - np.bincount(
            key[changes.sign < 0], minlength=size
        )
    else:
        counted = np.bincount(key, minlength=size)
    rows = counted.reshape(len(regions), cells)
    # The number of a parent is smaller than those of the regions below it.
    for region in range(len(regions) - 1, 0, -1):
        if regions.parents[region] >= 0:
            rows[regions.parents[region]] += rows[region]
    filled = np.flatnonzero(counted)
    return _to_entries(changes, filled, counted[filled])


def _count_sorted(changes: _Changes, source: Int64, row: Int64) -> Entries:
    """Return the entries of changes, each given by its position and the row in which it counts."""
    # The lowest bit of a key says whether it counts down: sorting keys alone is several times as fast as sorting with counts.
    keys = row * (2 * DAYS * changes.buckets) + (changes.cell * 2 + (changes.sign < 0))[source]
    if int(keys.max()) < 1 << 32:
        keys = keys.astype(np.uint32)
    keys.sort()
    key = keys >> 1
    starts = np.flatnonzero(np.diff(key, prepend=key[:1] + 1))
    count = np.add.reduceat(1 - 2 * (keys & 1).astype(np.int64), starts)
    filled = np.flatnonzero(count)
    return _to_entries(changes, key[starts[filled]].astype(np.int64), count[filled])


def _to_entries(changes: _Changes, key: Int64, count: Int64) -> Entries:
    """Return entries from sorted keys, which are row × cells + cell."""
    row, cell = np.divmod(key, DAYS * changes.buckets)
    day, bucket = np.divmod(cell, changes.buckets)
    return Entries(row, day, bucket + changes.first_bucket, count)
