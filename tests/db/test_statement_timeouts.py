"""Statement timeout: its own error code, cancelled in the database, pool still usable."""

from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest

from tests.support.batches.uploads import AVERAGES, create_locations
from tests.support.fixtures.server import JSON, Client
from tests.support.waiting import DEADLINE_SECONDS

REQUESTS = 24
"""More than the pool has connections."""
STATISTICS = AVERAGES.replace("averagePrice ", "averagePrice medianPrice ")
RUNNING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'ratesgraph-api' AND state <> 'idle'
"""


def ask(client: Client, query: str) -> httpx.Response:
    """Send the query on a separate connection."""
    return httpx.post(f"{client.http.base_url}/graphql", json={"query": query}, headers=JSON, timeout=DEADLINE_SECONDS)


@pytest.mark.parametrize(("query", "table"), [(AVERAGES, "price_totals"), (STATISTICS, "prices")])
def test_statement_timeout_has_an_error_code_and_leaves_a_usable_connection_pool(
    client: Client, database_url: str, query: str, table: str
) -> None:
    create_locations(database_url)
    answer = ask(client, query).json()
    with ThreadPoolExecutor(REQUESTS) as threads:
        with psycopg.connect(database_url) as blocker:
            blocker.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE".encode())
            blocked = [threads.submit(ask, client, f"{query}#{number}") for number in range(REQUESTS)]
            for failed in blocked:
                (error,) = failed.result().json()["errors"]
                assert error["extensions"]["code"] in {"STATEMENT_TIMEOUT", "SERVER_BUSY"}
            assert any(b"STATEMENT_TIMEOUT" in failed.result().content for failed in blocked)
        for response in threads.map(lambda number: ask(client, f"{query}##{number}"), range(REQUESTS)):
            assert response.json() == answer
    with psycopg.connect(database_url) as connection:
        assert connection.execute(RUNNING.encode()).fetchone() == (0,)
