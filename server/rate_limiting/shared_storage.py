"""Shared rate-limit counters for several machines, in any storage of the library `limits`."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from limits import RateLimitItem, parse_many
from limits.aio.storage import RedisStorage, Storage
from limits.aio.storage.redis.redispy import RedispyBridge
from limits.storage import storage_from_string
from pydantic import SecretStr

log = logging.getLogger("ratesgraph.server")

STORAGE_SECONDS = 0.25
"""Timeout of one call to the storage."""
MAX_CONCURRENT_CALLS = 50
"""Concurrent connections to the storage. Its client fails beyond a hundred."""
FAILURE_BACKOFF_SECONDS = 5.0
"""Pause after a failed call (circuit breaker).

Requests thus do not wait for a storage that is down.
"""


class SharedStorage:
    """Counters in a storage that several processes share, behind a circuit breaker.

    Calls return None while the storage is unavailable.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._unavailable_until = 0.0
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT_CALLS)

    async def incr(self, key: str, expiry: int) -> int | None:
        """Increment a counter and return its value; it expires `expiry` seconds after its creation."""
        return await self._call_storage(lambda: self._storage.incr(key, expiry))

    async def get(self, key: str) -> int | None:
        """Return the value of a counter."""
        return await self._call_storage(lambda: self._storage.get(key))

    async def close(self) -> None:
        """Close the connections to Redis. The clients of other storages have no method for it."""
        if isinstance(self._storage, RedisStorage) and isinstance(self._storage.bridge, RedispyBridge):
            # A server that hangs must not delay the end of the process.
            with contextlib.suppress(Exception):
                client: Any = self._storage.bridge.get_connection()
                async with asyncio.timeout(STORAGE_SECONDS):
                    await client.aclose()

    async def _call_storage(self, call: Callable[[], Awaitable[int]]) -> int | None:
        if time.monotonic() < self._unavailable_until:
            return None
        try:
            async with asyncio.timeout(STORAGE_SECONDS), self._semaphore:
                return await call()
        except Exception as error:
            self._unavailable_until = time.monotonic() + FAILURE_BACKOFF_SECONDS
            # The message may quote the storage URI, which may contain a password.
            name = type(error).__name__
            log.warning("rate-limit storage unavailable (%s); this process falls back to counting in memory", name)
            return None


def parse_rate_limit(text: str | None) -> RateLimitItem | None:
    """Return the rate limit of a setting, or None if the setting is empty.

    Raise ValueError for an invalid limit or several limits.
    """
    if not (text and text.strip()):
        return None
    try:
        (limit,) = parse_many(text)
    except ValueError as error:
        raise ValueError(f"invalid rate limit {text!r}; use for example 600/minute or 10 per 2 seconds") from error
    if not limit.amount:
        raise ValueError("a rate limit of 0 would reject every request; an empty value disables the limit")
    return limit


def create_shared_storage(secret: SecretStr | None) -> SharedStorage | None:
    """Return the counters at a storage URI of `limits`, or None to count in memory.

    They are not connected yet.
    """
    if secret is None:
        return None
    uri = secret.get_secret_value()
    # The client must be async_uri, so that it does not block the event loop.
    async_uri = uri if uri.startswith("async+") else f"async+{uri}"
    options = {"implementation": "redispy"} if async_uri.startswith("async+redis") else {}
    storage = storage_from_string(async_uri, **options)
    assert isinstance(storage, Storage)  # noqa: S101
    return SharedStorage(storage)


@asynccontextmanager
async def open_shared_storage(secret: SecretStr | None) -> AsyncIterator[SharedStorage | None]:
    """Yield the counters of `create_shared_storage`; close their connections at the end."""
    shared = create_shared_storage(secret)
    try:
        yield shared
    finally:
        if shared is not None:
            await shared.close()
