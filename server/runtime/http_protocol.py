"""How long and how much a connection may take before its request is there: what uvicorn leaves open.

A client may send a byte a minute, or none, or headers without end, on as many connections as it likes. So a request has
some seconds to arrive, more the more of it has come. A timer per connection looks, not one per request. And there are only so
many connections at a time: one more takes the place of one that is idle, or is refused where none is.
"""

import asyncio
import resource
from typing import Any, cast

from starlette.types import Scope
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from server.http.errors import RETRY_AFTER, HttpError
from server.observability.access_log import REQUEST_ID_HEADER, get_request_record, log_rejected_request
from server.runtime.write_coalescing import WriteCoalescingTransport
from telemetry.request_record import RequestRecord

MIN_BYTES_PER_SECOND = 10_000
"""A body has another second for each of these: half a gigabyte may take 14 hours, a trickle may not."""
MAX_HEAD_BYTES = HIGH_WATER_LIMIT
MAX_HANDSHAKE_LINE_BYTES, MAX_HANDSHAKE_FIELDS = 8_000, 120
"""The head of a WebSocket is read a second time, by a library that takes 8,192 and 128 and says nothing of more."""
MAX_WEBSOCKET_MESSAGE_BYTES = 1_000_000
"""A message is decoded on the event loop: a megabyte of the worst JSON takes 80 ms. Who may not upload has less."""


RESERVED_FDS = 100
"""File descriptors of a process that are not its clients': the database's, files being uploaded, and its own."""


