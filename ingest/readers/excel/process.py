"""Subprocess of `reader`: reads the sheet with the table of a workbook as frames of text."""

import sys
from collections.abc import Iterator
from itertools import islice

import polars as pl
from python_calamine import CalamineError, CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from ingest.errors import FileRejected
from ingest.readers.columns import LAYOUTS, Layouts
from ingest.readers.excel.cell_scan import CellScan, column_letters, scan_sheet
from ingest.readers.excel.number_formats import find_units
from ingest.readers.excel.package import has_results, list_sheet_parts, open_package
from ingest.readers.excel.reader import BROKEN
from ingest.readers.excel.sheet_table import SheetTable, find_table, show_name
from ingest.readers.guarded.process import SOURCE, Frames, limit_time, require_short_text, run
from ingest.readers.problems import Note

DECODED_ERRORS = {"#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!"}
"""Errors that the decoder knows. Any other makes it refuse the sheet; Excel stores newer ones, such as #SPILL!, as #VALUE!."""
MAX_NAMED_SHEETS = 5


def main() -> None:
    """Read the workbook on standard input and write its frames to standard output."""
    layouts = LAYOUTS[sys.argv[2]]
    run(lambda _size, rows: read_frames(rows, layouts), describe_error)


def describe_error(_error: BaseException) -> FileRejected:
    """Return the rejection of a workbook whose reading ended with an error of the decoder."""
    return FileRejected("BROKEN_FILE", BROKEN)


def read_frames(rows: int, layouts: Layouts) -> Frames:
    """Yield `rows` rows of the table at a time, each with the fraction of the sheet read so far.

    Blank rows count, as blank lines of a CSV file do.
    """
    table, ignored = choose_table(layouts)
    if ignored:
        yield Note("SHEET_CHOSEN", f"only sheet {table.shown_name} was read, not {ignored}")
    schema = dict.fromkeys(table.known(layouts).values(), pl.String)
    lines, read = table.rows(layouts), 0
    limit_time()
    while batch := list(islice(lines, rows)):
        frame = pl.DataFrame(list(map(list, zip(*batch, strict=True))), schema=schema)
        text = frame.select(pl.sum_horizontal(pl.all().str.len_bytes().sum())).item()
        require_short_text(text, read + 1, read + len(batch))
        read += len(batch)
        yield frame, min(read / max(table.scan.rows - table.header_row - 1, 1), 1.0)
        limit_time()


def choose_table(layouts: Layouts) -> tuple[SheetTable, str]:
    """Return the only visible table that fits a layout, and the names of the ignored sheets.

    Raise FileRejected: EMPTY_BATCH if all sheets are empty, WRONG_COLUMNS if no table or more than one fits.
    """
    fitting, ignored = list[SheetTable](), list[str]()
    nearest, problem = 0, ""
    for name, table in _list_tables():
        if table is None:
            ignored.append(name)
        elif table.find_problem(layouts) is None:
            fitting.append(table)
            filled = [each for each in fitting if each.has_rows]
            if len(filled) > 1:
                both = " and ".join(each.shown_name for each in filled)
                raise FileRejected("WRONG_COLUMNS", f"the sheets {both} have the same columns; save each as a file")
        else:
            ignored.append(name)
            if not problem or len(table.known(layouts)) > nearest:
                nearest, problem = len(table.known(layouts)), f"{table.place}: {table.find_problem(layouts)}"
    if fitting:
        chosen = next((table for table in fitting if table.has_rows), fitting[0])
        names = ignored + [table.sheet.name for table in fitting if table is not chosen]
        return chosen, ", ".join(map(show_name, names[:MAX_NAMED_SHEETS])) + (" …" if names[MAX_NAMED_SHEETS:] else "")
    if problem:
        raise FileRejected("WRONG_COLUMNS", problem)
    raise FileRejected("EMPTY_BATCH", "the visible sheets of the workbook contain no rows")


def _list_tables() -> Iterator[tuple[str, SheetTable | None]]:
    """Yield the names of all sheets with values, with the tables of the visible ones."""
    # One limit for all sheets: ten thousand of them may name the same part.
    limit_time()
    with open_package(SOURCE) as archive, CalamineWorkbook.from_path(SOURCE) as workbook:
        parts, styles, calculated = list_sheet_parts(archive), find_units(archive), has_results(archive)
        for sheet in workbook.sheets_metadata:
            if sheet.typ is not SheetTypeEnum.WorkSheet:
                continue
            scan = scan_sheet(archive, parts[sheet.name], styles, has_results=calculated)
            if scan.rows and sheet.visible is not SheetVisibleEnum.Visible:
                yield sheet.name, None
            elif scan.rows:
                scan.require_decodable_area()
                try:
                    decoded = workbook.get_sheet_by_name(sheet.name)
                except CalamineError as error:
                    raise FileRejected("BROKEN_FILE", _describe_unknown_error(sheet.name, scan) or BROKEN) from error
                if (table := find_table(decoded, scan)) is not None:
                    yield sheet.name, table


def _describe_unknown_error(name: str, scan: CellScan) -> str | None:
    """Describe the first cell with an error that the decoder does not know, if there is one."""
    for row, cells in scan.lost.items():
        for column, text in cells.items():
            if not text.startswith("=") and text not in DECODED_ERRORS:
                return f"sheet {show_name(name)}, cell {column_letters(column)}{row + 1}: replace the error {text}"
    return None
