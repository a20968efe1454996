"""Order statistics of buckets from sketches, within a known relative error.

The cost does not grow with the number of prices.

A cell is the number of prices of one price bucket within one segment of the range. They come from observations, each of which
repeats its price on every day that it is valid. The cell has at least as many observations as its daily numbers rise by in
all. The prices are divided evenly among these. The k-th of n observations is taken to lie at (k + ½) / n of the way through
the price bucket. So it is at most one price bucket wrong. An order statistic has the same bound: if every price is at most a
factor away from its estimate, so is the n-th smallest of all.

Where a bucket has several exchange rates, its cells overlap. They are put in order by their middles, and each stands for its
middle, which is at most half a price bucket wrong.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from operator import itemgetter

import numpy as np
import numpy.typing as npt

from db.sketches.arrays import Int64
from db.sketches.buckets import bucket_bounds
from db.sketches.encoding import DAYS, decode_sketches
from domain.intervals import Axis, days_of_month
from domain.price_series import DayRates
from domain.prices import DateRange, round_half_away
from resolvers.analysis.order_statistics import OrderStatistics, Rank, Segments, divide_by_rate

MAX_DECODED_BYTES = 1 << 20
"""Sketches that are decoded at once.

It bounds memory, and the time for which numpy keeps the event loop from running: an entry has 3 bytes, and 100 while it is
counted. A year of the largest compacted sketches takes half of it.
"""
MAX_COUNT = (1 << 31) - 1
"""Prices of a cell up to which products of two numbers of prices fit 64-bit integers. Above, Python's integers are used."""
Counts = npt.NDArray[np.float64]
"""Numbers of prices. Doubles are exact up to 9 × 10¹⁵, and numpy sums them several times as fast as integers."""


