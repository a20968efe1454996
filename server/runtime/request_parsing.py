"""Bounded parsing of requests, with checks that the parser omits (RFC 9110, RFC 9112).

The parser itself refuses what makes the length of a message ambiguous: a second or malformed Content-Length,
Transfer-Encoding next to Content-Length, folded lines, a space before a colon. What it passes on is checked here: proxies and
caches in front of the server must not understand a request in another way than the server does.
"""

import enum
import re
from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache

import httptools
from uvicorn.protocols.http.flow_control import HIGH_WATER_LIMIT
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from server.http.errors import HttpError

MAX_HEAD_BYTES = HIGH_WATER_LIMIT
VERSIONS = {"1.1", "1.0"}
"""The parser also accepts a request line of HTTP/2.0 or HTTP/0.9, which no client sends in this form."""
MAX_HOST_BYTES = 260
"""Maximum length of a Host header: 253 bytes of a DNS name, a colon and the port."""
HOST = re.compile(rb"(\[[0-9a-f:.%a-z_~-]+\]|[a-z0-9._~!$&'()*+;=%-]+)(:[0-9]{0,5})?", re.IGNORECASE)
"""`uri-host [ ":" port ]` (RFC 9110, section 7.2). A comma is refused: it can only come from two joined headers."""
ABSOLUTE_TARGET = re.compile(rb"[a-z][a-z0-9+.-]*://([^/?#]*)", re.IGNORECASE)
"""Request target in absolute form, as clients send it to a proxy (RFC 9112, section 3.2.2)."""


def check_head(headers: Sequence[tuple[bytes, bytes]], http_version: str, target: bytes) -> HttpError | None:
    """Return the error of a head that must be refused, or None. Names are in lower case.

    This runs for every request, so it costs one dictionary lookup per header.
    """
    hosts = 0
    for name, value in headers:
        check = CHECKS.get(name)
        if check is not None:
            if (error := check(value)) is not None:
                return error
            hosts += name == b"host"
    if http_version not in VERSIONS:
        message = f"HTTP/{http_version} is not supported; use HTTP/1.1."
        return HttpError("UNSUPPORTED_HTTP_VERSION", message, status=505)
    if target[:1] != b"/" and (error := _check_absolute_target(target, dict(headers).get(b"host", b""))) is not None:
        return error
    if hosts == 1 or (hosts == 0 and http_version == "1.0"):
        return None
    message = f"An HTTP/{http_version} request needs exactly one Host header, but this one has {hosts}."
    return HttpError("BAD_HTTP", message)


