"""Reads a file of prices into frames of text: CSV, NDJSON or Parquet, each in one of two layouts.

Nothing is judged here but the file as a whole. What a value means, and whether it is valid, is for `ingest.batches.validation`.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import polars as pl
from polars.exceptions import PanicException, PolarsError

from db.repositories.payloads import SUFFIXES, find_format
from domain.batches import FileFormat
from ingest.errors import FileRejected
from ingest.readers.line_blocks import MAX_LINES, Block, read_blocks
from ingest.readers.parquet import read_parquet

ITEM_COLUMNS = ("origin", "destination", "date_from", "date_to", "price", "currency")
ONE_DAY_COLUMNS = ("origin_code", "destination_code", "day", "price")
PERIOD_COLUMNS = ("origin", "destination", "date_from", "date_to", "price")
OPTIONAL_COLUMN = "currency"
MAX_HEADER_BYTES = 4_096
"""More than any header that could be right."""
MAX_ITEMS = 100_000_000
"""Items of one file: what takes a worker some ten minutes."""


def format_of(path: Path) -> FileFormat:
    """Return the format that the file's name promises. Raise FileRejected (UNKNOWN_FORMAT) when it promises none."""
    file_format = find_format(path.name)
    if file_format is None:
        raise FileRejected("UNKNOWN_FORMAT", f"the name must end in one of {', '.join(SUFFIXES)}")
    return file_format


@dataclass(frozen=True, slots=True)
class Slice:
    """Some of a file's items, and the part of the file that has been read with them, 0 to 1.

    The columns of `items` are `item` (counted from 1 through the whole file) and ITEM_COLUMNS as trimmed text, with empty
    values as null; without `date_to` an item holds for one day.
    """

    items: pl.DataFrame
    part: float


def read_slices(file: BinaryIO, file_format: FileFormat) -> Iterator[Slice]:
    """Yield the items of the file in order and in bounded memory. There is at least one.

    Raise FileRejected with one of the codes BROKEN_FILE, WRONG_ENCODING, WRONG_COLUMNS, EMPTY_BATCH, TOO_MANY_ITEMS; what is
    wrong further down in the file shows only there.
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
    for frame, part in frames:
        items = as_items(frame, first)
        first += len(items)
        if first - 1 > MAX_ITEMS:
            raise FileRejected("TOO_MANY_ITEMS", f"more than {MAX_ITEMS} items: split the file")
        if is_csv and all(items[name].null_count() for name in ITEM_COLUMNS):
            # A blank line in a CSV is no item, but it counts as a line.
            items = items.filter(pl.any_horizontal(pl.col(ITEM_COLUMNS).is_not_null()))
        if len(items):
            empty = False
            yield Slice(items, part)
    if empty:
        raise FileRejected("EMPTY_BATCH", "there is no item in it")


def as_items(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    """Return the rows of a file as `Slice.items`, numbered from `first`. Raise FileRejected (WRONG_COLUMNS)."""
    frame = _name_columns(frame).with_row_index("item", offset=first)
    frame = frame.select("item", *(_as_text(frame.schema[name], name) for name in ITEM_COLUMNS))
    return frame.with_columns(pl.col(name).replace("", None) for name in ITEM_COLUMNS if (frame[name] == "").any())


def _read_csv(blocks: Iterator[Block]) -> Iterator[pl.DataFrame]:
    header = b""
    for block in blocks:
        data = header + block.data
        if not header:
            header = _first_line(data)
            # Before a frame with as many columns as there are commas is made of it.
            _find_layout(
                pl.read_csv(io.BytesIO(header[:MAX_HEADER_BYTES]), infer_schema=False, raise_if_empty=False).columns
            )
        try:
            yield pl.read_csv(io.BytesIO(data), infer_schema=False, raise_if_empty=False)
        except (PolarsError, PanicException) as error:
            why = _why_csv_fails(header, block)
            raise FileRejected("BROKEN_FILE", f"the CSV cannot be read: {why}") from error


def _first_line(data: bytes) -> bytes:
    line, newline, _ = data.partition(b"\n")
    return line + newline


def _why_csv_fails(header: bytes, block: Block) -> str:
    """Return the first line whose number of fields differs from the header's, in words."""
    fields = header.count(b",") + 1
    for number, line in enumerate(block.data.splitlines(), start=block.first_line):
        if line.count(b'"') % 2:
            return f"line {number} has a quote that does not close"
        if line.count(b",") + 1 > fields and b'"' not in line:
            return f"line {number} has {line.count(b',') + 1} fields, the header has {fields}"
    return "its lines do not fit its header"


