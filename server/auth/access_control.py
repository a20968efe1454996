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
from server.auth.authenticator import Callers
from server.auth.identity import Identity
from server.config.network import name_stranger
from server.config.settings import Settings
from server.http.errors import BadRequest
from server.rate_limiting.fixed_window import Fields, Quota
from server.rate_limiting.shared_storage import open_counters, read_limit
from server.rate_limiting.stream_limiter import Places
from telemetry.request_record import note_caller

Headers = Mapping[bytes, bytes]
Scope = Mapping[str, Any]
STRANGER = Identity(Caller())


class Admission:
    """Lets requests in. The `places` are those of streams; a WebSocket's message has `message_bytes` at most.

    The latter holds for who may not upload, as it does for a body.
    """

    def __init__(self, callers: Callers, settings: Settings) -> None:
        self._callers = callers
        self.places = Places(settings.max_streams, settings.max_caller_streams)
        self.message_bytes = settings.max_query_bytes
        # Where each process counts for itself, they share what the limit gives.
        processes = settings.workers if settings.rate_limit_storage is None else 1
        shared = open_counters(settings.rate_limit_storage)
        self._addresses, self._failures, self._tokens = (
            limit and Quota(name, limit, shared, processes=processes)
            for name, limit in (
                ("address", read_limit(settings.rate_limit)),
                ("failures", read_limit(settings.rate_limit)),
                ("token", read_limit(settings.token_rate_limit)),
            )
        )

    async def admit(self, scope: Scope, headers: Headers) -> tuple[Identity, Fields]:
        """Return who sends a request, and the fields that tell what is left to that one, as the request is counted.

        Raise BadRequest (RATE_LIMITED, and what `recognise` raises).
        """
        identity = await self.recognise(scope, headers)
        return identity, await self.count(scope, identity)

    async def recognise(self, scope: Scope, headers: Headers) -> Identity:
        """Return who sends a request. Raise BadRequest (RATE_LIMITED; UNAUTHENTICATED and more, as `Callers`)."""
        identity = self._callers.find(headers) or await self._look_up(scope, headers)
        note_caller(identity.caller.label)
        return identity

    async def _look_up(self, scope: Scope, headers: Headers) -> Identity:
        stranger = name_stranger(scope)
        if self._failures:
            await self._failures.check(stranger)
        try:
            return await self._callers.recognise(headers)
        except BadRequest as error:
            if error.status == 401:
                for quota in (self._failures, self._addresses):
                    if quota:
                        await quota.count(stranger)
            raise

    def count(self, scope: Scope, identity: Identity) -> Awaitable[Fields]:
        """Count what the caller asks for and return the fields that tell what is left. Raise BadRequest (RATE_LIMITED)."""
        caller = identity.caller
        if caller.name:
            return self._tokens.take(caller.name) if self._tokens else _take_nothing()
        if caller.is_admin or not self._addresses:
            return _take_nothing()
        return self._addresses.take(name_stranger(scope))

    def find_without_token(self, headers: Headers) -> Identity:
        """Return who opens a connection before it is known who it is for: a stranger, or the machine's own admin."""
        identity = None if b"authorization" in headers else self._callers.find(headers)
        return identity or STRANGER

    def name(self, scope: Scope, identity: Identity) -> str:
        """Return what the caller's streams are counted under; nothing for the machine's own admin."""
        caller = identity.caller
        return caller.name or ("" if caller.is_admin else name_stranger(scope))


async def _take_nothing() -> Fields:
    return []


class SocketAdmission:
    """Lets WebSockets in, under their address until a message tells whom they are for, or refuses them by an HTTP status."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Request, receive: Receive, send: Send) -> None:
        """Hand the connection on, with its `place` in the request's state, or answer why not. HTTP goes past this."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        admission: Admission = scope["state"]["admission"]
        try:
            stranger = admission.find_without_token(dict(scope["headers"]))
            await admission.count(scope, stranger)
            with admission.places.take(admission.name(scope, stranger)) as place:
                scope["state"]["place"] = place
                await self._app(scope, receive, send)
        except BadRequest as error:
            await error.to_response()(scope, receive, send)


def tell(send: Send, fields: Fields) -> Send:
    """Return what sends a response with the fields."""

    async def send_with_fields(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message["headers"], *fields]}
        await send(message)

    return send_with_fields
