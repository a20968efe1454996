"""Body limit: enforced to the byte, and early if a Content-Length is declared."""

from collections.abc import Iterator

import httpx
import pytest

from tests.support.batches.price_files import CSV, PREFLIGHT
from tests.support.fixtures.server import Client, running_server
from tests.support.http.multipart import FILE, LIMIT, MAP, OPERATIONS, batch_count, encode, error_code, open_upload


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    """Yield a server with small limits and no worker."""
    with running_server(database_url, max_body_bytes=10_000, max_upload_bytes=LIMIT) as client:
        yield client


def sized(total: int) -> bytes:
    """Return a multipart form with a total length in bytes."""
    missing = total - len(encode(OPERATIONS, MAP, FILE))
    return encode(OPERATIONS, MAP, ("0", "prices.csv", CSV + b"\n" * missing))


@pytest.mark.parametrize("has_length", [True, False])
def test_body_limit_for_file_uploads_is_enforced_to_the_byte(client: Client, *, has_length: bool) -> None:
    def post_sized(total: int) -> httpx.Response:
        body = sized(total)
        assert len(body) == total
        # A stream without a length is sent in chunks.
        content = body if has_length else iter([body[:100_000], body[100_000:]])
        headers = {"Content-Type": "multipart/form-data; boundary=xyz", **PREFLIGHT}
        return client.http.post("/graphql", content=content, headers=headers)

    assert post_sized(LIMIT).json()["data"]["uploadPriceFile"]["batch"]["status"] == "QUEUED"
    answer = post_sized(LIMIT + 1)
    assert (answer.status_code, error_code(answer)) == (413, "PAYLOAD_TOO_LARGE")
    assert f"{LIMIT:,}" in answer.text
    assert batch_count(client) == 1


@pytest.mark.parametrize("has_length", [True, False])
def test_body_limit_for_json_requests_is_enforced_to_the_byte(client: Client, *, has_length: bool) -> None:
    def post_sized(total: int) -> httpx.Response:
        body = b'{"query": "{ __typename }"}'.ljust(total)
        content = body if has_length else iter([body])
        return client.http.post("/graphql", content=content, headers={"Content-Type": "application/json"})

    assert post_sized(10_000).json() == {"data": {"__typename": "Query"}}
    answer = post_sized(10_001)
    assert (answer.status_code, error_code(answer)) == (413, "PAYLOAD_TOO_LARGE")
    assert "10,000" in answer.text


def test_body_limit_rejects_by_content_length_before_the_body_is_sent(client: Client) -> None:
    with open_upload(client, length=LIMIT + 1) as sock:
        assert sock.recv(1_000).startswith(b"HTTP/1.1 413 ")
