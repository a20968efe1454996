"""GraphQL over server-sent events (SSE): each result of an operation is an event.

Implements the distinct connections mode of https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md. Each result is an
event `next`, and `complete` follows the last one. The endpoint authorizes and validates the operation before it calls this.

A subscription may last for hours, so a shutdown must end the streams. Uvicorn itself closes WebSockets with 1012 (service
restart). An event stream ends here: its response is completed, but without the `complete` event, which would announce the end
of the results. Clients reconnect in both cases. A stream also ends in this way when the caller's token expires; the client
receives the reason when it reconnects with the same token.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import cast

import anyio
import orjson
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send
from strawberry.http import process_result
from strawberry.http.streaming import SSETransport, merge_stream_with_heartbeat
from strawberry.schema.schema import StreamResult
from strawberry.types import ExecutionResult

from server.auth.identity import Identity
from telemetry.request_record import record_unsent

OTHER_LINE_ENDS = ("\x85", "\u2028", "\u2029")
"""Characters at which some clients split lines too, such as httpx. In JSON they can be escaped."""


class LineFeedTransport(SSETransport):
    """Encoder of events whose lines end in LF.

    The base class writes CRLF, which the standard permits as well, but common clients split events at two line feeds.
    """

    def encode_event(self, event: str, data: str | None = None) -> str:
        """Return the event. `data` must be a single line, as orjson writes it."""
        return f"event: {event}\ndata: {data or ''}\n\n"

    def encode_comment(self, comment: str) -> str:
        """Return the comment, which clients ignore."""
        return f": {comment}\n\n"


TRANSPORT = LineFeedTransport()


async def send_sse(results: StreamResult, identity: Identity, scope: Scope, receive: Receive, send: Send) -> None:
    """Send the results as they arrive, until the server stops or the identity expires."""

    unsent: str | None = None
    is_sent = asyncio.Event()

    async def encode_events() -> AsyncGenerator[str, None]:
        nonlocal unsent
        async for result in results:
            # Incremental delivery is not used, so each item is a complete result.
            unsent = TRANSPORT.encode_next(process_result(cast("ExecutionResult", result)), _encode)
            yield unsent
            # The queue of the merged stream would take a second event, and compute a third.
            await is_sent.wait()
            is_sent.clear()
        yield TRANSPORT.encode_complete()

    async def report_sent(chunks: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
        nonlocal unsent
        async with aclosing(chunks):
            async for chunk in chunks:
                record_unsent(len(chunk))
                yield chunk
                if chunk is unsent:
                    unsent = None
                    is_sent.set()

    with_heartbeat = merge_stream_with_heartbeat(
        encode_events,
        lambda: TRANSPORT.heartbeat_message(_encode),
        TRANSPORT.heartbeat_interval,
        send_initial_heartbeat=TRANSPORT.send_initial_heartbeat,
    )
    ends = [scope["state"]["stopping"].wait, identity.wait_until_expired]
    await TerminableStreamingResponse(report_sent(with_heartbeat()), ends, headers=dict(TRANSPORT.headers))(
        scope, receive, send
    )


def _encode(data: object) -> str:
    text = orjson.dumps(data).decode()
    for character in OTHER_LINE_ENDS:
        if character in text:
            text = text.replace(character, f"\\u{ord(character):04x}")
    return text


class TerminableStreamingResponse(StreamingResponse):
    """Streaming response that ends with its source, or when the first of `ends` returns."""

    def __init__(self, content: object, ends: Sequence[Callable[[], Awaitable[object]]], **options: object) -> None:
        super().__init__(content, **options)  # type: ignore[arg-type]
        self._ends = ends

    async def stream_response(self, send: Send) -> None:
        """Send the events, then complete the response."""
        is_complete = False
        async with anyio.create_task_group() as tasks:
            for end in self._ends:
                tasks.start_soon(self._cancel_when, end, tasks.cancel_scope)
            await super().stream_response(send)
            is_complete = True
            tasks.cancel_scope.cancel()
        if not is_complete:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _cancel_when(self, end: Callable[[], Awaitable[object]], scope: anyio.CancelScope) -> None:
        await end()
        scope.cancel()
