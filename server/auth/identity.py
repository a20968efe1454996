"""Authenticated identity of a request, and the wait for its expiry or revocation."""

import asyncio
import contextlib
import math
import time
from dataclasses import dataclass, field

from resolvers.caller import Caller

LONGEST_SECONDS = 1e8
"""What lies further ahead, no process lives to see, and no timer need be set for."""


@dataclass(eq=False, slots=True)
class Identity:
    """A caller, and how long it is to be believed: until `expires_at`, in seconds since 1970, or until it has `ended`."""

    caller: Caller
    expires_at: float = math.inf
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    watchers: int = 0

    async def outlast(self) -> None:
        """Return when it is to be believed no longer: what goes on under it ends then."""
        left = self.expires_at - time.time()
        timeout = left if left < LONGEST_SECONDS else None
        self.watchers += 1
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ended.wait(), timeout)
        finally:
            self.watchers -= 1
