"""Logs of server processes: their records, and the absence of secrets and arguments."""

import json
import os
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.support.commands.processes import COMMAND, environment
from tests.support.http.logs import Log, logging_server
from tests.support.http.subscriptions import PROGRESS
from tests.support.streams import open_events, open_socket, operation_results, sse_results, subscribe
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import DEADLINE_SECONDS, eventually

AVERAGES = """
query Week($origin: String!) {
  averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-07", origin: $origin, destination: $origin) { averagePrice }
}
"""
SECRET = "hunter2-hunter2"  # noqa: S105
ARGUMENT = "WhatSomebodySent"


@pytest.fixture(scope="module")
def logged(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Log]]:
    """Yield the URL and the log of a server that several tests share.

    Each test finds its lines by their request IDs.
    """
    with logging_server(module_database_url, tmp_path_factory.mktemp("log")) as (_, url, log):
        yield url, log


def send_query(url: str, query: str, headers: dict[str, str] | None = None, **variables: object) -> httpx.Response:
    """Send a query and return the response."""
    return httpx.post(
        f"{url}/graphql", json={"query": query, "variables": variables}, headers=headers, timeout=DEADLINE_SECONDS
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_access_log_writes_one_json_line_per_request_with_its_request_id(
    database_url: str, tmp_path: Path, workers: str
) -> None:
    token = create_api_token(database_url, "read", name="ERP")
    with logging_server(database_url, tmp_path, "--workers", workers) as (_, url, log):
        answer = send_query(
            url, AVERAGES, authorization_header(token) | {"X-Request-Id": "trace.me_1-A"}, origin="CNSGH"
        )
        assert answer.headers["x-request-id"] == "trace.me_1-A"
        line = log.find(request_id="trace.me_1-A")
        assert line.pop("duration_ms") > 0
        assert line.pop("timestamp").endswith("Z")
        assert line == {
            "level": "info",
            "event": "request",
            "logger": "ratesgraph.requests",
            "request_id": "trace.me_1-A",
            "caller": "token:ERP",
            "kind": "query",
            "operation": "Week",
            "method": "POST",
            "route": "/graphql",
            "status": 200,
            "rows": 7,
            "cache": "miss",
        }


def test_access_log_records_cache_status_error_codes_and_unknown_routes(logged: tuple[str, Log]) -> None:
    url, log = logged
    for request_id in ("first", "second"):
        send_query(url, AVERAGES, {"X-Request-Id": request_id}, origin="CNSGH")
    hit = log.find(request_id="second")
    assert (hit["cache"], hit["operation"], hit["rows"]) == ("hit", "Week", 7)
    address = f"{url}/graphql"
    accept = {"Accept": "application/json"}
    got = httpx.get(
        address, params={"query": '{ location(key: "CNSGH") { key } }'}, headers=accept, timeout=DEADLINE_SECONDS
    )
    again = httpx.get(
        str(got.url),
        headers=accept | {"If-None-Match": got.headers["etag"], "X-Request-Id": "third"},
        timeout=DEADLINE_SECONDS,
    )
    assert again.status_code == 304
    assert log.find(request_id="third")["cache"] == "304"
    httpx.post(address, json={}, headers={"X-Request-Id": "fourth"}, timeout=DEADLINE_SECONDS)
    assert log.find(request_id="fourth")["codes"] == ["BAD_PARAMETER"]
    send_query(url, AVERAGES, {"X-Request-Id": "fifth"}, origin="XXXXX")
    assert log.find(request_id="fifth")["codes"] == ["UNKNOWN_LOCATION"]
    send_query(url, "mutation { revertBatch(id: 1) { userErrors { code } } }", {"X-Request-Id": "sixth"})
    refused = log.find(request_id="sixth")
    assert (refused["status"], refused["codes"], refused["caller"]) == (401, ["UNAUTHENTICATED"], "anyone")
    assert (
        httpx.get(f"{url}/no/such/thing", headers={"X-Request-Id": "seventh"}, timeout=DEADLINE_SECONDS).status_code
        == 404
    )
    assert log.find(request_id="seventh")["route"] == "none"


@pytest.mark.parametrize("sent", ["", "a b", "a" * 65, "ä", 'x"y', "a\tb"])
def test_access_log_replaces_an_invalid_request_id_with_a_generated_one(logged: tuple[str, Log], sent: str) -> None:
    url, log = logged
    answer = httpx.get(f"{url}/graphql", headers={b"X-Request-Id": sent.encode()}, timeout=DEADLINE_SECONDS)
    made = answer.headers["x-request-id"]
    assert len(made) == 16
    assert log.find(request_id=made)["status"] == answer.status_code


@pytest.mark.parametrize(("level", "words"), [("info", "% is wrong"), ("debug", "password=% is wrong")])
def test_log_lines_contain_no_secrets_or_argument_values(
    database_url: str, tmp_path: Path, level: str, words: str
) -> None:
    token = create_api_token(database_url, "admin")
    host = conninfo_to_dict(database_url)["host"]
    name = conninfo_to_dict(database_url)["dbname"]
    url_with_password = f"postgresql://postgres:{SECRET}@/{name}?host={host}"
    with logging_server(url_with_password, tmp_path, RATESGRAPH_LOG_LEVEL=level) as (_, url, log):
        send_query(url, AVERAGES, origin=ARGUMENT)
        send_query(url, f'{{ location(key: "{ARGUMENT}") {{ key }} }}')
        send_query(url, "{ batches { totalCount } }", {"Authorization": f"Bearer {ARGUMENT}"})
        httpx.get(f"{url}/{ARGUMENT}", params={"query": ARGUMENT}, timeout=DEADLINE_SECONDS)
        httpx.get(
            f"{url}/graphql", params={"query": f'{{ location(key: "{ARGUMENT}") {{ key }} }}'}, timeout=DEADLINE_SECONDS
        )
        send_query(url, "{ batches { totalCount } }", authorization_header(token[:-3] + "000"))
        with open_socket(url, token) as socket:
            subscribe(socket, PROGRESS, {"id": ARGUMENT})
            next(operation_results(socket))
        with psycopg.connect(database_url, autocommit=True) as connection:
            # PostgreSQL's error message quotes the value.
            connection.execute(
                "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql"
                f" AS $$ BEGIN RAISE '{words}', NEW.idempotency_key; END $$"
            )
            connection.execute(
                "CREATE TRIGGER fail BEFORE INSERT ON price_batches FOR EACH ROW EXECUTE FUNCTION fail()"
            )
        price = '{dateFrom: "2024-01-01", origin: "CNSGH", destination: "NLRTM", price: 7}'
        upload = f'uploadPrices(input: {{idempotencyKey: "{ARGUMENT}", prices: [{price}]}}) {{ batch {{ id }} }}'
        answer = send_query(url, f"mutation {{ {upload} }}", authorization_header(token) | {"X-Request-Id": "broken"})
        (error,) = answer.json()["errors"]
        assert error["extensions"]["code"] == "INTERNAL_ERROR"
        line = log.find(error_id=error["extensions"]["errorId"])
        assert line["request_id"] == "broken"
        assert "Traceback" in line["exception"]
        assert "SQLSTATE P0001" in line["exception"]
        assert log.find(request_id="broken", level="warning")["codes"] == ["INTERNAL_ERROR"]
    for secret in (SECRET, ARGUMENT, token[21:], token[21:-3]):
        assert secret not in log.text


def test_log_lines_on_a_terminal_are_not_json(database_url: str) -> None:
    ours, theirs = os.openpty()
    with subprocess.Popen(
        [COMMAND, "worker"], env=environment(database_url), stdout=subprocess.DEVNULL, stderr=theirs
    ) as process:
        os.close(theirs)
        try:
            with psycopg.connect(database_url, autocommit=True) as connection:
                listening = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
                eventually(lambda: connection.execute(listening).fetchone() is not None, "the worker does not listen")
                connection.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND query LIKE 'LISTEN%'"
                )
            printed = ""
            while "reconnecting" not in printed:
                assert select.select([ours], [], [], DEADLINE_SECONDS)[0], printed
                printed += os.read(ours, 10_000).decode()
        finally:
            process.terminate()
    os.close(ours)
    assert "notification connection lost; reconnecting" in printed
    assert "{" not in printed


