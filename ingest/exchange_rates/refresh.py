"""Fetches newer exchange rates over HTTP. Nothing here depends on the database.

Both sources return the columns that `ingest.exchange_rates.ecb.store_rates` expects: `currency`, `day`, `usd_per_unit`.
"""

from datetime import date, timedelta
from decimal import Decimal

import msgspec
import polars as pl

from db.repositories.rates import MAX_USD_PER_UNIT
from domain.prices import RATE_UNITS, DateRange, round_half_away
from ingest.errors import RatesUnavailable
from ingest.exchange_rates.ecb import CURRENCY, DECIMALS, read_ecb_history
from ingest.exchange_rates.http import download, open_client

MAX_ARCHIVE_BYTES = 8_000_000
"""The ECB's archive had 640,000 bytes in 2026."""
MAX_RESPONSE_BYTES = 256_000
"""One day's rates of openexchangerates have some 5,000 bytes."""
MAX_DAYS = 31
"""Days per run from openexchangerates.

Each is a request, and the source limits their number.
"""
CHECK_URL = "; check RATESGRAPH_OPENEXCHANGERATES_URL, or try again later"
RATES = {"currency": pl.String(), "day": pl.Date(), "usd_per_unit": pl.Decimal(24, DECIMALS)}


async def fetch_ecb_rates(url: str, today: date) -> pl.DataFrame:
    """Return the European Central Bank's whole history. Raise RatesUnavailable."""
    async with open_client({}) as client:
        history = read_ecb_history(await download(client, url, max_bytes=MAX_ARCHIVE_BYTES))
    # Every later day is converted at the newest rates, so a single future day would affect all of them.
    if history["day"].max() > today:  # type: ignore[operator]
        raise RatesUnavailable(
            "RATES_UNREADABLE",
            f"the exchange-rate history contains dates after today ({today}); check the clock of this machine",
        )
    return history


def days_to_fetch(newest: date | None, today: date) -> DateRange | None:
    """Return the days up to yesterday whose rates are missing, at most MAX_DAYS, or None.

    The oldest days come first, so the next run continues after them and no day is left out.
    """
    yesterday = today - timedelta(days=1)
    first = today - timedelta(days=MAX_DAYS) if newest is None else newest + timedelta(days=1)
    if first > yesterday:
        return None
    return DateRange(first, min(yesterday, first + timedelta(days=MAX_DAYS - 1)))


async def fetch_openexchangerates(url: str, app_id: str, days: DateRange) -> pl.DataFrame:
    """Return the rates of openexchangerates.org for all of the days, or raise RatesUnavailable."""
    key = app_id.strip()
    if not key.isascii() or not key.isprintable():
        raise RatesUnavailable(
            "RATES_REFUSED", "the API key contains invalid characters; correct RATESGRAPH_OPENEXCHANGERATES_APP_ID"
        )
    rows: list[tuple[str, date, Decimal]] = []
    # Not as `app_id` in the URL, which logs may record (https://docs.openexchangerates.org/docs/authentication).
    async with open_client({"Authorization": f"Token {key}"}) as client:
        for day in days.days():
            response = await download(client, f"{url.rstrip('/')}/historical/{day}.json", max_bytes=MAX_RESPONSE_BYTES)
            rows += [(currency, day, rate) for currency, rate in parse_day(response, day).items()]
    return pl.DataFrame(rows, schema=RATES, orient="row").sort("currency", "day")


class _DayRates(msgspec.Struct):
    """One day's rates of openexchangerates: units of each currency for one unit of `base`."""

    base: str
    rates: dict[str, Decimal]


def parse_day(response: bytes, day: date) -> dict[str, Decimal]:
    """Return US dollars per unit of each currency, with 12 decimals.

    Raise RatesUnavailable (RATES_UNREADABLE).
    """
    try:
        rates = msgspec.json.decode(response, type=_DayRates)
    # Invalid JSON, invalid UTF-8 and an unexpected structure each raise ValueError.
    except (ValueError, RecursionError) as error:
        raise RatesUnavailable("RATES_UNREADABLE", f"the response for {day} is not a rate table{CHECK_URL}") from error
    if rates.base != "USD":
        raise RatesUnavailable("RATES_UNREADABLE", f"the rates for {day} do not have the base USD{CHECK_URL}")
    inverted = {
        currency: _invert(units)
        for currency, units in rates.rates.items()
        if currency != "USD" and CURRENCY.fullmatch(currency) and _is_storable_rate(units)
    }
    if not inverted:
        raise RatesUnavailable("RATES_UNREADABLE", f"the response for {day} has no rates{CHECK_URL}")
    return inverted


def _is_storable_rate(units: Decimal) -> bool:
    """Return whether the inverse is at least 10⁻¹² and at most MAX_USD_PER_UNIT US dollars."""
    return units.is_finite() and Decimal(1) / MAX_USD_PER_UNIT <= units <= RATE_UNITS


def _invert(units: Decimal) -> Decimal:
    """Return 1 / units, rounded once, half away from zero."""
    numerator, denominator = units.as_integer_ratio()
    return Decimal(round_half_away(denominator * RATE_UNITS, numerator)).scaleb(-DECIMALS)
