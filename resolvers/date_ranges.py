"""Ranges of days in arguments."""

from datetime import date

from domain.prices import DateRange
from resolvers.errors import RequestError


def check_range(
    date_from: date, date_to: date, max_days: int, *, names: tuple[str, str] = ("dateFrom", "dateTo")
) -> DateRange:
    """Return the range of days. Raise RequestError (INVALID_DATE_RANGE, DATE_RANGE_TOO_LONG).

    `names` are the names of both arguments, for messages.
    """
    name_from, name_to = names
    if date_from > date_to:
        raise RequestError(
            "INVALID_DATE_RANGE",
            f"{name_from} ({date_from}) is after {name_to} ({date_to}).",
            argument=name_from,
        )
    days = DateRange(date_from, date_to)
    if len(days) > max_days:
        raise RequestError(
            "DATE_RANGE_TOO_LONG",
            f"Date range too long: {len(days):,} days, limit {max_days:,}; request fewer days.",
            argument=name_to,
            maxDays=max_days,
        )
    return days
