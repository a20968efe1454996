"""Splits a text file of any size into blocks of whole lines, in bounded memory.

gzip files are decompressed on the fly. `ingest.readers.csv_file` and `ingest.readers.ndjson` parse the lines.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from ingest.errors import FileRejected
from ingest.readers.csv_dialect import OPEN_QUOTE, unify_line_ends
from ingest.readers.text_chunks import read_chunks

BLOCK_BYTES = 8 << 20
MAX_LINES = 250_000
"""Maximum number of lines per block.

A block of very short lines would otherwise become a frame many times its size.
"""
MAX_LINE_BYTES = 1 << 20
MAX_TEXT_BYTES = 8 << 30
"""Limit on the decompressed size of a gzip file: some hundred million items."""
MAX_COMPRESSION_RATIO = 200
"""Limit on the compression ratio of gzip data.

Prices reach about ten, equal lines a thousand.
"""
MIN_TEXT_LIMIT_BYTES = 4 << 20
"""The compression ratio is not checked up to this decompressed size."""
ADVICE = "save the file as UTF-8 (Excel: CSV UTF-8)"


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a text, and the number of the first line in the file, from 1."""

    data: bytes
    first_line: int


def read_blocks(file: BinaryIO, *, gzipped: bool, quoted: bool) -> Iterator[Block]:
    """Yield the text of the file in order.

    A CR alone ends a line too. With `quoted`, a newline between quotes does not end a line, and every block is valid UTF-8.
    Raise FileRejected (BROKEN_FILE, WRONG_ENCODING) if the file is damaged; damage may show only at its end.
    """
    rest, line, total = b"", 1, 0
    chunks = read_chunks(file, gzipped=gzipped, size=BLOCK_BYTES)
    for chunk in unify_line_ends(chunks):
        total += len(chunk)
        if total > MAX_TEXT_BYTES:
            raise FileRejected("BROKEN_FILE", f"decompressed size exceeds {MAX_TEXT_BYTES >> 30} GiB; split the file")
        if total > max(MIN_TEXT_LIMIT_BYTES, MAX_COMPRESSION_RATIO * file.tell()):
            message = f"compression ratio exceeds {MAX_COMPRESSION_RATIO}:1 (possible decompression bomb); decompress the file"
            raise FileRejected("BROKEN_FILE", message)
        data = rest + chunk
        ends = _line_ends(data, quoted=quoted)
        start = 0
        for last in range(MAX_LINES - 1, len(ends) + MAX_LINES - 1, MAX_LINES):
            stop = int(ends[min(last, len(ends) - 1)])
            block = Block(data[start:stop], line)
            _require_short_lines(block, ends[last + 1 - MAX_LINES : last + 1] - start)
            if quoted:
                _require_utf8(block)
            yield block
            line += block.data.count(b"\n")
            start = stop
        rest = data[start:]
        if len(rest) > MAX_LINE_BYTES:
            raise _line_error(line, rest)
    if rest:
        block = Block(rest, line)
        if quoted:
            _require_utf8(block)
        yield block


def _line_ends(data: bytes, *, quoted: bool) -> npt.NDArray[np.int64]:
    """Return the positions after the newlines that end a line."""
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
        raise _line_error(block.first_line + block.data.count(b"\n", 0, start), block.data[start:])


def _line_error(line: int, data: bytes) -> FileRejected:
    if b"\n" in data[:MAX_LINE_BYTES]:
        return FileRejected("BROKEN_FILE", f"line {line}: {OPEN_QUOTE}")
    return FileRejected(
        "BROKEN_FILE", f"line {line} is longer than {MAX_LINE_BYTES >> 20} MiB; write one price per line"
    )


def _require_utf8(block: Block) -> None:
    if (nul := block.data.find(b"\0")) >= 0:
        # Text contains no NUL, but UTF-16 is full of them.
        line = block.first_line + block.data.count(b"\n", 0, nul)
        raise FileRejected("WRONG_ENCODING", f"line {line} contains NUL characters, as UTF-16 does; {ADVICE}")
    if block.data.isascii():
        return
    try:
        block.data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = block.first_line + block.data.count(b"\n", 0, error.start)
        byte = block.data[error.start : error.start + 1]
        found = f"byte 0x{byte.hex().upper()}, {byte.decode('cp1252', 'replace')!r} in Windows-1252"
        raise FileRejected("WRONG_ENCODING", f"line {line} is not valid UTF-8 ({found}); {ADVICE}") from error
