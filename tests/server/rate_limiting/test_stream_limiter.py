"""Stream and connection limits: the boundary of each limit, and the release of slots."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection

from tests.support.fixtures.server import Client, running_server
from tests.support.streams import open_events, open_socket, operation_results, receive, subscribe
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import DEADLINE_SECONDS, eventually

READ = "{ locations { totalCount } }"
WATCH = 'subscription { pricesChanged(origin: "CNSGH", destination: "NLRTM") { status } }'
PROXY = "127.0.0.1"


@contextmanager
def serving(url: str, *, writes_are_open: bool = False, **settings: object) -> Iterator[Client]:
    """Run a server over the database, behind a trusted proxy."""
    with running_server(url, writes_are_open=writes_are_open, trusted_proxies=PROXY, **settings) as client:
        yield client


@pytest.fixture(scope="module")
def lane_url(module_database_url: str) -> str:
    """Return a database with one lane."""
    with running_server(module_database_url) as client:
        client.ask('mutation { upsertRegions(regions: [{slug: "world", name: "World"}]) { addedCount } }')
        ports = '{code: "CNSGH", name: "A", parentSlug: "world"}, {code: "NLRTM", name: "B", parentSlug: "world"}'
        client.ask(f"mutation {{ upsertPorts(ports: [{ports}]) {{ addedCount }} }}")
    return module_database_url


def error_code(body: bytes | bytearray) -> str:
    """Return the code of the only error of a response."""
    (error,) = json.loads(body)["errors"]
    return str(error["extensions"]["code"])


def rejected_sse_status(client: Client, token: str | None = None, **headers: str) -> tuple[int, str]:
    """Open an SSE stream that is rejected; return its status and code."""
    headers = {"Accept": "text/event-stream", **authorization_header(token), **headers}
    answer = client.http.post("/graphql", json={"query": WATCH}, headers=headers)
    assert int(answer.headers["retry-after"]) > 0
    return answer.status_code, error_code(answer.content)


def rejected_websocket_status(client: Client) -> tuple[int, str]:
    """Open a WebSocket that is rejected; return its status and code."""
    with pytest.raises(InvalidStatus) as refused, open_socket(str(client.http.base_url)):
        pass
    return refused.value.response.status_code, error_code(refused.value.response.body or b"")


def open_eventually(open_stream: Callable[[], object]) -> None:
    """Open a stream once a slot is free. A server detects a disconnect with a delay."""

    def try_open() -> bool:
        try:
            open_stream()
        except (InvalidStatus, AssertionError, ConnectionClosedError):
            return False
        return True

    eventually(try_open, "no stream is accepted again")


def test_stream_limit_per_address_counts_sse_and_websocket_and_frees_closed_ones(lane_url: str) -> None:
    with serving(lane_url, max_caller_streams=3) as client, ExitStack() as opened:
        url = str(client.http.base_url)
        first = opened.enter_context(open_socket(url))
        for _ in range(2):
            opened.enter_context(open_events(url, WATCH, {}))
        assert rejected_sse_status(client) == (429, "TOO_MANY_STREAMS")
        assert rejected_websocket_status(client) == (429, "TOO_MANY_STREAMS")
        # Other callers and plain queries are still accepted.
        assert client.ask(READ) == {"locations": {"totalCount": 3}}
        headers = {"X-Forwarded-For": "203.0.113.1", "Accept": "text/event-stream"}
        body = {"query": WATCH}
        with client.http.stream("POST", "/graphql", json=body, headers=headers) as other:
            assert other.headers["content-type"].startswith("text/event-stream")
        first.close()
        open_eventually(lambda: opened.enter_context(open_events(url, WATCH, {})))
        assert rejected_sse_status(client) == (429, "TOO_MANY_STREAMS")


def test_stream_limit_per_token_is_independent_of_the_client_address(lane_url: str) -> None:
    ours, theirs = (create_api_token(lane_url, "read", name=name) for name in ("ours", "theirs"))
    with serving(lane_url, max_caller_streams=2) as client, ExitStack() as opened:
        url = str(client.http.base_url)
        # A WebSocket counts against its address until its token is known.
        opened.enter_context(open_socket(url, ours))
        opened.enter_context(open_events(url, WATCH, {}, ours))
        assert rejected_sse_status(client, ours) == (429, "TOO_MANY_STREAMS")
        with pytest.raises(ConnectionClosedError) as closed, open_socket(url, ours):
            pass
        assert closed.value.rcvd is not None
        assert (closed.value.rcvd.code, closed.value.rcvd.reason.partition(":")[0]) == (1013, "TOO_MANY_STREAMS")
        for _ in range(2):
            opened.enter_context(open_socket(url, theirs))
        strangers = [opened.enter_context(open_events(url, WATCH, {})) for _ in range(2)]
        assert rejected_websocket_status(client) == (429, "TOO_MANY_STREAMS")
        strangers[0].close()
        open_eventually(lambda: opened.enter_context(open_socket(url)))


def test_stream_limit_per_process_applies_to_all_callers(lane_url: str) -> None:
    token = create_api_token(lane_url, "read")
    with serving(lane_url, writes_are_open=True, max_streams=3, max_caller_streams=2) as client, ExitStack() as opened:
        url = str(client.http.base_url)
        # The local admin has no limit per caller.
        mine = [opened.enter_context(open_events(url, WATCH, {})) for _ in range(3)]
        assert rejected_sse_status(client) == (503, "STREAMS_EXHAUSTED")
        assert rejected_sse_status(client, token) == (503, "STREAMS_EXHAUSTED")
        assert rejected_websocket_status(client) == (503, "STREAMS_EXHAUSTED")
        assert client.ask(READ) == {"locations": {"totalCount": 3}}
        mine[0].close()
        open_eventually(lambda: opened.enter_context(open_socket(url)))
        assert rejected_websocket_status(client) == (503, "STREAMS_EXHAUSTED")


def test_stream_limit_slot_is_released_after_a_rejection_or_single_response(lane_url: str) -> None:
    with serving(lane_url, max_streams=1, max_caller_streams=1) as client:
        url = str(client.http.base_url)

        def status(content: bytes) -> int:
            headers = {"Accept": "text/event-stream", "Content-Type": "application/json"}
            return client.http.post("/graphql", content=content, headers=headers).status_code

        def refuse_token() -> None:
            with pytest.raises(ConnectionClosedError) as closed, open_socket(url, "wrong"):
                pass
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4403

        def connect() -> None:
            with open_socket(url):
                pass

        # A client sees the end of a request shortly before the server frees its slot.
        for _ in range(3):
            eventually(
                lambda: status(json.dumps({"query": READ}).encode()) == 200, "the slot of a response is not released"
            )
            eventually(lambda: status(b"{") == 400, "the slot of a rejection is not released")
            open_eventually(refuse_token)
            open_eventually(connect)


def test_websocket_operation_limit_is_enforced_until_an_operation_ends(lane_url: str) -> None:
    with serving(lane_url, max_websocket_operations=3) as client, open_socket(str(client.http.base_url)) as opened:
        for number in range(3):
            subscribe(opened, WATCH, {}, str(number))
        subscribe(opened, WATCH, {}, "3")
        (error,) = receive_errors(opened, "3")
        assert error["extensions"] == {"code": "TOO_MANY_OPERATIONS"}
        assert "3" in error["message"]
        subscribe(opened, READ, {}, "4")
        assert receive_errors(opened, "4")[0]["extensions"] == {"code": "TOO_MANY_OPERATIONS"}
        opened.send(json.dumps({"id": "0", "type": "complete"}))
        subscribe(opened, READ, {}, "5")
        assert receive(opened)["payload"] == {"data": {"locations": {"totalCount": 3}}}
        assert receive(opened) == {"id": "5", "type": "complete"}
        # A completed operation has released its slot.
        subscribe(opened, WATCH, {}, "6")
        subscribe(opened, WATCH, {}, "7")
        assert receive_errors(opened, "7")[0]["extensions"] == {"code": "TOO_MANY_OPERATIONS"}


def receive_errors(opened: ClientConnection, id_: str) -> list[dict[str, dict[str, str]]]:
    message = receive(opened)
    assert (message["id"], message["type"]) == (id_, "error")
    errors: list[dict[str, dict[str, str]]] = message["payload"]
    return errors


def test_connection_limit_evicts_idle_connections_but_not_busy_ones(lane_url: str) -> None:
    with serving(lane_url, max_connections=4) as client, ExitStack() as opened:
        url = str(client.http.base_url)
        address = (client.http.base_url.host, client.http.base_url.port)
        for _ in range(3):
            opened.enter_context(open_events(url, WATCH, {}))
        idle = opened.enter_context(socket.create_connection(address, DEADLINE_SECONDS))
        assert httpx.get(f"{url}/livez", timeout=DEADLINE_SECONDS).status_code == 200
        assert idle.recv(1) == b""
        with open_socket(url) as busy:
            refused = opened.enter_context(socket.create_connection(address, DEADLINE_SECONDS))
            refused.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b""
            while piece := refused.recv(4_096):
                answer += piece
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nretry-after: 2" in head
            assert error_code(body) == "CONNECTIONS_EXHAUSTED"
            subscribe(busy, READ, {})
            assert next(operation_results(busy)) == {"data": {"locations": {"totalCount": 3}}}
        eventually(lambda: is_live(url), "no connection is accepted again")


def test_file_descriptor_limit_is_raised_and_caps_the_connection_limit() -> None:
    code = """
import resource
from server.runtime.connection_limit import raise_fd_limit
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 600))
print(raise_fd_limit(150), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print(raise_fd_limit(400), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
print(raise_fd_limit(900), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["150 256", "400 500", "500 600"]


def is_live(url: str) -> bool:
    try:
        return httpx.get(f"{url}/livez", timeout=DEADLINE_SECONDS).status_code == 200
    except httpx.TransportError:
        return False
