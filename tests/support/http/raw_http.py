"""Raw HTTP/1.1 over a socket: requests that arrive slowly, in part, or not at all."""

import json
import socket

from tests.support.fixtures.server import Client
from tests.support.waiting import DEADLINE_SECONDS

SECONDS = 0.5


HEAD = b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


FORM = HEAD.replace(b"application/json", b"multipart/form-data; boundary=xyz") + b"GraphQL-Require-Preflight: 1\r\n"


BODY = b'{"query": "{ __typename }"}'


def connect(client: Client) -> socket.socket:
    """Open a connection to the server."""
    return socket.create_connection(
        (client.http.base_url.host, client.http.base_url.port or 80), timeout=DEADLINE_SECONDS
    )


def read_all(sock: socket.socket) -> bytes:
    """Receive until the server closes the connection."""
    parts = []
    while part := sock.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def status_and_code(answer: bytes) -> tuple[int, str]:
    """Return the status and code of a rejection, which must close the connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"connection: close" in head.lower()
    (error,) = json.loads(body)["errors"]
    return int(head.split()[1]), error["extensions"]["code"]
