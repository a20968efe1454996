"""Reader of the rows of a CSV file: polars, or the csv module where polars is not exact.

The module csv is ten times as slow, but knows the line of each row. It reads the blocks in which polars finds an error or
rows of too few fields, and those with texts that polars would return with their quotes.
"""

import csv
import io
import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl
from polars.exceptions import PanicException, PolarsError

from ingest.errors import FileRejected
from ingest.readers.columns import FIELDS, KNOWN_COLUMNS, OPTIONAL_COLUMN, find_layout
from ingest.readers.csv_dialect import MAX_COLUMNS, OPEN_QUOTE, SEPARATORS, Header, parse_header
from ingest.readers.decimal_commas import read_decimal_commas
from ingest.readers.line_blocks import Block
from ingest.readers.problems import Note, Problem, problem_rows

FILLED_COLUMNS = KNOWN_COLUMNS - {"date_to", OPTIONAL_COLUMN}
"""Columns in which a field may not be empty.

A row may end before the others: Excel omits the last separators of rows whose last cells are empty.
"""
MAX_DESCRIBED_BLOCKS = 8
"""Number of blocks read exactly in order to describe rows of too few fields. Further ones are just missing a value."""
BROKEN = "BROKEN_FILE"
CUT_OFF = "; the file may be cut off (end it with a newline if it is complete)"
PART_BYTES = 256 << 10
"""Size of the parts in which quotes are checked: they fit into the processor's cache."""


class Rows(NamedTuple):
    """Consecutive rows of a file.

    Attributes:
        frame: The values by column.
        problems: PROBLEM_SCHEMA, with items counted from 0 within the rows.
        note: How the file is read, if that is not obvious; with its first rows only.
    """

    frame: pl.DataFrame
    problems: pl.DataFrame
    note: Note | None = None


def read_csv(blocks: Iterator[Block]) -> Iterator[Rows]:
    """Yield the rows of the blocks, a blank line as a row of nulls.

    The first ones carry the note about a dialect other than RFC 4180. Raise FileRejected.
    """
    table = None
    for block in blocks:
        if table is not None:
            yield table.read(block)
        elif (header := parse_header(block.data)) is not None:
            table = Table(header)
            rows = table.read(Block(block.data[header.size :], block.first_line + header.lines))
            dialect = header.describe()
            yield rows._replace(note=None if dialect is None else Note("CSV_DIALECT", dialect))


class Table:
    """Reader of the lines below a header."""

    def __init__(self, header: Header) -> None:
        self._header = header
        self._names = [
            name if name in KNOWN_COLUMNS else f"column {number}" for number, name in enumerate(header.columns, start=1)
        ]
        """Names of all columns in the frame. A column that belongs to no layout is called after its position."""
        self._required_fields = 1 + max(
            position for position, name in enumerate(header.columns) if name in KNOWN_COLUMNS
        )
        self._last_filled = next(name for name in reversed(header.columns) if name in FILLED_COLUMNS)
        self._described_blocks = 0

    def read(self, block: Block) -> Rows:
        """Return the rows of the block with the known columns. Raise FileRejected."""
        rows = self._read_quickly(block) or self._read_exactly(block)
        for number, name in enumerate(self._names, start=1):
            if name not in KNOWN_COLUMNS:
                self._require_blank(rows.frame[name], number, block)
        frame = rows.frame.select(self._header.known)
        if self._header.separator == ";":
            frame, ambiguous = read_decimal_commas(frame)
            return Rows(frame, pl.concat([rows.problems, ambiguous]))
        return Rows(frame, rows.problems)

    def _read_quickly(self, block: Block) -> Rows | None:
        """Return the rows as polars reads them, or None if the other reader is needed."""
        separator = self._header.separator
        if b'"' in block.data and not _has_plain_quotes(block.data, separator):
            return None
        head = (separator.join(self._names) + "\n").encode()
        try:
            frame = pl.read_csv(
                io.BytesIO(head + block.data), separator=separator, infer_schema=False, raise_if_empty=False
            )
        except (PolarsError, PanicException):
            return None
        return None if self._may_have_short_rows(frame, block) else Rows(frame, problem_rows())

    def _may_have_short_rows(self, frame: pl.DataFrame, block: Block) -> bool:
        """Return whether a row may have too few fields.

        polars adds nulls to such a row, and empty fields become null too.
        """
        if len(frame) and not block.data.endswith(b"\n") and frame[self._names[self._required_fields - 1]][-1] is None:
            # The end of the file may have cut the row.
            return True
        lacks_value = frame[self._last_filled].is_null()
        if self._described_blocks == MAX_DESCRIBED_BLOCKS or not lacks_value.any():
            return False
        is_blank = frame.filter(lacks_value).select(pl.all_horizontal(pl.all().is_null())).to_series()
        self._described_blocks += not is_blank.all()
        return not is_blank.all()

    def _read_exactly(self, block: Block) -> Rows:
        """Return the rows as the module csv reads them, which knows their lines."""
        columns: list[list[str | None]] = [[] for _ in self._names]
        short = list[tuple[int, int, list[str]]]()
        separator = self._header.separator
        row = list[str]()
        for position, (line, row) in enumerate(parse_rows(block, separator)):
            if len(row) < self._required_fields and any(cell.strip() for cell in row):
                short.append((position, line, row))
            if len(row) > len(columns):
                if any(cell.strip() for cell in row[len(columns) :]):
                    raise FileRejected(BROKEN, f"line {line} {self._describe_fields(len(row))}")
                self._add_columns(columns, len(row), position)
            for column, cell in zip(columns, row, strict=False):
                column.append(_unwrap_formula(cell))
            for column in columns[len(row) :]:
                column.append(None)
        schema = dict.fromkeys(self._names, pl.String)
        frame = pl.DataFrame(dict(zip(schema, columns, strict=True)), schema=schema)
        cut = None if block.data.endswith(b"\n") else len(frame) - 1
        if len(row) == self._required_fields and block.data.endswith(separator.encode()) and any(row):
            # The end of the file may have cut the last row where its last value begins.
            short.append((len(frame) - 1, line, row[:-1]))
        return Rows(frame, problem_rows(self._describe_short_rows(short, cut)))

    def _describe_short_rows(self, short: list[tuple[int, int, list[str]]], cut: int | None) -> Iterator[Problem]:
        """Yield the problems of rows that end before a required value.

        The row `cut`, which the end of the file may have cut, has one in any case.
        """
        for position, line, row in short:
            absent = [name for name in self._names[len(row) :] if name in KNOWN_COLUMNS]
            if position == cut or FILLED_COLUMNS & set(absent):
                message = f"line {line} {self._describe_fields(len(row))}"
                message += CUT_OFF if position == cut else ""
                yield position, FIELDS.get(absent[0], absent[0]), "MISSING_VALUE", message, None

    def _add_columns(self, columns: list[list[str | None]], count: int, rows: int) -> None:
        """Add columns without a name, so that polars reads the blocks that follow."""
        for number in range(len(columns) + 1, min(count, MAX_COLUMNS) + 1):
            self._names.append(f"column {number}")
            columns.append([None] * rows)

    def _describe_fields(self, count: int) -> str:
        expected = self._required_fields
        found = f"has {count} field{'' if count == 1 else 's'}, the header has {expected}"
        return f"{found}; quote values that contain {SEPARATORS[self._header.separator]}" if count > expected else found

    def _require_blank(self, cells: pl.Series, number: int, block: Block) -> None:
        """Raise FileRejected (WRONG_COLUMNS) if a column that belongs to no layout has a value."""
        if cells.null_count() == len(cells):
            return
        has_value = cells.str.strip_chars().fill_null("") != ""
        position = has_value.arg_max()
        if position is None or not has_value[position]:
            return
        if number > len(self._header.columns) or not self._header.columns[number - 1]:
            line = next(
                line for row, (line, _) in enumerate(parse_rows(block, self._header.separator)) if row == position
            )
            raise FileRejected(
                "WRONG_COLUMNS", f"line {line} has a value in column {number}, which has no name; remove the column"
            )
        find_layout(self._header.columns)


