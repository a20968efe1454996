"""Reads a file of prices into a frame of text: CSV, NDJSON or Parquet, each in one of two layouts.

Nothing is judged here but the file as a whole. What a value means, and whether it is valid, is for `ingest.items`.
"""

import io
import zlib
from enum import StrEnum
from pathlib import Path

import polars as pl
from polars.exceptions import PolarsError

from ingest.errors import FileRejected

ITEM_COLUMNS = ("origin", "destination", "date_from", "date_to", "price", "currency")
ONE_DAY_COLUMNS = ("origin_code", "destination_code", "day", "price")
PERIOD_COLUMNS = ("origin", "destination", "date_from", "date_to", "price")
OPTIONAL_COLUMN = "currency"
MAX_DECOMPRESSED_BYTES = 4 << 30


class FileFormat(StrEnum):
    """What a payload's bytes are."""

    CSV = "csv"
    CSV_GZIP = "csv.gz"
    NDJSON = "ndjson"
    NDJSON_GZIP = "ndjson.gz"
    PARQUET = "parquet"


SUFFIXES = {
    ".csv": FileFormat.CSV,
    ".csv.gz": FileFormat.CSV_GZIP,
    ".ndjson": FileFormat.NDJSON,
    ".ndjson.gz": FileFormat.NDJSON_GZIP,
    ".jsonl": FileFormat.NDJSON,
    ".jsonl.gz": FileFormat.NDJSON_GZIP,
    ".parquet": FileFormat.PARQUET,
}


def format_of(path: Path) -> FileFormat:
    """Return the format that the file's name promises. Raise FileRejected (UNKNOWN_FORMAT) when it promises none."""
    for suffix, file_format in SUFFIXES.items():
        if path.name.lower().endswith(suffix):
            return file_format
    raise FileRejected("UNKNOWN_FORMAT", f"{path.name}: the name must end in one of {', '.join(SUFFIXES)}")


def read_items(data: bytes, file_format: FileFormat) -> pl.DataFrame:
    """Return the items as trimmed text: `item` (from 1) and ITEM_COLUMNS, empty values as null (date_to: one day).

    Raise FileRejected with one of the codes BROKEN_FILE, WRONG_ENCODING, WRONG_COLUMNS, EMPTY_BATCH.
    """
    is_csv = file_format in {FileFormat.CSV, FileFormat.CSV_GZIP}
    if file_format in {FileFormat.CSV_GZIP, FileFormat.NDJSON_GZIP}:
        data = _decompress(data)
    if file_format is FileFormat.PARQUET:
        frame = _read_parquet(data)
    else:
        _require_utf8(data)
        frame = _read_csv(data) if is_csv else _read_ndjson(data)
    frame = _name_columns(frame).with_row_index("item", offset=1)
    frame = frame.select("item", *(_as_text(frame.schema[name], name) for name in ITEM_COLUMNS))
    frame = frame.with_columns(pl.col(name).replace("", None) for name in ITEM_COLUMNS if (frame[name] == "").any())
    if is_csv and all(frame[name].null_count() for name in ITEM_COLUMNS):
        # A blank line in a CSV is no item, but it counts as a line.
        frame = frame.filter(pl.any_horizontal(pl.col(ITEM_COLUMNS).is_not_null()))
    if frame.is_empty():
        raise FileRejected("EMPTY_BATCH", "there is no item in it")
    return frame


def _decompress(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        text = unpacker.decompress(data, MAX_DECOMPRESSED_BYTES)
    except zlib.error as error:
        raise FileRejected("BROKEN_FILE", "it is not a gzip file, or it is damaged") from error
    if unpacker.unconsumed_tail:
        raise FileRejected("BROKEN_FILE", f"it unpacks to more than {MAX_DECOMPRESSED_BYTES >> 30} GiB: split it")
    if not unpacker.eof:
        raise FileRejected("BROKEN_FILE", "the gzip data ends too early: the file was cut off")
    return text


def _require_utf8(data: bytes) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FileRejected("WRONG_ENCODING", f"line {line} is not UTF-8: save the file as UTF-8") from error


def _read_csv(data: bytes) -> pl.DataFrame:
    if not data.strip():
        raise FileRejected("EMPTY_BATCH", "the file is empty")
    try:
        return pl.read_csv(io.BytesIO(data), infer_schema=False, raise_if_empty=False)
    except PolarsError as error:
        raise FileRejected("BROKEN_FILE", f"the CSV cannot be read: {_why_csv_fails(data)}") from error


def _why_csv_fails(data: bytes) -> str:
    """Return the first line whose number of fields differs from the header's, in words."""
    lines = data.splitlines()
    fields = lines[0].count(b",") + 1
    for number, line in enumerate(lines, start=1):
        if line.count(b'"') % 2:
            return f"line {number} has a quote that does not close"
        if line.count(b",") + 1 > fields and b'"' not in line:
            return f"line {number} has {line.count(b',') + 1} fields, the header has {fields}"
    return "its lines do not fit its header"


def _read_ndjson(data: bytes) -> pl.DataFrame:
    if not data.strip():
        raise FileRejected("EMPTY_BATCH", "the file is empty")
    try:
        # Two steps: the first line names the layout, then every value of the layout is read as text.
        names = pl.read_ndjson(io.BytesIO(data.lstrip().split(b"\n", 1)[0])).columns
        found = {_normal_name(name) for name in names}
        layout = ONE_DAY_COLUMNS if "day" in found else PERIOD_COLUMNS
        absent = [name for name in (*layout, OPTIONAL_COLUMN) if name not in found]
        frame = pl.read_ndjson(io.BytesIO(data), schema=dict.fromkeys([*names, *absent], pl.String))
    except PolarsError as error:
        raise FileRejected("BROKEN_FILE", "the NDJSON cannot be read: every line must be one JSON object") from error
    return frame


def _read_parquet(data: bytes) -> pl.DataFrame:
    try:
        return pl.read_parquet(io.BytesIO(data))
    except (PolarsError, OSError) as error:
        raise FileRejected("BROKEN_FILE", "it is not a Parquet file, or it is damaged") from error


def _normal_name(name: str) -> str:
    """Return a column's name in lower case; those of the mutation's fields are understood too."""
    name = name.strip()
    return {"dateFrom": "date_from", "dateTo": "date_to"}.get(name, name.lower())


def _name_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with ITEM_COLUMNS, whichever of the two layouts it came in."""
    names = {name: _normal_name(name) for name in frame.columns}
    found = list(names.values())
    for layout in (ONE_DAY_COLUMNS, PERIOD_COLUMNS):
        if len(set(found)) == len(found) and set(layout) <= set(found) <= {*layout, OPTIONAL_COLUMN}:
            break
    else:
        raise FileRejected(
            "WRONG_COLUMNS",
            f"the columns are {','.join(found)[:200]}; expected {','.join(ONE_DAY_COLUMNS)} or"
            f" {','.join(PERIOD_COLUMNS)}, each with or without {OPTIONAL_COLUMN}",
        )
    frame = frame.rename(names)
    if OPTIONAL_COLUMN not in found:
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
    elif dtype.is_nested() or dtype == pl.Binary:
        raise FileRejected("WRONG_COLUMNS", f"the column {name} holds {dtype}, not plain values")
    else:
        column = column.cast(pl.String)
    return column.str.strip_chars().alias(name)
