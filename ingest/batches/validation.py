"""Checks the items of a batch, all at once, column by column. Every problem becomes a row of rejections."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl

from db.repositories.prices import MAX_VALIDITY_DAYS
from domain.batches import Severity
from domain.locations import Location, LocationKind

EARLIEST, LATEST = date(1970, 1, 1), date(2100, 12, 31)
MAX_AMOUNT = 900_000_000_000
"""A bound on the amount in any currency: up to here ten-thousandths are exact in a double."""

REJECTION_SCHEMA = {
    "item": pl.UInt32,
    "field": pl.String,
    "code": pl.String,
    "severity": pl.String,
    "message": pl.String,
    "value": pl.String,
}
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"


@dataclass(frozen=True, slots=True)
class CheckedItems:
    """The outcome of the check.

    `valid` has the columns item, origin and destination (location ids), first_day and last_day (days since 1970-01-01),
    amount (ten-thousandths of the currency) and currency; `rejections` has REJECTION_SCHEMA.
    """

    valid: pl.DataFrame
    rejections: pl.DataFrame


def rejection_rows(
    frame: pl.DataFrame,
    problem: pl.Expr,
    field: str,
    code: str,
    message: str | pl.Expr,
    value: pl.Expr,
    severity: Severity = Severity.ERROR,
) -> pl.DataFrame:
    """Return one rejection for each row of the frame that has the problem."""
    words = pl.lit(message) if isinstance(message, str) else message
    return frame.filter(problem).select(
        pl.col("item").cast(pl.UInt32),
        pl.lit(field).alias("field"),
        pl.lit(code).alias("code"),
        pl.lit(severity.value).alias("severity"),
        sanitize_text(words).alias("message"),
        sanitize_text(value.cast(pl.String)).alias("value"),
    )


def sanitize_text(text: pl.Expr) -> pl.Expr:
    """Return the text as PostgreSQL can hold it (it has no NUL) and as somebody would read it (not kilobytes)."""
    return text.str.slice(0, 200).str.replace_all("\x00", "\ufffd", literal=True)


def file_rejection(code: str, message: str) -> pl.DataFrame:
    """Return the one rejection of a batch that is unusable as a whole: it belongs to no item."""
    # The message may quote the file, which may hold what PostgreSQL cannot.
    row = (None, None, code, Severity.ERROR.value, message.replace("\x00", "\ufffd"), None)
    return pl.DataFrame([row], schema=REJECTION_SCHEMA, orient="row")


def check_items(items: pl.DataFrame, locations: Iterable[Location]) -> CheckedItems:
    """Check items as a `Slice` has them against the known ports. Currencies are checked where they are converted."""
    frame = _interpret(items, locations)
    # Most items of most batches are sound: one cheap look finds those that are worth a close one.
    suspects = frame.filter(~_is_valid_expr())
    found = pl.concat(
        [
            _check_port(suspects, "origin"),
            _check_port(suspects, "destination"),
            _reject_missing(suspects, "date_from", "dateFrom"),
            _check_date(suspects, "date_from", "first"),
            _check_date(suspects, "date_to", "last"),
            _check_period(suspects),
            _check_price(suspects),
            _check_same_port(suspects),
        ]
    )
    errors = found.filter(pl.col("severity") == Severity.ERROR.value).select("item").unique()
    if len(errors):
        frame = frame.join(errors, on="item", how="anti", maintain_order="left")
    valid = frame.select(
        "item",
        pl.col("origin_id").alias("origin"),
        pl.col("destination_id").alias("destination"),
        pl.col("first").cast(pl.Int32).alias("first_day"),
        pl.col("last").cast(pl.Int32).alias("last_day"),
        (pl.col("number") * 10_000).round(0, mode="half_away_from_zero").cast(pl.Int64).alias("amount"),
        "currency",
    )
    return CheckedItems(valid, found)


def _interpret(items: pl.DataFrame, locations: Iterable[Location]) -> pl.DataFrame:
    """Return the items with their values as ids (negative: a region), dates and numbers; null where that fails."""
    known = {
        location.key.upper(): location.id * (1 if location.kind is LocationKind.PORT else -1) for location in locations
    }
    keys, ids = list(known), pl.Series(list(known.values()), dtype=pl.Int32)

    def day(column: str) -> pl.Expr:
        parsed = pl.col(column).str.to_date("%Y-%m-%d", strict=False)
        # The pattern comes first because the parser also takes 2016-1-1.
        return pl.when(pl.col(column).str.contains(DATE) & parsed.is_between(EARLIEST, LATEST)).then(parsed)

    def location(column: str) -> pl.Expr:
        return pl.col(column).str.to_uppercase().replace_strict(keys, ids, default=None, return_dtype=pl.Int32)

    return items.with_columns(
        origin_id=location("origin") if keys else pl.lit(None, dtype=pl.Int32),
        destination_id=location("destination") if keys else pl.lit(None, dtype=pl.Int32),
        first=day("date_from"),
        last=pl.when(pl.col("date_to").is_null()).then(day("date_from")).otherwise(day("date_to")),
        number=pl.col("price").cast(pl.Float64, strict=False),
        currency=pl.col("currency").str.to_uppercase().fill_null("USD"),
    )


def _period_days() -> pl.Expr:
    return pl.col("last").cast(pl.Int32) - pl.col("first").cast(pl.Int32) + 1


def _is_valid_expr() -> pl.Expr:
    """True where none of the checks can find anything."""
    sound = (
        (pl.col("origin_id") > 0)
        & (pl.col("destination_id") > 0)
        & (pl.col("origin_id") != pl.col("destination_id"))
        & _period_days().is_between(1, MAX_VALIDITY_DAYS)
        & (pl.col("number").abs() <= MAX_AMOUNT)
    )
    return sound.fill_null(False)


def _reject_missing(frame: pl.DataFrame, column: str, field: str) -> pl.DataFrame:
    return rejection_rows(frame, pl.col(column).is_null(), field, "MISSING_VALUE", f"{field} is missing", pl.lit(None))


def _check_port(frame: pl.DataFrame, side: str) -> pl.DataFrame:
    given, found = pl.col(side), pl.col(f"{side}_id")
    quoted = given.str.slice(0, 60)
    return pl.concat([
        _reject_missing(frame, side, side),
        rejection_rows(frame, given.is_not_null() & found.is_null(), side, "UNKNOWN_PORT",
                       pl.format("{} is not a known port", quoted), given),
        rejection_rows(frame, found < 0, side, "NOT_A_PORT",
                       pl.format("{} is a region; a price belongs to a port", quoted), given),
    ])  # fmt: skip


def _check_date(frame: pl.DataFrame, column: str, parsed: str) -> pl.DataFrame:
    field = {"date_from": "dateFrom", "date_to": "dateTo"}[column]
    given, day = pl.col(column), pl.col(parsed)
    message = f"not a day from {EARLIEST.year} to {LATEST.year}, written YYYY-MM-DD"
    return rejection_rows(frame, given.is_not_null() & day.is_null(), field, "INVALID_DATE", message, given)


def _check_period(frame: pl.DataFrame) -> pl.DataFrame:
    days = _period_days()
    period = pl.format("{}..{}", pl.col("date_from"), pl.col("date_to"))
    return pl.concat([
        rejection_rows(frame, days < 1, "dateTo", "INVALID_DATE_RANGE", "dateTo is before dateFrom", period),
        rejection_rows(frame, days > MAX_VALIDITY_DAYS, "dateTo", "DATE_RANGE_TOO_LONG",
                       f"the price is valid for more than {MAX_VALIDITY_DAYS} days", period),
    ])  # fmt: skip


def _check_price(frame: pl.DataFrame) -> pl.DataFrame:
    given, number = pl.col("price"), pl.col("number")
    return pl.concat([
        _reject_missing(frame, "price", "price"),
        rejection_rows(frame, given.is_not_null() & (number.is_null() | number.is_nan() | number.is_infinite()),
                       "price", "INVALID_PRICE", "not a decimal number such as 1234.56", given),
        rejection_rows(frame, number.is_finite() & (number.abs() > MAX_AMOUNT), "price", "PRICE_OUT_OF_RANGE",
                       "beyond any price that can be meant", given),
    ])  # fmt: skip


def _check_same_port(frame: pl.DataFrame) -> pl.DataFrame:
    same = (pl.col("origin_id") == pl.col("destination_id")) & (pl.col("origin_id") > 0)
    return rejection_rows(frame, same, "destination", "SAME_PORT", "origin and destination are the same port",
                          pl.col("destination"), Severity.WARNING)  # fmt: skip