def raise_fd_limit(connections: int) -> int:
    """Have the system allow so many connections, and return how many it does allow."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + RESERVED_FDS
    if soft != resource.RLIM_INFINITY and soft < wanted:
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return connections if soft == resource.RLIM_INFINITY else max(min(connections, soft - RESERVED_FDS), 1)


class LimitedHttpProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP, for requests of a bounded head that arrive in a bounded time.

    The lifespan's state has the `request_seconds`, the `max_connections` and the `turns`, and is told by `stopping` when the
    server stops: the lifespan itself ends only after the last response. What is called for every request calls its base by
    name: before Python 3.12, `super()` takes longer than what is done here.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(WriteCoalescingTransport(transport, self.loop))  # type: ignore[arg-type]
        self._waiting_since: float | None = self.loop.time()
        self._has_begun = self._head_is_open = False
        self._head_bytes = self._body_bytes = 0
        self._seconds: float = self.app_state["request_seconds"]
        self._check = self.loop.call_later(self._seconds, self._check_request_timeout)
        if len(self.connections) > self.app_state["max_connections"]:
            self._evict_idle_connection()
        self.app_state["accept_yielder"].yield_after_accept(len(self.connections), self.loop.time())

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being asked or answered."""
        return not (self.transport.is_closing() or self._head_is_open) and (
            not self._has_begun or self.cycle.response_complete
        )

    def _evict_idle_connection(self) -> None:
        for other in self.connections:
            if other is not self and isinstance(other, LimitedHttpProtocol) and other.is_idle:
                # Its client may have asked at this very moment; it is as if the connection had been closed for its age.
                other.transport.close()
                return
        message = "All connections are taken. Try again shortly."
        self._refuse(HttpError("CONNECTIONS_EXHAUSTED", message, status=503, headers=RETRY_AFTER))

    def set_connection_close(self) -> None:
        """Have the response tell that the connection is closed after it, unless it has begun."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and not cycle.response_started:
            cycle.keep_alive = False

    def shutdown(self) -> None:
        """Stop, once what is being answered is answered."""
        self.app_state["stopping"].set()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._check.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come, unless the head goes on and on."""
        HttpToolsProtocol.data_received(self, data)
        if self._head_is_open:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
                message = f"The head of the request is too large; at most {MAX_HEAD_BYTES:,} bytes are taken."
                self._refuse(HttpError("HEAD_TOO_LARGE", message, status=431))

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a request."""
        HttpToolsProtocol.on_message_begin(self)
        self._waiting_since = self.loop.time()
        self._has_begun = self._head_is_open = True
        self._head_bytes = self._body_bytes = 0

    def on_headers_complete(self) -> None:
        """Begin to answer, and go on to the body, which a WebSocket must not have: it would be waited for."""
        self._head_is_open = False
        HttpToolsProtocol.on_headers_complete(self)
        if self.app_state["drain_state"].close_connections:
            # While the server lingers (`server.runtime.graceful_shutdown`), each response is the last one on its connection.
            self.set_connection_close()
        if self.parser.should_upgrade() and self._should_upgrade() and (refusal := self._check_handshake()):
            self._refuse(refusal)

    def on_body(self, body: bytes) -> None:
        """Count what gives the request more time: the body itself, and nothing that stands around its chunks or after it."""
        self._body_bytes += len(body)
        HttpToolsProtocol.on_body(self, body)

    def on_message_complete(self) -> None:
        """Wait no more: the request is there."""
        self._waiting_since = None
        HttpToolsProtocol.on_message_complete(self)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP, in JSON as everything, unless an answer to what came before it is on its way."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or (cycle.more_body and not cycle.response_started):
            self._refuse(HttpError("BAD_HTTP", msg))
        elif cycle.response_started:
            self.transport.close()
        else:
            # Its answer is the last one here.
            cycle.keep_alive = False

    def handle_websocket_upgrade(self) -> None:
        """Go on as a WebSocket, which is closed where nobody shakes hands with it in time."""
        if self.transport.is_closing():
            return
        # This protocol hears no more of the connection, not even its end.
        self._check.cancel()
        super().handle_websocket_upgrade()
        socket: Any = self.transport.get_protocol()
        if not socket.handshake_initiated:
            # The library could not read the head after all, and would keep silent, and the connection, for good.
            self._refuse(HttpError("BAD_HTTP", "The request for a WebSocket cannot be read."))
        self.loop.call_later(self._seconds, self._check_handshake_timeout, socket)

    def _check_handshake(self) -> HttpError | None:
        lines = [len(name) + len(value) for name, value in self.headers]
        if max(len(self.url), *lines) > MAX_HANDSHAKE_LINE_BYTES or len(lines) > MAX_HANDSHAKE_FIELDS:
            message = (
                f"The head of the request is too large; for a WebSocket at most {MAX_HANDSHAKE_FIELDS} fields are taken, "
                f"of {MAX_HANDSHAKE_LINE_BYTES:,} bytes each."
            )
            return HttpError("HEAD_TOO_LARGE", message, status=431)
        fields = dict(self.headers)
        if b"transfer-encoding" in fields or fields.get(b"content-length", b"0") != b"0":
            return HttpError("BAD_HTTP", "A request for a WebSocket has no body.")
        return None

    def _check_handshake_timeout(self, socket: Any) -> None:  # noqa: ANN401
        if not socket.handshake_complete:
            self.transport.close()

    def _check_request_timeout(self) -> None:
        if self.transport.is_closing():
            return
        now, wait = self.loop.time(), self._seconds
        if self._waiting_since is not None:
            if self.flow.read_paused:
                # It is we who are slow.
                self._waiting_since = now
            wait = self._waiting_since + self._seconds + self._body_bytes / MIN_BYTES_PER_SECOND - now
        if wait > 0:
            self._check = self.loop.call_later(wait, self._check_request_timeout)
        else:
            self._on_request_timeout()

    def _on_request_timeout(self) -> None:
        if self._has_begun and (self._head_is_open or not self.cycle.response_started):
            message = "The request did not arrive in time."
            self._refuse(HttpError("REQUEST_TIMEOUT", message, status=408))
        else:
            # Nothing was asked, or it is answered already.
            self.transport.close()

    def _refuse(self, refusal: HttpError) -> None:
        """Answer past the application, which learns that its client has gone, and close."""
        notes = self._request_record()
        if notes is None:
            seconds = 0.0 if self._waiting_since is None else self.loop.time() - self._waiting_since
            request_id = log_rejected_request(refusal, self.headers if self._has_begun else (), seconds)
        else:
            # What the application does with the request ends now, and is told then.
            notes.status, request_id = refusal.status, notes.request_id
            notes.codes = (refusal.code, *notes.codes)
        body = refusal.body()
        fields = [
            *self.server_state.default_headers,
            (REQUEST_ID_HEADER, request_id),
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            *refusal.headers.items(),
        ]
        lines = [b"HTTP/1.1 %d %b" % (refusal.status, REASONS[refusal.status]), *map(b": ".join, fields), b"", body]
        self.transport.write(b"\r\n".join(lines))
        self.transport.close()

    def _request_record(self) -> RequestRecord | None:
        """Return those of the request that is being refused, if the application knows of it, or is about to."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or self._head_is_open or not cycle.more_body or cycle.response_started:
            return None
        return get_request_record(cast("Scope", cycle.scope))


class WebSocketProtocol(WebSocketsSansIOProtocol):
    """Uvicorn's WebSocket, for which a handshake that was refused is an end like another, and no fault to be logged."""

    async def send(self, message: Any) -> None:  # noqa: ANN401
        """Send the message, of a refusal too."""
        await super().send(message)
        if self.close_sent:
            self.handshake_complete = True


REASONS = {
    400: b"Bad Request",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    503: b"Service Unavailable",
}


def uvicorn_options(trusted_proxies: str | None) -> dict[str, Any]:
    """Return what every server of the application is run with."""
    return {
        "http": LimitedHttpProtocol,
        "ws": WebSocketProtocol,
        "ws_max_size": MAX_WEBSOCKET_MESSAGE_BYTES,
        "server_header": False,
        "headers": [("X-Content-Type-Options", "nosniff")],
        # Nobody's word on who asks, unless the settings name a proxy.
        "proxy_headers": bool(trusted_proxies),
        "forwarded_allow_ips": trusted_proxies or "",
    }
