"""How often one caller may ask: a limit in the notation of the library `limits`, counted in windows of time.

A window is fixed, so that a count is one step, at a store too: its number is part of the key. Windows of different callers
begin at different moments, or all that were refused would come back in the same second. Answers tell it by the fields
RateLimit-Policy and RateLimit (https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/).
"""

import time
from zlib import crc32

from limits import RateLimitItem

from server.counters import Counters
from server.errors import BadRequest

Fields = list[tuple[bytes, bytes]]


class Quota:
    """What one caller may do in a window of time."""

    def __init__(self, name: str, limit: RateLimitItem, counters: Counters, *, processes: int = 1) -> None:
        """Of `processes` that count each for itself, each gives a share, so that they give the limit together."""
        self._name = name
        self._counters = counters
        self._amount = -(-limit.amount // processes)
        self._seconds = limit.get_expiry()
        self._policy = (b"ratelimit-policy", f'"{name}";q={self._amount};w={self._seconds}'.encode())

    async def take(self, who: str) -> Fields:
        """Count once for the caller and return the fields that tell what is left. Raise BadRequest (RATE_LIMITED, 429)."""
        key, wait = self._find_window(who)
        left = self._amount - await self._counters.incr(key, self._seconds)
        if left < 0:
            raise self._refuse(wait)
        return self._tell(left, wait)

    async def check(self, who: str) -> None:
        """Raise BadRequest (RATE_LIMITED, 429) for a caller that has nothing left."""
        key, wait = self._find_window(who)
        if await self._counters.get(key) >= self._amount:
            raise self._refuse(wait)

    async def count(self, who: str) -> None:
        """Count once for the caller, whatever is left."""
        await self._counters.incr(self._find_window(who)[0], self._seconds)

    def _find_window(self, who: str) -> tuple[str, int]:
        """Return the key of the caller's present window, and in how many seconds the next one begins."""
        window, gone = divmod(time.time() + crc32(who.encode()) % self._seconds, self._seconds)
        return f"{self._name}/{who}/{window:.0f}", self._seconds - int(gone)

    def _tell(self, left: int, wait: int) -> Fields:
        return [self._policy, (b"ratelimit", f'"{self._name}";r={left};t={wait}'.encode())]

    def _refuse(self, wait: int) -> BadRequest:
        message = f"Too many requests: {self._amount:,} in {self._seconds:,} s are taken. Try again in {wait} s."
        headers = {b"retry-after": str(wait).encode(), **dict(self._tell(0, wait))}
        return BadRequest("RATE_LIMITED", message, status=429, headers=headers)
