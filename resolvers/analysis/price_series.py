"""Price series: the prices of several lanes by day, week, month, quarter or year."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import NamedTuple

from domain.intervals import Axis, Interval, divide
from domain.locations import Lane
from domain.price_series import DayRates, Figures, change_percents, changes, summarize
from resolvers.analysis.conversion import load_conversion
from resolvers.analysis.fallback import Fallback, Market, find_markets
from resolvers.analysis.statistics_loading import LaneStatistics
from resolvers.context import RequestContext
from resolvers.date_ranges import check_range
from resolvers.errors import RequestError
from resolvers.loading.turns import DAYS_PER_TURN, Turns
from resolvers.locations import resolve_lanes

MAX_LANES = 100
"""Maximum number of lanes of one question: all lanes of a table or chart."""
MAX_MINIMUM_SAMPLE = 1_000_000


class PriceSeriesQuery(NamedTuple):
    """Arguments of a `priceSeries` field; each lane is a pair of codes or slugs."""

    lanes: Sequence[tuple[str, str]]
    date_from: date
    date_to: date
    interval: Interval = Interval.DAY
    minimum_sample: int = 3
    currency: str = "USD"
    fallback: Fallback | None = None


@dataclass(frozen=True, slots=True)
class SeriesScale:
    """Common properties of the lanes of an answer: buckets, currency, minimum sample.

    `rates` has the rate of each day of the range; None: the figures are in US dollars.
    """

    axis: Axis
    minimum_sample: int
    currency: str
    rates: DayRates | None


@dataclass(frozen=True)
class LaneSeries:
    """Figures of the market that answers for a lane, by bucket."""

    asked: Lane
    market: Market
    scale: SeriesScale

    @property
    def figures(self) -> Figures:
        """Figures of the market, as columns."""
        return self.market.figures

    @cached_property
    def statistics(self) -> LaneStatistics:
        """Percentiles of the buckets, read from the single prices at first use."""
        has_figures = [reason is None for reason in self.figures.null_reasons]
        return LaneStatistics(self.market.lane, self.scale.axis, self.scale.rates, self.figures.counts, has_figures)

    @cached_property
    def averages(self) -> list[float | None]:
        """Mean price of each bucket in units of the currency, rounded to 2 decimals."""
        return self.figures.averages

    @cached_property
    def changes(self) -> list[float | None]:
        """Difference of the average from that of the bucket before."""
        return changes(self.figures.means)

    @cached_property
    def change_percents(self) -> list[float | None]:
        """The change in percent of the average of the bucket before."""
        return change_percents(self.figures.means)


@dataclass(frozen=True, slots=True)
class PriceSeriesSet:
    """Result of a `priceSeries` field: an entry per lane, or its exception, in order."""

    query: PriceSeriesQuery
    scale: SeriesScale
    lanes: Sequence[LaneSeries | Exception]


async def price_series(context: RequestContext, query: PriceSeriesQuery) -> PriceSeriesSet:
    """Return the series of the lanes.

    Raise RequestError (INVALID_DATE_RANGE, DATE_RANGE_TOO_LONG, TOO_MANY_LANES, INVALID_SAMPLE, INVALID_FALLBACK,
    UNKNOWN_CURRENCY) or DatabaseError. A lane with an unknown location is a RequestError (UNKNOWN_LOCATION) in the list.
    """
    if len(query.lanes) > MAX_LANES:
        message = f"Too many lanes: {len(query.lanes)}, limit {MAX_LANES}; send several requests."
        raise RequestError("TOO_MANY_LANES", message, argument="lanes", maxLanes=MAX_LANES)
    scale = await load_scale(
        context, query.date_from, query.date_to, query.interval, query.minimum_sample, query.currency
    )
    if query.fallback is not None:
        query.fallback.check()
    lanes = await resolve_lanes(context, query.lanes)
    known = [lane for lane in lanes if isinstance(lane, Lane)]
    markets = iter(await load_markets(context, known, scale, query.fallback))
    return PriceSeriesSet(
        query,
        scale,
        [
            LaneSeries(lane, next(markets), scale) if isinstance(lane, Lane) else _in_lanes(lane, position)
            for position, lane in enumerate(lanes)
        ],
    )


async def load_scale(
    context: RequestContext, first: date, last: date, interval: Interval | None, minimum_sample: int, currency: str
) -> SeriesScale:
    """Return the buckets, the currency and the sample of an answer. Raise RequestError.

    Without an interval, all days are one bucket.
    """
    days = check_range(first, last, context.app.limits.max_days)
    check_minimum_sample(minimum_sample)
    return SeriesScale(divide(days, interval), minimum_sample, *await load_conversion(context, currency, days))


def check_minimum_sample(minimum_sample: int) -> None:
    """Raise RequestError (INVALID_SAMPLE) unless the minimum sample is within its bounds."""
    if not 1 <= minimum_sample <= MAX_MINIMUM_SAMPLE:
        message = f"minimumSample must be between 1 and {MAX_MINIMUM_SAMPLE:,} (got {minimum_sample})."
        raise RequestError("INVALID_SAMPLE", message, argument="minimumSample")


async def load_markets(
    context: RequestContext, lanes: Sequence[Lane], scale: SeriesScale, fallback: Fallback | None = None
) -> list[Market]:
    """Return the market that answers for each lane: the lane itself without a fallback."""

    async def load(candidates: Sequence[Lane]) -> list[Figures]:
        totals = await context.load_totals([(lane, scale.axis.days) for lane in candidates])
        turns = Turns(DAYS_PER_TURN)
        figures = []
        for each in totals:
            await turns.take(len(scale.axis.days))
            figures.append(summarize(each, scale.axis, scale.minimum_sample, scale.rates))
        return figures

    if fallback is not None:
        return await find_markets(context, lanes, fallback, load)
    return [
        Market(lane, 0, 0, figures, is_sufficient=None in figures.null_reasons)
        for lane, figures in zip(lanes, await load(lanes) if lanes else [], strict=True)
    ]


def _in_lanes(error: Exception, position: int) -> Exception:
    """Return the error of a lane as that of an entry of the argument `lanes`."""
    if not isinstance(error, RequestError):
        return error
    details = {**error.extensions, "argument": f"lanes.{position}.{error.extensions['argument']}"}
    return RequestError(message=f"lanes.{position}.{error}", **details)  # type: ignore[arg-type]
