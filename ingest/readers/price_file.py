"""Reads price files (CSV, NDJSON or Parquet, in one of two layouts) into frames of text.

Only the file as a whole is checked here. `ingest.batches.validation` interprets and validates the values.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl
from polars.exceptions import PanicException, PolarsError

from db.repositories.payloads import SUFFIXES, find_format
from domain.batches import FileFormat
from ingest.errors import FileRejected
from ingest.readers.columns import ONE_DAY_COLUMNS, OPTIONAL_COLUMN, PERIOD_COLUMNS, find_layout, normal_name
from ingest.readers.line_blocks import MAX_LINES, Block, read_blocks
from ingest.readers.parquet import read_parquet

ITEM_COLUMNS = ("origin", "destination", "date_from", "date_to", "price", "currency")
MAX_HEADER_BYTES = 4_096
"""Longer than any valid header."""
MAX_ITEMS = 100_000_000
"""Items per file: about ten minutes of a worker's time."""


def format_of(path: Path) -> FileFormat:
    """Return the format of a file by its name. Raise FileRejected (UNKNOWN_FORMAT)."""
    file_format = find_format(path.name)
    if file_format is None:
        raise FileRejected("UNKNOWN_FORMAT", f"unsupported file name: expected extension {', '.join(SUFFIXES)}")
    return file_format


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive items of a file, with the fraction of the file read so far (0 to 1).

    The columns of `items` are `item` (numbered from 1 through the whole file) and ITEM_COLUMNS as trimmed text, with empty
    values as null. Without `date_to` an item is valid for one day.
    """

    items: pl.DataFrame
    fraction_read: float


def read_slices(file: BinaryIO, file_format: FileFormat) -> Iterator[Slice]:
    """Yield the items of the file, at least one, in order and in bounded memory.

    Raise FileRejected (BROKEN_FILE, WRONG_ENCODING, WRONG_COLUMNS, EMPTY_BATCH, TOO_MANY_ITEMS). A problem further down in
    the file is raised when the reader reaches it.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    is_csv = file_format in {FileFormat.CSV, FileFormat.CSV_GZIP}
    empty = True
    if file_format is FileFormat.PARQUET:
        frames = read_parquet(file, MAX_LINES)
    else:
        gzipped = file_format in {FileFormat.CSV_GZIP, FileFormat.NDJSON_GZIP}
        blocks = read_blocks(file, gzipped=gzipped, quoted=is_csv)
        frames = ((frame, file.tell() / max(size, 1)) for frame in (_read_csv if is_csv else _read_ndjson)(blocks))
    first = 1
    for frame, fraction in frames:
        items = as_items(frame, first)
        first += len(items)
        if first - 1 > MAX_ITEMS:
            raise FileRejected("TOO_MANY_ITEMS", f"too many items: limit {MAX_ITEMS:,}; split the file")
        if is_csv and all(items[name].null_count() for name in ITEM_COLUMNS):
            # A blank line in a CSV is not an item, but it counts as a line.
            items = items.filter(pl.any_horizontal(pl.col(ITEM_COLUMNS).is_not_null()))
        if len(items):
            empty = False
            yield Slice(items, fraction)
    if empty:
        raise FileRejected("EMPTY_BATCH", "the file contains no rows")


def as_items(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    """Return the rows of a file as `Slice.items`, numbered from `first`.

    Raise FileRejected (WRONG_COLUMNS).
    """
    frame = _name_columns(frame).with_row_index("item", offset=first)
    frame = frame.select("item", *(_as_text(frame.schema[name], name) for name in ITEM_COLUMNS))
    return frame.with_columns(pl.col(name).replace("", None) for name in ITEM_COLUMNS if (frame[name] == "").any())


def _read_csv(blocks: Iterator[Block]) -> Iterator[pl.DataFrame]:
    header = b""
    for block in blocks:
        data = header + block.data
        if not header:
            header = _first_line(data)
            # Check the header first: the parser would create a column for each comma.
            find_layout(
                pl.read_csv(io.BytesIO(header[:MAX_HEADER_BYTES]), infer_schema=False, raise_if_empty=False).columns
            )
        try:
            yield pl.read_csv(io.BytesIO(data), infer_schema=False, raise_if_empty=False)
        except (PolarsError, PanicException) as error:
            raise FileRejected("BROKEN_FILE", f"invalid CSV: {_describe_csv_error(header, block)}") from error


def _first_line(data: bytes) -> bytes:
    line, newline, _ = data.partition(b"\n")
    return line + newline


def _describe_csv_error(header: bytes, block: Block) -> str:
    """Return a description of the first line with an open quote or with too many fields."""
    fields = header.count(b",") + 1
    for number, line in enumerate(block.data.splitlines(), start=block.first_line):
        if line.count(b'"') % 2:
            return f"line {number}: unterminated quote"
        if line.count(b",") + 1 > fields and b'"' not in line:
            return f"line {number} has {line.count(b',') + 1} fields, the header has {fields}"
    return "the lines do not match the header"


def _read_ndjson(blocks: Iterator[Block]) -> Iterator[pl.DataFrame]:
    schema: dict[str, type[pl.String]] = {}
    for block in blocks:
        if not block.data.strip():
            continue
        try:
            # Two steps: the first line determines the layout, then every value of the layout is read as text.
            schema = schema or _ndjson_schema(block.data)
            yield pl.read_ndjson(io.BytesIO(block.data), schema=schema)
        except (PolarsError, PanicException) as error:
            raise FileRejected("BROKEN_FILE", "invalid NDJSON: every line must be one JSON object") from error


def _ndjson_schema(data: bytes) -> dict[str, type[pl.String]]:
    names = pl.read_ndjson(io.BytesIO(_first_line(data.lstrip()))).columns
    found = {normal_name(name) for name in names}
    layout = ONE_DAY_COLUMNS if "day" in found else PERIOD_COLUMNS
    absent = [name for name in (*layout, OPTIONAL_COLUMN) if name not in found]
    find_layout([*names, *absent])
    return dict.fromkeys([*names, *absent], pl.String)


def _name_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with ITEM_COLUMNS, from either of the two layouts."""
    layout = find_layout(frame.columns)
    frame = frame.rename(normal_name)
    if OPTIONAL_COLUMN not in frame.columns:
        frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(OPTIONAL_COLUMN))
    if layout is ONE_DAY_COLUMNS:
        frame = frame.rename({"origin_code": "origin", "destination_code": "destination", "day": "date_from"})
        frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias("date_to"))
    return frame


def _as_text(dtype: pl.DataType, name: str) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        # Many writers have no date type. A time of day other than midnight stays in the text and is rejected as a date.
        midnight = column.dt.truncate("1d") == column
        column = (
            pl.when(midnight).then(column.dt.strftime("%Y-%m-%d")).otherwise(column.dt.strftime("%Y-%m-%dT%H:%M:%S"))
        )
    elif dtype.is_nested() or isinstance(dtype, pl.Binary | pl.Duration):
        raise FileRejected("WRONG_COLUMNS", f"column {name} has type {dtype}; expected plain values")
    else:
        column = column.cast(pl.String)
    return column.str.strip_chars().alias(name)
