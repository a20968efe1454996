"""The type of the main answer: one day of a lane."""

from datetime import date

import strawberry

USD = "in US dollars, rounded to 2 decimals (half away from zero); null when the day has fewer than 3 prices"


@strawberry.type(description="What it cost on one day to ship from an origin to a destination.")
class DailyAverage:
    """Fields of `db.model.DailyAverage`, which resolvers return in its place."""

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
