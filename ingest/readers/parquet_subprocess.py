"""Subprocess of `parquet`: file on standard input, frames on standard output."""

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
"""Limit on the CPU time to read a slice; a tenth of a second is usual."""
MAX_SLICE_TEXT_BYTES = 64 << 20
"""Limit on the text of a slice: 268 bytes per item, where 50 are usual."""
MAX_ITEMS_PER_BYTE = 100
"""Maximum number of items per byte of the file.

A file with more items consists of repetition, because a price needs at least one bit.
"""
MIN_ITEM_LIMIT = 1_000_000
"""Number of items up to which MAX_ITEMS_PER_BYTE is not checked."""


def main() -> None:
    """Read the file, write its frames, and finish with the outcome as the last message."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # The parent process terminates this one after it has decided about the batch.
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    out = sys.stdout.buffer
    try:
        for frame, fraction in read_frames("/dev/stdin", os.fstat(0).st_size, rows=int(sys.argv[1])):
            buffer = io.BytesIO()
            frame.write_ipc_stream(buffer)
            _send(out, FRAME, fraction, buffer.getbuffer())
    except FileRejected as error:
        _send(out, REJECTED, 1.0, f"{error.code} {error.message}".encode())
    except (PolarsError, PanicException, OSError, MemoryError):
        _send(out, REJECTED, 1.0, f"BROKEN_FILE {BROKEN}".encode())
    else:
        _send(out, END, 1.0, b"")


def _send(out: BinaryIO, kind: bytes, fraction: float, body: bytes | memoryview) -> None:
    out.write(MESSAGE.pack(kind, fraction, len(body)))
    out.write(body)
    out.flush()


def read_frames(path: str, size: int, *, rows: int) -> Iterator[tuple[pl.DataFrame, float]]:
    """Yield `rows` rows of the file at a time, each with the fraction of the file read so far.

    Raise FileRejected, and PolarsError or PanicException for data that cannot be decoded.
    """
    _limit_time()
    scan = pl.scan_parquet(path, glob=False)
    # Check the columns before any data is read.
    as_items(scan.collect_schema().to_frame(), 1)
    items = scan.select(pl.len()).collect().item()
    if items > MAX_ITEMS:
        raise FileRejected("TOO_MANY_ITEMS", f"too many items: {items:,}, limit {MAX_ITEMS:,}; split the file")
    if items > max(MIN_ITEM_LIMIT, MAX_ITEMS_PER_BYTE * size):
        message = (
            f"{items} items in {size} bytes: more than {MAX_ITEMS_PER_BYTE} per byte (possible decompression bomb)"
        )
        raise FileRejected("BROKEN_FILE", message)
    for start in range(0, items, rows):
        _limit_time()
        frame = scan.slice(start, rows).with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String)).collect()
        last = start + len(frame)
        text = frame.select(pl.sum_horizontal(pl.lit(0), pl.col(pl.String).str.len_bytes().sum())).item()
        if text > MAX_SLICE_TEXT_BYTES:
            message = f"rows {start + 1} to {last} contain more than {MAX_SLICE_TEXT_BYTES >> 20} MiB of text"
            raise FileRejected("BROKEN_FILE", message)
        yield frame, last / items


def _limit_time() -> None:
    """Set the CPU limit of the next step; the kernel terminates a process that exceeds it."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + SLICE_CPU_SECONDS, hard))