class SketchedPrices(OrderStatistics):
    """Prices of a pair of regions by price bucket, in order within each bucket of the axis."""

    def __init__(self, sketches: Sequence[tuple[date, bytes]], axis: Axis, rates: DayRates | None) -> None:
        by_day, price_buckets = _count_by_day(sketches, axis.days)
        segments = divide_by_rate(axis, rates)
        is_daily = len(segments.starts) == len(by_day)
        by_segment = by_day if is_daily else np.add.reduceat(by_day, segments.starts, axis=0)
        self._segments = segments
        self._by_day = None if is_daily else by_day
        self._low, self._high = bucket_bounds(price_buckets)
        self._is_single = np.bincount(segments.buckets)[segments.buckets] == 1
        """Whether each segment is the only one of its bucket."""
        cells = by_segment.ravel()
        self._cells: Int64 = np.flatnonzero(cells)
        """Number of each cell with prices, in the order of the prices: segment × price buckets + price bucket."""
        if not self._is_single.all():
            self._cells = self._cells[self._order_of(segments)]
        self._counts: Int64 = cells[self._cells].astype(np.int64)
        self._until: Int64 = np.cumsum(self._counts)
        """Number of prices up to each cell, in all buckets so far."""
        by_bucket = np.zeros(len(axis.buckets))
        np.add.at(by_bucket, segments.buckets, by_segment.sum(axis=1))
        self.counts: list[int] = by_bucket.astype(np.int64).tolist()

    def _order_of(self, segments: Segments) -> Int64:
        """Return the order of the cells by bucket, and within it by price in the currency."""
        segment, column = np.divmod(self._cells, len(self._low))
        # The middle in whole US cents, as `_pick` returns it. Otherwise prices half a cent apart could be out of order.
        price = (self._low + self._high)[column] // 2 / segments.rates[segment]
        return np.lexsort((price, segments.buckets[segment]))

    def _pick(self, offsets: Int64) -> tuple[Int64, Int64]:
        at = np.searchsorted(self._until, offsets, side="right").clip(0, len(self._until) - 1)
        segment, column = np.divmod(self._cells[at], len(self._low))
        low, high, count = self._low[column], self._high[column], self._counts[at]
        position = (offsets - self._until[at] + count).clip(0, count - 1)
        observations = count if self._by_day is None else self._count_observations(self._by_day, segment, column)
        if count.max(initial=0) > MAX_COUNT:
            position, count, observations = (each.astype(object) for each in (position, count, observations))
        number = position * observations // count
        twice = np.where(self._is_single[segment], 2 * number + 1, observations)
        prices = low + (high - low) * twice // (2 * observations)
        return prices.astype(np.int64), self._segments.rates[segment]

    def _count_observations(self, by_day: Counts, segment: Int64, column: Int64) -> Int64:
        """Return the least number of observations that cells with prices can have."""
        starts, stops = self._segments.starts[segment], self._segments.stops[segment]
        days = starts[:, np.newaxis] + np.arange(int((stops - starts).max(initial=1)))
        is_inside = days < stops[:, np.newaxis]
        counts = np.where(is_inside, by_day[np.where(is_inside, days, 0), column[:, np.newaxis]], 0)
        rises: Int64 = np.diff(counts, axis=1, prepend=0).clip(0).sum(axis=1).astype(np.int64)
        return rises

    def rank(self, amount: int, units: int) -> Rank | None:
        """Return the percentile rank of an amount and its error; None without prices.

        Only the prices of the price bucket that contains the amount are uncertain: between none and all of them are below.
        """
        if not len(self._until):
            return None
        segment, column = np.divmod(self._cells, len(self._low))
        lower, is_exact = (values[segment] for values in self._segments.thresholds(amount, units))
        low, high, count = self._low[column], self._high[column], self._counts
        is_below = (high < lower) | ((high == lower) & ~is_exact)
        is_equal = (low == lower) & (high == lower) & is_exact
        is_near = (low <= lower) & (lower <= high) & ~is_below & ~is_equal & (low < high)
        twice_sure = int((2 * count[is_below]).sum() + count[is_equal].sum())
        near = count[is_near]
        width = high[is_near] - low[is_near] + 1
        twice_near = int((near * (2 * (lower[is_near] - low[is_near]) + 1) // width).sum())
        lowest, found, highest = (
            round_half_away(1_000 * (twice_sure + twice), 2 * int(self._until[-1]))
            for twice in (0, twice_near, 2 * int(near.sum()))
        )
        return Rank(found, max(highest - found, found - lowest))


def _count_by_day(sketches: Sequence[tuple[date, bytes]], days: DateRange) -> tuple[Counts, Int64]:
    """Return the numbers of prices by day and price bucket, and the price buckets."""
    if sum(len(sketch) for _, sketch in sketches) <= MAX_DECODED_BYTES:
        return _count_at_once(sketches, days)
    counted = [(part.first, *_count_at_once(chosen, part)) for chosen, part in _divide(sketches, days)]
    price_buckets = np.unique(np.concatenate([buckets for _, _, buckets in counted]))
    counts = np.zeros((len(days), len(price_buckets)))
    for first, part_counts, buckets in counted:
        start = (first - days.first).days
        counts[start : start + len(part_counts), np.searchsorted(price_buckets, buckets)] += part_counts
    return counts, price_buckets


def _divide(
    sketches: Sequence[tuple[date, bytes]], days: DateRange
) -> Iterator[tuple[list[tuple[date, bytes]], DateRange]]:
    """Yield the sketches in parts of bounded size, each with its days within the range."""
    part, size = list[tuple[date, bytes]](), 0
    for each in sorted(sketches, key=itemgetter(0)):
        part.append(each)
        size += len(each[1])
        if size > MAX_DECODED_BYTES:
            yield part, _days_of(part, days)
            part, size = [], 0
    if part:
        yield part, _days_of(part, days)


def _days_of(part: Sequence[tuple[date, bytes]], days: DateRange) -> DateRange:
    (first, _), (last, _) = part[0], part[-1]
    return DateRange(max(first, days.first), min(days_of_month(last).last, days.last))


def _count_at_once(sketches: Sequence[tuple[date, bytes]], days: DateRange) -> tuple[Counts, Int64]:
    entries, is_change = decode_sketches([sketch for _, sketch in sketches])
    starts = np.array([(month - days.first).days for month, _ in sketches], dtype=np.int64)
    day, bucket, count = starts[entries.row] + entries.day, entries.bucket, entries.count
    if not sketches or starts.min() < 0 or starts.max() + DAYS > len(days):
        # A change before the range applies from its first day on.
        is_inside = (day < len(days)) & (is_change | (day >= 0))
        day, bucket, count = np.maximum(day[is_inside], 0), bucket[is_inside], count[is_inside]
        is_change = is_change[is_inside]
    if not len(bucket):
        return np.zeros((len(days), 1)), np.zeros(1, dtype=np.int64)
    first_bucket = int(bucket.min())
    bucket -= first_bucket
    is_used = np.bincount(bucket) > 0
    price_buckets = np.flatnonzero(is_used) + first_bucket
    shape = len(days), len(price_buckets)
    key = day * shape[1] + (bucket if is_used.all() else (np.cumsum(is_used) - 1)[bucket])

    def count_cells(chosen: npt.NDArray[np.bool_]) -> Counts:
        keys, counts = (key, count) if chosen.all() else (key[chosen], count[chosen])
        return np.bincount(keys, counts, shape[0] * shape[1]).astype(np.float64, copy=False).reshape(shape)

    changes = count_cells(is_change)
    for month in {month for month, _ in sketches}:
        start = (month - days.first).days
        of_month = changes[max(start, 0) : max(start + len(days_of_month(month)), 0)]
        np.cumsum(of_month, axis=0, out=of_month)
    return changes if is_change.all() else changes + count_cells(~is_change), price_buckets
