"""Sums and differences of sketches."""

from collections.abc import Iterator, Sequence

import numpy as np

from db.sketches.arrays import Int64
from db.sketches.encoding import DAYS, Entries, decode_sketches, encode_sketches
from db.sketches.errors import UnreadableSketch
from ingest.observations.lane_days import days_in_months

MAX_DECODED_BYTES = 2 << 20
"""Bytes of sketches that are merged at once, which bounds memory: an entry has 3 bytes, and 150 while it is merged."""
_BUCKET_BITS = 14
_BUCKET_OFFSET = 1 << (_BUCKET_BITS - 1)


def merge_sketches(sketches: Sequence[bytes], groups: Int64, signs: Int64, months: Int64) -> list[bytes]:
    """Return the sum of the sketches of each group.

    Groups are numbered from 0 in ascending order. `months` has the month of each group, counted from January 1970. A sketch
    counts with its sign, 1 or -1. The sum is empty (it has no days) if nothing remains. Raise UnreadableSketch.
    """
    sums = list[bytes]()
    for start, stop in _divide(sketches):
        # A group that continues from the previous range is represented by its sum so far.
        before = int(start > 0 and groups[start] == groups[start - 1])
        part, part_groups, part_signs = sketches[start:stop], groups[start:stop], signs[start:stop]
        if before:
            part, part_groups, part_signs = (
                [sums.pop(), *part],
                np.append(groups[start], part_groups),
                np.append(1, part_signs),
            )
        try:
            part_months = months[len(sums) : int(groups[stop - 1]) + 1]
            sums += _merge_at_once(part, part_groups - len(sums), part_signs, part_months)
        except UnreadableSketch as error:
            raise UnreadableSketch(start - before + error.number) from None
    return sums


def _divide(sketches: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Yield the ranges of positions of sketches that are merged at once."""
    start, size = 0, 0
    for stop, sketch in enumerate(sketches, 1):
        size += len(sketch)
        if size >= MAX_DECODED_BYTES or stop == len(sketches):
            yield start, stop
            start, size = stop, 0


def _merge_at_once(sketches: Sequence[bytes], groups: Int64, signs: Int64, months: Int64) -> list[bytes]:
    entries, is_change = decode_sketches(sketches)
    group, count = groups[entries.row], entries.count * signs[entries.row]
    are_changes = np.zeros(len(months), dtype=bool)
    are_changes[group[is_change]] = True
    # In a group with both forms, a count on one day becomes two changes: on this day, and back on the next one of the month.
    expanded = np.flatnonzero(are_changes[group] & ~is_change)
    back = expanded[entries.day[expanded] + 1 < days_in_months(months)[group[expanded]]]
    group = np.concatenate([group, group[back]])
    day = np.concatenate([entries.day, entries.day[back] + 1])
    bucket = np.concatenate([entries.bucket, entries.bucket[back]])
    count = np.concatenate([count, -count[back]])
    key = ((group * DAYS + day) << _BUCKET_BITS) + bucket + _BUCKET_OFFSET
    order = np.argsort(key, kind="stable")
    key, count = key[order], count[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    sums = np.add.reduceat(count, starts) if len(starts) else count
    filled = np.flatnonzero(sums)
    key, sums = key[starts[filled]], sums[filled]
    row, day = np.divmod(key >> _BUCKET_BITS, DAYS)
    bucket = (key & ((1 << _BUCKET_BITS) - 1)) - _BUCKET_OFFSET
    return encode_sketches(Entries(row, day, bucket, sums), are_changes)


def is_empty(sketch: bytes) -> bool:
    """Return whether a sketch has no entries."""
    return sketch[1] == 0
