"""Exchange rates over real HTTP: every day has its entry, and one clear error for each bad question."""

import asyncio
import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import polars as pl
import pytest

from db.pool import API, INGEST, connect, open_pool
from ingest.exchange_rates.ecb import store_rates
from ingest.exchange_rates.refresh import RATES
from resolvers.errors import RequestError
from resolvers.rates import exchange_rates
from tests.support.contexts import reading_context
from tests.support.fixtures.database import fresh_database
from tests.support.fixtures.server import Client, Json, running_server

# A Thursday, the Friday, and the Monday after; the crown has long been given up by then; the penny is worth very little.
PUBLISHED = [
    ("EUR", date(2024, 3, 7), "1.0895"),
    ("EUR", date(2024, 3, 8), "1.0932"),
    ("EUR", date(2024, 3, 11), "1.093100000001"),
    ("GBP", date(2024, 3, 11), "1.2811"),
    ("SKK", date(2023, 12, 29), "0.0362"),
    ("XPN", date(2024, 3, 11), "0.000000000001"),
    ("XAU", date(2024, 3, 11), "7999.999999999999"),
]
QUERY = """
query ($currency: String!, $from: Date!, $to: Date!) {
  exchangeRates(currency: $currency, from: $from, to: $to) { day usdPerUnit publishedDay }
}
"""


@pytest.fixture(scope="module")
def rates_url(postgres: str, template: str) -> Iterator[str]:
    """A database with the rates, for all tests of the module: nothing here writes."""

    async def fill(url: str) -> None:
        rows = [(currency, day, Decimal(rate)) for currency, day, rate in PUBLISHED]
        async with connect(url, INGEST) as connection:
            await store_rates(connection, pl.DataFrame(rows, schema=RATES, orient="row"))

    with fresh_database(postgres, template) as url:
        asyncio.run(fill(url))
        yield url


@pytest.fixture(scope="module")
def client(rates_url: str) -> Iterator[Client]:
    """A server over the rates."""
    with running_server(rates_url, max_days=400) as client:
        yield client


def ask(client: Client, currency: str, first: str, last: str) -> list[tuple[str, float | None, str | None]]:
    """Return (day, rate, published day) of the answer."""
    days = client.ask(QUERY, currency=currency, **{"from": first, "to": last})["exchangeRates"]
    return [(day["day"], day["usdPerUnit"], day["publishedDay"]) for day in days]


def fail(client: Client, **changes: str) -> Json:
    """Return the one error that a changed question gets."""
    return client.fail(QUERY, **{"currency": "EUR", "from": "2024-03-08", "to": "2024-03-11", **changes})


def test_a_weekend_has_the_rate_of_the_friday_and_days_to_come_the_newest(client: Client) -> None:
    assert ask(client, "EUR", "2024-03-06", "2024-03-13") == [
        ("2024-03-06", None, None),
        ("2024-03-07", 1.0895, "2024-03-07"),
        ("2024-03-08", 1.0932, "2024-03-08"),
        ("2024-03-09", 1.0932, "2024-03-08"),
        ("2024-03-10", 1.0932, "2024-03-08"),
        ("2024-03-11", 1.093100000001, "2024-03-11"),
        ("2024-03-12", 1.093100000001, "2024-03-11"),
        ("2024-03-13", 1.093100000001, "2024-03-11"),
    ]
    assert ask(client, "EUR", "9999-12-31", "9999-12-31") == [("9999-12-31", 1.093100000001, "2024-03-11")]
    assert ask(client, "EUR", "0001-01-01", "0001-01-02") == [("0001-01-01", None, None), ("0001-01-02", None, None)]


def test_a_currency_that_is_no_longer_published_has_no_rate_after_two_weeks(client: Client) -> None:
    assert ask(client, "SKK", "2024-01-12", "2024-01-13") == [
        ("2024-01-12", 0.0362, "2023-12-29"),
        ("2024-01-13", None, None),
    ]
    assert ask(client, "SKK", "2030-01-01", "2030-01-01") == [("2030-01-01", None, None)]


