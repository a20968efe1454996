"""Benchmark: where a price stands among the prices of a lane."""

import asyncio
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation

from domain.price_series import Figures, change_percents, changes
from resolvers.analysis.price_series import load_markets, load_scale
from resolvers.analysis.statistics_loading import load_sorted_prices
from resolvers.context import RequestContext
from resolvers.errors import RequestError, quote
from resolvers.locations import resolve_lane

AMOUNT_UNITS = 10**4
"""Amounts have four decimals, like uploaded prices."""
MAX_AMOUNT = 10**12
"""No currency has a price above: it exceeds ten million US dollars of any known one."""
MAX_SHOWN_LENGTH = 63


@dataclass(frozen=True, slots=True)
class Benchmark:
    """Market of a lane, with a single bucket, and the standing of a price in it.

    `rank_tenths` is the percentile rank in tenths of a percent; None without a market.
    """

    market: Figures
    difference: float | None
    difference_percent: float | None
    rank_tenths: int | None


async def benchmark(
    context: RequestContext,
    origin: str,
    destination: str,
    *,
    price: str,
    currency: str,
    date_from: date,
    date_to: date | None,
    minimum_sample: int,
) -> Benchmark:
    """Return the standing of a price, given as decimal text, in the market of a lane.

    Raise RequestError (INVALID_PRICE, INVALID_DATE_RANGE, DATE_RANGE_TOO_LONG, INVALID_SAMPLE, UNKNOWN_CURRENCY,
    UNKNOWN_LOCATION, TOO_MANY_PRICES) or DatabaseError.
    """
    amount = parse_amount(price)
    scale = await load_scale(context, date_from, date_to or date_from, None, minimum_sample, currency)
    lane = await resolve_lane(context, origin, destination)
    [market] = await load_markets(context, [lane], scale)
    figures = market.figures
    [mean] = figures.means
    if mean is None:
        return Benchmark(figures, None, None, None)
    prices = await load_sorted_prices(context, lane, scale.axis, scale.rates, figures.counts[0])
    rank = await asyncio.to_thread(prices.rank_tenths, amount, AMOUNT_UNITS)
    means = [mean, (amount * 100, AMOUNT_UNITS)]
    return Benchmark(figures, changes(means)[1], change_percents(means)[1], rank)


def parse_amount(text: str) -> int:
    """Return the amount in units of 1/AMOUNT_UNITS. Raise RequestError (INVALID_PRICE)."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount.copy_abs() > MAX_AMOUNT:
        message = f"price: {quote(text, MAX_SHOWN_LENGTH)} is not a decimal number up to {MAX_AMOUNT:,}."
        raise RequestError("INVALID_PRICE", message, argument="price")
    return int((amount * AMOUNT_UNITS).quantize(Decimal(1), ROUND_HALF_UP))
