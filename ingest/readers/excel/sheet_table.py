"""Table of a sheet: the first row that is not blank is its header."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import chain, islice, repeat
from typing import Any

from python_calamine import CalamineSheet

from ingest.errors import FileRejected
from ingest.readers.columns import OPTIONAL_COLUMN, Layouts, find_layout, normal_name
from ingest.readers.excel.cell_scan import CellScan, column_letters
from ingest.readers.excel.number_formats import show_amount

Cell = str | None
Row = list[Cell]
MAX_SHOWN_LENGTH = 31
NO_NAME = "a value in a column without a name in the header; remove the column"
Area = tuple[tuple[int, int], tuple[int, int]]
"""First and last cell of merged cells, as (row, column)."""

AS_TEXT: Mapping[type, Callable[[Any], Cell]] = {
    str: lambda value: value or None,
    # A spreadsheet shows no more than 15 digits: 0.1 + 0.2 is 0.3.
    float: lambda value: format(value, ".15g"),
    int: str,
    bool: lambda value: str(value).upper(),
    date: date.isoformat,
    datetime: lambda value: value.isoformat(timespec="seconds"),
    time: time.isoformat,
    timedelta: str,
}


@dataclass(frozen=True, slots=True)
class SheetTable:
    """Table of a sheet.

    Attributes:
        header_row: Index of the header's row, from 0.
        columns: Names of the columns by their indices; columns without a name are left out.
    """

    sheet: CalamineSheet
    scan: CellScan
    header_row: int
    columns: dict[int, str]

    @property
    def shown_name(self) -> str:
        """Name of the sheet for messages."""
        return show_name(self.sheet.name)

    @property
    def place(self) -> str:
        """Name of the sheet and number of the header's row, for messages."""
        return f"sheet {self.shown_name}, row {self.header_row + 1}"

    @property
    def has_rows(self) -> bool:
        """Whether there are values below the header."""
        return self.scan.rows > self.header_row + 1

    def known(self, layouts: Layouts) -> dict[int, str]:
        """Return the columns that belong to a layout. All other columns must be empty."""
        return {index: name for index, name in self.columns.items() if normal_name(name) in layouts.columns}

    def find_problem(self, layouts: Layouts) -> str | None:
        """Return what distinguishes the columns from the layouts, or None if they fit one."""
        try:
            find_layout(list(self.known(layouts).values()), layouts)
        except FileRejected:
            pass
        else:
            return None
        return self._describe_columns(layouts)

    def rows(self, layouts: Layouts) -> Iterator[Row]:
        """Yield the values below the header, in the order of `known`.

        Raise FileRejected (WRONG_COLUMNS) for a value in any other column.
        """
        known = self.known(layouts)
        units, price, currency = self._find_units(known)
        for number, row in enumerate(_read_rows(self.sheet, self.scan), start=1):
            if number <= self.header_row + 1:
                continue
            for column, value in enumerate(row):
                if value is not None and column not in known and value.strip():
                    place = f"sheet {self.shown_name}, cell {column_letters(column)}{number}"
                    problem = self._describe_columns(layouts) if column in self.columns else NO_NAME
                    raise FileRejected("WRONG_COLUMNS", f"{place}: {problem}")
            if (unit := units.get(number - 1)) and (amount := row[price]) is not None:
                given = row[currency] if currency is not None and currency < len(row) else None
                row[price] = show_amount(amount, unit, given)
            yield [row[column] if column < len(row) else None for column in known]

    def _find_units(self, known: Mapping[int, str]) -> tuple[Mapping[int, str], int, int | None]:
        """Return the units of prices by row, and the columns of price and currency."""
        columns = {normal_name(name): column for column, name in known.items()}
        price = columns.get("price", -1)
        units = self.scan.units.get(price, {})
        for (first, left), (last, right) in self.sheet.merged_cell_ranges or ():
            if units and left <= price <= right and (unit := self.scan.units.get(left, {}).get(first)):
                units.update(dict.fromkeys(range(first, min(last + 1, self.scan.rows)), unit))
        return units, price, columns.get(OPTIONAL_COLUMN)

    def _describe_columns(self, layouts: Layouts) -> str | None:
        try:
            find_layout(list(self.columns.values()), layouts)
        except FileRejected as error:
            return error.message
        return None


def show_name(name: str) -> str:
    """Return the name of a sheet for messages; Excel allows 31 characters."""
    return repr(name[:MAX_SHOWN_LENGTH])


def find_table(sheet: CalamineSheet, scan: CellScan) -> SheetTable | None:
    """Return the table of the sheet, or None if all cells are blank."""
    for index, row in enumerate(_read_rows(sheet, scan)):
        names = {column: value for column, value in enumerate(row) if value is not None and value.strip()}
        if names:
            return SheetTable(sheet, scan, index, names)
    return None


def _read_rows(sheet: CalamineSheet, scan: CellScan) -> Iterator[Row]:
    """Yield the rows of a sheet from A1 on, with lost cells, and with all merged cells filled."""
    left: Row = [None] * (sheet.start[1] if sheet.start else 0)
    areas = sorted(sheet.merged_cell_ranges or (), reverse=True)
    active: list[tuple[Area, Cell]] = []
    # Rows of lost cells only may follow those that the decoder knows.
    decoded = chain(sheet.iter_rows() if sheet.start else (), repeat(()))
    for index, values in enumerate(islice(decoded, max(scan.rows, sheet.end[0] + 1 if sheet.end else 0))):
        row = [*left, *(AS_TEXT[type(value)](value) for value in values)]
        for column, text in scan.lost.get(index, {}).items():
            row += [None] * (column + 1 - len(row))
            row[column] = text
        while areas and areas[-1][0][0] <= index:
            area = areas.pop()
            corner = area[0][1]
            active.append((area, row[corner] if corner < len(row) else None))
        if active:
            active = [(area, value) for area, value in active if area[1][0] >= index]
            for ((_, first), (_, last)), value in active:
                row[first : last + 1] = [value] * (min(last + 1, len(row)) - first)
        yield row
