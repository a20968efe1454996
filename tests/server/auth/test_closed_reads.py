"""Disabled anonymous reads: without a token, every path returns nothing but a refusal."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from tests.support.batches.uploads import AVERAGES, VALID_ITEM, create_locations, upload
from tests.support.fixtures.server import Client, running_server, running_worker
from tests.support.streams import PROTOCOL, open_socket
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import DEADLINE_SECONDS, eventually

INTROSPECTION = "{ __schema { queryType { name } } }"
MUTATION = 'mutation { moveLocation(key: "CNSGH", parentSlug: "europe") { addedCount } }'
DOCUMENT = "query Averages " + AVERAGES
HASH = hashlib.sha256(DOCUMENT.encode()).hexdigest()
PERSISTED = {"persistedQuery": {"version": 1, "sha256Hash": HASH}}
SSE = {"Accept": "text/event-stream"}
HTML = {"Accept": "text/html"}
CHANGES = 'subscription { pricesChanged(origin: "CNSGH", destination: "NLRTM") { status } }'


def as_get(body: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of a GET request."""
    params = {name: value if isinstance(value, str) else json.dumps(value) for name, value in body.items()}
    return {"method": "GET", "url": "/graphql", "params": params}


def as_post(body: object) -> dict[str, Any]:
    """Return the arguments of a POST request."""
    return {"method": "POST", "url": "/graphql", "json": body}


REQUESTS: dict[str, dict[str, Any]] = {
    **{
        f"{name} by {method.__name__[3:]}": method(body)
        for method in (as_get, as_post)
        for name, body in dict[str, dict[str, Any]](
            {
                "query": {"query": AVERAGES},
                "typename": {"query": "{ __typename }"},
                "introspection": {"query": INTROSPECTION},
                "registered document": {"documentId": "averages"},
                "automatic persisted query": {"extensions": PERSISTED},
                "registration of a persisted query": {"query": DOCUMENT, "extensions": PERSISTED},
                "invalid query": {"query": "{ nothing }"},
                "syntax error": {"query": "{"},
            }
        ).items()
    },
    "mutation": as_post({"query": MUTATION}),
    "cost only": as_post({"query": AVERAGES}) | {"headers": {"GraphQL-Cost": "only"}},
    "cost report": as_get({"query": AVERAGES}) | {"headers": {"GraphQL-Cost": "report"}},
    "HEAD": as_get({"query": AVERAGES}) | {"method": "HEAD"},
    "event stream of a query": as_post({"query": AVERAGES}) | {"headers": SSE},
    "event stream by GET": as_get({"query": CHANGES}) | {"headers": SSE},
    "event stream of a subscription": as_post({"query": CHANGES}) | {"headers": SSE},
    "empty body": {"method": "POST", "url": "/graphql", "content": b""},
    "file upload": {
        "method": "POST",
        "url": "/graphql",
        "files": {"0": b""},
        "headers": {"GraphQL-Require-Preflight": "1"},
    },
    "GraphiQL": {"method": "GET", "url": "/graphql", "headers": HTML},
    "rejections of a batch": {"method": "GET", "url": "/batches/2/rejections.csv"},
    "rejections by HEAD": {"method": "HEAD", "url": "/batches/2/rejections.csv"},
    "rejections of no batch": {"method": "GET", "url": "/batches/999/rejections.csv"},
}
OPEN = {"/livez", "/readyz"}


@dataclass(frozen=True)
class ClosedServer:
    """A server with closed reads whose caches are filled, and a token for it."""

    client: Client
    url: str
    token: str
    etags: list[str]


@pytest.fixture(scope="module")
def closed(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClosedServer]:
    url = module_database_url
    create_locations(url)
    folder: Path = tmp_path_factory.mktemp("documents")
    (folder / "averages.graphql").write_text(DOCUMENT)
    token = create_api_token(url, "read", "upload")
    settings = {"anonymous_reads": False, "documents_dir": folder}
    # Open writes do not open the reads: not even callers on the same machine are admitted.
    with running_worker(url), running_server(url, writes_are_open=True, **settings) as client:
        authorized = authorization_header(token)
        client.http.headers.update(authorized)
        for price in (100, "x"):
            upload(client, {**VALID_ITEM, "price": price}, onError="SKIP_INVALID")
        etags = []
        for name, request in REQUESTS.items():
            if "event stream" not in name:
                response = client.http.request(**request)
                etags += [response.headers["etag"]] if "etag" in response.headers else []
        del client.http.headers["Authorization"]
        yield ClosedServer(client, str(client.http.base_url), token, etags)


def send(http: httpx.Client, request: dict[str, Any], **headers: str) -> httpx.Response:
    """Send the request with more headers."""
    return http.request(**{**request, "headers": {**request.get("headers", {}), **headers}})


def test_closed_reads_serve_a_caller_with_a_token(closed: ClosedServer) -> None:
    answers = {
        name: send(closed.client.http, request, **authorization_header(closed.token))
        for name, request in REQUESTS.items()
        if "query by" in name or "document by" in name or "rejections of a batch" in name or name == "GraphiQL"
    }
    assert {answer.status_code for answer in answers.values()} == {200}, answers
    assert closed.etags


@pytest.mark.parametrize("name", REQUESTS)
def test_closed_reads_refuse_every_request_without_a_token(closed: ClosedServer, name: str) -> None:
    for etag in (None, *closed.etags, "*"):
        headers = {} if etag is None else {"If-None-Match": etag}
        answer = send(closed.client.http, REQUESTS[name], **headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Bearer ")
        assert answer.headers["cache-control"] == "private, no-store"
        assert "etag" not in answer.headers
        if REQUESTS[name]["method"] != "HEAD":
            body = answer.json()
            assert set(body) == {"errors"}
            assert [error["extensions"] for error in body["errors"]] == [{"code": "UNAUTHENTICATED"}]


def test_closed_reads_close_a_websocket_without_a_token(closed: ClosedServer) -> None:
    with pytest.raises(ConnectionClosedError) as caught, open_socket(closed.url):
        pass
    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason.partition(":")[0]) == (4403, "UNAUTHENTICATED")
    # An operation before the connection is initialized is not executed either.
    address = f"{closed.url.rstrip('/').replace('http', 'ws', 1)}/graphql"
    with connect(address, subprotocols=[PROTOCOL]) as socket:
        socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": AVERAGES}}))
        with pytest.raises(ConnectionClosedError) as caught:
            socket.recv(timeout=DEADLINE_SECONDS)
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 4401


def test_closed_reads_leave_only_the_probes_and_pages_open(closed: ClosedServer) -> None:
    for path in OPEN:
        eventually(lambda path=path: closed.client.http.get(path).status_code == 200, f"{path} is closed")  # type: ignore[misc]
    # A page without data, whose queries are themselves refused, and metrics for the machine itself in development.
    assert closed.client.http.get("/").status_code == 200
    assert closed.client.http.get("/metrics", headers={"Host": "prices.example"}).status_code == 401
