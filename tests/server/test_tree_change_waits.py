"""Work that meets a long change of the region tree: it waits, or names the change."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import httpx
import psycopg
import pytest

from db import pool
from db.repositories import locations
from tests.support.batches.mutations import MOVE, REVERT
from tests.support.batches.uploads import VALID_ITEM, create_locations, upload
from tests.support.fixtures.server import Client, running_server, running_worker
from tests.support.waiting import DEADLINE_SECONDS, eventually

ITEM = {**VALID_ITEM, "price": "invalid"}
DRY_RUN = "mutation ($input: UploadPricesInput!) { uploadPrices(input: $input) { preview { status } } }"
MESSAGE = "A change of the region tree is being applied. Try again when it has ended."


@pytest.fixture
def client(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A server with short timeouts and two applied batches, the second with a rejection."""
    monkeypatch.setattr(pool, "POOL_TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr("server.lifespan.INGEST", replace(pool.INGEST, lock_timeout=8_000))
    create_locations(database_url)
    with running_worker(database_url), running_server(database_url) as client:
        upload(client, VALID_ITEM)
        upload(client, VALID_ITEM, ITEM, onError="SKIP_INVALID")
        yield client


def requests() -> list[dict[str, object]]:
    """Return one request of each kind that waits for the tree."""
    return [
        {"query": REVERT, "variables": {"id": "1"}},
        {"query": MOVE, "variables": {"key": "NLRTM", "parent": "china"}},
        {"query": DRY_RUN, "variables": {"input": {"prices": [VALID_ITEM], "dryRun": True}}},
    ]


def send(client: Client, body: dict[str, object]) -> httpx.Response:
    """Send a request on a connection of its own."""
    return httpx.post(f"{client.http.base_url}/graphql", json=body, timeout=DEADLINE_SECONDS)


def count_waiting(connection: psycopg.Connection[tuple[int]]) -> int:
    """Return how many statements wait for a lock."""
    row = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    return row[0] if row else 0


def assert_refused(response: httpx.Response) -> None:
    """Assert that the response names the change of the tree as the reason."""
    assert (response.status_code, response.headers["retry-after"]) == (503, "2")
    assert response.json() == {"errors": [{"message": MESSAGE, "extensions": {"code": "TREE_CHANGE_RUNNING"}}]}


def test_work_that_times_out_behind_a_tree_change_names_it(client: Client, database_url: str) -> None:
    report = f"{client.http.base_url}/batches/2/rejections.csv"
    bodies = requests() * 2
    with ThreadPoolExecutor(len(bodies)) as threads, psycopg.connect(database_url) as holder:
        holder.execute(locations.SQL["lock_tree_exclusive"])
        # Two of them wait for the lock, the others for a connection.
        for response in threads.map(lambda body: send(client, body), bodies):
            assert_refused(response)
        stored = upload(client, VALID_ITEM, waitMs=3_000)
        assert (stored["batch"]["status"], stored["userErrors"]) == ("RUNNING", [])
        with ThreadPoolExecutor(2) as waiting:
            moves = [waiting.submit(send, client, body) for body in bodies[:2]]
            eventually(lambda: count_waiting(holder) == 3, "not all wait for the lock")
            assert_refused(httpx.get(report, timeout=DEADLINE_SECONDS))
            for move in moves:
                assert_refused(move.result())
        holder.rollback()
        for body in requests():
            response = send(client, body).json()
            assert "errors" not in response, response
    assert httpx.get(report, timeout=DEADLINE_SECONDS).status_code == 200


def test_work_waits_for_a_short_tree_change(client: Client, database_url: str) -> None:
    for body in requests():
        with ThreadPoolExecutor(1) as threads, psycopg.connect(database_url) as holder:
            holder.execute(locations.SQL["lock_tree_exclusive"])
            waiting = threads.submit(send, client, body)
            eventually(lambda: count_waiting(holder) > 0, "nothing waits for the lock")
            holder.rollback()
            assert "errors" not in waiting.result().json()
