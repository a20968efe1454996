"""COPY baseline of an apply: only the rows of `prices`, prepared before the clock starts."""

import io
from collections.abc import AsyncIterator, Sequence

import polars as pl

from db.connection import Connection
from db.repositories import locations, prices
from domain.batches import FileFormat
from domain.prices import RATE_UNITS
from ingest.batches.copy_encoding import encode_prices
from ingest.batches.currency_conversion import AMOUNT_UNITS, ExchangeRates, convert_to_usd
from ingest.batches.pipeline import sort_by_lane
from ingest.batches.validation import check_items
from ingest.observations.copy_stream import CHUNK_BYTES, copy_stream
from ingest.readers.price_file import read_slices

COPY_TEXT = b"""
COPY prices (batch_id, usd_cents, item, origin, destination, first_day, last_day, rate_day, amount, rate, currency)
FROM STDIN (FORMAT text)
"""
BATCH_ID = 1


def read_items(data: bytes) -> pl.DataFrame:
    """Return all items of a CSV."""
    return pl.concat([part.items for part in read_slices(io.BytesIO(data), FileFormat.CSV)])


async def observe(connection: Connection, data: bytes) -> pl.DataFrame:
    """Return the observations of a CSV in the order of its lines."""
    checked = check_items(read_items(data), await locations.list_locations(connection))
    converted = convert_to_usd(checked.valid, ExchangeRates({}, 0), set())
    assert not len(checked.rejections), "the synthetic prices are valid"
    assert not len(converted.rejections), "the synthetic prices are in US dollars"
    return converted.observations


def write_text(observations: pl.DataFrame) -> list[bytes]:
    """Return the observations in PostgreSQL's text format, in their order, in chunks."""
    days = (pl.from_epoch(name, time_unit="d").alias(name) for name in ("first_day", "last_day", "rate_day"))
    text = observations.select(
        pl.lit(BATCH_ID), "usd_cents", "item", "origin", "destination", *days,
        pl.col("amount") / AMOUNT_UNITS, pl.col("rate") // RATE_UNITS, "currency",
    ).write_csv(include_header=False, separator="\t", float_precision=2).encode()  # fmt: skip
    return [text[start : start + CHUNK_BYTES] for start in range(0, len(text), CHUNK_BYTES)]


async def write_sorted_binary(observations: pl.DataFrame) -> list[bytes]:
    """Return the observations in binary format, in the order of the lane index, in chunks."""
    return [chunk async for chunk in copy_stream(encode_prices(BATCH_ID, sort_by_lane(observations)))]


async def copy_text(connection: Connection, chunks: Sequence[bytes]) -> None:
    """Append prepared text rows to `prices` and commit."""
    async with connection.transaction(), connection.cursor() as cursor, cursor.copy(COPY_TEXT) as copy:
        for chunk in chunks:
            await copy.write(chunk)


async def copy_binary(connection: Connection, chunks: Sequence[bytes]) -> None:
    """Append prepared binary rows to `prices` and commit."""
    async with connection.transaction():
        await prices.copy_prices(connection, iterate_chunks(chunks))


async def iterate_chunks(chunks: Sequence[bytes]) -> AsyncIterator[bytes]:
    """Yield the chunks asynchronously."""
    for chunk in chunks:
        yield chunk
