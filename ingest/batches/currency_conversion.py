"""Currency conversion: checked items become observations in US cents, at each day's rate.

A day without a published rate (weekend, holiday) uses the last rate before it. A day after the newest published day of all
currencies uses the rates of that day. A currency that is no longer published has no rate from then on. A price is never
converted at a rate more than MAX_RATE_AGE_DAYS older than its day, or than the newest known day.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import polars as pl

from db.repositories.rates import MAX_RATE_AGE_DAYS, closest_currencies
from domain.prices import RATE_UNITS
from ingest.batches.suggestions import MAX_COMPARED_CURRENCIES, MAX_COMPARED_LENGTH, describe_suggestions, with_hints
from ingest.batches.validation import rejection_rows

MAX_PRICE_CENTS = 1_000_000_000
"""±10 million US dollars: a price beyond that is a typing error."""
UNIX_EPOCH = date(1970, 1, 1)
AMOUNT_UNITS = 10**4

Int32 = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class RateHistory:
    """Rates of one currency in 10⁻¹² US dollars, by day of publication.

    The days are days since 1970-01-01, in ascending order.
    """

    days: Int32
    rates: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ExchangeRates:
    """Rate histories by currency; `newest_day` is the newest published day of any currency."""

    histories: Mapping[str, RateHistory]
    newest_day: int

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[str, date, int]], newest: date) -> "ExchangeRates":
        """Build from (currency, day, rate in 10⁻¹²) rows, ordered by currency and day."""
        by_currency: dict[str, list[tuple[int, int]]] = {}
        for currency, day, rate in rows:
            by_currency.setdefault(currency, []).append(((day - UNIX_EPOCH).days, rate))
        histories = {
            currency: RateHistory(
                np.array([day for day, _ in pairs], dtype=np.int32),
                np.array([rate for _, rate in pairs], dtype=np.int64),
            )
            for currency, pairs in by_currency.items()
        }
        return cls(histories, (newest - UNIX_EPOCH).days)


@dataclass(frozen=True, slots=True)
class Converted:
    """Observations, and the rejections of the items that could not be converted.

    The columns of `observations` are item, origin, destination, first_day, last_day, usd_cents, amount, currency, rate (in
    10⁻¹²) and rate_day.
    """

    observations: pl.DataFrame
    rejections: pl.DataFrame


def convert_to_usd(items: pl.DataFrame, rates: ExchangeRates, known_currencies: set[str]) -> Converted:
    """Convert checked items to US cents.

    An item in another currency becomes one observation for each rate that applies to its days.
    """
    is_usd = pl.col("currency") == "USD"
    parts = [
        items.filter(is_usd).with_columns(
            rate=pl.lit(RATE_UNITS, dtype=pl.Int64),
            rate_day=pl.col("first_day"),
            usd_cents=_divide_half_away(pl.col("amount"), 100),
        )
    ]
    in_foreign = items.filter(~is_usd)
    is_known = pl.col("currency").is_in(list(known_currencies))
    rejections = [_reject_unknown(in_foreign.filter(~is_known), known_currencies)]
    for (currency,), foreign in (
        in_foreign.filter(is_known).partition_by("currency", as_dict=True, maintain_order=True).items()
    ):
        history = rates.histories.get(currency)
        if history is None:
            rejections.append(_reject_no_rate(foreign))
        else:
            converted, failed = _convert_currency(foreign, history, rates.newest_day)
            parts.append(converted)
            rejections.append(_reject_no_rate(failed))
    observations = pl.concat([part.select(parts[0].columns) for part in parts])
    too_large = pl.col("usd_cents").abs() > MAX_PRICE_CENTS
    out_of_range = observations.filter(too_large).unique("item", keep="first", maintain_order=True)
    rejections.append(
        rejection_rows(
            out_of_range,
            pl.lit(True),
            "price",
            "PRICE_OUT_OF_RANGE",
            "price out of range (limit ±10,000,000 USD)",
            pl.col("amount") / AMOUNT_UNITS,
        )
    )
    rejected = pl.concat(rejections)
    if len(rejected):
        observations = observations.join(rejected.select("item").unique(), on="item", how="anti", maintain_order="left")
    return Converted(observations, rejected)


def _divide_half_away(value: pl.Expr, divisor: int) -> pl.Expr:
    """Return value / divisor rounded half away from zero, in integer arithmetic."""
    return value.sign() * ((value.abs() + divisor // 2) // divisor)


def _reject_unknown(items: pl.DataFrame, known: Iterable[str]) -> pl.DataFrame:
    currency = pl.col("currency")
    texts = items["currency"].unique(maintain_order=True).head(MAX_COMPARED_CURRENCIES)
    hints = {text: describe_suggestions(closest_currencies(text[:MAX_COMPARED_LENGTH], known)) for text in texts}
    message = pl.format("no exchange rates for currency {}{}", currency.str.slice(0, 20), pl.col("hint"))
    hinted = with_hints(items, "currency", hints)
    return rejection_rows(hinted, pl.lit(True), "currency", "UNKNOWN_CURRENCY", message, currency)


def _reject_no_rate(items: pl.DataFrame) -> pl.DataFrame:
    day = pl.col("first_day").cast(pl.Date).cast(pl.String)
    message = pl.format(
        "exchange rates for {} do not cover every day from {}; use a currency with rates, such as USD",
        pl.col("currency"),
        day,
    )
    return rejection_rows(items, pl.lit(True), "currency", "NO_EXCHANGE_RATE", message, pl.col("currency"))


def _convert_currency(items: pl.DataFrame, history: RateHistory, newest_day: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the observations of items in one currency, and the items with a day without a rate."""
    # Rate i is valid from days[i] to ends[i].
    ends = np.minimum(np.append(history.days[1:], np.iinfo(np.int32).max) - 1, history.days + MAX_RATE_AGE_DAYS)
    if history.days[-1] + MAX_RATE_AGE_DAYS >= newest_day:
        ends[-1] = np.iinfo(np.int32).max
    first, last = items["first_day"].to_numpy(), items["last_day"].to_numpy()
    start = np.searchsorted(history.days, first, side="right") - 1
    stop = np.searchsorted(history.days, last, side="right") - 1
    # A gap follows a rate whose validity ends before the next one begins; count the gaps up to each rate.
    gaps = np.concatenate([[0], np.cumsum(ends[:-1] + 1 < history.days[1:])])
    safe_start, safe_stop = np.maximum(start, 0), np.maximum(stop, 0)
    covered = (
        (start >= 0) & (gaps[safe_start] == gaps[safe_stop]) & (first <= ends[safe_start]) & (last <= ends[safe_stop])
    )
    rows = np.flatnonzero(covered)
    repeats = stop[rows] - start[rows] + 1
    source = np.repeat(rows, repeats)
    within = np.arange(len(source)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    which = start[source] + within
    observations = items[source].with_columns(
        first_day=pl.Series(np.maximum(first[source], history.days[which]), dtype=pl.Int32),
        last_day=pl.Series(np.minimum(last[source], ends[which]), dtype=pl.Int32),
        rate=pl.Series(history.rates[which], dtype=pl.Int64),
        rate_day=pl.Series(history.days[which], dtype=pl.Int32),
    )
    # Ten-thousandths × 10⁻¹² US dollars need more than 64 bits; a cent is 10¹⁴ of these units.
    exact = pl.col("amount").cast(pl.Int128) * pl.col("rate").cast(pl.Int128)
    cents = _divide_half_away(exact, AMOUNT_UNITS * RATE_UNITS // 100).clip(-(2 * MAX_PRICE_CENTS), 2 * MAX_PRICE_CENTS)
    return observations.with_columns(usd_cents=cents.cast(pl.Int64)), items.filter(pl.Series(~covered))
