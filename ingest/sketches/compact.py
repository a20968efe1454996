"""Compaction of sketches: replaces the sketches of a key by their sum."""

import asyncio
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter

import numpy as np

from db.connection import Connection
from db.repositories import sketches
from db.repositories.sketches import SketchRow
from domain.compaction import Key, KeyRange
from domain.intervals import month_number
from ingest.sketches.build import MonthSketches
from ingest.sketches.copy_encoding import append_sketches
from ingest.sketches.merge import add_up, is_empty

MAX_KEYS_PER_STEP = 300
MAX_MERGED_ROWS_PER_STEP = 3_000
"""Both limit one compaction transaction to less than a second, and to some 100 MB of sketches."""


async def compact_sketch_keys(connection: Connection, keys: KeyRange) -> tuple[Key, int] | None:
    """Merge the sketches of the keys of a range that have more than `max_rows` each.

    The result is that of `totals.compact_keys`.
    """
    limited = keys._replace(
        max_keys=min(keys.max_keys, MAX_KEYS_PER_STEP), max_merged=min(keys.max_merged, MAX_MERGED_ROWS_PER_STEP)
    )
    rows = await sketches.take_crowded(connection, limited)
    if not rows:
        return None
    await append_sketches(connection, await asyncio.to_thread(lambda: list(merge_rows(rows))))
    return (rows[-1].origin, rows[-1].destination, rows[-1].month), len(rows)


def merge_rows(rows: Sequence[SketchRow]) -> Iterator[MonthSketches]:
    """Yield the sum of the sketches of each key. The rows are ordered by key."""
    keys = [key for key, _ in groupby(rows, key=attrgetter("origin", "destination", "month"))]
    number = {key: at for at, key in enumerate(keys)}
    groups = np.array([number[row.origin, row.destination, row.month] for row in rows], dtype=np.int64)
    sums = add_up([row.sketch for row in rows], groups, np.ones(len(rows), dtype=np.int64))
    for (origin, destination, month), sketch in zip(keys, sums, strict=True):
        if not is_empty(sketch):
            yield MonthSketches(month_number(month), [origin], [destination], [sketch])
