"""Intervals of time series, buckets of a range of days, and calendar months.

Standard library only.
"""

from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from domain.prices import DateRange


class Interval(StrEnum):
    """Length of a bucket."""

    DAY = "DAY"
    WEEK = "WEEK"
    MONTH = "MONTH"
    QUARTER = "QUARTER"
    YEAR = "YEAR"


MONTHS_PER_INTERVAL = {Interval.MONTH: 1, Interval.QUARTER: 3, Interval.YEAR: 12}


class Bucket(NamedTuple):
    """Days of one interval within a range, as offsets from the first day of the range.

    `start` is inclusive and `stop` exclusive. A partial bucket is cut by the range.
    """

    start: int
    stop: int
    is_partial: bool


@dataclass(frozen=True, slots=True)
class Axis:
    """Buckets of a range, in order; they cover each of its days once.

    Without an interval, the whole range is one bucket.
    """

    days: DateRange
    interval: Interval | None
    buckets: tuple[Bucket, ...]

    def first_days(self) -> list[date]:
        """Return the first day of each bucket."""
        return [self.days.first + timedelta(days=bucket.start) for bucket in self.buckets]

    def last_days(self) -> list[date]:
        """Return the last day of each bucket."""
        return [self.days.first + timedelta(days=bucket.stop - 1) for bucket in self.buckets]


def divide(days: DateRange, interval: Interval | None) -> Axis:
    """Return the buckets of the range; without an interval a single one.

    A week begins on Monday (ISO 8601), a quarter in January, April, July or October.
    """
    if interval is None:
        return Axis(days, None, (Bucket(0, len(days), is_partial=False),))
    return _divide(days.first.toordinal(), days.last.toordinal(), interval)


@lru_cache(maxsize=64)
def _divide(first: int, last: int, interval: Interval) -> Axis:
    starts = [_interval_start(first, interval)]
    while starts[-1] <= last:
        starts.append(_next_start(starts[-1], interval))
    buckets = tuple(
        Bucket(max(start, first) - first, min(stop, last + 1) - first, start < first or stop > last + 1)
        for start, stop in pairwise(starts)
    )
    return Axis(DateRange(date.fromordinal(first), date.fromordinal(last)), interval, buckets)


def _interval_start(day: int, interval: Interval) -> int:
    """Return the first day of the interval that contains the day; both are ordinals."""
    match interval:
        case Interval.DAY:
            return day
        case Interval.WEEK:
            return day - date.fromordinal(day).weekday()
    of = date.fromordinal(day)
    months = MONTHS_PER_INTERVAL[interval]
    return date(of.year, (of.month - 1) // months * months + 1, 1).toordinal()


def _next_start(start: int, interval: Interval) -> int:
    """Return the first day of the interval after the one that begins on `start`."""
    match interval:
        case Interval.DAY:
            return start + 1
        case Interval.WEEK:
            return start + 7
    of = date.fromordinal(start)
    months = of.month - 1 + MONTHS_PER_INTERVAL[interval]
    if of.year + months // 12 > date.max.year:
        return date.max.toordinal() + 1
    return date(of.year + months // 12, months % 12 + 1, 1).toordinal()


def month_number(day: date) -> int:
    """Return the month of a day, counted from January 1970."""
    return (day.year - 1970) * 12 + day.month - 1


def first_of_month(number: int) -> date:
    """Return the first day of a month, counted from January 1970."""
    return date(1970 + number // 12, number % 12 + 1, 1)


def days_of_month(day: date) -> DateRange:
    """Return the days of the month of a day."""
    return DateRange(day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1]))


def months_between(first: date, last: date) -> Iterator[date]:
    """Yield the first day of each month from that of the first day to that of the last one."""
    return map(first_of_month, range(month_number(first), month_number(last) + 1))
