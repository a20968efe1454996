"""Subprocess of `reader`: reads a Parquet file as frames of text."""

import re
from collections.abc import Iterator

import polars as pl
from polars.exceptions import DuplicateError

from ingest.errors import FileRejected
from ingest.readers.guarded.process import SOURCE, limit_time, require_short_text, run
from ingest.readers.parquet.columns import count_text_bytes, select_columns, to_text
from ingest.readers.parquet.reader import BROKEN, ENCRYPTED
from ingest.readers.price_file import MAX_ITEMS

MAX_ITEMS_PER_BYTE = 100
"""Maximum number of items per byte of the file.

A file with more items consists of repetition, because a price needs at least one bit.
"""
MIN_ITEM_LIMIT = 1_000_000
"""Number of items up to which MAX_ITEMS_PER_BYTE is not checked."""


def main() -> None:
    """Read the file on standard input and write its frames to standard output."""
    run(read_frames, describe_error)


def describe_error(error: BaseException) -> FileRejected:
    """Return the rejection of a file whose reading ended with the error."""
    text = str(error)
    match error:
        case DuplicateError():
            name = re.search(r"'(.*)'", text)
            return FileRejected(
                "WRONG_COLUMNS", f"repeated column {name[1]}; remove it" if name else "repeated columns; remove them"
            )
    # polars has one type for all damage. Without this wording, the description is less exact.
    if "Encryption error" in text:
        return FileRejected("BROKEN_FILE", ENCRYPTED)
    if "invalid UTF-8" in text:
        return FileRejected("WRONG_ENCODING", "a text in the file is not valid UTF-8; write it as UTF-8")
    return FileRejected("BROKEN_FILE", BROKEN)


def read_frames(size: int, rows: int) -> Iterator[tuple[pl.DataFrame, float]]:
    """Yield `rows` rows of the file at a time, each with the fraction of the file read so far.

    All values are text. Raise FileRejected, and any error of polars for data that cannot be decoded.
    """
    limit_time()
    file = pl.scan_parquet(SOURCE, glob=False)
    # Check the columns before any data is read.
    scan = file.select(select_columns(file.collect_schema()))
    items = file.select(pl.len()).collect().item()
    if items > MAX_ITEMS:
        raise FileRejected("TOO_MANY_ITEMS", f"too many items: {items:,}, limit {MAX_ITEMS:,}; split the file")
    if items > max(MIN_ITEM_LIMIT, MAX_ITEMS_PER_BYTE * size):
        message = (
            f"{items} items in {size} bytes: more than {MAX_ITEMS_PER_BYTE} per byte (possible decompression bomb);"
            " write it as CSV"
        )
        raise FileRejected("BROKEN_FILE", message)
    _require_rows(scan, items)
    for start in range(0, items, rows):
        limit_time()
        frame = scan.slice(start, rows).collect()
        last = start + len(frame)
        if last < min(start + rows, items):
            raise FileRejected(
                "BROKEN_FILE", f"the Parquet file is damaged: row {last + 1} of {items} is missing; write it again"
            )
        require_short_text(count_text_bytes(frame), start + 1, last)
        yield to_text(frame), last / items


def _require_rows(scan: pl.LazyFrame, items: int) -> None:
    """Raise FileRejected (BROKEN_FILE) unless the row groups have as many rows as the file.

    Rows beyond those that the file announces would not be read. Numbering the rows reads no values.
    """
    last = (
        scan.with_row_index("number", offset=1).select(pl.col("number").max()).collect(engine="streaming").item() or 0
    )
    if last != items:
        message = (
            f"the Parquet file is damaged: it announces {items} rows, and its row groups have {last}; write it again"
        )
        raise FileRejected("BROKEN_FILE", message)
