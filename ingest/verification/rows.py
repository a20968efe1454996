"""Decoder of the rows that a verification reads: whole columns at a time.

This is the only place of the verification that knows how a row of totals represents its days.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from db.administration.verifications import PackedPriceRows, PackedSketchRows, PackedTotalRows
from db.sketches.arrays import Int64
from db.sketches.encoding import Entries, decode_sketches
from db.sketches.errors import UnreadableSketch
from domain.prices import LASTING
from ingest.batches.aggregation import unpack_changes

HEADER_WORDS = 5
"""Words of four bytes before the elements of an array: dimensions, flags, type, size, lower bound (array_send)."""
EMPTY_WORDS = 3
"""An empty array has no dimension, so no size and no lower bound."""
SUM_WORDS, COUNT_WORDS = 3, 2
"""Words of an element: its length, and a bigint or an integer."""


class TotalRows(NamedTuple):
    """Rows of totals as columns.

    `sums`, `counts` and `days` have an element per day of a row, and `lengths` says how many belong to each. The same holds for
    the `changes` of rows that have these instead. Days count from 1970-01-01, months from January 1970.
    """

    origins: Int64
    destinations: Int64
    months: Int64
    lengths: Int64
    sums: Int64
    counts: Int64
    days: Int64
    changes: "ChangeColumns"


class ChangeColumns(NamedTuple):
    """Changes as columns; `offsets` are days of the month from 0.

    Some apply to all later days of the month too.
    """

    lengths: Int64
    sums: Int64
    counts: Int64
    offsets: Int64
    apply_to_end: npt.NDArray[np.bool_]


class SketchRows(NamedTuple):
    """Sketches as columns, with their entries; `entries.row` is the position of a sketch."""

    origins: Int64
    destinations: Int64
    months: Int64
    entries: Entries
    are_changes: npt.NDArray[np.bool_]


class PriceRows(NamedTuple):
    """Observations as columns; days count from 1970-01-01."""

    origins: Int64
    destinations: Int64
    first_days: Int64
    last_days: Int64
    usd_cents: Int64


class UnreadableRows(Exception):
    """Rows of totals or sketches that no version of the product has written."""

    def __init__(self, months: set[int]) -> None:
        super().__init__(f"rows of unknown form in {len(months)} months")
        self.months = months


def decode_totals(packed: PackedTotalRows) -> TotalRows:
    """Return rows of totals.

    Raise UnreadableRows if an array contains NULL, or if the two arrays of a row differ in length. Raise it too if the month of
    a row is not the first day of a month, or if changes do not begin on that day.
    """
    origins, destinations, month_days, first_days, lengths, count_lengths, change_lengths = (
        _int4_column(column) for column in packed[:7]
    )
    months = _months_of(month_days)
    try:
        has_changes = change_lengths > 0
        if (lengths != count_lengths).any() or (first_days != month_days)[has_changes].any():
            raise ValueError
        _require_first_days(month_days, months)
        sums, counts = _int8_arrays(packed.sums, lengths), _int4_arrays(packed.counts, lengths)
        changes = _int8_arrays(packed.changes, change_lengths)
    except ValueError:
        raise UnreadableRows(set(months.tolist())) from None
    row, position = _positions(lengths)
    return TotalRows(
        origins,
        destinations,
        months,
        lengths,
        sums,
        counts,
        first_days[row] + position,
        _unpack(changes, change_lengths),
    )


def _unpack(packed: Int64, lengths: Int64) -> ChangeColumns:
    slots, sums, counts = unpack_changes(packed)
    return ChangeColumns(lengths, sums, counts, slots % LASTING, slots >= LASTING)


def _positions(lengths: Int64) -> tuple[Int64, Int64]:
    """Return the row of each element, and its position in the row."""
    row = np.repeat(np.arange(len(lengths)), lengths)
    return row, np.arange(len(row)) - np.repeat(np.cumsum(lengths) - lengths, lengths)


def _int8_arrays(column: bytes, lengths: Int64) -> Int64:
    words, at = _elements(column, lengths, SUM_WORDS)
    values: Int64 = ((words[at + 1].astype(np.uint64) << np.uint64(32)) | words[at + 2]).view(np.int64)
    return values


def _int4_arrays(column: bytes, lengths: Int64) -> Int64:
    words, at = _elements(column, lengths, COUNT_WORDS)
    return words[at + 1].astype(np.uint32).view(np.int32).astype(np.int64)


def _elements(column: bytes, lengths: Int64, element_words: int) -> tuple[npt.NDArray[np.uint32], Int64]:
    """Return the words of arrays, and the first word of each element.

    Raise ValueError if an array contains NULL.
    """
    words = np.frombuffer(column, dtype=">u4")
    headers = np.where(lengths > 0, HEADER_WORDS, EMPTY_WORDS)
    if len(words) != (headers + element_words * lengths).sum():
        raise ValueError
    row, position = _positions(lengths)
    return words, _element_starts(headers, lengths, element_words)[row] + element_words * position


def divide_sketch_rows(packed: PackedSketchRows, max_bytes: int) -> Iterator[PackedSketchRows]:
    """Yield the sketches in parts of at most a number of bytes, or of a single one."""
    ends = np.cumsum(_int4_column(packed.lengths))
    start = 0
    while start < len(ends):
        begin = int(ends[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, begin + max_bytes, side="right")))
        origins, destinations, months, lengths = (column[4 * start : 4 * stop] for column in packed[:4])
        sketches = packed.sketches[begin : int(ends[stop - 1])]
        yield PackedSketchRows(origins, destinations, months, lengths, sketches)
        start = stop


def decode_sketch_rows(packed: PackedSketchRows) -> SketchRows:
    """Return sketches. Raise UnreadableRows if one is damaged."""
    origins, destinations, month_days, lengths = (_int4_column(column) for column in packed[:4])
    months = _months_of(month_days)
    ends = np.cumsum(lengths).tolist()
    sketches = [packed.sketches[end - length : end] for end, length in zip(ends, lengths.tolist(), strict=True)]
    try:
        _require_first_days(month_days, months)
        entries, are_changes = decode_sketches(sketches)
    except (UnreadableSketch, ValueError):
        raise UnreadableRows(set(months.tolist())) from None
    return SketchRows(origins, destinations, months, entries, are_changes)


def decode_prices(packed: PackedPriceRows) -> tuple[PriceRows, PriceRows]:
    """Return the observations, and those of them that are new."""
    origins, destinations, first_days, last_days = (_int4_column(column) for column in packed[:4])
    usd_cents = np.frombuffer(packed.usd_cents, dtype=">i8").astype(np.int64)
    rows = PriceRows(origins, destinations, first_days, last_days, usd_cents)
    is_new = np.frombuffer(packed.is_new, dtype=np.bool_)
    return rows, PriceRows(*(column[is_new] for column in rows))


def _element_starts(headers: Int64, lengths: Int64, element_words: int) -> Int64:
    """Return the word at which the elements of each row begin."""
    words = headers + element_words * lengths
    starts: Int64 = np.cumsum(words) - words + headers
    return starts


def _months_of(days: Int64) -> Int64:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _require_first_days(days: Int64, months: Int64) -> None:
    """Raise ValueError unless each day is the first of its month."""
    if (months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) != days).any():
        raise ValueError


def _int4_column(column: bytes) -> Int64:
    return np.frombuffer(column, dtype=">i4").astype(np.int64)
