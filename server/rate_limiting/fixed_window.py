"""Fixed-window rate limiter per caller, for limits in the notation of the library `limits`.

With fixed windows a hit is one increment, in memory or in shared storage: the window's number is part of the key. The windows
of different callers start at different moments. Otherwise all rejected clients would retry at once (thundering herd).
Responses report the limit in the headers RateLimit-Policy and RateLimit
(https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/).

A client with many addresses can appear as any number of callers. The number of callers in memory is therefore bounded, and a
hit costs the same with fifty thousand callers as with one. (The in-memory storage of `limits` scans all keys at each hit, in a
task or a thread.)
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from zlib import crc32

from limits import RateLimitItem

from server.http.errors import HttpError
from server.rate_limiting.shared_storage import SharedStorage

HeaderList = list[tuple[bytes, bytes]]
"""Response headers: RateLimit (remaining requests), then RateLimit-Policy."""

MAX_TRACKED_CALLERS = 50_000
"""Callers that a process counts, up to 16 MB; the oldest windows are evicted first."""


@dataclass(slots=True, eq=False)
class _Window:
    """One caller's count in the current window, which ends at a time of the limiter's clock."""

    key: str
    ends_at: float
    count: int = 0

    def increment(self, shared: int | None) -> int:
        """Count one request locally, and return the higher of the local and the shared count.

        `shared` is None if there is no shared count: without shared storage, or while it is unavailable. The local count then
        continues from the last shared one. It also does if the storage has lost its counts.
        """
        self.count = max(self.count + 1, shared or 0)
        return self.count


class FixedWindowLimiter:
    """Fixed-window rate limiter with one counter per caller.

    Windows in memory follow the monotonic clock, so that setting the system clock neither opens nor closes them. With shared
    storage the number of the window must be the same on all machines, so it follows the system clock.
    """

    def __init__(
        self,
        name: str,
        limit: RateLimitItem,
        shared: SharedStorage | None = None,
        *,
        processes: int = 1,
        max_callers: int = MAX_TRACKED_CALLERS,
    ) -> None:
        """Divide the limit among `processes` that count separately."""
        self._name = name
        self._shared = shared
        self._clock: Callable[[], float] = time.monotonic if shared is None else time.time
        self._amount = -(-limit.amount // processes)
        self._seconds = limit.get_expiry()
        self._policy = (b"ratelimit-policy", f'"{name}";q={self._amount};w={self._seconds}'.encode())
        self._max_callers = max_callers
        # Ordered by start. (Finding the first key of a plain dict is slow after many deletions at its front.)
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    @property
    def size(self) -> int:
        """Return the number of callers counted in memory."""
        return len(self._windows)

    async def hit(self, key: str) -> HeaderList:
        """Count one request and return the rate-limit headers. Raise HttpError (RATE_LIMITED, 429)."""
        now = self._clock()
        window = self._find_window(key, now)
        shared = await self._shared.incr(window.key, self._seconds) if self._shared else None
        remaining = self._amount - window.increment(shared)
        wait = ceil(window.ends_at - now)
        if remaining < 0:
            raise self._rate_limited(wait)
        return self._headers(remaining, wait)

    async def peek(self, key: str) -> None:
        """Raise HttpError (RATE_LIMITED, 429) if no request remains, without counting one."""
        now = self._clock()
        window = self._find_window(key, now)
        shared = await self._shared.get(window.key) if self._shared else None
        if max(window.count, shared or 0) >= self._amount:
            raise self._rate_limited(ceil(window.ends_at - now))

    async def record(self, key: str) -> None:
        """Count one request, even over the limit."""
        window = self._find_window(key, self._clock())
        window.increment(await self._shared.incr(window.key, self._seconds) if self._shared else None)

    def _find_window(self, key: str, now: float) -> _Window:
        """Return the caller's current window. If the system clock was set back, start a new one."""
        window = self._windows.get(key)
        if window is not None and now < window.ends_at <= now + self._seconds:
            return window
        self._evict_expired(key, now)
        offset = crc32(key.encode()) % self._seconds
        number = int(now + offset) // self._seconds
        window = _Window(f"{self._name}/{key}/{number}", (number + 1) * self._seconds - offset)
        self._windows[key] = window
        return window

    def _evict_expired(self, key: str, now: float) -> None:
        """Evict the oldest windows, at most two: those that have ended or exceed the maximum."""
        self._windows.pop(key, None)
        for _ in range(2):
            oldest = next(iter(self._windows), None)
            if oldest is None or (len(self._windows) < self._max_callers and self._windows[oldest].ends_at > now):
                return
            del self._windows[oldest]

    def _headers(self, remaining: int, wait: int) -> HeaderList:
        return [(b"ratelimit", f'"{self._name}";r={remaining};t={wait}'.encode()), self._policy]

    def _rate_limited(self, wait: int) -> HttpError:
        message = f"Rate limit exceeded: {self._amount:,} requests per {self._seconds:,} s. Retry in {wait} s."
        headers = {b"retry-after": str(wait).encode(), **dict(self._headers(0, wait))}
        return HttpError("RATE_LIMITED", message, status=429, headers=headers)
