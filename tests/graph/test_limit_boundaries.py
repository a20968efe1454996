"""Boundary tests: each limit accepts its exact value and rejects the next one.

Documents, cost, bodies, streams and rates have separate tests. The other limits are here.
"""

import json
import socket
from collections.abc import Iterator

import pytest
from graphql import GraphQLError
from websockets.exceptions import ConnectionClosedError

from graph.execution.document_limits import MAX_DIGITS, QueryLimits, parse_limited
from resolvers.tree import MAX_ENTRIES
from resolvers.uploads.batches import MAX_USER_ERRORS
from server.http.multipart import MAX_FIELD_BYTES
from server.runtime.request_parsing import MAX_HEAD_BYTES
from server.runtime.websocket_protocol import MAX_WEBSOCKET_MESSAGE_BYTES
from tests.support.batches.uploads import UPLOAD, VALID_ITEM, create_locations
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.http.multipart import FILE, MAP, OPERATION, encode, post
from tests.support.streams import open_socket, receive
from tests.support.waiting import DEADLINE_SECONDS

PAGES = {
    "locations": "query ($first: Int) { locations(first: $first) { totalCount } }",
    "batches": "query ($first: Int) { batches(first: $first) { totalCount } }",
    "rejections": 'query ($first: Int) { batch(id: "1") { rejections(first: $first) { totalCount } } }',
    "lanes": 'query ($first: Int) { batch(id: "1") { lanes(first: $first) { totalCount } } }',
}
MAX_ITEMS = 2_000


@pytest.fixture(scope="module")
def client(module_database_url: str) -> Iterator[Client]:
    """A server over two ports and one batch. The tests leave no visible trace."""
    create_locations(module_database_url)
    with (
        running_worker(module_database_url),
        running_server(module_database_url, max_items=MAX_ITEMS, max_page_size=40) as client,
    ):
        assert upload(client, [VALID_ITEM])["batch"]["number"] == 1
        yield client


def upload(client: Client, prices: list[Json], **options: object) -> Json:
    """Upload and return the payload."""
    payload: Json = client.ask(UPLOAD, input={"prices": prices, "waitMs": 30_000, **options})["uploadPrices"]
    return payload


@pytest.mark.parametrize("query", PAGES.values(), ids=PAGES)
def test_page_size_is_limited_inclusively_from_one_to_the_maximum(client: Client, query: str) -> None:
    for first in (1, 40):
        assert client.ask(query, first=first)
    for first in (0, 41):
        failure = client.fail(query, first=first)
        assert failure["extensions"] == {"code": "INVALID_PAGE_SIZE", "argument": "first", "variable": "first"}


def test_document_limits_on_tokens_are_inclusive_and_admit_fifty_lanes_by_default(client: Client) -> None:
    limits = QueryLimits(max_tokens=12)
    parse_limited("{ " + "a " * 10 + "}", limits)
    with pytest.raises(GraphQLError) as refused:
        parse_limited("{ " + "a " * 11 + "}", limits)
    assert refused.value.extensions == {"code": "TOO_MANY_TOKENS"}
    # By default a document of up to fifty written-out lanes fits.
    lane = 'averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-01", origin: "CNSGH", destination: "NLRTM") { day }'
    lanes = "{ " + " ".join(f"a{number}: {lane}" for number in range(50)) + " }"
    assert len(client.ask(lanes)) == 50


def test_document_limits_on_the_digits_of_a_number_are_inclusive() -> None:
    parse_limited(f"{{ a(b: {'1' * MAX_DIGITS}) }}", QueryLimits())
    with pytest.raises(GraphQLError) as refused:
        parse_limited(f"{{ a(b: {'1' * (MAX_DIGITS + 1)}) }}", QueryLimits())
    assert refused.value.extensions == {"code": "GRAPHQL_PARSE_FAILED"}


def test_upload_wait_limits_are_inclusive(client: Client) -> None:
    for wait_ms in (0, 30_000):
        assert upload(client, [VALID_ITEM], waitMs=wait_ms)["batch"]
    for wait_ms in (-1, 30_001):
        failure = client.fail(UPLOAD, input={"prices": [VALID_ITEM], "waitMs": wait_ms})
        wait = {"argument": "input", "field": "waitMs", "variable": "input"}
        assert failure["extensions"] == {"code": "INVALID_WAIT", **wait}


