"""Reads price files of every format, in one of two layouts, into frames of text.

Only the file as a whole is checked here. `ingest.batches.validation` interprets and validates the values.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

import polars as pl

from domain.batches import FileFormat, Rejection
from domain.file_formats import detect_format
from ingest.errors import FileRejected
from ingest.readers.columns import ONE_DAY_COLUMNS, OPTIONAL_COLUMN, PERIOD_NAMES, find_layout, normal_name
from ingest.readers.csv_file import Rows, read_csv
from ingest.readers.excel.reader import WORKBOOK_READER
from ingest.readers.guarded.reader import GuardedFrame
from ingest.readers.line_blocks import MAX_LINES, read_blocks
from ingest.readers.ndjson import read_ndjson
from ingest.readers.parquet.reader import read_parquet
from ingest.readers.problems import Note, problem_rows

ITEM_COLUMNS = ("origin", "destination", "date_from", "date_to", "price", "currency")
MAX_ITEMS = 100_000_000
"""Items per file: about ten minutes of a worker's time."""


@dataclass(frozen=True, slots=True)
class Slice:
    """Consecutive items of a file, with the fraction of the file read so far (0 to 1).

    The columns of `items` are `item` (numbered from 1 through the whole file) and ITEM_COLUMNS as trimmed text, with empty
    values as null. Without `date_to` an item is valid for one day. `problems` (PROBLEM_SCHEMA) has those of items that could
    not be read; such an item may have values. `note` says how the file is read, if that is not obvious.
    """

    items: pl.DataFrame
    fraction_read: float
    problems: pl.DataFrame = field(default_factory=problem_rows)
    note: Note | None = None


def read_slices(file: BinaryIO, declared: FileFormat | None) -> Iterator[Slice]:
    """Yield the items of the file, at least one, in order and in bounded memory.

    The content decides about the format, and the declared one where the content fits several. Raise FileRejected
    (UNKNOWN_FORMAT, BROKEN_FILE, WRONG_ENCODING, WRONG_COLUMNS, EMPTY_BATCH, TOO_MANY_ITEMS). A problem further down in the
    file is raised when the reader reaches it.
    """
    size = file.seek(0, io.SEEK_END)
    file_format = detect_format(file, declared)
    if isinstance(file_format, Rejection):
        raise FileRejected(file_format.code, file_format.message)
    is_ndjson = file_format in {FileFormat.NDJSON, FileFormat.NDJSON_GZIP}
    empty = True
    for piece in (_read_objects if is_ndjson else _read_table)(file, file_format, size):
        empty = False
        if piece.items["item"][-1] > MAX_ITEMS:
            raise FileRejected("TOO_MANY_ITEMS", f"too many items: limit {MAX_ITEMS:,}; split the file")
        yield piece
    if empty:
        raise FileRejected("EMPTY_BATCH", "the file contains no rows")


def _read_objects(file: BinaryIO, file_format: FileFormat, size: int) -> Iterator[Slice]:
    """Yield the items of an NDJSON file, numbered as lines."""
    blocks = read_blocks(file, gzipped=file_format is FileFormat.NDJSON_GZIP, quoted=False)
    for found in read_ndjson(blocks):
        items = _without_blanks(found.items.with_columns(pl.col(ITEM_COLUMNS).str.strip_chars()))
        yield Slice(items, file.tell() / max(size, 1), found.problems)


def _read_table(file: BinaryIO, file_format: FileFormat, size: int) -> Iterator[Slice]:
    """Yield the items of a file with a header, numbered as rows below it."""
    has_blank_lines = file_format is not FileFormat.PARQUET
    if file_format is FileFormat.PARQUET:
        frames = (_name_rows(part) for part in read_parquet(file, MAX_LINES))
    elif file_format is FileFormat.XLSX:
        frames = (_name_rows(part) for part in WORKBOOK_READER.read(file, MAX_LINES, "prices"))
    else:
        blocks = read_blocks(file, gzipped=file_format is FileFormat.CSV_GZIP, quoted=True)
        frames = ((part, file.tell() / max(size, 1)) for part in read_csv(blocks))
    first, note = 1, None
    for part, fraction in frames:
        items, note = as_items(part.frame, first), part.note or note
        problems = part.problems.with_columns(pl.col("item") + first)
        first += len(items)
        if has_blank_lines and all(items[name].null_count() for name in ITEM_COLUMNS):
            # A blank line of a CSV file or sheet is not an item, but it counts as a line.
            items = items.filter(pl.any_horizontal(pl.col(ITEM_COLUMNS).is_not_null()))
        if len(items):
            yield Slice(items, fraction, problems, note)
            note = None


def _name_rows(part: GuardedFrame) -> tuple[Rows, float]:
    return Rows(part.frame, problem_rows(), part.note), part.fraction_read


def as_items(frame: pl.DataFrame, first: int) -> pl.DataFrame:
    """Return the rows of a file, all of them text, as `Slice.items`, numbered from `first`.

    Raise FileRejected (WRONG_COLUMNS).
    """
    frame = _name_columns(frame).with_row_index("item", offset=first)
    return _without_blanks(frame.select("item", *(pl.col(name).str.strip_chars() for name in ITEM_COLUMNS)))


def _without_blanks(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the items with null for empty values."""
    return frame.with_columns(pl.col(name).replace("", None) for name in ITEM_COLUMNS if (frame[name] == "").any())


def _name_columns(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the frame with ITEM_COLUMNS, from either of the two layouts."""
    layout = find_layout(frame.columns)
    frame = frame.rename(normal_name)
    if OPTIONAL_COLUMN not in frame.columns:
        frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias(OPTIONAL_COLUMN))
    if layout is ONE_DAY_COLUMNS:
        frame = frame.rename(PERIOD_NAMES)
        frame = frame.with_columns(pl.lit(None, dtype=pl.String).alias("date_to"))
    return frame
