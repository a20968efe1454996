"""Uploads to a database whose disk is full: a clear, temporary error, and nothing is stored."""

import pytest

from tests.support.batches.price_files import CSV, form
from tests.support.databases.disk_full import raise_disk_full
from tests.support.fixtures.server import running_server

UPLOAD = """mutation ($input: UploadPricesInput!) { uploadPrices(input: $input) { batch { status } } }"""
INPUT = {"prices": [{"dateFrom": "2024-01-01", "origin": "CNSGH", "destination": "NLRTM", "price": 7}], "waitMs": 0}
MESSAGE = "The database's disk is full; nothing was stored. Retry when it has free space again."


@pytest.mark.parametrize("is_keyed", [True, False])
def test_upload_to_a_full_database_responds_no_room(database_url: str, *, is_keyed: bool) -> None:
    key = {"idempotencyKey": "key"} if is_keyed else {}
    with running_server(database_url) as client:
        with raise_disk_full(database_url, "batch_payloads"):
            for response in (
                client.http.post("/graphql", json={"query": UPLOAD, "variables": {"input": {**INPUT, **key}}}),
                client.http.post("/graphql", **form(CSV, "prices.csv", **key)),
            ):
                assert (response.status_code, response.headers["retry-after"]) == (503, "2")
                assert response.json() == {"errors": [{"message": MESSAGE, "extensions": {"code": "NO_ROOM"}}]}
            assert client.http.get("/readyz").text == "ready\n"
        assert client.ask("{ batches(first: 1) { totalCount } }") == {"batches": {"totalCount": 0}}
        answer = client.ask(UPLOAD, input={**INPUT, **key})
        assert answer == {"uploadPrices": {"batch": {"status": "QUEUED"}}}
