"""The lines to the database and to the clients break in every way: nobody is told what is wrong, and nothing stays behind."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
import psycopg
import pytest

from tests.faults.database_proxy import line_to_database
from tests.faults.readers import Reading, Readings, reading
from tests.faults.world import Question, make_world
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.proxy import Proxy, running_proxy
from tests.support.waiting import eventually

EXECUTION_SECONDS = 5.0
POOL_SIZE = 4
SETTINGS = {
    "RATESGRAPH_CACHE_BYTES": "0",
    "RATESGRAPH_LOG_LEVEL": "error",
    "RATESGRAPH_EXECUTION_SECONDS": str(EXECUTION_SECONDS),
    "RATESGRAPH_POOL_SIZE": str(POOL_SIZE),
}
TOLD_SECONDS = 3.0
"""Within which those who ask whether the database is there are told, or that it is away."""
TOKEN = "scrape-scrape-scrape"  # noqa: S105
HASTE_SECONDS = 1.0
"""What a busy machine may add to a deadline."""


@pytest.fixture(scope="module")
def questions(module_database_url: str) -> list[Question]:
    """Questions about the module's database."""
    return make_world(module_database_url)


@contextmanager
def read_through(database_url: str, questions: list[Question]) -> Iterator[tuple[Proxy, Readings]]:
    """Have readers ask a server whose line to the database is the proxy; at the end everything must be as it was."""
    with line_to_database(database_url) as (proxy, url), serving(url, settings=SETTINGS) as (_, server_url):
        wait_until_answered(server_url)
        with reading(server_url, questions, keeping=4, closing=4) as readings:
            wait_for(readings, 50)
            yield proxy, readings
            eventually(lambda: all(one.is_right for one in readings.all[-30:]), "it does not become right again")
        assert all(one.status != 200 or one.is_right for one in readings.all)
        assert max(one.seconds for one in readings.all) < EXECUTION_SECONDS + HASTE_SECONDS
        eventually(lambda: is_at_rest(database_url), "connections stay behind")


def wait_for(readings: Readings, count: int) -> None:
    """Wait until so many more are answered."""
    count += len(readings.all)
    eventually(lambda: len(readings.all) >= count, "nobody is answered", 60)


def is_at_rest(database_url: str) -> bool:
    """Return whether no reading connection does anything, and there are no more than there may be: the pool's, and the one
    that listens.
    """
    with psycopg.connect(database_url) as connection:
        rows = connection.execute(
            "SELECT state FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'ratesgraph-api'"
        ).fetchall()
    return len(rows) <= POOL_SIZE + 1 and {state for (state,) in rows} <= {"idle"}