def test_access_log_at_warning_level_reports_slow_requests_only(database_url: str, tmp_path: Path) -> None:
    with logging_server(database_url, tmp_path, RATESGRAPH_LOG_LEVEL="warning") as (_, url, log):
        assert send_query(url, AVERAGES, origin="CNSGH").status_code == 200
    assert log.text == ""
    quick = {"RATESGRAPH_LOG_LEVEL": "warning", "RATESGRAPH_SLOW_SECONDS": "0.000001"}
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM locations")
    with logging_server(database_url, tmp_path, **quick) as (_, url, log):
        send_query(url, AVERAGES, {"X-Request-Id": "one"}, origin="CNSGH")
        assert log.find(request_id="one")["event"] == "slow request"


def test_access_log_records_start_and_end_of_a_subscription(database_url: str, tmp_path: Path) -> None:
    token = create_api_token(database_url, "admin", name="watcher")
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO price_batches (status, on_error, source, payload_sha256)"
            " VALUES ('QUEUED', 'REJECT_BATCH', 'test', '')"
        )
    query = PROGRESS.replace("subscription", "subscription Progress", 1)
    with logging_server(database_url, tmp_path) as (_, url, log):
        with open_socket(url, token) as socket:
            subscribe(socket, query, {"id": "1"})
            assert next(operation_results(socket))["data"]
            begun = log.find(event="subscription")
            assert (begun["operation"], begun["caller"]) == ("Progress", "token:watcher")
        ended = log.find(event="request", transport="websocket")
        assert ended["request_id"] == begun["request_id"]
        assert ended["duration_ms"] > 0
        with open_events(url, query, {"id": "1"}, token) as stream:
            assert next(sse_results(stream))["data"]
            assert log.find(event="subscription", request_id=stream.headers["x-request-id"])["kind"] == "subscription"
        ended = log.find(event="request", request_id=stream.headers["x-request-id"])
        assert (ended["kind"], ended["route"], ended["caller"]) == ("subscription", "/graphql", "token:watcher")


