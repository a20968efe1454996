"""Response cache: freshness, ETags equal across servers, bounded size, opt-out."""

import json
import time
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from resolvers.data_version import DataVersion
from server.graphql_api.response_cache import ENTRY_OVERHEAD_BYTES, CachedResponse, ResponseCache
from tests.support.batches.uploads import AVERAGES, UPLOAD, VALID_ITEM, create_locations
from tests.support.databases.refusal import refused_connections
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.http.raw_http import connect, read_all
from tests.support.http.response_cache import MOVE, REVERT, cache_status
from tests.support.waiting import eventually


@pytest.fixture
def client(database_url: str) -> Iterator[Client]:
    """Yield a server with two ports, no prices, and a worker."""
    create_locations(database_url)
    with running_worker(database_url), running_server(database_url) as client:
        eventually(lambda: "etag" in get_averages(client).headers, "the response has no ETag")
        yield client


def get_averages(client: Client, query: str = AVERAGES, **headers: str) -> httpx.Response:
    """Send a query by GET."""
    return client.http.get("/graphql", params={"query": query}, headers=headers)


def upload(client: Client) -> str:
    """Upload three prices for each of two days; return the batch's id after it is applied."""
    payload = client.ask(UPLOAD, input={"prices": [VALID_ITEM] * 3, "waitMs": 30_000})["uploadPrices"]
    assert payload["batch"]["status"] == "APPLIED"
    batch_id: str = payload["batch"]["id"]
    return batch_id


def price_counts(client: Client) -> list[int]:
    """Return the price counts of the two days."""
    return [day["priceCount"] for day in client.ask(AVERAGES)["averagePrices"]]


def test_cache_serves_a_repeated_query_as_a_hit(client: Client) -> None:
    first = client.http.post("/graphql", json={"query": AVERAGES})
    second = client.http.post("/graphql", json={"query": AVERAGES})
    assert (cache_status(first), cache_status(second)) == ("ratesgraph; fwd=miss", "ratesgraph; hit")
    assert first.content == second.content


def test_cached_responses_are_not_stale_after_an_upload_returns(client: Client) -> None:
    batches = []
    for number in range(1, 6):
        assert price_counts(client) == price_counts(client) == [3 * number - 3] * 2
        batches.append(upload(client))
        assert price_counts(client) == [3 * number] * 2
    client.ask(REVERT, id=batches[0])
    assert price_counts(client) == [12, 12]
    client.ask(MOVE)
    assert price_counts(client) == [0, 0]


def test_cache_of_another_server_is_updated_within_one_second(client: Client, database_url: str) -> None:
    with running_server(database_url) as other:
        eventually(
            lambda: cache_status(get_averages(other)) == "ratesgraph; hit",
            "the other server does not cache",
        )
        assert price_counts(other) == price_counts(other) == [0, 0]
        upload(client)
        done = time.monotonic()
        eventually(lambda: price_counts(other) == [3, 3], "the other server does not serve the upload")
        assert time.monotonic() - done < 10


def test_etag_is_equal_across_servers(client: Client, database_url: str) -> None:
    with running_server(database_url) as other:
        eventually(lambda: "etag" in get_averages(other).headers, "the response has no ETag")
        assert get_averages(client).headers["etag"] == get_averages(other).headers["etag"]
        upload(client)
        eventually(
            lambda: get_averages(client).headers["etag"] == get_averages(other).headers["etag"],
            "the ETags differ",
        )


