"""Parquet files of unusual kinds: each is read, or rejected with its name."""

import io
import struct
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import feather, orc

from domain.batches import FileFormat
from ingest.errors import FileRejected
from tests.support.batches.parquet import ITEMS, arrow_parquet, encrypted_parquet, write_table
from tests.support.worlds import read_items


def repeated_column() -> bytes:
    """Return a Parquet file with two columns of the same name."""
    return write_table(pa.Table.from_arrays([*ITEMS.values(), ITEMS["price"]], names=[*ITEMS, "price"]))


def interval() -> bytes:
    """Return a Parquet file with an interval: an annotation of 12 bytes.

    Arrow does not write it. See the Thrift definition of `SchemaElement`: field 6 is the converted type, 21 an interval.
    """
    data = arrow_parquet({"price": pa.array([b"x" * 12] * 2, pa.binary(12))}, store_schema=False)
    size = struct.unpack("<I", data[-8:-4])[0]
    footer = data[-8 - size : -8].replace(b"\x18\x05price", b"\x18\x05price\x25\x2a", 1)
    return data[: -8 - size] + footer + struct.pack("<I", len(footer)) + b"PAR1"


def other_row_count(rows: int) -> bytes:
    """Return a Parquet file of two rows that announces another number.

    It is field 3 of `FileMetaData`, before the list of row groups. Thrift doubles positive numbers.
    """
    data = arrow_parquet()
    assert data.count(b"\x16\x04\x19\x1c") == 1
    return data.replace(b"\x16\x04\x19\x1c", bytes([0x16, 2 * rows, 0x19, 0x1C]))


def invalid_text() -> bytes:
    """Return a Parquet file with a text that is not UTF-8."""
    data = arrow_parquet({"currency": pa.array(["¤¤", "¤¤"])}, compression="none", store_schema=False)
    return data.replace("¤¤".encode(), b"\xa4" * 4)


def time_zone(name: str) -> bytes:
    """Return a Parquet file with midnights of a time zone."""
    return arrow_parquet({"date_from": pa.array([datetime(2024, 1, 1)] * 2, pa.timestamp("us", name))})  # noqa: DTZ001


def arrow_stream() -> bytes:
    """Return the items as a stream of Arrow."""
    buffer = io.BytesIO()
    pl.from_arrow(pa.table(ITEMS)).write_ipc_stream(buffer)  # type: ignore[union-attr]
    return buffer.getvalue()


def arrow_file(version: int) -> bytes:
    """Return the items as an Arrow (Feather) file."""
    buffer = io.BytesIO()
    feather.write_feather(pa.table(ITEMS), buffer, version=version)
    return buffer.getvalue()


def orc_file() -> bytes:
    """Return the items as an ORC file."""
    buffer = io.BytesIO()
    orc.write_table(pa.table(ITEMS), buffer)
    return buffer.getvalue()


