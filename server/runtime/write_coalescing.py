"""Write coalescing: one system call for all data written in an iteration of the event loop.

Uvicorn writes the head of a response, then its body, and uvloop sends each at once. That costs a system call, a packet and a
wake-up of the client each. For a cached response these cost more than all other work. So writes are buffered until the
iteration of the event loop ends, and are then sent together.
"""

import asyncio
from typing import Any

MAX_BUFFERED_BYTES = 65_536
"""Larger writes bypass the buffer, so that the flow control of the transport applies."""


class WriteCoalescingTransport:
    """Transport wrapper that buffers writes until the end of the event-loop iteration."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._buffer = b""
        # These are called for every request, so they bypass `__getattr__`.
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        """Buffer the data, or write it at once if it is large."""
        if len(data) > MAX_BUFFERED_BYTES:
            self.flush()
            # A closed transport of uvloop raises an exception.
            if not self.is_closing():
                self._transport.write(data)  # Not copied.
        elif data:
            if not self._buffer:
                self._loop.call_soon(self.flush)
            self._buffer += data
            if len(self._buffer) > MAX_BUFFERED_BYTES:
                self.flush()

    def flush(self) -> None:
        """Write the buffered data, unless the transport is closing."""
        data, self._buffer = self._buffer, b""
        if data and not self.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        """Flush the buffer and close the transport."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._transport, name)
