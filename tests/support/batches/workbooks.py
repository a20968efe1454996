"""Excel workbooks, built part by part, so that tests control every detail of the XML."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from xml.sax.saxutils import escape, quoteattr

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
EPOCH = datetime(1899, 12, 30)  # noqa: DTZ001
DATE_STYLE = 1


@dataclass(frozen=True)
class Raw:
    """Cell in XML, without its position: attributes and content of the element `c`."""

    attributes: str
    content: str


Value = str | int | float | bool | date | Raw | None
Rows = Sequence[Sequence[Value]]

PERIOD_HEADER = ("origin", "destination", "date_from", "date_to", "price", "currency")
PERIOD_ROW: Sequence[Value] = ("CNSGH", "NLRTM", date(2024, 1, 1), date(2024, 1, 31), 1234.5, "EUR")


def error(text: str) -> Raw:
    """Return a formula whose stored result is an error, such as #N/A."""
    return Raw('t="e"', f"<f>NA()</f><v>{text}</v>")


def formula(text: str, result: float | None) -> Raw:
    """Return a formula with its stored result; programs that do not calculate store none."""
    return Raw("", f"<f>{escape(text)}</f>" + ("<v></v>" if result is None else f"<v>{result}</v>"))


@dataclass(frozen=True)
class Sheet:
    """Sheet of a workbook: its rows from row 1 on, its state, and references of merged cells."""

    rows: Rows
    name: str = "Prices"
    state: str = "visible"
    merged: Sequence[str] = field(default=())

    def xml(self) -> str:
        """Return the part of the sheet."""
        rows = "".join(
            f'<row r="{number}">{"".join(_cell(value, number, column) for column, value in enumerate(row))}</row>'
            for number, row in enumerate(self.rows, start=1)
        )
        merged = "".join(f'<mergeCell ref="{area}"/>' for area in self.merged)
        areas = f'<mergeCells count="{len(self.merged)}">{merged}</mergeCells>' if merged else ""
        return f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData>{areas}</worksheet>'


def _cell(value: Value, row: int, column: int) -> str:
    if value is None:
        return ""
    position = f'r="{chr(65 + column)}{row}"'
    match value:
        case Raw():
            return f"<c {position} {value.attributes}>{value.content}</c>"
        case bool():
            return f'<c {position} t="b"><v>{value:d}</v></c>'
        case int() | float():
            return f"<c {position}><v>{value}</v></c>"
        case str():
            return f'<c {position} t="inlineStr"><is><t xml:space="preserve">{escape(value)}</t></is></c>'
        case datetime():
            days = (value - EPOCH).total_seconds() / 86_400
        case _:
            days = (datetime(value.year, value.month, value.day) - EPOCH).days  # noqa: DTZ001
    return f'<c {position} s="{DATE_STYLE}"><v>{days}</v></c>'


def workbook_parts(*sheets: Sheet) -> dict[str, str]:
    """Return the parts of a workbook by their names."""
    listed = "".join(
        f'<sheet name={quoteattr(sheet.name)} sheetId="{number}" state="{sheet.state}" r:id="rId{number}"/>'
        for number, sheet in enumerate(sheets, start=1)
    )
    relations = "".join(
        f'<Relationship Id="rId{number}" Type="{RELATIONS}/worksheet" Target="worksheets/sheet{number}.xml"/>'
        for number in range(1, len(sheets) + 1)
    )
    styles = f'<Relationship Id="styles" Type="{RELATIONS}/styles" Target="styles.xml"/>'
    package = f'<Relationship Id="rId1" Type="{RELATIONS}/officeDocument" Target="xl/workbook.xml"/>'
    return {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{PACKAGE_RELATIONS}">{package}</Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>{listed}</sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{PACKAGE_RELATIONS}">{relations}{styles}</Relationships>',
        "xl/styles.xml": (
            f'<styleSheet xmlns="{MAIN}"><cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>'
        ),
        **{f"xl/worksheets/sheet{number}.xml": sheet.xml() for number, sheet in enumerate(sheets, start=1)},
    }


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    """Return a zip archive of the parts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def workbook(*sheets: Sheet | Rows) -> bytes:
    """Return a workbook of the sheets; rows make a sheet of their own."""
    named = [
        sheet if isinstance(sheet, Sheet) else Sheet(sheet, f"Sheet{number}")
        for number, sheet in enumerate(sheets, start=1)
    ]
    return zipped(workbook_parts(*named))