def test_worker_log_is_json_with_the_error_id_and_without_uploaded_data(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "log"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO price_batches (status, on_error, source, payload_sha256)"
            " VALUES ('QUEUED', 'REJECT_BATCH', 'test', '')"
        )
        connection.execute("INSERT INTO batch_payloads (batch_id, format, data) VALUES (1, %s, '')", (SECRET,))
        with (
            path.open("w") as err,
            subprocess.Popen(
                [COMMAND, "worker"], env=environment(database_url), stdout=subprocess.PIPE, stderr=err
            ) as process,
        ):
            try:
                line = Log(path).find(batch_id=1)
            finally:
                process.terminate()
        row = connection.execute("SELECT failure FROM price_batches").fetchone()
    assert row is not None
    assert line["error_id"] in str(row[0])
    assert "Traceback" in line["exception"]
    assert SECRET not in Log(path).text


def test_startup_failure_is_logged_as_json_without_the_password(tmp_path: Path) -> None:
    for database_url, is_logged in (
        (f"postgresql://ann:{SECRET}@127.0.0.1:1/x", True),
        # Invalid settings are reported as plain text, because they may concern the log itself.
        (f"postgres//ann:{SECRET}@db/x", False),
    ):
        done = subprocess.run(
            [COMMAND, "serve", "--no-demo", "--port", "0"],
            env=environment(database_url),
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
            timeout=DEADLINE_SECONDS,
        )
        assert done.returncode == 1
        assert SECRET not in done.stdout + done.stderr
        if is_logged:
            assert {json.loads(line)["level"] for line in done.stderr.splitlines()} == {"critical"}
        else:
            assert done.stderr.startswith("DATABASE_URL must be a URL")
