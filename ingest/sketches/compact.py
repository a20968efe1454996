"""Compaction of sketches: replaces the sketches of a key by their sum."""

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
from ingest.sketches.merge import add_up, is_empty

log = logging.getLogger("ratesgraph.worker")

MAX_KEYS_PER_STEP = 300
MAX_MERGED_ROWS_PER_STEP = 3_000
"""Both limit one compaction transaction to less than a second, and to some 100 MB of sketches."""
MAX_DECODED_BYTES = 2 << 20
"""Sketches that are added up at once, which bounds memory: an entry has 3 bytes, and 150 while it is added up."""


async def compact_sketch_keys(connection: Connection, keys: KeyRange) -> tuple[Key, int] | None:
    """Merge the sketches of the keys of a range that have more than `max_rows` each.

    The result is that of `totals.compact_keys`. Where one of them is damaged, all of the step remain, and its month becomes
    stale: readers use single prices until a worker has built its sketches anew.
    """
    limited = keys._replace(
        max_keys=min(keys.max_keys, MAX_KEYS_PER_STEP), max_merged=min(keys.max_merged, MAX_MERGED_ROWS_PER_STEP)
    )
    rows = list[SketchRow]()
    try:
        async with connection.transaction():
            rows = await sketches.take_crowded(connection, limited)
            if not rows:
                return None
            merged = await asyncio.to_thread(lambda: [*map(_to_month_sketches, merge_rows(rows))])
            await append_sketches(connection, merged)
    except UnreadableSketch as error:
        origin, destination, month, _ = rows[error.number]
        log.error(
            "a sketch of locations %d and %d in %s is damaged; its month is built anew",
            origin,
            destination,
            f"{month:%Y-%m}",
        )
        await sketches.mark_stale(connection, [month])
        return _key(rows[-1]), 0
    return _key(rows[-1]), len(rows)


def _key(row: SketchRow) -> Key:
    return row.origin, row.destination, row.month


def merge_rows(rows: Sequence[SketchRow]) -> Iterator[SketchRow]:
    """Yield the sum of the sketches of each key that has entries.

    The rows are ordered by key. Raise UnreadableSketch.
    """
    part, size = list[SketchRow](), 0
    for count, row in enumerate(rows, 1):
        part.append(row)
        size += len(row.sketch)
        if size < MAX_DECODED_BYTES and count < len(rows):
            continue
        try:
            sums = _add_up(part)
        except UnreadableSketch as error:
            raise UnreadableSketch(count - len(part) + error.number) from None
        # The last key may have more rows: its sum takes their place in the next part.
        part = sums[-1:] if count < len(rows) else []
        size = sum(len(each.sketch) for each in part)
        yield from (each for each in sums[: len(sums) - len(part)] if not is_empty(each.sketch))


def _add_up(rows: Sequence[SketchRow]) -> list[SketchRow]:
    """Return the sum of the sketches of each key."""
    keys = [key for key, _ in groupby(rows, key=_key)]
    number = {key: at for at, key in enumerate(keys)}
    groups = np.array([number[_key(row)] for row in rows], dtype=np.int64)
    sums = add_up([row.sketch for row in rows], groups, np.ones(len(rows), dtype=np.int64))
    return [SketchRow(*key, sketch) for key, sketch in zip(keys, sums, strict=True)]


def _to_month_sketches(row: SketchRow) -> MonthSketches:
    return MonthSketches(month_number(row.month), [row.origin], [row.destination], [row.sketch])
