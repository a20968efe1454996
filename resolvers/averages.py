"""Average prices by day from the totals, and on request statistics from the observations."""

import asyncio
from collections.abc import MutableSequence, Sequence
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from db.errors import DatabaseError
from domain.intervals import Interval, divide
from domain.locations import Lane
from domain.prices import MIN_PRICES_FOR_STATISTICS, DailyAverages, DateRange, DayTotals, round_means
from resolvers.analysis.statistics_loading import PriceSelection, load_sorted_prices
from resolvers.context import RequestContext
from resolvers.date_ranges import check_range
from resolvers.errors import RequestError
from resolvers.loading.turns import DAYS_PER_TURN, Turns
from resolvers.locations import resolve_lanes

if TYPE_CHECKING:
    from resolvers.analysis.price_statistics import SortedPrices

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
    pending = totals_only + with_statistics
    if pending:
        await _load_averages(context, pending, results)
    if with_statistics:
        await asyncio.gather(*(_add_statistics(context, entry, results) for entry in with_statistics))
    return results  # type: ignore[return-value]  # no entry is None any more


async def _load_averages(
    context: RequestContext, pending: Sequence[PendingLane], results: MutableSequence[DailyAverages | Exception | None]
) -> None:
    """Load the totals of the pending lanes; store their averages, or the error."""
    try:
        loaded = await context.load_totals([(lane, days) for _, lane, days in pending])
    except DatabaseError as error:
        for position, _, _ in pending:
            results[position] = error
    else:
        turns = Turns(DAYS_PER_TURN)
        for (position, _, days), totals in zip(pending, loaded, strict=True):
            await turns.take(len(totals.counts))
            results[position] = _averages_from_totals(days, totals)


async def _add_statistics(
    context: RequestContext, pending: PendingLane, results: MutableSequence[DailyAverages | Exception | None]
) -> None:
    """Replace the averages of the lane by all figures of its single prices, or by the error.

    So the figures of a day agree, even if a batch is applied between both reads.
    """
    position, lane, days = pending
    averages = results[position]
    if not isinstance(averages, DailyAverages):
        return
    try:
        selection = PriceSelection(lane, divide(days, Interval.DAY), None, sum(averages.counts))
        prices = await load_sorted_prices(context, selection)
    except (RequestError, DatabaseError) as error:
        results[position] = error
    else:
        results[position] = await asyncio.to_thread(_averages_with_statistics, days, prices)


def _averages_from_totals(days: DateRange, totals: DayTotals) -> DailyAverages:
    averages = round_means(totals.sums, totals.counts, MIN_PRICES_FOR_STATISTICS)
    return DailyAverages(days, averages, totals.counts)


def _averages_with_statistics(days: DateRange, prices: "SortedPrices") -> DailyAverages:
    averages = _averages_from_totals(days, DayTotals(prices.sums, prices.counts))
    has_figures = [count >= MIN_PRICES_FOR_STATISTICS for count in prices.counts]
    lows, medians, highs = prices.percentiles((0, 50, 100), has_figures)
    return averages._replace(lows=lows, highs=highs, medians=medians)
