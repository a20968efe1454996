"""Excel workbooks: values as text, the choice of the sheet, and cells without a value."""

import io
from dataclasses import replace
from datetime import date, datetime
from xml.sax.saxutils import quoteattr

import pytest

from domain.batches import FileFormat
from ingest.errors import FileRejected
from ingest.readers import price_file
from ingest.readers.price_file import read_slices
from ingest.readers.problems import Note
from tests.support.batches.workbooks import (
    PERIOD_HEADER,
    PERIOD_ROW,
    Raw,
    Rows,
    Sheet,
    Value,
    error,
    formula,
    workbook,
    workbook_parts,
    zipped,
)
from tests.support.worlds import read_items

ITEM = (1, "CNSGH", "NLRTM", "2024-01-01", "2024-01-31", "1234.5", "EUR")
PRICES: Rows = (PERIOD_HEADER, PERIOD_ROW)


def items_of(*sheets: Sheet | Rows) -> list[tuple[object, ...]]:
    """Return the items of a workbook."""
    return read_items(workbook(*sheets), FileFormat.XLSX).rows()


def rejection_of(data: bytes) -> tuple[str, str]:
    """Return the code and the message with which a workbook is rejected."""
    with pytest.raises(FileRejected) as caught:
        read_items(data, FileFormat.XLSX)
    return caught.value.code, caught.value.message


def changed(**values: Value) -> list[Value]:
    """Return the row of prices with other values in some columns."""
    return [values.get(name, value) for name, value in zip(PERIOD_HEADER, PERIOD_ROW, strict=True)]


@pytest.mark.parametrize(
    "sheet",
    [
        ((), (), *PRICES),
        (PERIOD_HEADER[::-1], PERIOD_ROW[::-1]),
        ((*PERIOD_HEADER, None, None), (*PERIOD_ROW, None, None), (None,) * 9, (), ("",)),
        tuple((None, None, *row) for row in PRICES),
    ],
    ids=["blank rows above", "other order", "blank rows and columns at the end", "blank columns before"],
)
def test_excel_table_is_found_between_blank_cells_and_in_any_order(sheet: Rows) -> None:
    assert items_of(sheet) == [ITEM]


def test_excel_values_become_the_text_that_a_csv_file_has() -> None:
    variants: list[dict[str, Value]] = [
        {},
        {"date_from": "2024-01-01", "date_to": " 2024-01-31 ", "price": "1234.5", "origin": " CNSGH "},
        {"price": formula("E1*1.5", 1234.5)},
        {"price": Raw('t="n"', "<v>1.2345E3</v>")},
        {"date_from": Raw('t="d"', "<v>2024-01-01</v>")},
        {"currency": Raw('t="str"', '<f>UPPER("eur")</f><v>EUR</v>')},
    ]
    items = items_of([PERIOD_HEADER, *(changed(**values) for values in variants)])
    assert [item[1:] for item in items] == [ITEM[1:]] * len(variants)


def test_excel_one_day_layout_has_no_last_day_or_currency() -> None:
    rows: Rows = [("Origin_Code", "Destination_Code", "Day", "Price"), ("CNSGH", "NLRTM", date(2024, 1, 1), 7)]
    assert items_of(rows) == [(1, "CNSGH", "NLRTM", "2024-01-01", None, "7", None)]


def test_excel_items_are_numbered_from_the_row_below_the_header_with_blank_rows() -> None:
    items = items_of([(), PERIOD_HEADER, PERIOD_ROW, (), (" ", None, "  "), PERIOD_ROW])
    assert [item for item, *_ in items] == [1, 4]


def test_excel_number_has_the_digits_that_a_spreadsheet_shows() -> None:
    items = items_of([PERIOD_HEADER, changed(price=0.1 + 0.2), changed(price=1_000_000.0), changed(price=-0.5)])
    assert [price for *_, price, _ in items] == ["0.3", "1000000", "-0.5"]


def test_excel_time_of_day_and_boolean_stay_visible() -> None:
    row = changed(date_from=datetime(2024, 1, 1, 12), price=True)  # noqa: DTZ001
    assert items_of([PERIOD_HEADER, row])[0][3:6] == ("2024-01-01T12:00:00", "2024-01-31", "TRUE")


