"""Order statistics of one lane: from its single prices or its sketches.

Sketches answer for a pair of regions with many prices. A lane has one source for all buckets of its range. Single prices are
read within a limit per request.
"""

import asyncio
import logging
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from db.errors import DatabaseError
from db.sketches.errors import UnreadableSketch
from domain.intervals import Axis
from domain.locations import Lane
from domain.price_series import DayRates
from domain.prices import PackedPrices
from resolvers.context import RequestContext
from resolvers.errors import RequestError
from resolvers.loading.request_loaders import LaneSketches

if TYPE_CHECKING:
    from resolvers.analysis.order_statistics import OrderStatistics
    from resolvers.analysis.price_statistics import SortedPrices
    from resolvers.analysis.sketched_prices import SketchedPrices

log = logging.getLogger("ratesgraph.resolvers")

SKETCH_ERROR = 0.016
"""Largest relative error of statistics from sketches: the width of a price bucket, 1/64, rounded up."""

Percentiles = dict[float, list[float | None]]
"""Percentile of each bucket by the percentage."""


def check_percentile(at: float) -> float:
    """Return the percentile. Raise RequestError (INVALID_PERCENTILE) below 0 or above 100."""
    if not 0 <= at <= 100:
        raise RequestError("INVALID_PERCENTILE", f"at must be between 0 and 100 (got {at}).", argument="at")
    return at


class PriceSelection(NamedTuple):
    """Prices of a lane on some days, to be converted at the rates.

    `price_count` is their number according to the totals.
    """

    lane: Lane
    axis: Axis
    rates: DayRates | None
    price_count: int


async def load_sorted_prices(context: RequestContext, selection: PriceSelection) -> "SortedPrices":
    """Return the prices of the lane, sorted within each bucket.

    Raise RequestError (TOO_MANY_PRICES).
    """
    context.charge_prices(selection.price_count)
    packed = await context.loaders.lane_prices.load((selection.lane, selection.axis.days))
    return await asyncio.to_thread(_sort, packed, selection)


async def load_order_statistics(context: RequestContext, selection: PriceSelection) -> "OrderStatistics":
    """Return the order statistics of the lane.

    They come from its sketches if it has more prices than are read one by one, and none of them is damaged. Raise RequestError
    (TOO_MANY_PRICES).
    """
    if sketches := await _load_sketches(context, selection):
        try:
            return await asyncio.to_thread(_decode, sketches, selection)
        except UnreadableSketch:
            lane, days = selection.lane, selection.axis.days
            log.error(
                "a sketch of locations %d and %d between %s and %s is damaged; `ratesgraph verify --repair` mends it",
                *lane,
                days.first,
                days.last,
            )
    return await load_sorted_prices(context, selection)


async def _load_sketches(context: RequestContext, selection: PriceSelection) -> LaneSketches:
    """Return the sketches that answer for the lane, or none.

    A port has none, and those of a stale month are not read.
    """
    # The number of prices comes from the totals, so sketches need a round trip of their own. Reading them together with the
    # totals would read those of small lanes in vain.
    if selection.price_count <= context.app.limits.max_exact_prices:
        return ()
    return await context.loaders.lane_sketches.load((selection.lane, selection.axis.days))


# Imported in the thread: numpy takes 0.1 s, and a process without statistics does not need it.


def _sort(packed: PackedPrices, selection: PriceSelection) -> "SortedPrices":
    module = import_module("resolvers.analysis.price_statistics")
    sorted_prices: SortedPrices = module.SortedPrices(packed, selection.axis, selection.rates)
    return sorted_prices


def _decode(sketches: LaneSketches, selection: PriceSelection) -> "SketchedPrices":
    module = import_module("resolvers.analysis.sketched_prices")
    sketched_prices: SketchedPrices = module.SketchedPrices(sketches, selection.axis, selection.rates)
    return sketched_prices


def _compute_all(statistics: "OrderStatistics", asked: Sequence[float], wanted: Sequence[bool]) -> Percentiles:
    return dict(zip(asked, statistics.percentiles(asked, wanted), strict=True))


class LaneStatistics:
    """Percentiles of the buckets of one lane, whose source is read once, at first use."""

    def __init__(
        self, lane: Lane, axis: Axis, rates: DayRates | None, counts: Sequence[int], has_figures: Sequence[bool]
    ) -> None:
        self._selection = PriceSelection(lane, axis, rates, sum(counts))
        self._has_figures = has_figures
        self._loaded: asyncio.Task[OrderStatistics] | None = None
        self._percentiles: dict[float, asyncio.Task[Percentiles]] = {}
        self._waiting: list[float] = []

    async def error(self, context: RequestContext) -> float:
        """Return the largest relative error of the percentiles."""
        if not any(self._has_figures):
            return 0.0
        try:
            sketches = await _load_sketches(context, self._selection)
        except DatabaseError:
            # The bound holds for both sources. The averages of the lane, which are known, must not be lost with it.
            return SKETCH_ERROR
        return SKETCH_ERROR if sketches else 0.0

    async def percentile(self, context: RequestContext, at: float) -> list[float | None]:
        """Return the percentile (0 to 100) of each bucket, or None for a bucket without figures.

        Raise RequestError (TOO_MANY_PRICES) or DatabaseError.
        """
        if at not in self._percentiles:
            if not self._waiting:
                self._round = asyncio.create_task(self._compute(context, self._waiting))
            self._waiting.append(at)
            self._percentiles[at] = self._round
        return (await asyncio.shield(self._percentiles[at]))[at]

    async def _compute(self, context: RequestContext, asked: list[float]) -> Percentiles:
        """Return all percentiles that are asked until the prices are loaded.

        A thread for each would take longer.
        """
        try:
            if not any(self._has_figures):
                return dict.fromkeys(asked, [None] * len(self._has_figures))
            if self._loaded is None:
                self._loaded = asyncio.create_task(load_order_statistics(context, self._selection))
            loaded = await self._loaded
        finally:
            self._waiting = []
        return await asyncio.to_thread(_compute_all, loaded, asked, self._has_figures)
