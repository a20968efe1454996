"""A query that takes too long is stopped, here and in PostgreSQL, and nobody else has to do with it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from tests.faults.world import Question, make_world
from tests.support.batches.uploads import UPLOAD, VALID_ITEM
from tests.support.fixtures.server import Client, running_server
from tests.support.streams import open_socket, operation_results, subscribe
from tests.support.waiting import eventually

SECONDS = 0.6
"""Less than the two seconds that a reading connection waits for a lock."""
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
def questions(module_database_url: str) -> list[Question]:
    """Questions about the module's database."""
    return make_world(module_database_url)


@contextmanager
def hasty_server(database_url: str, pool_size: int) -> Iterator[Client]:
    """Run a server that gives a query little time and has read for itself what it reads at its start."""
    with running_server(database_url, execution_seconds=SECONDS, pool_size=pool_size, cache_bytes=0) as client:
        eventually(lambda: "etag" in client.http.get("/graphql?query={__typename}").headers, "the version is not known")
        yield client


@contextmanager
def locked(database_url: str, table: str) -> Iterator[psycopg.Connection[tuple[int]]]:
    """Have nobody read the table during the block; yield a connection."""
    with psycopg.connect(database_url) as connection, psycopg.connect(database_url, autocommit=True) as other:
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
        yield other
        connection.rollback()


def count_waiting(connection: psycopg.Connection[tuple[int]]) -> int:
    """Return how many statements of the server PostgreSQL is at."""
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
    module_database_url: str, questions: list[Question], table: str, query: str
) -> None:
    variables = questions[0].variables if "$" in query else {}
    with hasty_server(module_database_url, 1) as client:
        with locked(module_database_url, table) as connection:
            for _ in range(3):
                answer = client.http.post("/graphql", json={"query": query, "variables": variables})
                assert answer.status_code == 504
                (error,) = answer.json()["errors"]
                assert error["extensions"] == {"code": "EXECUTION_TIMEOUT"}
                assert "data" not in answer.json()
                assert SECONDS <= answer.elapsed.total_seconds() < 2
                began = time.monotonic()
                eventually(lambda: count_waiting(connection) == 0, "the statement goes on")
                # The lock would have been waited for for two seconds.
                assert time.monotonic() - began < 1
        assert client.ask(AVERAGES, **questions[0].variables) == {"averagePrices": questions[0].days}


def test_execution_timeout_of_one_query_does_not_affect_other_queries(
    module_database_url: str, questions: list[Question]
) -> None:
    with hasty_server(module_database_url, 2) as client:
        assert client.ask(AVERAGES, **questions[0].variables) == {"averagePrices": questions[0].days}
        slow: list[httpx.Response] = []

        def ask() -> None:
            slow.append(client.http.post("/graphql", json={"query": LOCATIONS}))

        with locked(module_database_url, "locations") as connection:
            asking = threading.Thread(target=ask)
            asking.start()
            eventually(lambda: count_waiting(connection) == 1, "nobody waits for the lock")
            for question in questions[:1] * 20:
                assert client.ask(AVERAGES, **question.variables) == {"averagePrices": question.days}
            asking.join()
        assert slow[0].status_code == 504


def test_execution_timeout_does_not_apply_to_the_upload_wait(database_url: str) -> None:
    with running_server(database_url, execution_seconds=SECONDS) as client:
        began = time.monotonic()
        payload = client.ask(UPLOAD, input={"prices": [VALID_ITEM], "waitMs": 1_500})["uploadPrices"]
        assert payload["batch"]["status"] == "QUEUED"
        assert time.monotonic() - began > 1.4


def test_execution_timeout_applies_to_websocket_queries(module_database_url: str, questions: list[Question]) -> None:
    assert questions
    with hasty_server(module_database_url, 2) as client:
        with locked(module_database_url, "locations"), open_socket(str(client.http.base_url)) as socket:
            subscribe(socket, LOCATIONS, {})
            (answer,) = operation_results(socket)
        assert answer["errors"][0]["extensions"] == {"code": "EXECUTION_TIMEOUT"}
        assert client.ask(LOCATIONS)
