"""Rate-limit storage: bounded memory, shared storage, and fallback while it is unavailable."""

import asyncio
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import ClassVar

import httpx
import pytest
from limits.aio.storage import Storage
from pydantic import SecretStr

from server.config.network import client_address_key
from server.http.errors import HttpError
from server.rate_limiting import shared_storage
from server.rate_limiting.fixed_window import MAX_TRACKED_CALLERS, FixedWindowLimiter, HeaderList
from server.rate_limiting.shared_storage import parse_rate_limit
from tests.support.http.rate_limits import open_limited_server, send_query, statuses
from tests.support.http.server_process import serving, wait_until_answered
from tests.support.waiting import DEADLINE_SECONDS

pytestmark = pytest.mark.anyio


class FakeStorage(Storage):
    """Fake storage shared by the servers of this process; it can refuse connections or hang."""

    STORAGE_SCHEME = ["async+fake"]  # noqa: RUF012
    counts: ClassVar[Counter[str]] = Counter()
    request_count = 0
    state = "available"

    base_exceptions = OSError

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:  # noqa: ARG002
        """Increment the count."""
        await self._reach()
        self.counts[key] += amount
        return self.counts[key]

    async def get(self, key: str) -> int:
        """Return the count."""
        await self._reach()
        return self.counts[key]

    async def _reach(self) -> None:
        FakeStorage.request_count += 1
        if self.state == "unavailable":
            raise ConnectionRefusedError("unavailable")
        if self.state == "hanging":
            await asyncio.Event().wait()

    async def get_expiry(self, key: str) -> float:
        """Unused."""
        raise NotImplementedError

    async def check(self) -> bool:
        """Unused."""
        raise NotImplementedError

    async def reset(self) -> int | None:
        """Unused."""
        raise NotImplementedError

    async def clear(self, key: str) -> None:
        """Unused."""
        raise NotImplementedError


def create_limiter(limit: str, *, processes: int = 1, max_callers: int = MAX_TRACKED_CALLERS) -> FixedWindowLimiter:
    """Return a limiter that counts in this process."""
    item = parse_rate_limit(limit)
    assert item is not None
    return FixedWindowLimiter("address", item, processes=processes, max_callers=max_callers)


def remaining(fields: HeaderList) -> int:
    """Return the remaining requests of the window."""
    return int(dict(fields)[b"ratelimit"].split(b";")[1].removeprefix(b"r="))


FAKE_STORAGE = {"rate_limit_storage": SecretStr("fake://storage")}


@pytest.fixture
def storage() -> Iterator[type[FakeStorage]]:
    """Yield the fake storage, empty and available."""
    FakeStorage.counts, FakeStorage.request_count, FakeStorage.state = Counter(), 0, "available"
    yield FakeStorage
    FakeStorage.state = "available"


async def test_rate_limit_memory_is_bounded_without_background_tasks() -> None:
    limiter = create_limiter("2/day")
    threads, tasks = threading.active_count(), len(asyncio.all_tasks())
    networks = [
        client_address_key({"client": (f"2001:db8:{number >> 8:x}:{number & 255:x}::1", 1)})
        for number in range(100_000)
    ]
    assert len(set(networks)) == 100_000
    for network in networks:
        await limiter.hit(network)
    assert limiter.size == MAX_TRACKED_CALLERS
    assert (threading.active_count(), len(asyncio.all_tasks())) == (threads, tasks)
    # The newest callers are still counted.
    for network in networks[-MAX_TRACKED_CALLERS + 100 :: 5_000]:
        await limiter.hit(network)
        with pytest.raises(HttpError):
            await limiter.hit(network)


def set_clock(limiter: FixedWindowLimiter, now: float) -> None:
    """Set the clock of a limiter, in seconds."""
    limiter._clock = lambda: now


async def test_rate_limit_evicts_expired_windows() -> None:
    limiter = create_limiter("2/minute", max_callers=10)
    set_clock(limiter, 1_000.0)
    for number in range(8):
        await limiter.hit(str(number))
    assert limiter.size == 8
    set_clock(limiter, 1_060.0)
    for number in range(8, 11):
        await limiter.hit(str(number))
    # Each new window has replaced two expired ones.
    assert limiter.size == 5
    # Counts of older windows are evicted, those of the newest are not.
    assert [remaining(await limiter.hit(str(number))) for number in (7, 8, 9, 10)] == [1, 0, 0, 0]
    for number in range(11, 40):
        await limiter.hit(str(number))
    assert limiter.size == 10


async def test_rate_limit_window_ends_at_the_announced_retry_after() -> None:
    limiter = create_limiter("1/minute")
    set_clock(limiter, 1_000.25)
    await limiter.hit("x")
    with pytest.raises(HttpError) as refused:
        await limiter.hit("x")
    wait = int(refused.value.headers[b"retry-after"])
    assert 0 < wait <= 60
    set_clock(limiter, 1_000.0 + wait - 0.01)
    with pytest.raises(HttpError):
        await limiter.peek("x")
    set_clock(limiter, 1_000.25 + wait)
    await limiter.peek("x")
    await limiter.hit("x")


