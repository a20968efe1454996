"""Dialects of CSV: spreadsheets' variants are read alike, and errors name their line."""

import io
import time
from pathlib import Path
from typing import Any

import pytest

from domain.batches import FileFormat
from ingest.errors import FileRejected
from ingest.readers import csv_file, line_blocks
from ingest.readers.price_file import Slice, read_slices
from ingest.readers.problems import Note

HEADER = "origin,destination,date_from,date_to,price,currency\n"
LINE = "CNSGH,NLRTM,2026-05-01,2026-05-31,1450.50,EUR\n"
ROW = ("CNSGH", "NLRTM", "2026-05-01", "2026-05-31", "1450.50", "EUR")
SEMICOLONS = (
    "the fields are separated by semicolons, so a comma in a price is its decimal separator (1450,50 is 1450.50)"
)
CUT_OFF = "; the file may be cut off (end it with a newline if it is complete)"
Rows = list[tuple[Any, ...]]


def read(text: str | bytes) -> list[Slice]:
    """Return the slices of a CSV file."""
    data = text.encode() if isinstance(text, str) else text
    return list(read_slices(io.BytesIO(data), FileFormat.CSV))


def rows_of(text: str | bytes) -> Rows:
    """Return the values of all items."""
    return [row for part in read(text) for row in part.items.drop("item").rows()]


def problems_of(text: str | bytes) -> Rows:
    """Return the problems that the reader finds."""
    return [row for part in read(text) for row in part.problems.rows()]


def rejection_of(text: str | bytes) -> tuple[str, str]:
    """Return the code and the message with which the whole file is rejected."""
    with pytest.raises(FileRejected) as caught:
        read(text)
    return caught.value.code, caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        (HEADER + LINE).replace(",", ";"),
        (HEADER + LINE).replace(",", "\t"),
        (HEADER + LINE).replace(",", "|"),
        HEADER.replace(",", ";") + LINE.replace(",", ";").replace("1450.50", "1450,50"),
        HEADER.replace(",", ";") + '"CNSGH";"NLRTM";2026-05-01;2026-05-31;" 1450,50 ";"EUR"',
        HEADER.replace("currency", "currency,") + LINE.replace("EUR", "EUR,"),
        HEADER.replace("currency", "currency,, ") + LINE.replace("EUR", "EUR, ,"),
        HEADER.replace("currency", "currency,remarks") + LINE.replace("EUR", "EUR,"),
        HEADER + LINE.replace("EUR", "EUR,,"),
        "," + HEADER + "," + LINE,
        "\n\r\n  \n,,,,,\n" + HEADER + LINE,
        HEADER + LINE + "\n   \n,,,,,\n\n",
        "sep=;\n" + (HEADER + LINE).replace(",", ";"),
        "\ufeffsep=,\r\n" + HEADER + LINE,
        '"SEP=\t"\n' + (HEADER + LINE).replace(",", "\t"),
        "# exported, on Monday\n#\n" + HEADER + LINE,
        '"origin\n",destination,"date\nfrom",date_to,price,currency\n' + LINE,
        (HEADER + LINE).replace("\n", "\r"),
        (HEADER + LINE).replace("\n", "\r\n"),
        (HEADER + LINE)[:-1],
        '\ufeffOrigin , DESTINATION,"Date From",date-to,\xa0Price,"currency "\n' + LINE,
        "ORIGIN,Destination,dateFrom,DATE.TO,price,Currency\n" + LINE,
        '"origin","destination","date_from","date_to","price","currency"\n' + LINE,
        HEADER + '"CNSGH" , "NLRTM" ,2026-05-01, 2026-05-31, "1450.50" ,"EUR"\n',
        HEADER + '="CNSGH","=""NLRTM""",2026-05-01,2026-05-31,1450.50,="EUR"\n',
        HEADER + "\xa0CNSGH\u3000,NLRTM,2026-05-01,2026-05-31,1450.50,EUR\n",
    ],
)
def test_csv_dialects_of_spreadsheets_yield_equal_items(text: str) -> None:
    assert rows_of(text) == [ROW]
    assert problems_of(text) == []


def test_csv_with_line_ends_of_all_kinds_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "\r".join([HEADER[:-1], LINE[:-1], LINE[:-1]]) + "\r\n" + LINE + LINE[:-1] + "\r\n\r" + LINE[:-1] + "\r"
    for size in (1, 2, 3, 7, 8 << 20):
        # A carriage return may be the last byte of a read.
        monkeypatch.setattr(line_blocks, "BLOCK_BYTES", size)
        assert rows_of(text) == [ROW] * 5


@pytest.mark.parametrize(
    ("separator", "note"),
    [
        (",", None),
        (";", SEMICOLONS),
        ("\t", "the fields are separated by tabs"),
        ("|", "the fields are separated by vertical bars"),
    ],
)
def test_csv_separated_by_other_signs_than_commas_says_so_once(
    monkeypatch: pytest.MonkeyPatch, separator: str, note: str | None
) -> None:
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 100)
    parts = read((HEADER + LINE * 20).replace(",", separator))
    assert len(parts) > 5
    expected = None if note is None else Note("CSV_DIALECT", note)
    assert [part.note for part in parts] == [expected] + [None] * (len(parts) - 1)


