"""Fetches exchange rates that are newer than the stored ones. Nothing here knows the database.

Either source returns the columns that `ingest.exchange_rates.ecb.store_rates` takes: `currency`, `day`, `usd_per_unit`.
"""

from datetime import date, timedelta
from decimal import Decimal

import msgspec
import polars as pl

from db.repositories.rates import MAX_USD_PER_UNIT, RATE_UNITS
from domain.prices import DateRange, round_half_away
from ingest.errors import RatesUnavailable
from ingest.exchange_rates.ecb import CURRENCY, DECIMALS, read_ecb_history
from ingest.exchange_rates.http import download, open_client

MAX_ARCHIVE_BYTES = 8_000_000
"""The ECB's archive had 640,000 bytes in 2026."""
MAX_ANSWER_BYTES = 256_000
"""A day's rates of openexchangerates have some 5,000 bytes."""
MAX_DAYS = 31
"""For how many days openexchangerates is asked at most: each is a request, and they are counted."""
RATES = {"currency": pl.String(), "day": pl.Date(), "usd_per_unit": pl.Decimal(24, DECIMALS)}


async def fetch_ecb_rates(url: str, today: date) -> pl.DataFrame:
    """Return the European Central Bank's whole history. Raise RatesUnavailable."""
    async with open_client({}) as client:
        history = read_ecb_history(await download(client, url, max_bytes=MAX_ARCHIVE_BYTES))
    # Every later day is converted by what is newest: one day that is wrong would decide about all of them.
    if history["day"].max() > today:  # type: ignore[operator]
        raise RatesUnavailable("RATES_UNREADABLE", f"the history of rates goes on behind today ({today})")
    return history


def days_to_fetch(newest: date | None, today: date) -> DateRange | None:
    """Return the days up to yesterday whose rates are missing, at most MAX_DAYS; None when there are none.

    The oldest come first: a second call goes on where the first has ended, and no day is ever left out.
    """
    yesterday = today - timedelta(days=1)
    first = today - timedelta(days=MAX_DAYS) if newest is None else newest + timedelta(days=1)
    if first > yesterday:
        return None
    return DateRange(first, min(yesterday, first + timedelta(days=MAX_DAYS - 1)))


async def fetch_openexchangerates(url: str, app_id: str, days: DateRange) -> pl.DataFrame:
    """Return the rates of openexchangerates.org for each of the days. Raise RatesUnavailable; then for none."""
    key = app_id.strip()
    if not key.isascii() or not key.isprintable():
        raise RatesUnavailable("RATES_REFUSED", "the openexchangerates key holds characters that no key has")
    found: list[tuple[str, date, Decimal]] = []
    # Not as `app_id` in the URL, where logs would keep it (https://docs.openexchangerates.org/docs/authentication).
    async with open_client({"Authorization": f"Token {key}"}) as client:
        for day in days.days():
            answer = await download(client, f"{url.rstrip('/')}/historical/{day}.json", max_bytes=MAX_ANSWER_BYTES)
            found += [(currency, day, rate) for currency, rate in read_day(answer, day).items()]
    return pl.DataFrame(found, schema=RATES, orient="row").sort("currency", "day")


class _Answer(msgspec.Struct):
    """What openexchangerates tells of a day, as far as it is needed: units of each currency for one `base`."""

    base: str
    rates: dict[str, Decimal]


def read_day(answer: bytes, day: date) -> dict[str, Decimal]:
    """Return US dollars for one unit of each currency, with 12 decimals. Raise RatesUnavailable (RATES_UNREADABLE)."""
    try:
        read = msgspec.json.decode(answer, type=_Answer)
    # What is no JSON, no UTF-8 or of another shape is a ValueError each.
    except (ValueError, RecursionError) as error:
        raise RatesUnavailable("RATES_UNREADABLE", f"what is told of {day} is not a table of rates") from error
    if read.base != "USD":
        raise RatesUnavailable("RATES_UNREADABLE", f"the rates of {day} are not those of the US dollar")
    inverted = {
        currency: _invert(units)
        for currency, units in read.rates.items()
        if currency != "USD" and CURRENCY.fullmatch(currency) and _is_storable_rate(units)
    }
    if not inverted:
        raise RatesUnavailable("RATES_UNREADABLE", f"{day} has no rates")
    return inverted


def _is_storable_rate(units: Decimal) -> bool:
    """Return whether the inverse is a rate: at least 10⁻¹² US dollars, and not beyond what a unit may be worth."""
    return units.is_finite() and Decimal(1) / MAX_USD_PER_UNIT <= units <= RATE_UNITS


def _invert(units: Decimal) -> Decimal:
    """Return 1 / units, rounded once, halves away from zero."""
    numerator, denominator = units.as_integer_ratio()
    return Decimal(round_half_away(denominator * RATE_UNITS, numerator)).scaleb(-DECIMALS)
