"""Cuts the text of a file into blocks of whole lines, so that a file of any size is read in bounded memory.

A gzip file is unpacked on the way, and every block is UTF-8. What a line says is for `ingest.files`.
"""

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ingest.errors import FileRejected

BLOCK_BYTES = 8 << 20
MAX_LINES = 250_000
"""Lines of one block: a block of very short lines would become a frame many times its size."""
MAX_LINE_BYTES = 1 << 20
MAX_TEXT_BYTES = 8 << 30
"""What a gzip file may unpack to: as text, some hundred million items."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a text, and the number of the first one in the file, from 1."""

    data: bytes
    first_line: int


def read_blocks(file: BinaryIO, *, gzipped: bool, quoted: bool) -> Iterator[Block]:
    """Yield the text of the file in order. Where lines may be `quoted`, a newline between quotes ends none.

    Raise FileRejected (BROKEN_FILE, WRONG_ENCODING) when the file turns out to be damaged, which may be at its end.
    """
    text = gzip.GzipFile(fileobj=file, mode="rb") if gzipped else file
    rest, line, total = b"", 1, 0
    while chunk := _read(text):
        total += len(chunk)
        if total > MAX_TEXT_BYTES:
            raise FileRejected("BROKEN_FILE", f"it unpacks to more than {MAX_TEXT_BYTES >> 30} GiB: split it")
        data = rest + chunk
        ends = _line_ends(data, quoted=quoted)
        start = 0
        for last in range(MAX_LINES - 1, len(ends) + MAX_LINES - 1, MAX_LINES):
            stop = int(ends[min(last, len(ends) - 1)])
            block = Block(data[start:stop], line)
            _require_short_lines(block, ends[last + 1 - MAX_LINES : last + 1] - start)
            _require_utf8(block)
            yield block
            line += block.data.count(b"\n")
            start = stop
        rest = data[start:]
        if len(rest) > MAX_LINE_BYTES:
            raise _too_long(line, rest)
    if rest:
        block = Block(rest, line)
        _require_utf8(block)
        yield block


def _read(text: BinaryIO | gzip.GzipFile) -> bytes:
    try:
        return text.read(BLOCK_BYTES)
    except EOFError as error:
        raise FileRejected("BROKEN_FILE", "the gzip data ends too early: the file was cut off") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise FileRejected("BROKEN_FILE", "it is not a gzip file, or it is damaged") from error


def _line_ends(data: bytes, *, quoted: bool) -> npt.NDArray[np.int64]:
    """Return where lines end, each behind its newline."""
    characters = np.frombuffer(data, dtype=np.uint8)
    ends = np.flatnonzero(characters == ord("\n")) + 1
    if quoted and b'"' in data:
        quotes = np.flatnonzero(characters == ord('"'))
        ends = ends[np.searchsorted(quotes, ends) % 2 == 0]
    return ends


def _require_short_lines(block: Block, ends: npt.NDArray[np.int64]) -> None:
    lengths = np.diff(ends, prepend=0)
    longest = int(lengths.argmax())
    if lengths[longest] > MAX_LINE_BYTES:
        start = int(ends[longest] - lengths[longest])
        raise _too_long(block.first_line + block.data.count(b"\n", 0, start), block.data[start:])


def _too_long(line: int, data: bytes) -> FileRejected:
    if b"\n" in data[:MAX_LINE_BYTES]:
        return FileRejected("BROKEN_FILE", f"line {line} has a quote that does not close")
    return FileRejected("BROKEN_FILE", f"line {line} is longer than {MAX_LINE_BYTES >> 20} MiB")


def _require_utf8(block: Block) -> None:
    if block.data.isascii():
        return
    try:
        block.data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = block.first_line + block.data.count(b"\n", 0, error.start)
        raise FileRejected("WRONG_ENCODING", f"line {line} is not UTF-8: save the file as UTF-8") from error
