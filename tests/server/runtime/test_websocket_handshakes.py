"""Failed WebSocket handshakes: each is rejected or times out, and releases its connection."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack

import anyio.to_thread
import httpx
import pytest

from tests.support.fixtures.server import Client, running_server
from tests.support.http.raw_http import connect, read_all, status_and_code
from tests.support.waiting import DEADLINE_SECONDS

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
KEY = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
REFUSED = {
    "an old version": (PLAIN.replace(b"Version: 13", b"Version: 8") + b"\r\n", (426, "UPGRADE_REQUIRED")),
    "no version": (PLAIN.replace(b"Sec-WebSocket-Version: 13\r\n", b"") + b"\r\n", (426, "UPGRADE_REQUIRED")),
    "no key": (PLAIN.replace(KEY + b"\r\n", b"") + b"\r\n", NO_HTTP),
    "a short key": (PLAIN.replace(KEY, b"Sec-WebSocket-Key: eA==") + b"\r\n", NO_HTTP),
    "two keys": (PLAIN + KEY + b"\r\n\r\n", NO_HTTP),
    "a malformed extension": (PLAIN + b"Sec-WebSocket-Extensions: ;\r\n\r\n", NO_HTTP),
    "POST": (PLAIN.replace(b"GET", b"POST", 1) + b"\r\n", NO_HTTP),
    "HTTP/1.0": (PLAIN.replace(b"HTTP/1.1", b"HTTP/1.0", 1) + b"\r\n", NO_HTTP),
    "no Host": (PLAIN.replace(b"Host: localhost\r\n", b"") + b"\r\n", NO_HTTP),
    "two Hosts": (PLAIN + b"Host: elsewhere.example\r\n\r\n", NO_HTTP),
    "another path": (PLAIN.replace(b"/graphql", b"/livez", 1) + b"\r\n", (404, "NOT_FOUND")),
    "an unknown path": (PLAIN.replace(b"/graphql", b"/", 1) + b"\r\n", (404, "NOT_FOUND")),
    "a foreign origin": (PLAIN + b"Origin: https://elsewhere.example\r\n\r\n", (403, "CROSS_SITE_REFUSED")),
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


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_websocket_handshake_has_a_code(client: Client, kind: str) -> None:
    request, refusal = REFUSED[kind]
    with connect(client) as sock:
        sock.sendall(request)
        answer = read_all(sock)
    assert status_and_code(answer) == refusal
    assert b"content-type: application/json" in answer.lower()
    assert b"x-request-id: " in answer.lower()
    if refusal[0] == 426:
        # RFC 6455, section 4.4.
        assert b"sec-websocket-version: 13\r\n" in answer.lower()


def test_rejected_websocket_handshakes_release_their_connection_slots(client: Client) -> None:
    with ExitStack() as opened:
        for head, _ in [*SHAPES.values()] * 3:
            opened.enter_context(connect(client)).sendall(head)
        # The client closes none of the connections.
        assert httpx.get(f"{client.http.base_url}/livez", timeout=DEADLINE_SECONDS).status_code == 200


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
