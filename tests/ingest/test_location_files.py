"""Region and port files: columns in any order, every dialect and encoding, and workbooks."""

import gzip
import io
from pathlib import Path

import pytest

from domain.locations import LocationKind, TreeEntry
from ingest.errors import TreeRejected
from ingest.location_files import read_ports, read_regions
from tests.support.batches.parquet import parquet
from tests.support.batches.workbooks import Sheet, error, workbook, zipped
from tests.support.commands.in_process import ratesgraph_in_process

REGIONS = "slug,name,parent_slug\nnorth,North,\nbaltic,Baltic,north\n"
PORTS = "code,name,parent_slug\nSEMMA,Malmö,baltic\nPLGDN,Gdańsk,north\n"
KEYS = [("north", "North", None), ("baltic", "Baltic", "north")]
REORDERED = "Parent Slug,NAME,slug\n,North,north\nnorth,Baltic,baltic\n"


def values(entries: list[TreeEntry]) -> list[tuple[str, str | None, str | None]]:
    """Return key, name and parent of the entries."""
    return [(entry.key, entry.name, entry.parent_key) for entry in entries]


@pytest.mark.parametrize(
    "data",
    [
        REGIONS.encode(),
        REORDERED.encode(),
        REGIONS.encode("utf-8-sig"),
        REGIONS.encode("utf-16"),
        gzip.compress(REGIONS.encode(), mtime=0),
        REGIONS.replace(",", ";").encode(),
        REGIONS.replace(",", "\t").encode("utf-16"),
        ("sep=;\r\n" + REGIONS.replace(",", ";").replace("\n", "\r\n")).encode(),
        REGIONS.replace("\n", "\r").encode(),
        f"\n\n{REGIONS}\n,,\n".encode(),
        REGIONS.replace("\n", ",,\n").encode(),
        REGIONS.replace("parent_slug", '"parent\nslug"').encode(),
        workbook([line.split(",") for line in REORDERED.splitlines()]),
        workbook([(), *([None, *line.split(",")] for line in REGIONS.splitlines()), ()]),
    ],
    ids=["plain", "reordered", "UTF-8 mark", "UTF-16", "gzip", "semicolons", "tabs", "sep=", "CR", "blank lines",
         "blank columns", "line break in the header", "workbook", "workbook with blank rows"],
)  # fmt: skip
def test_region_file_is_read_in_any_order_dialect_and_format(data: bytes) -> None:
    entries = read_regions(io.BytesIO(data), "regions.csv")
    assert values(entries) == KEYS
    assert [(entry.kind, entry.number) for entry in entries] == [(LocationKind.REGION, 1), (LocationKind.REGION, 2)]


