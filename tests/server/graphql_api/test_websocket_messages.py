"""WebSocket messages: format, size limit, rate limit, and close codes for violations."""

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from socket import SHUT_RD, SO_LINGER, SOL_SOCKET
from struct import pack

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from server.graphql_api.websocket_handler import MAX_MESSAGES
from tests.support.fixtures.server import running_server
from tests.support.http.logs import Log, logging_server
from tests.support.streams import PROTOCOL, open_socket, receive, subscribe, wait_for_close
from tests.support.tokens import authorization_header, create_api_token

LIMIT = 10_000
SETTINGS = {"RATESGRAPH_MAX_QUERY_BYTES": str(LIMIT), "RATESGRAPH_RATE_LIMIT": "10000/minute"}
TYPENAME = "{ __typename }"
WATCH = 'subscription { pricesChanged(origin: "CNSGH", destination: "CNSGH") { status } }'


@pytest.fixture(scope="module")
def log_and_url(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Log, str]]:
    """Yield a server shared by the tests, and its log."""
    path: Path = tmp_path_factory.mktemp("sockets")
    with logging_server(module_database_url, path, **SETTINGS) as (_, url, log):
        yield log, url
        assert not [line for line in log.lines() if line["level"] in ("warning", "error")]


def subscribe_message(query: str, id_: str = "1") -> str:
    return json.dumps({"id": id_, "type": "subscribe", "payload": {"query": query}})


@pytest.mark.parametrize("letter", ["x", "ä", "🚢"])
def test_websocket_close_reason_is_truncated_to_123_bytes(log_and_url: tuple[Log, str], letter: str) -> None:
    _, url = log_and_url
    with open_socket(url) as socket:
        socket.send(json.dumps({"type": letter * 300}))
        code, reason = wait_for_close(socket)
        assert code == 4400
        assert reason.startswith(f"Unknown message type: {letter * 20}")
        assert 115 < len(reason.encode()) <= 123


@pytest.mark.parametrize("kind", [None, True, 5, ["ping"], {"a": 1}])
def test_websocket_message_whose_type_is_no_string_is_malformed(log_and_url: tuple[Log, str], kind: object) -> None:
    _, url = log_and_url
    with open_socket(url) as socket:
        socket.send(json.dumps({"type": kind}))
        assert wait_for_close(socket) == (4400, "Failed to parse message")


def test_websocket_close_reason_may_quote_a_long_id(log_and_url: tuple[Log, str]) -> None:
    _, url = log_and_url
    with open_socket(url) as socket:
        for _ in range(2):
            socket.send(subscribe_message(WATCH, "x" * 300))
        assert wait_for_close(socket)[0] == 4409


def test_websocket_client_disconnect_before_rejection_logs_no_error(log_and_url: tuple[Log, str]) -> None:
    log, url = log_and_url
    begin = json.dumps({"type": "connection_init", "payload": authorization_header("rgt_0123456789abcdef_" + "x" * 43)})
    for _ in range(20):
        with connect(f"{url.replace('http', 'ws', 1)}/graphql", subprotocols=[PROTOCOL]) as socket:
            socket.send(begin)
            # The client disconnects during the token lookup.
            socket.socket.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
            socket.socket.shutdown(SHUT_RD)
            socket.socket.close()
    with open_socket(url) as socket:
        assert answers_query(socket)
    assert "Traceback" not in log.text


def answers_query(socket: ClientConnection) -> bool:
    """Return whether the WebSocket answers a query."""
    subscribe(socket, TYPENAME, {})
    answer = receive(socket)["payload"]
    return bool(answer == {"data": {"__typename": "Query"}})


def padded_message(length: int, id_: str = "1") -> str:
    """Return a subscribe message of the given length in bytes."""
    return subscribe_message(TYPENAME, id_).ljust(length)


def test_websocket_message_size_limit_is_the_body_limit_or_higher_for_uploaders(
    log_and_url: tuple[Log, str], module_database_url: str
) -> None:
    log, url = log_and_url
    reader = create_api_token(module_database_url, "read", name="reader")
    for token in (None, reader):
        with open_socket(url, token) as socket:
            socket.send(padded_message(LIMIT))
            assert receive(socket)["payload"] == {"data": {"__typename": "Query"}}
            assert receive(socket)["type"] == "complete"
            # The limit counts bytes, not characters.
            socket.send(padded_message(LIMIT, "x").replace('"x"', '"ä"'))
            code, reason = wait_for_close(socket)
            assert (code, reason.partition(":")[0]) == (1009, "PAYLOAD_TOO_LARGE")
            assert "10,000" in reason
    log.find(transport="websocket", codes=["PAYLOAD_TOO_LARGE"], caller="token:reader")
    with open_socket(url, create_api_token(module_database_url, "upload")) as socket:
        socket.send(padded_message(90 * LIMIT))
        assert receive(socket)["payload"] == {"data": {"__typename": "Query"}}


def test_websocket_message_size_limit_before_authentication_is_the_anonymous_one(
    log_and_url: tuple[Log, str], module_database_url: str
) -> None:
    _, url = log_and_url
    begin = json.dumps(
        {"type": "connection_init", "payload": authorization_header(create_api_token(module_database_url, "upload"))}
    )
    with connect(f"{url.replace('http', 'ws', 1)}/graphql", subprotocols=[PROTOCOL]) as socket:
        socket.send(begin.ljust(LIMIT + 1))
        assert wait_for_close(socket)[0] == 1009


def test_websocket_message_rate_limit_closes_the_connection(log_and_url: tuple[Log, str]) -> None:
    log, url = log_and_url
    with open_socket(url) as socket:
        assert socket.response is not None
        # The first message was the connection_init.
        for _ in range(MAX_MESSAGES - 1):
            socket.send(json.dumps({"type": "ping"}))
            assert receive(socket) == {"type": "pong"}
        socket.send(json.dumps({"type": "pong"}))
        code, reason = wait_for_close(socket)
        assert (code, reason.partition(":")[0]) == (1013, "RATE_LIMITED")
        log.find(request_id=socket.response.headers["x-request-id"], codes=["RATE_LIMITED"], transport="websocket")


def test_websocket_message_rate_limit_ignores_operations_and_completions(log_and_url: tuple[Log, str]) -> None:
    _, url = log_and_url
    with open_socket(url) as socket:
        for number in range(2 * MAX_MESSAGES):
            socket.send(subscribe_message(WATCH, f"a{number}"))
            socket.send(json.dumps({"id": f"a{number}", "type": "complete"}))
            socket.send(subscribe_message(TYPENAME, f"b{number}"))
            assert receive(socket)["type"] == "next"
            assert receive(socket)["type"] == "complete"
            # The operation has already completed.
            socket.send(json.dumps({"id": f"b{number}", "type": "complete"}))
        assert answers_query(socket)


def test_websocket_message_rate_limit_counts_rejected_operations(database_url: str) -> None:
    with (
        running_server(database_url, writes_are_open=False, rate_limit="10/minute") as client,
        open_socket(str(client.http.base_url)) as socket,
    ):
        with suppress(ConnectionClosed):
            for number in range(2 * MAX_MESSAGES):
                socket.send(subscribe_message(TYPENAME, str(number)))
        assert wait_for_close(socket)[0] == 1013
