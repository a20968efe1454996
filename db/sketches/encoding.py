"""Format of a sketch: the bytes of the column `price_sketches.sketch`.

A sketch is a list of entries (day, bucket, count), sorted by day and bucket. Sketches of the same key are merged: equal
entries are summed. Layout, little-endian:

- 1 byte: 1 if the entries are changes from day to day, else 0; plus twice the binary logarithm of the width of a count;
- 1 byte: number of days with entries, D;
- D bytes: these days, as offsets from the first of the month;
- D × 2 bytes: the number of entries of each day;
- 2 bytes per entry: the bucket; then 1, 2, 4 or 8 bytes per entry: the count, which may be negative.

Changes apply from their day to the end of the month: an observation of thirty days is two entries instead of thirty.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from db.sketches.arrays import Int64
from db.sketches.errors import UnreadableSketch

DAYS = 31
_WIDTHS = ("<i1", "<i2", "<i4", "<i8")


@dataclass(frozen=True, slots=True)
class Entries:
    """Entries of one or more sketches, as columns.

    Attributes:
        row: Number of the sketch, ascending.
        day: Offset from the first of the month.
        bucket: Bucket of `db.sketches.buckets`.
        count: Number of prices, or its change; may be negative.
    """

    row: Int64
    day: Int64
    bucket: Int64
    count: Int64

    def __len__(self) -> int:
        return len(self.row)


def encode_sketches(entries: Entries, are_changes: npt.NDArray[np.bool_]) -> list[bytes]:
    """Return the sketches of all rows.

    `are_changes` says for each row whether its entries are changes. The entries are sorted by row, day and bucket, each occurs
    once, and no count is 0. A row without entries is empty.
    """
    rows = len(are_changes)
    group = entries.row * DAYS + entries.day
    starts = np.flatnonzero(np.diff(group, prepend=-1))
    sizes = np.diff(starts, append=len(group)).astype("<u2").tobytes()
    days = entries.day[starts].astype(np.uint8).tobytes()
    # The first group and the first entry of each row, and their ends.
    groups = np.searchsorted(entries.row[starts], np.arange(rows + 1)).tolist()
    firsts = np.searchsorted(entries.row, np.arange(rows + 1))
    widths = _choose_widths(entries.count, firsts)
    buckets = entries.bucket.astype("<i2").tobytes()
    counts = [entries.count.astype(width).tobytes() if at in widths else b"" for at, width in enumerate(_WIDTHS)]
    ends = firsts.tolist()
    return [
        b"".join(
            (
                bytes((is_change | width << 1, stop - start)),
                days[start:stop],
                sizes[2 * start : 2 * stop],
                buckets[2 * first : 2 * end],
                counts[width][first << width : end << width],
            )
        )
        for is_change, width, start, stop, first, end in zip(
            are_changes.tolist(), widths.tolist(), groups, groups[1:], ends, ends[1:], strict=False
        )
    ]


def _choose_widths(count: Int64, firsts: Int64) -> Int64:
    """Return for each row the binary logarithm of the bytes that its largest count needs."""
    widths = np.zeros(len(firsts) - 1, dtype=np.int64)
    filled = np.flatnonzero(np.diff(firsts))
    if len(filled):
        # A negative count needs as many bits as its complement.
        largest = np.maximum.reduceat(np.where(count < 0, ~count, count), firsts[filled])
        widths[filled] = np.searchsorted([1 << 7, 1 << 15, 1 << 31], largest, side="right")
    return widths


def decode_sketches(sketches: Sequence[bytes]) -> tuple[Entries, npt.NDArray[np.bool_]]:
    """Return the entries of the sketches, and for each entry whether it is a change.

    A row is the position of a sketch. Raise UnreadableSketch for a malformed sketch; wrong values are not detected.
    """
    columns: list[tuple[npt.NDArray[np.generic], ...]] = []
    sizes, is_change = np.zeros(len(sketches), dtype=np.int64), np.zeros(len(sketches), dtype=bool)
    for number, sketch in enumerate(sketches):
        try:
            days = sketch[1]
            per_day = np.frombuffer(sketch, "<u2", days, 2 + days)
            total = int(per_day.sum())
            at = 2 + 3 * days
            width = sketch[0] >> 1
            buckets = np.frombuffer(sketch, "<i2", total, at)
            counts = np.frombuffer(sketch, _WIDTHS[width], total, at + 2 * total)
        except (ValueError, IndexError):
            raise UnreadableSketch(number) from None
        if len(sketch) != at + (2 + (1 << width)) * total or (days and max(sketch[2 : 2 + days]) >= DAYS):
            raise UnreadableSketch(number)
        columns.append((np.repeat(np.frombuffer(sketch, np.uint8, days, 2), per_day), buckets, counts))
        sizes[number], is_change[number] = total, sketch[0] & 1
    day, bucket, count = (_concatenate(column) for column in zip(*columns, strict=True)) if columns else [_NONE] * 3
    return Entries(np.repeat(np.arange(len(sketches)), sizes), day, bucket, count), np.repeat(is_change, sizes)


_NONE = np.empty(0, dtype=np.int64)


def _concatenate(parts: Iterable[npt.NDArray[np.generic]]) -> Int64:
    return np.concatenate(list(parts)).astype(np.int64)
