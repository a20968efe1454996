"""Validation of a batch's items, column by column; every problem becomes a rejection row."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from db.repositories.prices import MAX_VALIDITY_DAYS
from domain.batches import Severity
from domain.locations import SPACED_CODE, Location, LocationKind
from domain.prices import EARLIEST_DAY, LATEST_DAY
from ingest.batches.suggestions import PortAliases, PortSuggestions, with_hints

MAX_AMOUNT = 900_000_000_000
"""Maximum amount in any currency. Up to it, a double represents four decimals exactly."""

REJECTION_SCHEMA = {
    "item": pl.UInt32,
    "field": pl.String,
    "code": pl.String,
    "severity": pl.String,
    "message": pl.String,
    "value": pl.String,
}
NO_REJECTIONS = pl.DataFrame(schema=REJECTION_SCHEMA)
DATE = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
DATE_MISTAKES = {
    r"^[0-9]{1,2}[./-][0-9]{1,2}[./-]([0-9]{2}|[0-9]{4})$": "a date in another order; write YYYY-MM-DD",
    r"^[0-9]{4}[./][0-9]{1,2}[./][0-9]{1,2}$": "a date without hyphens; write YYYY-MM-DD",
    r"^[0-9]{4}-([0-9]-[0-9]{1,2}|[0-9]{2}-[0-9])$": "a date without leading zeros; write YYYY-MM-DD",
    r"^(19|20)[0-9]{2}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$": "a date without hyphens; write YYYY-MM-DD",
    r"^[1-9][0-9]{4}(\.[0-9]+)?$": "a date as a number, as Excel stores it; write YYYY-MM-DD",
    r"^[0-9]{9,10}$": "a time in seconds since 1970; write YYYY-MM-DD",
    r"^[0-9]{12,13}$": "a time in milliseconds since 1970, as pandas writes JSON; write YYYY-MM-DD",
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]": "a date with a time of day; write YYYY-MM-DD",
}
PRICE_MISTAKES = {
    r"^[+-]?[0-9]{1,3}([,.'’\s][0-9]{3})+([.,][0-9]+)?$": "a price with thousands separators; write 1234.56",
    r"^[+-]?[0-9]*,[0-9]+$": "a decimal comma, which only CSV separated by semicolons may have; write 1234.56",
    r"^(\p{Sc}|[A-Za-z]{1,3}\p{Sc}?)\s*[+-]?[0-9][0-9.,]*$|^[+-]?[0-9][0-9.,]*\s*(\p{Sc}|[A-Za-z]{3})$": (
        "a price with its currency, which has a field of its own; write 1234.56"
    ),
    r"%$": "a percentage; write 1234.56",
    r"^\(.+\)$|^[0-9][0-9.,]*-$|^[\u2010-\u2015\u2212]": "a negative number as in bookkeeping; write -1234.56",
}
"""Patterns of usual mistakes, with the messages that describe them."""


@dataclass(frozen=True, slots=True)
class CheckedItems:
    """Result of the validation: the valid items and the rejections.

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
    """Return one rejection for each row of the frame for which `problem` is true."""
    message = pl.lit(message) if isinstance(message, str) else message
    return frame.filter(problem).select(
        pl.col("item").cast(pl.UInt32),
        pl.lit(field).alias("field"),
        pl.lit(code).alias("code"),
        pl.lit(severity.value).alias("severity"),
        sanitize_text(message).alias("message"),
        sanitize_text(value.cast(pl.String)).alias("value"),
    )


def line_rejections(problems: pl.DataFrame) -> pl.DataFrame:
    """Return the problems of a `Slice` as rejections."""
    return problems.select(
        "item",
        "field",
        "code",
        pl.lit(Severity.ERROR.value).alias("severity"),
        sanitize_text(pl.col("message")),
        sanitize_text(pl.col("value")),
    )


def sanitize_text(text: pl.Expr) -> pl.Expr:
    """Return the text without NUL, which PostgreSQL cannot store, and cut to a readable length."""
    return text.str.slice(0, 200).str.replace_all("\x00", "\ufffd", literal=True)


def file_rejection(code: str, message: str, severity: Severity = Severity.ERROR) -> pl.DataFrame:
    """Return a rejection without an item.

    It is the only one of a batch that is unusable as a whole, or a warning about a file.
    """
    # The message may quote the file, which may contain NUL.
    row = (None, None, code, severity.value, message.replace("\x00", "\ufffd"), None)
    return pl.DataFrame([row], schema=REJECTION_SCHEMA, orient="row")


