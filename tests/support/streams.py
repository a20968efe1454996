"""Subscriptions over WebSocket and server-sent events, each as an iterator of results."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin, Subprotocol

from tests.support.fixtures.server import Json
from tests.support.tokens import authorization_header
from tests.support.waiting import DEADLINE_SECONDS

PROTOCOL = Subprotocol("graphql-transport-ws")
TRANSPORTS = ["websocket", "sse"]


@contextmanager
def open_socket(
    url: str, token: str | None = None, *, in_header: bool = False, origin: str | None = None
) -> Iterator[ClientConnection]:
    """Open a WebSocket and initialize it, with the token in the payload or in the header."""
    address = f"{str(url).rstrip('/').replace('http', 'ws', 1)}/graphql"
    headers = authorization_header(token) if in_header else {}
    payload = {} if in_header else authorization_header(token)
    origin_header = None if origin is None else Origin(origin)
    with connect(
        address,
        subprotocols=[PROTOCOL],
        additional_headers=headers,
        origin=origin_header,
        open_timeout=DEADLINE_SECONDS,
        ping_timeout=DEADLINE_SECONDS,
    ) as socket:
        socket.send(json.dumps({"type": "connection_init", "payload": payload}))
        assert receive(socket) == {"type": "connection_ack"}
        yield socket


def receive(socket: ClientConnection) -> Json:
    """Return the next message, which must be a text message, as browsers expect."""
    text = socket.recv(timeout=DEADLINE_SECONDS)
    assert isinstance(text, str)
    message: Json = json.loads(text)
    return message


def wait_for_close(socket: ClientConnection) -> tuple[int, str]:
    """Receive until the server closes the connection; return the close code and reason."""
    while True:
        try:
            socket.recv(timeout=DEADLINE_SECONDS)
        except ConnectionClosed as error:
            return (error.rcvd.code, error.rcvd.reason) if error.rcvd else (0, "")


def subscribe(socket: ClientConnection, query: str, variables: Json, id_: str = "1") -> None:
    """Start an operation."""
    payload = {"query": query, "variables": variables}
    socket.send(json.dumps({"id": id_, "type": "subscribe", "payload": payload}))


def operation_results(socket: ClientConnection) -> Iterator[Json]:
    """Yield the results of the connection's only operation until it completes."""
    while (message := receive(socket))["type"] != "complete":
        if message["type"] == "error":
            yield {"data": None, "errors": message["payload"]}
            return
        yield message["payload"]


def sse_results(response: httpx.Response) -> Iterator[Json]:
    """Yield the results of an SSE stream until it completes."""
    event = ""
    for line in response.iter_lines():
        if line.startswith("event: "):
            event = line.removeprefix("event: ")
        elif line.startswith("data: ") and event == "next":
            yield json.loads(line.removeprefix("data: "))
        elif event == "complete":
            return


@contextmanager
def open_events(url: str, query: str, variables: Json, token: str | None = None) -> Iterator[httpx.Response]:
    """Open an SSE stream."""
    body = {"query": query, "variables": variables}
    headers = {"Accept": "text/event-stream", **authorization_header(token)}
    address = f"{str(url).rstrip('/')}/graphql"
    with httpx.stream("POST", address, json=body, headers=headers, timeout=DEADLINE_SECONDS) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        yield response


@contextmanager
def open_subscription(
    url: str, transport: str, query: str, token: str | None = None, /, **variables: object
) -> Iterator[Iterator[Json]]:
    """Subscribe over the transport; yield an iterator of results."""
    if transport == "sse":
        with open_events(url, query, variables, token) as response:
            yield sse_results(response)
    else:
        with open_socket(url, token) as socket:
            subscribe(socket, query, variables)
            yield operation_results(socket)