def test_excel_workbook_counts_days_from_1904_if_it_says_so() -> None:
    parts = workbook_parts(Sheet(PRICES))
    parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace("<sheets>", '<workbookPr date1904="1"/><sheets>')
    assert read_items(zipped(parts), FileFormat.XLSX).rows()[0][3:5] == ("2028-01-02", "2028-02-01")


def test_excel_error_is_the_value_of_its_cell() -> None:
    errors = ["#N/A", "#DIV/0!", "#REF!", "#VALUE!", "#NAME?", "#NUM!", "#NULL!"]
    rows = [changed(date_to=error(text), price=error(text), currency=error(text)) for text in errors]
    assert [item[4:] for item in items_of([PERIOD_HEADER, *rows])] == [(text, text, text) for text in errors]


def test_excel_formula_without_a_stored_result_is_the_value_of_its_cell() -> None:
    row = changed(date_to=formula("C2+30", None), currency=Raw("", "<f>X1</f>"))
    only = [*[None] * 4, formula("SUM(E1:E2)", None)]
    assert items_of([PERIOD_HEADER, row, only]) == [
        (1, "CNSGH", "NLRTM", "2024-01-01", "=C2+30", "1234.5", "=X1"),
        (2, None, None, None, None, "=SUM(E1:E2)", None),
    ]


def test_excel_formula_with_an_empty_text_as_result_is_blank() -> None:
    row = changed(date_to=Raw('t="str"', '<f>IF(1,"")</f><v></v>'))
    assert items_of([PERIOD_HEADER, row])[0][4] is None


def test_excel_positions_of_lost_cells_are_found_without_references() -> None:
    parts = workbook_parts(Sheet([PERIOD_HEADER, changed(date_to=error("#N/A")), changed(price=error("#REF!"))]))
    sheet = parts["xl/worksheets/sheet1.xml"]
    for row in "123":
        sheet = sheet.replace(f'<row r="{row}">', "<row>")
        for column in "ABCDEF":
            sheet = sheet.replace(f'r="{column}{row}"', "")
    parts["xl/worksheets/sheet1.xml"] = sheet
    items = read_items(zipped(parts), FileFormat.XLSX).rows()
    assert [item[4:6] for item in items] == [("#N/A", "1234.5"), ("2024-01-31", "#REF!")]


def test_excel_merged_cells_have_the_value_of_the_first_one() -> None:
    rows: Rows = [
        PERIOD_HEADER,
        PERIOD_ROW,
        changed(currency=None, date_to=None, price=2),
        changed(currency=None, price=3),
    ]
    items = items_of(Sheet(rows, merged=["F2:F4", "D2:D3"]))
    assert [item[4:] for item in items] == [
        ("2024-01-31", "1234.5", "EUR"),
        ("2024-01-31", "2", "EUR"),
        ("2024-01-31", "3", "EUR"),
    ]


@pytest.mark.parametrize(
    ("sheets", "note"),
    [
        ([Sheet((), "Empty"), Sheet(PRICES)], None),
        (
            [Sheet([("Rates of January",)], "Cover"), Sheet(PRICES), Sheet([("Contact", "Desk")], "Notes")],
            "only sheet 'Prices' was read, not 'Cover', 'Notes'",
        ),
        (
            [Sheet(PRICES, "Old", "hidden"), Sheet(PRICES, "A & B <ü>"), Sheet(PRICES, "Older", "veryHidden")],
            "only sheet 'A & B <ü>' was read, not 'Old', 'Older'",
        ),
        (
            [Sheet([PERIOD_HEADER], "Template"), Sheet(PRICES), Sheet([PERIOD_HEADER], "Next year")],
            "only sheet 'Prices' was read, not 'Template', 'Next year'",
        ),
        (
            [Sheet(PRICES), *(Sheet([(name,)], name) for name in "abcdef")],
            "only sheet 'Prices' was read, not 'a', 'b', 'c', 'd', 'e' …",
        ),
    ],
    ids=["empty", "notes", "hidden", "headers only", "many"],
)
def test_excel_sheet_with_prices_is_found_among_others_and_named(
    monkeypatch: pytest.MonkeyPatch, sheets: list[Sheet], note: str | None
) -> None:
    monkeypatch.setattr(price_file, "MAX_LINES", 1)
    sheets = [replace(sheet, rows=(*sheet.rows, PERIOD_ROW)) if sheet.rows is PRICES else sheet for sheet in sheets]
    first, second = read_slices(io.BytesIO(workbook(*sheets)), FileFormat.XLSX)
    assert [*first.items.rows(), *second.items.rows()] == [ITEM, (2, *ITEM[1:])]
    assert (first.note, second.note) == (None if note is None else Note("SHEET_CHOSEN", note), None)


