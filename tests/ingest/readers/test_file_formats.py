"""Formats of files: the first bytes decide, not the name, and unreadable ones are named."""

import bz2
import gzip
import io
import lzma
import tarfile
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.batches import FileFormat, Rejection
from domain.file_formats import detect_format, find_format
from ingest.errors import FileRejected
from tests.support.batches.parquet import parquet
from tests.support.batches.workbooks import PERIOD_HEADER, PERIOD_ROW, workbook
from tests.support.worlds import read_items

CSV = "origin,destination,date_from,date_to,price,currency\nCNSGH,NLRTM,2024-01-01,2024-01-31,1234.5,EUR\n"
NDJSON = (
    '{"origin":"CNSGH","destination":"NLRTM","date_from":"2024-01-01","date_to":"2024-01-31",'
    '"price":1234.5,"currency":"EUR"}\n'
)
ITEM = (1, "CNSGH", "NLRTM", "2024-01-01", "2024-01-31", "1234.5", "EUR")
PARQUET = parquet(
    origin="CNSGH",
    destination="NLRTM",
    date_from=date(2024, 1, 1),
    date_to=date(2024, 1, 31),
    price=1234.5,
    currency="EUR",
)


def zip_twice(text: str) -> bytes:
    """Return gzip data of two members, of which the first is empty, and padding as on tapes."""
    return gzip.compress(b"", mtime=0) + gzip.compress(text.encode(), mtime=0) + b"\0" * 512


@pytest.mark.parametrize("declared", [None, *FileFormat])
@pytest.mark.parametrize(
    ("data", "found"),
    [
        (CSV.encode(), FileFormat.CSV),
        (CSV.encode("utf-8-sig"), FileFormat.CSV),
        (CSV.encode("utf-16"), FileFormat.CSV),
        (b"\xfe\xff" + CSV.encode("utf-16-be"), FileFormat.CSV),
        (CSV.encode("utf-32"), FileFormat.CSV),
        (gzip.compress(CSV.encode(), mtime=0), FileFormat.CSV_GZIP),
        (gzip.compress(CSV.encode("utf-16"), mtime=0), FileFormat.CSV_GZIP),
        (zip_twice(CSV), FileFormat.CSV_GZIP),
        (NDJSON.encode(), FileFormat.NDJSON),
        (f" \n{NDJSON}".encode(), FileFormat.NDJSON),
        (NDJSON.encode("utf-8-sig"), FileFormat.NDJSON),
        (NDJSON.encode("utf-16"), FileFormat.NDJSON),
        (gzip.compress(NDJSON.encode("utf-8-sig"), mtime=0), FileFormat.NDJSON_GZIP),
        (zip_twice(NDJSON), FileFormat.NDJSON_GZIP),
        (PARQUET, FileFormat.PARQUET),
        (workbook([PERIOD_HEADER, PERIOD_ROW]), FileFormat.XLSX),
    ],
)
def test_file_format_is_that_of_the_content_whatever_is_declared(
    data: bytes, found: FileFormat, declared: FileFormat | None
) -> None:
    assert detect_format(io.BytesIO(data), declared) is found


@pytest.mark.parametrize(
    ("data", "declared"),
    [
        (gzip.compress(CSV.encode(), mtime=0), FileFormat.CSV),
        (CSV.encode(), FileFormat.CSV_GZIP),
        (CSV.encode("utf-16"), FileFormat.CSV),
        (b"\xfe\xff" + CSV.encode("utf-16-be"), FileFormat.CSV),
        (CSV.encode("utf-32"), FileFormat.CSV_GZIP),
        (gzip.compress(CSV.encode("utf-16"), mtime=0), FileFormat.CSV),
        (zip_twice(CSV), FileFormat.CSV),
        (CSV.encode(), FileFormat.NDJSON),
        (CSV.encode(), FileFormat.PARQUET),
        (CSV.encode(), None),
        (NDJSON.encode("utf-8-sig"), FileFormat.NDJSON),
        (NDJSON.encode("utf-16"), FileFormat.NDJSON),
        (gzip.compress(NDJSON.encode("utf-8-sig"), mtime=0), FileFormat.NDJSON),
        (NDJSON.encode(), FileFormat.CSV),
        (zip_twice(NDJSON), None),
        (PARQUET, FileFormat.CSV),
        (workbook([PERIOD_HEADER, PERIOD_ROW]), FileFormat.CSV_GZIP),
    ],
)
def test_file_is_read_as_what_it_contains(data: bytes, declared: FileFormat | None) -> None:
    assert read_items(data, declared).rows() == [ITEM]


