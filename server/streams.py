"""Answers that go on: how they end when the server does.

A subscription may wait for hours, so a server that waited for the end of its streams would never stop. A WebSocket is closed
with 1012, service restart, by uvicorn itself. An event stream ends here: its response is finished properly, but without the
`complete` event, which would say that there is nothing more to come. Both tell a client to connect again. A stream whose
caller's token has come to its end is ended likewise: connecting again, with the same token, tells why.
"""

from collections.abc import Awaitable, Callable, Sequence

import anyio
from starlette.responses import StreamingResponse
from starlette.types import Send


class EventStream(StreamingResponse):
    """A stream of events that ends with its source, or with the first of what `ends` waits for."""

    def __init__(self, content: object, ends: Sequence[Callable[[], Awaitable[object]]], **options: object) -> None:
        super().__init__(content, **options)  # type: ignore[arg-type]
        self._ends = ends

    async def stream_response(self, send: Send) -> None:
        """Send the events, then the end of the response."""
        whole = False
        async with anyio.create_task_group() as tasks:
            for end in self._ends:
                tasks.start_soon(self._end_with, end, tasks.cancel_scope)
            await super().stream_response(send)
            whole = True
            tasks.cancel_scope.cancel()
        if not whole:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _end_with(self, end: Callable[[], Awaitable[object]], scope: anyio.CancelScope) -> None:
        await end()
        scope.cancel()
