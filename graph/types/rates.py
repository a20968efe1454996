"""Exchange rates by day."""

from datetime import date
from typing import Annotated

import strawberry

Currency = Annotated[
    str, strawberry.argument(description="The ISO 4217 code of the currency (`EUR`); case does not matter.")
]


@strawberry.type(description="What one unit of a currency is worth on a day when prices are converted to US dollars.")
class ExchangeRate:
    """Fields of `domain.batches.ExchangeRate`, which resolvers return in its place."""

    day: date = strawberry.field(description="The day.")
    usd_per_unit: float | None = strawberry.field(
        description=(
            "US dollars for one unit; null when no rate is known that is at most 14 days old. Rounded to 12 decimals it is"
            " exactly the rate that prices are converted at, as long as a unit is worth less than 8,000 US dollars."
        )
    )
    published_day: date | None = strawberry.field(
        description=(
            "The day whose published rate is used: the day itself, the last one before a weekend or holiday, or the newest"
            " known; null when no rate is known."
        )
    )