def tar(name: str, data: bytes) -> bytes:
    """Return a tar archive with one file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def compound_file(*streams: str) -> bytes:
    """Return the header of an OLE compound file, and its directory of streams."""
    header = bytearray(512)
    header[:8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
    header[30] = 9
    return bytes(header) + b"".join(name.encode("utf-16-le").ljust(128, b"\0") for name in ("Root Entry", *streams))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"%PDF-1.7\n%\xe2\xe3", "the file is a PDF document; expected CSV, NDJSON, Parquet or an Excel workbook (.xlsx)"),
        (bz2.compress(CSV.encode()), "the file is compressed by bzip2; decompress the file, or compress it with gzip"),
        (lzma.compress(CSV.encode()), "the file is compressed by xz; decompress the file, or compress it with gzip"),
        (b"\x28\xb5\x2f\xfd\x04\x58", "compressed by Zstandard; decompress the file"),
        (b"\x04\x22\x4d\x18\x64", "compressed by LZ4; decompress the file"),
        (b"7z\xbc\xaf\x27\x1c\0\4", "a 7z archive; unpack it and upload the files in it one by one"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive; unpack it"),
        (tar("prices.csv", CSV.encode()), "a tar archive; unpack it"),
        (gzip.compress(tar("prices.csv", CSV.encode()), mtime=0), "a tar archive compressed by gzip; unpack it"),
        (gzip.compress(gzip.compress(CSV.encode(), mtime=0), mtime=0), "compressed twice by gzip; decompress it once"),
        (gzip.compress(PARQUET, mtime=0), "a Parquet file compressed by gzip; decompress it"),
        (gzip.compress(workbook([]), mtime=0), "an Excel workbook or an archive compressed by gzip; decompress it"),
        (gzip.compress(compound_file("Workbook"), mtime=0), "an Excel workbook or an archive compressed by gzip"),
        (gzip.compress(b"%PDF-1.7", mtime=0), "a PDF document compressed by gzip; expected CSV"),
        (compound_file("Workbook"), "an Excel workbook of the old format (.xls); save it as .xlsx, or the sheet as CSV"),
        (compound_file("EncryptionInfo", "EncryptedPackage"), "an Excel workbook with a password; save it without one"),
        (compound_file("WordDocument"), "an Office document of the old format, or has a password; save it as .xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\xff" * 600, "an Office document of the old format"),
        (b"<!DOCTYPE html>\n<html><body>502 Bad Gateway", "an HTML page; expected CSV"),
        (b"\xef\xbb\xbf\r\n <HTML lang=en>", "an HTML page; expected CSV"),
        ("<html><head>".encode("utf-16"), "an HTML page; expected CSV"),
        (b'<html xmlns:x="urn:schemas-microsoft-com:office:excel">', "a spreadsheet saved as HTML or XML; save it as .xlsx"),
        (b"<?xml version='1.0'?><Error><Code>AccessDenied", "an XML document; expected CSV"),
        (b"{\\rtf1\\ansi", "an RTF document; expected CSV"),
        (f"[{NDJSON.strip()}]".encode(), "a JSON array; write one JSON object per line (NDJSON)"),
        (f"\ufeff[\n  {NDJSON}]".encode(), "a JSON array; write one JSON object per line (NDJSON)"),
        (b"[]", "a JSON array"),
        (b'{\n  "origin": "CNSGH",\n', "JSON over several lines; write one JSON object per line (NDJSON)"),
        (b"\x89PNG\r\n\x1a\n", "an image; expected CSV"),
        (b"ARROW1\0\0", "an Arrow (Feather) file; save it as Parquet"),
        (b"Obj\x01\x04", "an Avro file; save it as Parquet"),
        (b"\xff\xff\xff\xff\x10", "an Arrow (Feather) file; save it as Parquet"),
        (b"ORC\x0a\x04", "an ORC file; save it as Parquet"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file; save it as Parquet"),
        (b"SQLite format 3\0", "an SQLite database; expected CSV"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("declared", [None, FileFormat.CSV, FileFormat.NDJSON_GZIP])
def test_file_of_an_unreadable_format_is_named_with_a_remedy(
    data: bytes, message: str, declared: FileFormat | None
) -> None:
    found = detect_format(io.BytesIO(data), declared)
    assert isinstance(found, Rejection)
    assert (found.item, found.field, found.code, found.value) == (None, "file", "UNKNOWN_FORMAT", None)
    assert message in found.message
    with pytest.raises(FileRejected) as caught:
        read_items(data, declared)
    assert (caught.value.code, caught.value.message) == ("UNKNOWN_FORMAT", found.message)


@pytest.mark.parametrize("declared", list(FileFormat))
def test_file_without_content_is_empty_in_every_format(declared: FileFormat) -> None:
    for data in (b"", b" \n\r\n", b"\xef\xbb\xbf", b"\xff\xfe", gzip.compress(b"", mtime=0)):
        with pytest.raises(FileRejected) as caught:
            read_items(data, declared)
        assert caught.value.code == "EMPTY_BATCH"


WHOLE = gzip.compress(CSV.encode() * 1_000, mtime=0)


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (WHOLE[:-20], "BROKEN_FILE", "truncated gzip data: the file is cut off; send it again"),
        (WHOLE[:4], "BROKEN_FILE", "truncated gzip data"),
        (WHOLE + b"trailing", "BROKEN_FILE", "the gzip data are followed by other data"),
        (WHOLE + CSV.encode(), "BROKEN_FILE", "the gzip data are followed by other data"),
        (WHOLE[:-8] + b"\0\0\0\0" + WHOLE[-4:], "BROKEN_FILE", "damaged gzip data; compress the file again"),
        (WHOLE[:60] + b"\xff" * 9 + WHOLE[69:], "BROKEN_FILE", "damaged gzip data; compress the file again"),
        (b"\x1f\x8b\x08" + b"\xff" * 40, "BROKEN_FILE", "gzip data"),
        (
            CSV.encode("utf-16")[:-1],
            "WRONG_ENCODING",
            "the text is not valid UTF-16, or cut off; save the file as UTF-8",
        ),
        (b"\xff\xfe" + b"\x00\xdc" * 9, "WRONG_ENCODING", "the text is not valid UTF-16"),
        (CSV.encode("utf-32") + b"\xff" * 4, "WRONG_ENCODING", "the text is not valid UTF-32"),
    ],
)
def test_file_with_damaged_text_is_rejected_with_the_kind_of_damage(data: bytes, code: str, words: str) -> None:
    with pytest.raises(FileRejected) as caught:
        read_items(data, None)
    assert caught.value.code == code
    assert words in caught.value.message


def test_file_name_declares_a_format() -> None:
    names = ["Prices.CSV.gz", "a.b.jsonl", "C:\\prices\\Mai 2024.XLSX", "prices.parquet", "prices.txt", "csv", ""]
    formats = [FileFormat.CSV_GZIP, FileFormat.NDJSON, FileFormat.XLSX, FileFormat.PARQUET, None, None, None]
    assert list(map(find_format, names)) == formats


@pytest.mark.parametrize("name", ["gz-named-csv.csv", "plain-named-gz.csv.gz", "bom.ndjson"])
def test_file_samples_are_read_whatever_their_names(sample_files: Path, name: str) -> None:
    assert len(read_items((sample_files / name).read_bytes(), find_format(name))) == 3


STARTS = [
    CSV.encode(),
    CSV.encode("utf-16"),
    CSV.encode("utf-32"),
    NDJSON.encode(),
    gzip.compress(CSV.encode(), mtime=0),
    zip_twice(NDJSON),
    gzip.compress(gzip.compress(CSV.encode(), mtime=0), mtime=0),
    compound_file("Workbook"),
    tar("prices.csv", CSV.encode()),
    b"<html>",
    b"[{}]",
    b"PK\x03\x04",
    b"PAR1",
    b"",
]


@given(
    start=st.sampled_from(STARTS),
    cut=st.integers(0, 400),
    end=st.binary(max_size=40) | st.sampled_from(STARTS),
    declared=st.sampled_from([None, *FileFormat]),
)
def test_file_of_any_bytes_has_a_format_and_is_read_or_rejected(
    start: bytes, cut: int, end: bytes, declared: FileFormat | None
) -> None:
    data = start[:cut] + end + start[cut:]
    found = detect_format(io.BytesIO(data), declared)
    # Each of these two formats needs a process of its own. Their readers have tests of their own.
    if found in {FileFormat.PARQUET, FileFormat.XLSX}:
        return
    code = None
    try:
        assert len(read_items(data, declared))
    except FileRejected as error:
        code = error.code
    assert isinstance(found, Rejection) == (code == "UNKNOWN_FORMAT")
