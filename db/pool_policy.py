"""Rules for work on a pooled connection, and the figures of a pool."""

from dataclasses import dataclass

TRY_READ_SECONDS = 2.5
"""Deadline of `Pool.try_read`.

It exceeds the timeout of the pool, which can then detect an outage first.
"""
MAX_ATTEMPTS = 5
"""Attempts for work that loses its connection each time: the work itself may be the cause."""


@dataclass(frozen=True, slots=True)
class WorkPolicy:
    """Deadline, retry and outage rules for one unit of work on a pooled connection.

    Attributes:
        deadline: Seconds after which a watchdog aborts the connection, or None for no limit.
        max_attempts: How often the work runs at most, when each attempt loses its connection.
        wait_for_outage: Whether to wait for the end of an outage instead of failing at once.
    """

    deadline: float | None
    max_attempts: int
    wait_for_outage: bool


IDEMPOTENT_WRITE = WorkPolicy(deadline=None, max_attempts=MAX_ATTEMPTS, wait_for_outage=True)
# The watchdog runs out a second after the caller's own deadline, which leaves time for a regular cancellation.
TRY_READ = WorkPolicy(deadline=TRY_READ_SECONDS + 1, max_attempts=1, wait_for_outage=False)


@dataclass(frozen=True, slots=True)
class PoolStats:
    """Pool usage: maximum size, open connections, idle connections, and callers waiting for one."""

    limit: int
    size: int
    idle: int
    waiting: int
