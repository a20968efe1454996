"""HTTP requests of any kind and their responses, for tests of content negotiation."""

import json
from typing import NamedTuple

import httpx

from tests.support.fixtures.server import Client, Json
from tests.support.streams import sse_results

JSON, STREAM, PAGE = "application/json", "text/event-stream", "text/html"
RESPONSE_JSON = "application/graphql-response+json"
EVERY_FORM = f"{RESPONSE_JSON}, application/graphql+json, {JSON}, {STREAM}, multipart/mixed"
"""Accept header of clients that name every form they can read, without weights."""


class Request(NamedTuple):
    """HTTP request of any kind."""

    method: str = "POST"
    address: str = ""
    body: bytes = b""
    content_type: str = JSON


def json_body(query: object, **others: object) -> bytes:
    """Return a JSON body."""
    return json.dumps({"query": query, **others}).encode()


def send(client: Client, accept: str | list[str] | None, request: Request, **headers: str) -> httpx.Response:
    """Send the request with exactly these headers. Accept may occur several times or not at all."""
    accepts = accept if isinstance(accept, list) else [accept]
    made = client.http.build_request(request.method, f"/graphql?{request.address}", content=request.body)
    named = [("Host", made.headers["host"]), ("Content-Length", str(len(request.body)))]
    named += [("Accept", line) for line in accepts if line is not None]
    named += [("Content-Type", request.content_type)] if request.content_type else []
    named += [(name, value) for name, value in headers.items() if value]
    made.headers = httpx.Headers([(name.encode(), value.encode("latin-1")) for name, value in named])
    return client.http.send(made)


def read(response: httpx.Response) -> list[Json]:
    """Return the results of a response, none for a page. Every rejection has a code."""
    assert response.status_code < 500, response.text
    kind = response.headers["content-type"].split(";")[0]
    if kind == PAGE:
        assert response.status_code == 200
        return []
    if response.request.method == "HEAD":
        assert response.status_code >= 400
        return []
    answers = list(sse_results(response)) if kind == STREAM else [response.json()]
    assert kind in {STREAM, JSON, "application/graphql-response+json"}
    assert answers
    for answer in answers:
        assert answer.get("errors") or (answer["data"] is not None and response.status_code == 200)
        for error in answer.get("errors", ()):
            assert error["message"]
            assert error["extensions"]["code"] != "INTERNAL_ERROR", answer
    return answers
