"""Daily exchange rates to US dollars."""

from datetime import date
from typing import Annotated

import strawberry

Currency = Annotated[
    str, strawberry.argument(description="The ISO 4217 code of the currency (`EUR`); case-insensitive.")
]


@strawberry.type(description="The rate at which prices of one day are converted from a currency to US dollars.")
class ExchangeRate:
    """Fields of `domain.prices.ExchangeRate`, which resolvers return in its place."""

    day: date = strawberry.field(description="The day.")
    usd_per_unit: float | None = strawberry.field(
        description=(
            "US dollars per unit of the currency, rounded to 12 decimals. Conversions use exactly this rate if a unit is worth"
            " less than 8,000 US dollars. Null if no rate is known that was published at most 14 days before."
        )
    )
    published_day: date | None = strawberry.field(
        description=(
            "The publication day of the rate: the day itself, the last one before a weekend or holiday, or the most recent"
            " one known; null if no rate is known."
        )
    )
