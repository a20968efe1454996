"""Failed WebSocket handshakes: each is rejected or times out, and releases its connection."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import anyio.to_thread
import httpx
import pytest

from tests.support.fixtures.server import Client, running_server
from tests.support.http.raw_http import connect, read_all, status_and_code

REQUEST = b"GET /graphql%b HTTP/1.1\r\n"
FIELDS = (
    b"Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n"
)
PLAIN = REQUEST % b"" + FIELDS
TOO_LARGE, NO_HTTP = (431, "HEAD_TOO_LARGE"), (400, "BAD_HTTP")
SHAPES = {
    "long header value": (PLAIN + b"X-Long: " + b"x" * 9_000 + b"\r\n\r\n", TOO_LARGE),
    "long header name": (PLAIN + b"X" * 9_000 + b": y\r\n\r\n", TOO_LARGE),
    "long URL": (REQUEST % (b"?" + b"x" * 9_000) + FIELDS + b"\r\n", TOO_LARGE),
    "many headers": (PLAIN + b"X: y\r\n" * 150 + b"\r\n", TOO_LARGE),
    "body": (PLAIN + b"Content-Length: 3\r\n\r\nabc", NO_HTTP),
    "missing body": (PLAIN + b"Content-Length: 3\r\n\r\n", NO_HTTP),
    "chunked body": (PLAIN + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", NO_HTTP),
    "missing chunks": (PLAIN + b"Transfer-Encoding: chunked\r\n\r\n", NO_HTTP),
    "non-ASCII URL": (REQUEST % b"?\xc3\xa4" + FIELDS + b"\r\n", NO_HTTP),
}
LONGEST = PLAIN + b"X-Long: " + b"x" * 7_000 + b"\r\n\r\n"


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """Yield a server with a limit of ten connections, one of which the client uses."""
    with running_server(module_database_url, max_connections=10) as client:
        yield client


@pytest.mark.parametrize("shape", SHAPES)
def test_oversized_or_malformed_websocket_handshake_is_rejected(client: Client, shape: str) -> None:
    head, refusal = SHAPES[shape]
    with connect(client) as sock:
        sock.sendall(head)
        assert status_and_code(read_all(sock)) == refusal


def test_rejected_websocket_handshakes_release_their_connection_slots(client: Client) -> None:
    with ExitStack() as opened:
        for head, _ in [*SHAPES.values()] * 3:
            opened.enter_context(connect(client)).sendall(head)
        # The client closes none of the connections.
        assert httpx.get(f"{client.http.base_url}/livez").status_code == 200


def test_websocket_handshake_with_a_7000_byte_header_is_accepted(client: Client) -> None:
    with connect(client) as sock:
        sock.sendall(LONGEST)
        assert sock.recv(4_096).startswith(b"HTTP/1.1 101 ")


def test_websocket_handshake_without_a_response_is_closed_after_the_request_timeout(
    module_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = threading.Event()

    async def wait(*_: object) -> None:
        await anyio.to_thread.run_sync(may_go_on.wait)

    monkeypatch.setattr("server.auth.access_control.AccessControl.check_rate_limit", wait)
    with running_server(module_database_url, request_seconds=0.5) as client, connect(client) as sock:
        try:
            sock.sendall(PLAIN + b"\r\n")
            assert read_all(sock) == b""
        finally:
            may_go_on.set()