def test_the_dollar_is_one_on_every_day(client: Client) -> None:
    assert ask(client, " usd\n", "1900-02-28", "1900-03-01") == [
        (day, 1.0, day) for day in ("1900-02-28", "1900-03-01")
    ]


@pytest.mark.parametrize(("currency", "rate"), [(code, rate) for code, day, rate in PUBLISHED if day.day == 11])
def test_no_decimal_of_a_rate_is_lost(client: Client, currency: str, rate: str) -> None:
    [(_, shown, _)] = ask(client, currency, "2024-03-11", "2024-03-11")
    assert shown is not None
    assert Decimal(shown).quantize(Decimal("1e-12")) == Decimal(rate)


def test_case_and_space_around_a_currency_do_not_matter(client: Client) -> None:
    assert ask(client, "\teur ", "2024-03-08", "2024-03-11") == ask(client, "EUR", "2024-03-08", "2024-03-11")


@pytest.mark.parametrize(("typed", "meant"), [("EUX", ["EUR"]), ("euro", ["EUR"]), ("US", ["USD"]), ("QQQ", [])])
def test_an_unknown_currency_names_the_argument_and_suggests(client: Client, typed: str, meant: list[str]) -> None:
    failure = fail(client, currency=typed)
    assert failure["extensions"] == {"code": "UNKNOWN_CURRENCY", "argument": "currency", "suggestions": meant}
    assert failure["message"].startswith(f"currency: no exchange rate known for '{typed.upper()}'.")
    assert all(code in failure["message"] for code in meant)


def test_at_most_three_currencies_are_suggested(client: Client) -> None:
    assert len(fail(client, currency="XPAUKNR")["extensions"]["suggestions"]) <= 3
    assert len(fail(client, currency="EURGBPSKKXPNXAU")["extensions"]["suggestions"]) <= 3


@pytest.mark.parametrize(
    "currency", ["", " ", "x" * 5000, "'; DROP TABLE exchange_rates; --", "E\x00R", "\x00", "€", "%"]
)
def test_no_text_does_more_than_name_no_currency(client: Client, currency: str) -> None:
    failure = fail(client, currency=currency)
    assert failure["extensions"]["code"] == "UNKNOWN_CURRENCY"
    assert len(failure["message"]) < 400
    assert "\x00" not in failure["message"]


@pytest.mark.anyio
async def test_half_a_surrogate_pair_names_no_currency(rates_url: str) -> None:
    async with open_pool(rates_url, API, max_size=1) as pool:
        with pytest.raises(RequestError) as caught:
            await exchange_rates(
                reading_context(pool), currency="E\ud800R", date_from=date(2024, 3, 8), date_to=date(2024, 3, 8)
            )
    assert caught.value.code == "UNKNOWN_CURRENCY"
    assert json.dumps(str(caught.value), ensure_ascii=False).encode()


def test_half_a_surrogate_pair_is_no_fault_of_ours_over_http(client: Client) -> None:
    body = {"query": QUERY, "variables": {"currency": "\ud800", "from": "2024-03-08", "to": "2024-03-08"}}
    answer = client.http.post("/graphql", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_a_range_names_the_argument_that_is_wrong(client: Client) -> None:
    failure = fail(client, **{"from": "2024-03-12"})
    assert failure["extensions"] == {"code": "INVALID_DATE_RANGE", "argument": "from"}
    assert failure["message"] == "from (2024-03-12) is after to (2024-03-11)."
    assert len(ask(client, "EUR", "2024-01-01", "2025-02-03")) == 400
    failure = fail(client, **{"from": "2024-01-01", "to": "2025-02-04"})
    assert failure["extensions"] == {"code": "DATE_RANGE_TOO_LONG", "argument": "to", "maxDays": 400}
    assert fail(client, to="20240311")["extensions"]["code"] == "INVALID_DATE"


def test_without_any_rates_only_the_dollar_has_one(database_url: str) -> None:
    with running_server(database_url) as client:
        assert ask(client, "USD", "2024-03-08", "2024-03-08") == [("2024-03-08", 1.0, "2024-03-08")]
        assert fail(client)["extensions"]["code"] == "UNKNOWN_CURRENCY"
