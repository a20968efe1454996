"""Conversion to US dollars, compared with a plain-Python implementation for every day."""

import time
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from db.repositories.rates import MAX_RATE_AGE_DAYS
from domain.prices import RATE_UNITS
from ingest.batches.currency_conversion import ExchangeRates, RateHistory, convert_to_usd

BEGIN = 19_000
Observation = dict[str, int]


def items_of(*rows: tuple[int, int, int, str]) -> pl.DataFrame:
    """Return checked items from (first day, last day, amount in ten-thousandths, currency)."""
    return pl.DataFrame(
        [
            (number, 1, 2, first, last, amount, currency)
            for number, (first, last, amount, currency) in enumerate(rows, 1)
        ],
        schema={
            "item": pl.UInt32,
            "origin": pl.Int32,
            "destination": pl.Int32,
            "first_day": pl.Int32,
            "last_day": pl.Int32,
            "amount": pl.Int64,
            "currency": pl.String,
        },
        orient="row",
    )


def rates_of(published: dict[int, int], newest_day: int) -> ExchangeRates:
    """Return rates of one currency, EUR, from day → rate in 10⁻¹²."""
    days = sorted(published)
    history = RateHistory(np.array(days, dtype=np.int32), np.array([published[day] for day in days], dtype=np.int64))
    return ExchangeRates({"EUR": history}, newest_day)


def rate_of(day: int, published: dict[int, int], newest_day: int) -> tuple[int, int] | None:
    """Return the rate of a day by the rule as (published day, rate), or None without one."""
    before = [known for known in published if known <= day]
    if not before or min(day, max(newest_day, max(before))) - max(before) > MAX_RATE_AGE_DAYS:
        return None
    return max(before), published[max(before)]


def cents_of(amount: int, rate: int) -> int:
    """Return amount (10⁻⁴) × rate (10⁻¹²) in cents, half away from zero, in exact decimals."""
    exact = Decimal(amount) / 10_000 * (Decimal(rate) / RATE_UNITS) * 100
    return int(exact.quantize(Decimal(1), ROUND_HALF_UP))


@given(
    published=st.dictionaries(st.integers(BEGIN, BEGIN + 80), st.integers(1, 3 * RATE_UNITS), min_size=1, max_size=30),
    first=st.integers(BEGIN - 5, BEGIN + 110),
    length=st.integers(0, 40),
    amount=st.integers(-30_000_000_000, 30_000_000_000),
    newest_after=st.integers(0, 30),
)
def test_currency_conversion_uses_the_rate_of_each_day(
    published: dict[int, int], first: int, length: int, amount: int, newest_after: int
) -> None:
    newest_day = max(published) + newest_after
    converted = convert_to_usd(
        items_of((first, first + length, amount, "EUR")), rates_of(published, newest_day), {"EUR"}
    )
    expected = {day: rate_of(day, published, newest_day) for day in range(first, first + length + 1)}
    if None in expected.values():
        assert converted.observations.is_empty()
        assert converted.rejections["code"].to_list() == ["NO_EXCHANGE_RATE"]
        return
    found = {
        day: (row["rate_day"], row["rate"], row["usd_cents"])
        for row in converted.observations.iter_rows(named=True)
        for day in range(row["first_day"], row["last_day"] + 1)
    }
    assert found == {day: (*known, cents_of(amount, known[1])) for day, known in expected.items() if known}
    # Days at the same rate remain one observation.
    assert len(converted.observations) == len(set(expected.values()))


def test_currency_conversion_rounds_dollars_to_cents_half_away_from_zero() -> None:
    amounts = [10_050, 10_049, -10_050, -10_049, 0]
    converted = convert_to_usd(
        items_of(*((BEGIN, BEGIN + 3, amount, "USD") for amount in amounts)), ExchangeRates({}, 0), set()
    )
    assert converted.observations["usd_cents"].to_list() == [101, 100, -101, -100, 0]
    assert converted.observations["rate"].unique().to_list() == [RATE_UNITS]


def test_currency_conversion_distinguishes_missing_rates_from_unknown_currencies() -> None:
    items = items_of((BEGIN, BEGIN, 1, "QQQ"), (BEGIN, BEGIN, 1, "EUR"), (BEGIN, BEGIN, 1, "USD"))
    converted = convert_to_usd(items, ExchangeRates({}, 0), {"EUR"})
    assert sorted(converted.rejections.select("item", "code").rows()) == [
        (1, "UNKNOWN_CURRENCY"),
        (2, "NO_EXCHANGE_RATE"),
    ]
    assert converted.observations["item"].to_list() == [3]


def test_currency_conversion_suggests_the_codes_of_trade_names_and_similar_codes() -> None:
    texts = ["RMB", "US$", "€", "EURO", "STG", "¥", "EUT", "QQQ"]
    items = items_of(*((BEGIN, BEGIN, 1, text) for text in texts))
    converted = convert_to_usd(items, ExchangeRates({}, 0), {"CNY", "EUR", "GBP", "JPY"})
    suggestions = ["CNY", "USD", "EUR", "EUR", "GBP", "CNY or JPY", "EUR", None]
    assert converted.rejections["message"].to_list() == [
        f"no exchange rates for currency {text}{f'; did you mean {meant}?' if meant else ''}"
        for text, meant in zip(texts, suggestions, strict=True)
    ]


def test_currency_conversion_of_a_million_unknown_currencies_takes_seconds() -> None:
    item = items_of((BEGIN, BEGIN, 1, ""))
    number = pl.int_range(1, 1_000_001, dtype=pl.UInt32, eager=True)
    items = item.drop("item", "currency").join(pl.DataFrame({"item": number}), how="cross")
    items = items.with_columns(currency=pl.col("item").cast(pl.String)).select(item.columns)
    start = time.perf_counter()
    converted = convert_to_usd(items, ExchangeRates({}, 0), {"EUR"})
    assert len(converted.rejections) == 1_000_000
    assert time.perf_counter() - start < 20


def test_currency_conversion_limits_prices_to_ten_million_dollars() -> None:
    rate = rates_of({BEGIN: RATE_UNITS // 1000}, BEGIN)
    items = items_of(
        (BEGIN, BEGIN, 100_000_000_000, "USD"),
        (BEGIN, BEGIN, 100_000_000_100, "USD"),
        (BEGIN, BEGIN, -100_000_000_100, "USD"),
        (BEGIN, BEGIN, 5_000_000_000 * 10_000, "EUR"),
        (BEGIN, BEGIN, 50_000_000_000 * 10_000, "EUR"),
    )
    converted = convert_to_usd(items, rate, {"EUR"})
    assert converted.rejections.select("item", "code").sort("item").rows() == [
        (number, "PRICE_OUT_OF_RANGE") for number in (2, 3, 5)
    ]
    assert converted.observations["item"].to_list() == [1, 4]


def test_currency_conversion_groups_database_rows_into_rate_histories() -> None:
    day = date(2024, 1, 1)
    rates = ExchangeRates.from_rows([("EUR", day, 5), ("EUR", day + timedelta(days=1), 6), ("GBP", day, 7)], day)
    assert rates.histories["EUR"].rates.tolist() == [5, 6]
    assert rates.histories["GBP"].days.tolist() == [19_723]
    assert rates.newest_day == 19_723
