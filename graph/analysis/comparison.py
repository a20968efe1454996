"""Comparisons: matrices of lanes, and benchmarks of a price against a market."""

from collections.abc import Callable

import strawberry

from domain.price_series import Figures
from graph.columns import JsonColumn
from graph.types.arguments import Info
from graph.types.enums import NullReason
from graph.types.locations import Location, to_location
from resolvers.analysis.benchmark import Benchmark as BenchmarkModel
from resolvers.analysis.lane_matrix import LaneMatrix as MatrixModel


@strawberry.type(description="The averages of all pairs of several origins and destinations.")
class LaneMatrix:
    """GraphQL view of the matrix model."""

    model: strawberry.Private[MatrixModel]

    @strawberry.field(description="The currency of all amounts.")
    def currency(self) -> str:
        return self.model.scale.currency

    @strawberry.field(description="The origins: one per row.")
    def origins(self) -> list[Location]:
        return [to_location(each) for each in self.model.origins]

    @strawberry.field(description="The destinations: one per column.")
    def destinations(self) -> list[Location]:
        return [to_location(each) for each in self.model.destinations]

    @strawberry.field(
        description="The means of all prices, row by row, rounded to 2 decimals (half away from zero).",
        graphql_type=list[list[float | None]],
    )
    def averages(self) -> JsonColumn:
        return self._cells(lambda figures: figures.averages[0])

    @strawberry.field(description="The numbers of prices, row by row.", graphql_type=list[list[float]])
    def counts(self) -> JsonColumn:
        return self._cells(lambda figures: figures.counts[0])

    @strawberry.field(
        description="Why a pair has no average, row by row; null if it has.", graphql_type=list[list[NullReason | None]]
    )
    def null_reasons(self) -> JsonColumn:
        return self._cells(lambda figures: figures.null_reasons[0])

    def _cells(self, value: Callable[[Figures], object]) -> JsonColumn:
        return JsonColumn([value(figures) for figures in row] for row in self.model.rows)


@strawberry.type(description="A price compared with the prices of a lane, its market.")
class Benchmark:
    """GraphQL view of the benchmark model."""

    model: strawberry.Private[BenchmarkModel]

    @strawberry.field(description="Number of prices in the market on these days.")
    def count(self) -> float:
        return self.model.market.counts[0]

    @strawberry.field(description="The mean of the prices in the market, rounded to 2 decimals (half away from zero).")
    def market_average(self) -> float | None:
        return self.model.market.averages[0]

    @strawberry.field(description="The price minus the average of the market.")
    def difference(self) -> float | None:
        return self.model.difference

    @strawberry.field(description="The difference in percent of the market's average.")
    def difference_percent(self) -> float | None:
        return self.model.difference_percent

    @strawberry.field(
        description="The percentage of the market's prices that are below the price, with 1 decimal; equal prices count half."
    )
    async def percentile_rank(self, info: Info) -> float | None:
        rank = await self.model.rank(info.context)
        return None if rank is None else rank.tenths / 10

    @strawberry.field(
        description=(
            "The largest error of the rank in percentage points; 0 if it is computed from the single prices, or if the prices"
            " nearest to the price are counted one by one. Null where the rank is."
        )
    )
    async def percentile_rank_error(self, info: Info) -> float | None:
        rank = await self.model.rank(info.context)
        return None if rank is None else rank.error_tenths / 10

    @strawberry.field(description="Why the market has no average; null if it has.")
    def null_reason(self) -> NullReason | None:
        return self.model.market.null_reasons[0]
