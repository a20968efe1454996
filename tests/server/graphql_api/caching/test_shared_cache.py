"""Shared cache in a real Redis: one computation for several servers.

None of its failures reaches a client.
"""

import gzip
import logging
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import pytest
from pydantic import SecretStr

from server.config.settings import Settings
from server.graphql_api.shared_cache import shared_responses, store
from server.observability.redaction import find_secrets
from tests.support.batches.uploads import UPLOAD, VALID_ITEM, create_locations
from tests.support.fixtures.server import Client, running_server, running_worker
from tests.support.redis import PASSWORD, RedisServer, running_redis
from tests.support.tokens import authorization_header, create_api_token
from tests.support.waiting import eventually

DEAR = """
query ($from: Date = "2024-01-01") {
  averagePrices(dateFrom: $from, dateTo: "2024-12-31", origin: "CNSGH", destination: "NLRTM") { lowPrice highPrice }
}
"""
CHEAP = '{ averagePrices(dateFrom: "2024-01-01", dateTo: "2024-01-02", origin: "CNSGH", destination: "NLRTM") { day } }'
PLANTED = {"averagePrices": [{"lowPrice": 1.0, "highPrice": 2.0}]}
ASKERS = 50


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait longer for Redis and for each other, as on a busy machine."""
    monkeypatch.setattr(store, "CALL_SECONDS", 10.0)
    monkeypatch.setattr(store, "CLAIM_SECONDS", 60)
    monkeypatch.setattr(shared_responses, "WAIT_SECONDS", 60.0)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """Yield a running Redis."""
    with running_redis() as redis:
        yield redis


@pytest.fixture
def database(database_url: str) -> str:
    """Return the URL of a database with locations."""
    create_locations(database_url)
    return database_url


def connect(redis: RedisServer) -> Any:  # noqa: ANN401
    """Return a client of Redis."""
    return pytest.importorskip("redis").Redis.from_url(redis.url)


def keys(redis: RedisServer) -> set[bytes]:
    """Return the keys of stored responses."""
    return {*connect(redis).keys("ratesgraph:*")}


def plant(redis: RedisServer) -> None:
    """Replace all stored responses, so that a response shows whether it comes from the store."""
    client = connect(redis)
    for key in client.keys("ratesgraph:*"):
        client.set(key, gzip.compress(b'{"data":{"averagePrices":[{"lowPrice":1.0,"highPrice":2.0}]}}'))


def sharing(
    database: str, redis: RedisServer, *, cache_bytes: int = 64_000_000, anonymous_reads: bool = True
) -> AbstractContextManager[Client]:
    """Run a server that shares its responses."""
    return running_server(
        database, cache_url=SecretStr(redis.url), cache_bytes=cache_bytes, anonymous_reads=anonymous_reads
    )


def wait_until_tracked(client: Client, headers: Mapping[str, str] | None = None) -> None:
    """Wait until the server knows the version of the data."""
    query = {"query": "{ __typename }"}
    eventually(
        lambda: "etag" in client.http.get("/graphql", params=query, headers=headers).headers, "no version is known"
    )


def test_shared_cache_answers_what_another_server_computed(database: str, redis: RedisServer) -> None:
    with sharing(database, redis) as first, sharing(database, redis) as second:
        wait_until_tracked(first)
        wait_until_tracked(second)
        computed = first.ask(DEAR)
        assert len(computed["averagePrices"]) == 366
        assert len(keys(redis)) == 1
        assert connect(redis).ttl(keys(redis).pop()) > store.CLAIM_SECONDS
        plant(redis)
        assert second.ask(DEAR) == PLANTED
        assert first.ask(DEAR) == computed


def count_calls(client: Client) -> dict[str, int]:
    """Return the calls of the shared cache by result, over all servers of this process."""
    lines = client.http.get("/metrics").text.splitlines()
    rows = [line.rsplit(" ", 1) for line in lines if line.startswith("ratesgraph_shared_cache_total{")]
    return {"hit": 0, "miss": 0, "error": 0} | {labels.split('"')[1]: int(float(value)) for labels, value in rows}


def test_shared_cache_computes_once_for_many_askers(database: str, redis: RedisServer) -> None:
    with sharing(database, redis, cache_bytes=0) as first, sharing(database, redis, cache_bytes=0) as second:
        wait_until_tracked(first)
        wait_until_tracked(second)
        before = count_calls(first)
        with ThreadPoolExecutor(ASKERS) as pool:
            found = [*pool.map(lambda number: (first, second)[number % 2].ask(DEAR), range(ASKERS))]
        assert all(data == found[0] for data in found)

        def count() -> dict[str, int]:
            return {result: calls - before[result] for result, calls in count_calls(first).items()}

        eventually(lambda: sum(count().values()) == ASKERS, "not all calls are counted")
        assert count() == {"hit": ASKERS - 1, "miss": 1, "error": 0}


def test_shared_cache_ignores_cheap_and_private_responses(database: str, redis: RedisServer) -> None:
    with sharing(database, redis) as client:
        wait_until_tracked(client)
        client.ask(CHEAP)
        client.http.post("/graphql", json={"query": DEAR}, headers={"GraphQL-Cost": "report"})
        client.ask("{ viewer { __typename } }")
        assert not keys(redis)


def test_shared_cache_needs_the_read_scope(database: str, redis: RedisServer) -> None:
    with sharing(database, redis, anonymous_reads=False) as client:
        token = create_api_token(database, "read")
        headers = authorization_header(token)
        wait_until_tracked(client, headers)
        client.http.post("/graphql", json={"query": DEAR}, headers=headers)
        assert len(keys(redis)) == 1
        plant(redis)
        assert client.http.post("/graphql", json={"query": DEAR}).status_code == 401


def test_shared_cache_separates_versions(database: str, redis: RedisServer) -> None:
    with sharing(database, redis) as client, running_worker(database):
        wait_until_tracked(client)
        client.ask(DEAR)
        plant(redis)
        old = keys(redis)
        client.ask(UPLOAD, input={"prices": [VALID_ITEM] * 3, "waitMs": 30_000})
        # Until its announcement arrives, the change has a name that only this process knows.
        eventually(lambda: client.ask(DEAR) != PLANTED and len(keys(redis) - old) == 1, "the change is not shared")


def test_shared_cache_separates_databases(database: str, module_database_url: str, redis: RedisServer) -> None:
    create_locations(module_database_url)
    with sharing(database, redis) as client, sharing(module_database_url, redis) as other:
        wait_until_tracked(client)
        wait_until_tracked(other)
        client.ask(DEAR)
        plant(redis)
        assert other.ask(DEAR) != PLANTED
        assert len(keys(redis)) == 2


@pytest.mark.parametrize("value", [b"?!", b"", gzip.compress(b"{}")[:-4]], ids=["no gzip", "nothing", "cut"])
def test_shared_cache_computes_in_place_of_a_damaged_value(database: str, redis: RedisServer, value: bytes) -> None:
    with sharing(database, redis, cache_bytes=0) as client:
        wait_until_tracked(client)
        computed = client.ask(DEAR)
        (key,) = keys(redis)
        connect(redis).set(key, value)
        assert client.ask(DEAR) == computed
        plant(redis)
        assert client.ask(DEAR) == PLANTED
        connect(redis).flushall()
        assert client.ask(DEAR) == computed


def test_shared_cache_that_is_dead_or_hangs_fails_no_request(
    database: str, redis: RedisServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(store, "CALL_SECONDS", 0.2)
    monkeypatch.setattr(store, "FAILURE_BACKOFF_SECONDS", 0.1)
    with sharing(database, redis, cache_bytes=0) as client:
        wait_until_tracked(client)
        computed = client.ask(DEAR)
        redis.kill()
        assert [client.ask(DEAR) for _ in range(5)] == [computed] * 5
        redis.start()
        eventually(lambda: bool(client.ask(DEAR) == computed and keys(redis)), "the store is not used again")
        redis.suspend()
        assert [client.ask(DEAR) for _ in range(5)] == [computed] * 5
    assert "shared cache unavailable" in caplog.text
    assert PASSWORD not in caplog.text


def test_shared_cache_with_a_wrong_password_fails_no_request(
    database: str, redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    url = SecretStr(redis.url.replace(PASSWORD, "ebb-ebb-ebb"))
    with caplog.at_level(logging.WARNING), running_server(database, cache_url=url) as client:
        wait_until_tracked(client)
        assert len(client.ask(DEAR)["averagePrices"]) == 366
    assert not keys(redis)
    assert "shared cache unavailable (AuthenticationError)" in caplog.text
    assert "ebb-ebb-ebb" not in caplog.text


def test_cache_url_is_checked_and_redacted(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("http://cache:80", "redis://cache:port", "memcached://cache"):
        monkeypatch.setenv("RATESGRAPH_CACHE_URL", url)
        with pytest.raises(ValueError, match="shared cache"):
            Settings()
    monkeypatch.setenv("RATESGRAPH_CACHE_URL", f"redis://:{PASSWORD}@cache:6379/0")
    assert find_secrets(Settings()) == {PASSWORD}
