"""GraphQL over server-sent events: the results of one operation as the events of one response.

In the way of https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md, distinct connections: each result is the event
`next`, and `complete` follows the last one. What may be asked, and by whom, has been decided before it comes to this.
"""

from collections.abc import AsyncGenerator
from typing import cast

import orjson
from starlette.types import Receive, Scope, Send
from strawberry.http import process_result
from strawberry.http.streaming import SSETransport, merge_stream_with_heartbeat
from strawberry.schema.schema import StreamResult
from strawberry.types import ExecutionResult

from server.callers import Identity
from server.streams import EventStream

TRANSPORT = SSETransport()


async def send_events(results: StreamResult, identity: Identity, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the results as they come, as long as the server runs and the caller is to be believed."""

    async def tell() -> AsyncGenerator[str, None]:
        async for result in results:
            # Nothing is deferred here: each is a whole result.
            yield TRANSPORT.encode_next(process_result(cast("ExecutionResult", result)), _encode)
        yield TRANSPORT.encode_complete()

    told = merge_stream_with_heartbeat(
        tell,
        lambda: TRANSPORT.heartbeat_message(_encode),
        TRANSPORT.heartbeat_interval,
        send_initial_heartbeat=TRANSPORT.send_initial_heartbeat,
    )
    ends = [scope["state"]["stopping"].wait, identity.outlast]
    await EventStream(told(), ends, headers=dict(TRANSPORT.headers))(scope, receive, send)


def _encode(data: object) -> str:
    return orjson.dumps(data).decode()
