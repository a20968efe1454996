"""WebSocket protocol with limits on frames, and with back-pressure in both directions.

Uvicorn parses all data of a read at once, up to 256 KB: 43,000 empty frames, which block the event loop for most of a second.
Here the data is parsed in steps, between which other connections are served, and only as fast as the application receives the
messages. The application limits the number of messages (`server.graphql_api.websocket_handler`) and does not see other frames,
so these are limited here.
"""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame

from server.http.errors import HttpError
from server.observability.access_log import log_rejected_request
from server.runtime.connection_limit import ConnectionLimiter
from server.runtime.slow_readers import SlowReaders

MAX_WEBSOCKET_MESSAGE_BYTES = 1_000_000
"""Maximum length of a WebSocket message.

Messages are decoded on the event loop, and a megabyte of the worst JSON blocks it for 80 ms. Callers without the upload
scope have a lower limit.
"""
MAX_SMALL_FRAMES, WINDOW_SECONDS = 1_000, 60.0
"""Limit of pings, pongs and small fragments. Each needs some 15 µs. Clients ping a few times a minute."""
SMALL_FRAGMENT_BYTES = 512
"""Length below which a frame that does not complete its message counts as small."""
SLICE_BYTES = 1_024
"""Bytes that are parsed before the frames are counted: 170 frames at most."""
MAX_FRAMES_PER_STEP = 64
"""Frames after which other connections are served: a millisecond."""
FRAME_BYTES = 8_192
"""Payload that counts as a further frame of the step.

A kilobyte of compressed data becomes a megabyte in some 5 ms, and 64 of them blocked all other requests for 0.4 s.
"""
LATE_FRAME_BYTES = 1_024
"""Payload that counts as a further small frame after the connection was closed, when it is only discarded."""
POLICY_VIOLATION = 1008
INVALID_DATA = 1007


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Uvicorn protocol that limits frames, and waits for clients that do not read.

    It does not log a refused handshake as an error.
    """

    transport: asyncio.Transport
    is_idle = False
    """An open WebSocket is never evicted as idle."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*args, **options)
        self._limiter: ConnectionLimiter = self.app_state["connection_limiter"]
        self._slow_readers: SlowReaders = self.app_state["slow_readers"]
        self._waiting_bytes = 0
        self._unparsed = bytearray()
        self._next_step: asyncio.Handle | None = None
        self._step_frames = self._small_frames = 0
        self._window_ends_at = 0.0

    def data_received(self, data: bytes) -> None:
        """Parse the data, as far as the limits allow at once."""
        if not self.handshake_initiated:
            super().data_received(data)
            return
        self._unparsed += data
        if self._next_step is None:
            self._parse()

    def _parse(self) -> None:
        """Parse until no data is left, a message waits for the application, or the step is complete."""
        self._next_step, self._step_frames = None, 0
        while self._unparsed and self._can_parse() and self._step_frames < MAX_FRAMES_PER_STEP:
            piece = bytes(self._unparsed[:SLICE_BYTES])
            del self._unparsed[:SLICE_BYTES]
            super().data_received(piece)
            if self._small_frames > MAX_SMALL_FRAMES:
                self._close_flood()
        if self._unparsed:
            self._continue_later()
        elif self.read_paused and self._can_parse():
            self.read_paused = False
            self.transport.resume_reading()

    def _can_parse(self) -> bool:
        if self.transport.is_closing() or not self.handshake_complete:
            return False
        # After a close frame was sent, only the one of the client is awaited.
        return self.close_sent or self.queue.empty()

    def _continue_later(self) -> None:
        """Stop reading, and parse on in the next iteration of the event loop if possible."""
        if not self.read_paused:
            self.read_paused = True
            self.transport.pause_reading()
        if self._next_step is None and self._can_parse():
            self._next_step = self.loop.call_soon(self._parse)

    async def receive(self) -> Any:  # noqa: ANN401
        """Return the next message. Resume parsing when the queue is empty."""
        message = await super().receive()
        if self._unparsed:
            self._continue_later()
        return message

    async def send(self, message: Any) -> None:  # noqa: ANN401
        """Send the message when the client has read the earlier ones.

        A refusal also completes the handshake.
        """
        if not self.writable.is_set():
            await self._wait_until_writable(len(message.get("text") or message.get("bytes") or b""))
        await super().send(message)
        if self.close_sent:
            self.handshake_complete = True
        if self._unparsed:
            self._continue_later()

    async def _wait_until_writable(self, message_bytes: int) -> None:
        """Wait for the earlier messages to be read, and count the one that waits as unread."""
        self._waiting_bytes += message_bytes
        try:
            while not self.writable.is_set():
                # All waiting senders wake at once, and only the first one may write.
                await self.writable.wait()
        finally:
            self._waiting_bytes -= message_bytes

    def _count_waiting_bytes(self) -> int:
        return self._waiting_bytes

    def handle_ping(self) -> None:
        """Count a ping frame and send a pong."""
        self._count_small_frames(1)
        super().handle_ping()

    def handle_pong(self, event: Frame) -> None:
        """Count a pong frame."""
        self._count_small_frames(1)
        super().handle_pong(event)

    def handle_text(self, event: Frame) -> None:
        """Count a text frame and begin a message."""
        self._count_data_frame(event)
        super().handle_text(event)

    def handle_bytes(self, event: Frame) -> None:
        """Count a binary frame and begin a message."""
        self._count_data_frame(event)
        super().handle_bytes(event)

    def handle_cont(self, event: Frame) -> None:
        """Count a continuation frame and append it to the message."""
        self._count_data_frame(event)
        super().handle_cont(event)

    def send_receive_event_to_app(self) -> None:
        """Pass on the message, or close the connection if its text is not UTF-8.

        The base class logs this mistake of a client as an error.
        """
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf8(b"".join(self.frames)):
            self.conn.fail(INVALID_DATA, "text must be UTF-8")
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def _count_data_frame(self, frame: Frame) -> None:
        """Count a frame by its decompressed size, which determines its time."""
        size = len(frame.data)
        self._step_frames += size // FRAME_BYTES
        if self.close_sent:
            # Some messages may have been on their way. No queue slows down a client that continues to send.
            self._count_small_frames(1 + size // LATE_FRAME_BYTES)
        elif not frame.fin and size < SMALL_FRAGMENT_BYTES:
            self._count_small_frames(1)
        else:
            self._step_frames += 1

    def _count_small_frames(self, count: int) -> None:
        self._step_frames += 1
        now = self.loop.time()
        if now >= self._window_ends_at:
            self._small_frames, self._window_ends_at = 0, now + WINDOW_SECONDS
        self._small_frames += count

    def _close_flood(self) -> None:
        """Close the connection, without waiting for the close frame of the client."""
        message = f"More than {MAX_SMALL_FRAMES:,} control frames or small fragments in {WINDOW_SECONDS:.0f} s."
        error = HttpError("RATE_LIMITED", message, status=429)
        log_rejected_request(error, (), 0.0)
        reason = f"{error.code}: {error.message}"
        self.conn.fail(POLICY_VIOLATION, reason)
        self.queue.put_nowait({"type": "websocket.disconnect", "code": POLICY_VIOLATION, "reason": reason})
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()

    def pause_writing(self) -> None:
        """Limit the time for the client to read what has been written."""
        super().pause_writing()
        self._slow_readers.add(self.transport, self._count_waiting_bytes)

    def resume_writing(self) -> None:
        """End the time limit: all data has been sent."""
        super().resume_writing()
        self._slow_readers.discard(self.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Free the slot of the connection."""
        self._slow_readers.discard(self.transport)
        self._limiter.release(self)
        self._unparsed.clear()
        super().connection_lost(exc)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
