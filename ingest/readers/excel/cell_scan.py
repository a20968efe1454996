"""Scan of a sheet for what the decoder would lose.

These are errors, formulas without a stored result, and values in CDATA sections. The decoder (calamine) returns them as empty
cells. An empty last day means one day, and an empty currency US dollars: such an item would be stored with wrong data. The
decoder also loses the units that cells show.
"""

import re
from collections.abc import Mapping
from zipfile import ZipFile

from ingest.errors import FileRejected
from ingest.readers.excel.package import Attributes, LocalNames, parse_part

MAX_CELLS = 32_000_000
"""Limit on rows × columns of the used area, which the decoder holds in memory: a million rows of 30 columns."""
MAX_LOST_CELLS = 100_000
MAX_LOST_TEXT = 200
PLACEHOLDERS = {"0", "0.0"}
REFERENCE = re.compile(r"([A-Z]{1,3})([0-9]{1,7})")
Position = str | tuple[int, int]
"""Position of a cell: a reference such as C2, which is located only if needed, or row and column from 0."""


class CellScan:
    """Handler of the XML of a sheet.

    It locates the last cell of a row and lost cells only, which makes it twice as fast.

    Attributes:
        lost: Text of each lost cell, by row and column: the error, or the formula. Rows and columns count from 0.
        units: Unit that each number with one shows, by column and row.
        rows: Number of rows up to the last value.
        columns: Number of columns up to the last value.
    """

    __slots__ = (
        "_cell", "_formula", "_has_results", "_has_value", "_is_split", "_last", "_local", "_lost_count", "_position",
        "_row", "_styles", "_text", "_value", "columns", "lost", "rows", "units",
    )  # fmt: skip

    def __init__(self, styles: Mapping[str, str], *, has_results: bool) -> None:
        self.lost: dict[int, dict[int, str]] = {}
        self.units: dict[int, dict[int, str]] = {}
        self.rows = self.columns = 0
        self._local = LocalNames()
        self._row = -1
        self._cell: Attributes = {}
        self._position: Position = (0, 0)
        self._last: Position | None = None
        self._has_value = False
        self._formula: str | None = None
        self._text = self._value = ""
        self._is_split = False
        self._lost_count = 0
        self._styles = styles
        self._has_results = has_results

    def start(self, name: str, attributes: Attributes) -> None:
        """Handle the start of an element."""
        kind = self._local[name]
        if kind == "c":
            self._cell, self._has_value, self._formula = attributes, False, None
            self._position = attributes.get("r") or (self._row, _locate(self._position)[1] + 1)
        elif kind == "v" or kind == "f":
            self._text, self._is_split = "", False
        elif kind == "row":
            self._row = int(attributes["r"]) - 1 if "r" in attributes else self._row + 1
            self._position, self._last = (self._row, -1), None
        elif kind == "is":
            self._has_value = True

    def require_decodable_area(self) -> None:
        """Raise FileRejected (BROKEN_FILE) if the used area of the sheet is too large to be decoded."""
        if self.rows * self.columns > MAX_CELLS:
            message = (
                f"the used area of a sheet has {self.rows:,} rows and {self.columns:,} columns; delete everything outside"
                " the table, or save the sheet as CSV"
            )
            raise FileRejected("BROKEN_FILE", message)

    def text(self, data: str) -> None:
        """Handle text."""
        self._text += data

    def split(self, *_content: str) -> None:
        """Handle a comment or the start of a CDATA section.

        The decoder reads a value only up to there.
        """
        self._is_split = True

    def end(self, name: str) -> None:
        """Handle the end of an element."""
        kind = self._local[name]
        if kind == "v":
            # An empty text is the result of a formula if the cell is of the type for texts.
            self._has_value, self._value = bool(self._text) or self._cell.get("t") == "str", self._text
            if self._cell.get("t") == "e" or self._is_split:
                self._lose(self._text)
        elif kind == "c":
            if self._formula is not None and not (self._has_value and self._is_result()):
                self._lose(f"={self._formula or '…'}")
            elif self._has_value:
                self._last = self._position
                if self._styles and (unit := self._styles.get(self._cell.get("s", ""))):
                    self._add_unit(unit)
        elif kind == "f":
            self._formula = self._text
        elif kind == "row" and self._last is not None:
            self._extend(*_locate(self._last))

    def _is_result(self) -> bool:
        """Return whether the value of a formula is its result.

        Otherwise it may be the 0 that stands for the result until the workbook is calculated.
        """
        return self._has_results or self._value not in PLACEHOLDERS

    def _add_unit(self, unit: str) -> None:
        if self._cell.get("t", "n") == "n":
            row, column = _locate(self._position)
            self.units.setdefault(column, {})[row] = unit

    def _extend(self, row: int, column: int) -> None:
        self.rows = max(self.rows, row + 1)
        self.columns = max(self.columns, column + 1)

    def _lose(self, text: str) -> None:
        self._lost_count += 1
        if self._lost_count > MAX_LOST_CELLS:
            message = (
                f"more than {MAX_LOST_CELLS:,} cells contain errors, or formulas without a stored result; correct them, or"
                " calculate and save the workbook"
            )
            raise FileRejected("BROKEN_FILE", message)
        row, column = _locate(self._position)
        self.lost.setdefault(row, {})[column] = text[:MAX_LOST_TEXT]
        self._extend(row, column)


def scan_sheet(archive: ZipFile, part: str, styles: Mapping[str, str], *, has_results: bool) -> CellScan:
    """Scan the part of a sheet.

    `styles` has the units of styles (`find_units`), and `has_results` whether formulas are calculated (`package.has_results`).
    Raise FileRejected (BROKEN_FILE).
    """
    scan = CellScan(styles, has_results=has_results)
    parse_part(archive, part, scan.start, scan.end, scan.text, scan.split)
    return scan


def _locate(position: Position) -> tuple[int, int]:
    """Return row and column of a position. Raise FileRejected (BROKEN_FILE)."""
    if isinstance(position, tuple):
        return position
    match = REFERENCE.fullmatch(position)
    if match is None:
        raise FileRejected("BROKEN_FILE", f"{position[:20]!r} is not the position of a cell; save the sheet as CSV")
    return int(match[2]) - 1, column_index(match[1])


def column_index(letters: str) -> int:
    """Return the index of a column, from 0 for A."""
    index = 0
    for letter in letters:
        index = index * 26 + ord(letter) - 64
    return index - 1


def column_letters(index: int) -> str:
    """Return the letters of the column with the index, from A for 0."""
    letters = ""
    index += 1
    while index:
        index, digit = divmod(index - 1, 26)
        letters = chr(65 + digit) + letters
    return letters