async def test_rate_limit_windows_of_different_callers_start_at_different_times() -> None:
    limiter = create_limiter("1/minute")
    set_clock(limiter, 1_000.0)
    waits = {dict(await limiter.hit(str(number)))[b"ratelimit"].split(b"t=")[1] for number in range(100)}
    assert len(waits) > 30


@pytest.mark.parametrize("change", [-86_400.0, -30.0, 30.0, 86_400.0])
async def test_rate_limit_in_memory_ignores_changes_of_the_system_clock(
    monkeypatch: pytest.MonkeyPatch, change: float
) -> None:
    limiter, now = create_limiter("2/day"), time.time
    assert remaining(await limiter.hit("x")) == 1
    monkeypatch.setattr(time, "time", lambda: now() + change)
    assert remaining(await limiter.hit("x")) == 0
    with pytest.raises(HttpError) as refused:
        await limiter.hit("x")
    assert 0 < int(refused.value.headers[b"retry-after"]) <= 86_400


async def test_rate_limit_in_shared_storage_admits_callers_after_the_clock_is_set_back(
    storage: type[FakeStorage],
) -> None:
    limit = parse_rate_limit("1/minute")
    assert limit is not None
    limiter = FixedWindowLimiter("address", limit, shared_storage.SharedStorage(storage("async+fake://storage")))
    for now in (100_000.0, 1_000.0):
        set_clock(limiter, now)
        await limiter.hit("x")
        with pytest.raises(HttpError):
            await limiter.hit("x")


async def test_rate_limit_is_divided_among_processes_without_shared_storage() -> None:
    limiter = create_limiter("10/day", processes=4)
    assert [remaining(await limiter.hit("x")) for _ in range(3)] == [2, 1, 0]
    with pytest.raises(HttpError):
        await limiter.hit("x")


def test_rate_limit_holds_over_all_processes_of_a_server(database_url: str) -> None:
    settings = {"RATESGRAPH_RATE_LIMIT": "6/day"}
    with serving(database_url, "--no-demo", "--workers", "2", settings=settings) as (_, url):
        wait_until_answered(url)
        query = {"query": "{ locations { totalCount } }"}
        answers = [httpx.post(f"{url}/graphql", json=query, timeout=DEADLINE_SECONDS) for _ in range(40)]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"address";q=3;w=86400'}
    assert 3 <= sum(answer.status_code == 200 for answer in answers) <= 6


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(("proxies", "expected"), [("127.0.0.1", {200}), ("192.0.2.1", {200, 429}), ("", {200, 429})])
def test_rate_limit_trusts_only_proxies_named_in_the_settings(
    database_url: str, workers: str, proxies: str, expected: set[int]
) -> None:
    settings = {"RATESGRAPH_RATE_LIMIT": "2/day", "RATESGRAPH_TRUSTED_PROXIES": proxies}
    with serving(database_url, "--no-demo", "--workers", workers, settings=settings) as (_, url):
        wait_until_answered(url)
        query = {"query": "{ locations { totalCount } }"}
        addresses = [{"X-Forwarded-For": f"203.0.113.{number}"} for number in range(6)]
        found = {
            httpx.post(f"{url}/graphql", json=query, headers=address, timeout=DEADLINE_SECONDS).status_code
            for address in addresses
        }
    assert found == expected


def test_rate_limit_is_shared_by_servers_with_one_storage(database_url: str, storage: type[FakeStorage]) -> None:
    with (
        open_limited_server(database_url, **FAKE_STORAGE) as one,
        open_limited_server(database_url, workers=4, **FAKE_STORAGE) as other,
    ):
        assert statuses(one, 2) + statuses(other, 4) == [200] * 5 + [429]
        assert statuses(one, 1) == [429]
    assert sum(storage.counts.values()) == 7


@pytest.mark.parametrize("state", ["unavailable", "hanging"])
def test_rate_limit_continues_with_local_counts_while_storage_is_unavailable(
    database_url: str, storage: type[FakeStorage], state: str
) -> None:
    with open_limited_server(database_url, **FAKE_STORAGE) as client:
        assert statuses(client, 2) == [200] * 2
        storage.state, storage.request_count = state, 0
        assert statuses(client, 4) == [200] * 3 + [429]
        # Only one request reached the unavailable storage.
        assert storage.request_count == 1


def test_rate_limit_uses_shared_storage_again_after_it_recovers(
    database_url: str, storage: type[FakeStorage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_storage, "FAILURE_BACKOFF_SECONDS", 0.0)
    with open_limited_server(database_url, **FAKE_STORAGE) as client:
        storage.state = "unavailable"
        assert statuses(client, 1) == [200]
        storage.state = "available"
        # The storage has not counted the first request, but this process has.
        assert send_query(client).headers["ratelimit"].startswith('"address";r=3;')
        assert sum(storage.counts.values()) == 1
