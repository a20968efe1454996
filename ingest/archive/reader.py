"""Reads from archived files: prices of lanes, observations of a batch, sums by day.

The functions block: call them in a thread.
"""

from collections.abc import Iterator, Sequence
from datetime import date

import numpy as np
import polars as pl

from domain.archive import ArchivedFile
from domain.intervals import months_between
from domain.locations import Lane
from domain.prices import DateRange, PackedPrices
from ingest.archive.files import ROW_GROUP_ROWS, scan_file
from ingest.observations.copy_stream import POSTGRES_EPOCH
from ingest.observations.lane_days import LANE_DAYS

DAYS = ("first_day", "last_day")


def pack_lane_prices(
    file: ArchivedFile, origins: Sequence[int], destinations: Sequence[int], days: DateRange
) -> PackedPrices:
    """Return the observations of a file between ports that are valid on a day of the range.

    They are in the format of `db.repositories.prices.pack_lane_prices`. Raise ArchiveError.
    """
    if not destinations or not _can_contain(file, origins, days):
        return PackedPrices(b"", b"", b"")
    is_wanted = (
        # The ranges let polars skip row groups by their statistics; the sets then choose the rows.
        pl.col("origin").is_between(min(origins), max(origins))
        & pl.col("destination").is_between(min(destinations), max(destinations))
        & (pl.col("first_day") <= days.last)
        & (pl.col("last_day") >= days.first)
        & pl.col("origin").is_in(list(origins))
        & pl.col("destination").is_in(list(destinations))
    )
    found = scan_file(file).filter(is_wanted).select("usd_cents", *DAYS).collect()
    first_days, last_days = (
        (found[name].to_physical().to_numpy() - POSTGRES_EPOCH).astype(">i4").tobytes() for name in DAYS
    )
    return PackedPrices(found["usd_cents"].to_numpy().astype(">i8").tobytes(), first_days, last_days)


def _can_contain(file: ArchivedFile, origins: Sequence[int], days: DateRange) -> bool:
    return (
        file.first_day <= days.last
        and file.last_day >= days.first
        and any(file.first_origin <= origin <= file.last_origin for origin in origins)
    )


def read_batch(file: ArchivedFile, batch_id: int) -> pl.DataFrame:
    """Return the columns LANE_DAYS of a batch's observations in a file.

    Days count from 1970-01-01. Raise ArchiveError.
    """
    return _lane_days(scan_file(file).filter(pl.col("batch_id") == batch_id))


def read_lane_days(file: ArchivedFile) -> pl.DataFrame:
    """Return the columns LANE_DAYS of all rows of `scan_file`. Raise ArchiveError."""
    return _lane_days(scan_file(file))


def _lane_days(rows: pl.LazyFrame) -> pl.DataFrame:
    return rows.select(LANE_DAYS).with_columns(pl.col(DAYS).to_physical()).collect()


def count_lanes(observations: pl.DataFrame) -> list[tuple[Lane, int]]:
    """Return each lane of the observations with their number, by ID."""
    counts = observations.group_by("origin", "destination").len().sort("origin", "destination")
    return [(Lane(origin, destination), count) for origin, destination, count in counts.iter_rows()]


def sum_days(file: ArchivedFile, days: DateRange) -> Iterator[bytes]:
    """Yield the sums of a file's observations by lane and day within the range, as CSV lines.

    The columns are origin, destination, day, sum in US cents and number of prices. A lane and day may occur several times.
    Raise ArchiveError.
    """
    first, last = (np.datetime64(day, "D").astype(int).item() for day in (days.first, days.last))
    observations = read_lane_days(file).filter((pl.col("first_day") <= last) & (pl.col("last_day") >= first))
    for part in observations.iter_slices(ROW_GROUP_ROWS):
        sums = (
            part.with_columns(
                day=pl.int_ranges(pl.col("first_day").clip(first), pl.col("last_day").clip(None, last) + 1)
            )
            .explode("day")
            .group_by("origin", "destination", "day")
            .agg(pl.col("usd_cents").sum(), pl.len())
            .with_columns(pl.col("day").cast(pl.Int32).cast(pl.Date))
        )
        yield sums.write_csv(include_header=False).encode()


def list_months(files: Sequence[ArchivedFile]) -> set[date]:
    """Return the first day of each month in which an observation of the files may be valid."""
    return {month for file in files for month in months_between(file.first_day, file.last_day)}
