"""Exact order statistics of buckets, from single prices.

An observation counts once per day of its validity. It is not expanded to days: each piece of it within one bucket and one
exchange rate has its number of days as weight. numpy sorts the pieces. The chosen prices are combined in exact arithmetic.
"""

import numpy as np

from db.sketches.arrays import Int64
from domain.intervals import Axis
from domain.price_series import DayRates
from domain.prices import PackedPrices, round_half_away
from resolvers.analysis.order_statistics import OrderStatistics, Rank, divide_by_rate

PACKED_EPOCH = 730_120
"""Ordinal of 2000-01-01, from which PostgreSQL counts days."""


class SortedPrices(OrderStatistics):
    """Prices of a lane, sorted within each bucket."""

    def __init__(self, packed: PackedPrices, axis: Axis, rates: DayRates | None) -> None:
        cents = np.frombuffer(packed.cents, ">i8").astype(np.int64)
        shift = PACKED_EPOCH - axis.days.first.toordinal()
        first = np.maximum(np.frombuffer(packed.first_days, ">i4").astype(np.int32) + shift, 0)
        last = np.minimum(np.frombuffer(packed.last_days, ">i4").astype(np.int32) + shift, len(axis.days) - 1)
        segments = divide_by_rate(axis, rates)
        if rates is None:
            order = np.argsort(cents, kind="stable")
            cents, first, last = cents[order], first[order], last[order]
        # A piece is the part of an observation within one segment.
        first_segment = np.searchsorted(segments.starts, first, side="right") - 1
        pieces = np.searchsorted(segments.starts, last, side="right") - first_segment
        source = np.repeat(np.arange(len(cents), dtype=np.int32), pieces)
        # The segments of an observation follow one another: its first one, plus the position within its pieces.
        segment = np.arange(len(source)) + (first_segment - np.cumsum(pieces) + pieces)[source]
        days = np.minimum(last[source] + 1, segments.stops[segment]) - np.maximum(
            first[source], segments.starts[segment]
        )
        bucket = segments.buckets[segment]
        counts, sums = (np.zeros(len(axis.buckets), dtype=np.int64) for _ in range(2))
        np.add.at(counts, bucket, days)
        np.add.at(sums, bucket, days * cents[source])
        self.counts: list[int] = counts.tolist()
        self.sums: list[int] = sums.tolist()
        """Sum of the prices of each bucket in US cents."""
        if rates is None:
            # Sorted by price already: a stable sort by bucket is enough, which for 16 bits is a radix sort.
            order = np.argsort(bucket, kind="stable")
        else:
            order = np.lexsort((cents[source] / segments.rates[segment], bucket))
        self._cents: Int64 = cents[source[order]]
        self._segment: Int64 = segment[order]
        self._segments = segments
        self._until: Int64 = np.cumsum(days[order])
        """Number of prices up to each piece, in all buckets so far."""

    def _pick(self, offsets: Int64) -> tuple[Int64, Int64]:
        piece = np.searchsorted(self._until, offsets, side="right").clip(0, len(self._until) - 1)
        return self._cents[piece], self._segments.rates[self._segment[piece]]

    def rank(self, amount: int, units: int) -> Rank | None:
        """Return the percentile rank of an amount among all prices, without error.

        None without prices: a batch may be reverted after the totals were read.
        """
        if not len(self._until):
            return None
        lower, is_exact = (column[self._segment] for column in self._segments.thresholds(amount, units))
        days = np.diff(self._until, prepend=0)
        equal = int(days[(self._cents == lower) & is_exact].sum())
        below = int(days[(self._cents < lower) | ((self._cents == lower) & ~is_exact)].sum())
        return Rank(round_half_away(1_000 * (2 * below + equal), 2 * int(self._until[-1])), 0)
