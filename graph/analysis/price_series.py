"""Price series: columns for charts, buckets for tables."""

from datetime import date
from typing import Annotated

import strawberry

from graph.columns import JsonColumn
from graph.types.arguments import Info
from graph.types.enums import NullReason
from graph.types.locations import Location, load_location
from resolvers.analysis.fallback import Fallback
from resolvers.analysis.price_series import LaneSeries
from resolvers.analysis.statistics_loading import check_percentile

PERCENTILE = (
    "The price below which `at` percent of all prices lie, interpolated between the two nearest prices like"
    " `percentile_cont` of PostgreSQL, to within `statisticsError`."
)
At = Annotated[float, strawberry.argument(description="The percentage, 0 to 100; 50 is the median.")]
ROUNDED = "rounded to 2 decimals (half away from zero)"


@strawberry.input(description="How far a lane may be widened to larger regions until it has enough prices.")
class FallbackInput:
    max_levels: int = strawberry.field(
        default=20, description="Maximum number of levels above the origin and above the destination, 1 to 20."
    )
    coverage: float = strawberry.field(
        default=0, description="Fraction of the buckets that must have figures, 0 to 1; at least one always must."
    )

    def to_model(self) -> Fallback:
        """Return the fallback of the resolvers."""
        return Fallback(self.max_levels, self.coverage)


@strawberry.type(description="The figures of a lane over the days of a bucket.")
class PriceBucket:
    """Values of one position of the columns of a series."""

    series: strawberry.Private[LaneSeries]
    position: strawberry.Private[int]
    date_from: date = strawberry.field(name="from", description="The first day within the range.")
    date_to: date = strawberry.field(name="to", description="The last day within the range.")
    partial: bool = strawberry.field(description="Whether the range cuts the bucket.")
    count: float = strawberry.field(description="Number of prices.")
    average: float | None = strawberry.field(description="The mean of all prices.")
    null_reason: NullReason | None = strawberry.field(description="Why the bucket has no figures; null if it has.")
    change: float | None = strawberry.field(description="The average minus that of the bucket before.")
    change_percent: float | None = strawberry.field(description="The change in percent of the average before.")

    @strawberry.field(description="The lowest price, to within `statisticsError`.")
    async def low(self, info: Info) -> float | None:
        return await self._percentile(info, 0)

    @strawberry.field(description="The highest price, to within `statisticsError`.")
    async def high(self, info: Info) -> float | None:
        return await self._percentile(info, 100)

    @strawberry.field(description="The median price, to within `statisticsError`: `percentile(at: 50)`.")
    async def median(self, info: Info) -> float | None:
        return await self._percentile(info, 50)

    @strawberry.field(description=PERCENTILE)
    async def percentile(self, info: Info, at: At) -> float | None:
        return await self._percentile(info, check_percentile(at))

    async def _percentile(self, info: Info, at: float) -> float | None:
        return (await self.series.statistics.percentile(info.context, at))[self.position]


