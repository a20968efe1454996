"""Reads NDJSON price files: most lines by polars, those that it could misread one by one.

polars parses JSON strictly, but it drops keys that are not in its schema, and takes the first of two equal keys. It decodes an
unpaired surrogate as NUL, and rejects a block for one line that is no object. So a row is used only if the signs in its line
prove that it is complete (SIGNS). If polars rejects a block, the lines of the chunks that it rejects too are parsed one by one
(`ingest.readers.ndjson_line`).
"""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from polars.exceptions import PanicException, PolarsError

from ingest.errors import FileRejected
from ingest.readers.columns import OPTIONAL_COLUMN, PERIOD_COLUMNS, PERIOD_NAMES
from ingest.readers.line_blocks import Block
from ingest.readers.ndjson_line import KEY_SETS, SAVE_AS_UTF8, ParsedLine, parse_line
from ingest.readers.problems import Problem, problem_rows

SIGNS = b":{[\\"
"""Signs of which a line has one more than cells, if each of its keys has a cell.

A line has a brace, and a colon for each key. A cell with a value requires a key. So if there is only one sign more than cells,
each key has a cell of its own. No key is unknown or repeated, and there is no list, no inner object and no escape.
"""
NULLS = (b":null", b": null")
"""Null values as JSON writers put them behind their key. In another form, their lines are parsed one by one."""
CHUNK_LINES = 2_000
"""Lines that are parsed one by one because polars rejects one of them."""
MAX_KEYS = 16
"""Number of different keys that polars looks for in a file, which may spell a column in several ways."""
MAX_PROBLEMS = 1_000_000
"""Lines with problems per file: reading them takes some ten seconds, and more are never stored."""
BLANKS = b" \t\r\n"
CONTENT = re.compile(b"[^" + BLANKS + b"]")
COLUMNS = (*PERIOD_COLUMNS, OPTIONAL_COLUMN)
ITEM_SCHEMA = {"item": pl.UInt32, **dict.fromkeys(COLUMNS, pl.String)}

NumberedLine = tuple[int, bytes]


class Items(NamedTuple):
    """Items of a block, with the columns of the layout for periods, and their problems.

    An item is a line that is not blank, with the number of the line. `problems` (PROBLEM_SCHEMA) has at most one row for each.
    """

    items: pl.DataFrame
    problems: pl.DataFrame


def read_ndjson(blocks: Iterable[Block]) -> Iterator[Items]:
    """Yield the items of each block.

    Raise FileRejected for UTF-16 (WRONG_ENCODING) and for more than MAX_PROBLEMS problems (BROKEN_FILE).
    """
    reader, count, first = _Reader(), 0, ""
    for block in blocks:
        if block.first_line == 1 and b"\0" in block.data[:2]:
            raise FileRejected("WRONG_ENCODING", f"line 1 contains NUL characters; {SAVE_AS_UTF8}")
        if not CONTENT.search(block.data):
            continue
        found = reader.read(block)
        if len(found.problems):
            first = first or found.problems["message"][0]
            count += len(found.problems)
            if count > MAX_PROBLEMS:
                raise FileRejected("BROKEN_FILE", f"more than {MAX_PROBLEMS:,} lines have problems; {first}")
        yield found