def check_items(
    items: pl.DataFrame,
    locations: Sequence[Location],
    suggestions: PortSuggestions | None = None,
    aliases: PortAliases | None = None,
) -> CheckedItems:
    """Validate items in the form of a `Slice` against the known ports and their aliases.

    Currencies are validated during their conversion. The suggestions of the batch limit their cost for all of its slices.
    """
    suggestions = suggestions or PortSuggestions(locations)
    frame = _interpret(items, locations)
    notes = list[pl.DataFrame]()
    if aliases is not None:
        for side in ("origin", "destination"):
            frame, note = _resolve_aliases(frame, side, aliases)
            notes += note
    # Most items of most batches are valid: one cheap expression selects those that need the detailed checks.
    suspects = frame.filter(~_is_valid_expr())
    rejections = pl.concat([*notes, *(_check_suspects(suspects, suggestions) if len(suspects) else [NO_REJECTIONS])])
    errors = rejections.filter(pl.col("severity") == Severity.ERROR.value).select("item").unique()
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
    return CheckedItems(valid, rejections)


def _check_suspects(suspects: pl.DataFrame, suggestions: PortSuggestions) -> list[pl.DataFrame]:
    """Return the rejections of items that may have problems."""
    return [
        _check_port(suspects, "origin", suggestions),
        _check_port(suspects, "destination", suggestions),
        _reject_missing(suspects, "date_from", "dateFrom"),
        _check_date(suspects, "date_from", "first"),
        _check_date(suspects, "date_to", "last"),
        _check_period(suspects),
        _check_price(suspects),
        _check_same_port(suspects),
    ]


def _interpret(items: pl.DataFrame, locations: Iterable[Location]) -> pl.DataFrame:
    """Return the items with parsed ids (negative: a region), dates and numbers, null if invalid."""
    known = {
        location.key.upper(): location.id * (1 if location.kind is LocationKind.PORT else -1) for location in locations
    }
    keys, ids = list(known), pl.Series(list(known.values()), dtype=pl.Int32)

    def day(column: str) -> pl.Expr:
        parsed = pl.col(column).str.to_date("%Y-%m-%d", strict=False)
        # The pattern is needed because the parser also accepts 2016-1-1.
        return pl.when(pl.col(column).str.contains(DATE) & parsed.is_between(EARLIEST_DAY, LATEST_DAY)).then(parsed)

    def location(text: pl.Expr) -> pl.Expr:
        return text.str.to_uppercase().replace_strict(keys, ids, default=None, return_dtype=pl.Int32)

    frame = items.with_columns(
        origin_id=location(pl.col("origin")) if keys else pl.lit(None, dtype=pl.Int32),
        destination_id=location(pl.col("destination")) if keys else pl.lit(None, dtype=pl.Int32),
        first=day("date_from"),
        last=pl.when(pl.col("date_to").is_null()).then(day("date_from")).otherwise(day("date_to")),
        number=pl.col("price").cast(pl.Float64, strict=False),
        currency=pl.col("currency").str.to_uppercase().fill_null("USD"),
    )
    for side in ("origin", "destination"):
        if keys and frame[f"{side}_id"].null_count() > frame[side].null_count():
            without_blank = location(pl.col(side).str.replace(SPACED_CODE, "${1}${2}"))
            frame = frame.with_columns(pl.col(f"{side}_id").fill_null(without_blank))
    return frame


def _resolve_aliases(frame: pl.DataFrame, side: str, aliases: PortAliases) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    """Return the frame with the ports of aliases, and the warnings about new aliases."""
    if frame[f"{side}_id"].null_count() == frame[side].null_count():
        return frame, []
    is_unknown = pl.col(f"{side}_id").is_null() & pl.col(side).is_not_null()
    found = aliases.find(frame.filter(is_unknown)[side].unique(maintain_order=True))
    if not found:
        return frame, []
    ids = pl.DataFrame(
        {side: list(found), "alias_id": [port.id for port in found.values()]}, {side: pl.String, "alias_id": pl.Int32}
    )
    # A join, as `with_hints` explains.
    frame = frame.join(ids, on=side, how="left", maintain_order="left").with_columns(
        pl.coalesce(f"{side}_id", "alias_id").alias(f"{side}_id")
    )
    keys = {text: port.key for text, port in aliases.select_unreported(found).items()}
    names = pl.DataFrame({side: list(keys), "key": list(keys.values())}, {side: pl.String, "key": pl.String})
    first_uses = frame.filter(pl.col("alias_id").is_not_null()).unique(side, keep="first", maintain_order=True)
    message = pl.format("{} is stored as {}, here and in the items below", pl.col(side), pl.col("key"))
    note = rejection_rows(
        first_uses.join(names, on=side), pl.lit(True), side, "PORT_ALIAS", message, pl.col(side), Severity.WARNING
    )
    return frame.drop("alias_id"), [note]