NO_XML = zipped({"[Content_Types].xml": "", "_rels/.rels": "<"})


@pytest.mark.parametrize(
    ("data", "code", "words"),
    [
        (workbook(Sheet(PRICES, "Jan"), Sheet(PRICES, "Feb")), "WRONG_COLUMNS", "the sheets 'Jan' and 'Feb' have the same"),
        (workbook(Sheet(())), "EMPTY_BATCH", "visible sheets of the workbook contain no rows"),
        (workbook(Sheet(PRICES, "Old", "hidden"), Sheet(())), "EMPTY_BATCH", "visible sheets"),
        (workbook([PERIOD_HEADER, (), ()]), "EMPTY_BATCH", "no rows"),
        (
            workbook(Sheet([("Cover",)], "Cover"), Sheet([(), ("origin", "destination", "date_from", "price")], "Jan 24")),
            "WRONG_COLUMNS",
            "sheet 'Jan 24', row 2: missing column date_to; expected",
        ),
        (workbook([PERIOD_HEADER, (*PERIOD_ROW, None, "urgent")]), "WRONG_COLUMNS", "sheet 'Sheet1', cell H2: a value in"),
        (workbook([(*PERIOD_HEADER, "price"), PERIOD_ROW]), "WRONG_COLUMNS", "repeated column price"),
        (zipped({"prices.csv": "origin"}), "UNKNOWN_FORMAT", "a zip archive; unpack it"),
        (zipped({}), "UNKNOWN_FORMAT", "a zip archive; unpack it"),
        (zipped({"mimetype": "", "content.xml": ""}), "UNKNOWN_FORMAT", "an OpenDocument file; save it as .xlsx"),
        (zipped({"[Content_Types].xml": "", "xl/workbook.bin": ""}), "UNKNOWN_FORMAT", "workbook (.xlsb); save it as .xlsx"),
        (zipped({"[Content_Types].xml": "", "word/document.xml": ""}), "UNKNOWN_FORMAT", "a Word document"),
        (workbook(PRICES)[:-40], "BROKEN_FILE", "a damaged or truncated zip archive or Excel workbook; send it again"),
        (NO_XML, "BROKEN_FILE", "damaged or not supported; save the sheet as CSV"),
        (workbook([PERIOD_HEADER, changed(price=error("#SPILL!"))]), "BROKEN_FILE", "cell E2: replace the error #SPILL!"),
    ],
)  # fmt: skip
def test_excel_workbook_that_is_unusable_is_rejected_with_its_reason(data: bytes, code: str, words: str) -> None:
    found, message = rejection_of(data)
    assert found == code
    assert words in message


@pytest.mark.parametrize(
    ("part", "old", "new", "words"),
    [
        ("xl/workbook.xml", "<workbook", "<!DOCTYPE workbook [<!ENTITY a 'b'>]><workbook", "declaration; save the sheet"),
        ("xl/worksheets/sheet1.xml", "<worksheet", "<!DOCTYPE x [<!ENTITY a 'b'>]><worksheet", "declaration; save the sheet"),
        ("xl/worksheets/sheet1.xml", "</sheetData>", "", "save the sheet as CSV"),
        ("xl/worksheets/sheet1.xml", 'r="F2"', 'r="XFD1048576"', "used area of a sheet has 1,048,576 rows and 16,384 columns"),
        ("xl/worksheets/sheet1.xml", 'r="F2"', 'r="two"', "'two' is not the position of a cell; save the sheet as CSV"),
        ("xl/_rels/workbook.xml.rels", "sheet1.xml", "sheet9.xml", "save the sheet as CSV"),
    ],
)  # fmt: skip
def test_excel_workbook_with_a_damaged_part_is_rejected(part: str, old: str, new: str, words: str) -> None:
    parts = workbook_parts(Sheet(PRICES))
    assert old in parts[part]
    code, message = rejection_of(zipped(parts | {part: parts[part].replace(old, new)}))
    assert code == "BROKEN_FILE"
    assert words in message


