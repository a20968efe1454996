"""Exchange rates by day, as `currency_conversion` applies them to prices.

A property test compares the two.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from db.connection import Connection
from db.repositories import rates
from domain.prices import RATE_UNITS, DateRange, DayRate, ExchangeRate
from resolvers.context import RequestContext
from resolvers.date_ranges import check_range
from resolvers.errors import RequestError, quote

MAX_SHOWN_LENGTH = 63


def normalize_currency(text: str) -> str:
    """Return the code of a currency in upper case without surrounding space."""
    return text.strip().upper()


async def exchange_rates(
    context: RequestContext, *, currency: str, date_from: date, date_to: date
) -> list[ExchangeRate]:
    """Return one entry for every day of the range, in order.

    Raise RequestError with INVALID_DATE_RANGE, DATE_RANGE_TOO_LONG or UNKNOWN_CURRENCY.
    """
    days = check_range(date_from, date_to, context.app.limits.max_days, names=("from", "to"))
    code = normalize_currency(currency)
    if code == "USD":
        return [ExchangeRate(day, 1.0, day) for day in days.days()]

    return [
        ExchangeRate(day, None, None) if rate is None else ExchangeRate(day, rate.usd / RATE_UNITS, rate.published_day)
        for day, rate in zip(days.days(), await load_day_rates(context, code, days), strict=True)
    ]


async def load_day_rates(context: RequestContext, code: str, days: DateRange) -> list[DayRate | None]:
    """Return the effective rate of each day of the range. Raise RequestError (UNKNOWN_CURRENCY).

    `code` is a currency other than USD in upper case.
    """

    async def select(connection: Connection) -> list[DayRate | None]:
        newest_days = await rates.list_currencies(connection)
        if code not in newest_days:
            raise _unknown_currency(code, newest_days)
        newest = max(newest_days.values())
        published = await rates.list_rates(connection, [code], rates.days_to_read(days, newest))
        return rates_by_day([(day, rate) for _, day, rate in published], newest, days)

    return await context.reads.read(select)


def rates_by_day(published: Sequence[tuple[date, int]], newest: date, days: DateRange) -> list[DayRate | None]:
    """Return the effective rate of each day, or None where no rate is known.

    `published` holds (published day, rate in 10⁻¹²) in order of the days. The effective rate is the last published rate,
    unless that is more than MAX_RATE_AGE_DAYS older than the day. `newest` is the newest day with a rate of any currency.
    Later days have the rate of that day.
    """
    entries: list[DayRate | None] = []
    published_count = 0
    for day in days.days():
        while published_count < len(published) and published[published_count][0] <= day:
            published_count += 1
        published_day, rate = published[published_count - 1] if published_count else (date.min, 0)
        if published_count and (min(day, newest) - published_day).days <= rates.MAX_RATE_AGE_DAYS:
            entries.append(DayRate(rate, published_day))
        else:
            entries.append(None)
    return entries


def _unknown_currency(code: str, known: Iterable[str]) -> RequestError:
    wanted = code[:MAX_SHOWN_LENGTH].encode(errors="replace").decode()
    suggestions = rates.closest_currencies(wanted, known)
    hint = f" Did you mean {' or '.join(suggestions)}?" if suggestions else ""
    return RequestError(
        "UNKNOWN_CURRENCY",
        f"currency: no exchange rate known for {quote(wanted, MAX_SHOWN_LENGTH)}.{hint}",
        argument="currency",
        suggestions=suggestions,
    )
