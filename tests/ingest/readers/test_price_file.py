"""Price files: all formats and layouts yield the same rows, broken files a clear code."""

import gzip
from datetime import date, datetime
from decimal import Decimal

import pytest

from domain.batches import FileFormat
from ingest.errors import FileRejected
from tests.support.batches.parquet import parquet
from tests.support.worlds import read_items

PERIOD = b"origin,destination,date_from,date_to,price,currency\nCNSGH,NLRTM,2024-01-01,2024-01-31,1234.50,EUR\n"
ONE_DAY = b"origin_code,destination_code,day,price\nCNSGH,NLRTM,2024-01-01,1234.50\n"
ROW = (1, "CNSGH", "NLRTM", "2024-01-01", "2024-01-31", "1234.50", "EUR")
NDJSON = (
    b'{"origin":"CNSGH","destination":"NLRTM","date_from":"2024-01-01","date_to":"2024-01-31",'
    b'"price":"1234.50","currency":"EUR"}\n'
)


@pytest.mark.parametrize(
    ("data", "file_format"),
    [
        (PERIOD, FileFormat.CSV),
        (gzip.compress(PERIOD, mtime=0), FileFormat.CSV_GZIP),
        (b"\xef\xbb\xbf" + PERIOD.replace(b"\n", b"\r\n"), FileFormat.CSV),
        (PERIOD.replace(b"origin,dest", b"Origin , DEST").replace(b"CNSGH", b" CNSGH "), FileFormat.CSV),
        (PERIOD.replace(b"date_from", b"Date From").replace(b"date_to", b"DateTo"), FileFormat.CSV),
        (b"currency,price,date_to,date_from,destination,origin\nEUR,1234.50,2024-01-31,2024-01-01,NLRTM,CNSGH", FileFormat.CSV),
        (NDJSON, FileFormat.NDJSON),
        (gzip.compress(NDJSON, mtime=0), FileFormat.NDJSON_GZIP),
        (
            parquet(
                origin="CNSGH",
                destination="NLRTM",
                date_from=date(2024, 1, 1),
                date_to=datetime(2024, 1, 31),  # noqa: DTZ001
                price=Decimal("1234.50"),
                currency="EUR",
            ),
            FileFormat.PARQUET,
        ),
    ],
)  # fmt: skip
def test_price_file_formats_and_layouts_yield_equal_items(data: bytes, file_format: FileFormat) -> None:
    assert read_items(data, file_format).rows() == [ROW]


def test_price_file_one_day_layout_has_no_last_day_or_currency() -> None:
    assert read_items(ONE_DAY, FileFormat.CSV).rows() == [(1, "CNSGH", "NLRTM", "2024-01-01", None, "1234.50", None)]


def test_price_file_preserves_the_digits_of_ndjson_and_parquet_numbers() -> None:
    line = b'{"origin_code":"A","destination_code":"B","day":"2024-01-01","price":0.1}\n'
    assert read_items(line, FileFormat.NDJSON)["price"].to_list() == ["0.1"]
    data = parquet(origin_code="A", destination_code="B", day=date(2024, 1, 1), price=1234.56)
    assert read_items(data, FileFormat.PARQUET)["price"].to_list() == ["1234.56"]


def test_price_file_preserves_the_time_of_day_of_a_parquet_timestamp() -> None:
    data = parquet(origin_code="A", destination_code="B", day=datetime(2024, 1, 1, 12), price=1)  # noqa: DTZ001
    assert read_items(data, FileFormat.PARQUET)["date_from"].to_list() == ["2024-01-01T12:00:00"]


def test_price_file_skips_blank_lines_but_counts_them_in_item_numbers() -> None:
    data = ONE_DAY + b"\nCNSGH,NLRTM,2024-01-02,1\n"
    assert read_items(data, FileFormat.CSV)["item"].to_list() == [1, 3]


@pytest.mark.parametrize(
    ("data", "file_format", "code", "words"),
    [
        (b"", FileFormat.CSV, "EMPTY_BATCH", "no rows"),
        (b"\n\n", FileFormat.NDJSON, "EMPTY_BATCH", "no rows"),
        (ONE_DAY.splitlines()[0], FileFormat.CSV, "EMPTY_BATCH", "no rows"),
        (b"a,b\n1,2\n", FileFormat.CSV, "WRONG_COLUMNS", "expected origin_code"),
        (ONE_DAY.replace(b"price", b"prise"), FileFormat.CSV, "WRONG_COLUMNS", "unknown column prise; missing column price;"),
        (PERIOD.replace(b"currency", b"curency"), FileFormat.CSV, "WRONG_COLUMNS", "unknown column curency; expected"),
        (PERIOD.replace(b"currency", b"price"), FileFormat.CSV, "WRONG_COLUMNS", "repeated column price; expected"),
        (PERIOD.replace(b"date_", b"day_"), FileFormat.CSV, "WRONG_COLUMNS", "missing columns date_from, date_to; expected"),
        (ONE_DAY.replace(b",price", b""), FileFormat.CSV, "WRONG_COLUMNS", "missing column price; expected"),
        (ONE_DAY.partition(b"\n")[2], FileFormat.CSV, "WRONG_COLUMNS", "the first line is no header: cnsgh,"),
        (parquet(a=1), FileFormat.PARQUET, "WRONG_COLUMNS", "expected"),
        (parquet(origin_code=["A"], destination_code="B", day="", price=1), FileFormat.PARQUET, "WRONG_COLUMNS", "type List"),
        (ONE_DAY + b"CNSGH,NLRTM,2024-01-02,1,2\n", FileFormat.CSV, "BROKEN_FILE", "line 3 has 5 fields"),
        (ONE_DAY + b'"CNSGH,NLRTM,2024-01-02,1\n', FileFormat.CSV, "BROKEN_FILE", "line 3"),
        (b"PAR1 nothing of the kind", FileFormat.PARQUET, "BROKEN_FILE", "Parquet"),
        (gzip.compress(ONE_DAY * 1000, mtime=0)[:-20], FileFormat.CSV_GZIP, "BROKEN_FILE", "truncated gzip data"),
        (PERIOD.replace(b"EUR", "€".encode("cp1252")), FileFormat.CSV, "WRONG_ENCODING", "line 2"),
        (PERIOD.decode().encode("utf-16-le"), FileFormat.CSV, "WRONG_ENCODING", "UTF-8"),
    ],
)  # fmt: skip
def test_price_file_that_is_unusable_is_rejected_with_its_code_and_position(
    data: bytes, file_format: FileFormat, code: str, words: str
) -> None:
    with pytest.raises(FileRejected) as caught:
        read_items(data, file_format)
    assert caught.value.code == code
    assert words in caught.value.message


def test_price_file_ndjson_line_without_a_key_yields_null() -> None:
    items = read_items(NDJSON + b'{"origin": "CNSGH"}\n', FileFormat.NDJSON)
    assert items.rows()[1] == (2, "CNSGH", None, None, None, None, None)
