"""Prometheus metrics of a server, in one process and in several, and their access control."""

import os
import signal
import subprocess
import time
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.support.fixtures.server import Client, running_server
from tests.support.http.metrics import SCRAPER, SETTINGS, TOKEN, find, scrape
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.http.subscriptions import PROGRESS
from tests.support.streams import open_socket, operation_results, subscribe
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import DEADLINE_SECONDS, eventually

QUERY = 'query {} {{ location(key: "CNSGH") {{ key }} }}'


def send_query(url: str, query: str, **headers: str) -> httpx.Response:
    """Send a query and return the response."""
    return httpx.post(f"{url}/graphql", json={"query": query}, headers=headers, timeout=DEADLINE_SECONDS)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_metrics_aggregate_requests_over_all_processes(database_url: str, tmp_path: Path, workers: str) -> None:
    (tmp_path / "places.graphql").write_text(QUERY.format("Places"))
    settings = {**SETTINGS, "RATESGRAPH_DOCUMENTS_DIR": str(tmp_path)}
    with serving(database_url, "--workers", workers, settings=settings) as (_, url):
        wait_until_answered(url)
        eventually(lambda: find(scrape(url), "ratesgraph_processes") == float(workers), "not all processes are counted")
        for number in range(20):
            # Each request opens a connection, so that the processes share the requests.
            assert send_query(url, QUERY.format(f"Stranger{number}")).status_code == 200
        send_query(url, "{ batches { totalCount } }")
        send_query(url, "{ nothing }")
        for _ in range(3):
            httpx.post(f"{url}/graphql", json={"documentId": "places"}, timeout=DEADLINE_SECONDS)
        seconds = "ratesgraph_request_seconds_count"
        # Each process flushes its counts once a second.
        eventually(lambda: find(scrape(url), seconds, kind="query") == 24, "not all requests are counted")
        samples = scrape(url)
        requests = "ratesgraph_requests_total"
        assert find(samples, requests, kind="query", operation="none", status="200", code="none") == 20
        assert find(samples, requests, kind="query", operation="Places", status="200", code="none") == 3
        assert find(samples, requests, kind="query", status="401", code="UNAUTHENTICATED") == 1
        assert find(samples, requests, kind="none", code="GRAPHQL_VALIDATION_FAILED") == 1
        assert find(samples, "ratesgraph_errors_total", code="GRAPHQL_VALIDATION_FAILED") == 1
        assert find(samples, "ratesgraph_request_seconds_bucket", kind="query", le="+Inf") == 24
        assert find(samples, seconds, cache="hit") + find(samples, seconds, cache="miss") == 23
        assert 0 < find(samples, "ratesgraph_request_seconds_sum", kind="query") < 24
        assert find(samples, "ratesgraph_pool_limit", pool="reading") == 10 * int(workers)
        assert find(samples, "ratesgraph_pool_size", pool="reading") >= 1
        assert find(samples, "ratesgraph_database_up") == 1
        eventually(lambda: find(scrape(url), "ratesgraph_response_cache_bytes") > 0, "nothing is cached")
        samples = scrape(url)
        assert find(samples, "ratesgraph_kept_answers_bytes") == find(samples, "ratesgraph_response_cache_bytes")
        # A client cannot create a series: no operation name appears in the labels.
        assert "Stranger" not in repr(samples)


def test_metrics_drop_a_killed_process_but_preserve_its_request_counts(database_url: str, tmp_path: Path) -> None:
    with serving(database_url, "--workers", "2", settings={**SETTINGS, "TMPDIR": str(tmp_path)}) as (process, url):
        wait_until_answered(url)
        eventually(lambda: find(scrape(url), "ratesgraph_processes") == 2, "not both processes are counted")
        for number in range(10):
            send_query(url, QUERY.format(f"Q{number}"))
        # A process flushes its counts once a second.
        eventually(
            lambda: find(scrape(url), "ratesgraph_requests_total", kind="query") == 10, "not all requests are counted"
        )
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        killed = next(pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes())
        os.kill(int(killed), signal.SIGKILL)
        eventually(lambda: not Path(f"/proc/{killed}").exists(), "the killed process is still running")
        eventually(lambda: len(list(tmp_path.glob("*/gauge_*.db"))) == 3, "the killed process is not replaced")
        eventually(lambda: find(scrape(url), "ratesgraph_processes") == 2, "the live processes are not counted")
        assert not list(tmp_path.glob(f"*/gauge_*_{killed}.db"))
        assert find(scrape(url), "ratesgraph_requests_total", kind="query") == 10


def test_metrics_directory_is_created_and_removed_with_the_server(database_url: str, tmp_path: Path) -> None:
    with serving(database_url, "--workers", "2", settings={**SETTINGS, "TMPDIR": str(tmp_path)}) as (process, url):
        wait_until_answered(url)
        assert [path.name for path in tmp_path.glob("ratesgraph-metrics-*")]
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=DEADLINE_SECONDS)
    assert not list(tmp_path.glob("ratesgraph-metrics-*"))


