"""How often one caller may ask: a limit in the notation of the library `limits`, counted in windows of time.

A window is fixed, so that a count is one step, at a store too: its number is part of the key. Windows of different callers
begin at different moments, or all that were refused would come back in the same second. Answers tell it by the fields
RateLimit-Policy and RateLimit (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/).

Whoever can choose addresses can make up as many callers as he likes. So what is counted in this process is bounded in number,
and a count takes as long with fifty thousand callers as with one. (The library's own memory looks through all of them at each
count, in a task or a thread.)
"""

import time
from collections import OrderedDict
from dataclasses import dataclass
from math import ceil
from zlib import crc32

from limits import RateLimitItem

from server.http.errors import HttpError
from server.rate_limiting.shared_storage import SharedStorage

HeaderList = list[tuple[bytes, bytes]]
"""What is left, then the policy."""

MAX_TRACKED_CALLERS = 50_000
"""Callers that a process counts, those whose windows are the newest; they take up to 16 MB."""


@dataclass(slots=True, eq=False)
class _Window:
    """What a caller has done here until a moment in seconds since 1970."""

    key: str
    ends_at: float
    count: int = 0

    def increment(self, shared: int | None) -> int:
        """Return the count with one more: that of the shared store, or our own while it has none."""
        if shared is not None:
            return shared
        self.count += 1
        return self.count


class FixedWindowLimiter:
    """What one caller may do in a window of time."""

    def __init__(
        self,
        name: str,
        limit: RateLimitItem,
        shared: SharedStorage | None = None,
        *,
        processes: int = 1,
        max_counted: int = MAX_TRACKED_CALLERS,
    ) -> None:
        """Of `processes` that count each for itself, each gives a share, so that they give the limit together."""
        self._name = name
        self._shared = shared
        self._amount = -(-limit.amount // processes)
        self._seconds = limit.get_expiry()
        self._policy = (b"ratelimit-policy", f'"{name}";q={self._amount};w={self._seconds}'.encode())
        self._max_counted = max_counted
        # In the order of their beginning. (To find the first key of a plain dict takes long where many before it are gone.)
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    @property
    def size(self) -> int:
        """Return how many callers are counted here."""
        return len(self._windows)

    async def hit(self, who: str) -> HeaderList:
        """Count once for the caller and return the fields that tell what is left. Raise BadRequest (RATE_LIMITED, 429)."""
        now = time.time()
        window = self._find_window(who, now)
        shared = await self._shared.incr(window.key, self._seconds) if self._shared else None
        left = self._amount - window.increment(shared)
        wait = ceil(window.ends_at - now)
        if left < 0:
            raise self._refuse(wait)
        return self._headers(left, wait)

    async def peek(self, who: str) -> None:
        """Raise BadRequest (RATE_LIMITED, 429) for a caller that has nothing left."""
        now = time.time()
        window = self._find_window(who, now)
        shared = await self._shared.get(window.key) if self._shared else None
        if (window.count if shared is None else shared) >= self._amount:
            raise self._refuse(ceil(window.ends_at - now))

    async def record(self, who: str) -> None:
        """Count once for the caller, whatever is left."""
        window = self._find_window(who, time.time())
        window.increment(await self._shared.incr(window.key, self._seconds) if self._shared else None)

    def _find_window(self, who: str, now: float) -> _Window:
        """Return the present window of the caller. A clock may be set back, too."""
        window = self._windows.get(who)
        if window is not None and now < window.ends_at <= now + self._seconds:
            return window
        self._evict_expired(who, now)
        offset = crc32(who.encode()) % self._seconds
        number = int(now + offset) // self._seconds
        window = _Window(f"{self._name}/{who}/{number}", (number + 1) * self._seconds - offset)
        self._windows[who] = window
        return window

    def _evict_expired(self, who: str, now: float) -> None:
        """Drop what has ended among the oldest, a little at a time, and the oldest itself where there are too many."""
        self._windows.pop(who, None)
        for _ in range(2):
            oldest = next(iter(self._windows), None)
            if oldest is None or (len(self._windows) < self._max_counted and self._windows[oldest].ends_at > now):
                return
            del self._windows[oldest]

    def _headers(self, left: int, wait: int) -> HeaderList:
        return [(b"ratelimit", f'"{self._name}";r={left};t={wait}'.encode()), self._policy]

    def _refuse(self, wait: int) -> HttpError:
        message = f"Too many requests: {self._amount:,} in {self._seconds:,} s are taken. Try again in {wait} s."
        headers = {b"retry-after": str(wait).encode(), **dict(self._headers(0, wait))}
        return HttpError("RATE_LIMITED", message, status=429, headers=headers)
