"""WebSocket operations: a malformed one is answered with its error, and disturbs no other."""

import json
from collections.abc import Iterator

import pytest
from websockets.sync.client import ClientConnection, connect

from tests.support.batches.uploads import create_locations
from tests.support.fixtures.server import Client, Json, running_server
from tests.support.streams import PROTOCOL, open_socket, receive, wait_for_close
from tests.support.tokens import authorization_header, create_api_token

TYPENAME = "{ __typename }"
TWO_OPERATIONS = "query A { __typename } query B { __typename }"
PLACE = "query ($key: String!) { location(key: $key) { key } }"
WATCH = 'subscription { pricesChanged(origin: "CNSGH", destination: "CNSGH") { status } }'
ANSWER = {"data": {"__typename": "Query"}}


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """Yield a server over two ports, shared by the tests."""
    create_locations(module_database_url)
    with running_server(module_database_url, writes_are_open=False) as client:
        yield client


@pytest.fixture
def url(client: Client) -> str:
    """Return the server's URL."""
    return str(client.http.base_url)


def send(socket: ClientConnection, **message: object) -> None:
    socket.send(json.dumps(message))


def answer_to(socket: ClientConnection, payload: object, id_: str = "1") -> Json:
    """Send an operation and return the only message that answers it, apart from `complete`."""
    send(socket, type="subscribe", id=id_, payload=payload)
    message = receive(socket)
    if message["type"] == "next":
        assert receive(socket) == {"id": id_, "type": "complete"}
    return message


@pytest.mark.parametrize("member", [{}, {"payload": None}, {"payload": {}}, {"payload": {"Authorization": None}}])
def test_websocket_connection_init_needs_no_payload(url: str, member: Json) -> None:
    with connect(f"{url.replace('http', 'ws', 1)}/graphql", subprotocols=[PROTOCOL]) as socket:
        send(socket, type="connection_init", **member)
        assert receive(socket) == {"type": "connection_ack"}
        assert answer_to(socket, {"query": TYPENAME})["payload"] == ANSWER
        send(socket, type="connection_init", **member)
        assert wait_for_close(socket) == (4429, "Too many initialisation requests")


def test_websocket_token_of_the_handshake_counts_if_the_payload_has_none(url: str, module_database_url: str) -> None:
    token = create_api_token(module_database_url, "read")
    batches = {"query": "{ batches(first: 1) { totalCount } }"}
    with connect(
        f"{url.replace('http', 'ws', 1)}/graphql",
        subprotocols=[PROTOCOL],
        additional_headers=authorization_header(token),
    ) as socket:
        send(socket, type="connection_init", payload={"authorization": None})
        assert receive(socket) == {"type": "connection_ack"}
        (error,) = answer_to(socket, batches)["payload"]
        assert error["extensions"]["code"] == "FORBIDDEN"


@pytest.mark.parametrize("payload", [[], "", "text", 0, False, True, [["Authorization", "Bearer x"]]])
def test_websocket_connection_init_with_another_payload_is_refused(url: str, payload: object) -> None:
    with connect(f"{url.replace('http', 'ws', 1)}/graphql", subprotocols=[PROTOCOL]) as socket:
        send(socket, type="connection_init", payload=payload)
        assert wait_for_close(socket) == (4400, "Invalid connection init payload")


