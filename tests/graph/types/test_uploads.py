"""Uploads over real HTTP: applied items, errors reported as data, recognised replays."""

import asyncio
import threading
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from db.pool import INGEST, connect
from ingest.exchange_rates.ecb import load_ecb_rates
from tests.support.batches.uploads import (
    AVERAGES,
    INVALID_ITEMS,
    UPLOAD,
    VALID_ITEM,
    create_locations,
    price_counts,
    upload,
)
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.tokens import authorization_header, create_api_token


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    """A server over two ports without prices, and a worker."""
    create_locations(database_url)
    with running_worker(database_url), running_server(database_url, max_items=50) as client:
        yield client


def test_upload_is_applied_before_the_response_returns(client: Client) -> None:
    payload = upload(
        client, VALID_ITEM, {**VALID_ITEM, "price": "100.01"}, {**VALID_ITEM, "dateTo": None, "price": -0.5}
    )
    batch = payload["batch"]
    assert payload["userErrors"] == payload["warnings"] == []
    assert not payload["replayed"]
    assert (batch["status"], batch["itemCount"], batch["acceptedCount"], batch["rejectedCount"]) == ("APPLIED", 3, 3, 0)
    assert batch["priceDayCount"] == 5
    assert batch["endedAt"] >= batch["createdAt"]
    assert client.ask(AVERAGES)["averagePrices"] == [
        {"averagePrice": 66.5, "priceCount": 3},
        {"averagePrice": None, "priceCount": 2},
    ]


def test_upload_stores_equal_prices_as_separate_observations(client: Client) -> None:
    upload(client, VALID_ITEM, VALID_ITEM)
    upload(client, VALID_ITEM, VALID_ITEM)
    assert price_counts(client) == [4, 4]


def test_upload_accepts_literal_prices_as_int_float_or_string(client: Client) -> None:
    item = 'dateFrom: "2024-01-01", origin: "CNSGH", destination: "NLRTM"'
    mutation = f"""mutation {{ uploadPrices(input: {{ prices: [
        {{ {item}, price: 1 }}, {{ {item}, price: 2.5 }}, {{ {item}, price: "3.5" }} ] }}) {{ batch {{ status }} }} }}"""
    assert client.ask(mutation)["uploadPrices"] == {"batch": {"status": "APPLIED"}}
    assert client.ask(AVERAGES)["averagePrices"][0] == {"averagePrice": 2.33, "priceCount": 3}


@pytest.mark.parametrize(("change", "field", "code", "value"), INVALID_ITEMS)
def test_upload_with_an_invalid_item_is_rejected_and_changes_nothing(
    client: Client, change: Json, field: str, code: str, value: str
) -> None:
    payload = upload(client, VALID_ITEM, {**VALID_ITEM, **change})
    (error,) = payload["userErrors"]
    assert (error["item"], error["field"], error["code"], error["value"]) == (2, field, code, value)
    batch = payload["batch"]
    assert (batch["status"], batch["itemCount"], batch["acceptedCount"], batch["rejectedCount"]) == (
        "REJECTED",
        2,
        0,
        1,
    )
    assert price_counts(client) == [0, 0]


@pytest.mark.parametrize(("change", "field", "code", "value"), INVALID_ITEMS[:3])
def test_upload_skips_an_invalid_item_with_skip_invalid(
    client: Client, change: Json, field: str, code: str, value: str
) -> None:
    payload = upload(client, VALID_ITEM, {**VALID_ITEM, **change}, onError="SKIP_INVALID")
    assert [(error["item"], error["field"], error["code"], error["value"]) for error in payload["userErrors"]] == [
        (2, field, code, value)
    ]
    assert (payload["batch"]["status"], payload["batch"]["acceptedCount"]) == ("APPLIED", 1)
    assert price_counts(client) == [1, 1]


def test_upload_of_only_invalid_items_is_rejected_even_with_skip_invalid(client: Client) -> None:
    payload = upload(client, {**VALID_ITEM, "price": "x"}, onError="SKIP_INVALID")
    assert payload["batch"]["status"] == "REJECTED"


def test_upload_with_equal_origin_and_destination_is_applied_with_a_warning(client: Client) -> None:
    payload = upload(client, {**VALID_ITEM, "destination": "CNSGH"})
    assert payload["batch"]["status"] == "APPLIED"
    assert payload["warnings"] == [{"item": 1, "field": "destination", "code": "SAME_PORT"}]