def encode_head_without_upgrade(method: bytes, url: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the head of the same request without its Upgrade header."""
    fields = [b"%b: %b\r\n" % field for field in headers if field[0] != b"upgrade"]
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, url, b"".join(fields))


def _check_absolute_target(target: bytes, host: bytes) -> HttpError | None:
    """Return the error of a target that names another host than the Host header."""
    absolute = ABSOLUTE_TARGET.match(target)
    if absolute is None or absolute[1].lower() == host.lower():
        return None
    return HttpError("BAD_HTTP", "The request target and the Host header must name the same host.")


def _check_host(value: bytes) -> HttpError | None:
    if len(value) <= MAX_HOST_BYTES and _is_host(value):
        return None
    return HttpError("BAD_HTTP", "The Host header must be a host name or address with an optional port.")


@lru_cache(maxsize=1_000)
def _is_host(value: bytes) -> bool:
    return HOST.fullmatch(value) is not None


def _check_transfer_encoding(value: bytes) -> HttpError | None:
    if value.strip().lower() == b"chunked":
        return None
    message = "Unsupported Transfer-Encoding: this server understands only `chunked`."
    return HttpError("UNSUPPORTED_TRANSFER_ENCODING", message, status=501)


def _check_expect(value: bytes) -> HttpError | None:
    if value.strip().lower() in {b"100-continue", b""}:
        return None
    message = "Unsupported expectation: this server understands only `Expect: 100-continue`."
    return HttpError("EXPECTATION_FAILED", message, status=417)


CHECKS: dict[bytes, Callable[[bytes], HttpError | None]] = {
    b"host": _check_host,
    b"transfer-encoding": _check_transfer_encoding,
    b"expect": _check_expect,
}


class RequestState(enum.Enum):
    """Part of the latest request on a connection that has arrived."""

    IDLE = enum.auto()
    """No request has begun on this connection."""
    HEAD = enum.auto()
    """The request has begun, and its head is incomplete."""
    BODY = enum.auto()
    """The head is complete, and the application processes the request while the body arrives."""
    RESPONDING = enum.auto()
    """The request is complete.

    `cycle.response_complete` says whether its response is complete too.
    """


IDLE, HEAD, BODY, RESPONDING = RequestState
"""Module constants, because reading an attribute of an enum class is slower."""


class BoundedParsingProtocol(HttpToolsProtocol):
    """Uvicorn protocol that limits the bytes of a request outside its body.

    These are its head, chunk headers and trailers.
    """

    _state = IDLE
    _is_refused = False
    """Whether a request was refused, after which all data is ignored."""
    _head_bytes = _body_bytes = 0
    _framing_bytes = 0
    """Bytes that arrived since the last byte of the body: chunk headers and trailers."""

    @abstractmethod
    def refuse(self, error: HttpError) -> None:
        """Send the error and close the connection, or let an earlier response be the last."""

    def data_received(self, data: bytes) -> None:
        """Parse the data. Refuse the request if its head is too long."""
        if self._is_refused:
            return
        if len(data) > MAX_HEAD_BYTES - self._head_bytes:
            self._parse_in_pieces(data)
        else:
            self._parse(data)

    def on_body(self, body: bytes) -> None:
        """Count the body bytes, which extend the time limit. Chunk headers and trailers do not."""
        self._body_bytes += len(body)
        self._framing_bytes = 0
        HttpToolsProtocol.on_body(self, body)

    def _parse(self, data: bytes | memoryview) -> None:
        had_body = self._state is BODY
        self._framing_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        except httptools.HttpParserUpgrade as upgrade:
            if self._is_websocket():
                self.handle_websocket_upgrade()
            else:
                self._ignore_upgrade(data[upgrade.args[0] :])
        # A head that follows a body in the same data begins somewhere in the middle.
        if self._state is HEAD and not had_body:
            self._head_bytes += len(data)
        elif self._state is BODY and self._framing_bytes > MAX_HEAD_BYTES:
            message = f"Chunk headers or trailers too large: the limit is {MAX_HEAD_BYTES:,} bytes."
            self.refuse(HttpError("HEAD_TOO_LARGE", message, status=431))

    def _parse_in_pieces(self, data: bytes) -> None:
        """Parse the bytes of a maximum head, then the rest, so that no larger head is accepted."""
        remaining = memoryview(data)
        while remaining and not (self._is_refused or self.transport.is_closing()):
            if self.transport.get_protocol() is not self:
                return
            room = MAX_HEAD_BYTES - self._head_bytes
            if not room:
                message = f"Request headers too large: the limit is {MAX_HEAD_BYTES:,} bytes."
                self.refuse(HttpError("HEAD_TOO_LARGE", message, status=431))
                return
            self._parse(remaining[:room])
            remaining = remaining[room:]

    def _is_websocket(self) -> bool:
        return HttpToolsProtocol._should_upgrade(self)

    def _should_upgrade(self) -> bool:
        """Return True, so that the base class starts no application at an upgrade of any kind."""
        return True

    def _ignore_upgrade(self, remaining: bytes | memoryview) -> None:
        """Serve a request that offers another protocol, such as h2c, over HTTP/1.1.

        RFC 9110, section 7.8, permits this. The parser has skipped the body as data of that protocol. So a new one parses the
        request again, without the offer.
        """
        method = self.parser.get_method()
        if method == b"CONNECT":
            message = "CONNECT is not allowed: this server is not a proxy."
            self.refuse(HttpError("METHOD_NOT_ALLOWED", message, status=405, headers={b"allow": b"GET, POST"}))
            return
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self._parse(encode_head_without_upgrade(method, self.url, self.headers))
        if remaining and not self._is_refused:
            self._parse(remaining)
