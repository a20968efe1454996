"""Graceful shutdown: open streams end properly, and clients receive a signal to reconnect."""

import signal
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosedError

from tests.support.http.server_process import serving, wait_until_answered
from tests.support.http.subscriptions import PROGRESS
from tests.support.streams import open_events, open_socket, operation_results, receive, sse_results, subscribe
from tests.support.tokens import create_api_token
from tests.support.waiting import DEADLINE_SECONDS, eventually

STOP_SECONDS = 30.0
DRAIN_SECONDS = 1.5
"""Precedes the stop: streams continue while other requests are answered."""


@pytest.fixture
def queued(database_url: str) -> Iterator[dict[str, object]]:
    """Yield the variables of a queued batch that no worker applies."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "INSERT INTO price_batches (status, on_error, source, payload_sha256)"
            " VALUES ('QUEUED', 'REJECT_BATCH', 'test', '')"
        )
        yield {"id": "1"}


@pytest.mark.parametrize("workers", ["1", "2"])
def test_graceful_shutdown_ends_open_streams_after_the_drain_period(
    database_url: str, queued: dict[str, object], workers: str
) -> None:
    token = create_api_token(database_url, "admin")
    settings = {"RATESGRAPH_DRAIN_SECONDS": str(DRAIN_SECONDS)}
    with serving(database_url, "--workers", workers, settings=settings) as (process, url), ExitStack() as stack:
        wait_until_answered(url)
        web_sockets = [stack.enter_context(open_socket(url, token)) for _ in range(4)]
        for web_socket in web_sockets:
            subscribe(web_socket, PROGRESS, queued)
            assert next(operation_results(web_socket))["data"]["batchProgress"]["status"] == "QUEUED"
        streams = [sse_results(stack.enter_context(open_events(url, PROGRESS, queued, token))) for _ in range(4)]
        for stream in streams:
            assert next(stream)["data"]["batchProgress"]["status"] == "QUEUED"
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        for stream in streams:
            # An interrupted response would raise.
            assert list(stream) == []
        for web_socket in web_sockets:
            with pytest.raises(ConnectionClosedError) as caught:
                receive(web_socket)
            assert caught.value.rcvd is not None
            assert caught.value.rcvd.code == 1012
        printed, _ = process.communicate(timeout=DEADLINE_SECONDS)
        assert DRAIN_SECONDS < time.monotonic() - started < DRAIN_SECONDS + STOP_SECONDS
        for word in ("Traceback", "ERROR", "WARNING"):
            assert word not in printed, printed


def test_drain_closes_the_connection_of_a_request_that_is_already_in_progress(database_url: str) -> None:
    body = b'{"query": "{ __typename }"}'
    head = (
        b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
    )
    with serving(database_url, settings={"RATESGRAPH_DRAIN_SECONDS": "10"}) as (process, url):
        wait_until_answered(url)
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port), timeout=DEADLINE_SECONDS) as sock:
            sock.sendall(head)
            assert sock.recv(65_536).startswith(b"HTTP/1.1 100 ")
            process.send_signal(signal.SIGTERM)
            eventually(
                lambda: httpx.get(f"{url}/readyz", timeout=DEADLINE_SECONDS).status_code == 503,
                "the server does not drain",
            )
            sock.sendall(body)
            response = sock.recv(65_536)
        assert response.startswith(b"HTTP/1.1 200 ")
        assert b"\r\nconnection: close\r\n" in response
