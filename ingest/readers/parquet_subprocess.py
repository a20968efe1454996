"""The process that reads a Parquet file for `parquet`: from its standard input, as frames to its standard output."""

import io
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from typing import BinaryIO

import polars as pl
from polars.exceptions import PanicException, PolarsError

from ingest.errors import FileRejected
from ingest.readers.parquet import BROKEN, END, FRAME, MESSAGE, REJECTED
from ingest.readers.price_file import MAX_ITEMS, as_items

MEMORY_BYTES = 2 << 30
SLICE_CPU_SECONDS = 60
"""What reading a slice may take; a tenth of a second is usual."""
MAX_SLICE_TEXT_BYTES = 64 << 20
"""What the text of a slice may come to: 268 bytes an item, where 50 are usual."""
MAX_ITEMS_PER_BYTE = 100
"""A file of more items is made of repetition: prices need a bit each, at the very least."""
ALWAYS_ITEMS = 1_000_000
"""So many items are taken from any file."""


def main() -> None:
    """Read the file and say how it went."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # Whoever started this process ends it, after what is in hand has been decided.
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    out = sys.stdout.buffer
    try:
        for frame, part in read_frames("/dev/stdin", os.fstat(0).st_size, rows=int(sys.argv[1])):
            buffer = io.BytesIO()
            frame.write_ipc_stream(buffer)
            _send(out, FRAME, part, buffer.getbuffer())
    except FileRejected as error:
        _send(out, REJECTED, 1.0, f"{error.code} {error.message}".encode())
    except (PolarsError, PanicException, OSError, MemoryError):
        _send(out, REJECTED, 1.0, f"BROKEN_FILE {BROKEN}".encode())
    else:
        _send(out, END, 1.0, b"")


def _send(out: BinaryIO, kind: bytes, part: float, body: bytes | memoryview) -> None:
    out.write(MESSAGE.pack(kind, part, len(body)))
    out.write(body)
    out.flush()


def read_frames(path: str, size: int, *, rows: int) -> Iterator[tuple[pl.DataFrame, float]]:
    """Yield so many rows of the file at a time, and the part of it that has been read.

    Raise FileRejected, and PolarsError or PanicException on what cannot be decoded.
    """
    _limit_time()
    scan = pl.scan_parquet(path, glob=False)
    # The columns are judged before anything is read.
    as_items(scan.collect_schema().to_frame(), 1)
    items = scan.select(pl.len()).collect().item()
    if items > MAX_ITEMS:
        raise FileRejected("TOO_MANY_ITEMS", f"{items} items; at most {MAX_ITEMS} are taken at once: split the file")
    if items > max(ALWAYS_ITEMS, MAX_ITEMS_PER_BYTE * size):
        raise FileRejected("BROKEN_FILE", f"{items} items in {size} bytes: no file of prices repeats itself so much")
    for start in range(0, items, rows):
        _limit_time()
        frame = scan.slice(start, rows).with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String)).collect()
        last = start + len(frame)
        text = frame.select(pl.sum_horizontal(pl.lit(0), pl.col(pl.String).str.len_bytes().sum())).item()
        if text > MAX_SLICE_TEXT_BYTES:
            raise FileRejected(
                "BROKEN_FILE", f"rows {start + 1} to {last} hold more than {MAX_SLICE_TEXT_BYTES >> 20} MiB of text"
            )
        yield frame, last / items


def _limit_time() -> None:
    """Let the system end this process when the next step takes too long."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + SLICE_CPU_SECONDS, hard))
