"""Root fields of the analysis."""

from datetime import date
from typing import Annotated

import strawberry

from graph.analysis.comparison import Benchmark, LaneMatrix
from graph.analysis.coverage import DataPeriod, LaneCoverage, PricedLane, to_priced_lane_connection
from graph.analysis.price_series import FallbackInput
from graph.analysis.series_set import SeriesSet
from graph.authorization import requires
from graph.relay.connections import After, Before, Connection, First, Last, parse_page
from graph.types.arguments import Info, LocationKey
from graph.types.enums import Interval
from graph.types.lanes import LaneInput
from graph.types.scalars import PriceAmount
from resolvers.analysis.benchmark import benchmark as compare_with_market
from resolvers.analysis.coverage import lane_coverage
from resolvers.analysis.lane_listing import list_priced_lanes, price_period
from resolvers.analysis.lane_matrix import lane_matrix as create_matrix
from resolvers.analysis.price_series import PriceSeriesQuery, price_series
from resolvers.caller import AuthScope

FirstDay = Annotated[date, strawberry.argument(description="The first day.")]
LastDay = Annotated[date, strawberry.argument(description="The last day, inclusive.")]
MinimumSample = Annotated[
    int,
    strawberry.argument(description="A bucket with fewer prices has no figures except its count; 1 to 1,000,000."),
]
AnswerCurrency = Annotated[
    str,
    strawberry.argument(
        description="The ISO 4217 code of the currency of all amounts (`EUR`). Each price is converted at the rate of its day."
    ),
]


@strawberry.type
class AnalysisQuery:
    """Root fields that `graph.query.Query` inherits."""

    @strawberry.field(
        description="Prices of several lanes over time, by day, week, month, quarter or year, for charts and tables.",
        metadata=requires(AuthScope.READ),
    )
    async def price_series(
        self,
        info: Info,
        lanes: Annotated[
            list[LaneInput], strawberry.argument(description="The lanes, at most 100, answered in this order.")
        ],
        date_from: FirstDay,
        date_to: LastDay,
        interval: Annotated[
            Interval,
            strawberry.argument(
                description="The length of a bucket. The range cuts its first and last bucket, which are then `partial`."
            ),
        ] = Interval.DAY,
        minimum_sample: MinimumSample = 3,
        currency: AnswerCurrency = "USD",
        fallback: Annotated[
            FallbackInput | None,
            strawberry.argument(
                description="Answer a lane that has too few prices with larger regions; omit it for exactly the lanes."
            ),
        ] = None,
    ) -> SeriesSet | None:
        query = PriceSeriesQuery(
            [(lane.origin, lane.destination) for lane in lanes],
            date_from,
            date_to,
            interval,
            minimum_sample,
            currency,
            None if fallback is None else fallback.to_model(),
        )
        return SeriesSet(model=await price_series(info.context, query))

    @strawberry.field(
        description="The days on which a lane has prices, for example to grey out a calendar.",
        metadata=requires(AuthScope.READ),
    )
    async def coverage(
        self,
        info: Info,
        origin: LocationKey,
        destination: LocationKey,
        minimum_sample: Annotated[
            int, strawberry.argument(description="A day with fewer prices belongs to a gap; 1 to 1,000,000.")
        ] = 3,
    ) -> LaneCoverage | None:
        return LaneCoverage(model=await lane_coverage(info.context, origin, destination, minimum_sample))

    @strawberry.field(
        description="One average for every pair of origins and destinations, as a table.",
        metadata=requires(AuthScope.READ),
    )
    async def lane_matrix(
        self,
        info: Info,
        origins: Annotated[
            list[str], strawberry.argument(description="Codes, slugs or aliases, at most 50: the rows.")
        ],
        destinations: Annotated[
            list[str], strawberry.argument(description="Codes, slugs or aliases, at most 50: the columns.")
        ],
        date_from: FirstDay,
        date_to: Annotated[date, strawberry.argument(description="The last day, inclusive; all days are one bucket.")],
        minimum_sample: MinimumSample = 3,
        currency: AnswerCurrency = "USD",
    ) -> LaneMatrix | None:
        matrix = await create_matrix(
            info.context,
            origins,
            destinations,
            date_from=date_from,
            date_to=date_to,
            minimum_sample=minimum_sample,
            currency=currency,
        )
        return LaneMatrix(model=matrix)

    @strawberry.field(
        description="A comparison of a price with the prices of a lane.", metadata=requires(AuthScope.READ)
    )
    async def benchmark(
        self,
        info: Info,
        origin: LocationKey,
        destination: LocationKey,
        price: Annotated[PriceAmount, strawberry.argument(description="The price, in `currency`.")],
        date_from: Annotated[date, strawberry.argument(description="The first day of the market.")],
        currency: Annotated[
            str, strawberry.argument(description="The ISO 4217 code of the currency of the price and of all amounts.")
        ] = "USD",
        date_to: Annotated[
            date | None, strawberry.argument(description="The last day of the market, inclusive; omit it for one day.")
        ] = None,
        minimum_sample: MinimumSample = 3,
    ) -> Benchmark | None:
        standing = await compare_with_market(
            info.context,
            origin,
            destination,
            price=price,
            currency=currency,
            date_from=date_from,
            date_to=date_to,
            minimum_sample=minimum_sample,
        )
        return Benchmark(model=standing)

    @strawberry.field(
        description="The pairs of ports that have prices, for example to offer only those in a form.",
        metadata=requires(AuthScope.READ),
    )
    async def lanes(
        self,
        info: Info,
        origin: Annotated[
            str | None, strawberry.argument(description="Only from this port, or from the ports below this region.")
        ] = None,
        destination: Annotated[
            str | None, strawberry.argument(description="Only to this port, or to the ports below this region.")
        ] = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Connection[PricedLane] | None:
        request = parse_page(info.context, "pricedLane", first=first, after=after, last=last, before=before)
        return to_priced_lane_connection(await list_priced_lanes(info.context, origin, destination, request))

    @strawberry.field(
        description="The first and last day of all prices, and whether they are demo data.",
        metadata=requires(AuthScope.READ),
    )
    async def data_period(self, info: Info) -> DataPeriod | None:
        period = await price_period(info.context)
        return DataPeriod(
            first_day=period.first_day,
            last_day=period.last_day,
            price_count=period.price_count,
            has_demo_data=period.has_demo,
        )
