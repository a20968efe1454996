"""Format of archived files: Parquet, sorted by lane.

Amounts and rates are decimals, which round-trip exactly.

A file is read as a whole, and its size and SHA-256 are checked before any row is used. Checked files stay in an LRU cache, so
the next query of the same months reads neither the disk nor the network.
"""

import hashlib
import io
import threading
from datetime import date

import polars as pl
from cachetools import LRUCache

from domain.archive import ArchivedFile
from ingest.archive.storage import split_url
from ingest.errors import ArchiveError

CSV_COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "batch_id": pl.Int64,
    "usd_cents": pl.Int64,
    "item": pl.Int32,
    "origin": pl.Int32,
    "destination": pl.Int32,
    "first_day": pl.Int32,
    "last_day": pl.Int32,
    "rate_day": pl.Int32,
    "amount": pl.Decimal(16, 4),
    "rate": pl.Decimal(24, 12),
    "currency": pl.String,
}
"""Columns of `db.repositories.prices.copy_out_month`; days count from 1970-01-01."""
DAY_COLUMNS = ("first_day", "last_day", "rate_day")
ROW_GROUP_ROWS = 50_000
"""Minimum number of rows that a query of one lane decodes. Smaller row groups compress worse."""
MAX_CACHED_BYTES = 64 << 20
"""Bytes of files that a process keeps in memory. A month of a million prices has about 10 MB."""

checked_files: LRUCache[bytes, bytes] = LRUCache(MAX_CACHED_BYTES, getsizeof=len)
"""Content of files by SHA-256."""
_cache_lock = threading.Lock()


def parse_rows(lines: bytes) -> pl.DataFrame:
    """Return the observations of CSV lines."""
    return pl.read_csv(io.BytesIO(lines), has_header=False, schema=CSV_COLUMNS)


def encode_file(observations: pl.DataFrame) -> bytes:
    """Return the Parquet file of observations. Equal observations make equal files."""
    buffer = io.BytesIO()
    observations.with_columns(pl.col(DAY_COLUMNS).cast(pl.Date)).write_parquet(
        buffer, compression="zstd", row_group_size=ROW_GROUP_ROWS, statistics=True
    )
    return buffer.getvalue()


def describe_file(base_url: str, month: date, observations: pl.DataFrame, data: bytes) -> ArchivedFile:
    """Return the entry of a file in the list of archived files.

    Its name contains its batches and its SHA-256.
    """
    digest = hashlib.sha256(data).digest()
    low, high = (
        observations.select(pl.col("batch_id", "origin", "first_day", "last_day").min()).row(0, named=True),
        observations.select(pl.col("batch_id", "origin", "first_day", "last_day").max()).row(0, named=True),
    )
    first_batch, last_batch = low["batch_id"], high["batch_id"]
    name = f"month={month:%Y-%m}/{first_batch}-{last_batch}-{digest.hex()[:16]}.parquet"
    return ArchivedFile(
        month=month,
        url=f"{base_url.rstrip('/')}/{name}",
        byte_count=len(data),
        sha256=digest,
        row_count=len(observations),
        first_day=_to_date(low["first_day"]),
        last_day=_to_date(high["last_day"]),
        first_batch=first_batch,
        last_batch=last_batch,
        first_origin=low["origin"],
        last_origin=high["origin"],
    )


def scan_file(file: ArchivedFile) -> pl.LazyFrame:
    """Return the observations of a file, without those of reverted batches.

    Raise ArchiveError (ARCHIVE_FILE_MISSING, ARCHIVE_FILE_CHANGED, ARCHIVE_UNREACHABLE, INVALID_ARCHIVE_URL).
    """
    rows = pl.scan_parquet(io.BytesIO(_load(file)))
    return rows.filter(~pl.col("batch_id").is_in(list(file.reverted))) if file.reverted else rows


def _load(file: ArchivedFile) -> bytes:
    """Return the content of a file, after a check of its size and SHA-256."""
    with _cache_lock:
        data = checked_files.get(file.sha256)
    if data is not None:
        return data
    try:
        storage, name = split_url(file.url)
        data = storage.read(name)
    except ArchiveError as error:
        raise ArchiveError(error.code, error.message, file=file.name) from error
    if len(data) != file.byte_count or hashlib.sha256(data).digest() != file.sha256:
        raise ArchiveError(
            "ARCHIVE_FILE_CHANGED",
            f"{file.url} has {len(data):,} bytes and another SHA-256 than when it was archived"
            f" ({file.byte_count:,} bytes, {file.sha256.hex()}); restore it from a backup",
            file=file.name,
        )
    with _cache_lock:
        # A file larger than the cache is read again each time.
        if len(data) <= MAX_CACHED_BYTES:
            checked_files[file.sha256] = data
    return data


def _to_date(days: int) -> date:
    return date.fromordinal(date(1970, 1, 1).toordinal() + days)
