"""Access control: authentication of callers and rate limits.

A caller is identified by a token or by the client address. Requests with a valid token are counted per token,
so that callers behind one address do not affect each other. Requests without a token are counted per client address. An unknown
token costs a database lookup: an address with too many failed attempts is rejected before it. The local admin has no limit.
"""

from collections.abc import Awaitable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resolvers.caller import Caller
from server.auth.authenticator import Authenticator
from server.auth.identity import Identity
from server.config.network import client_address_key
from server.config.settings import Settings
from server.http.errors import HttpError
from server.http.request_headers import parse_headers
from server.rate_limiting.fixed_window import FixedWindowLimiter, HeaderList
from server.rate_limiting.shared_storage import SharedStorage, parse_rate_limit
from server.rate_limiting.stream_limiter import StreamLimiter
from telemetry.request_record import record_caller

Headers = Mapping[bytes, bytes]
ANONYMOUS = Identity(Caller())


class AccessControl:
    """Authenticates requests and enforces rate limits and stream limits.

    Attributes:
        stream_limiter: Limiter of open event streams and WebSockets.
        message_bytes: Maximum size of a WebSocket message from callers without the upload scope.
    """

    def __init__(self, authenticator: Authenticator, settings: Settings, shared: SharedStorage | None) -> None:
        self._authenticator = authenticator
        self.stream_limiter = StreamLimiter(settings.max_streams, settings.max_caller_streams)
        self.message_bytes = settings.max_query_bytes
        # Without shared storage each process counts separately, so the limit is divided among them.
        processes = settings.workers if shared is None else 1
        self._addresses, self._failures, self._tokens = (
            limit and FixedWindowLimiter(name, limit, shared, processes=processes)
            for name, limit in (
                ("address", parse_rate_limit(settings.rate_limit)),
                ("failures", parse_rate_limit(settings.rate_limit)),
                ("token", parse_rate_limit(settings.token_rate_limit)),
            )
        )

    async def authorize(self, scope: Scope, headers: Headers) -> tuple[Identity, HeaderList]:
        """Count the request and return the caller's identity and the rate-limit headers.

        Raise HttpError (RATE_LIMITED, and the errors of `authenticate`).
        """
        identity = await self.authenticate(scope, headers)
        return identity, await self.check_rate_limit(scope, identity)

    async def authenticate(self, scope: Scope, headers: Headers) -> Identity:
        """Return the caller's identity.

        Raise HttpError (RATE_LIMITED, and the errors of `Authenticator`).
        """
        identity = self._authenticator.authenticate_cached(headers) or await self._authenticate_uncached(scope, headers)
        record_caller(identity.caller.label)
        return identity

    async def _authenticate_uncached(self, scope: Scope, headers: Headers) -> Identity:
        address = client_address_key(scope)
        if self._failures:
            await self._failures.peek(address)
        try:
            return await self._authenticator.authenticate(headers)
        except HttpError as error:
            if error.status == 401:
                for limiter in (self._failures, self._addresses):
                    if limiter:
                        await limiter.record(address)
            raise

    def check_rate_limit(self, scope: Scope, identity: Identity) -> Awaitable[HeaderList]:
        """Count one request of the caller and return the rate-limit headers.

        Raise HttpError (RATE_LIMITED).
        """
        caller = identity.caller
        if caller.name:
            return self._tokens.hit(caller.name) if self._tokens else _unlimited()
        if caller.is_admin or not self._addresses:
            return _unlimited()
        return self._addresses.hit(client_address_key(scope))

    def anonymous_identity(self, headers: Headers) -> Identity:
        """Return the identity for a WebSocket handshake: anonymous, or the local admin."""
        identity = None if b"authorization" in headers else self._authenticator.authenticate_cached(headers)
        return identity or ANONYMOUS

    def stream_owner(self, scope: Scope, identity: Identity) -> str:
        """Return the key that counts the caller's streams; empty (no limit) for the local admin."""
        caller = identity.caller
        return caller.name or ("" if caller.is_admin else client_address_key(scope))


async def _unlimited() -> HeaderList:
    return []


class WebSocketAdmissionMiddleware:
    """Middleware that admits WebSocket handshakes or rejects them with an HTTP response.

    A connection is counted by client address until its `connection_init` message names a token.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Admit the WebSocket or reject it; HTTP requests pass through.

        The application finds the stream lease in `scope["state"]["stream_lease"]`.
        """
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        access_control: AccessControl = scope["state"]["access_control"]
        try:
            identity = access_control.anonymous_identity(parse_headers(scope["headers"]))
            await access_control.check_rate_limit(scope, identity)
            with access_control.stream_limiter.acquire(access_control.stream_owner(scope, identity)) as lease:
                scope["state"]["stream_lease"] = lease
                await self._app(scope, receive, send)
        except HttpError as error:
            await error.to_response()(scope, receive, send)


def with_headers(send: Send, headers: HeaderList) -> Send:
    """Return a `send` that adds the headers to the response."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *headers]}
        await send(message)

    return send_with_headers
