"""HTTP protocol with limits on slow and oversized requests (Slowloris protection).

Uvicorn limits neither the arrival time of a request nor the length of its head. Here a request must arrive within some
seconds, plus a second for each part of the body that has arrived. One timer per connection checks this, not one per request.
`server.runtime.slow_readers` limits the time for the response, and `server.runtime.connection_limit` the connections.
"""

import asyncio
from typing import Any, cast

from starlette.types import Scope
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from server.http.errors import HttpError
from server.observability.access_log import REQUEST_ID_HEADER, get_request_record, log_rejected_request
from server.runtime.connection_limit import RESERVED_SECONDS, ConnectionLimiter, ReservedApp
from server.runtime.handshake_limits import check_handshake
from server.runtime.request_parsing import BODY, HEAD, IDLE, RESPONDING, BoundedParsingProtocol, check_head
from server.runtime.slow_readers import SlowReaders
from server.runtime.write_coalescing import WriteCoalescingTransport
from telemetry.request_record import RequestRecord, current_record

MIN_BYTES_PER_SECOND = 10_000
"""Minimum transfer rate of a body.

The time limit grows by one second per this many bytes. Half a gigabyte is allowed 14 hours.
"""
MAX_PIPELINED_REQUESTS = 100
"""Maximum number of requests that wait for the response to an earlier one on the same connection.

A waiting request takes a hundred times its bytes in memory. Browsers and proxies do not pipeline.
"""


class CountingFlowControl(FlowControl):
    """Uvicorn flow control that counts the message that waits for a client to read earlier ones.

    At most one waits on a connection, because a response begins when the one before it is complete.
    """

    waiting_bytes = 0

    async def drain(self) -> None:
        """Wait until the client has read what was written."""
        record = current_record.get()
        self.waiting_bytes = 0 if record is None else record.unsent_bytes
        try:
            await super().drain()
        finally:
            self.waiting_bytes = 0

    def count_waiting_bytes(self) -> int:
        """Return the size of the message that waits, or 0."""
        return self.waiting_bytes


