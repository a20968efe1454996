"""Columns of price files: the two layouts, and what distinguishes a file from both."""

import re
from collections.abc import Sequence

from ingest.errors import FileRejected

ONE_DAY_COLUMNS = ("origin_code", "destination_code", "day", "price")
PERIOD_COLUMNS = ("origin", "destination", "date_from", "date_to", "price")
OPTIONAL_COLUMN = "currency"
SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "vertical bars"}
REPEATED = re.compile(r"(.+)_duplicated_\d+")
"""A name that polars gives to a column whose name occurred before."""
VALUE = re.compile(r"[+-]?\d+([.,]\d+)?|\d{4}-\d\d-\d\d")
"""A number or a date: the text of a value, not of a column's name."""
MAX_SHOWN_LENGTH = 200


def normal_name(name: str) -> str:
    """Return a column's name in lower case; the mutation's field names are accepted too."""
    name = name.strip()
    return {"dateFrom": "date_from", "dateTo": "date_to"}.get(name, name.lower())


def find_layout(names: Sequence[str]) -> tuple[str, ...]:
    """Return the layout with these columns, in any order. Raise FileRejected (WRONG_COLUMNS)."""
    found = [normal_name(name) for name in names]
    for layout in (ONE_DAY_COLUMNS, PERIOD_COLUMNS):
        if len(set(found)) == len(found) and set(layout) <= set(found) <= {*layout, OPTIONAL_COLUMN}:
            return layout
    raise FileRejected(
        "WRONG_COLUMNS",
        f"{_describe_difference(found)}; expected {','.join(ONE_DAY_COLUMNS)} or"
        f" {','.join(PERIOD_COLUMNS)}, each with or without {OPTIONAL_COLUMN}",
    )


def _describe_difference(found: Sequence[str]) -> str:
    """Return what distinguishes the columns from the layout that they resemble most."""
    names = set(found)
    separator = next((words for sign, words in SEPARATORS.items() if len(found) == 1 and sign in found[0]), None)
    if separator is not None:
        return f"the columns are separated by {separator}; separate them by commas"
    layout = max((ONE_DAY_COLUMNS, PERIOD_COLUMNS), key=lambda layout: len(names & set(layout)))
    if not names & set(layout):
        shown = ",".join(found)[:MAX_SHOWN_LENGTH]
        if any(VALUE.fullmatch(name) for name in found):
            return f"the first line is no header: {shown}"
        return f"unexpected columns {shown}"
    repeated = {match[1] for name in found if (match := REPEATED.fullmatch(name)) and match[1] in names}
    repeated |= {name for name in names if found.count(name) > 1}
    known = {*layout, OPTIONAL_COLUMN}
    unknown = [name for name in found if name not in known and not REPEATED.fullmatch(name)]
    differences = {
        "unknown": unknown,
        "missing": [name for name in layout if name not in names],
        "repeated": sorted(repeated),
    }
    return "; ".join(_describe(word, columns) for word, columns in differences.items() if columns)


def _describe(word: str, columns: Sequence[str]) -> str:
    shown = ", ".join(columns)[:MAX_SHOWN_LENGTH]
    return f"{word} column{'s' if len(columns) > 1 else ''} {shown}"
