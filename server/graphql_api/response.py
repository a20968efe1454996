"""How an answer of GraphQL leaves: its headers, and its body as it is or compressed."""

import asyncio

from starlette.types import Send

from resolvers.caller import Caller
from server.graphql_api.response_cache import CachedResponse
from server.http.content_negotiation import CONTENT_TYPES, accepts_gzip
from server.http.errors import HttpError
from server.rate_limiting.fixed_window import HeaderList

COST_HEADER = b"graphql-cost"
MIN_COMPRESSED_BYTES = 1_400
"""What fits into one packet is not compressed."""
MAX_BYTES_ON_LOOP = 200_000
"""What is longer is compressed beside the event loop, which so much keeps for one to two milliseconds."""
Headers = dict[bytes, bytes]

HIT: Headers = {b"cache-status": b"ratesgraph; hit"}
MISS: Headers = {b"cache-status": b"ratesgraph; fwd=miss"}
NO_STORE: Headers = {b"cache-control": b"private, no-store"}


class ResponseWriter:
    """Sends the answer to one request, in its media type. `fields` go with it, whatever it is."""

    caller = Caller()
    extra_headers: HeaderList = []  # noqa: RUF012

    def __init__(self, send: Send, request: Headers, media_type: bytes, vary: bytes) -> None:
        self._send = send
        self.request = request
        self.media_type = media_type
        self._vary = vary
        self.cost_mode = request.get(COST_HEADER)

    async def send_cached(self, answer: CachedResponse, headers: Headers, status: int = 200) -> None:
        """Send a body of JSON, compressed where the client takes that."""
        length = len(answer.body)
        if length < MIN_COMPRESSED_BYTES or not accepts_gzip(self.request.get(b"accept-encoding", b"")):
            await self.send(status, answer.body, headers)
            return
        is_long = length > MAX_BYTES_ON_LOOP and answer.gzipped is None
        body = await asyncio.to_thread(answer.compress) if is_long else answer.compress()
        await self.send(status, body, headers | {b"content-encoding": b"gzip"})

    async def send_not_modified(self, headers: Headers) -> None:
        """Send that the client has the answer already.

        No header tells of a body (RFC 9110, 15.4.5), nor the policy, which the client has with the answer.
        """
        own = [(b"vary", self._vary), *self.extra_headers[:1], *headers.items()]
        await self._send({"type": "http.response.start", "status": 304, "headers": own})
        await self._send({"type": "http.response.body", "body": b""})

    async def send_error(self, error: HttpError) -> None:
        """Send the one error of a request that was not executed."""
        await self.send(error.status, error.body(), NO_STORE | error.headers)

    async def send(self, status: int, body: bytes, headers: Headers) -> None:
        """Send the response."""
        own = [
            (b"content-type", CONTENT_TYPES[self.media_type]),
            (b"content-length", str(len(body)).encode()),
            (b"vary", self._vary),
            *self.extra_headers,
            *headers.items(),
        ]
        await self._send({"type": "http.response.start", "status": status, "headers": own})
        await self._send({"type": "http.response.body", "body": body})
