"""Reads a file in a subprocess with limits, because a damaged file can crash its decoder.

Decoders of binary formats panic on some damage, which can be caught. Other damage makes them request more memory than there is,
which terminates the process at once. A file of a few kilobytes can also decompress to gigabytes. So the subprocess
(`process`) runs under memory and time limits. It sends frames of plain values, and its exit code shows whether the file
caused a failure.
"""

import contextlib
import io
import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from tempfile import TemporaryFile
from typing import BinaryIO, NamedTuple

import polars as pl

from ingest.errors import FileRejected
from ingest.readers.problems import Note

MESSAGE = struct.Struct(">cdQ")
"""Header of a message.

It holds the kind, the fraction of the file read so far, and the length of the body in bytes.
"""
PIPE_BYTES = 1 << 20
"""Pipe capacity.

It holds much of a slice, so that neither process constantly waits for the other.
"""
FRAME, NOTE, REJECTED, END = b"F", b"N", b"R", b"E"
FATAL = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL, signal.SIGFPE, signal.SIGTRAP, signal.SIGXCPU}
"""Signals that a process causes itself; any other end has an external cause."""


class ReaderEnded(Exception):
    """The subprocess was terminated from outside; reading may be retried."""


class GuardedFrame(NamedTuple):
    """Consecutive rows, with the fraction of the file read so far; the first ones with a note."""

    frame: pl.DataFrame
    fraction_read: float
    note: Note | None


@dataclass(frozen=True, slots=True)
class GuardedReader:
    """Reader of one format.

    Attributes:
        command: Command of the subprocess, without the number of rows and other arguments.
        broken: Description of a damaged file.
        environment: Environment variables of the subprocess, in addition to those of this process.
    """

    command: tuple[str, ...]
    broken: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def read(self, file: BinaryIO, rows: int, *arguments: str) -> Iterator[GuardedFrame]:
        """Yield frames of at most `rows` rows.

        The process receives the arguments too. Raise FileRejected, ReaderEnded.
        """
        note = None
        with _on_disk(file) as source, _run([*self.command, str(rows), *arguments], source, self.environment) as reader:
            pipe = reader.stdout
            assert pipe is not None  # noqa: S101
            while True:
                head = pipe.read(MESSAGE.size)
                kind, fraction, size = MESSAGE.unpack(head) if len(head) == MESSAGE.size else (END, 0.0, -1)
                body = pipe.read(max(size, 0))
                if len(body) != size:
                    raise self._exit_reason(reader.wait())
                if kind == END:
                    return
                if kind == FRAME:
                    yield GuardedFrame(pl.read_ipc_stream(body), fraction, note)
                    note = None
                    continue
                code, _, message = body.decode().partition(" ")
                if kind == REJECTED:
                    raise FileRejected(code, message)
                note = Note(code, message)

    def _exit_reason(self, code: int) -> Exception:
        """Return the exception for the exit code of a subprocess that sent no END message."""
        if -code in FATAL:
            return FileRejected("BROKEN_FILE", f"{self.broken} (reading it exceeded the memory or time limit)")
        return ReaderEnded(f"the reader process ended with code {code}")


def run_main(module: str) -> tuple[str, ...]:
    """Return a command that runs the function `main` of a module."""
    return (sys.executable, "-c", f"from {module} import main; main()")


@contextlib.contextmanager
def _run(command: list[str], source: BinaryIO, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    source.seek(0)
    # In a separate session, Ctrl-C in the terminal reaches only the worker, which decides about the batch.
    with subprocess.Popen(  # noqa: S603
        command,
        stdin=source,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pipesize=PIPE_BYTES,
        env={**os.environ, "POLARS_MAX_THREADS": "2", **environment},
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
            file.seek(0)
            shutil.copyfileobj(file, copy)
            copy.flush()
            yield copy
    else:
        # A file that has just moved from memory to disk may still be in the buffer.
        file.flush()
        yield file
