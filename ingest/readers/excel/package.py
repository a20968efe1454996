"""Parts of an Excel workbook, a zip archive (ECMA-376, part 2), with checks for bombs."""

import posixpath
from collections.abc import Callable, Mapping
from typing import NoReturn
from xml.parsers import expat
from zipfile import BadZipFile, ZipFile

from ingest.errors import FileRejected

MAX_PART_BYTES = 1 << 30
"""Limit on the decompressed size of all parts of a workbook: a million rows of six columns have 300 MB."""
MAX_COMPRESSION_RATIO = 200
"""Limit on the compression ratio of a part; cells, which contain their position, reach about 30."""
MIN_RATIO_LIMIT_BYTES = 4 << 20
"""The compression ratio of a part is not checked up to this decompressed size."""
CHUNK_BYTES = 64 << 10
OTHER_ARCHIVES = {
    "xl/workbook.bin": "an Excel binary workbook (.xlsb); save it as .xlsx, or the sheet as CSV",
    "content.xml": "an OpenDocument file; save it as .xlsx, or the sheet as CSV",
    "word/document.xml": "a Word document; save the table as .xlsx or CSV",
    "ppt/presentation.xml": "a PowerPoint presentation; save the table as .xlsx or CSV",
}
"""Archives that hold no price file, by the name of a part that is typical of them."""
ZIP_ARCHIVE = "a zip archive; unpack it and upload the files in it one by one"

Attributes = Mapping[str, str]


def open_package(path: str) -> ZipFile:
    """Open the workbook.

    Raise FileRejected (UNKNOWN_FORMAT) for another kind of archive, and (BROKEN_FILE) for a damaged one or a decompression
    bomb.
    """
    try:
        archive = ZipFile(path)
    except BadZipFile as error:
        raise FileRejected(
            "BROKEN_FILE", "a damaged or truncated zip archive or Excel workbook; send it again"
        ) from error
    names = set(archive.namelist())
    if "[Content_Types].xml" not in names or not find_workbook_part(archive):
        found = next((found for part, found in OTHER_ARCHIVES.items() if part in names), ZIP_ARCHIVE)
        raise FileRejected("UNKNOWN_FORMAT", f"the file is {found}")
    parts = [entry for entry in archive.infolist() if entry.filename.lower().endswith((".xml", ".rels"))]
    if sum(entry.file_size for entry in parts) > MAX_PART_BYTES:
        raise FileRejected(
            "BROKEN_FILE", f"decompressed size exceeds {MAX_PART_BYTES >> 30} GiB; save the sheet as CSV"
        )
    for entry in parts:
        if entry.file_size > max(MIN_RATIO_LIMIT_BYTES, MAX_COMPRESSION_RATIO * entry.compress_size):
            message = (
                f"compression ratio exceeds {MAX_COMPRESSION_RATIO}:1 (possible decompression bomb);"
                " save the sheet as CSV"
            )
            raise FileRejected("BROKEN_FILE", message)
    return archive


def find_workbook_part(archive: ZipFile) -> str | None:
    """Return the name of the part that lists the sheets, or None."""
    parts = _read_relationships(archive, "")
    workbooks = [part for kind, part in parts.values() if kind == "officeDocument" and part.endswith(".xml")]
    return next((part for part in workbooks if part.startswith("xl/")), None)


def list_sheet_parts(archive: ZipFile) -> dict[str, str]:
    """Return the part of each sheet by the name of the sheet, in the order of the workbook."""
    workbook = find_workbook_part(archive) or ""
    relationships = _read_relationships(archive, workbook)
    sheets: dict[str, str] = {}

    def start(name: str, attributes: Attributes) -> None:
        if name.endswith(" sheet"):
            by_name = {key.rpartition(" ")[2]: value for key, value in attributes.items()}
            sheets[by_name["name"]] = relationships[by_name["id"]][1]

    parse_part(archive, workbook, start)
    return sheets


def find_part(archive: ZipFile, kind: str) -> str | None:
    """Return the name of the part of this kind that the workbook has, such as `styles`, or None."""
    parts = _read_relationships(archive, find_workbook_part(archive) or "").values()
    return next((part for found, part in parts if found == kind and part in archive.namelist()), None)


def has_results(archive: ZipFile) -> bool:
    """Return whether the program that wrote the workbook calculated its formulas.

    Libraries do not. They tell the spreadsheet to calculate the workbook when it opens it, or write no settings of calculation.
    Some store 0 as the result of each formula until then (XlsxWriter, Apache POI).
    """
    found = False

    def start(name: str, attributes: Attributes) -> None:
        nonlocal found
        if name.endswith(" calcPr"):
            found = attributes.get("fullCalcOnLoad", "0") in {"0", "false"}

    parse_part(archive, find_workbook_part(archive) or "", start)
    return found


def _read_relationships(archive: ZipFile, part: str) -> dict[str, tuple[str, str]]:
    """Return (kind, part) of the relationships of a part, or of the package, by their ids."""
    folder, name = posixpath.split(part)
    listing = posixpath.join(folder, "_rels", f"{name}.rels")
    found: dict[str, tuple[str, str]] = {}

    def start(name: str, attributes: Attributes) -> None:
        if name.endswith(" Relationship"):
            target = posixpath.normpath(posixpath.join("/", folder, attributes["Target"]))
            found[attributes["Id"]] = (attributes["Type"].rpartition("/")[2], target.lstrip("/"))

    if listing in archive.namelist():
        parse_part(archive, listing, start)
    return found


class LocalNames(dict[str, str]):
    """Cache of element names without their namespace.

    The two conformance classes of the standard have different namespaces.
    """

    def __missing__(self, name: str) -> str:
        return self.setdefault(name, name.rpartition(" ")[2])


def parse_part(
    archive: ZipFile,
    part: str,
    start: Callable[[str, Attributes], None],
    end: Callable[[str], None] | None = None,
    text: Callable[[str], None] | None = None,
    split: Callable[..., None] | None = None,
) -> None:
    """Parse a part in chunks, and call the functions for its elements and text.

    `split` is called where a comment, a processing instruction or a CDATA section interrupts the text.

    Names of elements begin with their namespace, as in "namespace row". Raise FileRejected for a document type declaration,
    which the standard forbids, and ExpatError for other damage.
    """
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.CommentHandler = parser.ProcessingInstructionHandler = parser.StartCdataSectionHandler = split
    with archive.open(part) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            parser.Parse(chunk)
    parser.Parse(b"", True)


def _refuse_doctype(*_declaration: object) -> NoReturn:
    raise FileRejected("BROKEN_FILE", "the workbook contains a document type declaration; save the sheet as CSV")