def _period_days() -> pl.Expr:
    return pl.col("last").cast(pl.Int32) - pl.col("first").cast(pl.Int32) + 1


def _is_valid_expr() -> pl.Expr:
    """Return an expression that is true for items without any problem."""
    valid = (
        (pl.col("origin_id") > 0)
        & (pl.col("destination_id") > 0)
        & (pl.col("origin_id") != pl.col("destination_id"))
        & _period_days().is_between(1, MAX_VALIDITY_DAYS)
        & (pl.col("number").abs() <= MAX_AMOUNT)
    )
    return valid.fill_null(False)


def _reject_missing(frame: pl.DataFrame, column: str, field: str) -> pl.DataFrame:
    return rejection_rows(frame, pl.col(column).is_null(), field, "MISSING_VALUE", f"{field} is missing", pl.lit(None))


def _check_port(frame: pl.DataFrame, side: str, suggestions: PortSuggestions) -> pl.DataFrame:
    text, location_id = pl.col(side), pl.col(f"{side}_id")
    quoted = text.str.slice(0, 60)
    is_unknown = text.is_not_null() & location_id.is_null()
    unknown = frame.filter(is_unknown)
    unknown = with_hints(unknown, side, suggestions.hints(unknown[side].unique(maintain_order=True)))
    message = pl.format("{} is not a known port{}", quoted, pl.col("hint"))
    return pl.concat([
        _reject_missing(frame, side, side),
        rejection_rows(unknown, pl.lit(True), side, "UNKNOWN_PORT", message, text),
        rejection_rows(frame, location_id < 0, side, "NOT_A_PORT",
                       pl.format("{} is a region; prices must be between ports", quoted), text),
    ])  # fmt: skip


def _check_date(frame: pl.DataFrame, column: str, parsed: str) -> pl.DataFrame:
    field = {"date_from": "dateFrom", "date_to": "dateTo"}[column]
    text, day = pl.col(column), pl.col(parsed)
    usual = f"not a valid date between {EARLIEST_DAY.year} and {LATEST_DAY.year} (YYYY-MM-DD)"
    message = _describe_mistake(text, DATE_MISTAKES, usual)
    return rejection_rows(frame, text.is_not_null() & day.is_null(), field, "INVALID_DATE", message, text)


def _describe_mistake(text: pl.Expr, mistakes: Mapping[str, str], usual: str) -> pl.Expr:
    """Return the message of the first pattern that the text has, or the usual one."""
    return pl.coalesce(
        *(pl.when(text.str.contains(pattern)).then(pl.lit(message)) for pattern, message in mistakes.items()),
        pl.lit(usual),
    )


def _check_period(frame: pl.DataFrame) -> pl.DataFrame:
    days = _period_days()
    period = pl.format("{}..{}", pl.col("date_from"), pl.col("date_to"))
    return pl.concat([
        rejection_rows(frame, days < 1, "dateTo", "INVALID_DATE_RANGE", "dateTo is before dateFrom", period),
        rejection_rows(frame, days > MAX_VALIDITY_DAYS, "dateTo", "DATE_RANGE_TOO_LONG",
                       pl.format("the price is valid for {},{} days, limit {}; split the period", days // 1_000,
                                 (days % 1_000).cast(pl.String).str.zfill(3), pl.lit(f"{MAX_VALIDITY_DAYS:,}")), period),
    ])  # fmt: skip


def _check_price(frame: pl.DataFrame) -> pl.DataFrame:
    text, number = pl.col("price"), pl.col("number")
    return pl.concat([
        _reject_missing(frame, "price", "price"),
        rejection_rows(frame, text.is_not_null() & (number.is_null() | number.is_nan() | number.is_infinite()),
                       "price", "INVALID_PRICE",
                       _describe_mistake(text, PRICE_MISTAKES, "not a decimal number such as 1234.56"), text),
        rejection_rows(frame, number.is_finite() & (number.abs() > MAX_AMOUNT), "price", "PRICE_OUT_OF_RANGE",
                       "price out of range (limit ±10,000,000 USD)", text),
    ])  # fmt: skip


def _check_same_port(frame: pl.DataFrame) -> pl.DataFrame:
    same = (pl.col("origin_id") == pl.col("destination_id")) & (pl.col("origin_id") > 0)
    return rejection_rows(frame, same, "destination", "SAME_PORT", "origin and destination are the same port",
                          pl.col("destination"), Severity.WARNING)  # fmt: skip