def test_etag_match_returns_304_until_the_data_changes(client: Client) -> None:
    first = get_averages(client)
    assert first.headers["cache-control"] == "public, max-age=0, must-revalidate"
    assert first.headers["vary"] == "Accept, Accept-Encoding, GraphQL-Cost, Ratesgraph-Version"
    tag = first.headers["etag"]
    again = get_averages(client, **{"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    upload(client)
    changed = get_averages(client, **{"If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["etag"] != tag
    assert changed.json()["data"]["averagePrices"][0]["priceCount"] == 3


@pytest.mark.parametrize(
    "query",
    ["{ batches { totalCount } }", "query { ...More } fragment More on Query { ... { batches { totalCount } } }",
     f"{AVERAGES[:-1]} batches {{ totalCount }} }}"],
)  # fmt: skip
def test_cache_excludes_responses_about_batches(client: Client, query: str) -> None:
    for _ in range(2):
        response = get_averages(client, query)
        assert response.json()["data"]["batches"] == {"totalCount": 0}
        assert response.headers["cache-control"] == "private, no-store"
        assert not {"etag", "cache-status"} & set(response.headers)


def test_cache_excludes_error_responses(client: Client) -> None:
    query = AVERAGES.replace("china", "chyna")
    for _ in range(2):
        response = get_averages(client, query)
        assert response.json()["errors"][0]["extensions"]["code"] == "UNKNOWN_LOCATION"
        assert response.headers["cache-control"] == "private, no-store"


def test_cache_distinguishes_variables_and_operation_names(client: Client) -> None:
    query = 'query A($key: String!) { location(key: $key) { key } } query B { location(key: "europe") { name } }'

    def ask(operation: str, key: str) -> Json:
        body = {"query": query, "operationName": operation, "variables": {"key": key}}
        data: Json = client.http.post("/graphql", json=body).json()["data"]["location"]
        return data

    for _ in range(2):
        assert ask("A", "china") == {"key": "china"}
        assert ask("A", "europe") == {"key": "europe"}
        assert ask("B", "china") == {"name": "Name of europe"}


def test_cache_is_bypassed_while_change_notifications_are_unavailable(
    client: Client, database_url: str, postgres: str
) -> None:
    price_counts(client)
    upload(client)
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        # Otherwise the server listens again before anyone sees that it does not.
        refused_connections(database_url, postgres),
    ):
        listening = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        for (pid,) in connection.execute(listening).fetchall():
            connection.execute("SELECT pg_terminate_backend(%s)", (pid,))
        eventually(lambda: "etag" not in get_averages(client).headers, "the response still has an ETag")
        assert price_counts(client) == [3, 3]
    eventually(lambda: "etag" in get_averages(client).headers, "the response has no ETag")


def test_cache_can_be_disabled_by_a_setting(client: Client, database_url: str) -> None:  # noqa: ARG001
    with running_server(database_url, cache_bytes=0) as bare:
        eventually(lambda: "etag" in get_averages(bare).headers, "the response has no ETag")
        assert {cache_status(get_averages(bare)) for _ in range(3)} == {"ratesgraph; fwd=miss"}


def test_cache_is_bounded_and_evicts_the_least_recently_used_entry() -> None:
    version = DataVersion()
    version.on_change("1", "test")
    answers = ResponseCache(version, max_bytes=4 * (ENTRY_OVERHEAD_BYTES + 201))
    keys = [("POST", b"%d" % number) for number in range(8)]
    assert answers.get(keys[0]) is None
    for key in keys[1:5]:
        answers.put(key, CachedResponse(b"x" * 100), "1")
    assert answers.get(keys[1]) is not None
    answers.put(keys[5], CachedResponse(b"x" * 100), "1")
    assert [answers.get(key) is not None for key in keys[1:6]] == [True, False, True, True, True]
    answers.put(keys[6], CachedResponse(b"x" * 5_000), "1")
    assert answers.get(keys[6]) is None
    answers.put(keys[7], CachedResponse(b""), "0")
    assert answers.get(keys[7]) is None, "the entry is of an older data version"
    version.on_change("2", "test")
    assert answers.get(keys[1]) is None


@pytest.mark.parametrize("methods", [("GET", "POST"), ("POST", "GET")])
def test_cache_separates_a_query_string_from_a_body_of_the_same_bytes(client: Client, methods: tuple[str, str]) -> None:
    # A JSON object and a query string, with another query in each. Blanks and quotes of clients are percent-encoded, but the
    # HTTP parser accepts quotes in a URL.
    request = b'{"query":"{body:locations{totalCount}}","x":"&query={url:locations{totalCount}}&"}'
    answers: dict[str, list[Json]] = {"GET": [], "POST": []}
    for method in methods * 2:
        head = b"Host: localhost\r\nAccept: application/json\r\nConnection: close\r\n"
        if method == "GET":
            sent = b"GET /graphql?%b HTTP/1.1\r\n%b\r\n" % (request, head)
        else:
            head += b"Content-Type: application/json\r\nContent-Length: %d\r\n" % len(request)
            sent = b"POST /graphql HTTP/1.1\r\n%b\r\n%b" % (head, request)
        with connect(client) as sock:
            sock.sendall(sent)
            answers[method].append(json.loads(read_all(sock).partition(b"\r\n\r\n")[2]))
    count = {"totalCount": 4}
    assert answers == {"GET": [{"data": {"url": count}}] * 2, "POST": [{"data": {"body": count}}] * 2}


def test_variables_in_the_query_string_are_parsed_as_json(client: Client) -> None:
    query = "query ($key: String!) { location(key: $key) { key } }"
    response = client.http.get("/graphql", params={"query": query, "variables": json.dumps({"key": "china"})})
    assert response.json() == {"data": {"location": {"key": "china"}}}
