"""Rate limits counted in a real Redis: exact across processes.

They stay bounded while Redis is killed, hung, full or restarted.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from pydantic import SecretStr

from server.rate_limiting import shared_storage
from tests.support.http.rate_limits import LIMIT, READ, forwarded_headers, open_limited_server, send_query, statuses
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.redis import PASSWORD, RedisServer, running_redis
from tests.support.waiting import DEADLINE_SECONDS, eventually

BACKOFF_SECONDS = 0.2
LOAD_LIMIT = 100
CLIENTS = 4
STOP_SECONDS = 30
MAX_ROUNDS = 50


def wait_for_requests(found: Counter[int], count: int) -> None:
    """Wait for this number of further responses."""
    before = found.total()
    eventually(lambda: found.total() >= before + count, "the server does not respond")


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait longer for Redis.

    On a busy machine it may take a quarter of a second, and would then count as away.
    """
    monkeypatch.setattr(shared_storage, "STORAGE_SECONDS", 5.0)


@pytest.fixture
def redis() -> Iterator[RedisServer]:
    """Yield a running Redis."""
    with running_redis() as redis:
        yield redis


def test_rate_limit_in_redis_is_exact_across_servers_and_processes(redis: RedisServer, database_url: str) -> None:
    settings = {
        "RATESGRAPH_RATE_LIMIT": "20/day",
        "RATESGRAPH_TRUSTED_PROXIES": "127.0.0.1",
        "RATESGRAPH_RATE_LIMIT_STORAGE": redis.url,
    }
    with (
        serving(database_url, "--no-demo", "--workers", "2", settings=settings) as (_, url),
        open_limited_server(database_url, **redis.settings, rate_limit="20/day") as client,
    ):
        wait_until_answered(url)
        urls = [f"{url}/graphql", f"{client.http.base_url}/graphql"] * 20
        address, answers = "", list[httpx.Response]()
        for number in range(MAX_ROUNDS):
            address = f"203.0.113.{number}"
            answers = send_at_once(urls, address)
            if redis.count(address) == len(urls):
                break
            # On a busy machine Redis may not answer in time, and a process counts by itself for a while.
        assert redis.count(address) == len(urls)
    assert Counter(answer.status_code for answer in answers) == {200: 20, 429: 20}
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"address";q=20;w=86400'}


def send_at_once(urls: list[str], address: str) -> list[httpx.Response]:
    """Send a query from the address to each URL, four at a time."""
    query, headers = {"query": READ}, forwarded_headers(address)
    with ThreadPoolExecutor(CLIENTS) as threads:
        return list(
            threads.map(lambda url: httpx.post(url, json=query, headers=headers, timeout=DEADLINE_SECONDS), urls)
        )


@pytest.mark.parametrize("fault", ["kill", "suspend"])
def test_rate_limit_continues_from_the_last_count_while_redis_is_away(
    redis: RedisServer, database_url: str, fault: str
) -> None:
    with open_limited_server(database_url, **redis.settings) as client:
        assert statuses(client, LIMIT - 2) == [200] * (LIMIT - 2)
        getattr(redis, fault)()
        started = time.monotonic()
        # Neither open nor closed: the remaining requests are admitted, and no more.
        assert statuses(client, 4) == [200, 200, 429, 429]
        # Only the first request waited for Redis.
        assert time.monotonic() < started + 1.9 * shared_storage.STORAGE_SECONDS
        # Callers that this process does not know yet are counted in its memory.
        assert statuses(client, LIMIT + 1, "203.0.113.2") == [200] * LIMIT + [429]
        stopped_at = time.monotonic()
    # A Redis that hangs does not delay the end of the server.
    assert time.monotonic() < stopped_at + STOP_SECONDS


def test_rate_limit_holds_in_a_process_after_redis_has_lost_its_counts(
    redis: RedisServer, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_storage, "FAILURE_BACKOFF_SECONDS", 0.0)
    with open_limited_server(database_url, **redis.settings) as client:
        assert statuses(client, LIMIT) == [200] * LIMIT
        redis.kill()
        redis.start()
        assert statuses(client, 2) == [429] * 2
        # Redis counts again, and other servers see the new counts.
        assert statuses(client, 2, "203.0.113.2") == [200] * 2
        with open_limited_server(database_url, **redis.settings) as other:
            assert send_query(other, "203.0.113.2").headers["ratelimit"].startswith(f'"address";r={LIMIT - 3};')


def test_requests_succeed_while_redis_is_killed_and_restarted_under_load(
    redis: RedisServer, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_storage, "FAILURE_BACKOFF_SECONDS", BACKOFF_SECONDS)
    stop, found, slowest = threading.Event(), Counter[int](), [0.0]
    with open_limited_server(database_url, **redis.settings, rate_limit=f"{LOAD_LIMIT}/day") as client:

        def send_until_stopped(number: int) -> None:
            with httpx.Client(base_url=client.http.base_url, timeout=DEADLINE_SECONDS) as http:
                while not stop.is_set():
                    started = time.monotonic()
                    headers = forwarded_headers(f"203.0.113.{number}")
                    found[http.post("/graphql", json={"query": READ}, headers=headers).status_code] += 1
                    slowest[0] = max(slowest[0], time.monotonic() - started)

        with ThreadPoolExecutor(CLIENTS) as threads:
            sending = [threads.submit(send_until_stopped, number) for number in range(CLIENTS)]
            try:
                for _ in range(3):
                    redis.kill()
                    wait_for_requests(found, LOAD_LIMIT // 2)
                    redis.start()
                    eventually(lambda: b"/" in redis.execute("KEYS *"), "Redis is not used again")
                eventually(lambda: found[200] >= CLIENTS * LOAD_LIMIT, "the limit is not reached")
            finally:
                stop.set()
            for each in sending:
                each.result()
    assert set(found) <= {200, 429}
    assert found[200] == CLIENTS * LOAD_LIMIT
    assert slowest[0] < shared_storage.STORAGE_SECONDS + 10


@pytest.mark.parametrize("fault", ["full", "wrong password", "read-only"])
def test_rate_limit_falls_back_when_redis_refuses_to_count(
    redis: RedisServer, database_url: str, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    caplog.set_level(logging.WARNING)
    url = redis.url
    if fault == "full":
        redis.execute("CONFIG SET maxmemory 1")
    elif fault == "read-only":
        redis.execute("REPLICAOF 127.0.0.1 1")
    else:
        url = url.replace(PASSWORD, "wrong-wrong-wrong")
    with open_limited_server(database_url, rate_limit_storage=SecretStr(url)) as client:
        assert statuses(client, LIMIT + 1) == [200] * LIMIT + [429]
    (line,) = [record.getMessage() for record in caplog.records if "rate-limit storage" in record.getMessage()]
    assert "falls back" in line
    assert PASSWORD not in caplog.text
    assert "wrong-wrong" not in caplog.text
