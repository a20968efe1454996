"""Execution timeout: a slow query is cancelled here and in PostgreSQL, without side effects."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from tests.support.batches.uploads import UPLOAD, VALID_ITEM
from tests.support.faults.world import QueryCase, create_query_cases
from tests.support.fixtures.server import Client, running_server
from tests.support.streams import open_socket, operation_results, subscribe
from tests.support.waiting import eventually

SECONDS = 0.6
"""Less than the two seconds for which a reading connection waits for a lock."""
AVERAGES = """
query ($from: Date!, $to: Date!, $origin: String!, $destination: String!) {
  averagePrices(dateFrom: $from, dateTo: $to, origin: $origin, destination: $destination) { day averagePrice priceCount }
}
"""
LOCATIONS = "{ locations(first: 5) { totalCount } }"
WAITING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'ratesgraph-api' AND state <> 'idle'
"""


@pytest.fixture(scope="module")
def cases(module_database_url: str) -> list[QueryCase]:
    """Queries about the module's database, with the expected results."""
    return create_query_cases(module_database_url)


@contextmanager
def server_with_short_timeout(database_url: str, pool_size: int) -> Iterator[Client]:
    """Run a server with a short execution timeout that has finished its own queries at startup."""
    with running_server(database_url, execution_seconds=SECONDS, pool_size=pool_size, cache_bytes=0) as client:
        eventually(
            lambda: "etag" in client.http.get("/graphql?query={__typename}").headers, "the data version is unknown"
        )
        yield client


@contextmanager
def table_lock(database_url: str, table: str) -> Iterator[psycopg.Connection[tuple[int]]]:
    """Lock the table against all readers during the block; yield a connection."""
    with psycopg.connect(database_url) as connection, psycopg.connect(database_url, autocommit=True) as other:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield other
        connection.rollback()


def count_waiting(connection: psycopg.Connection[tuple[int]]) -> int:
    """Return how many statements of the server PostgreSQL executes."""
    row = connection.execute(WAITING).fetchone()
    return row[0] if row else 0


@pytest.mark.parametrize(
    ("table", "query"),
    [
        ("price_totals", AVERAGES),
        ("prices", AVERAGES.replace("priceCount", "priceCount lowPrice")),
        ("locations", LOCATIONS),
        ("locations", AVERAGES.replace("day", "kind: __typename day")),
    ],
)
def test_execution_timeout_responds_504_and_cancels_the_database_statement(
    module_database_url: str, cases: list[QueryCase], table: str, query: str
) -> None:
    variables = cases[0].variables if "$" in query else {}
    with server_with_short_timeout(module_database_url, 1) as client:
        with table_lock(module_database_url, table) as connection:
            for _ in range(3):
                answer = client.http.post("/graphql", json={"query": query, "variables": variables})
                assert answer.status_code == 504
                (error,) = answer.json()["errors"]
                assert error["extensions"] == {"code": "EXECUTION_TIMEOUT"}
                assert "data" not in answer.json()
                assert SECONDS <= answer.elapsed.total_seconds() < 2
                began = time.monotonic()
                eventually(lambda: count_waiting(connection) == 0, "the statement still runs")
                # The statement would have waited for the lock for two seconds.
                assert time.monotonic() - began < 1
        assert client.ask(AVERAGES, **cases[0].variables) == {"averagePrices": cases[0].days}


def test_execution_timeout_of_one_query_does_not_affect_other_queries(
    module_database_url: str, cases: list[QueryCase]
) -> None:
    with server_with_short_timeout(module_database_url, 2) as client:
        assert client.ask(AVERAGES, **cases[0].variables) == {"averagePrices": cases[0].days}
        slow_responses: list[httpx.Response] = []

        def ask() -> None:
            slow_responses.append(client.http.post("/graphql", json={"query": LOCATIONS}))

        with table_lock(module_database_url, "locations") as connection:
            thread = threading.Thread(target=ask)
            thread.start()
            eventually(lambda: count_waiting(connection) == 1, "no statement waits for the lock")
            for case in cases[:1] * 20:
                assert client.ask(AVERAGES, **case.variables) == {"averagePrices": case.days}
            thread.join()
        assert slow_responses[0].status_code == 504


def test_execution_timeout_does_not_apply_to_the_upload_wait(database_url: str) -> None:
    with running_server(database_url, execution_seconds=SECONDS) as client:
        began = time.monotonic()
        payload = client.ask(UPLOAD, input={"prices": [VALID_ITEM], "waitMs": 1_500})["uploadPrices"]
        assert payload["batch"]["status"] == "QUEUED"
        assert time.monotonic() - began > 1.4


def test_execution_timeout_applies_to_websocket_queries(module_database_url: str, cases: list[QueryCase]) -> None:
    assert cases
    with server_with_short_timeout(module_database_url, 2) as client:
        with table_lock(module_database_url, "locations"), open_socket(str(client.http.base_url)) as socket:
            subscribe(socket, LOCATIONS, {})
            (answer,) = operation_results(socket)
        assert answer["errors"][0]["extensions"] == {"code": "EXECUTION_TIMEOUT"}
        assert client.ask(LOCATIONS)