@pytest.mark.parametrize(
    ("items", "options", "code"),
    [
        ([], {}, "EMPTY_BATCH"),
        ([VALID_ITEM] * 51, {}, "TOO_MANY_ITEMS"),
        ([VALID_ITEM], {"idempotencyKey": ""}, "INVALID_IDEMPOTENCY_KEY"),
        ([VALID_ITEM], {"idempotencyKey": "k" * 201}, "INVALID_IDEMPOTENCY_KEY"),
        ([VALID_ITEM], {"idempotencyKey": "a\x00b"}, "INVALID_IDEMPOTENCY_KEY"),
    ],
)
def test_upload_with_invalid_size_or_idempotency_key_creates_no_batch(
    client: Client, items: list[Json], options: Json, code: str
) -> None:
    payload = upload(client, *items, **options)
    assert payload["batch"] is None
    assert [(error["item"], error["code"]) for error in payload["userErrors"]] == [(None, code)]
    assert client.ask("{ batches { totalCount } }")["batches"]["totalCount"] == 0


def test_upload_accepts_the_maximum_number_of_items(client: Client) -> None:
    assert upload(client, *[VALID_ITEM] * 50)["batch"]["acceptedCount"] == 50


@pytest.mark.parametrize("price", [True, [1], {"a": 1}])
def test_upload_price_of_an_unsupported_type_is_rejected_as_a_graphql_error(client: Client, price: object) -> None:
    failure = client.fail(UPLOAD, input={"prices": [VALID_ITEM, {**VALID_ITEM, "price": price}]})
    assert failure["extensions"] == {
        "code": "INVALID_PRICE",
        "argument": "input",
        "field": "prices[1].price",
        "variable": "input",
    }


@pytest.mark.parametrize("field", ["dateFrom", "origin", "destination", "price"])
@pytest.mark.parametrize("is_null", [True, False])
def test_upload_item_without_a_required_value_is_a_problem_of_the_item(
    client: Client, field: str, *, is_null: bool
) -> None:
    item: Json = {name: value for name, value in VALID_ITEM.items() if name != field}
    if is_null:
        item[field] = None
    payload = upload(client, VALID_ITEM, item, {**VALID_ITEM, "currency": None}, onError="SKIP_INVALID")
    assert payload["userErrors"] == [
        {"item": 2, "field": field, "code": "MISSING_VALUE", "message": f"{field} is missing", "value": None}
    ]
    assert (payload["batch"]["status"], payload["batch"]["acceptedCount"]) == ("APPLIED", 2)


def test_upload_item_with_literal_nulls_is_a_problem_of_the_item(client: Client) -> None:
    mutation = """mutation { uploadPrices(input: { prices: [{ dateFrom: null, origin: null, price: null }] }) {
        userErrors { item field code } } }"""
    assert client.ask(mutation)["uploadPrices"]["userErrors"] == [
        {"item": 1, "field": field, "code": "MISSING_VALUE"} for field in ("origin", "destination", "dateFrom", "price")
    ]


def test_idempotency_key_with_equal_items_returns_the_first_batch(client: Client) -> None:
    first = upload(client, VALID_ITEM, idempotencyKey="monday")
    second = upload(client, VALID_ITEM, idempotencyKey="monday")
    assert second["replayed"]
    assert second["batch"] == first["batch"]
    assert price_counts(client) == [1, 1]


@pytest.mark.parametrize("change", [{"price": 101}, {"dateTo": "2024-01-03"}])
def test_idempotency_key_with_different_items_is_rejected(client: Client, change: Json) -> None:
    upload(client, VALID_ITEM, idempotencyKey="monday")
    payload = upload(client, {**VALID_ITEM, **change}, idempotencyKey="monday")
    assert payload["batch"] is None
    assert [error["code"] for error in payload["userErrors"]] == ["IDEMPOTENCY_KEY_REUSED"]
    assert price_counts(client) == [1, 1]


