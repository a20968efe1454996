"""Batch lifecycle over real HTTP: the upload wait, paginated rejections, revert."""

import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.support.batches.mutations import REVERT
from tests.support.batches.uploads import UPLOAD, VALID_ITEM, create_locations
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.waiting import DEADLINE_SECONDS

STATUS = "query ($id: ID!) { batch(id: $id) { status attempts startedAt endedAt failure } }"
AVERAGES = """{
  averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-01", origin: "china", destination: "europe") {
    averagePrice priceCount
  }
}"""


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    """A server over two ports, without a worker."""
    create_locations(database_url)
    with running_server(database_url) as client:
        yield client


def upload(client: Client, *items: Json, wait_ms: int) -> Json:
    """Upload and return the batch."""
    batch: Json = client.ask(UPLOAD, input={"prices": items, "waitMs": wait_ms})["uploadPrices"]["batch"]
    return batch


def ended(client: Client, batch_id: str) -> Json:
    """Return the batch once it has ended."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        batch: Json = client.ask(STATUS, id=batch_id)["batch"]
        if batch["status"] not in {"QUEUED", "RUNNING"}:
            return batch
        assert time.monotonic() < deadline, batch
        time.sleep(0.02)


def test_upload_without_a_worker_returns_queued_after_the_wait_and_is_applied_later(
    client: Client, database_url: str
) -> None:
    started = time.monotonic()
    batch = upload(client, VALID_ITEM, wait_ms=300)
    assert 0.3 <= time.monotonic() - started < 20
    assert (batch["status"], batch["endedAt"]) == ("QUEUED", None)
    with running_worker(database_url):
        batch = ended(client, batch["id"])
    assert (batch["status"], batch["attempts"], batch["failure"]) == ("APPLIED", 1, None)
    assert batch["startedAt"] <= batch["endedAt"]


def test_upload_with_zero_wait_returns_a_queued_batch(client: Client) -> None:
    assert upload(client, VALID_ITEM, wait_ms=0)["status"] == "QUEUED"


def test_upload_wait_ends_as_soon_as_the_batch_ends(client: Client, database_url: str) -> None:
    with running_worker(database_url):
        upload(client, VALID_ITEM, wait_ms=30_000)
        started = time.monotonic()
        assert upload(client, VALID_ITEM, wait_ms=30_000)["status"] == "APPLIED"
        assert time.monotonic() - started < 20


@pytest.mark.parametrize("wait_ms", [-1, 30_001])
def test_upload_wait_outside_the_limits_is_rejected_and_stores_nothing(client: Client, wait_ms: int) -> None:
    failure = client.fail(UPLOAD, input={"prices": [VALID_ITEM], "waitMs": wait_ms})
    wait = {"argument": "input", "field": "waitMs", "variable": "input"}
    assert failure["extensions"] == {"code": "INVALID_WAIT", **wait}
    assert client.ask("{ batches { totalCount } }")["batches"]["totalCount"] == 0


def test_revert_restores_the_averages_and_succeeds_only_once(client: Client, database_url: str) -> None:
    with running_worker(database_url):
        correct = upload(client, *[{**VALID_ITEM, "price": price} for price in (1, 2, 6)], wait_ms=30_000)
        before = client.ask(AVERAGES)
        wrong = upload(client, VALID_ITEM, {**VALID_ITEM, "destination": "CNSGH"}, wait_ms=30_000)
        assert client.ask(AVERAGES) != before
        answer = client.ask(REVERT, id=wrong["id"])["revertBatch"]
        assert answer["userErrors"] == []
        assert answer["batch"]["status"] == "REVERTED"
        assert answer["batch"]["revertedAt"] is not None
        assert client.ask(AVERAGES) == before == {"averagePrices": [{"averagePrice": 3.0, "priceCount": 3}]}
        again = client.ask(REVERT, id=wrong["id"])["revertBatch"]
        assert [error["code"] for error in again["userErrors"]] == ["BATCH_NOT_APPLIED"]
        assert client.ask(AVERAGES) == before
    with psycopg.connect(database_url) as connection:
        assert connection.execute("SELECT DISTINCT batch_id FROM prices").fetchall() == [(correct["number"],)]


def test_revert_of_a_queued_or_unknown_batch_is_rejected(client: Client) -> None:
    queued = upload(client, VALID_ITEM, wait_ms=0)
    answer = client.ask(REVERT, id=queued["id"])["revertBatch"]
    assert [error["code"] for error in answer["userErrors"]] == ["BATCH_NOT_APPLIED"]
    assert answer["batch"]["status"] == "QUEUED"
    message = "there is no batch with this id that you may see"
    for id_ in ("999", "x", ""):
        answer = client.ask(REVERT, id=id_)["revertBatch"]
        error = answer["userErrors"][0]
        assert (answer["batch"], error["code"], error["message"]) == (None, "UNKNOWN_BATCH", message)


def test_batch_rejections_are_paginated(client: Client, database_url: str) -> None:
    query = """query ($id: ID!, $after: String) { batch(id: $id) { rejections(first: 2, after: $after) {
        totalCount pageInfo { hasNextPage endCursor } edges { node { item field code severity message value } } } } }"""
    items = [
        VALID_ITEM,
        {**VALID_ITEM, "price": "x"},
        {**VALID_ITEM, "destination": "CNSGH"},
        {**VALID_ITEM, "origin": "?", "price": "y"},
    ]
    with running_worker(database_url):
        batch = upload(client, *items, wait_ms=30_000)
    first = client.ask(query, id=batch["id"])["batch"]["rejections"]
    assert [(edge["node"]["item"], edge["node"]["code"], edge["node"]["severity"]) for edge in first["edges"]] == [
        (2, "INVALID_PRICE", "ERROR"),
        (3, "SAME_PORT", "WARNING"),
    ]
    assert (first["totalCount"], first["pageInfo"]["hasNextPage"]) == (4, True)
    second = client.ask(query, id=batch["id"], after=first["pageInfo"]["endCursor"])["batch"]["rejections"]
    assert {(edge["node"]["item"], edge["node"]["code"], edge["node"]["value"]) for edge in second["edges"]} == {
        (4, "UNKNOWN_PORT", "?"),
        (4, "INVALID_PRICE", "y"),
    }
    assert not second["pageInfo"]["hasNextPage"]


def test_batch_rejection_with_a_code_of_a_newer_version_is_reported_as_other(client: Client, database_url: str) -> None:
    with running_worker(database_url):
        batch = upload(client, {**VALID_ITEM, "price": "x"}, wait_ms=30_000)
    with psycopg.connect(database_url) as connection:
        connection.execute("UPDATE batch_rejections SET code = 'FROM_THE_FUTURE', message = 'read this'")
    query = "query ($id: ID!) { batch(id: $id) { rejections { edges { node { code message } } } } }"
    (edge,) = client.ask(query, id=batch["id"])["batch"]["rejections"]["edges"]
    assert edge["node"] == {"code": "OTHER", "message": "read this"}
