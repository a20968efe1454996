"""Prices by day: totals, statistics, averages and exchange rates. Standard library only.

Values created for every query are named tuples: a frozen dataclass takes up to three times as long to create and to hash.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

MIN_PRICES_FOR_STATISTICS = 3
"""Below this many observations a day has no average, low, high or median: one or two would reveal who paid what."""


def round_half_away(numerator: int, denominator: int) -> int:
    """Return numerator / denominator rounded to an integer, halves away from zero. `denominator` is positive."""
    # The half of an odd denominator is rounded down: for whole numerators the quotient is the same.
    half = denominator >> 1
    return -((half - numerator) // denominator) if numerator < 0 else (half + numerator) // denominator


@dataclass(frozen=True, slots=True)
class DateRange:
    """Days from `first` to `last`, both inclusive."""

    first: date
    last: date

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    def days(self) -> list[date]:
        """Every day of the range, in order."""
        return [self.first + timedelta(days=offset) for offset in range(len(self))]


class DayTotals(NamedTuple):
    """The sum (US cents) and the number of the observations of each day of a range on one lane, as columns."""

    sums: list[int]
    counts: list[int]


@dataclass(frozen=True, slots=True)
class DayStatistics:
    """Statistics of one day on one lane, from the observations themselves.

    All prices are US cents; the median is in half cents, so that the mean of two middle prices stays a whole number.
    """

    day: date
    price_sum: int
    price_count: int
    low: int
    high: int
    median_half_cents: int


class DailyAverages(NamedTuple):
    """The answer for each day of a range, as columns, in USD. Every figure but the count is None below three observations.

    `lows`, `highs` and `medians` are empty when nobody asked for them.
    """

    days: DateRange
    averages: Sequence[float | None]
    counts: Sequence[int]
    lows: Sequence[float | None] = ()
    highs: Sequence[float | None] = ()
    medians: Sequence[float | None] = ()


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """US dollars for one unit of a currency on a day, and the day whose published rate that is; None where none is known."""

    day: date
    usd_per_unit: float | None
    published_day: date | None
