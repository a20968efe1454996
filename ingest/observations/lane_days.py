"""Observations as numpy columns, and months counted from January 1970."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import polars as pl

from db.sketches.arrays import Int64


@dataclass(frozen=True, slots=True)
class LaneDays:
    """Observations as columns: location ids, days since 1970-01-01 (inclusive) and US cents.

    Any order is correct; rows sorted by origin and destination, or concatenated from sorted parts, are fastest.
    """

    origin: npt.NDArray[np.int32]
    destination: npt.NDArray[np.int32]
    first_day: npt.NDArray[np.int32]
    last_day: npt.NDArray[np.int32]
    usd_cents: Int64


LANE_DAYS = tuple(field.name for field in fields(LaneDays))
"""Names of these columns in a frame."""


def to_lane_days(observations: pl.DataFrame) -> LaneDays:
    """Return observations as arrays; days count from 1970-01-01."""
    return LaneDays(*(observations[name].to_numpy() for name in LANE_DAYS))


def month_of(days: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the months of days, both counted from January 1970."""
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int32)


def days_in_months(months: Int64) -> Int64:
    """Return the number of days of each month, counted from January 1970."""
    first, after = (number.astype("datetime64[M]").astype("datetime64[D]") for number in (months, months + 1))
    days: Int64 = (after - first).astype(np.int64)
    return days


def first_day_of(month: int) -> int:
    """Return the first day of a month; both count from January 1970."""
    return int(np.datetime64(month, "M").astype("datetime64[D]").astype(np.int64))
