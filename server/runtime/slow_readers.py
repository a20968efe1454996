"""Disconnection of clients that do not read what the server has sent (the slow read attack).

A response that its client does not read occupies a connection, memory and perhaps a file. Neither TCP nor uvicorn ever ends
this: the peer acknowledges each probe of its closed window. So a connection whose write buffer is not empty has a time credit.
It shrinks with the time that passes and grows with each byte that the client acknowledges. Without credit the connection is
reset.

Transports report to this module only if the socket did not accept all data at once. So it costs nothing for other responses.
"""

import asyncio
import fcntl
import logging
import socket
import struct
import sys
import termios
from collections.abc import Callable, Iterable

from server.observability.metrics import record_error

log = logging.getLogger("ratesgraph.server")

MIN_BYTES_PER_SECOND = 1_000
"""Minimum rate at which a client must read, on average over the time limit.

A GPRS connection is several times as fast. HTTP servers that have such a limit require 150 to 240 bytes per second.
"""
MIN_BYTES_PER_SECOND_UNDER_PRESSURE = 100_000
"""The same while the process holds too many unread bytes."""
STUCK_SHARE = 1 / 6
"""Share of the credit whose loss makes a connection stuck, so that it may be reset before its time limit ends."""
CHECKS_PER_LIMIT = 30
"""Number of checks within the time limit."""
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
"""Value of SO_LINGER: discard unsent data when the socket is closed, and send RST."""


class Backlog:
    """Unread data of one connection, and the time credit of its client."""

    def __init__(self, transport: asyncio.Transport, seconds: float, count_waiting: Callable[[], int]) -> None:
        self.transport = transport
        self._count_waiting = count_waiting
        self.credit = seconds
        self._measure()

    def update(self, seconds: float, max_credit: float, min_rate: float) -> None:
        """Charge the seconds that have passed, and credit the bytes that the client has read."""
        before = self._unread_bytes
        self._measure()
        read_bytes = max(0, before - self._unread_bytes)
        self.credit = min(self.credit + read_bytes / min_rate, max_credit) - seconds

    def _measure(self) -> None:
        """Count the bytes that the process holds and those that are not acknowledged."""
        size = self.transport.get_write_buffer_size()
        self.held_bytes = size + self._count_waiting()
        # Messages that join those in wait must not hide that the client reads.
        self._unread_bytes = size + _count_unacknowledged(self.transport.get_extra_info("socket").fileno())


class SlowReaders:
    """Monitor of the connections whose client reads too slowly, in one process.

    A client must read at least MIN_BYTES_PER_SECOND on average over `seconds`. While unread data exceeds `max_bytes`, the rule
    is stricter, and connections that are stuck are reset at once.
    """

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self._seconds = seconds
        self._max_bytes = max_bytes
        self._interval = seconds / CHECKS_PER_LIMIT
        self._backlogs: dict[asyncio.Transport, Backlog] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._checked_at = 0.0

    def add(self, transport: asyncio.Transport, count_waiting: Callable[[], int]) -> None:
        """Watch a transport whose write buffer is not empty.

        `count_waiting` returns the bytes of messages that wait until the buffer is empty.
        """
        self._backlogs[transport] = Backlog(transport, self._seconds, count_waiting)
        if self._timer is None:
            self._schedule()

    def discard(self, transport: asyncio.Transport) -> None:
        """Stop watching the transport: its buffer is empty, or its connection is lost."""
        self._backlogs.pop(transport, None)

    def reset_stuck(self, transports: Iterable[asyncio.Transport]) -> bool:
        """Reset the connection that has been stuck for longest. Return whether there was one."""
        stuck = [
            found for transport in transports if (found := self._backlogs.get(transport)) and self._is_stuck(found)
        ]
        if stuck:
            self._reset(min(stuck, key=_credit))
        return bool(stuck)

    def _is_stuck(self, backlog: Backlog) -> bool:
        return backlog.credit <= self._seconds * (1 - STUCK_SHARE)

    def _schedule(self) -> None:
        loop = asyncio.get_running_loop()
        self._checked_at = loop.time()
        self._timer = loop.call_later(self._interval, self._check)

    def _check(self) -> None:
        """Reset the connections that have no credit left. Repeat until no connection is watched."""
        seconds = asyncio.get_running_loop().time() - self._checked_at
        excess = sum(backlog.held_bytes for backlog in self._backlogs.values()) - self._max_bytes
        min_rate = MIN_BYTES_PER_SECOND if excess <= 0 else MIN_BYTES_PER_SECOND_UNDER_PRESSURE
        for backlog in self._backlogs.values():
            backlog.update(seconds, self._seconds, min_rate)
        for backlog in sorted(self._backlogs.values(), key=_credit):
            if backlog.credit <= 0 or (excess > 0 and self._is_stuck(backlog)):
                excess -= backlog.held_bytes
                self._reset(backlog)
        self._timer = None
        if self._backlogs:
            self._schedule()

    def _reset(self, backlog: Backlog) -> None:
        """Close the connection at once, and discard what was not read, in the kernel too."""
        del self._backlogs[backlog.transport]
        record_error("RESPONSE_NOT_READ")
        log.info(
            "connection reset: its client does not read",
            extra={"code": "RESPONSE_NOT_READ", "unread_bytes": backlog.held_bytes},
        )
        backlog.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        backlog.transport.abort()


def _credit(backlog: Backlog) -> float:
    return backlog.credit


def _count_unacknowledged(fd: int) -> int:
    """Return the bytes in the send queue of the socket that the peer has not acknowledged.

    The queue may have megabytes. Linux reports a socket as writable again only when a third of it is free, so that a slow
    client would seem to pause. Other systems have other calls for this: there the pauses count.
    """
    if sys.platform != "linux":
        return 0
    return int(struct.unpack("i", fcntl.ioctl(fd, termios.TIOCOUTQ, b"\0\0\0\0"))[0])
