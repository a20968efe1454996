"""Hostile bodies and URLs: rejected with 4xx and JSON, quickly and in bounded memory."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from websockets.exceptions import ConnectionClosedError

from server.runtime.websocket_protocol import MAX_WEBSOCKET_MESSAGE_BYTES
from tests.support.hostile import Target, check_quick, error_codes
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.streams import open_socket, receive
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import DEADLINE_SECONDS

UPLOAD = "mutation ($prices: [PriceInput!]!) { uploadPrices(input: {prices: $prices}) { replayed } }"
PAGE = "query ($n: Int!) { locations(first: $n) { totalCount } }"
LIMIT = 100_000


def request_body(query: str, variables: str) -> bytes:
    """Return a body with the variables as raw text, which may be invalid JSON."""
    return f'{{"query": {json.dumps(query)}, "variables": {variables}}}'.encode()


BODIES = {
    "lists 100,000 deep": (b"[" * 100_000, 400),
    "lists 1,000 deep, closed": (b"[" * 1_000 + b"]" * 1_000, 400),
    "objects 1,100 deep": (request_body(PAGE, '{"n": ' + '{"a": ' * 1_100 + "1" + "}" * 1_100 + "}"), 400),
    "objects 900 deep": (request_body(PAGE, '{"n": ' + '{"a": ' * 900 + "1" + "}" * 900 + "}"), 200),
    "an integer of 65 bits": (request_body(PAGE, '{"n": 18446744073709551616}'), 200),
    "an integer of 33 bits": (request_body(PAGE, '{"n": 8589934592}'), 200),
    "an integer of 5,000 digits": (request_body(PAGE, '{"n": ' + "9" * 5_000 + "}"), 400),
    "a float overflow": (request_body(PAGE, '{"n": 1e400}'), 400),
    "NaN": (request_body(PAGE, '{"n": NaN}'), 400),
    "invalid UTF-8": (b'{"query": "\xff\xfe"}', 400),
    "a surrogate in UTF-8": (b'{"query": "\xed\xa0\x80"}', 400),
    "an escaped surrogate": (b'{"query": "\\ud800"}', 400),
    "an escaped surrogate among the variables": (request_body(PAGE, '{"n": "\\udfff"}'), 400),
    "an array": (json.dumps([{"query": "{ __typename }"}] * 10).encode(), 400),
    "a byte order mark": (b'\xef\xbb\xbf{"query": "{ __typename }"}', 400),
    "UTF-16": ('{"query": "{ __typename }"}'.encode("utf-16"), 400),
    "empty body": (b"", 400),
    "lists up to the body limit": (request_body(PAGE, '{"n": [' + "[]," * 33_000 + "1]}"), 200),
    "a body above the body limit": (
        request_body("{ __typename }", '{"a": "' + "x" * (LIMIT - 48) + '"}') + b" " * 1_000,
        413,
    ),
    "5 MB": (request_body("{ __typename" + " " * 5_000_000 + "}", "{}"), 413),
    "31 MB of lists": (request_body("{ __typename }", '{"a": [' + "[]," * 10_300_000 + "1]}"), 413),
}
ITEMS = {
    "lists 900 deep": request_body(UPLOAD, '{"prices": ' + "[" * 900 + "]" * 900 + "}"),
    "numbers": request_body(UPLOAD, '{"prices": [' + ",".join(["1"] * 45_000) + "]}"),
    "450,000 numbers": request_body(UPLOAD, '{"prices": [' + ",".join(["1"] * 450_000) + "]}"),
    "items with an invalid last one": request_body(
        UPLOAD,
        '{"prices": [' + '{"dateFrom":"","origin":"","destination":"","price":1},' * 10_000 + '{"price": true}]}',
    ),
    "every 200th item invalid": request_body(
        UPLOAD,
        '{"prices": [' + ('{"dateFrom":"","price":1},' * 199 + '{"price": []},') * 50 + '{"price": true}]}',
    ),
}
"""Bodies of callers with upload scope."""


@pytest.fixture(scope="module")
def target(module_database_url: str) -> Iterator[Target]:
    """Yield a server process shared by the tests, without anonymous writes."""
    with serving(module_database_url) as (process, url), httpx.Client(base_url=url, timeout=DEADLINE_SECONDS) as http:
        wait_until_answered(url)
        yield Target(url, process.pid, http)


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("accept", ["application/json", "text/event-stream"])
def test_hostile_body_is_answered_quickly_with_the_expected_status(target: Target, name: str, accept: str) -> None:
    body, status = BODIES[name]

    def send() -> httpx.Response:
        return target.post(body, Accept=accept)

    # The transfer of the largest bodies exceeds the time limit.
    response = check_quick(target, send) if len(body) < 1_000_000 else send()
    assert response.status_code == status
    if response.headers["content-type"].startswith("application/json"):
        assert error_codes(response)


@pytest.mark.parametrize("name", ITEMS)
def test_hostile_upload_items_are_rejected_quickly_with_a_code(
    target: Target, module_database_url: str, name: str
) -> None:
    token = authorization_header(create_api_token(module_database_url, "upload"))
    response = check_quick(target, lambda: target.post(ITEMS[name], **token))
    assert response.status_code == 200
    codes = error_codes(response)
    assert codes & {"BAD_USER_INPUT", "INVALID_PRICE"}
    assert codes <= {"BAD_USER_INPUT", "INVALID_PRICE", "TOO_MANY_ERRORS"}


@pytest.mark.parametrize("token_given", [True, False])
@pytest.mark.parametrize("id_", ["%00", "99999999999999999999", "-1", "%F0%9F%9A%A2"])
def test_rejections_download_with_an_impossible_batch_id_is_rejected(
    target: Target, module_database_url: str, id_: str, *, token_given: bool
) -> None:
    token = authorization_header(create_api_token(module_database_url, "upload")) if token_given else {}
    response = check_quick(target, lambda: target.http.get(f"/batches/{id_}/rejections.csv", headers=token))
    expected = (404, {"UNKNOWN_BATCH"}) if token_given else (401, {"UNAUTHENTICATED"})
    assert (response.status_code, error_codes(response)) == expected


@pytest.mark.parametrize("has_length", [True, False])
def test_body_limit_is_enforced_to_the_byte(target: Target, *, has_length: bool) -> None:
    def post(length: int) -> httpx.Response:
        body = request_body("{ __typename }", "{}").ljust(length)
        # A stream without a length is sent in chunks.
        content = body if has_length else iter([body[:50_000], body[50_000:]])
        return target.http.post("/graphql", content=content, headers={"Content-Type": "application/json"})

    assert post(LIMIT).json() == {"data": {"__typename": "Query"}}
    refused = post(LIMIT + 1)
    assert (refused.status_code, error_codes(refused)) == (413, {"PAYLOAD_TOO_LARGE"})


@pytest.mark.parametrize(
    ("message", "close_code"),
    [
        ("[" * 90_000, 4400),
        ("[" + "[]," * 30_000 + "1]", 4400),
        ("[" * 900_000, 1009),
        ("[" + "[]," * 300_000 + "1]", 1009),
        ('{"type": "subscribe", "id": "1", "payload": ' + "[" * 900 + "]" * 900 + "}", 4400),
        ("x" * (MAX_WEBSOCKET_MESSAGE_BYTES + 1), 1009),
    ],
)
def test_hostile_websocket_message_closes_only_its_own_connection(
    target: Target, message: str, close_code: int
) -> None:
    with open_socket(target.url) as socket, open_socket(target.url) as other:
        socket.send(message)
        with pytest.raises(ConnectionClosedError) as caught:
            socket.recv(timeout=DEADLINE_SECONDS)
        assert caught.value.rcvd is not None
        assert caught.value.rcvd.code == close_code
        other.send('{"type": "ping"}')
        assert receive(other) == {"type": "pong"}


def test_body_limit_bounds_memory_under_concurrent_oversized_bodies(target: Target) -> None:
    body, status = BODIES["31 MB of lists"]

    def send(_: int) -> int:
        headers = {"Content-Type": "application/json"}
        return httpx.post(f"{target.url}/graphql", content=body, headers=headers, timeout=DEADLINE_SECONDS).status_code

    send(0)
    before = target.memory()
    with ThreadPoolExecutor(4) as threads:
        assert set(threads.map(send, range(12))) == {status}
    assert target.memory() < before + 100_000_000


ADDRESSES = [
    "?query",
    "?=",
    "?&&&",
    "?query=a&query=b",
    "?query=%ff",
    "?query=%ED%A0%80",
    "?query=%00",
    "?query=" + "%20" * 10_000,
    "?query={__typename}&variables=%7B",
    "?query={__typename}&variables=" + "[" * 5_000,
    "?" + "a=1&" * 30,
    "?extensions={}",
    '?extensions={"persistedQuery":{"version":1,"sha256Hash":"../../x"}}',
    "?documentId=../x",
    "?documentId=%00",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_hostile_query_string_is_rejected_quickly_with_a_code(target: Target, address: str) -> None:
    response = check_quick(
        target, lambda: target.http.get(f"/graphql{address}", headers={"Accept": "application/json"})
    )
    assert response.status_code == 400 or error_codes(response) <= {"PERSISTED_QUERY_NOT_FOUND", "GRAPHQL_PARSE_FAILED"}
    assert error_codes(response)


@pytest.mark.parametrize(
    ("path", "method", "status", "code"),
    [
        ("/nothing", "GET", 404, "NOT_FOUND"),
        ("/graphql/..%2f..%2fetc%2fpasswd", "GET", 404, "NOT_FOUND"),
        ("/%00", "GET", 404, "NOT_FOUND"),
        ("/livez", "POST", 405, "METHOD_NOT_ALLOWED"),
        ("/batches/1/rejections.csv", "DELETE", 405, "METHOD_NOT_ALLOWED"),
        ("/batches/..%2f..%2fx/rejections.csv", "GET", 404, "NOT_FOUND"),
        ("/graphql", "TRACE", 405, "METHOD_NOT_ALLOWED"),
        ("/graphql", "OPTIONS", 405, "METHOD_NOT_ALLOWED"),
    ],
)
def test_unknown_paths_and_methods_are_rejected_with_a_json_error(
    target: Target, path: str, method: str, status: int, code: str
) -> None:
    response = check_quick(target, lambda: target.http.request(method, path))
    assert (response.status_code, error_codes(response)) == (status, {code})
    assert ("allow" in response.headers) == (status == 405)
