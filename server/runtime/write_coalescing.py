"""Sends what a connection has to send when the event loop comes round, not piece by piece.

Uvicorn writes the head of a response, then its body, and uvloop passes each on at once: a system call, a packet, and a waking
of whoever waits for it. For an answer that is kept these take longer than all else. So what is written waits until all that
could be done at this turn of the loop is done, and leaves in one piece.
"""

import asyncio
from typing import Any

MAX_BUFFERED_BYTES = 65_536
"""What is more leaves at once: the transport alone knows whether anybody takes it, and has the application wait."""


class WriteCoalescingTransport:
    """A transport that writes at the end of each turn of the loop. All else is the transport's own."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._buffer = b""
        # They are asked at every request.
        self.is_closing = transport.is_closing
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        """Write the data soon."""
        if len(data) > MAX_BUFFERED_BYTES:
            self.flush()
            self._transport.write(data)  # Not copied.
        elif data:
            if not self._buffer:
                self._loop.call_soon(self.flush)
            self._buffer += data
            if len(self._buffer) > MAX_BUFFERED_BYTES:
                self.flush()

    def flush(self) -> None:
        """Write what is held, unless there is nobody any more to read it."""
        held, self._buffer = self._buffer, b""
        if held and not self.is_closing():
            self._transport.write(held)

    def close(self) -> None:
        """Close the transport, once all is written."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._transport, name)