class _Reader:
    """Reader of the blocks of one file.

    It remembers the keys of valid lines, and how null values are written. So polars can read most lines of a file even if keys
    have several spellings or are often absent.
    """

    def __init__(self) -> None:
        self._keys: dict[str, str] = {}
        self._nulls: set[bytes] = set()

    def read(self, block: Block) -> Items:
        """Return the items of a block, of which at least one line is not blank."""
        if not self._keys:
            self._remember(parse_line(block.data.lstrip(BLANKS).partition(b"\n")[0]))
        found = self._read_rows(block)
        if found is not None:
            return found
        parts = [self._read_rows(chunk) or self._read_lines(_list_lines(chunk)) for chunk in _split(block)]
        return Items(pl.concat(part.items for part in parts), pl.concat(part.problems for part in parts))

    def _remember(self, line: ParsedLine) -> None:
        """Add the keys of a valid line, if they belong to the same layout as those so far."""
        if line.keys.keys() <= self._keys.keys():
            return
        keys = {**self._keys, **line.keys}
        if len(keys) <= MAX_KEYS and any({*keys.values()} <= known for known in KEY_SETS):
            self._keys = keys

    def _read_rows(self, block: Block) -> Items | None:
        """Return the items as polars reads them, except for doubtful lines.

        Return None if polars rejects the block.
        """
        frame = self._parse_rows(block.data)
        if frame is None:
            return None
        cells = sum(len(frame) - column.null_count() for column in frame)
        is_proven = cells + len(frame) == _count(block.data, SIGNS)
        if is_proven and len(frame) == _count(block.data, b"\n") + (not block.data.endswith(b"\n")):
            return Items(frame.with_row_index("item", offset=block.first_line), problem_rows())
        if not is_proven and (new_nulls := {null for null in NULLS if null in block.data} - self._nulls):
            self._nulls |= new_nulls
            return self._read_rows(block)
        return self._replace_doubtful(frame, _list_lines(block))

    def _parse_rows(self, data: bytes) -> pl.DataFrame | None:
        """Return the values by column, null if absent. Return None if polars rejects the data."""
        if not self._keys:
            return None
        for null in self._nulls:
            # An empty text is a cell, and means the same as null. Inside a text its first quote is the end: invalid JSON.
            data = data.replace(null, b':""'.ljust(len(null)))
        try:
            frame = pl.read_ndjson(io.BytesIO(data), schema=dict.fromkeys(self._keys, pl.String))
        except (PolarsError, PanicException):
            return None
        spellings: dict[str, list[str]] = {column: [] for column in COLUMNS}
        for key, column in self._keys.items():
            spellings[PERIOD_NAMES.get(column, column)].append(key)
        return frame.select(
            (pl.coalesce(keys) if keys else pl.lit(None, dtype=pl.String)).alias(column)
            for column, keys in spellings.items()
        )

    def _replace_doubtful(self, frame: pl.DataFrame, lines: Sequence[NumberedLine]) -> Items | None:
        """Return the proven rows, and the other lines parsed one by one.

        Return None if the rows do not correspond to the lines.
        """
        if len(frame) != len(lines):
            return None
        cells = frame.select(pl.sum_horizontal(pl.all().is_not_null().cast(pl.Int64))).to_series().to_numpy()
        is_proven = cells + 1 == np.array([len(line) - len(line.translate(None, SIGNS)) for _, line in lines])
        numbers = pl.Series("item", [number for number, _ in lines], dtype=pl.UInt32)
        proven = frame.insert_column(0, numbers).filter(is_proven)
        others = self._read_lines([lines[row] for row in np.flatnonzero(~is_proven).tolist()])
        return Items(pl.concat([proven, others.items]).sort("item"), others.problems)

    def _read_lines(self, lines: Sequence[NumberedLine]) -> Items:
        """Parse the lines one by one."""
        items, problems = list[tuple[int | str | None, ...]](), list[Problem]()
        for number, line in lines:
            parsed = parse_line(line)
            self._remember(parsed)
            items.append((number, *map(parsed.cells.get, COLUMNS)))
            if parsed.problem is not None:
                field, code, message, value = parsed.problem
                problems.append((number, field, code, f"line {number}: {message}", value))
        return Items(pl.DataFrame(items, schema=ITEM_SCHEMA, orient="row"), problem_rows(problems))


def _count(data: bytes, signs: bytes) -> int:
    """Return how often the signs occur, three times as fast as `bytes.count`."""
    characters = np.frombuffer(data, dtype=np.uint8)
    return sum(int(np.count_nonzero(characters == sign)) for sign in signs)


def _list_lines(block: Block) -> list[NumberedLine]:
    """Return the lines that are not blank, with their numbers."""
    lines = enumerate(block.data.split(b"\n"), start=block.first_line)
    return [(number, line) for number, text in lines if (line := text.rstrip(BLANKS))]


def _split(block: Block) -> Iterator[Block]:
    """Yield the block in chunks of CHUNK_LINES lines, without blank chunks."""
    ends = np.flatnonzero(np.frombuffer(block.data, dtype=np.uint8) == ord("\n")) + 1
    start, line = 0, block.first_line
    for stop in [*ends[CHUNK_LINES - 1 :: CHUNK_LINES].tolist(), len(block.data)]:
        chunk = Block(block.data[start:stop], line)
        if CONTENT.search(chunk.data):
            yield chunk
        start, line = stop, line + CHUNK_LINES
