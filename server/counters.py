"""Where requests are counted: in this process, or in a store that several machines share.

Whoever can choose addresses can make up as many callers as he likes. So what is counted here is bounded in number, and a count
takes as long with fifty thousand callers as with one. (The library's own memory looks through all of them at each count, in a
task or a thread.) What is shared is any of the library's storages; while it is away, this process counts for itself.
"""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Protocol

from limits import RateLimitItem, parse_many
from limits.aio.storage import Storage
from limits.storage import storage_from_string
from pydantic import SecretStr

log = logging.getLogger("ratesgraph.server")

MAX_COUNTED = 50_000
"""Counts that a process keeps, the newest; they take up to 16 MB."""
STORAGE_SECONDS = 0.25
"""How long a count may take at a shared store."""
ASKED_AT_ONCE = 50
"""Connections to a shared store: its client allows a hundred, and fails beyond."""
AWAY_SECONDS = 5.0
"""For how long a store that failed is not asked again: not every request is to wait for it."""


class Counters(Protocol):
    """Counts what is done under a key."""

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to the count of the key, which lasts for `expiry` seconds from its beginning, and return it."""

    async def get(self, key: str) -> int:
        """Return the count of the key."""


class BoundedMemory:
    """Counts in the memory of this process, without tasks, threads and searches."""

    def __init__(self, max_counted: int = MAX_COUNTED) -> None:
        self._max_counted = max_counted
        # By key, in the order of their beginning: the count, and until when it holds by the monotonic clock. (To find the first
        # key of a plain dict takes long where many before it are gone.)
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Add to the count of the key and return it."""
        count, ends_at = self._counts.get(key, (0, 0.0))
        if ends_at <= time.monotonic():
            self._make_room(key)
            count, ends_at = 0, time.monotonic() + expiry
        self._counts[key] = count + amount, ends_at
        return count + amount

    def _make_room(self, key: str) -> None:
        """Drop what has ended among the oldest, a little at a time, and the oldest itself where there are too many."""
        self._counts.pop(key, None)
        now = time.monotonic()
        for _ in range(2):
            oldest = next(iter(self._counts), None)
            if oldest is None or (len(self._counts) < self._max_counted and self._counts[oldest][1] > now):
                return
            del self._counts[oldest]

    async def get(self, key: str) -> int:
        """Return the count of the key."""
        count, ends_at = self._counts.get(key, (0, 0.0))
        return count if ends_at > time.monotonic() else 0


class SharedCounters:
    """Counts in a store that others count in too, or in this process while the store is away."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._own = BoundedMemory()
        self._away_until = 0.0
        self._turns = asyncio.Semaphore(ASKED_AT_ONCE)

    async def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to the count of the key and return it."""
        shared = await self._ask(lambda: self._storage.incr(key, expiry, amount))
        return await self._own.incr(key, expiry, amount) if shared is None else shared

    async def get(self, key: str) -> int:
        """Return the count of the key."""
        shared = await self._ask(lambda: self._storage.get(key))
        return await self._own.get(key) if shared is None else shared

    async def _ask(self, question: Callable[[], Awaitable[int]]) -> int | None:
        """Return what the store says, or None while it is away."""
        if time.monotonic() < self._away_until:
            return None
        try:
            async with asyncio.timeout(STORAGE_SECONDS), self._turns:
                return await question()
        except Exception as error:
            self._away_until = time.monotonic() + AWAY_SECONDS
            # The message may hold its address, and that a password.
            name = type(error).__name__
            log.warning("the store of rate limits does not answer (%s): this process counts for itself", name)
            return None


def read_limit(text: str | None) -> RateLimitItem | None:
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


def open_counters(secret: SecretStr | None) -> Counters:
    """Return the counters at a storage URI of the library, which may hold a password, or those of this process."""
    if secret is None:
        return BoundedMemory()
    uri = secret.get_secret_value()
    # Whatever the client of the store is, it must not keep the event loop.
    asynchronous = uri if uri.startswith("async+") else f"async+{uri}"
    options = {"implementation": "redispy"} if asynchronous.startswith("async+redis") else {}
    storage = storage_from_string(asynchronous, **options)
    assert isinstance(storage, Storage)  # noqa: S101
    return SharedCounters(storage)
