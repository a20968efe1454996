"""Exact figures of buckets: averages and changes. Standard library only.

Sums are exact fractions of cents, and each figure is rounded once, at the end. So a change is the difference of the exact
averages.
"""

from collections.abc import Sequence
from enum import StrEnum
from itertools import accumulate
from operator import sub
from typing import NamedTuple

from domain.intervals import Axis, Bucket
from domain.prices import RATE_UNITS, DayTotals, round_half_away, round_means

DayRates = Sequence[int | None]
"""Rate of each day of a range in units of 10⁻¹² US dollars; None where none is known."""


class NullReason(StrEnum):
    """Reason why a bucket has no figures; the first that applies."""

    NO_PRICES = "NO_PRICES"
    BELOW_MINIMUM_SAMPLE = "BELOW_MINIMUM_SAMPLE"
    NO_EXCHANGE_RATE = "NO_EXCHANGE_RATE"


class DownloadFormat(StrEnum):
    """Format of a file with price series."""

    CSV = "CSV"
    PARQUET = "PARQUET"
    ARROW = "ARROW"


Mean = tuple[int, int]
"""Exact mean in cents: a fraction of numerator and positive denominator.

A plain tuple: a series has thousands of them, and creating a named one takes six times as long.
"""


class Figures(NamedTuple):
    """Figures of the buckets of one lane, as columns.

    Attributes:
        numerators, denominators: Mean of each bucket in cents, as a fraction; the denominator is 0 if there is none.
    """

    counts: Sequence[int]
    numerators: Sequence[int]
    denominators: Sequence[int]
    null_reasons: Sequence[NullReason | None]

    @property
    def means(self) -> list[Mean | None]:
        """Exact mean of each bucket, or None."""
        return [
            (numerator, denominator) if denominator else None
            for numerator, denominator in zip(self.numerators, self.denominators, strict=True)
        ]

    @property
    def averages(self) -> list[float | None]:
        """Mean of each bucket in units of the currency, rounded to 2 decimals (half away from zero)."""
        return round_means(self.numerators, self.denominators, 1)


def summarize(totals: DayTotals, axis: Axis, minimum_sample: int, rates: DayRates | None = None) -> Figures:
    """Return the figures of each bucket.

    `rates` convert each day's prices from US dollars; None: the figures are in US dollars.
    """
    counts, sums = totals.counts, totals.sums
    if len(axis.buckets) != len(counts):
        counts, sums = _sum_by_bucket(counts, axis), _sum_by_bucket(sums, axis)
    reasons: list[NullReason | None] = [
        None if count >= minimum_sample else NullReason.BELOW_MINIMUM_SAMPLE if count else NullReason.NO_PRICES
        for count in counts
    ]
    if rates is None:
        return Figures(
            counts, sums, [0 if reason else count for count, reason in zip(counts, reasons, strict=True)], reasons
        )
    means = [
        None if reason else _convert(totals, bucket, rates)
        for reason, bucket in zip(reasons, axis.buckets, strict=True)
    ]
    for at, mean in enumerate(means):
        if mean is None and reasons[at] is None:
            reasons[at] = NullReason.NO_EXCHANGE_RATE
    numerators, denominators = zip(*(mean or (0, 0) for mean in means), strict=True)
    return Figures(counts, numerators, denominators, reasons)


def _sum_by_bucket(column: Sequence[int], axis: Axis) -> list[int]:
    """Return the sum of each bucket of a column of days."""
    totals = list(accumulate(column))
    # The buckets cover each day once, so a sum is the difference of two totals.
    ends = [totals[bucket.stop - 1] for bucket in axis.buckets]
    return list(map(sub, ends, [0, *ends]))


def _convert(totals: DayTotals, bucket: Bucket, rates: DayRates) -> Mean | None:
    """Return the mean in the currency of the rates, or None if a day with prices has no rate."""
    cents_by_rate: dict[int, int] = {}
    count = 0
    for offset in range(bucket.start, bucket.stop):
        if totals.counts[offset]:
            rate = rates[offset]
            if rate is None:
                return None
            cents_by_rate[rate] = cents_by_rate.get(rate, 0) + totals.sums[offset]
            count += totals.counts[offset]
    numerator, denominator = add_fractions([(cents * RATE_UNITS, rate) for rate, cents in cents_by_rate.items()])
    return numerator, denominator * count


def add_fractions(fractions: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Return the sum of one or more fractions: pairs of numerator and positive denominator.

    Halves are added recursively, and the result is not reduced: a year of daily rates takes 0.1 ms, and 10 ms by `Fraction`.
    """
    if len(fractions) == 1:
        return fractions[0]
    middle = len(fractions) // 2
    (a, b), (c, d) = add_fractions(fractions[:middle]), add_fractions(fractions[middle:])
    return a * d + c * b, b * d


def changes(means: Sequence[Mean | None]) -> list[float | None]:
    """Return the difference of each mean from the one before, in units, rounded to 2 decimals."""
    return [
        None
        if mean is None or before is None
        else round_half_away(mean[0] * before[1] - before[0] * mean[1], mean[1] * before[1]) / 100
        for before, mean in zip([None, *means], means, strict=False)
    ]


def change_percents(means: Sequence[Mean | None]) -> list[float | None]:
    """Return the difference of each mean from the one before in percent of that one.

    It is rounded to 2 decimals. After a mean of zero there is no percentage.
    """
    return [
        None
        if mean is None or before is None or before[0] == 0
        else percentage(mean[0] * before[1] - before[0] * mean[1], abs(before[0]) * mean[1])
        for before, mean in zip([None, *means], means, strict=False)
    ]


def percentage(numerator: int, denominator: int) -> float:
    """Return a fraction in percent, rounded to 2 decimals (half away from zero)."""
    return round_half_away(10_000 * numerator, denominator) / 100