def parse_rows(block: Block, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the number of the first line, and the fields, of each row.

    Blanks around quotes are no text. Any other text next to a quoted one would change its value. Raise FileRejected
    (BROKEN_FILE).
    """
    ended = False
    text = block.data.decode()
    if '" ' in text or '"\t' in text:
        text = _trim_quoted(text, separator)

    def lines() -> Iterator[str]:
        nonlocal ended
        yield from io.StringIO(text, newline="")
        ended = True

    reader = csv.reader(lines(), delimiter=separator, skipinitialspace=True, strict=True)
    line = block.first_line
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            reason = str(error)
            if ended:
                # A complete row ends without a look at the next line.
                reason = OPEN_QUOTE
            elif "expected after" in reason:
                reason = "text after a closing quote; write a quote inside a quoted value twice"
            raise FileRejected(BROKEN, f"line {line}: {reason}") from error
        yield line, row
        line = block.first_line + reader.line_num


def _trim_quoted(text: str, separator: str) -> str:
    """Return the text without blanks between a closing quote and the end of its field."""
    sign = re.escape(separator)
    return re.sub(rf'(?:^|(?<=[\n{sign}]))([ \t]*"(?:[^"]|"")*")[ \t]*(?=[\r\n{sign}]|$)', r"\1", text)


def _unwrap_formula(cell: str) -> str:
    """Return the text of `="CNSGH"`, with which exports keep Excel from changing a value."""
    return cell[2:-1] if cell.startswith('="') and cell.endswith('"') else cell


def _has_plain_quotes(data: bytes, separator: str) -> bool:
    """Return whether each quote begins or ends a field, in turn.

    polars reads other quotes, such as those of `"14"50`, in its own way. The check takes 10 ms for 8 MiB in which all fields
    are quoted.
    """
    characters = np.frombuffer(data, dtype=np.uint8)
    is_edge = np.zeros(256, dtype=np.bool_)
    is_edge[[ord(separator), ord("\n"), ord("\r")]] = True
    count = 0
    for start in range(0, len(characters), PART_BYTES):
        quotes = np.flatnonzero(characters[start : start + PART_BYTES] == ord('"')) + start
        opening, closing = quotes[count % 2 :: 2], quotes[1 - count % 2 :: 2]
        count += len(quotes)
        before, after = opening[opening > 0] - 1, closing[closing + 1 < len(characters)] + 1
        if not (is_edge[characters[before]].all() and is_edge[characters[after]].all()):
            return False
    return count % 2 == 0
