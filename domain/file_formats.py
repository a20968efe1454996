"""Formats of price files, detected by their first bytes. Standard library only.

Names and declared formats are often wrong: browsers, spreadsheets and download tools rename files. So the content decides, and
a declared format only where the content fits several formats.
"""

import codecs
import re
import zlib
from typing import BinaryIO, NamedTuple

from domain.batches import FileFormat, Rejection

SUFFIXES = {
    ".csv": FileFormat.CSV,
    ".csv.gz": FileFormat.CSV_GZIP,
    ".ndjson": FileFormat.NDJSON,
    ".ndjson.gz": FileFormat.NDJSON_GZIP,
    ".jsonl": FileFormat.NDJSON,
    ".jsonl.gz": FileFormat.NDJSON_GZIP,
    ".parquet": FileFormat.PARQUET,
    ".xlsx": FileFormat.XLSX,
}
NDJSON_FORMATS = {FileFormat.NDJSON, FileFormat.NDJSON_GZIP}
HEAD_BYTES = 8_192
"""Bytes that are examined at the beginning of a file, and of the data that a gzip file begins with."""
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
MAX_MARK_BYTES = 4
EXPECTED = "expected CSV, NDJSON, Parquet or an Excel workbook (.xlsx)"
DECOMPRESS = "decompress the file, or compress it with gzip"
UNPACK = "unpack it and upload the files in it one by one"
SAVE_AS = "save it as .xlsx, or the sheet as CSV"
NDJSON_LINES = "write one JSON object per line (NDJSON)"


class Signature(NamedTuple):
    """First bytes of a format that cannot be read, with its name and the remedy."""

    start: re.Pattern[bytes]
    found: str
    advice: str


GZIP = b"\x1f\x8b\x08"
PARQUET = (b"PAR1", b"PARE")
"""Parquet files, readable and encrypted; the reader distinguishes them."""
ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
"""Zip archives, among them Excel workbooks: with entries, without, and in several parts."""
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
UNREADABLE = tuple(
    Signature(re.compile(start, re.DOTALL), found, advice)
    for start, found, advice in (
        (rb"%PDF-", "a PDF document", EXPECTED),
        (rb"BZh[1-9](1AY&SY|\x17rE8P\x90)", "compressed by bzip2", DECOMPRESS),
        (rb"\xfd7zXZ\x00", "compressed by xz", DECOMPRESS),
        (rb"\x28\xb5\x2f\xfd", "compressed by Zstandard", DECOMPRESS),
        (rb"\x04\x22\x4d\x18", "compressed by LZ4", DECOMPRESS),
        (rb"\x1f\x9d", "compressed by compress (.Z)", DECOMPRESS),
        (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK),
        (rb"Rar!\x1a\x07", "a RAR archive", UNPACK),
        (rb".{257}ustar", "a tar archive", UNPACK),
        (rb"\xff\xd8\xff|\x89PNG\r\n|GIF8", "an image", EXPECTED),
        (rb"ARROW1|FEA1|\xff\xff\xff\xff", "an Arrow (Feather) file", "save it as Parquet"),
        (rb"ORC[\x00-\x08\x0a-\x1f\x80-\xff]", "an ORC file", "save it as Parquet"),
        (rb"\x89HDF", "an HDF5 file", "save it as Parquet"),
        (rb"Obj\x01", "an Avro file", "save it as Parquet"),
        (rb"SQLite format 3\x00", "an SQLite database", EXPECTED),
    )
)
"""Formats that are refused by name. Their first bytes are those of no text."""
UNREADABLE_TEXT = tuple(
    Signature(re.compile(rb"\s*" + start, re.IGNORECASE | re.DOTALL), found, advice)
    for start, found, advice in (
        (rb"<.*schemas-microsoft-com:office", "a spreadsheet saved as HTML or XML", SAVE_AS),
        (rb"<(!doctype html|html|head|body|table|script|meta|div)\b", "an HTML page", f"{EXPECTED}, not an error page"),
        (rb"<[?!a-z]", "an XML document", EXPECTED),
        (rb"\{\\rtf", "an RTF document", EXPECTED),
        (rb"\[\s*[{\]]", "a JSON array", NDJSON_LINES),
        (rb'\{\s*?[\r\n]\s*"', "JSON over several lines", NDJSON_LINES),
    )
)
"""Texts that are refused by name. A CSV file begins with the name of a column."""
OBJECT = re.compile(rb"\s*\{")
CSV_HEADER = re.compile(rb"\s*(?=[^\n{]*origin)(?=[^\n{]*price)", re.IGNORECASE)
"""A first line that names columns of both layouts, and is no JSON object."""


