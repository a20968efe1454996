"""Broken connections to the database and to clients: correct responses, and no leaks."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from tests.support.faults.database_proxy import running_database_proxy
from tests.support.faults.proxy import Proxy, running_proxy
from tests.support.faults.readers import Reading, Readings, reading
from tests.support.faults.world import QueryCase, create_query_cases
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.waiting import DEADLINE_SECONDS, eventually

EXECUTION_SECONDS = 5.0
POOL_SIZE = 4
SETTINGS = {
    "RATESGRAPH_CACHE_BYTES": "0",
    "RATESGRAPH_LOG_LEVEL": "error",
    "RATESGRAPH_EXECUTION_SECONDS": str(EXECUTION_SECONDS),
    "RATESGRAPH_POOL_SIZE": str(POOL_SIZE),
}
PROBE_SECONDS = 3.0
"""Deadline for reporting that the database is available or not."""
TOKEN = "scrape-scrape-scrape"  # noqa: S105
TOLERANCE_SECONDS = 15.0
"""Tolerance for a busy machine on top of a deadline. Without the deadline, a request would wait for ever."""


@pytest.fixture(scope="module")
def cases(module_database_url: str) -> list[QueryCase]:
    """Queries about the module's database, with the expected results."""
    return create_query_cases(module_database_url)


@contextmanager
def readers_through_proxy(database_url: str, cases: list[QueryCase]) -> Iterator[tuple[Proxy, Readings]]:
    """Run readers against a server behind the proxy; afterwards check that it has recovered."""
    with running_database_proxy(database_url) as (proxy, url), serving(url, settings=SETTINGS) as (_, server_url):
        wait_until_answered(server_url)
        with reading(server_url, cases, persistent=4, short_lived=4) as readings:
            readings.wait_for(50)
            yield proxy, readings
            eventually(
                lambda: all(one.is_correct for one in readings.all[-30:]), "the responses do not become correct again"
            )
        assert all(one.status != 200 or one.is_correct for one in readings.all)
        assert max(one.seconds for one in readings.all) < EXECUTION_SECONDS + TOLERANCE_SECONDS
        eventually(lambda: is_idle(database_url), "connections are left behind")


def is_idle(database_url: str) -> bool:
    """Return whether all reading connections are idle and within the expected number.

    Expected are those of the pool, and the one that listens for notifications.
    """
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ratesgraph-api'"
        ).fetchall()
    return len(rows) <= POOL_SIZE + 1 and {state for (state,) in rows} <= {"idle"}


