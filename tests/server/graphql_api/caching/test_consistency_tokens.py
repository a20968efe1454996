"""Consistency tokens: other servers answer with what a response has reported."""

import asyncio
from collections.abc import Iterator

import httpx
import psycopg
import pytest

from db.notifications import POSITIONS, open_notifications
from db.pool import API, open_pool
from resolvers.data_version import DataVersion
from server.graphql_api.consistency_tokens import ConsistencyTokens
from tests.support.batches.uploads import AVERAGES, UPLOAD, VALID_ITEM, create_locations
from tests.support.fixtures.server import Client, Json, running_server, running_worker
from tests.support.http.response_cache import cache_status
from tests.support.waiting import eventually

NAME = "Ratesgraph-Version"
UPLOAD_AND_WAIT: Json = {"query": UPLOAD, "variables": {"input": {"prices": [VALID_ITEM], "waitMs": 30_000}}}
BATCHES = "{ batches { totalCount } }"
SERIES = "/series.csv?lane=china:europe&dateFrom=2024-01-01&dateTo=2024-01-02"
BEYOND = "FFFFFFFF/FFFFFFFF"
"""A position that no primary reaches."""


@pytest.fixture(scope="module")
def servers(module_database_url: str) -> Iterator[tuple[Client, Client]]:
    """Yield clients of two servers with the same database."""
    create_locations(module_database_url)
    with (
        running_worker(module_database_url),
        running_server(module_database_url, cors_origins="https://app.example") as one,
        running_server(module_database_url) as other,
    ):
        yield one, other


def get(client: Client, token: str | None = None, query: str = AVERAGES) -> httpx.Response:
    """Send a query by GET, with the token of an earlier response."""
    return client.http.get("/graphql", params={"query": query}, headers={} if token is None else {NAME: token})


def count_of(response: httpx.Response) -> int:
    """Return the number of prices of the first day."""
    count: int = response.json()["data"]["averagePrices"][0]["priceCount"]
    return count


def test_other_server_answers_with_the_changes_before_the_token(servers: tuple[Client, Client]) -> None:
    one, other = servers
    for _ in range(10):
        eventually(lambda: cache_status(get(other)) == "ratesgraph; hit", "nothing is cached")
        before = count_of(get(other))
        response = one.http.post("/graphql", json=UPLOAD_AND_WAIT)
        assert response.json()["data"]["uploadPrices"]["batch"]["status"] == "APPLIED"
        assert count_of(get(other, response.headers[NAME])) == before + 1


def test_received_token_leaves_cache_and_etag_in_use(servers: tuple[Client, Client]) -> None:
    one, other = servers
    token = one.http.post("/graphql", json=UPLOAD_AND_WAIT).headers[NAME]
    eventually(lambda: cache_status(get(other, token)) == "ratesgraph; hit", "nothing is cached")
    response = get(other, token)
    assert NAME in response.headers["vary"]
    assert NAME not in response.headers
    unchanged = other.http.get(
        "/graphql", params={"query": AVERAGES}, headers={NAME: token, "If-None-Match": response.headers["etag"]}
    )
    assert (unchanged.status_code, NAME in unchanged.headers["vary"]) == (304, True)


def test_position_beyond_the_primary_is_answered_by_the_primary_without_caches(servers: tuple[Client, Client]) -> None:
    one, _ = servers
    eventually(lambda: cache_status(get(one)) == "ratesgraph; hit", "nothing is cached")
    response = get(one, BEYOND)
    assert count_of(response) == count_of(get(one))
    assert response.headers["cache-control"] == "private, no-store"
    assert {"etag", "cache-status"}.isdisjoint(response.headers)


def test_token_is_sent_with_responses_that_report_changes(servers: tuple[Client, Client]) -> None:
    one, _ = servers
    assert NAME in one.http.post("/graphql", json={"query": BATCHES}).headers
    assert (
        NAME in one.http.post("/graphql", json={"query": 'mutation { revertBatch(id: "0") { batch { id } } }'}).headers
    )
    assert NAME not in one.http.post("/graphql", json={"query": "{ unknown }"}).headers
    assert NAME not in one.http.post("/graphql", json={"query": AVERAGES}).headers


@pytest.mark.parametrize("token", ["", "0", "0/", "0/0/0", "-1/0", "0/100000000", "0/x", "é", "0/1, 0/2"])
@pytest.mark.parametrize("path", ["/graphql?query={__typename}", SERIES])
def test_malformed_token_is_a_bad_parameter(servers: tuple[Client, Client], path: str, token: str) -> None:
    one, _ = servers
    response = one.http.get(path, headers={NAME.encode(): token.encode("latin-1")})
    assert response.status_code == 400
    assert response.json()["errors"][0]["extensions"]["code"] == "BAD_PARAMETER"


def test_download_contains_the_changes_before_the_token(servers: tuple[Client, Client]) -> None:
    one, other = servers
    before = other.http.get(SERIES).text
    token = one.http.post("/graphql", json=UPLOAD_AND_WAIT).headers[NAME]
    assert other.http.get(SERIES, headers={NAME: token}).text != before
    beyond = other.http.get(SERIES, headers={NAME: BEYOND})
    assert (beyond.status_code, "etag" in beyond.headers) == (200, False)
    assert NAME in other.http.get(SERIES).headers["vary"]


def test_pages_of_allowed_origins_may_send_and_read_the_token(servers: tuple[Client, Client]) -> None:
    one, _ = servers
    origin = {"Origin": "https://app.example"}
    preflight = origin | {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": NAME}
    assert one.http.options("/graphql", headers=preflight).status_code == 200
    response = one.http.post("/graphql", json={"query": BATCHES}, headers=origin)
    assert NAME in response.headers["access-control-expose-headers"]


def test_token_is_answered_by_the_primary_while_announcements_do_not_arrive(
    servers: tuple[Client, Client], module_database_url: str
) -> None:
    one, other = servers
    eventually(lambda: cache_status(get(other)) == "ratesgraph; hit", "nothing is cached")
    before = count_of(get(other))
    with psycopg.connect(module_database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN %'")
    token = one.http.post("/graphql", json=UPLOAD_AND_WAIT).headers[NAME]
    assert count_of(get(other, token)) == before + 1


@pytest.mark.anyio
async def test_token_received_before_an_outage_is_compared_again_after_it(database_url: str) -> None:
    version = DataVersion()
    version.initialize("1")
    async with open_pool(database_url, API, max_size=2) as pool:
        async with open_notifications(database_url, POSITIONS) as notifications:
            tokens = ConsistencyTokens(pool, notifications, version)
            token = await tokens.issue()
            assert token is not None
            async with asyncio.timeout(60):
                while not await tokens.has_received(token):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        # Nothing arrives any more.
        assert await tokens.has_received(token)
        version.reset()
        version.initialize("2")
        assert not await tokens.has_received(token)
