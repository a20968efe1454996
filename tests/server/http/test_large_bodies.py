"""Large bodies and messages: their total length is bounded, and small ones pass them."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import pytest

from server.http import large_bodies
from tests.support.batches.uploads import UPLOAD, VALID_ITEM, create_locations
from tests.support.fixtures.server import Client, Json, running_server
from tests.support.http.multipart import error_code
from tests.support.http.raw_http import connect
from tests.support.streams import open_socket, receive, subscribe
from tests.support.waiting import DEADLINE_SECONDS

BODY_BYTES = 1_500_000
"""Maximum body of the server. Two of them fit into the budget."""
UPLOAD_BODY = json.dumps({"query": UPLOAD, "variables": {"input": {"prices": [VALID_ITEM], "waitMs": 0}}}).ljust(
    BODY_BYTES
)

CONTENT_LENGTH = f"Content-Length: {BODY_BYTES}"


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """Yield a server with room for two large bodies."""
    create_locations(module_database_url)
    with running_server(module_database_url, max_body_bytes=BODY_BYTES) as client:
        yield client


def send_head(sock: socket.socket, *fields: str) -> None:
    """Send the head of an upload."""
    lines = ["POST /graphql HTTP/1.1", "Host: localhost", "Content-Type: application/json", *fields, "", ""]
    sock.sendall("\r\n".join(lines).encode())


def begin_admitted(client: Client, size: str) -> socket.socket:
    """Begin an upload, and wait until the server reads its body."""
    sock = connect(client)
    send_head(sock, size, "Expect: 100-continue")
    assert sock.recv(4_096).startswith(b"HTTP/1.1 100 ")
    return sock


def upload(client: Client) -> httpx.Response:
    """Send an upload with a large body."""
    return client.http.post("/graphql", content=UPLOAD_BODY, headers={"Content-Type": "application/json"})


def test_large_bodies_that_fit_together_are_accepted(client: Client) -> None:
    for _ in range(3):
        assert upload(client).json()["data"]["uploadPrices"]["userErrors"] == []


@pytest.mark.parametrize("size", [CONTENT_LENGTH, "Transfer-Encoding: chunked"])
def test_large_body_without_room_is_refused_and_small_ones_are_not(
    client: Client, monkeypatch: pytest.MonkeyPatch, size: str
) -> None:
    monkeypatch.setattr(large_bodies, "MAX_WAIT_SECONDS", 0.2)
    with ExitStack() as opened:
        for _ in range(2):
            opened.enter_context(begin_admitted(client, size))
        answer = upload(client)
        assert (answer.status_code, error_code(answer), answer.headers["Retry-After"]) == (503, "SERVER_BUSY", "2")
        assert client.ask("{ __typename }") == {"__typename": "Query"}
    # The server notices the disconnects in its own time.
    monkeypatch.setattr(large_bodies, "MAX_WAIT_SECONDS", DEADLINE_SECONDS)
    assert upload(client).status_code == 200


def test_large_body_waits_for_room(client: Client) -> None:
    with ExitStack() as opened:
        waiting = [opened.enter_context(begin_admitted(client, CONTENT_LENGTH)) for _ in range(2)]
        waiting.append(opened.enter_context(connect(client)))
        send_head(waiting[-1], CONTENT_LENGTH)
        for sock in waiting:
            sock.sendall(UPLOAD_BODY.encode())
            assert b'"userErrors":[]' in sock.recv(4_096)


def test_large_websocket_messages_share_the_room_with_bodies(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_bodies, "MAX_WAIT_SECONDS", 0.2)
    variables = {"input": {"prices": [VALID_ITEM], "waitMs": 0}}
    document = UPLOAD + " " * 40_000
    with open_socket(str(client.http.base_url)) as opened, ExitStack() as admitted:

        def send_upload(id_: str) -> Json:
            message = {"id": id_, "type": "subscribe", "payload": {"query": document, "variables": variables}}
            opened.send(json.dumps(message).ljust(900_000))
            return receive(opened)

        for _ in range(2):
            admitted.enter_context(begin_admitted(client, CONTENT_LENGTH))
        assert send_upload("refused")["payload"][0]["extensions"]["code"] == "SERVER_BUSY"
        subscribe(opened, "{ __typename }", {}, "small")
        assert receive(opened)["payload"] == {"data": {"__typename": "Query"}}
        assert receive(opened) == {"id": "small", "type": "complete"}
        admitted.close()
        monkeypatch.setattr(large_bodies, "MAX_WAIT_SECONDS", DEADLINE_SECONDS)
        # Each operation returns its room when it ends.
        for number in range(5):
            assert send_upload(str(number))["payload"]["data"]["uploadPrices"]["userErrors"] == []
            assert receive(opened)["type"] == "complete"
