"""The type of the main answer: one day of a lane."""

from datetime import date

import strawberry

from domain.prices import DailyAverages, DateRange
from graph.columns import ColumnarList

USD = "in US dollars, rounded to 2 decimals (half away from zero); null when the day has fewer than 3 prices"


@strawberry.type(description="What it cost on one day to ship from an origin to a destination.")
class DailyAverage:
    """The type of the entries; `to_columns` makes them."""

    day: date = strawberry.field(description="The day.")
    average_price: float | None = strawberry.field(description=f"The mean of all prices of the day, {USD}.")
    price_count: int = strawberry.field(
        description="How many prices of all port pairs under the two locations the day has; 0 when there is none."
    )
    low_price: float | None = strawberry.field(
        description=f"The lowest price, {USD}. Read from the single prices: slower than the average."
    )
    high_price: float | None = strawberry.field(
        description=f"The highest price, {USD}. Read from the single prices: slower than the average."
    )
    median_price: float | None = strawberry.field(
        description=f"The median price, {USD}. Read from the single prices: slower than the average."
    )


STATISTICS = frozenset({"lowPrice", "highPrice", "medianPrice"})
"""The fields that need the observations themselves."""

EARLIEST, LATEST = date(1970, 1, 1).toordinal(), date(2100, 12, 31).toordinal()
ISO_DAYS = [date.fromordinal(day).isoformat() for day in range(EARLIEST, LATEST + 1)]
"""Every day that can have a price, written out once instead of for every answer."""


def to_columns(averages: DailyAverages | Exception) -> ColumnarList:
    """Return the answer as the list of DailyAverage. Raise the exception, where it is one."""
    if isinstance(averages, Exception):
        raise averages
    return ColumnarList(
        len(averages.days),
        {
            "day": _write_days(averages.days),
            "averagePrice": averages.averages,
            "priceCount": averages.counts,
            "lowPrice": averages.lows,
            "highPrice": averages.highs,
            "medianPrice": averages.medians,
        },
    )


def _write_days(days: DateRange) -> list[str]:
    first, last = days.first.toordinal(), days.last.toordinal()
    if first >= EARLIEST and last <= LATEST:
        return ISO_DAYS[first - EARLIEST : last - EARLIEST + 1]
    return [day.isoformat() for day in days.days()]
