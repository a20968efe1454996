"""Upper bound: an ASGI application that sends ready-made bytes and does nothing else.

`POST /name` and `GET /name` return the file of that name in RESPONSES_DIR. A GET with If-None-Match returns 304.
"""

import os
from collections.abc import Awaitable, Callable, MutableMapping
from pathlib import Path
from typing import Any

Message = MutableMapping[str, Any]

RESPONSES = {f"/{path.name}": path.read_bytes() for path in Path(os.environ["RESPONSES_DIR"]).iterdir()}


async def app(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Receive the request and send the response."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        print("ready", flush=True)
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    while (await receive()).get("more_body"):
        pass
    is_known = scope["method"] == "GET" and any(name == b"if-none-match" for name, _ in scope["headers"])
    body = b"" if is_known else RESPONSES[scope["path"]]
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 304 if is_known else 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})
