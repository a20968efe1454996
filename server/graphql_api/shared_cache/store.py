"""Client of Redis or Valkey for shared responses, behind a circuit breaker.

Each call is one round trip without retries: a response can always be computed instead. The client retries a failed call for
2.7 seconds by default.
"""

import logging
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from db.pool import Pool
from resolvers.data_version import DataVersion
from server.graphql_api.shared_cache.shared_responses import CLAIM, SharedResponses, StoreUnavailable

log = logging.getLogger("ratesgraph.server")

T = TypeVar("T")
CALL_SECONDS = 0.25
"""Timeout of one call. With 50 ms, calls timed out while statistics kept all cores of a machine busy."""
FAILURE_BACKOFF_SECONDS = 5.0
"""Pause after a failed call. One call then tries again, and requests meanwhile go without the store."""
MAX_CONNECTIONS = 50
TTL_SECONDS = 3_600
CLAIM_SECONDS = 3
"""How long a claim holds: longer than the dearest statistics take. A process may die before it stores the response."""


class SharedStore:
    """Responses by key, and claims of the processes that compute them.

    Calls raise StoreUnavailable.
    """

    def __init__(self, url: str) -> None:
        self._redis: Any = Redis.from_url(
            url,
            socket_timeout=CALL_SECONDS,
            socket_connect_timeout=CALL_SECONDS,
            retry=Retry(NoBackoff(), 0),
            max_connections=MAX_CONNECTIONS,
        )
        self._unavailable_until = 0.0
        self.errors = 0

    async def find_or_claim(self, key: str) -> bytes | None:
        """Return the stored value, or None if the caller has now claimed the key.

        The value is CLAIM while another process computes the response.
        """
        found: bytes | None = await self._call(self._redis.set(key, CLAIM, nx=True, get=True, ex=CLAIM_SECONDS))
        return found

    async def put(self, key: str, value: bytes) -> None:
        """Store a response in place of the claim."""
        await self._call(self._redis.set(key, value, ex=TTL_SECONDS))

    async def release(self, key: str) -> None:
        """Withdraw the claim: there is no response to store."""
        await self._call(self._redis.delete(key))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _call(self, command: Coroutine[Any, Any, T]) -> T:
        now = time.monotonic()
        if now < self._unavailable_until:
            command.close()
            raise StoreUnavailable
        if self._unavailable_until:
            # Only this call tries again. The others do not wait for a store that still hangs.
            self._unavailable_until = now + FAILURE_BACKOFF_SECONDS
        try:
            reply = await command
        except (RedisError, OSError) as error:
            self._unavailable_until = time.monotonic() + FAILURE_BACKOFF_SECONDS
            self.errors += 1
            # The message may quote the URL, which may contain a password.
            log.warning("shared cache unavailable (%s); this process goes without it", type(error).__name__)
            raise StoreUnavailable from error
        self._unavailable_until = 0.0
        return reply


@asynccontextmanager
async def open_shared_responses(
    url: str, pool: Pool, version: DataVersion, release: str
) -> AsyncIterator[SharedResponses]:
    """Yield the responses that are shared through the store at the URL."""
    store = SharedStore(url)
    try:
        yield SharedResponses(store, pool, version, release)
    finally:
        await store.close()
