"""Average prices by day: what the totals say, and on request what the observations add to it."""

from datetime import date

from db.model import (
    MIN_PRICES_FOR_STATISTICS,
    DailyAverages,
    DateRange,
    DayStatistics,
    DayTotals,
    round_half_away,
)
from resolvers.context import RequestContext
from resolvers.errors import RequestError
from resolvers.locations import find_lane


async def average_prices(
    context: RequestContext, *, date_from: date, date_to: date, origin: str, destination: str, with_statistics: bool
) -> DailyAverages:
    """Return the averages of every day of the range, in order.

    Low, high and median are read from the observations, and only `with_statistics`. Raise RequestError with
    INVALID_DATE_RANGE, DATE_RANGE_TOO_LONG or UNKNOWN_LOCATION.
    """
    days = check_range(date_from, date_to, context.limits.max_days)
    lane = await find_lane(context, origin, destination)
    if with_statistics:
        return _with_statistics(days, await context.loaders.day_statistics.load((lane, days)))
    return _averages(days, await context.loaders.day_totals.load((lane, days)))


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


def usd(numerator: int, denominator: int) -> float:
    """Return numerator / denominator US cents in US dollars, rounded to cents, halves away from zero."""
    return round_half_away(numerator, denominator) / 100


def _averages(days: DateRange, totals: DayTotals) -> DailyAverages:
    averages = [
        usd(total, count) if count >= MIN_PRICES_FOR_STATISTICS else None
        for total, count in zip(totals.sums, totals.counts, strict=True)
    ]
    return DailyAverages(days, averages, totals.counts)


def _with_statistics(days: DateRange, entries: list[DayStatistics]) -> DailyAverages:
    answer = DailyAverages(days, *([None] * len(days) for _ in range(5)))  # type: ignore[arg-type]
    answer.counts[:] = [0] * len(days)
    for entry in entries:
        at = (entry.day - days.first).days
        answer.counts[at] = entry.price_count
        if entry.price_count >= MIN_PRICES_FOR_STATISTICS:
            answer.averages[at] = usd(entry.price_sum, entry.price_count)
            answer.lows[at], answer.highs[at] = usd(entry.low, 1), usd(entry.high, 1)
            answer.medians[at] = usd(entry.median_half_cents, 2)
    return answer
