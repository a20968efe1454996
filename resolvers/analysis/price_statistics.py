"""Exact order statistics of buckets, from single prices: lowest, highest, percentiles.

An observation counts once per day of its validity. It is not expanded to days: each piece of it within one bucket and one
exchange rate has its number of days as weight. numpy sorts the pieces. The chosen prices are combined in exact arithmetic.

This module imports numpy, 20 MB that a process does not need for averages. So `resolvers.analysis.statistics_loading` imports
it lazily.
"""

from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from domain.intervals import Axis
from domain.price_series import DayRates
from domain.prices import RATE_UNITS, PackedPrices, round_half_away

Int64 = npt.NDArray[np.int64]

MAX_CENTS = 10**18
"""Beyond every price: an amount above it only needs to stay above all of them."""
PACKED_EPOCH = 730_120
"""Ordinal of 2000-01-01, from which PostgreSQL counts days."""


class SortedPrices:
    """Prices of a lane, sorted within each bucket."""

    def __init__(self, packed: PackedPrices, axis: Axis, rates: DayRates | None) -> None:
        cents = np.frombuffer(packed.cents, ">i8").astype(np.int64)
        shift = PACKED_EPOCH - axis.days.first.toordinal()
        first = np.maximum(np.frombuffer(packed.first_days, ">i4").astype(np.int32) + shift, 0)
        last = np.minimum(np.frombuffer(packed.last_days, ">i4").astype(np.int32) + shift, len(axis.days) - 1)
        segments = _divide_by_rate(axis, rates)
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
        self._before: Int64 = np.cumsum(counts) - counts
        if rates is None:
            # Sorted by price already: a stable sort by bucket is enough, which for 16 bits is a radix sort.
            order = np.argsort(bucket, kind="stable")
        else:
            order = np.lexsort((cents[source] / segments.rates[segment], bucket))
        self._cents: Int64 = cents[source[order]]
        self._segments: Int64 = segment[order]
        self._rates = segments.rates
        self._until: Int64 = np.cumsum(days[order])
        """Number of prices up to each piece, in all buckets so far."""

    def percentiles(self, at: float, wanted: Sequence[bool]) -> list[float | None]:
        """Return the percentile of each wanted bucket in the currency, with 2 decimals.

        The position is (count - 1) × at / 100, linear between the two nearest prices, like `percentile_cont` of PostgreSQL.
        """
        part = Fraction(repr(at)) / 100
        positions = [
            divmod((count - 1) * part.numerator, part.denominator) if is_wanted and count else None
            for count, is_wanted in zip(self.counts, wanted, strict=True)
        ]
        found: list[float | None] = [None] * len(positions)
        chosen = [at for at, position in enumerate(positions) if position is not None]
        ranks = np.array([positions[bucket][0] for bucket in chosen], dtype=np.int64)  # type: ignore[index]
        offsets = self._before[chosen] + ranks
        lower = np.searchsorted(self._until, offsets, side="right")
        upper = np.searchsorted(self._until, offsets + 1, side="right")
        for bucket, low, high in zip(chosen, lower.tolist(), upper.tolist(), strict=True):
            remainder = positions[bucket][1]  # type: ignore[index]
            found[bucket] = self._interpolate(low, high, remainder, part.denominator)
        return found

    def rank_tenths(self, amount: int, units: int) -> int | None:
        """Return the percentile rank of an amount among all prices, in tenths of a percent.

        None without prices: a batch may be reverted after the totals were read.

        The rank counts the prices below and half of those that are equal. The amount is in 1/`units` of the currency.
        """
        if not len(self._until):
            return None
        # A price equals the amount if cents × RATE_UNITS / rate = amount × 100 / units; few rates occur, so this is exact.
        ratios = [divmod(amount * 100 * rate, units * RATE_UNITS) for rate in self._rates.tolist()]
        lower = np.array([min(max(quotient, -MAX_CENTS), MAX_CENTS) for quotient, _ in ratios])[self._segments]
        is_exact = np.array([not remainder for _, remainder in ratios])[self._segments]
        days = np.diff(self._until, prepend=0)
        equal = int(days[(self._cents == lower) & is_exact].sum())
        below = int(days[(self._cents < lower) | ((self._cents == lower) & ~is_exact)].sum())
        return round_half_away(1_000 * (2 * below + equal), 2 * int(self._until[-1]))

    def _interpolate(self, low: int, high: int, remainder: int, denominator: int) -> float:
        """Return the price at the fraction `remainder` / `denominator` between two pieces."""
        price, rate = int(self._cents[low]), int(self._rates[self._segments[low]])
        if not remainder:
            return round_half_away(price * RATE_UNITS, rate) / 100
        next_price, next_rate = int(self._cents[high]), int(self._rates[self._segments[high]])
        numerator = price * next_rate * (denominator - remainder) + next_price * rate * remainder
        return round_half_away(numerator * RATE_UNITS, rate * next_rate * denominator) / 100


class _Segments(NamedTuple):
    """Parts of the range with one bucket and one rate each; `stops` are exclusive."""

    starts: npt.NDArray[np.int32]
    stops: npt.NDArray[np.int32]
    buckets: npt.NDArray[np.int16]
    rates: Int64


def _divide_by_rate(axis: Axis, rates: DayRates | None) -> _Segments:
    """Return the segments of the range.

    Days without a rate get that of the US dollar: their buckets have no figures.
    """
    bucket_starts = np.array([bucket.start for bucket in axis.buckets], dtype=np.int32)
    if rates is None:
        starts, by_segment = bucket_starts, np.full(len(bucket_starts), RATE_UNITS)
    else:
        by_day = np.array([rate or RATE_UNITS for rate in rates], dtype=np.int64)
        is_start = np.append(True, by_day[1:] != by_day[:-1])
        is_start[bucket_starts] = True
        starts = np.flatnonzero(is_start).astype(np.int32)
        by_segment = by_day[starts]
    stops = np.append(starts[1:], np.int32(len(axis.days)))
    buckets = np.searchsorted(bucket_starts, starts, side="right") - 1
    return _Segments(starts, stops, buckets.astype(np.int16), by_segment)
