"""Columns of Parquet files: which ones are read, their types, and their values as text.

Some writers store days that no calendar has: infinite dates, or the smallest integer for an absent value. polars panics when
it converts one of them, so every number is compared with the range of the calendar before its conversion.
"""

import re
from collections.abc import Mapping
from datetime import date

import polars as pl
from polars.exceptions import ComputeError

from ingest.errors import FileRejected
from ingest.readers.columns import find_layout, normal_name

PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""A column that pandas adds for an index without a name, as after `concat` or a filter."""
TEXT_TYPES = (pl.String, pl.Categorical, pl.Enum)
DAY_TYPES = (pl.Date, pl.Datetime)
OTHER_TYPES = (pl.Boolean, pl.Time, pl.Duration, pl.Null)
"""Types that suit no column, but are read: pandas writes a column without values in any type."""
DAY_COLUMNS = {"day", "date_from", "date_to"}
MAX_DIGITS = 38
MAX_TYPE_LENGTH = 60
UNIX_EPOCH = date(1970, 1, 1)
FIRST_DAY, LAST_DAY = (date.min - UNIX_EPOCH).days, (date.max - UNIX_EPOCH).days
SECONDS_PER_DAY = 86_400
PER_SECOND = {"ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
OFFSET = re.compile(r"([+-])(\d\d):(\d\d)")
"""A time zone without a name, such as +05:30."""


def select_columns(schema: Mapping[str, pl.DataType]) -> list[str]:
    """Return the names of the columns to read. Raise FileRejected (WRONG_COLUMNS)."""
    names = [name for name in schema if not PANDAS_INDEX.fullmatch(name)]
    find_layout(names)
    _require_none({name: schema[name] for name in names if not _is_readable(schema[name])})
    return names


def to_text(frame: pl.DataFrame) -> pl.DataFrame:
    """Return all values as text, a day as YYYY-MM-DD.

    A timestamp is the day of its time zone; with another time of day than midnight, it is no day. Raise FileRejected
    (WRONG_COLUMNS) for values of a type that does not suit their column.
    """
    _require_none({column.name: column.dtype for column in frame if not _is_suitable(column) and _has_values(column)})
    return pl.DataFrame([_to_text(column) for column in frame])


def count_text_bytes(frame: pl.DataFrame) -> int:
    """Return the length of all texts, also of those that many rows share in memory."""
    lengths = [
        column.cat.len_bytes() if isinstance(column.dtype, (pl.Categorical, pl.Enum)) else column.str.len_bytes()
        for column in frame
        if isinstance(column.dtype, TEXT_TYPES)
    ]
    # The type of a length is too small for their sum.
    return sum(int(length.cast(pl.Int64).sum()) for length in lengths)


def _is_readable(dtype: pl.DataType) -> bool:
    match dtype:
        case pl.Decimal():
            return dtype.precision <= MAX_DIGITS
        case pl.Datetime():
            return _is_known_zone(dtype.time_zone)
        case _:
            return isinstance(dtype, (*TEXT_TYPES, *DAY_TYPES, *OTHER_TYPES)) or dtype.is_numeric()


def _is_known_zone(zone: str | None) -> bool:
    if zone is None or OFFSET.fullmatch(zone):
        return True
    try:
        pl.Series(dtype=pl.Datetime("us")).dt.replace_time_zone(zone)
    except ComputeError:
        return False
    return True


def _is_suitable(column: pl.Series) -> bool:
    name, dtype = normal_name(column.name), column.dtype
    if name in DAY_COLUMNS:
        return isinstance(dtype, (*DAY_TYPES, *TEXT_TYPES))
    return isinstance(dtype, TEXT_TYPES) or (name == "price" and dtype.is_numeric())


def _has_values(column: pl.Series) -> bool:
    """Return whether a value is neither null nor NaN.

    Some writers store NaN for an absent value.
    """
    if column.dtype.is_float():
        column = column.fill_nan(None)
    return column.null_count() < len(column)


def _require_none(wrong: Mapping[str, pl.DataType]) -> None:
    """Raise FileRejected (WRONG_COLUMNS) if there are columns of a wrong type."""
    if wrong:
        raise FileRejected("WRONG_COLUMNS", "; ".join(_describe(normal_name(name), wrong[name]) for name in wrong))


def _describe(name: str, dtype: pl.DataType) -> str:
    if name in DAY_COLUMNS:
        expected = "dates, timestamps in a known time zone, or text"
    elif name == "price":
        expected = f"numbers of at most {MAX_DIGITS} digits, or text"
    else:
        expected = "text"
    shown = str(dtype)
    if len(shown) > MAX_TYPE_LENGTH:
        shown = f"{shown[:MAX_TYPE_LENGTH]}…"
    return f"column {name} has type {shown}; expected {expected}"


def _to_text(column: pl.Series) -> pl.Series:
    if not _is_suitable(column):
        return pl.repeat(None, len(column), dtype=pl.String, eager=True).alias(column.name)
    match column.dtype:
        case pl.Date():
            return _days_to_text(column)
        case pl.Datetime() as dtype:
            return _times_to_text(column, dtype)
        case _:
            return column.cast(pl.String)


def _days_to_text(column: pl.Series) -> pl.Series:
    days = column.to_physical()
    text = _without_outliers(days, FIRST_DAY, LAST_DAY).cast(pl.Date).cast(pl.String)
    return _describe_outliers(text, days, "days")


def _times_to_text(column: pl.Series, dtype: pl.Datetime) -> pl.Series:
    times = column.to_physical()
    per_day = SECONDS_PER_DAY * PER_SECOND[dtype.time_unit]
    # A day of room, because the time zone is added to the number.
    last = min((LAST_DAY + 1) * per_day, 2**63) - per_day - 1
    first = max(FIRST_DAY * per_day, -last)
    local = _to_local_time(_without_outliers(times, first, last), dtype)
    text = (local // per_day).cast(pl.Int32).cast(pl.Date).cast(pl.String)
    midnight = local % per_day == 0
    if not midnight.all():
        text = text.zip_with(midnight, local.cast(pl.Datetime(dtype.time_unit)).dt.strftime("%Y-%m-%dT%H:%M:%S%.f"))
    return _describe_outliers(text, times, dtype.time_unit)


def _to_local_time(times: pl.Series, dtype: pl.Datetime) -> pl.Series:
    """Return the times as the clocks of the time zone show them."""
    if dtype.time_zone is None:
        return times
    if (offset := OFFSET.fullmatch(dtype.time_zone)) is not None:
        sign, hours, minutes = offset.groups()
        seconds = (int(hours) * 60 + int(minutes)) * 60 * PER_SECOND[dtype.time_unit]
        return times + seconds if sign == "+" else times - seconds
    return times.cast(dtype).dt.replace_time_zone(None).to_physical()


def _without_outliers(numbers: pl.Series, first: int, last: int) -> pl.Series:
    """Return the numbers from first to last, and null for the others."""
    number = pl.first()
    return numbers.to_frame().select(pl.when(number.is_between(first, last)).then(number)).to_series()


def _describe_outliers(text: pl.Series, numbers: pl.Series, unit: str) -> pl.Series:
    """Return the text, and a description of each number that is no day of the calendar."""
    if text.null_count() == numbers.null_count():
        return text
    number = pl.col("number")
    infinity = numbers.upper_bound().item()
    described = (
        pl.when(number == infinity)
        .then(pl.lit("infinity"))
        .when(number == -infinity)
        .then(pl.lit("-infinity"))
        .otherwise(
            pl.format(
                "1970-01-01 {}{} {}", pl.when(number > 0).then(pl.lit("+")).otherwise(pl.lit("")), number, pl.lit(unit)
            )
        )
    )
    frame = pl.DataFrame({"text": text, "number": numbers})
    return frame.select(pl.coalesce("text", described).alias(text.name)).to_series()