@strawberry.type(
    description=f"The prices of one lane over time. Each list has one entry per bucket. Amounts are {ROUNDED}."
)
class PriceSeries:
    """GraphQL view of `LaneSeries`, whose lists are columns."""

    model: strawberry.Private[LaneSeries]

    @strawberry.field(description="The origin of the requested lane.")
    async def asked_origin(self, info: Info) -> Location | None:
        return await load_location(info, self.model.asked.origin)

    @strawberry.field(description="The destination of the requested lane.")
    async def asked_destination(self, info: Info) -> Location | None:
        return await load_location(info, self.model.asked.destination)

    @strawberry.field(description="The origin of the figures: the requested one or a region above it.")
    async def origin(self, info: Info) -> Location | None:
        return await load_location(info, self.model.market.lane.origin)

    @strawberry.field(description="The destination of the figures: the requested one or a region above it.")
    async def destination(self, info: Info) -> Location | None:
        return await load_location(info, self.model.market.lane.destination)

    @strawberry.field(description="Number of regions from the requested origin up to `origin`.")
    def origin_levels_up(self) -> int:
        return self.model.market.origin_levels_up

    @strawberry.field(description="Number of regions from the requested destination up to `destination`.")
    def destination_levels_up(self) -> int:
        return self.model.market.destination_levels_up

    @strawberry.field(
        description="Whether the figures suffice (see `FallbackInput`); without a fallback: whether any bucket has figures."
    )
    def sufficient(self) -> bool:
        return self.model.market.is_sufficient

    @strawberry.field(
        description="Number of prices in each bucket, over all port pairs and days.", graphql_type=list[float]
    )
    def counts(self) -> JsonColumn:
        return JsonColumn(self.model.figures.counts)

    @strawberry.field(
        description="The mean of all prices of each bucket; never an average of averages.",
        graphql_type=list[float | None],
    )
    def averages(self) -> JsonColumn:
        return JsonColumn(self.model.averages)

    @strawberry.field(description="Why a bucket has no figures; null if it has.", graphql_type=list[NullReason | None])
    def null_reasons(self) -> JsonColumn:
        return JsonColumn(self.model.figures.null_reasons)

    @strawberry.field(
        description=(
            "The average of each bucket minus that of the bucket before it in this list; null if one of the two is null."
        ),
        graphql_type=list[float | None],
    )
    def changes(self) -> JsonColumn:
        return JsonColumn(self.model.changes)

    @strawberry.field(
        description="The change in percent of the average of the bucket before.", graphql_type=list[float | None]
    )
    def change_percents(self) -> JsonColumn:
        return JsonColumn(self.model.change_percents)

    @strawberry.field(
        description="The lowest price of each bucket, to within `statisticsError`.",
        graphql_type=list[float | None] | None,
    )
    async def lows(self, info: Info) -> JsonColumn:
        return JsonColumn(await self.model.statistics.percentile(info.context, 0))

    @strawberry.field(
        description="The highest price of each bucket, to within `statisticsError`.",
        graphql_type=list[float | None] | None,
    )
    async def highs(self, info: Info) -> JsonColumn:
        return JsonColumn(await self.model.statistics.percentile(info.context, 100))

    @strawberry.field(
        description="The median price of each bucket, to within `statisticsError`: `percentile(at: 50)`.",
        graphql_type=list[float | None] | None,
    )
    async def medians(self, info: Info) -> JsonColumn:
        return JsonColumn(await self.model.statistics.percentile(info.context, 50))

    @strawberry.field(
        description=f"{PERCENTILE} Use an alias for each of several: `p25: percentile(at: 25)`.",
        graphql_type=list[float | None] | None,
    )
    async def percentile(self, info: Info, at: At) -> JsonColumn:
        return JsonColumn(await self.model.statistics.percentile(info.context, check_percentile(at)))

    @strawberry.field(
        description=(
            "The largest relative error of lows, highs, medians and percentiles before they are rounded: 0 if they are computed"
            " from the single prices; 0.016 between two regions with many prices, where each price is known to within 1.6 %."
            " Averages, counts and changes are always exact."
        )
    )
    async def statistics_error(self, info: Info) -> float:
        return await self.model.statistics.error(info.context)

    @strawberry.field(description="The same figures as a list of buckets, for tables.")
    def buckets(self) -> list[PriceBucket]:
        series, axis = self.model, self.model.scale.axis
        return [
            PriceBucket(
                date_from=first,
                date_to=last,
                partial=bucket.is_partial,
                count=count,
                average=average,
                null_reason=null_reason,
                change=change,
                change_percent=change_percent,
                series=series,
                position=position,
            )
            for position, (first, last, bucket, count, null_reason, average, change, change_percent) in enumerate(
                zip(
                    axis.first_days(),
                    axis.last_days(),
                    axis.buckets,
                    series.figures.counts,
                    series.figures.null_reasons,
                    series.averages,
                    series.changes,
                    series.change_percents,
                    strict=True,
                )
            )
        ]
