"""Balancing of new connections between the worker processes of a server.

All processes accept on one socket, so that no connection is lost when one of them stops. The process that is awake therefore
tends to win the next accept as well. Of 64 connections opened at once, one of two processes had 9; of 16 keep-alive connections
sometimes none, so that a core idled. After an accept the process sleeps for the shortest possible time, in which another
process can win the next one. libuv's UV_TCP_SINGLE_ACCEPT did the same: it slept for 1 ns after an accept (src/unix/stream.c).
"""

import asyncio
import socket
import time
from collections.abc import Callable, Iterable
from typing import Any

YIELD_SECONDS = 1e-9
"""The operating system sleeps for some 60 µs."""
WINDOW_SECONDS = 0.1
SLOW_ITERATION_SECONDS = 0.02
"""Duration of an iteration of the event loop after which waiting connections are accepted at once."""
MAX_ACCEPTS = 1_000
"""Maximum number of connections that are accepted at once, in less than 0.1 s. With 100 a probe waited for up to 4.7 s."""


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


class BacklogAcceptor:
    """Accepts all waiting connections at once while the event loop is busy.

    uvloop accepts one connection in each iteration. If the iterations take long, a probe waits for as many of them as
    connections came before it. Behind 900 connections with expensive queries it waited for more than 15 seconds.
    """

    def __init__(self) -> None:
        self._sockets: list[socket.socket] = []
        self._create_protocol: Callable[[], asyncio.BaseProtocol]
        self._accepted_at: float | None = None
        self._tasks = set[asyncio.Task[Any]]()

    def start(self, sockets: Iterable[socket.socket], create_protocol: Callable[[], asyncio.BaseProtocol]) -> None:
        """Accept connections of these listening sockets, in addition to the server."""
        self._sockets, self._create_protocol = list(sockets), create_protocol

    def stop(self) -> None:
        """Stop accepting connections."""
        self._sockets = []

    def accept_waiting(self) -> None:
        """Accept all waiting connections, before the listening sockets are closed.

        The kernel resets those that are still waiting then, although their clients may have sent a request already.
        """
        for listening in self._sockets:
            self._accept_waiting(asyncio.get_running_loop(), listening)

    def check_after_accept(self, now: float) -> None:
        """Measure the current iteration of the event loop.

        If it is slow, accept the waiting connections.
        """
        if self._accepted_at is None and self._sockets:
            self._accepted_at = now
            # The second callback runs after everything that became ready together with this connection.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, self._check)

    def _check(self) -> None:
        loop = asyncio.get_running_loop()
        assert self._accepted_at is not None  # noqa: S101
        is_slow = loop.time() - self._accepted_at > SLOW_ITERATION_SECONDS
        self._accepted_at = None
        if is_slow:
            for listening in self._sockets:
                self._accept_waiting(loop, listening)

    def _accept_waiting(self, loop: asyncio.AbstractEventLoop, listening: socket.socket) -> None:
        for _ in range(MAX_ACCEPTS):
            try:
                accepted, _ = listening.accept()
            except OSError:
                # None is waiting, or there is no file descriptor, which the server reports.
                return
            accepted.setblocking(False)
            task = loop.create_task(loop.connect_accepted_socket(self._create_protocol, accepted))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