def test_idempotency_key_length_limits_are_inclusive(client: Client) -> None:
    for key in ("k", "k" * 200):
        assert upload(client, [VALID_ITEM], idempotencyKey=key)["userErrors"] == []
    for key in ("", "k" * 201):
        (error,) = upload(client, [VALID_ITEM], idempotencyKey=key)["userErrors"]
        assert error["code"] == "INVALID_IDEMPOTENCY_KEY"


def test_upload_item_limit_is_inclusive_and_listed_user_errors_are_capped(client: Client) -> None:
    wrong = {**VALID_ITEM, "price": "x"}
    for count in (MAX_USER_ERRORS, MAX_USER_ERRORS + 1, MAX_ITEMS):
        payload = upload(client, [wrong] * count)
        assert len(payload["userErrors"]) == MAX_USER_ERRORS
        assert payload["batch"]["rejectedCount"] == count
    payload = upload(client, [wrong] * (MAX_ITEMS + 1))
    assert payload["batch"] is None
    assert [error["code"] for error in payload["userErrors"]] == ["TOO_MANY_ITEMS"]


def test_region_tree_change_size_limits_are_inclusive(client: Client) -> None:
    query = "mutation ($regions: [RegionInput!]!) { upsertRegions(regions: $regions) { userErrors { code } } }"
    # All of one name: rejected for that reason once they are few enough to be checked.
    codes = {
        count: client.ask(query, regions=[{"slug": "same", "name": "Same"}] * count)["upsertRegions"]["userErrors"]
        for count in (0, MAX_ENTRIES, MAX_ENTRIES + 1)
    }
    assert codes[0] == [{"code": "EMPTY_BATCH"}]
    assert codes[MAX_ENTRIES] not in ([], [{"code": "TOO_MANY_ITEMS"}])
    assert codes[MAX_ENTRIES + 1] == [{"code": "TOO_MANY_ITEMS"}]


def test_query_string_parameter_limit_is_inclusive(client: Client) -> None:
    for more, status in ((19, 200), (20, 400)):
        answer = client.http.get(f"/graphql?query={{__typename}}{'&x=1' * more}")
        assert answer.status_code == status
        assert status == 200 or answer.json()["errors"][0]["extensions"] == {"code": "BAD_PARAMETER"}


def test_multipart_field_size_limit_is_inclusive(client: Client) -> None:
    for size, status in ((MAX_FIELD_BYTES, 200), (MAX_FIELD_BYTES + 1, 400)):
        operations = ("operations", None, json.dumps(OPERATION).encode().ljust(size))
        answer = post(client, encode(operations, MAP, FILE))
        assert answer.status_code == status, answer.text
        assert status == 200 or answer.json()["errors"][0]["extensions"] == {"code": "BAD_MULTIPART"}


def test_request_head_size_limit_is_inclusive(client: Client) -> None:
    head = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Long: "
    for size, status in ((MAX_HEAD_BYTES, b"200"), (MAX_HEAD_BYTES + 1, b"431")):
        address = (client.http.base_url.host, client.http.base_url.port or 80)
        with socket.create_connection(address, timeout=DEADLINE_SECONDS) as sock:
            # The empty line at the end counts too.
            sock.sendall(head.ljust(size - 4, b"x") + b"\r\n\r\n")
            answer = b""
            while chunk := sock.recv(4_096):
                answer += chunk
        assert answer.split(b" ")[1] == status


def test_websocket_message_size_limit_is_inclusive(client: Client) -> None:
    def ping(size: int) -> str:
        frame = '{"type": "ping", "payload": {"x": "%s"}}'
        return frame % ("x" * (size - len(frame) + 2))

    with open_socket(str(client.http.base_url)) as opened:
        opened.send(ping(MAX_WEBSOCKET_MESSAGE_BYTES))
        assert receive(opened) == {"type": "pong"}
        opened.send(ping(MAX_WEBSOCKET_MESSAGE_BYTES + 1))
        with pytest.raises(ConnectionClosedError) as closed:
            receive(opened)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1009
