"""Authenticated identity of a request, and the wait for its expiry or revocation."""

import asyncio
import contextlib
import math
import time
from dataclasses import dataclass, field

from resolvers.caller import Caller

MAX_TIMER_SECONDS = 1e8
"""What lies further ahead, no process lives to see, and no timer need be set for."""


@dataclass(eq=False, slots=True)
class Identity:
    """A caller, and how long it is to be believed: until `expires_at`, in seconds since 1970, or until it has `ended`."""

    caller: Caller
    expires_at: float = math.inf
    revoked: asyncio.Event = field(default_factory=asyncio.Event)
    active_streams: int = 0

    async def wait_until_expired(self) -> None:
        """Return when it is to be believed no longer: what goes on under it ends then."""
        left = self.expires_at - time.time()
        timeout = left if left < MAX_TIMER_SECONDS else None
        self.active_streams += 1
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.revoked.wait(), timeout)
        finally:
            self.active_streams -= 1
