"""Where requests are counted by several machines together: any of the storages of the library `limits`."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from limits import RateLimitItem, parse_many
from limits.aio.storage import Storage
from limits.storage import storage_from_string
from pydantic import SecretStr

log = logging.getLogger("ratesgraph.server")

STORAGE_SECONDS = 0.25
"""How long a count may take at a shared store."""
MAX_CONCURRENT_CALLS = 50
"""Connections to a shared store: its client allows a hundred, and fails beyond."""
FAILURE_BACKOFF_SECONDS = 5.0
"""For how long a store that failed is not asked again: not every request is to wait for it."""


class SharedStorage:
    """Counts in a store that others count in too. While it is away there are no counts: None."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._away_until = 0.0
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT_CALLS)

    async def incr(self, key: str, expiry: int) -> int | None:
        """Add one to the count of the key, which lasts for `expiry` seconds from its beginning, and return it."""
        return await self._call_storage(lambda: self._storage.incr(key, expiry))

    async def get(self, key: str) -> int | None:
        """Return the count of the key."""
        return await self._call_storage(lambda: self._storage.get(key))

    async def _call_storage(self, question: Callable[[], Awaitable[int]]) -> int | None:
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(STORAGE_SECONDS), self._semaphore:
                return await question()
        except Exception as error:
            self._away_until = time.monotonic() + FAILURE_BACKOFF_SECONDS
            # The message may hold its address, and that a password.
            name = type(error).__name__
            log.warning("the store of rate limits does not answer (%s): this process counts for itself", name)
            return None


def parse_rate_limit(text: str | None) -> RateLimitItem | None:
    """Return the limit that a setting names, or None for an empty one. Raise ValueError for what is none, or several."""
    if not (text and text.strip()):
        return None
    try:
        (limit,) = parse_many(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no rate limit: write one like 600/minute or 10 per 2 seconds.") from error
    if not limit.amount:
        raise ValueError("A rate limit of 0 would refuse everything.")
    return limit


def open_shared_storage(secret: SecretStr | None) -> SharedStorage | None:
    """Return the counters at a storage URI of the library, which may hold a password, or None where each counts for itself."""
    if secret is None:
        return None
    uri = secret.get_secret_value()
    # Whatever the client of the store is, it must not keep the event loop.
    asynchronous = uri if uri.startswith("async+") else f"async+{uri}"
    options = {"implementation": "redispy"} if asynchronous.startswith("async+redis") else {}
    storage = storage_from_string(asynchronous, **options)
    assert isinstance(storage, Storage)  # noqa: S101
    return SharedStorage(storage)
