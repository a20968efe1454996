"""Average prices by day from the totals, and on request statistics from the observations."""

from collections.abc import Awaitable, Callable, MutableSequence, Sequence
from datetime import date
from typing import NamedTuple, TypeVar

from db.errors import DatabaseError
from domain.locations import Lane
from domain.prices import MIN_PRICES_FOR_STATISTICS, DailyAverages, DateRange, DayStatistics, DayTotals, round_half_away
from resolvers.context import RequestContext
from resolvers.errors import RequestError
from resolvers.loading.day_totals import LaneDays
from resolvers.locations import resolve_lanes

Loaded = TypeVar("Loaded")
PendingLane = tuple[int, Lane, DateRange]
"""Position of a query, and the key to load for it."""


class AveragePricesQuery(NamedTuple):
    """Arguments of one `averagePrices` field.

    Low, high and median are computed from the observations, and only `with_statistics`.
    """

    date_from: date
    date_to: date
    origin: str
    destination: str
    with_statistics: bool


async def average_prices(
    context: RequestContext, queries: Sequence[AveragePricesQuery]
) -> list[DailyAverages | Exception]:
    """Return the averages of each day of each query's range, or the query's error.

    An error is a RequestError (INVALID_DATE_RANGE, DATE_RANGE_TOO_LONG, UNKNOWN_LOCATION) or a DatabaseError. All queries
    share their round trips.
    """
    results: list[DailyAverages | Exception | None] = [None] * len(queries)
    valid: list[tuple[int, DateRange]] = []
    for position, query in enumerate(queries):
        try:
            valid.append((position, check_range(query.date_from, query.date_to, context.app.limits.max_days)))
        except RequestError as error:
            results[position] = error
    valid_queries = [queries[position] for position, _ in valid]
    lanes = await resolve_lanes(context, [(query.origin, query.destination) for query in valid_queries])
    totals_only: list[PendingLane] = []
    with_statistics: list[PendingLane] = []
    for (position, days), query, lane in zip(valid, valid_queries, lanes, strict=True):
        if isinstance(lane, Exception):
            results[position] = lane
        else:
            (with_statistics if query.with_statistics else totals_only).append((position, lane, days))
    if totals_only:
        await _load_into(totals_only, context.load_totals, _averages_from_totals, results)
    if with_statistics:
        await _load_into(with_statistics, context.loaders.day_statistics.load_many, _averages_with_statistics, results)
    return results  # type: ignore[return-value]  # no entry is None any more


async def _load_into(
    pending: Sequence[PendingLane],
    load_many: Callable[[list[LaneDays]], Awaitable[Sequence[Loaded]]],
    to_averages: Callable[[DateRange, Loaded], DailyAverages],
    results: MutableSequence[DailyAverages | Exception | None],
) -> None:
    """Load the pending lanes and store each result, or the error, at its position."""
    try:
        loaded = await load_many([(lane, days) for _, lane, days in pending])
    except DatabaseError as error:
        for position, _, _ in pending:
            results[position] = error
    else:
        for (position, _, days), value in zip(pending, loaded, strict=True):
            results[position] = to_averages(days, value)


def check_range(
    date_from: date, date_to: date, max_days: int, *, names: tuple[str, str] = ("dateFrom", "dateTo")
) -> DateRange:
    """Return the range of days. Raise RequestError (INVALID_DATE_RANGE, DATE_RANGE_TOO_LONG).

    `names` are the names of both arguments, for messages.
    """
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
            f"Date range too long: {len(days):,} days, limit {max_days:,}; request fewer days.",
            argument=name_to,
            maxDays=max_days,
        )
    return days


def cents_ratio_to_usd(numerator: int, denominator: int) -> float:
    """Divide US cents and return US dollars, rounded to cents, halves away from zero."""
    return round_half_away(numerator, denominator) / 100


def _averages_from_totals(days: DateRange, totals: DayTotals) -> DailyAverages:
    # `cents_ratio_to_usd`, inlined: two calls per day would double the time of a response.
    averages = [
        None
        if count < MIN_PRICES_FOR_STATISTICS
        else ((count >> 1) + total) // count / 100
        if total >= 0
        else -(((count >> 1) - total) // count) / 100
        for total, count in zip(totals.sums, totals.counts, strict=True)
    ]
    return DailyAverages(days, averages, totals.counts)


def _averages_with_statistics(days: DateRange, entries: list[DayStatistics]) -> DailyAverages:
    counts = [0] * len(days)
    averages, lows, highs, medians = (list[float | None]([None] * len(days)) for _ in range(4))
    for entry in entries:
        at = (entry.day - days.first).days
        counts[at] = entry.price_count
        if entry.price_count >= MIN_PRICES_FOR_STATISTICS:
            averages[at] = cents_ratio_to_usd(entry.price_sum, entry.price_count)
            lows[at], highs[at] = cents_ratio_to_usd(entry.low, 1), cents_ratio_to_usd(entry.high, 1)
            medians[at] = cents_ratio_to_usd(entry.median_half_cents, 2)
    return DailyAverages(days, averages, counts, lows, highs, medians)