def test_metrics_report_batch_queue_counts_from_the_database(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        for status, count in {
            "QUEUED": 2,
            "RUNNING": 1,
            "APPLIED": 4,
            "REVERTED": 3,
            "REJECTED": 2,
            "FAILED": 1,
        }.items():
            for _ in range(count):
                connection.execute(
                    "INSERT INTO price_batches (status, on_error, source, payload_sha256, created_at)"
                    " VALUES (%s, 'REJECT_BATCH', 'test', '', now() - interval '1 hour')",
                    (status,),
                )
    with running_server(database_url, metrics_token=None, profile="development") as client:
        samples = scrape(str(client.http.base_url), None)
    assert find(samples, "ratesgraph_batches_queued") == 2
    assert find(samples, "ratesgraph_batches_running") == 1
    assert 3_600 <= find(samples, "ratesgraph_oldest_batch_seconds") < 3_700
    ended = {outcome: find(samples, "ratesgraph_batches_total", outcome=outcome) for outcome in ("applied", "rejected")}
    assert ended == {"applied": 7, "rejected": 2}
    assert find(samples, "ratesgraph_batches_total", outcome="failed") == 1
    assert find(samples, "ratesgraph_batches_total", outcome="reverted") == 3


def test_metrics_are_served_while_the_database_is_unavailable(database_url: str, postgres: str) -> None:
    # Requests wait for the database for a minute, but the metrics do not.
    with serving(database_url, settings={**SETTINGS, "RATESGRAPH_DATABASE_WAIT_SECONDS": "60"}) as (_, url):
        assert find(scrape(url), "ratesgraph_database_up") == 1
        name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false".encode())
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,))
            try:
                started = time.monotonic()
                samples = scrape(url)
                assert time.monotonic() - started < 40
            finally:
                connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true".encode())
        assert samples["ratesgraph_database_up", frozenset()] == 0
        assert not [sample for sample, _ in samples if sample.startswith(("ratesgraph_batches", "ratesgraph_oldest"))]
        assert find(samples, "ratesgraph_pool_limit", pool="reading") == 10
        eventually(lambda: find(scrape(url), "ratesgraph_database_up") == 1, "the database is still unavailable")


def test_metrics_count_open_subscriptions(database_url: str) -> None:
    token = create_api_token(database_url, "admin")
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO price_batches (status, on_error, source, payload_sha256)"
            " VALUES ('QUEUED', 'REJECT_BATCH', 'test', '')"
        )
    with serving(database_url, settings=SETTINGS) as (_, url):
        with open_socket(url, token) as socket:
            subscribe(socket, PROGRESS, {"id": "1"})
            assert next(operation_results(socket))["data"]
            assert find(scrape(url), "ratesgraph_subscriptions_open") == 1
        eventually(lambda: find(scrape(url), "ratesgraph_subscriptions_open") == 0, "a subscription is still counted")
        eventually(
            lambda: find(scrape(url), "ratesgraph_requests_total", kind="subscription") == 1,
            "the request is not counted",
        )
        assert find(scrape(url), "ratesgraph_request_seconds_count", kind="subscription") == 0


def test_metrics_count_invalid_http_requests_by_error_code(client: Client) -> None:
    before = find(scrape(str(client.http.base_url), None), "ratesgraph_errors_total", code="BAD_HTTP")
    host, port = client.http.base_url.host, client.http.base_url.port
    subprocess.run(["bash", "-c", f"printf 'no http\\r\\n\\r\\n' > /dev/tcp/{host}/{port}"], check=True)
    url = str(client.http.base_url)
    eventually(
        lambda: find(scrape(url, None), "ratesgraph_errors_total", code="BAD_HTTP") == before + 1,
        "the request is not counted",
    )


def scrape_status(url: str, **headers: str) -> int:
    """Scrape with the headers and return the status."""
    return httpx.get(f"{url}/metrics", headers=headers, timeout=DEADLINE_SECONDS).status_code


def test_metrics_in_production_require_the_metrics_token_or_admin_scope(database_url: str) -> None:
    reader, admin = create_api_token(database_url, "upload", name="erp"), create_api_token(database_url, "admin")
    with serving(database_url, settings=SETTINGS) as (_, url):
        refused = httpx.get(f"{url}/metrics", timeout=DEADLINE_SECONDS)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert scrape_status(url, **authorization_header(reader)) == 403
        assert scrape_status(url, **authorization_header(admin)) == 200
        assert scrape_status(url, **SCRAPER) == 200
        assert scrape_status(url, Authorization=f"Bearer {TOKEN}x") == 401
        assert httpx.post(f"{url}/metrics", headers=SCRAPER, timeout=DEADLINE_SECONDS).status_code == 405
        # The metrics token grants no other access.
        assert send_query(url, "{ batches { totalCount } }", **SCRAPER).status_code == 401


def test_metrics_in_development_are_open_to_direct_local_requests_only(database_url: str) -> None:
    settings = {"RATESGRAPH_PROFILE": "development"}
    with serving(database_url, settings=settings) as (_, url):
        assert scrape_status(url) == 200
        assert scrape_status(url, Host="rebound.example") == 401
        assert scrape_status(url, **{"X-Forwarded-For": "203.0.113.9"}) == 401
        assert scrape_status(url, Origin="https://evil.example") == 401


def test_metrics_use_the_openmetrics_format_if_accepted_by_the_client(client: Client) -> None:
    response = client.http.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert response.headers["content-type"].startswith("application/openmetrics-text")
    assert response.text.endswith("# EOF\n")
