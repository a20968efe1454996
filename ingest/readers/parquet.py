"""Reads Parquet in a subprocess, because a damaged file can crash its reader.

The decoder panics on some damage, which can be caught. Other damage makes it request more memory than there is, which
terminates its process at once. A file of a few kilobytes can also decompress to gigabytes. So the subprocess
(`parquet_subprocess`) runs under memory and time limits. It sends frames of plain values, and its exit code shows whether the
file caused a failure.
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
"""Header of a message.

It holds the kind, the fraction of the file read so far, and the length of the body in bytes.
"""
PIPE_BYTES = 1 << 20
"""Pipe capacity.

It holds much of a slice, so that neither process constantly waits for the other.
"""
FRAME, REJECTED, END = b"F", b"R", b"E"
BROKEN = "not a Parquet file, or damaged"
FATAL = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGXCPU}
"""Signals that a process causes itself; any other end has an external cause."""


class ReaderEnded(Exception):
    """The Parquet subprocess was terminated from outside; reading may be retried."""


def read_parquet(file: BinaryIO, rows: int) -> Iterator[tuple[pl.DataFrame, float]]:
    """Yield frames of at most `rows` rows, each with the fraction of the file read so far.

    Raise FileRejected (BROKEN_FILE, WRONG_COLUMNS, TOO_MANY_ITEMS), ReaderEnded.
    """
    with _on_disk(file) as source, _reader(source, rows) as reader:
        pipe = reader.stdout
        assert pipe is not None  # noqa: S101
        while True:
            head = pipe.read(MESSAGE.size)
            kind, fraction, size = MESSAGE.unpack(head) if len(head) == MESSAGE.size else (END, 0.0, -1)
            body = pipe.read(max(size, 0))
            if len(body) != size:
                raise _exit_reason(reader.wait())
            if kind == END:
                return
            if kind == REJECTED:
                code, _, message = body.decode().partition(" ")
                raise FileRejected(code, message)
            yield pl.read_ipc_stream(body), fraction


@contextlib.contextmanager
def _reader(source: BinaryIO, rows: int) -> Iterator[subprocess.Popen[bytes]]:
    source.seek(0)
    # In a separate session, Ctrl-C in the terminal reaches only the worker, which decides about the batch.
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
    """Yield the file, or a copy on disk if another process cannot read it."""
    try:
        file.fileno()
    except io.UnsupportedOperation:
        with TemporaryFile(prefix="ratesgraph-") as copy:
            shutil.copyfileobj(file, copy)
            yield copy
    else:
        yield file


def _exit_reason(code: int) -> Exception:
    """Return the exception for the exit code of a subprocess that sent no END message."""
    if -code in FATAL:
        return FileRejected("BROKEN_FILE", f"{BROKEN}: reading it exceeded the memory or time limit")
    return ReaderEnded(f"the Parquet subprocess ended with code {code}")
