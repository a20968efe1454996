"""Multipart requests, well-formed and malformed, built by hand."""

import json
import socket
from typing import Any

import httpx

from tests.support.batches.price_files import CSV, MUTATION, PREFLIGHT
from tests.support.fixtures.server import Client
from tests.support.waiting import DEADLINE_SECONDS

Part = tuple[str, str | None, bytes]


LIMIT = 200_000


def encode(*parts: Part, boundary: str = "xyz", end: str = "--xyz--\r\n") -> bytes:
    """Encode the parts (field, file name, content) as a multipart body."""
    body = b""
    for field, name, content in parts:
        file = "" if name is None else f'; filename="{name}"'
        body += (
            f'--{boundary}\r\nContent-Disposition: form-data; name="{field}"{file}\r\n\r\n'.encode() + content + b"\r\n"
        )
    return body + end.encode()


def post(
    client: Client, body: bytes, content_type: str = "multipart/form-data; boundary=xyz", **headers: str
) -> httpx.Response:
    """Send a raw body."""
    return client.http.post("/graphql", content=body, headers={"Content-Type": content_type, **(headers or PREFLIGHT)})


def error_code(answer: httpx.Response) -> str:
    """Return the code of the only error of a rejection, which must also have a message."""
    assert answer.headers["content-type"].startswith("application/json")
    body = answer.json()
    (error,) = body["errors"]
    assert set(body) == {"errors"}
    assert error["message"].endswith(".")
    found: str = error["extensions"]["code"]
    return found


def batch_count(client: Client) -> int:
    """Return the number of batches."""
    count: int = client.ask("{ batches { totalCount } }")["batches"]["totalCount"]
    return count


OPERATION: dict[str, Any] = {"query": MUTATION, "variables": {"file": None, "input": {"waitMs": 0}, "list": [None, 1]}}


OPERATIONS: Part = ("operations", None, json.dumps(OPERATION).encode())


MAP: Part = ("map", None, b'{"0": ["variables.file"]}')


FILE: Part = ("0", "prices.csv", CSV)


def open_upload(client: Client, *, length: int) -> socket.socket:
    """Start a form upload with a declared length and send only its first bytes."""
    url = client.http.base_url
    sock = socket.create_connection((url.host, url.port or 80), timeout=DEADLINE_SECONDS)
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: {length}\r\nGraphQL-Require-Preflight: 1\r\n"
        "Content-Type: multipart/form-data; boundary=xyz\r\n\r\n"
    )
    sock.sendall(head.encode() + encode(OPERATIONS, MAP, FILE, end=""))
    return sock
