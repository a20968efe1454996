"""Recognition of the dialects of CSV that spreadsheets write. The header decides.

A dialect is the separator of the fields, the ends of the lines, and the lines before the header. These are blank ones,
comments, and the line `sep=;` that Excel reads. RFC 4180 defines none of them.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ingest.errors import FileRejected
from ingest.readers.columns import PRICES, Layouts, find_layout, normal_name

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
MAX_HEADER_BYTES = 4_096
"""Longer than any valid header."""
OPEN_QUOTE = "unterminated quote; close it, or write a quote inside a quoted value twice"
MAX_COLUMNS = 32
"""Columns of a file, those without values included.

The parser allocates 16 bytes per line for each column, however short the lines are.
"""
MAX_PREAMBLE_LINES = 100
"""Maximum number of comments before the header."""
PART_BYTES = 256 << 10
CONTENT = re.compile(rb"[^ \t\r\n,;|]")
"""Content of a line: spreadsheets write the separators of blank lines too."""
SEPARATOR_LINE = re.compile(rb'"?sep=[,;\t|]"?[,;\t|]*\s*', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Header:
    """Header of a CSV file.

    Attributes:
        separator: The character between two fields.
        columns: The names of the fields as `normal_name` returns them.
        known: Those of the names that belong to a layout. All other columns must be empty.
        lines: Number of lines up to the header, itself included.
        size: Number of bytes of these lines.
    """

    separator: str
    columns: tuple[str, ...]
    known: tuple[str, ...]
    lines: int
    size: int

    def describe(self) -> str | None:
        """Return how the fields are separated, unless by commas, and what follows from it."""
        if self.separator == ",":
            return None
        words = f"the fields are separated by {SEPARATORS[self.separator]}"
        if self.separator == ";":
            return f"{words}, so a comma in a price is its decimal separator (1450,50 is 1450.50)"
        return words


def unify_line_ends(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the chunks of a text with LF for a CR alone, which ends lines in classic Mac OS.

    CRLF stays as it is.
    """
    held = b""
    for chunk in chunks:
        text = held + chunk if held else chunk
        is_mixed = b"\r" in text and _has_lone_returns(text)
        held = b"\r" if text.endswith(b"\r") else b""
        # The LF that belongs to a last CR is in the next chunk.
        text = text[:-1] if held else text
        yield text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if is_mixed else text
    if held:
        yield b"\n"


def _has_lone_returns(text: bytes) -> bool:
    """Return whether a CR stands before another character than LF.

    It takes 0.7 ms for 8 MiB, in parts that fit into the processor's cache, and a regular expression four times as long.
    """
    characters = np.frombuffer(text, dtype=np.uint8)
    parts = (characters[start : start + PART_BYTES + 1] for start in range(0, len(characters), PART_BYTES))
    return any(np.any((part[:-1] == ord("\r")) & (part[1:] != ord("\n"))) for part in parts)


def parse_header(data: bytes, layouts: Layouts = PRICES) -> Header | None:
    """Return the header of a text that begins a file, or None if the text is blank.

    Raise FileRejected (WRONG_COLUMNS, BROKEN_FILE).
    """
    start = _skip_preamble(data)
    if start == len(data):
        return None
    text = data[start : start + MAX_HEADER_BYTES].decode(errors="replace")
    first_line = data.count(b"\n", 0, start) + 1
    records = {separator: _read_record(text, separator) for separator in SEPARATORS}
    # The separator with the most known columns; commas if there is none.
    separator = max(records, key=lambda sign: (len({*records[sign][0]} & layouts.columns), len(records[sign][0])))
    names, lines = records[separator]
    stop = start
    for _ in range(lines):
        stop = data.find(b"\n", stop) + 1 or len(data)
    known = tuple(name for name in names if name in layouts.columns)
    header = Header(separator, tuple(names), known, first_line + lines - 1, stop)
    if data.count(b'"', start, stop) % 2:
        raise FileRejected("BROKEN_FILE", f"line {first_line}: {OPEN_QUOTE}")
    _require_layout(header, first_line, layouts)
    if len(names) > MAX_COLUMNS or stop - start > MAX_HEADER_BYTES:
        message = (
            f"line {first_line}: the header has {len(names)} columns or more, limit {MAX_COLUMNS}; remove the others"
        )
        raise FileRejected("WRONG_COLUMNS", message)
    return header


def _skip_preamble(data: bytes) -> int:
    """Return the position of the header's first line, or the length of a text without one."""
    position = 0
    for _ in range(MAX_PREAMBLE_LINES):
        content = CONTENT.search(data, position)
        if content is None:
            return len(data)
        position = max(position, data.rfind(b"\n", position, content.start()) + 1)
        stop = data.find(b"\n", position) + 1 or len(data)
        if not SEPARATOR_LINE.fullmatch(data, position, stop) and data[content.start()] != ord("#"):
            break
        position = stop
    return position


def _read_record(text: str, separator: str) -> tuple[list[str], int]:
    """Return the first record's column names, and its number of lines, which quotes may contain."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    return [normal_name(name) for name in next(reader)], reader.line_num


def _require_layout(header: Header, line: int, layouts: Layouts) -> None:
    """Raise FileRejected (WRONG_COLUMNS) unless the known columns are those of a layout."""
    try:
        find_layout(header.known, layouts)
    except FileRejected:
        pass
    else:
        return
    try:
        find_layout(header.columns, layouts)
    except FileRejected as error:
        where = f"line {line}: " if line > 1 else ""
        raise FileRejected(error.code, where + error.message + _advise(header.columns)) from error


def _advise(columns: Sequence[str]) -> str:
    """Return the advice for a header that is a single field."""
    if len(columns) > 1:
        return ""
    if any(separator in columns[0] for separator in SEPARATORS):
        return "; quote each field, not the whole line"
    return f"; separate the columns by {', '.join(SEPARATORS.values())}"
