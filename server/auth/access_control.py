"""Whom a request is let in for: who calls, by token or address, and whether that one has not asked too often.

A token in use is known without the database and is counted for itself, so its holder does not suffer from neighbours at the
same address. Whoever has none is counted by address. A token that is not known yet costs a look-up: an address that has failed
too often is refused before that. The machine's own admin is not counted.
"""

from collections.abc import Awaitable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Request

from resolvers.caller import Caller
from server.auth.authenticator import Authenticator
from server.auth.identity import Identity
from server.config.network import client_address_key
from server.config.settings import Settings
from server.http.errors import HttpError
from server.rate_limiting.fixed_window import FixedWindowLimiter, HeaderList
from server.rate_limiting.shared_storage import open_shared_storage, parse_rate_limit
from server.rate_limiting.stream_limiter import StreamLimiter
from telemetry.request_record import record_caller

Headers = Mapping[bytes, bytes]
Scope = Mapping[str, Any]
ANONYMOUS = Identity(Caller())


class AccessControl:
    """Lets requests in. The `places` are those of streams; a WebSocket's message has `message_bytes` at most.

    The latter holds for who may not upload, as it does for a body.
    """

    def __init__(self, callers: Authenticator, settings: Settings) -> None:
        self._authenticator = callers
        self.stream_limiter = StreamLimiter(settings.max_streams, settings.max_caller_streams)
        self.message_bytes = settings.max_query_bytes
        # Where each process counts for itself, they share what the limit gives.
        processes = settings.workers if settings.rate_limit_storage is None else 1
        shared = open_shared_storage(settings.rate_limit_storage)
        self._addresses, self._failures, self._tokens = (
            limit and FixedWindowLimiter(name, limit, shared, processes=processes)
            for name, limit in (
                ("address", parse_rate_limit(settings.rate_limit)),
                ("failures", parse_rate_limit(settings.rate_limit)),
                ("token", parse_rate_limit(settings.token_rate_limit)),
            )
        )

    async def authorize(self, scope: Scope, headers: Headers) -> tuple[Identity, HeaderList]:
        """Return who sends a request, and the fields that tell what is left to that one, as the request is counted.

        Raise BadRequest (RATE_LIMITED, and what `recognise` raises).
        """
        identity = await self.authenticate(scope, headers)
        return identity, await self.check_rate_limit(scope, identity)

    async def authenticate(self, scope: Scope, headers: Headers) -> Identity:
        """Return who sends a request. Raise BadRequest (RATE_LIMITED; UNAUTHENTICATED and more, as `Callers`)."""
        identity = self._authenticator.authenticate_cached(headers) or await self._authenticate_uncached(scope, headers)
        record_caller(identity.caller.label)
        return identity

    async def _authenticate_uncached(self, scope: Scope, headers: Headers) -> Identity:
        stranger = client_address_key(scope)
        if self._failures:
            await self._failures.peek(stranger)
        try:
            return await self._authenticator.authenticate(headers)
        except HttpError as error:
            if error.status == 401:
                for quota in (self._failures, self._addresses):
                    if quota:
                        await quota.record(stranger)
            raise

    def check_rate_limit(self, scope: Scope, identity: Identity) -> Awaitable[HeaderList]:
        """Count what the caller asks for and return the fields that tell what is left. Raise BadRequest (RATE_LIMITED)."""
        caller = identity.caller
        if caller.name:
            return self._tokens.hit(caller.name) if self._tokens else _unlimited()
        if caller.is_admin or not self._addresses:
            return _unlimited()
        return self._addresses.hit(client_address_key(scope))

    def anonymous_identity(self, headers: Headers) -> Identity:
        """Return who opens a connection before it is known who it is for: a stranger, or the machine's own admin."""
        identity = None if b"authorization" in headers else self._authenticator.authenticate_cached(headers)
        return identity or ANONYMOUS

    def stream_owner(self, scope: Scope, identity: Identity) -> str:
        """Return what the caller's streams are counted under; nothing for the machine's own admin."""
        caller = identity.caller
        return caller.name or ("" if caller.is_admin else client_address_key(scope))


async def _unlimited() -> HeaderList:
    return []


class WebSocketAdmissionMiddleware:
    """Lets WebSockets in, under their address until a message tells whom they are for, or refuses them by an HTTP status."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Request, receive: Receive, send: Send) -> None:
        """Hand the connection on, with its `place` in the request's state, or answer why not. HTTP goes past this."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        admission: AccessControl = scope["state"]["access_control"]
        try:
            stranger = admission.anonymous_identity(dict(scope["headers"]))
            await admission.check_rate_limit(scope, stranger)
            with admission.stream_limiter.acquire(admission.stream_owner(scope, stranger)) as place:
                scope["state"]["place"] = place
                await self._app(scope, receive, send)
        except HttpError as error:
            await error.to_response()(scope, receive, send)


def with_headers(send: Send, fields: HeaderList) -> Send:
    """Return what sends a response with the fields."""

    async def send_with_fields(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *fields]}
        await send(message)

    return send_with_fields