class LimitedHttpProtocol(BoundedParsingProtocol):
    """Uvicorn protocol with limits for arrival times, request heads and connections.

    The state of the lifespan supplies `request_seconds`, `connection_limiter`, `slow_readers` and `accept_yielder`. The
    protocol sets `stopping` when the server stops, because the lifespan itself ends only after the last response. Methods that
    run for every request call the base class by name: before Python 3.12, `super()` is slower than the rest of such a method.
    """

    _running: RequestResponseCycle | None = None
    """Request that the application processes. The attribute `cycle` is the latest one, which may wait for this one."""
    _refusal: HttpError | None = None
    """Error of all requests except probes, on a connection above a limit."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the timer of the first request, and enforce the connection limit."""
        # The protocol is then notified of every buffer that is not empty (`pause_writing`).
        transport.set_write_buffer_limits(0)
        super().connection_made(WriteCoalescingTransport(transport, self.loop))  # type: ignore[arg-type]
        self.flow: CountingFlowControl = CountingFlowControl(self.transport)
        self._waiting_since = self.loop.time()
        self._head_error: HttpError | None = None
        self._seconds: float = self.app_state["request_seconds"]
        self._limiter: ConnectionLimiter = self.app_state["connection_limiter"]
        self._slow_readers: SlowReaders = self.app_state["slow_readers"]
        self._refusal = self._limiter.admit(self)
        if self._refusal is not None:
            self.app = ReservedApp(self.app, self._refusal)
            self._seconds = min(self._seconds, RESERVED_SECONDS)
        self._timer = self.loop.call_later(self._seconds, self._check_request_timeout)
        now = self.loop.time()
        self.app_state["backlog_acceptor"].check_after_accept(now)
        self.app_state["accept_yielder"].yield_after_accept(len(self.connections), now)

    @property
    def is_idle(self) -> bool:
        """Return whether no request or response is in progress."""
        if self.transport.is_closing() or self._state is HEAD or self.flow.write_paused:
            return False
        return self._state is IDLE or self.cycle.response_complete

    def pause_writing(self) -> None:
        """Limit the time for the client to read what has been written."""
        super().pause_writing()
        self._slow_readers.add(self.transport, self.flow.count_waiting_bytes)

    def resume_writing(self) -> None:
        """End the time limit: all data has been sent."""
        super().resume_writing()
        self._slow_readers.discard(self.transport)

    def set_connection_close(self) -> None:
        """Send `Connection: close` with the response, unless it has started."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_started:
            cycle.keep_alive = False

    def shutdown(self) -> None:
        """Signal the streams to end, and close the connection after the current response."""
        self.app_state["stopping"].set()
        super().shutdown()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401
        self._running = cycle
        HttpToolsProtocol._start_asgi_task(self, cycle, app)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers, and free the slot of the connection.

        The base class reports the disconnect to the latest request only.
        """
        if self._running is not None and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()
        self._timer.cancel()
        self._slow_readers.discard(self.transport)
        self._limiter.release(self)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Restart the time limit for a new request.

        Raise OverflowError, which ends the parsing, if too many requests wait: the last of them ends the connection.
        """
        if len(self.pipeline) >= MAX_PIPELINED_REQUESTS:
            raise OverflowError("too many pipelined requests")
        HttpToolsProtocol.on_message_begin(self)
        self._waiting_since = self.loop.time()
        self._state = HEAD
        self._body_bytes = self._framing_bytes = 0

    def on_headers_complete(self) -> None:
        """Start the application. Raise HttpError for an invalid head (see `send_400_response`)."""
        version = self.parser.get_http_version()
        self._head_error = check_head(self.headers, version, self.url)
        if self._head_error is not None:
            raise self._head_error
        self._state = BODY
        self._head_bytes = 0
        HttpToolsProtocol.on_headers_complete(self)
        if self.app_state["drain_state"].close_connections or self._refusal is not None:
            # While the server drains (`server.runtime.graceful_shutdown`), each response is the last on its connection.
            self.set_connection_close()
        if not self.parser.should_upgrade():
            # The parser reports trailer fields as header fields. They must not act as such (RFC 9110, section 6.5.1).
            self.headers = []
        elif self._is_websocket():
            error = self._refusal or check_handshake(self.parser.get_method(), version, self.url, self.headers)
            previous: RequestResponseCycle | None = self.cycle
            if error is None and previous is not None and not previous.response_complete:
                error = HttpError("BAD_HTTP", "A WebSocket handshake must not be pipelined.")
            if error is not None:
                self.refuse(error)

    def on_message_complete(self) -> None:
        """End the time limit: the request is complete."""
        self._state = RESPONDING
        HttpToolsProtocol.on_message_complete(self)

    def send_400_response(self, msg: str) -> None:
        """Refuse data that is not HTTP."""
        self.refuse(self._head_error or HttpError("BAD_HTTP", msg))

    def handle_websocket_upgrade(self) -> None:
        """Switch to the WebSocket protocol. Close the connection if the handshake is too slow."""
        if self._is_refused:
            return
        # This protocol receives no more events of the connection, not even `connection_lost`.
        self._timer.cancel()
        super().handle_websocket_upgrade()
        websocket: Any = self.transport.get_protocol()
        self._limiter.replace(self, websocket)
        if not websocket.handshake_initiated:
            # The library could not parse the head, and would leave the connection open without a response.
            self.refuse(HttpError("BAD_HTTP", "Malformed WebSocket handshake."))
        self.loop.call_later(self._seconds, self._check_handshake_timeout, websocket)

    def _check_handshake_timeout(self, websocket: Any) -> None:  # noqa: ANN401
        if not websocket.handshake_complete:
            self.transport.close()

    def _check_request_timeout(self) -> None:
        """Refuse the request if it has not arrived in time, else restart the timer."""
        if self.transport.is_closing():
            return
        now, remaining = self.loop.time(), self._seconds
        if self._state is not RESPONDING:
            if self.flow.read_paused:
                # Reading is paused by the server's own back-pressure, so restart the time limit.
                self._waiting_since = now
            deadline = self._waiting_since + self._seconds + self._body_bytes / MIN_BYTES_PER_SECOND
            remaining = deadline - now
        if remaining > 0:
            self._timer = self.loop.call_later(remaining, self._check_request_timeout)
        else:
            self._on_request_timeout()

    def _on_request_timeout(self) -> None:
        if self._state is HEAD or (self._state is BODY and not self.cycle.response_started):
            message = "Request timeout: the request was not received in time."
            self.refuse(HttpError("REQUEST_TIMEOUT", message, status=408))
        else:
            # No request has begun, or its response has already started.
            self.transport.close()

    def _find_arriving(self) -> RequestResponseCycle | None:
        """Return the request whose body is arriving, or None. A WebSocket handshake has no cycle."""
        latest: RequestResponseCycle | None = self.cycle
        return latest if self._state is BODY and latest is not None and latest.scope is self.scope else None

    def _find_last_before(self, refused: RequestResponseCycle | None) -> RequestResponseCycle | None:
        """Return the last request before the refused one, which is removed from the pipeline."""
        if refused is None:
            return self.cycle
        if not self.pipeline:
            return None
        self.pipeline.popleft()
        return self.pipeline[0][0] if self.pipeline else self._running

    def refuse(self, error: HttpError) -> None:
        """Send the error and close the connection. The application sees a disconnect.

        While earlier responses are in progress, the last of them ends the connection instead. The client would take the error
        for one of them.
        """
        if self._is_refused:
            return
        self._is_refused = True
        refused = self._find_arriving()
        if refused is not None and refused.response_started:
            # It was answered before its body was complete.
            self.transport.close()
            return
        previous = self._find_last_before(refused)
        if previous is not None and not previous.response_complete:
            previous.keep_alive = False
            if previous.response_started:
                self.transport.close()
            return
        record = self._request_record()
        if record is None:
            seconds = 0.0 if self._state is RESPONDING else self.loop.time() - self._waiting_since
            headers = [] if self._state is IDLE else list(self.scope["headers"])
            request_id = log_rejected_request(error, headers, seconds)
        else:
            # The application's part of the request ends now and is logged then.
            record.status, request_id = error.status, record.request_id
            record.codes = (error.code, *record.codes)
        headers = [*self.server_state.default_headers, (REQUEST_ID_HEADER, request_id)]
        self.transport.write(error.encode(headers))
        self.transport.close()

    def _request_record(self) -> RequestRecord | None:
        """Return the record of the refused request if the application has received it, else None."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or self._state is HEAD or not cycle.more_body or cycle.response_started:
            return None
        return get_request_record(cast("Scope", cycle.scope))