@pytest.mark.parametrize(
    ("price", "read_as"),
    [
        ("1450,5", "1450.5"),
        ("-0,125", "-0.125"),
        (",5", ".5"),
        ("1450.50", "1450.50"),
        ("1450", "1450"),
        ("a,5", "a,5"),
    ],
)
def test_csv_decimal_commas_are_read_with_semicolons_only(price: str, read_as: str) -> None:
    for separator, expected in ((";", read_as), (",", price), ("\t", price)):
        line = separator.join([*ROW[:4], f'"{price}"', "EUR\n"])
        assert rows_of(HEADER.replace(",", separator) + line) == [(*ROW[:4], expected, "EUR")]


@pytest.mark.parametrize("price", ["1,234", "1.234", "-12.345", "+123,456"])
def test_csv_price_that_may_be_in_thousands_is_a_problem_of_its_item(price: str) -> None:
    line = ";".join([*ROW[:4], price, "EUR\n"])
    plain = price.replace(",", "").replace(".", "")
    message = f"ambiguous in a file separated by semicolons; write {plain} or {price.replace(',', '.')}0"
    assert problems_of((HEADER + LINE).replace(",", ";") + line) == [(2, "price", "INVALID_PRICE", message, price)]
    # A point is always decimal elsewhere.
    assert problems_of(HEADER + ",".join([*ROW[:4], f'"{price}"', "EUR\n"])) == []


@pytest.mark.parametrize(
    ("text", "problems"),
    [
        (HEADER + LINE + "CNSGH,NLRTM\n", [(2, "dateFrom", "MISSING_VALUE", "line 3 has 2 fields, the header has 6", None)]),
        (HEADER + "# remark\n" + LINE, [(1, "destination", "MISSING_VALUE", "line 2 has 1 field, the header has 6", None)]),
        (
            'sep=,\n\n"origin\n",destination,date_from,date_to,price\n' + LINE.replace(",EUR", "") + "\nA,B\n",
            [(3, "dateFrom", "MISSING_VALUE", "line 7 has 2 fields, the header has 5", None)],
        ),
        (
            HEADER + '"CN\nSGH",NLRTM,2026-05-01,2026-05-31,1,EUR\n' + "x,y\n",
            [(2, "dateFrom", "MISSING_VALUE", "line 4 has 2 fields, the header has 6", None)],
        ),
        # Excel omits the separators of last cells that are empty.
        (HEADER + LINE.replace(",EUR", ",") + LINE.replace(",EUR", ""), []),
        (
            HEADER + LINE + LINE[:-6],
            [(2, "currency", "MISSING_VALUE", "line 3 has 5 fields, the header has 6" + CUT_OFF, None)],
        ),
        # The end of the file may have cut the currency where it begins.
        (
            HEADER + LINE + LINE[:-4],
            [(2, "currency", "MISSING_VALUE", "line 3 has 5 fields, the header has 6" + CUT_OFF, None)],
        ),
        (HEADER + LINE + LINE[:-4] + '""', []),
        (HEADER + LINE + ",,,,,", []),
    ],
)  # fmt: skip
def test_csv_rows_of_too_few_fields_are_problems_with_their_line(text: str, problems: Rows) -> None:
    assert problems_of(text) == problems


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (HEADER + LINE + LINE.replace("EUR", "EUR,x"), "BROKEN_FILE", "line 3 has 7 fields, the header has 6; quote values"),
        ("\n\n" + HEADER + "\n" + LINE.replace("1450.50", "1450,50"), "BROKEN_FILE", "line 5 has 7 fields, the header has 6"),
        (HEADER + LINE + 'CNSGH,"NLRTM,1\n' + LINE, "BROKEN_FILE", "line 3: unterminated quote; close it, or"),
        ('"' + HEADER + LINE, "BROKEN_FILE", "line 1: unterminated quote; close it, or"),
        # Without the text next to the quotes, or with it, these would be other values.
        (HEADER + LINE + LINE.replace("1450.50", '"1450"0'), "BROKEN_FILE", "line 3: text after a closing quote; write a"),
        (HEADER + LINE.replace("EUR", '"US"D"'), "BROKEN_FILE", "line 2: text after a closing quote"),
        (HEADER + LINE.replace("1450.50", '""1450.50""'), "BROKEN_FILE", "line 2: text after a closing quote"),
        (HEADER + LINE.replace("EUR", '"EUR') * 2, "BROKEN_FILE", "line 2: text after a closing quote"),
        (HEADER.replace("currency", "currency,"), "EMPTY_BATCH", "no rows"),
        (HEADER[:-1], "EMPTY_BATCH", "no rows"),
        ("sep=;\n", "EMPTY_BATCH", "no rows"),
        ("\n,,,\n \n", "EMPTY_BATCH", "no rows"),
        (HEADER.replace("currency", "currency,note") + LINE.replace("EUR", "EUR,x"), "WRONG_COLUMNS", "unknown column note;"),
        (HEADER.replace("currency", "currency,") + LINE + LINE.replace("EUR", "EUR,x"), "WRONG_COLUMNS",
         "line 3 has a value in column 7, which has no name; remove the column"),
        (HEADER + LINE.replace("EUR", "EUR,") + LINE.replace("EUR", "EUR,x"), "WRONG_COLUMNS",
         "line 3 has a value in column 7, which has no name"),
        ("," + HEADER + "0," + LINE, "WRONG_COLUMNS", "line 2 has a value in column 1, which has no name"),
        ("\n" + HEADER.replace("price", "prise") + LINE, "WRONG_COLUMNS", "line 2: unknown column prise; missing column price"),
        (HEADER.replace("price", "Currency ") + LINE, "WRONG_COLUMNS", "missing column price; repeated column currency;"),
        ((HEADER + LINE).replace(",", ":"), "WRONG_COLUMNS", "separate the columns by commas, semicolons, tabs, vertical bars"),
        (f'"{HEADER[:-1]}"\n"{LINE[:-1]}"\n', "WRONG_COLUMNS", "; quote each field, not the whole line"),
        (LINE.replace(",", ";"), "WRONG_COLUMNS", "the first line is no header: cnsgh,nlrtm,"),
        ("Rates of May,,\n" + HEADER + LINE, "WRONG_COLUMNS", "unexpected columns rates of may,,; expected"),
        (HEADER[:-1] + "," * 40 + "\n" + LINE, "WRONG_COLUMNS", "has 46 columns or more, limit 32; remove the others"),
        (HEADER[:-1] + "," * 9_000 + "\n" + LINE, "WRONG_COLUMNS", "columns or more, limit 32"),
        ((HEADER + LINE).encode("utf-16-le"), "WRONG_ENCODING", "line 1 contains NUL characters, as UTF-16 does; save"),
        ((HEADER + LINE.replace("EUR", "€")).encode("cp1252"), "WRONG_ENCODING",
         "line 2 is not valid UTF-8 (byte 0x80, '€' in Windows-1252); save the file as UTF-8 (Excel: CSV UTF-8)"),
        (HEADER + LINE + "CN\0SGH" + LINE, "WRONG_ENCODING", "line 3 contains NUL"),
    ],
)  # fmt: skip
def test_csv_that_cannot_be_read_is_rejected_with_reason_and_line(text: str | bytes, code: str, words: str) -> None:
    found = rejection_of(text)
    assert found[0] == code
    assert words in found[1]


