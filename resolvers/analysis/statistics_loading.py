"""Statistics of one lane from its single prices, within a limit of prices per request."""

import asyncio
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

from domain.intervals import Axis
from domain.locations import Lane
from domain.price_series import DayRates
from domain.prices import PackedPrices
from resolvers.context import RequestContext
from resolvers.errors import RequestError

if TYPE_CHECKING:
    from resolvers.analysis.price_statistics import SortedPrices


def check_percentile(at: float) -> float:
    """Return the percentile. Raise RequestError (INVALID_PERCENTILE) below 0 or above 100."""
    if not 0 <= at <= 100:
        raise RequestError("INVALID_PERCENTILE", f"at must be between 0 and 100 (got {at}).", argument="at")
    return at


async def load_sorted_prices(
    context: RequestContext, lane: Lane, axis: Axis, rates: DayRates | None, price_count: int
) -> "SortedPrices":
    """Return the prices of the lane, sorted within each bucket.

    `price_count` is their number according to the totals. Raise RequestError (TOO_MANY_PRICES).
    """
    context.charge_prices(price_count)
    packed = await context.loaders.lane_prices.load((lane, axis.days))
    return await asyncio.to_thread(_sort, packed, axis, rates)


def _sort(packed: PackedPrices, axis: Axis, rates: DayRates | None) -> "SortedPrices":
    # Imported in the thread: numpy takes 0.1 s, and a process without statistics does not need it.
    sorted_prices: SortedPrices = import_module("resolvers.analysis.price_statistics").SortedPrices(packed, axis, rates)
    return sorted_prices


class LaneStatistics:
    """Percentiles of the buckets of one lane. The prices are read once, at first use."""

    def __init__(
        self, lane: Lane, axis: Axis, rates: DayRates | None, counts: Sequence[int], has_figures: Sequence[bool]
    ) -> None:
        self._key = lane, axis, rates, sum(counts)
        self._has_figures = has_figures
        self._sorted: asyncio.Task[SortedPrices] | None = None
        self._percentiles: dict[float, asyncio.Task[list[float | None]]] = {}

    async def percentile(self, context: RequestContext, at: float) -> list[float | None]:
        """Return the percentile (0 to 100) of each bucket, or None for a bucket without figures.

        Raise RequestError (TOO_MANY_PRICES) or DatabaseError.
        """
        if at not in self._percentiles:
            self._percentiles[at] = asyncio.create_task(self._compute(context, at))
        return await asyncio.shield(self._percentiles[at])

    async def _compute(self, context: RequestContext, at: float) -> list[float | None]:
        if not any(self._has_figures):
            return [None] * len(self._has_figures)
        if self._sorted is None:
            self._sorted = asyncio.create_task(load_sorted_prices(context, *self._key))
        sorted_prices = await self._sorted
        return await asyncio.to_thread(sorted_prices.percentiles, at, self._has_figures)
