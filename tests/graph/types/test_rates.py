"""Exchange rates over real HTTP: an entry per day, and a clear error for each invalid query."""

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

# A Thursday, the Friday and the Monday after. The crown was discontinued long before. The penny has a very small
# value.
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
    """A read-only database with the rates, shared by all tests of the module."""

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
    """Return (day, rate, published day) of the response."""
    days = client.ask(QUERY, currency=currency, **{"from": first, "to": last})["exchangeRates"]
    return [(day["day"], day["usdPerUnit"], day["publishedDay"]) for day in days]


def fail(client: Client, **changes: str) -> Json:
    """Return the only error of the query with changed variables."""
    return client.fail(QUERY, **{"currency": "EUR", "from": "2024-03-08", "to": "2024-03-11", **changes})


def test_exchange_rates_carry_the_latest_published_rate_forward(client: Client) -> None:
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


def test_exchange_rates_of_a_discontinued_currency_end_after_two_weeks(client: Client) -> None:
    assert ask(client, "SKK", "2024-01-12", "2024-01-13") == [
        ("2024-01-12", 0.0362, "2023-12-29"),
        ("2024-01-13", None, None),
    ]
    assert ask(client, "SKK", "2030-01-01", "2030-01-01") == [("2030-01-01", None, None)]


def test_exchange_rates_of_the_dollar_are_one_on_every_day(client: Client) -> None:
    assert ask(client, " usd\n", "1900-02-28", "1900-03-01") == [
        (day, 1.0, day) for day in ("1900-02-28", "1900-03-01")
    ]


@pytest.mark.parametrize(("currency", "rate"), [(code, rate) for code, day, rate in PUBLISHED if day.day == 11])
def test_exchange_rates_preserve_every_decimal_place(client: Client, currency: str, rate: str) -> None:
    [(_, shown, _)] = ask(client, currency, "2024-03-11", "2024-03-11")
    assert shown is not None
    assert Decimal(shown).quantize(Decimal("1e-12")) == Decimal(rate)


def test_exchange_rates_ignore_case_and_whitespace_in_the_currency(client: Client) -> None:
    assert ask(client, "\teur ", "2024-03-08", "2024-03-11") == ask(client, "EUR", "2024-03-08", "2024-03-11")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("EUX", ["EUR"]), ("euro", ["EUR"]), ("€", ["EUR"]), ("US$", ["USD"]), ("US", ["USD"]), ("QQQ", [])],
)
def test_exchange_rates_of_an_unknown_currency_name_the_argument_and_suggest_codes(
    client: Client, typed: str, meant: list[str]
) -> None:
    failure = fail(client, currency=typed)
    named = {"argument": "currency", "variable": "currency"}
    assert failure["extensions"] == {"code": "UNKNOWN_CURRENCY", **named, "suggestions": meant}
    assert failure["message"].startswith(f'currency: no exchange rate known for "{typed.upper()}".')
    assert all(code in failure["message"] for code in meant)


def test_exchange_rates_suggest_at_most_three_currencies(client: Client) -> None:
    assert len(fail(client, currency="XPAUKNR")["extensions"]["suggestions"]) <= 3
    assert len(fail(client, currency="EURGBPSKKXPNXAU")["extensions"]["suggestions"]) <= 3


@pytest.mark.parametrize(
    "currency", ["", " ", "x" * 5000, "'; DROP TABLE exchange_rates; --", "E\x00R", "\x00", "€", "%"]
)
def test_exchange_rates_treat_hostile_text_as_an_unknown_currency(client: Client, currency: str) -> None:
    failure = fail(client, currency=currency)
    assert failure["extensions"]["code"] == "UNKNOWN_CURRENCY"
    assert len(failure["message"]) < 400
    assert "\x00" not in failure["message"]


@pytest.mark.anyio
async def test_exchange_rates_treat_a_lone_surrogate_as_an_unknown_currency(rates_url: str) -> None:
    async with open_pool(rates_url, API, max_size=1) as pool:
        with pytest.raises(RequestError) as caught:
            await exchange_rates(
                reading_context(pool), currency="E\ud800R", date_from=date(2024, 3, 8), date_to=date(2024, 3, 8)
            )
    assert caught.value.code == "UNKNOWN_CURRENCY"
    assert json.dumps(str(caught.value), ensure_ascii=False).encode()


def test_exchange_rates_request_with_a_lone_surrogate_is_rejected_with_400(client: Client) -> None:
    body = {"query": QUERY, "variables": {"currency": "\ud800", "from": "2024-03-08", "to": "2024-03-08"}}
    answer = client.http.post("/graphql", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code == 400


def test_exchange_rates_accept_the_maximum_date_range_and_reject_invalid_ranges(client: Client) -> None:
    failure = fail(client, **{"from": "2024-03-12"})
    assert failure["extensions"] == {"code": "INVALID_DATE_RANGE", "argument": "from", "variable": "from"}
    assert failure["message"] == "from (2024-03-12) is after to (2024-03-11)."
    assert len(ask(client, "EUR", "2024-01-01", "2025-02-03")) == 400
    failure = fail(client, **{"from": "2024-01-01", "to": "2025-02-04"})
    named = {"argument": "to", "variable": "to"}
    assert failure["extensions"] == {"code": "DATE_RANGE_TOO_LONG", **named, "maxDays": 400}
    assert fail(client, to="20240311")["extensions"]["code"] == "INVALID_DATE"


def test_exchange_rates_without_data_are_available_only_for_the_dollar(database_url: str) -> None:
    with running_server(database_url) as client:
        assert ask(client, "USD", "2024-03-08", "2024-03-08") == [("2024-03-08", 1.0, "2024-03-08")]
        assert fail(client)["extensions"]["code"] == "UNKNOWN_CURRENCY"
