"""Uploads over broken connections: no duplicates, and with a key every one succeeds."""

import json

import httpx
import psycopg
import pytest

from tests.support.batches.price_files import PREFLIGHT
from tests.support.faults.database_proxy import running_database_proxy
from tests.support.faults.world import create_query_cases
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import DEADLINE_SECONDS

UPLOADS = 60
BREAK_EVERY = 3
UPLOAD = """
mutation ($input: UploadPricesInput!) { uploadPrices(input: $input) { batch { number } userErrors { code } } }
"""
UPLOAD_FILE = """
mutation ($file: Upload!, $key: String) {
  uploadPriceFile(file: $file, input: {idempotencyKey: $key, waitMs: 0}) { batch { id } userErrors { code } }
}
"""
PRICE = {"dateFrom": "2024-01-01", "origin": "CNSGH", "destination": "NLRTM", "price": 5}


@pytest.mark.parametrize("is_keyed", [True, False])
def test_upload_over_broken_connections_is_not_duplicated_and_succeeds_with_a_key(
    database_url: str, *, is_keyed: bool
) -> None:
    create_query_cases(database_url)
    token = authorization_header(create_api_token(database_url, "upload"))
    stored: list[str] = []
    with (
        running_database_proxy(database_url) as (proxy, url),
        serving(url) as (_, server_url),
        httpx.Client(base_url=server_url, headers=token, timeout=DEADLINE_SECONDS) as http,
    ):
        wait_until_answered(server_url)
        for number in range(UPLOADS):
            if number % BREAK_EVERY == 0:
                proxy.reset()
                # The next connection breaks during the transaction, at a varying point.
                proxy.latency = 0.002 * (number % 4)
            key = {"idempotencyKey": str(number)} if is_keyed else {}
            body = {"query": UPLOAD, "variables": {"input": {"prices": [PRICE], "waitMs": 0, **key}}}
            answer = http.post("/graphql", json=body).json()
            if is_keyed or "errors" not in answer:
                assert answer["data"]["uploadPrices"]["userErrors"] == []
                stored.append(answer["data"]["uploadPrices"]["batch"]["number"])
            else:
                assert answer["errors"][0]["extensions"]["code"] == "DATABASE_UNAVAILABLE"
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("SELECT id FROM price_batches WHERE source = 'uploadPrices'").fetchall()
    found = {number for (number,) in rows}
    assert len(stored) == len(set(stored))
    assert set(stored) <= found
    assert len(found) == UPLOADS if is_keyed else len(found) <= UPLOADS


def test_file_upload_retry_stores_the_complete_file(database_url: str) -> None:
    create_query_cases(database_url)
    token = authorization_header(create_api_token(database_url, "upload"))
    lines = "origin_code,destination_code,day,price\n" + "CNSGH,NLRTM,2024-01-01,5\n" * 1_000
    with (
        running_database_proxy(database_url) as (proxy, url),
        serving(url) as (_, server_url),
        httpx.Client(base_url=server_url, headers={**token, **PREFLIGHT}, timeout=DEADLINE_SECONDS) as http,
    ):
        wait_until_answered(server_url)
        for key in range(5):
            proxy.reset()
            operations = json.dumps({"query": UPLOAD_FILE, "variables": {"file": None, "key": str(key)}})
            form = {"operations": operations, "map": '{"0": ["variables.file"]}'}
            answer = http.post("/graphql", data=form, files={"0": ("prices.csv", lines)}).json()
            assert answer["data"]["uploadPriceFile"]["userErrors"] == []
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT count(DISTINCT batch_id), count(*), bool_and(length(data) = %s) FROM batch_payloads", (len(lines),)
        ).fetchone()
    assert rows == (5, 5, True)
