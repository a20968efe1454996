"""Connection limits per client address, and the reserve for probes of a full server."""

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx
import pytest

from tests.support.batches.uploads import create_locations
from tests.support.fixtures.server import Client, running_server
from tests.support.http.raw_http import connect, read_all, status_and_code
from tests.support.http.slow_reading import HANDSHAKE, connect_with_small_buffers, get_request, graphql_request
from tests.support.streams import open_events
from tests.support.waiting import DEADLINE_SECONDS, eventually

WATCH = 'subscription { pricesChanged(origin: "CNSGH", destination: "NLRTM") { status } }'
PROBES = ["/livez", "/readyz", "/metrics"]
QUERY = graphql_request("{ __typename }")
ADDRESS_FULL, SERVER_FULL = (429, "TOO_MANY_CONNECTIONS"), (503, "CONNECTIONS_EXHAUSTED")


@pytest.fixture(scope="module")
def lane_url(module_database_url: str) -> str:
    """Return a database with two ports."""
    create_locations(module_database_url)
    return module_database_url


@contextmanager
def filled_server(lane_url: str, **settings: Any) -> Iterator[Client]:  # noqa: ANN401
    """Run a server, and open three event streams, which are never evicted."""
    with running_server(lane_url, **settings) as client, ExitStack() as opened:
        for _ in range(3):
            opened.enter_context(open_events(str(client.http.base_url), WATCH, {}))
        yield client


def count_errors(client: Client, code: str) -> float:
    """Return how many errors with this code were counted, on a connection of its own."""
    text = httpx.get(f"{client.http.base_url}/metrics", timeout=DEADLINE_SECONDS).text
    counted = re.search(rf'ratesgraph_errors_total{{code="{code}"}} (\S+)', text)
    return float(counted[1]) if counted else 0.0


def ask(client: Client, request: bytes, source: str = "") -> bytes:
    """Send a request on a new connection, and return the response."""
    with connect_with_small_buffers(client, source) as sock:
        sock.sendall(request)
        return read_all(sock)


@pytest.mark.parametrize(
    ("limit", "refusal"), [("max_connections", SERVER_FULL), ("max_address_connections", ADDRESS_FULL)]
)
def test_connection_above_a_limit_is_answered_only_for_probes(
    lane_url: str, limit: str, refusal: tuple[int, str]
) -> None:
    with filled_server(lane_url, **{limit: 3}) as client:
        # The servers of this process share their counters.
        before = count_errors(client, refusal[1])
        for path in PROBES:
            answer = ask(client, get_request(path))
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert answer.lower().count(b"connection: close") == 1
        for request in (QUERY, get_request("/"), HANDSHAKE):
            answer = ask(client, request)
            assert status_and_code(answer) == refusal
            assert b"\r\nretry-after: 2\r\n" in answer.lower()
        # A request is counted just after its response.
        eventually(lambda: count_errors(client, refusal[1]) == before + 3, "refusals are not counted")


def test_connection_limit_per_address_does_not_affect_other_addresses(lane_url: str) -> None:
    with filled_server(lane_url, max_address_connections=3) as client:
        assert status_and_code(ask(client, QUERY)) == ADDRESS_FULL
        request = graphql_request("{ __typename }", "Connection: close")
        assert ask(client, request, source="127.0.0.2").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("proxies", ["127.0.0.1", "10.0.0.0/8,127.0.0.0/8"])
def test_connection_limit_per_address_does_not_apply_to_trusted_proxies(lane_url: str, proxies: str) -> None:
    with filled_server(lane_url, max_address_connections=3, trusted_proxies=proxies) as client:
        assert client.http.post("/graphql", json={"query": "{ __typename }"}).status_code == 200


def test_connection_limit_per_address_evicts_an_idle_connection_of_that_address(lane_url: str) -> None:
    with running_server(lane_url, max_address_connections=2, request_seconds=60) as client, ExitStack() as opened:
        other = opened.enter_context(connect_with_small_buffers(client, "127.0.0.2"))
        same = [opened.enter_context(connect(client)) for _ in range(2)]
        assert client.http.post("/graphql", json={"query": "{ __typename }"}).status_code == 200
        assert same[0].recv(1) == b""
        other.sendall(get_request("/livez"))
        assert other.recv(65_536).endswith(b"alive\n")


def test_closed_connections_release_their_slots(lane_url: str) -> None:
    with running_server(lane_url, max_connections=3, max_address_connections=3) as client:
        for _ in range(3):
            with ExitStack() as opened:
                for request in (QUERY, QUERY[:40], HANDSHAKE):
                    opened.enter_context(connect(client)).sendall(request)
        request = graphql_request("{ __typename }", "Connection: close")
        eventually(lambda: ask(client, request).startswith(b"HTTP/1.1 200 "), "slots are not released")


def test_reserve_for_probes_replaces_its_oldest_connections(lane_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.runtime.http_protocol.RESERVED_SECONDS", DEADLINE_SECONDS)
    with filled_server(lane_url, max_connections=3) as client, ExitStack() as opened:
        silent = [opened.enter_context(connect(client)) for _ in range(60)]
        assert ask(client, get_request("/livez")).endswith(b"alive\n")
        refusal = silent[0].recv(65_536)
        assert refusal.startswith(b"HTTP/1.1 503 ")
        assert b"CONNECTIONS_EXHAUSTED" in refusal
        # The newest ones are still in the reserve.
        silent[-1].sendall(get_request("/livez"))
        assert silent[-1].recv(65_536).endswith(b"alive\n")


def test_reserved_connection_without_a_request_times_out(lane_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.runtime.http_protocol.RESERVED_SECONDS", 0.2)
    with filled_server(lane_url, max_connections=3) as client, connect(client) as silent:
        assert read_all(silent) == b""
