"""Units that number formats show next to a number: signs of currencies, and percent.

The formats are those of ECMA-376, part 1, 18.8.31.

A cell with the number 1450 may show `1,450.00 €`. The decoder returns the number only. An empty currency means US dollars, so
such an item would be stored in a wrong currency without a word.
"""

import re
import unicodedata
from collections.abc import Iterator
from zipfile import ZipFile

from domain.currencies import CODES, can_mean, find_meant
from ingest.readers.excel.package import Attributes, find_part, parse_part

PERCENT = "%"
BUILT_IN = {"9": PERCENT, "10": PERCENT}
"""Units of formats that the standard defines. Those of currencies depend on the country, so programs write them out."""
TOKEN = re.compile(r'\[\$([^\]-]*)[^\]]*\]|\[[^\]]*\]|"([^"]*)"|\\(.)|[_*].|(.)', re.DOTALL)
"""Part of a format: a currency with its locale, a colour or condition, literal text, a character that fills, any other."""
WORD = re.compile(r"[^\s/]+")


def find_units(archive: ZipFile) -> dict[str, str]:
    """Return the unit that cells of a style show, by the index of the style.

    Styles without a unit are left out.
    """
    formats, styles = dict(BUILT_IN), list[str]()
    path = list[str]()

    def start(name: str, attributes: Attributes) -> None:
        path.append(name.rpartition(" ")[2])
        if path[-1] == "numFmt" and (unit := find_unit(attributes.get("formatCode", ""))):
            formats[attributes.get("numFmtId", "")] = unit
        elif path[-2:] == ["cellXfs", "xf"]:
            styles.append(attributes.get("numFmtId", "0"))

    if part := find_part(archive, "styles"):
        parse_part(archive, part, start, lambda _name: path.__delitem__(-1))
    return {str(index): formats[number] for index, number in enumerate(styles) if number in formats}


def find_unit(code: str) -> str | None:
    """Return the unit that a number format shows: `%`, or the sign, word or code of a currency."""
    return next(_list_units(code), None)


def show_amount(number: str, unit: str, currency: str | None) -> str:
    """Return the price with its unit if that contradicts the currency.

    Otherwise return the plain number. Without a currency, US dollars are meant.
    """
    if unit == PERCENT:
        return f"{float(number) * 100:.15g}{PERCENT}"
    return number if can_mean(unit, (currency or "USD").strip().upper() or "USD") else f"{number} {unit}"


def _list_units(code: str) -> Iterator[str]:
    literal = ""
    for match in TOKEN.finditer(code):
        currency, quoted, escaped, other = match.groups()
        if currency and currency.strip():
            yield currency.strip()
        elif other == PERCENT:
            yield PERCENT
        literal += quoted or escaped or (other if other and unicodedata.category(other) == "Sc" else " ")
    yield from (word for word in WORD.findall(literal) if _is_currency(word))


def _is_currency(word: str) -> bool:
    return word in CODES or bool(find_meant(word.upper())) or any(unicodedata.category(sign) == "Sc" for sign in word)
