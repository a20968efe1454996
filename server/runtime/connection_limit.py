"""Connection limit of a process (`max_connections`): file descriptors, and eviction of idle connections."""

import asyncio
import resource
from collections.abc import Iterable
from typing import Protocol

RESERVED_FDS = 100
"""File descriptors that are not used by clients.

They are for database connections, uploads in progress and internal use.
"""


class Evictable(Protocol):
    """Connection that can be closed while it is idle."""

    transport: asyncio.Transport

    @property
    def is_idle(self) -> bool:
        """Return whether no request or response is in progress."""


def raise_fd_limit(connections: int) -> int:
    """Raise the limit of file descriptors, and return the number of connections it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    required = connections + RESERVED_FDS
    if soft != resource.RLIM_INFINITY and soft < required:
        soft = required if hard == resource.RLIM_INFINITY else min(required, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(min(connections, soft - RESERVED_FDS), 1)


def has_room(count: int, max_connections: int, others: Iterable[Evictable]) -> bool:
    """Return whether a new connection is within the limit. An idle connection is evicted if needed.

    `count` includes the new connection, and `others` does not.
    """
    return count <= max_connections or evict_idle_connection(others)


def evict_idle_connection(connections: Iterable[Evictable]) -> bool:
    """Close one idle connection. Return whether there was one.

    Its client may send a request at this very moment. To the client, this is the same as an expired keep-alive connection.
    """
    for connection in connections:
        if connection.is_idle:
            connection.transport.close()
            return True
    return False