def test_csv_quotes_between_other_characters_belong_to_the_value() -> None:
    lines = [LINE.replace("1450.50", '14"50'), LINE.replace("EUR", 'EU"R"'), LINE.replace("EUR", '"a ""b"" ,c" ')]
    assert [row[4:] for row in rows_of(HEADER + "".join(lines))] == [
        ('14"50', "EUR"),
        ("1450.50", 'EU"R"'),
        ("1450.50", 'a "b" ,c'),
    ]


def test_csv_items_are_numbered_alike_by_both_parsers(monkeypatch: pytest.MonkeyPatch) -> None:
    text = HEADER + "\n" + LINE + "\n   \n,,,,,\n" + LINE + "\n"
    numbers = [part.items["item"].to_list() for part in read(text)]
    assert numbers == [[2, 6]]
    monkeypatch.setattr(csv_file.Table, "_read_quickly", lambda _self, _block: None)
    assert [part.items["item"].to_list() for part in read(text)] == numbers


def test_csv_with_separators_after_each_line_is_read_by_polars_after_the_first_block(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exactly = []
    read_exactly = csv_file.Table._read_exactly

    def count(table: csv_file.Table, block: line_blocks.Block) -> csv_file.Rows:
        exactly.append(block.first_line)
        return read_exactly(table, block)

    monkeypatch.setattr(csv_file.Table, "_read_exactly", count)
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 500)
    assert rows_of(HEADER + LINE.replace("EUR", "EUR,,") * 50) == [ROW] * 50
    assert exactly == [2]


def test_csv_rows_of_too_few_fields_are_described_in_a_few_blocks_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 100)
    text = HEADER + "CNSGH,NLRTM\n" * 1_000
    described = problems_of(text)
    assert 10 < len(described) < 100
    assert len(rows_of(text)) == 1_000


def test_csv_of_comments_or_blank_lines_is_rejected_in_time() -> None:
    start = time.process_time()
    assert rejection_of("#\n" * 4_000_000)[0] == "WRONG_COLUMNS"
    assert rejection_of(",\n" * 4_000_000)[0] == "EMPTY_BATCH"
    assert time.process_time() - start < 10


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("semicolon.csv", 3),
        ("sep-line.csv", 3),
        ("leading-blank-lines.csv", 3),
        ("header-newline-quoted.csv", 3),
        ("trailing-empty-column.csv", 3),
        ("cr-only-mac.csv", 3),
        ("locode-space.csv", 3),
        ("currency-rmb.csv", 3),
    ],
)
def test_csv_samples_are_read(sample_files: Path, name: str, rows: int) -> None:
    data = (sample_files / name).read_bytes()
    assert len(rows_of(data)) == rows
    assert problems_of(data) == []