def test_port_file_places_its_entries_by_line_or_row() -> None:
    data = "name;parent_slug;code\n\nMalmö;baltic;semma\n"
    (port,) = read_ports(io.BytesIO(data.encode()), "ports.csv")
    assert (port.key, port.name, port.parent_key, port.place) == ("SEMMA", "Malmö", "baltic", "ports.csv:3")
    rows = [line.split(",") for line in PORTS.splitlines()]
    entries = read_ports(io.BytesIO(workbook([rows[0], (), *rows[1:]])), "ports.xlsx")
    assert [entry.place for entry in entries] == [f"ports.xlsx, row {number} of the table" for number in (2, 3)]


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        (b"slug,name,parent_slug\n\xff,X,\n", "WRONG_ENCODING", "regions.csv: line 2 is not valid UTF-8 (byte 0xFF"),
        (b"slug,name\nx,X\n", "WRONG_COLUMNS", "regions.csv: missing column parent_slug; expected slug,name,parent_slug"),
        (PORTS.encode(), "WRONG_COLUMNS", "regions.csv: unknown column code; missing column slug; expected slug"),
        (b"x,X,north\n", "WRONG_COLUMNS", "regions.csv: unexpected columns x,x,north; expected slug,name,parent_slug"),
        (b"slug,name,parent_slug,slug\n", "WRONG_COLUMNS", "regions.csv: repeated column slug; expected"),
        (b"", "EMPTY_BATCH", "regions.csv: the file contains no rows"),
        (b"slug,name,parent_slug\n\n", "EMPTY_BATCH", "regions.csv: the file contains no rows"),
        (b"slug,name,parent_slug\nx,X\n", "WRONG_COLUMNS", "regions.csv: line 2: expected 3 fields, got 2; quote values"),
        (b"slug,name,parent_slug\nx,X,,y\n", "WRONG_COLUMNS", "regions.csv: line 2: expected 3 fields, got 4"),
        (b"slug,name,parent_slug,\nx,X,,y\n", "WRONG_COLUMNS", "regions.csv: line 2: a value in a column without a name"),
        (b"slug,name,parent_slug,note\nx,X,,y\n", "WRONG_COLUMNS", "regions.csv: line 2: a value in a column note; remove"),
        (b'slug,name,parent_slug\n"x,X,\n', "BROKEN_FILE", "regions.csv: line 2: unterminated quote"),
        (gzip.compress(REGIONS.encode(), mtime=0)[:-9], "BROKEN_FILE", "regions.csv: truncated gzip data: the file is cut off"),
        (b"%PDF-1.7", "UNKNOWN_FORMAT", "regions.csv: the file is a PDF document; expected CSV"),
        (b'{"slug":"x"}', "UNKNOWN_FORMAT", "regions.csv: the file is NDJSON; expected CSV or an Excel workbook (.xlsx)"),
        (parquet(slug="x"), "UNKNOWN_FORMAT", "regions.csv: the file is PARQUET; expected CSV or an Excel workbook (.xlsx)"),
        (zipped({"regions.csv": REGIONS}), "UNKNOWN_FORMAT", "regions.csv: the file is a zip archive; unpack it"),
        (workbook([("slug", "name")]), "WRONG_COLUMNS", "regions.csv: sheet 'Sheet1', row 1: missing column parent_slug"),
        (
            workbook([("slug", "name", "parent_slug"), ("x", error("#N/A"), error("#REF!")), (error("#N/A"), "X", "")]),
            "INVALID_SLUG",
            'regions.csv, row 2 of the table: "#n/a" is not a valid slug',
        ),
    ],
)  # fmt: skip
def test_region_file_that_is_unusable_is_rejected_as_price_files_are(data: bytes, code: str, message: str) -> None:
    with pytest.raises(TreeRejected) as caught:
        read_regions(io.BytesIO(data), "regions.csv")
    assert caught.value.code == code
    assert caught.value.message.startswith(message)


def test_region_file_warns_about_sheets_that_are_not_read() -> None:
    warnings = list[str]()
    rows = [line.split(",") for line in REGIONS.splitlines()]
    data = workbook(Sheet(rows, "Regions"), Sheet([("note",)], "Notes"))
    assert values(read_regions(io.BytesIO(data), "regions.xlsx", warnings.append)) == KEYS
    assert warnings == ["only sheet 'Regions' was read, not 'Notes'"]


def test_locations_load_reads_workbooks_and_other_dialects(tmp_path: Path, database_url: str) -> None:
    rows = [line.split(",") for line in REGIONS.splitlines()]
    (tmp_path / "regions.xlsx").write_bytes(workbook(Sheet(rows, "Regions"), Sheet([("note",)], "Notes")))
    (tmp_path / "ports.csv").write_bytes(gzip.compress(PORTS.replace(",", ";").encode("utf-16")))
    files = ("--regions", tmp_path / "regions.xlsx", "--ports", tmp_path / "ports.csv")
    done = ratesgraph_in_process(database_url, "locations", "load", *files)
    assert done.stdout.splitlines() == [
        "regions.xlsx: note: only sheet 'Regions' was read, not 'Notes'.",
        "4 locations added, 0 moved, 0 unchanged.",
    ]