def terminate(database_url: str) -> None:
    """End the reading connections at their other end."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'ratesgraph-api'"
        )


@pytest.mark.parametrize("breaking", [Proxy.cut, Proxy.reset])
def test_connection_pool_replaces_connections_that_are_cut_or_reset(
    module_database_url: str, questions: list[Question], breaking: Callable[[Proxy], None]
) -> None:
    with read_through(module_database_url, questions) as (proxy, readings):
        for _ in range(10):
            breaking(proxy)
            wait_for(readings, 20)
    assert readings.wrong == []


def test_connection_pool_replaces_connections_terminated_by_the_database(
    module_database_url: str, questions: list[Question]
) -> None:
    with read_through(module_database_url, questions) as (proxy, readings):
        proxy.slow_close = 0.3
        for _ in range(5):
            terminate(module_database_url)
            wait_for(readings, 20)
    assert readings.wrong == []


def test_connection_pool_serves_correct_results_over_a_slow_network(
    module_database_url: str, questions: list[Question]
) -> None:
    with read_through(module_database_url, questions) as (proxy, readings):
        proxy.latency = 0.05
        wait_for(readings, 100)
        proxy.latency = 0
    assert readings.wrong == []


def is_in_time(one: Reading) -> bool:
    """Return whether a request was answered, or told that it took too long or that the database is away."""
    return one.is_right or one.status in {503, 504}


def test_connection_pool_stall_delays_no_request_beyond_the_deadline(
    module_database_url: str, questions: list[Question]
) -> None:
    with read_through(module_database_url, questions) as (proxy, readings):
        proxy.is_stuck = True
        began = time.monotonic()
        eventually(lambda: any(one.status in {503, 504} for one in list(readings.all)), "nobody was told")
        proxy.is_stuck = False
    assert all(is_in_time(one) for one in readings.all)
    assert time.monotonic() - began < 30


def test_stalled_database_does_not_delay_readiness_probes_or_metrics(module_database_url: str) -> None:
    settings = {**SETTINGS, "RATESGRAPH_METRICS_TOKEN": TOKEN}
    scraper = {"Authorization": f"Bearer {TOKEN}"}
    with (
        line_to_database(module_database_url) as (proxy, url),
        serving(url, settings=settings) as (_, server_url),
        httpx.Client(base_url=server_url, timeout=60) as http,
    ):
        assert wait_until_answered(server_url).status_code == 200
        assert "ratesgraph_database_up 1.0" in http.get("/metrics", headers=scraper).text
        proxy.is_stuck = True
        with ThreadPoolExecutor(30) as threads:
            # More than there are connections, which all would be held.
            asked = [threads.submit(httpx.get, f"{server_url}/readyz", timeout=60) for _ in range(30)]
            scraped = http.get("/metrics", headers=scraper)
            answers = [one.result() for one in asked]
        assert "ratesgraph_database_up 0.0" in scraped.text
        eventually(lambda: http.get("/readyz").status_code == 503, "the silence was not noticed")
        answers += [scraped, http.get("/readyz"), http.get("/metrics", headers=scraper)]
        assert max(one.elapsed.total_seconds() for one in answers) < TOLD_SECONDS + HASTE_SECONDS
        proxy.is_stuck = False
        eventually(lambda: http.get("/readyz").status_code == 200, "it does not become ready again")
        eventually(lambda: is_at_rest(module_database_url), "connections stay behind")


def test_connection_pool_replaces_half_open_connections(module_database_url: str, questions: list[Question]) -> None:
    with read_through(module_database_url, questions) as (proxy, readings):
        proxy.half_open()
        wait_for(readings, 100)
        # What is left of them at the other end is PostgreSQL's to find out.
        terminate(module_database_url)
    assert all(is_in_time(one) for one in readings.all)


def test_half_open_connection_times_out_its_request_and_the_next_succeeds(module_database_url: str) -> None:
    query = {"query": "{ locations(first: 5) { edges { node { name } } } }"}
    with line_to_database(module_database_url) as (proxy, url), serving(url, settings=SETTINGS) as (_, server_url):
        wait_until_answered(server_url)
        proxy.half_open()
        answer = httpx.post(f"{server_url}/graphql", json=query, timeout=60)
        assert answer.status_code == 504
        assert answer.json()["errors"][0]["extensions"] == {"code": "EXECUTION_TIMEOUT"}
        # The connection is given up a second after the deadline, and every other one with it.
        assert EXECUTION_SECONDS <= answer.elapsed.total_seconds() < EXECUTION_SECONDS + 1 + HASTE_SECONDS
        again = httpx.post(f"{server_url}/graphql", json=query, timeout=60)
        assert again.status_code == 200
        assert again.elapsed.total_seconds() < HASTE_SECONDS


@pytest.mark.parametrize("breaking", [Proxy.cut, Proxy.reset, Proxy.half_open])
def test_client_disconnects_leave_no_busy_or_extra_database_connections(
    module_database_url: str, questions: list[Question], breaking: Callable[[Proxy], None]
) -> None:
    with serving(module_database_url, settings=SETTINGS) as (_, url):
        wait_until_answered(url)
        with running_proxy(int(url.rpartition(":")[2])) as proxy:
            with reading(proxy.url.removesuffix("/graphql"), questions, keeping=4, closing=4) as broken:
                for _ in range(10):
                    seen = len(broken.all)
                    eventually(lambda least=seen + 5: len(broken.all) > least, "nobody is answered", 60)  # type: ignore[misc]
                    breaking(proxy)
                    if breaking is Proxy.half_open:
                        break
                proxy.cut()
            assert all(one.is_right or one.status == 0 for one in broken.all)
        with reading(url, questions, keeping=2, closing=2) as readings:
            wait_for(readings, 50)
        assert readings.wrong == []
        eventually(lambda: is_at_rest(module_database_url), "connections stay behind")
