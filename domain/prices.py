"""Prices by day: totals, statistics, averages and exchange rates. Standard library only.

Values created for every query are named tuples: creating and hashing a frozen dataclass is up to three times as slow.
"""

from calendar import monthrange
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate
from operator import add
from typing import NamedTuple

EARLIEST_DAY, LATEST_DAY = date(1970, 1, 1), date(2100, 12, 31)
"""First and last day for which a price may be valid."""
RATE_UNITS = 10**12
"""Rates are integers in units of 10⁻¹² US dollars per unit of a currency: 12 decimals."""
SLOT_BITS, COUNT_BITS = 6, 18
LASTING = 32
"""Totals of a pair of locations and a month are stored by day, or as changes, each packed into one integer of 64 bits.

The lowest 6 bits are its slot. It is the day of the month, counted from 0, plus LASTING if the change applies to all later
days of the month too. Above them are 18 bits of its count and 40 bits of its sum in US cents, both signed.
"""
COUNT_MASK, SUM_SHIFT = (1 << COUNT_BITS) - 1, SLOT_BITS + COUNT_BITS
MAX_COUNT, MAX_SUM = 1 << COUNT_BITS - 1, 1 << 63 - SUM_SHIFT
"""A change with a count or a sum of this size, or larger, cannot be packed."""
MAX_CHANGES = 16
"""Changes that a row may hold instead of sums and counts by day.

A change takes 8 bytes and a day 12, so this many take less than the days of nearly all rows. Reading more of them would take
longer than reading days.
"""
MIN_PRICES_FOR_STATISTICS = 3
"""Days with fewer observations have no average, low, high or median.

It is a minimum sample. It does not keep single prices secret: averages of nested regions can be subtracted (SECURITY.md).
"""


def round_half_away(numerator: int, denominator: int) -> int:
    """Divide and round to an integer, halves away from zero. `denominator` must be positive."""
    # Half of an odd denominator is rounded down: for integer numerators the quotient is the same.
    half = denominator >> 1
    return -((half - numerator) // denominator) if numerator < 0 else (half + numerator) // denominator


def round_means(sums: Sequence[int], counts: Sequence[int], minimum: int) -> list[float | None]:
    """Return the mean of each sum of cents, in units with 2 decimals (half away from zero).

    It is None where the count is below the minimum, which is at least 1.
    """
    # `round_half_away`, inlined: two calls per day would double the time of a response.
    return [
        None
        if count < minimum
        else ((count >> 1) + total) // count / 100
        if total >= 0
        else -(((count >> 1) - total) // count) / 100
        for total, count in zip(sums, counts, strict=True)
    ]


@dataclass(frozen=True, slots=True)
class DateRange:
    """Range of days from `first` to `last`, both inclusive."""

    first: date
    last: date

    def __len__(self) -> int:
        return (self.last - self.first).days + 1

    def days(self) -> list[date]:
        """Return the days of the range, in order."""
        return [self.first + timedelta(days=offset) for offset in range(len(self))]


class DayTotals(NamedTuple):
    """Sum (in US cents) and count of the observations of one lane, as one column each.

    Each column has one entry per day of the range.
    """

    sums: list[int]
    counts: list[int]


def spread_changes(month: date, changes: Iterable[int]) -> DayTotals:
    """Return the totals of all days of a month from packed changes.

    At most one of them has the same day and duration.
    """
    length = monthrange(month.year, month.month)[1]
    sums, counts = [0] * length, [0] * length
    lasting_sums, lasting_counts = [0] * length, [0] * length
    lasts = False
    for change in changes:
        day, count = change & LASTING - 1, ((change >> SLOT_BITS & COUNT_MASK) ^ MAX_COUNT) - MAX_COUNT
        if change & LASTING:
            lasting_sums[day], lasting_counts[day], lasts = change >> SUM_SHIFT, count, True
        else:
            sums[day], counts[day] = change >> SUM_SHIFT, count
    if lasts:
        sums = list(map(add, sums, accumulate(lasting_sums)))
        counts = list(map(add, counts, accumulate(lasting_counts)))
    return DayTotals(sums, counts)


class PackedPrices(NamedTuple):
    """Observations of one lane as columns of big-endian integers, as PostgreSQL sends them.

    Prices are in US cents (8 bytes), days count from 2000-01-01 (4 bytes).
    """

    cents: bytes
    first_days: bytes
    last_days: bytes


class DailyAverages(NamedTuple):
    """Prices of each day of a range in USD, as columns.

    Below three observations each figure except the count is None. `lows`, `highs` and `medians` are empty unless requested.
    """

    days: DateRange
    averages: Sequence[float | None]
    counts: Sequence[int]
    lows: Sequence[float | None] = ()
    highs: Sequence[float | None] = ()
    medians: Sequence[float | None] = ()


class DayRate(NamedTuple):
    """Rate of a currency on a day, in units of 10⁻¹² US dollars, and its day of publication."""

    usd: int
    published_day: date


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """US dollars per unit of a currency on a day, and the publication day of that rate.

    Both are None if no rate is known.
    """

    day: date
    usd_per_unit: float | None
    published_day: date | None
