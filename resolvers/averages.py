"""Average prices by day: what the totals say, and on request what the observations add to it."""

import asyncio
from datetime import date

from db.model import (
    MIN_PRICES_FOR_STATISTICS,
    DailyAverage,
    DateRange,
    DayStatistics,
    DayTotal,
    Lane,
    round_half_away,
)
from resolvers.context import RequestContext
from resolvers.errors import RequestError
from resolvers.locations import find_location, unknown_location


async def average_prices(
    context: RequestContext, *, date_from: date, date_to: date, origin: str, destination: str, with_statistics: bool
) -> list[DailyAverage]:
    """Return one entry for every day of the range, in order.

    Low, high and median are read from the observations, and only `with_statistics`. Raise RequestError with
    INVALID_DATE_RANGE, DATE_RANGE_TOO_LONG or UNKNOWN_LOCATION.
    """
    days = check_range(date_from, date_to, context.limits.max_days)
    # Both are asked for at once, so that they share a round trip with each other and with the request's other lanes.
    start, end = await asyncio.gather(find_location(context, origin), find_location(context, destination))
    if start is None:
        raise await unknown_location(context, "origin", origin)
    if end is None:
        raise await unknown_location(context, "destination", destination)
    lane = Lane(start.id, end.id)
    if with_statistics:
        statistics = {entry.day: entry for entry in await context.loaders.day_statistics.load((lane, days))}
        return [_with_statistics(day, statistics.get(day)) for day in days.days()]
    totals = {total.day: total for total in await context.loaders.day_totals.load((lane, days))}
    return [_average(day, totals.get(day)) for day in days.days()]


def check_range(
    date_from: date, date_to: date, max_days: int, *, names: tuple[str, str] = ("dateFrom", "dateTo")
) -> DateRange:
    """Return the range, or raise RequestError when it runs backwards or is too long. `names` are the arguments'."""
    name_from, name_to = names
    if date_from > date_to:
        raise RequestError(
            "INVALID_DATE_RANGE",
            f"{name_from} ({date_from}) is after {name_to} ({date_to}).",
            argument=name_from,
        )
    days = DateRange(date_from, date_to)
    if len(days) > max_days:
        raise RequestError(
            "DATE_RANGE_TOO_LONG",
            f"{len(days)} days are asked for; at most {max_days} are answered at once.",
            argument=name_to,
            maxDays=max_days,
        )
    return days


def _usd(numerator: int, denominator: int) -> float:
    """Return numerator / denominator US cents in US dollars, rounded to cents, halves away from zero."""
    return round_half_away(numerator, denominator) / 100


def _average(day: date, total: DayTotal | None) -> DailyAverage:
    if total is None:
        return DailyAverage(day, None, 0)
    if total.price_count < MIN_PRICES_FOR_STATISTICS:
        return DailyAverage(day, None, total.price_count)
    return DailyAverage(day, _usd(total.price_sum, total.price_count), total.price_count)


def _with_statistics(day: date, entry: DayStatistics | None) -> DailyAverage:
    if entry is None:
        return DailyAverage(day, None, 0)
    if entry.price_count < MIN_PRICES_FOR_STATISTICS:
        return DailyAverage(day, None, entry.price_count)
    return DailyAverage(
        day,
        average_price=_usd(entry.price_sum, entry.price_count),
        price_count=entry.price_count,
        low_price=_usd(entry.low, 1),
        high_price=_usd(entry.high, 1),
        median_price=_usd(entry.median_half_cents, 2),
    )
