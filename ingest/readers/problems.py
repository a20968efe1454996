"""Problems of items, and notes about a file, that only the reader of the file can find."""

from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

PROBLEM_SCHEMA = {"item": pl.UInt32, **dict.fromkeys(("field", "code", "message", "value"), pl.String)}
Problem = tuple[int, str | None, str, str, str | None]
"""Row of PROBLEM_SCHEMA."""


class Note(NamedTuple):
    """Warning about how a file is read, with its code."""

    code: str
    message: str


def problem_rows(problems: Iterable[Problem] = ()) -> pl.DataFrame:
    """Return the problems as a frame."""
    return pl.DataFrame(list(problems), schema=PROBLEM_SCHEMA, orient="row")
