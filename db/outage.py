"""Whether the database is away, and for how long: one look-out for all who wait for it.

When a connection is lost nobody asks any more until the database has answered one probe. So an outage costs a few attempts
to connect, however many requests wait, and its end is noticed within half a second instead of at the pool's next attempt.
Whoever may wait does so while the outage is young: a restart or a failover is sat out. Once it has lasted longer, everybody is
told at once, for then waiting only piles requests up.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from db.errors import DatabaseError, DatabaseUnavailable

log = logging.getLogger("ratesgraph.db")

FIRST_PAUSE_SECONDS = 0.05
MAX_PAUSE_SECONDS = 0.5
MAX_WAITING = 500
"""Requests of a process that wait at any time; one more is told at once. Each holds some 20 kB."""


class OutageMonitor:
    """Is lost and is over. `reach` raises a DatabaseError while the database is away, `renew` prepares for going on."""

    def __init__(
        self, probe: Callable[[], Awaitable[None]], reset_pool: Callable[[], Awaitable[None]], seconds: float
    ) -> None:
        self._probe = probe
        self._reset_pool = reset_pool
        self._seconds = seconds
        self._began: float | None = None
        self._is_over = asyncio.Event()
        self._waiting = 0
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether the database has not answered since a connection was lost."""
        return self._began is not None

    def trip(self) -> None:
        """Take note that a connection was lost, and look for the database until it answers."""
        if self._began is None:
            self._began = asyncio.get_running_loop().time()
            self._is_over.clear()
            self._probing = asyncio.create_task(self._probe_until_up())

    async def wait_until_over(self) -> None:
        """Return when the database answers again. Raise DatabaseUnavailable when it is away for too long."""
        if self._began is None:
            return
        left = self._began + self._seconds - asyncio.get_running_loop().time()
        if left <= 0 or self._waiting >= MAX_WAITING:
            raise DatabaseUnavailable
        self._waiting += 1
        try:
            async with asyncio.timeout(left):
                await self._is_over.wait()
        except TimeoutError:
            raise DatabaseUnavailable from None
        finally:
            self._waiting -= 1

    async def _probe_until_up(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._probe()
                await self._reset_pool()
                break
            except DatabaseError as error:
                if pause == FIRST_PAUSE_SECONDS:
                    log.warning("the database does not answer (%s)", error.__cause__)
            except Exception:
                # Were it to end the look-out, the outage would last until the process ends.
                log.exception("looking for the database has failed and goes on")
            # Jitter, so that the processes of an installation do not come back in one moment.
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
            pause = min(2 * pause, MAX_PAUSE_SECONDS)
        if pause > FIRST_PAUSE_SECONDS and self._began is not None:
            log.warning("the database answers again after %.1f s", asyncio.get_running_loop().time() - self._began)
        self._began = None
        self._is_over.set()

    async def close(self) -> None:
        """Look no more."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait([self._probing])
