"""Currency of an answer: each price is converted at the rate of its day."""

from domain.price_series import DayRates
from domain.prices import DateRange
from resolvers.context import RequestContext
from resolvers.rates import load_day_rates, normalize_currency


async def load_conversion(context: RequestContext, currency: str, days: DateRange) -> tuple[str, DayRates | None]:
    """Return the code of the currency and its rate on each day, or None for US dollars.

    Raise RequestError (UNKNOWN_CURRENCY).
    """
    code = normalize_currency(currency)
    if code == "USD":
        return code, None
    return code, [None if rate is None else rate.usd for rate in await load_day_rates(context, code, days)]
