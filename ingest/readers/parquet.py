"""Reads Parquet in a process of its own, because a damaged file can end the process that reads it.

The decoder panics on some damage, which can be caught; other damage makes it ask for more memory than there is, which ends
its process at once. A file of a few kilobytes can also unpack to gigabytes. So the other process, `parquet_subprocess`, has
limits of memory and time; it sends frames of plain values, and how it ended tells whether the file was the cause.
"""

import contextlib
import io
import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from tempfile import TemporaryFile
from typing import BinaryIO

import polars as pl

from ingest.errors import FileRejected

COMMAND = (sys.executable, "-c", "from ingest.readers.parquet_subprocess import main; main()")
MESSAGE = struct.Struct(">cdQ")
"""Before each message: what it is, the part of the file that has been read with it, and the bytes that follow."""
PIPE_BYTES = 1 << 20
"""Room for much of a slice, so that neither process waits for the other all the time."""
FRAME, REJECTED, END = b"F", b"R", b"E"
BROKEN = "it is not a Parquet file, or it is damaged"
FATAL = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGXCPU}
"""How a process ends that its own work has ended; any other end is somebody else's doing."""


class ReaderEnded(Exception):
    """The process that reads a Parquet file was ended from outside. Try again."""


def read_parquet(file: BinaryIO, rows: int) -> Iterator[tuple[pl.DataFrame, float]]:
    """Yield frames of so many rows at most, and the part of the file that has been read with each.

    Raise FileRejected (BROKEN_FILE, WRONG_COLUMNS, TOO_MANY_ITEMS), ReaderEnded.
    """
    with _on_disk(file) as source, _reader(source, rows) as reader:
        pipe = reader.stdout
        assert pipe is not None  # noqa: S101
        while True:
            head = pipe.read(MESSAGE.size)
            kind, part, size = MESSAGE.unpack(head) if len(head) == MESSAGE.size else (END, 0.0, -1)
            body = pipe.read(max(size, 0))
            if len(body) != size:
                raise _exit_reason(reader.wait())
            if kind == END:
                return
            if kind == REJECTED:
                code, _, message = body.decode().partition(" ")
                raise FileRejected(code, message)
            yield pl.read_ipc_stream(body), part


@contextlib.contextmanager
def _reader(source: BinaryIO, rows: int) -> Iterator[subprocess.Popen[bytes]]:
    source.seek(0)
    # A session of its own: Ctrl-C in the terminal reaches the worker, which decides what becomes of the batch.
    with subprocess.Popen(  # noqa: S603
        [*COMMAND, str(rows)],
        stdin=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pipesize=PIPE_BYTES,
        env={**os.environ, "POLARS_MAX_THREADS": "2"},
        start_new_session=True,
    ) as reader:
        try:
            yield reader
        finally:
            reader.kill()


@contextlib.contextmanager
def _on_disk(file: BinaryIO) -> Iterator[BinaryIO]:
    """Yield the file, or a copy that another process can read."""
    try:
        file.fileno()
    except io.UnsupportedOperation:
        with TemporaryFile(prefix="ratesgraph-") as copy:
            shutil.copyfileobj(file, copy)
            yield copy
    else:
        yield file


def _exit_reason(code: int) -> Exception:
    if -code in FATAL:
        return FileRejected("BROKEN_FILE", f"{BROKEN}: reading it takes more memory or time than any file of prices")
    return ReaderEnded(f"the process that reads Parquet ended with code {code}")
