"""Authenticated identity of a request, and the wait for its expiry or revocation."""

import asyncio
import contextlib
import math
import time
from dataclasses import dataclass, field

from resolvers.caller import Caller

MAX_TIMER_SECONDS = 1e8
"""About three years. A later expiry needs no timer, because no process runs that long."""


@dataclass(eq=False, slots=True)
class Identity:
    """Authenticated caller, valid until `expires_at` or until `revoked` is set.

    Attributes:
        caller: The caller with its name and scopes.
        expires_at: Expiry in seconds since 1970.
        revoked: Set when the token is revoked.
        active_streams: Number of streams that were opened with this identity.
    """

    caller: Caller
    expires_at: float = math.inf
    revoked: asyncio.Event = field(default_factory=asyncio.Event)
    active_streams: int = 0

    async def wait_until_expired(self) -> None:
        """Wait until the identity expires or is revoked.

        Streams opened with it are closed at that point.
        """
        remaining = self.expires_at - time.time()
        timeout = remaining if remaining < MAX_TIMER_SECONDS else None
        self.active_streams += 1
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.revoked.wait(), timeout)
        finally:
            self.active_streams -= 1
