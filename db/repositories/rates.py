"""Exchange rates to the US dollar, by currency and day.

The shared constants are defined here too. Price conversion (`ingest.batches.currency_conversion`) and the rates query
(`resolvers.rates`) use them to decide which rate applies on which day.
"""

from collections.abc import Iterable, Sequence
from datetime import date

from rapidfuzz import fuzz, process

from db.connection import Connection, copy_in
from db.sql import load_sections
from domain.currencies import find_meant
from domain.prices import DateRange

SQL = load_sections("rates")

MAX_RATE_AGE_DAYS = 14
"""Maximum age of a rate. The European Central Bank's longest pause is five days."""
MAX_USD_PER_UNIT = 10**6
"""Upper bound of a rate: no currency is worth more. In units of 10⁻¹² it fits into 64 bits."""

MAX_SUGGESTIONS = 3
MIN_SCORE = 60
"""Similarity of two codes, in percent: two of three letters are equal."""


def closest_currencies(text: str, known: Iterable[str]) -> list[str]:
    """Return up to MAX_SUGGESTIONS known currencies, or the US dollar, that a text may mean."""
    word, codes = "".join(text.upper().split()), sorted({*known, "USD"})
    meant = [code for code in find_meant(word) if code in codes]
    similar = process.extract(word, codes, scorer=fuzz.ratio, score_cutoff=MIN_SCORE, limit=MAX_SUGGESTIONS)
    return meant or [code for code, _, _ in similar]


def days_to_read(days: DateRange, newest: date) -> DateRange:
    """Return the days whose published rates can apply on one of `days`.

    `newest` is the newest day with any rate.
    """
    first = min(days.first, newest).toordinal() - MAX_RATE_AGE_DAYS
    return DateRange(date.fromordinal(max(first, date.min.toordinal())), days.last)


async def create_incoming_rates(connection: Connection) -> None:
    """Create the transaction's temporary table that `copy_rates` fills."""
    await connection.execute(SQL["create_incoming_rates"])


async def copy_rates(connection: Connection, chunks: Iterable[bytes]) -> None:
    """Copy rates from CSV lines `currency,day,usd_per_unit` into the temporary table."""
    await copy_in(connection, SQL["copy_rates"], chunks)


async def merge_rates(connection: Connection) -> int:
    """Store the copied rates and return how many are new or corrected."""
    return (await connection.execute(SQL["merge_rates"])).rowcount


async def list_currencies(connection: Connection) -> dict[str, date]:
    """Return the newest day with a published rate, by currency."""
    cursor = await connection.execute(SQL["list_currencies"])
    return dict(await cursor.fetchall())


async def list_rates(connection: Connection, currencies: Sequence[str], days: DateRange) -> list[tuple[str, date, int]]:
    """Return the published rates within the days, by currency and day.

    Each is (currency, published day, rate in units of 10⁻¹² US dollars).
    """
    cursor = await connection.execute(
        SQL["list_rates"], {"currencies": list(currencies), "first": days.first, "last": days.last}
    )
    return [(currency, day, rate) for currency, day, rate in await cursor.fetchall()]