def test_idempotency_key_creates_one_batch_for_concurrent_uploads(client: Client) -> None:
    payloads: list[Json] = []

    def send() -> None:
        payloads.append(upload(client, VALID_ITEM, VALID_ITEM, idempotencyKey="all at once"))

    threads = [threading.Thread(target=send) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(payloads) == 20
    assert len({payload["batch"]["id"] for payload in payloads}) == 1
    assert [payload["replayed"] for payload in payloads].count(False) == 1
    assert price_counts(client) == [2, 2]


def test_currency_conversion_of_an_upload_stores_amount_rate_and_rate_day_per_day(
    client: Client, database_url: str
) -> None:
    async def load() -> None:
        async with connect(database_url, INGEST) as connection:
            await load_ecb_rates(connection)

    asyncio.run(load())
    # 2024-01-05 is a Friday: its rate is valid over the weekend.
    item = {**VALID_ITEM, "dateFrom": "2024-01-05", "dateTo": "2024-01-08", "price": "1000.50", "currency": "eur"}
    assert upload(client, item)["batch"]["priceDayCount"] == 4
    with psycopg.connect(database_url) as connection:
        rates: dict[date, Decimal] = dict(
            connection.execute(
                "SELECT day, usd_per_unit FROM exchange_rates"
                " WHERE currency = 'EUR' AND day BETWEEN '2024-01-05' AND '2024-01-08'"
            ).fetchall()
        )
        rows: list[tuple[Any, ...]] = connection.execute(
            "SELECT first_day, last_day, usd_cents, amount, currency, rate, rate_day FROM prices ORDER BY first_day"
        ).fetchall()
    friday, monday = date(2024, 1, 5), date(2024, 1, 8)
    assert sorted(rates) == [friday, monday]
    amount = Decimal("1000.5000")
    assert rows == [
        (first, last, round(amount * rates[day] * 100), amount, "EUR", rates[day], day)
        for first, last, day in [(friday, date(2024, 1, 7), friday), (monday, monday, monday)]
    ]


def test_currency_conversion_of_an_upload_before_the_first_rate_is_rejected(client: Client, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO exchange_rates VALUES ('EUR', '2024-01-02', 1.1)")
    payload = upload(client, {**VALID_ITEM, "currency": "EUR"})
    assert [(error["item"], error["field"], error["code"]) for error in payload["userErrors"]] == [
        (1, "currency", "NO_EXCHANGE_RATE")
    ]


def test_batches_are_paginated_newest_first_and_filtered_by_status(client: Client) -> None:
    ids = [upload(client, VALID_ITEM)["batch"]["id"] for _ in range(3)]
    rejected = upload(client, {**VALID_ITEM, "price": "x"})["batch"]["id"]
    query = """query ($after: String, $status: BatchStatus) { batches(first: 2, after: $after, status: $status) {
        totalCount pageInfo { hasNextPage endCursor } edges { cursor node { id status } } } }"""
    first = client.ask(query)["batches"]
    assert [edge["node"]["id"] for edge in first["edges"]] == [rejected, ids[2]]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (4, True)
    second = client.ask(query, after=first["pageInfo"]["endCursor"])["batches"]
    assert [edge["node"]["id"] for edge in second["edges"]] == [ids[1], ids[0]]
    assert not second["pageInfo"]["hasNextPage"]
    only = client.ask(query, status="REJECTED")["batches"]
    assert [edge["node"] for edge in only["edges"]] == [{"id": rejected, "status": "REJECTED"}]


@pytest.mark.parametrize("id_", ["0", "x", "-1", "9" * 40, "1.0", ""])
def test_batch_query_returns_null_for_an_unknown_id(client: Client, id_: str) -> None:
    assert client.ask("query ($id: ID!) { batch(id: $id) { id } }", id=id_) == {"batch": None}


def test_batch_query_returns_a_batch_by_id(client: Client) -> None:
    batch = upload(client, VALID_ITEM, idempotencyKey="k")["batch"]
    fields = " ".join(batch)
    assert client.ask(f"query ($id: ID!) {{ batch(id: $id) {{ {fields} }} }}", id=batch["id"]) == {"batch": batch}


def test_upload_without_a_token_is_rejected_and_creates_no_batch(database_url: str) -> None:
    with running_server(database_url, writes_are_open=False) as client:
        failure = client.fail(UPLOAD, input={"prices": [VALID_ITEM]})
        assert failure["extensions"]["code"] == "UNAUTHENTICATED"
        client.http.headers.update(authorization_header(create_api_token(database_url, "admin")))
        assert client.ask("{ batches { totalCount } }")["batches"]["totalCount"] == 0
