"""Process of a guarded reader, within limits of memory and time.

The file is its standard input, and it sends frames to its standard output.
"""

import io
import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

import polars as pl

from ingest.errors import FileRejected
from ingest.readers.guarded.reader import END, FRAME, MESSAGE, NOTE, REJECTED
from ingest.readers.problems import Note

SOURCE = "/dev/stdin"
MEMORY_BYTES = 2 << 30
SLICE_CPU_SECONDS = 60
"""Limit on the CPU time to read a slice; a tenth of a second is usual."""
MAX_SLICE_TEXT_BYTES = 64 << 20
"""Limit on the text of a slice: 268 bytes per item, where 50 are usual."""

Frames = Iterator[Note | tuple[pl.DataFrame, float]]
"""Frames, each with the fraction of the file read so far, and before them a note about the file if there is one."""


def run(read_frames: Callable[[int, int], Frames], describe_error: Callable[[BaseException], FileRejected]) -> None:
    """Write the frames of the file, and finish with the outcome as the last message.

    `read_frames` receives the size of the file and the number of rows per frame, the first argument of the process. No error is
    temporary, because the file is on disk and is read again alike: `describe_error` returns the rejection for any of them.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        # The parent process terminates this one after it has decided about the batch.
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    # One buffer for all frames: new memory costs more than what is written to it.
    out, buffer = sys.stdout.buffer, io.BytesIO()
    try:
        for part in read_frames(os.fstat(0).st_size, int(sys.argv[1])):
            if isinstance(part, Note):
                _send(out, NOTE, 0.0, " ".join(part).encode())
                continue
            frame, fraction = part
            buffer.seek(0)
            frame.write_ipc_stream(buffer)
            with buffer.getbuffer() as body:
                _send(out, FRAME, fraction, body[: buffer.tell()])
    except BaseException as error:
        # A panic of a decoder in Rust is not an Exception.
        rejected = error if isinstance(error, FileRejected) else describe_error(error)
        _send(out, REJECTED, 1.0, f"{rejected.code} {rejected.message}".encode())
    else:
        _send(out, END, 1.0, b"")


def _send(out: BinaryIO, kind: bytes, fraction: float, body: bytes | memoryview) -> None:
    out.write(MESSAGE.pack(kind, fraction, len(body)))
    out.write(body)
    out.flush()


def limit_time() -> None:
    """Set the CPU limit of the next step; the kernel terminates a process that exceeds it."""
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time()) + SLICE_CPU_SECONDS, hard))


def require_short_text(size: int, first: int, last: int) -> None:
    """Raise FileRejected if the texts of the rows `first` to `last` have too many bytes."""
    if size > MAX_SLICE_TEXT_BYTES:
        message = f"rows {first} to {last} contain more than {MAX_SLICE_TEXT_BYTES >> 20} MiB of text"
        raise FileRejected("BROKEN_FILE", message)
