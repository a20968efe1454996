"""Compaction of sketches: merges the sketches of a key into one."""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from itertools import groupby

import numpy as np

from db.connection import Connection
from db.repositories import sketches
from db.repositories.sketches import SketchRow
from db.sketches.errors import UnreadableSketch
from domain.compaction import Key, KeyRange
from domain.intervals import month_number
from ingest.sketches.build import MonthSketches
from ingest.sketches.copy_encoding import append_sketches
from ingest.sketches.merge import is_empty, merge_sketches

log = logging.getLogger("ratesgraph.worker")

MAX_KEYS_PER_STEP = 300
MAX_MERGED_ROWS_PER_STEP = 3_000
"""Both limit one compaction transaction to less than a second, and to some 100 MB of sketches."""


async def compact_sketch_keys(connection: Connection, keys: KeyRange) -> tuple[Key, int] | None:
    """Merge the sketches of the keys of a range that have more than `max_rows` each.

    The result is that of `totals.compact_keys`. If one sketch is damaged, all sketches of the step remain, and its month
    becomes stale: until a worker has rebuilt its sketches, readers use single prices.
    """
    limited = keys._replace(
        max_keys=min(keys.max_keys, MAX_KEYS_PER_STEP), max_merged=min(keys.max_merged, MAX_MERGED_ROWS_PER_STEP)
    )
    rows = list[SketchRow]()
    try:
        async with connection.transaction():
            rows = await sketches.delete_crowded_sketches(connection, limited)
            if not rows:
                return None
            await append_sketches(connection, await asyncio.to_thread(lambda: list(merge_rows(rows))))
    except UnreadableSketch as error:
        origin, destination, month, _ = rows[error.number]
        log.error(
            "a sketch of locations %d and %d in %s is damaged; rebuilding its month",
            origin,
            destination,
            f"{month:%Y-%m}",
        )
        # The month of a damaged row may be wrong too.
        await sketches.mark_stale(connection, [month.replace(day=1)])
        return _key(rows[-1]), 0
    return _key(rows[-1]), len(rows)


def _key(row: SketchRow) -> Key:
    return row.origin, row.destination, row.month


def merge_rows(rows: Sequence[SketchRow]) -> Iterator[MonthSketches]:
    """Yield the sum of the sketches of each key. Raise UnreadableSketch.

    The rows are ordered by key.
    """
    keys = [key for key, _ in groupby(rows, key=_key)]
    number = {key: at for at, key in enumerate(keys)}
    groups = np.array([number[_key(row)] for row in rows], dtype=np.int64)
    months = np.array([month_number(month) for _, _, month in keys], dtype=np.int64)
    sums = merge_sketches([row.sketch for row in rows], groups, np.ones(len(rows), dtype=np.int64), months)
    for (origin, destination, _), month, sketch in zip(keys, months.tolist(), sums, strict=True):
        if not is_empty(sketch):
            yield MonthSketches(month, [origin], [destination], [sketch])
