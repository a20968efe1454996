"""Average prices: the type of one day, and its columnar form for the executor."""

from datetime import date

import strawberry

from domain.prices import EARLIEST_DAY, LATEST_DAY, DailyAverages, DateRange
from graph.columns import ColumnarList

USD = "in US dollars, rounded to 2 decimals (half away from zero); null if the day has fewer than 3 prices"


@strawberry.type(description="The prices of one day between an origin and a destination.")
class DailyAverage:
    """GraphQL type that is never instantiated: `to_columns` supplies its fields as columns."""

    day: date = strawberry.field(description="The day.")
    average_price: float | None = strawberry.field(description=f"The mean of all prices of the day, {USD}.")
    price_count: int = strawberry.field(
        description="Number of prices of the day on all port-to-port lanes between the two locations; 0 if there are none."
    )
    low_price: float | None = strawberry.field(
        description=f"The lowest price, {USD}. Always exact: computed from individual prices, archived ones too,"
        " therefore slower than the average."
    )
    high_price: float | None = strawberry.field(
        description=f"The highest price, {USD}. Always exact: computed from individual prices, archived ones too,"
        " therefore slower than the average."
    )
    median_price: float | None = strawberry.field(
        description=f"The median price, {USD}. Always exact: computed from individual prices, archived ones too,"
        " therefore slower than the average."
    )


STATISTICS = frozenset({"lowPrice", "highPrice", "medianPrice"})
"""The fields that are computed from individual prices instead of totals."""

EARLIEST, LATEST = EARLIEST_DAY.toordinal(), LATEST_DAY.toordinal()
ISO_DAYS = [date.fromordinal(day).isoformat() for day in range(EARLIEST, LATEST + 1)]
"""ISO 8601 text of every day that can have a price.

Formatted once per process instead of once per response.
"""


def to_columns(averages: DailyAverages | Exception) -> ColumnarList:
    """Return the averages as a columnar list of DailyAverage. Raise an exception given instead."""
    if isinstance(averages, Exception):
        raise averages
    return ColumnarList(
        len(averages.days),
        {
            "day": _format_days(averages.days),
            "averagePrice": averages.averages,
            "priceCount": averages.counts,
            "lowPrice": averages.lows,
            "highPrice": averages.highs,
            "medianPrice": averages.medians,
        },
    )


def _format_days(days: DateRange) -> list[str]:
    first, last = days.first.toordinal(), days.last.toordinal()
    if first >= EARLIEST and last <= LATEST:
        return ISO_DAYS[first - EARLIEST : last - EARLIEST + 1]
    return [day.isoformat() for day in days.days()]
