"""Columns of price and location files: their layouts, and how a file differs from them."""

import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from ingest.errors import FileRejected

ONE_DAY_COLUMNS = ("origin_code", "destination_code", "day", "price")
PERIOD_COLUMNS = ("origin", "destination", "date_from", "date_to", "price")
OPTIONAL_COLUMN = "currency"
PERIOD_NAMES = {"origin_code": "origin", "destination_code": "destination", "day": "date_from"}
"""Columns of the one-day layout with another name in the layout for periods."""
FIELDS = {
    "origin_code": "origin",
    "destination_code": "destination",
    "day": "dateFrom",
    "date_from": "dateFrom",
    "date_to": "dateTo",
}
"""Names in the GraphQL input of the columns that have another one there."""


@dataclass(frozen=True)
class Layouts:
    """Layouts of a kind of file: sets of columns, which may be in any order.

    Attributes:
        choices: The layouts, of which a file has one.
        optional: Columns that a file of any of these layouts may have.
    """

    choices: tuple[tuple[str, ...], ...]
    optional: tuple[str, ...] = ()

    @cached_property
    def columns(self) -> frozenset[str]:
        """Names of the columns of all layouts."""
        return frozenset((*(name for layout in self.choices for name in layout), *self.optional))

    def describe(self) -> str:
        """Return the layouts for a message."""
        choices = " or ".join(",".join(layout) for layout in self.choices)
        each = "each " if len(self.choices) > 1 else ""
        return f"{choices}, {each}with or without {','.join(self.optional)}" if self.optional else choices


LAYOUTS = {
    "prices": Layouts((ONE_DAY_COLUMNS, PERIOD_COLUMNS), (OPTIONAL_COLUMN,)),
    "regions": Layouts((("slug", "name", "parent_slug"),)),
    "ports": Layouts((("code", "name", "parent_slug"),)),
    "aliases": Layouts((("alias", "key"),), ("source",)),
}
"""Layouts by the kind of file."""
PRICES = LAYOUTS["prices"]
VALUE = re.compile(r"[+-]?\d+([.,]\d+)?|\d{4}-\d\d-\d\d")
"""A number or a date: the text of a value, not of a column's name."""
MAX_SHOWN_LENGTH = 200
IGNORED = re.compile(r"[\s_.\u002d\u2010-\u2015\u2212\u200b-\u200d\u2060\ufeff]+")
"""Characters that do not distinguish names: white space, underscores, points, dashes, and those without a width."""
KNOWN_COLUMNS = PRICES.columns
COLUMN_OF = {IGNORED.sub("", name): name for layouts in LAYOUTS.values() for name in layouts.columns}
MAX_SIMILAR_LENGTH = 40
"""Longer names are not compared with the known ones."""
MIN_SIMILARITY = 0.65
"""Least ratio of `difflib` for a suggestion: `curr` resembles `currency`, `rate` does not resemble `date_to`."""


def normal_name(name: str) -> str:
    """Return the column that a name means, or an unknown name trimmed and in lower case.

    Upper and lower case, spaces, dashes and underscores make no difference: `Date From`, `date-from` and the mutation's
    `dateFrom` are `date_from`.
    """
    return COLUMN_OF.get(IGNORED.sub("", name).lower(), name.strip().lower())


@lru_cache(maxsize=1_000)
def find_similar_column(name: str) -> str | None:
    """Return the column of price files whose name resembles an unknown name, or None."""
    if len(name) > MAX_SIMILAR_LENGTH:
        return None
    known = sorted(IGNORED.sub("", column) for column in KNOWN_COLUMNS)
    similar = difflib.get_close_matches(IGNORED.sub("", name).lower(), known, n=1, cutoff=MIN_SIMILARITY)
    return COLUMN_OF[similar[0]] if similar else None


def find_layout(names: Sequence[str], layouts: Layouts = PRICES) -> tuple[str, ...]:
    """Return the layout with these columns, in any order. Raise FileRejected (WRONG_COLUMNS)."""
    found = [normal_name(name) for name in names]
    for layout in layouts.choices:
        if len(set(found)) == len(found) and set(layout) <= set(found) <= {*layout, *layouts.optional}:
            return layout
    raise FileRejected("WRONG_COLUMNS", f"{_describe_difference(found, layouts)}; expected {layouts.describe()}")


def _describe_difference(found: Sequence[str], layouts: Layouts) -> str:
    """Return what distinguishes the columns from the layout that they resemble most."""
    if not found:
        return "the file has no columns"
    names = set(found)
    layout = max(layouts.choices, key=lambda layout: len(names & set(layout)))
    if not names & set(layout):
        shown = ",".join(found)[:MAX_SHOWN_LENGTH]
        if any(VALUE.fullmatch(name) for name in found):
            return f"the first line is no header: {shown}"
        return f"unexpected columns {shown}"
    differences = {
        "unknown": [name or "(no name)" for name in found if name not in {*layout, *layouts.optional}],
        "missing": [name for name in layout if name not in names],
        "repeated": sorted(name for name in names if name and found.count(name) > 1),
    }
    return "; ".join(_describe(word, columns) for word, columns in differences.items() if columns)


def _describe(word: str, columns: Sequence[str]) -> str:
    shown = ", ".join(columns)[:MAX_SHOWN_LENGTH]
    return f"{word} column{'s' if len(columns) > 1 else ''} {shown}"
