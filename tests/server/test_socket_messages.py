"""What may be said on a WebSocket, how much of it and how often; whoever says anything else is told why it is closed."""

import json
from collections.abc import Iterator
from pathlib import Path
from socket import SHUT_RD, SO_LINGER, SOL_SOCKET
from struct import pack

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.server.test_logs import Log, logging_server
from tests.streams import PROTOCOL, open_socket, receive, subscribe
from tests.tokens import bearing

LIMIT = 10_000
SETTINGS = {"RATESGRAPH_MAX_QUERY_BYTES": str(LIMIT)}
TYPENAME = "{ __typename }"


@pytest.fixture(scope="module")
def log_and_url(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Log, str]]:
    """A server that the tests share, and its log."""
    path: Path = tmp_path_factory.mktemp("sockets")
    with logging_server(module_database_url, path, **SETTINGS) as (_, url, log):
        yield log, url
        assert not [line for line in log.lines() if line["level"] in ("warning", "error")]


def closed(socket: ClientConnection) -> tuple[int, str]:
    """Return how the server closes the connection."""
    with pytest.raises(ConnectionClosed) as caught:
        socket.recv(timeout=10)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


def subscribing(query: str, id_: str = "1") -> str:
    return json.dumps({"id": id_, "type": "subscribe", "payload": {"query": query}})


@pytest.mark.parametrize("letter", ["x", "ä", "🚢"])
def test_a_reason_is_as_long_as_there_is_room_for_it(log_and_url: tuple[Log, str], letter: str) -> None:
    _, url = log_and_url
    with open_socket(url) as socket:
        socket.send(json.dumps({"type": letter * 300}))
        code, reason = closed(socket)
        assert code == 4400
        assert reason.startswith(f"Unknown message type: {letter * 20}")
        assert 115 < len(reason.encode()) <= 123


def test_a_reason_may_quote_a_document_and_an_id(log_and_url: tuple[Log, str]) -> None:
    _, url = log_and_url
    with open_socket(url) as socket:
        socket.send(subscribing("{ a } " + "x" * 300))
        assert closed(socket)[0] == 4400
    with open_socket(url) as socket:
        watch = 'subscription { pricesChanged(origin: "CNSGH", destination: "CNSGH") { status } }'
        for _ in range(2):
            socket.send(subscribing(watch, "x" * 300))
        assert closed(socket)[0] == 4409


def test_a_client_that_leaves_before_it_is_refused_is_no_fault(log_and_url: tuple[Log, str]) -> None:
    log, url = log_and_url
    begin = json.dumps({"type": "connection_init", "payload": bearing("rgt_0123456789abcdef_" + "x" * 43)})
    for _ in range(20):
        with connect(f"{url.replace('http', 'ws', 1)}/graphql", subprotocols=[PROTOCOL]) as socket:
            socket.send(begin)
            # The token is looked up, and meanwhile nobody is there any more.
            socket.socket.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
            socket.socket.shutdown(SHUT_RD)
            socket.socket.close()
    with open_socket(url) as socket:
        assert asks(socket)
    assert "Traceback" not in log.text


def asks(socket: ClientConnection) -> bool:
    """Return whether the socket answers a question."""
    subscribe(socket, TYPENAME, {})
    answer = receive(socket)["payload"]
    return bool(answer == {"data": {"__typename": "Query"}})
