"""Circuit breaker for the database: one outage monitor that all callers of a pool share.

A lost connection opens the breaker, and so does a server that has become read-only. While it is open, one background task
probes the database with backoff, and no request opens a connection. An outage therefore costs a few connection attempts,
however many requests wait, and its end is detected within half a second. Requests wait while the outage is young, which bridges
a restart or a failover. Once it has lasted longer, they fail at once: waiting would only pile up requests.
"""

import asyncio
import logging
import math
import random
from collections.abc import Awaitable, Callable

from db.errors import (
    DatabaseError,
    DatabaseUnavailable,
    DatabaseUnusable,
    NodeUnavailable,
    TotalsDamaged,
    describe_for_operator,
)

log = logging.getLogger("ratesgraph.db")

FIRST_PAUSE_SECONDS = 0.05
MAX_PAUSE_SECONDS = 0.5
REFUSAL_LOG_SECONDS = 60.0
"""Interval of the log lines of one pool. While a privilege is missing, every request is refused."""
MAX_WAITING = 500
"""Requests of a process that may wait at once.

Further requests fail at once. Each waiting request holds some 20 kB.
"""


class RefusalLog:
    """Log of failures that only the operator can mend, at most one line per minute and kind.

    PostgreSQL refuses a statement after a privilege was revoked, for instance, or while a node of its cluster is down. Or it
    returns damaged totals.
    """

    def __init__(self) -> None:
        self._reported_at: dict[type[DatabaseError], float] = {}

    def report(self, error: DatabaseUnusable | NodeUnavailable | TotalsDamaged) -> None:
        """Log the reason, unless one was logged within REFUSAL_LOG_SECONDS.

        An error without a cause is the result of a check, whose caller reports it.
        """
        now = asyncio.get_running_loop().time()
        reported_at = self._reported_at.get(type(error), -math.inf)
        if error.__cause__ is not None and now >= reported_at + REFUSAL_LOG_SECONDS:
            self._reported_at[type(error)] = now
            event = "cannot answer" if isinstance(error, TotalsDamaged) else "database refuses a statement"
            log.error("%s: %s", event, describe_for_operator(error))


class OutageMonitor:
    """Circuit breaker whose callers wait for the end of an outage or fail fast.

    `probe` raises a DatabaseError while the database is unavailable. `reset_pool` replaces the pool's connections after it.

    Attributes:
        generation: how often the connections were replaced.
    """

    def __init__(
        self, probe: Callable[[], Awaitable[None]], reset_pool: Callable[[], Awaitable[None]], seconds: float
    ) -> None:
        self._probe = probe
        self._reset_pool = reset_pool
        self._seconds = seconds
        self._reason: DatabaseError = DatabaseUnavailable()
        self.generation = 0
        self._opened_at: float | None = None
        self._over = asyncio.Event()
        self._waiting = 0
        self._probing: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Return whether a connection was lost and no probe has succeeded since."""
        return self._opened_at is not None

    def error(self) -> DatabaseUnavailable:
        """Return the error for work that the outage prevents, with the message of the last probe."""
        return DatabaseUnavailable(str(self._reason))

    def trip(self, generation: int | None = None) -> None:
        """Open the breaker after a lost connection and probe the database until it answers.

        `generation` is that of the connection. One that was lent before the last replacement proves nothing about the present
        connections. So however many requests fail at once, the connections are replaced once.
        """
        if self._opened_at is None and generation in {None, self.generation}:
            self._opened_at = asyncio.get_running_loop().time()
            self._over.clear()
            self._reason = DatabaseUnavailable()
            self._probing = asyncio.create_task(self._probe_until_up())

    async def wait_until_over(self) -> None:
        """Wait until the database answers again.

        Raise DatabaseUnavailable when the outage lasts longer than `seconds`, or when MAX_WAITING callers already wait.
        """
        if self._opened_at is None:
            return
        remaining = self._opened_at + self._seconds - asyncio.get_running_loop().time()
        if remaining <= 0 or self._waiting >= MAX_WAITING:
            raise self.error()
        self._waiting += 1
        try:
            async with asyncio.timeout(remaining):
                await self._over.wait()
        except TimeoutError:
            raise self.error() from None
        finally:
            self._waiting -= 1

    async def _probe_until_up(self) -> None:
        pause, logged = FIRST_PAUSE_SECONDS, set[str]()
        while True:
            try:
                await self._probe()
                await self._reset_pool()
                break
            except DatabaseError as error:
                self._reason = error
                if (reason := describe_for_operator(error)) not in logged:
                    logged.add(reason)
                    log.warning("database is unavailable: %s", reason)
            except Exception:
                # The task must not end here: the breaker would stay open until the process ends.
                log.exception("database probe failed; retrying")
            # Jitter prevents a thundering herd: the processes of an installation do not reconnect all at once.
            await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311
            pause = min(2 * pause, MAX_PAUSE_SECONDS)
        if pause > FIRST_PAUSE_SECONDS and self._opened_at is not None:
            log.warning("database is available again after %.1f s", asyncio.get_running_loop().time() - self._opened_at)
        self._opened_at = None
        self.generation += 1
        self._over.set()

    async def close(self) -> None:
        """Stop probing."""
        if self._probing is not None:
            self._probing.cancel()
            await asyncio.wait([self._probing])
