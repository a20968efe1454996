"""Coverage of a lane, lanes with prices, and the period of all prices."""

from collections.abc import Sequence
from datetime import date

import strawberry

from domain.pages import Page
from domain.prices import DateRange
from graph.columns import ColumnarList
from graph.relay.connections import Connection, to_connection
from graph.types.arguments import Info
from graph.types.locations import Location, Port, load_location
from resolvers.analysis.coverage import LaneCoverage as CoverageModel
from resolvers.analysis.lane_listing import PricedLane as PricedLaneModel


@strawberry.type(description="A period from one day to another, both inclusive.")
class DaySpan:
    """GraphQL type that is never instantiated: its fields are columns."""

    date_from: date = strawberry.field(name="from", description="The first day.")
    date_to: date = strawberry.field(name="to", description="The last day, inclusive.")


@strawberry.type(description="The days on which a lane has prices.")
class LaneCoverage:
    """GraphQL view of the coverage model."""

    model: strawberry.Private[CoverageModel]

    @strawberry.field(description="The origin.")
    async def origin(self, info: Info) -> Location | None:
        return await load_location(info, self.model.lane.origin)

    @strawberry.field(description="The destination.")
    async def destination(self, info: Info) -> Location | None:
        return await load_location(info, self.model.lane.destination)

    @strawberry.field(description="The first day with a price; null if there is none.")
    def first_day(self) -> date | None:
        return None if self.model.days is None else self.model.days.first

    @strawberry.field(description="The last day with a price; null if there is none.")
    def last_day(self) -> date | None:
        return None if self.model.days is None else self.model.days.last

    @strawberry.field(description="Number of prices on all days.")
    def price_count(self) -> float:
        return self.model.price_count

    @strawberry.field(description="Number of days with a price.")
    def priced_days(self) -> int:
        return self.model.priced_days

    @strawberry.field(description="Number of days with at least the minimum sample.")
    def sufficient_days(self) -> int:
        return self.model.sufficient_days

    @strawberry.field(description="Number of gaps.")
    def gap_count(self) -> int:
        return self.model.gap_count

    @strawberry.field(
        description=(
            "The gaps, in order, at most the first 500: unbroken runs of days below the minimum sample, between the first and"
            " the last day with a price."
        ),
        graphql_type=list[DaySpan],
    )
    def gaps(self) -> ColumnarList:
        return _to_spans(self.model.gaps)


def _to_spans(ranges: Sequence[DateRange]) -> ColumnarList:
    return ColumnarList(
        len(ranges),
        {"from": [each.first.isoformat() for each in ranges], "to": [each.last.isoformat() for each in ranges]},
    )


@strawberry.type(description="A lane of two ports that has prices.")
class PricedLane:
    origin: Port = strawberry.field(description="The port of departure.")
    destination: Port = strawberry.field(description="The port of arrival.")
    first_day: date | None = strawberry.field(description="The first day with a price.")
    last_day: date | None = strawberry.field(description="The last day with a price.")
    average_days: int = strawberry.field(description="Number of days with an average: those with at least 3 prices.")


def to_priced_lane_connection(page: Page[PricedLaneModel]) -> Connection[PricedLane]:
    """Return the page as a Relay connection."""
    return to_connection("pricedLane", page, ((lane.cursor_id, _to_priced_lane(lane)) for lane in page.entries))


def _to_priced_lane(lane: PricedLaneModel) -> PricedLane:
    days = lane.days
    return PricedLane(
        origin=Port(model=lane.origin),
        destination=Port(model=lane.destination),
        first_day=None if days is None else days.first,
        last_day=None if days is None else days.last,
        average_days=lane.average_days,
    )


@strawberry.type(description="The period of all prices.")
class DataPeriod:
    first_day: date | None = strawberry.field(description="The first day with a price; null without prices.")
    last_day: date | None = strawberry.field(description="The last day with a price; null without prices.")
    price_count: float = strawberry.field(description="Number of prices on all days and lanes.")
    has_demo_data: bool = strawberry.field(description="Whether synthetic demo prices are among them.")
