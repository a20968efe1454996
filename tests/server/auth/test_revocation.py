"""Revocation of a token in use: slow uploads, open connections, several processes."""

import hashlib
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection

from tests.support.batches.price_files import CSV, MUTATION
from tests.support.batches.uploads import AVERAGES, UPLOAD, VALID_ITEM, create_locations
from tests.support.commands.in_process import ratesgraph_in_process
from tests.support.fixtures.server import JSON, Client, running_server
from tests.support.http.multipart import encode
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.streams import open_events, open_socket, subscribe
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import DEADLINE_SECONDS, eventually

CHANGES = 'subscription { pricesChanged(origin: "CNSGH", destination: "NLRTM") { status } }'
SECOND = 1.0
SLACK_SECONDS = 15.0
"""For a machine that does many other things."""
CLIENTS = 8
"""Connections, enough that each of two processes accepts some of them."""


@pytest.fixture(scope="module")
def server(module_database_url: str) -> Iterator[Client]:
    """Yield a client of a server that requires a token for reads."""
    create_locations(module_database_url)
    with running_server(module_database_url, writes_are_open=False, anonymous_reads=False) as client:
        yield client


@pytest.fixture(scope="module")
def processes(module_database_url: str, server: Client) -> Iterator[str]:  # noqa: ARG001
    """Yield the URL of a server with two processes that requires a token for reads."""
    settings = {"RATESGRAPH_ANONYMOUS_READS": "false"}
    with serving(module_database_url, "--no-demo", "--workers", "2", settings=settings) as (_, url):
        wait_until_answered(url)
        yield url


def json_body() -> tuple[bytes, bytes]:
    """Return the content type and the body of an upload by mutation."""
    variables = {"input": {"prices": [VALID_ITEM], "waitMs": 0}}
    return b"application/json", json.dumps({"query": UPLOAD, "variables": variables}).encode()


def form_body() -> tuple[bytes, bytes]:
    """Return the content type and the body of a file upload."""
    operations = json.dumps({"query": MUTATION, "variables": {"file": None, "input": {"waitMs": 0}}}).encode()
    parts = [("operations", None, operations), ("map", None, b'{"0": ["variables.file"]}'), ("0", "prices.csv", CSV)]
    return b"multipart/form-data; boundary=xyz", encode(*parts)


def batch_count(database_url: str) -> int:
    """Return the number of stored batches."""
    with psycopg.connect(database_url) as connection:
        row = connection.execute("SELECT count(*) FROM price_batches").fetchone()
        assert row is not None
        return int(row[0])


@pytest.mark.parametrize(
    ("kind", "accept"), [("json", "application/json"), ("json", "text/event-stream"), ("form", "application/json")]
)
def test_upload_is_refused_if_its_token_is_revoked_while_the_body_arrives(
    server: Client, module_database_url: str, kind: str, accept: str
) -> None:
    token, before = create_api_token(module_database_url, "upload", "read"), batch_count(module_database_url)
    content_type, body = json_body() if kind == "json" else form_body()
    url = server.http.base_url
    head = (
        f"POST /graphql HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: {len(body)}\r\nAuthorization: Bearer {token}\r\n"
        f"GraphQL-Require-Preflight: 1\r\nAccept: {accept}\r\nContent-Type: {content_type.decode()}\r\n\r\n"
    )
    with socket.create_connection((url.host, url.port or 80), timeout=DEADLINE_SECONDS) as sock:
        sock.sendall(head.encode() + body[:-20])
        eventually(lambda: status(server.http, token) == 200, "the token is not accepted")
        ratesgraph_in_process(module_database_url, "token", "revoke", token)
        eventually(lambda: status(server.http, token) == 401, "the token is still accepted")
        # The first bytes were authorized more than a second ago.
        resumed_at = time.monotonic() + SECOND
        eventually(lambda: time.monotonic() > resumed_at, "time stands still")
        sock.sendall(body[-20:])
        answer = sock.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 401 "), answer
    assert b"UNAUTHENTICATED" in answer
    assert batch_count(module_database_url) == before


def status(http: httpx.Client, token: str) -> int:
    """Return the status of a read with the token."""
    return http.post("/graphql", json={"query": AVERAGES}, headers=authorization_header(token)).status_code


def close_code(socket: ClientConnection) -> int:
    """Wait until the server closes the connection and return the code."""
    with pytest.raises(ConnectionClosedError) as caught:
        socket.recv(timeout=DEADLINE_SECONDS)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


def test_revocation_takes_effect_within_a_second_in_every_process(processes: str, module_database_url: str) -> None:
    token = create_api_token(module_database_url, "read")
    limits = httpx.Limits(max_connections=1)
    with ExitStack() as stack:
        clients = [
            stack.enter_context(httpx.Client(base_url=processes, headers=JSON, limits=limits, timeout=DEADLINE_SECONDS))
            for _ in range(CLIENTS)
        ]
        # Both processes have the token and the response in their caches.
        for client in clients * 2:
            assert status(client, token) == 200
        sockets = [stack.enter_context(open_socket(processes, token)) for _ in range(CLIENTS // 2)]
        for each in sockets:
            subscribe(each, CHANGES, {})
        streams = [stack.enter_context(open_events(processes, CHANGES, {}, token)) for _ in range(CLIENTS // 2)]
        ratesgraph_in_process(module_database_url, "token", "revoke", token)
        revoked_at = time.monotonic()
        for client in clients:
            eventually(lambda client=client: status(client, token) == 401, "the token is still accepted")  # type: ignore[misc]
        assert time.monotonic() < revoked_at + SECOND + SLACK_SECONDS
        assert {close_code(each) for each in sockets} == {4403}
        assert not [stream for stream in streams if "complete" in stream.read().decode()]
        assert time.monotonic() < revoked_at + SECOND + SLACK_SECONDS
        # No process has forgotten the revocation, and connections that stay open do not help.
        assert {status(client, token) for client in clients * 2} == {401}


def test_automatic_persisted_query_protocol_works_with_several_processes(
    processes: str, module_database_url: str
) -> None:
    token = create_api_token(module_database_url, "read")
    headers = {**JSON, **authorization_header(token)}
    query = "query Registered { locations { totalCount } }"
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(query.encode()).hexdigest()}}
    registrations = 0
    for _ in range(2 * CLIENTS):
        # Each connection may reach another process, which may not know the document yet.
        answer = httpx.post(
            f"{processes}/graphql", json={"extensions": extensions}, headers=headers, timeout=DEADLINE_SECONDS
        ).json()
        if "errors" in answer:
            (error,) = answer["errors"]
            assert (error["message"], error["extensions"]["code"]) == (
                "PersistedQueryNotFound",
                "PERSISTED_QUERY_NOT_FOUND",
            )
            registrations += 1
            body = {"query": query, "extensions": extensions}
            answer = httpx.post(f"{processes}/graphql", json=body, headers=headers, timeout=DEADLINE_SECONDS).json()
        assert answer == {"data": {"locations": {"totalCount": 4}}}
    assert registrations < 2 * CLIENTS
