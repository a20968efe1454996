"""Region, port and alias files: CSV in any dialect, and Excel workbooks, as for prices."""

from collections.abc import Callable, Iterator
from typing import BinaryIO

from domain.batches import FileFormat, Rejection
from domain.file_formats import detect_format
from domain.locations import LocationKind, TreeEntry
from ingest import location_aliases
from ingest.errors import FileRejected, TreeRejected
from ingest.location_aliases import AliasEntry
from ingest.readers.columns import LAYOUTS, Layouts, normal_name
from ingest.readers.csv_dialect import Header, parse_header
from ingest.readers.csv_file import parse_rows
from ingest.readers.excel.reader import WORKBOOK_READER
from ingest.readers.line_blocks import Block, read_blocks
from ingest.tree import normalize

KINDS = {LocationKind.REGION: ("regions", "slug"), LocationKind.PORT: ("ports", "code")}
"""Name of the layouts, and the column of the key, by the kind of the locations."""
WORKBOOK_ROWS = 10_000

Warn = Callable[[str], None]
PlacedRow = tuple[str, dict[str, str]]
"""Place of a row in its file, and its values by column."""


def read_regions(file: BinaryIO, name: str, warn: Warn = lambda _note: None) -> list[TreeEntry]:
    """Read `slug,name,parent_slug`, in any order; an empty parent makes a root.

    Raise TreeRejected. `warn` receives what is unusual about the file.
    """
    return _read(file, name, LocationKind.REGION, warn)


def read_ports(file: BinaryIO, name: str, warn: Warn = lambda _note: None) -> list[TreeEntry]:
    """Read `code,name,parent_slug`, in any order; every port has a region.

    Raise TreeRejected. `warn` receives what is unusual about the file.
    """
    return _read(file, name, LocationKind.PORT, warn)


def read_aliases(file: BinaryIO, name: str, warn: Warn = lambda _note: None) -> list[AliasEntry]:
    """Read `alias,key` and optionally `source`, in any order; an empty key removes the alias.

    Raise TreeRejected. `warn` receives what is unusual about the file.
    """
    return [
        location_aliases.normalize(row["alias"], row["key"], row.get("source", ""), place, number)
        for number, place, row in _read_entries(file, name, "aliases", warn)
    ]


def _read(file: BinaryIO, name: str, kind: LocationKind, warn: Warn) -> list[TreeEntry]:
    layouts, key = KINDS[kind]
    return [
        normalize(TreeEntry(kind, row[key], row["name"], row["parent_slug"], place, number))
        for number, place, row in _read_entries(file, name, layouts, warn)
    ]


def _read_entries(file: BinaryIO, name: str, layouts: str, warn: Warn) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Yield number, place and values of each row.

    Raise TreeRejected for a file that has no rows or cannot be read.
    """
    number = 0
    try:
        for number, (place, row) in enumerate(_read_rows(file, name, layouts, warn), start=1):
            yield number, place, row
    except FileRejected as error:
        raise TreeRejected(error.code, f"{name}: {error.message}") from error
    if not number:
        raise TreeRejected("EMPTY_BATCH", f"{name}: the file contains no rows")


def _read_rows(file: BinaryIO, name: str, layouts: str, warn: Warn) -> Iterator[PlacedRow]:
    file_format = detect_format(file, FileFormat.CSV)
    match file_format:
        case Rejection():
            raise FileRejected(file_format.code, file_format.message)
        case FileFormat.XLSX:
            return _read_workbook(file, name, layouts, warn)
        case FileFormat.CSV | FileFormat.CSV_GZIP:
            blocks = read_blocks(file, gzipped=file_format is FileFormat.CSV_GZIP, quoted=True)
            return _read_csv(blocks, name, LAYOUTS[layouts])
    raise FileRejected("UNKNOWN_FORMAT", f"the file is {file_format.name}; expected CSV or an Excel workbook (.xlsx)")


def _read_csv(blocks: Iterator[Block], name: str, layouts: Layouts) -> Iterator[PlacedRow]:
    header = None
    for block in blocks:
        if header is None:
            header = parse_header(block.data, layouts)
            if header is None:
                continue
            block = Block(block.data[header.size :], block.first_line + header.lines)
        for line, row in parse_rows(block, header.separator):
            if any(cell.strip() for cell in row):
                yield f"{name}:{line}", _name_values(header, row, f"line {line}")


def _name_values(header: Header, row: list[str], place: str) -> dict[str, str]:
    """Return the values of the known columns. Raise FileRejected (WRONG_COLUMNS)."""
    count = len(header.columns)
    required = max(position for position, name in enumerate(header.columns, start=1) if name in header.known)
    if len(row) < required or any(cell.strip() for cell in row[count:]):
        raise FileRejected(
            "WRONG_COLUMNS",
            f"{place}: expected {count} fields, got {len(row)}; quote values that contain the separator",
        )
    pairs = list(zip(header.columns, row, strict=False))
    for column, value in pairs:
        if column not in header.known and value.strip():
            raise FileRejected(
                "WRONG_COLUMNS", f"{place}: a value in a column {column or 'without a name'}; remove the column"
            )
    return dict(pairs)


def _read_workbook(file: BinaryIO, name: str, layouts: str, warn: Warn) -> Iterator[PlacedRow]:
    number = 0
    for frame, _, note in WORKBOOK_READER.read(file, WORKBOOK_ROWS, layouts):
        if note is not None:
            warn(note.message)
        for row in frame.rename(normal_name).iter_rows(named=True):
            number += 1
            if any(row.values()):
                yield f"{name}, row {number} of the table", {column: value or "" for column, value in row.items()}
