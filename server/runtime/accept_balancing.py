"""Balancing of new connections between the worker processes of a server.

All processes accept on one socket, so that no connection is lost when one of them stops. The process that is awake therefore
tends to win the next accept as well. Of 64 connections opened at once, one of two processes had 9; of 16 keep-alive connections
sometimes none, so that a core idled. After an accept the process sleeps for the shortest possible time, in which another
process can win the next one. libuv's UV_TCP_SINGLE_ACCEPT did the same: it slept for 1 ns after an accept (src/unix/stream.c).
"""

import time

YIELD_SECONDS = 1e-9
"""The operating system sleeps for some 60 µs."""
WINDOW_SECONDS = 0.1


class AcceptYielder:
    """Yields to other processes after an accept while the number of open connections grows.

    It sleeps only if more connections are open than after every other accept of the same tenth of a second. Then more of them
    may follow. With one request per connection the number of connections stays about the same, and sleeping for each would
    cost a sixth of the throughput.
    """

    def __init__(self, *, processes: int) -> None:
        self._is_shared = processes > 1
        self._max_connections = 0
        self._window_ends_at = 0.0

    def yield_after_accept(self, connections: int, now: float) -> bool:
        """Sleep if the number of connections grows. Return whether it did."""
        if not self._is_shared:
            return False
        if now >= self._window_ends_at:
            self._max_connections, self._window_ends_at = 0, now + WINDOW_SECONDS
        if connections <= self._max_connections:
            return False
        self._max_connections = connections
        time.sleep(YIELD_SECONDS)
        return True