def test_excel_decompression_bomb_is_rejected_before_it_is_decompressed() -> None:
    parts = workbook_parts(Sheet(PRICES))
    bomb = parts["xl/worksheets/sheet1.xml"].replace("<row", " " * (64 << 20) + "<row", 1)
    code, message = rejection_of(zipped(parts | {"xl/worksheets/sheet1.xml": bomb}))
    assert (code, message) == (
        "BROKEN_FILE",
        "compression ratio exceeds 200:1 (possible decompression bomb); save the sheet as CSV",
    )


@pytest.mark.parametrize(
    ("code", "currency", "price"),
    [
        ("#,##0.00\\ [$€-407]", None, "1450 €"),
        ('_-* #,##0.00\\ "€"_-;\\-* #,##0.00\\ "€"_-', None, "1450 €"),
        ("€#,##0", "USD", "1450 €"),
        ("[$EUR] #,##0.00", "", "1450 EUR"),
        ('#,##0 "EUR/TEU"', None, "1450 EUR"),
        ("[$¥-804]#,##0", "EUR", "1450 ¥"),
        ("[$Rp-421]#,##0", None, "1450 Rp"),
        ("$#,##0.00", "EUR", "1450 $"),
        ("0.0%", "USD", "145000%"),
        ("#,##0.00\\ [$€-407]", " eur ", "1450"),
        ("[$¥-804]#,##0", "CNY", "1450"),
        ("[$Rp-421]#,##0", "IDR", "1450"),
        ('_("$"* #,##0.00_)', None, "1450"),
        ('_("$"* #,##0.00_)', "CAD", "1450"),
        ('[Red][>9]#,##0_€*€ "per TEU, all in";[$-409]0.00E+00', None, "1450"),
    ],
)
def test_excel_price_shown_in_another_unit_than_its_currency_keeps_the_unit(
    code: str, currency: str | None, price: str
) -> None:
    row = changed(price=Raw('s="2"', "<v>1450</v>"), currency=currency)
    parts = workbook_parts(Sheet([PERIOD_HEADER, row, row, changed(currency="EUR")], merged=["E2:E3"]))
    formats = f'<numFmts count="1"><numFmt numFmtId="164" formatCode={quoteattr(code)}/></numFmts><cellXfs'
    styles = parts["xl/styles.xml"].replace("<cellXfs", formats).replace("</cellXfs>", '<xf numFmtId="164"/></cellXfs>')
    items = read_items(zipped({**parts, "xl/styles.xml": styles}), FileFormat.XLSX)
    assert items["price"].to_list() == [price, price, "1234.5"]


@pytest.mark.parametrize(
    ("settings", "price"),
    [
        ('<calcPr calcId="191029"/>', "0"),
        ('<calcPr fullCalcOnLoad="0"/>', "0"),
        ('<calcPr calcId="124519" fullCalcOnLoad="1"/>', "=C2*2"),
        ("", "=C2*2"),
    ],
)
def test_excel_zero_of_a_formula_counts_only_in_a_calculated_workbook(settings: str, price: str) -> None:
    rows = [PERIOD_HEADER, changed(price=formula("C2*2", 0)), changed(price=formula("C2*2", 2900)), changed(price=0)]
    parts = workbook_parts(Sheet(rows))
    parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace("</sheets>", f"</sheets>{settings}")
    items = read_items(zipped(parts), FileFormat.XLSX)
    assert items["price"].to_list() == [price, "2900", "0"]


@pytest.mark.parametrize("content", ["<![CDATA[EUR]]>", "E<!-- euro -->UR", "EU<?euro?>R"])
def test_excel_value_that_the_decoder_reads_in_part_is_read_as_a_whole(content: str) -> None:
    row = changed(currency=Raw('t="str"', f"<v>{content}</v>"))
    assert items_of([PERIOD_HEADER, row]) == [ITEM]
