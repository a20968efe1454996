"""Figures of buckets in plain Python with exact fractions, for the oracle."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from typing import Any

from tests.support.worlds import days_between

Json = dict[str, Any]
PERCENTILES = {"p2_5": "2.5", "p25": "25", "p33_3": "33.3", "p97_5": "97.5"}
"""Percentiles by the names of their columns."""
STATISTICS = {"lows": "0", "highs": "100", "medians": "50", **PERCENTILES}
"""All statistics by the names of their columns."""
LABELS: Mapping[str, Callable[[date], object]] = {
    "DAY": lambda day: day,
    "WEEK": lambda day: day.isocalendar()[:2],
    "MONTH": lambda day: (day.year, day.month),
    "QUARTER": lambda day: (day.year, (day.month - 1) // 3),
    "YEAR": lambda day: day.year,
}
"""Label of the interval that contains a day."""
ONE_DAY = timedelta(days=1)


def rounded(value: Fraction | None, digits: int = 2) -> float | None:
    """Round to decimals, halves away from zero."""
    if value is None:
        return None
    units = math.floor(abs(value) * 10**digits + Fraction(1, 2))
    return float(Fraction(units if value > 0 else -units, 10**digits))


def percentile(prices: Sequence[Fraction], at: str) -> Fraction:
    """Return the percentile of sorted prices, linear between neighbours."""
    position = (len(prices) - 1) * Fraction(at) / 100
    below = math.floor(position)
    above = math.ceil(position)
    return prices[below] + (prices[above] - prices[below]) * (position - below)


def sketch_error(prices: Sequence[Fraction], at: str) -> Fraction:
    """Return the largest error from sketches: 1/64 of the prices around it, and the rounding."""
    position = (len(prices) - 1) * Fraction(at) / 100
    below, above = prices[math.floor(position)], prices[math.ceil(position)]
    part = position - math.floor(position)
    return (abs(below) * (1 - part) + abs(above) * part) / 64 + Fraction(1, 100)


def percent(value: Fraction, base: Fraction) -> float | None:
    """Return the value in percent of a base, or None if that is zero."""
    return rounded(value / abs(base) * 100) if base else None


@dataclass(frozen=True)
class Bucket:
    """Prices of a market on some days, in a currency; without figures, `null_reason` says why."""

    count: int
    prices: Sequence[Fraction]
    null_reason: str | None

    @property
    def average(self) -> Fraction | None:
        """Exact mean of all prices."""
        return None if self.null_reason else sum(self.prices, Fraction(0)) / self.count

    def percentile(self, at: str) -> float | None:
        """Percentile, rounded."""
        return None if self.null_reason else rounded(percentile(self.prices, at))


def divide(question: Json) -> list[tuple[list[date], bool]]:
    """Return the days of each bucket of the question's range, and whether the range cuts it."""
    label = LABELS[question["interval"]]
    first, last = (date.fromisoformat(question[name]) for name in ("dateFrom", "dateTo"))
    parts: list[list[date]] = []
    for day in days_between(first, last):
        if parts and label(parts[-1][-1]) == label(day):
            parts[-1].append(day)
        else:
            parts.append([day])
    return [
        (days, label(days[0] - ONE_DAY) == label(days[0]) or label(days[-1] + ONE_DAY) == label(days[-1]))
        for days in parts
    ]


def to_columns(buckets: Sequence[Bucket]) -> Json:
    """Return the columns of a series."""
    means = [bucket.average for bucket in buckets]
    pairs = list(zip([None, *means], means, strict=False))
    return {
        "counts": [float(bucket.count) for bucket in buckets],
        "averages": [rounded(mean) for mean in means],
        "nullReasons": [bucket.null_reason for bucket in buckets],
        "changes": [None if old is None or new is None else rounded(new - old) for old, new in pairs],
        "changePercents": [None if old is None or new is None else percent(new - old, old) for old, new in pairs],
        "statisticsError": 0.0,
        **{name: [bucket.percentile(at) for bucket in buckets] for name, at in STATISTICS.items()},
    }
