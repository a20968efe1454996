"""GraphQL over server-sent events: the results of one operation as the events of one response.

In the way of https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, distinct connections: each result is the event
`next`, and `complete` follows the last one. What may be asked, and by whom, has been decided before it comes to this.

A subscription may wait for hours, so a server that waited for the end of its streams would never stop. A WebSocket is closed
with 1012, service restart, by uvicorn itself. An event stream ends here: its response is finished properly, but without the
`complete` event, which would say that there is nothing more to come. Both tell a client to connect again. A stream whose
caller's token has come to its end is ended likewise: connecting again, with the same token, tells why.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
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

TRANSPORT = SSETransport()


async def send_sse(results: StreamResult, identity: Identity, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the results as they come, as long as the server runs and the caller is to be believed."""

    async def encode_events() -> AsyncGenerator[str, None]:
        async for result in results:
            # Nothing is deferred here: each is a whole result.
            yield TRANSPORT.encode_next(process_result(cast("ExecutionResult", result)), _encode)
        yield TRANSPORT.encode_complete()

    told = merge_stream_with_heartbeat(
        encode_events,
        lambda: TRANSPORT.heartbeat_message(_encode),
        TRANSPORT.heartbeat_interval,
        send_initial_heartbeat=TRANSPORT.send_initial_heartbeat,
    )
    ends = [scope["state"]["stopping"].wait, identity.wait_until_expired]
    await TerminableStreamingResponse(told(), ends, headers=dict(TRANSPORT.headers))(scope, receive, send)


def _encode(data: object) -> str:
    return orjson.dumps(data).decode()


class TerminableStreamingResponse(StreamingResponse):
    """A stream of events that ends with its source, or with the first of what `ends` waits for."""

    def __init__(self, content: object, ends: Sequence[Callable[[], Awaitable[object]]], **options: object) -> None:
        super().__init__(content, **options)  # type: ignore[arg-type]
        self._ends = ends

    async def stream_response(self, send: Send) -> None:
        """Send the events, then the end of the response."""
        whole = False
        async with anyio.create_task_group() as tasks:
            for end in self._ends:
                tasks.start_soon(self._cancel_when, end, tasks.cancel_scope)
            await super().stream_response(send)
            whole = True
            tasks.cancel_scope.cancel()
        if not whole:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _cancel_when(self, end: Callable[[], Awaitable[object]], scope: anyio.CancelScope) -> None:
        await end()
        scope.cancel()
