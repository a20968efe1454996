"""Order statistics of buckets: percentiles by rank, from prices in order within each bucket.

This module imports numpy, 20 MB that a process does not need for averages. So `resolvers.analysis.statistics_loading` imports
it lazily, as it does the modules of both sources of prices.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from db.sketches.arrays import Int64
from domain.intervals import Axis
from domain.price_series import DayRates
from domain.prices import RATE_UNITS, round_half_away

MAX_CENTS = 10**18
"""Beyond every price: an amount above it only needs to stay above all of them."""
MAX_PRODUCT = 1 << 62
"""Products below fit 64-bit integers."""
MAX_DENOMINATOR = 10**6
"""Denominators up to which the interpolation of US dollars fits 64-bit integers: percentages with four decimals."""


class Rank(NamedTuple):
    """Percentile rank in tenths of a percent, and its largest error in the same unit."""

    tenths: int
    error_tenths: int


class OrderStatistics(ABC):
    """Prices of a lane in the order of their amounts within each bucket.

    Attributes:
        counts: Number of prices of each bucket.
    """

    counts: list[int]

    @abstractmethod
    def _pick(self, offsets: Int64) -> tuple[Int64, Int64]:
        """Return the prices at some positions in US cents, and their rates.

        Positions count over all buckets. The position behind the last price stands for the last price.
        """

    @abstractmethod
    def rank(self, amount: int, units: int) -> Rank | None:
        """Return the percentile rank of an amount among all prices; None without prices.

        The rank counts the prices below and half of those that are equal. The amount is in 1/`units` of the currency.
        """

    def percentiles(self, asked: Sequence[float], wanted: Sequence[bool]) -> list[list[float | None]]:
        """Return each of the percentiles, at least one, for all wanted buckets.

        Prices are in the currency, with 2 decimals. The position is (count - 1) × percentile / 100, linear between the two
        nearest prices, like `percentile_cont` of PostgreSQL.
        """
        counts = np.array(self.counts, dtype=np.int64)
        chosen = np.flatnonzero((counts > 0) & np.array(wanted))
        starts, last = (np.cumsum(counts) - counts)[chosen], counts[chosen] - 1
        positions = [_Position.find(Fraction(repr(at)) / 100, last, sum(self.counts)) for at in asked]
        offsets = np.concatenate([starts + position.rank for position in positions])
        # All at once: numpy spends more time per call than per price.
        cents, rates = self._pick(np.concatenate([offsets, offsets + 1]))
        picked = zip(
            positions,
            *(np.split(half, len(asked)) for each in (cents, rates) for half in np.split(each, 2)),
            strict=True,
        )
        return [_spread(_price_at(*each), chosen, len(counts)) for each in picked]


class _Position(NamedTuple):
    """Position of a percentile among the prices of each bucket.

    It is `remainder` / `denominator` of the way from the price of `rank`, which counts from 0, to the next one.
    """

    rank: Int64
    remainder: npt.NDArray[np.int64] | npt.NDArray[np.object_]
    denominator: int

    @classmethod
    def find(cls, part: Fraction, last: Int64, largest: int) -> "_Position":
        """Return the position at a part of the way from the first price of each bucket to the last.

        `last` has the rank of the last price, which is below `largest`.
        """
        numerator, denominator = part.numerator, part.denominator
        # A percentage with many digits needs the integers of Python.
        integer = np.int64 if max(largest * numerator, denominator) < MAX_PRODUCT else object
        position = last.astype(integer) * numerator
        return cls((position // denominator).astype(np.int64), position % denominator, denominator)


def _price_at(position: _Position, low: Int64, high: Int64, low_rate: Int64, high_rate: Int64) -> list[float]:
    """Return the prices in the currency between the two nearest ones, which are in US cents."""
    _, remainder, denominator = position
    if denominator <= MAX_DENOMINATOR and (low_rate == RATE_UNITS).all() and (high_rate == RATE_UNITS).all():
        scaled = low * denominator + np.where(remainder > 0, high - low, 0) * remainder.astype(np.int64)
        cents = np.sign(scaled) * ((denominator // 2 + np.abs(scaled)) // denominator)
        prices: list[float] = (cents / 100).tolist()
        return prices
    columns = (column.tolist() for column in (low, low_rate, high, high_rate, remainder))
    return [_interpolate(column, denominator) for column in zip(*columns, strict=True)]


def _spread(prices: list[float], chosen: npt.NDArray[np.intp], bucket_count: int) -> list[float | None]:
    """Return the prices of the chosen buckets, and None for the others."""
    spread: list[float | None] = [*prices]
    if len(prices) < bucket_count:
        spread = [None] * bucket_count
        for bucket, price in zip(chosen.tolist(), prices, strict=True):
            spread[bucket] = price
    return spread


def _interpolate(prices: tuple[int, ...], denominator: int) -> float:
    """Return the price at a fraction between two prices in US cents.

    `prices` holds the two, each with its rate, and the numerator of the fraction.
    """
    price, rate, next_price, next_rate, remainder = prices
    if not remainder:
        return round_half_away(price * RATE_UNITS, rate) / 100
    if rate == next_rate:
        numerator = price * denominator + (next_price - price) * remainder
        return round_half_away(numerator * RATE_UNITS, rate * denominator) / 100
    numerator = price * next_rate * (denominator - remainder) + next_price * rate * remainder
    return round_half_away(numerator * RATE_UNITS, rate * next_rate * denominator) / 100


class Segments(NamedTuple):
    """Parts of the range with one bucket and one rate each; `stops` are exclusive."""

    starts: npt.NDArray[np.int32]
    stops: npt.NDArray[np.int32]
    buckets: npt.NDArray[np.int32]
    rates: Int64

    def thresholds(self, amount: int, units: int) -> tuple[Int64, npt.NDArray[np.bool_]]:
        """Return the amount, in 1/`units` of the currency, in US cents at the rate of each segment.

        It is rounded down; the second column says where it was an integer.
        """
        # A price equals the amount if cents × RATE_UNITS / rate = amount × 100 / units; few rates occur, so this is exact.
        ratios = [divmod(amount * 100 * rate, units * RATE_UNITS) for rate in self.rates.tolist()]
        lower = np.array([min(max(quotient, -MAX_CENTS), MAX_CENTS) for quotient, _ in ratios], dtype=np.int64)
        return lower, np.array([not remainder for _, remainder in ratios])


def divide_by_rate(axis: Axis, rates: DayRates | None) -> Segments:
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
    return Segments(starts, stops, buckets.astype(np.int32), by_segment)