def terminate(database_url: str) -> None:
    """Terminate the reading connections in the database."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'ratesgraph-api'"
        )


@pytest.mark.parametrize("breaking", [Proxy.cut, Proxy.reset])
def test_connection_pool_replaces_connections_that_are_cut_or_reset(
    module_database_url: str, cases: list[QueryCase], breaking: Callable[[Proxy], None]
) -> None:
    with readers_through_proxy(module_database_url, cases) as (proxy, readings):
        for _ in range(10):
            breaking(proxy)
            readings.wait_for(20)
    assert readings.incorrect == []


def test_connection_pool_replaces_connections_terminated_by_the_database(
    module_database_url: str, cases: list[QueryCase]
) -> None:
    with readers_through_proxy(module_database_url, cases) as (proxy, readings):
        proxy.slow_close = 0.3
        for _ in range(5):
            terminate(module_database_url)
            readings.wait_for(20)
    assert readings.incorrect == []


def test_connection_pool_serves_correct_results_over_a_slow_network(
    module_database_url: str, cases: list[QueryCase]
) -> None:
    with readers_through_proxy(module_database_url, cases) as (proxy, readings):
        proxy.latency = 0.05
        readings.wait_for(100)
        proxy.latency = 0
    assert readings.incorrect == []


def has_expected_status(one: Reading) -> bool:
    """Return whether a response was correct, or reported a timeout or an unavailable database."""
    return one.is_correct or one.status in {503, 504}


def test_connection_pool_stall_delays_no_request_beyond_the_deadline(
    module_database_url: str, cases: list[QueryCase]
) -> None:
    with readers_through_proxy(module_database_url, cases) as (proxy, readings):
        proxy.is_stuck = True
        began = time.monotonic()
        eventually(lambda: any(one.status in {503, 504} for one in list(readings.all)), "no request was rejected")
        proxy.is_stuck = False
    assert all(has_expected_status(one) for one in readings.all)
    assert time.monotonic() - began < 60


def test_stalled_database_does_not_delay_readiness_probes_or_metrics(module_database_url: str) -> None:
    # The probes do not wait as long as a query may.
    settings = {**SETTINGS, "RATESGRAPH_METRICS_TOKEN": TOKEN, "RATESGRAPH_EXECUTION_SECONDS": "60"}
    scraper = {"Authorization": f"Bearer {TOKEN}"}
    with (
        running_database_proxy(module_database_url) as (proxy, url),
        serving(url, settings=settings) as (_, server_url),
        httpx.Client(base_url=server_url, timeout=DEADLINE_SECONDS) as http,
    ):
        assert wait_until_answered(server_url).status_code == 200
        assert "ratesgraph_database_up 1.0" in http.get("/metrics", headers=scraper).text
        proxy.is_stuck = True
        with ThreadPoolExecutor(30) as threads:
            # More than there are connections: the probes would occupy all of them.
            probes = [threads.submit(httpx.get, f"{server_url}/readyz", timeout=DEADLINE_SECONDS) for _ in range(30)]
            scraped = http.get("/metrics", headers=scraper)
            responses = [one.result() for one in probes]
        assert "ratesgraph_database_up 0.0" in scraped.text
        eventually(lambda: http.get("/readyz").status_code == 503, "the stall was not detected")
        responses += [scraped, http.get("/readyz"), http.get("/metrics", headers=scraper)]
        assert max(one.elapsed.total_seconds() for one in responses) < PROBE_SECONDS + TOLERANCE_SECONDS
        proxy.is_stuck = False
        eventually(lambda: http.get("/readyz").status_code == 200, "the server does not become ready again")
        eventually(lambda: is_idle(module_database_url), "connections are left behind")


def test_connection_pool_replaces_half_open_connections(module_database_url: str, cases: list[QueryCase]) -> None:
    with readers_through_proxy(module_database_url, cases) as (proxy, readings):
        proxy.half_open()
        readings.wait_for(100)
        # PostgreSQL must detect by itself the remaining ends of the connections.
        terminate(module_database_url)
    assert all(has_expected_status(one) for one in readings.all)


def test_half_open_connection_times_out_its_request_and_the_next_succeeds(module_database_url: str) -> None:
    query = {"query": "{ locations(first: 5) { edges { node { name } } } }"}
    with (
        running_database_proxy(module_database_url) as (proxy, url),
        serving(url, settings=SETTINGS) as (_, server_url),
    ):
        wait_until_answered(server_url)
        proxy.half_open()
        answer = httpx.post(f"{server_url}/graphql", json=query, timeout=DEADLINE_SECONDS)
        assert answer.status_code == 504
        assert answer.json()["errors"][0]["extensions"] == {"code": "EXECUTION_TIMEOUT"}
        # The connection is abandoned a second after the deadline, and all others with it.
        assert EXECUTION_SECONDS <= answer.elapsed.total_seconds() < EXECUTION_SECONDS + 1 + TOLERANCE_SECONDS
        again = httpx.post(f"{server_url}/graphql", json=query, timeout=DEADLINE_SECONDS)
        assert again.status_code == 200
        assert again.elapsed.total_seconds() < TOLERANCE_SECONDS


@pytest.mark.parametrize("breaking", [Proxy.cut, Proxy.reset, Proxy.half_open])
def test_client_disconnects_leave_no_busy_or_extra_database_connections(
    module_database_url: str, cases: list[QueryCase], breaking: Callable[[Proxy], None]
) -> None:
    with serving(module_database_url, settings=SETTINGS) as (_, url):
        wait_until_answered(url)
        with running_proxy(int(url.rpartition(":")[2])) as proxy:
            with reading(proxy.url.removesuffix("/graphql"), cases, persistent=4, short_lived=4) as broken:
                for _ in range(10):
                    count_before = len(broken.all)
                    eventually(lambda least=count_before + 5: len(broken.all) > least, "no request is answered")  # type: ignore[misc]
                    breaking(proxy)
                    if breaking is Proxy.half_open:
                        break
                proxy.cut()
            assert all(one.is_correct or one.status == 0 for one in broken.all)
        with reading(url, cases, persistent=2, short_lived=2) as readings:
            readings.wait_for(50)
        assert readings.incorrect == []
        eventually(lambda: is_idle(module_database_url), "connections are left behind")
