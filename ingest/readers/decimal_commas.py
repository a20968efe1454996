"""Decimal commas in the prices of a CSV file that is separated by semicolons.

Spreadsheets write semicolons where the comma is the decimal separator. A price that could be read with either separator is
refused rather than guessed: `1.234` may be about one or more than a thousand.
"""

import polars as pl

from ingest.readers.problems import problem_rows

DECIMAL_COMMA = r"^\s*[+-]?[0-9]*,[0-9]+\s*$"
AMBIGUOUS = r"^\s*[+-]?[1-9][0-9]{0,2}[.,][0-9]{3}\s*$"
"""A price of which the separator may be that of thousands."""


def read_decimal_commas(frame: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows with points in prices, and the problems of ambiguous prices.

    The items of the problems count from 0.
    """
    price = pl.col("price")
    ambiguous = frame.with_row_index().filter(price.str.contains(AMBIGUOUS)).select("index", price.str.strip_chars())
    problems = problem_rows(
        (item, "price", "INVALID_PRICE", _describe_ambiguity(text), text) for item, text in ambiguous.iter_rows()
    )
    point = price.str.replace(",", ".", literal=True)
    is_decimal = price.str.contains(DECIMAL_COMMA) & ~price.str.contains(AMBIGUOUS)
    return frame.with_columns(pl.when(is_decimal).then(point).otherwise(price)), problems


def _describe_ambiguity(text: str) -> str:
    whole, fraction = text.replace(",", ".").split(".")
    return f"ambiguous in a file separated by semicolons; write {whole}{fraction} or {whole}.{fraction}0"