SOUND = arrow_parquet()
UUIDS = pa.array([b"x" * 16] * 2, pa.uuid())
LONG_DECIMALS = ITEMS["price"].cast(pa.decimal256(50, 4))
JSON_TEXT = pa.ExtensionArray.from_storage(pa.json_(), pa.array(['"USD"', None]))
REFUSED: list[tuple[str, bytes, str, str]] = [
    ("decimal of 256 bits", arrow_parquet({"price": LONG_DECIMALS}), "WRONG_COLUMNS", "price has type Decimal(precision=50"),
    ("JSON", arrow_parquet({"currency": JSON_TEXT}), "WRONG_COLUMNS", "currency has type Extension('arrow.json'"),
    ("UUID", arrow_parquet({"origin": UUIDS}), "WRONG_COLUMNS", "origin has type Binary; expected text"),
    ("interval", interval(), "WRONG_COLUMNS", "price has type Struct({'months'"),
    ("unknown time zone", time_zone("Mars/Olympus_Mons"), "WRONG_COLUMNS", "date_from has type Datetime("),
    ("repeated column", repeated_column(), "WRONG_COLUMNS", "repeated column price"),
    ("repeated column in another case", arrow_parquet({"Price": ITEMS["price"]}), "WRONG_COLUMNS", "repeated column price"),
    ("no columns", write_table(pa.table({})), "WRONG_COLUMNS", "the file has no columns"),
    ("no rows", write_table(pa.table(ITEMS).slice(0, 0)), "EMPTY_BATCH", "no rows"),
    ("invalid text", invalid_text(), "WRONG_ENCODING", "not valid UTF-8"),
    ("too few rows announced", other_row_count(1), "BROKEN_FILE", "announces 1 rows, and its row groups have 2; write"),
    ("too many rows announced", other_row_count(3), "BROKEN_FILE", "announces 3 rows, and its row groups have 2; write"),
    ("encrypted", encrypted_parquet(plaintext_footer=False), "BROKEN_FILE", "the Parquet file is encrypted"),
    ("encrypted column", encrypted_parquet(plaintext_footer=True), "BROKEN_FILE", "the Parquet file is encrypted"),
    ("Arrow file", arrow_file(2), "UNKNOWN_FORMAT", "an Arrow (Feather) file; save it as Parquet"),
    ("Arrow stream", arrow_stream(), "UNKNOWN_FORMAT", "an Arrow (Feather) file; save it as Parquet"),
    ("ORC", orc_file(), "UNKNOWN_FORMAT", "an ORC file; save it as Parquet"),
    ("truncated", SOUND[:-1], "BROKEN_FILE", "the Parquet file is truncated"),
    ("only magic bytes", b"PAR1", "BROKEN_FILE", "the Parquet file is truncated"),
    ("no metadata", b"PAR1" + b"\0" * 4 + b"PAR1", "BROKEN_FILE", "the Parquet file is damaged"),
    ("metadata beyond the file", SOUND[:-8] + b"\xff\xff\xff\x7fPAR1", "BROKEN_FILE", "the Parquet file is damaged"),
    ("metadata of four GiB", SOUND[:-8] + b"\xff\xff\xff\xffPAR1", "BROKEN_FILE", "the Parquet file is damaged"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "data", "code", "message"), REFUSED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_parquet_file_of_an_unusable_kind_is_rejected_by_name(kind: str, data: bytes, code: str, message: str) -> None:
    with pytest.raises(FileRejected) as caught:
        read_items(data, FileFormat.PARQUET)
    assert caught.value.code == code, kind
    assert message in caught.value.message


@pytest.mark.parametrize(("name", "hours"), [("+05:30", 5.5), ("-03:30", -3.5)])
def test_parquet_timestamp_with_an_offset_is_the_day_of_its_clock(name: str, hours: float) -> None:
    zone = timezone(timedelta(hours=hours))
    midnights = [datetime(2024, 1, day, tzinfo=zone) for day in (1, 2)]
    for unit in ("ms", "us", "ns"):
        data = arrow_parquet({"date_from": pa.array(midnights, pa.timestamp(unit, name))})
        assert read_items(data, FileFormat.PARQUET)["date_from"].to_list() == ["2024-01-01", "2024-01-02"]


CNSGH = (1, "CNSGH", "NLRTM", "2026-05-01")
SAMPLES: dict[str, tuple[Any, ...] | str] = {
    "date32-max": (*CNSGH, "infinity", "1450.5", "USD"),
    "dk-date-infinity": (*CNSGH, "infinity", "1450.5", "USD"),
    "json-type": "WRONG_COLUMNS: column currency has type Extension('arrow.json', String, ''); expected text",
    "pa-dup-columns": "WRONG_COLUMNS: repeated column price; remove it",
    "pd-concat-index": (*CNSGH, "2026-05-01", "1450.5", "USD"),
    "pd-period-dates": "WRONG_COLUMNS: column date_from has type Extension('pandas.period', Int64, '{\"freq\": \"D\"}');"
    " expected dates, timestamps in a known time zone, or text",
    "price-dec256": "WRONG_COLUMNS: column price has type Decimal(precision=50, scale=4); expected numbers of at most 38"
    " digits, or text",
}


@pytest.mark.parametrize(("name", "expected"), SAMPLES.items())
def test_parquet_sample_of_a_bug_report_is_read_or_rejected_by_name(
    sample_files: Path, name: str, expected: tuple[Any, ...] | str
) -> None:
    data = (sample_files / f"{name}.parquet").read_bytes()
    found: tuple[Any, ...] | str
    try:
        found = read_items(data, FileFormat.PARQUET).row(0)
    except FileRejected as error:
        found = f"{error.code}: {error.message}"
    assert found == expected


def test_parquet_dates_are_those_of_the_file() -> None:
    assert read_items(SOUND, FileFormat.PARQUET)["date_to"].to_list() == [str(date(2024, 1, 31)), None]
