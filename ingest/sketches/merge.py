"""Sums and differences of sketches."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from db.sketches.encoding import DAYS, Entries, decode_sketches, encode_sketches
from db.sketches.errors import UnreadableSketch
from ingest.observations.lane_days import days_in_months

Int64 = npt.NDArray[np.int64]

MAX_BYTES_AT_ONCE = 4 << 20
"""Sketches that are decoded at once, which bounds memory: an entry has 3 bytes, and 100 while it is added up."""
_EMPTY = bytes(2)
_BUCKET_BITS = 14
_BUCKET_OFFSET = 1 << (_BUCKET_BITS - 1)


def add_up(sketches: Sequence[bytes], groups: Int64, signs: Int64, months: Int64) -> list[bytes]:
    """Return the sum of the sketches of each group, whose number is a position in `months`.

    The months of the groups count from January 1970. A sketch counts with its sign, 1 or -1. The sum is empty (it has no days)
    if nothing remains. Raise UnreadableSketch.
    """
    sums = [_EMPTY] * len(months)
    order = np.argsort(groups, kind="stable")
    ends = np.cumsum([len(sketches[number]) for number in order.tolist()])
    start = 0
    while start < len(order):
        before = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, before + MAX_BYTES_AT_ONCE, side="right")))
        chosen = order[start:stop]
        first, after = int(groups[chosen[0]]), int(groups[chosen[-1]]) + 1
        # The first group may have a sum already, of sketches before these.
        parts = [sums[first], *(sketches[number] for number in chosen.tolist())]
        try:
            sums[first:after] = _add_up_at_once(
                parts, np.append(0, groups[chosen] - first), np.append(1, signs[chosen]), months[first:after]
            )
        except UnreadableSketch as error:
            raise UnreadableSketch(int(chosen[error.number - 1])) from None
        start = stop
    return sums


def _add_up_at_once(sketches: Sequence[bytes], groups: Int64, signs: Int64, months: Int64) -> list[bytes]:
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
