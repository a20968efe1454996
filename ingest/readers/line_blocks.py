"""Cuts the text of a file into blocks of whole lines, so that a file of any size is read in bounded memory.

A gzip file is unpacked on the way, and every block is UTF-8. What a line says is for `ingest.readers.price_file`.
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
MAX_EXPANSION = 200
"""How many times its size gzip data may unpack to: prices come to some ten times, equal lines to a thousand."""
ALWAYS_TEXT_BYTES = 4 << 20
"""So much text is taken from any gzip file."""


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a text, and the number of the first one in the file, from 1."""

    data: bytes
    first_line: int


def read_blocks(file: BinaryIO, *, gzipped: bool, quoted: bool) -> Iterator[Block]:
    """Yield the text of the file in order. Where lines may be `quoted`, a newline between quotes ends none.

    Raise FileRejected (BROKEN_FILE, WRONG_ENCODING) when the file turns out to be damaged, which may be at its end.
    """
    text = gzip.GzipFile(fileobj=_SmallReads(file), mode="rb") if gzipped else file  # type: ignore[call-overload]
    rest, line, total = b"", 1, 0
    while chunk := _read(text):
        total += len(chunk)
        if total > MAX_TEXT_BYTES:
            raise FileRejected("BROKEN_FILE", f"it unpacks to more than {MAX_TEXT_BYTES >> 30} GiB: split it")
        if total > max(ALWAYS_TEXT_BYTES, MAX_EXPANSION * file.tell()):
            message = (
                f"it unpacks to more than {MAX_EXPANSION} times its size: no file of prices repeats itself so much"
            )
            raise FileRejected("BROKEN_FILE", message)
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


class _SmallReads:
    """A file that is read a little at a time, so that its position tells how much the text so far was unpacked from."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        """Return up to 8 KiB."""
        return self._file.read(min(size, 8 << 10))


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
    if (nul := block.data.find(b"\0")) >= 0:
        # No text has one, but UTF-16 is full of them.
        line = block.first_line + block.data.count(b"\n", 0, nul)
        raise FileRejected("WRONG_ENCODING", f"line {line} holds NUL characters: save the file as UTF-8")
    if block.data.isascii():
        return
    try:
        block.data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = block.first_line + block.data.count(b"\n", 0, error.start)
        raise FileRejected("WRONG_ENCODING", f"line {line} is not UTF-8: save the file as UTF-8") from error