def _read_ndjson(blocks: Iterator[Block]) -> Iterator[pl.DataFrame]:
    schema: dict[str, type[pl.String]] = {}
    for block in blocks:
        if not block.data.strip():
            continue
        try:
            # Two steps: the first line names the layout, then every value of the layout is read as text.
            schema = schema or _ndjson_schema(block.data)
            yield pl.read_ndjson(io.BytesIO(block.data), schema=schema)
        except (PolarsError, PanicException) as error:
            raise FileRejected(
                "BROKEN_FILE", "the NDJSON cannot be read: every line must be one JSON object"
            ) from error


def _ndjson_schema(data: bytes) -> dict[str, type[pl.String]]:
    names = pl.read_ndjson(io.BytesIO(_first_line(data.lstrip()))).columns
    found = {_normal_name(name) for name in names}
    layout = ONE_DAY_COLUMNS if "day" in found else PERIOD_COLUMNS
    absent = [name for name in (*layout, OPTIONAL_COLUMN) if name not in found]
    _find_layout([*names, *absent])
    return dict.fromkeys([*names, *absent], pl.String)


def _normal_name(name: str) -> str:
    """Return a column's name in lower case; those of the mutation's fields are understood too."""
    name = name.strip()
    return {"dateFrom": "date_from", "dateTo": "date_to"}.get(name, name.lower())


def _find_layout(names: Sequence[str]) -> tuple[str, ...]:
    """Return the layout whose columns these are, in any order. Raise FileRejected (WRONG_COLUMNS) when there is none."""
    found = [_normal_name(name) for name in names]
    for layout in (ONE_DAY_COLUMNS, PERIOD_COLUMNS):
        if len(set(found)) == len(found) and set(layout) <= set(found) <= {*layout, OPTIONAL_COLUMN}:
            return layout
    raise FileRejected(
        "WRONG_COLUMNS",
        f"the columns are {','.join(found)[:200]}; expected {','.join(ONE_DAY_COLUMNS)} or"
        f" {','.join(PERIOD_COLUMNS)}, each with or without {OPTIONAL_COLUMN}",
    )


def _name_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with ITEM_COLUMNS, whichever of the two layouts it came in."""
    layout = _find_layout(frame.columns)
    frame = frame.rename(_normal_name)
    if OPTIONAL_COLUMN not in frame.columns:
        frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(OPTIONAL_COLUMN))
    if layout is ONE_DAY_COLUMNS:
        frame = frame.rename({"origin_code": "origin", "destination_code": "destination", "day": "date_from"})
        frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias("date_to"))
    return frame


def _as_text(dtype: pl.DataType, name: str) -> pl.Expr:
    column = pl.col(name)
    if isinstance(dtype, pl.Datetime):
        # Many writers know no plain date; a time of day other than midnight stays visible and is refused as a date.
        midnight = column.dt.truncate("1d") == column
        column = (
            pl.when(midnight).then(column.dt.strftime("%Y-%m-%d")).otherwise(column.dt.strftime("%Y-%m-%dT%H:%M:%S"))
        )
    elif dtype.is_nested() or isinstance(dtype, pl.Binary | pl.Duration):
        raise FileRejected("WRONG_COLUMNS", f"the column {name} holds {dtype}, not plain values")
    else:
        column = column.cast(pl.String)
    return column.str.strip_chars().alias(name)