MALFORMED: dict[str, tuple[Json, str]] = {
    "syntax error": ({"query": "{"}, "GRAPHQL_PARSE_FAILED"),
    "long syntax error": ({"query": "{ a } " + "x" * 300}, "GRAPHQL_PARSE_FAILED"),
    "unclosed string": ({"query": '{ location(key: "CNSGH'}, "GRAPHQL_PARSE_FAILED"),
    "only a comment": ({"query": "# nothing"}, "GRAPHQL_PARSE_FAILED"),
    "unknown field": ({"query": "{ unknownField }"}, "GRAPHQL_VALIDATION_FAILED"),
    "missing query": ({}, "BAD_PARAMETER"),
    "empty query": ({"query": ""}, "BAD_PARAMETER"),
    "query null": ({"query": None}, "BAD_PARAMETER"),
    "query of another type": ({"query": 1}, "BAD_PARAMETER"),
    "variables of another type": ({"query": TYPENAME, "variables": [1]}, "BAD_PARAMETER"),
    "variables as text": ({"query": TYPENAME, "variables": ""}, "BAD_PARAMETER"),
    "extensions of another type": ({"query": TYPENAME, "extensions": "x"}, "BAD_PARAMETER"),
    "hash of another type": ({"extensions": {"persistedQuery": 5}}, "BAD_PARAMETER"),
    "operationName of another type": ({"query": TYPENAME, "operationName": {}}, "BAD_PARAMETER"),
    "unknown operation": ({"query": TYPENAME, "operationName": "Other"}, "UNKNOWN_OPERATION"),
    "several operations": ({"query": TWO_OPERATIONS}, "UNKNOWN_OPERATION"),
    "several operations and an empty name": ({"query": TWO_OPERATIONS, "operationName": ""}, "UNKNOWN_OPERATION"),
    "invalid variable": ({"query": PLACE, "variables": {"key": 1}}, "BAD_USER_INPUT"),
}


@pytest.mark.parametrize("kind", MALFORMED)
def test_malformed_operation_is_answered_with_its_error_and_disturbs_no_other(url: str, kind: str) -> None:
    payload, code = MALFORMED[kind]
    with open_socket(url) as socket:
        send(socket, type="subscribe", id="other", payload={"query": WATCH})
        message = answer_to(socket, payload)
        assert (message["id"], message["type"]) == ("1", "error")
        (error,) = message["payload"]
        assert error["message"]
        assert error["extensions"]["code"] == code
        # Its ID is free again, and the other operation still has its own.
        assert answer_to(socket, {"query": TYPENAME})["payload"] == ANSWER
        send(socket, type="subscribe", id="other", payload={"query": TYPENAME})
        assert wait_for_close(socket) == (4409, "Subscriber for other already exists")


def test_malformed_operation_with_the_id_of_another_closes_the_connection(url: str) -> None:
    # An error message would end the other operation in the client.
    with open_socket(url) as socket:
        send(socket, type="subscribe", id="1", payload={"query": WATCH})
        send(socket, type="subscribe", id="1", payload={"query": 1})
        assert wait_for_close(socket) == (4409, "Subscriber for 1 already exists")


@pytest.mark.parametrize(
    "message",
    [
        {"payload": {"query": TYPENAME}},
        {"id": None, "payload": {"query": TYPENAME}},
        {"id": 1, "payload": {"query": TYPENAME}},
        {"id": ["1"], "payload": {"query": TYPENAME}},
        {"id": "1"},
        {"id": "1", "payload": None},
        {"id": "1", "payload": TYPENAME},
        {"id": "1", "payload": []},
        {"id": "1", "payload": [["query", TYPENAME]]},
    ],
)
def test_operation_without_an_id_or_a_payload_closes_the_connection(url: str, message: Json) -> None:
    with open_socket(url) as socket:
        send(socket, type="subscribe", **message)
        assert wait_for_close(socket) == (4400, "A subscribe message needs a string `id` and an object `payload`")


@pytest.mark.parametrize(
    "member", [{"operationName": ""}, {"operationName": None}, {"variables": None}, {"extensions": None}]
)
def test_websocket_operation_may_have_empty_parameters(url: str, member: Json) -> None:
    with open_socket(url) as socket:
        assert answer_to(socket, {"query": TYPENAME, **member})["payload"] == ANSWER
        send(socket, type="subscribe", id="1", payload={"query": WATCH, **member})
        # It runs until the client completes it.
        send(socket, type="complete", id="1")
        assert answer_to(socket, {"query": TYPENAME}, "2")["payload"] == ANSWER
