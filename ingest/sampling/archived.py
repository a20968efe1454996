"""Archived months in samples: what is unusual about lanes, and the prices of chosen ones.

The functions that read files block: call them in a thread.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import date, timedelta

import polars as pl

from db.administration.samples import LaneDescription
from domain.archive import ArchivedFile
from domain.locations import Lane
from ingest.archive.files import CSV_COLUMNS, ROW_GROUP_ROWS, scan_file

OBSERVATION = ("first_day", "last_day", "usd_cents")
DAY = timedelta(days=1)


def describe_file_lanes(file: ArchivedFile) -> list[LaneDescription]:
    """Return the lanes of a file. Raise ArchiveError."""
    days = (pl.col("last_day") - pl.col("first_day")).dt.total_days() + 1
    described = (
        scan_file(file)
        .group_by("origin", "destination")
        .agg(
            pl.len().alias("observations"),
            days.sum().alias("price_days"),
            pl.col("currency").unique().sort().alias("currencies"),
            days.max().alias("longest_days"),
            (pl.col("usd_cents") <= 0).any().alias("has_low_prices"),
            (pl.struct(OBSERVATION).n_unique() < pl.len()).alias("has_duplicates"),
            pl.struct(OBSERVATION[:2]).unique().alias("runs"),
        )
        .collect()
    )
    return [_with_runs(row) for row in described.iter_rows(named=True)]


def _with_runs(row: dict[str, object]) -> LaneDescription:
    runs = row.pop("runs")
    assert isinstance(runs, list)  # noqa: S101  # the type of the column
    starts, ends = _merge_runs([(run["first_day"], run["last_day"] + DAY) for run in runs])
    return LaneDescription(**row, starts=starts, ends=ends)  # type: ignore[arg-type]


def merge_descriptions(parts: Collection[LaneDescription]) -> list[LaneDescription]:
    """Return one description per lane of several, each of other prices."""
    merged = dict[Lane, LaneDescription]()
    for part in parts:
        lane = Lane(part.origin, part.destination)
        merged[lane] = part if lane not in merged else _add(merged[lane], part)
    return list(merged.values())


def _add(one: LaneDescription, other: LaneDescription) -> LaneDescription:
    starts, ends = _merge_runs([*zip(one.starts, one.ends, strict=True), *zip(other.starts, other.ends, strict=True)])
    return LaneDescription(
        one.origin,
        one.destination,
        observations=one.observations + other.observations,
        price_days=one.price_days + other.price_days,
        currencies=sorted({*one.currencies, *other.currencies}),
        longest_days=max(one.longest_days, other.longest_days),
        has_low_prices=one.has_low_prices or other.has_low_prices,
        has_duplicates=one.has_duplicates or other.has_duplicates,
        starts=starts,
        ends=ends,
    )


def _merge_runs(runs: Sequence[tuple[date, date]]) -> tuple[list[date], list[date]]:
    """Return the first days of unbroken runs of days, and the days after them."""
    starts, ends = list[date](), list[date]()
    for start, end in sorted(runs):
        if ends and start <= ends[-1]:
            ends[-1] = max(ends[-1], end)
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends


def read_lanes(file: ArchivedFile, lanes: Sequence[Lane]) -> Iterator[bytes]:
    """Yield the observations of the lanes in a file, as CSV lines for `copy_in_archived`.

    Raise ArchiveError.
    """
    columns = {"origin": [lane.origin for lane in lanes], "destination": [lane.destination for lane in lanes]}
    wanted = pl.LazyFrame(columns, schema={name: CSV_COLUMNS[name] for name in columns})
    found = scan_file(file).join(wanted, on=list(columns), how="semi").select(list(CSV_COLUMNS)).collect()
    for part in found.iter_slices(ROW_GROUP_ROWS):
        yield part.write_csv(include_header=False).encode()
