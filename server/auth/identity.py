"""Authenticated identity of a request, and the wait for its expiry or revocation."""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from resolvers.caller import Caller

RECHECK_SECONDS = 5.0
"""Interval at which a stream checks its expiry again.

A timer follows neither a change of the system clock nor the suspension of the machine.
"""


@dataclass(eq=False, slots=True)
class Identity:
    """Authenticated caller, valid until `expires_at` or until `revoked` is set.

    Attributes:
        caller: The caller with its name and scopes.
        expires_at: Expiry, as a time of `clock` in seconds.
        clock: Clock of the expiry. `time.monotonic` does not follow changes of the system time.
        revoked: Set when the token is revoked.
        active_streams: Number of streams that were opened with this identity.
    """

    caller: Caller
    expires_at: float = math.inf
    clock: Callable[[], float] = time.monotonic
    revoked: asyncio.Event = field(default_factory=asyncio.Event)
    active_streams: int = 0

    def remaining(self) -> float:
        """Return the seconds until the expiry; zero or less once it has passed."""
        return self.expires_at - self.clock()

    async def wait_until_expired(self) -> None:
        """Wait until the identity expires or is revoked.

        Streams opened with it are closed at that point.
        """
        self.active_streams += 1
        try:
            while (remaining := self.remaining()) > 0 and not self.revoked.is_set():
                timeout = None if remaining == math.inf else min(remaining, RECHECK_SECONDS)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self.revoked.wait(), timeout)
        finally:
            self.active_streams -= 1