def find_format(name: str) -> FileFormat | None:
    """Return the format for the suffix of a file name, case-insensitively, or None if unknown."""
    matching = (file_format for suffix, file_format in SUFFIXES.items() if name.lower().endswith(suffix))
    return next(matching, None)


def detect_format(file: BinaryIO, declared: FileFormat | None) -> FileFormat | Rejection:
    """Return the format of the file's content, or a rejection (UNKNOWN_FORMAT).

    Every zip archive counts as an Excel workbook here; the reader examines its entries. The declared format distinguishes texts
    that could be both NDJSON and CSV. The file is left at its beginning.
    """
    file.seek(0)
    head = file.read(HEAD_BYTES)
    gzipped = head.startswith(GZIP)
    content = _decompress_head(head) if gzipped else head
    if gzipped:
        problem = _describe_compressed(content) or _describe_unreadable(content, " compressed by gzip")
    else:
        problem = _describe_ole(file, content) if content.startswith(OLE) else _describe_unreadable(content)
    file.seek(0)
    if problem is not None:
        return Rejection(None, "file", "UNKNOWN_FORMAT", problem, None)
    if content.startswith(PARQUET):
        return FileFormat.PARQUET
    if content.startswith(ZIP):
        return FileFormat.XLSX
    if _is_ndjson(_without_mark(content), declared):
        return FileFormat.NDJSON_GZIP if gzipped else FileFormat.NDJSON
    return FileFormat.CSV_GZIP if gzipped else FileFormat.CSV


def find_mark(head: bytes) -> tuple[bytes, str]:
    """Return the byte order mark at the beginning of a text, if any, and the encoding."""
    return next(((mark, encoding) for mark, encoding in BYTE_ORDER_MARKS if head.startswith(mark)), (b"", "utf-8"))


def _decompress_head(head: bytes) -> bytes:
    """Return the first data of a gzip file; none if it is damaged, which its reader reports."""
    data = b""
    while not data and head.startswith(GZIP):
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            data = member.decompress(head, HEAD_BYTES)
        except zlib.error:
            break
        head = member.unused_data
    return data


def _describe_compressed(content: bytes) -> str | None:
    """Return the problem of content that gzip must not compress, or None."""
    if content.startswith(GZIP):
        return "the file is compressed twice by gzip; decompress it once"
    if content.startswith((*PARQUET, OLE, *ZIP)):
        kind = "a Parquet file" if content.startswith(PARQUET) else "an Excel workbook or an archive"
        return f"the file is {kind} compressed by gzip; decompress it"
    return None


def _describe_unreadable(content: bytes, compressed: str = "") -> str | None:
    """Return the problem of content in a format that is refused by name, or None."""
    text = _without_mark(content)
    for signatures, data in ((UNREADABLE, content), (UNREADABLE_TEXT, text)):
        for start, found, advice in signatures:
            if start.match(data):
                return f"the file is {found}{compressed}; {advice}"
    return None


def _describe_ole(file: BinaryIO, content: bytes) -> str:
    """Return the problem of an OLE compound file, such as a workbook with a password.

    Its directory lists the streams in UTF-16 ([MS-CFB] 2.6).
    """
    sector_bytes = 1 << min(int.from_bytes(content[30:32], "little"), 12)
    file.seek((int.from_bytes(content[48:52], "little") + 1) * sector_bytes)
    directory = file.read(HEAD_BYTES)
    if "EncryptedPackage".encode("utf-16-le") in directory:
        return "the file is an Excel workbook with a password; save it without one, or the sheet as CSV"
    if "Workbook".encode("utf-16-le") in directory or "Book".encode("utf-16-le") in directory:
        return f"the file is an Excel workbook of the old format (.xls); {SAVE_AS}"
    return f"the file is an Office document of the old format, or has a password; {SAVE_AS}"


def _without_mark(content: bytes) -> bytes:
    """Return the text in UTF-8 without its byte order mark."""
    mark, encoding = find_mark(content)
    return content[len(mark) :].decode(encoding, "replace").encode() if mark else content


def _is_ndjson(text: bytes, declared: FileFormat | None) -> bool:
    return OBJECT.match(text) is not None or (declared in NDJSON_FORMATS and not CSV_HEADER.match(text))
