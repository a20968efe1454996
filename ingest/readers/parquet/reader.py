"""Parquet files: the guarded reader whose subprocess (`process`) decodes them."""

import io
from collections.abc import Iterator
from typing import BinaryIO

from ingest.errors import FileRejected
from ingest.readers.guarded.reader import GuardedFrame, GuardedReader, run_main

BROKEN = "the Parquet file is damaged, or uses a feature that is not supported; write it again, or as CSV"
ENCRYPTED = "the Parquet file is encrypted; write it without encryption"
MIN_FILE_BYTES = 12
MAGIC, ENCRYPTED_MAGIC = b"PAR1", b"PARE"
"""Last bytes of a file, as the specification of Parquet defines them."""
PARQUET_READER = GuardedReader(
    run_main("ingest.readers.parquet.process"),
    BROKEN,
    {
        # Without these two, polars panics at a type that it lacks, where the column can be named.
        "POLARS_IGNORE_TIMEZONE_PARSE_ERROR": "1",
        "POLARS_IMPORT_INTERVAL_AS_STRUCT": "1",
    },
)


def read_parquet(file: BinaryIO, rows: int) -> Iterator[GuardedFrame]:
    """Yield frames of at most `rows` rows. All values are text.

    Raise FileRejected (BROKEN_FILE, WRONG_COLUMNS, WRONG_ENCODING, TOO_MANY_ITEMS), ReaderEnded.
    """
    _require_end(file)
    yield from PARQUET_READER.read(file, rows)


def _require_end(file: BinaryIO) -> None:
    """Raise FileRejected (BROKEN_FILE) unless the file ends as Parquet does."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(size - len(MAGIC), 0))
    last = file.read()
    if last == ENCRYPTED_MAGIC:
        raise FileRejected("BROKEN_FILE", ENCRYPTED)
    if last != MAGIC or size < MIN_FILE_BYTES:
        raise FileRejected("BROKEN_FILE", "the Parquet file is truncated: its end is missing; send it again")
