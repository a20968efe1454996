"""Pipelined requests: their limit, and clients that disconnect or do not read."""

import logging
from collections.abc import Iterator

import pytest

from server.graphql_api.sse import TRANSPORT
from tests.support.batches.uploads import create_locations
from tests.support.fixtures.server import Client, running_server
from tests.support.http.raw_http import connect, read_all
from tests.support.http.slow_reading import (
    HANDSHAKE,
    LARGE,
    connect_with_small_buffers,
    get_request,
    graphql_request,
    seconds_until_reset,
)
from tests.support.streams import open_socket, receive, subscribe
from tests.support.waiting import eventually

STALL_SECONDS = 24.0
"""A connection is stuck after a sixth of it, and reset at the latest after the whole."""
EVENTS = "text/event-stream"
WATCH = 'subscription { pricesChanged(origin: "CNSGH", destination: "NLRTM") { status } }'


@pytest.fixture
def client(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Yield a server with one stream and a short time limit for readers."""
    create_locations(database_url)
    monkeypatch.setattr(TRANSPORT, "heartbeat_interval", 0.05)
    with running_server(database_url, max_streams=1, stall_seconds=0.4) as client:
        yield client


@pytest.mark.parametrize("behind", [get_request("/livez"), HANDSHAKE], ids=["request", "handshake"])
def test_event_stream_ends_when_its_client_leaves_a_pipelined_request_behind(client: Client, behind: bytes) -> None:
    def can_stream() -> bool:
        query = {"query": "{ __typename }"}
        return client.http.post("/graphql", json=query, headers={"Accept": EVENTS}).status_code == 200

    with connect(client) as sock:
        sock.sendall(graphql_request(WATCH, f"Accept: {EVENTS}") + behind)
        assert sock.recv(4_096).startswith(b"HTTP/1.1 200 OK")
        assert not can_stream()
    eventually(can_stream, "the stream does not end")


CHUNKED = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
REFUSED = {
    "no HTTP": b"\x16\x03\x01\r\n\r\n",
    "no host": b"GET /livez HTTP/1.1\r\n\r\n",
    "another method": b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost:80\r\n\r\n",
    "a large head": b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
    "a broken chunk": CHUNKED + b"x\r\n",
    "a large chunk header": CHUNKED + b"1;" + b"x" * 140_000,
    "a handshake": HANDSHAKE,
    "a broken handshake": HANDSHAKE.replace(b"Version: 13", b"Version: 12"),
}


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("count", [1, 2])
def test_refused_request_does_not_replace_the_responses_to_earlier_ones(client: Client, kind: str, count: int) -> None:
    query = graphql_request('{ exchangeRates(currency: "USD", from: "2026-01-01", to: "2026-01-01") { day } }')
    with connect(client) as sock:
        sock.sendall(query * count + REFUSED[kind])
        answer = read_all(sock)
    assert answer.count(b"HTTP/1.1 ") == answer.count(b"HTTP/1.1 200 OK") == answer.count(b'"2026-01-01"') == count
    assert answer.rpartition(b"HTTP/1.1 200 OK")[2].count(b"connection: close") == 1


def test_request_that_was_answered_early_is_refused_without_a_second_response(client: Client) -> None:
    with connect(client) as sock:
        sock.sendall(CHUNKED.replace(b"/graphql", b"/livez"))
        assert sock.recv(4_096).startswith(b"HTTP/1.1 405 ")
        try:
            sock.sendall(b"1;" + b"x" * 140_000)
            rest = read_all(sock)
        except ConnectionError:
            # The kernel resets a connection that is closed before all bytes were read.
            rest = b""
        assert rest == b""


def test_pipelining_client_that_is_reset_causes_no_error_in_the_log(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    with connect_with_small_buffers(client) as sock:
        sock.sendall(graphql_request(LARGE) * 5)
        seconds_until_reset(sock)
    for _ in range(3):
        assert client.http.get("/livez").status_code == 200
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []


def test_pipelined_response_that_waits_is_unread_bytes(database_url: str) -> None:
    create_locations(database_url)
    with (
        running_server(database_url, max_unread_bytes=1_000_000, stall_seconds=STALL_SECONDS) as client,
        connect_with_small_buffers(client) as sock,
    ):
        # Each has some 600 kB.
        sock.sendall(graphql_request(LARGE) * 2)
        assert seconds_until_reset(sock) < STALL_SECONDS * 5 / 6


def test_pipelined_requests_beyond_the_limit_end_the_connection(client: Client) -> None:
    with connect(client) as sock:
        sock.sendall(get_request("/livez") * 300)
        answer = read_all(sock)
    assert answer.count(b"HTTP/1.1 200 OK") == answer.count(b"alive\n") == 101
    assert answer.rpartition(b"HTTP/1.1 200 OK")[2].count(b"connection: close") == 1


def test_websocket_queries_do_not_wait_for_subscriptions(client: Client) -> None:
    with open_socket(str(client.http.base_url)) as opened:
        for number in range(10):
            subscribe(opened, WATCH, {}, str(number))
        subscribe(opened, "{ __typename }", {}, "query")
        assert receive(opened)["payload"] == {"data": {"__typename": "Query"}}
