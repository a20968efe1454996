"""Benchmark: where a price stands among the prices of a lane."""

import asyncio
import re
from datetime import date
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import TYPE_CHECKING

from domain.locations import Lane
from domain.price_series import Figures, change_percents, changes
from resolvers.analysis.price_series import SeriesScale, load_markets, load_scale
from resolvers.analysis.statistics_loading import PriceSelection, load_order_statistics
from resolvers.context import RequestContext
from resolvers.errors import RequestError, quote
from resolvers.locations import resolve_lane

if TYPE_CHECKING:
    from resolvers.analysis.order_statistics import Rank

AMOUNT_UNITS = 10**4
"""Amounts have four decimals, like uploaded prices."""
AMOUNT_STEP = Decimal(1) / AMOUNT_UNITS
DECIMAL_NUMBER = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)
MAX_AMOUNT = 10**12
"""No currency has a price above: it exceeds ten million US dollars of any known one."""
MAX_SHOWN_LENGTH = 63


class Benchmark:
    """Market of a lane, with a single bucket, and the standing of a price in it.

    The differences are None without a market.
    """

    def __init__(self, lane: Lane, scale: SeriesScale, market: Figures, amount: int) -> None:
        means = [market.means[0], (amount * 100, AMOUNT_UNITS)]
        self.market = market
        self.difference = changes(means)[1]
        self.difference_percent = change_percents(means)[1]
        self._lane, self._scale, self._amount = lane, scale, amount
        self._rank: asyncio.Task[Rank | None] | None = None

    async def rank(self, context: RequestContext) -> "Rank | None":
        """Return the percentile rank of the price, with its error; None without a market.

        The prices are read once, at first use. Raise RequestError (TOO_MANY_PRICES) or DatabaseError.
        """
        if self.market.null_reasons[0] is not None:
            return None
        if self._rank is None:
            self._rank = asyncio.create_task(self._compute_rank(context))
        return await asyncio.shield(self._rank)

    async def _compute_rank(self, context: RequestContext) -> "Rank | None":
        selection = PriceSelection(self._lane, self._scale.axis, self._scale.rates, self.market.counts[0])
        prices = await load_order_statistics(context, selection)
        return await asyncio.to_thread(prices.rank, self._amount, AMOUNT_UNITS)


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
    UNKNOWN_LOCATION) or DatabaseError.
    """
    amount = parse_amount(price)
    scale = await load_scale(context, date_from, date_to or date_from, None, minimum_sample, currency)
    lane = await resolve_lane(context, origin, destination)
    [market] = await load_markets(context, [lane], scale)
    return Benchmark(lane, scale, market.figures, amount)


def parse_amount(text: str) -> int:
    """Return the amount in units of 1/AMOUNT_UNITS. Raise RequestError (INVALID_PRICE)."""
    try:
        # Decimal itself also reads the digits of all scripts, and underscores.
        amount = Decimal(text) if DECIMAL_NUMBER.fullmatch(text) else Decimal("NaN")
    except InvalidOperation:
        # The exponent has more than 18 digits.
        amount = Decimal("NaN")
    if not amount.is_finite() or amount.copy_abs() > MAX_AMOUNT:
        message = f"price: {quote(text, MAX_SHOWN_LENGTH)} is not a decimal number up to {MAX_AMOUNT:,}."
        raise RequestError("INVALID_PRICE", message, argument="price")
    return int(amount.quantize(AMOUNT_STEP, ROUND_HALF_UP) * AMOUNT_UNITS)
