"""Observations that PostgreSQL sends as CSV, parsed into columns."""

import asyncio
import io
from collections.abc import AsyncGenerator
from contextlib import aclosing

import polars as pl

from domain.prices import DateRange

COLUMNS = {
    "origin": pl.Int32,
    "destination": pl.Int32,
    "first_day": pl.Int32,
    "last_day": pl.Int32,
    "usd_cents": pl.Int64,
}
PARSED_BYTES = 8 << 20


async def read_observations(lines: AsyncGenerator[bytes]) -> list[pl.DataFrame]:
    """Return the observations of a COPY, 24 bytes each, with the columns COLUMNS.

    Days count from 1970-01-01. A chunk ends at the end of a line.
    """
    frames, rest = list[pl.DataFrame](), bytearray()
    async with aclosing(lines) as chunks:
        async for chunk in chunks:
            rest += chunk
            if len(rest) > PARSED_BYTES:
                frames.append(await asyncio.to_thread(_parse, bytes(rest)))
                rest.clear()
    if rest:
        frames.append(await asyncio.to_thread(_parse, bytes(rest)))
    return frames


def cut_observations(observations: pl.DataFrame, days: DateRange) -> pl.DataFrame:
    """Return the observations that are valid on one of the days, cut to them."""
    first, last = (pl.lit(day).to_physical() for day in (days.first, days.last))
    return observations.filter((pl.col("first_day") <= last) & (pl.col("last_day") >= first)).with_columns(
        pl.col("first_day").clip(first), pl.col("last_day").clip(None, last)
    )


def _parse(lines: bytes) -> pl.DataFrame:
    return pl.read_csv(io.BytesIO(lines), has_header=False, schema=COLUMNS)
